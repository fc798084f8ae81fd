import { type Entry, parseEntry } from './entry.ts';
import { readRecordLines } from './record-lines.ts';

/** What the lines of a journal hold, in the order in which they stand. */
export interface Lines {
  /** Each once. */
  readonly entries: readonly Entry[];
  readonly damaged: readonly { readonly line: number; readonly message: string }[];
}

/** Never throws: each damaged line costs itself only. */
export function parseLines(bytes: Buffer, firstLine = 1): Lines {
  const { found, damage } = readRecordLines(bytes, parseEntry);
  const entries = new Map<string, Entry>();
  for (const entry of found) if (!entries.has(entry.id)) entries.set(entry.id, entry);
  return {
    entries: [...entries.values()],
    damaged: damage.map(({ line, reason }) => ({ line: line + firstLine - 1, message: reason })),
  };
}

export function countLines(bytes: Buffer): number {
  let count = 0;
  for (let end = bytes.indexOf('\n'); end !== -1; end = bytes.indexOf('\n', end + 1)) count += 1;
  return count;
}
