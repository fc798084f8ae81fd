import { dayNumber } from '../../../quiz/day.ts';
import { type Entry, grades } from '../../../quiz/entry.ts';
import { type Random, seeded } from '../../../quiz/random.ts';
import { isDue, replay } from '../../../quiz/schedule.ts';
import { withSoundTimes } from '../../../quiz/sound-times.ts';
import type { Trial } from './trial.ts';

const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 0, 1);
/** Some of which the clock says twice, or never, in any zone that has summer time. */
const DAYS = 420;
const REVIEWS = 24;

export const clocksTrial: Trial = {
  name: 'clocks',
  title: 'all time zones, summer time, clocks that are set back, and years ahead',
  run({ seed }) {
    const zones = Intl.supportedValuesOf('timeZone');
    const here = process.env['TZ'];
    const lost: string[] = [];
    let acknowledged = 0;
    try {
      for (const zone of zones) {
        process.env['TZ'] = zone;
        const random = seeded(`${zone} ${seed}`);
        lost.push(...[...skippedDays(), ...wrongReplays(random)].map((each) => `${zone}: ${each}`));
        acknowledged += REVIEWS;
      }
    } finally {
      if (here === undefined) delete process.env['TZ'];
      else process.env['TZ'] = here;
    }
    return Promise.resolve({
      tried: `${zones.length} zones, ${DAYS} days each`,
      acknowledged,
      lost,
    });
  },
};

/** The days on the wall clock, hour by hour: each comes, and none comes again. */
function skippedDays(): string[] {
  const wrong: string[] = [];
  let today = dayNumber(new Date(START));
  for (let hour = 1; hour < 24 * DAYS; hour += 1) {
    const now = new Date(START + hour * HOUR_MS);
    const step = dayNumber(now) - today;
    // A clock that goes back at midnight says the last hour of a day again.
    if (step > 1 || step < -1) wrong.push(`${step} days at ${now.toISOString()}`);
    today = dayNumber(now);
  }
  return wrong;
}

/** Reviews at any hour, by a clock that is now and then hours behind, and once ten years ahead. */
function wrongReplays(random: Random): string[] {
  const wrong: string[] = [];
  const entries: Entry[] = [];
  let time = START;
  for (let index = 0; index < REVIEWS; index += 1) {
    time += random() * 17 * 24 * HOUR_MS;
    const slip = index === 10 ? 10 * 365 * 24 : index % 5 === 0 ? -30 * random() : 0;
    const at = new Date(time + slip * HOUR_MS).toISOString();
    const grade = grades[Math.floor(random() * 4)] ?? 'good';
    entries.push({ v: 1, id: String(index), at, type: 'review', item: `card:${index % 2}`, grade });
  }
  const now = new Date(time + HOUR_MS);
  const sound = withSoundTimes(entries, now).toSorted(
    (a, b) => Date.parse(a.at) - Date.parse(b.at),
  );
  const memories = replay(sound);
  const counted = [...memories.values()].reduce((sum, { reviews }) => sum + reviews, 0);
  if (counted !== REVIEWS) wrong.push(`${counted} of ${REVIEWS} reviews count`);
  for (const memory of memories.values()) {
    const { item, due, stability } = memory;
    const before = new Date(due.getTime() - HOUR_MS);
    const lateThatDay = new Date(due.getTime() + 22 * HOUR_MS);
    if (dayNumber(before) < dayNumber(due) && isDue(memory, before))
      wrong.push(`${item} is due early`);
    if (!isDue(memory, lateThatDay)) wrong.push(`${item} is not due on its day`);
    const waitMs = due.getTime() - now.getTime();
    if (waitMs > (stability + 3) * 24 * HOUR_MS)
      wrong.push(`${item} is put off to ${due.toISOString()}`);
  }
  return wrong;
}
