/**
 * Vitest's test runner, with a guard around the candidate; loaded in the thread of a spec before the spec
 * is, so that it holds the real clocks and the real `process` whatever is put in their place later.
 */
import { syncBuiltinESMExports } from 'node:module';
import { performance } from 'node:perf_hooks';
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { type RunnerTask, type RunnerTestCase, TestRunner } from 'vitest';
import { createOutputCap } from './output-cap.ts';
import type { SpecNote } from './spec-notes.ts';

const { setInterval, clearInterval, setImmediate } = globalThis;
const utilization = performance.eventLoopUtilization.bind(performance);
// The other numbers of the utilization depend on clocks that become virtual.
const idleTime = () => utilization().idle;
const port = parentPort;
const output = createOutputCap((printed) => tell({ note: 'printed', printed }));

const firstPatienceMs = Number(workerData.patienceMs);
const TICK_MS = 20;

guardProcess();

// Vitest wants a default export.
export default class GuardedRunner extends TestRunner {
  // A candidate that hangs often hangs in many tests, and all of them have to end within the time limit of the
  // run: the first is given time, later ones less and less.
  #patienceMs = firstPatienceMs;

  override async onBeforeRunTask(test: RunnerTask): Promise<void> {
    await super.onBeforeRunTask(test);
    tell({ note: 'test-started', test: nameBelowLevel(test) });
  }

  /** Runs a test; fails it when it waits for something that can no longer come. */
  async runTask(test: RunnerTestCase): Promise<void> {
    const idle = whenIdleFor(this.#patienceMs);
    const hung = idle.promise.then(() => {
      this.#patienceMs = Math.max(firstPatienceMs / 10, this.#patienceMs / 2);
      throw new HungTest();
    });
    try {
      await Promise.race([TestRunner.getTestFn(test)(), hung]);
    } finally {
      idle.stop();
      // A rejection that nobody handled comes out between two turns of the loop: let it come out in its test.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  override onAfterRunFiles(): void {
    super.onAfterRunFiles();
    output.end();
  }
}

function nameBelowLevel(test: RunnerTask): string {
  const titles = [test.name];
  for (let group = test.suite; group?.suite; group = group.suite) titles.unshift(group.name);
  return titles.join(' > ');
}

class HungTest extends Error {
  override readonly name = 'HungTest';
}

/**
 * Resolves once this thread has done nothing at all for `ms`. Time is virtual in a spec, so a thread without
 * work stays without work; how long a test takes says nothing, the machine may be slow.
 */
function whenIdleFor(ms: number): { promise: Promise<void>; stop(): void } {
  let stop = () => {};
  const promise = new Promise<void>((resolve) => {
    let last = idleTime();
    let idleMs = 0;
    const timer = setInterval(() => {
      const now = idleTime();
      idleMs = now - last > 0.8 * TICK_MS ? idleMs + TICK_MS : 0;
      last = now;
      if (idleMs >= ms) resolve();
    }, TICK_MS);
    stop = () => clearInterval(timer);
  });
  return { promise, stop };
}

/** Caps what is printed, and tells of an attempt to end the process instead of letting it look like an end. */
function guardProcess(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.write = (chunk: Uint8Array | string, encoding?: unknown, done?: unknown) => {
      output.write(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
      const callback = typeof encoding === 'function' ? encoding : done;
      if (typeof callback === 'function') queueMicrotask(() => callback());
      return true;
    };
  }
  const endThread = Reflect.get(process, 'reallyExit').bind(process);
  for (const name of ['exit', 'reallyExit', 'abort', 'kill']) {
    Reflect.set(process, name, (...args: unknown[]) => {
      const call = `process.${name}(${args.map((argument) => inspect(argument)).join(', ')})`;
      tell({ note: 'exited', call });
      endThread(1);
    });
  }
  syncBuiltinESMExports();
}

function tell(note: SpecNote): void {
  port?.postMessage(note);
}
