import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openJournal, readJournal } from '../quiz/journal.ts';
import { KitError } from '../quiz/problem.ts';
import { copyKit } from './fixtures/copy-kit.ts';
import { reset } from './reset.ts';

let root = '';
let remove = async () => {};
let home = '';
let answer = '';
beforeEach(async () => {
  ({ root, remove } = await copyKit());
  home = join(root, '.study');
  answer = join(root, 'katas/quota/quota.ts');
});
afterEach(() => remove());

const now = new Date(2026, 0, 31, 18, 5, 9);

async function run(words: string[], isConfirmed = true) {
  const printed: string[] = [];
  const exitCode = await reset(
    { root, home, words, flags: {} },
    { confirm: async () => isConfirmed, print: (text) => printed.push(text), now },
  );
  return { exitCode, printed };
}

it('says where the copy is', async () => {
  await writeFile(answer, 'my answer');
  expect(await run(['quota'])).toEqual({
    exitCode: 0,
    printed: [
      'katas/quota/quota.ts is the stub again.',
      'Your answer is saved. To get it back, copy this file over it:',
      '  .study/attempts/quota/2026-01-31T18-05-09.ts',
    ],
  });
});

it('finds the kata by the start of its slug', async () => {
  expect((await run(['quo'])).printed).toEqual(['katas/quota/quota.ts is already the stub.']);
});

it('changes nothing after a no', async () => {
  await writeFile(answer, 'my answer');
  expect(await run(['quota'], false)).toEqual({
    exitCode: 0,
    printed: ['Nothing was changed: katas/quota/quota.ts is as it was.'],
  });
  expect(await readFile(answer, 'utf8')).toBe('my answer');
});

it('takes the levels passed back', async () => {
  openJournal(home).append({ type: 'progress', kata: 'quota', passed: 2, of: 3 }, now);
  await writeFile(answer, 'my answer');
  await run(['quota']);
  expect(readJournal(home).entries.at(-1)).toMatchObject({ kata: 'quota', passed: 0, of: 3 });
});

it.each([
  [[], 'Name one kata: npm run reset -- slug. There are: quota.'],
  [['quota', 'quota'], 'Name one kata: npm run reset -- slug. There are: quota.'],
  [['quot'.repeat(2)], 'There is no kata "quotquot". The nearest is quota.'],
])('needs one kata, not %j', async (words, message) => {
  await expect(run(words)).rejects.toThrow(new KitError(message, { exitCode: 2 }));
});
