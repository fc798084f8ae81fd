import {
  experiment,
  percentile,
  type Run,
  ServiceError,
  uniform,
  within,
  type World,
} from '../../scripts/see/experiment.ts';
import { CircuitOpenError, createCircuitBreaker } from './circuit-breaker.ts';

const SLOW = { fromMs: 8_000, toMs: 20_000 };
/** The first timeouts have told by then. */
const KNOWN_MS = 11_000;
/** All is well for longer than a cooldown and a probe. */
const CALM_MS = 28_000;
/** Whoever waits longer for a product has gone to another shop. */
const PATIENCE_MS = 1_000;

class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

class CardDeclinedError extends Error {
  override readonly name = 'CardDeclinedError';
}

const isFailure = (error: unknown) =>
  error instanceof TimeoutError || error instanceof ServiceError;

experiment('slow', {
  question:
    'For 12 seconds payment takes 30 times as long. 140 checkouts a second wait for it, up to their timeout of 2 s, and each holds one of the 200 workers of the shop. Looking at a product takes a worker too, but no payment. What still works, and how soon after those 12 seconds can people pay again?',
  asked:
    'From second 20 on nothing is slow any more. What is the payment service working on until people on the left can pay again, and why has the timeout not spared it that work?',
  lastsMs: 36_000,
  unit: 'a second',
  faults: () => [{ ...SLOW, what: 'payment is slow' }],
  settings: {
    timeout: { says: 'timeout of a payment (ms)', usual: 2_000, from: 200, to: 2_000 },
    cooldown: { says: 'cooldown of the breaker (ms)', usual: 3_000, from: 500, to: 5_000 },
  },
  without: {
    title: 'timeouts alone',
    play: (world, setting) => play(world, setting('timeout'), (pay) => pay()),
  },
  yours: {
    title: 'your breaker around the timeout',
    play(world, setting) {
      const breaker = createCircuitBreaker({
        trip: { consecutiveFailures: 5 },
        cooldownMs: setting('cooldown'),
        isFailure,
      });
      play(world, setting('timeout'), (pay) =>
        breaker.call(pay).catch((error: unknown) => {
          if (error instanceof CircuitOpenError) world.count('refused');
          throw error;
        }),
      );
    },
  },
  lines: {
    'products shown': (run, fromMs, toMs) => run.counted('shown').perSecond(fromMs, toMs),
    paid: (run, fromMs, toMs) => run.requests('checkout').answered.perSecond(fromMs, toMs),
  },
  numbers: {
    'products shown in time, of 100': (run) =>
      (100 * run.counted('shown').total) / run.requests('product').begun.total,
    'calls to payment while it is slow': (run) =>
      run.service('payment').calls.between(SLOW.fromMs, SLOW.toMs),
    'of its work, done for nobody (calls)': (run) => run.service('payment').wasted.total,
    'workers taken while it is slow, mean': (run) =>
      run.service('shop').working.mean(SLOW.fromMs, SLOW.toMs),
    'paid in all': (run) => run.requests('checkout').answered.total,
    'nobody can pay for (s)': (run) => darkMs(run) / 1_000,
  },
  observations: [
    {
      says: 'Checkouts refused while payment is well, before',
      measure: (run) => run.counted('refused').between(0, SLOW.fromMs),
      atMost: 0,
      breaks: ['Every error counts', 'Counts failures, not failures in a row'],
    },
    {
      says: 'Calls to payment from second 11 to 20, while it is slow',
      measure: (run) => run.service('payment').calls.between(KNOWN_MS, SLOW.toMs),
      atMost: 20,
      breaks: ['Half-open lets everyone through'],
    },
    {
      says: 'P99 of the product pages from second 11 on (ms)',
      measure: (run) => percentile(run.requests('product').latenciesMs(KNOWN_MS), 0.99),
      atMost: 100,
      breaks: ['Half-open lets everyone through'],
    },
    {
      says: 'Of 100 checkouts from second 28 on, paid',
      measure: (run) => 100 * run.requests('checkout').success(CALM_MS, run.lastsMs - 1_000),
      atLeast: 95,
      breaks: ['A refusal starts the wait again'],
    },
  ],
});

/** The longest time in which nobody has paid. */
function darkMs(run: Run): number {
  let longest = 0;
  let dark = 0;
  for (let ms = 0; ms < run.lastsMs; ms += 100) {
    dark = run.requests('checkout').answered.between(ms, ms + 100) === 0 ? dark + 100 : 0;
    longest = Math.max(longest, dark);
  }
  return longest;
}

type Guard = (pay: () => Promise<void>) => Promise<void>;

function play(world: World, timeoutMs: number, guard: Guard): void {
  const shop = world.service('shop', { servers: 200, queue: 400, workMs: uniform(10, 30) });
  const payment = world.service('payment', {
    servers: 20,
    workMs: uniform(80, 120),
    faults: [
      { ...SLOW, kind: 'slow', times: 30 },
      { fromMs: 0, toMs: world.lastsMs, kind: 'failing', share: 0.01 },
    ],
  });
  // The shop waits no longer; the payment service does not hear of it, and works on.
  const pay = () =>
    within(
      timeoutMs,
      (signal) => payment.call({ signal }),
      () => new TimeoutError(),
    );
  const decline = async () => {
    await pay();
    throw new CardDeclinedError();
  };
  const checkout = (order: () => Promise<void>) =>
    world.request(() => shop.call({ next: async () => guard(order) }), { kind: 'checkout' });
  world.arrivals('checkouts', { perSecond: 140 }, () => checkout(pay));
  world.arrivals('products', { perSecond: 100 }, () => {
    const fromMs = world.nowMs;
    const show = async () => {
      await shop.call();
      if (world.nowMs - fromMs <= PATIENCE_MS) world.count('shown');
    };
    world.request(show, { kind: 'product' });
  });
  // Somebody tries out stolen cards.
  for (let card = 0; card < 60; card += 1) world.at(3_000 + card / 2, () => checkout(decline));
}
