import {
  constant,
  experiment,
  percentile,
  type Run,
  uniform,
  type World,
} from '../../scripts/see/experiment.ts';
import { createBulkheads } from './bulkhead.ts';

const SALES_PER_SECOND = 60;
const SLOW = { fromMs: 10_000, toMs: 25_000 };
/** The last of what began while it was slow has ended. */
const CALM_MS = 40_000;
/** So long a call waits for a connection, and a sale for its points. */
const PATIENCE_MS = 1_000;

experiment('points', {
  question:
    '60 sales a second ask the insurer, the stock and the points, which answer in 40 ms. For 15 seconds the points take 9 s. A sale waits 1 s for them, then it goes through without; the call itself runs on, and keeps its connection. Who still gets insulin?',
  asked:
    'On the left sales go on as before for a while after second 10, and only then break down. What decides how long they hold, and what would a pool of 400 have changed? How large would it have to be?',
  lastsMs: 50_000,
  unit: 'sales a second',
  faults: () => [{ ...SLOW, what: 'points take 9 s' }],
  settings: {
    pool: { says: 'connections in the shared pool', usual: 200, from: 20, to: 1_000 },
    permits: { says: 'permits of each compartment', usual: 20, from: 3, to: 100 },
  },
  without: {
    title: 'one pool for all three',
    play: (world, setting) => play(world, sharedPool(world, setting('pool'))),
  },
  yours: {
    title: 'your bulkheads',
    play(world, setting) {
      const bulkheads = createBulkheads({
        permits: setting('permits'),
        queue: 10,
        maxWaitMs: PATIENCE_MS,
      });
      play(world, (name, task, signal) => bulkheads.for(name).run(task, { signal }));
    },
  },
  lines: {
    sales: (run, fromMs, toMs) => run.requests('sale').answered.perSecond(fromMs, toMs),
    'with points': (run, fromMs, toMs) => run.counted('with points').perSecond(fromMs, toMs),
  },
  numbers: {
    'sales through while points are slow, of 100': soldWhileSlow,
    'median time of those (ms)': medianMs,
    'connections to the points at once, most': (run) => run.service('points').working.highest(),
    'to insurer and stock': (run) =>
      run.service('insurer').working.highest() + run.service('stock').working.highest(),
    'sales lost in all': (run) => run.requests('sale').failed.total,
  },
  observations: [
    {
      says: 'Of 100 sales while points are slow, through',
      measure: soldWhileSlow,
      atLeast: 95,
      breaks: ['One compartment for all'],
    },
    {
      says: 'Median time of a sale while points are slow (ms)',
      measure: medianMs,
      atMost: 100,
      breaks: ['The line has no end'],
    },
    {
      says: 'Most calls at once to the points, for each permit',
      measure: (run, _, setting) => run.service('points').working.highest() / setting('permits'),
      atMost: 1,
      breaks: ['The caller has gone, so the permit is free', 'A refused call gives a permit back'],
    },
    {
      says: 'Of 100 sales in the last 10 s, with points',
      measure: (run) =>
        (100 * run.counted('with points').between(CALM_MS, run.lastsMs)) /
        run.requests('sale').begun.between(CALM_MS, run.lastsMs),
      atLeast: 85,
      breaks: ['A task that fails keeps its permit', 'Whoever gives up stays in the list'],
    },
  ],
});

function soldWhileSlow(run: Run): number {
  return 100 * run.requests('sale').success(SLOW.fromMs, SLOW.toMs);
}

function medianMs(run: Run): number {
  return percentile(run.requests('sale').latenciesMs(SLOW.fromMs, SLOW.toMs), 0.5);
}

/** Calls a dependency with one of the connections there are. The signal aborts when nobody waits any more. */
type Connect = (
  dependency: string,
  task: () => Promise<void>,
  signal: AbortSignal,
) => Promise<void>;

function play(world: World, connect: Connect): void {
  const workMs = uniform(30, 50);
  const insurer = world.service('insurer', { workMs });
  const stock = world.service('stock', { workMs });
  const points = world.service('points', {
    workMs,
    faults: [
      { ...SLOW, kind: 'slow', times: 225 },
      { fromMs: 0, toMs: world.lastsMs, kind: 'failing', share: 0.05 },
    ],
  });
  const sell = async () => {
    const ask = ({ name, call }: typeof points) =>
      withPatience((signal) => connect(name, () => call(), signal));
    const credited = ask(points).then(
      () => world.count('with points'),
      () => {},
    );
    await Promise.all([ask(insurer), ask(stock), credited]);
  };
  world.arrivals('sales', { perSecond: SALES_PER_SECOND }, () =>
    world.request(sell, { kind: 'sale' }),
  );
}

/** As the pool of an HTTP client: first come, first served, and whoever has left in the meantime is passed over. */
function sharedPool(world: World, connections: number): Connect {
  const pool = world.service('pool', { servers: connections, workMs: constant(0) });
  return (_, task, signal) =>
    pool.call({
      async next() {
        signal.throwIfAborted();
        await task();
      },
    });
}

class PatienceError extends Error {
  override readonly name = 'nobody waited any more';
}

/** What has been asked goes on, whether or not somebody waits for it. */
function withPatience(ask: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const leaving = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      leaving.abort(new PatienceError());
      reject(leaving.signal.reason);
    }, PATIENCE_MS);
    ask(leaving.signal)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
