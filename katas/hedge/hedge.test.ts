import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createHedge,
  type CallOptions,
  type Hedge,
  type HedgeOptions,
  type LearnedDelay,
} from './hedge.ts';

// ── The rooms service, played by the spec ───────────────────────────────────────────────────────────────

class RoomsError extends Error {
  override readonly name = 'RoomsError';
}
const outage = () => new RoomsError('503 from the rooms service');
const noSuchHotel = () => new RangeError('404: no such hotel');
const aborted = () => new DOMException('This operation was aborted', 'AbortError');

const DELAY_MS = 40;

/** Three attempts, 40 ms apart, unless the test says otherwise. */
function hedgeWith(options: Partial<HedgeOptions> = {}): Hedge {
  return createHedge({ delay: { ms: DELAY_MS }, maxAttempts: 3, ...options });
}

/** One attempt that has reached a replica. */
interface Lookup {
  readonly signal: AbortSignal;
  readonly attempt: number;
  readonly atMs: number;
  answers(value?: unknown): Promise<void>;
  fails(error: unknown): Promise<void>;
}

/** Whatever a replica has not answered by the end of a test. */
const unanswered = new Set<() => void>();

/** Replicas that answer each lookup when the spec says so. */
class Rooms {
  readonly lookups: Lookup[] = [];
  readonly #madeAtMs = performance.now();

  readonly ask = (signal: AbortSignal, attempt: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      unanswered.add(() => resolve('the test is over'));
      this.lookups.push({
        signal,
        attempt,
        atMs: performance.now() - this.#madeAtMs,
        answers: (value = `rooms of attempt ${attempt}`) => {
          resolve(value);
          return settle();
        },
        fails: (error) => {
          reject(error);
          return settle();
        },
      });
    });

  get count(): number {
    return this.lookups.length;
  }

  /** The lookup that came `number`-th, counted from 1. */
  nth(number: number): Lookup {
    return (
      this.lookups[number - 1] ??
      expect.fail(
        `the rooms service should have ${asked(number)} by now; it has ${asked(this.count)}`,
      )
    );
  }
}

/** What a caller knows of its call. */
interface Call {
  end: 'pending' | 'value' | 'error';
  value?: unknown;
  error?: unknown;
  /** When it was told. */
  atMs?: number;
}

type Task = (signal: AbortSignal, attempt: number) => unknown;

function watch(
  hedge: Hedge,
  task: Task,
  options?: CallOptions,
  call: Call = { end: 'pending' },
): Call {
  let promise;
  try {
    promise = hedge.call(task, options);
  } catch (error) {
    return expect.fail(`call() threw ${print(error)}: it must return a promise that rejects`);
  }
  const ended = (end: Call) => Object.assign(call, end, { atMs: performance.now() });
  promise.then(
    (value) => ended({ end: 'value', value }),
    (error: unknown) => ended({ end: 'error', error }),
  );
  return call;
}

/** A lookup may run more than once, so calls are idempotent unless the test says otherwise. */
async function start(hedge: Hedge, task: Task, options: CallOptions = {}): Promise<Call> {
  const call = watch(hedge, task, { idempotent: true, ...options });
  await settle();
  return call;
}

/** A call that is under way: a replica has been asked and has not answered yet. */
async function underWay(hedge: Hedge, options: CallOptions = {}) {
  const rooms = new Rooms();
  const call = await start(hedge, rooms.ask, options);
  if (rooms.count === 0) {
    expect.fail('a call was made: its first attempt begins at once; it has not begun');
  }
  return { call, rooms };
}

/** A call with as many attempts under way as given, `DELAY_MS` apart. */
async function hedged(hedge: Hedge, attempts: number, options: CallOptions = {}) {
  const { call, rooms } = await underWay(hedge, options);
  await advance((attempts - 1) * (DELAY_MS + 1));
  rooms.nth(attempts);
  return { call, rooms };
}

/** As query builders make them: no promise, but awaited like one. The query is sent when `then` is called. */
class Query implements PromiseLike<unknown> {
  sent = 0;
  readonly #answer: () => unknown;
  constructor(answer: () => unknown) {
    this.#answer = answer;
  }
  // oxlint-disable-next-line unicorn/no-thenable
  readonly then: PromiseLike<unknown>['then'] = (onValue, onError) => {
    this.sent += 1;
    return new Promise((resolve) => resolve(this.#answer())).then(onValue, onError);
  };
}

// ── What must have happened ─────────────────────────────────────────────────────────────────────────────

function print(thing: unknown): string {
  return thing instanceof Error || thing instanceof DOMException
    ? `${thing.name} (“${thing.message}”)`
    : String(thing);
}

function asked(count: number): string {
  if (count === 0) return 'not been asked';
  return `been asked ${['', 'once', 'twice'][count] ?? `${count} times`}`;
}

function outcome({ end, value, error }: Call): string {
  if (end === 'pending') return 'is still waiting';
  return end === 'value' ? `got the value ${print(value)}` : `got the error ${print(error)}`;
}

function expectValue(call: Call, expected: unknown, because: string): void {
  if (call.end === 'value' && Object.is(call.value, expected)) return;
  const isAlike = call.end === 'value' && print(call.value) === print(expected);
  expect.fail(
    `${because}: the caller should get the very value ${print(expected)}; it ${outcome(call)}${isAlike ? ', which is another object' : ''}`,
  );
}

function expectError(call: Call, expected: unknown, because: string): void {
  if (call.end === 'error' && Object.is(call.error, expected)) return;
  const isAlike = call.end === 'error' && print(call.error) === print(expected);
  expect.fail(
    `${because}: the caller should get the very error ${print(expected)}; it ${outcome(call)}${isAlike ? ', which is another object' : ''}`,
  );
}

function expectPending(call: Call, because: string): void {
  if (call.end === 'pending') return;
  expect.fail(`${because}: the caller should still be waiting; it ${outcome(call)}`);
}

function expectAsked({ count }: Rooms, expected: number, because: string): void {
  if (count === expected) return;
  expect.fail(
    `${because}: the rooms service should have ${asked(expected)}; it has ${asked(count)}`,
  );
}

/** When attempts have begun; a millisecond for each that went before is no matter. */
function expectBegunAt({ lookups }: Rooms, expectedMs: readonly number[], because: string): void {
  const begunMs = lookups.map(({ atMs }) => atMs);
  const isRight =
    begunMs.length === expectedMs.length &&
    begunMs.every((atMs, index) => Math.abs(atMs - Number(expectedMs[index])) <= index);
  if (isRight) return;
  expect.fail(
    `${because}: attempts should have begun after ${expectedMs.join(', ')} ms; they began after ${begunMs.join(', ')} ms`,
  );
}

function expectStopped({ signal, attempt }: Lookup, because: string): void {
  if (signal.aborted) return;
  expect.fail(
    `${because}: the signal of attempt ${attempt} should be aborted, or its replica works on for nobody`,
  );
}

function expectGoingOn({ signal, attempt }: Lookup, because: string): void {
  if (!signal.aborted) return;
  expect.fail(
    `${because}: the signal of attempt ${attempt} must not be aborted (${print(signal.reason)})`,
  );
}

function expectNoTimer(because: string): void {
  if (pendingTimers() > 0)
    expect.fail(`${because}: a timer is still set, for something that is over`);
}

function expectNoListener(signal: AbortSignal, because: string): void {
  const left = getEventListeners(signal, 'abort').length;
  if (left > 0) expect.fail(`${because}: ${left} listener(s) left on the caller's signal`);
}

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});

afterEach(async () => {
  for (const answer of unanswered) answer();
  unanswered.clear();
  await advance(10_000);
  const stray = strays.splice(0);
  if (stray.length > 0) {
    expect.fail(
      `a promise was rejected with ${print(stray[0])} and nobody handled it, which ends a Node process`,
    );
  }
  expectNoTimer('ten seconds after the last call has ended');
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · one more, after a while', () => {
  it('asks a replica at once, and one is enough when it answers', async () => {
    const { call, rooms } = await underWay(hedgeWith());
    await advance(12);
    expectPending(call, 'no replica has answered yet');
    await rooms.nth(1).answers('2 rooms');
    expectValue(call, '2 rooms', 'the first replica answered after 12 ms');
    await advance(1_000);
    expectAsked(rooms, 1, 'the first replica answered before the delay was over');
  });

  it.each([5, 40, 300, 2_000, 60_000])('asks another replica after %i ms', async (delayMs) => {
    const { call, rooms } = await underWay(hedgeWith({ delay: { ms: delayMs } }));
    await advance(delayMs - 2);
    expectAsked(rooms, 1, `${delayMs - 2} ms of a delay of ${delayMs}`);
    await advance(3);
    expectAsked(rooms, 2, `${delayMs + 1} ms, and the delay is ${delayMs}`);
    expectPending(call, 'no replica has answered yet');
    await rooms.nth(1).answers();
  });

  it('takes the second answer when it comes first', async () => {
    const { call, rooms } = await hedged(hedgeWith(), 2);
    await rooms.nth(2).answers('2 rooms');
    expectValue(call, '2 rooms', 'the second replica answered, the first has not');
  });

  it('takes the first answer when it comes first after all', async () => {
    const { call, rooms } = await hedged(hedgeWith(), 2);
    await rooms.nth(1).answers('2 rooms');
    expectValue(call, '2 rooms', 'the first replica answered, the second has not');
  });

  it('takes undefined, null, false and a list for answers', async () => {
    for (const answer of [undefined, null, false, ['2 rooms']]) {
      const { call, rooms } = await hedged(hedgeWith(), 2);
      // Not by `answers()`, for which undefined is no value.
      const late = await start(hedgeWith(), () => answer);
      expectValue(late, answer, `the first replica answered with ${print(answer)}`);
      await rooms.nth(2).answers(answer ?? null);
      expectValue(call, answer ?? null, `the second replica answered with ${print(answer)}`);
    }
  });

  it('counts each delay from the beginning of the attempt before', async () => {
    const { rooms } = await underWay(hedgeWith({ maxAttempts: 4 }));
    await advance(4 * DELAY_MS);
    expectBegunAt(rooms, [0, 40, 80, 120], 'a delay of 40 ms, and no replica answers');
  });

  it.each([1, 2, 3, 5])('takes maxAttempts at its word: %i', async (maxAttempts) => {
    const { call, rooms } = await underWay(hedgeWith({ maxAttempts }));
    await advance(10 * DELAY_MS);
    expectAsked(rooms, maxAttempts, `maxAttempts is ${maxAttempts}, and no replica answers`);
    expectPending(call, 'no replica has answered yet');
    await rooms.nth(maxAttempts).answers('2 rooms');
    expectValue(call, '2 rooms', 'the last replica that was asked answered');
  });

  it('asks about each call by itself', async () => {
    const hedge = hedgeWith();
    const lookup = await underWay(hedge);
    const booking = await underWay(hedge, { idempotent: false });
    await advance(20);
    const later = await underWay(hedge);
    await advance(21);
    expectAsked(lookup.rooms, 2, '41 ms into a lookup');
    expectAsked(booking.rooms, 1, '41 ms into a booking');
    expectAsked(later.rooms, 1, '21 ms into a later lookup');
    await later.rooms.nth(1).answers('7 rooms');
    expectValue(later.call, '7 rooms', 'the later lookup was answered');
    expectPending(lookup.call, 'another lookup was answered');
    await lookup.rooms.nth(2).answers('2 rooms');
    expectValue(lookup.call, '2 rooms', 'the second attempt at the first lookup was answered');
    await booking.rooms.nth(1).answers('booked');
    expectValue(booking.call, 'booked', 'the booking was made');
  });

  it('tells each attempt its number', async () => {
    const hedge = hedgeWith();
    const first = await hedged(hedge, 3);
    const second = await hedged(hedge, 2);
    const numbers = [first, second].map(({ rooms }) => rooms.lookups.map((each) => each.attempt));
    expect(numbers, 'numbers of the attempts at two calls, counted from 1').toEqual([
      [1, 2, 3],
      [1, 2],
    ]);
  });

  it('hands each attempt a signal of its own', async () => {
    const { rooms } = await hedged(hedgeWith(), 3);
    for (const { signal } of rooms.lookups) {
      expect(signal, 'an attempt is handed an AbortSignal').toBeInstanceOf(AbortSignal);
      expect(signal.aborted, 'no replica has answered yet').toBe(false);
    }
    const signals = new Set(rooms.lookups.map(({ signal }) => signal));
    expect(signals.size, 'three attempts, three signals').toBe(3);
    const handed = new Set<AbortSignal>();
    await start(hedgeWith(), (signal) => {
      handed.add(signal);
      throw outage();
    });
    expect(handed.size, 'three attempts that failed one after another, three signals').toBe(3);
  });

  it('takes a task that returns a plain value', async () => {
    const hedge = hedgeWith();
    let runs = 0;
    const call = await start(hedge, () => {
      runs += 1;
      return 42;
    });
    expectValue(call, 42, 'the task returned 42');
    await advance(1_000);
    expect(runs, 'the task succeeded at once: runs').toBe(1);
  });

  it('waits for anything with a then, and asks it once', async () => {
    const query = new Query(() => '2 rooms');
    expectValue(await start(hedgeWith(), () => query), '2 rooms', 'the task returned a query');
    expect(query.sent, 'a query is sent each time its `then` is called').toBe(1);
  });

  it('makes one attempt at what may not run twice', async () => {
    const hedge = hedgeWith();
    for (const options of [undefined, {}, { idempotent: false }]) {
      const rooms = new Rooms();
      const call = watch(hedge, rooms.ask, options);
      await advance(10 * DELAY_MS);
      expectAsked(rooms, 1, 'nobody said that the booking may run twice');
      await rooms.nth(1).answers('booked');
      expectValue(call, 'booked', 'the one attempt succeeded');
    }
  });

  it('makes no second attempt at a booking that failed', async () => {
    const rooms = new Rooms();
    const call = watch(hedgeWith(), rooms.ask);
    await settle();
    const error = outage();
    await rooms.nth(1).fails(error);
    expectError(call, error, 'the one attempt at a booking failed');
    await advance(1_000);
    expectAsked(rooms, 1, 'nobody said that the booking may run twice');
  });

  it('turns a throw into a rejection', async () => {
    const error = outage();
    const throws = () => {
      throw error;
    };
    const call = await start(hedgeWith(), throws, { idempotent: false });
    expectError(call, error, 'the task threw before it had a promise');
  });

  it('does not mix up two hedges', async () => {
    const quick = await underWay(hedgeWith({ delay: { ms: 10 }, maxAttempts: 2 }));
    const slow = await underWay(hedgeWith({ delay: { ms: 90 }, maxAttempts: 5 }));
    await advance(190);
    expectBegunAt(quick.rooms, [0, 10], 'a delay of 10 ms and two attempts');
    expectBegunAt(slow.rooms, [0, 90, 180], 'a delay of 90 ms and five attempts');
  });

  it.each([5, 40, 300])('says how long it waits: %i ms', (delayMs) => {
    expect(hedgeWith({ delay: { ms: delayMs } }).delayMs, 'delayMs').toBe(delayMs);
  });

  it.each([-3_600_000, 3_600_000])(
    'does not notice when the wall clock is stepped by %i ms',
    async (stepMs) => {
      const { rooms } = await underWay(hedgeWith());
      await advance(20);
      stepWallClock(stepMs);
      await advance(18);
      expectAsked(rooms, 1, '38 ms of 40, though the wall clock was set');
      await advance(3);
      expectAsked(rooms, 2, '41 ms, and the delay is 40, though the wall clock was set');
    },
  );
});

describe('2 · losers, and callers who leave', () => {
  it.each([1, 2, 3])('stops the others when attempt %i has won', async (winner) => {
    const { rooms } = await hedged(hedgeWith(), 3);
    for (const lookup of rooms.lookups) expectGoingOn(lookup, 'no replica has answered yet');
    await rooms.nth(winner).answers();
    for (const lookup of rooms.lookups) {
      if (lookup.attempt === winner) {
        expectGoingOn(lookup, 'it has won, and the body of its answer may still be on its way');
      } else {
        expectStopped(lookup, `attempt ${winner} has won`);
      }
    }
    await advance(1_000);
    expectGoingOn(rooms.nth(winner), 'it has won, and the body of its answer may take a while');
  });

  it('begins nothing once a replica has answered', async () => {
    const { rooms } = await hedged(hedgeWith(), 2);
    await rooms.nth(1).answers();
    expectNoTimer('a replica has answered');
    await advance(1_000);
    expectAsked(rooms, 2, 'a replica has answered, and a third attempt was allowed');
  });

  it('leaves no timer behind a quick answer', async () => {
    const { rooms } = await underWay(hedgeWith({ delay: { ms: 60_000 } }));
    await advance(12);
    await rooms.nth(1).answers();
    expectNoTimer('the first replica answered after 12 ms of a delay of a minute');
    await start(hedgeWith({ delay: { ms: 60_000 } }), () => '2 rooms');
    expectNoTimer('the task returned a plain value');
  });

  it('does not change its word for a late answer', async () => {
    const { call, rooms } = await hedged(hedgeWith(), 2);
    await rooms.nth(2).answers('2 rooms');
    await advance(900);
    await rooms.nth(1).answers('1 room');
    expectValue(call, '2 rooms', 'the loser answered as well, 900 ms later');
    expectAsked(rooms, 2, 'the loser answered as well, 900 ms later');
  });

  it('lets the late error of a loser pass without a word', async () => {
    const { call, rooms } = await hedged(hedgeWith(), 2);
    await rooms.nth(2).answers('2 rooms');
    await advance(900);
    // If nobody handles it, the check after each test says so.
    await rooms.nth(1).fails(outage());
    expectValue(call, '2 rooms', 'the loser failed 900 ms later');
    await advance(1_000);
    expectAsked(rooms, 2, 'the loser failed after the call was over');
  });

  it('takes no notice of what losers say when they are stopped', async () => {
    for (const says of ['an AbortError', 'half of the rooms'] as const) {
      const rooms = new Rooms();
      const task = (signal: AbortSignal, attempt: number) =>
        new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => {
            if (says === 'an AbortError') reject(aborted());
            else resolve(says);
          });
          rooms.ask(signal, attempt).then(resolve, reject);
        });
      const call = await start(hedgeWith(), task);
      await advance(DELAY_MS + 1);
      await rooms.nth(2).answers('2 rooms');
      expectValue(call, '2 rooms', `the loser was stopped and came back with ${says}`);
      await advance(1_000);
      expectAsked(rooms, 2, `the loser was stopped and came back with ${says}`);
    }
  });

  it('begins no other attempt because a loser fails as it is stopped', async () => {
    let runs = 0;
    const task = (signal: AbortSignal, attempt: number) => {
      runs += 1;
      if (attempt === 2) return '2 rooms';
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(aborted()));
      });
    };
    const call = await start(hedgeWith({ maxAttempts: 9 }), task);
    await advance(1_000);
    expectValue(call, '2 rooms', 'the second attempt succeeded');
    expect(runs, 'the first attempt failed because it was stopped: runs').toBe(2);
  });

  it.each(['left the page', new RangeError('the app was closed'), undefined, null, 0])(
    'hands over the reason of the caller: %s',
    async (why) => {
      const caller = new AbortController();
      const { call, rooms } = await hedged(hedgeWith(), 2, { signal: caller.signal });
      expectPending(call, 'nobody has hung up');
      caller.abort(why);
      await settle();
      const { reason } = caller.signal;
      expectError(call, reason, 'the caller hung up, two attempts were under way');
      for (const lookup of rooms.lookups) {
        expectStopped(lookup, 'the caller hung up');
        if (!Object.is(lookup.signal.reason, reason)) {
          expect.fail(
            `the caller hung up: the reason of the signal of attempt ${lookup.attempt} should be the caller's very reason, ${print(reason)}; it is ${print(lookup.signal.reason)}`,
          );
        }
      }
      expectNoTimer('the caller hung up');
      await advance(1_000);
      expectAsked(rooms, 2, 'the caller hung up, and a third attempt was allowed');
    },
  );

  it('asks nobody for a caller that has hung up before', async () => {
    const rooms = new Rooms();
    const hedge = hedgeWith();
    for (const why of ['left the page', null, 0]) {
      const call = await start(hedge, rooms.ask, { signal: AbortSignal.abort(why) });
      expectError(call, why, 'the caller had hung up before');
    }
    await advance(1_000);
    expectAsked(rooms, 0, 'the caller had hung up before');
  });

  it('hears a caller that hangs up before the delay is over', async () => {
    const caller = new AbortController();
    const { call, rooms } = await underWay(hedgeWith(), { signal: caller.signal });
    await advance(20);
    caller.abort('left the page');
    await settle();
    expectError(call, 'left the page', 'the caller hung up after 20 ms');
    expectNoTimer('the caller hung up after 20 ms');
    await advance(1_000);
    expectAsked(rooms, 1, 'the caller hung up after 20 ms of a delay of 40');
  });

  it('hears a caller that hangs up in the very step of the call', async () => {
    const caller = new AbortController();
    const rooms = new Rooms();
    const call = watch(hedgeWith(), rooms.ask, { idempotent: true, signal: caller.signal });
    caller.abort('left the page');
    await settle();
    const because = 'the caller hung up right after it had called';
    expectError(call, 'left the page', because);
    // Whether the first attempt has begun is up to the answer.
    for (const lookup of rooms.lookups) expectStopped(lookup, because);
    await advance(1_000);
    if (rooms.count > 1) expectAsked(rooms, 1, because);
  });

  it.each([1, 2])('hears a caller that hangs up while attempt %i begins', async (at) => {
    const caller = new AbortController();
    let runs = 0;
    const task = (_: AbortSignal, attempt: number) => {
      runs += 1;
      if (attempt === at) caller.abort('left the page');
      return new Promise(() => {});
    };
    const call = await start(hedgeWith(), task, { signal: caller.signal });
    await advance((at - 1) * (DELAY_MS + 1));
    expectError(call, 'left the page', `the caller hung up at the first step of attempt ${at}`);
    expectNoTimer(`the caller hung up at the first step of attempt ${at}`);
    expectNoListener(caller.signal, `the caller hung up at the first step of attempt ${at}`);
    await advance(1_000);
    expect(runs, 'the caller hung up: attempts').toBe(at);
  });

  it('hears a caller that hangs up as an attempt throws', async () => {
    const caller = new AbortController();
    let runs = 0;
    const task = () => {
      runs += 1;
      caller.abort('left the page');
      throw outage();
    };
    const call = await start(hedgeWith(), task, { signal: caller.signal });
    await advance(1_000);
    expect(call.end, 'the caller must be told something').toBe('error');
    expect(runs, 'nobody waits any more: attempts').toBe(1);
  });

  it('hears a caller in a call that may not run twice', async () => {
    const caller = new AbortController();
    const options = { idempotent: false, signal: caller.signal };
    const { call, rooms } = await underWay(hedgeWith(), options);
    await advance(500);
    caller.abort('left the page');
    await settle();
    expectError(call, 'left the page', 'the caller hung up during a booking');
    expectStopped(rooms.nth(1), 'the caller hung up during a booking');
    if (rooms.nth(1).signal === caller.signal) {
      expect.fail("an attempt has a signal of its own; this one was handed its caller's");
    }
  });

  it('does not wait for attempts that do not listen', async () => {
    const caller = new AbortController();
    const { call, rooms } = await hedged(hedgeWith(), 2, { signal: caller.signal });
    caller.abort('left the page');
    await settle();
    expectError(call, 'left the page', 'the caller hung up, two attempts go on');
    await rooms.nth(1).fails(outage());
    await rooms.nth(2).answers('2 rooms');
    expectError(call, 'left the page', 'a replica answered after the caller had hung up');
    await advance(1_000);
    expectAsked(rooms, 2, 'an attempt failed after the caller had hung up');
  });

  it('keeps the answer when the caller hangs up after it', async () => {
    const caller = new AbortController();
    const { call, rooms } = await hedged(hedgeWith(), 2, { signal: caller.signal });
    await rooms.nth(2).answers('2 rooms');
    caller.abort('left the page');
    await settle();
    expectValue(call, '2 rooms', 'the caller hung up after it had its answer');
  });

  it('stops the calls of one caller, and not of others', async () => {
    const hedge = hedgeWith();
    const caller = new AbortController();
    const gone = await underWay(hedge, { signal: caller.signal });
    const stays = await underWay(hedge, { signal: new AbortController().signal });
    caller.abort('left the page');
    await settle();
    expectError(gone.call, 'left the page', 'the caller hung up');
    expectGoingOn(stays.rooms.nth(1), 'the caller of another call hung up');
    await advance(DELAY_MS + 1);
    expectAsked(stays.rooms, 2, 'the caller of another call hung up');
    await stays.rooms.nth(2).answers('2 rooms');
    expectValue(stays.call, '2 rooms', 'the caller of another call hung up');
  });

  it('leaves nothing on a signal that sees many calls', async () => {
    const { signal } = new AbortController();
    const hedge = hedgeWith();
    const throws = () => {
      throw outage();
    };
    for (let i = 0; i < 15; i += 1) await start(hedge, () => '2 rooms', { signal });
    expectNoListener(signal, '15 calls ended with a value');
    for (let i = 0; i < 15; i += 1) await start(hedge, throws, { signal });
    expectNoListener(signal, '15 calls threw, in all their attempts');
    const calls = await Promise.all(Array.from({ length: 15 }, () => hedged(hedge, 2, { signal })));
    for (const { rooms } of calls) await rooms.nth(2).answers();
    expectNoListener(signal, '15 calls were won by their second attempt');
  });

  it('leaves nothing on a signal that has aborted', async () => {
    const caller = new AbortController();
    const hedge = hedgeWith();
    await hedged(hedge, 2, { signal: caller.signal });
    caller.abort();
    await settle();
    expectNoListener(caller.signal, 'the caller hung up');
    await start(hedge, () => '2 rooms', { signal: caller.signal });
    expectNoListener(caller.signal, 'a call came after the caller had hung up');
  });

  it('leaves alone what others have put on that signal', async () => {
    const caller = new AbortController();
    const heard: string[] = [];
    caller.signal.addEventListener('abort', () => heard.push('a listener'));
    // oxlint-disable-next-line unicorn/prefer-add-event-listener
    caller.signal.onabort = () => heard.push('onabort');
    const hedge = hedgeWith();
    await start(hedge, () => '2 rooms', { signal: caller.signal });
    const { call } = await hedged(hedge, 2, { signal: caller.signal });
    caller.abort('left the page');
    await settle();
    expectError(call, 'left the page', 'the caller hung up');
    expect(heard.toSorted(), "the caller's own listeners must hear it as well").toEqual([
      'a listener',
      'onabort',
    ]);
  });
});

describe('3 · failures', () => {
  it('does not take a quick failure for an answer', async () => {
    const { call, rooms } = await hedged(hedgeWith({ maxAttempts: 2 }), 2);
    await rooms.nth(2).fails(outage());
    expectPending(call, 'the second attempt failed at once, the first is under way');
    expectGoingOn(rooms.nth(1), 'the second attempt failed at once, the first is under way');
    await advance(300);
    await rooms.nth(1).answers('2 rooms');
    expectValue(call, '2 rooms', 'the first replica answered at last');
  });

  it('does not wait for the delay after a failure', async () => {
    const { call, rooms } = await underWay(hedgeWith());
    await advance(10);
    await rooms.nth(1).fails(outage());
    expectAsked(rooms, 2, 'the first attempt failed after 10 ms of a delay of 40');
    expectPending(call, 'the second attempt is under way');
    await rooms.nth(2).answers('2 rooms');
    expectValue(call, '2 rooms', 'the second replica answered');
  });

  it('counts the next delay from the attempt that a failure has brought forward', async () => {
    const { rooms } = await underWay(hedgeWith({ maxAttempts: 4 }));
    await advance(10);
    await rooms.nth(1).fails(outage());
    await advance(DELAY_MS - 2);
    expectAsked(rooms, 2, '38 ms after the second attempt began, and the delay is 40');
    await advance(3 + DELAY_MS);
    expectBegunAt(rooms, [0, 10, 50, 90], 'the first attempt failed after 10 ms');
    const later = await hedged(hedgeWith({ maxAttempts: 4 }), 2);
    await advance(10);
    await later.rooms.nth(2).fails(outage());
    await advance(DELAY_MS + 1);
    expectBegunAt(later.rooms, [0, 40, 51, 91], 'the second attempt failed after 11 ms');
  });

  it('asks the next replica whichever attempt has failed', async () => {
    const { call, rooms } = await hedged(hedgeWith({ maxAttempts: 4 }), 2);
    await advance(10);
    await rooms.nth(2).fails(outage());
    expectAsked(rooms, 3, 'the second attempt failed, the first is under way');
    await advance(10);
    await rooms.nth(1).fails(outage());
    expectAsked(rooms, 4, 'the first attempt failed, the third is under way');
    await rooms.nth(3).answers('2 rooms');
    expectValue(call, '2 rooms', 'the third replica answered');
  });

  it('takes a throw for a failure', async () => {
    let runs = 0;
    const call = await start(hedgeWith(), () => {
      runs += 1;
      if (runs < 3) throw outage();
      return '2 rooms';
    });
    expectValue(call, '2 rooms', 'two attempts threw, the third succeeded');
    expect(runs, 'two attempts threw: runs').toBe(3);
  });

  it('takes a query that fails for a failure', async () => {
    const fails = new Query(() => Promise.reject(outage()));
    const throws = {
      // oxlint-disable-next-line unicorn/no-thenable
      then() {
        throw outage();
      },
    };
    const queries = [fails, throws, new Query(() => '2 rooms')];
    const call = await start(hedgeWith(), (_, attempt) => queries[attempt - 1]);
    expectValue(
      call,
      '2 rooms',
      'one query failed, the `then` of the next threw, the third is fine',
    );
    expect(fails.sent, 'a query is sent each time its `then` is called').toBe(1);
  });

  it.each<[order: string, failing: readonly number[]]>([
    ['1, 2, 3', [1, 2, 3]],
    ['3, 2, 1', [3, 2, 1]],
    ['2, 1, 3', [2, 1, 3]],
  ])('hands over the error of the first attempt when they fail in the order %s', async (...row) => {
    const [order, failing] = row;
    const { call, rooms } = await hedged(hedgeWith(), 3);
    const errors = [1, 2, 3].map((number) => new RoomsError(`503 from replica ${number}`));
    for (const attempt of failing) {
      expectPending(call, `attempt ${attempt} is still under way`);
      await rooms.nth(attempt).fails(errors[attempt - 1]);
    }
    expectError(call, errors[0], `all attempts have failed, in the order ${order}`);
    expectNoTimer('all attempts have failed');
  });

  it('hands over the error of the first attempt when all fail at once', async () => {
    const errors: Error[] = [];
    const call = await start(hedgeWith({ maxAttempts: 4 }), () => {
      const error = new RoomsError(`503 from replica ${errors.length + 1}`);
      errors.push(error);
      throw error;
    });
    expect(errors.length, 'each attempt threw: attempts').toBe(4);
    expectError(call, errors[0], 'all attempts threw');
    expectNoTimer('all attempts threw');
  });

  it('hands over whatever the first attempt has failed with, even nothing at all', async () => {
    for (const thrown of [undefined, null, 0, false, 'no route to host']) {
      const call = await start(hedgeWith(), (_, attempt) =>
        Promise.reject(attempt === 1 ? thrown : outage()),
      );
      expectError(call, thrown, `the first attempt failed with ${String(thrown)}, as did all`);
      let runs = 0;
      const task = () => {
        runs += 1;
        return Promise.reject(thrown);
      };
      const fatal = await start(hedgeWith({ isFatal: () => true }), task);
      expectError(fatal, thrown, `an attempt failed with ${String(thrown)}, and isFatal says yes`);
      expect(runs, `isFatal says yes to ${String(thrown)} as well: attempts`).toBe(1);
    }
  });

  it('waits for those that are under way when it can begin no more', async () => {
    const { call, rooms } = await hedged(hedgeWith(), 3);
    await rooms.nth(1).fails(outage());
    await rooms.nth(3).fails(outage());
    await advance(5_000);
    expectPending(call, 'two attempts failed, the second is under way');
    expectAsked(rooms, 3, 'maxAttempts is 3');
    await rooms.nth(2).answers('2 rooms');
    expectValue(call, '2 rooms', 'the second replica answered at last');
  });

  it('rejects at once when the last attempt that may be made has failed', async () => {
    const { call, rooms } = await underWay(hedgeWith({ maxAttempts: 1 }));
    const error = outage();
    await rooms.nth(1).fails(error);
    expectError(call, error, 'maxAttempts is 1, and the attempt failed');
    expectNoTimer('maxAttempts is 1, and the attempt failed');
  });

  it('takes no error for fatal unless it is told', async () => {
    for (const error of [aborted(), noSuchHotel(), new TypeError('fetch failed'), undefined]) {
      const { call, rooms } = await underWay(hedgeWith());
      await rooms.nth(1).fails(error);
      expectAsked(rooms, 2, `the first attempt failed with ${print(error)}`);
      await rooms.nth(2).answers('2 rooms');
      expectValue(call, '2 rooms', 'the second replica answered');
    }
  });

  const isFatal = (error: unknown) => error instanceof RangeError;

  it('ends at once with an error that is the answer', async () => {
    const { call, rooms } = await underWay(hedgeWith({ isFatal }));
    const error = noSuchHotel();
    await rooms.nth(1).fails(error);
    expectError(call, error, 'there is no such hotel, whichever replica is asked');
    expectNoTimer('there is no such hotel');
    await advance(1_000);
    expectAsked(rooms, 1, 'there is no such hotel, whichever replica is asked');
  });

  it('stops the others when an attempt fails with a fatal error', async () => {
    const { call, rooms } = await hedged(hedgeWith({ isFatal }), 2);
    const error = noSuchHotel();
    await rooms.nth(2).fails(error);
    expectError(call, error, 'the second replica says that there is no such hotel');
    expectStopped(rooms.nth(1), 'the second replica says that there is no such hotel');
    await rooms.nth(1).answers('2 rooms');
    expectError(call, error, 'the first replica answered later');
    await advance(1_000);
    expectAsked(rooms, 2, 'there is no such hotel, and a third attempt was allowed');
  });

  it('prefers a fatal error to the error of the first attempt', async () => {
    const { call, rooms } = await underWay(hedgeWith({ isFatal }));
    await rooms.nth(1).fails(outage());
    const error = noSuchHotel();
    await rooms.nth(2).fails(error);
    expectError(call, error, 'the first attempt failed; the second says there is no such hotel');
  });

  it('goes on after an error that is not fatal', async () => {
    const { call, rooms } = await underWay(hedgeWith({ isFatal }));
    await rooms.nth(1).fails(outage());
    expectAsked(rooms, 2, 'the first attempt failed, and isFatal says no');
    await rooms.nth(2).answers('2 rooms');
    expectValue(call, '2 rooms', 'the second replica answered');
  });

  it('leaves nothing on the caller when all has failed', async () => {
    const { signal } = new AbortController();
    const { call, rooms } = await hedged(hedgeWith({ isFatal }), 2, { signal });
    await rooms.nth(2).fails(noSuchHotel());
    expect(call.end, 'there is no such hotel').toBe('error');
    expectNoListener(signal, 'a call ended with a fatal error');
    const failed = await start(hedgeWith(), () => Promise.reject(outage()), { signal });
    expect(failed.end, 'all attempts failed').toBe('error');
    expectNoListener(signal, 'all attempts failed');
  });
});

/** Makes a call that no replica answers in time, and says whether it got a second attempt. */
async function isHedged(hedge: Hedge): Promise<boolean> {
  const { rooms } = await underWay(hedge);
  await advance(DELAY_MS + 2);
  const { count } = rooms;
  await rooms.nth(1).answers();
  if (count > 2) expect.fail(`42 ms into a call with a delay of 40: ${count} attempts have begun`);
  return count === 2;
}

async function expectHedged(hedge: Hedge, because: string): Promise<void> {
  if (await isHedged(hedge)) return;
  expect.fail(`${because}: a second attempt should have been paid for; it was not made`);
}

async function expectNotHedged(hedge: Hedge, because: string): Promise<void> {
  if (!(await isHedged(hedge))) return;
  expect.fail(`${because}: nothing pays for a second attempt; it was made nevertheless`);
}

/** Of so many calls that no replica answers in time: how many get a second attempt. */
async function hedgedOf(hedge: Hedge, calls: number): Promise<number> {
  let count = 0;
  for (let i = 0; i < calls; i += 1) if (await isHedged(hedge)) count += 1;
  return count;
}

/** Calls that are answered at once. */
async function quickCalls(hedge: Hedge, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) watch(hedge, () => '2 rooms', { idempotent: i % 2 === 0 });
  await settle();
}

describe('4 · the budget', () => {
  it.each([1, 2, 5, 20])('pays for a burst of %i at first', async (burst) => {
    const hedge = hedgeWith({ budget: { ratio: 0, burst } });
    const count = await hedgedOf(hedge, burst + 5);
    expect(count, `second attempts at ${burst + 5} calls; burst is ${burst}, ratio 0`).toBe(burst);
  });

  it('never holds up a first attempt', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0, burst: 1 } });
    await hedgedOf(hedge, 1);
    for (let i = 0; i < 3; i += 1) {
      const { call, rooms } = await underWay(hedge);
      await advance(10 * DELAY_MS);
      expectAsked(rooms, 1, 'the purse is empty');
      expectPending(call, 'the purse is empty, and the first attempt is under way');
      await rooms.nth(1).answers('2 rooms');
      expectValue(call, '2 rooms', 'the purse is empty, and the first replica answered');
    }
  });

  it.each([
    [1, 1],
    [0.5, 2],
    [0.25, 4],
    [0.1, 10],
    [0.05, 20],
    [0.07, 15],
    [0.02, 50],
  ])('can pay for another attempt at a ratio of %d with call number %i', async (ratio, calls) => {
    const hedge = hedgeWith({ budget: { ratio, burst: 1 } });
    await expectHedged(hedge, 'the purse holds 1 at first');
    // The call that asks has earned as well.
    await quickCalls(hedge, calls - 2);
    const taken = `of ${calls} calls that it takes at a ratio of ${ratio}`;
    if (calls > 1) {
      await expectNotHedged(hedge, `${calls - 1} ${taken}`);
    }
    await expectHedged(hedge, `${calls} ${taken}`);
  });

  it.each([
    [0.29, 29],
    [0.57, 57],
  ])(
    'does not round: a hundred calls at a ratio of %d pay for %i attempts',
    async (ratio, burst) => {
      const hedge = hedgeWith({ maxAttempts: 100, budget: { ratio, burst } });
      const attempts = async () => {
        let count = 0;
        await start(hedge, () => {
          count += 1;
          throw outage();
        });
        return count;
      };
      expect(await attempts(), `attempts at a call that fails; burst is ${burst}`).toBe(1 + burst);
      await quickCalls(hedge, 99);
      expect(await attempts(), `attempts at the hundredth call; ratio is ${ratio}`).toBe(1 + burst);
    },
  );

  it('lets a call spend what it has earned itself', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0.5, burst: 1 } });
    await hedgedOf(hedge, 1);
    await quickCalls(hedge, 1);
    const { rooms } = await underWay(hedge);
    await advance(DELAY_MS + 1);
    expectAsked(rooms, 2, 'the call before earned 0.5, and so did this one when it began');
  });

  it('earns when a call begins, not when it ends', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0.5, burst: 1 } });
    await hedgedOf(hedge, 1);
    const pending = await underWay(hedge, { idempotent: false });
    await expectHedged(hedge, 'two calls have begun, one of them is under way');
    await pending.rooms.nth(1).answers();
  });

  it('earns with calls that fail, too', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0.25, burst: 1 } });
    await hedgedOf(hedge, 1);
    for (let i = 0; i < 3; i += 1) {
      await start(hedge, () => Promise.reject(outage()), { idempotent: false });
    }
    await expectHedged(hedge, 'four calls at a ratio of 0.25, three have failed');
  });

  it.each([1, 3])('saves up no more than a burst of %i', async (burst) => {
    const hedge = hedgeWith({ budget: { ratio: 0.1, burst } });
    await quickCalls(hedge, 100);
    await advance(3_600_000);
    // These calls earn too, but not enough for one more.
    const count = await hedgedOf(hedge, burst + 4);
    expect(count, `second attempts after 100 quick calls and an hour; burst is ${burst}`).toBe(
      burst,
    );
  });

  it('does not keep what is earned beyond a burst', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0.9, burst: 1 } });
    await hedgedOf(hedge, 1);
    await quickCalls(hedge, 2);
    await expectHedged(hedge, 'two calls at a ratio of 0.9 have filled a purse of 1');
    await expectNotHedged(hedge, 'a purse of 1 was filled and spent, and one call has earned 0.9');
  });

  it('does not fill up by itself', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0.1, burst: 2 } });
    expect(await hedgedOf(hedge, 4), 'second attempts at four calls; burst is 2').toBe(2);
    await advance(3_600_000);
    await expectNotHedged(hedge, 'an hour without calls has earned nothing');
  });

  it('gives nothing back, whoever wins', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0, burst: 3 } });
    const won = await hedged(hedge, 2);
    await won.rooms.nth(2).answers();
    const lost = await hedged(hedge, 2);
    await lost.rooms.nth(1).answers();
    const failed = await hedged(hedge, 2);
    await failed.rooms.nth(2).fails(outage());
    await failed.rooms.nth(1).answers();
    await expectNotHedged(hedge, 'a burst of 3 was spent: one won, one lost, one failed');
  });

  it('pays after a failure as after a delay', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0, burst: 1 } });
    const { rooms } = await underWay(hedge);
    await rooms.nth(1).fails(outage());
    expectAsked(rooms, 2, 'the first attempt failed, and the purse held 1');
    await rooms.nth(2).answers();
    const { call, rooms: refused } = await underWay(hedge);
    const error = outage();
    await refused.nth(1).fails(error);
    expectAsked(refused, 1, 'the first attempt failed, and the purse is empty');
    expectError(call, error, 'the first attempt failed, and no other can be paid for');
    expectNoTimer('the first attempt failed, and no other can be paid for');
  });

  it('pays for each attempt but the first', async () => {
    const hedge = hedgeWith({ maxAttempts: 9, budget: { ratio: 0, burst: 3 } });
    const { rooms } = await underWay(hedge);
    await advance(10 * DELAY_MS);
    expectAsked(rooms, 4, 'no replica answers, and the purse held 3');
  });

  it('lets those under way go on when the purse is empty', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0, burst: 1 } });
    const { call, rooms } = await hedged(hedge, 2);
    await advance(10 * DELAY_MS);
    expectAsked(rooms, 2, 'a third attempt was allowed, and the purse is empty');
    expectPending(call, 'a third attempt was refused, two are under way');
    for (const lookup of rooms.lookups) expectGoingOn(lookup, 'a third attempt was refused');
    await rooms.nth(2).fails(outage());
    expectPending(call, 'the second attempt failed, the first is under way');
    await rooms.nth(1).answers('2 rooms');
    expectValue(call, '2 rooms', 'the first replica answered at last');
  });

  it('hears a caller that hangs up after an attempt was refused', async () => {
    const caller = new AbortController();
    const hedge = hedgeWith({ budget: { ratio: 0, burst: 1 } });
    const { call, rooms } = await hedged(hedge, 2, { signal: caller.signal });
    await advance(10 * DELAY_MS);
    caller.abort('left the page');
    await settle();
    expectError(call, 'left the page', 'a third attempt was refused, and the caller hung up');
    for (const lookup of rooms.lookups) expectStopped(lookup, 'the caller hung up');
  });

  it('hands over the error of the first attempt when the purse is empty', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0, burst: 1 } });
    const { call, rooms } = await hedged(hedge, 2);
    await advance(10 * DELAY_MS);
    const [first, second] = [outage(), new RoomsError('503 from another replica')];
    await rooms.nth(1).fails(first);
    expectPending(call, 'the second attempt is under way');
    await rooms.nth(2).fails(second);
    expectError(call, first, 'both attempts failed, and a third was refused');
  });

  it('does not make up later for an attempt that was refused', async () => {
    const hedge = hedgeWith({ maxAttempts: 9, budget: { ratio: 1, burst: 5 } });
    // Begins, and earns, before the purse is emptied.
    const { call, rooms } = await underWay(hedge);
    const greedy = await underWay(hedge);
    for (let i = 1; i <= 6; i += 1) await greedy.rooms.lookups[i - 1]?.fails(outage());
    await advance(DELAY_MS + 1);
    expectAsked(rooms, 1, 'another call has emptied the purse');
    await quickCalls(hedge, 50);
    await advance(10 * DELAY_MS);
    expectAsked(rooms, 1, 'an attempt was refused, and the purse is full again: this call is done');
    const error = outage();
    await rooms.nth(1).fails(error);
    expectAsked(rooms, 1, 'an attempt was refused, then the first one failed, with a full purse');
    expectError(call, error, 'an attempt was refused, then the first one failed');
  });

  it('takes nothing for an attempt that is not made', async () => {
    const hedge = hedgeWith({ maxAttempts: 2, budget: { ratio: 0, burst: 2 } });
    const booking = await underWay(hedge, { idempotent: false });
    await advance(5 * DELAY_MS);
    await booking.rooms.nth(1).fails(outage());
    const full = await hedged(hedge, 2);
    await advance(5 * DELAY_MS);
    await full.rooms.nth(1).fails(outage());
    await full.rooms.nth(2).fails(outage());
    await start(hedge, () => '2 rooms');
    await expectHedged(
      hedge,
      'of a burst of 2 one is left: a booking and a third attempt that is not allowed cost nothing',
    );
    await expectNotHedged(hedge, 'a burst of 2 is spent');
  });

  it('takes nothing for a call that is answered before its delay', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0, burst: 1 } });
    for (let i = 0; i < 5; i += 1) {
      const { rooms } = await underWay(hedge);
      await advance(DELAY_MS - 2);
      await rooms.nth(1).answers();
    }
    await expectHedged(hedge, 'five calls were answered within 38 ms');
  });

  it('takes nothing for a fatal error', async () => {
    const isFatal = (error: unknown) => error instanceof RangeError;
    const hedge = hedgeWith({ isFatal, budget: { ratio: 0, burst: 1 } });
    for (let i = 0; i < 3; i += 1) await start(hedge, () => Promise.reject(noSuchHotel()));
    await expectHedged(hedge, 'three calls ended with a fatal error');
  });

  it('earns nothing with a caller that has hung up before', async () => {
    const hedge = hedgeWith({ budget: { ratio: 0.5, burst: 1 } });
    await hedgedOf(hedge, 1);
    for (let i = 0; i < 4; i += 1) {
      await start(hedge, () => '2 rooms', { signal: AbortSignal.abort('left the page') });
    }
    await expectNotHedged(hedge, 'four callers had hung up before: they ask for nothing');
  });

  it.each([1, 7, 25])('pays for %i of 40 that ask in the same instant', async (burst) => {
    const hedge = hedgeWith({ budget: { ratio: 0, burst } });
    const rooms = new Rooms();
    for (let i = 0; i < 40; i += 1) watch(hedge, rooms.ask, { idempotent: true });
    await advance(DELAY_MS + 1);
    expectAsked(rooms, 40 + burst, `40 calls at once, and a burst of ${burst}`);
    await advance(10 * DELAY_MS);
    expectAsked(rooms, 40 + burst, `40 calls at once, and a burst of ${burst}`);
  });

  it('has a purse for each hedge', async () => {
    const options = { budget: { ratio: 0, burst: 1 } };
    const [search, map] = [hedgeWith(options), hedgeWith(options)];
    expect(await hedgedOf(search, 3), 'second attempts at three calls; burst is 1').toBe(1);
    await expectHedged(map, 'only the purse of another hedge is empty');
  });

  it('pays for everything when there is no budget', async () => {
    expect(await hedgedOf(hedgeWith(), 30), 'second attempts at 30 calls').toBe(30);
  });
});

/** Two attempts, and a delay that is learned. */
function learning(delay: Partial<LearnedDelay> = {}, options: Partial<HedgeOptions> = {}): Hedge {
  return hedgeWith({
    delay: { quantile: 0.9, window: 100, minSamples: 1, ...delay },
    maxAttempts: 2,
    ...options,
  });
}

/** Calls one after another that take so many milliseconds, each in one attempt. */
async function teach(hedge: Hedge, durationsMs: readonly number[]): Promise<void> {
  for (const ms of durationsMs) {
    let answer: () => void = () => {};
    watch(
      hedge,
      () =>
        new Promise<void>((resolve) => {
          answer = resolve;
        }),
    );
    await advance(ms);
    answer();
    await settle();
  }
}

/** Calls side by side that take so many milliseconds. */
async function teachAtOnce(hedge: Hedge, count: number, durationMs: number): Promise<void> {
  const answers: (() => void)[] = [];
  const task = () =>
    new Promise<void>((resolve) => {
      answers.push(resolve);
    });
  for (let i = 0; i < count; i += 1) watch(hedge, task);
  await advance(durationMs);
  for (const answer of answers) answer();
  await settle();
}

function expectDelay({ delayMs }: Hedge, expected: number | undefined, because: string): void {
  const isRight =
    delayMs === undefined || expected === undefined
      ? delayMs === expected
      : Math.abs(delayMs - expected) < 1;
  if (isRight) return;
  expect.fail(`${because}: delayMs should be ${String(expected)}; it is ${String(delayMs)}`);
}

describe('5 · a delay that is learned', () => {
  it('learns from what may not run twice, too', async () => {
    const hedge = learning();
    await teach(hedge, [30]);
    expectDelay(hedge, 30, 'a booking took 30 ms, and each call that succeeds is a sample');
  });

  it.each([1, 3, 20])(
    'knows nothing with fewer samples than minSamples: %i',
    async (minSamples) => {
      const hedge = learning({ minSamples });
      expectDelay(hedge, undefined, 'no call has been made');
      await teach(
        hedge,
        Array.from({ length: minSamples - 1 }, () => 30),
      );
      expectDelay(hedge, undefined, `${minSamples - 1} samples of ${minSamples}`);
      await teach(hedge, [30]);
      expectDelay(hedge, 30, `${minSamples} samples of ${minSamples}, all of 30 ms`);
    },
  );

  it('begins no attempt because of the time as long as it knows nothing', async () => {
    const hedge = learning({ minSamples: 2 });
    await teach(hedge, [30]);
    const { call, rooms } = await underWay(hedge);
    await advance(60_000);
    expectAsked(rooms, 1, 'one sample of two, after a minute');
    await rooms.nth(1).fails(outage());
    expectAsked(rooms, 2, 'one sample of two, but the first attempt failed');
    await rooms.nth(2).answers('2 rooms');
    expectValue(call, '2 rooms', 'the second replica answered');
  });

  it('begins an attempt when the delay it has learned is over', async () => {
    const hedge = learning({ minSamples: 2 }, { maxAttempts: 3 });
    await teach(hedge, [20, 70]);
    const { rooms } = await underWay(hedge);
    await advance(150);
    expectBegunAt(rooms, [0, 70, 140], 'two calls took 20 and 70 ms, the quantile is 0.9');
  });

  it.each<[quantile: number, count: number, rank: number]>([
    [0.5, 1, 1],
    [0.5, 2, 1],
    [0.5, 3, 2],
    [0.5, 10, 5],
    [0.75, 5, 4],
    [0.8, 4, 4],
    [0.8, 5, 4],
    [0.9, 6, 6],
    [0.9, 10, 9],
    [0.9, 11, 10],
    [0.95, 10, 10],
    [0.95, 20, 19],
    [0.95, 21, 20],
    [0.99, 40, 40],
  ])(
    'takes for a quantile of %d of %i samples the one at rank %i',
    async (quantile, count, rank) => {
      const hedge = learning({ quantile });
      // 10, 20, 30 … in no order.
      const durationsMs = Array.from({ length: count }, (_, index) => 10 * (index + 1));
      const shuffled = durationsMs.toSorted((a, b) => ((a * 3) % 23) - ((b * 3) % 23));
      await teach(hedge, shuffled);
      expectDelay(hedge, 10 * rank, `samples of ${durationsMs.join(', ')} ms`);
    },
  );

  it('sorts samples as numbers', async () => {
    const hedge = learning({ quantile: 0.5 });
    await teach(hedge, [9, 80, 700, 1_000, 60]);
    expectDelay(hedge, 80, 'samples of 9, 60, 80, 700, 1000 ms at 0.5');
  });

  it.each([1, 4, 25])('looks back on a window of %i', async (window) => {
    const hedge = learning({ quantile: 0.5, window });
    await teach(hedge, [
      ...Array.from({ length: window + 3 }, () => 500),
      ...Array.from({ length: window }, () => 20),
    ]);
    expectDelay(hedge, 20, `a window of ${window}: calls took 500 ms at first, and 20 lately`);
    await teach(
      hedge,
      Array.from({ length: Math.floor(window / 2) + 1 }, () => 90),
    );
    expectDelay(hedge, 90, 'more than half of the last samples are of 90 ms');
  });

  it('looks back on as many as a thousand', async () => {
    const hedge = learning({ quantile: 0.5, window: 1_000 });
    await teachAtOnce(hedge, 500, 20);
    await teachAtOnce(hedge, 499, 90);
    expectDelay(hedge, 20, '500 calls took 20 ms, and 499 took 90, with a window of 1000');
    await teachAtOnce(hedge, 2, 90);
    expectDelay(hedge, 90, 'of the last 1000 calls 499 took 20 ms, and 501 took 90');
  });

  it('forgets the oldest sample, not the smallest', async () => {
    const hedge = learning({ quantile: 0.5, window: 3 });
    await teach(hedge, [50, 10, 30, 20]);
    expectDelay(hedge, 20, 'the last three calls took 10, 30 and 20 ms');
    await teach(hedge, [40]);
    expectDelay(hedge, 30, 'the last three calls took 30, 20 and 40 ms');
  });

  it('counts samples in the order in which calls succeed', async () => {
    const hedge = learning({ quantile: 0.5, window: 1 });
    const slow = await underWay(hedge, { idempotent: false });
    await advance(10);
    await teach(hedge, [20]);
    expectDelay(hedge, 20, 'a call took 20 ms, a slower one is under way');
    await advance(60);
    await slow.rooms.nth(1).answers();
    expectDelay(hedge, 90, 'the slower one, which began before, has taken 90 ms');
  });

  it('takes no sample for too long to count', async () => {
    const hedge = learning({ quantile: 0.9 });
    await teach(hedge, [20, 90_000]);
    expectDelay(hedge, 90_000, 'samples of 20 and 90000 ms at 0.9');
  });

  it('waits 1 ms at least', async () => {
    const hedge = learning();
    await quickCalls(hedge, 5);
    expectDelay(hedge, 1, 'five calls were answered within the same millisecond');
    expect(
      hedge.delayMs,
      'less than 1 ms counts as 1 ms, or every call is hedged: delayMs',
    ).toBeGreaterThanOrEqual(1);
    const { rooms } = await underWay(hedge);
    expectAsked(rooms, 1, 'the delay is 1 ms, and the call has just begun');
    await advance(2);
    expectAsked(rooms, 2, 'the delay is 1 ms, and 2 have passed');
  });

  it('keeps the delay that a call began with', async () => {
    const hedge = learning({ window: 1 }, { maxAttempts: 4 });
    await teach(hedge, [100]);
    const before = await underWay(hedge);
    await advance(30);
    await teach(hedge, [10]);
    expectDelay(hedge, 10, 'the last call took 10 ms');
    await advance(170);
    expectBegunAt(before.rooms, [0, 100, 200], 'delayMs was 100 when this call began, 10 later');
    const unknown = learning({ window: 1 });
    const none = await underWay(unknown);
    await teach(unknown, [10]);
    await advance(500);
    expectAsked(none.rooms, 1, 'delayMs was undefined when this call began');
  });

  it('keeps that delay after a failure, too', async () => {
    const hedge = learning({ window: 1 }, { maxAttempts: 3 });
    await teach(hedge, [100]);
    const { rooms } = await underWay(hedge);
    await teach(hedge, [10]);
    await rooms.nth(1).fails(outage());
    await advance(102);
    expectBegunAt(rooms, [0, 10, 110], 'delayMs was 100 when this call began, 10 later');
  });

  it('measures how long the first attempt was under way, not how quick the winner was', async () => {
    const hedge = learning({ window: 1 });
    await teach(hedge, [50]);
    const { rooms } = await underWay(hedge);
    await advance(51);
    rooms.nth(2);
    await advance(9);
    await rooms.nth(2).answers();
    expectDelay(hedge, 60, 'the first attempt was given up after 60 ms; the second took 10');
  });

  it('measures a first attempt that wins after all', async () => {
    const hedge = learning({ window: 1 });
    await teach(hedge, [50]);
    const { rooms } = await underWay(hedge);
    await advance(70);
    rooms.nth(2);
    await rooms.nth(1).answers();
    expectDelay(hedge, 70, 'the first attempt won after 70 ms, the second had begun');
  });

  it('takes one sample of each call', async () => {
    const hedge = learning({ quantile: 0.5, minSamples: 3 });
    await teach(hedge, [40, 40]);
    const { rooms } = await underWay(hedge);
    expectDelay(hedge, undefined, 'two samples of three');
    await advance(80);
    await rooms.nth(1).answers();
    expectDelay(hedge, 40, 'samples of 40, 40, 80 ms at 0.5');
    const next = await underWay(hedge);
    await advance(45);
    next.rooms.nth(2);
    await next.rooms.nth(2).answers();
    await advance(500);
    await next.rooms.nth(1).answers();
    expectDelay(hedge, 40, 'samples of 40, 40, 45, 80 ms at 0.5; the loser answered later');
    await teach(hedge, [90]);
    expectDelay(hedge, 45, 'samples of 40, 40, 45, 80, 90 ms at 0.5');
  });

  it('learns nothing from a call whose first attempt has failed', async () => {
    const hedge = learning({ window: 3, quantile: 0.5 });
    await teach(hedge, [50]);
    for (let i = 0; i < 3; i += 1) {
      const { rooms } = await underWay(hedge);
      await rooms.nth(1).fails(outage());
      await advance(5);
      await rooms.nth(2).answers();
    }
    expectDelay(hedge, 50, 'one call took 50 ms; three had a first attempt that failed');
  });

  it('learns from a call whose second attempt has failed', async () => {
    const hedge = learning({ window: 1 });
    await teach(hedge, [50]);
    const { rooms } = await underWay(hedge);
    await advance(51);
    await rooms.nth(2).fails(outage());
    await advance(9);
    await rooms.nth(1).answers();
    expectDelay(hedge, 60, 'the first attempt took 60 ms, the second failed');
  });

  it('learns nothing from calls that fail', async () => {
    const isFatal = (error: unknown) => error instanceof RangeError;
    const hedge = learning({ window: 3, quantile: 0.5 }, { isFatal });
    await teach(hedge, [50]);
    for (let i = 0; i < 3; i += 1) {
      await start(hedge, () => Promise.reject(outage()));
      await start(hedge, () => Promise.reject(outage()), { idempotent: false });
      await start(hedge, () => Promise.reject(noSuchHotel()));
    }
    expectDelay(hedge, 50, 'one call took 50 ms; nine failed at once');
    const { rooms } = await underWay(hedge);
    await advance(90);
    await rooms.nth(2).fails(noSuchHotel());
    expectDelay(hedge, 50, 'one call took 50 ms; another failed after 90');
  });

  it('learns nothing from callers who leave', async () => {
    const hedge = learning({ window: 3, quantile: 0.5 });
    await teach(hedge, [50]);
    for (const afterMs of [1, 20, 90]) {
      const caller = new AbortController();
      const { rooms } = await underWay(hedge, { signal: caller.signal });
      await advance(afterMs);
      caller.abort('left the page');
      await settle();
      for (const lookup of rooms.lookups) await lookup.answers();
    }
    await start(hedge, () => '2 rooms', { signal: AbortSignal.abort('left the page') });
    expectDelay(hedge, 50, 'one call took 50 ms; four callers left');
  });

  it('learns for each hedge by itself', async () => {
    const search = learning();
    const map = learning();
    await teach(search, [50]);
    expectDelay(map, undefined, 'only the calls of another hedge have been measured');
    await teach(map, [200]);
    expectDelay(search, 50, 'the calls of another hedge took 200 ms');
  });

  it('learns when the purse is empty, too', async () => {
    const hedge = learning({ window: 1 }, { budget: { ratio: 0, burst: 1 } });
    await teach(hedge, [50]);
    const paid = await underWay(hedge);
    await advance(60);
    await paid.rooms.nth(1).answers();
    const { rooms } = await underWay(hedge);
    await advance(300);
    expectAsked(rooms, 1, 'the purse is empty');
    await rooms.nth(1).answers();
    expectDelay(hedge, 300, 'the last call took 300 ms, in one attempt');
  });

  it.each([-3_600_000, 3_600_000])(
    'does not measure the step of a wall clock: %i ms',
    async (stepMs) => {
      const hedge = learning();
      const { rooms } = await underWay(hedge);
      await advance(30);
      stepWallClock(stepMs);
      await rooms.nth(1).answers();
      expectDelay(hedge, 30, 'the call took 30 ms, though the wall clock was set');
    },
  );

  it('follows a service that becomes slower for good', async () => {
    const hedge = learning({ window: 20 });
    await teach(
      hedge,
      Array.from({ length: 20 }, () => 10),
    );
    for (let i = 0; i < 25; i += 1) {
      const { rooms } = await underWay(hedge);
      await advance(80);
      await rooms.nth(1).answers();
    }
    expectDelay(hedge, 80, 'for 25 calls the first replica has answered after 80 ms');
    const { rooms } = await underWay(hedge);
    await advance(78);
    expectAsked(rooms, 1, 'calls take 80 ms by now');
  });

  it.each([0.8, 0.95])('hedges no more calls than it was told to, at %d', async (quantile) => {
    const hedge = learning({ quantile, minSamples: 50 });
    // Most take 10 to 20 ms, one of a hundred takes a second. Each attempt draws its own.
    const takesMs = (draw: number) => Math.round(1_000 / (100 - (draw % 100)));
    let attempts = 0;
    const calls = 200;
    for (let i = 0; i < calls; i += 1) {
      const task = (_: AbortSignal, attempt: number) =>
        new Promise<void>((resolve) => {
          attempts += 1;
          setTimeout(resolve, takesMs(attempt === 1 ? i * 37 : i * 61 + 17));
        });
      watch(hedge, task, { idempotent: true });
      await advance(1_001);
    }
    const share = (attempts - calls) / (calls - 50);
    const most = (1 - quantile) * 1.25;
    if (share > most) {
      expect.fail(
        `${100 * quantile} % of calls need no longer than the delay, so ${Math.round(100 * (1 - quantile))} % should be hedged, and never many more; ${(100 * share).toFixed(1)} % were`,
      );
    }
  });
});

describe('6 · whatever happens', () => {
  it('begins and ends one call as pencil and paper say', async () => {
    await fc.assert(fc.asyncProperty(lonelyCalls(), compare), { seed: 20_261_123, numRuns: 80 });
  });

  it('begins and ends many calls as pencil and paper say', async () => {
    await fc.assert(fc.asyncProperty(manyCalls(), compare), { seed: 20_261_123, numRuns: 60 });
  });

  it('never costs more than its budget, and holds up no first attempt', async () => {
    await fc.assert(
      fc.asyncProperty(budgets(), fc.array(waves(), { maxLength: 12 }), async (budget, plan) => {
        const hedge = hedgeWith({ maxAttempts: 4, budget });
        let calls = 0;
        let first = 0;
        let extra = 0;
        for (const { size, fails, takesMs, pauseMs } of plan) {
          const task = (_: AbortSignal, attempt: number) => {
            if (attempt === 1) first += 1;
            else extra += 1;
            return new Promise((resolve, reject) => {
              setTimeout(() => (fails ? reject(outage()) : resolve('2 rooms')), takesMs);
            });
          };
          for (let i = 0; i < size; i += 1) watch(hedge, task, { idempotent: true });
          calls += size;
          await settle();
          if (first < calls) expect.fail(`${calls} calls, but only ${first} first attempts`);
          await advance(pauseMs);
          const most = Math.floor((Math.round(budget.ratio * 100) * calls) / 100 + budget.burst);
          if (extra <= most) continue;
          expect.fail(
            `${calls} calls at a ratio of ${budget.ratio} and a burst of ${budget.burst} may cost ${most} attempts more; they cost ${extra}`,
          );
        }
        await advance(1_000);
      }),
      { seed: 20_261_123, numRuns: 20 },
    );
  });
});

// ── Pencil and paper, and what can happen ───────────────────────────────────────────────────────────────

/** What is to happen; times count from the beginning. */
interface Plan {
  readonly options: HedgeOptions;
  readonly calls: readonly CallPlan[];
}

interface CallPlan {
  readonly beginsAtMs: number;
  readonly idempotent: boolean;
  readonly hangsUpAtMs: number | undefined;
  /** One for each attempt that may be made. */
  readonly steps: readonly Step[];
}

/** How an attempt goes when nobody stops it. With 0 ms the task returns or throws at once. */
interface Step {
  readonly takesMs: number;
  readonly ends: 'answers' | 'fails' | 'is fatal';
}

/** What a call comes to: when its attempts begin, and how it ends. */
interface Course {
  readonly begunAtMs: readonly number[];
  /** `value` or `error` of which attempt, or the caller's leaving. */
  readonly end: string;
  readonly atMs: number;
}

const LEFT = 'the caller left';

/** A call on its way over the paper. */
interface Track {
  readonly plan: CallPlan;
  readonly begunAtMs: number[];
  /** Attempts under way, by number, and when each will end. */
  readonly underWay: Map<number, number>;
  delayMs: number | undefined;
  nextAtMs: number;
  most: number;
  firstHasFailed: boolean;
  end: string;
  atMs: number;
}

/** All calls as one would work them out with pencil and paper; `isTight` when their order hangs by a few ms. */
function onPaper({ options, calls }: Plan): {
  courses: Course[];
  delayMs: number | undefined;
  isTight: boolean;
} {
  const { delay, budget, maxAttempts } = options;
  const full = budget ? budget.burst * 100 : Infinity;
  let purse = full;
  let isTight = false;
  const samples: number[] = [];
  const delayNow = () => {
    if ('ms' in delay) return delay.ms;
    const last = samples.slice(-delay.window).toSorted((a, b) => a - b);
    if (last.length < delay.minSamples) return undefined;
    return Math.max(1, last[Math.ceil(delay.quantile * last.length) - 1] ?? 0);
  };
  const tracks: Track[] = calls.map((plan) => ({
    plan,
    begunAtMs: [],
    underWay: new Map(),
    delayMs: undefined,
    nextAtMs: Infinity,
    most: plan.idempotent ? maxAttempts : 1,
    firstHasFailed: false,
    end: '',
    atMs: 0,
  }));
  let now = 0;
  const over = (track: Track, end: string) => Object.assign(track, { end, atMs: now });
  const begin = (track: Track) => {
    track.begunAtMs.push(now);
    const attempt = track.begunAtMs.length;
    track.underWay.set(attempt, now + (track.plan.steps[attempt - 1]?.takesMs ?? Infinity));
    track.nextAtMs = attempt < track.most ? now + (track.delayMs ?? Infinity) : Infinity;
  };
  const beginNext = (track: Track) => {
    track.nextAtMs = Infinity;
    if (track.begunAtMs.length >= track.most) return;
    if (purse < 100) {
      track.most = 0;
      return;
    }
    purse -= 100;
    begin(track);
  };
  const ended = (track: Track, attempt: number) => {
    track.underWay.delete(attempt);
    const ends = track.plan.steps[attempt - 1]?.ends;
    if (ends === 'answers') {
      if (!track.firstHasFailed) samples.push(now - track.plan.beginsAtMs);
      over(track, `value ${attempt}`);
    } else if (ends === 'is fatal') {
      over(track, `error ${attempt}`);
    } else {
      track.firstHasFailed ||= attempt === 1;
      beginNext(track);
      if (track.underWay.size === 0) over(track, 'error 1');
    }
  };
  for (;;) {
    // Everything that may be the next to happen.
    const due: { readonly atMs: number; readonly happens: () => void }[] = [];
    for (const track of tracks) {
      const { beginsAtMs, hangsUpAtMs = Infinity } = track.plan;
      if (track.end !== '') continue;
      if (track.begunAtMs.length === 0) {
        due.push({
          atMs: beginsAtMs,
          happens: () => {
            if (hangsUpAtMs < now) {
              over(track, LEFT);
              return;
            }
            purse = Math.min(full, purse + Math.round((budget?.ratio ?? 0) * 100));
            track.delayMs = delayNow();
            begin(track);
          },
        });
        // When a caller leaves just as its call begins, either may come first.
        if (Math.abs(hangsUpAtMs - beginsAtMs) < 6) isTight = true;
        continue;
      }
      for (const [attempt, atMs] of track.underWay) {
        due.push({ atMs, happens: () => ended(track, attempt) });
      }
      due.push({ atMs: track.nextAtMs, happens: () => beginNext(track) });
      due.push({ atMs: hangsUpAtMs, happens: () => over(track, LEFT) });
    }
    due.sort((a, b) => a.atMs - b.atMs);
    const [first, second] = due;
    if (!first || first.atMs === Infinity) break;
    // What takes no time comes before anything else.
    if (first.atMs > now && second && second.atMs - first.atMs < 6) isTight = true;
    now = first.atMs;
    first.happens();
  }
  return {
    courses: tracks.map(({ begunAtMs, end, atMs }) => ({ begunAtMs, end, atMs })),
    delayMs: delayNow(),
    isTight,
  };
}

function steps(most: number): fc.Arbitrary<Step[]> {
  return fc.array(
    fc.record({
      takesMs: fc.oneof(fc.constant(0), fc.integer({ min: 7, max: 400 })),
      ends: fc.constantFrom<Step['ends'][]>('answers', 'answers', 'fails', 'fails', 'is fatal'),
    }),
    { minLength: most, maxLength: most },
  );
}

function callPlans(most: number, latestMs: number): fc.Arbitrary<CallPlan> {
  return fc.record({
    beginsAtMs: fc.integer({ min: 1, max: latestMs }),
    idempotent: fc.constantFrom(true, true, true, false),
    hangsUpAtMs: fc.option(fc.integer({ min: 1, max: latestMs + 500 }), {
      nil: undefined,
      freq: 3,
    }),
    steps: steps(most),
  });
}

const fatal = (error: unknown) => error instanceof RangeError;

/** Only those whose order is plain: within 5 ms no two things happen. */
function plain(plans: fc.Arbitrary<Plan>): fc.Arbitrary<Plan> {
  return plans
    .filter((plan) => !onPaper(plan).isTight)
    .map((plan) => ({ ...plan, [fc.toStringMethod]: () => inWords(plan) }));
}

function lonelyCalls(): fc.Arbitrary<Plan> {
  const plans = fc.integer({ min: 1, max: 5 }).chain((maxAttempts) =>
    fc.record({
      options: fc.record({
        delay: fc.record({ ms: fc.integer({ min: 7, max: 120 }) }),
        maxAttempts: fc.constant(maxAttempts),
        isFatal: fc.constant(fatal),
      }),
      calls: fc.tuple(callPlans(maxAttempts, 20)),
    }),
  );
  return plain(plans);
}

function manyCalls(): fc.Arbitrary<Plan> {
  const plans = fc.record({
    options: fc.record({
      delay: fc.oneof(
        fc.record({ ms: fc.integer({ min: 7, max: 120 }) }),
        fc.record({
          quantile: fc.constantFrom(0.5, 0.75, 0.9),
          window: fc.integer({ min: 3, max: 6 }),
          minSamples: fc.integer({ min: 1, max: 3 }),
        }),
      ),
      maxAttempts: fc.constant(3),
      isFatal: fc.constant(fatal),
      budget: budgets(),
    }),
    calls: fc.array(callPlans(3, 2_500), { minLength: 1, maxLength: 8 }),
  });
  return plain(plans);
}

function budgets() {
  return fc.record({
    ratio: fc.integer({ min: 0, max: 100 }).map((hundredths) => hundredths / 100),
    burst: fc.integer({ min: 1, max: 4 }),
  });
}

/** Calls that begin in the same instant. */
function waves() {
  return fc.record({
    size: fc.integer({ min: 1, max: 10 }),
    fails: fc.boolean(),
    takesMs: fc.constantFrom(0, 10, 40, 100),
    pauseMs: fc.constantFrom(0, 10, 40, 100, 300),
  });
}

/** How fast-check prints it. */
function inWords({ options: { delay, maxAttempts, budget }, calls }: Plan): string {
  const spelledOut = JSON.stringify({ delay, maxAttempts, budget }).replaceAll('"', '');
  const stories = calls.map(({ beginsAtMs, idempotent, hangsUpAtMs, steps: attempts }, index) => {
    const possible = idempotent ? attempts : attempts.slice(0, 1);
    return [
      `call ${index + 1} after ${beginsAtMs} ms${idempotent ? '' : ', not idempotent'}`,
      ...(hangsUpAtMs === undefined ? [] : [`its caller hangs up after ${hangsUpAtMs} ms`]),
      ...possible.map(({ takesMs, ends }, at) => `attempt ${at + 1} ${ends} after ${takesMs} ms`),
    ].join(', ');
  });
  return [spelledOut, ...stories].join('; ');
}

/** Plays the plan against the answer. Many steps are compared: `expect` would take its time. */
async function compare({ options, calls }: Plan): Promise<void> {
  const paper = onPaper({ options, calls });
  // What the last plan has left, of callers who leave long after.
  await advance(5_000);
  const earlier = pendingTimers();
  const hedge = createHedge(options);
  const startedAtMs = performance.now();
  const nowMs = () => performance.now() - startedAtMs;
  const theirs = new Set<NodeJS.Timeout>();
  const later = (ms: number, happens: () => void) => {
    const timer = setTimeout(() => {
      theirs.delete(timer);
      happens();
    }, ms);
    theirs.add(timer);
  };
  const plays = calls.map((plan) => play(hedge, plan, later, nowMs));
  const lastMs = Math.max(...paper.courses.map(({ atMs }) => atMs));
  await advance(lastMs + 6);
  for (const [index, course] of paper.courses.entries()) {
    const { begun, call, caller } = plays[index] ?? expect.fail('as many calls as planned');
    const played = courseOf(begun, call, startedAtMs);
    const isOnTime =
      course.begunAtMs.length === begun.length &&
      begun.every(({ atMs }, at) => Math.abs(atMs - Number(course.begunAtMs[at])) <= 5) &&
      Math.abs(played.atMs - course.atMs) <= 5;
    if (!isOnTime || played.end !== course.end) {
      expect.fail(`by pencil and paper ${told(index, course)}; but ${told(index, played)}`);
    }
    expectSignals(index, course, begun);
    expectNoListener(caller.signal, `call ${index + 1} is over`);
  }
  expectDelay(hedge, paper.delayMs, 'after all calls, by pencil and paper');
  if (pendingTimers() > theirs.size + earlier) {
    expect.fail('all calls are over, and a timer is still set');
  }
  await advance(1_000);
  for (const [index, { begunAtMs }] of paper.courses.entries()) {
    const begun = plays[index]?.begun.length;
    if (begun !== begunAtMs.length) {
      expect.fail(
        `call ${index + 1} was over after ${begunAtMs.length} attempts; it made ${begun}`,
      );
    }
  }
}

/** An attempt that has begun, and what it comes back with. */
interface Begun extends Step {
  readonly atMs: number;
  readonly signal: AbortSignal;
  readonly answer: string;
  readonly error: Error;
  /** The signal of the caller. */
  readonly left: AbortSignal;
}

function play(
  hedge: Hedge,
  { beginsAtMs, idempotent, hangsUpAtMs, steps: attempts }: CallPlan,
  later: (ms: number, happens: () => void) => void,
  nowMs: () => number,
) {
  const caller = new AbortController();
  const begun: Begun[] = [];
  const call: Call = { end: 'pending' };
  const task = (signal: AbortSignal, attempt: number) => {
    const { takesMs, ends } = attempts[begun.length] ?? { takesMs: 0, ends: 'fails' };
    const error = ends === 'is fatal' ? noSuchHotel() : outage();
    const answer = `rooms of attempt ${attempt}`;
    begun.push({ takesMs, ends, atMs: nowMs(), signal, answer, error, left: caller.signal });
    if (takesMs === 0 && ends !== 'answers') throw error;
    if (takesMs === 0) return answer;
    return new Promise((resolve, reject) => {
      later(takesMs, () => (ends === 'answers' ? resolve(answer) : reject(error)));
      // Every other attempt listens.
      if (attempt % 2 === 0) signal.addEventListener('abort', () => reject(aborted()));
    });
  };
  if (hangsUpAtMs !== undefined) later(hangsUpAtMs, () => caller.abort('left the page'));
  later(beginsAtMs, () => {
    watch(hedge, task, { idempotent, signal: caller.signal }, call);
  });
  return { begun, call, caller };
}

function courseOf(begun: readonly Begun[], call: Call, startedAtMs: number): Course {
  const number =
    1 +
    begun.findIndex(({ error, answer }) =>
      call.end === 'value' ? call.value === answer : call.error === error,
    );
  const isLeft = call.end === 'error' && call.error === 'left the page';
  const end = number > 0 && call.end !== 'pending' ? `${call.end} ${number}` : outcome(call);
  return {
    begunAtMs: begun.map(({ atMs }) => atMs),
    end: isLeft ? LEFT : end,
    atMs: Number(call.atMs) - startedAtMs,
  };
}

function expectSignals(index: number, { end, atMs }: Course, begun: readonly Begun[]): void {
  for (const [at, { atMs: begunAtMs, takesMs, signal, left }] of begun.entries()) {
    const which = `the signal of attempt ${at + 1} at call ${index + 1}`;
    const hasWon = end === `value ${at + 1}`;
    if (hasWon && signal.aborted && !left.aborted) expect.fail(`${which}, which won, is aborted`);
    if (begunAtMs + takesMs > atMs + 5 && !signal.aborted) {
      expect.fail(`the call is over, and ${which} is not aborted`);
    }
  }
}

function told(index: number, { begunAtMs, end, atMs }: Course): string {
  const when = Number.isNaN(atMs) ? '' : ` after ${atMs} ms`;
  const [kind, number] = end.split(' ');
  const what =
    kind === 'value' || kind === 'error' ? `gets the ${kind} of attempt ${number}` : `(${end})`;
  const begun = begunAtMs.length === 0 ? 'never' : `after ${begunAtMs.join(', ')} ms`;
  return `attempts at call ${index + 1} begin ${begun}, and its caller ${what}${when}`;
}
