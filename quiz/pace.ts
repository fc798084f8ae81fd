/** What a card takes, the minutes that missed ones take when they come again in the same sitting included. */
export const CARD_MINUTES = 2 / 3;

export interface Limits {
  /** At most so many cards in a sitting… */
  readonly cards: number;
  /** …and at most so many of them new. */
  readonly fresh: number;
}

/** About a quarter of an hour; and a day's new cards do not come back as a day nobody has time for. */
export const usualLimits: Limits = { cards: 20, fresh: 8 };

/** What a sitting of so many minutes has time for. */
export function limitsFor(minutes: number): Limits {
  const cards = Math.max(3, Math.floor(minutes / CARD_MINUTES));
  return { cards, fresh: Math.ceil(cards / 4) };
}

/** The share of a planned day that goes to cards; the rest is for lessons, katas and rehearsals. */
export const CARD_SHARE = 0.5;
