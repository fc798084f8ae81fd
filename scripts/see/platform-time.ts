/**
 * Puts the time of a simulation in the place of the platform's clocks and timers, for good and before the answer is
 * loaded: any code that passes its spec runs in a simulation unchanged. The specs have a library for this, which looks
 * through all timers for the next one; a simulation has thousands of them.
 */
import { AsyncResource } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import timers from 'node:timers';
import { promisify } from 'node:util';
import { type ClockEvent, createEventClock } from './event-clock.ts';

export const clock = createEventClock();

const BEGIN_MS = Date.UTC(2026, 10, 22, 20);

/** With more than this a timer fires after 1 ms, in Node and here. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

type Task = (...args: readonly unknown[]) => void;

const byId = new Map<number, Timer>();
let ids = 0;

/**
 * What `setTimeout` and its like return: as Node's own, an object that stands for a number, and that runs its task in
 * the async context of whoever set it.
 */
class Timer extends AsyncResource {
  readonly #task: Task;
  readonly #args: readonly unknown[];
  readonly #delayMs: number;
  readonly #repeats: boolean;
  #event: ClockEvent;
  #id: number | undefined;
  #isRef = true;

  constructor(task: Task, ms: unknown, args: readonly unknown[], repeats = false) {
    super('Timeout');
    this.#task = checked(task);
    this.#args = args;
    this.#delayMs = delayOf(ms);
    this.#repeats = repeats;
    this.#event = this.#set();
  }

  #set(): ClockEvent {
    return clock.at(clock.nowMs + this.#delayMs, () => {
      if (this.#repeats) this.#event = this.#set();
      else this.#forget();
      this.runInAsyncScope(this.#task, this, ...this.#args);
    });
  }

  close(): this {
    this.#event.run = undefined;
    this.#forget();
    return this;
  }

  refresh(): this {
    this.#event.run = undefined;
    this.#event = this.#set();
    return this;
  }

  ref(): this {
    this.#isRef = true;
    return this;
  }

  unref(): this {
    this.#isRef = false;
    return this;
  }

  hasRef(): boolean {
    return this.#isRef;
  }

  [Symbol.toPrimitive](): number {
    if (this.#id === undefined) {
      ids += 1;
      this.#id = ids;
      byId.set(ids, this);
    }
    return this.#id;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #forget(): void {
    if (this.#id !== undefined) byId.delete(this.#id);
  }
}

/** As in Node, an immediate takes no time. */
class Immediate extends AsyncResource {
  readonly #event: ClockEvent;

  constructor(task: Task, args: readonly unknown[]) {
    super('Immediate');
    checked(task);
    this.#event = clock.at(clock.nowMs, () => this.runInAsyncScope(task, this, ...args));
  }

  close(): void {
    this.#event.run = undefined;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function checked(task: Task): Task {
  if (typeof task === 'function') return task;
  throw new TypeError('The "callback" argument must be of type function.');
}

function delayOf(ms: unknown): number {
  const wanted = Number(ms);
  return wanted >= 1 && wanted <= LONGEST_TIMER_MS ? Math.trunc(wanted) : 1;
}

function clear(timer: unknown): void {
  if (timer instanceof Timer || timer instanceof Immediate) timer.close();
  else if (typeof timer === 'number' || typeof timer === 'string') byId.get(Number(timer))?.close();
}

function wait<T>(
  ms?: number,
  value?: T,
  options?: { readonly signal?: AbortSignal },
): Promise<T | undefined> {
  return waiting((done) => new Timer(done, ms, []), value, options?.signal);
}

function turn<T>(value?: T, options?: { readonly signal?: AbortSignal }): Promise<T | undefined> {
  return waiting((done) => new Immediate(done, []), value, options?.signal);
}

function waiting<T>(
  start: (done: () => void) => Timer | Immediate,
  value: T | undefined,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(abortError(signal));
      return;
    }
    const callOff = () => {
      timer.close();
      if (signal) reject(abortError(signal));
    };
    const timer = start(() => {
      signal?.removeEventListener('abort', callOff);
      resolve(value);
    });
    signal?.addEventListener('abort', callOff, { once: true });
  });
}

async function* ticks<T>(
  ms?: number,
  value?: T,
  options?: { readonly signal?: AbortSignal },
): AsyncIterableIterator<T | undefined> {
  let due = 0;
  let wake = () => {};
  const timer = new Timer(
    () => {
      due += 1;
      wake();
    },
    ms,
    [],
    true,
  );
  const onAbort = () => wake();
  options?.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      if (options?.signal?.aborted) throw abortError(options.signal);
      if (due > 0) {
        due -= 1;
        yield value;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    options?.signal?.removeEventListener('abort', onAbort);
    timer.close();
  }
}

function abortError(signal: AbortSignal): Error {
  const aborted = new Error('The operation was aborted', { cause: signal.reason });
  return Object.assign(aborted, { name: 'AbortError', code: 'ABORT_ERR' });
}

const wallClock = () => BEGIN_MS + Math.floor(clock.nowMs);

const SimulatedDate = new Proxy(Date, {
  construct: (date, args, target) =>
    Reflect.construct(date, args.length === 0 ? [wallClock()] : args, target),
  apply: (date) => new date(wallClock()).toString(),
  get: (date, key) => (key === 'now' ? wallClock : Reflect.get(date, key)),
});

function hrtime(since?: readonly [number, number]): [number, number] {
  const nanoseconds =
    bigint() - (since ? BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]) : 0n);
  return [Number(nanoseconds / 1_000_000_000n), Number(nanoseconds % 1_000_000_000n)];
}

function bigint(): bigint {
  return BigInt(Math.round(clock.nowMs * 1_000_000));
}

const setTimeout = Object.assign(
  (task: Task, ms?: unknown, ...args: readonly unknown[]) => new Timer(task, ms, args),
  { [promisify.custom]: wait },
);
const setImmediate = Object.assign(
  (task: Task, ...args: readonly unknown[]) => new Immediate(task, args),
  { [promisify.custom]: turn },
);
const setInterval = (task: Task, ms?: unknown, ...args: readonly unknown[]) =>
  new Timer(task, ms, args, true);

const replaced = {
  setTimeout,
  setInterval,
  setImmediate,
  clearTimeout: clear,
  clearInterval: clear,
  clearImmediate: clear,
};
Object.assign(globalThis, replaced, { Date: SimulatedDate });
Object.assign(timers, replaced);
Object.assign(timersPromises, { setTimeout: wait, setImmediate: turn, setInterval: ticks });
Object.assign(timersPromises.scheduler, {
  wait: (ms: number, options?: { signal?: AbortSignal }) => wait(ms, undefined, options),
  yield: () => turn(),
});
Object.assign(process, {
  hrtime: Object.assign(hrtime, { bigint }),
  uptime: () => clock.nowMs / 1_000,
});
Object.defineProperty(performance, 'now', { value: () => clock.nowMs, configurable: true });
AbortSignal.timeout = (ms) => {
  const controller = new AbortController();
  setTimeout(() => {
    controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
  }, ms);
  return controller.signal;
};
syncBuiltinESMExports();
