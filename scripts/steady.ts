import { readFile, writeFile } from 'node:fs/promises';
import { aligned } from './columns.ts';
import { type Kata, loadCatalog } from './content/catalog.ts';
import { applyMisconception, parseMisconceptions } from './content/misconceptions.ts';
import { chosenKatas } from './measure/chosen-katas.ts';
import { countFrom } from './measure/count-from.ts';
import { copyKata, type KataCopy } from './measure/kata-copy.ts';
import { runTool } from './measure/tool.ts';
import { runShuffled, withOtherSeeds } from './proof/steadiness.ts';
import { runAll } from './runner/spec-lanes.ts';
import { isSolved } from './runner/verdict.ts';

/** How many runs share an order of the tests. */
const RUNS_A_ROUND = 20;

/** By how much the seeds are moved for the misconceptions. */
const OTHER_SEED = 1_000;

await runTool({
  help: `Usage: npm run steady [-- slug] [--runs N]

Runs the spec of each kata (or of one) many times on its solution, with its
tests in random order, on all cores at once, every other time with other seeds
for its properties: nothing may fail. Then puts every misconception under the
spec with other seeds: each must be caught still.

  --runs N  how many runs of each, 200 if not given: about half an hour for all

Ends with 1 when a run has failed or a misconception passed.`,
  options: { runs: { type: 'string' } },
  async run({ root, words, flags }, signal) {
    const runs = countFrom('--runs', flags['runs'], 200);
    const rows = [['kata', 'runs', 'failed', 'misconceptions', 'not caught']];
    const troubles: string[] = [];
    for (const kata of chosenKatas(await loadCatalog(root), words)) {
      console.error(`${kata.slug} …`);
      const copy = await copyKata(root, kata.slug);
      try {
        const shuffled = await runMany(copy, runs, signal);
        const wrong = await runMisconceptions(kata, copy);
        rows.push([
          kata.slug,
          ...[shuffled.runs, shuffled.failures.length, wrong.all, wrong.passed.length].map(String),
        ]);
        troubles.push(
          ...shuffled.failures.map((failure) => `${kata.slug}: ${failure}`),
          ...wrong.passed.map((title) => `${kata.slug} with other seeds: ${title}`),
        );
      } finally {
        await copy.remove();
      }
    }
    for (const line of aligned(rows)) console.log(line);
    for (const trouble of troubles) console.log(trouble);
    return troubles.length === 0 ? 0 : 1;
  },
});

async function runMany(copy: KataCopy, runs: number, signal: AbortSignal) {
  const failures: string[] = [];
  let done = 0;
  for (let round = 1; done < runs; round += 1) {
    const shuffled = await runShuffled(copy, {
      runs: Math.min(RUNS_A_ROUND, runs - done),
      round,
      signal,
    });
    done += shuffled.runs;
    failures.push(...shuffled.failures);
  }
  return { runs: done, failures };
}

async function runMisconceptions({ slug, files }: Kata, copy: KataCopy) {
  const [solution, walkthrough] = await Promise.all([
    readFile(files.solution, 'utf8'),
    readFile(files.walkthrough, 'utf8'),
  ]);
  const { misconceptions } = parseMisconceptions(walkthrough, files.walkthrough);
  await writeFile(copy.spec, withOtherSeeds(await readFile(copy.spec, 'utf8'), OTHER_SEED));
  const candidates = misconceptions.map((misconception) => ({
    slug,
    code: applyMisconception(solution, misconception),
  }));
  const verdicts = await runAll(candidates, { root: copy.root });
  const passed = misconceptions.filter((_, place) => {
    const verdict = verdicts[place];
    return verdict !== undefined && isSolved(verdict);
  });
  return { all: misconceptions.length, passed: passed.map(({ title }) => title) };
}
