import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportCards } from './export.ts';
import { copyKit } from './fixtures/copy-kit.ts';

let root = '';
let remove = async () => {};
beforeEach(async () => {
  ({ root, remove } = await copyKit());
});
afterEach(() => remove());

async function run(flags: Readonly<Record<string, string>>) {
  const printed: string[] = [];
  await exportCards({ root, home: join(root, '.study'), words: [], flags }, (text) =>
    printed.push(text),
  );
  return printed.join('\n');
}

describe('npm run export', () => {
  it('writes all cards for Anki', async () => {
    const file = join(root, 'cards.txt');
    expect(await run({ anki: file })).toMatch(/^\d+ cards are in .*cards\.txt\.$/);
    expect(await readFile(file, 'utf8')).toContain('"quota/what-refuses"\t');
  });

  it('wants a file that can be written', async () => {
    await expect(run({})).rejects.toThrow('npm run export -- --anki cards.txt');
    await expect(run({ anki: join(root, 'nowhere', 'cards.txt') })).rejects.toThrow('Cannot write');
  });
});
