import { expect, it } from 'vitest';
import { powers } from './growth.ts';

it('tells linear growth from quadratic growth, and from none', () => {
  const points = (power: number) =>
    [0.1, 0.3, 1].map((share) => ({ share, took: 5 * share ** power }));
  for (const power of [0, 1, 2]) {
    const [first, ...others] = powers(points(power));
    expect(first).toBeUndefined();
    for (const found of others) expect(found).toBeCloseTo(power);
  }
});
