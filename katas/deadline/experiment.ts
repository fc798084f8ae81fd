import {
  constant,
  experiment,
  type Run,
  ServiceError,
  uniform,
  type World,
} from '../../scripts/see/experiment.ts';
import { createDeadline, deadlineFromHeader } from './deadline.ts';

const LASTS_MS = 40_000;
const STALL_FROM_MS = 10_000;
/** How long the app waits before it shows "That took too long". */
const PATIENCE_MS = 2_000;
/** It is well when it has been so for as long as this. */
const CALM_MS = 5_000;
/** Of those who begin later it is not known how they end. */
const LAST_SEARCH_MS = LASTS_MS - PATIENCE_MS;
/** Both sides: what the planner gives the fares, and the fares each attempt at the seats. */
const LIMIT_MS = 5_000;
const ATTEMPTS = 3;
const PAUSE_MS = 50;
/** What the planner and the fares do themselves. */
const OWN_WORK_MS = 10;

const settings = {
  load: { says: 'searches a second; the seats service can do 100', usual: 60, from: 10, to: 90 },
  stall: { says: 'seconds for which the seats service stands still', usual: 8, from: 1, to: 15 },
} as const;
type Read = (name: keyof typeof settings) => number;

experiment('snow', {
  question:
    'The app gives a search 2 s. The planner gives the fares 5 s, and these ask the seats service up to three times, 5 s each. For 8 s a lock keeps the seats service from working. Who gets an answer once the lock is gone?',
  asked:
    'On the left the seats service does 100 pieces of work a second once the lock is gone, and no passenger gets a train. On the right it does 60, and everyone gets one. Whom does it work for on the left, and why does it never catch up?',
  lastsMs: LASTS_MS,
  settings,
  unit: 'a second',
  faults: (setting) => [{ fromMs: STALL_FROM_MS, toMs: stallToMs(setting), what: 'lock' }],
  without: {
    title: 'a timeout at each hop',
    play: (world, setting) => play(world, setting, withTimeouts),
  },
  yours: {
    title: 'your deadline',
    play: (world, setting) => play(world, setting, withDeadline),
  },
  lines: {
    'work done by seats': (run, fromMs, toMs) => run.counted('done').perSecond(fromMs, toMs),
    'searches answered': (run, fromMs, toMs) => run.requests().answered.perSecond(fromMs, toMs),
  },
  numbers: {
    'answered after the lock (%)': (run, setting) =>
      run.requests().success(stallToMs(setting), LAST_SEARCH_MS) * 100,
    'seconds until 95 % are answered': secondsUntilWell,
    'calls to seats for each search': (run) =>
      run.service('seats').calls.total / run.requests().begun.total,
    'of the work done, for nobody (%)': (run) =>
      (doneForNobody(run) / run.counted('done').total) * 100,
  },
  observations: [
    {
      says: 'Seconds from the lock until 95 % of the searches are answered again',
      measure: (yours, _, setting) => secondsUntilWell(yours, setting),
      atMost: 5,
      breaks: ['An empty answer is no answer'],
    },
    {
      says: 'Work that the seats service has begun for searches that were given up',
      measure: (run) => run.counted('begun for nobody').total,
      atMost: 5,
      breaks: ['Begins what is over already'],
    },
    {
      says: 'Work that it has done to the end for searches that were given up',
      measure: doneForNobody,
      atMost: 5,
      breaks: [
        'Tells the caller, and not the work',
        'Each call has the whole budget',
        "A limit of one's own replaces the deadline",
      ],
    },
  ],
});

function stallToMs(setting: Read): number {
  return STALL_FROM_MS + setting('stall') * 1_000;
}

function doneForNobody(run: Run): number {
  return run.counted('done for nobody').total;
}

/** Counted from when the seats service is quick again; NaN if it takes longer than can be seen. */
function secondsUntilWell(run: Run, setting: Read): number {
  const isWell = (fromMs: number) => run.requests().success(fromMs, fromMs + 1_000) >= 0.95;
  let sinceMs = LAST_SEARCH_MS;
  while (sinceMs > stallToMs(setting) && isWell(sinceMs - 1_000)) sinceMs -= 1_000;
  return sinceMs > LAST_SEARCH_MS - CALM_MS ? Number.NaN : (sinceMs - stallToMs(setting)) / 1_000;
}

/** How many seats are left: on such a day there are none. */
type Seats = number;
type Work = (signal?: AbortSignal) => Promise<Seats>;
/** Calls the seats service, and waits as long as `signal` says. Over there, when it is its turn, `handle` does the work. */
type Ask = (handle: (work: Work) => Promise<Seats>, signal?: AbortSignal) => Promise<Seats>;
type Search = (ask: Ask, world: World) => Promise<Seats>;

function play(world: World, setting: Read, search: Search): void {
  const seats = world.service('seats', {
    servers: 25,
    workMs: constant(0),
    faults: [{ kind: 'stalled', fromMs: STALL_FROM_MS, toMs: stallToMs(setting) }],
  });
  const chance = world.random('work');
  const usualMs = uniform(200, 300);

  world.arrivals('searches', { perSecond: setting('load') }, () => {
    const leavesMs = world.nowMs + PATIENCE_MS;
    const count = (what: string) => {
      world.count(what);
      if (world.nowMs > leavesMs) world.count(`${what} for nobody`);
    };
    const work: Work = (signal) =>
      new Promise((resolve, reject) => {
        count('begun');
        const takesMs = usualMs(chance);
        const fails = chance() < 0.03;
        signal?.addEventListener('abort', () => reject(signal.reason));
        world.at(world.nowMs + takesMs, () => {
          if (signal?.aborted) return;
          count('done');
          if (fails) reject(new ServiceError('seats', 'failed'));
          else resolve(0);
        });
      });
    const ask: Ask = async (handle, signal) => {
      let left = Number.NaN;
      const next = async () => {
        // Whatever its caller is told: work holds its server until it ends.
        let held: Promise<unknown> = Promise.resolve();
        const holding: Work = (inner) => {
          const working = work(inner);
          held = working.catch(() => {});
          return working;
        };
        try {
          left = await handle(holding);
        } finally {
          await held;
        }
      };
      await seats.call({ signal, next });
      return left;
    };
    world.request(() => search(ask, world), { patienceMs: PATIENCE_MS });
  });
}

/** App, planner, fares, seats: what goes along is the header, and nothing else. */
const withDeadline: Search = (ask, world) => {
  const app = createDeadline(PATIENCE_MS);
  return app.run(() => planner(app.header));

  async function planner(header: string) {
    const deadline = deadlineFromHeader(header, { maxMs: LIMIT_MS });
    await world.wait(OWN_WORK_MS);
    return deadline.run(() => fares(deadline.header), { limitMs: LIMIT_MS });
  }
  async function fares(header: string) {
    const deadline = deadlineFromHeader(header, { maxMs: LIMIT_MS });
    await world.wait(OWN_WORK_MS);
    return deadline.retry((signal) => seats(deadline.header, signal), {
      attempts: ATTEMPTS,
      pauseMs: PAUSE_MS,
      limitMs: LIMIT_MS,
    });
  }
  function seats(header: string, signal: AbortSignal) {
    const deadline = deadlineFromHeader(header, { maxMs: LIMIT_MS });
    return ask((work) => deadline.run(work, { limitMs: LIMIT_MS }), signal);
  }
};

const withTimeouts: Search = (ask, world) => {
  return planner();

  async function planner() {
    await world.wait(OWN_WORK_MS);
    return within(LIMIT_MS, fares);
  }
  async function fares() {
    await world.wait(OWN_WORK_MS);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await within(LIMIT_MS, () => ask((work) => work()));
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
        await world.wait(PAUSE_MS);
      }
    }
  }
};

async function within<T>(limitMs: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('That took too long.')), limitMs);
  });
  return Promise.race([work(), late]).finally(() => clearTimeout(timer));
}
