import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Journal, openJournal, readJournal } from '../../quiz/journal.ts';
import { fakeRunner } from '../fixtures/fake-runner.ts';
import { fakeTerminal } from '../fixtures/fake-terminal.ts';
import { failing, openQuota, solved, unsolved } from '../fixtures/quota.ts';
import { type LoopTools, type Rooms, watchKatas } from './watch.ts';

let quota: Awaited<ReturnType<typeof openQuota>>;

beforeEach(async () => {
  quota = await openQuota();
});

afterEach(() => quota.remove());

it('opens with the brief, and then shows what the spec says', async () => {
  const loop = open();
  await expect.poll(loop.screen, patient).toContain('Running the spec on your file…');
  expect(loop.visited).toEqual(['brief quota']);
  loop.say(unsolved);
  await expect.poll(loop.screen, patient).toContain('✗ lets as many through as the limit says');
  await loop.quit();
});

it('does not show the brief of a kata that was begun', async () => {
  const loop = open({ journal: begun() });
  await expect.poll(loop.screen, patient).toContain('Running');
  expect(loop.visited).toEqual([]);
  await loop.quit();
});

it('runs the spec again when the file is saved', async () => {
  const loop = open({ manual: false });
  await loop.isRunning();
  loop.say(unsolved);
  await expect.poll(loop.screen, patient).toContain('0 of 3 levels');
  await writeFile(quota.kata.files.stub, 'export const saved = true;\n');
  await loop.isRunning();
  loop.say(failing('never holds more than the limit'));
  await expect.poll(loop.screen, patient).toContain('1 of 3 levels');
  await loop.quit();
});

it('runs the spec once more after a save during a run', async () => {
  const loop = open();
  await loop.isRunning();
  await loop.press('r', 'r');
  expect(loop.runs()).toBe(1);
  loop.say(unsolved);
  await loop.isRunning();
  expect(loop.runs()).toBe(2);
  expect(loop.screen()).not.toContain('lets as many through');
  await loop.quit();
});

it('takes down progress, and a solved kata once', async () => {
  const loop = open();
  await loop.verdict(failing('never holds more than the limit'));
  await loop.verdict(solved, 'r');
  await loop.verdict(solved, 'r');
  expect(readJournal(quota.home).entries).toMatchObject([
    { type: 'progress', kata: 'quota', passed: 1, of: 3 },
    { type: 'progress', kata: 'quota', passed: 3, of: 3 },
    { type: 'review', item: 'kata:quota', grade: 'good' },
  ]);
  await expect.poll(loop.screen, patient).toContain('Your code survived 9 wrong designs');
  await loop.quit();
});

it('grades a kata solved with a hint as hard', async () => {
  const loop = open();
  await loop.verdict(unsolved);
  await loop.press('h');
  await expect.poll(loop.screen, patient).toContain('Hint 1 of');
  await loop.verdict(solved, 'r');
  expect(readJournal(quota.home).entries.at(-1)).toMatchObject({ type: 'review', grade: 'hard' });
  await loop.quit();
});

it('shows the solution of an unsolved kata only after a yes, and remembers that', async () => {
  const loop = open({ journal: begun() });
  await loop.verdict(unsolved);
  await loop.press('s', 'n');
  expect(loop.visited).toEqual([]);
  await loop.press('s', 'y');
  await vi.waitFor(() => expect(loop.visited).toEqual(['solution quota']));
  await loop.verdict(solved, 'r');
  expect(readJournal(quota.home).entries.slice(1)).toMatchObject([
    { type: 'peek', kata: 'quota' },
    { type: 'progress', kata: 'quota', passed: 3, of: 3 },
    { type: 'review', item: 'kata:quota', grade: 'again' },
  ]);
  await loop.quit();
});

it('starts from blank after a yes, and says where the answer is', async () => {
  const loop = open();
  await loop.verdict(solved);
  await loop.press('x', 'y');
  await expect.poll(loop.screen, patient).toContain('Archived quota.');
  expect(readJournal(quota.home).entries.at(-1)).toMatchObject({
    type: 'progress',
    kata: 'quota',
    passed: 0,
    of: 3,
  });
  await loop.verdict(unsolved);
  await expect.poll(loop.screen, patient).toContain('0 of 3 levels');
  await loop.quit();
});

it('goes to the lesson and says what comes of it', async () => {
  const loop = open({ journal: begun() });
  await loop.verdict(unsolved);
  await loop.press('l');
  await expect.poll(loop.screen, patient).toContain('Not counted as read.');
  expect(loop.visited).toEqual(['lesson quota']);
  await loop.quit();
});

it('turns to the kata that was picked, whatever is still running', async () => {
  const other = { ...quota.kata, slug: 'other', title: 'Another kata' };
  const loop = open({ pick: async () => other });
  await loop.isRunning();
  await loop.press('p');
  await expect.poll(loop.screen, patient).toContain('Another kata');
  loop.say(solved);
  await loop.isRunning();
  expect(readJournal(quota.home).entries).toEqual([]);
  loop.say(unsolved);
  await expect.poll(loop.screen, patient).toContain('0 of 3 levels');
  expect(readJournal(quota.home).entries).toMatchObject([
    { type: 'progress', kata: 'other', passed: 0 },
  ]);
  await loop.quit();
});

it('says so when n leads nowhere because all is solved', async () => {
  const loop = open();
  await loop.verdict(solved);
  await loop.press('n');
  await expect.poll(loop.screen, patient).toContain('Every kata is solved.');
  await loop.quit();
});

it('offers a start from blank when a solved kata is due', async () => {
  const journal = openJournal(quota.home);
  journal.append({ type: 'progress', kata: 'quota', passed: 3, of: 3 }, new Date(2026, 0, 1));
  journal.append({ type: 'review', item: 'kata:quota', grade: 'good' }, new Date(2026, 0, 1));
  const loop = open({ journal });
  await expect.poll(loop.screen, patient).toContain('Solved, and due again today.');
  await loop.press('y');
  await expect.poll(loop.screen, patient).toContain('Archived quota.');
  await loop.quit();
});

it('names a misconception once it is known what each of them fails', async () => {
  const loop = open({ judge: async () => failing('never holds more than the limit') });
  await loop.verdict(failing('never holds more than the limit'));
  await expect
    .poll(loop.screen, patient)
    .toContain('This looks like: Looks at nothing before it takes, or: ');
  await loop.quit();
});

it('draws anew when the terminal has another size', async () => {
  const loop = open();
  await loop.verdict(unsolved);
  await loop.resize({ columns: 40, rows: 12 });
  expect(loop.screen().split('\n')).toHaveLength(12);
  await loop.quit();
});

it('leaves the terminal as it was, and nothing running', async () => {
  const loop = open({ manual: false });
  await loop.verdict(unsolved);
  await loop.quit();
  expect(loop.input.isRaw).toBe(false);
  expect(loop.input.listenerCount('keypress')).toBe(0);
});

it('ends when a signal says so, also in the middle of a lesson', async () => {
  const leaving = new AbortController();
  const loop = open({ signal: leaving.signal, lesson: () => new Promise(() => {}) });
  await loop.verdict(unsolved);
  await loop.press('l');
  leaving.abort();
  await loop.ended;
  expect(loop.input.isRaw).toBe(false);
});

it('gives the terminal back before it fails', async () => {
  const loop = open();
  await loop.isRunning();
  vi.spyOn(loop.journal, 'append').mockImplementation(() => {
    throw new Error('the disk is full');
  });
  loop.say(unsolved);
  await expect(loop.ended).rejects.toThrow('the disk is full');
  expect(loop.input.isRaw).toBe(false);
});

/** A journal in which the kata was begun. */
function begun(): Journal {
  const journal = openJournal(quota.home);
  journal.append({ type: 'progress', kata: 'quota', passed: 0, of: 3 }, new Date(2026, 10, 20));
  return journal;
}

interface Given extends Partial<Rooms> {
  journal?: Journal;
  manual?: boolean;
  signal?: AbortSignal;
  judge?: LoopTools['runner']['run'];
}

function open({
  journal = openJournal(quota.home),
  manual = true,
  signal = new AbortController().signal,
  judge = async () => solved,
  ...rooms
}: Given = {}) {
  const fake = fakeRunner();
  const terminal = fakeTerminal();
  const visited: string[] = [];
  const visit = (name: string) => async (kata: { slug: string }) => {
    visited.push(`${name} ${kata.slug}`);
  };
  const ended = watchKatas(quota.kata, {
    root: quota.root,
    home: quota.home,
    journal,
    runner: fake.runner,
    createRunner: () => ({ run: judge, close: async () => {} }),
    terminal: terminal.terminal,
    now: () => new Date(2026, 10, 22),
    manual,
    signal,
    rooms: {
      brief: visit('brief'),
      see: visit('see'),
      solution: visit('solution'),
      text: async () => {},
      async lesson(kata) {
        visited.push(`lesson ${kata.slug}`);
        return ['Not counted as read.'];
      },
      pick: async () => undefined,
      next: () => undefined,
      reset: async ({ slug }) => `Archived ${slug}.`,
      layOut: async (markdown) => markdown,
      ...rooms,
    },
  });
  // Whoever awaits it sees the failure; until then it is nobody's.
  ended.catch(() => {});
  const screen = () => terminal.screen().join('\n');
  const isRunning = () => vi.waitFor(() => expect(fake.isRunning()).toBe(true), patient);
  return {
    ...terminal,
    ended,
    visited,
    journal,
    screen,
    isRunning,
    say: fake.say,
    runs: () => fake.candidates.length,
    /** Presses a key that starts a run, when one is given, and ends the run. */
    async verdict(verdict: Parameters<typeof fake.say>[0], key?: string) {
      if (key !== undefined) await terminal.press(key);
      await isRunning();
      fake.say(verdict);
      await vi.waitFor(() => expect(screen()).toContain('ran in'), patient);
    },
    async quit() {
      await terminal.press('q');
      await ended;
    },
  };
}

const patient = { timeout: 5_000, interval: 5 };
