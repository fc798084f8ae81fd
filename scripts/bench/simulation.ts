import { fileURLToPath } from 'node:url';
import { runNode } from './child.ts';
import { contestant, type Finding, type Measure, type Place, sampleInTurn } from './measure.ts';
import type { Timers } from './simulation/timers.ts';

const PROGRAM = fileURLToPath(new URL('simulation/cost.ts', import.meta.url));
const FEW = 1_000;
const SOME = 10_000;
const MANY = 100_000;

export const simulationMeasure: Measure = {
  name: 'simulation',
  title: 'an event in the world of npm run see, for clients who wait again and again',
  async run({ root, signal }: Place): Promise<Finding> {
    const rivals = [FEW, SOME, MANY].map((clients) => ({
      ours: subject('the simulation', clients),
      theirs: subject('fake timers', clients),
    }));
    const contestants = rivals.flatMap(({ ours, theirs }) => [ours, theirs]);
    await sampleInTurn(contestants, { rounds: 5, warmUps: 0, signal });
    const [few, , many] = rivals;
    if (!few || !many) throw new Error('There is nothing to compare.');
    return {
      contestants,
      ratios: [
        ...rivals.map((each) => ({ ...each, aim: 1 })),
        { ours: many.ours, theirs: few.ours, aim: Math.log(MANY) / Math.log(FEW) },
      ],
      notes: [
        '5,000 ns an event are 200,000 events a second, which is what the simulation aims at',
        'the same clients, on setTimeout and promises; both let all promises settle between events',
        'fake timers: the library behind those of Vitest, advanced with tickAsync',
        'the aim of the last ratio is growth with n log n; what exceeds it is the memory of the clients, which no cache holds and the garbage collector has to move',
        'each sample in a process of its own',
      ],
    };

    function subject(timers: Timers, clients: number) {
      return contestant(`${timers}, ${clients.toLocaleString('en')} clients`, 'ns', async () => {
        const args = ['--import', 'tsx', PROGRAM, timers, String(clients)];
        return Number((await runNode(args, { cwd: root, signal })).stdout);
      });
    }
  },
};
