import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { KitError } from '../quiz/problem.ts';
import { loadCatalog } from './content/catalog.ts';
import { copyKit } from './fixtures/copy-kit.ts';
import { create } from './new.ts';
import { verify } from './verify.ts';

let root = '';
let remove = async () => {};
beforeEach(async () => {
  ({ root, remove } = await copyKit());
});
afterEach(() => remove());

const now = new Date(2026, 0, 31, 18);

async function run(words: string[], flags: Record<string, string> = {}): Promise<string[]> {
  const printed: string[] = [];
  const print = (text: string) => printed.push(text);
  const exitCode = await create({ root, home: '', words, flags }, { print, now });
  expect(exitCode).toBe(0);
  return printed;
}

it('writes a topic of which verify says nothing but what is left to be written', async () => {
  expect(await run(['lesson', 'rate-limiter'])).toEqual([
    'Wrote lessons/11-rate-limiter.md',
    'Next: replace each TODO; npm run verify -- rate-limiter says what is left.',
  ]);
  await run(['deck', 'rate-limiter']);
  expect(await run(['kata', 'rate-limiter'])).toEqual([
    'Wrote katas/rate-limiter/README.md',
    'Wrote katas/rate-limiter/rate-limiter.ts',
    'Wrote katas/rate-limiter/rate-limiter.test.ts',
    'Wrote solutions/rate-limiter/rate-limiter.ts',
    'Wrote solutions/rate-limiter/another-way.ts',
    'Wrote solutions/rate-limiter/README.md',
    'Next: replace each TODO; npm run verify -- rate-limiter says what is left.',
    'After changes to the solution, --fix makes the stub of it anew.',
  ]);

  const printed: string[] = [];
  const exitCode = await verify(
    { root, home: join(root, '.study'), words: ['rate'], flags: { pristine: true } },
    { print: (text) => printed.push(text), onProgress: () => {}, now },
  );
  expect(exitCode).toBe(1);
  const problems = printed.slice(0, -3);
  expect(problems.filter((line) => !line.includes(' left to be written: TODO: '))).toEqual([
    'quiz/decks/rate-limiter.yaml expected 10 cards or more, not 7',
    'solutions/rate-limiter/README.md expected 8 misconceptions or more, not 1',
  ]);
  const unfinished = new Set(problems.map((line) => line.split(/[: ]/, 1)[0]));
  expect([...unfinished]).toEqual([
    'katas/rate-limiter/README.md',
    'katas/rate-limiter/rate-limiter.test.ts',
    'lessons/11-rate-limiter.md',
    'quiz/decks/rate-limiter.yaml',
    'solutions/rate-limiter/README.md',
    'solutions/rate-limiter/another-way.ts',
    'solutions/rate-limiter/rate-limiter.ts',
  ]);
}, 60_000);

it('takes title, lesson and number as given', async () => {
  await run(['lesson', 'timeouts'], { title: 'Time: out', number: '3' });
  await run(['kata', 'deadline'], { title: '"Dead" line', lesson: 'timeouts' });
  const { lessons, katas, problems } = await loadCatalog(root);
  expect(lessons[0]).toMatchObject({
    slug: 'timeouts',
    number: 3,
    title: 'Time: out',
    updated: '2026-01-31',
  });
  expect(katas[0]).toMatchObject({ slug: 'deadline', title: '"Dead" line', lesson: 'timeouts' });
  expect(problems).toEqual([]);
});

it('gives a deck the title of its lesson', async () => {
  await run(['lesson', 'retry'], { title: 'Trying again' });
  await run(['deck', 'retry']);
  expect(await readFile(join(root, 'quiz/decks/retry.yaml'), 'utf8')).toMatch(
    /^title: Trying again$/m,
  );
});

it.each([
  [['kata', 'quota'], 1, /^Already there: katas\/quota\/README.md, katas\/quota\/quota.ts, /],
  [['lesson', 'quota'], 1, /^Already there: lessons\/10-quota.md\. /],
  [['deck', 'quota'], 1, /^Already there: quiz\/decks\/quota.yaml\. /],
  [['kata', 'Quota'], 2, /^"Quota" is no slug: a slug is lower-case words/],
  [['lesson', '26-retry'], 2, /^"26-retry" is no slug/],
  [['lesson', '../retry'], 2, /is no slug/],
  [['card', 'retry'], 2, /^Usage: npm run new/],
  [['kata'], 2, /^Usage: npm run new/],
  [['kata', 'a', 'b'], 2, /^Usage: npm run new/],
])('refuses %j', async (words, exitCode, message) => {
  const failure = await run(words).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(KitError);
  expect(failure).toMatchObject({ exitCode, message: expect.stringMatching(message) });
});

it.each([
  ['10', 'The lesson quota has the number 10. Choose another.'],
  ['0', 'Expected --number to be a whole number, 1 or more; not "0".'],
  ['x', 'Expected --number to be a whole number, 1 or more; not "x".'],
])('refuses the number %s', async (number, message) => {
  await expect(run(['lesson', 'retry'], { number })).rejects.toThrow(message);
});
