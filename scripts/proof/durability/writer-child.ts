/** Appends to the journal in the folder that the first argument names, so many ms, and says each entry that was kept. */
import { writeSync } from 'node:fs';
import type { NewEntry } from '../../../quiz/entry.ts';
import { openJournal } from '../../../quiz/journal.ts';
import { seeded } from '../../../quiz/random.ts';

const [home = '', ms, seed = ''] = process.argv.slice(2);
const random = seeded(seed);
const journal = openJournal(home);
const endMs = Date.now() + Number(ms);
while (Date.now() < endMs) {
  const entry = journal.append(anEntry(), new Date());
  writeSync(1, `${entry.id}\n`);
}

/** One in twenty is longer than a pipe or a page of memory holds. */
function anEntry(): NewEntry {
  return random() < 0.05
    ? { type: 'debrief', went: 'é'.repeat(1 + Math.floor(random() * 100_000)), asked: [] }
    : { type: 'review', item: `card:a/${'x'.repeat(Math.floor(random() * 300))}`, grade: 'good' };
}
