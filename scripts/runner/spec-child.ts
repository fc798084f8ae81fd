import { fork } from 'node:child_process';
import { join } from 'node:path';
import { KitError } from '../../quiz/problem.ts';
import { killTree } from './process-tree.ts';
import type { Candidate, ChildNote } from './spec-notes.ts';

const START_LIMIT_MS = 60_000;
const MOST_LAST_WORDS = 2_000;

/** How a child process ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last it wrote to standard error. */
  readonly lastWords: string;
}

export interface SpecChild {
  isAlive(): boolean;
  /** Rejects with a KitError when the process ends, or a minute passes, before it is ready. */
  readonly ready: Promise<void>;
  readonly ended: Promise<ChildEnd>;
  run(candidate: Candidate, onNote: (note: ChildNote) => void): void;
  /** Resolves when the process and all that it has started are gone. */
  kill(): Promise<void>;
}

/** Starts the process in which specs run, as leader of a group of its own: so all it starts can be ended with it. */
export function startSpecChild(root: string, patienceMs: number): SpecChild {
  const child = fork(join(import.meta.dirname, 'spec-worker.ts'), [root, String(patienceMs)], {
    cwd: root,
    // Vitest before tsx: loaded through the hooks of tsx, it takes half a second longer.
    execArgv: ['vitest/node', 'tsx'].flatMap((name) => ['--import', import.meta.resolve(name)]),
    env: childEnvironment(),
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const { pid } = child;

  let words = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-MOST_LAST_WORDS);
  });
  let onNote: (note: ChildNote) => void = () => {};
  child.on('message', (note: ChildNote) => onNote(note));

  const ended = new Promise<ChildEnd>((resolve) => {
    child.on('error', (error) => resolve({ code: null, signal: null, lastWords: error.message }));
    // What a candidate has started may outlive the process, and would hold its streams open.
    child.once('exit', () => pid !== undefined && killTree(pid));
    child.once('close', (code, signal) => resolve({ code, signal, lastWords: words }));
  });
  const isAlive = () => child.exitCode === null && child.signalCode === null;
  const kill = async () => {
    if (pid !== undefined && isAlive()) killTree(pid);
    await ended;
  };
  const firstNote = new Promise<void>((resolve) => {
    onNote = () => resolve();
  });
  const limit = setTimeout(() => void kill(), START_LIMIT_MS);
  const ready = Promise.race([
    firstNote,
    ended.then(({ lastWords }) => {
      throw new KitError(`The test runner did not start. \`npm ci\` may mend that.\n${lastWords}`);
    }),
  ]).finally(() => clearTimeout(limit));
  // A runner that is closed early asks nobody whether it had been ready.
  ready.catch(() => {});
  return {
    isAlive,
    ready,
    ended,
    run(candidate, listener) {
      onNote = listener;
      child.send(candidate);
    },
    kill,
  };
}

/** Without colours, and without what a Vitest or a debugger around this process would pass on. */
function childEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    NO_COLOR: '1',
    NODE_ENV: 'test',
    VITEST: 'true',
  };
  for (const name of ['FORCE_COLOR', 'NODE_OPTIONS', 'VITEST_POOL_ID', 'VITEST_WORKER_ID'])
    delete env[name];
  return env;
}
