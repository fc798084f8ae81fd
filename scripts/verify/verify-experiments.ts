import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Catalog, Kata } from '../content/catalog.ts';
import { pictureFile } from '../content/kit-layout.ts';
import { applyMisconception, parseMisconceptions } from '../content/misconceptions.ts';
import type { Read } from '../content/text-reader.ts';
import { runAll } from '../runner/spec-lanes.ts';
import type { Candidate } from '../runner/spec-notes.ts';
import type { Verdict } from '../runner/verdict.ts';
import type { Observed, Picture } from '../see/picture.ts';
import { svgOf } from '../see/svg.ts';
import { type Check, expectThat } from './checks.ts';
import type { KataTexts } from './verify-katas.ts';

const FEWEST_OBSERVATIONS = 3;
const SIGHT = { seed: '1', settings: {} };

export interface ExperimentOptions {
  readonly catalog: Catalog;
  readonly read: Read;
  /** Write the pictures that are not what they should be. */
  readonly fix: boolean;
  readonly onProgress: (done: number, of: number, slug: string) => void;
}

/** Someone whose experiment is run, and who they are. */
interface Guest extends Candidate {
  readonly who: 'solution' | 'another way' | { readonly misconception: string };
}

/**
 * What each experiment says it shows is so with the solution and with the other way, and is not so with the
 * misconceptions it names; and the picture in the lesson is the one that it draws.
 */
export async function checkExperiments(
  katas: readonly KataTexts[],
  options: ExperimentOptions,
): Promise<Check[]> {
  const shown = await Promise.all(
    katas
      .filter(({ kata }) => kata.hasExperiment)
      .map(async (texts) => ({
        texts,
        text: (await options.read(texts.kata.files.experiment)) ?? '',
      })),
  );
  const guests = shown.map(({ texts, text }) => guestsOf(texts, text));
  const all = guests.flat();
  let done = 0;
  const verdicts = await runAll(all, {
    root: options.catalog.root,
    onVerdict(_, { slug }) {
      done += 1;
      options.onProgress(done, all.length, slug);
    },
  });
  const verdictOf = new Map(all.map((guest, place) => [guest, verdicts[place]]));
  const checks = shown.map(async ({ texts: { kata } }, place) => {
    const seen = (guests[place] ?? []).map((guest) => ({ guest, ...seenIn(verdictOf.get(guest)) }));
    const file = kata.files.experiment;
    const [solution] = seen;
    return [
      ...seen.flatMap((each) => judge(each, file)),
      expectThat(
        (solution?.pictures ?? []).flatMap(({ observations }) => observations).length >=
          FEWEST_OBSERVATIONS,
        file,
        `expected ${FEWEST_OBSERVATIONS} observations or more`,
      ),
      ...(
        await Promise.all(
          (solution?.pictures ?? []).map((picture) => checkPicture(kata, picture, options)),
        )
      ).flat(),
    ];
  });
  return (await Promise.all(checks)).flat();
}

/** The misconceptions of which an experiment speaks stand in it by their titles. */
function guestsOf({ kata, solution, anotherWay, walkthrough }: KataTexts, text: string): Guest[] {
  if (solution === undefined) return [];
  const { slug, files } = kata;
  const { misconceptions } = parseMisconceptions(walkthrough ?? '', files.walkthrough);
  const named = misconceptions.filter(({ title }) => text.includes(title));
  return [
    { slug, code: solution, sight: SIGHT, who: 'solution' },
    ...(anotherWay === undefined
      ? []
      : [{ slug, code: anotherWay, sight: SIGHT, who: 'another way' } as const]),
    ...named.map((misconception) => ({
      slug,
      code: applyMisconception(solution, misconception),
      sight: SIGHT,
      who: { misconception: misconception.title },
    })),
  ];
}

interface Seen {
  readonly pictures: readonly Picture[];
  readonly trouble: readonly string[];
}

function seenIn(verdict: Verdict | undefined): Seen {
  if (verdict?.kind !== 'tested')
    return { pictures: [], trouble: [verdict?.message ?? 'It did not run.'] };
  return {
    pictures: verdict.tests.flatMap(({ picture }) => picture ?? []),
    trouble: verdict.tests.flatMap(({ message }) => message ?? []),
  };
}

function judge({ guest, pictures, trouble }: Seen & { guest: Guest }, file: string): Check[] {
  const { who } = guest;
  const observations = pictures.flatMap((picture) =>
    picture.observations.map((observed) => ({ picture, observed })),
  );
  if (typeof who !== 'string') {
    const broken = observations.filter(({ observed }) =>
      observed.breaks.includes(who.misconception),
    );
    return [
      expectThat(broken.length > 0, file, `no observation breaks with "${who.misconception}"`),
      ...broken.map(({ observed }) =>
        expectThat(
          !observed.holds,
          file,
          `"${observed.says}" holds with "${who.misconception}" as well: ${valueOf(observed)}`,
        ),
      ),
    ];
  }
  return [
    expectThat(trouble.length === 0, file, `the ${who} cannot be looked at: ${trouble.join(' ')}`),
    ...observations.flatMap(({ observed }) => [
      expectThat(
        observed.holds,
        file,
        `"${observed.says}" does not hold with the ${who}: ${valueOf(observed)}`,
      ),
      expectThat(
        observed.breaks.length > 0,
        file,
        `"${observed.says}" names no misconception that breaks it`,
      ),
    ]),
  ];
}

function valueOf({ value }: Observed): string {
  return value === null ? 'it has no value' : `it is ${value}`;
}

async function checkPicture(
  { slug, lesson }: Kata,
  picture: Picture,
  { catalog, read, fix }: ExperimentOptions,
): Promise<Check[]> {
  const file = pictureFile(catalog.root, slug, picture.name);
  const wanted = svgOf(picture);
  const isThere = (await read(file)) === wanted;
  if (fix && !isThere) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, wanted);
  }
  const shown = catalog.lessons.find((each) => each.slug === lesson);
  const text = shown && (await read(shown.file));
  return [
    expectThat(
      fix || isThere,
      file,
      'is not what the experiment draws: `npm run verify -- --fix` writes it',
    ),
    ...(shown === undefined
      ? []
      : [
          expectThat(
            text?.includes(`(pictures/${basename(file)})`) ?? false,
            shown.file,
            `does not show the picture of an experiment: ![…](pictures/${basename(file)})`,
          ),
        ]),
  ];
}
