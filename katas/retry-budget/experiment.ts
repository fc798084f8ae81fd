import {
  constant,
  type Draw,
  experiment,
  type Run,
  ServiceError,
  sweep,
  uniform,
  within,
  type World,
} from '../../scripts/see/experiment.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';

/** How long the ticker waits for the answer to an attempt. */
const TIMEOUT_MS = 1_000;
/** A call takes the service 50 ms on average, and at most so many. */
const LONGEST_WORK_MS = 60;

const settings = {
  stall: { says: 'seconds for which every call hangs', usual: 3, from: 0, to: 10 },
  attempts: { says: 'attempts at a request, the first one included', usual: 3, from: 1, to: 5 },
  queue: {
    says: 'seconds of work that may wait; what comes on top is refused at once',
    usual: 1_000,
    from: 0.1,
    to: 1_000,
  },
  newest: { says: '1: who came last is served first', usual: 0, from: 0, to: 1 },
  drop: { says: '1: calls that cannot be answered in time are dropped', usual: 0, from: 0, to: 1 },
} as const;
const withLoad = {
  load: { says: 'requests a second; the service can do 140', usual: 100, from: 10, to: 140 },
  ...settings,
} as const;
type Read = (name: keyof typeof settings) => number;
type ReadWithLoad = (name: keyof typeof withLoad) => number;

const LASTS_MS = 32_000;
const STALL_FROM_MS = 8_000;
/** Of those who begin later it is not known how they end. */
const LAST_REQUEST_MS = LASTS_MS - 3 * TIMEOUT_MS;
/** It is well when it has been so for as long as this. */
const CALM_MS = 5_000;

/** With these misconceptions more is paid than was earned. */
const OVERSPENT = [
  'A purse for each call',
  'A retry that fails is given back',
  'A retry is forgotten with its credit',
];

experiment('stall', {
  question:
    'The scores service can do 140 calls a second. The ticker has 100 requests a second for it, and makes up to three attempts of 1 s at each. Its database fails over, and for 3 s all calls hang. When is the score there again?',
  asked:
    'Nothing is broken on the left from second 11 on. How many of the 100 requests a second would you have to turn away for it to get up by itself, and why is a third of them not enough?',
  lastsMs: LASTS_MS,
  settings: withLoad,
  unit: 'a second',
  faults: (setting) => [{ fromMs: STALL_FROM_MS, toMs: stallToMs(setting), what: 'stall' }],
  without: {
    title: 'attempts per request',
    play: (world, setting) => playStall(world, setting, perRequest),
  },
  yours: {
    title: 'your retry budget',
    play: (world, setting) => playStall(world, setting, withBudget()),
  },
  lines: {
    calls: (run, fromMs, toMs) => scores(run).calls.perSecond(fromMs, toMs),
    'answered in time': (run, fromMs, toMs) => scores(run).useful.perSecond(fromMs, toMs),
  },
  numbers: {
    'answered before the stall (%)': (run) =>
      run.requests().success(0, STALL_FROM_MS - TIMEOUT_MS) * 100,
    'answered after it (%)': (run, setting) =>
      run.requests().success(stallToMs(setting), LAST_REQUEST_MS) * 100,
    'seconds until 95 % are answered': secondsUntilWell,
    'calls for each request after it': (run, setting) => callsPerRequest(run, stallToMs(setting)),
    'most calls that were waiting': (run) => scores(run).waiting.highest(),
  },
  observations: [
    {
      says: 'Seconds from the stall until 95 % of the requests are answered again',
      measure: (yours, _, setting) => secondsUntilWell(yours, setting),
      atMost: 20,
      breaks: OVERSPENT,
    },
    {
      says: 'Calls for each request, from the beginning of the stall on',
      measure: (run) => callsPerRequest(run, STALL_FROM_MS),
      atMost: 1.25,
      breaks: OVERSPENT,
    },
    {
      says: 'Answered in the last five seconds, in which 3 % of all calls fail (%)',
      measure: (run) => run.requests().success(LAST_REQUEST_MS - CALM_MS, LAST_REQUEST_MS) * 100,
      atLeast: 99,
      breaks: ['What is spent stays'],
    },
  ],
});

const EDGE_LASTS_MS = 30_000;
const EDGE_CAPACITY = 20;

sweep('edge', {
  question:
    'The same stall, at one load after the other: how much is asked of the service 20 s after it, and how much of that does it answer in time?',
  asked:
    'On the left the service stays down from a third of its capacity on, on the right from nine tenths. Where do these two numbers come from? And where would the left one be with five attempts?',
  lastsMs: EDGE_LASTS_MS,
  settings,
  unit: '% of capacity',
  x: { label: 'load, % of capacity', values: [10, 20, 30, 40, 50, 60, 70, 80, 90, 100] },
  without: {
    title: 'attempts per request',
    play: (world, percent, setting) => playEdge(world, percent, setting, perRequest),
  },
  yours: {
    title: 'your retry budget',
    play: (world, percent, setting) => playEdge(world, percent, setting, withBudget()),
  },
  lines: {
    calls: (run) => atTheEnd(scores(run).calls),
    'answered in time': (run) => atTheEnd(scores(run).useful),
  },
  observations: [
    {
      says: 'Answered 20 s after the stall, at a load of 80 % (% of capacity)',
      measure: (yours) => yours('answered in time', 80),
      atLeast: 75,
      breaks: OVERSPENT,
    },
  ],
});

function scores(run: Run) {
  return run.service('scores');
}

function stallToMs(setting: Read): number {
  return STALL_FROM_MS + setting('stall') * 1_000;
}

function callsPerRequest(run: Run, fromMs: number): number {
  return (
    scores(run).calls.between(fromMs, LASTS_MS) / run.requests().begun.between(fromMs, LASTS_MS)
  );
}

/** Counted from the end of the stall; NaN if it takes longer than can be seen. */
function secondsUntilWell(run: Run, setting: Read): number {
  const isWell = (fromMs: number) => run.requests().success(fromMs, fromMs + 1_000) >= 0.95;
  let sinceMs = LAST_REQUEST_MS;
  while (sinceMs > stallToMs(setting) && isWell(sinceMs - 1_000)) sinceMs -= 1_000;
  return sinceMs > LAST_REQUEST_MS - CALM_MS ? Number.NaN : (sinceMs - stallToMs(setting)) / 1_000;
}

function atTheEnd(tally: { perSecond(fromMs: number, toMs: number): number }): number {
  return (tally.perSecond(EDGE_LASTS_MS - 5_000, EDGE_LASTS_MS) / EDGE_CAPACITY) * 100;
}

type Call = (attempt: () => Promise<void>, attempts: number) => Promise<void>;

const perRequest: Call = async (attempt, attempts) => {
  for (let made = 1; ; made += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (made >= attempts) throw error;
    }
  }
};

function withBudget(): Call {
  let budget: RetryBudget | undefined;
  return async (attempt, attempts) => {
    // Not before it is needed: one that cannot be made fails the calls, and there still is a picture.
    budget ??= createRetryBudget({ ratio: 0.1, minPerSecond: 0.2, windowMs: 10_000 });
    await budget.call(attempt, { attempts, isRetryable: () => true });
  };
}

function playStall(world: World, setting: ReadWithLoad, call: Call): void {
  const attempt = callScores(world, setting, {
    servers: 7,
    workMs: uniform(40, LONGEST_WORK_MS),
    stallFromMs: STALL_FROM_MS,
    failing: 0.03,
  });
  world.arrivals('requests', { perSecond: setting('load') }, () => {
    world.request(() => call(attempt, setting('attempts')));
  });
}

/** Smaller, and with nothing left to chance. */
function playEdge(world: World, percent: number, setting: Read, call: Call): void {
  const attempt = callScores(world, setting, {
    servers: 1,
    workMs: constant(1_000 / EDGE_CAPACITY),
    stallFromMs: 2_000,
    failing: 0,
  });
  const perSecond = (EDGE_CAPACITY * percent) / 100;
  world.arrivals('requests', { perSecond, spacing: 'even' }, () => {
    world.request(() => call(attempt, setting('attempts')));
  });
}

interface Scores {
  readonly servers: number;
  readonly workMs: Draw;
  readonly stallFromMs: number;
  /** Which share of the calls fails in any case. */
  readonly failing: number;
}

/** Makes the service, and returns an attempt at it. */
function callScores(
  world: World,
  setting: Read,
  { servers, workMs, stallFromMs, failing }: Scores,
): () => Promise<void> {
  const service = world.service('scores', {
    servers,
    queue: Math.round((setting('queue') * servers * 1_000) / 50),
    order: setting('newest') === 1 ? 'newest first' : 'oldest first',
    workMs: constant(0),
  });
  const stallEndsMs = stallFromMs + setting('stall') * 1_000;
  const chance = world.random('work');

  const work = async (leavesMs: number) => {
    const isTooLate = world.nowMs > leavesMs - LONGEST_WORK_MS;
    if (isTooLate && setting('drop') === 1) throw new ServiceError('scores', 'refused');
    await world.wait(workMs(chance));
    // The database: whoever comes to it while it fails over waits, and keeps a server.
    const isStalled = world.nowMs >= stallFromMs && world.nowMs < stallEndsMs;
    if (isStalled) await world.wait(stallEndsMs - world.nowMs);
    if (chance() < failing) throw new ServiceError('scores', 'failed');
  };
  return () => {
    const leavesMs = world.nowMs + TIMEOUT_MS;
    return within(
      TIMEOUT_MS,
      (signal) => service.call({ signal, next: () => work(leavesMs) }),
      () => new Error('no answer within 1 s'),
    );
  };
}
