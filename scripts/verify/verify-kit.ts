import { join } from 'node:path';
import { type Card, parseDeck } from '../../quiz/deck.ts';
import { type Giveaway, giveawayOf } from '../../quiz/giveaway.ts';
import type { Moment } from '../content/attempts.ts';
import type { Catalog, Kata } from '../content/catalog.ts';
import type { Check } from './checks.ts';
import { folders } from '../content/kit-layout.ts';
import { cachedReader, type Read } from '../content/text-reader.ts';
import { checkContent } from './verify-content.ts';
import { checkExperiments } from './verify-experiments.ts';
import { type KataTexts, runTrials, stubIn, type TrialStats, trialsOf } from './verify-katas.ts';
import { checkTypes } from './verify-snippets.ts';
import { checkStub, type StubCheck } from './verify-stubs.ts';
import type { Topic } from './verify-topic.ts';

export interface Options extends Moment {
  /** Write stubs that are not what they should be. */
  readonly fix: boolean;
  /** An answer in progress is a problem. */
  readonly pristine: boolean;
  readonly onProgress: (text: string) => void;
}

export interface Findings {
  readonly checks: readonly Check[];
  readonly stubs: readonly StubCheck[];
  readonly trials: TrialStats;
  readonly giveaway: Giveaway;
}

/** Looks at everything in a topic. What is wrong with the content is a finding, never an error. */
export async function verifyKit(
  catalog: Catalog,
  topic: Topic,
  options: Options,
): Promise<Findings> {
  const { root } = catalog;
  const read = cachedReader();
  const katas = await Promise.all(topic.katas.map((kata) => readKata(kata, read)));
  const stubs = await checkStubs(katas, options);

  options.onProgress('the texts');
  const content = await checkContent(catalog, topic, read);

  const tried = katas.map((kata) => trialsOf(kata, topic.runsEach));
  const trials = tried.flatMap((each) => each.trials);
  const [types, trialled] = await Promise.all([
    checkAllTypes(catalog, topic, katas, read),
    runTrials(trials, root, (done, of, slug) => {
      options.onProgress(`${done} of ${of} runs of the specs · ${slug}`);
    }),
  ]);
  const seen = await checkExperiments(katas, {
    catalog,
    read,
    fix: options.fix,
    isThorough: topic.runsEach > 1,
    onProgress: (done, of, slug) => options.onProgress(`${done} of ${of} experiments · ${slug}`),
  });
  return {
    checks: [
      ...content,
      ...stubs.flatMap(({ checks }) => checks),
      ...types,
      ...tried.flatMap(({ checks }) => checks),
      ...trialled.checks,
      ...seen,
    ],
    stubs,
    trials: trialled.stats,
    giveaway: giveawayOf(await cardsIn(topic, read)),
  };
}

async function cardsIn({ decks }: Topic, read: Read): Promise<Card[]> {
  const parsed = await Promise.all(
    decks.map(async ({ file, slug }) => parseDeck((await read(file)) ?? '', file, slug)),
  );
  return parsed.flatMap(({ deck }) => deck?.cards ?? []);
}

async function readKata(kata: Kata, read: Read): Promise<KataTexts> {
  const { files } = kata;
  return {
    kata,
    spec: await read(files.spec),
    solution: await read(files.solution),
    anotherWay: await read(files.anotherWay),
    walkthrough: await read(files.walkthrough),
  };
}

async function checkStubs(katas: readonly KataTexts[], options: Options): Promise<StubCheck[]> {
  return Promise.all(
    katas.flatMap(({ kata, solution }) =>
      solution === undefined ? [] : [checkStub(kata, solution, options)],
    ),
  );
}

async function checkAllTypes(
  { root, katas: all }: Catalog,
  { lessons }: Topic,
  katas: readonly KataTexts[],
  read: Read,
): Promise<Check[]> {
  const markdown = lessons.map(({ file }) => file);
  const code = [join(folders(root).katas, 'virtual-time.ts')];
  const stubs = new Map<string, { text: string; solution: string }>();
  for (const { kata, solution } of katas) {
    const { files } = kata;
    markdown.push(files.walkthrough);
    code.push(files.anotherWay);
    if (solution === undefined) continue;
    // While the marks are wrong, the solution stands in: whatever imports the stub still compiles.
    stubs.set(files.stub, { text: stubIn(solution) ?? solution, solution: files.solution });
    code.push(files.spec, files.solution);
  }
  const texts = { code: await textsOf(code, read), markdown: await textsOf(markdown, read) };
  return checkTypes({ ...texts, stubs, neighbors: await stubsOf(all, read) }, root);
}

/** A lesson may import any kata, also when it is looked at alone. */
async function stubsOf(katas: readonly Kata[], read: Read): Promise<Map<string, string>> {
  const stubs = new Map<string, string>();
  for (const { files } of katas) {
    const solution = await read(files.solution);
    if (solution !== undefined) stubs.set(files.stub, stubIn(solution) ?? solution);
  }
  return stubs;
}

async function textsOf(files: readonly string[], read: Read): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const file of files) {
    const text = await read(file);
    if (text !== undefined) texts.set(file, text);
  }
  return texts;
}
