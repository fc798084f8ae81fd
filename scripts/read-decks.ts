import { readFile } from 'node:fs/promises';
import { type Deck, parseDeck, type ParsedDeck } from '../quiz/deck.ts';
import { cardItem, cardName } from '../quiz/item.ts';
import { leftOutInWords, type Shelf } from '../quiz/shelf.ts';
import { namesIn, onlyCards } from './content/card-ids.ts';
import type { DeckFile } from './content/catalog.ts';

/** The decks, and in one line what of them cannot be asked. */
export async function readDecks(
  files: readonly DeckFile[],
): Promise<{ decks: Deck[]; problems: string[] }> {
  const parsed = await Promise.all(files.map(readDeck));
  return { decks: parsed.flatMap(({ deck }) => deck ?? []), problems: leftOutInWords(parsed) };
}

/** The decks, with the names of their cards; a card is parsed when it is to be asked. */
export function shelve(files: readonly DeckFile[]): Shelf {
  return {
    decks: files.map((deck) => ({
      slug: deck.slug,
      cards: namesIn(deck).map((id) => ({
        item: cardItem(`${deck.slug}/${id}`),
        deck: deck.slug,
      })),
    })),
    async open(slug, items) {
      const found = files.find((each) => each.slug === slug);
      if (!found) return { leftOut: 0, problems: [] };
      const text = await readFile(found.file, 'utf8');
      const wanted = new Set(items.map((item) => cardName(item).slice(`${slug}/`.length)));
      const few = parseDeck(onlyCards(text, wanted), found.file, slug);
      return few.problems.length === 0 ? few : parseDeck(text, found.file, slug);
    },
  };
}

async function readDeck({ file, slug }: DeckFile): Promise<ParsedDeck> {
  return parseDeck(await readFile(file, 'utf8'), file, slug);
}
