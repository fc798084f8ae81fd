import { readFile } from 'node:fs/promises';
import { seeded } from '../quiz/random.ts';
import { KitError } from '../quiz/problem.ts';
import { aligned } from './columns.ts';
import { type Kata, loadCatalog } from './content/catalog.ts';
import { parseMisconceptions } from './content/misconceptions.ts';
import { chosenKatas } from './measure/chosen-katas.ts';
import { runTool } from './measure/tool.ts';
import {
  type Diagnosis,
  designsOf,
  diagnose,
  pairs,
  singles,
  slips,
  type WrongAnswer,
} from './proof/diagnosis.ts';
import { runAll } from './runner/spec-lanes.ts';

const USUAL_TRIALS = 10;
const kinds = ['one', 'two', 'slip'] as const;
const said = ['right', 'also', 'silent', 'wrong', 'passed'] as const;

type Counts = Record<(typeof kinds)[number], Record<Diagnosis, number>>;

await runTool({
  help: `Usage: npm run diagnosis [-- slug]

Hands in wrong answers and counts what the loop says of them: each misconception
alone ("one"), up to ${USUAL_TRIALS} pairs of them for each kata ("two"), and as many small slips
that are no misconception of the kit ("slip").

  right   names what is in the answer, and nothing else
  also    names what is in it, and another that fails the same tests
  silent  names nothing
  wrong   names only what is not in it; of a slip: names anything
  passed  the spec did not notice

Ends with 1 when a misconception alone is not named. Takes some minutes.`,
  async run({ root, words }, signal) {
    const total = noCounts();
    const rows: string[][] = [];
    for (const kata of chosenKatas(await loadCatalog(root), words)) {
      console.error(`${kata.slug} …`);
      const counts = await countsOf(kata, root, signal);
      for (const kind of kinds) for (const each of said) total[kind][each] += counts[kind][each];
      rows.push([kata.slug, ...cellsOf(counts)]);
    }
    const head = ['right/also/silent/wrong/passed', ...kinds];
    for (const line of aligned([head, ...rows, ['all', ...cellsOf(total)]])) console.log(line);
    const { silent, wrong, passed } = total.one;
    return silent + wrong + passed === 0 ? 0 : 1;
  },
});

async function countsOf(kata: Kata, root: string, signal: AbortSignal): Promise<Counts> {
  const { slug, files } = kata;
  const [solution, walkthrough] = await Promise.all(
    [files.solution, files.walkthrough].map((file) => readFile(file, 'utf8')),
  );
  if (solution === undefined || walkthrough === undefined)
    throw new KitError(`${slug} is not finished.`);
  const { misconceptions } = parseMisconceptions(walkthrough, files.walkthrough);
  const random = seeded(slug);
  const answers: Record<(typeof kinds)[number], WrongAnswer[]> = {
    one: singles(solution, misconceptions),
    two: pairs(solution, misconceptions, USUAL_TRIALS, random),
    slip: slips(solution, misconceptions, USUAL_TRIALS, random),
  };
  const counts = noCounts();
  let designs: ReturnType<typeof designsOf> = [];
  for (const kind of kinds) {
    signal.throwIfAborted();
    const verdicts = await runAll(
      answers[kind].map(({ code }) => ({ slug, code })),
      { root },
    );
    if (kind === 'one') designs = designsOf(misconceptions, verdicts);
    for (const [place, answer] of answers[kind].entries()) {
      const verdict = verdicts[place];
      if (verdict) counts[kind][diagnose(answer, verdict, designs)] += 1;
    }
  }
  return counts;
}

function noCounts(): Counts {
  const none = () => ({ right: 0, also: 0, silent: 0, wrong: 0, passed: 0 });
  return { one: none(), two: none(), slip: none() };
}

/** `20/2/0/0/0` for each kind. */
function cellsOf(counts: Counts): string[] {
  return kinds.map((kind) => said.map((each) => counts[kind][each]).join('/'));
}
