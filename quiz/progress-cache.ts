import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from './entry.ts';
import { countLines, type Lines, parseLines } from './journal-lines.ts';
import { advance, beginning, type Checkpoint } from './progress.ts';
import { scheduledBy, type Trace } from './schedule.ts';
import { isSound, withSoundTimes } from './sound-times.ts';

/** What the lines of a journal come to, and those that are damaged. */
export interface Reading extends Checkpoint, Pick<Lines, 'damaged'> {
  /** No entry counts as of another time than the journal says. */
  readonly isAsWritten: boolean;
}

/** So many bytes of a journal may be read anew each time: more than a year of daily sittings. */
const WORTH_KEEPING = 2 ** 20;

/**
 * What a journal comes to. Of a long one the answer is kept in `home`, so that the next time only what was added
 * is read. What is kept can be thrown away at any time. It counts only when it is whole, of the beginning of just
 * this journal, and by just this kit, in this time zone: else everything is read, and it is written anew.
 */
export function readCheckpoint(
  home: string,
  bytes: Buffer,
  { now, worth = WORTH_KEEPING }: { readonly now?: Date | undefined; readonly worth?: number } = {},
): Reading {
  if (bytes.length < worth) return readAnew(bytes, now);
  const file = join(home, 'progress-cache.json');
  const kept = readKept(file, bytes);
  const further = kept && goOn(kept, bytes, now);
  const reading = further ?? readAnew(bytes, now);
  const unread = bytes.length - (further && kept ? kept.covers : 0);
  // A line without an end may be of somebody who is writing just now.
  if (unread >= worth && bytes.at(-1) === NEWLINE && reading.isAsWritten)
    keep(file, bytes, reading);
  return reading;
}

const NEWLINE = 0x0a;

function readAnew(bytes: Buffer, now: Date | undefined): Reading {
  const { entries, damaged } = parseLines(bytes);
  const isAsWritten = areSound(entries, now);
  const checkpoint = advance(
    beginning,
    now && !isAsWritten ? withSoundTimes(entries, now) : entries,
  );
  if (checkpoint === undefined) throw new Error('From the beginning there is always a way.');
  return { ...checkpoint, damaged, isAsWritten };
}

function areSound(entries: readonly Entry[], now: Date | undefined): boolean {
  return now === undefined || entries.every(({ at }) => isSound(Date.parse(at), now));
}

interface Kept {
  /** So many bytes of the journal, which are so many lines. */
  readonly covers: number;
  readonly lines: number;
  readonly reading: Reading;
}

/** Undefined as well when an entry lies ahead of `now`: when it counts, the entries before it have a say. */
function goOn(
  { covers, lines, reading }: Kept,
  bytes: Buffer,
  now: Date | undefined,
): Reading | undefined {
  const { entries, damaged } = parseLines(bytes.subarray(covers), lines + 1);
  const { lastAt } = reading;
  if (now && lastAt !== undefined && !isSound(lastAt, now)) return undefined;
  if (!areSound(entries, now)) return undefined;
  const checkpoint = advance(reading, entries);
  return (
    checkpoint && {
      ...checkpoint,
      damaged: [...reading.damaged, ...damaged],
      isAsWritten: reading.isAsWritten,
    }
  );
}

/** What stands in the file, as JSON, below a line with its digest. */
interface Written extends Pick<Kept, 'covers' | 'lines'> {
  readonly maker: string;
  /** Of the bytes that it covers. */
  readonly digest: string;
  readonly reading: Omit<Reading, 'recall'>;
  readonly traces: readonly (readonly [item: string, trace: Trace])[];
  readonly gaps: readonly (readonly [item: string, day: number])[];
}

function readKept(file: string, bytes: Buffer): Kept | undefined {
  try {
    const text = readFileSync(file, 'utf8');
    const end = text.indexOf('\n');
    const body = text.slice(end + 1);
    if (text.slice(0, end) !== digestOf(body)) return undefined;
    const written: Written = JSON.parse(body);
    const { maker, digest, covers, lines, traces, gaps } = written;
    if (maker !== makerOf() || covers > bytes.length) return undefined;
    if (digest !== digestOf(bytes.subarray(0, covers))) return undefined;
    const recall = { traces: new Map(traces), gaps: new Map(gaps) };
    return { covers, lines, reading: { ...written.reading, recall } };
  } catch {
    return undefined;
  }
}

/** All at once, or not at all; where it cannot be written everything works without it. */
function keep(file: string, bytes: Buffer, { recall, ...reading }: Reading): void {
  const draft = `${file}.${randomUUID()}`;
  try {
    const written: Written = {
      maker: makerOf(),
      covers: bytes.length,
      digest: digestOf(bytes),
      lines: countLines(bytes),
      reading,
      traces: [...recall.traces],
      gaps: [...recall.gaps],
    };
    const body = JSON.stringify(written);
    writeFileSync(draft, `${digestOf(body)}\n${body}`, { flag: 'wx' });
    renameSync(draft, file);
  } catch {
    remove(draft);
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // It was never there.
  }
}

/** All that has a say in the answer beside the journal. */
function makerOf(): string {
  engine ??= digestOf([process.version, process.arch, scheduledBy(), ...sources()].join('\0'));
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return `${engine} ${timeZone}`;
}

let engine: string | undefined;

/** The modules here as they are, so that nobody has to remember to count up a version. */
function sources(): string[] {
  const folder = import.meta.dirname;
  const modules = readdirSync(folder).filter((name) => /(?<!\.test)\.ts$/.test(name));
  return modules.map((name) => readFileSync(join(folder, name), 'utf8'));
}

function digestOf(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
