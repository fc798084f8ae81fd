import { describe, expect, it } from 'vitest';
import type { Grade, Review } from '../quiz/entry.ts';
import { cardItem } from '../quiz/item.ts';
import { replay } from '../quiz/schedule.ts';
import { statsOf } from './stats-figures.ts';

const now = new Date('2026-11-28T12:00:00');
const cards = Array.from({ length: 5 }, (_, index) => `card-${index}`);

/** Five cards that were seen long ago, and asked again yesterday. */
function asked(deck: string, missed: number): Review[] {
  const review = (id: string, day: string, grade: Grade): Review => {
    const item = cardItem(`${deck}/${id}`);
    return { v: 1, id: `${item} ${day}`, at: `${day}T12:00:00Z`, type: 'review', item, grade };
  };
  return cards.flatMap((id, index) => [
    review(id, '2026-09-01', 'good'),
    review(id, '2026-11-27', index < missed ? 'again' : 'good'),
  ]);
}

function confusedBy(missed: Readonly<Record<string, number>>) {
  const entries = Object.entries(missed).flatMap(([deck, count]) => asked(deck, count));
  const decks = Object.keys(missed).map((slug) => ({ slug, title: slug, cards }));
  return statsOf({ entries, memories: replay(entries), target: 0.9, decks, now }).confused;
}

describe('topics that get mixed up', () => {
  it('are neighbours of both of which a fifth was missed', () => {
    expect(confusedBy({ retries: 1, hedging: 2, saga: 3 })).toEqual([['retries', 'hedging']]);
  });

  it('are none when one of the two holds', () => {
    expect(confusedBy({ retries: 3, hedging: 0 })).toEqual([]);
  });

  it('are none when nothing was asked of the other', () => {
    expect(confusedBy({ retries: 3 })).toEqual([]);
  });
});
