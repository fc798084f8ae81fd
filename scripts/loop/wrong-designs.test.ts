import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SpecRunner } from '../runner/spec-runner.ts';
import { failing, openQuota, solved } from '../fixtures/quota.ts';
import { type Gallery, judgeDesigns, loadGallery, recallDesigns } from './wrong-designs.ts';

let given: Awaited<ReturnType<typeof openQuota>>;

beforeEach(async () => {
  given = await openQuota();
});

afterEach(() => given.remove());

const oneTooMany = {
  title: 'Lets one too many through',
  why: 'Tempting because "none left" sounds like "below zero".',
  fails: ['1 · taking > refuses the one too many'],
};

it('knows nothing before the spec was asked', async () => {
  expect(await recallDesigns(await gallery())).toBeUndefined();
});

it('asks the spec about the solution with each misconception in it', async () => {
  const runner = judge();
  const designs = await judgeDesigns(await gallery(), { createRunner: () => runner, ...always });
  expect(designs).toHaveLength(9);
  expect(designs).toContainEqual(oneTooMany);
  expect(runner.isClosed).toBe(true);
});

it('remembers what the spec said', async () => {
  const designs = await judgeDesigns(await gallery(), { createRunner: judge, ...always });
  expect(await recallDesigns(await gallery())).toEqual(designs);
});

it('asks again when the spec has changed', async () => {
  await judgeDesigns(await gallery(), { createRunner: judge, ...always });
  await writeFile(given.kata.files.spec, 'a stricter spec');
  expect(await recallDesigns(await gallery())).toBeUndefined();
});

it('asks again when what it remembered is damaged', async () => {
  await judgeDesigns(await gallery(), { createRunner: judge, ...always });
  const cache = join(given.home, 'cache');
  for (const name of await readdir(cache)) await writeFile(join(cache, name), '[["Lets o');
  expect(await recallDesigns(await gallery())).toBeUndefined();
});

it('stops when the kata is left', async () => {
  const leaving = new AbortController();
  const runner = judge();
  const designs = await judgeDesigns(await gallery(), {
    createRunner: () => runner,
    idle: async () => leaving.abort(),
    signal: leaving.signal,
  });
  expect(designs).toBeUndefined();
  expect(runner.isClosed).toBe(true);
  expect(await recallDesigns(await gallery())).toBeUndefined();
});

it('never names a misconception that does not fit the solution any more', async () => {
  await writeFile(given.kata.files.solution, 'export const quota = 2;\n');
  const designs = await judgeDesigns(await gallery(), { createRunner: judge, ...always });
  expect(designs).toContainEqual({ ...oneTooMany, fails: [] });
});

it('has none for a kata without a walkthrough', async () => {
  await rm(given.kata.files.walkthrough);
  expect((await gallery()).misconceptions).toEqual([]);
});

const always = { idle: async () => {}, signal: new AbortController().signal };

function gallery(): Promise<Gallery> {
  return loadGallery(given.kata, given.home);
}

/** Knows one misconception when it sees it, and no other. */
function judge(): SpecRunner & { isClosed: boolean } {
  return {
    isClosed: false,
    run: async ({ code = '' }) =>
      code.includes('left < 0') ? failing('refuses the one too many') : solved,
    async close() {
      this.isClosed = true;
    },
  };
}
