import fc from 'fast-check';
import { createEmptyCard, fsrs, Rating } from 'ts-fsrs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { dayNumber, dayOfUtc, readDay, startOfDay, utcOfDay } from './day.ts';
import { type Entry, type Grade, grades, type Review } from './entry.ts';
import { daysDue, isDue, type Memory, recallOf, replay, targetRetention } from './schedule.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const review = (at: string, grade: Grade, item = 'card:a/one'): Review => ({
  v: 1,
  id: `${item} ${at}`,
  at: new Date(at).toISOString(),
  type: 'review',
  item,
  grade,
});

function memoryOf(entries: Review[], item = 'card:a/one'): Memory {
  const memory = replay(entries).get(item);
  if (memory === undefined) throw new Error(`no memory of ${item}`);
  return memory;
}

const daysUntilDue = (memory: Memory) => dayNumber(memory.due) - dayNumber(memory.last);

describe('replay', () => {
  it('schedules as ts-fsrs does, review by review', () => {
    const theirs = fsrs({ request_retention: 0.9, enable_short_term: false, enable_fuzz: false });
    const ratings = {
      again: Rating.Again,
      hard: Rating.Hard,
      good: Rating.Good,
      easy: Rating.Easy,
    } as const;
    const noon = (day: number) => new Date(startOfDay(day).getTime() + 12 * 3_600_000);
    const reviews = fc.array(
      fc.record({ pause: fc.nat({ max: 400 }), grade: fc.constantFrom(...grades) }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(reviews, (given) => {
        let day = 20_000;
        let card = createEmptyCard(utcOfDay(day));
        const entries: Review[] = [];
        for (const { pause, grade } of given) {
          day += pause;
          entries.push(review(noon(day).toISOString(), grade));
          card = theirs.next(card, utcOfDay(day), ratings[grade]).card;
        }
        const { due, stability, difficulty, reviews: reps, lapses } = memoryOf(entries);
        expect({ due: dayNumber(due), stability, difficulty, reps, lapses }).toEqual({
          due: dayOfUtc(card.due),
          stability: card.stability,
          difficulty: card.difficulty,
          reps: card.reps,
          lapses: card.lapses,
        });
      }),
      { seed: 1 },
    );
  });

  it('knows nothing of what was never reviewed', () => {
    expect(replay([]).size).toBe(0);
    const read = { v: 1, id: '1', at: '2026-11-01T10:00:00Z', type: 'read', lesson: 'a' } as const;
    expect(replay([read]).size).toBe(0);
  });

  it('brings back tomorrow what did not come to mind', () => {
    expect(daysUntilDue(memoryOf([review('2026-11-01T23:30:00', 'again')]))).toBe(1);
  });

  it('waits the longer the better it was known', () => {
    const days = grades.map((grade) =>
      daysUntilDue(memoryOf([review('2026-11-01T10:00:00', grade)])),
    );
    expect(days).toEqual(days.toSorted((one, other) => one - other));
    expect(new Set(days).size).toBe(4);
  });

  it('waits longer after each success, and not long after a failure', () => {
    const first = memoryOf([review('2026-11-01T10:00:00', 'good')]);
    const next = first.due.toISOString();
    const held = memoryOf([review('2026-11-01T10:00:00', 'good'), review(next, 'good')]);
    const lost = memoryOf([review('2026-11-01T10:00:00', 'good'), review(next, 'again')]);
    expect(daysUntilDue(held)).toBeGreaterThan(daysUntilDue(first));
    expect(daysUntilDue(lost)).toBeLessThan(daysUntilDue(first));
    expect(held).toMatchObject({ reviews: 2, lapses: 0 });
    expect(lost).toMatchObject({ reviews: 2, lapses: 1 });
  });

  it('keeps items apart', () => {
    const memories = replay([
      review('2026-11-01T10:00:00', 'easy', 'card:a/one'),
      review('2026-11-01T10:01:00', 'again', 'kata:a'),
    ]);
    expect([...memories.keys()]).toEqual(['card:a/one', 'kata:a']);
    expect(memories.get('kata:a')?.reviews).toBe(1);
  });

  it('says the same whatever the time of day was, also when clocks change in between', () => {
    vi.stubEnv('TZ', 'America/New_York');
    const early = [review('2026-10-31T00:10:00', 'good'), review('2026-11-02T00:10:00', 'good')];
    const late = [review('2026-10-31T23:50:00', 'good'), review('2026-11-02T23:50:00', 'good')];
    expect(memoryOf(early).due).toEqual(memoryOf(late).due);
    expect(memoryOf(early).due.getHours()).toBe(0);
  });

  it('survives a day that begins twice, where clocks went back a minute after midnight', () => {
    vi.stubEnv('TZ', 'America/St_Johns');
    const before = review('2010-11-07T02:30:30Z', 'good');
    const after = review('2010-11-07T02:40:00Z', 'good');
    expect(dayNumber(new Date(after.at))).toBe(dayNumber(new Date(before.at)) - 1);
    expect(memoryOf([before, after]).reviews).toBe(2);
  });

  it('never fails, never forgets an item, and never makes it due before the day after', () => {
    const history = fc.array(
      fc.record({
        at: fc.date({
          min: new Date('2020-01-01'),
          max: new Date('2030-01-01'),
          noInvalidDate: true,
        }),
        grade: fc.constantFrom(...grades),
        item: fc.constantFrom('card:a/one', 'card:a/two', 'kata:a'),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(history, (made) => {
        const entries = made
          .toSorted((one, other) => one.at.getTime() - other.at.getTime())
          .map(({ at, grade, item }) => review(at.toISOString(), grade, item));
        const memories = replay(entries);
        expect([...memories.keys()].toSorted()).toEqual(
          [...new Set(entries.map((entry) => entry.item))].toSorted(),
        );
        for (const memory of memories.values()) expect(daysUntilDue(memory)).toBeGreaterThan(0);
        expect(replay(entries), 'the same again').toEqual(memories);
      }),
      { seed: 1 },
    );
  });
});

describe('isDue', () => {
  it('holds for the whole day on which an item comes due, and after', () => {
    const memory = memoryOf([review('2026-11-01T22:00:00', 'again')]);
    expect(isDue(memory, new Date('2026-11-01T23:59:59'))).toBe(false);
    expect(isDue(memory, new Date('2026-11-02T00:00:00'))).toBe(true);
    expect(isDue(memory, new Date('2027-11-02T00:00:00'))).toBe(true);
  });

  it('never holds for what was not reviewed', () => {
    expect(isDue(undefined, new Date('2027-11-02T00:00:00'))).toBe(false);
  });
});

describe('a gap that a mock interview showed', () => {
  const gap = (at: string): Entry => ({
    v: 1,
    id: at,
    at: new Date(at).toISOString(),
    type: 'gap',
    item: 'card:a/one',
  });
  const known = [review('2026-11-01T10:00:00', 'easy')];
  const shown = gap('2026-11-02T10:00:00');

  it('is due on its day, whatever was known', () => {
    const { due } = replay([...known, shown]).get('card:a/one') ?? {};
    expect(due).toEqual(new Date('2026-11-02T00:00:00'));
  });

  it('leaves the memory as it is: the next review counts from the last one', () => {
    const next = review('2026-11-02T12:00:00', 'good');
    expect(replay([...known, shown, next])).toEqual(replay([...known, next]));
  });

  it('does not put off what is due already', () => {
    const { due } = replay([...known, gap('2027-11-01T10:00:00')]).get('card:a/one') ?? {};
    expect(due).toEqual(replay(known).get('card:a/one')?.due);
  });

  it('is open until the next review', () => {
    const openGaps = (entries: readonly Entry[]) => [...recallOf(entries).gaps.keys()];
    expect(openGaps([shown])).toEqual(['card:a/one']);
    expect(openGaps([...known, shown])).toEqual(['card:a/one']);
    expect(openGaps([shown, review('2026-11-03T10:00:00', 'again')])).toEqual([]);
  });
});

describe('before an interview', () => {
  const interview = readDay('2026-12-05') ?? 0;
  const known = (at: string, item = 'card:a/one') => [
    review('2026-11-01T10:00:00', 'easy', item),
    review(at, 'easy', item),
  ];
  const dueOf = (at: string, item?: string) => {
    const memory = replay(known(at, item), interview).get(item ?? 'card:a/one');
    return memory ? dayNumber(memory.due) : undefined;
  };

  it('more is asked to be known, the nearer it is', () => {
    const targets = [30, 14, 10, 5, 1, 0].map(targetRetention);
    expect(targets.slice(0, 2)).toEqual([0.9, 0.9]);
    expect(targets.slice(-2)).toEqual([0.97, 0.97]);
    expect(targets).toEqual(targets.toSorted((one, other) => one - other));
  });

  it('nothing is put off beyond it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(...grades),
        fc.nat(50),
        (daysBefore, grade, card) => {
          const at = new Date(startOfDay(interview - daysBefore).getTime() + 36_000_000);
          const item = `card:a/${card}`;
          const [memory] = replay([review(at.toISOString(), grade, item)], interview).values();
          expect(memory && dayNumber(memory.due)).toBeLessThanOrEqual(interview);
          expect(memory && dayNumber(memory.due)).toBeGreaterThan(interview - daysBefore);
        },
      ),
      { seed: 5 },
    );
  });

  it('each item is asked once more in the last week, not all on one day', () => {
    const days = Array.from({ length: 60 }, (_, n) => dueOf('2026-11-20T10:00:00', `card:a/${n}`));
    expect(Math.min(...days.map(Number))).toBeGreaterThanOrEqual(interview - 7);
    expect(Math.max(...days.map(Number))).toBe(interview - 1);
    expect(new Set(days).size).toBeGreaterThan(4);
  });

  it('what was asked in the last week comes back no sooner than it must', () => {
    expect(dueOf('2026-12-02T10:00:00')).toBe(interview);
  });

  it('what is reviewed on the day itself, or after it, comes back as usual', () => {
    const entries = known('2026-12-05T10:00:00');
    expect(replay(entries, interview)).toEqual(replay(entries));
  });

  it('the days on which an item will be due can be told, new or known', () => {
    const today = readDay('2026-11-20') ?? 0;
    const fresh = daysDue('card:a/one', today, interview);
    expect(fresh[0]).toBe(today + 2);
    expect(fresh).toEqual([...new Set(fresh)].toSorted((one, other) => one - other));
    expect(fresh.at(-1)).toBeLessThan(interview);
    const [memory] = replay([review('2026-11-10T10:00:00', 'again')], interview).values();
    expect(memory && daysDue(memory, today, interview)[0]).toBe(today);
  });
});
