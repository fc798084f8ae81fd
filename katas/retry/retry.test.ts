import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  backoffMs,
  retry,
  type Attempt,
  type FailedAttempt,
  type Failure,
  type RetryOptions,
} from './retry.ts';

// ── The depot service, played by the spec ───────────────────────────────────────────────────────────────

class DepotError extends Error {
  override readonly name = 'DepotError';
  readonly failure: Failure;
  readonly retryAfter: unknown;

  constructor(message: string, failure: Failure, retryAfter?: unknown) {
    super(message);
    this.failure = failure;
    this.retryAfter = retryAfter;
  }
}
const busy = (retryAfter?: unknown) => new DepotError('429: busy', 'not-applied', retryAfter);
const noAnswer = (retryAfter?: unknown) => new DepotError('no answer', 'in-doubt', retryAfter);
const taken = (retryAfter?: unknown) =>
  new DepotError('409: the compartment is taken', 'permanent', retryAfter);

/** What the depot does with one request; the first run of the task is the first request. */
type Step = () => unknown;
const prints: Step = () => Promise.resolve('label');
const fails =
  (error: unknown): Step =>
  async () => {
    throw error;
  };
const throws =
  (error: unknown): Step =>
  () => {
    throw error;
  };
const after =
  (ms: number, step: Step): Step =>
  () =>
    new Promise((resolve) => setTimeout(() => resolve(step()), ms));

/** A call of `retry`: each run of its task, what `onRetry` was told, and how it ended. Times are since the call. */
interface Call {
  readonly runs: Run[];
  readonly told: (FailedAttempt & { readonly atMs: number })[];
  end: 'pending' | 'value' | 'error';
  value?: unknown;
  error?: unknown;
  endedAtMs: number;
}

interface Run extends Partial<Attempt> {
  readonly beganAtMs: number;
  endedAtMs: number;
}

/** A retry without `classify` and `idempotent` is for errors that carry their verdict with them. */
const classify = (error: unknown): Failure =>
  error instanceof DepotError ? error.failure : 'permanent';

function begin(steps: readonly Step[], options: Partial<RetryOptions> = {}): Call {
  return watch(steps, { attempts: 5, baseMs: 100, capMs: 10_000, classify, ...options });
}

function watch(steps: readonly Step[], options: RetryOptions): Call {
  const call: Call = { runs: [], told: [], end: 'pending', endedAtMs: Infinity };
  const calledAt = performance.now();
  const nowMs = () => performance.now() - calledAt;
  const task = (attempt: Attempt): unknown => {
    const made: Run = { ...attempt, beganAtMs: nowMs(), endedAtMs: Infinity };
    call.runs.push(made);
    const ends = () => {
      made.endedAtMs = nowMs();
    };
    const step = steps[call.runs.length - 1] ?? prints;
    try {
      const outcome = step();
      if (outcome instanceof Promise) return outcome.finally(ends);
      ends();
      return outcome;
    } catch (error) {
      ends();
      throw error;
    }
  };
  const onRetry = (failed: FailedAttempt) => {
    call.told.push({ ...failed, atMs: nowMs() });
    options.onRetry?.(failed);
  };
  neverThrows(() => retry(task, { ...options, onRetry })).then(
    (value) => Object.assign(call, { end: 'value', value, endedAtMs: nowMs() }),
    (error: unknown) => Object.assign(call, { end: 'error', error, endedAtMs: nowMs() }),
  );
  return call;
}

function neverThrows(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return call();
  } catch (error) {
    return expect.fail(`retry() threw ${String(error)}: it must return a promise that rejects`);
  }
}

/** Waits for the end of a call, however long its waits are. */
async function finished(call: Call, patienceMs = 3_600_000): Promise<Call> {
  await advance(patienceMs);
  if (call.end === 'pending') {
    expect.fail(`after ${patienceMs / 1_000} s the locker still waits for what becomes of it`);
  }
  return call;
}

function run(steps: readonly Step[], options: Partial<RetryOptions> = {}): Promise<Call> {
  return finished(begin(steps, options));
}

/** The virtual clock cannot be moved by more at once. */
const LONGEST_ADVANCE_MS = 2 ** 31 - 1;

// ── What must be so, in words ───────────────────────────────────────────────────────────────────────────

function expectRuns({ runs }: Call, count: number, because: string): void {
  expect(runs.length, `${because}: how often the task should have run`).toBe(count);
}

function expectValue(call: Call, value: unknown, because: string): void {
  const { end, error } = call;
  if (end === 'error') {
    expect.fail(`${because}: the value is the result, but it rejected with ${inText(error)}`);
  }
  if (end === 'pending') expect.fail(`${because}: the value is there, and retry() still waits`);
  expect(call.value, because).toBe(value);
}

/** It gave up with this very error, and did so as soon as the last run had ended. */
function expectGaveUp(call: Call, error: unknown, because: string): void {
  expectError(call, error, because);
  const lateMs = call.endedAtMs - (call.runs.at(-1)?.endedAtMs ?? 0);
  if (lateMs > 1) {
    expect.fail(
      `${because}: nothing follows, so the caller is to hear of it at once, not ${lateMs} ms later`,
    );
  }
}

function expectError(call: Call, error: unknown, because: string): void {
  if (call.end === 'value') {
    expect.fail(`${because}: it should reject, but it resolved with ${inText(call.value)}`);
  }
  if (call.end === 'pending') expect.fail(`${because}: it should have rejected by now, and waits`);
  if (Object.is(call.error, error)) return;
  const [expected, actual] = [inText(error), inText(call.error)];
  const but = expected === actual ? 'it is another one of that kind' : `it rejected with ${actual}`;
  expect.fail(`${because}: it should reject with ${expected}, this very object; but ${but}`);
}

function inText(value: unknown): string {
  return value instanceof Error ? String(value) : (JSON.stringify(value) ?? 'undefined');
}

function expectNothingTold({ told }: Call, because: string): void {
  const [first] = told;
  if (!first) return;
  expect.fail(`${because}, so onRetry hears nothing; it was told of ${first.waitMs} ms to wait`);
}

/** How long each wait was, from the end of a run to the beginning of the next. */
function expectWaits({ runs, end }: Call, waitsMs: readonly number[], because: string): void {
  const ends = runs.map(({ endedAtMs }) => endedAtMs);
  const actual = runs.slice(1).map(({ beganAtMs }, index) => beganAtMs - (ends[index] ?? 0));
  if (actual.length === waitsMs.length && actual.every((ms, i) => isNear(ms, waitsMs[i]))) return;
  const yet = end === 'pending' ? ' so far' : '';
  expect.fail(`${because}: it should wait ${list(waitsMs)}; it waited ${list(actual)}${yet}`);
}

/** Give or take a millisecond, and what a clock adds to it by its rounding. */
function isNear(actualMs: number, expectedMs = Number.NaN): boolean {
  return Math.abs(actualMs - expectedMs) < 1.5;
}

function list(waitsMs: readonly number[]): string {
  return waitsMs.length === 0 ? 'not at all' : waitsMs.map((ms) => `${ms} ms`).join(', then ');
}

function expectNothingLeft(because: string, signal?: AbortSignal): void {
  const timers = pendingTimers() - timersBefore;
  if (timers > 0) expect.fail(`${because}: retry() has settled, but has left ${timers} timer(s)`);
  if (!signal) return;
  const { length } = getEventListeners(signal, 'abort');
  if (length > 0) {
    expect.fail(
      `${because}: retry() has settled, but has left ${length} listener(s) on the signal`,
    );
  }
}

/** What `Math.random` gives from now on, in this order; the last one for ever. */
function draws(...values: readonly [number, ...number[]]): void {
  let next = 0;
  vi.spyOn(Math, 'random').mockImplementation(() => {
    const value = values[Math.min(next, values.length - 1)] ?? 0;
    next += 1;
    return value;
  });
}

function httpDate(inMs: number): string {
  return new Date(Date.now() + inMs).toUTCString();
}

/** HTTP dates have no milliseconds, so wall clocks are read at the full second. */
function toFullSecond(): void {
  stepWallClock(-(Date.now() % 1_000));
}

/** What earlier tests have left must not count against the next. */
let timersBefore = 0;

beforeEach(() => {
  timersBefore = pendingTimers();
  draws(0.5);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await advance(3_600_000);
  if (pendingTimers() <= timersBefore) return;
  await advance(LONGEST_ADVANCE_MS);
  expect.fail(
    'an hour after the last call a timer is set: the wait of a call that is over, or of none',
  );
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · attempts are counted', () => {
  it('hands over what the first attempt gives, and runs it once', async () => {
    const call = await run([prints]);
    expectValue(call, 'label', 'the depot printed the label');
    expectRuns(call, 1, 'the first attempt succeeded');
  });

  it('takes a task that returns a plain value, even undefined', async () => {
    const report = new Error('the error of an earlier parcel, looked up');
    for (const value of [42, 0, '', undefined, null, false, report]) {
      const call = await run([() => value]);
      const because = `a task that returns ${inText(value)}, and returning is success`;
      expectValue(call, value, because);
      expectRuns(call, 1, because);
    }
  });

  it('waits for anything with a then, and asks it once', async () => {
    let sent = 0;
    const query = {
      // oxlint-disable-next-line unicorn/no-thenable
      then: (resolve: (value: string) => void) => {
        sent += 1;
        resolve('label');
      },
    };
    const call = await run([() => query]);
    expectValue(call, 'label', 'a task that returns a query');
    expect(sent, 'a query is sent each time its `then` is called').toBe(1);
  });

  it('tries again when what has a then rejects', async () => {
    const failing = {
      // oxlint-disable-next-line unicorn/no-thenable
      then: (_: unknown, reject: (error: unknown) => void) => reject(busy()),
    };
    const call = await run([() => failing, prints]);
    expectRuns(call, 2, 'a task that returns a query, and the query fails: a failed attempt');
    expectValue(call, 'label', 'the first query failed, the second attempt succeeded');
  });

  it('tries again until an attempt succeeds', async () => {
    const call = await run([fails(busy()), fails(busy()), prints]);
    expectValue(call, 'label', 'the third attempt succeeded');
    expectRuns(call, 3, 'two attempts failed, the third succeeded');
  });

  it.each([1, 2, 3, 7, 25])('attempts: %i counts the first one in', async (attempts) => {
    const call = await run(
      Array.from({ length: 40 }, () => fails(busy())),
      { attempts },
    );
    expectRuns(call, attempts, `attempts: ${attempts}, and the depot is always busy`);
  });

  it('takes the last attempt as seriously as the first', async () => {
    const call = await run([fails(busy()), fails(busy()), prints], { attempts: 3 });
    expectValue(call, 'label', 'the third attempt of three succeeded');
  });

  it('rejects with the error of the last attempt, the very object', async () => {
    const errors = ['429: busy', '429: still busy', '429: busy, try tomorrow'].map(
      (message) => new DepotError(message, 'not-applied'),
    );
    const call = await run(errors.map(fails), { attempts: 3 });
    expectError(call, errors[2], 'three attempts failed, each in its own way');
  });

  it('does not wait after the last attempt', async () => {
    const error = busy();
    const call = await run([fails(busy()), fails(error)], { attempts: 2, baseMs: 5_000 });
    expectGaveUp(call, error, 'the second attempt of two has failed');
  });

  it('rejects with whatever was thrown, even nothing at all', async () => {
    for (const thrown of [undefined, null, 0, 'no route to the depot']) {
      const call = await run([fails(thrown), fails(thrown)], {
        attempts: 2,
        classify: () => 'not-applied',
      });
      expectRuns(call, 2, `a task that rejects with ${String(thrown)}`);
      expectError(call, thrown, `a task that rejects with ${String(thrown)}`);
    }
  });

  it('takes a throw like a rejection', async () => {
    const error = busy();
    const call = await run([throws(busy()), throws(error)], { attempts: 2 });
    expectRuns(call, 2, 'the task throws before there is a promise');
    expectError(call, error, 'the task throws before there is a promise');
  });

  it('runs one attempt at a time', async () => {
    const call = begin([after(30_000, fails(busy())), prints]);
    await advance(29_000);
    expectRuns(call, 1, 'the first attempt is still under way');
    await finished(call);
    expectRuns(call, 2, 'the first attempt has failed');
  });

  it('tells each run its number', async () => {
    const call = await run([fails(busy()), fails(busy()), prints]);
    expect(
      call.runs.map(({ number }) => number),
      'the `number` that each run is told, from 1',
    ).toEqual([1, 2, 3]);
  });

  it('counts for each call by itself', async () => {
    const options = { attempts: 3 };
    const one = begin([fails(busy()), fails(busy()), fails(busy())], options);
    const other = begin([fails(busy()), fails(busy()), prints], options);
    await finished(one);
    await finished(other);
    expectRuns(one, 3, 'two calls at the same time');
    expectValue(
      other,
      'label',
      'two calls at the same time: this one succeeded in its third attempt',
    );
  });

  it('can be called again with the same options', async () => {
    const limits = { attempts: 3, baseMs: 100, capMs: 1_000, deadlineMs: 10_000 };
    const options: RetryOptions = { ...limits, classify };
    for (const round of [1, 2]) {
      let runs = 0;
      let error: unknown;
      retry(() => {
        runs += 1;
        throw busy();
      }, options).catch((thrown: unknown) => {
        error = thrown;
      });
      await advance(60_000);
      expect(
        runs,
        `attempts: 3, call ${round} with the same options object: how often the task should have run`,
      ).toBe(3);
      expect(error, `three attempts failed, call ${round}`).toBeInstanceOf(DepotError);
    }
  });
});

describe('2 · repeats only what may be repeated', () => {
  it('never repeats what would fail again', async () => {
    const error = taken();
    for (const idempotent of [false, true]) {
      const call = await run([fails(error)], { idempotent });
      expectRuns(call, 1, 'the compartment is taken, and will be (permanent)');
      expectGaveUp(call, error, 'the compartment is taken (permanent)');
    }
  });

  it('stops at the first error that would come again', async () => {
    const error = taken();
    const call = await run([fails(busy()), fails(error)]);
    expectRuns(call, 2, 'busy at first, then the compartment is taken');
    expectGaveUp(call, error, 'busy at first, then the compartment is taken');
  });

  it('repeats what was certainly not done, whatever it is', async () => {
    for (const idempotent of [false, true]) {
      const call = await run([fails(busy()), prints], { idempotent });
      expectValue(call, 'label', `429 (not-applied), idempotent: ${idempotent}`);
    }
  });

  it('does not repeat what may have been done', async () => {
    const error = noAnswer();
    const unsaid = await run([fails(error)]);
    expectRuns(unsaid, 1, 'no answer (in-doubt): the label may have been printed and paid');
    expectGaveUp(unsaid, error, 'no answer (in-doubt), and nothing is said of `idempotent`');
    const denied = await run([fails(error)], { idempotent: false });
    expectRuns(denied, 1, 'no answer (in-doubt), idempotent: false');
  });

  it('repeats what may have been done when twice is as good as once', async () => {
    const call = await run([fails(noAnswer()), fails(noAnswer()), prints], { idempotent: true });
    expectValue(call, 'label', 'no answer (in-doubt), twice, and idempotent: true');
  });

  it('judges each failure by itself', async () => {
    const error = noAnswer();
    const call = await run([fails(busy()), fails(error), prints]);
    expectRuns(call, 2, 'busy (not-applied), then no answer (in-doubt), and not idempotent');
    expectGaveUp(call, error, 'busy, then no answer, and not idempotent');
  });

  it('shows classify the very error', async () => {
    const error = busy();
    const shown: unknown[] = [];
    await run([fails(error), prints], {
      classify: (each) => {
        shown.push(each);
        return 'not-applied';
      },
    });
    expect(shown[0], 'what classify was called with').toBe(error);
  });

  it('takes every error for in doubt when it is not told otherwise', async () => {
    const timeout = new DOMException('The operation timed out', 'TimeoutError');
    for (const error of [
      new Error('?'),
      new TypeError('fetch failed'),
      timeout,
      new Error('read ECONNABORTED'),
      'lost',
      undefined,
    ]) {
      const once = await runUnclassified(error, false);
      expectRuns(once, 1, `${String(error)}: in doubt, and not idempotent`);
      expectGaveUp(once, error, `${String(error)}: in doubt, and not idempotent`);
      const again = await runUnclassified(error, true);
      expectRuns(again, 2, `${String(error)}: in doubt, and idempotent: true`);
    }
  });

  it('does not repeat what was cancelled when it is not told otherwise', async () => {
    const cancelled = new DOMException('This operation was aborted', 'AbortError');
    // As node:timers/promises, node:events and node:fs reject: no DOMException, and no code 20.
    const cancelledByNode = Object.assign(new Error('The operation was aborted'), {
      name: 'AbortError',
      code: 'ABORT_ERR',
    });
    // As a library of one's own may: no code at all.
    const cancelledByOthers = Object.assign(new Error('never mind'), { name: 'AbortError' });
    for (const error of [cancelled, cancelledByNode, cancelledByOthers]) {
      const call = await runUnclassified(error, true);
      expectRuns(call, 1, `an AbortError, by its name (${error.message})`);
      expectGaveUp(call, error, `an AbortError, by its name (${error.message})`);
    }
  });

  it('leaves it to classify alone, when there is one', async () => {
    const cancelled = new DOMException('This operation was aborted', 'AbortError');
    const call = await run([fails(cancelled), prints], { classify: () => 'not-applied' });
    expectRuns(call, 2, 'an AbortError, and classify says not-applied');
  });
});

/** Without `classify`: the depot fails once, then prints. */
function runUnclassified(error: unknown, idempotent: boolean): Promise<Call> {
  const options = { attempts: 3, baseMs: 10, capMs: 10, idempotent };
  return finished(watch([fails(error), prints], options));
}

describe('3 · backs off with full jitter', () => {
  it('doubles the ceiling from base to cap', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7].map((n) => backoffMs(n, { baseMs: 100, capMs: 1_000 }));
    expect(
      waits,
      'base 100, cap 1,000, and Math.random() gives 0.5: backoffMs(1), backoffMs(2), …',
    ).toEqual([50, 100, 200, 400, 500, 500, 500]);
  });

  it('takes base and cap as they are', () => {
    const waitsOf = (baseMs: number, capMs: number) =>
      [1, 2, 3, 8].map((n) => backoffMs(n, { baseMs, capMs }));
    expect(waitsOf(200, 60_000), 'base 200, cap 60,000').toEqual([100, 200, 400, 12_800]);
    expect(waitsOf(1_000, 3_000), 'base 1,000, cap 3,000').toEqual([500, 1_000, 1_500, 1_500]);
    expect(waitsOf(500, 100), 'base 500, cap 100').toEqual([50, 50, 50, 50]);
    expect(waitsOf(0, 100), 'base 0').toEqual([0, 0, 0, 0]);
    expect(waitsOf(500, 0), 'cap 0').toEqual([0, 0, 0, 0]);
  });

  it('doubles as long as the cap allows', () => {
    const waitsMs = [21, 27, 28, 40].map((n) => backoffMs(n, { baseMs: 1, capMs: 86_400_000 }));
    expect(waitsMs, 'base 1, and the cap is a day: backoffMs(21), (27), (28), (40)').toEqual([
      2 ** 19,
      2 ** 25,
      43_200_000,
      43_200_000,
    ]);
    const waitMs = backoffMs(32, { baseMs: 1, capMs: 4_000_000_000 });
    expect(waitMs, 'base 1, cap 4,000,000,000: the ceiling of retry 32 is 2 ** 31').toBe(2 ** 30);
  });

  it('draws from nothing at all up to the ceiling', () => {
    const options = { baseMs: 1_000, capMs: 60_000 };
    draws(0, 0.25, 0.75, 0.999_999);
    expect(backoffMs(3, options), 'Math.random() gives 0').toBe(0);
    expect(backoffMs(3, options), 'Math.random() gives 0.25').toBe(1_000);
    expect(backoffMs(3, options), 'Math.random() gives 0.75').toBe(3_000);
    const highest = backoffMs(3, options);
    expect(highest, 'Math.random() gives 0.999999: not the ceiling itself').toBeLessThan(4_000);
    expect(highest, 'Math.random() gives 0.999999: nearly the ceiling').toBeGreaterThanOrEqual(
      3_999,
    );
  });

  it('caps the ceiling, not the draw', () => {
    draws(0.25);
    const waitMs = backoffMs(12, { baseMs: 100, capMs: 1_000 });
    expect(waitMs, 'a quarter of 1,000: else most lockers would wait exactly the cap').toBe(250);
  });

  it.each([31, 32, 33, 53, 64, 1_024, 1_025, 1_100, 5_000, 1_000_000])(
    'stays finite and below the cap: retry %i',
    (retryNumber) => {
      const options = { baseMs: 100, capMs: 20_000 };
      expect(backoffMs(retryNumber, options), 'base 100, cap 20,000').toBe(10_000);
      const nothing = backoffMs(retryNumber, { baseMs: 0, capMs: 20_000 });
      expect(nothing, 'base 0, so the ceiling stays at 0').toBe(0);
    },
  );

  it('draws below the capped ceiling, whatever the numbers', () => {
    const retryNumbers = fc.oneof(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 9_999 }),
    );
    // Whole or not, as long as doubling is exact.
    const lengths = fc.oneof(
      fc.integer({ min: 0, max: 1_000_000 }),
      fc.integer({ min: 0, max: 99 }).map((n) => n / 8),
    );
    const random = fc.integer({ min: 0, max: 999_999 }).map((n) => n / 1_000_000);
    fc.assert(
      fc.property(retryNumbers, lengths, lengths, random, (retryNumber, baseMs, capMs, drawn) => {
        draws(drawn);
        const waitMs = backoffMs(retryNumber, { baseMs, capMs });
        let ceilingMs = Math.min(baseMs, capMs);
        for (let n = 1; n < retryNumber && ceilingMs < capMs && ceilingMs > 0; n += 1) {
          ceilingMs = Math.min(capMs, 2 * ceilingMs);
        }
        const expectedMs = drawn * ceilingMs;
        const isBelow = waitMs < ceilingMs || waitMs === 0;
        if (isBelow && waitMs >= 0 && waitMs <= expectedMs + 1e-6 && waitMs > expectedMs - 1)
          return;
        expect.fail(
          `backoffMs(${retryNumber}, { baseMs: ${baseMs}, capMs: ${capMs} }): the ceiling is ${ceilingMs}, ` +
            `Math.random() gave ${drawn}, so the wait is ${expectedMs}, not ${waitMs}`,
        );
      }),
      { seed: 20_261_123, numRuns: 300 },
    );
  });

  it('waits for each call by itself', async () => {
    const { signal } = new AbortController();
    const options = [{ baseMs: 400 }, { baseMs: 1_000 }, { baseMs: 400, signal }];
    const shared = [...options, { baseMs: 1_000, signal }, { baseMs: 2_000, signal }];
    const calls = shared.map((each) => begin([fails(busy()), prints], each));
    for (const [index, call] of calls.entries()) {
      const { baseMs = 0 } = shared[index] ?? {};
      await finished(call);
      expectWaits(call, [baseMs / 2], `five calls side by side, this one with a base of ${baseMs}`);
      expectValue(call, 'label', 'five calls side by side, each succeeds in its second attempt');
    }
    expectNothingLeft('five calls have ended', signal);
  });

  it('waits before each attempt but the first', async () => {
    const call = await run([fails(busy()), fails(busy()), fails(busy()), prints], {
      baseMs: 1_000,
      capMs: 60_000,
    });
    expectWaits(call, [500, 1_000, 2_000], 'base 1,000, and Math.random() gives 0.5');
    expect(call.runs[0]?.beganAtMs, 'the first attempt waits for nothing').toBeLessThan(2);
  });

  it('keeps below the cap while it waits', async () => {
    const call = await run(
      Array.from({ length: 5 }, () => fails(busy())),
      { baseMs: 1_000, capMs: 3_000 },
    );
    expectWaits(call, [500, 1_000, 1_500, 1_500], 'base 1,000, cap 3,000, half of each ceiling');
  });

  it('draws anew for each wait, and once', async () => {
    draws(0.1, 0.9, 0.5, 0);
    const steps = Array.from({ length: 5 }, () => fails(busy()));
    const call = await run(steps, { baseMs: 100 });
    expectWaits(call, [10, 180, 200, 0], 'base 100, and Math.random() gives 0.1, 0.9, 0.5, 0');
  });

  it('begins to wait when the attempt has failed', async () => {
    const slow = after(3_000, fails(busy()));
    const call = await run([slow, slow, prints], { baseMs: 1_000 });
    expectWaits(call, [500, 1_000], 'each attempt takes 3 s before it fails');
  });

  it('starts from the base with each call', async () => {
    const steps = [fails(busy()), fails(busy()), prints];
    const options = { baseMs: 400 };
    const one = begin(steps, options);
    const other = begin(steps, options);
    await finished(one);
    await finished(other);
    expectWaits(one, [200, 400], 'base 400, two calls side by side, the first of them');
    expectWaits(other, [200, 400], 'base 400, two calls side by side, the second of them');
    const later = await run([fails(busy()), prints], options);
    expectWaits(later, [200], 'base 400, a third call, later');
  });

  it('tells of each wait before it', async () => {
    draws(0.5, 0.25, 0);
    const errors = [busy(), noAnswer(), busy()];
    const call = await run([...errors.map(fails), prints], { baseMs: 1_000, idempotent: true });
    // After 0, 500 and 1,000 ms.
    const told = call.told.map(
      ({ number, waitMs, atMs }) =>
        `attempt ${number} failed, ${waitMs} ms to wait, told after ${Math.round(atMs / 100) * 100} ms`,
    );
    expect(told, 'what onRetry is told, and when; a wait of 0 ms is one, too').toEqual([
      'attempt 1 failed, 500 ms to wait, told after 0 ms',
      'attempt 2 failed, 500 ms to wait, told after 500 ms',
      'attempt 3 failed, 0 ms to wait, told after 1000 ms',
    ]);
    for (const [index, error] of errors.entries()) {
      const got = call.told[index]?.error;
      if (got === error) continue;
      expect.fail(
        `onRetry needs the very error of attempt ${index + 1}, ${inText(error)}, not ${inText(got)}`,
      );
    }
  });

  it('tells of nothing when no attempt follows', async () => {
    for (const steps of [[prints], [fails(taken())], [fails(noAnswer())]]) {
      expectNothingTold(await run(steps), 'one attempt, and no other');
    }
    const { told } = await run([fails(busy()), fails(busy())], { attempts: 2 });
    expect(told.length, 'two attempts of two failed: there is one wait, between them').toBe(1);
  });
});

describe('4 · waits as long as it is told', () => {
  it('takes digits for seconds, and adds the backoff', async () => {
    for (const [value, seconds] of [
      ['2', 2],
      ['30', 30],
      ['010', 10],
      ['1500', 1_500],
      ['2027', 2_027],
      ['0', 0],
    ] as const) {
      const call = await run([fails(busy(value)), prints]);
      expectWaits(call, [seconds * 1_000 + 50], `Retry-After: ${value}, and a backoff of 50 ms`);
    }
  });

  it('never comes earlier than told, and not all in the same instant', async () => {
    for (const drawn of [0, 0.25, 0.9]) {
      draws(drawn);
      const call = await run([fails(busy('10')), prints], { baseMs: 4_000 });
      const backoff = 4_000 * drawn;
      expectWaits(call, [10_000 + backoff], `Retry-After: 10, and a backoff of ${backoff} ms`);
    }
  });

  it('takes a date for the time until then', async () => {
    for (const seconds of [1, 30, 1_800]) {
      toFullSecond();
      const call = await run([fails(busy(httpDate(seconds * 1_000))), prints]);
      expectWaits(
        call,
        [seconds * 1_000 + 50],
        `Retry-After: a date in ${seconds} s, as HTTP has it`,
      );
    }
  });

  it('takes a date in any month', async () => {
    const aheadMs = Date.now() - performance.now();
    try {
      for (let month = 0; month < 12; month += 1) {
        stepWallClock(Date.UTC(2027, month, 5, 9) - Date.now());
        const value = httpDate(30_000);
        const call = begin([fails(busy(value)), prints]);
        await advance(31_000);
        expectWaits(call, [30_050], `Retry-After: ${value}, which is in 30 s`);
      }
    } finally {
      stepWallClock(performance.now() + aheadMs - Date.now());
    }
  });

  it('does not wait for a date that is past', async () => {
    toFullSecond();
    for (const ms of [0, -1_000, -86_400_000]) {
      const call = await run([fails(busy(httpDate(ms))), prints]);
      expectWaits(call, [50], `Retry-After: a date ${-ms / 1_000} s ago, and a backoff of 50 ms`);
    }
  });

  it('compares the date with the time at which the attempt failed', async () => {
    toFullSecond();
    const call = await run([after(20_000, fails(busy(httpDate(30_000)))), prints]);
    expectWaits(call, [10_050], 'a date in 30 s, in an answer that took 20 s');
  });

  it('compares the date with the wall clock', async () => {
    stepWallClock(-7_200_000);
    toFullSecond();
    const back = await run([fails(busy(httpDate(30_000))), prints]);
    expectWaits(back, [30_050], 'a date in 30 s; the wall clock had gone back 2 h before');
    const call = begin([
      after(5_000, () => {
        stepWallClock(86_400_000);
        toFullSecond();
        return fails(busy(httpDate(30_000)))();
      }),
      prints,
    ]);
    await finished(call);
    expectWaits(call, [30_050], 'a date in 30 s; the wall clock was set right during the attempt');
  });

  it('looks at the wall clock once', async () => {
    for (const ms of [-3_600_000, 3_600_000]) {
      toFullSecond();
      const call = begin([fails(busy(httpDate(30_000))), prints]);
      await advance(10_000);
      stepWallClock(ms);
      await finished(call);
      expectWaits(call, [30_050], `during a wait of 30 s the wall clock moved ${ms / 1_000} s`);
    }
  });

  it('takes everything else for nothing', async () => {
    const soon = new Date(Date.now() + 7_200_000);
    const date = soon.toUTCString();
    const numbers = [
      '',
      '-3',
      '+3',
      '-120',
      '1.5',
      '1,5',
      '1e3',
      '0x10',
      '1000abc',
      '1_000',
      '9 s',
    ];
    const names = ['Infinity', '-Infinity', 'NaN', 'null', 'soon', `${date} or so`];
    const otherDates = [soon.toISOString(), soon.toString(), soon.toDateString(), date.slice(5)];
    const zones = ['+0000', 'UTC', 'Z'].map((zone) => date.replace('GMT', zone));
    const cutDates = [date.slice(0, -4), date.slice(0, 16), soon.toISOString().slice(0, 10)];
    const noDates = [`${date}+0100`, `from ${date}`, date.replace(/\d+:/, '25:')];
    const noTexts = [120, 0, Number.NaN, null, true, {}, ['120'], soon, soon.getTime()];
    for (const value of [numbers, names, otherDates, zones, cutDates, noDates, noTexts].flat()) {
      const call = begin([fails(busy(value)), prints]);
      await advance(60);
      expectWaits(
        call,
        [50],
        `Retry-After: ${JSON.stringify(value)} is none, the backoff is 50 ms`,
      );
    }
  });

  it('reads it from whatever has been thrown', async () => {
    const plain = await run([fails({ retryAfter: '3' }), prints], {
      classify: () => 'not-applied',
    });
    expectWaits(plain, [3_050], 'an object that is no Error, with a retryAfter of "3"');
    const inherited = Object.create(busy('4')) as unknown;
    const call = await run([fails(inherited), prints], { classify: () => 'not-applied' });
    expectWaits(call, [4_050], 'an error that inherits its retryAfter of "4"');
  });

  it('may wait longer than the cap', async () => {
    const call = await run([fails(busy('60')), prints], { baseMs: 100, capMs: 1_000 });
    expectWaits(call, [60_050], 'Retry-After: 60; the cap of 1,000 ms is for the backoff');
  });

  it('keeps to it for one wait', async () => {
    const call = await run([fails(busy('5')), fails(busy()), fails(busy('2')), prints]);
    expectWaits(call, [5_050, 100, 2_200], 'Retry-After: 5, then none, then 2');
  });

  it('is told when to come back, not whether', async () => {
    const final = taken('1');
    const permanent = await run([fails(final), prints], { idempotent: true });
    expectGaveUp(permanent, final, 'the compartment is taken (permanent), with Retry-After: 1');
    const doubtful = noAnswer('1');
    const inDoubt = await run([fails(doubtful), prints]);
    expectGaveUp(inDoubt, doubtful, '503 (in-doubt) with Retry-After: 1, and not idempotent');
    const last = busy('30');
    const spent = await run([fails(busy('1')), fails(last), prints], { attempts: 2 });
    expectGaveUp(spent, last, 'the last attempt of two, with Retry-After: 30');
  });

  it('tells of the whole wait', async () => {
    const { told } = await run([fails(busy('7')), prints]);
    expect(told[0]?.waitMs, 'Retry-After: 7 and a backoff of 50 ms: waitMs').toBe(7_050);
  });

  it('gives up on a wait that no timer can keep', async () => {
    const far = httpDate(30 * 86_400_000);
    // 1795377630 is a point in time to some, which is not what the header says.
    const seconds = ['2592000', '2147484', '1795377630', '99999999999999999999', '9'.repeat(400)];
    for (const value of [...seconds, far]) {
      const error = busy(value);
      const call = begin([fails(error), prints]);
      await settle();
      expectGaveUp(call, error, `Retry-After: ${value.slice(0, 40)}, too long for setTimeout`);
      expectRuns(call, 1, `Retry-After: ${value.slice(0, 40)}, too long for setTimeout`);
      expectNothingTold(call, 'no wait begins');
    }
    draws(0.648);
    const error = busy('2147483');
    const sum = begin([fails(error), prints], { baseMs: 1_000 });
    await settle();
    expectGaveUp(
      sum,
      error,
      'Retry-After: 2147483 and a backoff of 648 ms, together 1 ms too long',
    );
  });

  it('keeps the longest wait that a timer can', async () => {
    draws(0.647);
    const call = begin([fails(busy('2147483')), prints], { baseMs: 1_000 });
    await advance(LONGEST_ADVANCE_MS);
    await finished(call);
    expectWaits(call, [LONGEST_ADVANCE_MS], 'Retry-After: 2147483 and a backoff of 647 ms');
  });
});

describe('5 · stops when the customer cancels', () => {
  it('does nothing when it is cancelled already', async () => {
    const left = new Error('the customer has left');
    const signal = AbortSignal.abort(left);
    const call = begin([prints], { signal });
    await settle();
    expectRuns(call, 0, 'cancelled before the call');
    expectError(call, left, 'cancelled before the call');
    expectNothingLeft('cancelled before the call', signal);
  });

  it('ends a wait at once', async () => {
    const left = new Error('the customer has left');
    const controller = new AbortController();
    const { signal } = controller;
    const call = begin([fails(busy('3000')), prints], { signal });
    await advance(20_000);
    controller.abort(left);
    await settle();
    expectError(call, left, 'cancelled 20 s into a wait of 50 min');
    expectNothingLeft('cancelled 20 s into a wait of 50 min', signal);
  });

  it('runs nothing any more once it is cancelled', async () => {
    const controller = new AbortController();
    const call = begin([fails(busy()), fails(busy()), prints], { signal: controller.signal });
    await advance(60);
    expectRuns(call, 2, 'the second wait has begun');
    controller.abort();
    await advance(3_600_000);
    expectRuns(call, 2, 'cancelled during the second wait');
    expectError(call, controller.signal.reason, 'cancelled during the second wait');
  });

  it('hands over the very reason, whatever it is', async () => {
    for (const reason of [
      new Error('left'),
      { left: true },
      'left',
      '',
      0,
      false,
      null,
      undefined,
    ]) {
      const inWait = new AbortController();
      const waiting = begin([fails(busy()), prints], { signal: inWait.signal });
      const inAttempt = new AbortController();
      const slow = after(1_000, fails(taken()));
      const trying = begin([slow, prints], { signal: inAttempt.signal });
      await advance(10);
      inWait.abort(reason);
      inAttempt.abort(reason);
      await advance(1_000);
      const before = begin([prints], { signal: inWait.signal });
      await settle();
      const word = `the reason is ${inText(reason)}`;
      expectError(waiting, inWait.signal.reason, `cancelled during the wait, ${word}`);
      expectError(trying, inAttempt.signal.reason, `cancelled during the attempt, ${word}`);
      expectError(before, inWait.signal.reason, `cancelled before the call, ${word}`);
    }
  });

  it('lets the attempt under way end, and hands over its value', async () => {
    const controller = new AbortController();
    const call = begin([after(5_000, prints)], { signal: controller.signal });
    await advance(1_000);
    controller.abort();
    await advance(3_000);
    if (call.end !== 'pending') {
      expect.fail(
        'cancelled while the label is printed: it may be printed yet, so wait for the end',
      );
    }
    await finished(call);
    expectValue(call, 'label', 'cancelled too late: the label is printed');
  });

  it('repeats nothing after the attempt in which it is cancelled', async () => {
    for (const error of [busy(), busy('5'), taken(), noAnswer()]) {
      const left = new Error('the customer has left');
      const controller = new AbortController();
      const call = begin([after(5_000, fails(error)), prints], { signal: controller.signal });
      await advance(1_000);
      controller.abort(left);
      await finished(call);
      expectRuns(call, 1, `cancelled during the attempt, which failed (${error.failure})`);
      expectGaveUp(call, left, `cancelled during the attempt, which failed (${error.failure})`);
      expectNothingTold(call, 'no wait begins');
    }
  });

  it('gives the reason, also when the last attempt fails', async () => {
    const left = new Error('the customer has left');
    const controller = new AbortController();
    const steps = [fails(busy()), after(5_000, fails(busy()))];
    const call = begin(steps, { signal: controller.signal, attempts: 2 });
    await advance(1_000);
    controller.abort(left);
    await finished(call);
    expectGaveUp(call, left, 'cancelled during the second attempt of two, which failed');
  });

  it('notices when the task itself cancels', async () => {
    const left = new Error('the customer has left');
    const controller = new AbortController();
    const call = await run(
      [
        () => {
          controller.abort(left);
          throw busy();
        },
        prints,
      ],
      { signal: controller.signal },
    );
    expectRuns(call, 1, 'the task cancels, then throws');
    expectGaveUp(call, left, 'the task cancels, then throws');
  });

  it('notices when it is cancelled while it tells of the wait', async () => {
    for (const [baseMs, retryAfter] of [
      [100, '60'],
      [100, undefined],
      [0, undefined],
    ] as const) {
      const left = new Error('the customer has left');
      const controller = new AbortController();
      const { signal } = controller;
      const onRetry = () => controller.abort(left);
      const call = begin([fails(busy(retryAfter)), prints], { baseMs, signal, onRetry });
      await settle();
      const because = `onRetry() has cancelled (base ${baseMs}, Retry-After: ${retryAfter ?? 'none'})`;
      expectError(call, left, `${because}: a listener added later is never called`);
      expectRuns(call, 1, because);
      expectNothingLeft(because, signal);
    }
  });

  it('can be cancelled in any wait, not in the first alone', async () => {
    for (const waits of [1, 2, 3, 4]) {
      const left = new Error('the customer has left');
      const controller = new AbortController();
      const steps = Array.from({ length: 5 }, () => fails(busy('10')));
      const call = begin(steps, { signal: controller.signal });
      await advance(10_000 * waits);
      controller.abort(left);
      await settle();
      expectRuns(call, waits, `cancelled in wait ${waits}`);
      expectError(call, left, `cancelled in wait ${waits}`);
      expectNothingLeft(`cancelled in wait ${waits}`, controller.signal);
    }
  });

  it('cancels one call, not the others', async () => {
    const controller = new AbortController();
    const steps = [fails(busy()), prints];
    const one = begin(steps, { signal: controller.signal });
    const other = begin(steps, { signal: new AbortController().signal });
    const third = begin(steps);
    await advance(10);
    controller.abort();
    await finished(one);
    await finished(other);
    await finished(third);
    expectError(one, controller.signal.reason, 'this one was cancelled');
    expectValue(other, 'label', 'the signal of another call was aborted');
    expectValue(third, 'label', 'the signal of another call was aborted');
  });

  it('cancels all calls that share the signal', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [1, 2, 3].map(() => begin([fails(busy()), prints], { signal }));
    const quick = begin([fails(busy()), prints], { signal, baseMs: 10 });
    await advance(10);
    expectValue(quick, 'label', 'four calls share a signal, and this one waited for 5 ms');
    controller.abort();
    await settle();
    for (const call of calls) {
      const because = 'three calls wait, a fourth has ended, and they share the signal that aborts';
      expectError(call, signal.reason, because);
    }
    expectNothingLeft('four calls shared a signal', signal);
  });

  it('leaves no listener behind, however it ends', async () => {
    const { signal } = new AbortController();
    const ends: readonly (readonly [because: string, runs: number, steps: readonly Step[]])[] = [
      ['it succeeded at once', 1, [prints]],
      ['it succeeded in the third attempt', 3, [fails(busy()), fails(busy()), prints]],
      ['it failed for good', 1, [fails(taken())]],
      ['it failed for good in the second attempt', 2, [fails(busy()), fails(taken())]],
      ['all attempts failed', 5, Array.from({ length: 5 }, () => fails(busy()))],
      ['the wait would have been too long', 1, [fails(busy('9'.repeat(30)))]],
    ];
    for (const [because, runs, steps] of ends) {
      const call = begin(steps, { signal, baseMs: 20 });
      await advance(1_000);
      expectRuns(call, runs, because);
      if (call.end === 'pending') expect.fail(`${because}: and retry() has not settled`);
      expectNothingLeft(because, signal);
    }
  });

  it('does not mind a signal that aborts afterwards', async () => {
    const controller = new AbortController();
    const call = await run([fails(busy()), prints], { signal: controller.signal });
    controller.abort();
    await settle();
    expectValue(call, 'label', 'the signal was aborted after the end');
    expectRuns(call, 2, 'the signal was aborted after the end');
  });
});

describe('6 · keeps to a deadline', () => {
  it('gives up at once when the wait does not fit', async () => {
    const error = busy();
    const call = await run([fails(error), prints], { baseMs: 4_000, deadlineMs: 1_000 });
    expectRuns(call, 1, 'a wait of 2 s, and 1 s to the deadline');
    expectGaveUp(call, error, 'a wait of 2 s, and 1 s to the deadline');
    expectNothingTold(call, 'no wait begins');
  });

  it.each([400, 2_000, 60_000])('is where it is said to be: %i ms', async (deadlineMs) => {
    const within = await run([fails(busy()), prints], {
      baseMs: 2 * deadlineMs - 8,
      capMs: 1e9,
      deadlineMs,
    });
    expectValue(within, 'label', 'the wait ends 4 ms before the deadline');
    const error = busy();
    const at = await run([fails(error), prints], {
      baseMs: 2 * deadlineMs,
      capMs: 1e9,
      deadlineMs,
    });
    expectGaveUp(at, error, 'the wait would end at the very deadline, which is too late');
  });

  it('counts attempts and waits alike', async () => {
    const errors = [busy(), busy(), busy()];
    const steps = errors.map((error) => after(3_000, fails(error)));
    const call = await run(steps, { baseMs: 1_000, deadlineMs: 8_000 });
    // 0 to 3,000; 500; 3,500 to 6,500; 1,000; 7,500 to 10,500.
    expectRuns(call, 3, 'attempts of 3 s, waits of 500 and 1,000 ms, a deadline of 8 s');
    expectGaveUp(call, errors[2], 'attempts of 3 s, waits of 500 and 1,000 ms, a deadline of 8 s');
    const shorter = await run(steps, { baseMs: 1_000, deadlineMs: 7_400 });
    expectRuns(shorter, 2, 'the same with a deadline of 7.4 s: the second wait does not fit');
    expectGaveUp(shorter, errors[1], 'the same with a deadline of 7.4 s');
  });

  it('is for the whole call, not for each attempt', async () => {
    const steps = Array.from({ length: 9 }, () => after(900, fails(busy())));
    const call = await run(steps, { attempts: 9, baseMs: 0, deadlineMs: 2_000 });
    expectRuns(call, 3, 'attempts of 900 ms, no waits to speak of, a deadline of 2 s');
  });

  it('gives up at once when it is told to come back too late', async () => {
    for (const valueOf of [() => '30', httpDate]) {
      const value = valueOf(30_000);
      const error = busy(value);
      const call = await run([fails(error), prints], { deadlineMs: 10_000 });
      expectRuns(call, 1, `Retry-After: ${value}, and 10 s to the deadline`);
      expectGaveUp(call, error, `Retry-After: ${value}, and 10 s to the deadline`);
    }
    const fits = await run([fails(busy('9')), prints], { deadlineMs: 10_000 });
    expectValue(fits, 'label', 'Retry-After: 9, and 10 s to the deadline');
  });

  it('counts the backoff on top of what it is told', async () => {
    const error = busy('9');
    const call = await run([fails(error), prints], { baseMs: 4_000, deadlineMs: 10_000 });
    expectGaveUp(call, error, 'Retry-After: 9 and a backoff of 2 s, and 10 s to the deadline');
  });

  it('lets the attempt under way end', async () => {
    const late = await run([after(5_000, prints)], { deadlineMs: 2_000 });
    expectValue(late, 'label', 'the first attempt succeeded, 3 s after the deadline');
    const error = busy();
    const failed = await run([after(5_000, fails(error)), prints], {
      baseMs: 0,
      deadlineMs: 2_000,
    });
    expectRuns(failed, 1, 'the first attempt failed, 3 s after the deadline');
    expectGaveUp(failed, error, 'the first attempt failed, 3 s after the deadline');
    expectNothingTold(failed, 'no wait begins');
  });

  it('tells each attempt how much time remains', async () => {
    for (const deadlineMs of [30_000, 600_000]) {
      const call = await run([after(2_000, fails(busy())), fails(busy('4')), prints], {
        baseMs: 1_000,
        deadlineMs,
      });
      for (const [index, passedMs] of [0, 2_500, 7_500].entries()) {
        const expected = deadlineMs - passedMs;
        const actual = call.runs[index]?.remainingMs ?? Number.NaN;
        if (Math.abs(actual - expected) <= 5) continue;
        expect.fail(
          `a deadline of ${deadlineMs / 1_000} s, attempt ${index + 1}: remainingMs should be ${expected}, not ${actual}`,
        );
      }
    }
  });

  it('leaves the last word to a cancel, also when it is too late', async () => {
    const left = new Error('the customer has left');
    const controller = new AbortController();
    const call = begin([after(5_000, fails(busy())), prints], {
      signal: controller.signal,
      deadlineMs: 2_000,
    });
    await advance(1_000);
    controller.abort(left);
    await finished(call);
    expectGaveUp(call, left, 'cancelled during an attempt that failed 3 s after the deadline');
  });

  it('has no end without a deadline', async () => {
    const call = await run([fails(busy()), prints]);
    expect(call.runs[0]?.remainingMs, 'remainingMs of the first attempt').toBe(Infinity);
    expect(call.runs[1]?.remainingMs, 'remainingMs of the second attempt').toBe(Infinity);
    for (const options of [{}, { deadlineMs: Infinity }]) {
      const patient = await run([after(1_800_000, fails(busy('600'))), prints], options);
      const deadline = 'deadlineMs' in options ? 'deadlineMs: Infinity' : 'no deadline';
      expectValue(patient, 'label', `${deadline}: an attempt of 30 min, then a wait of 10`);
    }
  });

  it('begins with each call', async () => {
    const options = { deadlineMs: 1_000 };
    await run([prints], options);
    const call = await run([fails(busy()), prints], options);
    expectValue(call, 'label', 'a second call, an hour after the first');
  });

  it('is that of each call, whatever others have', async () => {
    const error = busy();
    const short = begin([after(900, fails(error)), prints], { deadlineMs: 1_000, baseMs: 400 });
    const long = begin([after(900, fails(busy())), prints], { deadlineMs: 5_000, baseMs: 400 });
    await advance(800);
    const late = begin([after(900, fails(busy())), prints], { deadlineMs: 5_000, baseMs: 400 });
    await finished(short);
    await finished(long);
    await finished(late);
    expectGaveUp(short, error, 'a wait of 200 ms after 900 of 1,000; other calls have 5,000');
    expectValue(long, 'label', 'a wait of 200 ms after 900 of 5,000; another call has 1,000');
    const remaining = long.runs.map(({ remainingMs = Number.NaN }) => Math.round(remainingMs / 10));
    expect(
      remaining.map((tens) => tens * 10),
      'a deadline of 5 s, attempts at 0 and 1.1 s, other calls have their own: remainingMs',
    ).toEqual([5_000, 3_900]);
    expectValue(late, 'label', 'a call that began 800 ms later');
  });

  it('does not notice when the wall clock is set forward', async () => {
    const forward = () => {
      stepWallClock(3_600_000);
      return fails(busy())();
    };
    const call = await run([forward, prints], { deadlineMs: 10_000 });
    expectValue(call, 'label', 'no time has passed; the wall clock went forward 1 h');
  });

  it('does not notice when the wall clock is set back', async () => {
    const error = busy();
    const back = () => {
      stepWallClock(-3_600_000);
      return fails(error)();
    };
    const call = await run([after(6_000, back), after(6_000, back), prints], {
      deadlineMs: 10_000,
    });
    expectRuns(call, 2, 'two attempts of 6 s, and the wall clock went back 1 h in each');
    expectGaveUp(call, error, 'the second attempt ended after the deadline of 10 s');
    const start = call.runs[1]?.remainingMs ?? Number.NaN;
    expect(start, '10 s at first, 6 s have passed: remainingMs').toBeLessThan(4_000);
  });

  it('leaves nothing behind, whether it ends early or gives up', async () => {
    const { signal } = new AbortController();
    const early = begin([fails(busy()), prints], { signal, deadlineMs: 600_000 });
    await advance(1_000);
    expectValue(early, 'label', 'the second attempt succeeded');
    expectNothingLeft('it succeeded long before the deadline', signal);
    const error = busy('900');
    const never = begin([fails(busy()), fails(error)], { signal, deadlineMs: 600_000 });
    await advance(1_000);
    expectGaveUp(never, error, 'the second wait does not fit');
    expectNothingLeft('it gave up long before the deadline', signal);
  });
});

describe('7 · whatever happens', () => {
  it('does what the rules say, from the first attempt to the end', async () => {
    await fc.assert(
      fc.asyncProperty(stories(), async (story) => {
        const expected = onPaper(story);
        const actual = await inReality(story, expected);
        if (isSame(expected, actual)) return;
        expect.fail(`by the rules: ${inWords(expected)}; but: ${inWords(actual)}`);
      }),
      { seed: 20_261_123, numRuns: 250 },
    );
  });
});

// ── The rules on paper, and what can happen ─────────────────────────────────────────────────────────────

interface Reply {
  readonly is: 'ok' | Failure;
  readonly tookMs: number;
  /** Seconds to wait; a date so many seconds after the call; or nothing of that kind. */
  readonly header:
    | { readonly seconds: number }
    | { readonly dateInS: number }
    | { readonly text: string }
    | undefined;
}

class Story {
  readonly replies: readonly Reply[];
  readonly options: RetryOptions;
  readonly drawn: readonly number[];
  /** Since the call; 0 is before it. */
  readonly cancelledAtMs: number;

  constructor(
    replies: readonly Reply[],
    options: RetryOptions,
    drawn: readonly number[],
    cancelledAtMs: number,
  ) {
    this.replies = replies;
    this.options = options;
    this.drawn = drawn;
    this.cancelledAtMs = cancelledAtMs;
  }

  /** How fast-check prints it. */
  [fc.toStringMethod] = () => {
    const { attempts, baseMs, capMs, idempotent = false, deadlineMs } = this.options;
    const given = [`attempts: ${attempts}`, `baseMs: ${baseMs}`, `capMs: ${capMs}`];
    if (idempotent) given.push('idempotent');
    if (deadlineMs !== undefined) given.push(`deadlineMs: ${deadlineMs}`);
    given.push(`Math.random() gives ${this.drawn.join(', ')}`);
    if (this.cancelledAtMs < Infinity) given.push(`cancelled at ${this.cancelledAtMs} ms`);
    return `${given.join(', ')}; the depot: ${this.replies.map(replyInWords).join(' → ')}`;
  };
}

function replyInWords({ is, tookMs, header }: Reply): string {
  const took = tookMs > 0 ? ` after ${tookMs} ms` : '';
  if (!header || is === 'ok') return `${is}${took}`;
  const value =
    'seconds' in header
      ? header.seconds
      : 'text' in header
        ? header.text
        : `date at ${header.dateInS} s`;
  return `${is}${took} (Retry-After: ${value})`;
}

/** All lengths are multiples of 100 ms, cancellations and deadlines lie between: no two things coincide. */
function stories() {
  const reply = fc.record<Reply>({
    is: fc.constantFrom('in-doubt', 'not-applied', 'not-applied', 'not-applied', 'permanent', 'ok'),
    tookMs: fc.constantFrom(0, 0, 100, 700, 2_000),
    header: fc.oneof(
      { withCrossShrink: true },
      fc.constant(undefined),
      fc.record({ seconds: fc.constantFrom(0, 1, 3) }),
      fc.record({ dateInS: fc.constantFrom(1, 4) }),
      fc.record({ text: fc.constantFrom('1.5', '-3') }),
    ),
  });
  const options = fc
    .record({
      attempts: fc.integer({ min: 1, max: 6 }),
      baseMs: fc.constantFrom(0, 400, 800, 2_000),
      capMs: fc.constantFrom(400, 1_600, 6_400, 60_000),
      idempotent: fc.boolean(),
      deadlineMs: fc.constantFrom(undefined, undefined, 1_050, 4_050, 9_050),
    })
    .map(({ deadlineMs, ...rest }) => (deadlineMs === undefined ? rest : { ...rest, deadlineMs }));
  const cancelled = fc.oneof(
    { withCrossShrink: true },
    { weight: 3, arbitrary: fc.constant(Infinity) },
    { weight: 1, arbitrary: fc.constantFrom(0, 50, 350, 1_050, 2_450, 5_050, 8_950) },
  );
  const drawn = fc.array(fc.constantFrom(0, 0.25, 0.5, 0.75), { minLength: 6, maxLength: 6 });
  return fc
    .tuple(fc.array(reply, { minLength: 1, maxLength: 7 }), options, drawn, cancelled)
    .map(([replies, given, draw, at]) => new Story(replies, { ...given, classify }, draw, at));
}

interface Course {
  /** When each attempt began. */
  readonly beganAtMs: readonly number[];
  readonly end: string;
  readonly endedAtMs: number;
}

function onPaper({ replies, options, drawn, cancelledAtMs }: Story): Course {
  const { attempts, baseMs, capMs, idempotent, deadlineMs = Infinity } = options;
  const beganAtMs: number[] = [];
  if (cancelledAtMs === 0) return { beganAtMs, end: 'rejects with the reason', endedAtMs: 0 };
  let nowMs = 0;
  let ceilingMs = baseMs;
  for (let number = 1; ; number += 1) {
    beganAtMs.push(nowMs);
    const { is, tookMs, header } = replies[number - 1] ?? OK;
    nowMs += tookMs;
    const ends = (end: string, endedAtMs = nowMs) => ({ beganAtMs, end, endedAtMs });
    if (is === 'ok') return ends(`resolves with the value of attempt ${number}`);
    if (cancelledAtMs < nowMs) return ends('rejects with the reason');
    let waitMs = Math.min(ceilingMs, capMs) * (drawn[number - 1] ?? 0);
    ceilingMs *= 2;
    if (header && 'seconds' in header) waitMs += header.seconds * 1_000;
    if (header && 'dateInS' in header) waitMs += Math.max(0, header.dateInS * 1_000 - nowMs);
    const mayRepeat = is === 'not-applied' || (is === 'in-doubt' && idempotent);
    if (!mayRepeat || number === attempts || nowMs + waitMs >= deadlineMs) {
      return ends(`rejects with the error of attempt ${number}`);
    }
    nowMs += waitMs;
    if (cancelledAtMs < nowMs) return ends('rejects with the reason', cancelledAtMs);
  }
}

const OK: Reply = { is: 'ok', tookMs: 0, header: undefined };

async function inReality(story: Story, { endedAtMs }: Course): Promise<Course> {
  const { replies, options, drawn, cancelledAtMs } = story;
  timersBefore = pendingTimers();
  toFullSecond();
  const calledAt = Date.now();
  const outcomes = replies.map(({ is, header }, index) => {
    if (is === 'ok') return `value of attempt ${index + 1}`;
    if (!header) return new DepotError(`${index + 1}`, is);
    if ('seconds' in header) return new DepotError(`${index + 1}`, is, `${header.seconds}`);
    if ('text' in header) return new DepotError(`${index + 1}`, is, header.text);
    const date = new Date(calledAt + header.dateInS * 1_000).toUTCString();
    return new DepotError(`${index + 1}`, is, date);
  });
  const steps = replies.map(({ tookMs }, index) => {
    const outcome = outcomes[index];
    const step =
      typeof outcome === 'string'
        ? () => Promise.resolve(outcome)
        : tookMs > 0 || index % 2 === 0
          ? fails(outcome)
          : throws(outcome);
    return tookMs > 0 ? after(tookMs, step) : step;
  });
  steps.push(() => `value of attempt ${replies.length + 1}`);
  const [first = 0, ...others] = drawn;
  draws(first, ...others);
  const controller = new AbortController();
  const { signal } = controller;
  if (cancelledAtMs === 0) controller.abort();
  const call = watch(steps, { ...options, signal });
  if (cancelledAtMs > 0 && cancelledAtMs <= endedAtMs) {
    await advance(cancelledAtMs);
    controller.abort();
    await advance(endedAtMs - cancelledAtMs + 20);
  } else {
    await advance(endedAtMs + 20);
  }
  if (call.end !== 'pending') expectNothingLeft(`it ${endOf(call)}`, signal);
  await advance(100_000);
  return {
    beganAtMs: call.runs.map((each) => each.beganAtMs),
    end: endOf(call),
    endedAtMs: call.endedAtMs,
  };

  function endOf({ end, value, error }: Call): string {
    if (end === 'pending') return 'does not settle';
    if (end === 'value') return `resolves with the ${String(value)}`;
    if (error === signal.reason) return 'rejects with the reason';
    const index = outcomes.findIndex((outcome) => outcome === error);
    return index === -1
      ? `rejects with ${String(error)}`
      : `rejects with the error of attempt ${index + 1}`;
  }
}

function isSame(expected: Course, actual: Course): boolean {
  const isAt = (oneMs: number | undefined, otherMs: number) =>
    Math.abs((oneMs ?? Number.NaN) - otherMs) < 20;
  return (
    expected.end === actual.end &&
    isAt(expected.endedAtMs, actual.endedAtMs) &&
    expected.beganAtMs.length === actual.beganAtMs.length &&
    expected.beganAtMs.every((ms, index) => isAt(actual.beganAtMs[index], ms))
  );
}

function inWords({ beganAtMs, end, endedAtMs }: Course): string {
  const attempts = beganAtMs.map((ms, index) => `attempt ${index + 1} at ${ms} ms`);
  return [...attempts, `${end} at ${endedAtMs} ms`].join(', ');
}
