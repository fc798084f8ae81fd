import { type Entry, withoutUndone } from './entry.ts';
import { blank, type Recall, recallOf } from './schedule.ts';

/** What a journal comes to, without its single reviews. */
export interface Progress {
  /** Oldest first, without reviews and gaps. */
  readonly entries: readonly Entry[];
  /** What those leave behind. */
  readonly recall: Recall;
}

/** Progress, with what has to be known to go on from it without the entries that it was made of. */
export interface Checkpoint extends Progress {
  /** When the last of them was made, in milliseconds since 1970; undefined when there was none. */
  readonly lastAt: number | undefined;
  /** Ids that were taken back and stood in none of them. */
  readonly missing: readonly string[];
}

export const beginning: Checkpoint = { entries: [], recall: blank, lastAt: undefined, missing: [] };

/**
 * Where `entries`, each there once, lead from `before`. Undefined when that cannot be told without the entries
 * before them: one of these is older than those, or the same, or takes one of them back.
 */
export function advance(before: Checkpoint, entries: readonly Entry[]): Checkpoint | undefined {
  const sorted = byTime(entries);
  const [first] = sorted;
  const last = sorted.at(-1);
  if (first === undefined || last === undefined) return before;
  const unmet = unmetUndos(sorted);
  const isStart = before.lastAt === undefined;
  if (before.lastAt !== undefined && (Date.parse(first.at) <= before.lastAt || unmet.length > 0)) {
    return undefined;
  }
  const missing = new Set(before.missing);
  if (!isStart && missing.size > 0 && sorted.some(({ id }) => missing.has(id))) return undefined;
  const standing = withoutUndone(sorted);
  const others = standing.filter(({ type }) => type !== 'review' && type !== 'gap');
  return {
    entries: [...before.entries, ...others],
    recall: recallOf(standing, before.recall),
    lastAt: Date.parse(last.at),
    missing: [...before.missing, ...unmet],
  };
}

/** Oldest first; those of one moment stay in the order in which they stand. */
export function byTime(entries: readonly Entry[]): Entry[] {
  return entries
    .map((entry) => ({ entry, time: Date.parse(entry.at) }))
    .toSorted((one, other) => one.time - other.time)
    .map(({ entry }) => entry);
}

function unmetUndos(entries: readonly Entry[]): string[] {
  const undone = entries.flatMap((entry) => (entry.type === 'undo' ? entry.of : []));
  if (undone.length === 0) return [];
  const ids = new Set(entries.map(({ id }) => id));
  return undone.filter((id) => !ids.has(id));
}
