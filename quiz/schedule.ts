import { type Card, createEmptyCard, fsrs, Rating } from 'ts-fsrs';
import { dayNumber, dayOfUtc, startOfDay, utcOfDay } from './day.ts';
import type { Entry, Grade } from './entry.ts';

/** What the reviews of one item say about how well it is remembered. */
export interface Memory {
  readonly item: string;
  /** Start of the calendar day, here, on which it should be asked again. */
  readonly due: Date;
  /** Days until the chance of recall falls to 90 %. */
  readonly stability: number;
  /** 1 (easy) to 10. */
  readonly difficulty: number;
  readonly reviews: number;
  /** How often it was known and then forgotten. */
  readonly lapses: number;
  /** When it was last reviewed. */
  readonly last: Date;
}

/** What `entries`, oldest first, leave in memory: the same entries always give the same answer. */
export function replay(entries: readonly Entry[]): Map<string, Memory> {
  const cards = new Map<string, Card>();
  const memories = new Map<string, Memory>();
  for (const entry of entries) {
    if (entry.type === 'gap') {
      const memory = memories.get(entry.item);
      const day = startOfDay(dayNumber(new Date(entry.at)));
      if (memory && memory.due > day) memories.set(entry.item, { ...memory, due: day });
    }
    if (entry.type !== 'review') continue;
    const last = new Date(entry.at);
    const known = cards.get(entry.item);
    const day = utcOfDay(Math.max(dayNumber(last), lastDay(known)));
    const { card } = scheduler.next(known ?? createEmptyCard(day), day, ratings[entry.grade]);
    cards.set(entry.item, card);
    memories.set(entry.item, memoryOf(entry.item, card, last));
  }
  return memories;
}

/** Items that a mock interview showed to be missing and that were never reviewed since. */
export function openGaps(entries: readonly Entry[]): Set<string> {
  const gaps = new Set<string>();
  for (const entry of entries) {
    if (entry.type === 'gap') gaps.add(entry.item);
    if (entry.type === 'review') gaps.delete(entry.item);
  }
  return gaps;
}

/** True from the calendar day of `due` on. */
export function isDue(memory: Memory, now: Date): boolean {
  return dayNumber(memory.due) <= dayNumber(now);
}

/** What should be asked on the calendar day of `now`, most overdue first. */
export function dueItems(memories: ReadonlyMap<string, Memory>, now: Date): Memory[] {
  return [...memories.values()]
    .filter((memory) => isDue(memory, now))
    .toSorted((one, other) => one.due.getTime() - other.due.getTime());
}

/** Whole days only, and no random spread of the days, so that a replay never changes its mind. */
const scheduler = fsrs({ request_retention: 0.9, enable_short_term: false, enable_fuzz: false });

const ratings = {
  again: Rating.Again,
  hard: Rating.Hard,
  good: Rating.Good,
  easy: Rating.Easy,
} as const satisfies Record<Grade, Rating>;

/** Where clocks go back at midnight, a later moment can lie on an earlier day. */
function lastDay(card: Card | undefined): number {
  return card?.last_review === undefined ? Number.NEGATIVE_INFINITY : dayOfUtc(card.last_review);
}

function memoryOf(item: string, card: Card, last: Date): Memory {
  const { stability, difficulty, reps: reviews, lapses } = card;
  const due = startOfDay(dayOfUtc(card.due));
  return { item, due, stability, difficulty, reviews, lapses, last };
}
