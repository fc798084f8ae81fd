import type { Entry } from '../quiz/entry.ts';
import { cardItem } from '../quiz/item.ts';
import type { Kata, Lesson } from './content/catalog.ts';
import { standings } from './progress.ts';

/** How ready someone is for an interview on one lesson's topic. */
export interface Topic {
  readonly lesson: Pick<Lesson, 'slug' | 'number' | 'title'>;
  readonly read: boolean;
  readonly build: readonly Build[];
  readonly defend: Defend;
}

export interface Build {
  readonly slug: string;
  readonly title: string;
  /** Levels passed, in order, of all; `of` is 0 when the kata was never begun. */
  readonly passed: number;
  readonly of: number;
  readonly solved: boolean;
  /** Solved, and to be solved again from blank today. */
  readonly due: boolean;
}

interface Defend {
  readonly cards: number;
  /** Cards that were answered and are not due: the memory of them holds. */
  readonly holds: number;
  readonly due: number;
}

/** Of an item that was ever reviewed: whether the memory of it still holds today. */
export type Recall = 'holds' | 'due';

export interface Learner {
  readonly lessons: readonly Pick<Lesson, 'slug' | 'number' | 'title'>[];
  readonly katas: readonly Pick<Kata, 'slug' | 'title' | 'lesson'>[];
  /** Ids of the cards, by deck. */
  readonly cards: ReadonlyMap<string, readonly string[]>;
  readonly entries: readonly Entry[];
  /** By item. */
  readonly recall: ReadonlyMap<string, Recall>;
}

export function readiness({ lessons, katas, cards, entries, recall }: Learner): Topic[] {
  const read = new Set(entries.flatMap((entry) => (entry.type === 'read' ? [entry.lesson] : [])));
  const standing = standings(entries);
  const katasOf = new Map<string, Learner['katas']>();
  for (const kata of katas) katasOf.set(kata.lesson, [...(katasOf.get(kata.lesson) ?? []), kata]);
  return lessons.map((lesson) => {
    const recalls = (cards.get(lesson.slug) ?? []).map((id) =>
      recall.get(cardItem(`${lesson.slug}/${id}`)),
    );
    return {
      lesson,
      read: read.has(lesson.slug),
      build: (katasOf.get(lesson.slug) ?? []).map(({ slug, title }) => {
        const { passed = 0, of = 0, solved = false } = standing.get(slug) ?? {};
        const due = solved && recall.get(`kata:${slug}`) === 'due';
        return { slug, title, passed, of, solved, due };
      }),
      defend: {
        cards: recalls.length,
        holds: recalls.filter((each) => each === 'holds').length,
        due: recalls.filter((each) => each === 'due').length,
      },
    };
  });
}

/** The kata to go on with: the one begun last that is not solved, else the first unsolved one. */
export function kataToGoOnWith<K extends Pick<Kata, 'slug'>>(
  katas: readonly K[],
  entries: readonly Entry[],
): K | undefined {
  const standing = standings(entries);
  const unsolved = katas.filter((kata) => !(standing.get(kata.slug)?.solved ?? false));
  const lastTouched = (kata: K) => standing.get(kata.slug)?.at.getTime() ?? 0;
  return unsolved.toSorted((a, b) => lastTouched(b) - lastTouched(a))[0];
}
