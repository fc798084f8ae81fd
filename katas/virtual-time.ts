/**
 * Time that only moves when the spec says so. Importing this module replaces the clocks and timers of the
 * platform, for good and before the answer is loaded: whichever of them an answer uses, and however it
 * got hold of them, it sees the same virtual time. So a spec never sleeps and always gives the same verdict.
 */
import { AsyncResource } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import FakeTimers from '@sinonjs/fake-timers';

const realSetImmediate = globalThis.setImmediate;

/** More than any spec needs: beyond it, something sets itself again and again. */
const MOST_TIMERS_PER_ADVANCE = 100_000;

/** With more than this a timer fires after 1 ms, in Node and here. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const clock = FakeTimers.install({
  now: Date.UTC(2026, 10, 22, 20),
  toFake: [
    'setTimeout',
    'clearTimeout',
    'setInterval',
    'clearInterval',
    'setImmediate',
    'clearImmediate',
    'Date',
    'hrtime',
    'performance',
  ],
});

// As Node does, a delay that is no number of 1 ms or more becomes 1 ms, and a task runs in the async context of whoever
// set its timer: the library runs it in that of whoever moves the time.
const { setTimeout, setInterval } = clock;
clock.setTimeout = (task, ms, ...args) =>
  closable(setTimeout(inThisContext(task), Number(ms) >= 1 ? ms : 1, ...args), clock.clearTimeout);
clock.setInterval = (task, ms, ...args) =>
  closable(
    setInterval(inThisContext(task), Number(ms) >= 1 ? ms : 1, ...args),
    clock.clearInterval,
  );
// As Node does, an immediate takes no time, also when it is set from within another: the library adds 1 ms to
// whatever has no delay and is set while a timer fires.
const { setImmediate } = clock;
clock.setImmediate = (task, ...args) => {
  const ticking = Reflect.get(clock, 'duringTick');
  Reflect.set(clock, 'duringTick', false);
  try {
    return closable(setImmediate(inThisContext(task), ...args), clock.clearImmediate);
  } finally {
    Reflect.set(clock, 'duringTick', ticking);
  }
};

// Ways to wait that the library leaves to the real clock.
AbortSignal.timeout = (ms) => {
  const controller = new AbortController();
  globalThis.setTimeout(() => {
    controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
  }, ms);
  return controller.signal;
};
// As Node does, a wait that is called off ends with an AbortError, whose cause is the signal's reason: the library ends
// it with the reason itself.
const { setTimeout: wait, setImmediate: turn, setInterval: tick } = timersPromises;
timersPromises.setTimeout = (ms, value, options) =>
  endingAsInNode(wait(ms, value, options), options?.signal);
timersPromises.setImmediate = (value, options) =>
  endingAsInNode(turn(value, options), options?.signal);
timersPromises.setInterval = async function* (ms, value, options) {
  try {
    yield* tick(ms, value, options);
  } catch (error) {
    throw asNodeSays(error, options?.signal);
  }
};
timersPromises.scheduler.wait = (ms, options) => timersPromises.setTimeout(ms, undefined, options);
timersPromises.scheduler.yield = () => timersPromises.setImmediate(undefined);
process.uptime = () => performance.now() / 1_000;
syncBuiltinESMExports();

async function endingAsInNode<T>(waiting: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await waiting;
  } catch (error) {
    throw asNodeSays(error, signal);
  }
}

function asNodeSays(error: unknown, signal: AbortSignal | undefined): unknown {
  if (!signal?.aborted) return error;
  const aborted = new Error('The operation was aborted', { cause: signal.reason });
  return Object.assign(aborted, { name: 'AbortError', code: 'ABORT_ERR' });
}

function inThisContext<Args extends unknown[]>(task: (...args: Args) => void): typeof task {
  // The library says what is wrong with a task that is none.
  if (typeof task !== 'function') return task;
  const context = new AsyncResource('Timeout');
  return function (this: unknown, ...args) {
    context.runInAsyncScope(task, this, ...args);
  };
}

/** As Node's timers do, it has a `close`, and a disposal for `using`. */
function closable<T>(timer: T, clear: (timer: T) => void): T {
  const close = () => {
    clear(timer);
    return timer;
  };
  return typeof timer === 'object' && timer !== null
    ? Object.assign(timer, { close, [Symbol.dispose]: close })
    : timer;
}

/** Lets everything happen that needs no time to pass. */
export function settle(): Promise<void> {
  return advance(0);
}

/** Moves time on by `ms` milliseconds, and lets everything happen that is due by then, in its order. */
export async function advance(ms: number): Promise<void> {
  if (ms > LONGEST_TIMER_MS) {
    await advance(LONGEST_TIMER_MS);
    return advance(ms - LONGEST_TIMER_MS);
  }
  await promiseJobs();
  if (clock.countTimers() === 0) {
    clock.tick(ms);
    return;
  }
  let fired = await fireUntil(ms);
  while (fired > 0) fired = await fireUntil(0);
}

/** Fires what is due within `ms`, one after another; resolves to how many there were. */
async function fireUntil(ms: number): Promise<number> {
  let arrived = false;
  setTimeout(() => {
    arrived = true;
  }, ms);
  for (let fired = 0; fired <= MOST_TIMERS_PER_ADVANCE; fired += 1) {
    clock.next();
    if (arrived) return fired;
    await promiseJobs();
  }
  throw new Error(
    `More than ${MOST_TIMERS_PER_ADVANCE} timers fired within ${ms} ms: one of them sets itself again and again.`,
  );
}

/** Node runs all promise jobs that are ready, however many each of them adds, before the next immediate. */
function promiseJobs(): Promise<void> {
  return new Promise((resolve) => {
    realSetImmediate(resolve);
  });
}

/** Steps the wall clock as an administrator or NTP would; monotonic clocks and timers must not notice. */
export function stepWallClock(ms: number): void {
  clock.setSystemTime(Date.now() + ms);
}

/** How many timers are set and have not fired yet. */
export function pendingTimers(): number {
  return clock.countTimers();
}
