import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KitError } from '../quiz/problem.ts';
import { type Catalog, loadCatalog } from './content/catalog.ts';
import type { Command, Invocation } from './command.ts';
import { isSlug, shownPath, SLUG_RULE } from './content/kit-layout.ts';
import { newDeck } from './scaffold/new-deck.ts';
import type { NewFile } from './scaffold/new-file.ts';
import { newKata } from './scaffold/new-kata.ts';
import { newLesson } from './scaffold/new-lesson.ts';

export const newCommand: Command = {
  name: 'new',
  summary: 'begin a lesson, a kata or a deck',
  help: `Usage: npm run new -- kata|lesson|deck slug [options]

Writes the files of a new kata, lesson or deck, each with a TODO wherever
something is to be written. npm run verify names what is left.

  --title TEXT   the title; without it, the slug in words
  --lesson SLUG  of a kata: its lesson; without it, the one of the same slug
  --number N     of a lesson: where it stands; without it, last`,
  options: { title: { type: 'string' }, lesson: { type: 'string' }, number: { type: 'string' } },
  run: (invocation) => create(invocation, { print: (text) => console.log(text), now: new Date() }),
};

export interface Surroundings {
  readonly print: (text: string) => void;
  readonly now: Date;
}

export async function create(
  { root, words, flags }: Invocation,
  { print, now }: Surroundings,
): Promise<number> {
  const [kind, slug, ...more] = words;
  if (kind === undefined || slug === undefined || more.length > 0) throw usage();
  if (!isSlug(slug)) throw new KitError(`"${slug}" is no slug: ${SLUG_RULE}.`, { exitCode: 2 });

  const catalog = await loadCatalog(root);
  const files = filesFor(kind, slug, catalog, flags, now);
  refuseToOverwrite(files, root);
  for (const { file, text } of files) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { flag: 'wx' });
    print(`Wrote ${shownPath(file, root)}`);
  }
  print(`Next: replace each TODO; npm run verify -- ${slug} says what is left.`);
  if (kind === 'kata') print('After changes to the solution, --fix makes the stub of it anew.');
  return 0;
}

function filesFor(
  kind: string,
  slug: string,
  catalog: Catalog,
  flags: Invocation['flags'],
  now: Date,
): NewFile[] {
  const { root, lessons } = catalog;
  const given = (name: string) => {
    const value = flags[name];
    return typeof value === 'string' && value.trim() !== '' ? value : undefined;
  };
  const lesson = lessons.find((each) => each.slug === slug);
  const title = given('title') ?? lesson?.title ?? inWords(slug);
  switch (kind) {
    case 'kata':
      return newKata(root, slug, title, given('lesson') ?? slug);
    case 'lesson': {
      if (lesson) throw taken(shownPath(lesson.file, root));
      const number = lessonNumber(given('number'), catalog);
      return [newLesson(root, { slug, title, number, now })];
    }
    case 'deck':
      return [newDeck(root, slug, title)];
    default:
      throw usage();
  }
}

function lessonNumber(given: string | undefined, { lessons }: Catalog): number {
  if (given === undefined) return Math.max(0, ...lessons.map(({ number }) => number)) + 1;
  const number = Number(given);
  if (!Number.isInteger(number) || number < 1) {
    throw new KitError(`Expected --number to be a whole number, 1 or more; not "${given}".`, {
      exitCode: 2,
    });
  }
  const other = lessons.find((lesson) => lesson.number === number);
  if (!other) return number;
  throw new KitError(`The lesson ${other.slug} has the number ${number}. Choose another.`, {
    exitCode: 2,
  });
}

function inWords(slug: string): string {
  return `${slug.charAt(0).toUpperCase()}${slug.slice(1).replaceAll('-', ' ')}`;
}

function refuseToOverwrite(files: readonly NewFile[], root: string): void {
  const present = files.filter(({ file }) => existsSync(file));
  if (present.length > 0) throw taken(present.map(({ file }) => shownPath(file, root)).join(', '));
}

function taken(files: string): KitError {
  return new KitError(`Already there: ${files}. Choose another slug, or edit what is there.`);
}

function usage(): KitError {
  return new KitError('Usage: npm run new -- kata|lesson|deck slug [--title TEXT]', {
    exitCode: 2,
  });
}
