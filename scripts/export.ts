import { writeFile } from 'node:fs/promises';
import { explainDiskError } from '../quiz/disk.ts';
import { KitError } from '../quiz/problem.ts';
import type { Command, Invocation } from './command.ts';

export const exportCommand: Command = {
  name: 'export',
  summary: 'write the cards as a file for Anki',
  help: `Usage: npm run export -- --anki FILE

Writes all cards as a text file that Anki imports. The first field of each is
its id: import the file again after an update, and cards are updated, not
doubled. In Anki, make a note type with the fields Id, Question and Answer once,
and choose it in the import window.`,
  options: { anki: { type: 'string' } },
  run: (invocation) => exportCards(invocation, (text) => console.log(text)),
};

export async function exportCards(
  { root, flags, words }: Invocation,
  print: (text: string) => void,
): Promise<number> {
  const { anki: file } = flags;
  if (typeof file !== 'string' || words.length > 0) {
    throw new KitError('Name the file: npm run export -- --anki cards.txt', { exitCode: 2 });
  }
  const { loadDecks } = await import('./content/catalog.ts');
  const { readDecks } = await import('./read-decks.ts');
  const { toAnki } = await import('../quiz/anki.ts');
  const { decks, problems } = await readDecks(await loadDecks(root));
  for (const problem of problems) print(problem);
  try {
    await writeFile(file, await toAnki(decks));
  } catch (error) {
    throw explainDiskError(error, file);
  }
  const cards = decks.reduce((sum, deck) => sum + deck.cards.length, 0);
  print(`${cards} cards are in ${file}.`);
  return 0;
}
