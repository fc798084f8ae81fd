import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Catalog, Kata } from '../content/catalog.ts';
import { pictureFile } from '../content/kit-layout.ts';
import { applyMisconception, parseMisconceptions } from '../content/misconceptions.ts';
import type { Read } from '../content/text-reader.ts';
import { runAll } from '../runner/spec-lanes.ts';
import type { Candidate } from '../runner/spec-notes.ts';
import { type Seen, seenIn } from '../see/look.ts';
import { type Observed, type Picture, USUAL_SIGHT } from '../see/picture.ts';
import { svgOf } from '../see/svg.ts';
import { type Check, expectThat } from './checks.ts';
import type { KataTexts } from './verify-katas.ts';

const FEWEST_OBSERVATIONS = 3;

export interface ExperimentOptions {
  readonly catalog: Catalog;
  readonly read: Read;
  /** Look at the other way and at misconceptions, too: what an author wants, and takes ten times as long. */
  readonly isThorough: boolean;
  /** Write the pictures that are not what they should be. */
  readonly fix: boolean;
  readonly onProgress: (done: number, of: number, slug: string) => void;
}

/** Someone whose experiment is run, and who they are. */
interface Guest {
  readonly texts: KataTexts;
  readonly candidate: Candidate;
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
  const shown = katas.filter(({ kata }) => kata.hasExperiment);
  const isWanted = ({ who }: Guest) => options.isThorough || who === 'solution';
  const sound = await lookAt(shown.flatMap(soundGuests).filter(isWanted), options);
  const solutions = sound.filter(({ guest }) => guest.who === 'solution');
  const named = solutions.map(({ guest, pictures }) => wrongGuests(guest.texts, pictures));
  const wrong = await lookAt(named.flatMap(({ guests }) => guests).filter(isWanted), options);
  return [
    ...[...sound, ...wrong].flatMap(judge),
    ...named.flatMap(({ checks }) => checks),
    ...solutions.map(({ guest, pictures }) =>
      expectThat(
        pictures.flatMap(({ observations }) => observations).length >= FEWEST_OBSERVATIONS,
        guest.texts.kata.files.experiment,
        `expected ${FEWEST_OBSERVATIONS} observations or more`,
      ),
    ),
    ...(
      await Promise.all(
        solutions.flatMap(({ guest, pictures }) =>
          pictures.map((picture) => checkPicture(guest.texts.kata, picture, options)),
        ),
      )
    ).flat(),
  ];
}

function soundGuests(texts: KataTexts): Guest[] {
  const { kata, solution, anotherWay } = texts;
  const guest = (code: string | undefined, who: 'solution' | 'another way') =>
    code === undefined
      ? []
      : [{ texts, candidate: { slug: kata.slug, code, sight: USUAL_SIGHT }, who }];
  return [...guest(solution, 'solution'), ...guest(anotherWay, 'another way')];
}

/** The misconceptions that observations name, each in the experiments that do. */
function wrongGuests(texts: KataTexts, pictures: readonly Picture[]) {
  const { kata, solution = '', walkthrough = '' } = texts;
  const { misconceptions } = parseMisconceptions(walkthrough, kata.files.walkthrough);
  const experimentsOf = new Map<string, Set<string>>();
  for (const { name, observations } of pictures) {
    for (const title of observations.flatMap(({ breaks }) => breaks)) {
      experimentsOf.set(title, (experimentsOf.get(title) ?? new Set()).add(name));
    }
  }
  const guests: Guest[] = [];
  const checks: Check[] = [];
  for (const [title, only] of experimentsOf) {
    const misconception = misconceptions.find((each) => each.title === title);
    const file = kata.files.experiment;
    checks.push(expectThat(!!misconception, file, `there is no misconception "${title}"`));
    if (!misconception) continue;
    guests.push({
      texts,
      candidate: {
        slug: kata.slug,
        code: applyMisconception(solution, misconception),
        sight: { ...USUAL_SIGHT, only: [...only] },
      },
      who: { misconception: title },
    });
  }
  return { guests, checks };
}

async function lookAt(
  guests: readonly Guest[],
  { catalog: { root }, onProgress }: ExperimentOptions,
): Promise<(Seen & { guest: Guest })[]> {
  let done = 0;
  const candidates = guests.map(({ candidate }) => candidate);
  const verdicts = await runAll(candidates, {
    root,
    onVerdict(_, { slug }) {
      done += 1;
      onProgress(done, guests.length, slug);
    },
  });
  return guests.flatMap((guest, place) => {
    const verdict = verdicts[place];
    return verdict ? [{ guest, ...seenIn(verdict) }] : [];
  });
}

function judge({ guest, pictures, trouble }: Seen & { guest: Guest }): Check[] {
  const { who, texts } = guest;
  const file = texts.kata.files.experiment;
  const observations = pictures.flatMap((picture) => picture.observations);
  if (typeof who !== 'string') {
    return observations
      .filter(({ breaks }) => breaks.includes(who.misconception))
      .map((observed) =>
        expectThat(
          !observed.holds,
          file,
          `"${observed.says}" holds with "${who.misconception}" as well: ${valueOf(observed)}`,
        ),
      );
  }
  return [
    expectThat(trouble.length === 0, file, `the ${who} cannot be looked at: ${trouble.join(' ')}`),
    ...observations.flatMap((observed) => [
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
