import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Catalog, Kata, Lesson } from '../content/catalog.ts';
import { deckFile, kataFiles, lessonFile } from '../content/kit-layout.ts';
import { topicOf } from './verify-topic.ts';

const root = resolve('/kit');

function lesson(number: number, slug: string): Lesson {
  const texts = { title: '', summary: '', updated: '' };
  const file = lessonFile(root, number, slug);
  return { slug, number, file, ...texts, minutes: 1, wantsKata: true, asked: 'sometimes' };
}

function kata(slug: string, of: string): Kata {
  const texts = { title: '', brief: '', hints: [] };
  return {
    slug,
    lesson: of,
    level: 'L4',
    minutes: 1,
    hasExperiment: false,
    files: kataFiles(root, slug),
    ...texts,
  };
}

const catalog: Catalog = {
  root,
  lessons: [lesson(1, 'limits'), lesson(2, 'retry')],
  katas: [kata('quota', 'limits'), kata('quota-two', 'limits'), kata('retry', 'retry')],
  decks: ['limits', 'retry'].map((slug) => ({ slug, file: deckFile(root, slug) })),
  problems: [],
};

function slugs(topic: string | undefined) {
  const { lessons, katas, decks } = topicOf(catalog, topic);
  return [lessons, katas, decks].map((all) => all.map(({ slug }) => slug));
}

describe('topicOf', () => {
  it('is all without a slug', () => {
    expect(slugs(undefined)).toEqual([
      ['limits', 'retry'],
      ['quota', 'quota-two', 'retry'],
      ['limits', 'retry'],
    ]);
  });

  it('is a lesson with its katas and its deck', () => {
    expect(slugs('limits')).toEqual([['limits'], ['quota', 'quota-two'], ['limits']]);
    expect(slugs('re')).toEqual([['retry'], ['retry'], ['retry']]);
  });

  it('is one kata with its lesson and its deck', () => {
    expect(slugs('quota')).toEqual([['limits'], ['quota'], ['limits']]);
  });

  it('knows its files', () => {
    const { includes } = topicOf(catalog, 'quota');
    const asked = ['katas/quota', 'solutions/quota/README.md', 'lessons/01-limits.md'];
    expect(asked.map((path) => includes(resolve(root, path)))).toEqual([true, true, true]);
    const others = ['katas/quota-two', 'katas/quota.ts', 'lessons', 'lessons/02-retry.md'];
    expect(others.map((path) => includes(resolve(root, path)))).toEqual(others.map(() => false));
  });

  it('names the nearest one', () => {
    expect(() => topicOf(catalog, 'retrie')).toThrow(
      'There is no topic "retrie". The nearest is retry.',
    );
  });
});
