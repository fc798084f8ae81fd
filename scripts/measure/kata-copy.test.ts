import { access, readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { copyKit } from '../fixtures/copy-kit.ts';
import { copyKata, type KataCopy } from './kata-copy.ts';
import { kataFiles } from '../content/kit-layout.ts';

let kit: Awaited<ReturnType<typeof copyKit>>;
let copy: KataCopy;

beforeEach(async () => {
  kit = await copyKit();
  copy = await copyKata(kit.root, 'quota');
});

afterEach(async () => {
  await copy.remove();
  await kit.remove();
});

it('has the solution in the place of the answer, and leaves the answer of the kit alone', async () => {
  const { stub, solution } = kataFiles(kit.root, 'quota');
  expect(await readFile(copy.answer, 'utf8')).toBe(await readFile(solution, 'utf8'));
  expect(await readFile(stub, 'utf8')).not.toBe(await readFile(copy.answer, 'utf8'));
});

it('is gone when it is removed; what it links to is not', async () => {
  await copy.remove();
  await expect(access(copy.root)).rejects.toThrow('ENOENT');
  await access(`${kit.root}/node_modules/vitest/package.json`);
});
