import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { countLines, type Lines, parseLines } from './journal-lines.ts';
import { advance, beginning, type Checkpoint } from './progress.ts';
import { scheduledBy, type Trace } from './schedule.ts';

/** What the lines of a journal come to, and those that are damaged. */
export type Reading = Checkpoint & Pick<Lines, 'damaged'>;

/** So many bytes of a journal may be read anew each time: more than a year of daily sittings. */
const WORTH_KEEPING = 2 ** 20;

/**
 * What a journal comes to. Of a long one the answer is kept in `home`, so that the next time only what was added
 * is read. What is kept can be thrown away at any time. It counts only when it is whole, of the beginning of just
 * this journal, and by just this kit, in this time zone: else everything is read, and it is written anew.
 */
export function readCheckpoint(home: string, bytes: Buffer, worth = WORTH_KEEPING): Reading {
  if (bytes.length < worth) return readAnew(bytes);
  const file = join(home, 'progress-cache.json');
  const kept = readKept(file, bytes);
  const further = kept && goOn(kept, bytes);
  const reading = further ?? readAnew(bytes);
  const unread = bytes.length - (further && kept ? kept.covers : 0);
  // A line without an end may be of somebody who is writing just now.
  if (unread >= worth && bytes.at(-1) === NEWLINE) keep(file, bytes, reading);
  return reading;
}

const NEWLINE = 0x0a;

function readAnew(bytes: Buffer): Reading {
  const { entries, damaged } = parseLines(bytes);
  const checkpoint = advance(beginning, entries);
  if (checkpoint === undefined) throw new Error('From the beginning there is always a way.');
  return { ...checkpoint, damaged };
}

interface Kept {
  /** So many bytes of the journal, which are so many lines. */
  readonly covers: number;
  readonly lines: number;
  readonly reading: Reading;
}

function goOn({ covers, lines, reading }: Kept, bytes: Buffer): Reading | undefined {
  const { entries, damaged } = parseLines(bytes.subarray(covers), lines + 1);
  const checkpoint = advance(reading, entries);
  return checkpoint && { ...checkpoint, damaged: [...reading.damaged, ...damaged] };
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
