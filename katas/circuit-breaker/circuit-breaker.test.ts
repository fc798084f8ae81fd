import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  CircuitOpenError,
  createCircuitBreaker,
  type CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitState,
  type Trip,
} from './circuit-breaker.ts';

// ── The payment service, played by the spec ─────────────────────────────────────────────────────────────

class PaymentError extends Error {
  override readonly name = 'PaymentError';
}
const outage = () => new PaymentError('503 from the payment service');
class DeclinedError extends Error {
  override readonly name = 'DeclinedError';
}
const declined = () => new DeclinedError('402: the card was declined');
const hungUp = () => new DOMException('This operation was aborted', 'AbortError');

const COOLDOWN_MS = 30_000;

/** A breaker that opens after three failures in a row; a declined card is no failure of the service. */
function breakerWith(options: Partial<CircuitBreakerOptions> = {}): CircuitBreaker {
  return createCircuitBreaker({
    trip: { consecutiveFailures: 3 },
    cooldownMs: COOLDOWN_MS,
    isFailure: (error) => !(error instanceof DeclinedError),
    ...options,
  });
}

/** One call through the breaker: whether it reached the service, and how it ended. */
interface Attempt {
  reached: boolean;
  /** How often its task has run. */
  runs: number;
  end: 'pending' | 'value' | 'error';
  value?: unknown;
  error?: unknown;
}

function watch(breaker: CircuitBreaker, task: () => unknown): Attempt {
  const attempt: Attempt = { reached: false, runs: 0, end: 'pending' };
  callNeverThrows(breaker, () => {
    attempt.reached = true;
    attempt.runs += 1;
    return task();
  }).then(
    (value) => Object.assign(attempt, { end: 'value', value }),
    (error: unknown) => Object.assign(attempt, { end: 'error', error }),
  );
  return attempt;
}

function callNeverThrows(breaker: CircuitBreaker, task: () => unknown): Promise<unknown> {
  try {
    return breaker.call(task);
  } catch (error) {
    return expect.fail(`call() threw ${String(error)}: it must return a promise that rejects`);
  }
}

/** A call that the service answers at once: with a receipt, or with the error given. */
async function call(breaker: CircuitBreaker, error?: Error): Promise<Attempt> {
  const attempt = watch(breaker, () =>
    error ? Promise.reject(error) : Promise.resolve('receipt'),
  );
  await settle();
  return attempt;
}

/** A call whose task throws before there is a promise, or returns a plain value. */
async function callThatThrows(breaker: CircuitBreaker, error?: Error): Promise<Attempt> {
  const attempt = watch(breaker, () => {
    if (error) throw error;
    return 'receipt';
  });
  await settle();
  return attempt;
}

/** A call that the service answers when the spec says so. */
async function slowCall(breaker: CircuitBreaker) {
  let settleTask: (error?: Error) => void = () => {};
  const attempt = watch(
    breaker,
    () =>
      new Promise((resolve, reject) => {
        settleTask = (error) => (error ? reject(error) : resolve('receipt'));
      }),
  );
  await settle();
  return {
    attempt,
    ends: async (error?: Error) => {
      settleTask(error);
      await settle();
    },
  };
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

/** Calls that are all under way at once. */
function crowdOf(breaker: CircuitBreaker, count: number) {
  return Promise.all(Array.from({ length: count }, () => slowCall(breaker)));
}

async function calls(breaker: CircuitBreaker, count: number, makeError?: () => Error) {
  for (let i = 0; i < count; i += 1) await call(breaker, makeError?.());
}

/** Calls that all succeed, in one instant: of many, quicker than one after another. */
async function successes(breaker: CircuitBreaker, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) watch(breaker, () => Promise.resolve('receipt'));
  await settle();
}

/** Opens a breaker made by `breakerWith`. */
async function open(breaker: CircuitBreaker): Promise<void> {
  await calls(breaker, 3, outage);
}

async function openAndCoolDown(breaker: CircuitBreaker): Promise<void> {
  await open(breaker);
  await advance(COOLDOWN_MS);
}

async function expectLetThrough(breaker: CircuitBreaker, because: string): Promise<void> {
  const { reached } = await call(breaker);
  if (!reached) expect.fail(`${because}: the payment service should have been called`);
}

async function expectRefused(breaker: CircuitBreaker, because: string): Promise<CircuitOpenError> {
  const { reached, end, value, error } = await call(breaker);
  if (reached) expect.fail(`${because}: the payment service must not be called`);
  if (error instanceof CircuitOpenError) return error;
  const got = {
    pending: 'is still waiting',
    value: `got ${String(value)}`,
    error: `got ${String(error)}`,
  };
  return expect.fail(
    `${because}: the caller must be told at once, by a CircuitOpenError; it ${got[end]}`,
  );
}

async function expectWait(breaker: CircuitBreaker, ms: number, because: string): Promise<void> {
  const { retryAfterMs } = await expectRefused(breaker, because);
  expect(retryAfterMs, `${because}: retryAfterMs, in milliseconds`).toBeCloseTo(ms, 0);
}

afterEach(async () => {
  await advance(2 * COOLDOWN_MS);
  if (pendingTimers() > 0) {
    expect.fail('60 s after the last call a timer is set: nobody calls, and it keeps on running');
  }
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · closed: calls pass through', () => {
  it('hands over what the task resolves with', async () => {
    const attempt = await call(breakerWith());
    expect(attempt, 'the payment service sent a receipt').toMatchObject({
      end: 'value',
      value: 'receipt',
    });
  });

  it('hands over the very error the task rejects with', async () => {
    const error = outage();
    const attempt = await call(breakerWith(), error);
    expect(attempt.error, 'the caller needs the original error, not a copy').toBe(error);
  });

  it('takes a task that returns a plain value, even undefined', async () => {
    const breaker = breakerWith();
    const answer = watch(breaker, () => 42);
    const nothing = watch(breaker, () => undefined);
    await settle();
    expect(answer, 'a task that returns 42').toMatchObject({ end: 'value', value: 42 });
    expect(nothing, 'a task that returns nothing').toMatchObject({ end: 'value' });
  });

  it('turns a throw into a rejection', async () => {
    const error = outage();
    const attempt = await callThatThrows(breakerWith(), error);
    expect(attempt.error, 'call() itself must not throw, and must keep the error').toBe(error);
  });

  it('hands over whatever was thrown, even nothing at all', async () => {
    const breaker = createCircuitBreaker({
      trip: { consecutiveFailures: 9 },
      cooldownMs: COOLDOWN_MS,
    });
    for (const thrown of [undefined, null, 'no route to host']) {
      const attempt = watch(breaker, () => Promise.reject(thrown));
      await settle();
      expect(attempt, `a task that rejects with ${String(thrown)}`).toMatchObject({
        end: 'error',
        error: thrown,
      });
    }
  });

  it('waits for anything with a then, and asks it once', async () => {
    const query = new Query(() => 'receipt');
    const attempt = watch(breakerWith(), () => query);
    await settle();
    expect(attempt, 'a task that returns a query').toMatchObject({
      end: 'value',
      value: 'receipt',
    });
    expect(query.sent, 'a query is sent each time its `then` is called').toBe(1);
  });

  it('runs the task once, however it ends', async () => {
    const paid = await call(breakerWith());
    expect(paid.runs, 'whoever pays twice is charged twice').toBe(1);
    const failed = await call(breakerWith(), outage());
    expect(failed.runs, 'a breaker does not try again').toBe(1);
  });

  it('lets calls run side by side', async () => {
    const breaker = breakerWith();
    const first = await slowCall(breaker);
    const second = await slowCall(breaker);
    expect(second.attempt.reached, 'the second call must not wait for the first').toBe(true);
    await second.ends();
    expect(second.attempt.end).toBe('value');
    await first.ends();
    expect(first.attempt.end).toBe('value');
  });

  it('says that it is closed', () => {
    expect(breakerWith().state).toBe('closed');
  });
});

describe('2 · opens after failures in a row', () => {
  it('stays closed below the threshold', async () => {
    const breaker = breakerWith();
    await calls(breaker, 2, outage);
    await expectLetThrough(breaker, 'two failures of three');
    expect(breaker.state).toBe('closed');
  });

  it('opens at the threshold', async () => {
    const breaker = breakerWith();
    await calls(breaker, 3, outage);
    expect(breaker.state, 'three failures of three').toBe('open');
    await expectRefused(breaker, 'three failures of three');
  });

  it('gives the call that opens the circuit its own error', async () => {
    const breaker = breakerWith();
    await calls(breaker, 2, outage);
    const error = outage();
    const third = await call(breaker, error);
    expect(third.error, 'this call was made and failed: it was not refused').toBe(error);
  });

  it('counts a throw like a rejection', async () => {
    const breaker = breakerWith();
    for (let i = 0; i < 3; i += 1) await callThatThrows(breaker, outage());
    await expectRefused(breaker, 'three tasks threw');
  });

  it('counts whatever is thrown, even nothing at all', async () => {
    const trip = { consecutiveFailures: 3 };
    const byDefault = createCircuitBreaker({ trip, cooldownMs: COOLDOWN_MS });
    const asTold = breakerWith({ isFailure: () => true });
    for (const breaker of [byDefault, asTold]) {
      for (const thrown of [undefined, null, 'no route to host']) {
        watch(breaker, () => Promise.reject(thrown));
        await settle();
      }
      await expectRefused(
        breaker,
        'three tasks rejected: with undefined, with null, with a string',
      );
    }
  });

  it('counts a call by its end, whatever kind of promise it is', async () => {
    const breaker = breakerWith();
    for (let i = 0; i < 3; i += 1) {
      const failing = () => {
        throw outage();
      };
      watch(breaker, () => new Query(failing));
      await settle();
    }
    await expectRefused(breaker, 'three queries failed, which are no promises but have a then');
  });

  it('forgets earlier failures after a success', async () => {
    const breaker = breakerWith();
    await calls(breaker, 2, outage);
    await call(breaker);
    await calls(breaker, 2, outage);
    await expectLetThrough(breaker, 'two failures, a success, two failures');
  });

  it('takes a call for a success, whatever its value', async () => {
    const breaker = breakerWith();
    for (const value of [undefined, null, false, 0, '']) {
      await calls(breaker, 2, outage);
      watch(breaker, () => Promise.resolve(value));
      await settle();
    }
    await expectLetThrough(
      breaker,
      'after every two failures a call succeeded, with undefined, null, false, 0 or an empty text',
    );
  });

  it('counts failures in a row, however far apart', async () => {
    const breaker = breakerWith();
    for (let day = 1; day <= 3; day += 1) {
      await advance(24 * 3_600_000);
      await call(breaker, outage());
    }
    await expectRefused(breaker, 'a call a day, and three in a row failed');
  });

  it('does not count an error that is none of the service', async () => {
    const breaker = breakerWith();
    await calls(breaker, 10, declined);
    await expectLetThrough(breaker, 'ten declined cards, and isFailure says they do not count');
  });

  it('does not take an error that does not count for a success', async () => {
    const breaker = breakerWith();
    await calls(breaker, 2, outage);
    await call(breaker, declined());
    await call(breaker, outage());
    await expectRefused(breaker, 'failure, failure, declined card, failure');
  });

  it('counts every error but a cancellation when it is not told otherwise', async () => {
    const make = () =>
      createCircuitBreaker({ trip: { consecutiveFailures: 3 }, cooldownMs: COOLDOWN_MS });
    const cancelled = make();
    await calls(cancelled, 10, hungUp);
    await expectLetThrough(cancelled, 'the callers of ten calls hung up (AbortError)');
    const timedOut = make();
    await calls(timedOut, 3, () => new DOMException('The operation timed out', 'TimeoutError'));
    await expectRefused(timedOut, 'three calls ran into a timeout (TimeoutError)');
  });

  it('takes an AbortError by its name, whichever class it has', async () => {
    const breaker = createCircuitBreaker({
      trip: { consecutiveFailures: 3 },
      cooldownMs: COOLDOWN_MS,
    });
    // As node:timers/promises, node:events and node:fs reject: no DOMException, and no code 20.
    const cancelledByNode = () =>
      Object.assign(new Error('The operation was aborted'), {
        name: 'AbortError',
        code: 'ABORT_ERR',
      });
    await calls(breaker, 10, cancelledByNode);
    await expectLetThrough(breaker, 'ten AbortErrors of Node, which are no DOMExceptions');
    // As node:http says it when the other end breaks off in the middle of its answer.
    const brokenOff = () => Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    await calls(breaker, 3, brokenOff);
    await expectRefused(
      breaker,
      'the service broke off three times: the message says "aborted", but the name is Error',
    );
  });

  it('leaves it to isFailure alone, when there is one', async () => {
    const breaker = breakerWith({ isFailure: () => true });
    await calls(breaker, 3, hungUp);
    await expectRefused(breaker, 'three AbortErrors, and isFailure says that every error counts');
  });

  it('counts the refusal of another breaker like any error', async () => {
    const bank = breakerWith();
    await open(bank);
    const payment = breakerWith({ isFailure: () => true });
    for (let i = 0; i < 3; i += 1) {
      watch(payment, () => bank.call(() => 'receipt'));
      await settle();
    }
    await expectRefused(payment, 'three tasks failed with the CircuitOpenError of another breaker');
  });

  it('counts for each breaker by itself', async () => {
    const payment = breakerWith();
    const search = breakerWith();
    const lastSearch = await slowCall(search);
    for (const breaker of [payment, search]) await calls(breaker, 2, outage);
    expect(
      [payment.state, search.state],
      'two failures of payment and two of search: neither has three',
    ).toEqual(['closed', 'closed']);
    await call(payment, outage());
    expect(search.state, 'only the breaker of payment has opened').toBe('closed');
    await lastSearch.ends(outage());
    await expectRefused(search, 'search failed three times; that payment opened is its own affair');
  });
});

describe('3 · open: fails fast', () => {
  it('refuses at once, without a call', async () => {
    const breaker = breakerWith();
    await open(breaker);
    await expectRefused(breaker, 'the circuit is open');
  });

  it('says when to try again', async () => {
    const breaker = breakerWith();
    await open(breaker);
    await expectWait(breaker, COOLDOWN_MS, 'right after it opened');
    await advance(10_000);
    await expectWait(breaker, 20_000, '10 s into a cooldown of 30 s');
    await advance(19_900);
    await expectWait(breaker, 100, '100 ms before the cooldown is over');
  });

  it('refuses up to the end of the cooldown, and lets a call through from then on', async () => {
    const breaker = breakerWith();
    await open(breaker);
    await advance(COOLDOWN_MS - 1);
    await expectRefused(breaker, '1 ms before the cooldown is over');
    await advance(1);
    await expectLetThrough(breaker, 'the cooldown is over');
  });

  it('does not wait longer because it was asked', async () => {
    const breaker = breakerWith();
    await open(breaker);
    for (let second = 1; second < 30; second += 1) {
      await advance(1_000);
      await expectRefused(breaker, `${second} s into a cooldown of 30 s`);
    }
    await advance(1_000);
    await expectLetThrough(breaker, 'the cooldown is over, whoever asked meanwhile');
  });

  it('does not notice when the wall clock is set back', async () => {
    const breaker = breakerWith();
    await open(breaker);
    stepWallClock(-3_600_000);
    await expectWait(breaker, COOLDOWN_MS, 'the clock went back 1 h');
    await advance(COOLDOWN_MS);
    await expectLetThrough(breaker, 'the cooldown is over, though the wall clock went back 1 h');
  });

  it('does not notice when the wall clock is set forward', async () => {
    const breaker = breakerWith();
    await open(breaker);
    stepWallClock(3_600_000);
    await expectWait(breaker, COOLDOWN_MS, 'no time has passed; the wall clock went forward 1 h');
  });
});

describe('4 · half-open: probes decide', () => {
  it('lets one probe through and refuses the rest while it is out', async () => {
    const breaker = breakerWith();
    await openAndCoolDown(breaker);
    const probe = await slowCall(breaker);
    expect(probe.attempt.reached, 'the cooldown is over: one probe goes through').toBe(true);
    expect(breaker.state, 'a probe is out').toBe('half-open');
    await expectRefused(breaker, 'the probe is still out');
    expect(breaker.state, 'a call was refused, which says nothing about the service').toBe(
      'half-open',
    );
    await advance(10 * COOLDOWN_MS);
    await expectRefused(breaker, 'the probe is still out, however long it takes');
    await probe.ends();
  });

  it('has no time to name while the probe is out', async () => {
    const breaker = breakerWith();
    await openAndCoolDown(breaker);
    const probe = await slowCall(breaker);
    const { retryAfterMs } = await expectRefused(breaker, 'the probe is still out');
    expect(retryAfterMs, 'nobody knows when the probe will be back').toBeUndefined();
    await probe.ends();
  });

  it('closes when the probe succeeds', async () => {
    const breaker = breakerWith();
    await openAndCoolDown(breaker);
    const probe = await call(breaker);
    expect(probe.value, 'the probe is a call like any other: its caller gets the value').toBe(
      'receipt',
    );
    expect(probe.runs, 'the probe is the call itself, not one before it').toBe(1);
    expect(breaker.state).toBe('closed');
    await Promise.all([
      expectLetThrough(breaker, 'the probe succeeded'),
      expectLetThrough(breaker, 'the probe succeeded, and the circuit is fully closed'),
    ]);
  });

  it('starts with a clean slate once it has closed', async () => {
    const breaker = breakerWith();
    await openAndCoolDown(breaker);
    await call(breaker);
    await calls(breaker, 2, outage);
    await expectLetThrough(breaker, 'two failures of three since the circuit closed');
    await calls(breaker, 3, outage);
    await expectRefused(breaker, 'three failures of three since then');
  });

  it('opens again at once when the probe fails', async () => {
    const breaker = breakerWith();
    await openAndCoolDown(breaker);
    const error = outage();
    const probe = await call(breaker, error);
    expect(probe.error, 'the probe gets its own error').toBe(error);
    expect(breaker.state, 'one failed probe is enough').toBe('open');
    await expectRefused(breaker, 'one failed probe is enough');
  });

  it('waits a whole cooldown after each failed probe', async () => {
    const breaker = breakerWith();
    await openAndCoolDown(breaker);
    for (let round = 1; round <= 3; round += 1) {
      await advance(5_000);
      await call(breaker, outage());
      await expectWait(breaker, COOLDOWN_MS, `after failed probe ${round}`);
      await advance(10_000);
      await expectWait(breaker, 20_000, `10 s after failed probe ${round}`);
      await advance(COOLDOWN_MS - 10_001);
      await expectRefused(breaker, `1 ms before the cooldown after probe ${round} is over`);
      await advance(1);
    }
    await expectLetThrough(breaker, 'the third cooldown is over');
  });

  it('lets as many probes through as it was told', async () => {
    const breaker = breakerWith({ probes: 3 });
    await openAndCoolDown(breaker);
    const probes = [await slowCall(breaker), await slowCall(breaker), await slowCall(breaker)];
    expect(
      probes.map(({ attempt }) => attempt.reached),
      'probes: 3, so three calls go through at once',
    ).toEqual([true, true, true]);
    await expectRefused(breaker, 'all three probes are out');
    for (const probe of probes) await probe.ends();
  });

  it('takes calls that arrive in the same instant one by one', async () => {
    const breaker = breakerWith();
    await openAndCoolDown(breaker);
    const crowd = await crowdOf(breaker, 5);
    expect(
      crowd.filter(({ attempt }) => attempt.reached).length,
      'five calls in one instant, one probe allowed',
    ).toBe(1);
    for (const { ends } of crowd) await ends();
  });

  it('counts a probe as out when its task begins', async () => {
    const breaker = breakerWith();
    await openAndCoolDown(breaker);
    const attempts: Attempt[] = [];
    const receipt = new Promise(() => {});
    const askAgainFirst = () => {
      attempts.push(watch(breaker, () => receipt));
      return receipt;
    };
    attempts.push(watch(breaker, askAgainFirst));
    await settle();
    expect(
      attempts.filter(({ reached }) => reached).length,
      'the task of the one probe begins with another call through the same breaker',
    ).toBe(1);
  });

  it('waits and probes for each breaker by itself', async () => {
    const payment = breakerWith();
    const search = breakerWith({ probes: 2 });
    await open(payment);
    await advance(10_000);
    await open(search);
    await expectWait(payment, 20_000, 'payment opened 10 s ago, search just now');
    await advance(COOLDOWN_MS);
    const probe = await slowCall(payment);
    await expectLetThrough(search, 'the cooldown of search is over, too');
    await expectRefused(payment, 'its one probe is out; only search may have another');
    await probe.ends();
    expect([payment.state, search.state], 'one probe of one, and one of two').toEqual([
      'closed',
      'half-open',
    ]);
  });

  it('closes only when all its probes have succeeded', async () => {
    const breaker = breakerWith({ probes: 3 });
    await openAndCoolDown(breaker);
    await call(breaker);
    await call(breaker);
    expect(breaker.state, 'two probes of three succeeded').toBe('half-open');
    await call(breaker);
    expect(breaker.state, 'three probes of three succeeded').toBe('closed');
  });

  it('opens again when one probe fails after others have succeeded', async () => {
    const breaker = breakerWith({ probes: 3 });
    await openAndCoolDown(breaker);
    await call(breaker);
    await call(breaker);
    await call(breaker, outage());
    await expectRefused(breaker, 'the third probe failed');
    await advance(COOLDOWN_MS);
    await call(breaker);
    expect(breaker.state, 'the successes of the last round do not count in this one').toBe(
      'half-open',
    );
  });

  it('gives back the slot of a probe whose error does not count', async () => {
    const breaker = breakerWith();
    await openAndCoolDown(breaker);
    await call(breaker, declined());
    expect(breaker.state, 'a declined card says neither yes nor no').toBe('half-open');
    await expectLetThrough(breaker, 'the slot is free again');
    expect(breaker.state, 'that probe succeeded').toBe('closed');
  });

  it('gives back the slot of a probe that was cancelled', async () => {
    const breaker = createCircuitBreaker({
      trip: { consecutiveFailures: 3 },
      cooldownMs: COOLDOWN_MS,
    });
    await openAndCoolDown(breaker);
    const probe = await slowCall(breaker);
    await probe.ends(hungUp());
    expect(breaker.state, 'its caller hung up: nothing is known').toBe('half-open');
    const next = await call(breaker, outage());
    expect(next.reached, 'the slot is free again: the next call is the probe').toBe(true);
    await expectRefused(breaker, 'that probe failed');
  });

  it('gives back one slot for one probe, no more', async () => {
    const breaker = breakerWith({ probes: 2 });
    await openAndCoolDown(breaker);
    await calls(breaker, 5, declined);
    const first = await slowCall(breaker);
    const second = await slowCall(breaker);
    expect(
      [first.attempt.reached, second.attempt.reached],
      'both slots are free again: two calls go through as probes',
    ).toEqual([true, true]);
    await expectRefused(breaker, 'two probes are out');
    await first.ends();
    await second.ends();
    expect(breaker.state, 'both probes succeeded').toBe('closed');
  });

  it('gives back the slot of that probe alone, while others are out', async () => {
    const breaker = breakerWith({ probes: 3 });
    await openAndCoolDown(breaker);
    const probes = [await slowCall(breaker), await slowCall(breaker)];
    await call(breaker, declined());
    probes.push(await slowCall(breaker));
    await expectRefused(breaker, 'three probes are out; a fourth was declined before');
    for (const { ends } of probes) await ends();
    expect(breaker.state, 'the three probes succeeded').toBe('closed');
  });
});

describe('5 · what began earlier changes nothing later', () => {
  it('reports each change once, as it happens', async () => {
    const changes: [to: CircuitState, from: CircuitState][] = [];
    const breaker = breakerWith({ onStateChange: (to, from) => changes.push([to, from]) });
    await openAndCoolDown(breaker);
    await call(breaker, outage());
    await advance(COOLDOWN_MS);
    await call(breaker);
    expect(changes, 'onStateChange(to, from), in the order of things').toEqual([
      ['open', 'closed'],
      ['half-open', 'open'],
      ['open', 'half-open'],
      ['half-open', 'open'],
      ['closed', 'half-open'],
    ]);
  });

  it('opens once, however many calls fail together', async () => {
    const changes: string[] = [];
    const breaker = breakerWith({ onStateChange: (to, from) => changes.push(`${from} → ${to}`) });
    const crowd = await crowdOf(breaker, 10);
    for (const { ends } of crowd) await ends(outage());
    expect(changes, 'ten calls failed in one outage').toEqual(['closed → open']);
  });

  it('does not wait longer because of failures that arrive while it is open', async () => {
    const breaker = breakerWith();
    const straggler = await slowCall(breaker);
    await open(breaker);
    await advance(20_000);
    await straggler.ends(outage());
    await expectWait(breaker, 10_000, '20 s into a cooldown of 30 s');
    await advance(10_000);
    await expectLetThrough(breaker, 'the cooldown is over');
  });

  it('still hands a late result to its own caller', async () => {
    const breaker = breakerWith();
    const straggler = await slowCall(breaker);
    await open(breaker);
    await straggler.ends();
    expect(straggler.attempt.value, 'this call was let through before the circuit opened').toBe(
      'receipt',
    );
  });

  it('stays open when a call from before succeeds', async () => {
    const breaker = breakerWith();
    const straggler = await slowCall(breaker);
    await open(breaker);
    await straggler.ends();
    await expectRefused(breaker, 'a call from before the outage succeeded, which says little');
  });

  it('does not take a late failure for the answer of a probe', async () => {
    const breaker = breakerWith({ probes: 2 });
    const straggler = await slowCall(breaker);
    await openAndCoolDown(breaker);
    await call(breaker);
    await straggler.ends(outage());
    expect(breaker.state, 'a call from before the outage failed; the probe succeeded').toBe(
      'half-open',
    );
    await expectLetThrough(breaker, 'the second probe');
    expect(breaker.state, 'both probes succeeded').toBe('closed');
  });

  it('does not take a late success for the answer of a probe', async () => {
    const breaker = breakerWith();
    const straggler = await slowCall(breaker);
    await openAndCoolDown(breaker);
    const probe = await slowCall(breaker);
    await straggler.ends();
    expect(breaker.state, 'the probe is still out').toBe('half-open');
    await expectRefused(breaker, 'the probe is still out; a call from before succeeded');
    await probe.ends(outage());
    await expectRefused(breaker, 'the probe failed');
  });

  it('does not give back a slot that the call never held', async () => {
    const breaker = breakerWith();
    const straggler = await slowCall(breaker);
    await openAndCoolDown(breaker);
    const probe = await slowCall(breaker);
    await straggler.ends(declined());
    await expectRefused(breaker, 'the one probe is out; a call from before was declined');
    await probe.ends();
  });

  it('does not count failures from before the outage after it', async () => {
    const breaker = breakerWith();
    const stragglers = await crowdOf(breaker, 2);
    await openAndCoolDown(breaker);
    await call(breaker);
    await call(breaker, outage());
    for (const straggler of stragglers) await straggler.ends(outage());
    await expectLetThrough(breaker, 'one failure since the circuit closed, two from long before');
  });

  it('does not forget failures after the outage for a success from before it', async () => {
    const breaker = breakerWith();
    const straggler = await slowCall(breaker);
    await openAndCoolDown(breaker);
    await call(breaker);
    await calls(breaker, 2, outage);
    await straggler.ends();
    await call(breaker, outage());
    await expectRefused(breaker, 'three failures since the circuit closed');
  });

  it('does not wait longer because a second probe fails later', async () => {
    const changes: string[] = [];
    const breaker = breakerWith({
      probes: 2,
      onStateChange: (to, from) => changes.push(`${from} → ${to}`),
    });
    await openAndCoolDown(breaker);
    const first = await slowCall(breaker);
    const second = await slowCall(breaker);
    await first.ends(outage());
    await advance(20_000);
    await second.ends(outage());
    await expectWait(breaker, 10_000, '20 s after the first probe failed; the second just did');
    expect(changes, 'two probes failed, the circuit opened again once').toEqual([
      'closed → open',
      'open → half-open',
      'half-open → open',
    ]);
  });

  it('does not give back the slot of an earlier round', async () => {
    const breaker = breakerWith({ probes: 2 });
    await openAndCoolDown(breaker);
    const failing = await slowCall(breaker);
    const hanging = await slowCall(breaker);
    await failing.ends(outage());
    await advance(COOLDOWN_MS);
    const probes = [await slowCall(breaker), await slowCall(breaker)];
    await hanging.ends(declined());
    await expectRefused(breaker, 'both probes of this round are out; one of the last was declined');
    for (const { ends } of probes) await ends();
  });

  it('does not count the probes of an earlier round', async () => {
    const breaker = breakerWith({ probes: 2 });
    await openAndCoolDown(breaker);
    const first = await slowCall(breaker);
    const second = await slowCall(breaker);
    await first.ends(outage());
    await advance(COOLDOWN_MS);
    const third = await slowCall(breaker);
    await second.ends();
    await third.ends();
    expect(breaker.state, 'one probe of two succeeded in this round').toBe('half-open');
  });

  it('tells of a change after it has happened', async () => {
    const told: [to: CircuitState, state: CircuitState][] = [];
    const breaker: CircuitBreaker = breakerWith({
      onStateChange: (to) => told.push([to, breaker.state]),
    });
    await openAndCoolDown(breaker);
    const probe = await slowCall(breaker);
    await probe.ends();
    expect(told, 'what the observer is told, and what `state` says at that moment').toEqual([
      ['open', 'open'],
      ['half-open', 'half-open'],
      ['closed', 'closed'],
    ]);
  });

  it('is open altogether when it says so', async () => {
    const refusals: Attempt[] = [];
    const breaker: CircuitBreaker = breakerWith({
      onStateChange(to) {
        if (to === 'open') refusals.push(watch(breaker, () => 'receipt'));
      },
    });
    await openAndCoolDown(breaker);
    await call(breaker, outage());
    expect(refusals.length, 'the circuit opened twice').toBe(2);
    for (const { error } of refusals) {
      if (!(error instanceof CircuitOpenError)) {
        expect.fail('an observer calls as soon as it is told "open": it must be refused');
      }
      expect(
        error.retryAfterMs,
        'an observer calls as soon as it is told "open": retryAfterMs, in milliseconds',
      ).toBeCloseTo(COOLDOWN_MS, 0);
    }
  });

  it('is half-open altogether when it says so', async () => {
    const attempts: Attempt[] = [];
    const callForLong = () => attempts.push(watch(breaker, () => new Promise(() => {})));
    const breaker: CircuitBreaker = breakerWith({
      onStateChange(to) {
        if (to === 'half-open' && attempts.length === 0) callForLong();
      },
    });
    await openAndCoolDown(breaker);
    callForLong();
    await settle();
    expect(
      attempts.filter(({ reached }) => reached).length,
      'an observer calls as soon as it is told "half-open", and one probe is allowed',
    ).toBe(1);
  });

  it('is closed altogether when it says so', async () => {
    const breaker: CircuitBreaker = breakerWith({
      onStateChange(to) {
        if (to !== 'closed') return;
        for (let i = 0; i < 3; i += 1) watch(breaker, () => Promise.reject(outage()));
      },
    });
    await openAndCoolDown(breaker);
    await call(breaker);
    expect(
      breaker.state,
      'an observer sends three calls as soon as it is told "closed": all of them failed, and count',
    ).toBe('open');
  });
});

describe('6 · opens by failure rate', () => {
  const WINDOW_MS = 10_000;
  const rateBreaker = (options: Partial<CircuitBreakerOptions> = {}) =>
    breakerWith({ trip: { failureRate: 0.5, windowMs: WINDOW_MS, minimumCalls: 4 }, ...options });

  it('does not judge by too few calls', async () => {
    const breaker = rateBreaker();
    await calls(breaker, 3, outage);
    await expectLetThrough(breaker, 'three calls, and it takes four to judge');
  });

  it('judges from the minimum on', async () => {
    const breaker = rateBreaker();
    await calls(breaker, 4, outage);
    await expectRefused(breaker, 'four calls, all failed');
  });

  it('opens at the rate itself', async () => {
    const breaker = rateBreaker();
    await calls(breaker, 4);
    await calls(breaker, 4, outage);
    await expectRefused(breaker, 'four failures of eight calls, and the rate is 0.5');
  });

  it.each([
    { failureRate: 0.1, calls: 20, opensAt: 2 },
    { failureRate: 0.25, calls: 20, opensAt: 5 },
    { failureRate: 0.9, calls: 20, opensAt: 18 },
    { failureRate: 1, calls: 20, opensAt: 20 },
    { failureRate: 0.005, calls: 1_000, opensAt: 5 },
  ])('takes the rate as it is: $failureRate of $calls calls', async (given) => {
    const breaker = rateBreaker({
      trip: { failureRate: given.failureRate, windowMs: WINDOW_MS, minimumCalls: given.calls },
    });
    await successes(breaker, given.calls - given.opensAt);
    const most = given.opensAt - 1;
    await calls(breaker, most, outage);
    expect(breaker.state, `${most} failures, fewer than ${given.calls} calls`).toBe('closed');
    await call(breaker, outage());
    await expectRefused(breaker, `${given.opensAt} failures of ${given.calls} calls`);
  });

  it('stays closed below the rate, however many fail in a row', async () => {
    const breaker = rateBreaker();
    await successes(breaker, 20);
    await calls(breaker, 19, outage);
    await expectLetThrough(breaker, '19 failures of 39 calls, and the rate is 0.5');
  });

  it('never opens on a success', async () => {
    const breaker = rateBreaker();
    await calls(breaker, 3, outage);
    await call(breaker);
    await expectLetThrough(breaker, 'the last call succeeded');
  });

  it('leaves out errors that do not count', async () => {
    const breaker = rateBreaker();
    await calls(breaker, 20, declined);
    await calls(breaker, 3, outage);
    await expectLetThrough(breaker, 'three calls that count, and it takes four to judge');
    const diluted = rateBreaker();
    await calls(diluted, 20, declined);
    await calls(diluted, 4, outage);
    await expectRefused(diluted, 'four failures of four calls that count');
  });

  it('leaves out calls that are still under way', async () => {
    const breaker = rateBreaker();
    const pending = await crowdOf(breaker, 20);
    await calls(breaker, 4, outage);
    await expectRefused(breaker, 'four calls have ended, all failed; 20 are under way');
    for (const { ends } of pending) await ends();
  });

  it('forgets calls older than the window', async () => {
    const breaker = rateBreaker();
    await calls(breaker, 3, outage);
    await advance(1.2 * WINDOW_MS);
    await calls(breaker, 3, outage);
    await expectLetThrough(breaker, 'three failures in the last 10 s; three are 12 s old');
  });

  it('forgets successes older than the window too', async () => {
    const breaker = rateBreaker();
    await successes(breaker, 100);
    await advance(1.2 * WINDOW_MS);
    await calls(breaker, 4, outage);
    await expectRefused(breaker, 'four failures of four calls; 100 successes are 12 s old');
  });

  it.each([500, WINDOW_MS, 60_000])(
    'looks back over the whole window, and not much further: %i ms',
    async (windowMs) => {
      const trip = { failureRate: 0.5, windowMs, minimumCalls: 4 };
      // Sixteen starts, so that no way to cut time into buckets is lucky with all of them.
      for (let start = 0; start < 16; start += 1) {
        const within = rateBreaker({ trip });
        const beyond = rateBreaker({ trip });
        await call(within);
        await call(beyond);
        await advance((2 + start / 16) * windowMs);
        await calls(beyond, 2, outage);
        await advance(0.26 * windowMs);
        await calls(within, 2, outage);
        await advance(0.89 * windowMs);
        await calls(beyond, 2, outage);
        await calls(within, 2, outage);
        await expectRefused(within, 'four failures within 89 % of the window');
        await expectLetThrough(beyond, 'two failures now, and two 115 % of a window ago');
      }
    },
  );

  it('slides under traffic that never pauses', async () => {
    const breaker = rateBreaker();
    for (let i = 0; i < 60; i += 1) {
      await call(breaker);
      await advance(250);
    }
    for (let i = 0; i < 30; i += 1) {
      await call(breaker, outage());
      await advance(250);
    }
    await expectRefused(breaker, 'four calls a second: 15 s went well, then 7.5 s failed');
  });

  it('slides under sparse traffic', async () => {
    const breaker = rateBreaker();
    for (let step = 0; step < 20; step += 1) {
      await call(breaker, outage());
      await advance(0.38 * WINDOW_MS);
    }
    await expectLetThrough(breaker, 'a failure every 3.8 s: never more than three within 10 s');
  });

  it('puts each call where it ended, also after a pause', async () => {
    const breaker = rateBreaker();
    await call(breaker);
    await advance(0.9 * WINDOW_MS);
    await calls(breaker, 4);
    await advance(0.3 * WINDOW_MS);
    await calls(breaker, 3, outage);
    await call(breaker, declined());
    await expectLetThrough(breaker, 'three failures of seven calls within the last 3 s');
  });

  it('judges by all calls of the window, however many', async () => {
    const breaker = rateBreaker();
    await successes(breaker, 300);
    for (let i = 0; i < 299; i += 1) watch(breaker, () => Promise.reject(outage()));
    await settle();
    await expectLetThrough(breaker, '299 failures of 599 calls, and the rate is 0.5');
  });

  it('slides: it does not matter where in time an outage begins', async () => {
    for (let startMs = 0; startMs < 2 * WINDOW_MS; startMs += 1_000) {
      const breaker = rateBreaker();
      await call(breaker);
      await advance(startMs);
      await calls(breaker, 2, outage);
      await advance(0.3 * WINDOW_MS);
      await calls(breaker, 2, outage);
      await expectRefused(
        breaker,
        `four failures within 3 s, ${startMs / 1_000} s after the start`,
      );
    }
  });

  it('forgets call by call, not all at once', async () => {
    const breaker = rateBreaker();
    await calls(breaker, 4);
    for (let second = 0; second < 30; second += 1) {
      await advance(1_000);
      await call(breaker, second % 3 === 0 ? outage() : undefined);
    }
    await expectLetThrough(breaker, 'one call in three fails, for 30 s');
    await call(breaker, outage());
    await calls(breaker, 5, outage);
    await expectRefused(breaker, 'then all fail');
  });

  it('forgets an idle hour, whatever came before', async () => {
    const breaker = rateBreaker({
      trip: { failureRate: 0.5, windowMs: WINDOW_MS, minimumCalls: 50 },
    });
    await successes(breaker, 51);
    await calls(breaker, 49, outage);
    await advance(3_600_000);
    await calls(breaker, 10, outage);
    await expectLetThrough(breaker, 'ten failures in the last 10 s, and it takes 50 to judge');
  });

  it('counts a call when it ends, not when it began', async () => {
    const breaker = rateBreaker();
    const hanging = await crowdOf(breaker, 4);
    await advance(2 * WINDOW_MS);
    for (const { ends } of hanging) await ends(outage());
    await expectRefused(breaker, 'four calls hung for 20 s and have just failed');
  });

  it('starts with an empty window once it has closed', async () => {
    const breaker = rateBreaker({ cooldownMs: 1_000 });
    await calls(breaker, 4, outage);
    await advance(1_000);
    await call(breaker);
    expect(breaker.state, 'the probe succeeded').toBe('closed');
    await calls(breaker, 3, outage);
    await expectLetThrough(breaker, 'three calls since the circuit closed');
    await call(breaker);
    await calls(breaker, 1, outage);
    await expectRefused(breaker, 'four failures of six calls since the circuit closed');
  });

  it('does not count calls from before the outage in the new window', async () => {
    const breaker = rateBreaker({ cooldownMs: 1_000 });
    const failing = await crowdOf(breaker, 2);
    const succeeding = await crowdOf(breaker, 20);
    await calls(breaker, 4, outage);
    await advance(1_000);
    await call(breaker);
    await calls(breaker, 2, outage);
    for (const { ends } of failing) await ends(outage());
    await expectLetThrough(breaker, 'two failures since the circuit closed, two from long before');
    for (const { ends } of succeeding) await ends();
    await calls(breaker, 2, outage);
    await expectRefused(breaker, 'four failures of five calls since then; 20 are from before');
  });

  it('opens once, also when many calls fail together', async () => {
    const changes: string[] = [];
    const breaker = rateBreaker({ onStateChange: (to, from) => changes.push(`${from} → ${to}`) });
    const crowd = await crowdOf(breaker, 10);
    const straggler = await slowCall(breaker);
    for (const { ends } of crowd) await ends(outage());
    await advance(20_000);
    await straggler.ends(outage());
    await expectWait(breaker, 10_000, '20 s into a cooldown of 30 s');
    expect(changes, 'eleven calls failed in one outage').toEqual(['closed → open']);
  });

  it('re-opens by one failed probe, whatever the minimum', async () => {
    const breaker = rateBreaker();
    await calls(breaker, 4, outage);
    await advance(COOLDOWN_MS);
    await call(breaker, outage());
    await expectRefused(breaker, 'a failed probe speaks for itself');
  });

  it('lets calls age by a clock that only runs forward', async () => {
    const breaker = rateBreaker();
    await calls(breaker, 3, outage);
    stepWallClock(-3_600_000);
    await advance(1.2 * WINDOW_MS);
    await calls(breaker, 3, outage);
    await expectLetThrough(
      breaker,
      'three failures in the last 10 s, by a clock that only runs on',
    );
    await call(breaker, outage());
    await expectRefused(breaker, 'then a fourth');
  });
});

describe('7 · whatever happens', () => {
  const anyBreaker = fc
    .tuple(
      fc.constantFrom<Trip>(
        { consecutiveFailures: 1 },
        { consecutiveFailures: 2 },
        { failureRate: 0.5, windowMs: 10_000, minimumCalls: 2 },
        { failureRate: 0.6, windowMs: 10_000, minimumCalls: 3 },
      ),
      fc.integer({ min: 1, max: 3 }),
    )
    .map(([trip, probes]) => new Given(trip, probes));
  // Once fast-check had shrunk the breaker, it would not shrink the history.
  const breakers = fc.noShrink(anyBreaker);

  it('does what the three states say, call by call', async () => {
    await fc.assert(
      fc.asyncProperty(breakers, histories(), (given, history) =>
        fc.asyncModelRun(() => startOf(given), history),
      ),
      { seed: 20_261_122, numRuns: 60 },
    );
  });

  it('can always close again', async () => {
    await fc.assert(
      fc.asyncProperty(breakers, histories(), async (given, history) => {
        const start = startOf(given);
        await fc.asyncModelRun(() => start, history);
        const { breaker, slowCalls } = start.real;
        for (const slow of slowCalls) await slow.ends();
        await advance(COOLDOWN_MS);
        await calls(breaker, given.probes);
        expect(
          breaker.state,
          'every call has ended, a cooldown has passed, and every probe has succeeded',
        ).toBe('closed');
      }),
      { seed: 20_261_122, numRuns: 20 },
    );
  });
});

// ── The three states on paper, and what can happen to them ──────────────────────────────────────────────

const ENDS = ['ok', 'fails', 'is declined'] as const;
type End = (typeof ENDS)[number];
const errorOf: Record<End, () => Error | undefined> = {
  ok: () => undefined,
  fails: outage,
  'is declined': declined,
};

class Given {
  readonly trip: Trip;
  readonly probes: number;

  constructor(trip: Trip, probes: number) {
    this.trip = trip;
    this.probes = probes;
  }

  /** How fast-check prints it. */
  [fc.toStringMethod] = () =>
    [...Object.entries(this.trip), ['probes', this.probes]]
      .map(([name, value]) => `${name}: ${value}`)
      .join(', ');
}

/** The breaker as one would play it with pencil and paper. */
class Paper {
  state: CircuitState = 'closed';
  /** Grows with each change of state: a call belongs to the round it was let through in. */
  round = 0;
  /** The rounds of the slow calls that have not ended yet. */
  readonly slowCalls: number[] = [];
  readonly changes: string[] = [];
  readonly #given: Given;
  #failures = 0;
  #ended: { readonly atMs: number; readonly failed: boolean }[] = [];
  #nowMs = 0;
  #probesOut = 0;
  #successes = 0;
  #openLeftMs = 0;

  constructor(given: Given) {
    this.#given = given;
  }

  /** What it may say that it is: with the cooldown over, an open circuit may change before the next call. */
  get states(): readonly CircuitState[] {
    return this.#isCool ? ['open', 'half-open'] : [this.state];
  }

  get name(): string {
    return this.states.join(' or ');
  }

  /** Must the next call go through? Undefined: while probes are out and others are back, both will do. */
  get letsThrough(): boolean | undefined {
    if (this.state === 'closed' || this.#isCool) return true;
    if (this.state === 'open' || this.#probesOut >= this.#given.probes) return false;
    return this.#probesOut + this.#successes < this.#given.probes || undefined;
  }

  /** What a refused call must be told. */
  get retryAfterMs(): number | undefined {
    return this.state === 'open' ? this.#openLeftMs : undefined;
  }

  goesThrough(): void {
    if (this.#isCool) this.#become('half-open');
    if (this.state === 'half-open') this.#probesOut += 1;
  }

  ends(round: number, end: End): void {
    if (round !== this.round) return;
    if (this.state === 'closed') {
      if (end !== 'is declined' && this.#opensBy(end === 'fails')) this.#become('open');
      return;
    }
    this.#probesOut -= 1;
    if (end === 'ok') this.#successes += 1;
    if (end === 'fails') this.#become('open');
    else if (this.#successes === this.#given.probes) this.#become('closed');
  }

  passes(ms: number): void {
    this.#openLeftMs -= ms;
    this.#nowMs += ms;
  }

  #opensBy(failed: boolean): boolean {
    const { trip } = this.#given;
    if ('consecutiveFailures' in trip) {
      this.#failures = failed ? this.#failures + 1 : 0;
      return this.#failures === trip.consecutiveFailures;
    }
    // Histories have no calls from 0.9 to 1.1 windows ago, so buckets and single calls agree.
    const since = this.#nowMs - trip.windowMs;
    this.#ended = this.#ended.filter(({ atMs }) => atMs > since);
    this.#ended.push({ atMs: this.#nowMs, failed });
    const failures = this.#ended.filter((ended) => ended.failed).length;
    const { length } = this.#ended;
    return failed && length >= trip.minimumCalls && failures / length >= trip.failureRate;
  }

  get #isCool(): boolean {
    return this.state === 'open' && this.#openLeftMs <= 0;
  }

  #become(state: CircuitState): void {
    this.changes.push(`${this.state} → ${state}`);
    this.state = state;
    this.round += 1;
    this.#failures = 0;
    this.#ended = [];
    this.#probesOut = 0;
    this.#successes = 0;
    this.#openLeftMs = COOLDOWN_MS;
  }
}

interface Real {
  readonly breaker: CircuitBreaker;
  readonly changes: string[];
  readonly slowCalls: Awaited<ReturnType<typeof slowCall>>[];
}

function startOf(given: Given): { model: Paper; real: Real } {
  const changes: string[] = [];
  const breaker = breakerWith({
    trip: given.trip,
    probes: given.probes,
    onStateChange: (to, from) => changes.push(`${from} → ${to}`),
  });
  return { model: new Paper(given), real: { breaker, changes, slowCalls: [] } };
}

// Some 10,000 steps are compared. `expect` is for the one that differs, as it takes its time.

function compare(paper: Paper, { reached, error }: Attempt): void {
  if (paper.letsThrough === !reached) {
    const should = reached ? 'must not reach' : 'should have reached';
    expect.fail(`by the three states it is ${paper.name}: this call ${should} the payment service`);
  }
  if (reached) return paper.goesThrough();
  if (!(error instanceof CircuitOpenError)) {
    expect.fail(`a refused call must be told by a CircuitOpenError, not by ${String(error)}`);
  }
  const { retryAfterMs } = error;
  const wait = paper.retryAfterMs;
  if (wait === undefined ? retryAfterMs !== wait : !(Math.abs(Number(retryAfterMs) - wait) < 1)) {
    expect.fail(
      `by the three states it is ${paper.name}: retryAfterMs should be ${wait}, not ${retryAfterMs}`,
    );
  }
}

/** Whatever the circuit has become meanwhile, the caller gets what the task ended with. */
function checkEnd(attempt: Attempt, error: Error | undefined): void {
  const { end } = attempt;
  if (error ? attempt.error === error : attempt.value === 'receipt') return;
  const got = end === 'pending' ? 'nothing yet' : String(attempt.error ?? attempt.value);
  expect.fail(`the task ended with ${error ?? 'a receipt'}, but its caller got ${got}`);
}

/** What must hold after every step. */
function checkStep(paper: Paper, { breaker, changes }: Real): void {
  if (!paper.states.includes(breaker.state)) {
    expect.fail(`by the three states it is ${paper.name}, but it says that it is ${breaker.state}`);
  }
  // With the cooldown over, a timer may have been ahead of the next call.
  const isAhead = paper.name !== paper.state && changes.length === paper.changes.length + 1;
  const expected = isAhead ? 'open → half-open' : paper.changes.at(-1);
  if (changes.at(-1) === expected && changes.length - Number(isAhead) === paper.changes.length)
    return;
  expect.fail(
    `by the three states it changed ${list(paper.changes)}, but it told of ${list(changes)}`,
  );
}

function list(changes: readonly string[]): string {
  return changes.join(', ') || 'nothing';
}

/** Anything that can happen to a breaker, in any order. */
function histories() {
  return fc.commands(
    [
      fc.constant(new QuickCall('ok')),
      fc.constant(new QuickCall('fails')),
      fc.constantFrom(...ENDS).map((end) => new QuickCall(end, true)),
      fc.constant(new SlowCall()),
      fc.constant(new SlowCall()),
      fc.tuple(fc.nat(9), fc.constantFrom(...ENDS)).map(([nth, end]) => new SlowCallEnds(nth, end)),
      fc.constantFrom(1, 15_000, COOLDOWN_MS - 1).map((ms) => new TimePasses(ms)),
      fc.constant(new TimePasses(COOLDOWN_MS)),
      fc.constant(new TimePasses(COOLDOWN_MS)),
    ],
    { maxCommands: 40, size: 'max' },
  );
}

class QuickCall implements fc.AsyncCommand<Paper, Real> {
  readonly #end: End;
  readonly #throws: boolean;
  constructor(end: End, throws = false) {
    this.#end = end;
    this.#throws = throws;
  }
  check = () => true;
  async run(paper: Paper, real: Real) {
    const error = errorOf[this.#end]();
    const attempt = this.#throws
      ? await callThatThrows(real.breaker, error)
      : await call(real.breaker, error);
    compare(paper, attempt);
    if (attempt.reached) {
      checkEnd(attempt, error);
      paper.ends(paper.round, this.#end);
    }
    checkStep(paper, real);
  }
  toString = () => `call ${this.#end}${this.#throws ? ' at once' : ''}`;
}

class SlowCall implements fc.AsyncCommand<Paper, Real> {
  check = () => true;
  async run(paper: Paper, real: Real) {
    const slow = await slowCall(real.breaker);
    compare(paper, slow.attempt);
    if (slow.attempt.reached) {
      paper.slowCalls.push(paper.round);
      real.slowCalls.push(slow);
    }
    checkStep(paper, real);
  }
  toString = () => 'slow call begins';
}

class SlowCallEnds implements fc.AsyncCommand<Paper, Real> {
  readonly #nth: number;
  readonly #end: End;
  constructor(nth: number, end: End) {
    this.#nth = nth;
    this.#end = end;
  }
  check = (paper: Readonly<Paper>) => paper.slowCalls.length > 0;
  async run(paper: Paper, real: Real) {
    const index = this.#nth % paper.slowCalls.length;
    const [round] = paper.slowCalls.splice(index, 1);
    const [slow] = real.slowCalls.splice(index, 1);
    if (round === undefined || !slow) return;
    const error = errorOf[this.#end]();
    await slow.ends(error);
    checkEnd(slow.attempt, error);
    paper.ends(round, this.#end);
    checkStep(paper, real);
  }
  toString = () => `slow call ${this.#end}`;
}

class TimePasses implements fc.AsyncCommand<Paper, Real> {
  readonly #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  check = () => true;
  async run(paper: Paper, real: Real) {
    await advance(this.#ms);
    paper.passes(this.#ms);
    checkStep(paper, real);
  }
  toString = () => `+${this.#ms / 1_000} s`;
}
