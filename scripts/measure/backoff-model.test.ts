import { expect, it } from 'vitest';
import { seeded } from '../../quiz/random.ts';
import { type Backoff, backoffs, contend, firstRetrySpike } from './backoff-model.ts';

const TIMES = { baseMs: 5, capMs: 2_000 };

function backoffOf(name: string, times = TIMES): Backoff {
  const found = backoffs(times).find((each) => each.name === name);
  if (!found) throw new Error(`There is no backoff ${name}.`);
  return found;
}

/** Means of a few runs with 100 clients. */
function contest(name: string): { writes: number; endMs: number } {
  const backoff = backoffOf(name);
  const runs = Array.from({ length: 10 }, (_, run) =>
    contend({ clients: 100, backoff }, seeded(`test ${run}`)),
  );
  return {
    writes: runs.reduce((sum, { writes }) => sum + writes, 0) / runs.length,
    endMs: runs.reduce((sum, { endMs }) => sum + endMs, 0) / runs.length,
  };
}

function spike(waits: readonly number[], windowMs: number) {
  const left = [...waits];
  const backoff = { name: 'listed', waitMs: () => left.shift() ?? Number.NaN };
  return firstRetrySpike({ clients: waits.length, backoff }, windowMs, seeded('unused'));
}

it('lets a client without rivals write once, after four messages of about 10 ms', () => {
  const { writes, endMs } = contend({ clients: 1, backoff: backoffOf('full') }, seeded('alone'));
  expect(writes).toBe(1);
  expect(endMs).toBeGreaterThan(20);
  expect(endMs).toBeLessThan(60);
});

it('sends fewer writes the wider the jitter', () => {
  const names = ['none', 'exponential', '+0..10 %', '±20 %', 'full'];
  const writes = names.map((name) => contest(name).writes);
  expect(writes).toEqual(writes.toSorted((one, other) => other - one));
});

it('comes close to other simulations of the same model', () => {
  const full = contest('full');
  expect(full.writes).toBeGreaterThan(760);
  expect(full.writes).toBeLessThan(830);
  expect(full.endMs).toBeGreaterThan(4_000);
  expect(full.endMs).toBeLessThan(6_000);
  const exponential = contest('exponential');
  expect(exponential.writes).toBeGreaterThan(1_750);
  expect(exponential.writes).toBeLessThan(1_950);
  expect(exponential.endMs).toBeGreaterThan(55_000);
  expect(exponential.endMs).toBeLessThan(70_000);
});

it('gives the same outcome for the same seed, and another for another', () => {
  const run = (seed: string) => contend({ clients: 20, backoff: backoffOf('equal') }, seeded(seed));
  expect(run('one')).toEqual(run('one'));
  expect(run('one')).not.toEqual(run('two'));
});

it('doubles up to the cap, and stays there for ever', () => {
  const backoff = backoffOf('exponential');
  const waits = [1, 2, 3, 8, 9, 5_000].map((retry) =>
    backoff.waitMs(retry, undefined, seeded('x')),
  );
  expect(waits).toEqual([10, 20, 40, 1_280, 2_000, 2_000]);
});

it.each([
  ['+0..10 %', 40, 44],
  ['±20 %', 32, 48],
  ['equal', 20, 40],
  ['full', 0, 40],
])('draws %s before the third retry from its whole range', (name, low, high) => {
  const backoff = backoffOf(name);
  expect(backoff.waitMs(3, 7, () => 0)).toBeCloseTo(low, 9);
  expect(backoff.waitMs(3, 7, () => 1)).toBeCloseTo(high, 9);
});

it('draws decorrelated from the base up to three times the previous wait, capped', () => {
  const backoff = backoffOf('decorrelated');
  expect(backoff.waitMs(1, undefined, () => 1)).toBe(15);
  expect(backoff.waitMs(7, 100, () => 0)).toBe(5);
  expect(backoff.waitMs(7, 100, () => 1)).toBe(300);
  expect(backoff.waitMs(7, 2_000, () => 1)).toBe(2_000);
});

it('counts the busiest window wherever it begins', () => {
  expect(spike([120, 49, 10, 0, 50, 300], 50)).toMatchObject({ busiest: 3 });
  expect(spike([260, 100, 245, 271], 50)).toMatchObject({ busiest: 3 });
});

it('averages the waits', () => {
  expect(spike([10, 20, 60], 50)).toMatchObject({ meanMs: 30 });
});

it('has one client retry alone', () => {
  expect(spike([0], 50)).toEqual({ busiest: 1, meanMs: 0 });
});

it('sees all first retries at once without jitter, and a twentieth of them with full jitter', () => {
  const busiest = (name: string) => {
    const backoff = backoffOf(name, { baseMs: 500, capMs: 20_000 });
    return firstRetrySpike({ clients: 10_000, backoff }, 50, seeded('crowd')).busiest;
  };
  expect(busiest('exponential')).toBe(10_000);
  expect(busiest('+0..10 %')).toBeGreaterThan(4_900);
  expect(busiest('full')).toBeLessThan(650);
});
