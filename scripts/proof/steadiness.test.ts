import { describe, expect, it } from 'vitest';
import { withOtherSeeds } from './steadiness.ts';

describe('other seeds', () => {
  it('move on wherever a spec names one, and nothing else changes', () => {
    const spec = `
const SEED = 20_261_122;
const check = { seed: 4, numRuns: 60 };
await fc.assert(property, { seed: 20_261_123, numRuns: 100 });
const anyNetwork = fc.nat().map((seed) => new Network(seed));
`;
    expect(withOtherSeeds(spec, 7)).toBe(`
const SEED = 20261129;
const check = { seed: 11, numRuns: 60 };
await fc.assert(property, { seed: 20261130, numRuns: 100 });
const anyNetwork = fc.nat().map((seed) => new Network(seed));
`);
  });
});
