import { mkdir, mkdtemp, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FileWatch, watchFile } from './file-watch.ts';

let folder: string;
let file: string;
let watch: FileWatch;
/** The text at each change. */
let seen: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'half-open-'));
  file = join(folder, 'quota/quota.ts');
  await mkdir(join(folder, 'quota'));
  await writeFile(file, 'stub');
  seen = [];
  watch = watchFile(
    file,
    () =>
      void readFile(file, 'utf8').then(
        (text) => seen.push(text),
        () => seen.push('none'),
      ),
    (error) => seen.push(String(error)),
  );
});

afterEach(async () => {
  await watch.close();
  await rm(folder, { recursive: true });
});

it('notices a file that is written over', async () => {
  await writeFile(file, 'answer');
  await expect.poll(lastSeen, patient).toBe('answer');
});

it('notices a file that is renamed into place, again and again', async () => {
  for (const text of ['first', 'second', 'third']) {
    await writeFile(`${file}.tmp`, text);
    await rename(`${file}.tmp`, file);
    await expect.poll(lastSeen, patient).toBe(text);
  }
});

it('notices that a file is deleted, and that it comes back', async () => {
  await rm(file);
  await expect.poll(lastSeen, patient).toBe('none');
  await writeFile(file, 'answer');
  await expect.poll(lastSeen, patient).toBe('answer');
});

it('notices a file whose folder was deleted and came back', async () => {
  await rm(join(folder, 'quota'), { recursive: true });
  await expect.poll(lastSeen, patient).toBe('none');
  await mkdir(join(folder, 'quota'));
  await writeFile(file, 'answer');
  await expect.poll(lastSeen, patient).toBe('answer');
});

it('is not disturbed by what leaves the text as it is', async () => {
  await writeFile(file, 'answer');
  await expect.poll(lastSeen, patient).toBe('answer');
  await utimes(file, new Date(), new Date());
  await writeFile(file, 'answer');
  await writeFile(join(folder, 'quota/quota.test.ts'), 'another file');
  await writeFile(file, 'last');
  await expect.poll(lastSeen, patient).toBe('last');
  expect(seen).toEqual(['answer', 'last']);
});

function lastSeen(): string | undefined {
  return seen.at(-1);
}

const patient = { timeout: 5_000, interval: 5 };
