import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Entry, parseEntry } from '../../../quiz/entry.ts';
import { readRecordLines } from '../../../quiz/record-lines.ts';

export function journalIn(home: string): string {
  return join(home, 'journal.jsonl');
}

/** All that the file holds, in its order, what was taken back included. */
export function entriesIn(home: string): readonly Entry[] {
  const file = journalIn(home);
  return existsSync(file) ? readRecordLines(readFileSync(file), parseEntry).found : [];
}

/** As lines that tell entries apart: one that is torn or joined to another is none of them. */
export function linesIn(home: string): string[] {
  return entriesIn(home).map((entry) => JSON.stringify(entry));
}
