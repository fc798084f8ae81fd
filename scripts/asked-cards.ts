import { readFile } from 'node:fs/promises';
import { type Entry, suspendedItems } from '../quiz/entry.ts';
import { cardItem } from '../quiz/item.ts';
import { cardIds } from './content/card-ids.ts';
import type { DeckFile } from './content/catalog.ts';

/** Ids of the cards that are asked, by deck. */
export async function askedCards(
  decks: readonly DeckFile[],
  entries: readonly Entry[],
): Promise<Map<string, string[]>> {
  const suspended = suspendedItems(entries);
  return new Map(
    await Promise.all(
      decks.map(async ({ slug, file }) => {
        const ids = cardIds(await readFile(file, 'utf8'));
        return [slug, ids.filter((id) => !suspended.has(cardItem(`${slug}/${id}`)))] as const;
      }),
    ),
  );
}
