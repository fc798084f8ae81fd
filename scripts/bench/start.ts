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
      const ours = contestant('npm start', 'ms', timed(await startArguments(root)));
      const node = contestant('node -e 0', 'ms', timed(['-e', '0']));
      const tsx = contestant('node --import tsx', 'ms', timed(['--import', 'tsx', empty]));
      await sampleInTurn([ours, node, tsx], { rounds: 15, signal });
      return {
        contestants: [ours, node, tsx],
        ratios: [
          { ours, theirs: node, aim: 6 },
          { ours: tsx, theirs: node },
        ],
        notes: [
          'from start to end of the process, for it ends when the screen is printed',
          'npm start: what npm runs, without npm itself; a home without a journal',
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
