import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { endWith, killTree } from '../runner/process-tree.ts';

export interface ChildOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Runs Node to its end, without input; throws when it fails. What it prints is read to the last line. */
export async function runNode(
  args: readonly string[],
  options: ChildOptions,
): Promise<{ readonly tookMs: number; readonly stdout: string }> {
  const startedAt = performance.now();
  const child = startNode(args, options);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await once(child, 'close');
  const tookMs = performance.now() - startedAt;
  options.signal.throwIfAborted();
  if (child.exitCode !== 0) {
    throw new Error(`node ${args.join(' ')} ended with ${child.exitCode}.\n${stdout}${stderr}`);
  }
  return { tookMs, stdout };
}

/** Starts Node, as leader of a group of its own: so all that it starts can be ended with it. */
export function startNode(args: readonly string[], options: ChildOptions): ChildProcess {
  const { cwd, env, signal } = options;
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...plainEnvironment(), ...env },
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  endWith(child, signal);
  return child;
}

export function endNode({ pid, exitCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null) killTree(pid);
}

/** As in a learner's terminal, but without colours. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' };
  for (const name of ['FORCE_COLOR', 'NODE_OPTIONS', 'VITEST', 'CI']) delete env[name];
  return env;
}
