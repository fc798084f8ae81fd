import { readDay } from './day.ts';
import { isRecord } from './record.ts';

export const grades = ['again', 'hard', 'good', 'easy'] as const;

/** How well an item came back to mind. `again` is the only one that means it did not. */
export type Grade = (typeof grades)[number];

interface Stamp {
  readonly v: 1;
  /** UUID, made with the entry and never used again: one that two merged journals share counts once. */
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
}

/** One grade of one item: `card:<deck>/<card>` or `kata:<slug>`. */
export interface Review extends Stamp {
  readonly type: 'review';
  readonly item: string;
  readonly grade: Grade;
}

/** A lesson was read. */
interface Read extends Stamp {
  readonly type: 'read';
  readonly lesson: string;
}

/** A kata was run: so many of its levels passed, counted from the first. */
interface Progress extends Stamp {
  readonly type: 'progress';
  readonly kata: string;
  readonly passed: number;
  readonly of: number;
}

/** A kata's solution was shown before the kata was solved. */
interface Peek extends Stamp {
  readonly type: 'peek';
  readonly kata: string;
}

/** A mock interview showed that this item is missing: it is due until its next review. */
interface Gap extends Stamp {
  readonly type: 'gap';
  readonly item: string;
}

/** The day of an interview, here, was set, and how many minutes a day there are until then; null: none any more. */
interface Plan extends Stamp {
  readonly type: 'plan';
  /** yyyy-mm-dd */
  readonly interview: string | null;
  readonly minutes: number;
}

/** How an interview went, and what was asked in it, in the learner's words. */
interface Debrief extends Stamp {
  readonly type: 'debrief';
  readonly went: string;
  readonly asked: readonly string[];
}

/** A review was a slip of the finger: it never was. */
interface Undo extends Stamp {
  readonly type: 'undo';
  /** Id of the review. */
  readonly of: string;
}

/** An item is not to be asked any more, or is to be asked again. */
interface Suspension extends Stamp {
  readonly type: 'suspend' | 'resume';
  readonly item: string;
}

export type Entry = Review | Read | Progress | Peek | Gap | Plan | Debrief | Undo | Suspension;

type Unstamped<E> = E extends Entry ? Omit<E, keyof Stamp> : never;
export type NewEntry = Unstamped<Entry>;

/** Without the reviews that were taken back. */
export function withoutUndone(entries: readonly Entry[]): Entry[] {
  const undone = new Set(entries.flatMap((entry) => (entry.type === 'undo' ? entry.of : [])));
  return entries.filter(({ id }) => !undone.has(id));
}

/** Items that are not to be asked. */
export function suspendedItems(entries: readonly Entry[]): Set<string> {
  const items = new Set<string>();
  for (const entry of entries) {
    if (entry.type === 'suspend') items.add(entry.item);
    if (entry.type === 'resume') items.delete(entry.item);
  }
  return items;
}

/** The entry that a line of the journal holds, or a sentence on why it holds none. */
export function parseEntry(line: string): Entry | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'This line is damaged (not JSON).';
  }
  if (!isRecord(value)) return 'This line is damaged (not an entry).';
  if (isEntry(value)) return value;
  return 'v' in value && value['v'] !== 1
    ? `Another version of Half-Open wrote this line (v ${JSON.stringify(value['v'])}).`
    : 'This line is damaged, or a newer Half-Open wrote it (not a known entry).';
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value !== '';
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isGrade: Check = (value) => grades.some((grade) => grade === value);
const isTime: Check = (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value));

const isDay: Check = (value) => typeof value === 'string' && readDay(value) !== undefined;
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText);

const shapes = new Map<unknown, Readonly<Record<string, Check>>>([
  ['review', { item: isText, grade: isGrade }],
  ['read', { lesson: isText }],
  ['progress', { kata: isText, passed: isCount, of: isCount }],
  ['peek', { kata: isText }],
  ['gap', { item: isText }],
  ['undo', { of: isText }],
  ['suspend', { item: isText }],
  ['resume', { item: isText }],
  ['plan', { interview: (value) => value === null || isDay(value), minutes: isCount }],
  ['debrief', { went: isText, asked: isTexts }],
]);

function isEntry(
  record: Readonly<Record<string, unknown>>,
): record is Entry & Readonly<Record<string, unknown>> {
  const shape = shapes.get(record['type']);
  if (shape === undefined || record['v'] !== 1) return false;
  if (!isText(record['id']) || !isTime(record['at'])) return false;
  for (const key in shape) if (shape[key]?.(record[key]) === false) return false;
  return true;
}
