import type { Card } from './deck.ts';

/** How often the right option could be guessed by its looks alone. */
export interface Giveaway {
  /** Cards with one right option. */
  readonly cards: number;
  /** Of these, how often it is the longest, and the shortest. */
  readonly longest: number;
  readonly shortest: number;
  /** How often it would be, were looks and rightness independent. */
  readonly chance: number;
}

export function giveawayOf(cards: readonly Card[]): Giveaway {
  const texts = cards.flatMap(choicesOfOne);
  const rightIs = (extreme: (lengths: readonly number[]) => number) =>
    texts.filter((options) => {
      const lengths = options.map(({ text }) => text.length);
      return options.some(({ right, text }) => right && text.length === extreme(lengths));
    }).length;
  return {
    cards: texts.length,
    longest: rightIs((lengths) => Math.max(...lengths)),
    shortest: rightIs((lengths) => Math.min(...lengths)),
    chance: texts.reduce((sum, options) => sum + 1 / options.length, 0),
  };
}

function choicesOfOne(card: Card) {
  if (card.kind === 'choice' || card.kind === 'bug') return [card.options];
  return card.kind === 'duel' ? [card.flip.options] : [];
}

/** Three standard deviations: a fair deck is beyond it once in a thousand. */
const SIGMAS = 3;

/** Whether so many of these cards are more than chance would have. */
export function isTooOften(count: number, { cards, chance }: Giveaway): boolean {
  const p = cards === 0 ? 0 : chance / cards;
  return count > chance + SIGMAS * Math.sqrt(cards * p * (1 - p));
}
