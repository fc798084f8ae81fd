import { readFile } from 'node:fs/promises';
import { type Kata, loadCatalog } from './content/catalog.ts';
import { chosenKatas } from './measure/chosen-katas.ts';
import { copyKata } from './measure/kata-copy.ts';
import { LEAST_SCORE, reportMutants } from './measure/mutants-report.ts';
import { isSurvivor, type Mutant, scoreOf } from './measure/mutation-report.ts';
import { mutate } from './measure/stryker.ts';
import { parseExplanations, sortSurvivors, SURVIVORS_HEADING } from './measure/survivors.ts';
import { runTool } from './measure/tool.ts';

await runTool({
  help: `Usage: npm run mutants [-- slug]

Changes the solution of a kata in every way that Stryker knows, one small change
at a time, and runs the spec on each: of all katas, or of one.

A change that no test notices has survived. Either a learner's wrong code could
slip through there as well, and the spec lacks a test; or the change does not
matter, and the walkthrough says why in a list under "## ${SURVIVORS_HEADING}":

  - \`oldest < now\` → \`oldest <= now\`: because …

Ends with 1 when the spec notices less than ${LEAST_SCORE * 100} %, or a survivor is not
explained.`,
  async run({ root, words }, signal) {
    let isFine = true;
    for (const kata of chosenKatas(await loadCatalog(root), words)) {
      console.error(`Mutants of ${kata.slug}: this takes a minute or so.`);
      const mutants = await mutantsOf(root, kata, signal);
      const walkthrough = await readFile(kata.files.walkthrough, 'utf8').catch(() => '');
      const sorted = sortSurvivors(mutants.filter(isSurvivor), parseExplanations(walkthrough));
      for (const line of reportMutants(root, kata, mutants, sorted)) console.log(line);
      isFine &&= scoreOf(mutants) >= LEAST_SCORE && sorted.unexplained.length === 0;
    }
    return isFine ? 0 : 1;
  },
});

async function mutantsOf(root: string, { slug }: Kata, signal: AbortSignal): Promise<Mutant[]> {
  const copy = await copyKata(root, slug);
  try {
    return await mutate(copy, signal);
  } finally {
    await copy.remove();
  }
}
