import { setImmediate } from 'node:timers/promises';
import { KitError } from '../quiz/problem.ts';
import { aligned } from './columns.ts';
import {
  type Conditions,
  createService,
  secondsUntilWell,
  type Service,
} from './measure/overload-model.ts';
import { runTool } from './measure/tool.ts';

interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

interface Row {
  readonly name: string;
  /** One figure for each column. */
  readonly figures: readonly (() => string)[];
}

const THREE_ATTEMPTS: Readonly<Record<string, Partial<Conditions>>> = {
  'one line, no limit': {},
  'queue of 2,000': { places: 2_000 },
  'queue of 500': { places: 500 },
  'newest first': { newestFirst: true },
  'drop the expired': { dropsExpired: true },
};

const POLICIES: Readonly<Record<string, Partial<Conditions>>> = {
  ...THREE_ATTEMPTS,
  'retry budget of 10 %': { retryRatio: 0.1 },
  'no retries': { attempts: 1 },
};

const STEADY_LOADS = [900, 1_100, 1_500, 3_000];
const STALL_LOADS = [300, 350, 600, 900];
const STUCK_LOADS = [600, 700];

const ACTIONS: Readonly<Record<string, (service: Service, load: number) => void>> = {
  wait: () => {},
  'half as many servers again': (service) => service.change({ capacity: 1_500 }),
  'twice the servers': (service) => service.change({ capacity: 2_000 }),
  'turn away a third': (service, load) => service.change({ load: (load * 2) / 3 }),
  'turn away half': (service, load) => service.change({ load: load / 2 }),
  'empty the line': (service) => service.dropQueue(),
  'retries off': (service) => service.change({ attempts: 1 }),
  'retries off, empty the line': (service) => {
    service.change({ attempts: 1 });
    service.dropQueue();
  },
  'drop the expired from now on': (service) => service.change({ dropsExpired: true }),
};

const tables: readonly Table[] = [
  {
    title: `More load than capacity, for a minute: answers in time in the last second
(capacity 1,000 a second, clients wait 1 s and do not retry):`,
    columns: STEADY_LOADS.map(perSecond),
    rows: Object.entries(THREE_ATTEMPTS).map(([name, policy]) => ({
      name,
      figures: STEADY_LOADS.map((load) => () => {
        const service = createService({ ...policy, load, attempts: 1 });
        service.run(60);
        return (service.seconds.at(-1)?.inTime ?? 0).toLocaleString('en');
      }),
    })),
  },
  {
    title: `The server stalls for 5 s: how long after it 99 % of requests are answered again
(capacity 1,000 a second, clients wait 1 s and make up to 3 attempts without a
pause; never means not within ten minutes):`,
    columns: STALL_LOADS.map(perSecond),
    rows: Object.entries(POLICIES).map(([name, policy]) => ({
      name,
      figures: STALL_LOADS.map((load) => () => {
        const service = createService({ ...policy, load });
        stall(service);
        return spoken(secondsUntilWell(service));
      }),
    })),
  },
  {
    title: `One line without a limit, a minute after the stall somebody acts: how long until
99 % of the requests that are let in are answered:`,
    columns: STUCK_LOADS.map(perSecond),
    rows: Object.entries(ACTIONS).map(([name, act]) => ({
      name,
      figures: STUCK_LOADS.map((load) => () => {
        const service = createService({ load });
        stall(service);
        service.run(60);
        act(service, load);
        return spoken(secondsUntilWell(service));
      }),
    })),
  },
];

await runTool({
  help: `Usage: npm run overload

Simulates a server that gets more than it can do, with and without protection,
and prints the three tables of the lesson on load shedding. They are the same
every time, and take some seconds.`,
  async run({ words }, signal) {
    const [word] = words;
    if (word !== undefined) {
      throw new KitError(`overload takes nothing, but got ${word}.`, { exitCode: 2 });
    }
    for (const table of tables) {
      console.log(`\n${table.title}\n`);
      for (const line of aligned(await cellsOf(table, signal))) console.log(`  ${line}`);
    }
    console.log();
    return 0;
  },
});

async function cellsOf({ columns, rows }: Table, signal: AbortSignal): Promise<string[][]> {
  const cells: string[][] = [];
  for (const { name, figures } of rows) {
    const row = [name];
    for (const figure of figures) {
      await setImmediate();
      signal.throwIfAborted();
      row.push(figure());
    }
    cells.push(row);
  }
  return [['', ...columns], ...cells];
}

function stall(service: Service): void {
  service.run(10);
  service.run(5, { stalled: true });
}

function perSecond(load: number): string {
  return `${load.toLocaleString('en')}/s`;
}

function spoken(seconds: number | undefined): string {
  if (seconds === undefined) return 'never';
  return seconds === 0 ? 'at once' : `${seconds} s`;
}
