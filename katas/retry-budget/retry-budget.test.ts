import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createRetryBudget,
  type Attempt,
  type CallOptions,
  type Counts,
  type RetryBudget,
  type RetryBudgetOptions,
} from './retry-budget.ts';

// ── The scores service, played by the spec ──────────────────────────────────────────────────────────────

class ScoresError extends Error {
  override readonly name = 'ScoresError';
}

const ENDS = ['ok', 'fails', 'no such match'] as const;
type End = (typeof ENDS)[number];
const errorOf: Record<End, () => Error | undefined> = {
  ok: () => undefined,
  fails: () => new ScoresError('503 from the scores service'),
  'no such match': () => new RangeError('404: no such match'),
};
const isRetryable = (error: unknown) => error instanceof ScoresError;

const WINDOW_MS = 10_000;
const HOUR_MS = 3_600_000;
/** Long enough for anything to be forgotten, many times over. */
const QUIET_MS = 20 * WINDOW_MS;

/** How long after the last call of a test timers may be set. */
let longestWindowMs = WINDOW_MS;

/** A budget that has nothing, unless it is told otherwise. */
function budgetWith(options: Partial<RetryBudgetOptions>): RetryBudget {
  const all = { ratio: 0, minPerSecond: 0, windowMs: WINDOW_MS, ...options };
  longestWindowMs = Math.max(longestWindowMs, all.windowMs);
  return createRetryBudget(all);
}

/** A budget that pays for any retry of a small test. */
function richBudget(): RetryBudget {
  return budgetWith({ ratio: 1, minPerSecond: 100 });
}

/** One request: how often its task has run, and how it ended. */
interface Call {
  runs: number;
  /** What each run was told: how many attempts went before it. */
  told: unknown[];
  end: 'pending' | 'value' | 'error';
  value?: unknown;
  error?: unknown;
}

function inWords({ end, value, error, runs }: Call): string {
  const ends = {
    pending: 'is still waiting',
    value: `got ${String(value)}`,
    error: `failed with ${String(error)}`,
  };
  return `${ends[end]} (runs: ${runs})`;
}

type Options = Partial<CallOptions>;

/** Three attempts, unless it is told otherwise. */
function watch(
  budget: RetryBudget,
  task: (run: number, attempt: Attempt) => unknown,
  options: Options = {},
): Call {
  const call: Call = { runs: 0, told: [], end: 'pending' };
  const counted = (attempt: Attempt) => {
    call.runs += 1;
    call.told.push(Object(attempt).previousAttempts);
    return task(call.runs, attempt);
  };
  callNeverThrows(budget, counted, { attempts: 3, isRetryable, ...options }).then(
    (value) => Object.assign(call, { end: 'value', value }),
    (error: unknown) => Object.assign(call, { end: 'error', error }),
  );
  return call;
}

function callNeverThrows(
  budget: RetryBudget,
  task: (attempt: Attempt) => unknown,
  options: CallOptions,
): Promise<unknown> {
  try {
    return budget.call(task, options);
  } catch (error) {
    return expect.fail(`call() threw ${String(error)}: it must return a promise that rejects`);
  }
}

/** A request whose attempts end at once, one after another as told; the last of the ends repeats. */
async function request(
  budget: RetryBudget,
  ends: readonly End[],
  options?: Options,
): Promise<Call> {
  const call = watch(
    budget,
    (run) => {
      const error = errorOf[ends[Math.min(run, ends.length) - 1] ?? 'ok']();
      return error ? Promise.reject(error) : Promise.resolve('2:1');
    },
    options,
  );
  await settle();
  if (call.end === 'pending') {
    expect.fail(
      `${call.runs === 1 ? 'one attempt has' : `${call.runs} attempts have`} ended at once, and the caller is still waiting: nobody waits here, neither before a retry nor for the budget`,
    );
  }
  return call;
}

/** Requests that all succeed at once, in one instant. */
async function requests(budget: RetryBudget, count: number): Promise<void> {
  const calls = Array.from({ length: count }, () => watch(budget, () => '2:1'));
  await settle();
  const reached = calls.filter(({ runs, end }) => runs === 1 && end === 'value').length;
  if (reached !== count) {
    expect.fail(
      `${count} requests that the service answers: each should have run once, but ${count - reached} did not`,
    );
  }
}

/** How many retries one request gets that fails and fails: all that the budget pays for. It earns its share first. */
async function retriesPaid(budget: RetryBudget): Promise<number> {
  const { runs, end, value } = await request(budget, ['fails'], { attempts: 1_000 });
  if (runs === 0) expect.fail('the first attempt was not made: it never depends on the budget');
  if (end === 'value') expect.fail(`every attempt failed, but the caller got ${String(value)}`);
  return runs - 1;
}

/** A task that fails before there is a promise. */
function throwsAtOnce(): never {
  throw errorOf.fails();
}

/** A request whose attempts end when the spec says so. */
async function slowRequest(budget: RetryBudget, options?: Options) {
  let settleTask: (error?: Error) => void = () => {};
  const call = watch(
    budget,
    () =>
      new Promise((resolve, reject) => {
        settleTask = (error) => (error ? reject(error) : resolve('2:1'));
      }),
    options,
  );
  await settle();
  return {
    call,
    /** Ends the attempt that is under way, without waiting for what follows. */
    endsNow: (error?: Error) => settleTask(error),
    ends: async (error?: Error) => {
      settleTask(error);
      await settle();
    },
  };
}

type SlowRequest = Awaited<ReturnType<typeof slowRequest>>;

/** Requests that are all under way at once. */
function crowdOf(budget: RetryBudget, count: number, options?: Options): Promise<SlowRequest[]> {
  return Promise.all(Array.from({ length: count }, () => slowRequest(budget, options)));
}

/** All of them fail in the same instant; resolves to how many are tried again. */
async function failTogether(crowd: readonly SlowRequest[]): Promise<number> {
  const runs = crowd.map(({ call }) => call.runs);
  for (const { endsNow } of crowd) endsNow(errorOf.fails());
  await settle();
  return crowd.filter(({ call }, index) => call.runs > (runs[index] ?? 0)).length;
}

/** Lets what is under way succeed. */
async function succeedTogether(crowd: readonly SlowRequest[]): Promise<void> {
  for (const { endsNow } of crowd) endsNow();
  await settle();
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

/** A copy, and no `-0`. */
function countsOf({ counts }: RetryBudget): Counts {
  const { requests: all, retries, refused } = counts;
  return { requests: all, retries, refused };
}

function balanceOf({ balance }: RetryBudget): number {
  return balance + 0;
}

/** Timers that never end add up from test to test, until hours pass in none of them. */
let isTimerLeft = false;

beforeEach(() => {
  if (isTimerLeft)
    expect.fail('a timer that an earlier test left behind is still running: see there');
});

afterEach(async () => {
  if (isTimerLeft) return;
  await advance(2 * longestWindowMs);
  longestWindowMs = WINDOW_MS;
  if (pendingTimers() > 0) {
    isTimerLeft = true;
    expect.fail(
      'two windows after the last call a timer is set: nobody calls, and it keeps on running',
    );
  }
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · one call, several attempts', () => {
  it('hands over what the task resolves with', async () => {
    const call = await request(richBudget(), ['ok']);
    expect(inWords(call), 'the service answered at once; the caller').toBe('got 2:1 (runs: 1)');
  });

  it('tries again at once', async () => {
    const call = await request(richBudget(), ['fails', 'ok']);
    expect(
      inWords(call),
      'the first attempt failed, and there is no waiting here: the next would succeed; the caller',
    ).toBe('got 2:1 (runs: 2)');
  });

  it.each([1, 2, 3, 7])('makes up to %i attempts, the first included', async (attempts) => {
    const call = await request(richBudget(), ['fails'], { attempts });
    expect(
      inWords(call),
      `attempts: ${attempts}, all of them fail, and the budget would pay for hundreds; the caller`,
    ).toBe(`failed with ScoresError: 503 from the scores service (runs: ${attempts})`);
  });

  it('ends with the first success', async () => {
    const call = await request(richBudget(), ['fails', 'fails', 'ok'], { attempts: 5 });
    expect(inWords(call), 'two failures, then a score; the caller').toBe('got 2:1 (runs: 3)');
  });

  it('hands over the very error of the last attempt', async () => {
    const errors = [1, 2, 3].map((nth) => new ScoresError(`failure ${nth}`));
    const call = watch(richBudget(), (run) => Promise.reject(errors[run - 1]));
    await settle();
    expect(call.error, 'three attempts failed: the caller needs the last error itself').toBe(
      errors[2],
    );
  });

  it('repeats only what isRetryable says', async () => {
    const once = await request(richBudget(), ['no such match']);
    expect(inWords(once), 'there is no such match, however often one asks; the caller').toBe(
      'failed with RangeError: 404: no such match (runs: 1)',
    );
    const twice = await request(richBudget(), ['fails', 'no such match', 'ok']);
    expect(inWords(twice), 'a failure, and then there is no such match; the caller').toBe(
      'failed with RangeError: 404: no such match (runs: 2)',
    );
  });

  it('takes a throw for a rejection', async () => {
    const call = watch(richBudget(), (run) => {
      if (run < 3) throw errorOf.fails();
      return '2:1';
    });
    await settle();
    expect(inWords(call), 'two attempts throw before there is a promise; the caller').toBe(
      'got 2:1 (runs: 3)',
    );
    const only = watch(richBudget(), throwsAtOnce, { attempts: 1 });
    await settle();
    expect(inWords(only), 'the only attempt throws; the caller').toBe(
      'failed with ScoresError: 503 from the scores service (runs: 1)',
    );
  });

  it('takes a task that returns a plain value, even undefined', async () => {
    const report = errorOf.fails();
    for (const value of [42, 0, '', undefined, null, false, report]) {
      const call = watch(richBudget(), () => value);
      await settle();
      expect(
        inWords(call),
        `a task that returns ${String(value)}, and returning is success; the caller`,
      ).toBe(`got ${String(value)} (runs: 1)`);
    }
  });

  it('waits for anything with a then, and asks it once an attempt', async () => {
    const queries = [
      new Query(() => {
        throw errorOf.fails();
      }),
      new Query(() => '2:1'),
    ];
    const call = watch(richBudget(), (run) => queries[run - 1]);
    await settle();
    expect(inWords(call), 'a task that returns a query, of which the first fails; the caller').toBe(
      'got 2:1 (runs: 2)',
    );
    expect(
      queries.map(({ sent }) => sent),
      'a query is sent each time its `then` is called',
    ).toEqual([1, 1]);
  });

  it('judges by whatever was thrown, even nothing at all', async () => {
    for (const thrown of [undefined, null, 0, 'no route to host']) {
      const seen: unknown[] = [];
      const call = watch(richBudget(), () => Promise.reject(thrown), {
        isRetryable: (error) => {
          seen.push(error);
          return true;
        },
      });
      await settle();
      expect(inWords(call), `a task that rejects with ${String(thrown)}; the caller`).toBe(
        `failed with ${String(thrown)} (runs: 3)`,
      );
      expect(call.error, 'what the caller gets').toBe(thrown);
      expect(new Set(seen), 'what isRetryable was asked about').toEqual(new Set([thrown]));
    }
  });

  it('makes one attempt after the other', async () => {
    const slow = await slowRequest(richBudget());
    await advance(WINDOW_MS / 2);
    expect(slow.call.runs, 'the first attempt is still under way').toBe(1);
    await slow.ends(errorOf.fails());
    expect(slow.call.runs, 'the first attempt failed: the second follows at once').toBe(2);
    await slow.ends();
    expect(inWords(slow.call), 'the second attempt succeeded; the caller').toBe(
      'got 2:1 (runs: 2)',
    );
  });

  it('lets calls run side by side, each by its own options', async () => {
    const budget = richBudget();
    const slow = await slowRequest(budget, { attempts: 2 });
    const quick = await request(budget, ['fails'], { attempts: 5 });
    expect(quick.runs, 'attempts: 5, while another call is under way').toBe(5);
    const calm = await request(budget, ['fails'], { attempts: 5, isRetryable: () => false });
    expect(calm.runs, 'a call whose isRetryable always says no').toBe(1);
    await slow.ends(errorOf.fails());
    await slow.ends(errorOf.fails());
    expect(slow.call.runs, 'attempts: 2, while other calls came and went').toBe(2);
    expect(slow.call.end, 'both attempts have failed').toBe('error');
  });
});

describe('2 · what pays for a retry', () => {
  it.each([
    { ratio: 0.1, of: 10 },
    { ratio: 0.2, of: 5 },
    { ratio: 0.5, of: 2 },
  ])('at $ratio, $of requests pay for one', async ({ ratio, of }) => {
    const budget = budgetWith({ ratio });
    await requests(budget, of - 1);
    expect(
      await retriesPaid(budget),
      `${of} requests, the one that fails included, ratio ${ratio}; retries`,
    ).toBe(1);
    expect(
      await retriesPaid(budget),
      'one more request; all that was earned before has been spent; retries',
    ).toBe(0);
  });

  it('keeps budgets apart', async () => {
    const scores = budgetWith({ ratio: 0.5 });
    const lineups = budgetWith({ ratio: 0.5 });
    const tables = budgetWith({ ratio: 0.2, minPerSecond: 0.1 });
    await requests(scores, 9);
    await requests(tables, 4);
    expect(
      await retriesPaid(lineups),
      'half of 1 request for lineups; budgets with other options were made later; retries',
    ).toBe(0);
    expect(await retriesPaid(scores), 'half of 10 requests for scores; retries').toBe(5);
    expect(
      await retriesPaid(tables),
      '0.2 of 5 requests for tables, and a reserve of 1; retries',
    ).toBe(2);
    expect(countsOf(tables), 'what the budget for tables has counted').toEqual({
      requests: 5,
      retries: 2,
      refused: 1,
    });
  });

  it('earns nothing by a retry', async () => {
    const budget = budgetWith({ ratio: 0.5 });
    await requests(budget, 39);
    expect(
      await retriesPaid(budget),
      'half of 40 requests; a retry is no request, and earns nothing; retries',
    ).toBe(20);
  });

  it('earns by requests, also when none succeeds', async () => {
    const budget = budgetWith({ ratio: 0.1 });
    let attempts = 0;
    for (let nth = 0; nth < 100; nth += 1) attempts += (await request(budget, ['fails'])).runs;
    expect(attempts, '100 requests, all attempts fail, ratio 0.1; what the service sees').toBe(110);
  });

  it.each([
    { ratio: 0.6, of: 5, retries: 3 },
    { ratio: 0.7, of: 10, retries: 7 },
    { ratio: 0.1, of: 70, retries: 7 },
    { ratio: 0.01, of: 100, retries: 1 },
    { ratio: 0.01, of: 2_000, retries: 20 },
    { ratio: 0.29, of: 100, retries: 29 },
    { ratio: 0.57, of: 100, retries: 57 },
    { ratio: 1, of: 3, retries: 3 },
  ])('rounds nothing: $ratio of $of requests are $retries', async ({ ratio, of, retries }) => {
    const enough = budgetWith({ ratio });
    await requests(enough, of - 1);
    expect(await retriesPaid(enough), `${ratio} of ${of} requests in one window; retries`).toBe(
      retries,
    );
    const tooFew = budgetWith({ ratio });
    await requests(tooFew, of - 2);
    expect(await retriesPaid(tooFew), `${ratio} of ${of - 1} requests in one window; retries`).toBe(
      retries - 1,
    );
  });

  it('never holds a first attempt back', async () => {
    for (const budget of [budgetWith({}), budgetWith({ ratio: 0.1 })]) {
      for (let nth = 1; nth <= 9; nth += 1) {
        const call = await request(budget, ['fails']);
        expect(call.runs, `request ${nth}, and there is nothing to pay a retry with`).toBe(1);
      }
      const { end, runs } = await request(budget, ['ok']);
      expect([end, runs], 'the service is back, and there is nothing to pay with').toEqual([
        'value',
        1,
      ]);
    }
  });

  it('surfaces the very error at once when there is nothing left', async () => {
    const budget = budgetWith({ minPerSecond: 0.2 });
    const errors = [1, 2, 3, 4, 5].map((nth) => new ScoresError(`failure ${nth}`));
    const call = watch(budget, (run) => Promise.reject(errors[run - 1]), { attempts: 5 });
    await settle();
    expect(call.runs, 'a reserve of 2 pays for two retries; attempts').toBe(3);
    expect(
      call.end,
      'nothing is left to pay with: the caller must be told at once, not wait for more',
    ).toBe('error');
    expect(
      call.error,
      'the caller needs the error of the last attempt itself, not one about budgets',
    ).toBe(errors[2]);
  });

  it('does not come back to a call it has refused', async () => {
    const budget = budgetWith({ ratio: 0.5 });
    const refused = await request(budget, ['fails']);
    expect(refused, 'half a retry is earned').toMatchObject({ runs: 1, end: 'error' });
    await requests(budget, 10);
    await advance(2 * WINDOW_MS);
    expect(refused.runs, 'there is money again, but the caller was told long ago').toBe(1);
  });

  it('keeps what a retry cost when the retry fails', async () => {
    const budget = budgetWith({ ratio: 0.1 });
    await requests(budget, 9);
    const first = await request(budget, ['fails'], { attempts: 2 });
    expect(first.runs, 'ten requests pay for one retry').toBe(2);
    const second = await request(budget, ['fails'], { attempts: 2 });
    expect(second.runs, 'the retry was made, it failed, and it has been paid for').toBe(1);
  });

  it('keeps what a retry cost when the retry succeeds', async () => {
    const budget = budgetWith({ ratio: 0.1 });
    await requests(budget, 9);
    const first = await request(budget, ['fails', 'ok']);
    expect(first.runs, 'ten requests pay for one retry').toBe(2);
    const second = await request(budget, ['fails', 'ok']);
    expect(second.runs, 'the retry was made, it succeeded, and it has been paid for').toBe(1);
  });

  it('pays for each retry, not for each request that is retried', async () => {
    const budget = budgetWith({ ratio: 0.1 });
    await requests(budget, 19);
    const first = await request(budget, ['fails']);
    expect(first.runs, 'twenty requests pay for two retries').toBe(3);
    const second = await request(budget, ['fails']);
    expect(second.runs, 'both have been made, for one request').toBe(1);
  });

  it('takes nothing for an error that is not repeated', async () => {
    const budget = budgetWith({ ratio: 0.1 });
    for (let nth = 0; nth < 15; nth += 1) await request(budget, ['no such match']);
    expect(await retriesPaid(budget), '15 requests for a match that is none; retries').toBe(1);
  });

  it('takes nothing for the last attempt', async () => {
    const budget = budgetWith({ ratio: 0.1 });
    for (let nth = 0; nth < 15; nth += 1) await request(budget, ['fails'], { attempts: 1 });
    expect(await retriesPaid(budget), '15 requests with attempts: 1 failed; retries').toBe(1);
  });

  it.each([
    { minPerSecond: 10, windowMs: 10_000, reserve: 100 },
    { minPerSecond: 100, windowMs: 1_000, reserve: 100 },
    { minPerSecond: 0.5, windowMs: 10_000, reserve: 5 },
    { minPerSecond: 0.1, windowMs: 60_000, reserve: 6 },
    { minPerSecond: 0.3, windowMs: 10_000, reserve: 3 },
    { minPerSecond: 2.3, windowMs: 30_000, reserve: 69 },
    { minPerSecond: 0.1, windowMs: 9_000, reserve: 0 },
  ])('has a reserve of $minPerSecond a second for $windowMs ms', async (given) => {
    const { minPerSecond, windowMs, reserve } = given;
    const budget = budgetWith({ minPerSecond, windowMs });
    expect(
      await retriesPaid(budget),
      `the first request, ${minPerSecond} a second × ${windowMs / 1_000} s; retries`,
    ).toBe(reserve);
    expect(await retriesPaid(budget), 'the reserve has been spent; retries').toBe(0);
  });

  it('adds the reserve to what requests have earned', async () => {
    const budget = budgetWith({ ratio: 0.5, minPerSecond: 1 });
    await requests(budget, 39);
    expect(await retriesPaid(budget), 'half of 40 requests, and a reserve of 10; retries').toBe(30);
  });

  it('adds up the fractions of both', async () => {
    const budget = budgetWith({ ratio: 0.1, minPerSecond: 0.1, windowMs: 3_000 });
    await requests(budget, 5);
    expect(await retriesPaid(budget), '0.1 of 6 requests, and a reserve of 0.3; retries').toBe(0);
    expect(await retriesPaid(budget), '0.1 of 7 requests, and a reserve of 0.3; retries').toBe(1);
  });
});

describe('3 · the window', () => {
  const windows = [1_000, WINDOW_MS, 60_000];
  // So many starts that no way to cut time into buckets is lucky with all of them.
  const STARTS = 16;

  it.each(windows)('counts a request for one window: %i ms', async (windowMs) => {
    for (let start = 0; start < STARTS; start += 1) {
      const [within, beyond] = [
        budgetWith({ ratio: 0.5, windowMs }),
        budgetWith({ ratio: 0.5, windowMs }),
      ];
      await advance((1 + start / STARTS) * windowMs);
      await requests(within, 9);
      await requests(beyond, 9);
      await advance(0.88 * windowMs);
      expect(
        await retriesPaid(within),
        'half of 10 requests: one now, nine 88 % of a window ago; retries',
      ).toBe(5);
      await advance(0.24 * windowMs);
      expect(
        await retriesPaid(beyond),
        'half of 1 request; nine were made 112 % of a window ago; retries',
      ).toBe(0);
    }
  });

  it.each(windows)('counts a retry for one window: %i ms', async (windowMs) => {
    const [minPerSecond, reserve] = windowMs === 60_000 ? [0.1, 6] : [5_000 / windowMs, 5];
    for (let start = 0; start < STARTS; start += 1) {
      const budget = budgetWith({ minPerSecond, windowMs });
      await advance((1 + start / STARTS) * windowMs);
      expect(
        await retriesPaid(budget),
        `the first request comes some time after the budget was made, a reserve of ${reserve}; retries`,
      ).toBe(reserve);
      await advance(0.88 * windowMs);
      expect(
        await retriesPaid(budget),
        `a reserve of ${reserve}; as many retries were made 88 % of a window ago; retries`,
      ).toBe(0);
      await advance(0.24 * windowMs);
      expect(
        await retriesPaid(budget),
        `a reserve of ${reserve}; the last retries were made 112 % of a window ago; retries`,
      ).toBe(reserve);
    }
  });

  it('does not save up the credit of a good hour', async () => {
    const budget = budgetWith({ ratio: 0.1 });
    for (let second = 0; second < 120; second += 1) {
      await requests(budget, 10);
      await advance(1_000);
    }
    const paid = await retriesPaid(budget);
    const because = 'ten requests a second for two minutes, ratio 0.1, a window of 10 s; retries';
    expect(paid, because).toBeGreaterThanOrEqual(9);
    expect(paid, because).toBeLessThanOrEqual(11);
  });

  it('does not save up the reserve of a quiet time', async () => {
    const budget = budgetWith({ minPerSecond: 1 });
    expect(await retriesPaid(budget), 'a reserve of 10; retries').toBe(10);
    for (const nth of ['first', 'second', 'third']) {
      await advance(QUIET_MS);
      expect(
        await retriesPaid(budget),
        `a reserve of 10, after the ${nth} of three quiet times of 200 s; retries`,
      ).toBe(10);
    }
  });

  it('forgets all that is old, not one for each call', async () => {
    const budget = budgetWith({ ratio: 0.1, minPerSecond: 0.5 });
    await requests(budget, 50);
    expect(await retriesPaid(budget), 'a tenth of 51 requests, and a reserve of 5; retries').toBe(
      10,
    );
    await advance(1.2 * WINDOW_MS);
    expect(
      await retriesPaid(budget),
      'a window later: a tenth of 1 request, and a reserve of 5; retries',
    ).toBe(5);
  });

  it('forgets also when it is asked exactly once in a window', async () => {
    const budget = budgetWith({ ratio: 0.5 });
    await requests(budget, 20);
    for (let i = 0; i < 3; i += 1) {
      await advance(WINDOW_MS);
      await requests(budget, 1);
    }
    expect(
      await retriesPaid(budget),
      'half of 2 requests now, and perhaps of one 10 s ago; twenty were made 30 s ago; retries',
    ).toBe(1);
  });

  it('counts a retry also when the requests that paid for it are gone', async () => {
    const budget = budgetWith({ ratio: 0.1 });
    await requests(budget, 10);
    await advance(0.6 * WINDOW_MS);
    expect(await retriesPaid(budget), 'a tenth of 11 requests; retries').toBe(1);
    await advance(0.6 * WINDOW_MS);
    await requests(budget, 9);
    expect(
      await retriesPaid(budget),
      'a tenth of 11 requests, and a retry 60 % of a window ago; retries',
    ).toBe(0);
    await advance(0.6 * WINDOW_MS);
    expect(
      await retriesPaid(budget),
      'a tenth of 11 requests, and the last retry 120 % of a window ago; retries',
    ).toBe(1);
  });

  it('slides: nothing begins anew at some moment', async () => {
    for (let startMs = 0; startMs < 2 * WINDOW_MS; startMs += 1_000) {
      const budget = budgetWith({ minPerSecond: 0.5 });
      await request(budget, ['ok']);
      await advance(startMs);
      expect(await retriesPaid(budget), 'a reserve of 5; retries').toBe(5);
      for (const laterMs of [2_000, 4_000, 6_000, 8_000]) {
        await advance(2_000);
        expect(
          await retriesPaid(budget),
          `a reserve of 5, all of it spent ${laterMs / 1_000} s ago, ${startMs / 1_000} s after the start; retries`,
        ).toBe(0);
      }
    }
  });

  it('slides under traffic that never pauses', async () => {
    const budget = budgetWith({ ratio: 0.5 });
    for (let i = 0; i < 80; i += 1) {
      await requests(budget, 1);
      await advance(250);
    }
    const paid = await retriesPaid(budget);
    const because = 'four requests a second for 20 s, ratio 0.5, a window of 10 s; retries';
    expect(paid, because).toBeGreaterThanOrEqual(18);
    expect(paid, because).toBeLessThanOrEqual(22);
    for (let i = 0; i < 8; i += 1) {
      await requests(budget, 4);
      await advance(1_000);
    }
    expect(
      await retriesPaid(budget),
      'four requests a second go on, but all that they earned was spent 8 s ago; retries',
    ).toBeLessThanOrEqual(1);
  });

  it('counts a request from its beginning', async () => {
    const budget = budgetWith({ ratio: 0.5 });
    const crowd = await crowdOf(budget, 20);
    await advance(1.5 * WINDOW_MS);
    expect(
      await failTogether(crowd),
      'twenty requests hung for 15 s, then failed; what they earned is forgotten; retries',
    ).toBe(0);
    expect(await retriesPaid(budget), 'half of 1 request; retries').toBe(0);
  });

  it('counts a retry from its own beginning', async () => {
    const budget = budgetWith({ minPerSecond: 0.1 });
    const slow = await slowRequest(budget);
    await advance(0.8 * WINDOW_MS);
    await slow.ends(errorOf.fails());
    expect(slow.call.runs, 'a reserve of 1').toBe(2);
    await advance(0.6 * WINDOW_MS);
    await slow.ends(errorOf.fails());
    expect(slow.call.runs, 'the retry began 6 s ago, whenever its request began').toBe(2);
    const later = await slowRequest(budget);
    await advance(0.6 * WINDOW_MS);
    await later.ends(errorOf.fails());
    expect(later.call.runs, 'the last retry began 12 s ago, whenever it ended').toBe(2);
    await succeedTogether([later]);
  });

  it.each([-HOUR_MS, HOUR_MS])(
    'does not notice when the wall clock is set by %i ms',
    async (ms) => {
      const budget = budgetWith({ ratio: 0.5, minPerSecond: 0.5 });
      await requests(budget, 19);
      expect(await retriesPaid(budget), 'half of 20 requests, and a reserve of 5; retries').toBe(
        15,
      );
      await requests(budget, 19);
      stepWallClock(ms);
      expect(
        await retriesPaid(budget),
        'half of 20 more requests; no time has passed; retries',
      ).toBe(10);
      await advance(1.2 * WINDOW_MS);
      expect(
        await retriesPaid(budget),
        'a reserve of 5; 12 s have passed, by a clock that only runs forward; retries',
      ).toBe(5);
    },
  );
});

describe('4 · many calls, one budget', () => {
  it('pays for calls that fail in the same instant, one by one', async () => {
    const budget = budgetWith({ ratio: 0.1 });
    const crowd = await crowdOf(budget, 40);
    expect(await failTogether(crowd), '40 requests fail in one instant, ratio 0.1; retries').toBe(
      4,
    );
    const told = crowd.filter(({ call }) => call.end === 'error').length;
    expect(told, 'the other 36 callers are told at once; callers').toBe(36);
    expect(
      await failTogether(crowd.filter(({ call }) => call.end === 'pending')),
      'the four retries fail in one instant, and nothing is left; retries',
    ).toBe(0);
  });

  it('lets the quick spend what the slow have earned', async () => {
    const budget = budgetWith({ ratio: 0.1 });
    const crowd = await crowdOf(budget, 39);
    expect(await retriesPaid(budget), '39 requests are under way, another fails; retries').toBe(4);
    expect(await failTogether(crowd), 'now those fail, too, and all is spent; retries').toBe(0);
  });

  it('gives nothing back when a retry ends, however many are out', async () => {
    const budget = budgetWith({ minPerSecond: 0.4 });
    const crowd = await crowdOf(budget, 4);
    expect(await failTogether(crowd), 'four requests fail, a reserve of 4; retries').toBe(4);
    await succeedTogether(crowd.slice(0, 2));
    await failTogether(crowd.slice(2));
    expect(await retriesPaid(budget), 'the four retries have ended, 0 s later; retries').toBe(0);
  });

  it('shares no window with another budget', async () => {
    const scores = budgetWith({ ratio: 0.5, windowMs: 60_000 });
    const tables = budgetWith({ ratio: 0.5, windowMs: 2_000 });
    for (const budget of [scores, tables]) await requests(budget, 9);
    await advance(5_000);
    expect(
      await retriesPaid(scores),
      'half of 10 requests for scores, within 60 s; another budget has a window of 2 s; retries',
    ).toBe(5);
    expect(
      await retriesPaid(tables),
      'half of 1 request for tables, within 2 s; another budget has a window of 60 s; retries',
    ).toBe(0);
  });

  it('says how many retries it would pay for', async () => {
    const budget = budgetWith({ ratio: 0.3, minPerSecond: 0.5, windowMs: 5_000 });
    const said = [balanceOf(budget)];
    for (const count of [1, 1, 2, 6]) {
      await requests(budget, count);
      said.push(balanceOf(budget));
    }
    expect(said, 'a reserve of 2.5, and 0.3 of 0, 1, 2, 4 and 10 requests').toEqual([
      2, 2, 3, 3, 5,
    ]);
    await request(budget, ['fails', 'ok']);
    expect(balanceOf(budget), '2.5, and 0.3 of 11 requests, less a retry').toBe(4);
    for (let i = 0; i < 50; i += 1) balanceOf(budget);
    expect(await retriesPaid(budget), 'to look at the balance costs nothing; retries').toBe(5);
    expect(balanceOf(budget), 'all is spent').toBe(0);
    await advance(1.2 * WINDOW_MS);
    expect(balanceOf(budget), 'a window later nobody has called').toBe(2);
    for (const [ratio, paid] of [
      [0.29, 29],
      [0.57, 57],
    ] as const) {
      const rich = budgetWith({ ratio });
      await requests(rich, 100);
      expect(balanceOf(rich), `${ratio} of 100 requests: the balance`).toBe(paid);
    }
  });

  it('has a balance of 0 when it owes more than it has', async () => {
    const budget = budgetWith({ ratio: 0.5 });
    await requests(budget, 19);
    await advance(0.6 * WINDOW_MS);
    expect(await retriesPaid(budget), 'half of 20 requests; retries').toBe(10);
    await advance(0.6 * WINDOW_MS);
    expect(balanceOf(budget), 'half of 1 request, and ten retries 6 s ago').toBe(0);
    await advance(0.6 * WINDOW_MS);
    expect(balanceOf(budget), 'nothing in the last 10 s').toBe(0);
  });

  it('counts what the service has seen, and what it was spared', async () => {
    const budget = budgetWith({ minPerSecond: 0.3 });
    expect(countsOf(budget), 'nobody has called').toEqual({ requests: 0, retries: 0, refused: 0 });
    const slow = await slowRequest(budget);
    expect(countsOf(budget), 'a request is under way').toEqual({
      requests: 1,
      retries: 0,
      refused: 0,
    });
    await slow.ends();
    await requests(budget, 3);
    await request(budget, ['fails', 'ok']);
    expect(countsOf(budget), 'five requests, one of them tried twice').toEqual({
      requests: 5,
      retries: 1,
      refused: 0,
    });
    const failing = await slowRequest(budget, { attempts: 3 });
    await failing.ends(errorOf.fails());
    expect(countsOf(budget), 'one more, whose first retry is under way').toEqual({
      requests: 6,
      retries: 2,
      refused: 0,
    });
    for (const attempt of [2, 3]) {
      await failing.ends(errorOf.fails());
      expect(failing.call.runs, 'attempts of three').toBe(Math.min(3, attempt + 1));
    }
    expect(countsOf(budget), 'it failed three times in all: it was not refused').toEqual({
      requests: 6,
      retries: 3,
      refused: 0,
    });
    await request(budget, ['no such match']);
    await request(budget, ['fails'], { attempts: 1 });
    expect(countsOf(budget), 'two more, which did not ask for a retry').toEqual({
      requests: 8,
      retries: 3,
      refused: 0,
    });
    await request(budget, ['fails']);
    await request(budget, ['fails']);
    expect(countsOf(budget), 'two more, and nothing is left to pay with').toEqual({
      requests: 10,
      retries: 3,
      refused: 2,
    });
    await advance(QUIET_MS);
    expect(countsOf(budget), '200 s later: counts are totals, they do not expire').toEqual({
      requests: 10,
      retries: 3,
      refused: 2,
    });
  });
});

describe('5 · layers', () => {
  const marked: Options = { attempts: 5, previousAttempts: 1 };

  it('tells each attempt how many went before it', async () => {
    const call = await request(richBudget(), ['fails'], { attempts: 4 });
    expect(call.told, 'previousAttempts, as four attempts were told').toEqual([0, 1, 2, 3]);
    const original = await request(richBudget(), ['fails'], { attempts: 2, previousAttempts: 0 });
    expect(original.told, 'the same, when the request says that none went before').toEqual([0, 1]);
  });

  it.each([1, 2, 9])('makes one attempt when %i went before', async (previousAttempts) => {
    const budget = richBudget();
    const call = await request(budget, ['fails'], { attempts: 5, previousAttempts });
    expect(call.runs, 'a retry from further up is not tried again here').toBe(1);
    expect(call.error, 'the caller needs the original error').toBeInstanceOf(ScoresError);
    expect(call.told, 'what came from further up is passed on').toEqual([previousAttempts]);
    const thrown = watch(budget, throwsAtOnce, { attempts: 5, previousAttempts });
    await settle();
    expect(inWords(thrown), 'a retry from further up, whose task throws; the caller').toBe(
      'failed with ScoresError: 503 from the scores service (runs: 1)',
    );
  });

  it('lets a retry from further up through, whatever is left', async () => {
    const budget = budgetWith({});
    const call = await request(budget, ['ok'], marked);
    expect([call.end, call.runs], 'a first attempt here, which is never held back').toEqual([
      'value',
      1,
    ]);
  });

  it('earns nothing by a retry from further up', async () => {
    const budget = budgetWith({ ratio: 0.5 });
    for (let nth = 0; nth < 20; nth += 1) await request(budget, ['ok'], marked);
    expect(balanceOf(budget), 'twenty requests, all of them retries from further up').toBe(0);
    expect(await retriesPaid(budget), 'half of 1 request; retries').toBe(0);
  });

  it('takes and refuses nothing for a retry from further up', async () => {
    const budget = budgetWith({ minPerSecond: 0.5 });
    for (let nth = 0; nth < 20; nth += 1) await request(budget, ['fails'], marked);
    expect(countsOf(budget), 'twenty retries from further up, all failed').toEqual({
      requests: 20,
      retries: 0,
      refused: 0,
    });
    expect(await retriesPaid(budget), 'the reserve of 5 is untouched; retries').toBe(5);
  });

  /** A click that goes through all the budgets, each a service in front of the next; the last asks for the score. */
  async function click(budgets: readonly RetryBudget[]): Promise<number> {
    let seen = 0;
    const through = (layer: number, previousAttempts: number): Promise<unknown> => {
      const budget = budgets[layer];
      if (!budget) {
        seen += 1;
        return Promise.reject(errorOf.fails());
      }
      return budget.call((attempt) => through(layer + 1, attempt.previousAttempts), {
        attempts: 3,
        isRetryable,
        previousAttempts,
      });
    };
    let told = false;
    through(0, 0).catch(() => (told = true));
    await settle();
    expect(told, 'all attempts have failed: whoever clicked is told').toBe(true);
    return seen;
  }

  it('adds where layers would multiply', async () => {
    expect(
      await click([richBudget(), richBudget(), richBudget()]),
      'three layers of three attempts each, no want of money; calls at the bottom for one click',
    ).toBe(7);
    expect(await click([richBudget(), richBudget()]), 'two layers').toBe(5);
    expect(await click([richBudget()]), 'one layer').toBe(3);
  });

  it('keeps three budgets from compounding', async () => {
    const budgets = [1, 2, 3].map(() => budgetWith({ ratio: 0.5 }));
    let seen = 0;
    for (let nth = 0; nth < 40; nth += 1) seen += await click(budgets);
    expect(seen, '40 clicks, three layers with 0.5 each: 40 × (1 + 3 × 0.5) calls').toBe(100);
  });
});

describe('6 · whatever happens', () => {
  // Once fast-check had shrunk the budget, it would not shrink the history.
  const givens = fc.noShrink(anyGiven());

  it('pays for what the rules on paper pay for, call by call', async () => {
    await fc.assert(
      fc.asyncProperty(givens, histories(), (given, history) =>
        fc.asyncModelRun(() => startOf(given), history),
      ),
      { seed: 20_261_123, numRuns: 50 },
    );
  });

  it('never lets a service that is down see more than the budget', async () => {
    await fc.assert(
      fc.asyncProperty(givens, outages(), async (given, waves) => {
        const { ratio, minPerSecond, windowMs } = given;
        const budget = budgetWith({ ratio, minPerSecond, windowMs });
        const calls: Call[] = [];
        for (const wave of waves) {
          await advance(wave.pause * windowMs);
          calls.push(...wave.hits(budget));
          await settle();
        }
        const seen = calls.reduce((sum, { runs }) => sum + runs, 0);
        const most = Math.floor(round(calls.length * (1 + ratio) + given.reserve));
        if (seen > most) {
          expect.fail(
            `the service is down; requests: ${calls.length}, within one window; calls that it saw: ${seen}; that the budget allows: ${most}`,
          );
        }
      }),
      { seed: 20_261_123, numRuns: 40 },
    );
  });
});

// ── The rules on paper, and what can happen ─────────────────────────────────────────────────────────────

class Given {
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly windowMs: number;

  constructor(ratio: number, minPerSecond: number, windowMs: number) {
    this.ratio = ratio;
    this.minPerSecond = minPerSecond;
    this.windowMs = windowMs;
  }

  get reserve(): number {
    return (this.minPerSecond * this.windowMs) / 1_000;
  }

  /** How fast-check prints it. */
  [fc.toStringMethod] = () =>
    `ratio ${this.ratio}, ${this.minPerSecond} a second, a window of ${this.windowMs / 1_000} s`;
}

function anyGiven() {
  return fc
    .tuple(
      fc.constantFrom(0, 0.1, 0.2, 0.5, 1),
      fc.constantFrom(0, 0, 0.1, 0.3),
      fc.constantFrom(1_000, WINDOW_MS, 60_000),
    )
    .map((given) => new Given(...given));
}

/** Two columns, requests and retries, and a clock. */
class Paper {
  readonly given: Given;
  nowMs = 0;
  /** Slow requests that have not ended yet. */
  readonly slow: { readonly isMarked: boolean }[] = [];
  readonly counts = { requests: 0, retries: 0, refused: 0 };
  readonly #requests: number[] = [];
  readonly #retries: number[] = [];

  constructor(given: Given) {
    this.given = given;
  }

  requested(isMarked: boolean): void {
    this.counts.requests += 1;
    if (!isMarked) this.#requests.push(this.nowMs);
  }

  /** A retry that was asked for, and was paid or not: which of the two has to be? */
  asked(isPaid: boolean): void {
    const { most, least } = this.#credit();
    if (isPaid && most < 1) expect.fail(`${this.#sums()}: a retry was made that nobody paid for`);
    if (!isPaid && least >= 1) {
      expect.fail(`${this.#sums()}: a retry was refused that is paid for`);
    }
    if (isPaid) this.#retries.push(this.nowMs);
    this.counts[isPaid ? 'retries' : 'refused'] += 1;
  }

  /** Compares what the budget says of itself. */
  check({ balance, counts }: RetryBudget): void {
    const { most, least } = this.#credit();
    if (!(balance >= Math.max(0, Math.floor(least)) && balance <= Math.max(0, Math.floor(most)))) {
      expect.fail(`${this.#sums()}: the balance should not be ${balance}`);
    }
    for (const name of ['requests', 'retries', 'refused'] as const) {
      if (counts[name] !== this.counts[name]) {
        expect.fail(`counts.${name} should be ${this.counts[name]}, not ${counts[name]}`);
      }
    }
  }

  /** What is there to pay with, at most and at least: the window may slide in buckets of a tenth. */
  #credit(): { most: number; least: number } {
    const { ratio, reserve } = this.given;
    const credit = (requested: number, retried: number) =>
      round(ratio * this.#within(this.#requests, requested) + reserve) -
      this.#within(this.#retries, retried);
    return { most: credit(LONG, SHORT), least: credit(SHORT, LONG) };
  }

  #sums(): string {
    const requested = this.#within(this.#requests, 1);
    const retried = this.#within(this.#retries, 1);
    return `requests: ${requested}, retries: ${retried}, within the last ${this.given.windowMs / 1_000} s`;
  }

  #within(times: readonly number[], windows: number): number {
    const since = this.nowMs - windows * this.given.windowMs;
    return times.filter((at) => at > since).length;
  }
}

/** How much of a window counts at least, and at most. */
const [SHORT, LONG] = [0.89, 1.11];

/** Takes the rounding errors out: all amounts are hundredths. */
function round(amount: number): number {
  return Math.round(amount * 100) / 100;
}

interface Real {
  readonly budget: RetryBudget;
  readonly slow: SlowRequest[];
}

function startOf(given: Given): { model: Paper; real: Real } {
  const { ratio, minPerSecond, windowMs } = given;
  const budget = budgetWith({ ratio, minPerSecond, windowMs });
  return { model: new Paper(given), real: { budget, slow: [] } };
}

// Many thousand steps are compared. `expect` is for the one that differs, as it takes its time.

/** A request that ends within the instant. */
class QuickRequest implements fc.AsyncCommand<Paper, Real> {
  readonly #ends: readonly End[];
  readonly #attempts: number;
  constructor(ends: readonly End[], attempts: number) {
    this.#ends = ends;
    this.#attempts = attempts;
  }
  check = () => true;
  async run(paper: Paper, { budget }: Real) {
    const { runs, end } = await request(budget, this.#ends, { attempts: this.#attempts });
    if (runs === 0) expect.fail('the first attempt was not made: it never depends on the budget');
    paper.requested(false);
    for (let run = 1; ; run += 1) {
      const attemptEnd = this.#ends[Math.min(run, this.#ends.length) - 1];
      const isOver = attemptEnd !== 'fails' || run === this.#attempts;
      if (isOver && runs > run) {
        expect.fail(`attempt ${run} of ${this.#attempts} was ${attemptEnd}, and another was made`);
      }
      if (!isOver) paper.asked(runs > run);
      if (runs > run) continue;
      const expected = attemptEnd === 'ok' ? 'value' : 'error';
      if (end !== expected) {
        expect.fail(`the last attempt was ${attemptEnd}: its caller got ${end}, not ${expected}`);
      }
      break;
    }
    paper.check(budget);
  }
  toString = () => `request (${this.#attempts} attempts): ${this.#ends.join(', ')}`;
}

/** A request that is a retry from further up. */
class MarkedRequest implements fc.AsyncCommand<Paper, Real> {
  readonly #end: End;
  constructor(end: End) {
    this.#end = end;
  }
  check = () => true;
  async run(paper: Paper, { budget }: Real) {
    const { runs } = await request(budget, [this.#end], { attempts: 3, previousAttempts: 1 });
    if (runs !== 1) expect.fail(`a retry from further up was attempted ${runs} times, not once`);
    paper.requested(true);
    paper.check(budget);
  }
  toString = () => `retry from further up: ${this.#end}`;
}

/** A request whose attempts take as long as the history says. */
class SlowRequestBegins implements fc.AsyncCommand<Paper, Real> {
  readonly #isMarked: boolean;
  constructor(isMarked: boolean) {
    this.#isMarked = isMarked;
  }
  check = () => true;
  async run(paper: Paper, { budget, slow }: Real) {
    const previousAttempts = this.#isMarked ? 2 : 0;
    slow.push(await slowRequest(budget, { attempts: 1_000, previousAttempts }));
    paper.slow.push({ isMarked: this.#isMarked });
    paper.requested(this.#isMarked);
    paper.check(budget);
  }
  toString = () => `slow ${this.#isMarked ? 'retry from further up' : 'request'} begins`;
}

/** The attempts of the oldest slow requests end, all in the same instant. */
class SlowAttemptsEnd implements fc.AsyncCommand<Paper, Real> {
  readonly #count: number;
  readonly #end: End;
  constructor(count: number, end: End) {
    this.#count = count;
    this.#end = end;
  }
  check = (paper: Readonly<Paper>) => paper.slow.length > 0;
  async run(paper: Paper, { budget, slow }: Real) {
    const ending = slow.splice(0, this.#count);
    const kinds = paper.slow.splice(0, this.#count);
    const runs = ending.map(({ call }) => call.runs);
    for (const { endsNow } of ending) endsNow(errorOf[this.#end]());
    await settle();
    let [paid, refused] = [0, 0];
    for (const [index, { isMarked }] of kinds.entries()) {
      const one = ending[index];
      if (!one) continue;
      const isRetried = one.call.runs > (runs[index] ?? 0);
      if (isRetried && (isMarked || this.#end !== 'fails')) {
        expect.fail(`a slow attempt was ${this.#end}, and another was made`);
      }
      if (isRetried) {
        slow.push(one);
        paper.slow.push({ isMarked });
        paid += 1;
      } else if (!isMarked && this.#end === 'fails') refused += 1;
      if (!isRetried && one.call.end === 'pending') {
        expect.fail(`a slow attempt was ${this.#end}, and its caller is still waiting`);
      }
    }
    // In one instant it does not matter whose turn it is: first those that are paid for, then the others.
    for (let i = 0; i < paid; i += 1) paper.asked(true);
    for (let i = 0; i < refused; i += 1) paper.asked(false);
    paper.check(budget);
  }
  toString = () => `${this.#count} slow attempts end: ${this.#end}`;
}

/** A share of the window passes. */
class TimePasses implements fc.AsyncCommand<Paper, Real> {
  readonly #share: number;
  constructor(share: number) {
    this.#share = share;
  }
  check = () => true;
  async run(paper: Paper, { budget }: Real) {
    const ms = Math.round(this.#share * paper.given.windowMs);
    await advance(ms);
    paper.nowMs += ms;
    paper.check(budget);
  }
  toString = () => `+${this.#share} windows`;
}

/** Anything that can happen to a budget, in any order. */
function histories() {
  const ends = fc.array(fc.constantFrom(...ENDS), { minLength: 1, maxLength: 3 });
  return fc.commands(
    [
      fc.tuple(ends, fc.integer({ min: 1, max: 4 })).map((given) => new QuickRequest(...given)),
      fc.constant(new QuickRequest(['ok'], 3)),
      fc.constant(new QuickRequest(['fails'], 3)),
      fc.constant(new SlowRequestBegins(false)),
      fc.constant(new SlowRequestBegins(false)),
      fc.constant(new SlowRequestBegins(true)),
      fc
        .tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom('fails', ...ENDS))
        .map((given) => new SlowAttemptsEnd(...given)),
      fc.constantFrom(...ENDS).map((end) => new MarkedRequest(end)),
      fc.constantFrom(0.01, 0.4, 0.4, 0.8, 1.2).map((share) => new TimePasses(share)),
    ],
    { maxCommands: 40, size: 'max' },
  );
}

/** Requests that all come in one instant and meet a service that is down. */
class Wave {
  /** How long after the wave before, in windows. */
  readonly pause: number;
  readonly #count: number;
  readonly #attempts: number;

  constructor(pause: number, count: number, attempts: number) {
    this.pause = pause;
    this.#count = count;
    this.#attempts = attempts;
  }

  hits(budget: RetryBudget): Call[] {
    const down = () => Promise.reject(errorOf.fails());
    return Array.from({ length: this.#count }, () =>
      watch(budget, down, { attempts: this.#attempts }),
    );
  }

  [fc.toStringMethod] = () =>
    `+${this.pause} windows: ${this.#count} requests, up to ${this.#attempts} attempts each`;
}

/** Not longer than half a window in all. */
function outages() {
  const wave = fc.tuple(
    fc.constantFrom(0, 0.01, 0.05),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 5 }),
  );
  return fc.array(
    wave.map((given) => new Wave(...given)),
    { minLength: 1, maxLength: 10, size: 'max' },
  );
}
