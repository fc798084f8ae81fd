import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Disk, orExplain, realDisk } from './disk.ts';
import { type Entry, type NewEntry, withoutUndone } from './entry.ts';
import { type Lines, parseLines } from './journal-lines.ts';
import type { Problem } from './problem.ts';
import { advance, byTime, type Checkpoint, type Progress } from './progress.ts';
import { readCheckpoint } from './progress-cache.ts';
import { withSoundTimes } from './sound-times.ts';

/** What the learner did and did not take back, oldest first. */
export interface History extends Damage {
  readonly entries: readonly Entry[];
}

interface Damage {
  /** The lines that could not be read: each costs itself only, and stays in the file as it is. */
  readonly problems: readonly Problem[];
}

export interface Journal extends Damage {
  /** With all that was added to it. */
  readonly progress: Progress;
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
  const { problems, ...opened } = readProgress(home, now);
  const added: Entry[] = [];
  let known: Progress | undefined = opened;
  return {
    get progress() {
      known ??= advance(opened, added) ?? readProgress(home, now);
      return known;
    },
    problems,
    append(entry, when) {
      const stamped: Entry = { v: 1, id: randomUUID(), at: when.toISOString(), ...entry };
      orExplain(file, () => disk.append(file, JSON.stringify(stamped)));
      added.push(stamped);
      known = undefined;
      return stamped;
    },
  };
}

/**
 * All that is in the journal in `home`; empty when there is none yet. For what needs no single reviews, see `readProgress`.
 * @param now if given, nothing in it counts as later than that
 */
export function readJournal(home: string, now?: Date): History {
  const file = journalFile(home);
  const bytes = readBytes(file);
  if (!Buffer.isBuffer(bytes)) return { entries: [], problems: bytes };
  const { entries, damaged } = parseLines(bytes);
  const sound = now ? withSoundTimes(entries, now) : entries;
  return { entries: withoutUndone(byTime(sound)), problems: problemsOf(damaged, file) };
}

/**
 * What the journal in `home` comes to. However long it is, this takes hardly longer from the second time on.
 * @param now if given, nothing in it counts as later than that
 */
export function readProgress(home: string, now?: Date): Checkpoint & Damage {
  const file = journalFile(home);
  const bytes = readBytes(file);
  const { damaged, ...checkpoint } = readCheckpoint(
    home,
    Buffer.isBuffer(bytes) ? bytes : Buffer.of(),
    { now },
  );
  const problems = Buffer.isBuffer(bytes) ? problemsOf(damaged, file) : bytes;
  return { ...checkpoint, problems };
}

/** Or, when it cannot be read, what there is to say of that. */
function readBytes(file: string): Buffer | Problem[] {
  try {
    return readFileSync(file);
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return missing ? [] : [{ file, message: unreadable(error) }];
  }
}

function problemsOf(damaged: Lines['damaged'], file: string): Problem[] {
  return damaged.map(({ line, message }) => ({ file, line, message: `${message} ${consequence}` }));
}

const consequence =
  'What cannot be read does not count, and stays in the file as it is; all the rest counts.';

function journalFile(home: string): string {
  return join(home, 'journal.jsonl');
}

function unreadable(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return `The journal cannot be read (${reason}). Make it readable, or set HALF_OPEN_HOME.`;
}
