import { readFileSync } from 'node:fs';
import type { DeckFile } from './catalog.ts';

/** Ids of the cards in a deck's file. Ids are ASCII: what else there is need not be decoded. */
export function namesIn({ file }: Pick<DeckFile, 'file'>): string[] {
  return cardIds(readFileSync(file, 'latin1'));
}

/**
 * The ids of a deck's cards, found without parsing YAML and checking cards: the first screen shows how many
 * there are of each topic, and must be quick. A card starts with `  - id: …`, or has `    id: …` in it.
 */
export function cardIds(deck: string): string[] {
  return [...deck.matchAll(idLine)].flatMap(([, , id]) => id ?? []);
}

const idLine = /^(?: {0,2}- | {2,4})id: +(['"]?)([a-z0-9-]+)\1[ \t]*\r?$/gm;

/** The deck without all other cards: to parse a whole one takes time. */
export function onlyCards(deck: string, ids: ReadonlySet<string>): string {
  const start = /^cards:.*\n/m.exec(deck);
  const indent = /^( {0,2})- /m.exec(deck.slice(start?.index))?.[1];
  if (start === null || indent === undefined) return deck;
  const from = start.index + start[0].length;
  const items = deck.slice(from).split(new RegExp(`^(?=${indent}- )`, 'm'));
  const kept = items.filter((item) => cardIds(item).some((id) => ids.has(id)));
  return deck.slice(0, from) + kept.join('');
}
