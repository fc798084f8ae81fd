import { spawn } from 'node:child_process';

/** What a shell says when it cannot run, or cannot find, the command. */
const NOT_STARTED = new Set([126, 127]);

/**
 * Pipes `text` into the command of `$PAGER` and waits until it ends. False when it did not start.
 *
 * @param line where to start reading, 0-based; only `less` can be told, and only if `$LESS` is free
 */
export async function pipeToPager(command: string, text: string, line: number): Promise<boolean> {
  // Ctrl-C is for the pager; it reaches everyone at this terminal.
  const ignore = () => undefined;
  process.on('SIGINT', ignore);
  try {
    return await new Promise((resolve) => {
      const child = spawn(command, {
        shell: true,
        stdio: ['pipe', 'inherit', 'inherit'],
        env: { LESS: line > 0 ? `-R +${line + 1}g` : '-R', ...process.env },
      });
      child.on('error', () => resolve(false));
      child.on('close', (code) => resolve(!NOT_STARTED.has(code ?? 0)));
      // Whoever quits the pager half-way closes the pipe before all is written.
      child.stdin.on('error', ignore);
      child.stdin.end(`${text}\n`);
    });
  } finally {
    process.off('SIGINT', ignore);
  }
}
