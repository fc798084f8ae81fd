import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readJournal } from '../quiz/journal.ts';
import { KitError } from '../quiz/problem.ts';
import { quiz } from './quiz.ts';

let root: string;
let home: string;

beforeEach(async () => {
  vi.stubEnv('NO_COLOR', '1');
  root = await mkdtemp(join(tmpdir(), 'half-open-'));
  home = join(root, '.study');
  mkdirSync(join(root, 'quiz/decks'), { recursive: true });
  mkdirSync(join(root, 'lessons'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true, force: true });
});

const firstDay = new Date('2026-11-22T12:00:00');
const nextDay = new Date('2026-11-23T08:00:00');

function writeDeck(slug: string, title: string, cards: string): void {
  writeFileSync(join(root, `quiz/decks/${slug}.yaml`), `title: ${title}\ncards:\n${cards}`);
}

const layers = `
  - id: amplification
    kind: number
    prompt: |
      Each of 3 layers tries 3 times. How many requests reach the **last** one when it is down
      for everybody, and nobody has a budget for tries?
    answer: 3 ^ 3
    unit: requests
    formula: 3 ^ 3 = 27
  - id: why-jitter
    kind: recall
    prompt: Why jitter?
    points: [Clients that failed together would come back together]
`;

/** The command with these lines typed, without a terminal. */
async function run(typed: string, { words = [] as string[], now = firstDay, flags = {} } = {}) {
  const printed: string[] = [];
  const exitCode = await quiz(
    { root, home, words, flags },
    {
      input: Readable.from([typed]),
      print: (text) => printed.push(text),
      hasTerminal: false,
      now: () => now,
    },
  );
  return { exitCode, text: printed.join('\n') };
}

const reviews = () =>
  readJournal(home).entries.map((entry) =>
    entry.type === 'review' ? `${entry.item} ${entry.grade}` : entry.type,
  );

describe('npm run quiz', () => {
  it('asks, keeps and comes back over days, its answers piped in', async () => {
    writeDeck('retry', 'Retry', layers);
    const first = await run('26\n\n3\n27\n');
    expect(first.exitCode).toBe(0);
    expect(first.text).toContain('This sitting: 2 new cards.');
    expect(first.text).toContain('You said 26.');
    expect(first.text).toContain('3 ^ 3 = 27');
    expect(first.text).toContain('2 cards answered: 1 held, 1 did not.');
    expect(first.text.split('\n').every((line) => line.length <= 80)).toBe(true);
    expect(reviews()).toEqual(['card:retry/amplification again', 'card:retry/why-jitter good']);

    const second = await run('27\n', { now: nextDay });
    expect(second.text).toContain('1 due card (Retry 1)');
    expect(second.text).toContain('Right.');
    expect(reviews().at(-1)).toBe('card:retry/amplification good');

    const third = await run('', { now: nextDay });
    expect(third.exitCode).toBe(0);
    expect(third.text).toMatch(
      /^\s*Nothing is due, and nothing is new\.\n\nNext due: \d cards? in/,
    );
  });

  it('brings suspended cards back, one or all', async () => {
    writeDeck('retry', 'Retry', layers);
    await run('s\ns\n');
    expect((await run('')).text).toContain('nothing is new');
    await expect(run('', { flags: { resume: 'retry/else' } })).rejects.toThrow(
      'Suspended: retry/amplification, retry/why-jitter.',
    );
    await run('', { flags: { resume: 'retry/why-jitter' } });
    expect((await run('')).text).toContain('This sitting: 1 new card.');
    await run('', { flags: { resume: 'all' } });
    expect((await run('')).text).toContain('This sitting: 2 new cards.');
    await expect(run('', { flags: { resume: 'all' } })).rejects.toThrow('None is suspended.');
  });

  it('says what there is to ask when nobody answers', async () => {
    writeDeck('retry', 'Retry', layers);
    const { exitCode, text } = await run('');
    expect(exitCode).toBe(0);
    expect(text).toContain('This sitting: 2 new cards.');
    expect(text).toContain('Waiting: 2 new (`npm run quiz`).');
    expect(reviews()).toEqual([]);
  });

  it('asks one topic, whose name may be short', async () => {
    writeDeck('retry', 'Retry', layers);
    writeDeck('timeout', 'Time-outs', layers);
    const { text } = await run('q\n', { words: ['time'] });
    expect(text).toContain('Time-outs');
    expect(text).not.toContain('Retry');
    expect(text).toContain('Waiting: 2 new (`npm run quiz -- timeout`).');
  });

  it('does not know every topic, and takes one at a time', async () => {
    writeDeck('retry', 'Retry', layers);
    await expect(run('', { words: ['retyr'] })).rejects.toThrow('The nearest is retry.');
    await expect(run('', { words: ['retry', 'timeout'] })).rejects.toThrow(
      new KitError('Name one topic, or none for all.', { exitCode: 2 }),
    );
  });

  it('asks what it can of decks with problems, and says how much is left out', async () => {
    writeDeck('retry', 'Retry', `${layers}  - id: bad\n    kind: riddle\n`);
    writeDeck('broken', 'Broken', '  - [');
    const { text } = await run('q\n');
    expect(text).toContain('Left out: 1 card and 1 deck. npm run verify says why.');
    expect(text).toContain('This sitting: 2 new cards.');
  });

  it('says which line of the journal is damaged, and goes on', async () => {
    writeDeck('retry', 'Retry', layers);
    mkdirSync(home);
    writeFileSync(join(home, 'journal.jsonl'), 'rubbish\nmore rubbish\n');
    const { text } = await run('q\n');
    expect(text).toContain(`${join(home, 'journal.jsonl')}:1 This line is damaged (not JSON).`);
    expect(text).toContain('(and 1 more like it)');
    expect(text).toContain('This sitting: 2 new cards.');
  });

  it('refuses before the first question when answers could not be kept', async () => {
    writeDeck('retry', 'Retry', layers);
    writeFileSync(home, 'a file in the place of the folder');
    await expect(run('27\n')).rejects.toThrow(/^Cannot write .*journal\.jsonl: a file stands/);
  });

  it('has nothing to say about a kit without decks', async () => {
    expect((await run('')).text.trim()).toBe('Nothing is due, and nothing is new.');
  });
});
