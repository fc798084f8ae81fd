import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { openQuota } from '../fixtures/quota.ts';
import { typeAdvice } from './type-advice.ts';

it('says what the compiler says of that file, and of no other', async () => {
  const { kata, root, remove } = await openQuota();
  const wrong = "const count: number = 'one';\n";
  await writeFile(kata.files.stub, `export const fine = 1;\n${wrong}`);
  await writeFile(kata.files.anotherWay, wrong);
  const advice = await typeAdvice(root, kata.files.stub, new AbortController().signal);
  expect(advice).toEqual([expect.stringMatching(/^line 2: Type 'string' is not assignable/)]);
  await remove();
}, 20_000);

it('has none where there is no compiler', async () => {
  const signal = new AbortController().signal;
  expect(await typeAdvice('/nowhere', '/nowhere/katas/quota/quota.ts', signal)).toEqual([]);
});
