import { describe, expect, it } from 'vitest';
import { dayNumber, readDay } from '../quiz/day.ts';
import type { Entry, NewEntry } from '../quiz/entry.ts';
import { replay } from '../quiz/schedule.ts';
import type { Asked } from './content/catalog.ts';
import { kataFiles } from './content/kit-layout.ts';
import { daysUntil, type Kit } from './outlook.ts';

const now = new Date('2026-11-28T12:00:00');

const lesson = (slug: string, number: number, asked: Asked, wantsKata = true) => {
  const texts = { title: `Lesson ${slug}`, summary: '', updated: '2026-11-28' };
  return { slug, number, file: '', ...texts, minutes: 10, wantsKata, asked };
};
const kata = (slug: string, of: string) => {
  const texts = { title: `Kata ${slug}`, brief: '', hints: [], level: 'L5' as const };
  return {
    slug,
    lesson: of,
    ...texts,
    minutes: 40,
    hasExperiment: false,
    files: kataFiles('', slug),
  };
};
const cardsIn = (deck: string) => Array.from({ length: 12 }, (_, index) => `${deck}-${index}`);

const kit: Kit = {
  lessons: [
    lesson('seldom', 10, 'rarely'),
    lesson('retries', 22, 'often'),
    lesson('split', 52, 'sometimes'),
    lesson('the-interview', 60, 'often', false),
  ],
  katas: [kata('retry', 'retries'), kata('traffic-split', 'split')],
  cards: new Map(['seldom', 'retries', 'split'].map((deck) => [deck, cardsIn(deck)])),
  interviews: [{ slug: 'storm', title: 'Storm', minutes: 45 }],
};

function entriesOf(...entries: readonly (NewEntry & { readonly on?: string })[]): Entry[] {
  return entries.map(({ on = '2026-11-27', ...entry }, index) => {
    return { v: 1, id: String(index), at: new Date(`${on}T12:00:00`).toISOString(), ...entry };
  });
}

function plan(day: string, minutes: number, entries: readonly Entry[] = []) {
  const interview = readDay(day) ?? 0;
  const memories = replay(entries, interview);
  return daysUntil({ day: interview, minutes }, kit, { entries, memories }, now);
}

const slugs = (parts: readonly { readonly task: { readonly slug: string } }[]) => [
  ...new Set(parts.map(({ task }) => task.slug)),
];

describe('the days until an interview', () => {
  it('are from today to its eve', () => {
    const { days } = plan('2026-12-05', 30);
    expect(days[0]?.day).toBe(dayNumber(now));
    expect(days).toHaveLength(7);
    expect(plan('2026-11-28', 30).days).toEqual([]);
  });

  it('hold what is asked often first, and the interview itself last', () => {
    const { days, leftOut } = plan('2026-12-12', 60);
    const order = slugs(days.flatMap(({ parts }) => parts));
    expect(order).toEqual([
      'retries',
      'retry',
      'split',
      'traffic-split',
      'seldom',
      'the-interview',
      'storm',
    ]);
    expect(leftOut).toEqual([]);
  });

  it('drop first what is asked rarely', () => {
    const { leftOut } = plan('2026-12-02', 20);
    expect(slugs(leftOut)).toContain('seldom');
    expect(slugs(leftOut)).not.toContain('retries');
  });

  it('leave out what was done, and count the levels that are left', () => {
    const { days } = plan(
      '2026-12-12',
      60,
      entriesOf(
        { type: 'read', lesson: 'retries' },
        { type: 'progress', kata: 'retry', passed: 3, of: 4 },
        { type: 'progress', kata: 'traffic-split', passed: 6, of: 6 },
      ),
    );
    const parts = days.flatMap((day) => day.parts);
    expect(slugs(parts)).not.toContain('retries');
    expect(slugs(parts)).not.toContain('traffic-split');
    expect(parts.find(({ task }) => task.slug === 'retry')?.task.minutes).toBe(10);
  });

  it('ask the cards of what was read, and those that are due', () => {
    const { days } = plan(
      '2026-12-12',
      60,
      entriesOf(
        { type: 'read', lesson: 'retries' },
        { type: 'review', item: 'card:retries/retries-0', grade: 'again' },
      ),
    );
    expect(days[0]?.due).toBe(1);
    expect(days[0]?.fresh).toBeGreaterThanOrEqual(11);
  });

  it('bring a solved kata back when it is due', () => {
    const { days } = plan(
      '2026-12-12',
      60,
      entriesOf(
        { type: 'progress', kata: 'retry', passed: 4, of: 4, on: '2026-10-01' },
        { type: 'review', item: 'kata:retry', grade: 'good', on: '2026-10-01' },
      ),
    );
    expect(days[0]?.parts[0]).toMatchObject({ task: { title: 'Kata retry, from blank' } });
  });
});
