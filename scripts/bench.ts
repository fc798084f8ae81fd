import { KitError } from '../quiz/problem.ts';
import { notFound } from './args.ts';
import { callMeasures } from './bench/calls.ts';
import { loopMeasure } from './bench/loop.ts';
import type { Measure } from './bench/measure.ts';
import { howToRead, reportLines } from './bench/report.ts';
import { simulationMeasure } from './bench/simulation.ts';
import { startMeasure } from './bench/start.ts';
import { verifyMeasure } from './bench/verify.ts';
import { loadCatalog } from './content/catalog.ts';
import { runTool } from './measure/tool.ts';

const measures: readonly Measure[] = [
  loopMeasure,
  startMeasure,
  verifyMeasure,
  simulationMeasure,
  ...callMeasures,
];

/** Always the same, so that what is measured today compares with what was measured before. */
const USUAL_KATA = 'circuit-breaker';

const NAME_WIDTH = Math.max(...measures.map(({ name }) => name.length));

await runTool({
  help: `Usage: npm run bench [-- measure]

Measures side by side, in turn, and prints ratios: times depend on the machine
and on what else it does, ratios hardly. All of it takes some minutes.

${measures.map(({ name, title }) => `  ${name.padEnd(NAME_WIDTH)} ${title}`).join('\n')}

It works on copies in a temporary folder. Ends with 0 whether aims are met or not,
for a busy machine is no fault.`,
  async run({ root, words }, signal) {
    const wanted = await chosenMeasures(words);
    const { katas } = await loadCatalog(root);
    const kata = katas.find(({ slug }) => slug === USUAL_KATA) ?? katas[0];
    if (!kata) throw new KitError('There is no kata to measure with.');
    for (const measure of wanted) {
      console.error(`Measuring ${measure.name} …`);
      const finding = await measure.run({ root, slug: kata.slug, signal });
      for (const line of reportLines(measure, finding)) console.log(line);
      console.log();
    }
    for (const line of howToRead) console.log(line);
    return 0;
  },
});

async function chosenMeasures(words: readonly string[]): Promise<readonly Measure[]> {
  const [name, ...more] = words;
  if (name === undefined) return measures;
  if (more.length > 0) throw new KitError('Name one measure, or none for all.', { exitCode: 2 });
  const measure = measures.find((each) => each.name === name);
  if (measure) return [measure];
  const names = measures.map((each) => each.name);
  throw new KitError(await notFound('measure', name, names), { exitCode: 2 });
}
