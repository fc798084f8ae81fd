import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Disk, explainDiskError, realDisk } from './disk.ts';
import type { Deck } from './deck.ts';
import { aDuel, deckOf, everyKind, plainDeck, shelfOf } from './fixtures/decks.ts';
import { openJournal, readJournal } from './journal.ts';
import { lineAsker } from './line-asker.ts';
import { KitError } from './problem.ts';
import { type Quiz, runQuiz } from './run.ts';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'half-open-'));
});

afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

const today = new Date('2026-11-22T12:00:00');

/** One sitting with these lines typed; what it printed, and what the journal then holds. */
async function sit(
  typed: string,
  {
    decks = [deckOf(everyKind)],
    ...options
  }: Partial<Quiz> & { disk?: Disk; decks?: readonly Deck[] } = {},
) {
  const printed: string[] = [];
  const print = (text: string) => printed.push(text);
  const outcome = await runQuiz({
    shelf: shelfOf(...decks),
    katas: ['circuit-breaker'],
    journal: openJournal(home, { ...(options.disk && { disk: options.disk }) }),
    prompts: lineAsker(Readable.from([typed]), print),
    print,
    render: async (markdown) => markdown,
    now: () => today,
    command: 'npm run quiz',
    ...options,
  }).catch((error: unknown) => error);
  const reviews = readJournal(home).entries.flatMap((entry) =>
    entry.type === 'review' ? `${entry.item.replace(/^.*\//, '')} ${entry.grade}` : [],
  );
  return { text: printed.join('\n'), reviews, outcome };
}

/** Line to type for the option that reads so, on the day of these tests. */
function optionIn(text: string, option: string): string {
  return new RegExp(`(\\d)\\. ${option}$`, 'm').exec(text)?.[1] ?? 'not there';
}

describe('a sitting', () => {
  it('asks a card of every kind, and says what is right of it', async () => {
    const { text, reviews } = await sit('?\n'.repeat(7));
    expect(reviews).toEqual([
      'what-open-means again',
      'failures again',
      'where-is-the-bug again',
      'states-in-order again',
      'amplification again',
      'why-half-open again',
    ]);
    expect(text).toContain('This sitting: 6 new cards. Every answer is kept at once;');
    expect(text).toContain('### 1 of 6 · Circuit breaker · new');
    expect(text).toContain('**No harm done.**\n\n**The answer:** It refuses calls');
    expect(text).toContain('```ts\nif (failures > limit) {');
    expect(text).toContain('1. closed\n2. open\n3. half-open');
    expect(text).toContain('**A good answer has:**\n\n- It finds out');
    expect(text).toContain('### Once more · Circuit breaker\n');
    expect(text).toContain('**6 cards answered: 0 held, 6 did not.**');
    expect(text).toContain('- `circuit-breaker/failures` comes back tomorrow');
  });

  it('says why the option is wrong, then what is right, then where to read', async () => {
    const shown = (await sit('')).text;
    const { text } = await sit(`${optionIn(shown, 'It lets calls through')}\n`);
    const order = [
      '**Not this time.**',
      'That is a closed one.',
      '**The answer:** It refuses calls',
      'It protects both sides.',
      'Fast failure is the point.',
      'Read: Circuit breaker › What open means (`npm run learn -- circuit-breaker#what-open-means`)',
      'Source, as of 2026-11: <https://example.org/breakers>',
    ].map((part) => text.indexOf(part));
    expect(order).not.toContain(-1);
    expect(order).toEqual(order.toSorted((one, other) => one - other));
  });

  it('says no more than “Right” and what explains it', async () => {
    const shown = (await sit('')).text;
    const { text, reviews } = await sit(`${optionIn(shown, 'It refuses calls')}\n`);
    expect(reviews).toEqual(['what-open-means good']);
    expect(text).toContain('**Right.**\n\nFast failure is the point.\n\n### 2 of 6');
    expect(text).not.toContain('Read:');
  });

  it('asks who is right in a duel which fact would change that, and wants both', async () => {
    const decks = [deckOf(aDuel)];
    const shown = (await sit('', { decks })).text;
    const refuse = optionIn(shown, 'Refuse');
    const wrongOne = await sit(`${optionIn(shown, 'Queue')}\n`, { decks });
    expect(wrongOne.reviews).toEqual(['wait-or-refuse again']);
    expect(wrongOne.text).toContain('The line only grows.');
    expect(wrongOne.text).not.toContain('Which fact would change your mind?');
    const half = await sit(`u\n${refuse}\n?\n`, {
      decks,
      now: () => new Date('2026-11-23T12:00:00'),
    });
    expect(half.text).toContain('**Right.** Which fact would change your mind?');
    expect(half.text).toContain('**The answer:** The bursts last less');
    expect(half.reviews.at(-1)).toBe('wait-or-refuse again');
  });

  it('takes the learner’s own grade of a recall, after the points', async () => {
    const { text, reviews } = await sit('\n2\nit depends\n4\n', { decks: [plainDeck(2)] });
    expect(reviews).toEqual(['card-1 hard', 'card-2 easy']);
    expect(text.indexOf('A good answer has')).toBeLessThan(text.indexOf('How did it come?'));
  });

  it('does not grade what was left before its end', async () => {
    const { reviews, text } = await sit('I think\n', { decks: [plainDeck(2)] });
    expect(reviews).toEqual([]);
    expect(text).toContain('Waiting: 2 new (`npm run quiz`).');
  });

  it('keeps each answer before it says a word about it', async () => {
    let kept: string | undefined;
    const { outcome } = await sit('?\n', {
      print: (text) => {
        if (text.includes('No harm done'))
          kept ??= readFileSync(join(home, 'journal.jsonl'), 'utf8');
      },
    });
    expect(outcome).toMatchObject({ answered: 1 });
    expect(kept).toContain('"item":"card:circuit-breaker/what-open-means","grade":"again"');
  });

  it('does not ask again today what was answered, and asks it tomorrow', async () => {
    const decks = [plainDeck(2)];
    await sit('?\n\n3\nq\n', { decks });
    const again = await sit('', { decks });
    expect(again.text).toBe('\nNothing is due, and nothing is new.\n\nNext due: 1 card tomorrow.');
    const tomorrow = await sit('', { decks, now: () => new Date('2026-11-23T00:30:00') });
    expect(tomorrow.text).toContain('This sitting: 1 due card (Circuit breaker 1).');
    expect(tomorrow.text).toContain('### 1 of 1 · Circuit breaker · due');
  });

  it('counts a card once, however often it came back', async () => {
    const { reviews, text } = await sit('?\n\n4\n', { decks: [plainDeck(1)] });
    expect(reviews).toEqual(['card-1 again']);
    expect(text).toContain('**1 card answered: 0 held, 1 did not.**');
  });

  it('begins with the topics whose lesson was read', async () => {
    const journal = openJournal(home);
    journal.append({ type: 'read', lesson: 'retry' }, today);
    const decks = [plainDeck(1), plainDeck(1, 'retry', 'Retry')];
    const { text } = await sit('', { decks, journal });
    expect(text).toContain('### 1 of 2 · Retry · new');
  });

  it('names katas that are due', async () => {
    const journal = openJournal(home);
    const lastWeek = new Date('2026-11-15T12:00:00');
    journal.append({ type: 'review', item: 'kata:circuit-breaker', grade: 'again' }, lastWeek);
    const { text } = await sit('', { journal });
    expect(text).toContain('Kata due, to be solved again: `npm run kata -- circuit-breaker`.');
  });
});

describe('taking back and suspending', () => {
  const decks = [plainDeck(3)];
  const typedAnswer = (grade: number) => `\n${grade}\n`;

  it('takes the last grade back, and asks once more', async () => {
    const { reviews, text } = await sit(`${typedAnswer(1)}u\n${typedAnswer(4)}`, { decks });
    expect(text).toContain('Taken back. Once more:');
    expect(reviews).toEqual(['card-1 easy']);
    expect(text.match(/### 1 of 3/g)).toHaveLength(2);
  });

  it('takes back one after the other, and no more than there is', async () => {
    const { reviews, text } = await sit(`${typedAnswer(3)}${typedAnswer(3)}u\nu\nu\n`, { decks });
    expect(reviews).toEqual([]);
    expect(text).toContain('There is nothing to take back in this sitting.');
  });

  it('keeps what was taken back in the file, for what was kept is never erased', async () => {
    await sit(`${typedAnswer(1)}u\n`, { decks });
    const file = readFileSync(join(home, 'journal.jsonl'), 'utf8');
    expect(file).toContain('"type":"review"');
    expect(file).toContain('"type":"undo"');
  });

  it('does not bring back a card whose miss was taken back', async () => {
    const all = `${typedAnswer(1)}u\n${typedAnswer(3)}${typedAnswer(3)}${typedAnswer(3)}`;
    const { text } = await sit(all, { decks });
    expect(text).not.toContain('### Once more');
    expect(text).toContain('**3 cards answered: 3 held, 0 did not.**');
  });

  it('never asks a suspended card again, until it is resumed', async () => {
    const { text } = await sit('s\n', { decks });
    expect(text).toContain('npm run quiz -- --resume circuit-breaker/card-1');
    expect(text).toContain('### 1 of 2');
    expect(text).toContain('Waiting: 2 new');
    expect((await sit('', { decks })).text).toContain('This sitting: 2 new cards.');
    openJournal(home).append({ type: 'resume', item: 'card:circuit-breaker/card-1' }, today);
    expect((await sit('', { decks })).text).toContain('This sitting: 3 new cards.');
  });

  it('does not come back to a suspended card by taking back what was before it', async () => {
    const { text } = await sit(`${typedAnswer(3)}s\nu\n${typedAnswer(3)}${typedAnswer(3)}`, {
      decks,
    });
    expect(text).toContain('Taken back. Once more:');
    expect(text.match(/Prompt 2/g)).toHaveLength(1);
    expect(text).toContain('**2 cards answered: 2 held, 0 did not.**');
  });

  it('suspends what is due as well', async () => {
    const yesterday = new Date('2026-11-20T12:00:00');
    const journal = openJournal(home);
    journal.append(
      { type: 'review', item: 'card:circuit-breaker/card-1', grade: 'again' },
      yesterday,
    );
    await sit('s\n', { decks });
    expect((await sit('', { decks })).text).toContain('This sitting: 2 new cards.');
  });
});

describe('an answer that cannot be kept', () => {
  it('ends the sitting with the summary of what was kept, and says which was not', async () => {
    let room = 1;
    const append: Disk['append'] = (file, line) => {
      if (room === 0) throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
      room -= 1;
      realDisk.append(file, line);
    };
    const { text, reviews, outcome } = await sit('?\n?\n?\n', { disk: { ...realDisk, append } });
    expect(reviews).toEqual(['what-open-means again']);
    expect(text).toContain('**1 card answered: 0 held, 1 did not.**');
    expect(outcome).toBeInstanceOf(KitError);
    expect(outcome).toMatchObject({
      message: `Your answer to circuit-breaker/failures was not kept. Cannot write ${join(home, 'journal.jsonl')}: the disk is full. Make some room, then try again.`,
    });
  });

  it('is told from a bug', () => {
    const bug = new RangeError('a bug');
    expect(explainDiskError(bug, 'journal.jsonl')).toBe(bug);
  });
});
