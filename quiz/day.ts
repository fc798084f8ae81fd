/**
 * The calendar day on the wall clock here, counted from 1970-01-01. Days are counted, never hours:
 * a day of 23 or 25 hours, when clocks change, is one day.
 */
export function dayNumber(date: Date): number {
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / dayMs;
}

/** The moment at which that calendar day begins here. */
export function startOfDay(day: number): Date {
  const utc = utcOfDay(day);
  return new Date(utc.getUTCFullYear(), utc.getUTCMonth(), utc.getUTCDate());
}

/** Midnight UTC of that day: for code that counts in units of 24 hours. */
export function utcOfDay(day: number): Date {
  return new Date(day * dayMs);
}

export function dayOfUtc(midnight: Date): number {
  return Math.floor(midnight.getTime() / dayMs);
}

/** True from the calendar day of `date` on. */
export function hasCome(date: Date, now: Date): boolean {
  return dayNumber(date) <= dayNumber(now);
}

/** The calendar day that `yyyy-mm-dd` names; undefined when there is no such day. */
export function readDay(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const utc = new Date(`${text}T00:00:00Z`);
  const isDay = !Number.isNaN(utc.getTime()) && utc.toISOString().startsWith(text);
  return isDay ? dayOfUtc(utc) : undefined;
}

/** A calendar day as `yyyy-mm-dd`. */
export function isoDay(day: number): string {
  return utcOfDay(day).toISOString().slice(0, 10);
}

/** "today", "tomorrow", "in 12 days (Fri, Dec 4)". */
export function dayInWords(date: Date, now: Date): string {
  const days = dayNumber(date) - dayNumber(now);
  if (days <= 0) return 'today';
  if (days === 1) return 'tomorrow';
  return `in ${days} days (${dateInWords(date)})`;
}

/** "Fri, Dec 4". */
export function dateInWords(date: Date): string {
  return calendarDate.format(date);
}

const dayMs = 24 * 60 * 60 * 1000;

const calendarDate = new Intl.DateTimeFormat('en-US', {
  weekday: 'short',
  month: 'short',
  day: 'numeric',
});
