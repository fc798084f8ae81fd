import {
  experiment,
  percentile,
  type Run,
  uniform,
  type World,
} from '../../scripts/see/experiment.ts';
import { createRateLimiter } from './rate-limiter.ts';

const OTHERS = 39;
/** Addresses in a list: each call brings one list. */
const LIST = 40;
/** Addresses a second that a firm asks for on an ordinary day. */
const ORDINARY = 6;
const LOOP = { fromMs: 50_000, toMs: 140_000 };
/** By then Hare has spent its burst. */
const SPENT_MS = LOOP.fromMs + 5_000;
const PATIENCE_MS = 5_000;
const BURST = 200;
/** Nobody comes back sooner. */
const ROUND_TRIP_MS = 20;

experiment('loop', {
  question:
    'Forty firms share a geocoder that manages 400 addresses a second. Each asks for 6 a second, until the planner of Hare Couriers asks for 2,000, in a loop, for 90 seconds. Who is served within 5 s?',
  asked:
    'On the left Hare stops at second 140, and for more than a minute still nobody else is served, though the limit of 24,000 a minute is just what the geocoder can do. What else is wrong with that limit, apart from being one for all?',
  lastsMs: 240_000,
  unit: 'addresses served a second',
  settings: {
    hare: { says: 'addresses a second that Hare asks for', usual: 2_000, from: 20, to: 4_000 },
    rate: { says: 'addresses a second promised to each firm', usual: 10, from: 10, to: 500 },
  },
  faults: () => [{ ...LOOP, what: 'the loop' }],
  without: {
    title: 'one counter for all',
    play: (world, setting) => play(world, setting('hare'), oneCounter(world)),
  },
  yours: {
    title: 'your bucket for each firm',
    play: (world, setting) => play(world, setting('hare'), buckets(setting('rate'))),
  },
  lines: {
    Hare: (run, fromMs, toMs) => run.requests('Hare').answered.perSecond(fromMs, toMs) * LIST,
    'the others': (run, fromMs, toMs) =>
      run.requests('others').answered.perSecond(fromMs, toMs) * LIST,
  },
  numbers: {
    'lists of the others lost': (run) => run.requests('others').failed.total,
    'p99 of those served (ms)': (run) =>
      percentile(run.requests('others').latenciesMs(LOOP.fromMs, LOOP.toMs), 0.99),
    'Hare in its loop (a second)': hareServed,
    'longest queue (lists)': (run) => run.service('geocoder').waiting.highest(),
  },
  observations: [
    {
      says: 'Lists of the others that were served during the loop (%)',
      measure: othersServed,
      atLeast: 97,
      breaks: ['A full bucket needs no date'],
    },
    {
      says: 'What Hare was served during the loop, of what it was promised (%)',
      measure: (run, _, setting) => (100 * hareServed(run)) / setting('rate'),
      atLeast: 90,
      breaks: [
        'Adds whole tokens and moves the time on',
        'Counts refused calls too',
        'Takes what there is',
      ],
    },
    {
      says: 'What Hare was served in its busiest 10 s after the burst, of what it was promised (%)',
      measure: (run, _, setting) =>
        (100 * run.requests('Hare').answered.busiest(10_000, SPENT_MS, LOOP.toMs) * LIST) /
        (10 * setting('rate')),
      atMost: 150,
      breaks: ['A window in place of a bucket', 'Drops everyone at once'],
    },
  ],
});

function othersServed(run: Run): number {
  return 100 * run.requests('others').success(LOOP.fromMs, LOOP.toMs);
}

function hareServed(run: Run): number {
  return run.requests('Hare').answered.perSecond(SPENT_MS, LOOP.toMs) * LIST;
}

/** Takes a list from a firm, or says after how many milliseconds to come back. */
type Limit = (firm: string) => 'granted' | number;

class TooManyRequestsError extends Error {
  override readonly name = 'TooManyRequestsError';
}

function play(world: World, hare: number, limit: Limit): void {
  const geocoder = world.service('geocoder', { servers: 4, workMs: uniform(300, 500) });
  const chance = world.random('firm');

  const patiently = async (firm: string, signal: AbortSignal) => {
    while (!signal.aborted) {
      const answer = limit(firm);
      if (answer === 'granted') return geocoder.call();
      await world.wait(answer);
    }
    throw new TooManyRequestsError();
  };
  world.arrivals('others', { perSecond: (OTHERS * ORDINARY) / LIST }, () => {
    const firm = `firm ${Math.floor(chance() * OTHERS)}`;
    const options = { kind: 'others', patienceMs: PATIENCE_MS };
    world.request((signal) => patiently(firm, signal), options);
  });

  const once = async () => {
    if (limit('Hare') !== 'granted') throw new TooManyRequestsError();
    await geocoder.call();
  };
  const hareAsks = (perSecond: number, fromMs: number, untilMs: number) =>
    world.arrivals(`Hare ${fromMs}`, { perSecond: perSecond / LIST, fromMs, untilMs }, () =>
      world.request(once, { kind: 'Hare' }),
    );
  hareAsks(ORDINARY, 0, LOOP.fromMs);
  hareAsks(hare, LOOP.fromMs, LOOP.toMs);
  hareAsks(ORDINARY, LOOP.toMs, world.lastsMs);
}

function oneCounter(world: World): Limit {
  let minute = 0;
  let used = 0;
  return () => {
    const now = Math.floor(world.nowMs / 60_000);
    if (now > minute) [minute, used] = [now, 0];
    // It does not say when to come back, so they ask each second.
    if (used + LIST > 24_000) return 1_000;
    used += LIST;
    return 'granted';
  };
}

function buckets(ratePerSecond: number): Limit {
  const limiter = createRateLimiter({ ratePerSecond, burst: BURST });
  return (firm) => {
    const decision = limiter.take(firm, LIST);
    if (decision.granted) return 'granted';
    const waitMs = Number(decision.retryAfterMs);
    return waitMs >= ROUND_TRIP_MS ? waitMs : ROUND_TRIP_MS;
  };
}
