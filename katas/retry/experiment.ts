import {
  constant,
  experiment,
  normal,
  pause,
  percentile,
  type Run,
  ServiceError,
  sweep,
  uniform,
  type World,
} from '../../scripts/see/experiment.ts';
import { type Failure, retry } from './retry.ts';

const LOCKERS = 1_000;
const RESTART = { fromMs: 5_000, toMs: 6_000 };
/** Whoever is not through by then has come back too late. */
const CALM_MS = 13_000;

class NotFoundError extends Error {
  override readonly name = 'NotFoundError';
}

const classify = (error: unknown): Failure =>
  error instanceof ServiceError ? 'not-applied' : 'permanent';

experiment('restart', {
  question:
    'The depot service restarts for a second, and all 1,000 lockers lose their report at the same instant. Each of them tries again. How does the service come back?',
  asked:
    'On the left nothing is broken from second 6 on, and still calls are refused, wave after wave. What keeps the lockers together, and why does doubling the wait not drive them apart?',
  lastsMs: 15_000,
  unit: 'calls a second',
  faults: () => [{ ...RESTART, what: 'restart' }],
  without: {
    title: 'backoff without jitter',
    play: (world) => play(world, withoutJitter({ baseMs: 250, capMs: 4_000 })),
  },
  yours: {
    title: 'your retry',
    play: (world) =>
      play(world, (task) => retry(task, { attempts: 10, baseMs: 250, capMs: 4_000, classify })),
  },
  lines: {
    calls: (run, fromMs, toMs) => depot(run).calls.perSecond(fromMs, toMs),
    answered: (run, fromMs, toMs) => depot(run).useful.perSecond(fromMs, toMs),
  },
  numbers: {
    'calls in all': (run) => depot(run).calls.total,
    'refused after the restart': refused,
    'busiest 100 ms after the restart': busiest,
    'median of the reports (ms)': medianMs,
    'slowest report (ms)': (run) => percentile(run.requests('report').latenciesMs(), 1),
  },
  observations: [
    {
      says: 'Calls in the busiest 100 ms after the restart',
      measure: busiest,
      atMost: 200,
      breaks: ['A little jitter is enough'],
    },
    {
      says: 'Calls that were refused after the restart',
      measure: refused,
      atMost: 150,
      breaks: ['A little jitter is enough'],
    },
    {
      says: 'Median of the reports (ms)',
      measure: medianMs,
      atMost: 1_700,
      breaks: ['One backoff for all calls'],
    },
    {
      says: 'Calls for each parcel that nobody knows',
      measure: (run) =>
        run.counted('calls for unknown').total / run.requests('unknown').begun.total,
      atMost: 1,
      breaks: ['Every failure deserves another try'],
    },
  ],
});

function depot(run: Run) {
  return run.service('depot');
}

function busiest(run: Run): number {
  return depot(run).calls.busiest(100, RESTART.toMs, CALM_MS);
}

function refused(run: Run): number {
  return depot(run).refused.between(RESTART.toMs, CALM_MS);
}

function medianMs(run: Run): number {
  return percentile(run.requests('report').latenciesMs(), 0.5);
}

type Call = (task: () => Promise<void>) => Promise<void>;

function play(world: World, call: Call): void {
  const service = world.service('depot', {
    servers: 20,
    queue: 80,
    workMs: uniform(10, 20),
    faults: [{ ...RESTART, kind: 'down' }],
  });
  for (let locker = 0; locker < LOCKERS; locker += 1) {
    world.at(RESTART.fromMs, () => world.request(() => call(service.call), { kind: 'report' }));
  }
  // What goes on beside it: some ask for parcels that nobody knows, and no repetition will find them.
  world.arrivals('others', { perSecond: 50 }, (number) => {
    if (number % 5 !== 0) {
      world.request(() => call(service.call));
      return;
    }
    const ask = async () => {
      world.count('calls for unknown');
      throw new NotFoundError();
    };
    world.request(() => call(ask), { kind: 'unknown' });
  });
}

function withoutJitter({ baseMs, capMs }: { baseMs: number; capMs: number }): Call {
  return async (task) => {
    for (let waitMs = baseMs; ; waitMs = Math.min(capMs, waitMs * 2)) {
      try {
        return await task();
      } catch (error) {
        if (classify(error) === 'permanent') throw error;
        await pause(waitMs);
      }
    }
  };
}

sweep('contention', {
  question:
    'So many clients want to change the same row once. A write counts only if nobody else has written since the client read; else it waits and begins again. How many writes does it take?',
  asked:
    'Without jitter the work grows with the square of the clients, and waiting longer hardly helps. Why? And what would you do instead if a hundred clients wrote to one row all day?',
  lastsMs: 120_000,
  unit: 'writes until all are through',
  x: { label: 'clients', values: [10, 25, 50, 75, 100] },
  without: {
    title: 'backoff without jitter',
    play: (world, clients) => contend(world, clients, withoutJitter({ baseMs: 10, capMs: 2_000 })),
  },
  yours: {
    title: 'your retry',
    play: (world, clients) =>
      contend(world, clients, (task) =>
        retry(task, { attempts: 1_000, baseMs: 10, capMs: 2_000, classify }),
      ),
  },
  lines: {
    writes: (run) => run.counted('writes').total,
    clients: (run) => run.requests().answered.total,
  },
  observations: [
    {
      says: 'Writes for 100 clients, as a share of those without jitter',
      measure: (yours, without) => yours('writes', 100) / without('writes', 100),
      atMost: 0.5,
      breaks: ['A little jitter is enough'],
    },
  ],
});

function contend(world: World, clients: number, call: Call): void {
  const database = world.service('database', { workMs: constant(0), networkMs: normal(10, 2) });
  let version = 0;
  const change = async () => {
    let read = 0;
    await database.call({
      next: async () => {
        read = version;
      },
    });
    await database.call({
      next: async () => {
        world.count('writes');
        if (read !== version) throw new ServiceError('database', 'refused');
        version += 1;
      },
    });
  };
  for (let client = 0; client < clients; client += 1)
    world.at(0, () => world.request(() => call(change)));
}
