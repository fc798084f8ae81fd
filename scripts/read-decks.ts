import { readFile } from 'node:fs/promises';
import { count } from '../quiz/count.ts';
import { type Deck, parseDeck } from '../quiz/deck.ts';
import type { DeckFile } from './content/catalog.ts';

/** The decks, and in one line what of them cannot be asked. */
export async function readDecks(
  files: readonly DeckFile[],
): Promise<{ decks: Deck[]; problems: string[] }> {
  const parsed = await Promise.all(
    files.map(async ({ file, slug }) => parseDeck(await readFile(file, 'utf8'), file, slug)),
  );
  const decks = parsed.flatMap(({ deck }) => deck ?? []);
  const cards = parsed.reduce((sum, { leftOut }) => sum + leftOut, 0);
  const lost = [
    cards > 0 ? count(cards, 'card') : [],
    decks.length < parsed.length ? count(parsed.length - decks.length, 'deck') : [],
  ].flat();
  const problems =
    lost.length > 0 ? [`Left out: ${lost.join(' and ')}. npm run verify says why.`] : [];
  return { decks, problems };
}
