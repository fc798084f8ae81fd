import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { distance } from 'fastest-levenshtein';
import { type Level, levels } from '../../quiz/level.ts';
import { KitError, type Problem } from '../../quiz/problem.ts';
import { splitBrief } from './brief.ts';
import { fieldReader } from './fields.ts';
import { readFrontmatter } from './frontmatter.ts';
import { byText, entriesOf, slugFolders } from './kit-folders.ts';
import {
  deckFile,
  folders,
  type KataFiles,
  kataFiles,
  parseDeckName,
  parseLessonName,
} from './kit-layout.ts';

export interface Lesson {
  readonly slug: string;
  readonly number: number;
  /** Absolute, as all files here. */
  readonly file: string;
  readonly title: string;
  readonly summary: string;
  readonly minutes: number;
  /** yyyy-mm-dd */
  readonly updated: string;
  /** False when the lesson says `kata: none`. */
  readonly wantsKata: boolean;
  /** How often interviewers ask for it; `sometimes` where the lesson does not say. */
  readonly asked: Asked;
}

/** How often a topic comes up in interviews, most often first. */
export const askedHow = ['often', 'sometimes', 'rarely'] as const;
export type Asked = (typeof askedHow)[number];

export interface Kata {
  readonly slug: string;
  readonly title: string;
  /** Slug of its lesson. */
  readonly lesson: string;
  readonly level: Level;
  readonly minutes: number;
  /** Markdown, each with its `###` heading, in order. */
  readonly hints: readonly string[];
  /** Markdown, without the hints. */
  readonly brief: string;
  /** Is there something to see of it? */
  readonly hasExperiment: boolean;
  readonly files: KataFiles;
}

export interface DeckFile {
  readonly slug: string;
  readonly file: string;
}

export interface Catalog {
  readonly root: string;
  /** By number. */
  readonly lessons: readonly Lesson[];
  /** In the order of their lessons, then by level, then by slug. */
  readonly katas: readonly Kata[];
  /** In the order of their lessons. */
  readonly decks: readonly DeckFile[];
  /** Front matters that are missing or wrong; what they describe is listed all the same. */
  readonly problems: readonly Problem[];
}

/** Reads what the kit at `root` holds. Content that is wrong is a problem, never an error. */
export async function loadCatalog(root: string): Promise<Catalog> {
  const names = await lessonNames(root);
  const placeOf = placesOf(names);
  const lessons = loadLessons(names);
  const [katas, decks] = await Promise.all([loadKatas(root), decksInOrder(root, placeOf)]);
  return {
    root,
    lessons: lessons.items,
    katas: katas.items.toSorted(
      (a, b) =>
        placeOf(a.lesson) - placeOf(b.lesson) ||
        levels.indexOf(a.level) - levels.indexOf(b.level) ||
        byText(a.slug, b.slug),
    ),
    decks,
    problems: [...lessons.problems, ...katas.problems],
  };
}

/** The decks alone, as a catalog has them. No file is opened. */
export async function loadDecks(root: string): Promise<DeckFile[]> {
  return decksInOrder(root, placesOf(await lessonNames(root)));
}

/** The slugs of the katas alone. No file is opened. */
export async function kataSlugs(root: string): Promise<string[]> {
  const slugs = await slugFolders(folders(root).katas);
  return slugs.filter((slug) => existsSync(kataFiles(root, slug).brief));
}

interface Loaded<T> {
  readonly items: readonly T[];
  readonly problems: readonly Problem[];
}

type LessonName = Pick<Lesson, 'number' | 'slug' | 'file'>;

/** By number. */
async function lessonNames(root: string): Promise<LessonName[]> {
  const folder = folders(root).lessons;
  const files = (await entriesOf(folder)).filter((entry) => entry.isFile());
  return files
    .flatMap(({ name }) => {
      const parsed = parseLessonName(name);
      return parsed ? { ...parsed, file: join(folder, name) } : [];
    })
    .toSorted((a, b) => a.number - b.number || byText(a.slug, b.slug));
}

/** Of what belongs to no lesson the place is behind all of them. */
function placesOf(lessons: readonly LessonName[]): (slug: string) => number {
  const places = new Map(lessons.map(({ slug }, index) => [slug, index]));
  return (slug) => places.get(slug) ?? places.size;
}

function loadLessons(names: readonly LessonName[]): Loaded<Lesson> {
  const loaded = names.map(loadLesson);
  return {
    items: loaded.map(({ item }) => item),
    problems: loaded.flatMap(({ problems }) => problems),
  };
}

function loadLesson({ file, number, slug }: LessonName) {
  const read = fieldReader(readFrontmatter(readFileSync(file, 'utf8'), file), file);
  const item: Lesson = {
    slug,
    number,
    file,
    title: read.text('title', slug),
    summary: read.text('summary', ''),
    minutes: read.count('minutes', 10),
    updated: read.day('updated', '1970-01-01'),
    wantsKata: !read.says('kata', 'none'),
    asked: read.oneOf('asked', askedHow, 'sometimes', { mayLack: true }),
  };
  return { item, problems: read.problems() };
}

async function loadKatas(root: string): Promise<Loaded<Kata>> {
  const slugs = await slugFolders(folders(root).katas);
  const loaded = slugs.map((slug) => loadKata(root, slug));
  return {
    items: loaded.flatMap(({ item }) => (item ? [item] : [])),
    problems: loaded.flatMap(({ problems }) => problems),
  };
}

function loadKata(root: string, slug: string): { item?: Kata; problems: Problem[] } {
  const files = kataFiles(root, slug);
  const text = readIfThere(files.brief);
  if (text === undefined) {
    return {
      problems: [
        { file: files.brief, message: 'the brief is missing: every kata has a README.md' },
      ],
    };
  }
  const front = readFrontmatter(text, files.brief);
  const read = fieldReader(front, files.brief);
  const parts = () => splitBrief(front.body);
  const item: Kata = {
    slug,
    title: read.text('title', slug),
    lesson: read.text('lesson', ''),
    level: read.oneOf('level', levels, 'L5'),
    minutes: read.count('minutes', 45),
    // Wanted of the one kata that is worked at.
    get brief() {
      return parts().brief;
    },
    get hints() {
      return parts().hints.map(({ title, body }) => `### ${title}\n\n${body.trim()}`);
    },
    hasExperiment: existsSync(files.experiment),
    files,
  };
  return { item, problems: read.problems() };
}

/** One after the other: to have all files open at once is more than some systems allow, and takes longer. */
function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

async function decksInOrder(root: string, placeOf: (slug: string) => number): Promise<DeckFile[]> {
  const decks = (await entriesOf(folders(root).decks)).flatMap(({ name }) => {
    const slug = parseDeckName(name);
    return slug === undefined ? [] : [{ slug, file: deckFile(root, slug) }];
  });
  return decks.toSorted((a, b) => placeOf(a.slug) - placeOf(b.slug) || byText(a.slug, b.slug));
}

/**
 * The one entry that is meant: its slug, a prefix that no other shares, or a lesson's file name without `.md`.
 * Throws a KitError (wrong usage) that names the nearest slug, or all that a prefix fits.
 */
export function findBySlug<T extends { readonly slug: string }>(
  kind: string,
  slugOrPrefix: string,
  all: readonly T[],
): T {
  const wanted = slugOrPrefix.toLowerCase().replace(/^\d+-/, '');
  const exact = all.find(({ slug }) => slug === wanted);
  if (exact) return exact;

  const matches = wanted === '' ? [] : all.filter(({ slug }) => slug.startsWith(wanted));
  const [match] = matches;
  if (match && matches.length === 1) return match;
  if (match) {
    const slugs = matches.map(({ slug }) => slug).join(', ');
    throw new KitError(`"${slugOrPrefix}" could be ${slugs}. Type some more of the one you mean.`, {
      exitCode: 2,
    });
  }
  const [nearest] = all.toSorted((a, b) => distance(wanted, a.slug) - distance(wanted, b.slug));
  throw new KitError(
    nearest
      ? `There is no ${kind} "${slugOrPrefix}". The nearest is ${nearest.slug}.`
      : `There is no ${kind} "${slugOrPrefix}": there are none yet.`,
    { exitCode: 2 },
  );
}
