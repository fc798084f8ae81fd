import { readFile, writeFile } from 'node:fs/promises';
import { explainDiskError } from '../quiz/disk.ts';
import { KitError } from '../quiz/problem.ts';
import type { Command, Invocation } from './command.ts';
import type { Catalog, Kata } from './content/catalog.ts';
import { readTimeout } from './read-timeout.ts';
import { type Picture, type Sight, USUAL_SIGHT } from './see/picture.ts';
import type { Seen } from './see/look.ts';

export const seeCommand: Command = {
  name: 'see',
  summary: 'watch your own code in a simulated outage',
  help: `Usage: npm run see [-- slug [experiment] [setting=number …]] [options]

Puts your answer to a kata into a small simulated system under load, breaks
something, and draws what happens without your code and with it. The same seed
gives the same picture on every machine. Without a slug it lists what there is
to see. An answer that is not finished may be looked at as well.

  --solution         look at our solution instead of your answer
  --seed TEXT        other arrivals and other luck; 1 if not given
  --svg FILE         write the picture to a file as well
  --json             print what was measured, for programs
  --timeout SECONDS  how long your code may take, 10 if not given

Some experiments have settings, which stand below their picture:
npm run see -- retry-budget load=40 stall=8`,
  options: {
    solution: { type: 'boolean' },
    seed: { type: 'string' },
    svg: { type: 'string' },
    json: { type: 'boolean' },
    timeout: { type: 'string' },
  },
  run: (invocation) =>
    see(invocation, { print: (text) => console.log(text), lookAt: inGuardedProcess }),
};

export interface Surroundings {
  readonly print: (text: string) => void;
  /** Runs the experiments of a kata with the learner's answer, or with the code that is given. */
  readonly lookAt: (
    candidate: { readonly slug: string; readonly code?: string },
    sight: Sight,
    limits: { readonly root: string; readonly timeoutMs: number },
  ) => Promise<Seen>;
}

/** What was asked for, from words and flags. */
interface Wanted extends Sight {
  readonly kata: Kata;
  readonly experiment: string | undefined;
}

export async function see(
  { root, words, flags }: Invocation,
  { print, lookAt }: Surroundings,
): Promise<number> {
  const { loadCatalog } = await import('./content/catalog.ts');
  const catalog = await loadCatalog(root);
  const [slug, ...details] = words;
  if (slug === undefined) {
    print(listOf(catalog));
    return 0;
  }
  const wanted = await readWanted(slug, details, { catalog, seed: flags['seed'] });
  const { slug: exact, files } = wanted.kata;
  const candidate =
    flags['solution'] === true
      ? { slug: exact, code: await readFile(files.solution, 'utf8') }
      : { slug: exact };
  const timeoutMs = readTimeout(flags['timeout']);
  const seen = await lookAt(candidate, wanted, { root, timeoutMs });
  const picture = await chosen(seen, wanted);
  if (flags['json'] === true) {
    print(JSON.stringify(seen, undefined, 2));
  } else {
    for (const sentence of seen.trouble) print(await paragraph(sentence));
    if (picture) print(await describe(picture, seen, wanted));
  }
  if (picture && typeof flags['svg'] === 'string') await writeSvg(picture, flags['svg']);
  return seen.trouble.length === 0 ? 0 : 1;
}

function listOf({ katas }: Catalog): string {
  const seen = katas.filter(({ hasExperiment }) => hasExperiment);
  return [
    'There is an experiment for each of these katas:',
    ...seen.map(({ slug, title }) => `  npm run see -- ${slug.padEnd(18)} ${title}`),
  ].join('\n');
}

async function readWanted(
  slug: string,
  details: readonly string[],
  { catalog, seed }: { catalog: Catalog; seed: string | boolean | undefined },
): Promise<Wanted> {
  const { findBySlug } = await import('./content/catalog.ts');
  const kata = findBySlug('kata', slug, catalog.katas);
  if (!kata.hasExperiment) {
    throw new KitError(
      `There is nothing to see of ${kata.slug}. \`npm run see\` lists the others.`,
    );
  }
  const names = details.filter((word) => !word.includes('='));
  if (names.length > 1) throw new KitError('Name one experiment.', { exitCode: 2 });
  const settings = Object.fromEntries(
    details.filter((word) => word.includes('=')).map(readSetting),
  );
  const [experiment] = names;
  return {
    kata,
    experiment,
    only: experiment === undefined ? 'first' : [experiment],
    settings,
    seed: typeof seed === 'string' ? seed : USUAL_SIGHT.seed,
  };
}

function readSetting(word: string): [string, number] {
  const [name = '', text = ''] = word.split('=', 2);
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return [name, value];
  throw new KitError(`Expected a number after "${name}=", not "${text}".`, { exitCode: 2 });
}

async function inGuardedProcess(
  candidate: { readonly slug: string; readonly code?: string },
  sight: Sight,
  limits: { readonly root: string; readonly timeoutMs: number },
): Promise<Seen> {
  const { createSpecRunner } = await import('./runner/spec-runner.ts');
  const { look } = await import('./see/look.ts');
  const runner = createSpecRunner(limits);
  try {
    return await look(candidate, sight, runner);
  } finally {
    await runner.close();
  }
}

/** Undefined when it could not be drawn. */
async function chosen(
  { names, pictures: [picture], trouble }: Seen,
  { experiment, settings }: Wanted,
): Promise<Picture | undefined> {
  const { notFound } = await import('./args.ts');
  if (picture === undefined) {
    if (trouble.length > 0) return undefined;
    throw new KitError(await notFound('experiment', experiment ?? '', names), { exitCode: 2 });
  }
  const known = picture.settings.map(({ name }) => name);
  for (const name of Object.keys(settings)) {
    if (known.includes(name)) continue;
    const message =
      known.length === 0
        ? `The experiment ${picture.name} has no settings.`
        : await notFound('setting', name, known);
    throw new KitError(message, { exitCode: 2 });
  }
  return picture;
}

async function paragraph(sentence: string): Promise<string> {
  const { harmless, wrap } = await import('./loop/text-block.ts');
  const { columns } = await import('./terminal.ts');
  return [...wrap(harmless(sentence), columns()), ''].join('\n');
}

async function describe(picture: Picture, { names }: Seen, { kata }: Wanted): Promise<string> {
  const { pageOf } = await import('./see/page.ts');
  const { columns } = await import('./terminal.ts');
  const others = names
    .filter((name) => name !== picture.name)
    .map((name) => `npm run see -- ${kata.slug} ${name}`);
  return [
    ...pageOf(picture, columns()),
    ...(others.length === 0 ? [] : ['', `Another: ${others.join(', ')}`]),
  ].join('\n');
}

async function writeSvg(picture: Picture, file: string): Promise<void> {
  const { svgOf } = await import('./see/svg.ts');
  try {
    await writeFile(file, svgOf(picture));
  } catch (error) {
    throw explainDiskError(error, file);
  }
}
