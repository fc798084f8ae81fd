import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCatalog } from '../content/catalog.ts';
import { copyKit } from '../fixtures/copy-kit.ts';
import { kataFiles } from '../content/kit-layout.ts';
import { checkStub } from './verify-stubs.ts';

let root = '';
let remove = async () => {};
let files = kataFiles('', 'quota');
beforeEach(async () => {
  ({ root, remove } = await copyKit());
  files = kataFiles(root, 'quota');
});
afterEach(() => remove());

async function check(options: { fix?: boolean; pristine?: boolean } = {}) {
  const [kata] = (await loadCatalog(root)).katas;
  if (!kata) throw new Error('The kit in miniature has a kata.');
  const { checks, inProgress, copy } = await checkStub(
    kata,
    await readFile(files.solution, 'utf8'),
    { fix: false, pristine: false, home: join(root, '.study'), now: new Date(), ...options },
  );
  return { problems: checks.flatMap((each) => each.problems), inProgress, copy };
}

describe('checkStub', () => {
  it('is content with the stub', async () => {
    expect(await check({ pristine: true })).toEqual({ problems: [], inProgress: false });
  });

  it.each([
    ['an answer', () => writeFile(files.stub, 'my answer'), 'this is not the stub'],
    ['a missing stub', () => rm(files.stub), 'the stub is missing'],
  ])('minds %s only when the kit is to be pristine', async (_, spoil, message) => {
    await spoil();
    expect(await check()).toEqual({ problems: [], inProgress: true });
    const remedy = '`npm run verify -- quota --fix` writes it, after a copy of what is there';
    expect((await check({ pristine: true })).problems).toEqual([
      { file: files.stub, message: `${message}; ${remedy}` },
    ]);
  });

  it('writes the stub, after a copy of what is there', async () => {
    const stub = await readFile(files.stub, 'utf8');
    await writeFile(files.stub, 'my answer');
    const { problems, copy = '' } = await check({ fix: true, pristine: true });
    expect(problems).toEqual([]);
    expect(await readFile(copy, 'utf8')).toBe('my answer');
    expect(await readFile(files.stub, 'utf8')).toBe(stub);
  });

  it('names every wrong mark, and then writes nothing', async () => {
    await writeFile(files.stub, 'my answer');
    await writeFile(files.solution, 'a();\n// #endregion\n// #region answer: b\n');
    const { problems } = await check({ fix: true });
    expect(problems.map(({ file, line }) => [file, line])).toEqual([
      [files.solution, 2],
      [files.solution, 3],
    ]);
    expect(await readFile(files.stub, 'utf8')).toBe('my answer');
  });
});
