import { describe, expect, it } from 'vitest';
import { CARD_MINUTES, limitsFor } from './pace.ts';

describe('limitsFor', () => {
  it('asks no more cards than there is time for, a quarter of them new', () => {
    expect(limitsFor(20)).toEqual({ cards: 30, fresh: 8 });
    for (const minutes of [5, 17, 60]) {
      expect(limitsFor(minutes).cards * CARD_MINUTES).toBeLessThanOrEqual(minutes);
    }
  });

  it('asks a few in any case', () => {
    expect(limitsFor(0)).toEqual({ cards: 3, fresh: 1 });
  });
});
