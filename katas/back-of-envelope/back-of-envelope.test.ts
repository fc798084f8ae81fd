import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  anyFails,
  callsPerRequest,
  downtimeMinutes,
  inFlight,
  latencyMs,
  pageOutcome,
  poolSize,
  scaling,
  slowCallsAllowed,
  slowPages,
  tooFewReplicas,
  type Module,
  type Plan,
} from './back-of-envelope.ts';

// ── The review, played by the spec ──────────────────────────────────────────────────────────────────────

/** Right to one part in a thousand million, however tiny. */
function expectAbout(actual: number, expected: number, claim: string): void {
  const off = Math.abs(actual - expected);
  if (off <= Math.abs(expected) * 1e-9) return;
  const isNear = off <= Math.abs(expected) * 1e-2;
  const near = isNear ? ': nearly, but it must be right to one part in 1e9' : '';
  expect(actual, `${claim}${near}`).toBe(expected);
}

/** What makes no sense is refused, and whoever wrote it can see what was wrong. */
function expectRefused(compute: () => unknown, name: string, value: number): void {
  let result: unknown;
  try {
    result = compute();
  } catch (error) {
    const shown = `${name} was ${value}`;
    expect(error, `${shown}: it must be refused with a RangeError`).toBeInstanceOf(RangeError);
    const message = error instanceof Error ? error.message : '';
    expect(message, `${shown}: the message must name what is wrong`).toContain(name);
    expect(message, `${shown}: the message must hold the value`).toContain(String(value));
    return;
  }
  expect.fail(`${name} was ${value}, which makes no sense, and the answer was ${inspect(result)}`);
}

const NO_SHARES = [-0.001, 1.001, 99.9, Number.NaN, Infinity];
const NO_COUNTS = [0, -1, 2.5, Number.NaN, Infinity];
const NO_AMOUNTS = [-1, Number.NaN, Infinity, -Infinity];
const NOTHING_ABOVE_0 = [0, ...NO_AMOUNTS];

/** Fractions of whole numbers of any length: here nothing is rounded. */
interface Exact {
  readonly top: bigint;
  readonly bottom: bigint;
}
const ONE: Exact = { top: 1n, bottom: 1n };
const NONE: Exact = { top: 0n, bottom: 1n };

/** Every floating-point number is a fraction; this is it. */
function exactly(value: number): Exact {
  let bottom = 1n;
  let scaled = value;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    bottom *= 2n;
  }
  return { top: BigInt(scaled), bottom };
}
const times = (a: Exact, b: Exact): Exact => ({ top: a.top * b.top, bottom: a.bottom * b.bottom });
const plus = (a: Exact, b: Exact): Exact => ({
  top: a.top * b.bottom + b.top * a.bottom,
  bottom: a.bottom * b.bottom,
});
const minus = (a: Exact, b: Exact): Exact => plus(a, { top: -b.top, bottom: b.bottom });
const power = (a: Exact, n: number): Exact => ({
  top: a.top ** BigInt(n),
  bottom: a.bottom ** BigInt(n),
});

/** The nearest floating-point number, or one beside it. */
function rounded({ top, bottom }: Exact): number {
  if (top === 0n) return 0;
  let exponent = bottom.toString(2).length - top.toString(2).length + 60;
  const scaled =
    exponent >= 0 ? (top << BigInt(exponent)) / bottom : top / (bottom << BigInt(-exponent));
  let value = Number(scaled);
  for (; exponent > 0; exponent -= 1) value /= 2;
  for (; exponent < 0; exponent += 1) value *= 2;
  return value;
}

/** From the everyday to the tiny, and near 1. */
const shares = fc.oneof(
  fc.constantFrom(0, 1, 0.5, 0.01, 0.001, 1e-4, 1e-9, 1e-17, 1e-18, 1 - 1e-12),
  fc.double({ min: 0, max: 1, noNaN: true }).filter((share) => share === 0 || share > 1e-20),
);
const check = { seed: 4, numRuns: 60 };

describe('1 · in series', () => {
  it('adds the failures of thirty services up, nearly', () => {
    const failure = anyFails(Array.from({ length: 30 }, () => 1e-4));
    expectAbout(failure, 0.0029956540572609, 'thirty services that each fail one time in 10,000');
  });

  it('takes different services', () => {
    expectAbout(anyFails([0.1, 0.2, 0.3]), 0.496, '1 − 0.9 × 0.8 × 0.7');
  });

  it('says that one service is as good as itself', () => {
    expectAbout(anyFails([0.001]), 0.001, 'one service that fails with 0.001');
  });

  it('never fails when there is nothing that could', () => {
    expectAbout(anyFails([]), 0, 'nothing is needed');
    expectAbout(anyFails([0, 0]), 0, 'two services that never fail');
  });

  it('always fails with something that always does', () => {
    expectAbout(anyFails([0.001, 1, 0.5]), 1, 'one of the services is gone for good');
    expectAbout(anyFails([1, 1]), 1, 'both services are gone for good');
  });

  it('does not lose what is tiny', () => {
    const disks = Array.from({ length: 100 }, () => 1e-18);
    expectAbout(anyFails(disks), 1e-16, 'a hundred disks that each fail with 1e-18');
    expectAbout(anyFails([1e-200, 3e-200]), 4e-200, 'two that hardly ever fail');
  });

  it('leaves the list as it is', () => {
    const failures = Object.freeze([0.3, 0.1, 0.2]);
    expectAbout(anyFails(failures), 0.496, 'a list that must not be changed');
  });

  it.each([
    [0.001, 30, 43.2],
    [0.0001, 30, 4.32],
    [0.001, 365, 525.6],
    [1, 1, 1_440],
    [0.01, 0.5, 7.2],
    [0, 30, 0],
    [1e-12, 30, 4.32e-8],
  ])('makes minutes of it: %d for %d days', (failure, days, minutes) => {
    expectAbout(downtimeMinutes(failure, days), minutes, `${failure} for ${days} days`);
  });

  it('takes 30 days for a month', () => {
    expectAbout(
      downtimeMinutes(0.0029956540572609),
      129.412255273671,
      'thirty services, no days given',
    );
  });

  it.each(NO_SHARES)('refuses %d as a probability', (nonsense) => {
    expectRefused(() => anyFails([0.1, nonsense]), 'failures', nonsense);
    expectRefused(() => anyFails([1, nonsense]), 'failures', nonsense);
    expectRefused(() => downtimeMinutes(nonsense, 30), 'failure', nonsense);
  });

  it.each(NOTHING_ABOVE_0)('refuses %d as a number of days', (nonsense) => {
    expectRefused(() => downtimeMinutes(0.1, nonsense), 'days', nonsense);
    expectRefused(() => downtimeMinutes(0, nonsense), 'days', nonsense);
  });

  it('is exact for any probabilities', () => {
    fc.assert(
      fc.property(fc.array(shares, { maxLength: 8 }), (failures) => {
        const allWell = failures.reduce((well, p) => times(well, minus(ONE, exactly(p))), ONE);
        expectAbout(anyFails(failures), rounded(minus(ONE, allWell)), `1 − Π(1 − p)`);
      }),
      check,
    );
  });
});

describe('2 · hard and soft', () => {
  it('fails with what is hard only', () => {
    const { fails } = pageOutcome({ hard: [0.01, 0.02], soft: [0.5] });
    expectAbout(fails, 0.0298, 'seats and payment are hard, recommendations are not');
  });

  it('is degraded when nothing hard fails, but something soft does', () => {
    const { degraded } = pageOutcome({ hard: [0.1], soft: [0.2, 0.3] });
    expectAbout(degraded, 0.396, '0.9 × (1 − 0.8 × 0.7)');
  });

  it('is never both', () => {
    const { fails, degraded } = pageOutcome({ hard: [1], soft: [1] });
    expectAbout(fails, 1, 'the hard one is gone');
    expectAbout(degraded, 0, 'there is no page, so nothing is missing on it');
  });

  it('has no failure without anything hard, and no degradation without anything soft', () => {
    const soft = pageOutcome({ hard: [], soft: [0.25] });
    const hard = pageOutcome({ hard: [0.25], soft: [] });
    expectAbout(soft.fails, 0, 'nothing is hard');
    expectAbout(soft.degraded, 0.25, 'one soft dependency');
    expectAbout(hard.fails, 0.25, 'one hard dependency');
    expectAbout(hard.degraded, 0, 'nothing is soft');
  });

  it('does not lose what is tiny', () => {
    const { fails, degraded } = pageOutcome({ hard: [1e-18, 1e-18], soft: [2e-18] });
    expectAbout(fails, 2e-18, 'two hard dependencies');
    expectAbout(degraded, 2e-18, 'a soft one that hardly ever fails');
  });

  it('leaves the lists as they are', () => {
    const [hard, soft] = [Object.freeze([0.3, 0.1, 0.2]), Object.freeze([0.2, 0.1])];
    const { fails, degraded } = pageOutcome({ hard, soft });
    expectAbout(fails, 0.496, 'lists that must not be changed');
    expectAbout(degraded, 0.14112, 'lists that must not be changed');
  });

  it('does not lose what is left when nearly all fails', () => {
    const { degraded } = pageOutcome({ hard: [1 - 2 ** -30, 1 - 2 ** -30], soft: [1] });
    expectAbout(degraded, 2 ** -60, 'both hard ones work once in 2⁶⁰ times');
  });

  it('is exact for any dependencies', () => {
    const some = fc.array(shares, { maxLength: 4 });
    const allWell = (failures: readonly number[]) =>
      failures.reduce((well, p) => times(well, minus(ONE, exactly(p))), ONE);
    fc.assert(
      fc.property(some, some, (hard, soft) => {
        const { fails, degraded } = pageOutcome({ hard, soft });
        expectAbout(fails, rounded(minus(ONE, allWell(hard))), 'a hard one fails');
        const missing = times(allWell(hard), minus(ONE, allWell(soft)));
        expectAbout(degraded, rounded(missing), 'no hard one fails, but a soft one does');
      }),
      check,
    );
  });

  it.each(NO_SHARES)('refuses %d as a probability', (nonsense) => {
    expectRefusedAs(['hard', 'failures'], nonsense, () =>
      pageOutcome({ hard: [nonsense], soft: [] }),
    );
    expectRefusedAs(['soft', 'failures'], nonsense, () =>
      pageOutcome({ hard: [1], soft: [nonsense] }),
    );
  });
});

/** `hard` goes through `anyFails` in many answers, which calls it by another name: both will do. */
function expectRefusedAs(names: readonly string[], value: number, compute: () => unknown): void {
  const named = names.find((name) => {
    try {
      compute();
    } catch (error) {
      return error instanceof Error && error.message.includes(name);
    }
    return false;
  });
  expectRefused(compute, named ?? names[0] ?? '', value);
}

describe('3 · replicas', () => {
  it('needs all of three to be down', () => {
    expectAbout(tooFewReplicas({ failure: 0.1, replicas: 3 }), 1e-3, 'three, of which one will do');
  });

  it('says that one replica is as good as itself', () => {
    expectAbout(tooFewReplicas({ failure: 0.02, replicas: 1 }), 0.02, 'a single one');
  });

  it('counts all the ways to have too few', () => {
    const quorum = tooFewReplicas({ failure: 0.1, replicas: 3, needed: 2 });
    expectAbout(quorum, 0.028, 'two of three are needed: 0.1³ + 3 × 0.9 × 0.1²');
    const five = tooFewReplicas({ failure: 0.01, replicas: 5, needed: 3 });
    expectAbout(five, 9.8506e-6, 'three of five are needed');
  });

  it('is a series when all are needed', () => {
    const all = tooFewReplicas({ failure: 1e-4, replicas: 30, needed: 30 });
    expectAbout(all, 0.0029956540572609, 'thirty shards, and all of them are needed');
  });

  it('does not lose what is tiny', () => {
    const many = tooFewReplicas({ failure: 1e-5, replicas: 6, needed: 2 });
    expectAbout(many, 5.9999500001e-25, 'two of six are needed');
    const pair = tooFewReplicas({ failure: 1e-18, replicas: 3, needed: 3 });
    expectAbout(pair, 3e-18, 'three that hardly ever fail, all needed');
  });

  it('manages a hundred of them', () => {
    const half = tooFewReplicas({ failure: 0.5, replicas: 100, needed: 50 });
    expectAbout(half, 0.46020538130641064, 'fifty of a hundred, heads or tails');
    const nearly = tooFewReplicas({ failure: 0.3, replicas: 100, needed: 61 });
    expectAbout(nearly, 0.02098857600392468, 'sixty-one of a hundred');
  });

  it('is no better than what all of them share', () => {
    const shared = tooFewReplicas({ failure: 0.001, replicas: 3, shared: 0.0014 });
    expectAbout(shared, 0.0014000009986, 'three replicas on one database');
  });

  it('fails for either reason, but not twice', () => {
    const either = tooFewReplicas({ failure: 0.5, replicas: 1, shared: 0.5 });
    expectAbout(either, 0.75, 'the replica or what it shares: 1 − 0.5 × 0.5');
    expectAbout(tooFewReplicas({ failure: 0, replicas: 2, shared: 1 }), 1, 'the zone is gone');
  });

  it('knows the ends', () => {
    expectAbout(tooFewReplicas({ failure: 0, replicas: 5, needed: 5 }), 0, 'they never fail');
    expectAbout(tooFewReplicas({ failure: 1, replicas: 5, needed: 1 }), 1, 'they always fail');
  });

  it.each(NO_SHARES)('refuses %d as a probability', (nonsense) => {
    expectRefused(() => tooFewReplicas({ failure: nonsense, replicas: 2 }), 'failure', nonsense);
    const shared = () => tooFewReplicas({ failure: 0.1, replicas: 2, shared: nonsense });
    expectRefused(shared, 'shared', nonsense);
  });

  it.each(NO_COUNTS)('refuses %d as a number of replicas', (nonsense) => {
    expectRefused(() => tooFewReplicas({ failure: 0.1, replicas: nonsense }), 'replicas', nonsense);
    for (const certain of [{ failure: 0.1 }, { failure: 0 }, { failure: 0.1, shared: 1 }]) {
      const needed = () => tooFewReplicas({ ...certain, replicas: 2, needed: nonsense });
      expectRefused(needed, 'needed', nonsense);
    }
  });

  it('refuses to need more than there are, and to count more than a hundred', () => {
    expectRefused(() => tooFewReplicas({ failure: 0.1, replicas: 2, needed: 3 }), 'needed', 3);
    expectRefused(() => tooFewReplicas({ failure: 0.1, replicas: 101 }), 'replicas', 101);
  });

  it('is exact for any number of replicas', () => {
    const cases = fc
      .record({ failure: shares, replicas: fc.integer({ min: 1, max: 12 }), spare: fc.nat(11) })
      .filter(({ failure, replicas }) => failure === 0 || failure ** replicas > 1e-240);
    fc.assert(
      fc.property(cases, shares, ({ failure, replicas, spare }, shared) => {
        const needed = Math.max(1, replicas - spare);
        const down = exactly(failure);
        let tooFew = NONE;
        let ways = 1n;
        for (let up = 0; up < needed; up += 1) {
          const each = times(power(minus(ONE, down), up), power(down, replicas - up));
          tooFew = plus(tooFew, times({ top: ways, bottom: 1n }, each));
          ways = (ways * BigInt(replicas - up)) / BigInt(up + 1);
        }
        const well = times(minus(ONE, tooFew), minus(ONE, exactly(shared)));
        const actual = tooFewReplicas({ failure, replicas, needed, shared });
        expectAbout(actual, rounded(minus(ONE, well)), `${needed} of ${replicas} are needed`);
      }),
      check,
    );
  });
});

describe('4 · the tail', () => {
  it.each([
    [0.01, 1, 0.01],
    [0.01, 10, 0.0956179249911955],
    [0.01, 60, 0.452843358],
    [0.01, 100, 0.6339676587267709],
    [0.001, 2_000, 0.8648000746025],
  ])('of calls that are slow with %d, a page makes %d', (slow, calls, share) => {
    expect(slowPages({ slow, calls }), 'one slow call makes the page slow').toBeCloseTo(share, 8);
  });

  it('does not lose what is tiny', () => {
    expectAbout(slowPages({ slow: 1e-18, calls: 60 }), 6e-17, 'sixty calls that are hardly slow');
  });

  it('knows the ends', () => {
    expectAbout(slowPages({ slow: 0, calls: 60 }), 0, 'no call is slow');
    expectAbout(slowPages({ slow: 1, calls: 60 }), 1, 'all calls are slow');
    expectAbout(slowCallsAllowed({ slowPages: 0, calls: 60 }), 0, 'no page may be slow');
    expectAbout(slowCallsAllowed({ slowPages: 1, calls: 60 }), 1, 'all pages may be slow');
  });

  it('asks the other way round', () => {
    const allowed = slowCallsAllowed({ slowPages: 0.01, calls: 60 });
    expectAbout(allowed, 1.674915692790334e-4, '1 % of slow pages, sixty calls each');
    expectAbout(slowCallsAllowed({ slowPages: 0.05, calls: 1 }), 0.05, 'one call is the page');
    expectAbout(slowCallsAllowed({ slowPages: 6e-17, calls: 60 }), 1e-18, 'a tiny share');
  });

  it('adds up what runs one after another', () => {
    expectAbout(latencyMs({ inSeries: [30, 50, 20] }), 100, 'three calls in a chain');
    expectAbout(latencyMs({ inSeries: [] }), 0, 'nothing to do');
    expectAbout(latencyMs(42), 42, 'a single call');
    expectAbout(latencyMs({ inSeries: [0, 7] }), 7, 'a call that takes no time, and one that does');
  });

  it('waits for the slowest of what runs side by side', () => {
    expectAbout(latencyMs({ inParallel: [30, 50, 20] }), 50, 'three calls at once');
    expectAbout(latencyMs({ inParallel: [] }), 0, 'nothing to wait for');
    expectAbout(latencyMs({ inParallel: [40] }), 40, 'one call, with nobody beside it');
  });

  it('takes plans within plans', () => {
    const page: Plan = {
      inSeries: [5, { inParallel: [40, { inSeries: [10, 45] }, { inParallel: [32, 27] }] }, 3],
    };
    expectAbout(latencyMs(page), 63, '5 + the slower of 40 and 10 + 45, + 3');
    const sides: Plan = { inParallel: [{ inSeries: [20, 20] }, { inSeries: [] }, 39.5] };
    expectAbout(latencyMs(sides), 40, 'the chain of two is slower');
  });

  it('leaves the plan as it is', () => {
    const inParallel = Object.freeze([10, 30, Object.freeze({ inSeries: Object.freeze([15, 5]) })]);
    const plan: Plan = Object.freeze({ inSeries: Object.freeze([{ inParallel }, 3]) });
    expectAbout(latencyMs(plan), 33, 'a plan that must not be changed');
  });

  it.each(NO_SHARES)('refuses %d as a share', (nonsense) => {
    expectRefused(() => slowPages({ slow: nonsense, calls: 2 }), 'slow', nonsense);
    for (const calls of [2, 1]) {
      const allowed = () => slowCallsAllowed({ slowPages: nonsense, calls });
      expectRefused(allowed, 'slowPages', nonsense);
    }
  });

  it.each(NO_COUNTS)('refuses %d as a number of calls', (nonsense) => {
    for (const share of [0.01, 0, 1]) {
      expectRefused(() => slowPages({ slow: share, calls: nonsense }), 'calls', nonsense);
      const allowed = () => slowCallsAllowed({ slowPages: share, calls: nonsense });
      expectRefused(allowed, 'calls', nonsense);
    }
  });

  it.each(NO_AMOUNTS)('refuses %d as a latency', (nonsense) => {
    expectRefused(() => latencyMs(nonsense), 'plan', nonsense);
    expectRefused(() => latencyMs({ inSeries: [3, nonsense] }), 'plan', nonsense);
    expectRefused(() => latencyMs({ inParallel: [3, { inSeries: [nonsense] }] }), 'plan', nonsense);
  });

  it('is exact for any share, both ways', () => {
    fc.assert(
      fc.property(shares, fc.integer({ min: 1, max: 40 }), (slow, calls) => {
        const exact = minus(ONE, power(minus(ONE, exactly(slow)), calls));
        expectAbout(slowPages({ slow, calls }), rounded(exact), `1 − (1 − p)ⁿ, n = ${calls}`);
        const target = slow;
        const back = slowPages({ slow: slowCallsAllowed({ slowPages: target, calls }), calls });
        // Near 1 a share itself is too coarse for more.
        if (target < 0.999)
          expectAbout(back, target, `calls as good as asked, ${calls} for each page`);
      }),
      check,
    );
  });
});

describe('5 · retries in layers', () => {
  const calls = (attempts: readonly number[], failure: number) =>
    callsPerRequest({ attempts, failure });

  it('multiplies when nothing succeeds', () => {
    expectAbout(calls([3, 3, 3, 3], 1), 81, 'four layers with three attempts each');
    expectAbout(calls([2, 5], 1), 10, 'two attempts over five');
  });

  it('calls once when all succeeds', () => {
    expectAbout(calls([3, 3, 3], 0), 1, 'the first call succeeds');
  });

  it('stops with the first success', () => {
    expectAbout(calls([3], 0.5), 1.75, '1 + 0.5 + 0.25');
    expectAbout(calls([2, 2], 0.5), 1.875, '1 + 0.5 + 0.25 + 0.125');
    expectAbout(calls([3, 3], 0.1), 1.11111111, 'nine attempts in all');
  });

  it('does not care which layer has the attempts', () => {
    expectAbout(calls([4, 1, 3], 0.7), calls([3, 4], 0.7), 'twelve attempts either way');
    expectAbout(calls([12], 0.7), calls([3, 4], 0.7), 'twelve attempts in one layer');
  });

  it('calls once without layers', () => {
    expectAbout(calls([], 0.5), 1, 'nobody retries');
    expectAbout(calls([1, 1], 1), 1, 'layers with one attempt do not retry');
  });

  it('is right when nearly nothing succeeds', () => {
    expectAbout(calls([3, 3, 3], 1 - 2 ** -50), 27, 'one call in 2⁵⁰ succeeds');
    expectAbout(calls([1_000], 1 - 2 ** -37), 999.9999963656, 'one call in 2³⁷ succeeds');
  });

  it('manages many attempts', () => {
    expectAbout(calls([1_000, 1_000], 0.999), 1_000, 'a million attempts, one in 1,000 succeeds');
    expectAbout(calls([1_000, 1_000], 1), 1_000_000, 'a million attempts, none succeeds');
  });

  it.each(NO_SHARES)('refuses %d as a probability', (nonsense) => {
    expectRefused(() => calls([3], nonsense), 'failure', nonsense);
    expectRefused(() => calls([], nonsense), 'failure', nonsense);
  });

  it.each(NO_COUNTS)('refuses %d as a number of attempts', (nonsense) => {
    for (const failure of [0.5, 0, 1]) {
      expectRefused(() => calls([3, nonsense], failure), 'attempts', nonsense);
    }
  });

  it('leaves the list as it is', () => {
    expectAbout(calls(Object.freeze([2, 3]), 1), 6, 'a list that must not be changed');
  });

  it('is exact for any layers', () => {
    const layers = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 });
    fc.assert(
      fc.property(layers, shares, (attempts, failure) => {
        const n = attempts.reduce((product, each) => product * each, 1);
        let exact = NONE;
        let next = ONE;
        for (let i = 0; i < n; i += 1) {
          exact = plus(exact, next);
          next = times(next, exactly(failure));
        }
        expectAbout(calls(attempts, failure), rounded(exact), `${n} attempts in all`);
      }),
      { ...check, numRuns: 40 },
    );
  });
});

describe("6 · Little's law", () => {
  it('multiplies what arrives by how long it stays', () => {
    expectAbout(inFlight({ perSecond: 700, latencyMs: 30 }), 21, '700 a second for 30 ms');
    expectAbout(inFlight({ perSecond: 100, latencyMs: 2_000 }), 200, '100 a second for 2 s');
    expectAbout(inFlight({ perSecond: 0, latencyMs: 30 }), 0, 'nobody comes');
    expectAbout(inFlight({ perSecond: 700, latencyMs: 0 }), 0, 'nobody stays');
    expectAbout(inFlight({ perSecond: 2.5, latencyMs: 100 }), 0.25, 'less than one on average');
  });

  it('leaves room in the pool', () => {
    const pool = poolSize({ perSecond: 1_000, latencyMs: 50, utilization: 0.5 });
    expect(pool, '50 under way on average, and half of the permits in use').toBe(100);
  });

  it('rounds up, for there are only whole permits', () => {
    const pool = poolSize({ perSecond: 700, latencyMs: 30.001, utilization: 0.7 });
    expect(pool, 'a little more than 30 are needed: with 30 some wait').toBe(31);
    expect(poolSize({ perSecond: 1, latencyMs: 1, utilization: 1 }), 'one call at times').toBe(1);
    const little = poolSize({ perSecond: 1_000.00001, latencyMs: 1, utilization: 1 });
    expect(little, '1e-8 above 1 is more than 1e-9, and no rounding error').toBe(2);
    const large = poolSize({ perSecond: 1e6, latencyMs: 1_000.001, utilization: 1 });
    expect(large, 'a million and one').toBe(1_000_001);
  });

  it.each([
    [700, 30, 0.7, 30],
    [100, 30, 1, 3],
    [90, 70, 0.7, 9],
    [1_100, 10, 0.1, 110],
    [490, 20, 0.7, 14],
    [700_000_000, 30, 0.7, 30_000_000],
  ])('buys no permit for a rounding error: %d × %d ms at %d', (perSecond, ms, utilization, is) => {
    const pool = poolSize({ perSecond, latencyMs: ms, utilization });
    expect(pool, 'on paper this is a whole number').toBe(is);
  });

  it('needs no permit for no traffic', () => {
    expectAbout(poolSize({ perSecond: 0, latencyMs: 30, utilization: 0.5 }), 0, 'nobody comes');
  });

  it.each(NO_AMOUNTS)('refuses %d as a rate or a latency', (nonsense) => {
    expectRefused(() => inFlight({ perSecond: nonsense, latencyMs: 3 }), 'perSecond', nonsense);
    for (const perSecond of [3, 0]) {
      expectRefused(() => inFlight({ perSecond, latencyMs: nonsense }), 'latencyMs', nonsense);
    }
    const rate = () => poolSize({ perSecond: nonsense, latencyMs: 3, utilization: 0.5 });
    expectRefused(rate, 'perSecond', nonsense);
    const latency = () => poolSize({ perSecond: 0, latencyMs: nonsense, utilization: 0.5 });
    expectRefused(latency, 'latencyMs', nonsense);
  });

  it.each([0, -0.5, 1.2, 70, Number.NaN])('refuses %d as a utilization', (nonsense) => {
    for (const perSecond of [10, 0]) {
      const pool = () => poolSize({ perSecond, latencyMs: 3, utilization: nonsense });
      expectRefused(pool, 'utilization', nonsense);
    }
  });
});

describe('7 · scale the whole, or the hot part', () => {
  const seats: Module = { cores: 40, memoryGb: 1 };
  const rest: Module[] = Array.from({ length: 9 }, () => ({ cores: 0.5, memoryGb: 2 }));
  const shop = (modules: readonly Module[], fewest = 2) =>
    scaling({ modules, coresPerInstance: 4, fewest });

  it('gives one program the cores of all modules', () => {
    const { asOne } = shop([seats, ...rest]);
    expect(asOne.instances, '44.5 cores, 4 in each instance').toBe(12);
    expectAbout(asOne.memoryGb, 228, 'each of the 12 holds all modules: 1 + 9 × 2 GB');
  });

  it('gives each program what its module needs', () => {
    const { apart } = shop([seats, ...rest]);
    expect(apart.instances, '10 for seats, and 2 for each of the others').toBe(28);
    expectAbout(apart.memoryGb, 46, '10 × 1 GB, and 9 × 2 × 2 GB');
  });

  it('adds no memory where the rest is small', () => {
    const small = { cores: 0.5, memoryGb: 0.25 };
    const { asOne, apart } = shop([seats, small, small]);
    expectAbout(asOne.memoryGb, 16.5, '11 instances of 1.5 GB');
    expectAbout(apart.memoryGb, 11, '10 × 1 GB, and twice 2 × 0.25 GB');
    expect([asOne.instances, apart.instances], 'but three more machines').toEqual([11, 14]);
  });

  it('is the same for a single module', () => {
    const { asOne, apart } = shop([seats]);
    expect(apart, 'one module is one program').toEqual(asOne);
  });

  it('runs the fewest instances of what has no load', () => {
    const { asOne, apart } = shop(
      [
        { cores: 0, memoryGb: 3 },
        { cores: 0, memoryGb: 1 },
        { cores: 0, memoryGb: 0 },
      ],
      3,
    );
    expect(asOne, 'three of one program').toEqual({ instances: 3, memoryGb: 12 });
    expect(apart, 'three of each').toEqual({ instances: 9, memoryGb: 12 });
  });

  it('rounds up, but not for a rounding error', () => {
    const modules = [
      { cores: 0.1, memoryGb: 1 },
      { cores: 0.2, memoryGb: 1 },
    ];
    const even = scaling({ modules, coresPerInstance: 0.1, fewest: 1 });
    expect(even.asOne.instances, '0.3 cores, 0.1 in each instance').toBe(3);
    expect(even.apart.instances, 'one and two').toBe(3);
    const odd = scaling({ modules, coresPerInstance: 0.25, fewest: 1 });
    expect(odd.asOne.instances, '0.3 cores, 0.25 in each instance').toBe(2);
    const small = Array.from({ length: 300 }, () => ({ cores: 0.1, memoryGb: 1 }));
    const many = scaling({ modules: small, coresPerInstance: 1, fewest: 1 });
    expect(many.asOne.instances, '300 times 0.1 cores are 30, though each sum is rounded').toBe(30);
  });

  it('leaves the modules as they are', () => {
    const frozen = Object.freeze([Object.freeze({ ...seats }), Object.freeze({ ...seats })]);
    expect(shop(frozen).apart.instances, 'modules that must not be changed').toBe(20);
  });

  it.each(NO_AMOUNTS)('refuses %d as cores or memory', (nonsense) => {
    const cores = () => shop([seats, { cores: nonsense, memoryGb: 1 }]);
    expectRefusedAs(['cores', 'modules'], nonsense, cores);
    const memory = () => shop([{ cores: 1, memoryGb: nonsense }, seats]);
    expectRefusedAs(['memoryGb', 'modules'], nonsense, memory);
  });

  it.each(NOTHING_ABOVE_0)('refuses %d as the cores of an instance', (nonsense) => {
    const none = () => scaling({ modules: [seats], coresPerInstance: nonsense, fewest: 2 });
    expectRefused(none, 'coresPerInstance', nonsense);
  });

  it.each(NO_COUNTS)('refuses %d as the fewest instances', (nonsense) => {
    expectRefused(() => shop([seats], nonsense), 'fewest', nonsense);
  });
});
