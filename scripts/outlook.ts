import { dayNumber } from '../quiz/day.ts';
import type { Entry } from '../quiz/entry.ts';
import { cardItem } from '../quiz/item.ts';
import type { InterviewPlan } from '../quiz/interview-plan.ts';
import { daysDue, isDue, type Memory } from '../quiz/schedule.ts';
import { CARD_SHARE, limitsFor } from '../quiz/pace.ts';
import { askedHow, type Catalog, type Kata, type Lesson } from './content/catalog.ts';
import { type DayPlan, planDays, type Task } from './day-plan.ts';
import { standings } from './progress.ts';

export interface Kit extends Pick<Catalog, 'lessons' | 'katas'> {
  /** Ids of the cards, by deck. */
  readonly cards: ReadonlyMap<string, readonly string[]>;
  /** Mock interviews that are still to be held, those left before their end first. */
  readonly interviews: readonly Pick<Task, 'slug' | 'title' | 'minutes'>[];
}

export interface Learner {
  readonly entries: readonly Entry[];
  /** As they are in view of the interview. */
  readonly memories: ReadonlyMap<string, Memory>;
}

/** The days until the interview, filled with what this learner has not done yet. */
export function daysUntil(
  { day: interview, minutes }: InterviewPlan,
  { lessons, katas, cards, interviews }: Kit,
  { entries, memories }: Learner,
  now: Date,
): DayPlan {
  const today = dayNumber(now);
  const days = Array.from({ length: Math.max(0, interview - today) }, (_, index) => today + index);
  const items = [...cards].flatMap(([deck, ids]) =>
    ids.map((id) => ({ deck, memory: memories.get(cardItem(`${deck}/${id}`)) })),
  );
  const dueOn = tally(
    items.flatMap(({ memory }) => (memory ? daysDue(memory, today, interview) : [])),
  );
  const fresh = tally(items.flatMap(({ deck, memory }) => (memory ? [] : deck)));
  const read = new Set(entries.flatMap((entry) => (entry.type === 'read' ? entry.lesson : [])));
  const unread = lessons.filter(({ slug }) => !read.has(slug));
  const toRead = (lesson: Lesson): Task => {
    const { slug, title, minutes: takes, asked } = lesson;
    return { kind: 'learn', slug, title, minutes: takes, asked, cards: fresh.get(slug) ?? 0 };
  };
  const askedOf = (kata: Kata) => lessons.find(({ slug }) => slug === kata.lesson)?.asked;
  const toBuild = unsolved(katas, entries);
  const again = katas.filter(({ slug }) => isDue(memories.get(`kata:${slug}`), now));

  return planDays({
    days,
    minutes,
    limits: limitsFor(CARD_SHARE * minutes),
    tasks: [
      ...again.map(againFromBlank),
      // Of what is asked equally often the lessons come first: one not read costs more than a kata not built.
      ...askedHow.flatMap((asked) => [
        ...unread.filter((lesson) => lesson.asked === asked && !isRehearsed(lesson)).map(toRead),
        ...toBuild
          .filter(({ kata }) => askedOf(kata) === asked)
          .map(({ kata, minutes: left }): Task => {
            return { kind: 'kata', ...named(kata), minutes: left, asked, cards: 0 };
          }),
      ]),
    ],
    rehearsals: [
      ...unread.filter(isRehearsed).map(toRead),
      ...interviews.slice(0, mostRehearsals(days.length * minutes)).map((each): Task => {
        return { kind: 'interview', ...each, asked: 'often', cards: 0 };
      }),
    ],
    fresh: [...fresh].reduce((sum, [deck, count]) => sum + (read.has(deck) ? count : 0), 0),
    dueOn: (day) => dueOn.get(day) ?? 0,
    dueAfter: (day) => daysDue(`first asked on ${day}`, day, interview),
  });
}

/** What is always asked and never built: the interview itself. */
function isRehearsed({ wantsKata, asked }: Lesson): boolean {
  return !wantsKata && asked === 'often';
}

function named({ slug, title }: Kata) {
  return { slug, title };
}

/** Katas to build, and the minutes that the levels still take. */
function unsolved(katas: readonly Kata[], entries: readonly Entry[]) {
  const standing = standings(entries);
  return katas.flatMap((kata) => {
    const { passed = 0, of = 0, solved = false } = standing.get(kata.slug) ?? {};
    const share = of === 0 ? 1 : (of - passed) / of;
    return solved ? [] : [{ kata, minutes: Math.ceil(kata.minutes * share) }];
  });
}

/** A kata that was solved once takes about half of the time. */
function againFromBlank({ slug, title, minutes }: Kata): Task {
  const again = { title: `${title}, from blank`, minutes: Math.ceil(minutes / 2) };
  return { kind: 'kata', slug, ...again, asked: 'often', cards: 0 };
}

/** One in any case, and else a third of the time that cards leave. */
function mostRehearsals(minutes: number): number {
  return Math.max(1, Math.floor(((1 - CARD_SHARE) * minutes) / 3 / 45));
}

/** How often each of them is there. */
function tally<T>(all: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const each of all) counts.set(each, (counts.get(each) ?? 0) + 1);
  return counts;
}
