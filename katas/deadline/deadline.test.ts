import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createDeadline,
  deadlineFromHeader,
  DeadlineExceededError,
  TimeoutError,
  type Deadline,
  type RetryOptions,
  type RunOptions,
} from './deadline.ts';

// ── The seats service, played by the spec ───────────────────────────────────────────────────────────────

class SeatsError extends Error {
  override readonly name = 'SeatsError';
}
const outage = () => new SeatsError('503 from the seats service');
const aborted = () => new DOMException('This operation was aborted', 'AbortError');

const BUDGET_MS = 2_000;
const DAY_MS = 24 * 3_600_000;

/** One request that has reached the seats service. */
interface Request {
  readonly signal: AbortSignal;
  readonly attempt: number | undefined;
  readonly atMs: number;
  answers(value: unknown): Promise<void>;
  fails(error: unknown): Promise<void>;
}

/** A seats service that answers each request when the spec says so. */
class Seats {
  readonly requests: Request[] = [];

  readonly ask = (signal: AbortSignal, attempt?: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      this.requests.push({
        signal,
        attempt,
        atMs: performance.now(),
        answers: (value) => {
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
    return this.requests.length;
  }

  /** The request that came last. */
  get last(): Request {
    return (
      this.requests.at(-1) ?? expect.fail('the seats service has not been asked, and should have')
    );
  }
}

/** What a caller knows of its search. */
interface Search {
  end: 'pending' | 'value' | 'error';
  value?: unknown;
  error?: unknown;
  /** When it was told. */
  atMs?: number;
}

type Runs = (signal: AbortSignal) => unknown;

function watch(started: () => Promise<unknown>, method: string): Search {
  const search: Search = { end: 'pending' };
  let promise;
  try {
    promise = started();
  } catch (error) {
    return expect.fail(`${method}() threw ${print(error)}: it must return a promise that rejects`);
  }
  const ended = (end: Search) => Object.assign(search, end, { atMs: performance.now() });
  promise.then(
    (value) => ended({ end: 'value', value }),
    (error: unknown) => ended({ end: 'error', error }),
  );
  return search;
}

async function run(deadline: Deadline, work: Runs, options?: RunOptions): Promise<Search> {
  const search = watch(() => deadline.run(work, options), 'run');
  await settle();
  return search;
}

async function retry(
  deadline: Deadline,
  work: (signal: AbortSignal, attempt: number) => unknown,
  options: RetryOptions,
): Promise<Search> {
  const search = watch(() => deadline.retry(work, options), 'retry');
  await settle();
  return search;
}

/** A request that is under way: the seats service has it and has not answered yet. */
async function underWay(deadline: Deadline, options?: RunOptions) {
  const seats = new Seats();
  const search = await run(deadline, seats.ask, options);
  return { search, request: seats.last };
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

// ── What the caller must be told ────────────────────────────────────────────────────────────────────────

function print(thing: unknown): string {
  return thing instanceof Error || thing instanceof DOMException
    ? `${thing.name} (“${thing.message}”)`
    : String(thing);
}

function expectValue({ end, value, error }: Search, expected: unknown, because: string): void {
  if (end === 'value' && Object.is(value, expected)) return;
  const got = {
    pending: 'is still waiting',
    value: `got ${print(value)}`,
    error: `got the error ${print(error)}`,
  };
  expect.fail(`${because}: the caller should get the value ${print(expected)}; it ${got[end]}`);
}

function expectError({ end, value, error }: Search, expected: unknown, because: string): void {
  if (end === 'error' && Object.is(error, expected)) return;
  const got = {
    pending: 'is still waiting',
    value: `got the value ${print(value)}`,
    error: `got ${print(error)}${print(error) === print(expected) ? ', which is another object' : ''}`,
  };
  expect.fail(
    `${because}: the caller should get the very error ${print(expected)}; it ${got[end]}`,
  );
}

function expectPending({ end, value, error }: Search, because: string): void {
  if (end === 'pending') return;
  const got = end === 'value' ? `the value ${print(value)}` : print(error);
  expect.fail(`${because}: the caller should still be waiting; it got ${got}`);
}

function expectExceeded(search: Search, because: string): DeadlineExceededError {
  if (search.end === 'error' && search.error instanceof DeadlineExceededError) return search.error;
  return expect.fail(
    `${because}: the caller must be told at once, by a DeadlineExceededError; it ${outcome(search)}`,
  );
}

function expectTimeout(search: Search, because: string): TimeoutError {
  if (search.end === 'error' && search.error instanceof TimeoutError) return search.error;
  return expect.fail(
    `${because}: the caller must be told at once, by a TimeoutError; it ${outcome(search)}`,
  );
}

function outcome({ end, value, error }: Search): string {
  if (end === 'pending') return 'is still waiting';
  return end === 'value' ? `got the value ${print(value)}` : `got ${print(error)}`;
}

function expectNotAsked({ count }: Seats, because: string): void {
  if (count > 0) expect.fail(`${because}: the seats service must not be asked`);
}

function expectStopped({ signal }: Request, because: string): void {
  if (!signal.aborted) {
    expect.fail(`${because}: the work's signal should be aborted, or the work goes on for nobody`);
  }
}

/** The work has been told what its caller has been told. */
function expectSameReason(request: Request, { error }: Search, because: string): void {
  expectStopped(request, because);
  const { reason } = request.signal;
  if (Object.is(reason, error)) return;
  const isAlike = print(reason) === print(error) ? ', another object' : '';
  expect.fail(
    `${because}: the reason of the work's signal should be the very error that the caller got, ${print(error)}; it is ${print(reason)}${isAlike}`,
  );
}

function expectGoingOn({ signal }: Request, because: string): void {
  if (signal.aborted) {
    expect.fail(`${because}: the work's signal must not be aborted (${print(signal.reason)})`);
  }
}

function expectNoTimer(because: string): void {
  if (pendingTimers() > 0) {
    expect.fail(`${because}: a timer is still set, for something that is over`);
  }
}

function listenersOn(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

function expectNoListener(signal: AbortSignal, because: string): void {
  const left = listenersOn(signal);
  if (left > 0) {
    expect.fail(`${because}: ${left} listener(s) left on the caller's signal`);
  }
}

function expectRemains(deadline: Deadline, ms: number, because: string): void {
  expect(deadline.remainingMs, `${because}: remainingMs`).toBeCloseTo(ms, 0);
}

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});

afterEach(async () => {
  await advance(60_000);
  const stray = strays.splice(0);
  if (stray.length > 0) {
    expect.fail(
      `a promise was rejected with ${print(stray[0])} and nobody handled it, which ends a Node process`,
    );
  }
  expectNoTimer('a minute after the last search');
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · in time: the caller gets what the work ends with', () => {
  it('hands over the value', async () => {
    const { search, request } = await underWay(createDeadline(BUDGET_MS));
    await advance(300);
    expectPending(search, 'the seats service has not answered yet');
    await request.answers('12 seats');
    expectValue(search, '12 seats', 'the seats service answered after 300 ms of 2,000');
  });

  it('hands over the very error', async () => {
    const { search, request } = await underWay(createDeadline(BUDGET_MS));
    await advance(300);
    const error = outage();
    await request.fails(error);
    expectError(search, error, 'the seats service failed after 300 ms of 2,000');
  });

  it('takes work that returns a plain value, even undefined', async () => {
    const deadline = createDeadline(BUDGET_MS);
    expectValue(await run(deadline, () => 42), 42, 'the work returned 42');
    expectValue(await run(deadline, () => undefined), undefined, 'the work returned nothing');
    expectValue(await run(deadline, () => false), false, 'the work returned false');
  });

  it('turns a throw into a rejection', async () => {
    const error = outage();
    const throws = () => {
      throw error;
    };
    const search = await run(createDeadline(BUDGET_MS), throws);
    expectError(search, error, 'the work threw before it had a promise');
    expectNoTimer('the work threw before it had a promise');
  });

  it('hands over whatever was thrown, even nothing at all', async () => {
    const deadline = createDeadline(BUDGET_MS);
    for (const thrown of [undefined, null, 0, 'no route to host']) {
      const search = await run(deadline, () => Promise.reject(thrown));
      expectError(search, thrown, `the work rejected with ${String(thrown)}`);
    }
  });

  it('waits for anything with a then, and asks it once', async () => {
    const query = new Query(() => '12 seats');
    const search = await run(createDeadline(BUDGET_MS), () => query);
    expectValue(search, '12 seats', 'the work returned a query');
    expect(query.sent, 'a query is sent each time its `then` is called').toBe(1);
    const error = outage();
    const failing = new Query(() => Promise.reject(error));
    expectError(await run(createDeadline(BUDGET_MS), () => failing), error, 'a query that failed');
  });

  it('runs the work once, with a signal of its own', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    await run(deadline, seats.ask);
    expect(seats.count, 'one run asks the seats service once').toBe(1);
    const { signal } = seats.last;
    expect(signal, 'the work is handed an AbortSignal').toBeInstanceOf(AbortSignal);
    expect(signal.aborted, 'the work has just begun').toBe(false);
    await run(deadline, seats.ask);
    if (seats.last.signal === signal)
      expect.fail('each run has a signal of its own; two got the same');
    for (const request of seats.requests) await request.answers('12 seats');
    expect(seats.count, 'one run asks the seats service once').toBe(2);
  });

  it.each<[end: string, work: Runs]>([
    ['a value', () => Promise.resolve('12 seats')],
    ['an error', () => Promise.reject(outage())],
    ['a plain value', () => '12 seats'],
    [
      'a throw',
      () => {
        throw outage();
      },
    ],
  ])('leaves no timer behind work that ended with %s', async (end, work) => {
    await run(createDeadline(BUDGET_MS), work);
    expectNoTimer(`the work ended with ${end}, in time`);
  });

  it('leaves no timer behind work that took a while', async () => {
    const { request } = await underWay(createDeadline(BUDGET_MS));
    const failing = await underWay(createDeadline(BUDGET_MS));
    await advance(1_999);
    await request.answers('12 seats');
    await failing.request.fails(outage());
    expectNoTimer('the work ended 1 ms before the limit');
  });

  it('leaves the signal alone once the work has ended', async () => {
    const { request } = await underWay(createDeadline(BUDGET_MS));
    await request.answers('200 OK, body follows');
    expectGoingOn(request, 'the work has ended in time, its answer may still be being read');
    await advance(2 * BUDGET_MS);
    expectGoingOn(request, 'the limit went by after the work had ended');
  });
});

describe('2 · time is up', () => {
  it.each([50, 800, BUDGET_MS, 45_000])('tells the caller after %i ms', async (budgetMs) => {
    const { search } = await underWay(createDeadline(budgetMs));
    await advance(budgetMs - 1);
    expectPending(search, `${budgetMs - 1} ms of ${budgetMs}`);
    await advance(1);
    const error = expectExceeded(search, `${budgetMs} ms of ${budgetMs}`);
    expect(error.budgetMs, 'budgetMs of the error: what there was at the start').toBe(budgetMs);
    expectNoTimer('the caller has been told');
  });

  it('stops the work', async () => {
    const { request } = await underWay(createDeadline(BUDGET_MS));
    await advance(BUDGET_MS - 1);
    expectGoingOn(request, '1 ms before the limit');
    await advance(1);
    expectStopped(request, 'at the limit');
  });

  it('tells the work what it tells the caller', async () => {
    const { search, request } = await underWay(createDeadline(BUDGET_MS));
    await advance(BUDGET_MS);
    expectExceeded(search, 'at the limit');
    expectSameReason(request, search, 'at the limit');
  });

  it('is a deadline, whatever error stopped work comes back with', async () => {
    const work = (signal: AbortSignal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(aborted()));
      });
    const search = await run(createDeadline(BUDGET_MS), work);
    await advance(BUDGET_MS);
    expectExceeded(search, 'the work heard its signal and rejected with an AbortError');
  });

  it('does not take what stopped work has so far', async () => {
    const work = (signal: AbortSignal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve('half a timetable'));
      });
    const search = await run(createDeadline(BUDGET_MS), work);
    await advance(BUDGET_MS);
    expectExceeded(search, 'the work heard its signal and returned what it had');
  });

  it('does not change its word for a late value', async () => {
    const { search, request } = await underWay(createDeadline(BUDGET_MS));
    await advance(BUDGET_MS);
    const error = expectExceeded(search, 'at the limit');
    await advance(1);
    await request.answers('12 seats');
    expectError(search, error, 'the seats service answered 1 ms after the limit');
    expectStopped(request, 'the seats service answered 1 ms after the limit');
  });

  it('lets a late error pass without a word', async () => {
    const { search, request } = await underWay(createDeadline(BUDGET_MS));
    await advance(BUDGET_MS);
    const error = expectExceeded(search, 'at the limit');
    await advance(30_000);
    // If nobody handles it, the check after each test says so.
    await request.fails(outage());
    expectError(search, error, 'the seats service failed 30 s after the limit');
  });

  it('lets a late query pass without a word', async () => {
    let fail: (error: Error) => void = () => {};
    const query = new Query(
      () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    );
    const search = await run(createDeadline(BUDGET_MS), () => query);
    await advance(BUDGET_MS);
    expectExceeded(search, 'a query that takes longer than the limit');
    fail(outage());
    await settle();
    expect(query.sent, 'a query is sent each time its `then` is called').toBe(1);
  });

  it('stops what has its time up, and nothing else', async () => {
    const quick = await underWay(createDeadline(500));
    const slow = await underWay(createDeadline(BUDGET_MS));
    await advance(500);
    expectExceeded(quick.search, 'its budget of 500 ms is used up');
    expectGoingOn(slow.request, 'another search has 1,500 ms left');
    await slow.request.answers('12 seats');
    expectValue(slow.search, '12 seats', 'another search was answered after 500 ms of 2,000');
  });

  it.each([2 ** 31, 30 * DAY_MS, 365 * DAY_MS])(
    'does not end early when the limit is longer than a timer can hold: %i ms',
    async (budgetMs) => {
      const { search, request } = await underWay(createDeadline(budgetMs));
      await advance(1_000);
      expectPending(search, '1 s after the start');
      await advance(20 * DAY_MS);
      expectPending(search, '20 days after the start');
      expectGoingOn(request, '20 days after the start');
      await request.answers('12 seats');
      expectValue(search, '12 seats', 'the seats service answered at last');
      expectNoTimer('the work has ended');
    },
  );

  it.each([-3_600_000, 3_600_000])(
    'does not notice when the wall clock is stepped by %i ms',
    async (stepMs) => {
      const { search } = await underWay(createDeadline(BUDGET_MS));
      await advance(1_000);
      stepWallClock(stepMs);
      await advance(999);
      expectPending(search, '1,999 ms of 2,000, though the wall clock was set');
      await advance(1);
      expectExceeded(search, '2,000 ms of 2,000, though the wall clock was set');
    },
  );
});

describe('3 · the caller hangs up', () => {
  it.each([undefined, 'left the page', null, 0, new RangeError('the app was closed')])(
    'hands over the reason of the caller: %s',
    async (why) => {
      const caller = new AbortController();
      const { search, request } = await underWay(
        createDeadline(BUDGET_MS, { signal: caller.signal }),
      );
      await advance(700);
      expectPending(search, 'nobody has hung up');
      caller.abort(why);
      await settle();
      expectError(search, caller.signal.reason, 'the caller hung up after 700 ms of 2,000');
      expectSameReason(request, search, 'the caller hung up after 700 ms of 2,000');
      expectNoTimer('the caller hung up');
    },
  );

  it('calls nothing for a caller that has hung up before', async () => {
    const seats = new Seats();
    const why = new RangeError('the app was closed');
    const deadline = createDeadline(BUDGET_MS, { signal: AbortSignal.abort(why) });
    const search = await run(deadline, seats.ask);
    expectNotAsked(seats, 'the caller had hung up before the deadline was made');
    expectError(search, why, 'the caller had hung up before the deadline was made');
    const caller = new AbortController();
    const second = createDeadline(BUDGET_MS, { signal: caller.signal });
    await advance(100);
    caller.abort(null);
    const refused = await run(second, seats.ask);
    expectNotAsked(seats, 'the caller had hung up before the run');
    expectError(refused, null, 'the caller had hung up before the run, with null for a reason');
    expectNoTimer('nothing was run');
  });

  it('is no timeout, whatever error stopped work comes back with', async () => {
    const caller = new AbortController();
    const work = (signal: AbortSignal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(aborted()));
      });
    const search = await run(createDeadline(BUDGET_MS, { signal: caller.signal }), work);
    caller.abort('left the page');
    await settle();
    expectError(search, 'left the page', 'the work heard its signal and rejected');
  });

  it('does not wait for work that does not listen', async () => {
    const caller = new AbortController();
    const { search, request } = await underWay(
      createDeadline(BUDGET_MS, { signal: caller.signal }),
    );
    caller.abort('left the page');
    await settle();
    expectError(search, 'left the page', 'the caller hung up, the work goes on');
    await request.fails(outage());
    await advance(BUDGET_MS);
    expectError(search, 'left the page', 'the work failed after the caller had hung up');
    expectStopped(request, 'the limit went by after the caller had hung up');
  });

  it('hears a caller that hangs up while the work begins', async () => {
    const seats = new Seats();
    const caller = new AbortController();
    const work = (signal: AbortSignal) => {
      caller.abort('left the page');
      return seats.ask(signal);
    };
    const search = await run(createDeadline(BUDGET_MS, { signal: caller.signal }), work);
    const because = 'the caller hung up at the first step of the work';
    expectError(search, 'left the page', because);
    expectSameReason(seats.last, search, because);
    expectNoTimer(because);
    expectNoListener(caller.signal, because);
    // If nobody handles it, the check after each test says so.
    await seats.last.fails(outage());
    expectError(search, 'left the page', because);
  });

  it('stays a timeout when the caller hangs up after it', async () => {
    const caller = new AbortController();
    const { search, request } = await underWay(
      createDeadline(BUDGET_MS, { signal: caller.signal }),
    );
    await advance(BUDGET_MS);
    const error = expectExceeded(search, 'at the limit');
    caller.abort('left the page');
    await settle();
    expectError(search, error, 'the caller hung up after the limit');
    expectStopped(request, 'the caller hung up after the limit');
  });

  it('keeps the value when the caller hangs up after it', async () => {
    const caller = new AbortController();
    const { search, request } = await underWay(
      createDeadline(BUDGET_MS, { signal: caller.signal }),
    );
    await request.answers('12 seats');
    caller.abort('left the page');
    await settle();
    expectValue(search, '12 seats', 'the caller hung up after it had its answer');
  });

  it('tells all calls that run side by side', async () => {
    const caller = new AbortController();
    const deadline = createDeadline(BUDGET_MS, { signal: caller.signal });
    const calls = [await underWay(deadline), await underWay(deadline), await underWay(deadline)];
    caller.abort('left the page');
    await settle();
    for (const { search, request } of calls) {
      expectError(search, 'left the page', 'the caller hung up; three calls are under way');
      expectStopped(request, 'the caller hung up; three calls are under way');
    }
    expectNoListener(caller.signal, 'the caller hung up; three calls were under way');
  });

  it.each(['older', 'younger'])('tells one of two calls when the %s has ended', async (ended) => {
    const caller = new AbortController();
    const deadline = createDeadline(BUDGET_MS, { signal: caller.signal });
    const two = [await underWay(deadline), await underWay(deadline)];
    const [quick, slow] = ended === 'older' ? two : two.toReversed();
    await quick?.request.fails(outage());
    caller.abort('left the page');
    await settle();
    const because = 'the caller hung up; a call beside this one ended before';
    if (slow) expectError(slow.search, 'left the page', because);
    if (slow) expectStopped(slow.request, because);
    expectNoListener(caller.signal, 'both calls have ended');
  });

  it('leaves nothing on a signal that sees many calls', async () => {
    const caller = new AbortController();
    const deadline = createDeadline(BUDGET_MS, { signal: caller.signal });
    const throws = () => {
      throw outage();
    };
    for (let i = 0; i < 20; i += 1) await run(deadline, () => '12 seats');
    expectNoListener(caller.signal, '20 calls ended with a value');
    for (let i = 0; i < 20; i += 1) await run(deadline, () => Promise.reject(outage()));
    expectNoListener(caller.signal, '20 calls ended with an error');
    for (let i = 0; i < 20; i += 1) await run(deadline, throws);
    expectNoListener(caller.signal, '20 calls threw before there was a promise');
    for (let i = 0; i < 20; i += 1) await run(deadline, () => new Promise(() => {}));
    await advance(BUDGET_MS);
    expectNoListener(caller.signal, '20 calls took longer than the limit');
    await run(deadline, () => '12 seats');
    expectNoListener(caller.signal, 'a call came after the limit');
  });

  it('leaves nothing on a signal that has aborted', async () => {
    const caller = new AbortController();
    const deadline = createDeadline(BUDGET_MS, { signal: caller.signal });
    await run(deadline, () => new Promise(() => {}));
    caller.abort();
    await settle();
    expectNoListener(caller.signal, 'the caller hung up');
    await run(deadline, () => '12 seats');
    expectNoListener(caller.signal, 'a call came after the caller had hung up');
  });

  it('leaves alone what others have put on that signal', async () => {
    const caller = new AbortController();
    const heard: string[] = [];
    caller.signal.addEventListener('abort', () => heard.push('a listener'));
    // oxlint-disable-next-line unicorn/prefer-add-event-listener
    caller.signal.onabort = () => heard.push('onabort');
    const deadline = createDeadline(BUDGET_MS, { signal: caller.signal });
    await run(deadline, () => '12 seats');
    const search = await run(deadline, () => new Promise(() => {}));
    caller.abort('left the page');
    await settle();
    expectError(search, 'left the page', 'the caller hung up');
    expect(heard.toSorted(), "the caller's own listeners must hear it as well").toEqual([
      'a listener',
      'onabort',
    ]);
  });
});

describe('4 · one budget for all calls', () => {
  it.each([300, BUDGET_MS, 45_000])('says how much of %i ms remains', async (budgetMs) => {
    const deadline = createDeadline(budgetMs);
    expectRemains(deadline, budgetMs, 'right at the start');
    await advance(100);
    expectRemains(deadline, budgetMs - 100, '100 ms after the start');
    await advance(budgetMs - 101);
    expectRemains(deadline, 1, '1 ms before the end');
    await advance(1);
    expect(deadline.remainingMs, 'at the end: remainingMs').toBe(0);
    await advance(5_000);
    expect(deadline.remainingMs, '5 s after the end: remainingMs').toBe(0);
  });

  it.each([-3_600_000, 3_600_000])(
    'counts on when the wall clock is stepped by %i ms',
    async (stepMs) => {
      const deadline = createDeadline(BUDGET_MS);
      await advance(500);
      stepWallClock(stepMs);
      expectRemains(deadline, 1_500, '500 ms after the start, though the wall clock was set');
      const { search } = await underWay(deadline);
      await advance(1_499);
      expectPending(search, '1,999 ms of 2,000, though the wall clock was set');
      await advance(1);
      expectExceeded(search, '2,000 ms of 2,000, though the wall clock was set');
    },
  );

  it('counts from the start, not from the first call', async () => {
    const deadline = createDeadline(BUDGET_MS);
    await advance(1_500);
    const { search, request } = await underWay(deadline);
    await advance(499);
    expectPending(search, 'the search began 1,999 ms ago, and has 2,000');
    await advance(1);
    const error = expectExceeded(search, 'the search began 2,000 ms ago, and has 2,000');
    expect(error.budgetMs, 'budgetMs of the error: what there was at the start').toBe(BUDGET_MS);
    expectStopped(request, 'the search began 2,000 ms ago, and has 2,000');
  });

  it('is shared by calls that follow one another', async () => {
    const deadline = createDeadline(BUDGET_MS);
    for (let call = 1; call <= 3; call += 1) {
      const { search, request } = await underWay(deadline);
      await advance(600);
      await request.answers('12 seats');
      expectValue(search, '12 seats', `call ${call} of 600 ms each`);
    }
    const { search } = await underWay(deadline);
    await advance(199);
    expectPending(search, 'three calls of 600 ms leave 200 ms to the fourth, 1 ms of it is left');
    await advance(1);
    expectExceeded(search, 'three calls of 600 ms leave 200 ms to the fourth, now used up');
  });

  it('ends all calls that run side by side', async () => {
    const deadline = createDeadline(BUDGET_MS);
    const seats = await underWay(deadline);
    await advance(700);
    const fares = await underWay(deadline);
    const map = await underWay(deadline, { limitMs: 300 });
    await advance(300);
    expectTimeout(map.search, 'its limit of 300 ms is over');
    await advance(BUDGET_MS - 1_001);
    expectPending(seats.search, '1 ms before the deadline');
    expectPending(fares.search, '1 ms before the deadline');
    await advance(1);
    expectExceeded(seats.search, 'the deadline has come for both calls');
    expectExceeded(fares.search, 'the deadline has come for both calls');
  });

  it.each(['older', 'younger'])('ends one of two calls when the %s has ended', async (ended) => {
    const deadline = createDeadline(BUDGET_MS);
    const two = [await underWay(deadline), await underWay(deadline)];
    const [quick, slow] = ended === 'older' ? two : two.toReversed();
    await advance(700);
    await quick?.request.answers('12 seats');
    await advance(BUDGET_MS - 700);
    const because = 'the deadline has come; a call beside this one ended before';
    if (slow) expectExceeded(slow.search, because);
    if (slow) expectStopped(slow.request, because);
    if (quick)
      expectGoingOn(quick.request, 'its work ended in time; the deadline has come for another');
    expectNoTimer('both calls have ended');
  });

  it('calls nothing when nothing remains', async () => {
    const deadline = createDeadline(BUDGET_MS);
    const seats = new Seats();
    await advance(BUDGET_MS);
    const search = await run(deadline, seats.ask);
    expectNotAsked(seats, 'exactly 2,000 ms of 2,000 are used up');
    const error = expectExceeded(search, 'exactly 2,000 ms of 2,000 are used up');
    expect(error.budgetMs, 'budgetMs of the error: what there was at the start').toBe(BUDGET_MS);
    await advance(60_000);
    const late = await run(deadline, seats.ask, { limitMs: 500 });
    expectNotAsked(seats, 'the deadline was a minute ago');
    expectExceeded(late, 'the deadline was a minute ago');
    expectNoTimer('nothing was run');
  });

  it('calls while anything remains', async () => {
    const deadline = createDeadline(BUDGET_MS);
    await advance(BUDGET_MS - 1);
    const search = await run(deadline, () => '12 seats');
    expectValue(search, '12 seats', '1 ms remains, and the work takes no time');
  });

  it.each([0, -1, -5_000])('takes a budget of %i ms for one that is used up', async (budgetMs) => {
    const seats = new Seats();
    const deadline = createDeadline(budgetMs);
    expect(deadline.remainingMs, 'remainingMs is never below 0').toBe(0);
    const search = await run(deadline, seats.ask);
    expectNotAsked(seats, `a budget of ${budgetMs} ms`);
    expectExceeded(search, `a budget of ${budgetMs} ms`);
  });

  it.each([50, 300, 1_500])('gives a call no more than its own limit: %i ms', async (limitMs) => {
    const deadline = createDeadline(BUDGET_MS);
    const { search, request } = await underWay(deadline, { limitMs });
    await advance(limitMs - 1);
    expectPending(search, `${limitMs - 1} ms of ${limitMs}`);
    expectGoingOn(request, `${limitMs - 1} ms of ${limitMs}`);
    await advance(1);
    const error = expectTimeout(search, `${limitMs} ms of ${limitMs}, and the budget is 2,000`);
    expect(error.limitMs, 'limitMs of the error: as it was given').toBe(limitMs);
    expectStopped(request, `${limitMs} ms of ${limitMs}`);
    expectNoTimer('the caller has been told');
    expect(deadline.remainingMs, 'a call was too slow; the budget is not used up').toBeGreaterThan(
      0,
    );
  });

  it.each([2 ** 31, 30 * DAY_MS])(
    'does not end a call early when its limit is longer than a timer can hold: %i ms',
    async (limitMs) => {
      const { search, request } = await underWay(createDeadline(365 * DAY_MS), { limitMs });
      await advance(DAY_MS);
      expectPending(search, 'a day after the start');
      expectGoingOn(request, 'a day after the start');
      await request.answers('12 seats');
      expectValue(search, '12 seats', 'the seats service answered at last');
      expectNoTimer('the work has ended');
    },
  );

  it('tells the work of its limit what it tells the caller', async () => {
    const { search, request } = await underWay(createDeadline(BUDGET_MS), { limitMs: 300 });
    await advance(300);
    expectTimeout(search, 'its limit of 300 ms is over');
    expectSameReason(request, search, 'its limit of 300 ms is over');
  });

  it('goes on for other calls when one was too slow', async () => {
    const deadline = createDeadline(BUDGET_MS);
    const patient = await underWay(deadline);
    const { search } = await underWay(deadline, { limitMs: 300 });
    await advance(300);
    expectTimeout(search, 'its limit of 300 ms is over');
    expectGoingOn(patient.request, 'the limit was that of another call');
    await patient.request.answers('12 seats');
    expectValue(patient.search, '12 seats', 'the limit was that of another call');
    expectValue(await run(deadline, () => '7 seats'), '7 seats', 'a call after one that was slow');
  });

  it('tells a slow call from a budget that is used up', async () => {
    const deadline = createDeadline(BUDGET_MS);
    const slow = await underWay(deadline, { limitMs: 300 });
    await advance(300);
    expect(slow.search.error, 'a limit of 300 ms').not.toBeInstanceOf(DeadlineExceededError);
    const next = await underWay(deadline, { limitMs: 5_000 });
    await advance(1_700);
    expect(next.search.error, 'the deadline').not.toBeInstanceOf(TimeoutError);
  });

  it.each([600, 5_000, DAY_MS, 30 * DAY_MS])(
    'gives a call no more than what remains, with a limit of %i ms',
    async (limitMs) => {
      const deadline = createDeadline(BUDGET_MS);
      await advance(1_500);
      const { search, request } = await underWay(deadline, { limitMs });
      await advance(499);
      expectPending(search, '1 ms of the budget is left');
      await advance(1);
      expectExceeded(search, 'the budget is used up');
      expectStopped(request, 'the budget is used up');
    },
  );

  it('has the deadline go before a limit that ends with it', async () => {
    const deadline = createDeadline(BUDGET_MS);
    await advance(1_500);
    const { search } = await underWay(deadline, { limitMs: 500 });
    await advance(500);
    expectExceeded(search, 'the limit of the call and the budget ended together');
  });

  it('hands over the end of work that keeps its own limit', async () => {
    const deadline = createDeadline(BUDGET_MS);
    const { search, request } = await underWay(deadline, { limitMs: 300 });
    await advance(299);
    await request.answers('12 seats');
    expectValue(search, '12 seats', '299 ms of 300');
    expectNoTimer('the work has ended');
    const error = outage();
    const failing = await underWay(deadline, { limitMs: 300 });
    await failing.request.fails(error);
    expectError(failing.search, error, 'the seats service failed, within its limit');
    expectNoTimer('the work has ended');
  });

  it.each([0, -50])('calls nothing with a limit of %i ms', async (limitMs) => {
    const seats = new Seats();
    const { signal } = new AbortController();
    const deadline = createDeadline(BUDGET_MS, { signal });
    const search = await run(deadline, seats.ask, { limitMs });
    expectNotAsked(seats, `2,000 ms remain, but the call may take ${limitMs}`);
    const error = expectTimeout(search, `2,000 ms remain, but the call may take ${limitMs}`);
    expect(error.limitMs, 'limitMs of the error: as it was given').toBe(limitMs);
    await advance(BUDGET_MS);
    const late = await run(deadline, seats.ask, { limitMs });
    expectNotAsked(seats, 'the budget is used up');
    expectExceeded(late, 'the budget is used up: no limit matters any more');
    expectNoTimer('nothing was run');
    expectNoListener(signal, 'nothing was run');
  });

  it('holds nothing while nothing runs', async () => {
    const caller = new AbortController();
    const deadline = createDeadline(BUDGET_MS, { signal: caller.signal });
    expectNoTimer('a deadline was made, and nothing runs');
    expectNoListener(caller.signal, 'a deadline was made, and nothing runs');
    await run(deadline, () => '12 seats');
    expectRemains(deadline, BUDGET_MS, 'no time has passed');
    expectNoTimer('a call has ended, and nothing runs');
    expectNoListener(caller.signal, 'a call has ended, and nothing runs');
  });

  it('is the budget of one search', async () => {
    const short = createDeadline(500);
    await advance(200);
    const long = createDeadline(BUDGET_MS);
    expectRemains(short, 300, 'a second deadline was made; the first is 200 ms old, of 500');
    await advance(300);
    expectRemains(long, 1_700, 'the deadline of another search has come; 300 ms of 2,000');
    expectValue(await run(long, () => '12 seats'), '12 seats', 'another search is out of time');
    expectExceeded(await run(short, () => '12 seats'), '500 ms of 500');
  });

  it('knows of its own caller only', async () => {
    const caller = new AbortController();
    const gone = createDeadline(BUDGET_MS, { signal: caller.signal });
    const other = await underWay(createDeadline(BUDGET_MS));
    caller.abort('left the page');
    await settle();
    expectPending(other.search, 'the caller of another search hung up');
    await other.request.answers('12 seats');
    expectError(await run(gone, () => '12 seats'), 'left the page', 'the caller hung up');
  });
});

describe('5 · the budget travels', () => {
  it('sends what remains, in whole milliseconds', async () => {
    const deadline = createDeadline(BUDGET_MS);
    expect(deadline.header, 'right at the start: header').toBe('2000');
    await advance(750);
    expect(deadline.header, '750 ms later: header').toBe('1250');
    await advance(1_249);
    expect(deadline.header, '1 ms before the end: header').toBe('1');
    await advance(1);
    expect(deadline.header, 'at the end: header').toBe('0');
    await advance(10_000);
    expect(deadline.header, '10 s after the end: header').toBe('0');
  });

  it.each([
    [1_999.9, '1999'],
    [700.5, '700'],
    [12.2, '12'],
    [0.9, '0'],
    [-3.5, '0'],
  ])('promises nothing that is not there: %d ms', (budgetMs, header) => {
    expect(createDeadline(budgetMs).header, 'the header is rounded down').toBe(header);
  });

  it('sends long budgets as well', () => {
    expect(createDeadline(30 * DAY_MS).header, '30 days: header').toBe('2592000000');
    expect(createDeadline(365 * DAY_MS).header, 'a year: header').toBe('31536000000');
  });

  it('does not send a point in time', async () => {
    const before = createDeadline(BUDGET_MS);
    stepWallClock(3_600_000);
    expect(before.header, 'the wall clock was set forward 1 h').toBe('2000');
    expect(createDeadline(BUDGET_MS).header, 'made after the wall clock was set').toBe('2000');
    stepWallClock(-7_200_000);
    expect(before.header, 'the wall clock was set back 2 h').toBe('2000');
  });

  it.each([
    ['1250', 1_250],
    ['300', 300],
    ['1', 1],
    ['007', 7],
  ])('takes what the caller has left: %s', async (value, ms) => {
    const deadline = deadlineFromHeader(value, { maxMs: BUDGET_MS });
    expectRemains(deadline, ms, `the header says ${value}`);
    const { search } = await underWay(deadline);
    await advance(ms - 1);
    expectPending(search, `${ms - 1} ms of ${ms}`);
    await advance(1);
    const error = expectExceeded(search, `${ms} ms of ${ms}`);
    expect(error.budgetMs, 'budgetMs of the error: what there was at the start').toBe(ms);
  });

  it('takes as many digits as there are', () => {
    for (const [value, ms] of [
      ['125000', 125_000],
      ['0250', 250],
      ['86400000', DAY_MS],
      ['2592000000', 30 * DAY_MS],
    ] as const) {
      const deadline = deadlineFromHeader(value, { maxMs: 365 * DAY_MS });
      expectRemains(deadline, ms, `the header says ${value}, and maxMs is a year`);
    }
  });

  it('takes it on a machine whose wall clock is an hour off', async () => {
    const { header } = createDeadline(BUDGET_MS);
    stepWallClock(-3_600_000);
    expectRemains(deadlineFromHeader(header, { maxMs: 5_000 }), BUDGET_MS, 'the clock is behind');
    stepWallClock(7_200_000);
    expectRemains(deadlineFromHeader(header, { maxMs: 5_000 }), BUDGET_MS, 'the clock is ahead');
  });

  it('calls nothing for a caller that has no time left', async () => {
    const seats = new Seats();
    for (const value of ['0', '000']) {
      const deadline = deadlineFromHeader(value, { maxMs: BUDGET_MS });
      expect(deadline.remainingMs, `the header says ${value}: remainingMs`).toBe(0);
      const search = await run(deadline, seats.ask);
      expectNotAsked(seats, `the header says ${value}`);
      expectExceeded(search, `the header says ${value}`);
    }
  });

  it.each([500, 1_000, 30_000])('gives nobody more than %i ms', async (maxMs) => {
    for (const value of [String(maxMs + 1), '86400000', '9'.repeat(25), '9'.repeat(400)]) {
      const deadline = deadlineFromHeader(value, { maxMs });
      expectRemains(deadline, maxMs, `the header says ${value.slice(0, 30)}`);
    }
    const { remainingMs } = deadlineFromHeader(String(maxMs - 1), { maxMs });
    expect(remainingMs, 'a header below the maximum counts').toBeCloseTo(maxMs - 1, 0);
    const { search } = await underWay(deadlineFromHeader('86400000', { maxMs }));
    await advance(maxMs);
    const error = expectExceeded(search, `the header says 86400000, and maxMs is ${maxMs}`);
    expect(error.budgetMs, 'budgetMs of the error: what there was at the start').toBe(maxMs);
  });

  it.each([500, BUDGET_MS, 30_000])('gives %i ms when there is no header', async (maxMs) => {
    for (const value of [undefined, null]) {
      const deadline = deadlineFromHeader(value, { maxMs });
      expectRemains(deadline, maxMs, `no header (${value})`);
    }
    const { search } = await underWay(deadlineFromHeader(undefined, { maxMs }));
    await advance(maxMs);
    expectExceeded(search, 'no header is no reason to wait for ever');
  });

  it('takes what is no number of digits for no header', async () => {
    const numbers = ['-5', '+5', '1e3', '1.5', '0x10', '500, 500', '12 34', '1_000', '1,000'];
    const words = ['', '500ms', 'ms500', 'NaN', 'Infinity', 'null', 'undefined', '500\n500', '٥٠٠'];
    for (const value of [...numbers, ...words]) {
      const deadline = deadlineFromHeader(value, { maxMs: BUDGET_MS });
      const { remainingMs } = deadline;
      if (!(Math.abs(remainingMs - BUDGET_MS) <= 0.5)) {
        expect.fail(
          `the header says ${JSON.stringify(value)}, which is no number of digits: maxMs (2,000) should remain, not ${remainingMs}`,
        );
      }
    }
  });

  it('knows when its own caller hangs up', async () => {
    for (const value of ['1250', '86400000', 'soon', undefined]) {
      const because = `the header says ${value ?? 'nothing'}, and the caller hung up`;
      const caller = new AbortController();
      const deadline = deadlineFromHeader(value, { maxMs: BUDGET_MS, signal: caller.signal });
      const { search, request } = await underWay(deadline);
      caller.abort('connection closed');
      await settle();
      expectError(search, 'connection closed', because);
      expectStopped(request, because);
      expectNoListener(caller.signal, because);
    }
  });

  it('shrinks from hop to hop', async () => {
    const planner = createDeadline(BUDGET_MS);
    await advance(120);
    const fares = deadlineFromHeader(planner.header, { maxMs: 5_000 });
    await advance(380);
    const seats = deadlineFromHeader(fares.header, { maxMs: 1_000 });
    expect(seats.header, '120 + 380 ms of 2,000 are gone, but seats allow 1,000').toBe('1000');
    const { search } = await underWay(seats);
    await advance(1_000);
    expectExceeded(search, 'what the seats service allows is over');
    expect(fares.header, 'the fares have 500 ms left to do without').toBe('500');
  });
});

describe('6 · a retry loop within the budget', () => {
  it('stops at the first success', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, seats.ask, { attempts: 3, pauseMs: 100 });
    expect(seats.count, 'the first attempt begins at once: attempts').toBe(1);
    await advance(250);
    expectPending(search, 'the seats service has not answered yet');
    await seats.last.answers('12 seats');
    expectValue(search, '12 seats', 'the first attempt succeeded');
    expectNoTimer('the first attempt succeeded');
    await advance(BUDGET_MS);
    expect(seats.count, 'the first attempt succeeded: how often the service was asked').toBe(1);
  });

  it.each([40, 100, 700])('tries again after a pause of %i ms', async (pauseMs) => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, seats.ask, { attempts: 3, pauseMs });
    for (let attempt = 1; attempt < 3; attempt += 1) {
      await advance(50);
      await seats.last.fails(outage());
      await advance(pauseMs - 2);
      expect(seats.count, `2 ms before the end of pause ${attempt}: attempts`).toBe(attempt);
      await advance(3);
      expect(seats.count, `pause ${attempt} is over: attempts`).toBe(attempt + 1);
    }
    expect(
      seats.requests.map(({ attempt }) => attempt),
      'what the work was told: the number of the attempt',
    ).toEqual([1, 2, 3]);
    await seats.last.answers('12 seats');
    expectValue(search, '12 seats', 'the third attempt succeeded');
    expectNoTimer('the third attempt succeeded');
  });

  it.each([1, 2, 4, 25])(
    'makes %i attempts in all, and hands over the last error',
    async (attempts) => {
      const errors: Error[] = [];
      const work = () => {
        const error = outage();
        errors.push(error);
        return Promise.reject(error);
      };
      const deadline = createDeadline(45_000);
      const search = await retry(deadline, work, { attempts, pauseMs: 100 });
      // Each pause may take 1 ms more.
      await advance(101 * (attempts - 1) + 5);
      expect(errors.length, 'attempts, the first included').toBe(attempts);
      expectError(search, errors.at(-1), 'the last attempt failed: no pause after it');
      expectNoTimer('the last attempt failed');
      await advance(BUDGET_MS);
      expect(errors.length, 'attempts, the first included').toBe(attempts);
    },
  );

  it('does not pause when the pause is 0', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, seats.ask, { attempts: 3, pauseMs: 0 });
    await seats.last.fails(outage());
    await advance(2);
    expect(seats.count, '2 ms after the first attempt failed: attempts').toBe(2);
    await seats.last.answers('12 seats');
    expectValue(search, '12 seats', 'the second attempt succeeded');
  });

  it.each<[what: string, error: unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['an AbortError', aborted()],
    ['a TimeoutError', new TimeoutError(80)],
    ['the DeadlineExceededError of another deadline', new DeadlineExceededError(BUDGET_MS)],
  ])('tries again, whatever the work failed with: %s', async (what, error) => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, seats.ask, { attempts: 2, pauseMs: 100 });
    await seats.last.fails(error);
    await advance(101);
    expect(seats.count, `the first attempt failed with ${what}: attempts`).toBe(2);
    await seats.last.fails(error);
    expectError(search, error, `the second and last attempt failed with ${what}`);
  });

  it('takes work that throws, or returns a plain value', async () => {
    let attempts = 0;
    const work = () => {
      attempts += 1;
      if (attempts < 3) throw outage();
      return '12 seats';
    };
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, work, { attempts: 5, pauseMs: 10 });
    await advance(25);
    expectValue(search, '12 seats', 'the work threw twice, then returned');
    expect(attempts, 'attempts').toBe(3);
  });

  it('takes an empty answer for an answer', async () => {
    for (const empty of [undefined, null, 0, '', false]) {
      const seats = new Seats();
      const deadline = createDeadline(BUDGET_MS);
      const search = await retry(deadline, seats.ask, { attempts: 3, pauseMs: 100 });
      await seats.last.fails(outage());
      await advance(101);
      await seats.last.answers(empty);
      const what = empty === '' ? "''" : String(empty);
      expectValue(search, empty, `the second attempt succeeded, with ${what}`);
      await advance(BUDGET_MS);
      expect(seats.count, `the second attempt succeeded, with ${what}: attempts`).toBe(2);
    }
  });

  it('gives each attempt a signal of its own', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, seats.ask, { attempts: 3, pauseMs: 100 });
    await seats.last.fails(outage());
    await advance(101);
    const [first, second] = seats.requests;
    if (first?.signal === second?.signal) {
      expect.fail(
        'each attempt has a signal of its own, with a limit or without; two got the same',
      );
    }
    await advance(BUDGET_MS);
    expectExceeded(search, 'the second attempt ran into the deadline');
    expectStopped(seats.last, 'the second attempt ran into the deadline');
  });

  it.each([200, 300, 450])('gives each attempt a limit of %i ms', async (limitMs) => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, seats.ask, { attempts: 2, pauseMs: 100, limitMs });
    await advance(limitMs - 1);
    expectGoingOn(seats.last, `${limitMs - 1} ms of ${limitMs}`);
    await advance(1);
    expectStopped(seats.last, `${limitMs} ms of ${limitMs}`);
    expectPending(search, 'an attempt is left');
    await advance(101);
    expect(seats.count, 'an attempt that took too long is worth another: attempts').toBe(2);
    expectGoingOn(seats.last, 'the second attempt has just begun, with a signal of its own');
    await advance(limitMs - 5);
    expectPending(search, 'the second attempt has its limit to itself');
    await advance(6);
    const error = expectTimeout(search, 'the second and last attempt took too long');
    expect(error.limitMs, 'limitMs of the error: as it was given').toBe(limitMs);
    expectStopped(seats.last, 'the second and last attempt took too long');
    expectNoTimer('the caller has been told');
  });

  it('does not end an attempt early when its limit is longer than a timer can hold', async () => {
    const seats = new Seats();
    const deadline = createDeadline(365 * DAY_MS);
    const options = { attempts: 2, pauseMs: 100, limitMs: 30 * DAY_MS };
    const search = await retry(deadline, seats.ask, options);
    await advance(DAY_MS);
    expect(seats.count, 'a day of a limit of 30 days: attempts').toBe(1);
    expectPending(search, 'a day of a limit of 30 days');
    expectGoingOn(seats.last, 'a day of a limit of 30 days');
    await seats.last.answers('12 seats');
    expectValue(search, '12 seats', 'the seats service answered at last');
  });

  it('drops what an earlier attempt brings late', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const options = { attempts: 3, pauseMs: 100, limitMs: 300 };
    const search = await retry(deadline, seats.ask, options);
    await advance(402);
    const [first] = seats.requests;
    await first?.answers('12 seats, late');
    expectPending(search, 'the first attempt was given up; the second is under way');
    await advance(402);
    await seats.requests[1]?.fails(outage());
    expect(seats.count, 'the third attempt is under way').toBe(3);
    expectPending(search, 'the second attempt was given up; the third is under way');
    await seats.last.answers('7 seats');
    expectValue(search, '7 seats', 'the third attempt succeeded');
  });

  it.each([1_150, 2_600, 3_300])('has one budget for all attempts: %i ms', async (budgetMs) => {
    const seats = new Seats();
    const deadline = createDeadline(budgetMs);
    const options = { attempts: 9, pauseMs: 100, limitMs: 900 };
    const search = await retry(deadline, seats.ask, options);
    await advance(budgetMs - 1);
    expectPending(search, `${budgetMs - 1} ms of ${budgetMs}`);
    expectGoingOn(seats.last, `${budgetMs - 1} ms of ${budgetMs}`);
    const made = Math.ceil(budgetMs / 1_000);
    expect(seats.count, 'attempts of 900 ms with pauses of 100 ms').toBe(made);
    await advance(1);
    const error = expectExceeded(search, `${budgetMs} ms of ${budgetMs}`);
    expect(error.budgetMs, 'budgetMs of the error: what there was at the start').toBe(budgetMs);
    expectStopped(seats.last, `${budgetMs} ms of ${budgetMs}`);
    expectNoTimer('the caller has been told');
    await advance(10_000);
    expect(seats.count, 'no attempt after the deadline').toBe(made);
  });

  it('has the deadline go before the limit of an attempt that ends with it', async () => {
    const deadline = createDeadline(900);
    const seats = new Seats();
    const options = { attempts: 3, pauseMs: 100, limitMs: 900 };
    const search = await retry(deadline, seats.ask, options);
    await advance(900);
    const because = 'the limit of the attempt and the budget ended together';
    expectExceeded(search, because);
    expectSameReason(seats.last, search, because);
    expectNoTimer(because);
  });

  it('tells an attempt why it was stopped', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const options = { attempts: 2, pauseMs: 100, limitMs: 1_000 };
    const search = await retry(deadline, seats.ask, options);
    await advance(1_101);
    const [first] = seats.requests;
    if (!(first?.signal.reason instanceof TimeoutError)) {
      expect.fail(
        `the first attempt took longer than its limit: the reason of its signal should be a TimeoutError, not ${print(first?.signal.reason)}`,
      );
    }
    await advance(900);
    expectExceeded(search, 'the second attempt ran into the deadline');
    expectSameReason(seats.last, search, 'the second attempt ran into the deadline');
    const once = { attempts: 1, pauseMs: 100, limitMs: 1_000 };
    const single = await retry(createDeadline(BUDGET_MS), seats.ask, once);
    await advance(1_000);
    expectTimeout(single, 'the only attempt took longer than its limit');
    expectSameReason(seats.last, single, 'the only attempt took longer than its limit');
  });

  it('counts what other calls have used', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    await advance(1_500);
    const search = await retry(deadline, seats.ask, { attempts: 3, pauseMs: 100 });
    await advance(499);
    expectPending(search, '1,999 ms of 2,000');
    await advance(1);
    expectExceeded(search, '2,000 ms of 2,000');
    expectStopped(seats.last, '2,000 ms of 2,000');
  });

  it('does not begin a pause that does not fit', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, seats.ask, { attempts: 3, pauseMs: 600 });
    await advance(1_500);
    const error = outage();
    await seats.last.fails(error);
    expectError(search, error, '500 ms remain, and the pause is 600: there is nothing to wait for');
    expectNoTimer('500 ms remain, and the pause is 600');
    await advance(10_000);
    expect(seats.count, 'no further attempt is made; attempts').toBe(1);
  });

  it('does not begin a pause that would end with the budget', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, seats.ask, { attempts: 3, pauseMs: 500 });
    await advance(1_500);
    const error = outage();
    await seats.last.fails(error);
    expectError(search, error, '500 ms remain, and the pause is 500: nothing would remain');
    expectNoTimer('500 ms remain, and the pause is 500');
  });

  it('asks before each pause whether it fits', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, seats.ask, { attempts: 5, pauseMs: 600 });
    await advance(300);
    await seats.last.fails(outage());
    await advance(602);
    expect(seats.count, 'the first pause did fit: attempts').toBe(2);
    await advance(700);
    const error = outage();
    await seats.last.fails(error);
    expectError(search, error, '400 ms remain after the second attempt, and the pause is 600');
    expectNoTimer('400 ms remain after the second attempt, and the pause is 600');
  });

  it('begins a pause that leaves something', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const search = await retry(deadline, seats.ask, { attempts: 3, pauseMs: 490 });
    await advance(1_500);
    await seats.last.fails(outage());
    expectPending(search, '500 ms remain, and the pause is 490');
    await advance(493);
    expect(seats.count, '10 ms were left after the pause: attempts').toBe(2);
    await advance(6);
    expectPending(search, '1 ms remains for the second attempt');
    await advance(1);
    expectExceeded(search, 'the second attempt had 10 ms');
    expectStopped(seats.last, 'the second attempt had 10 ms');
  });

  it('gives up when the pause after a timeout does not fit', async () => {
    const seats = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const options = { attempts: 3, pauseMs: 600, limitMs: 900 };
    const search = await retry(deadline, seats.ask, options);
    await advance(901 + 600);
    expect(seats.count, 'the second attempt is under way').toBe(2);
    await advance(499);
    expectExceeded(search, 'the second attempt ran into the deadline');
    const strict = new Seats();
    const short = createDeadline(1_000);
    const refused = await retry(short, strict.ask, options);
    await advance(900);
    expectTimeout(refused, 'an attempt took 900 ms, 100 remain, and the pause is 600');
    expectNoTimer('the caller has been told');
  });

  it('stops when the caller hangs up during an attempt', async () => {
    const seats = new Seats();
    const caller = new AbortController();
    const deadline = createDeadline(BUDGET_MS, { signal: caller.signal });
    const options = { attempts: 3, pauseMs: 100, limitMs: 500 };
    const search = await retry(deadline, seats.ask, options);
    await advance(250);
    caller.abort('left the page');
    await settle();
    expectError(search, 'left the page', 'the caller hung up during the first attempt');
    expectSameReason(seats.last, search, 'the caller hung up during the first attempt');
    expectNoTimer('the caller hung up');
    expectNoListener(caller.signal, 'the caller hung up');
    await seats.last.fails(aborted());
    await advance(10_000);
    expect(seats.count, 'no further attempt is made; attempts').toBe(1);
  });

  it('stops when the caller hangs up while an attempt begins', async () => {
    const seats = new Seats();
    const caller = new AbortController();
    const deadline = createDeadline(BUDGET_MS, { signal: caller.signal });
    const work = (signal: AbortSignal, attempt: number) => {
      if (attempt === 2) caller.abort('left the page');
      return seats.ask(signal, attempt);
    };
    const search = await retry(deadline, work, { attempts: 3, pauseMs: 100, limitMs: 500 });
    await seats.last.fails(outage());
    await advance(101);
    const because = 'the caller hung up at the first step of the second attempt';
    expectError(search, 'left the page', because);
    expectSameReason(seats.last, search, because);
    expectNoTimer(because);
    expectNoListener(caller.signal, because);
    await advance(10_000);
    expect(seats.count, `${because}: attempts`).toBe(2);
  });

  it('stops when the caller hangs up during a pause', async () => {
    const seats = new Seats();
    const caller = new AbortController();
    const deadline = createDeadline(BUDGET_MS, { signal: caller.signal });
    const search = await retry(deadline, seats.ask, { attempts: 3, pauseMs: 1_000 });
    await seats.last.fails(outage());
    await advance(400);
    expectPending(search, '400 ms of a pause of 1,000');
    const why = new RangeError('the app was closed');
    caller.abort(why);
    await settle();
    expectError(search, why, 'the caller hung up during a pause: there is nothing to wait for');
    expectNoTimer('the caller hung up');
    expectNoListener(caller.signal, 'the caller hung up');
    await advance(10_000);
    expect(seats.count, 'no further attempt is made; attempts').toBe(1);
  });

  it('stops when the caller hangs up and the work fails in the same instant', async () => {
    const caller = new AbortController();
    const deadline = createDeadline(BUDGET_MS, { signal: caller.signal });
    let attempts = 0;
    const work = () => {
      attempts += 1;
      caller.abort('left the page');
      throw outage();
    };
    const search = await retry(deadline, work, { attempts: 3, pauseMs: 100 });
    await advance(10_000);
    expect(search.end, 'the caller must be told something').toBe('error');
    expect(attempts, 'nobody waits any more: no further attempt').toBe(1);
  });

  it('calls nothing for whom it is too late', async () => {
    const seats = new Seats();
    const options = { attempts: 3, pauseMs: 100 };
    const used = await retry(createDeadline(0), seats.ask, options);
    expectExceeded(used, 'a budget of 0 ms');
    const deadline = createDeadline(BUDGET_MS);
    await advance(BUDGET_MS);
    expectExceeded(await retry(deadline, seats.ask, options), '2,000 ms of 2,000 are used up');
    const gone = createDeadline(BUDGET_MS, { signal: AbortSignal.abort('left the page') });
    const search = await retry(gone, seats.ask, options);
    expectError(search, 'left the page', 'the caller had hung up before');
    await advance(1_000);
    expectNotAsked(seats, 'it was too late from the start');
  });

  it('counts attempts for each loop by itself', async () => {
    const seats = new Seats();
    const fares = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const options = { attempts: 3, pauseMs: 100 };
    const first = await retry(deadline, seats.ask, options);
    await seats.last.fails(outage());
    await advance(102);
    const second = await retry(deadline, fares.ask, options);
    for (let attempt = 1; attempt < 3; attempt += 1) {
      await fares.last.fails(outage());
      await advance(102);
    }
    await seats.last.fails(outage());
    await advance(102);
    const numbers = [seats, fares].map(({ requests }) => requests.map(({ attempt }) => attempt));
    expect(numbers, 'attempts of two loops under one deadline').toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    await seats.last.answers('12 seats');
    await fares.last.answers('1st class');
    expectValue(first, '12 seats', 'the third attempt of this loop succeeded');
    expectValue(second, '1st class', 'the third attempt of this loop succeeded');
  });

  it('pauses for each loop by itself', async () => {
    const seats = new Seats();
    const fares = new Seats();
    const deadline = createDeadline(BUDGET_MS);
    const first = await retry(deadline, seats.ask, { attempts: 3, pauseMs: 100 });
    const second = await retry(deadline, fares.ask, { attempts: 3, pauseMs: 300 });
    await seats.last.fails(outage());
    await fares.last.fails(outage());
    await advance(102);
    expect(seats.count, 'two loops pause side by side, this one for 100 ms: attempts').toBe(2);
    expect(fares.count, 'two loops pause side by side, this one for 300 ms: attempts').toBe(1);
    await seats.last.answers('12 seats');
    expectValue(first, '12 seats', 'the second attempt of this loop succeeded');
    await advance(200);
    expect(fares.count, 'the loop beside it has ended; its own pause is over: attempts').toBe(2);
    await fares.last.answers('1st class');
    expectValue(second, '1st class', 'the second attempt of this loop succeeded');
  });

  it('leaves nothing on a signal that sees many loops', async () => {
    const caller = new AbortController();
    const deadline = createDeadline(45_000, { signal: caller.signal });
    const fails = () => Promise.reject(outage());
    for (let i = 0; i < 5; i += 1) {
      await retry(deadline, () => '12 seats', { attempts: 3, pauseMs: 100 });
      await retry(deadline, fails, { attempts: 3, pauseMs: 100 });
      await advance(210);
    }
    expectNoTimer('ten loops have ended');
    expectNoListener(caller.signal, 'ten loops have ended');
  });
});

describe('7 · whatever happens', () => {
  it('ends each call as the clock on paper says', async () => {
    await fc.assert(
      fc.asyncProperty(plans(1), (plan) =>
        compare(plan, (deadline, work, { limitMs }) =>
          deadline.run((signal) => work(signal, 1), limitMs === undefined ? {} : { limitMs }),
        ),
      ),
      { seed: 20_261_123, numRuns: 100 },
    );
  });

  it('ends each loop as the clock on paper says', async () => {
    await fc.assert(
      fc.asyncProperty(plans(4), (plan) =>
        compare(plan, (deadline, work, options) => deadline.retry(work, options)),
      ),
      { seed: 20_261_123, numRuns: 100 },
    );
  });

  it('never promises a service more than its caller has left', async () => {
    const budgets = fc.integer({ min: -1, max: 6_000 }).map((halves) => halves / 2);
    await fc.assert(
      fc.asyncProperty(budgets, fc.array(hops(), { maxLength: 5 }), async (budgetMs, way) => {
        let deadline = createDeadline(budgetMs);
        let leftMs = Math.max(0, budgetMs);
        for (const { takesMs, maxMs, clockOffMs } of way) {
          await advance(takesMs);
          stepWallClock(clockOffMs);
          leftMs = Math.floor(Math.max(0, leftMs - takesMs));
          if (deadline.header !== String(leftMs)) {
            expect.fail(`by the clock on paper ${leftMs} ms are left; it sent ${deadline.header}`);
          }
          deadline = deadlineFromHeader(deadline.header, { maxMs });
          leftMs = Math.min(leftMs, maxMs);
          expectRemains(deadline, leftMs, 'on the other side');
        }
      }),
      { seed: 20_261_123, numRuns: 100 },
    );
  });
});

// ── The clock on paper, and what can happen ─────────────────────────────────────────────────────────────

/** What is to happen; times count from the moment the deadline is made. */
interface Plan {
  readonly budgetMs: number;
  /** When `run` or `retry` is called. */
  readonly beginsAtMs: number;
  readonly limitMs: number | undefined;
  readonly pauseMs: number;
  readonly hangsUpAtMs: number | undefined;
  /** One for each attempt. */
  readonly steps: readonly Step[];
}

/** How an attempt goes when nobody stops it. */
interface Step {
  /** With 0 the work returns or throws at once. */
  readonly takesMs: number;
  readonly fails: boolean;
  /** What the work does when its signal aborts. */
  readonly stopped: 'goes on' | 'rejects' | 'returns';
}

type Stop = 'deadline' | 'hang-up';
type End = 'value' | 'failure' | 'timeout' | Stop;

const NAMES: Record<End, string> = {
  value: 'the value',
  failure: 'the error of the work',
  timeout: 'a TimeoutError',
  deadline: 'a DeadlineExceededError',
  'hang-up': 'the reason of the caller',
};

/** When attempts begin, what the caller gets, and when; two ends where either is fine. */
interface Course {
  readonly begunAtMs: readonly number[];
  readonly ends: readonly End[];
  readonly atMs: number;
  /** Whether the last attempt was under way then. */
  readonly isCut: boolean;
}

/** A search as one would work it out with pencil and paper. */
function onPaper(plan: Plan): Course {
  const { budgetMs, beginsAtMs, limitMs = Infinity, hangsUpAtMs = Infinity, steps } = plan;
  const stops: Stop[] = hangsUpAtMs < budgetMs ? ['hang-up'] : ['deadline'];
  const stopsAtMs = Math.min(hangsUpAtMs, budgetMs);
  const begunAtMs: number[] = [];
  let nowMs = beginsAtMs;
  if (stopsAtMs <= nowMs) {
    const isBoth = Math.max(hangsUpAtMs, budgetMs) <= nowMs;
    return { begunAtMs, ends: isBoth ? ['hang-up', 'deadline'] : stops, atMs: nowMs, isCut: false };
  }
  let isCut = true;
  for (const [index, { takesMs, fails }] of steps.entries()) {
    begunAtMs.push(nowMs);
    nowMs += Math.min(takesMs, limitMs);
    isCut = true;
    if (stopsAtMs < nowMs) break;
    isCut = takesMs > limitMs;
    const end = isCut ? 'timeout' : fails ? 'failure' : 'value';
    const isLast = index === steps.length - 1 || nowMs + plan.pauseMs >= budgetMs;
    if (end === 'value' || isLast) return { begunAtMs, ends: [end], atMs: nowMs, isCut };
    isCut = false;
    nowMs += plan.pauseMs;
    if (stopsAtMs < nowMs) break;
  }
  return { begunAtMs, ends: stops, atMs: stopsAtMs, isCut };
}

/** Within 10 ms no two things happen: limits end in 20, budgets in 50, hang-ups in 70, all else in 00. */
function plans(mostAttempts: number): fc.Arbitrary<Plan> {
  const hundreds = (min: number, max: number, andMs = 0) =>
    fc.integer({ min, max }).map((count) => count * 100 + andMs);
  const sometimes = (ms: fc.Arbitrary<number>) => fc.option(ms, { nil: undefined });
  return fc
    .record({
      budgetMs: hundreds(-1, 30, 50),
      beginsAtMs: hundreds(0, 5),
      limitMs: sometimes(hundreds(1, 12, 20)),
      pauseMs: hundreds(1, 6),
      hangsUpAtMs: sometimes(hundreds(0, 30, 70)),
      steps: fc.array(
        fc.record({
          takesMs: hundreds(0, 20),
          fails: mostAttempts === 1 ? fc.boolean() : fc.constantFrom(true, true, true, false),
          stopped: fc.constantFrom<Step['stopped'][]>('goes on', 'rejects', 'returns'),
        }),
        { minLength: 1, maxLength: mostAttempts },
      ),
    })
    .map((plan) => ({ ...plan, [fc.toStringMethod]: () => inWords(plan) }));
}

function hops() {
  return fc.record({
    takesMs: fc.integer({ min: 0, max: 800 }),
    maxMs: fc.integer({ min: 1, max: 4_000 }),
    clockOffMs: fc.integer({ min: -5_000, max: 5_000 }),
  });
}

/** How fast-check prints it. */
function inWords({ budgetMs, beginsAtMs, limitMs, pauseMs, hangsUpAtMs, steps }: Plan): string {
  const attempts = steps.map(
    ({ takesMs, fails, stopped }, index) =>
      `attempt ${index + 1} ${fails ? 'fails' : 'answers'} after ${takesMs} ms, when stopped it ${stopped}`,
  );
  return [
    `budget ${budgetMs} ms, called after ${beginsAtMs} ms`,
    ...(limitMs === undefined ? [] : [`limit ${limitMs} ms`]),
    ...(hangsUpAtMs === undefined ? [] : [`the caller hangs up after ${hangsUpAtMs} ms`]),
    ...(steps.length === 1 ? [] : [`pause ${pauseMs} ms`]),
    ...attempts,
  ].join('; ');
}

type Begin = (
  deadline: Deadline,
  work: (signal: AbortSignal, attempt: number) => unknown,
  options: RetryOptions,
) => Promise<unknown>;

/** Plays the plan against the answer. Some 1,000 steps are compared: `expect` would take its time. */
async function compare(plan: Plan, begin: Begin): Promise<void> {
  const paper = onPaper(plan);
  // What the last plan may have left, when it went wrong.
  await advance(60_000);
  const earlier = pendingTimers();
  const madeAtMs = performance.now();
  const caller = new AbortController();
  const theirs = new Set<NodeJS.Timeout>();
  const later = (ms: number, task: () => void) => {
    const timer = setTimeout(() => {
      theirs.delete(timer);
      task();
    }, ms);
    theirs.add(timer);
  };
  const begun: { readonly atMs: number; readonly signal: AbortSignal; readonly error: Error }[] =
    [];
  const work = (signal: AbortSignal, attempt: number) => {
    const { takesMs, fails, stopped } =
      plan.steps[begun.length] ?? expect.fail('one attempt more than was allowed');
    const error = outage();
    begun.push({ atMs: performance.now() - madeAtMs, signal, error });
    const answer = `seats of attempt ${attempt}`;
    if (takesMs === 0 && fails) throw error;
    if (takesMs === 0) return answer;
    return new Promise((resolve, reject) => {
      later(takesMs, () => (fails ? reject(error) : resolve(answer)));
      if (stopped === 'rejects') signal.addEventListener('abort', () => reject(aborted()));
      if (stopped === 'returns') signal.addEventListener('abort', () => resolve('half of it'));
    });
  };
  const deadline = createDeadline(plan.budgetMs, { signal: caller.signal });
  const { hangsUpAtMs, limitMs } = plan;
  if (hangsUpAtMs !== undefined) later(hangsUpAtMs, () => caller.abort('left the page'));
  await advance(plan.beginsAtMs);
  const options = {
    attempts: plan.steps.length,
    pauseMs: plan.pauseMs,
    ...(limitMs !== undefined && { limitMs }),
  };
  const search = watch(() => begin(deadline, work, options), 'run or retry');

  const check = (moment: string) => {
    const last = begun.at(-1);
    const ended: Record<End, boolean> = {
      value: search.value === `seats of attempt ${begun.length}`,
      failure: search.end === 'error' && search.error === last?.error,
      timeout: search.error instanceof TimeoutError,
      deadline: search.error instanceof DeadlineExceededError,
      'hang-up': search.error === 'left the page',
    };
    const isOnTime =
      begun.length === paper.begunAtMs.length &&
      begun.every(({ atMs }, index) => isNear(atMs, paper.begunAtMs[index])) &&
      isNear(search.atMs === undefined ? undefined : search.atMs - madeAtMs, paper.atMs);
    const end = paper.ends.find((each) => ended[each]);
    if (!isOnTime || end === undefined) {
      const atMs = search.atMs === undefined ? '' : ` after ${search.atMs - madeAtMs} ms`;
      expect.fail(
        `by the clock on paper ${told(paper.begunAtMs)}, and the caller gets ${paper.ends.map((each) => NAMES[each]).join(' or ')} after ${paper.atMs} ms; ${moment} ${told(begun.map(({ atMs: ms }) => ms))}, and the caller ${outcome(search)}${atMs}`,
      );
    }
    if (paper.isCut && last?.signal.aborted === false) {
      expect.fail(`the caller got ${NAMES[end]}, but the work's signal is not aborted`);
    }
    if (end === 'value' && last?.signal.aborted && hangsUpAtMs === undefined) {
      expect.fail(`the caller got the value; ${moment} the work's signal is aborted nevertheless`);
    }
  };
  await advance(Math.max(0, paper.atMs - plan.beginsAtMs - 10));
  if (paper.atMs > plan.beginsAtMs + 10) expectPending(search, `${paper.atMs - 10} ms`);
  await advance(15);
  check('but by then');
  if (pendingTimers() > theirs.size)
    expect.fail('the caller has been told, and a timer is still set');
  expectNoListener(caller.signal, 'the caller has been told');
  await advance(10_000);
  check('but 10 s later');
}

function isNear(ms: number | undefined, expectedMs: number | undefined): boolean {
  return Math.abs(Number(ms) - Number(expectedMs)) <= 5;
}

function told(begunAtMs: readonly number[]): string {
  if (begunAtMs.length === 0) return 'nothing is called';
  return `the work begins after ${begunAtMs.join(', ')} ms`;
}
