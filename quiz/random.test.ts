import { describe, expect, it } from 'vitest';
import { seeded, shuffle } from './random.ts';

const take = (count: number, seed: string) => {
  const random = seeded(seed);
  return Array.from({ length: count }, () => random());
};

describe('seeded', () => {
  it('gives the same numbers for the same seed, others for another', () => {
    expect(take(5, '2026-11-22')).toEqual(take(5, '2026-11-22'));
    expect(take(5, '2026-11-22')).not.toEqual(take(5, '2026-11-23'));
  });

  it('spreads evenly from 0 up to 1', () => {
    const numbers = take(10_000, 'spread');
    const tenths = Array.from(
      { length: 10 },
      (_, tenth) => numbers.filter((number) => Math.floor(number * 10) === tenth).length,
    );
    for (const count of tenths) expect(count).toBeGreaterThan(900);
  });
});

describe('shuffle', () => {
  it('keeps every item', () => {
    expect(shuffle(['a', 'b', 'c', 'd'], seeded('keep')).toSorted()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('gives each order alike', () => {
    const random = seeded('orders');
    const counts = new Map<string, number>();
    for (let round = 0; round < 6_000; round += 1) {
      const order = shuffle(['a', 'b', 'c'], random).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(count).toBeGreaterThan(900);
  });
});
