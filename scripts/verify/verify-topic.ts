import { dirname, sep } from 'node:path';
import { type Catalog, findBySlug } from '../content/catalog.ts';

/** What `verify` is to look at: the whole kit, or a lesson with its katas and deck. */
export interface Topic extends Pick<Catalog, 'lessons' | 'katas' | 'decks'> {
  /** Whether a file or folder belongs to it. */
  readonly includes: (file: string) => boolean;
  /** How often each misconception is run: a topic that is looked at alone, as by its author, is tried twice. */
  readonly runsEach: 1 | 2;
}

/** By the slug of a lesson, a deck or a kata (that kata alone, with its lesson). Throws a KitError for others. */
export function topicOf(catalog: Catalog, slugOrPrefix: string | undefined): Topic {
  if (slugOrPrefix === undefined) return { ...catalog, includes: () => true, runsEach: 1 };

  const { lessons, katas, decks } = catalog;
  const slugs = new Set([...lessons, ...katas, ...decks].map(({ slug }) => slug));
  const all = [...slugs].map((slug) => ({ slug }));
  const { slug: wanted } = findBySlug('topic', slugOrPrefix, all);

  const itsKatas = katas.filter(({ slug, lesson }) => slug === wanted || lesson === wanted);
  const itsSlugs = new Set([wanted, ...itsKatas.map(({ lesson }) => lesson)]);
  const itsLessons = lessons.filter(({ slug }) => itsSlugs.has(slug));
  const itsDecks = decks.filter(({ slug }) => itsSlugs.has(slug));
  const places = [
    ...itsLessons.map(({ file }) => file),
    ...itsDecks.map(({ file }) => file),
    ...itsKatas.flatMap(({ files }) => [dirname(files.brief), dirname(files.solution)]),
  ];
  return {
    lessons: itsLessons,
    katas: itsKatas,
    decks: itsDecks,
    includes: (file) => places.some((place) => file === place || file.startsWith(`${place}${sep}`)),
    runsEach: 2,
  };
}
