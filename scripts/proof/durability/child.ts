import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';

export interface Life {
  /** What it printed to its end. */
  readonly shown: string;
  /** It was killed; false when it had come to its end before. */
  readonly wasKilled: boolean;
  /** From when it was ready to its end. */
  readonly readyMs: number;
}

export interface Doom {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** The clock to its death starts when it has printed this… */
  readonly ready: string;
  /** …and runs so long; without it, it lives on. */
  readonly killAfterMs?: number | undefined;
}

/** Runs a script in a process of its own, and kills it (SIGKILL) at an instant that it does not know. */
export async function liveAndDie(args: readonly string[], doom: Doom): Promise<Life> {
  const { cwd, env, input = '', ready, killAfterMs } = doom;
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  // It may be dead before it has read all.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  let shown = '';
  let readyAt: number | undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    if (readyAt !== undefined || !shown.includes(ready)) return;
    readyAt = performance.now();
    if (killAfterMs === undefined) return;
    void setTimeout(killAfterMs).then(() => child.kill('SIGKILL'));
  });
  await closed;
  if (child.exitCode !== 0 && child.signalCode !== 'SIGKILL') {
    throw new Error(
      `${args.join(' ')} ended with ${child.exitCode ?? child.signalCode}.\n${shown}`,
    );
  }
  const readyMs = performance.now() - (readyAt ?? performance.now());
  return { shown, wasKilled: child.signalCode === 'SIGKILL', readyMs };
}

/** The lines that were shown in full. */
export function shownLines({ shown }: Life): string[] {
  return shown.split('\n').slice(0, -1);
}
