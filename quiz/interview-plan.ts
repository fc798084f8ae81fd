import { dayNumber, readDay } from './day.ts';
import type { Entry } from './entry.ts';

/** When the interview is, and how much time there is until then. */
export interface InterviewPlan {
  /** Calendar day, as `dayNumber` counts. */
  readonly day: number;
  /** A day. */
  readonly minutes: number;
}

/** Nobody prepares for longer: a day beyond is a slip of the pen. */
export const MOST_DAYS_AHEAD = 730;

/** The plan in force on the calendar day of `now`: on the day of the interview it still is. */
export function currentPlan(entries: readonly Entry[], now: Date): InterviewPlan | undefined {
  const plan = lastPlan(entries);
  const today = dayNumber(now);
  return plan && plan.day >= today && plan.day <= today + MOST_DAYS_AHEAD ? plan : undefined;
}

/** The plan of an interview that is over and of which nothing was told yet. */
export function pastPlan(entries: readonly Entry[], now: Date): InterviewPlan | undefined {
  const plan = lastPlan(entries);
  return plan && plan.day < dayNumber(now) ? plan : undefined;
}

/** The last thing said of an interview, unless it was called off or told of since. */
function lastPlan(entries: readonly Entry[]): InterviewPlan | undefined {
  const last = entries.findLast(({ type }) => type === 'plan' || type === 'debrief');
  if (last?.type !== 'plan' || last.interview === null) return undefined;
  const day = readDay(last.interview);
  return day === undefined ? undefined : { day, minutes: last.minutes };
}
