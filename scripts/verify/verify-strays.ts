import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Check } from './checks.ts';
import { entriesOf, slugFolders } from '../content/kit-folders.ts';
import {
  folders,
  isSlug,
  parseDeckName,
  parseInterviewName,
  parseLessonName,
  SLUG_RULE,
} from '../content/kit-layout.ts';

interface Place {
  readonly folder: string;
  readonly isKnown: (name: string, isFolder: boolean) => boolean;
  /** What belongs there. */
  readonly rule: string;
}

/** Nothing lies in the folders of content that the kit does not know. */
export async function checkStrays(root: string): Promise<Check[]> {
  const { katas, solutions } = folders(root);
  const places = [
    ...topPlaces(root),
    await picturePlace(root),
    ...(await slugFolders(katas)).map((slug) => kataPlace(katas, slug)),
    ...(await slugFolders(solutions)).map((slug) => solutionPlace(solutions, slug)),
  ];
  return Promise.all(places.map(checkPlace));
}

function topPlaces(root: string): Place[] {
  const { lessons, katas, solutions, decks, interviews } = folders(root);
  return [
    {
      folder: lessons,
      isKnown: (name, isFolder) =>
        isFolder ? name === 'pictures' : parseLessonName(name) !== undefined,
      rule: `lessons/ holds NN-slug.md, and pictures/ of the experiments; ${SLUG_RULE}`,
    },
    {
      folder: katas,
      isKnown: (name, isFolder) => (isFolder ? isSlug(name) : HELPERS.has(name)),
      rule: `katas/ holds a folder per kata, named by its slug; ${SLUG_RULE}`,
    },
    {
      folder: solutions,
      isKnown: (name, isFolder) => isFolder && isSlug(name),
      rule: `solutions/ holds a folder per kata, named by its slug; ${SLUG_RULE}`,
    },
    {
      folder: decks,
      isKnown: (name, isFolder) => !isFolder && parseDeckName(name) !== undefined,
      rule: `quiz/decks/ holds slug.yaml, nothing else; ${SLUG_RULE}`,
    },
    {
      folder: interviews,
      isKnown: (name, isFolder) => !isFolder && parseInterviewName(name) !== undefined,
      rule: `quiz/interviews/ holds slug.md, nothing else; ${SLUG_RULE}`,
    },
  ];
}

async function picturePlace(root: string): Promise<Place> {
  const { lessons } = folders(root);
  const names = (await entriesOf(lessons)).map(({ name }) => name);
  const texts = await Promise.all(
    names.filter(parseLessonName).map((name) => readFile(join(lessons, name), 'utf8')),
  );
  return {
    folder: join(lessons, 'pictures'),
    isKnown: (name, isFolder) =>
      !isFolder && texts.some((text) => text.includes(`(pictures/${name})`)),
    rule: 'lessons/pictures/ holds what lessons show of experiments',
  };
}

const HELPERS = new Set(['virtual-time.ts', 'virtual-time.test.ts']);

function kataPlace(katas: string, slug: string): Place {
  const answer = `${slug}.ts`;
  const known = new Set(['README.md', answer, `${slug}.test.ts`, 'experiment.ts']);
  return {
    folder: join(katas, slug),
    // An answer that is a folder is a learner's mishap, which `reset` and the loop tell of.
    isKnown: (name, isFolder) => known.has(name) && (!isFolder || name === answer),
    rule: `a kata is ${[...known].join(', ')}; what its spec needs stands in the spec`,
  };
}

function solutionPlace(solutions: string, slug: string): Place {
  const known = new Set(['README.md', `${slug}.ts`, 'another-way.ts']);
  return {
    folder: join(solutions, slug),
    isKnown: (name, isFolder) => known.has(name) && !isFolder,
    rule: `a solution is ${[...known].join(', ')}; wrong answers go under "## Misconceptions"`,
  };
}

async function checkPlace({ folder, isKnown, rule }: Place): Promise<Check> {
  const entries = await entriesOf(folder);
  return {
    file: folder,
    problems: entries
      .filter((entry) => !isKnown(entry.name, entry.isDirectory()))
      .map(({ name }) => ({ file: join(folder, name), message: `does not belong here: ${rule}` })),
  };
}
