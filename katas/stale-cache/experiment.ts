import {
  experiment,
  percentile,
  type Run,
  ServiceError,
  uniform,
  type World,
} from '../../scripts/see/experiment.ts';
import { createStaleCache } from './stale-cache.ts';

const FRESH_MS = 5_000;
const REVALIDATE_MS = 2_000;
const SUSPENDED_AT_MS = 6_000;
/** From then on no copy from before may be given without a look at the service. */
const NOBODY_SELLS_MS = SUSPENDED_AT_MS + FRESH_MS + REVALIDATE_MS;
const DOWN_FROM_MS = 14_000;

class SuspendedError extends Error {
  override readonly name = 'SuspendedError';
}

experiment('outage', {
  question:
    'Booths read EUR/USD 400 times a second. A copy is fresh for 5 s, and to load it takes a quarter of a second. Then the rate service is down for ten seconds. What do the booths get, and what does the rate service?',
  asked:
    'On the left a service that is well gets a hundred calls every five seconds, and one that is down gets 400 a second. Where do they come from, and what would they do to a service that has to warm up?',
  lastsMs: 35_000,
  unit: 'a second',
  settings: {
    outage: { says: 'seconds that the rate service is down', usual: 10, from: 1, to: 18 },
  },
  faults: (setting) => [{ ...outage(setting), what: 'down' }],
  without: {
    title: 'a map with a time to live',
    play: (world, setting) => {
      const copies = new Map<string, { arrivedMs: number }>();
      play(world, setting, async (pair, load) => {
        const copy = copies.get(pair);
        if (copy && world.nowMs - copy.arrivedMs < FRESH_MS) return;
        await load();
        copies.set(pair, { arrivedMs: world.nowMs });
      });
    },
  },
  yours: {
    title: 'your cache',
    play: (world, setting) => {
      const cache = createStaleCache<void>({
        freshMs: FRESH_MS,
        staleWhileRevalidateMs: REVALIDATE_MS,
        staleIfErrorMs: 15_000,
        errorMs: 1_000,
        maxEntries: 100,
        isOutage: (error) => error instanceof ServiceError,
      });
      play(world, setting, (pair, load) => cache.get(pair, load));
    },
  },
  lines: {
    calls: (run, fromMs, toMs) => run.service('rates').calls.perSecond(fromMs, toMs),
    'booths with a rate': (run, fromMs, toMs) => booths(run).answered.perSecond(fromMs, toMs),
  },
  numbers: {
    'calls in all': (run) => run.service('rates').calls.total,
    'calls at once, before the outage': (run) =>
      run.service('rates').calls.busiest(250, 1_000, DOWN_FROM_MS),
    'booths with a rate before it (%)': (run) => 100 * booths(run).success(0, DOWN_FROM_MS),
    'p99 of a read before it (ms)': (run) =>
      percentile(booths(run).latenciesMs(0, DOWN_FROM_MS), 0.99),
  },
  observations: [
    {
      says: 'Booths with a rate while the service is down, in percent',
      measure: (run, _, setting) => {
        const { fromMs, toMs } = outage(setting);
        return 100 * booths(run).success(fromMs, toMs);
      },
      atLeast: 99,
      breaks: [
        'A refresh that fails takes the copy with it',
        'A remembered failure comes before the copy',
        'What is too old is thrown away',
      ],
    },
    {
      says: 'Calls to the service while it is down',
      measure: (run, _, setting) => {
        const { fromMs, toMs } = outage(setting);
        return run.service('rates').calls.between(fromMs, toMs);
      },
      atMost: 40,
      breaks: ['Errors are never remembered'],
    },
    {
      says: 'Calls in the busiest quarter of a second',
      measure: (run) => run.service('rates').calls.busiest(250),
      atMost: 5,
      breaks: ['Each reader refreshes'],
    },
    {
      says: 'Sales of a suspended currency, 7 s after that and later',
      measure: (run) => run.counted('sales of what is suspended').total,
      atMost: 0,
      breaks: ['Every error is an outage', 'The answer is passed on, and the copy stays'],
    },
  ],
});

function outage(setting: (name: 'outage') => number) {
  return { fromMs: DOWN_FROM_MS, toMs: DOWN_FROM_MS + 1_000 * setting('outage') };
}

function booths(run: Run) {
  return run.requests('EUR/USD');
}

type Get = (pair: string, load: () => Promise<void>) => Promise<unknown>;

function play(world: World, setting: (name: 'outage') => number, get: Get): void {
  const rates = world.service('rates', {
    servers: 8,
    queue: 40,
    workMs: uniform(200, 300),
    faults: [{ ...outage(setting), kind: 'down' }],
  });
  world.arrivals('EUR/USD', { perSecond: 400 }, () => {
    world.request(() => get('EUR/USD', () => rates.call()), { kind: 'EUR/USD' });
  });

  const loadSuspended = async () => {
    await rates.call();
    if (world.nowMs >= SUSPENDED_AT_MS) throw new SuspendedError();
  };
  world.arrivals('a currency in trouble', { perSecond: 5 }, () => {
    const sell = async () => {
      await get('in trouble', loadSuspended);
      if (world.nowMs >= NOBODY_SELLS_MS) world.count('sales of what is suspended');
    };
    world.request(sell, { kind: 'in trouble' });
  });
}
