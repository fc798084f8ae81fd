import { KitError } from '../../quiz/problem.ts';
import { type Catalog, findBySlug, type Kata } from '../content/catalog.ts';

/** The kata that is named, or all when none is. Throws a KitError (wrong usage) for an unknown slug. */
export function chosenKatas({ katas }: Catalog, words: readonly string[]): readonly Kata[] {
  const [slug, ...more] = words;
  if (more.length > 0) {
    throw new KitError('Name one kata, or none for all.', { exitCode: 2 });
  }
  return slug === undefined ? katas : [findBySlug('kata', slug, katas)];
}
