import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openJournal, readJournal } from '../quiz/journal.ts';
import { fakeTerminal, settled } from './fixtures/fake-terminal.ts';
import { learn, learnCommand } from './learn.ts';

const now = new Date(2026, 10, 20, 12);
let root: string;
let home: string;

async function write(file: string, text: string): Promise<void> {
  await mkdir(join(root, file, '..'), { recursive: true });
  await writeFile(join(root, file), text);
}

function lesson(title: string, body: string): string {
  return `---\ntitle: ${title}\nsummary: In short.\nminutes: 9\nupdated: 2026-11-01\n---\n\n${body}\n`;
}

beforeEach(async () => {
  vi.stubEnv('NO_COLOR', '1');
  vi.stubEnv('PAGER', '');
  root = await mkdtemp(join(tmpdir(), 'half-open-'));
  home = join(root, '.study');
  const paragraphs = Array.from({ length: 60 }, (_, number) => `Paragraph ${number}.`).join('\n\n');
  await write(
    'lessons/20-retry.md',
    lesson(
      'Retry',
      `# Retry\n\nAgain.\n\n## When\n\nSometimes.\n\n### Never\n\nPOST.\n\n## How\n\nSlowly.`,
    ),
  );
  await write('lessons/26-circuit-breaker.md', lesson('Circuit breaker', paragraphs));
  await write(
    'katas/retry/README.md',
    '---\ntitle: Retry\nlesson: retry\nlevel: L4\nminutes: 30\n---\n\nBuild it.\n',
  );
  await write('quiz/decks/retry.yaml', '[]\n');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true });
});

/** What is printed when nobody sits at a terminal. */
async function printed(...words: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const print = (text: string) => lines.push(text);
  const code = await learn(
    { root, home, words, flags: {} },
    { print, hasTerminal: false, now: () => now },
  );
  expect(code).toBe(0);
  return lines.join('\n');
}

/** The lesson as someone reads it who presses these keys. */
async function read(word: string, ...keys: readonly string[]) {
  const fake = fakeTerminal();
  const lines: string[] = [];
  const done = learn(
    { root, home, words: [word], flags: {} },
    {
      print: (text) => lines.push(text),
      hasTerminal: true,
      now: () => now,
      terminal: fake.terminal,
    },
  );
  await vi.waitFor(() => expect(fake.screen().length).toBeGreaterThan(20));
  const first = fake.screen();
  await fake.press(...keys);
  await done;
  return { first, said: lines.join('\n') };
}

test('the list says what there is, what was read and what to build', async () => {
  openJournal(home).append({ type: 'read', lesson: 'retry' }, now);
  expect(await printed()).toBe(`20  Retry              9 min  read 2026-11-20  kata retry
26  Circuit breaker    9 min  not read

Read one: npm run learn -- retry`);
});

test('a kit without lessons says so', async () => {
  await rm(join(root, 'lessons'), { recursive: true });
  expect(await printed()).toContain('There are no lessons here yet');
});

test.each(['circuit-breaker', 'circ', '26', '26-circuit-breaker'])(
  '%s names a lesson; without a terminal it is printed and does not count as read',
  async (word) => {
    const text = await printed(word);
    expect(text).toMatch(/^Circuit breaker\n═+\n\nParagraph 0\.\n/);
    expect(text).toContain('Paragraph 59.');
    expect(readJournal(home).entries).toEqual([]);
  },
);

test('a title that the lesson has itself is not put above it again', async () => {
  expect(await printed('retry')).toMatch(/^Retry\n═════\n\nAgain\.\n/);
});

test('of a section the part up to the next one is printed, with what comes next', async () => {
  expect(await printed('retry#when')).toBe(`When
────

Sometimes.

### Never

POST.

Now build it: npm run kata -- retry`);
  expect(await printed('retry#nev')).toContain('### Never\n\nPOST.\n\nNow');
});

test('once its kata is solved, a lesson leads on to the quiz', async () => {
  openJournal(home).append({ type: 'progress', kata: 'retry', passed: 2, of: 2 }, now);
  expect(await printed('retry')).toMatch(/Now defend it: npm run quiz -- retry$/);
});

test.each([
  [['retry#nowhere'], 'The lesson "Retry" has no section "nowhere". It has:\n  retry\n  when'],
  [['nosuch'], 'nosuch'],
  [['retry', 'circuit'], 'Name one lesson'],
])('%j is used wrongly', async (words, message) => {
  const error = await printed(...words).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'KitError', exitCode: 2 });
  expect(String(error)).toContain(message);
});

test('a lesson read to its end is remembered', async () => {
  const { first, said } = await read('circuit', ...Array<string>(6).fill(' '), 'q');
  expect(first.at(-1)).toContain('26 Circuit breaker · ');
  expect(said).toBe('');
  expect(readJournal(home).entries).toMatchObject([
    { type: 'read', lesson: 'circuit-breaker', at: now.toISOString() },
  ]);
});

test('a lesson of which less than half was on screen is not', async () => {
  const { said } = await read('circuit', 'q');
  expect(said).toBe(
    '"Circuit breaker" is not counted as read: less than half of it was on screen.',
  );
  expect((await read('circuit', 'G', 'q')).said).not.toContain('remembered');
  expect(readJournal(home).entries).toEqual([]);
});

test('with a section the lesson opens there', async () => {
  await write(
    'lessons/26-circuit-breaker.md',
    lesson('Circuit breaker', `${'Text.\n\n'.repeat(40)}## Late\n${'\nText.\n'.repeat(40)}`),
  );
  const { first, said } = await read('circuit#late', 'q');
  expect(first[0]).toBe('Late');
  expect(said).toBe('');
});

test('a journal that cannot be written costs a sentence, not the lesson', async () => {
  await write('.study', 'a file where a folder should be');
  const { said } = await read('retry', 'q');
  expect(said).toMatch(/^"Retry" could not be remembered as read\. .*\nNow build it/);
});

test('the menu leads to a lesson and comes back', async () => {
  const fake = fakeTerminal();
  const done = learn(
    { root, home, words: [], flags: {} },
    { print: () => undefined, hasTerminal: true, now: () => now, terminal: fake.terminal },
  );
  await vi.waitFor(() => expect(fake.written()).toContain('Which lesson?'));
  await settled();
  await fake.press('\r');
  await vi.waitFor(() => expect(fake.screen().at(-1)).toContain('20 Retry · 100 %'));
  await fake.press('q');
  await vi.waitFor(() => expect(fake.written()).toContain('read 2026-11-20'));
  await settled();
  await fake.press('q');
  expect(await done).toBe(0);
});

test('its help says what counts as read', () => {
  expect(learnCommand.help).toContain('at least half');
});
