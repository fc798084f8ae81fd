import { readFile } from 'node:fs/promises';
import { type Entry, suspendedItems } from '../quiz/entry.ts';
import { sheetsIn } from '../quiz/interview-sheet.ts';
import { cardIds } from './content/card-ids.ts';
import { type DeckFile, loadCatalog } from './content/catalog.ts';
import { interviewFiles, readInterview } from './content/interviews.ts';
import type { Kit } from './outlook.ts';

/** What a plan of the days is made from. */
export async function readKit(root: string, home: string, entries: readonly Entry[]): Promise<Kit> {
  const { lessons, katas, decks } = await loadCatalog(root);
  return {
    lessons,
    katas,
    cards: await cardsOf(decks, entries),
    interviews: await interviewsToHold(root, home),
  };
}

/** Ids of the cards that are asked, by deck. */
export async function cardsOf(
  decks: readonly DeckFile[],
  entries: readonly Entry[],
): Promise<Map<string, string[]>> {
  const suspended = suspendedItems(entries);
  return new Map(
    await Promise.all(
      decks.map(async ({ slug, file }) => {
        const ids = cardIds(await readFile(file, 'utf8'));
        return [slug, ids.filter((id) => !suspended.has(`card:${slug}/${id}`))] as const;
      }),
    ),
  );
}

/** Not held yet; first those that were left before their end. */
async function interviewsToHold(root: string, home: string) {
  const rehearsals = sheetsIn(home).map((sheet) => sheet.rehearsal());
  const held = new Set(
    rehearsals.flatMap(({ interview, hasEnded }) => (hasEnded ? interview : [])),
  );
  const begun = new Set(rehearsals.map(({ interview }) => interview));
  const all = await Promise.all((await interviewFiles(root)).map(readInterview));
  return all
    .map(({ interview: { slug, title, minutes } }) => ({ slug, title, minutes }))
    .filter(({ slug }) => !held.has(slug))
    .toSorted((a, b) => Number(begun.has(b.slug)) - Number(begun.has(a.slug)));
}
