import { expect, it } from 'vitest';
import { nextSteps, typed } from './next-steps.ts';
import type { Build, Topic } from './readiness.ts';

it('begins with the first lesson', () => {
  expect(commands([topic('retry'), topic('timeout')])).toEqual(['npm run learn -- retry']);
});

it('goes from the lesson to the kata', () => {
  expect(commands([topic('retry', { read: true })])).toEqual(['npm run kata -- backoff']);
});

it('goes from the kata to the cards that are new', () => {
  const built = topic('retry', { read: true, build: [solved] });
  expect(commands([built])).toEqual(['npm run quiz -- retry']);
});

it('goes on to the next topic', () => {
  const done = topic('retry', {
    read: true,
    build: [solved],
    defend: { cards: 3, holds: 3, due: 0 },
  });
  expect(commands([done, topic('timeout')])).toEqual(['npm run learn -- timeout']);
});

it('puts first what is due', () => {
  const faded = topic('retry', {
    read: true,
    build: [{ ...solved, due: true }],
    defend: { cards: 3, holds: 1, due: 2 },
  });
  expect(commands([faded, topic('timeout')])).toEqual([
    'npm run quiz',
    'npm run kata -- backoff',
    'npm run learn -- timeout',
  ]);
});

it('offers no more than two katas that are due', () => {
  const due = ['a', 'b', 'c'].map((slug) => ({ ...solved, slug, due: true }));
  const faded = topic('retry', { read: true, build: due, defend: { cards: 0, holds: 0, due: 0 } });
  expect(commands([faded])).toEqual(['npm run kata -- a', 'npm run kata -- b']);
});

it('goes on with the kata that was begun, wherever it is, and says how far it is', () => {
  const begun = topic('timeout', { build: [{ ...blank, slug: 'deadline', passed: 2, of: 5 }] });
  const [first, second] = nextSteps([topic('retry'), begun], 'deadline');
  expect(first).toMatchObject({
    slug: 'deadline',
    label: 'Go on building: Backoff (2 of 5 levels)',
  });
  expect(second).toMatchObject({ command: 'learn', slug: 'retry' });
});

it('offers the same thing once', () => {
  const begun = topic('retry', { read: true, build: [{ ...blank, passed: 2, of: 5 }] });
  expect(nextSteps([begun], 'backoff')).toHaveLength(1);
});

it('has nothing to say when all is done', () => {
  expect(
    commands([topic('retry', { read: true, build: [], defend: { cards: 0, holds: 0, due: 0 } })]),
  ).toEqual([]);
});

const blank: Build = {
  slug: 'backoff',
  title: 'Backoff',
  passed: 0,
  of: 0,
  solved: false,
  due: false,
};
const solved: Build = { ...blank, passed: 5, of: 5, solved: true };

function topic(slug: string, given: Partial<Topic> = {}): Topic {
  return {
    lesson: { slug, number: 20, title: slug },
    read: false,
    build: [blank],
    defend: { cards: 3, holds: 0, due: 0 },
    ...given,
  };
}

function commands(topics: readonly Topic[]): string[] {
  return nextSteps(topics, undefined).map(typed);
}
