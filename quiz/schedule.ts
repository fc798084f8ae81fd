import { type Card, createEmptyCard, type FSRS, fsrs, Rating, State } from 'ts-fsrs';
import { dayNumber, dayOfUtc, hasCome, startOfDay, utcOfDay } from './day.ts';
import type { Entry, Grade } from './entry.ts';
import { seeded } from './random.ts';

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

/**
 * What `entries`, oldest first, leave in memory: the same entries always give the same answer.
 * @param interview the calendar day of an interview, if there is one: nothing is put off beyond it
 */
export function replay(entries: readonly Entry[], interview?: number): Map<string, Memory> {
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
    const day = Math.max(dayNumber(last), lastDay(known));
    const { card } = usual.next(known ?? newCard(day), utcOfDay(day), ratings[entry.grade]);
    cards.set(entry.item, card);
    memories.set(entry.item, memoryOf(entry.item, card, last, interview));
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
  return hasCome(memory.due, now);
}

/** The chance that an item comes to mind at `now`, by FSRS's forgetting curve. */
export function chanceOfRecall({ stability, last }: Memory, now: Date): number {
  return usual.forgetting_curve(Math.max(0, dayNumber(now) - dayNumber(last)), stability);
}

/** What should be asked on the calendar day of `now`, most overdue first. */
export function dueItems(memories: ReadonlyMap<string, Memory>, now: Date): Memory[] {
  return [...memories.values()]
    .filter((memory) => isDue(memory, now))
    .toSorted((one, other) => one.due.getTime() - other.due.getTime());
}

/**
 * The calendar days before the interview on which an item will be due when it is known each time: one that is
 * new on the day `from`, or one of which there is a memory.
 */
export function daysDue(item: string | Memory, from: number, interview: number): number[] {
  const days: number[] = [];
  const isNew = typeof item === 'string';
  let card = isNew ? usual.next(newCard(from), utcOfDay(from), Rating.Good).card : cardOf(item);
  let due = isNew ? dueDay(item, card, from, interview) : dayNumber(item.due);
  while (due < interview) {
    const day = Math.max(due, from);
    days.push(day);
    card = usual.next(card, utcOfDay(day), Rating.Good).card;
    due = dueDay(isNew ? item : item.item, card, day, interview);
  }
  return days;
}

/**
 * The chance of recall at which an item is asked again: 90 %, and towards an interview more of it, up to 97 %
 * on its eve.
 */
export function targetRetention(daysLeft: number): number {
  const nearness = Math.min(1, Math.max(0, (RAISED_DAYS - daysLeft) / (RAISED_DAYS - 1)));
  return Math.round(100 * (RETENTION + nearness * (EVE_RETENTION - RETENTION))) / 100;
}

const RETENTION = 0.9;
const EVE_RETENTION = 0.97;
const RAISED_DAYS = 14;
/** In which everything is seen once more. */
const LAST_DAYS = 7;

/** Whole days only, and no random spread of the days, so that a replay never changes its mind. */
const usual = scheduler(RETENTION);
const schedulers = new Map<number, FSRS>([[RETENTION, usual]]);

function scheduler(retention: number): FSRS {
  return fsrs({ request_retention: retention, enable_short_term: false, enable_fuzz: false });
}

const ratings = {
  again: Rating.Again,
  hard: Rating.Hard,
  good: Rating.Good,
  easy: Rating.Easy,
} as const satisfies Record<Grade, Rating>;

function newCard(day: number): Card {
  return createEmptyCard(utcOfDay(day));
}

/** Where clocks go back at midnight, a later moment can lie on an earlier day. */
function lastDay(card: Card | undefined): number {
  return card?.last_review === undefined ? Number.NEGATIVE_INFINITY : dayOfUtc(card.last_review);
}

function memoryOf(item: string, card: Card, last: Date, interview: number | undefined): Memory {
  const { stability, difficulty, reps: reviews, lapses } = card;
  const due = startOfDay(dueDay(item, card, lastDay(card), interview));
  return { item, due, stability, difficulty, reviews, lapses, last };
}

function cardOf({ stability, difficulty, reviews: reps, lapses, last, due }: Memory): Card {
  const day = dayNumber(last);
  const known = { stability, difficulty, reps, lapses, last_review: utcOfDay(day) };
  return { ...newCard(day), ...known, state: State.Review, due: utcOfDay(dayNumber(due)) };
}

/**
 * The day on which an item should be asked again after it was asked on the day `last`. Before an interview
 * that is sooner, the nearer it is; and in its last week each item is asked once more, not all on one day.
 */
function dueDay(item: string, card: Card, last: number, interview: number | undefined): number {
  if (interview === undefined || last >= interview) return dayOfUtc(card.due);
  const retention = targetRetention(interview - last);
  const sharp = schedulers.get(retention) ?? scheduler(retention);
  schedulers.set(retention, sharp);
  const window = Math.min(LAST_DAYS, Math.floor((interview - last) / 2));
  const isRefreshed = last >= interview - LAST_DAYS || window === 0;
  const refresh = interview - 1 - Math.floor(seeded(item)() * window);
  const latest = isRefreshed ? interview : refresh;
  return Math.min(last + sharp.next_interval(card.stability, 0), latest);
}
