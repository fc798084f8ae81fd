import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newSheet } from '../quiz/interview-sheet.ts';
import { copyKit } from './fixtures/copy-kit.ts';
import { interviewsToHold } from './rehearsals.ts';

let root = '';
let home = '';
let remove = async () => {};

beforeEach(async () => {
  ({ root, remove } = await copyKit());
  home = join(root, '.study');
  const folder = join(root, 'quiz/interviews');
  await copyFile(join(folder, 'free-tier.md'), join(folder, 'another.md'));
});
afterEach(() => remove());

const now = new Date('2026-11-28T12:00:00');
const slugs = async () => (await interviewsToHold({ root, home })).map(({ slug }) => slug);
const begin = (slug: string) => newSheet(home, { slug, title: slug }, now);

describe('the interviews to hold', () => {
  it('are all of them at first, by name', async () => {
    expect(await slugs()).toEqual(['another', 'free-tier']);
  });

  it('begin with one that was left before its end', async () => {
    begin('free-tier');
    expect(await slugs()).toEqual(['free-tier', 'another']);
  });

  it('are without those that were held', async () => {
    begin('another').add({ type: 'ended' }, now);
    expect(await slugs()).toEqual(['free-tier']);
  });
});
