import { describe, expect, it } from 'vitest';
import type { Entry, NewEntry } from '../quiz/entry.ts';
import { kataToGoOnWith, type Learner, readiness, type Recall } from './readiness.ts';

describe('readiness', () => {
  it('knows nothing of someone who has just begun', () => {
    expect(readiness(learner({}))).toEqual([
      {
        lesson: { slug: 'retry', number: 20, title: 'Retry' },
        read: false,
        build: [{ slug: 'backoff', title: 'Backoff', passed: 0, of: 0, solved: false, due: false }],
        defend: { cards: 3, holds: 0, due: 0 },
      },
    ]);
  });

  it('says read once the lesson was read', () => {
    expect(topic({ entries: [{ type: 'read', lesson: 'retry' }] }).read).toBe(true);
    expect(topic({ entries: [{ type: 'read', lesson: 'timeout' }] }).read).toBe(false);
  });

  it('counts the levels that pass', () => {
    const entries = [progress('backoff', 2, 5)];
    expect(topic({ entries }).build).toMatchObject([{ passed: 2, of: 5, solved: false }]);
  });

  it('says that a solved kata is due when its day has come', () => {
    const entries = [progress('backoff', 5, 5)];
    expect(topic({ entries, recall: { 'kata:backoff': 'due' } }).build).toMatchObject([
      { solved: true, due: true },
    ]);
    expect(topic({ entries, recall: { 'kata:backoff': 'holds' } }).build).toMatchObject([
      { solved: true, due: false },
    ]);
  });

  it('does not call a kata due that was begun from blank again', () => {
    const entries = [progress('backoff', 5, 5), progress('backoff', 0, 5)];
    expect(topic({ entries, recall: { 'kata:backoff': 'due' } }).build).toMatchObject([
      { solved: false, due: false },
    ]);
  });

  it('counts a card as held only while its memory holds', () => {
    const recall = { 'card:retry/jitter': 'holds', 'card:retry/budget': 'due' } as const;
    expect(topic({ recall }).defend).toEqual({ cards: 3, holds: 1, due: 1 });
  });

  it('does not count a card that the deck no longer has', () => {
    expect(topic({ recall: { 'card:retry/gone': 'due' } }).defend).toMatchObject({ due: 0 });
  });
});

describe('kataToGoOnWith', () => {
  const katas = ['a', 'b', 'c'].map((slug) => ({ slug }));

  it('is the first at the start', () => {
    expect(kataToGoOnWith(katas, [])?.slug).toBe('a');
  });

  it('is the one begun last that is not solved', () => {
    const entries = dated([progress('c', 1, 3), progress('b', 0, 3), progress('a', 3, 3)]);
    expect(kataToGoOnWith(katas, entries)?.slug).toBe('b');
  });

  it('is the first unsolved one when none is under way', () => {
    expect(kataToGoOnWith(katas, dated([progress('a', 3, 3)]))?.slug).toBe('b');
  });

  it('is none when all are solved', () => {
    const entries = dated(katas.map(({ slug }) => progress(slug, 3, 3)));
    expect(kataToGoOnWith(katas, entries)).toBeUndefined();
  });
});

interface Given {
  readonly entries?: readonly NewEntry[];
  readonly recall?: Readonly<Record<string, Recall>>;
}

function learner({ entries = [], recall = {} }: Given): Learner {
  return {
    lessons: [{ slug: 'retry', number: 20, title: 'Retry' }],
    katas: [{ slug: 'backoff', title: 'Backoff', lesson: 'retry' }],
    cards: new Map([['retry', ['jitter', 'budget', 'storm']]]),
    entries: dated(entries),
    recall: new Map(Object.entries(recall)),
  };
}

function topic(given: Given) {
  const [only] = readiness(learner(given));
  if (only === undefined) throw new Error('There is one lesson, and so one topic.');
  return only;
}

function progress(kata: string, passed: number, of: number): NewEntry {
  return { type: 'progress', kata, passed, of };
}

function dated(entries: readonly NewEntry[]): Entry[] {
  return entries.map((entry, index) => ({
    v: 1,
    id: String(index),
    at: new Date(Date.UTC(2026, 10, 1 + index)).toISOString(),
    ...entry,
  }));
}
