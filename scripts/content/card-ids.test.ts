import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseDeck } from '../../quiz/deck.ts';
import { cardIds, onlyCards } from './card-ids.ts';
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

it('leaves of a deck just the cards that are wanted', async () => {
  const { decks } = await loadCatalog(join(import.meta.dirname, '../..'));
  for (const { slug, file } of decks.slice(0, 3)) {
    const text = await readFile(file, 'utf8');
    const whole = parseDeck(text, file, slug).deck;
    const wanted = new Set(cardIds(text).filter((_, index) => index % 5 === 1));
    const { deck, problems } = parseDeck(onlyCards(text, wanted), file, slug);
    expect(problems).toEqual([]);
    expect(deck).toEqual({ ...whole, cards: whole?.cards.filter(({ id }) => wanted.has(id)) });
  }
});

it('leaves a card alone whose list begins at the margin', () => {
  const card = (id: string) => `- id: ${id}\n  kind: order\n  steps:\n  - one\n  - two\n`;
  const deck = `title: A\ncards:\n${card('a')}${card('b')}`;
  expect(onlyCards(deck, new Set(['b']))).toBe(`title: A\ncards:\n${card('b')}`);
});
