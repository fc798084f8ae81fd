import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Grade, NewEntry } from '../quiz/entry.ts';
import { openJournal } from '../quiz/journal.ts';
import { cardIds } from './content/card-ids.ts';
import { copyKit } from './fixtures/copy-kit.ts';
import type { Stats } from './stats-figures.ts';
import { stats } from './stats.ts';

let root = '';
let home = '';
let ids: string[] = [];
let remove = async () => {};

beforeEach(async () => {
  ({ root, remove } = await copyKit());
  home = join(root, '.study');
  ids = cardIds(await readFile(join(root, 'quiz/decks/quota.yaml'), 'utf8'));
});
afterEach(() => remove());

const now = new Date('2026-11-28T12:00:00');

async function run(flags = {}): Promise<string[]> {
  const printed: string[] = [];
  await stats({ root, home, words: [], flags }, { print: (text) => printed.push(text), now });
  return printed;
}

const figures = async (): Promise<Stats> => JSON.parse((await run({ json: true })).join('\n'));

function did(at: string, entry: NewEntry): void {
  openJournal(home).append(entry, new Date(at));
}

const reviewed = (at: string, card: number, grade: Grade) =>
  did(at, { type: 'review', item: `card:quota/${ids[card] ?? ''}`, grade });

describe('npm run stats', () => {
  it('has nothing to count at first', async () => {
    expect(await run()).toEqual(['Nothing to count yet. Begin with npm start.']);
  });

  it('counts what came to mind again, not what was new', async () => {
    reviewed('2026-10-01T10:00:00', 0, 'again');
    reviewed('2026-10-02T10:00:00', 0, 'again');
    reviewed('2026-11-27T10:00:00', 0, 'good');
    reviewed('2026-11-28T10:00:00', 1, 'again');
    const { ever, lately, target, topics } = await figures();
    expect({ ever, lately, target }).toEqual({
      ever: { asked: 2, held: 1 },
      lately: { asked: 1, held: 1 },
      target: 0.9,
    });
    expect(topics).toMatchObject([{ slug: 'quota', title: 'Quotas', seen: 2 }]);
  });

  it('shows reviews by day, as numbers and as a bar', async () => {
    reviewed('2026-11-27T10:00:00', 0, 'good');
    reviewed('2026-11-28T10:00:00', 0, 'good');
    reviewed('2026-11-28T11:00:00', 1, 'again');
    const { days } = await figures();
    expect(days).toHaveLength(14);
    expect(days.slice(-2)).toEqual([
      { day: '2026-11-27', asked: 1, held: 1 },
      { day: '2026-11-28', asked: 2, held: 1 },
    ]);
    const printed = await run();
    expect(printed).toContainEqual(expect.stringMatching(/^ {2}2026-11-27 +1 +1 +█{20}$/));
    expect(printed).toContainEqual(expect.stringMatching(/^ {2}2026-11-28 +2 +1 +█{40}$/));
    for (const line of printed) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('tells the time at work to green, of the first attempt and of the last', async () => {
    const progress = (at: string, passed: number) =>
      did(at, { type: 'progress', kata: 'quota', passed, of: 3 });
    progress('2026-11-01T10:00:00', 1);
    progress('2026-11-01T10:10:00', 2);
    progress('2026-11-02T09:00:00', 1);
    progress('2026-11-02T09:05:00', 3);
    progress('2026-11-20T09:00:00', 0);
    progress('2026-11-20T09:08:00', 3);
    expect((await figures()).katas).toEqual([
      { slug: 'quota', solved: 2, firstMinutes: 15, lastMinutes: 8 },
    ]);
    expect(await run()).toContainEqual(expect.stringMatching(/quota +2 × +15 min +8 min/));
  });

  it('tells what will be due, what is overdue today', async () => {
    reviewed('2026-11-01T10:00:00', 0, 'again');
    reviewed('2026-11-28T10:00:00', 1, 'again');
    const { due } = await figures();
    expect(due.slice(0, 2)).toEqual([
      { day: '2026-11-28', cards: 1 },
      { day: '2026-11-29', cards: 1 },
    ]);
  });

  it('raises the target towards an interview', async () => {
    did('2026-11-28T10:00:00', { type: 'plan', interview: '2026-11-29', minutes: 30 });
    expect((await figures()).target).toBe(0.97);
  });
});
