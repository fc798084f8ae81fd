import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Disk, orExplain, realDisk } from './disk.ts';
import {
  type Dated,
  type Happening,
  parseHappening,
  type Rehearsal,
  rehearsalOf,
} from './interview-record.ts';
import { readRecordLines } from './record-lines.ts';

/** One mock interview on disk: its record, a line for each thing that happened, and beside it the transcript. */
export interface Sheet {
  /** Path of the transcript. */
  readonly transcript: string;
  /** What the record tells now. */
  rehearsal(): Rehearsal;
  /** Adds what happened; on disk when this returns. Throws a KitError when it could not be kept. */
  add(happening: Happening, now: Date): void;
  /** Writes the transcript, Markdown, anew. Throws a KitError when it could not be kept. */
  write(markdown: string): void;
}

/** The sheet of an interview that begins now, in `home`. Throws a KitError when the disk refuses it. */
export function newSheet(
  home: string,
  { slug, title }: { readonly slug: string; readonly title: string },
  now: Date,
  disk: Disk = realDisk,
): Sheet {
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString();
  const name = `${local.slice(0, 19).replaceAll(':', '-')}-${slug}`;
  const isTaken = existsSync(join(folderIn(home), `${name}.jsonl`));
  const base = join(folderIn(home), isTaken ? `${name}-${randomUUID()}` : name);
  const began: Dated = { type: 'began', interview: slug, title, at: now.toISOString() };
  orExplain(base, () => disk.tryOut(`${base}.jsonl`));
  orExplain(base, () => disk.append(`${base}.jsonl`, JSON.stringify(began)));
  return sheetOf(base, [began], disk);
}

/** The sheets in `home`, oldest first; what tells of no interview, or cannot be read, is passed over. */
export function sheetsIn(home: string, disk: Disk = realDisk): Sheet[] {
  return recordNames(home).flatMap((name) => {
    const base = join(folderIn(home), name);
    const happenings = happeningsIn(`${base}.jsonl`);
    return happenings.some(({ type }) => type === 'began') ? [sheetOf(base, happenings, disk)] : [];
  });
}

function happeningsIn(file: string): readonly Dated[] {
  try {
    return readRecordLines(readFileSync(file), parseHappening).found;
  } catch {
    return [];
  }
}

function sheetOf(base: string, happenings: readonly Dated[], disk: Disk): Sheet {
  const known = [...happenings];
  const transcript = `${base}.md`;
  return {
    transcript,
    rehearsal: () => rehearsalOf(known),
    add(happening, now) {
      const dated: Dated = { ...happening, at: now.toISOString() };
      orExplain(transcript, () => disk.append(`${base}.jsonl`, JSON.stringify(dated)));
      known.push(dated);
    },
    write(markdown) {
      orExplain(transcript, () => {
        const half = `${transcript}.half`;
        writeFileSync(half, markdown);
        renameSync(half, transcript);
      });
    },
  };
}

function folderIn(home: string): string {
  return join(home, 'interviews');
}

/** Without their `.jsonl`. They begin with their time, so by name is by time. */
function recordNames(home: string): string[] {
  return filesIn(folderIn(home))
    .flatMap((name) => /^(.+)\.jsonl$/.exec(name)?.[1] ?? [])
    .toSorted();
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
