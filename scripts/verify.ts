import type { Giveaway } from '../quiz/giveaway.ts';
import { KitError, type Problem } from '../quiz/problem.ts';
import { loadCatalog } from './content/catalog.ts';
import type { Command, Invocation } from './command.ts';
import { byText } from './content/kit-folders.ts';
import { shownPath } from './content/kit-layout.ts';
import { type Findings, verifyKit } from './verify/verify-kit.ts';
import type { TrialStats } from './verify/verify-katas.ts';
import { topicOf } from './verify/verify-topic.ts';

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'check all content: katas, misconceptions, lessons, decks',
  help: `Usage: npm run verify [-- slug] [--fix] [--pristine]

Checks the content of the kit, or of one topic, and says of each problem where
it is and what to do. A kata that you are working on is no problem: its
stub is checked instead. With a slug each wrong design is run twice, and both
runs must agree; and experiments are tried on wrong designs as well.

  --fix       write stubs that are out of date, after a copy of what is there,
              and the pictures of experiments
  --pristine  an answer in progress is a problem, too

Exit code: 0 when there are no problems, 1 otherwise.`,
  options: { fix: { type: 'boolean' }, pristine: { type: 'boolean' } },
  run: (invocation) =>
    verify(invocation, {
      print: (text) => console.log(text),
      onProgress: progressLine(process.stderr),
      now: new Date(),
    }),
};

export interface Surroundings {
  readonly print: (text: string) => void;
  /** Told what is being done; an empty text when all is done. */
  readonly onProgress: (text: string) => void;
  readonly now: Date;
}

export async function verify(
  { root, home, words, flags }: Invocation,
  { print, onProgress, now }: Surroundings,
): Promise<number> {
  const [slug, ...more] = words;
  if (more.length > 0) throw new KitError('Name one topic, or none for all.', { exitCode: 2 });
  const catalog = await loadCatalog(root);
  const topic = topicOf(catalog, slug);
  const findings = await verifyKit(catalog, topic, {
    home,
    now,
    fix: flags['fix'] === true,
    pristine: flags['pristine'] === true,
    onProgress,
  }).finally(() => onProgress(''));

  for (const line of report(findings, root)) print(line);
  return findings.checks.some(isFailed) ? 1 : 0;
}

function report({ checks, stubs, trials, giveaway }: Findings, root: string): string[] {
  const shown = (file: string) => shownPath(file, root);
  const problems = checks.flatMap((check) => check.problems);
  const inProgress = stubs.filter((stub) => stub.inProgress).map(({ kata }) => kata.slug);
  const failed = checks.filter(isFailed).length;
  return [
    ...problems.toSorted(byPlace).map(({ file, line, message }) => {
      const place = line === undefined ? shown(file) : `${shown(file)}:${line}`;
      return `${place} ${message}`;
    }),
    ...stubs.flatMap(({ kata, copy }) =>
      copy === undefined
        ? []
        : [`Wrote ${shown(kata.files.stub)}; what was there is in ${shown(copy)}`],
    ),
    ...(inProgress.length > 0
      ? [`In progress, so checked from stub: ${inProgress.join(', ')}`]
      : []),
    ...(giveaway.cards > 0 ? [guessing(giveaway)] : []),
    ...(trials.runs > 0 ? [speed(trials)] : []),
    `${checks.length - failed} passed, ${failed} failed`,
  ];
}

function isFailed({ problems }: Findings['checks'][number]): boolean {
  return problems.length > 0;
}

function byPlace(a: Problem, b: Problem): number {
  return byText(a.file, b.file) || (a.line ?? 0) - (b.line ?? 0);
}

function guessing({ cards, longest, shortest, chance }: Giveaway): string {
  const percent = (count: number) => `${Math.round((100 * count) / cards)} %`;
  return (
    `The right option is the longest in ${percent(longest)} of ${cards} cards, ` +
    `the shortest in ${percent(shortest)} (chance: ${percent(chance)})`
  );
}

function speed({ candidates, runs, elapsedMs }: TrialStats): string {
  const seconds = (ms: number, digits: number) => (ms / 1_000).toFixed(digits);
  const each = seconds(elapsedMs / runs, 2);
  return `${candidates} candidates, ${runs} runs in ${seconds(elapsedMs, 1)} s: ${each} s a run`;
}

/** One line that is written over and over; silent where that would only pile up. */
function progressLine(stream: NodeJS.WriteStream): (text: string) => void {
  if (!stream.isTTY || process.env['TERM'] === 'dumb') return () => {};
  return (text) => {
    const line = text === '' ? '' : `verify: ${text}`;
    stream.write(`\r${line.slice(0, stream.columns - 1)}\u001B[K`);
  };
}
