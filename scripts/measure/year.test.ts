import { describe, expect, it } from 'vitest';
import { plainDeck } from '../../quiz/fixtures/decks.ts';
import { playYear } from './year.ts';

const options = { decks: [plainDeck(60, 'a'), plainDeck(60, 'b')], days: 120, minutes: 10 };

describe('playYear', () => {
  it('gives the same days for the same seed, and others for another', () => {
    const once = playYear({ ...options, seed: 'x' });
    expect(playYear({ ...options, seed: 'x' })).toEqual(once);
    expect(playYear({ ...options, seed: 'y' })).not.toEqual(once);
  });

  it('keeps nearly all days within the minutes asked for, and holds what it set out to hold', () => {
    const { minutes, learned, seen } = playYear({ ...options, seed: 'x' });
    const within = minutes.filter((spent) => spent <= options.minutes).length;
    expect(within / options.days).toBeGreaterThan(0.95);
    expect(learned.held / learned.asked).toBeGreaterThan(0.87);
    expect(learned.held / learned.asked).toBeLessThan(0.93);
    expect(seen).toBe(120);
  });
});
