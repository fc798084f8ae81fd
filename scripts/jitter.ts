import { setImmediate } from 'node:timers/promises';
import { KitError } from '../quiz/problem.ts';
import { type Random, seeded } from '../quiz/random.ts';
import { aligned } from './columns.ts';
import { type Backoff, backoffs, contend, firstRetrySpike } from './measure/backoff-model.ts';
import { runTool } from './measure/tool.ts';

const RUNS = 100;

interface Simulation {
  readonly title: string;
  readonly columns: readonly string[];
  readonly backoffs: readonly Backoff[];
  /** One number for each column. */
  run(backoff: Backoff, random: Random): readonly number[];
}

const simulations: readonly Simulation[] = [
  {
    title: `100 clients each change the same row once, and wait after a lost race
(base 5 ms, cap 2 s, about 10 ms per message; mean of ${RUNS} runs):`,
    columns: ['writes sent', 'all done after (ms)'],
    backoffs: backoffs({ baseMs: 5, capMs: 2_000 }),
    run(backoff, random) {
      const { writes, endMs } = contend({ clients: 100, backoff }, random);
      return [writes, endMs];
    },
  },
  {
    title: `10,000 clients have failed at the same instant, and try again once
(base 500 ms, so 1 s before jitter; mean of ${RUNS} runs):`,
    columns: ['in the busiest 50 ms', 'mean wait (ms)'],
    backoffs: backoffs({ baseMs: 500, capMs: 20_000 }),
    run(backoff, random) {
      const { busiest, meanMs } = firstRetrySpike({ clients: 10_000, backoff }, 50, random);
      return [busiest, meanMs];
    },
  },
];

await runTool({
  help: `Usage: npm run jitter

Simulates clients that wait in different ways before they try again, and prints
the two tables of the lesson on retries. They are the same every time, and take
a few seconds.`,
  async run({ words }, signal) {
    const [word] = words;
    if (word !== undefined) {
      throw new KitError(`jitter takes nothing, but got ${word}.`, { exitCode: 2 });
    }
    for (const simulation of simulations) {
      console.log(`\n${simulation.title}\n`);
      for (const line of aligned(await tableOf(simulation, signal))) console.log(`  ${line}`);
    }
    console.log();
    return 0;
  },
});

async function tableOf(simulation: Simulation, signal: AbortSignal): Promise<string[][]> {
  const rows = [['backoff', ...simulation.columns]];
  for (const backoff of simulation.backoffs) {
    await setImmediate();
    signal.throwIfAborted();
    const runs = Array.from({ length: RUNS }, (_, seed) =>
      simulation.run(backoff, seeded(`${backoff.name} ${seed}`)),
    );
    const means = simulation.columns.map((name, column) => {
      const mean = runs.reduce((sum, numbers) => sum + (numbers[column] ?? 0), 0) / RUNS;
      return Math.round(mean).toLocaleString('en').padStart(name.length);
    });
    rows.push([backoff.name, ...means]);
  }
  return rows;
}
