import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseDeck } from '../../quiz/deck.ts';
import { cardIds } from './card-ids.ts';
import { loadCatalog } from './catalog.ts';

it('finds the ids that the parser of decks finds', async () => {
  const { decks } = await loadCatalog(join(import.meta.dirname, '../..'));
  for (const { slug, file } of decks) {
    const text = await readFile(file, 'utf8');
    const { deck } = parseDeck(text, file, slug);
    expect(cardIds(text)).toEqual(deck?.cards.map(({ id }) => id));
  }
});

it('finds an id that does not come first, and one in quotes', () => {
  expect(cardIds("cards:\n  - kind: recall\n    id: one\n  - id: 'two'\n")).toEqual(['one', 'two']);
});

it('takes no line of a prompt for an id', () => {
  expect(cardIds('cards:\n  - id: one\n    prompt: |\n      id: two\n')).toEqual(['one']);
});
