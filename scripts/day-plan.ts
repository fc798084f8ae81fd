import { CARD_MINUTES, type Limits } from '../quiz/pace.ts';
import type { Asked } from './content/catalog.ts';

/** Something to be done before an interview. */
export interface Task {
  readonly kind: 'learn' | 'kata' | 'interview';
  readonly slug: string;
  readonly title: string;
  readonly minutes: number;
  /** How often interviewers ask for it: what is asked rarely is dropped first. */
  readonly asked: Asked;
  /** New cards that reading it opens. */
  readonly cards: number;
}

/** What one day holds. */
export interface Day {
  /** Calendar day, as `dayNumber` counts. */
  readonly day: number;
  readonly parts: readonly Part[];
  /** Cards that will be due, and those asked for the first time. */
  readonly due: number;
  readonly fresh: number;
  readonly minutes: number;
}

export interface Part {
  readonly task: Task;
  /** Of the task, on this day. */
  readonly minutes: number;
  /** The task was begun on a day before. */
  readonly goesOn: boolean;
}

export interface DayPlan {
  readonly days: readonly Day[];
  /** What does not fit, with the minutes that are left of it; what to drop first comes last. */
  readonly leftOut: readonly Part[];
  /** Cards that nobody will have seen. */
  readonly unseen: number;
}

export interface Outlook {
  /** The calendar days from today to the eve of the interview, in order. */
  readonly days: readonly number[];
  /** A day. */
  readonly minutes: number;
  /** Cards a day at most, and of them new ones. */
  readonly limits: Limits;
  /** What is left to be done, most wanted first. */
  readonly tasks: readonly Task[];
  /** Mock interviews, to be held in the last days. */
  readonly rehearsals: readonly Task[];
  /** Cards of lessons that were read, never asked yet. */
  readonly fresh: number;
  /** How many of the cards known today are due on a day. */
  readonly dueOn: (day: number) => number;
  /** The days on which a card first asked on `day` will be due again. */
  readonly dueAfter: (day: number) => readonly number[];
}

/** The share of the days that may go to rehearsing. */
const REHEARSAL_SHARE = 1 / 3;
/** Less than this is no time to begin anything. */
const SHORTEST_PART = 5;

/**
 * Fills the days: the cards that are due come first, then what is most wanted and some new cards; in the last
 * days mock interviews. What is due beyond a day's cards waits for the next day.
 */
export function planDays(outlook: Outlook): DayPlan {
  const { days, minutes, limits, dueOn, dueAfter } = outlook;
  const study = backlog(outlook.tasks, minutes);
  const rehearsals = backlog(outlook.rehearsals, minutes);
  const firstRehearsal = days.length - rehearsalDays(outlook);
  const returns = new Map<number, number>();
  let { fresh } = outlook;
  let due = 0;

  const planned = days.map((day, index): Day => {
    due += dueOn(day) + (returns.get(day) ?? 0);
    const asked = Math.min(due, limits.cards);
    due -= asked;

    const left = minutes - asked * CARD_MINUTES;
    const rehearsed = index >= firstRehearsal ? rehearsals.take(left) : [];
    const mostFresh = Math.min(limits.fresh, limits.cards - asked);
    const kept = Math.min(fresh, mostFresh) * CARD_MINUTES;
    const studied = study.take(left - minutesOf(rehearsed) - kept);
    const parts = [...rehearsed, ...studied];
    fresh += opened(studied);
    const room = Math.floor((left - minutesOf(parts)) / CARD_MINUTES);
    const news = Math.max(0, Math.min(fresh, mostFresh, room));
    fresh -= news;
    for (const later of dueAfter(day)) returns.set(later, (returns.get(later) ?? 0) + news);
    const spent = minutesOf(parts) + (asked + news) * CARD_MINUTES;
    return { day, parts, due: asked, fresh: news, minutes: spent };
  });
  const leftOut = [...study.rest(), ...rehearsals.rest()];
  return { days: planned, leftOut, unseen: fresh + opened(leftOut) };
}

/** How many of the last days it takes to rehearse beside the cards that are due, as far as there is time for that. */
function rehearsalDays({ rehearsals, minutes, limits, days }: Outlook): number {
  const total = rehearsals.reduce((sum, task) => sum + task.minutes, 0);
  const needed = Math.ceil(total / (minutes - limits.cards * CARD_MINUTES));
  return Math.min(needed, Math.round(days.length * REHEARSAL_SHARE));
}

/** Tasks that wait, in order; what is begun is finished first. */
function backlog(tasks: readonly Task[], dayMinutes: number) {
  const waiting: Part[] = tasks.map((task) => ({ task, minutes: task.minutes, goesOn: false }));

  /** A lesson is read in one go, unless a day is too short for that. */
  const fits = ({ task, minutes }: Part, left: number) =>
    minutes <= left || (left >= SHORTEST_PART && (task.kind !== 'learn' || minutes > dayMinutes));

  return {
    /** What to do in so many minutes. */
    take(minutes: number): Part[] {
      const taken: Part[] = [];
      let left = minutes;
      for (;;) {
        const index = waiting.findIndex((part) => fits(part, left));
        const part = waiting[index];
        if (part === undefined) return taken;
        const now = Math.min(part.minutes, left);
        taken.push({ ...part, minutes: now });
        left -= now;
        const rest = { ...part, minutes: part.minutes - now, goesOn: true };
        waiting.splice(index, 1, ...(rest.minutes > 0 ? [rest] : []));
      }
    },
    rest: (): readonly Part[] => waiting,
  };
}

function minutesOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + part.minutes, 0);
}

/** New cards that become askable. */
function opened(parts: readonly Part[]): number {
  return parts.reduce((sum, { task, goesOn }) => sum + (goesOn ? 0 : task.cards), 0);
}
