import { readFile } from 'node:fs/promises';
import { type Deck, parseDeck, type ParsedDeck } from '../quiz/deck.ts';
import { cardItem } from '../quiz/item.ts';
import { leftOutInWords, type Shelf } from '../quiz/shelf.ts';
import { namesIn } from './content/card-ids.ts';
import type { DeckFile } from './content/catalog.ts';

/** The decks, and in one line what of them cannot be asked. */
export async function readDecks(
  files: readonly DeckFile[],
): Promise<{ decks: Deck[]; problems: string[] }> {
  const parsed = await Promise.all(files.map(readDeck));
  return { decks: parsed.flatMap(({ deck }) => deck ?? []), problems: leftOutInWords(parsed) };
}

/** The decks, with the names of their cards; a deck is parsed when one of its cards is to be asked. */
export function shelve(files: readonly DeckFile[]): Shelf {
  return {
    decks: files.map((deck) => ({
      slug: deck.slug,
      cards: namesIn(deck).map((id) => ({
        item: cardItem(`${deck.slug}/${id}`),
        deck: deck.slug,
      })),
    })),
    async open(slug) {
      const file = files.find((each) => each.slug === slug);
      return file ? readDeck(file) : { leftOut: 0, problems: [] };
    },
  };
}

async function readDeck({ file, slug }: DeckFile): Promise<ParsedDeck> {
  return parseDeck(await readFile(file, 'utf8'), file, slug);
}
