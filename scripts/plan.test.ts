import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readJournal } from '../quiz/journal.ts';
import { KitError } from '../quiz/problem.ts';
import { copyKit } from './fixtures/copy-kit.ts';
import { plan } from './plan.ts';

let root = '';
let home = '';
let remove = async () => {};

beforeEach(async () => {
  vi.stubEnv('NO_COLOR', '1');
  ({ root, remove } = await copyKit());
  home = join(root, '.study');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await remove();
});

async function run(flags = {}, { on = '2026-11-28', typed = '', words = [] as string[] } = {}) {
  const printed: string[] = [];
  await plan(
    { root, home, words, flags },
    {
      input: Readable.from([typed]),
      print: (text) => printed.push(text),
      hasTerminal: false,
      now: () => new Date(`${on}T12:00:00`),
    },
  );
  return printed.join('\n');
}

const entries = () => readJournal(home).entries;

describe('npm run plan', () => {
  it('says how to plan when no interview is known', async () => {
    expect(await run()).toContain('npm run plan -- --interview 2026-12-05 --minutes 30');
    expect(entries()).toEqual([]);
  });

  it('keeps the day, and shows each day from then on, within 80 columns', async () => {
    const text = await run({ interview: '2026-12-05', minutes: '20' });
    expect(text).toContain('Interview in 7 days (Sat, Dec 5), 20 minutes a day until then.');
    expect(text).toMatch(/^Today {8}.*read Quotas/m);
    expect(text).toMatch(/rehearse The free tier/);
    expect(await run({})).toBe(text);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('changes the minutes alone, or the day alone', async () => {
    await run({ interview: '2026-12-05', minutes: '20' });
    expect(await run({ minutes: '40' })).toContain('in 7 days (Sat, Dec 5), 40 minutes');
    expect(await run({ interview: '2026-12-06' })).toContain('in 8 days (Sun, Dec 6), 40 minutes');
  });

  it('says honestly what does not fit', async () => {
    const text = await run({ interview: '2026-11-29', minutes: '5' });
    expect(text).toMatch(/Does not fit: \d\.\d hours\./);
    expect(text).toContain('Drop first what stands first:');
    expect(text.replaceAll(/\s+/g, ' ')).toMatch(/All of it would take \d+ minutes a day\./);
  });

  it('wishes luck on the day itself', async () => {
    await run({ interview: '2026-12-05' });
    expect(await run({}, { on: '2026-12-05' })).toContain('Interview today');
  });

  it('asks how it went when the day is over, and is plain repetition from then on', async () => {
    await run({ interview: '2026-12-05' });
    const text = await run({}, { on: '2026-12-07', typed: 'well\nI think\n\na saga\nretries\n\n' });
    expect(text).toContain('Your interview was on Sat, Dec 5. How did it go?');
    expect(entries().at(-1)).toMatchObject({
      type: 'debrief',
      went: 'well\nI think',
      asked: ['a saga', 'retries'],
    });
    expect(await run({}, { on: '2026-12-07' })).toContain('No interview is planned');
  });

  it('asks again when nothing was told, and keeps what was told before someone left', async () => {
    await run({ interview: '2026-12-05' });
    expect(await run({}, { on: '2026-12-07' })).toContain('Nothing was kept.');
    await run({}, { on: '2026-12-07', typed: 'badly' });
    expect(entries().at(-1)).toMatchObject({ type: 'debrief', went: 'badly', asked: [] });
  });

  it('has kept the first answer when the second is asked for', async () => {
    await run({ interview: '2026-12-05' });
    let kept: unknown;
    await plan(
      { root, home, words: [], flags: {} },
      {
        input: Readable.from(['well\n\n']),
        print: (text) => {
          if (text.startsWith('What was asked?')) kept = entries().at(-1);
        },
        hasTerminal: false,
        now: () => new Date('2026-12-07T12:00:00'),
      },
    );
    expect(kept).toMatchObject({ type: 'debrief', went: 'well' });
  });

  it('ends with --none', async () => {
    await run({ interview: '2026-12-05' });
    expect(await run({ none: true })).toContain('No interview is planned');
  });

  it.each([
    [{ interview: '2026-02-30' }, '--interview is no day: 2026-02-30.'],
    [{ interview: '2026-11-27' }, '--interview is in the past: 2026-11-27. Today is 2026-11-28.'],
    [{ interview: '9999-12-31' }, '--interview is more than two years away: 9999-12-31.'],
    [{ interview: '2026-12-05', minutes: 'many' }, 'a whole number from 5 to 600, not many.'],
    [{ interview: '2026-12-05', minutes: '0' }, 'a whole number from 5 to 600, not 0.'],
    [{ minutes: '30' }, 'Say the day as well'],
  ])('refuses %j, and keeps nothing', async (flags, message) => {
    await expect(run(flags)).rejects.toThrow(message);
    await expect(run(flags)).rejects.toBeInstanceOf(KitError);
    expect(entries()).toEqual([]);
  });

  it('takes no words', async () => {
    await expect(run({}, { words: ['2026-12-05'] })).rejects.toThrow('after --interview');
  });
});
