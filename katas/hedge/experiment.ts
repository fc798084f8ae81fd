import {
  experiment,
  mixture,
  percentile,
  type Run,
  uniform,
  type World,
} from '../../scripts/see/experiment.ts';
import { createHedge } from './hedge.ts';

const REPLICAS = [0, 1, 2];
const HOTELS = 40;
const PAUSE_MS = 600;
/** When a replica stops to collect garbage: one after another. */
const PAUSES = [7_000, 11_000, 15_000, 19_000];

type Task = (signal: AbortSignal, attempt: number) => Promise<void>;
interface Client {
  readonly lookUp: (task: Task) => Promise<void>;
  readonly book: (task: Task) => Promise<void>;
}

experiment('pauses', {
  question:
    'A search asks for forty hotels at once, and a lookup takes 12 ms. Four times a replica out of three stops for 600 ms to collect garbage. How long does a page take, and what does it cost to make it quick?',
  asked:
    'Only one replica in three stops, and yet on the left every page of those moments is slow. Why every page? And why would a timeout of 600 ms with a retry not help?',
  lastsMs: 25_000,
  unit: 'ms',
  faults: () => [{ fromMs: 7_000, toMs: 19_600, what: 'pauses' }],
  without: {
    title: 'one replica for each hotel',
    play: (world) => {
      const first: Client['book'] = (task) => task(new AbortController().signal, 1);
      search(world, { lookUp: first, book: first });
    },
  },
  yours: {
    title: 'your hedge',
    play: (world) => {
      const hedge = createHedge({
        delay: { quantile: 0.95, window: 500, minSamples: 50 },
        maxAttempts: 2,
        budget: { ratio: 0.1, burst: 100 },
      });
      search(world, {
        lookUp: (task) => hedge.call(task, { idempotent: true }),
        book: (task) => hedge.call(task),
      });
    },
  },
  lines: {
    'slowest page': (run, fromMs, toMs) => percentile(pages(run).latenciesMs(fromMs, toMs), 1),
    median: (run, fromMs, toMs) => percentile(pages(run).latenciesMs(fromMs, toMs), 0.5),
  },
  numbers: {
    'median of a page (ms)': (run) => percentile(pages(run).latenciesMs(), 0.5),
    'p95 (ms)': (run) => percentile(pages(run).latenciesMs(), 0.95),
    'lookups sent for 100 wanted': (run) =>
      (100 * run.counted('sent').total) / run.counted('wanted').total,
    'rooms held for 100 bookings': (run) => 100 * roomsForEach(run),
  },
  observations: [
    {
      says: 'p95 of a page (ms)',
      measure: (run) => percentile(pages(run).latenciesMs(), 0.95),
      atMost: 120,
      breaks: ['Measures the winner', 'Sorts numbers as text'],
    },
    {
      says: 'Lookups that replicas finish, for 100 that are wanted',
      measure: (run) => (100 * run.counted('finished').total) / run.counted('wanted').total,
      atMost: 102,
      breaks: ['Nobody tells the losers'],
    },
    {
      says: 'Rooms held for each booking',
      measure: roomsForEach,
      atMost: 1,
      breaks: ['Hedges whatever it is given'],
    },
  ],
});

function pages(run: Run) {
  return run.requests('page');
}

function roomsForEach(run: Run): number {
  return run.counted('rooms held').total / run.requests('booking').begun.total;
}

function search(world: World, { lookUp, book }: Client): void {
  const replicas = REPLICAS.map((number) =>
    world.service(`rooms-${number}`, {
      servers: 16,
      workMs: mixture(uniform(6, 14), 0.06, uniform(14, 50)),
      seesLeaving: true,
      faults: PAUSES.filter((_, turn) => turn % REPLICAS.length === number).map((fromMs) => ({
        kind: 'stalled',
        fromMs,
        toMs: fromMs + PAUSE_MS,
      })),
    }),
  );
  const chance = world.random('which replica');
  const replicaFor = (first: number, attempt: number) =>
    replicas[(first + attempt - 1) % replicas.length];

  world.arrivals('pages', { perSecond: 7 }, () => {
    const find = async () => {
      world.count('wanted');
      const first = Math.floor(chance() * REPLICAS.length);
      await lookUp(async (signal, attempt) => {
        world.count('sent');
        await replicaFor(first, attempt)?.call({ signal });
        world.count('finished');
      });
    };
    world.request(() => Promise.all(Array.from({ length: HOTELS }, find)), { kind: 'page' });
  });
  world.arrivals('bookings', { perSecond: 6 }, (number) => {
    // A booking does not stop because nobody wants it any more.
    const next = async () => world.count('rooms held');
    world.request(() => book(async (_, attempt) => replicaFor(number, attempt)?.call({ next })), {
      kind: 'booking',
    });
  });
}

const SLOW = { fromMs: 5_000, toMs: 7_000 };
const DELAY_MS = 40;

experiment('evening', {
  question:
    'Three replicas can do 500 lookups a second, and 300 come. For two seconds all three are four times as slow, because of something they share. So every lookup is out for longer than 40 ms, and is hedged. Does the service come back?',
  asked:
    'From second 7 on nothing is wrong on the left, the load is 60 %, and nothing is answered in time. What keeps it down, and what are two ways to end it?',
  lastsMs: 16_000,
  unit: 'lookups a second',
  settings: {
    load: { says: 'lookups a second that users want', usual: 300, from: 50, to: 450 },
  },
  faults: () => [{ ...SLOW, what: 'all slow' }],
  without: {
    title: 'a hedge without a budget',
    play: (world, setting) => rush(world, setting('load'), withoutBudget(world)),
  },
  yours: {
    title: 'your hedge',
    play: (world, setting) => {
      const hedge = createHedge({
        delay: { ms: DELAY_MS },
        maxAttempts: 2,
        budget: { ratio: 0.1, burst: 10 },
      });
      rush(world, setting('load'), (task, signal) =>
        hedge.call(task, { idempotent: true, signal }),
      );
    },
  },
  lines: {
    sent: (run, fromMs, toMs) => run.counted('sent').perSecond(fromMs, toMs),
    'answered in 2 s': (run, fromMs, toMs) => run.requests().answered.perSecond(fromMs, toMs),
  },
  numbers: {
    'sent for 100 wanted, all slow': (run) => 100 * sentForEach(run),
    'sent for 100 wanted, after that': (run) =>
      (100 * run.counted('sent').between(SLOW.toMs, run.lastsMs)) /
      run.requests().begun.between(SLOW.toMs, run.lastsMs),
    'answered of those meanwhile (%)': whileSlow,
    'answered of those after that (%)': (run) =>
      100 * run.requests().success(SLOW.toMs + 1_000, run.lastsMs - 2_000),
  },
  observations: [
    {
      says: 'Lookups sent for 100 wanted, while all is slow',
      measure: (run) => 100 * sentForEach(run),
      atMost: 120,
      breaks: ['Saves up for a bad day'],
    },
    {
      says: 'Lookups answered of those that began while all was slow, in percent',
      measure: whileSlow,
      atLeast: 90,
      breaks: ['An empty purse ends the call'],
    },
  ],
});

function sentForEach(run: Run): number {
  const { fromMs, toMs } = SLOW;
  return run.counted('sent').between(fromMs, toMs) / run.requests().begun.between(fromMs, toMs);
}

function whileSlow(run: Run): number {
  return 100 * run.requests().success(SLOW.fromMs, SLOW.toMs);
}

function rush(
  world: World,
  load: number,
  lookUp: (task: Task, signal: AbortSignal) => Promise<void>,
): void {
  const replicas = REPLICAS.map((number) =>
    world.service(`rooms-${number}`, {
      servers: 2,
      workMs: uniform(8, 16),
      faults: [{ ...SLOW, kind: 'slow', times: 4 }],
    }),
  );
  const chance = world.random('which replica');
  world.arrivals('lookups', { perSecond: load }, () => {
    const first = Math.floor(chance() * REPLICAS.length);
    const task: Task = async (signal, attempt) => {
      world.count('sent');
      await replicas[(first + attempt - 1) % replicas.length]?.call({ signal });
    };
    world.request((signal) => lookUp(task, signal), { patienceMs: 2_000 });
  });
}

/** A sound hedge otherwise: the first success counts, and the loser is told. */
function withoutBudget(world: World) {
  return async (task: Task, user: AbortSignal): Promise<void> => {
    const over = new AbortController();
    const signal = AbortSignal.any([user, over.signal]);
    const later = async () => {
      await world.wait(DELAY_MS);
      signal.throwIfAborted();
      await task(signal, 2);
    };
    try {
      await Promise.any([task(signal, 1), later()]);
    } finally {
      over.abort();
    }
  };
}
