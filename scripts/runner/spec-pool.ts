import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { distDir, type PoolWorker } from 'vitest/node';
import { isSpecNote, type SpecNote } from './spec-notes.ts';

/** More than any answer needs, and little enough that memory without bound is seen within seconds. */
const MOST_HEAP_MB = 256;

/** What most specs import: loaded while the thread waits for its run, they cost the run nothing. */
const MODULES = ['vitest', 'fast-check', '@sinonjs/fake-timers'];

type Request = Parameters<PoolWorker['send']>[0];

/**
 * A pool for Vitest that runs each spec in a fresh thread, and has the next thread started beforehand:
 * that halves the time a rerun takes.
 */
export function createSpecPool(patienceMs: number, onNote: (note: SpecNote) => void) {
  let spare: Worker | undefined;
  return {
    name: 'half-open',
    createPoolWorker(): PoolWorker {
      const thread = spare ?? startThread(patienceMs);
      spare = undefined;
      return new SpecThread(thread, onNote);
    },
    /** Starts the thread of the next run. */
    prepare: () => {
      spare ??= startThread(patienceMs);
    },
  };
}

function startThread(patienceMs: number): Worker {
  const thread = new Worker(join(distDir, 'workers/threads.js'), {
    execArgv: MODULES.flatMap((name) => ['--import', import.meta.resolve(name)]),
    workerData: { patienceMs },
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
  });
  thread.stdout.resume();
  thread.stderr.resume();
  return thread;
}

class SpecThread implements PoolWorker {
  readonly name = 'half-open';
  readonly #thread: Worker;
  readonly #onNote: (note: SpecNote) => void;
  #toVitest: (message: unknown) => void = () => {};

  constructor(thread: Worker, onNote: (note: SpecNote) => void) {
    this.#thread = thread;
    this.#onNote = onNote;
  }

  async start(): Promise<void> {
    this.#thread.on('message', (message: unknown) => {
      if (isSpecNote(message)) this.#onNote(message);
      else this.#toVitest(message);
    });
    // Vitest takes an error as the end of a thread, and would fall over the end that follows it.
    this.#thread.once('error', () => this.#thread.removeAllListeners('exit'));
  }

  on(event: string, callback: (value: unknown) => void): void {
    if (event === 'message') this.#toVitest = callback;
    else this.#thread.on(event, callback);
  }

  off(event: string, callback: (value: unknown) => void): void {
    this.#thread.off(event, callback);
  }

  send(message: Request): void {
    // Vitest asks a thread to stop and waits for its word. What a candidate leaves behind may keep a thread
    // from ever giving it.
    if (message.type === 'stop') {
      this.#toVitest({ type: 'stopped', __vitest_worker_response__: true });
    } else {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      this.#thread.postMessage(message);
    }
  }

  async stop(): Promise<void> {
    this.#thread.removeAllListeners();
    // An error that comes while the thread ends concerns nobody any more.
    this.#thread.on('error', () => {});
    void this.#thread.terminate();
  }

  deserialize(data: unknown): unknown {
    return data;
  }
}
