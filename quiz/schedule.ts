import { createRequire } from 'node:module';
import type * as TsFsrs from 'ts-fsrs';
import { dayNumber, startOfDay } from './day.ts';
import { type Entry, type Grade, grades } from './entry.ts';
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

/** What the reviews of one item leave behind, whatever interview is ahead: numbers only, so that it can be kept. */
export interface Trace extends TsFsrs.FSRSState {
  /** The calendar day of the last review, as `dayNumber` counts. */
  readonly day: number;
  /** The calendar day on which it should be asked again. */
  readonly due: number;
  readonly reviews: number;
  readonly lapses: number;
  /** When it was last reviewed, in milliseconds since 1970. */
  readonly last: number;
}

export interface Recall {
  readonly traces: ReadonlyMap<string, Trace>;
  /** Items that a mock interview showed to be missing and that were never reviewed since: the first day of that. */
  readonly gaps: ReadonlyMap<string, number>;
}

export const blank: Recall = { traces: new Map(), gaps: new Map() };

/** What `entries`, oldest first, add to what was recalled before them. */
export function recallOf(entries: readonly Entry[], before = blank): Recall {
  const gaps = new Map(before.gaps);
  const traces = new Map(before.traces);
  const undated = new Map<string, () => number>();
  for (const entry of entries) {
    if (entry.type !== 'gap' && entry.type !== 'review') continue;
    const { item } = entry;
    const at = new Date(entry.at);
    const today = dayNumber(at);
    if (entry.type === 'gap') {
      gaps.set(item, Math.min(today, gaps.get(item) ?? today));
      continue;
    }
    gaps.delete(item);
    const { grade } = entry;
    const known = traces.get(item);
    // Where clocks go back at midnight, a later moment can lie on an earlier day.
    const day = Math.max(today, known?.day ?? today);
    const { stability, difficulty } = stateAfter(grade, day, known);
    const reviews = (known?.reviews ?? 0) + 1;
    const lapses = (known?.lapses ?? 0) + (known && grade === 'again' ? 1 : 0);
    traces.set(item, { stability, difficulty, day, due: day, reviews, lapses, last: at.getTime() });
    undated.set(item, () => day + daysToWait(grade, day, known));
  }
  // Only the last review of each decides when it is due, and that takes longer than all else.
  for (const [item, due] of undated) {
    const trace = traces.get(item);
    if (trace) traces.set(item, { ...trace, due: due() });
  }
  return { traces, gaps };
}

/**
 * What is in memory: the same entries always give the same answer.
 * @param interview the calendar day of an interview, if there is one: nothing is put off beyond it
 */
export function memoriesOf({ traces, gaps }: Recall, interview?: number): Map<string, Memory> {
  return new Map(
    [...traces].map(([item, trace]) => {
      const { stability, difficulty, reviews, lapses, last } = trace;
      const day = Math.min(dueDay(item, trace, interview), gaps.get(item) ?? Infinity);
      const due = startOfDay(day);
      return [item, { item, due, stability, difficulty, reviews, lapses, last: new Date(last) }];
    }),
  );
}

/** What `entries`, oldest first, leave in memory. */
export function replay(entries: readonly Entry[], interview?: number): Map<string, Memory> {
  return memoriesOf(recallOf(entries), interview);
}

/** True from the calendar day of `due` on; never of what was not reviewed yet. */
export function isDue(memory: Memory | undefined, now: Date): boolean {
  return memory !== undefined && memory.due <= now;
}

/** The chance that an item comes to mind at `now`, by FSRS's forgetting curve. */
export function chanceOfRecall({ stability, last }: Memory, now: Date): number {
  return schedulerFor(RETENTION).forgetting_curve(
    Math.max(0, dayNumber(now) - dayNumber(last)),
    stability,
  );
}

/**
 * The calendar days before the interview on which an item will be due when it is known each time: one that is
 * new on the day `from`, or one of which there is a memory.
 */
export function daysDue(item: string | Memory, from: number, interview: number): number[] {
  const days: number[] = [];
  const isNew = typeof item === 'string';
  const name = isNew ? item : item.item;
  const asked = (day: number, known?: Known) => {
    const { stability, difficulty } = stateAfter('good', day, known);
    // Before an interview, what is asked on its day is not asked before it again.
    return { stability, difficulty, day, due: interview };
  };
  let state = isNew ? asked(from) : { ...item, day: dayNumber(item.last), due: interview };
  let due = isNew ? dueDay(name, state, interview) : dayNumber(item.due);
  while (due < interview) {
    const day = Math.max(due, from);
    days.push(day);
    state = asked(day, state);
    due = dueDay(name, state, interview);
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

const schedulers = new Map<number, TsFsrs.FSRS>();

/**
 * Whole days only, and no random spread of the days, so that a replay never changes its mind. Loaded when there
 * is something to schedule: the first screen is shown often, and at first there is nothing.
 */
function schedulerFor(retention: number): TsFsrs.FSRS {
  const known = schedulers.get(retention);
  if (known) return known;
  const made = library().fsrs({
    request_retention: retention,
    enable_short_term: false,
    enable_fuzz: false,
  });
  schedulers.set(retention, made);
  return made;
}

function library(): typeof TsFsrs {
  return require('ts-fsrs');
}

const require = createRequire(import.meta.url);

/** What has the last word on intervals, with its version. */
export function scheduledBy(): string {
  return library().FSRSVersion;
}

const ratings = { again: 1, hard: 2, good: 3, easy: 4 } as const satisfies Record<
  Grade,
  TsFsrs.Grade
>;

type Known = TsFsrs.FSRSState & Pick<Trace, 'day'>;

function stateAfter(grade: Grade, day: number, known: Known | undefined): TsFsrs.FSRSState {
  const elapsed = known === undefined ? 0 : day - known.day;
  return schedulerFor(RETENTION).next_state(known ?? null, elapsed, ratings[grade]);
}

/** As the library schedules for the long term: the better an item was known, the longer it can wait. */
function daysToWait(grade: Grade, day: number, known: Known | undefined): number {
  const alone = (each: Grade) =>
    schedulerFor(RETENTION).next_interval(stateAfter(each, day, known).stability, 0);
  let days = Math.min(alone('again'), alone('hard'));
  for (const better of grades.slice(1, grades.indexOf(grade) + 1)) {
    days = Math.max(alone(better), days + 1);
  }
  return days;
}

/**
 * The day on which an item should be asked again. Before an interview that is sooner, the nearer it is; and in
 * its last week each item is asked once more, not all on one day.
 */
function dueDay(
  item: string,
  { day: last, due, stability }: Pick<Trace, 'day' | 'due' | 'stability'>,
  interview: number | undefined,
): number {
  if (interview === undefined || last >= interview) return due;
  const retention = targetRetention(interview - last);
  const sharp = schedulerFor(retention);
  const window = Math.min(LAST_DAYS, Math.floor((interview - last) / 2));
  const isRefreshed = last >= interview - LAST_DAYS || window === 0;
  const refresh = interview - 1 - Math.floor(seeded(item)() * window);
  const latest = isRefreshed ? interview : refresh;
  return Math.min(last + sharp.next_interval(stability, 0), latest);
}
