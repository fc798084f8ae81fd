import {
  experiment,
  mixture,
  percentile,
  sweep,
  uniform,
  type World,
} from '../../scripts/see/experiment.ts';
import { inFlight, poolSize, slowPages } from './back-of-envelope.ts';

/** One call in a hundred takes longer than a second. */
const SLOW = { share: 0.01, fromMs: 1_000 };
const LAST_PAGE_MS = 9_000;
const CALLS = [1, 5, 10, 20, 30, 40, 50, 60];

sweep('tail', {
  question:
    'One call in a hundred takes longer than a second. A page makes so many calls at once and waits for all of them. Which share of the pages takes longer than a second, and who said so before?',
  asked:
    'A page of sixty calls is slow nearly every second time. How quick would each call have to be for one slow page in a hundred, and what would you do if it cannot be that quick?',
  lastsMs: LAST_PAGE_MS + 2 * SLOW.fromMs,
  unit: '% of the pages',
  x: { label: 'calls of a page', values: CALLS },
  without: {
    title: '"one call in a hundred is slow"',
    play: (world, calls) => pages(world, calls, SLOW.share),
  },
  yours: {
    title: 'your slowPages',
    play: (world, calls) => pages(world, calls, slowPages({ slow: SLOW.share, calls })),
  },
  lines: {
    predicted: (run) => run.counted('predicted').total / 10,
    simulated: (run) => (100 * run.counted('slow').total) / run.requests().answered.total,
  },
  observations: [
    {
      says: 'Largest difference between predicted and simulated (% of the pages)',
      measure: (yours) =>
        Math.max(
          ...CALLS.map((calls) => Math.abs(yours('predicted', calls) - yours('simulated', calls))),
        ),
      atMost: 10,
      breaks: ['A page is slow when all its calls are'],
    },
  ],
});

function pages(world: World, calls: number, predicted: number): void {
  // What has been counted is what can be drawn: so thousandths are counted.
  const thousandths = Math.round(1_000 * Math.min(1, predicted));
  for (let count = 0; count < thousandths; count += 1) world.count('predicted');

  const chance = world.random('calls');
  const latencyMs = mixture(uniform(20, 200), SLOW.share, uniform(SLOW.fromMs, 2 * SLOW.fromMs));
  const page = async () => {
    const latenciesMs = Array.from({ length: calls }, () => latencyMs(chance));
    const slowestMs = Math.max(...latenciesMs);
    await world.wait(slowestMs);
    if (slowestMs >= SLOW.fromMs) world.count('slow');
  };
  world.arrivals('pages', { perSecond: 100, untilMs: LAST_PAGE_MS }, () => world.request(page));
}

const EVENING = { fromMs: 20_000, toMs: 40_000 };
const ORDINARY = { perSecond: 70, latencyMs: 300 };

experiment('pool', {
  question:
    'The seat service is asked 70 times a second, and each request holds a permit for 300 ms. At eight it is 90 a second, for twenty seconds. Both pools were sized for 70: how long do buyers wait?',
  asked:
    'On average 21 permits are just enough for 70 a second. Why do buyers wait on the left even before eight, and why do they still wait twenty seconds after it?',
  lastsMs: 70_000,
  unit: 'ms',
  settings: {
    evening: { says: 'requests a second at eight', usual: 90, from: 70, to: 150 },
    utilization: { says: '% of the permits in use at 70 a second', usual: 70, from: 50, to: 100 },
  },
  faults: () => [{ ...EVENING, what: 'at eight' }],
  without: {
    title: 'a pool for the average',
    play: (world, setting) => sell(world, setting('evening'), Math.ceil(inFlight(ORDINARY))),
  },
  yours: {
    title: 'your poolSize',
    play: (world, setting) => {
      const utilization = setting('utilization') / 100;
      sell(world, setting('evening'), poolSize({ ...ORDINARY, utilization }));
    },
  },
  lines: {
    p90: (run, fromMs, toMs) => percentile(run.requests().latenciesMs(fromMs, toMs), 0.9),
    median: (run, fromMs, toMs) => percentile(run.requests().latenciesMs(fromMs, toMs), 0.5),
  },
  numbers: {
    'p99 before (ms)': (run) => percentile(run.requests().latenciesMs(0, EVENING.fromMs), 0.99),
    'p99 after (ms)': (run) => percentile(run.requests().latenciesMs(EVENING.toMs), 0.99),
    'longest line for a permit': (run) => run.service('seats').waiting.highest(),
    'permits in use before, on average': (run) =>
      run.service('seats').working.mean(0, EVENING.fromMs),
  },
  observations: [
    {
      says: 'p99 of the requests at eight (ms)',
      measure: (run) => percentile(run.requests().latenciesMs(EVENING.fromMs, EVENING.toMs), 0.99),
      atMost: 1_000,
      breaks: ['A pool for the average'],
    },
    {
      says: 'Permits beyond what that utilization takes',
      measure: (run, _, setting) => run.counted('permits').total - needed(setting('utilization')),
      atMost: 0,
      breaks: ['A permit for the sixteenth digit'],
    },
  ],
});

/** 21 requests are under way on average. */
function needed(utilizationPercent: number): number {
  return Math.ceil(2_100 / utilizationPercent - 1e-6);
}

function sell(world: World, evening: number, permits: number): void {
  for (let permit = 0; permit < Math.min(permits, 1_000); permit += 1) world.count('permits');
  const seats = world.service('seats', { servers: permits, workMs: uniform(200, 400) });
  const isEight = (ms: number) => ms >= EVENING.fromMs && ms < EVENING.toMs;
  world.arrivals(
    'buyers',
    { perSecond: (ms) => (isEight(ms) ? evening : ORDINARY.perSecond) },
    () => world.request(() => seats.call()),
  );
}
