import { dayNumber, isoDay } from '../quiz/day.ts';
import type { Entry, Review } from '../quiz/entry.ts';
import { cardItem, cardName } from '../quiz/item.ts';
import { neighbours } from '../quiz/neighbours.ts';
import type { Memory } from '../quiz/schedule.ts';

/** What the journal says about a learner, ready to be printed or read by a program. */
export interface Stats {
  /** The share of cards that should come to mind when they are asked. */
  readonly target: number;
  /** Of cards that were asked before, all of them and in the last 30 days. */
  readonly ever: Held;
  readonly lately: Held;
  readonly topics: readonly TopicStats[];
  /** The last days, the oldest first. */
  readonly days: readonly DayStats[];
  readonly katas: readonly KataStats[];
  /** Neighbouring topics of which many cards were missed lately. */
  readonly confused: readonly (readonly [string, string])[];
  /** The coming days, today first; today holds what is overdue as well. */
  readonly due: readonly { readonly day: string; readonly cards: number }[];
}

export interface Held {
  readonly asked: number;
  readonly held: number;
}

export interface TopicStats {
  readonly slug: string;
  readonly title: string;
  readonly cards: number;
  readonly seen: number;
  readonly lately: Held;
}

export interface DayStats extends Held {
  /** yyyy-mm-dd, here. */
  readonly day: string;
}

export interface KataStats {
  readonly slug: string;
  readonly solved: number;
  /** Minutes at work from the first run to green: of the first attempt, and of the last. */
  readonly firstMinutes: number;
  readonly lastMinutes: number;
}

export interface Records {
  readonly entries: readonly Entry[];
  readonly memories: ReadonlyMap<string, Memory>;
  readonly target: number;
  readonly decks: readonly {
    readonly slug: string;
    readonly title: string;
    readonly cards: readonly string[];
  }[];
  readonly now: Date;
}

const LATELY_DAYS = 30;
const SHOWN_DAYS = 14;
const COMING_DAYS = 7;

export function statsOf({ entries, memories, target, decks, now }: Records): Stats {
  const today = dayNumber(now);
  const reviews = entries.filter((entry): entry is Review => entry.type === 'review');
  const ofCards = reviews.filter(({ item }) => item.startsWith(cardItem('')));
  const again = repeated(ofCards);
  const lately = again.filter(sinceDay(today - LATELY_DAYS + 1));
  const latelyOf = grouped(lately, ({ item }) => cardName(item).split('/', 1)[0]);
  const shownDays = daysFrom(today - SHOWN_DAYS + 1, SHOWN_DAYS);
  const onDay = grouped(ofCards.filter(sinceDay(today - SHOWN_DAYS + 1)), dayOf);
  const topics = decks.map(({ slug, title, cards }) => ({
    slug,
    title,
    cards: cards.length,
    seen: cards.filter((id) => memories.has(cardItem(`${slug}/${id}`))).length,
    lately: heldOf(latelyOf.get(slug) ?? []),
  }));
  return {
    target,
    ever: heldOf(again),
    lately: heldOf(lately),
    topics,
    days: shownDays.map((day) => ({ day: isoDay(day), ...heldOf(onDay.get(day) ?? []) })),
    katas: katasOf(entries),
    confused: neighbours.filter((pair) =>
      pair.every((slug) => isShaky(topics.find((topic) => topic.slug === slug))),
    ),
    due: daysFrom(today, COMING_DAYS).map((day) => ({
      day: isoDay(day),
      cards: decks
        .flatMap(({ slug, cards }) =>
          cards.flatMap((id) => memories.get(cardItem(`${slug}/${id}`)) ?? []),
        )
        .filter(({ due }) => (day === today ? dayNumber(due) <= day : dayNumber(due) === day))
        .length,
    })),
  };
}

function dayOf({ at }: Review): number {
  return dayNumber(new Date(at));
}

function sinceDay(first: number): (review: Review) => boolean {
  return (review) => dayOf(review) >= first;
}

function grouped<Key>(
  reviews: readonly Review[],
  keyOf: (review: Review) => Key,
): ReadonlyMap<Key, readonly Review[]> {
  const groups = new Map<Key, Review[]>();
  for (const review of reviews) {
    const group = groups.get(keyOf(review));
    if (group) group.push(review);
    else groups.set(keyOf(review), [review]);
  }
  return groups;
}

/** Enough reviews to speak of, and a fifth of them missed. */
function isShaky(topic: TopicStats | undefined): boolean {
  if (topic === undefined) return false;
  const { asked, held } = topic.lately;
  return asked >= 5 && held / asked <= 0.8;
}

/** Reviews of what had been asked before. */
function repeated(reviews: readonly Review[]): Review[] {
  const seen = new Set<string>();
  return reviews.filter(({ item }) => seen.has(item) || !seen.add(item));
}

function heldOf(reviews: readonly Review[]): Held {
  return {
    asked: reviews.length,
    held: reviews.filter(({ grade }) => grade !== 'again').length,
  };
}

/** After such a pause somebody was not at work. */
const LONGEST_PAUSE_MINUTES = 30;

function katasOf(entries: readonly Entry[]): KataStats[] {
  const attempts = new Map<string, number[]>();
  const under = new Map<string, { readonly minutes: number; readonly last: number }>();
  for (const entry of entries) {
    if (entry.type !== 'progress') continue;
    const at = Date.parse(entry.at);
    const before = under.get(entry.kata);
    const isStart = before === undefined || entry.passed === 0;
    const pause = before === undefined ? 0 : (at - before.last) / 60_000;
    const worked = pause > LONGEST_PAUSE_MINUTES ? 0 : pause;
    under.set(entry.kata, { minutes: isStart ? 0 : before.minutes + worked, last: at });
    if (entry.of > 0 && entry.passed === entry.of) {
      const minutes = Math.round(under.get(entry.kata)?.minutes ?? 0);
      attempts.set(entry.kata, [...(attempts.get(entry.kata) ?? []), minutes]);
    }
  }
  return [...attempts].map(([slug, minutes]) => ({
    slug,
    solved: minutes.length,
    firstMinutes: minutes[0] ?? 0,
    lastMinutes: minutes.at(-1) ?? 0,
  }));
}

function daysFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
