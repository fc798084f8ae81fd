import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Disk, orExplain, realDisk } from './disk.ts';
import { type Entry, type NewEntry, parseEntry, withoutUndone } from './entry.ts';
import type { Problem } from './problem.ts';
import { readRecordLines } from './record-lines.ts';
import { withSoundTimes } from './sound-times.ts';

/** What the learner did and did not take back, oldest first, and the lines that could not be read. */
export interface History {
  readonly entries: readonly Entry[];
  /** Each costs its own line only, which stays in the file as it is. */
  readonly problems: readonly Problem[];
}

export interface Journal extends History {
  /** Adds an entry; on disk when this returns. Throws a KitError when it could not be kept. */
  append(entry: NewEntry, now: Date): Entry;
}

/**
 * The journal in `home`, ready to be written to. Throws a KitError at once when it will not take an entry,
 * so that nobody answers a question in vain.
 */
export function openJournal(
  home: string,
  { now, disk = realDisk }: { readonly now?: Date; readonly disk?: Disk } = {},
): Journal {
  const file = journalFile(home);
  orExplain(file, () => disk.tryOut(file));
  const { entries, problems } = readJournal(home, now);
  let known = entries;
  return {
    get entries() {
      return known;
    },
    problems,
    append(entry, when) {
      const stamped: Entry = { v: 1, id: randomUUID(), at: when.toISOString(), ...entry };
      orExplain(file, () => disk.append(file, JSON.stringify(stamped)));
      known = withoutUndone([...known, stamped].toSorted(byTime));
      return stamped;
    },
  };
}

/**
 * The journal in `home` for reading only; empty when there is none yet.
 * @param now if given, nothing in it counts as later than that
 */
export function readJournal(home: string, now?: Date): History {
  const file = journalFile(home);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return { entries: [], problems: missing ? [] : [{ file, message: unreadable(error) }] };
  }
  const { found, damage } = readRecordLines(bytes, parseEntry);
  const entries = new Map<string, Entry>();
  for (const entry of now ? withSoundTimes(found, now) : found) {
    if (!entries.has(entry.id)) entries.set(entry.id, entry);
  }
  return {
    entries: withoutUndone([...entries.values()].toSorted(byTime)),
    problems: damage.map(({ line, reason }) => ({
      file,
      line,
      message: `${reason} ${consequence}`,
    })),
  };
}

const consequence =
  'What cannot be read does not count, and stays in the file as it is; all the rest counts.';

function journalFile(home: string): string {
  return join(home, 'journal.jsonl');
}

function byTime(one: Entry, other: Entry): number {
  return Date.parse(one.at) - Date.parse(other.at);
}

function unreadable(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return `The journal cannot be read (${reason}). Make it readable, or set HALF_OPEN_HOME.`;
}
