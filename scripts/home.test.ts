import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournal } from '../quiz/journal.ts';
import type { NewEntry } from '../quiz/entry.ts';
import { cardIds } from './content/card-ids.ts';
import { openQuota } from './fixtures/quota.ts';
import { goHome } from './home.ts';
import type { NextStep } from './next-steps.ts';

let quota: Awaited<ReturnType<typeof openQuota>>;

beforeEach(async () => {
  quota = await openQuota();
});

afterEach(() => quota.remove());

const now = new Date(2026, 10, 22, 12);

describe('the first start', () => {
  it('says in three lines what the kit is and how a day goes', async () => {
    const [, ...lines] = await home();
    expect(lines.slice(0, 3).join(' ')).toMatch(/^Half-Open gets you ready .* A day: .*\.$/);
    expect(lines[3]).toBe('');
  });

  it('is over once anything was done', async () => {
    did({ type: 'read', lesson: 'quota' });
    const printed = await home();
    expect(printed[1]).toBe('Half-Open');
    expect(printed[2]).toBe('');
  });
});

describe('the map', () => {
  it('says how ready one is on each topic', async () => {
    const [first, second] = await cards();
    did(
      { type: 'read', lesson: 'quota' },
      { type: 'progress', kata: 'quota', passed: 2, of: 3 },
      { type: 'review', item: `card:quota/${first}`, grade: 'again' },
      { type: 'review', item: `card:quota/${second}`, grade: 'good' },
    );
    const printed = await home(new Date(2026, 10, 23));
    expect(printed.join('\n')).toMatch(
      /10 Quotas? {3}read ✓ {3}build 2\/3 {3}defend 1\/\d+, 1 due/,
    );
    expect(printed).toContain('Due today: 1 card.');
  });

  it('says when a kata is to be solved again', async () => {
    did(
      { type: 'progress', kata: 'quota', passed: 3, of: 3 },
      { type: 'review', item: 'kata:quota', grade: 'good' },
    );
    const printed = await home(new Date(2027, 0, 1));
    expect(printed).toContain('Due today: to solve again from blank: Quota.');
    expect(printed.join('\n')).toContain('npm run kata -- quota');
  });

  it('names in one line the lines of the journal that are damaged', async () => {
    did({ type: 'read', lesson: 'quota' });
    await appendFile(join(quota.home, 'journal.jsonl'), 'rubbish\n{"v":\n');
    const damage = (await home()).filter((line) => line.includes('journal.jsonl'));
    expect(damage).toEqual([expect.stringMatching(/: lines 2, 3 cannot be read/)]);
  });

  it('keeps within 80 columns', async () => {
    for (const line of await home()) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe('without a terminal', () => {
  it('prints the commands that come next, and ends', async () => {
    const printed = await home();
    expect(printed.slice(printed.indexOf('What comes next:') + 1)).toEqual([
      expect.stringMatching(/^ {2}npm run learn -- quota {3}Read: Quota/),
      '  npm run learn            All lessons',
      '  npm run kata -- --list   All katas',
      '  npm run quiz             Quiz',
      '  npm run interview        Mock interview',
    ]);
  });
});

it('does not count cards that are suspended', async () => {
  const [id = ''] = await cards();
  const all = (await cards()).length;
  did({ type: 'suspend', item: `card:quota/${id}` });
  expect(await home()).toContainEqual(expect.stringContaining(`defend 0/${all - 1}`));
});

describe('with an interview planned', () => {
  const planned = (interview: string): NewEntry => ({ type: 'plan', interview, minutes: 30 });

  it('shows the days that are left, and today’s part of the plan', async () => {
    did(planned('2026-12-05'));
    const printed = await home();
    expect(printed.join('\n')).toMatch(
      /Interview in \d+ days \(Sat, Dec 5\)\. Nothing is due today/,
    );
    const first = printed[printed.indexOf('What comes next:') + 1];
    expect(first).toMatch(/npm run learn -- quota {2,}Read: Quotas \(3 min\)/);
    for (const line of printed) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('asks how it went once the day is over', async () => {
    did(planned('2026-11-01'));
    const printed = await home();
    expect(printed[printed.indexOf('What comes next:') + 1]).toMatch(
      /npm run plan {2,}Tell how the interview went/,
    );
  });
});

describe('in a terminal', () => {
  it('offers what comes next, and ends when nothing is chosen', async () => {
    const offered: (readonly NextStep[])[] = [];
    const code = await goHome(quota, {
      print: () => {},
      follow: async () => {},
      choose: async (steps) => {
        offered.push(steps);
        return undefined;
      },
      now: () => now,
    });
    expect(code).toBe(0);
    expect(offered[0]?.[0]).toMatchObject({ command: 'learn', slug: 'quota' });
  });

  it('keeps map and menu within the screen, however many lessons there are', async () => {
    const lesson = await readFile(join(quota.root, 'lessons/10-quota.md'), 'utf8');
    for (let number = 11; number <= 30; number += 1) {
      await writeFile(join(quota.root, `lessons/${number}-lesson-${number}.md`), lesson);
    }
    const printed: string[] = [];
    let offered = 0;
    await goHome(quota, {
      print: (line) => printed.push(line),
      rows: 24,
      follow: async () => {},
      choose: async (steps) => {
        offered = steps.length;
        return undefined;
      },
      now: () => now,
    });
    // The question, "Leave", an empty line and the keys.
    expect(printed.length + offered + 4).toBe(24);
    expect(printed).toContainEqual(expect.stringContaining('more; see all lessons'));
  });

  it('comes back after each thing done, and shows what that changed', async () => {
    const choices: NextStep[] = [{ label: 'Read', command: 'learn', slug: 'quota' }];
    const printed: string[] = [];
    await goHome(quota, {
      print: (line) => printed.push(line),
      choose: async () => choices.pop(),
      follow: async () => did({ type: 'read', lesson: 'quota' }),
      now: () => now,
    });
    const maps = printed.filter((line) => line.startsWith('10 Quota'));
    expect(maps).toEqual([expect.stringContaining('read –'), expect.stringContaining('read ✓')]);
  });
});

async function home(at = now): Promise<string[]> {
  const printed: string[] = [];
  const code = await goHome(quota, {
    print: (line) => printed.push(line),
    choose: undefined,
    follow: async () => {},
    now: () => at,
  });
  expect(code).toBe(0);
  return printed;
}

function did(...entries: readonly NewEntry[]): void {
  const journal = openJournal(quota.home);
  for (const entry of entries) journal.append(entry, now);
}

async function cards(): Promise<string[]> {
  return cardIds(await readFile(join(quota.root, 'quiz/decks/quota.yaml'), 'utf8'));
}
