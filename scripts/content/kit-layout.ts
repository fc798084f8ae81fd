import { isAbsolute, join, relative, sep } from 'node:path';

/** Lower-case words joined by hyphens; the first starts with a letter, so that `26-circuit-breaker` is none. */
const SLUG = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
export const SLUG_RULE =
  'a slug is lower-case words joined by hyphens and starts with a letter, such as circuit-breaker';

export function isSlug(text: string): boolean {
  return SLUG.test(text);
}

export interface Folders {
  readonly lessons: string;
  readonly katas: string;
  readonly solutions: string;
  readonly decks: string;
  readonly interviews: string;
}

export function folders(root: string): Folders {
  return {
    lessons: join(root, 'lessons'),
    katas: join(root, 'katas'),
    solutions: join(root, 'solutions'),
    decks: join(root, 'quiz', 'decks'),
    interviews: join(root, 'quiz', 'interviews'),
  };
}

export function lessonFile(root: string, number: number, slug: string): string {
  return join(folders(root).lessons, `${String(number).padStart(2, '0')}-${slug}.md`);
}

/** `26-circuit-breaker.md` → 26 and circuit-breaker; undefined when it is no lesson's name. */
export function parseLessonName(name: string): { number: number; slug: string } | undefined {
  const [, number, slug = ''] = /^(\d\d+)-(.+)\.md$/.exec(name) ?? [];
  return isSlug(slug) ? { number: Number(number), slug } : undefined;
}

/** `circuit-breaker.yaml` → circuit-breaker; undefined when it is no deck's name. */
export function parseDeckName(name: string): string | undefined {
  const slug = /^(.+)\.yaml$/.exec(name)?.[1] ?? '';
  return isSlug(slug) ? slug : undefined;
}

/** `retry-storm.md` → retry-storm; undefined when it is no interview's name. */
export function parseInterviewName(name: string): string | undefined {
  const slug = /^(.+)\.md$/.exec(name)?.[1] ?? '';
  return isSlug(slug) ? slug : undefined;
}

export function deckFile(root: string, slug: string): string {
  return join(folders(root).decks, `${slug}.yaml`);
}

export interface KataFiles {
  readonly brief: string;
  /** The one file that a learner edits. */
  readonly stub: string;
  readonly spec: string;
  /** Not every kata has one. */
  readonly experiment: string;
  readonly solution: string;
  readonly anotherWay: string;
  readonly walkthrough: string;
}

export function kataFiles(root: string, slug: string): KataFiles {
  const { katas, solutions } = folders(root);
  return {
    brief: join(katas, slug, 'README.md'),
    stub: join(katas, slug, `${slug}.ts`),
    spec: join(katas, slug, `${slug}.test.ts`),
    experiment: join(katas, slug, 'experiment.ts'),
    solution: join(solutions, slug, `${slug}.ts`),
    anotherWay: join(solutions, slug, 'another-way.ts'),
    walkthrough: join(solutions, slug, 'README.md'),
  };
}

/** Where a lesson finds the picture of an experiment. */
export function pictureFile(root: string, slug: string, experiment: string): string {
  return join(folders(root).lessons, 'pictures', `${slug}-${experiment}.svg`);
}

/** A path as people name it: from the kit's root, with forward slashes; in full when it lies elsewhere. */
export function shownPath(file: string, root: string): string {
  const path = relative(root, file);
  return path.startsWith('..') || isAbsolute(path) ? file : path.split(sep).join('/');
}
