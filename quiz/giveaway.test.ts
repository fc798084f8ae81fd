import { describe, expect, it } from 'vitest';
import { deckOf } from './fixtures/decks.ts';
import { giveawayOf, isTooOften } from './giveaway.ts';

const card = (id: number, right: string, ...wrong: readonly string[]) =>
  [
    `  - id: card-${id}`,
    '    kind: choice',
    '    prompt: Which?',
    '    options:',
    `      - { text: ${right}, right: true }`,
    ...wrong.map((text) => `      - { text: ${text}, why: No. }`),
  ].join('\n');

const of = (...cards: readonly string[]) => giveawayOf(deckOf(`${cards.join('\n')}\n`).cards);

describe('giveawayOf', () => {
  it('counts how often the right option is the longest or the shortest', () => {
    const figures = of(card(1, 'long', 'a'), card(2, 'b', 'long'), card(3, 'mid', 'x', 'longer'));
    expect(figures).toMatchObject({ cards: 3, longest: 1, shortest: 1 });
    expect(figures.chance).toBeCloseTo(1 / 2 + 1 / 2 + 1 / 3);
  });

  it('has nothing to say of cards without one right option', () => {
    expect(giveawayOf([])).toEqual({ cards: 0, longest: 0, shortest: 0, chance: 0 });
    expect(isTooOften(0, giveawayOf([]))).toBe(false);
  });

  it('calls too often only what chance hardly does', () => {
    const figures = { cards: 16, longest: 0, shortest: 0, chance: 4 };
    expect([4, 9, 10, 16].map((count) => isTooOften(count, figures))).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });
});
