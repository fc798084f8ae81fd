import { isUtf8 } from 'node:buffer';
import { type Entry, parseEntry } from './entry.ts';

/** What the lines of a journal hold, in the order in which they stand. */
export interface Lines {
  /** Each once. */
  readonly entries: readonly Entry[];
  readonly damaged: readonly { readonly line: number; readonly message: string }[];
}

/** Never throws: each damaged line costs itself only. */
export function parseLines(bytes: Buffer, firstLine = 1): Lines {
  const entries: Entry[] = [];
  const damaged: { line: number; message: string }[] = [];
  const known = new Set<string>();
  let line = firstLine;
  for (let start = 0; start < bytes.length; line += 1) {
    const newline = bytes.indexOf('\n', start);
    const end = newline === -1 ? bytes.length : newline;
    const parsed = parseLine(bytes.subarray(start, end));
    start = end + 1;
    if (parsed === undefined) continue;
    if (typeof parsed === 'string') {
      damaged.push({ line, message: parsed });
      continue;
    }
    if (known.has(parsed.id)) continue;
    known.add(parsed.id);
    entries.push(parsed);
  }
  return { entries, damaged };
}

export function countLines(bytes: Buffer): number {
  let count = 0;
  for (let end = bytes.indexOf('\n'); end !== -1; end = bytes.indexOf('\n', end + 1)) count += 1;
  return count;
}

/**
 * Undefined for a line without text, which is nobody's entry and no damage either. Each line is decoded alone:
 * one that is not UTF-8 must not spoil its neighbours.
 */
function parseLine(bytes: Buffer): Entry | string | undefined {
  if (!isUtf8(bytes)) return 'This line is damaged (not UTF-8).';
  const line = bytes.toString('utf8').replace(/^\uFEFF/, '');
  return line.trim() === '' ? undefined : parseEntry(line);
}
