import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { copyKata } from '../measure/kata-copy.ts';
import type { TrialStats } from '../verify/verify-katas.ts';
import { runNode } from './child.ts';
import { contestant, type Finding, type Measure, type Place, sampleInTurn } from './measure.ts';
import { coldVitest } from './vitest.ts';

const PROGRAM = fileURLToPath(new URL('verify-trials.ts', import.meta.url));

export const verifyMeasure: Measure = {
  name: 'verify',
  title: 'one candidate in npm run verify',
  async run({ root, slug, signal }: Place): Promise<Finding> {
    const copy = await copyKata(root, slug);
    try {
      let counted = { runs: 0, candidates: 0 };
      const ours = contestant('verify, for each run of a candidate', 'ms', async () => {
        const args = ['--import', 'tsx', PROGRAM, root, slug, join(copy.root, 'home')];
        const { stdout } = await runNode(args, { cwd: root, signal });
        const trials: TrialStats = JSON.parse(stdout);
        counted = trials;
        return trials.elapsedMs / trials.runs;
      });
      const cold = contestant('vitest run', 'ms', async () => {
        const { tookMs } = await coldVitest(copy, signal);
        return tookMs;
      });
      await sampleInTurn([ours, cold], { rounds: 3, warmUps: 0, signal });
      return {
        contestants: [ours, cold],
        ratios: [{ ours, theirs: cold }],
        notes: [
          `${counted.runs} runs of ${counted.candidates} candidates of ${slug} in each round: solution, stub, another way, and each misconception twice; the start of the runners is included, and so is what else verify does meanwhile`,
        ],
      };
    } finally {
      await copy.remove();
    }
  },
};
