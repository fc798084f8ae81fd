import { basename, join } from 'node:path';
import type { Catalog, Lesson } from '../content/catalog.ts';
import { type Check, expectThat } from './checks.ts';
import { entriesOf, slugFolders } from '../content/kit-folders.ts';
import { folders, kataFiles } from '../content/kit-layout.ts';

/** Front matters, and that everything has what belongs to it. */
export async function checkLayout(catalog: Catalog): Promise<Check[]> {
  const { root, lessons, katas, decks } = catalog;
  const hasLesson = (slug: string) => lessons.some((lesson) => lesson.slug === slug);
  return [
    ...checkFrontMatters(catalog),
    ...lessons.flatMap((lesson) => checkLesson(lesson, catalog)),
    ...katas.map(({ files: { brief }, lesson }) =>
      expectThat(
        lesson === '' || hasLesson(lesson),
        brief,
        `front matter: there is no lesson "${lesson}"; name the slug of one in lessons/`,
      ),
    ),
    ...decks.map(({ slug, file }) =>
      expectThat(
        hasLesson(slug),
        file,
        `there is no lesson "${slug}"; a deck has its lesson's slug`,
      ),
    ),
    ...(await checkPairs(root)),
  ];
}

function checkFrontMatters({ lessons, katas, problems }: Catalog): Check[] {
  const files = new Set([
    ...lessons.map(({ file }) => file),
    ...katas.map((kata) => kata.files.brief),
    ...problems.map(({ file }) => file),
  ]);
  return [...files].map((file) => ({
    file,
    problems: problems.filter((problem) => problem.file === file),
  }));
}

function checkLesson({ slug, number, file, wantsKata }: Lesson, catalog: Catalog): Check[] {
  const earlier = catalog.lessons.filter((other) => other.file < file);
  const sameNumber = earlier.find((other) => other.number === number)?.file ?? '';
  const sameSlug = earlier.find((other) => other.slug === slug)?.file ?? '';
  const hasKata = catalog.katas.some((kata) => kata.lesson === slug);
  return [
    expectThat(
      sameNumber === '',
      file,
      `${basename(sameNumber)} has the number ${number} too; choose a free one`,
    ),
    expectThat(
      sameSlug === '',
      file,
      `${basename(sameSlug)} has the slug "${slug}" too; choose another`,
    ),
    expectThat(
      catalog.decks.some((deck) => deck.slug === slug),
      file,
      `the lesson has no deck; \`npm run new -- deck ${slug}\` begins one`,
    ),
    expectThat(
      hasKata || !wantsKata,
      file,
      'no kata names this lesson; write one, or say `kata: none` in the front matter',
    ),
    expectThat(
      !hasKata || wantsKata,
      file,
      'the front matter says `kata: none`, but a kata names this lesson; take the line out',
    ),
  ];
}

/**
 * Each kata has all its files, and each solution a kata. A brief that a kata lacks is the catalog's to tell, a
 * stub that it lacks the stub check's.
 */
async function checkPairs(root: string): Promise<Check[]> {
  const { katas, solutions } = folders(root);
  const withKata = await slugFolders(katas);
  const slugs = new Set([...withKata, ...(await slugFolders(solutions))]);
  const checks = [...slugs].map(async (slug) => {
    const { brief, spec, solution, anotherWay, walkthrough } = kataFiles(root, slug);
    const present = await filesIn(join(katas, slug), join(solutions, slug));
    const needs = (file: string, message: string) => expectThat(present.has(file), file, message);
    if (!withKata.includes(slug)) {
      return [needs(brief, `solutions/${slug} has no kata; write katas/${slug}, or remove it`)];
    }
    return [
      needs(spec, 'the spec is missing'),
      needs(solution, 'the solution is missing'),
      needs(anotherWay, 'it is missing: a second sound answer, of another shape'),
      needs(walkthrough, 'the walkthrough is missing'),
    ];
  });
  return (await Promise.all(checks)).flat();
}

async function filesIn(...all: readonly string[]): Promise<Set<string>> {
  const lists = await Promise.all(
    all.map(async (folder) =>
      (await entriesOf(folder)).flatMap((entry) =>
        entry.isFile() ? [join(folder, entry.name)] : [],
      ),
    ),
  );
  return new Set(lists.flat());
}
