import { type Entry, suspendedItems } from '../quiz/entry.ts';
import { cardItem } from '../quiz/item.ts';
import { namesIn } from './content/card-ids.ts';
import type { DeckFile } from './content/catalog.ts';

/** Ids of the cards that are asked, by deck. */
export function askedCards(
  decks: readonly DeckFile[],
  entries: readonly Entry[],
): Map<string, string[]> {
  const suspended = suspendedItems(entries);
  return new Map(
    decks.map((deck) => {
      const isAsked = (id: string) => !suspended.has(cardItem(`${deck.slug}/${id}`));
      return [deck.slug, namesIn(deck).filter(isAsked)];
    }),
  );
}
