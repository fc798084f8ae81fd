import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { endWith } from '../runner/process-tree.ts';

/** A command line, and where and as whom it is run. */
export interface Step {
  readonly words: readonly [command: string, ...args: string[]];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Another user's number; only root may say so. */
  readonly uid?: number;
}

export interface Outcome {
  readonly isFine: boolean;
  /** All that was printed. */
  readonly output: string;
}

/** Runs a command line to its end, without input; never throws for what it does. */
export async function runStep(
  { words: [command, ...args], cwd, env, uid }: Step,
  signal: AbortSignal,
): Promise<Outcome> {
  const child = spawn(command, args, {
    cwd,
    env: { ...plainEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    // Windows finds npm only so.
    shell: process.platform === 'win32',
    ...(uid !== undefined && { uid, gid: uid }),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  endWith(child, signal);
  try {
    await once(child, 'close');
  } catch (error) {
    output += String(error);
  }
  signal.throwIfAborted();
  return { isFine: child.exitCode === 0, output };
}

/** Without what the script that started this one has said, and without colours. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^npm_|^HALF_OPEN_|^CI$/.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: '1' };
}
