import { fileURLToPath } from 'node:url';
import { callBenches } from './calls/benches.ts';
import { BARE, type CallBench, type Scene, SOLUTION } from './calls/scene.ts';
import { runNode } from './child.ts';
import { contestant, type Contestant, type Measure, type Ratio, sampleInTurn } from './measure.ts';
import { spreadOf } from './statistics.ts';

const PROGRAM = fileURLToPath(new URL('calls/cost.ts', import.meta.url));

/** One for each solution that is compared with libraries. */
export const callMeasures: readonly Measure[] = Object.entries(callBenches).map(measureOf);

function measureOf([slug, { title, scenes, notes }]: [string, CallBench]): Measure {
  return {
    name: slug,
    title,
    async run({ root, signal }) {
      const rivalries = scenes.map((scene) => ({ scene, contestants: contestantsIn(scene) }));
      const contestants = rivalries.flatMap((each) => [...each.contestants.values()]);
      await sampleInTurn(contestants, { rounds: 5, signal });
      return {
        contestants,
        ratios: rivalries.flatMap((each) => ratiosAmong(each.contestants)),
        notes: [
          'each sample in a process of its own: warm-up, then batches, each call awaited where it has a promise, garbage collected before each batch; the lower quartile of the batches counts',
          ...notes,
        ],
      };

      function contestantsIn(scene: Scene): Map<string, Contestant> {
        const subjects = Object.keys(scene.subjects);
        return new Map(
          subjects.map((subject) => [
            subject,
            contestant(`${subject}, ${scene.name}`, 'ns', async () => {
              const { stdout } = await runNode(
                ['--expose-gc', '--import', 'tsx', PROGRAM, slug, scene.name, subject],
                { cwd: root, signal },
              );
              return Number(stdout);
            }),
          ]),
        );
      }
    },
  };
}

/** The aim is to be no slower than the fastest library. */
function ratiosAmong(contestants: ReadonlyMap<string, Contestant>): Ratio[] {
  const ours = contestants.get(SOLUTION);
  if (!ours) throw new Error('There is no solution to compare.');
  const medianOf = ({ samples }: Contestant) => spreadOf(samples).median;
  return [...contestants]
    .filter(([subject]) => subject !== SOLUTION && subject !== BARE)
    .map(([, theirs]) => theirs)
    .toSorted((a, b) => medianOf(a) - medianOf(b))
    .map((theirs, place) => (place === 0 ? { ours, theirs, aim: 1 } : { ours, theirs }));
}
