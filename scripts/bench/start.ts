import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runNode } from './child.ts';
import { contestant, type Finding, type Measure, type Place, sampleInTurn } from './measure.ts';

export const startMeasure: Measure = {
  name: 'start',
  title: 'the first screen of npm start, without a terminal',
  async run({ root, signal }: Place): Promise<Finding> {
    const folder = await mkdtemp(join(tmpdir(), 'half-open-'));
    try {
      const empty = join(folder, 'empty.ts');
      await writeFile(empty, '');
      const env = { HALF_OPEN_HOME: join(folder, 'home') };
      const timed = (args: readonly string[]) => async () =>
        (await runNode(args, { cwd: root, env, signal })).tookMs;
      const npm = process.env['npm_execpath'];
      const start = await startArguments(root);
      const ours = contestant('what npm runs', 'ms', timed(start));
      const whole = npm && contestant('npm start', 'ms', timed([npm, 'start', '--silent']));
      const node = contestant('node -e 0', 'ms', timed(['-e', '0']));
      const tsx = contestant('node --import tsx', 'ms', timed(['--import', 'tsx', empty]));
      const contestants = [...(whole ? [whole] : []), ours, tsx, node];
      await sampleInTurn(contestants, { rounds: 15, signal });
      return {
        contestants,
        ratios: [
          ...(whole ? [{ ours: whole, theirs: node, aim: 6 }] : []),
          { ours, theirs: node },
          { ours: tsx, theirs: node },
        ],
        notes: [
          'from start to end of the process, for it ends when the screen is printed',
          'what npm runs: npm start without the time of npm itself; a home without a journal',
          'node --import tsx: an empty file; less is not to be had with TypeScript as it is',
        ],
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** What npm runs, without the word `node`. */
async function startArguments(root: string): Promise<string[]> {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return String(scripts.start).split(' ').slice(1);
}
