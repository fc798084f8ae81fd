import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Disk, orExplain, realDisk } from './disk.ts';
import { type Entry, type NewEntry, parseEntry, withoutUndone } from './entry.ts';
import type { Problem } from './problem.ts';

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
export function openJournal(home: string, disk: Disk = realDisk): Journal {
  const file = journalFile(home);
  orExplain(file, () => disk.tryOut(file));
  const { entries, problems } = readJournal(home);
  let known = entries;
  return {
    get entries() {
      return known;
    },
    problems,
    append(entry, now) {
      const stamped: Entry = { v: 1, id: randomUUID(), at: now.toISOString(), ...entry };
      orExplain(file, () => disk.append(file, JSON.stringify(stamped)));
      known = withoutUndone([...known, stamped].toSorted(byTime));
      return stamped;
    },
  };
}

/** The journal in `home` for reading only; empty when there is none yet. */
export function readJournal(home: string): History {
  const file = journalFile(home);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return { entries: [], problems: missing ? [] : [{ file, message: unreadable(error) }] };
  }
  const entries = new Map<string, Entry>();
  const problems: Problem[] = [];
  for (const [index, line] of linesOf(bytes).entries()) {
    const parsed = parseLine(line);
    if (parsed === undefined) continue;
    if (typeof parsed === 'string') {
      problems.push({ file, line: index + 1, message: `${parsed} ${consequence}` });
    } else if (!entries.has(parsed.id)) {
      entries.set(parsed.id, parsed);
    }
  }
  return { entries: withoutUndone([...entries.values()].toSorted(byTime)), problems };
}

const consequence = 'It does not count, and stays in the file as it is; all other lines count.';

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

/** Cut before decoding: a line that is not UTF-8 must not spoil its neighbours. */
function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf('\n'); end !== -1; end = bytes.indexOf('\n', start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return [...lines, bytes.subarray(start)];
}

/** Undefined for a line without text, which is nobody's entry and no damage either. */
function parseLine(bytes: Buffer): Entry | string | undefined {
  let line: string;
  try {
    line = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return 'This line is damaged (not UTF-8).';
  }
  return line.trim() === '' ? undefined : parseEntry(line);
}
