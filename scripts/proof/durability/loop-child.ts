/**
 * The guided loop on the kit whose root is the first argument, with verdicts and keys that come from the second, a
 * seed: an answer is saved, gets further level by level, is solved, and is reset; in some rounds an editor saves while
 * the reset is under way. Says what its screen showed, what was saved, and over what.
 */
import { writeSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openJournal } from '../../../quiz/journal.ts';
import { seeded } from '../../../quiz/random.ts';
import { findBySlug, loadCatalog } from '../../content/catalog.ts';
import { fakeRunner } from '../../fixtures/fake-runner.ts';
import { fakeTerminal } from '../../fixtures/fake-terminal.ts';
import { failing, solved } from '../../fixtures/quota.ts';
import { createRooms } from '../../loop/rooms.ts';
import { watchKatas } from '../../loop/watch.ts';

const [root = '', seed = ''] = process.argv.slice(2);
const random = seeded(seed);
const home = join(root, '.study');
const catalog = await loadCatalog(root);
const kata = findBySlug('kata', 'quota', catalog.katas);
const journal = openJournal(home, { now: new Date() });
const fake = fakeTerminal();
const { terminal, screen } = fake;
const runner = fakeRunner();
const { signal } = new AbortController();
const now = () => new Date();
const rooms = createRooms({ catalog, home, journal, terminal, now, signal });
const verdicts = [
  failing('takes what is left at the end of the wait, not at its start'),
  solved,
] as const;

const loop = watchKatas(kata, {
  root,
  home,
  journal,
  runner: runner.runner,
  // For the wrong designs, which nobody waits for.
  createRunner: () => ({ run: async () => solved, close: async () => {} }),
  terminal,
  now,
  manual: true,
  signal,
  rooms: { ...rooms, brief: async () => {} },
});
await until(() => runner.isRunning());
for (let round = 0; round < 8; round += 1) {
  await save(`answer ${seed} ${round}`);
  for (const verdict of verdicts) {
    if (!runner.isRunning()) await fake.press('r');
    await until(() => runner.isRunning());
    runner.say(verdict);
    const levels = verdict === solved ? 3 : 2;
    await until(() => screen().some((line) => line.includes(`${levels} of 3 levels`)));
    say(`progress ${levels}`);
  }
  const editor = random() < 0.3 ? laterSave(`answer ${seed} ${round}, saved again`) : undefined;
  await fake.press('x', 'y');
  await until(() => screen().some((line) => line.includes('is the stub again')));
  say('progress 0');
  await editor;
}
await fake.press('q');
await loop;

async function save(text: string): Promise<void> {
  const before = await readFile(kata.files.stub, 'utf8').catch(() => '');
  if (before.startsWith('answer')) say(`over ${before}`);
  if (random() < 0.5) {
    await writeFile(kata.files.stub, text);
  } else {
    await writeFile(`${kata.files.stub}~`, text);
    await rename(`${kata.files.stub}~`, kata.files.stub);
  }
  say(`saved ${text}`);
}

async function laterSave(text: string): Promise<void> {
  await setTimeout(random() * 30);
  await save(text);
}

function say(text: string): void {
  writeSync(1, `${text}\n`);
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await setTimeout(1);
}
