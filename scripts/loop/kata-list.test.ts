import { expect, it } from 'vitest';
import type { Entry, NewEntry } from '../../quiz/entry.ts';
import { recallOf } from '../../quiz/schedule.ts';
import type { Kata } from '../content/catalog.ts';
import { kataLines } from './kata-list.ts';

it('says how far each kata is', () => {
  const entries = [progress('retry', 2, 5), progress('hedge', 5, 5), review('hedge')];
  expect(lines(entries)).toEqual([
    'Breaker  breaker  L5   45 min  not begun',
    'Retry    retry    L5   45 min  2 of 5 levels',
    'Hedge    hedge    L5   45 min  solved',
  ]);
});

it('says when a solved one is due again', () => {
  const entries = [progress('hedge', 5, 5), review('hedge')];
  expect(lines(entries, new Date(2027, 0, 1)).at(-1)).toMatch(/solved, due again$/);
});

function lines(entries: readonly NewEntry[], now = new Date(2026, 10, 2)): string[] {
  const stamped = entries.map((entry, index): Entry => ({
    v: 1,
    id: `${index}`,
    at: '2026-11-01T12:00:00Z',
    ...entry,
  }));
  return kataLines(
    ['Breaker', 'Retry', 'Hedge'].map(kata),
    { entries: stamped, recall: recallOf(stamped) },
    now,
  );
}

function kata(title: string): Pick<Kata, 'slug' | 'title' | 'level' | 'minutes'> {
  return { slug: title.toLowerCase(), title, level: 'L5', minutes: 45 };
}

function progress(slug: string, passed: number, of: number): NewEntry {
  return { type: 'progress', kata: slug, passed, of };
}

function review(slug: string): NewEntry {
  return { type: 'review', item: `kata:${slug}`, grade: 'good' };
}
