import { fileURLToPath } from 'node:url';
import { runNode } from './child.ts';
import { contestant, type Finding, type Measure, type Place, sampleInTurn } from './measure.ts';
import { spreadOf } from './statistics.ts';

const PROGRAM = fileURLToPath(new URL('breaker-calls.ts', import.meta.url));

export const callsMeasure: Measure = {
  name: 'calls',
  title: 'what a call through a circuit breaker costs',
  async run({ root, signal }: Place): Promise<Finding> {
    const closed = contestantsWhen('closed');
    const open = contestantsWhen('open');
    const bare = caller('no breaker', 'bare', 'closed');
    await sampleInTurn([...all(closed), bare, ...all(open)], { rounds: 5, signal });
    return {
      contestants: [...all(closed), bare, ...all(open)],
      ratios: [...ratiosIn(closed), ...ratiosIn(open)],
      notes: [
        'each sample in a process of its own: warm-up, then batches, each call awaited, garbage collected before each batch; the lower quartile of the batches counts',
        'closed: the task is an async function that returns a string',
        'open: after five failures, with no end of the cooldown in sight; the caller catches the error. Most of the time goes into the stack of that error, in all of them alike',
        'the rule is five failures in a row, and nothing else is switched on. opossum has no such rule: more than half of five calls or more in ten seconds; its timeout, percentiles and snapshots are off, its counters cannot be',
      ],
    };

    function contestantsWhen(state: 'closed' | 'open') {
      return {
        solution: caller(`solution, ${state}`, 'solution', state),
        cockatiel: caller(`cockatiel, ${state}`, 'cockatiel', state),
        opossum: caller(`opossum, ${state}`, 'opossum', state),
      };
    }

    function caller(name: string, subject: string, state: string) {
      return contestant(name, 'ns', async () => {
        const { stdout } = await runNode(
          ['--expose-gc', '--import', 'tsx', PROGRAM, subject, state],
          { cwd: root, signal },
        );
        return Number(stdout);
      });
    }
  },
};

type Contestants = Readonly<
  Record<'solution' | 'cockatiel' | 'opossum', ReturnType<typeof contestant>>
>;

function all({ solution, cockatiel, opossum }: Contestants) {
  return [solution, cockatiel, opossum];
}

/** The aim is to be no slower than the faster library. */
function ratiosIn({ solution, cockatiel, opossum }: Contestants) {
  const medianOf = ({ samples }: typeof solution) => spreadOf(samples).median;
  const [faster, slower] =
    medianOf(cockatiel) <= medianOf(opossum) ? [cockatiel, opossum] : [opossum, cockatiel];
  return [
    { ours: solution, theirs: faster, aim: 1 },
    { ours: solution, theirs: slower },
  ];
}
