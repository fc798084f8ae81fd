import { seeded } from '../quiz/random.ts';
import { KitError } from '../quiz/problem.ts';
import { aligned } from './columns.ts';
import { backoffs, contend } from './measure/backoff-model.ts';
import { contendInWorld } from './measure/contention.ts';
import { erlangC, meanWait, type Queue, slowPages } from './measure/queue-formulas.ts';
import { simulatePages, simulateQueue } from './measure/queue-simulation.ts';
import { runTool } from './measure/tool.ts';

const RUNS = 100;
const CLIENTS = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
const COMPARED = ['none', 'exponential', 'equal', 'full', 'decorrelated'];

const SERVERS = [1, 8];
const UTILIZATIONS = [0.5, 0.7, 0.8, 0.9, 0.95];
/**
 * So many that chance moves the mean wait by hardly more than one percent: near full load waits come in long rows of
 * like ones, and with many servers at half load there are few.
 */
const arrivalsFor = (utilization: number) =>
  Math.max(2_000_000, Math.round(10_000 / (1 - utilization) ** 2));

const SLOW = 0.01;
const CALLS = [1, 5, 10, 20, 50, 100];
const PAGES = 50_000;

/** What may lie between a simulation and the formula. */
const TOLERANCE = 0.02;

await runTool({
  help: `Usage: npm run models

Compares the simulations of \`npm run see\` with what is known: queues with
Erlang's formula and Little's law, pages with the formula for the tail of a
fan-out, and clients that race for a row with the model of the AWS article on
backoff and jitter. Ends with 1 when a queue is off by more than 2 %. Takes
about five minutes.`,
  async run({ words }, signal) {
    const [word] = words;
    if (word !== undefined) {
      throw new KitError(`models takes nothing, but got ${word}.`, { exitCode: 2 });
    }
    const queues = await queueTable(signal);
    print('Queues with Poisson arrivals and exponential service times (M/M/c):', queues.rows);
    print(
      `Pages with a slow call, when ${percent(SLOW)} of the calls are slow:`,
      await pageTable(signal),
    );
    for (const { title, rows } of await contentionTables(signal)) print(title, rows);
    console.log(
      `\nThe queues differ by ${percent(queues.worst)} at most; ${percent(TOLERANCE)} are allowed.`,
    );
    return queues.worst <= TOLERANCE ? 0 : 1;
  },
});

async function queueTable(signal: AbortSignal) {
  const rows = [
    [
      'servers',
      'busy',
      'has to wait',
      'Erlang C',
      'off by',
      'mean wait',
      'formula',
      'off by',
      'Little',
    ],
  ];
  let worst = 0;
  for (const servers of SERVERS) {
    for (const utilization of UTILIZATIONS) {
      signal.throwIfAborted();
      const queue: Queue = { servers, utilization };
      console.error(`A queue for ${servers}, ${percent(utilization)} busy …`);
      const seen = await simulateQueue(queue, arrivalsFor(utilization), '1');
      const byFormula = { probability: erlangC(queue), mean: meanWait(queue) };
      const errors = {
        probability: seen.probability / byFormula.probability - 1,
        mean: seen.mean / byFormula.mean - 1,
      };
      worst = Math.max(worst, ...Object.values(errors).map(Math.abs));
      rows.push([
        String(servers),
        percent(utilization),
        seen.probability.toFixed(3),
        byFormula.probability.toFixed(3),
        signed(errors.probability),
        seen.mean.toFixed(3),
        byFormula.mean.toFixed(3),
        signed(errors.mean),
        signed(seen.littleError),
      ]);
    }
  }
  return { rows, worst };
}

async function pageTable(signal: AbortSignal): Promise<string[][]> {
  const rows = [['calls', 'simulated', '1 − (1 − p)ⁿ']];
  for (const calls of CALLS) {
    signal.throwIfAborted();
    const seen = await simulatePages({ slow: SLOW, calls }, PAGES, '1');
    rows.push([String(calls), percent(seen), percent(slowPages(SLOW, calls))]);
  }
  return rows;
}

async function contentionTables(signal: AbortSignal) {
  const ways = backoffs({ baseMs: 5, capMs: 2_000 }).filter(({ name }) => COMPARED.includes(name));
  const head = ['clients', ...ways.map(({ name }) => name)];
  const writes = [head];
  const times = [head];
  for (const clients of CLIENTS) {
    const means = [];
    for (const backoff of ways) {
      const races = [];
      for (let race = 0; race < RUNS; race += 1) {
        signal.throwIfAborted();
        races.push(await contendInWorld({ clients, backoff }, `${backoff.name} ${race}`));
      }
      means.push(meanOf(races));
    }
    writes.push([String(clients), ...means.map((mean) => whole(mean.writes))]);
    times.push([String(clients), ...means.map((mean) => whole(mean.endMs))]);
  }
  const [most = 0] = CLIENTS.slice(-1);
  const others = ways.map((backoff) =>
    meanOf(
      Array.from({ length: RUNS }, (_, race) =>
        contend({ clients: most, backoff }, seeded(`${backoff.name} ${race}`)),
      ),
    ),
  );
  writes.push([`${most} *`, ...others.map((mean) => whole(mean.writes))]);
  times.push([`${most} *`, ...others.map((mean) => whole(mean.endMs))]);
  const note = `base 5 ms, cap 2 s, mean of ${RUNS} races; * the model of \`npm run jitter\``;
  return [
    { title: `Writes until all clients have changed the same row (${note}):`, rows: writes },
    { title: 'Milliseconds until the last of them has:', rows: times },
  ];
}

interface Race {
  readonly writes: number;
  readonly endMs: number;
}

function meanOf(races: readonly Race[]): Race {
  const mean = (of: (race: Race) => number) =>
    races.reduce((sum, race) => sum + of(race), 0) / races.length;
  return { writes: mean(({ writes }) => writes), endMs: mean(({ endMs }) => endMs) };
}

function print(title: string, rows: readonly (readonly string[])[]): void {
  console.log(`\n${title}\n`);
  for (const line of aligned(rows)) console.log(`  ${line}`);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function signed(share: number): string {
  return `${share < 0 ? '−' : '+'}${percent(Math.abs(share))}`;
}
