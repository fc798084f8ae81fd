import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, stepWallClock } from '../virtual-time.ts';
import { createRateLimiter, type Decision, type RateLimiter } from './rate-limiter.ts';

// ── The courier firms, played by the spec ───────────────────────────────────────────────────────────────

const TWO_MINUTES_MS = 120_000;
const QUARTER_HOUR_MS = 900_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Ten addresses a second for each firm, twenty at once: an empty bucket is full again after two seconds. */
const AGREED = { ratePerSecond: 10, burst: 20 };

/** How long after the last call of a test timers may be set. */
let longestHoldMs = TWO_MINUTES_MS;

function limiterWith(options: Partial<typeof AGREED> = {}): RateLimiter {
  const { ratePerSecond, burst } = { ...AGREED, ...options };
  longestHoldMs = Math.max(longestHoldMs, holdMs(ratePerSecond, burst));
  return createRateLimiter({ ratePerSecond, burst });
}

/** How long a client that stays away may be held: three fill times, or two minutes if that is longer. */
function holdMs(ratePerSecond: number, burst: number): number {
  return Math.max(TWO_MINUTES_MS, 3 * Math.ceil((1_000 * burst) / ratePerSecond));
}

// Many thousand calls are made. `expect` is for the one that goes wrong, as it takes its time.

/** One call. What it says of waiting is not looked at here. */
function call(limiter: RateLimiter, firm = 'Hare', cost?: number): Decision {
  const decision = decide(limiter, firm, cost);
  if (isDecision(decision)) return decision;
  const asked = `take('${firm}', ${cost ?? 1})`;
  if (decision instanceof Promise) expect.fail(`${asked} returned a promise: it decides at once`);
  return expect.fail(
    `${asked} returned ${JSON.stringify(decision, spelledOut)}: a decision has granted: true and remaining, a whole number of 0 or more, or granted: false`,
  );
}

function decide(limiter: RateLimiter, firm: string, cost: number | undefined): unknown {
  try {
    return cost === undefined ? limiter.take(firm) : limiter.take(firm, cost);
  } catch (error) {
    return expect.fail(`take() threw ${String(error)}: a refusal is a decision like any other`);
  }
}

function isDecision(decision: unknown): decision is Decision {
  if (typeof decision !== 'object' || decision === null || !('granted' in decision)) return false;
  if (decision.granted === false) return true;
  if (decision.granted !== true || !('remaining' in decision)) return false;
  return Number.isInteger(decision.remaining) && Number(decision.remaining) >= 0;
}

/** What JSON has no words for. */
function spelledOut(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' || Number.isNaN(value)
    ? `${String(value)} (${typeof value})`
    : value;
}

function inWords(decision: Decision): string {
  if (decision.granted) return `granted, with ${decision.remaining} remaining`;
  const { retryAfterMs } = decision;
  if (retryAfterMs === 'never') return 'refused for ever';
  const kind: string = typeof retryAfterMs;
  return `refused, to come back after ${retryAfterMs} ms${kind === 'number' ? '' : ` (${kind})`}`;
}

/** Expects that a call is granted. */
function expectGranted(limiter: RateLimiter, because: string, firm?: string, cost?: number): void {
  const decision = call(limiter, firm, cost);
  if (decision.granted) return;
  expect.fail(`${because}: the call should have been granted; it was ${inWords(decision)}`);
}

/** Expects that a call is refused. */
function expectRefused(limiter: RateLimiter, because: string, firm?: string, cost?: number): void {
  const decision = call(limiter, firm, cost);
  if (!decision.granted) return;
  expect.fail(`${because}: the call should have been refused; it was ${inWords(decision)}`);
}

/** Expects that a call is refused with this `retryAfterMs`. */
function expectWait(
  limiter: RateLimiter,
  wait: number | 'never',
  because: string,
  firm?: string,
  cost?: number,
): void {
  const decision = call(limiter, firm, cost);
  if (!decision.granted && decision.retryAfterMs === wait) return;
  const expected = wait === 'never' ? `'never'` : `${wait}`;
  expect.fail(`${because}: retryAfterMs should be ${expected}; the call was ${inWords(decision)}`);
}

/** Expects that a call is granted and leaves so many tokens in the bucket. */
function expectRemaining(
  limiter: RateLimiter,
  remaining: number,
  because: string,
  firm?: string,
  cost?: number,
): void {
  const decision = call(limiter, firm, cost);
  if (decision.granted && decision.remaining === remaining) return;
  expect.fail(
    `${because}: the call should have been granted, with ${remaining} remaining; it was ${inWords(decision)}`,
  );
}

/** Expects so many calls to be granted in a row at this moment, and the next to be refused. */
function expectInARow(limiter: RateLimiter, count: number, because: string, firm?: string): void {
  let granted = 0;
  while (granted <= count && call(limiter, firm).granted) granted += 1;
  if (granted === count) return;
  const actual =
    granted === 0 ? 'none was' : granted === 1 ? 'only one was' : `only ${granted} were`;
  expect.fail(
    `${because}: ${callsGranted(count)} at this moment, and no more; ${granted > count ? 'more were' : actual}`,
  );
}

function callsGranted(count: number): string {
  return count === 1
    ? 'one call should have been granted'
    : `${count} calls should have been granted`;
}

/** Takes what there is, one token after another. */
function useUp(limiter: RateLimiter): void {
  let calls = 0;
  while (calls < 5_000 && call(limiter).granted) calls += 1;
}

/** Empties a full bucket, one token after another. */
function drained(options: Partial<typeof AGREED> = {}): RateLimiter {
  const limiter = limiterWith(options);
  const burst = options.burst ?? AGREED.burst;
  for (let i = 0; i < burst; i += 1) expectGranted(limiter, `call ${i + 1} of a burst of ${burst}`);
  return limiter;
}

function firms(count: number, name = 'firm'): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index}`);
}

let timersBefore = 0;

beforeEach(() => {
  timersBefore = pendingTimers();
  longestHoldMs = TWO_MINUTES_MS;
  // With each of them time passes more slowly.
  if (timersBefore > 10) tellOfTimers(`${timersBefore} timers of earlier tests are set`);
});

afterEach(async () => {
  // Once a timer has been found that runs on and on, it would be found after every test.
  if (timersBefore > 0) return;
  await advance(longestHoldMs);
  if (pendingTimers() > 0) tellOfTimers('a timer is set');
});

function tellOfTimers(what: string): never {
  return expect.fail(
    `three fill times, and two minutes, after the last call ${what}: nobody calls, and it keeps on running`,
  );
}

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · a bucket for each firm', () => {
  it.each([1, 5, 20, 1_000])('grants a burst of %i at once, and no more', (burst) => {
    const limiter = limiterWith({ burst });
    expectInARow(
      limiter,
      burst,
      `a bucket of ${burst} is full when its firm calls for the first time`,
    );
    expectRefused(limiter, 'the bucket is empty, and still is when asked again');
  });

  it('says how many tokens remain', () => {
    const limiter = limiterWith({ burst: 4 });
    for (const remaining of [3, 2, 1, 0])
      expectRemaining(limiter, remaining, 'one call after another, of 4');
  });

  it('has a bucket for each firm', () => {
    const limiter = drained();
    expectRefused(limiter, 'Hare has used up its burst', 'Hare');
    expectRemaining(limiter, 19, 'Otter calls for the first time', 'Otter');
    expectRefused(limiter, 'Otter has called since, but Hare has still used up its burst', 'Hare');
  });

  it('keeps limiters apart', () => {
    const addresses = drained();
    const routes = limiterWith({ burst: 3 });
    expectInARow(routes, 3, 'another limiter has buckets of its own');
    expectRefused(addresses, 'this one is used up, whatever happens to another');
  });

  it('takes any string for a name', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', ' ', 'null', '0'];
    // Of these, two differ in how a letter is written, two in the last letter of many.
    const alike = ['h\u00e4re', 'ha\u0308re', `${'x'.repeat(999)}y`, `${'x'.repeat(999)}z`];
    const limiter = limiterWith({ burst: 3 });
    for (const name of [...names, '00', 'hare', 'Hare', 'HARE', ...alike]) {
      const shown = name.length > 99 ? `${name.slice(0, 3)}…${name.at(-1)}` : name;
      expectInARow(limiter, 3, `the bucket of '${shown}', a name of ${name.length} letters`, name);
    }
    for (const name of names) expectRefused(limiter, `the bucket of '${name}' is empty`, name);
  });
});

describe('2 · tokens flow in evenly', () => {
  it.each([
    { ratePerSecond: 10, tokenMs: 100 },
    { ratePerSecond: 1, tokenMs: 1_000 },
    { ratePerSecond: 40, tokenMs: 25 },
    { ratePerSecond: 0.5, tokenMs: 2_000 },
  ])('gives back one token after $tokenMs ms at $ratePerSecond a second', async (given) => {
    const limiter = drained({ ratePerSecond: given.ratePerSecond });
    await advance(given.tokenMs - 1);
    expectRefused(limiter, '1 ms before the next token is there');
    await advance(1);
    expectInARow(limiter, 1, 'the next token is there, and no other');
    await advance(3 * given.tokenMs);
    expectInARow(limiter, 3, 'three tokens have flowed in since');
  });

  it('brings the first token as long after the burst as any other', async () => {
    for (const startMs of [37, 50, 99]) {
      const limiter = limiterWith();
      await advance(startMs);
      useUp(limiter);
      await advance(99);
      expectRefused(
        limiter,
        `${startMs} ms after the start the burst was used up; 99 ms after that`,
      );
      await advance(1);
      expectGranted(
        limiter,
        `${startMs} ms after the start the burst was used up; 100 ms after that`,
      );
    }
  });

  it('has the token there before any timer has fired', async () => {
    // Of all that is due in one millisecond, the timer that was set first fires first: this one.
    let atOnce = (): void => expect.fail('there is no limiter yet');
    setTimeout(() => {
      atOnce();
    }, 100);
    const limiter = drained();
    atOnce = () => {
      expectGranted(
        limiter,
        '100 ms after the burst was used up, before any other timer that is due then has fired',
      );
    };
    await advance(99);
    expectRefused(limiter, '99 ms after the burst was used up');
    await advance(1);
  });

  it('has no windows that end', async () => {
    const limiter = limiterWith();
    expectGranted(limiter, 'the first call');
    for (const startMs of [1_900, 2_800, 59_900]) {
      await advance(startMs);
      useUp(limiter);
      await advance(200);
      expectInARow(
        limiter,
        2,
        'the burst was used up 200 ms ago, whatever second or minute has begun since',
      );
    }
  });

  it('never holds more than the burst', async () => {
    const limiter = drained();
    await advance(1_999);
    expectInARow(limiter, 19, '1 ms before the bucket is full again');
    await advance(QUARTER_HOUR_MS);
    expectInARow(limiter, 20, 'a quarter of an hour in which nobody called');
    await advance(QUARTER_HOUR_MS);
    expectInARow(limiter, 20, 'another quarter');
  });

  it('goes on for months', async () => {
    // After 25 days, and again after 50, the milliseconds outgrow 32 bits.
    const limiter = drained();
    for (const days of [30, 60]) {
      await advance(30 * DAY_MS);
      expectInARow(limiter, 20, `the limiter is ${days} days old, and nobody called for 30`);
      await advance(300);
      expectInARow(limiter, 3, '300 ms after the burst was used up');
    }
  });

  it('does not pay twice for the time of silence', async () => {
    const limiter = limiterWith();
    expectGranted(limiter, 'the first call');
    // Not a whole number of tokens: what flowed in when the bucket was full is lost to the last fraction.
    await advance(QUARTER_HOUR_MS + 90);
    expectInARow(limiter, 20, 'a quarter of an hour later the bucket is full');
    expectRefused(limiter, 'the quarter of an hour has been paid for');
    await advance(99);
    expectRefused(
      limiter,
      '99 ms after the burst was used up, and a quarter of an hour after the call before it',
    );
    await advance(1);
    expectInARow(limiter, 1, '100 ms after the burst was used up');
  });

  it('does not pay twice for a time in which the firm called now and then', async () => {
    const limiter = limiterWith();
    for (let i = 0; i < 10; i += 1) {
      expectGranted(limiter, `call ${i + 1} of ten, a second apart`);
      await advance(1_000);
    }
    expectInARow(limiter, 20, 'the bucket is full again');
    await advance(250);
    expectInARow(limiter, 2, '250 ms after the burst was used up');
  });

  it('gives a firm that comes late a full bucket, no more', async () => {
    const limiter = drained();
    await advance(QUARTER_HOUR_MS);
    expectInARow(limiter, 20, 'its first call, a quarter of an hour later', 'Late');
  });

  it('does not notice when the wall clock is set back', async () => {
    const limiter = drained();
    stepWallClock(-HOUR_MS);
    expectRefused(limiter, 'no time has passed; the wall clock went back an hour');
    await advance(500);
    expectInARow(limiter, 5, 'half a second has passed; the wall clock went back an hour');
  });

  it('does not notice when the wall clock is set forward', async () => {
    const limiter = drained();
    await advance(100);
    stepWallClock(HOUR_MS);
    expectInARow(limiter, 1, '100 ms have passed; the wall clock went forward an hour');
  });
});

describe('3 · a call costs what it costs', () => {
  it('takes as many tokens as the call costs', () => {
    const limiter = limiterWith();
    expectRemaining(limiter, 15, 'a call for 5 of 20', 'Hare', 5);
    expectRemaining(limiter, 14, 'a call for 1 of 15', 'Hare', 1);
    expectRemaining(limiter, 7, 'a call for 7 of 14', 'Hare', 7);
    expectRemaining(limiter, 6, 'a call with 7 left that names no cost', 'Hare');
    expectRemaining(limiter, 0, 'a call for 6 of 6', 'Hare', 6);
  });

  it('takes nothing for a call that it refuses', async () => {
    const limiter = limiterWith();
    expectGranted(limiter, 'a call for 17 of 20', 'Hare', 17);
    for (let i = 0; i < 50; i += 1) expectRefused(limiter, 'a call for 5 with 3 left', 'Hare', 5);
    expectGranted(limiter, 'a call for 3 with 3 left, after calls for 5 were refused', 'Hare', 3);
    for (let i = 0; i < 50; i += 1)
      expectRefused(limiter, 'a call for 2 with none left', 'Hare', 2);
    await advance(200);
    expectGranted(limiter, '200 ms after the bucket was emptied, a call for 2', 'Hare', 2);
  });

  it('puts nothing aside for a call that it refused', async () => {
    const limiter = drained();
    expectRefused(limiter, 'a call for 20 with none left', 'Hare', 20);
    for (let i = 0; i < 5; i += 1) {
      await advance(100);
      expectGranted(
        limiter,
        'a call for 1 with 1 left; a call for 20 was refused before',
        'Hare',
        1,
      );
    }
  });

  it.each([1, 3, 20, 100_000])('grants a call for all of %i tokens, and no more', (burst) => {
    const limiter = limiterWith({ ratePerSecond: 1_000, burst });
    expectRemaining(limiter, 0, 'a call for all that a full bucket holds', 'Hare', burst);
    expectRefused(limiter, 'the bucket is empty', 'Hare', 1);
  });

  it.each([1, 3, 20, 100_000])('says never to a call for more than %i tokens', async (burst) => {
    const limiter = limiterWith({ ratePerSecond: 1_000, burst });
    const because = `a bucket never holds more than ${burst}, so no wait is long enough`;
    expectWait(limiter, 'never', because, 'Hare', burst + 1);
    expectWait(limiter, 'never', because, 'Hare', 1_000 * burst);
    expectGranted(limiter, 'a call that was refused for ever has taken nothing', 'Hare', burst);
    expectWait(limiter, 'never', because, 'Hare', burst + 1);
    expectRefused(limiter, 'the bucket is empty, whatever else was refused for ever', 'Hare', 1);
    await advance(QUARTER_HOUR_MS);
    expectWait(limiter, 'never', because, 'Hare', burst + 1);
  });

  it('pays nothing out for a time that began with a call it could never grant', async () => {
    const limiter = limiterWith();
    expectWait(limiter, 'never', 'a call for 21 of 20', 'Hare', 21);
    await advance(QUARTER_HOUR_MS);
    expectGranted(limiter, 'a call for 20 of 20', 'Hare', 20);
    await advance(50);
    expectRefused(limiter, '50 ms after the bucket was emptied');
  });
});

describe('4 · says when to come back', () => {
  it('says how long it takes until the tokens are there', async () => {
    const limiter = drained();
    expectWait(limiter, 100, 'the bucket is empty');
    expectWait(limiter, 500, 'the bucket is empty', 'Hare', 5);
    expectWait(limiter, 2_000, 'the bucket is empty', 'Hare', 20);
    await advance(30);
    expectWait(limiter, 70, '30 ms later');
    expectWait(limiter, 470, '30 ms later', 'Hare', 5);
    await advance(320);
    expectWait(limiter, 150, 'there are three and a half tokens', 'Hare', 5);
    expectGranted(limiter, 'there are three and a half tokens', 'Hare', 3);
    expectWait(limiter, 50, 'there is half a token');
  });

  it.each([
    { ratePerSecond: 3, waits: [334, 333, 332] },
    { ratePerSecond: 7, waits: [143, 142, 141] },
    { ratePerSecond: 0.3, waits: [3_334, 3_333, 3_332] },
    { ratePerSecond: 300, waits: [4, 3, 2] },
  ])('rounds up to whole milliseconds at $ratePerSecond a second', async (given) => {
    const limiter = drained({ ratePerSecond: given.ratePerSecond });
    for (const [afterMs, wait] of given.waits.entries()) {
      expectWait(limiter, wait, `${afterMs} ms after the bucket was emptied`);
      await advance(1);
    }
  });

  it('keeps its word to the millisecond', async () => {
    for (const ratePerSecond of [2, 3, 7.5, 10]) {
      for (const cost of [1, 2, 5]) {
        const limiter = drained({ ratePerSecond });
        const told = call(limiter, 'Hare', cost);
        if (told.granted || typeof told.retryAfterMs !== 'number') {
          expect.fail(`the bucket is empty; a call for ${cost} was ${inWords(told)}`);
        }
        const because = `${ratePerSecond} a second, an empty bucket, and a call for ${cost} was told to come back after ${told.retryAfterMs} ms`;
        await advance(told.retryAfterMs - 1);
        expectRefused(limiter, `${because}; 1 ms before that`, 'Hare', cost);
        await advance(1);
        expectGranted(limiter, `${because}; after exactly that`, 'Hare', cost);
      }
    }
  });

  it('does not let anyone wait longer because they asked', async () => {
    const limiter = drained({ ratePerSecond: 0.5 });
    for (let leftMs = 2_000; leftMs > 0; leftMs -= 125) {
      expectWait(limiter, leftMs, `asked every 125 ms, ${leftMs} ms before the next token`);
      expectWait(limiter, leftMs, 'asked again in the same millisecond');
      await advance(125);
    }
    expectGranted(limiter, 'the next token is there, however often somebody asked for it');
  });

  it('lets a call wait longer when a smaller one went before', async () => {
    const limiter = drained();
    expectWait(limiter, 500, 'the bucket is empty', 'Hare', 5);
    await advance(200);
    expectGranted(limiter, 'two tokens are there', 'Hare', 1);
    expectWait(limiter, 400, 'one token is left of two', 'Hare', 5);
  });

  it('says the same whatever other firms do', async () => {
    const limiter = drained();
    for (let leftMs = 100; leftMs > 0; leftMs -= 20) {
      for (const firm of firms(10)) call(limiter, firm, 20);
      expectWait(
        limiter,
        leftMs,
        `${leftMs} ms before the next token; ten other firms have called`,
      );
      await advance(20);
    }
    expectGranted(limiter, 'the next token is there, whatever other firms have taken');
  });

  it('leaves an earlier decision as it was', async () => {
    const limiter = limiterWith({ burst: 2 });
    const decisions = [
      call(limiter),
      call(limiter),
      call(limiter),
      call(limiter, 'Hare', 2),
      call(limiter, 'Otter'),
    ];
    await advance(50);
    expect(decisions.map(inWords), 'five decisions, read 50 ms after the last of them').toEqual([
      'granted, with 1 remaining',
      'granted, with 0 remaining',
      'refused, to come back after 100 ms',
      'refused, to come back after 200 ms',
      'granted, with 1 remaining',
    ]);
  });
});

describe('5 · no fraction is lost', () => {
  it('counts ten tenths as one', async () => {
    const limiter = drained({ ratePerSecond: 0.1, burst: 5 });
    for (let token = 1; token <= 12; token += 1) {
      for (let second = 1; second < 10; second += 1) {
        await advance(1_000);
        expectRefused(
          limiter,
          `0.1 a second, asked every second: second ${second} for token ${token}`,
        );
      }
      await advance(1_000);
      expectGranted(limiter, `0.1 a second, asked every second: second 10 for token ${token}`);
    }
  });

  it('counts down by one in each millisecond', async () => {
    const limiter = drained();
    for (let leftMs = 100; leftMs > 0; leftMs -= 1) {
      expectWait(limiter, leftMs, `asked every millisecond, ${leftMs} ms before the next token`);
      await advance(1);
    }
    expectGranted(limiter, 'asked every millisecond: the next token is there');
  });

  it('grants what the rate promises, however often it is asked', async () => {
    const limiter = drained({ ratePerSecond: 3 });
    const grantedAt: number[] = [];
    for (let ms = 1; ms <= 1_000; ms += 1) {
      await advance(1);
      if (call(limiter).granted) grantedAt.push(ms);
    }
    expect(
      grantedAt,
      'at 3 a second, asked in each of 1,000 milliseconds: when it was granted',
    ).toEqual([334, 667, 1_000]);
  });

  it.each([
    { ratePerSecond: 0.001, cost: 1, waitMs: 1_000_000 },
    { ratePerSecond: 0.007, cost: 3, waitMs: 428_572 },
    { ratePerSecond: 0.576, cost: 9, waitMs: 15_625 },
    { ratePerSecond: 1.152, cost: 18, waitMs: 15_625 },
    { ratePerSecond: 0.06, cost: 15, waitMs: 250_000 },
    { ratePerSecond: 1.001, cost: 1_001, waitMs: 1_000_000 },
    { ratePerSecond: 1.001, cost: 2, waitMs: 1_999 },
    { ratePerSecond: 2.007, cost: 5, waitMs: 2_492 },
    { ratePerSecond: 0.333, cost: 1, waitMs: 3_004 },
    { ratePerSecond: 33.333, cost: 1, waitMs: 31 },
    { ratePerSecond: 99.999, cost: 7, waitMs: 71 },
    { ratePerSecond: 2_500, cost: 20, waitMs: 8 },
  ])('takes $ratePerSecond a second at its word, for $cost', async (given) => {
    const { ratePerSecond, cost, waitMs } = given;
    const limiter = drained({ ratePerSecond, burst: cost });
    expectWait(limiter, waitMs, 'the bucket is empty', 'Hare', cost);
    await advance(waitMs - 1);
    expectWait(limiter, 1, `${waitMs - 1} ms later`, 'Hare', cost);
    await advance(1);
    expectGranted(limiter, `${waitMs} ms after the bucket was emptied`, 'Hare', cost);
  });

  it.each([
    { ratePerSecond: 0.3, everyMs: 1_000 },
    { ratePerSecond: 0.7, everyMs: 500 },
    { ratePerSecond: 1.1, everyMs: 100 },
    { ratePerSecond: 8.4, everyMs: 7 },
    { ratePerSecond: 1_234.567, everyMs: 1 },
  ])('does not drift at $ratePerSecond a second, asked every $everyMs ms', async (given) => {
    const { ratePerSecond, everyMs } = given;
    const limiter = drained({ ratePerSecond });
    const paper = new Paper({ ratePerSecond, burst: AGREED.burst });
    paper.take('Hare', AGREED.burst);
    for (let asked = 1; asked <= 200; asked += 1) {
      await advance(everyMs);
      paper.nowMs += everyMs;
      expectAsOnPaper(paper, limiter, 'Hare', 3);
    }
  });

  it('rounds down what remains, but not what has flowed in', async () => {
    const limiter = drained({ ratePerSecond: 0.3 });
    await advance(6_666);
    expectRemaining(limiter, 0, 'after 6.666 s at 0.3 a second there are 1.9998 tokens');
    await advance(3_334);
    expectRemaining(
      limiter,
      1,
      'after 10 s at 0.3 a second there are 2 tokens, less the one that was taken',
    );
    await advance(4_000);
    expectRemaining(
      limiter,
      1,
      'after 14 s at 0.3 a second there are 2.2 tokens, less the two that were taken',
    );
  });

  it('is as exact with large numbers', async () => {
    const limiter = limiterWith({ ratePerSecond: 1_234.567, burst: 1_000_000 });
    expectGranted(limiter, 'a call for 999,999 of 1,000,000', 'Hare', 999_999);
    expectWait(limiter, 810_000, 'one token is left', 'Hare', 1_000_000);
    await advance(809_999);
    expectWait(limiter, 1, '809.999 s later', 'Hare', 1_000_000);
    await advance(1);
    expectGranted(limiter, '810 s later', 'Hare', 1_000_000);
    await advance(1);
    expectGranted(limiter, '1 ms at 1,234.567 a second');
    expectWait(limiter, 1, '0.234567 tokens are left');
  });

  it('does not drift when there is much in the bucket', async () => {
    const limiter = limiterWith({ ratePerSecond: 0.7, burst: 1_000_000 });
    expectGranted(limiter, 'a call for 400,000 of 1,000,000', 'Hare', 400_000);
    for (let second = 1; second <= 250; second += 1) {
      await advance(1_000);
      expectGranted(limiter, `0.7 a second, one token taken in each; second ${second}`);
    }
    const because =
      '600,000 tokens; since then 250 times 0.7 have flowed in, and 250 were taken: a call for the 599,925 that are left';
    expectRemaining(limiter, 0, because, 'Hare', 599_925);
  });

  it('is as exact with high rates', async () => {
    const limiter = limiterWith({ ratePerSecond: 10_000, burst: 1_000_000 });
    expectGranted(limiter, 'a call for all of 1,000,000', 'Hare', 1_000_000);
    expectWait(limiter, 100_000, 'the bucket is empty', 'Hare', 1_000_000);
    await advance(1);
    expectInARow(limiter, 10, '1 ms at 10,000 a second');
  });

  it('loses nothing between two milliseconds', async () => {
    const limiter = drained();
    for (let ms = 1; ms <= 100; ms += 1) {
      await aMillisecond(() => {
        expectRefused(limiter, `asked four times in each millisecond; millisecond ${ms} of 100`);
      });
    }
    expectGranted(limiter, 'asked four times in each of 100 milliseconds, which bring one token');
  });

  it('loses nothing between two milliseconds when it is granted', async () => {
    const given = { ratePerSecond: 4_000, burst: 20 };
    const limiter = limiterWith(given);
    const paper = new Paper(given);
    expectAsOnPaper(paper, limiter, 'Hare', 10);
    for (; paper.nowMs < 50; paper.nowMs += 1) {
      await aMillisecond(() => {
        const because = `10 tokens, and four more in each millisecond; one is taken in each quarter of a millisecond, here millisecond ${paper.nowMs}`;
        expectGranted(limiter, because);
        paper.take('Hare', 1);
      });
    }
    expectAsOnPaper(paper, limiter, 'Hare', 1);
  });
});

describe('6 · forgets who has stayed away', () => {
  const regulars = firms(12, 'regular');

  /** Time passes, and the same twelve firms call all along. */
  async function regularsCall(limiter: RateLimiter, ms: number, everyMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += everyMs) {
      await advance(everyMs);
      for (const firm of regulars) call(limiter, firm);
    }
  }

  it('counts the clients that it holds', async () => {
    const limiter = limiterWith();
    for (let calls = 0; calls < 25; calls += 1) {
      for (const firm of firms(7)) call(limiter, firm);
    }
    expect(limiter.clients, 'seven firms have called 25 times each').toBe(7);
    await advance(500);
    for (const firm of firms(9)) call(limiter, firm);
    expect(limiter.clients, 'two more firms have called').toBe(9);
  });

  it('counts every firm whose bucket is not full', async () => {
    const limiter = limiterWith();
    for (let called = 1; called <= 60; called += 1) {
      call(limiter, `firm ${called}`, 20);
      const atLeast = Math.min(called, 20);
      if (limiter.clients < atLeast) {
        expect.fail(
          `every 100 ms another firm takes all that its bucket holds, which takes 2 s to fill again: after ${called} firms at least ${atLeast} must be held, not ${limiter.clients}`,
        );
      }
      await advance(100);
    }
  });

  it('counts a firm once, however long it keeps calling', async () => {
    const limiter = limiterWith();
    for (let second = 0; second < 100; second += 1) {
      for (let calls = 0; calls < 10; calls += 1) call(limiter);
      expect(limiter.clients, `one firm has been calling for ${second} s`).toBe(1);
      await advance(1_000);
    }
  });

  it.each([
    { ratePerSecond: 1, burst: 10, fillMs: 10_000, everyMs: 1_000 },
    { ratePerSecond: 0.01, burst: 5, fillMs: 500_000, everyMs: 50_000 },
    { ratePerSecond: 400, burst: 20_000, fillMs: 50_000, everyMs: 1_000 },
  ])('forgets who has stayed away, at a fill time of $fillMs ms', async (given) => {
    const { ratePerSecond, burst, everyMs } = given;
    const limiter = limiterWith({ ratePerSecond, burst });
    for (const wave of ['first', 'second', 'third']) {
      for (const firm of firms(80, wave)) call(limiter, firm);
      for (const firm of firms(20, `greedy ${wave}`)) call(limiter, firm, burst + 1);
      await regularsCall(limiter, holdMs(ratePerSecond, burst), everyMs);
      expect(
        limiter.clients,
        `100 firms, the ${wave} such wave, have stayed away for three fill times and two minutes; twelve others kept calling; it holds`,
      ).toBeLessThanOrEqual(regulars.length);
    }
  });

  it('gives nobody a token by forgetting', async () => {
    for (const startMs of [0, 150_000, 400_000]) {
      for (const tokens of [0, 1, 2, 3, 4, 5, 7]) {
        const limiter = limiterWith({ ratePerSecond: 0.01, burst: 5 });
        await regularsCall(limiter, startMs, 50_000);
        useUp(limiter);
        await regularsCall(limiter, tokens * 100_000, 50_000);
        expectInARow(
          limiter,
          Math.min(tokens, 5),
          `one token in 100 s, and ${tokens * 100} s since Hare used up its burst of 5; others called meanwhile`,
        );
      }
    }
  });

  it('forgets nobody a millisecond too early', async () => {
    const limiter = limiterWith({ ratePerSecond: 100, burst: 20 });
    for (let ms = 0; ms < 700; ms += 1) {
      expectGranted(limiter, `the first call of firm ${ms}, for all of 20`, `firm ${ms}`, 20);
      const because = 'a bucket fills within 200 ms, and 199 ms ago all of it was taken';
      if (ms >= 199) expectWait(limiter, 1, because, `firm ${ms - 199}`, 20);
      await advance(1);
    }
  });

  it('forgets nobody within a millisecond', () => {
    const limiter = drained({ ratePerSecond: 10_000, burst: 3 });
    for (const firm of firms(12)) call(limiter, firm);
    expectRefused(
      limiter,
      'a bucket of 3 fills within 0.3 ms, but no time has passed since Hare used it up; twelve others have called',
    );
  });

  it('does not look at the wall clock to forget', async () => {
    const limiter = drained();
    for (let times = 1; times <= 3; times += 1) {
      stepWallClock(HOUR_MS);
      for (const firm of firms(12)) call(limiter, firm);
    }
    expectRefused(
      limiter,
      'no time has passed since Hare used up its burst; the wall clock went forward three times, and others called',
    );
    for (const firm of firms(80, 'before')) call(limiter, firm);
    stepWallClock(-DAY_MS);
    await regularsCall(limiter, TWO_MINUTES_MS, 150);
    expect(
      limiter.clients,
      'the wall clock went back a day; since then 93 firms have stayed away for two minutes, and twelve others kept calling; it holds',
    ).toBeLessThanOrEqual(regulars.length);
  });

  it('does not push anyone out for want of room', () => {
    const limiter = drained();
    for (const firm of firms(12_000)) call(limiter, firm);
    expectRefused(limiter, 'Hare has used up its burst; since then 12,000 new names have called');
    expect(limiter.clients, '12,001 firms have called, and no bucket is full').toBe(12_001);
  });
});

describe('7 · whatever happens', () => {
  const givens = fc
    .record({
      ratePerSecond: fc.constantFrom(0.3, 0.576, 1.1, 3, 7.3, 10, 33.333),
      burst: fc.constantFrom(1, 3, 8),
    })
    .map(({ ratePerSecond, burst }) => new Given(ratePerSecond, burst));
  // Once fast-check had shrunk the limiter, it would not shrink the history.
  const anyGiven = fc.noShrink(givens);

  it('never grants more than the burst and what flows in, in any stretch of time', async () => {
    const schedules = fc
      .tuple(anyGiven, fc.array(steps(), { maxLength: 40, size: 'max' }))
      .map(([given, all]) => new Schedule(given, all));
    await fc.assert(
      fc.asyncProperty(schedules, async ({ given, turns }) => {
        const limiter = limiterWith(given);
        const grantsOf = new Map<string, Grant[]>();
        let nowMs = 0;
        for (const { waitMs, firm, cost, times } of turns) {
          await advance(waitMs);
          nowMs += waitMs;
          const granted = grantsOf.get(firm) ?? [];
          grantsOf.set(firm, granted);
          for (let asked = 0; asked < times && call(limiter, firm, cost).granted; asked += 1) {
            granted.push({ atMs: nowMs, cost });
          }
        }
        for (const [firm, granted] of grantsOf) checkEveryStretch(given, firm, granted);
      }),
      { seed: 20_261_123, numRuns: 30 },
    );
  });

  it('decides as pencil and paper do, call by call', async () => {
    await fc.assert(
      fc.asyncProperty(anyGiven, histories(), (given, history) =>
        fc.asyncModelRun(
          () => ({ model: new Paper(given), real: { limiter: limiterWith(given) } }),
          history,
        ),
      ),
      { seed: 20_261_123, numRuns: 50 },
    );
  });
});

// ── Pencil and paper, and what can happen ───────────────────────────────────────────────────────────────

class Given {
  readonly ratePerSecond: number;
  readonly burst: number;

  constructor(ratePerSecond: number, burst: number) {
    this.ratePerSecond = ratePerSecond;
    this.burst = burst;
  }

  /** How fast-check prints it. */
  [fc.toStringMethod] = () => `${this.ratePerSecond} a second, burst ${this.burst}`;
}

const MILLIONTHS = 1_000_000;

/** The buckets as one would keep them with pencil and paper, in millionths of a token, which are whole. */
class Paper {
  nowMs = 0;
  /** The last call that was told to come back, if no call was granted to its firm since. */
  told: { readonly firm: string; readonly cost: number; readonly atMs: number } | undefined;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();
  readonly #perMs: number;
  readonly #burst: number;

  constructor({ ratePerSecond, burst }: { ratePerSecond: number; burst: number }) {
    this.#perMs = Math.round(ratePerSecond * 1_000);
    this.#burst = burst;
  }

  /** How many tokens a bucket holds now, in millionths. */
  tokensOf(firm: string): number {
    const full = this.#burst * MILLIONTHS;
    const bucket = this.#buckets.get(firm);
    if (!bucket) return full;
    return Math.min(full, bucket.tokens + (this.nowMs - bucket.atMs) * this.#perMs);
  }

  take(firm: string, cost: number): Decision {
    if (cost > this.#burst) return { granted: false, retryAfterMs: 'never' };
    const left = this.tokensOf(firm) - cost * MILLIONTHS;
    if (left < 0) {
      const retryAfterMs = Math.ceil(-left / this.#perMs);
      this.told = { firm, cost, atMs: this.nowMs + retryAfterMs };
      return { granted: false, retryAfterMs };
    }
    this.#buckets.set(firm, { tokens: left, atMs: this.nowMs });
    if (this.told?.firm === firm) this.told = undefined;
    return { granted: true, remaining: Math.floor(left / MILLIONTHS) };
  }

  /** How many clients must still be known. */
  get inUse(): number {
    const full = this.#burst * MILLIONTHS;
    return [...this.#buckets.keys()].filter((firm) => this.tokensOf(firm) < full).length;
  }
}

function expectAsOnPaper(paper: Paper, limiter: RateLimiter, firm: string, cost: number): void {
  const tokens = paper.tokensOf(firm) / MILLIONTHS;
  const expected = inWords(paper.take(firm, cost));
  const actual = inWords(call(limiter, firm, cost));
  if (actual === expected) return;
  expect.fail(
    `${paper.nowMs} ms after the start ${firm} has ${tokens} tokens: a call for ${cost} should be ${expected}; it was ${actual}`,
  );
}

interface Grant {
  readonly atMs: number;
  readonly cost: number;
}

function checkEveryStretch(given: Given, firm: string, granted: readonly Grant[]): void {
  const perMs = Math.round(given.ratePerSecond * 1_000);
  for (const [index, first] of granted.entries()) {
    let sum = 0;
    for (const { atMs, cost } of granted.slice(index)) {
      sum += cost;
      const ms = atMs - first.atMs;
      const most = given.burst * MILLIONTHS + perMs * ms;
      if (sum * MILLIONTHS <= most) continue;
      expect.fail(
        `from ${first.atMs} ms to ${atMs} ms after the start ${firm} was granted ${sum} tokens: the burst is ${given.burst}, and no more than ${(perMs * ms) / MILLIONTHS} flow in during these ${ms} ms`,
      );
    }
  }
}

const FIRMS = ['Hare', 'Hare', 'Hare', 'Otter', '__proto__'];
const WAITS_MS = [0, 0, 1, 33, 100, 333, 900, 1_000, 3_333, 10_000, 27_000];

/** Who calls next, how often at most, and after which part of the fill time. */
function steps() {
  return fc.record({
    wait: fc.constantFrom(0, 0.01, 0.1, 0.3, 0.5, 0.8, 1, 1.5),
    firm: fc.constantFrom(...FIRMS),
    cost: fc.constantFrom(1, 1, 1, 1, 2, 3, 9),
    times: fc.constantFrom(1, 2, 9),
  });
}

type Step = ReturnType<typeof steps> extends fc.Arbitrary<infer Each> ? Each : never;

class Schedule {
  readonly given: Given;
  readonly turns: readonly (Omit<Step, 'wait'> & { readonly waitMs: number })[];

  constructor(given: Given, all: readonly Step[]) {
    const fillMs = (1_000 * given.burst) / given.ratePerSecond;
    this.given = given;
    this.turns = all.map(({ wait, ...turn }) => ({ ...turn, waitMs: Math.round(wait * fillMs) }));
  }

  [fc.toStringMethod] = () => {
    const told = this.turns.map(({ waitMs, firm, cost, times }) => {
      const often = times === 1 ? '' : `, up to ${times} times`;
      return `+${waitMs} ms → ${firm} for ${cost}${often}`;
    });
    return `${fc.stringify(this.given)} → ${told.join(' → ')}`;
  };
}

interface Real {
  readonly limiter: RateLimiter;
}

/** Anything that can happen to a limiter, in any order. */
function histories() {
  return fc.commands(
    [
      fc
        .tuple(fc.constantFrom(...FIRMS), fc.constantFrom(1, 1, 2, 3, 5, 9))
        .map(([firm, cost]) => new Take(firm, cost)),
      fc.constantFrom(...FIRMS).map((firm) => new Take(firm, 1)),
      fc.constantFrom(...WAITS_MS).map((ms) => new TimePasses(ms)),
      fc.constant(new ComesBackAsTold()),
      fc.integer({ min: 1, max: 9 }).map((name) => new StrangersCall(name)),
    ],
    { maxCommands: 50, size: 'max' },
  );
}

class Take implements fc.AsyncCommand<Paper, Real> {
  readonly #firm: string;
  readonly #cost: number;
  constructor(firm: string, cost: number) {
    this.#firm = firm;
    this.#cost = cost;
  }
  check = () => true;
  async run(paper: Paper, { limiter }: Real) {
    expectAsOnPaper(paper, limiter, this.#firm, this.#cost);
    checkClients(paper, limiter);
  }
  toString = () => `${this.#firm} for ${this.#cost}`;
}

class TimePasses implements fc.AsyncCommand<Paper, Real> {
  readonly #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  check = () => true;
  async run(paper: Paper, { limiter }: Real) {
    await advance(this.#ms);
    paper.nowMs += this.#ms;
    checkClients(paper, limiter);
  }
  toString = () => `+${this.#ms} ms`;
}

/** The last who was refused comes back when it was told to, and 1 ms sooner. */
class ComesBackAsTold implements fc.AsyncCommand<Paper, Real> {
  check = ({ told, nowMs }: Readonly<Paper>) => told !== undefined && told.atMs > nowMs;
  async run(paper: Paper, { limiter }: Real) {
    const { told } = paper;
    if (!told) return;
    await advance(told.atMs - paper.nowMs - 1);
    paper.nowMs = told.atMs - 1;
    expectAsOnPaper(paper, limiter, told.firm, told.cost);
    await advance(1);
    paper.nowMs += 1;
    expectAsOnPaper(paper, limiter, told.firm, told.cost);
  }
  toString = () => 'comes back as told';
}

class StrangersCall implements fc.AsyncCommand<Paper, Real> {
  readonly #name: number;
  constructor(name: number) {
    this.#name = name;
  }
  check = () => true;
  async run(paper: Paper, { limiter }: Real) {
    for (const firm of firms(3, `stranger ${this.#name}`)) expectAsOnPaper(paper, limiter, firm, 1);
    checkClients(paper, limiter);
  }
  toString = () => `strangers ${this.#name} for 1 each`;
}

function checkClients(paper: Paper, limiter: RateLimiter): void {
  const { inUse } = paper;
  if (limiter.clients >= inUse) return;
  expect.fail(
    `${inUse} firms have buckets that are not full, but it holds ${limiter.clients} clients`,
  );
}

/**
 * A millisecond in four quarters, with something done at each but the last. The timers of the platform know no
 * quarters: while one is set, the millisecond passes in one.
 */
async function aMillisecond(atEachQuarter: () => void): Promise<void> {
  atEachQuarter();
  if (pendingTimers() > 0) return advance(1);
  for (let quarter = 1; quarter < 4; quarter += 1) {
    await advance(0.25);
    atEachQuarter();
  }
  await advance(0.25);
}
