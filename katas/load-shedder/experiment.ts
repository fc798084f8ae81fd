import {
  experiment,
  percentile,
  type Run,
  sweep,
  uniform,
  type World,
} from '../../scripts/see/experiment.ts';
import { createLoadShedder, type LoadShedderOptions, type Priority } from './load-shedder.ts';

const RUSH = { fromMs: 9_000, toMs: 18_000 };
const LASTS_MS = 36_000;
/** After that an app gives up, and so does the newspaper. */
const PATIENCE_MS = 2_000;
/** Who comes later may still be waiting at the end. */
const LAST_ASKED_MS = LASTS_MS - 3 * PATIENCE_MS;

experiment('morning', {
  question:
    'The results service can do 160 calls a second. From second 9 on 480 come, three of four from a newspaper; from second 18 on it is 125. An app waits 2 s for an answer, up to three times. Which pupils see their results?',
  asked:
    'On the left the rush is over at second 18, and 125 a second come to a service that can do 160. Why do pupils see nothing even then, and what would you do to end it?',
  lastsMs: LASTS_MS,
  unit: 'a second',
  settings: {
    newspaper: { says: 'its calls a second in the rush', usual: 360, from: 50, to: 1_500 },
  },
  faults: () => [{ ...RUSH, what: 'the rush' }],
  without: {
    title: 'everybody is let in',
    play: (world, setting) => morning(world, setting('newspaper'), (task) => task()),
  },
  yours: {
    title: 'your shedder',
    play: (world, setting) =>
      morning(world, setting('newspaper'), shedder({ remainingMs: PATIENCE_MS })),
  },
  lines: {
    calls: (run, fromMs, toMs) => run.counted('calls').perSecond(fromMs, toMs),
    'pupils served': (run, fromMs, toMs) => run.requests('pupil').answered.perSecond(fromMs, toMs),
  },
  numbers: {
    'calls in all': (run) => run.counted('calls').total,
    'answers for which nobody waited (%)': (run) =>
      (100 * run.counted('in vain').total) / run.service('results').done.total,
    'longest queue in the service': (run) => run.service('results').waiting.highest(),
    'newspaper served in the rush (%)': (run) =>
      100 * run.requests('newspaper').success(RUSH.fromMs, RUSH.toMs),
    'p99 of the pupils served in the rush (ms)': (run) =>
      percentile(run.requests('pupil').latenciesMs(RUSH.fromMs, RUSH.toMs), 0.99),
  },
  observations: [
    {
      says: 'Pupils who saw their results in the rush (%)',
      measure: (run) => pupilsServed(run, RUSH.fromMs, RUSH.toMs),
      atLeast: 95,
      breaks: ['First come, first served', 'Waiting is latency, too'],
    },
    {
      says: 'Pupils and newspapers served a second in the rush',
      measure: (run) => run.requests().answered.perSecond(RUSH.fromMs + 2_000, RUSH.toMs),
      atLeast: 125,
      breaks: ['A window that slides', 'Waiting is latency, too'],
    },
    {
      says: 'Pupils who saw their results after the rush (%)',
      measure: (run) => pupilsServed(run, RUSH.toMs, LAST_ASKED_MS),
      atLeast: 95,
      breaks: ['A refusal is a quick answer', 'Waiting is latency, too'],
    },
  ],
});

function pupilsServed(run: Run, fromMs: number, toMs: number): number {
  return 100 * run.requests('pupil').success(fromMs, toMs);
}

/** Lets a task begin, now or later, or rejects without it. */
type Door = (task: () => Promise<void>, priority: Priority) => Promise<void>;

class TooLateError extends Error {
  override readonly name = 'TooLateError';
}

function morning(world: World, newspaper: number, door: Door): void {
  const results = world.service('results', { servers: 16, workMs: uniform(80, 120) });

  const ask = (priority: Priority) =>
    new Promise<void>((resolve, reject) => {
      world.count('calls');
      let isWaiting = true;
      const leave = setTimeout(() => {
        isWaiting = false;
        reject(new TooLateError());
      }, PATIENCE_MS);
      const task = async () => {
        await results.call();
        if (!isWaiting) world.count('in vain');
      };
      door(task, priority)
        .then(resolve, reject)
        .finally(() => clearTimeout(leave));
    });

  const pupil = async () => {
    for (let attempts = 3; ; attempts -= 1) {
      try {
        return await ask('critical');
      } catch (error) {
        if (attempts === 1) throw error;
        // The app says "one moment" to whoever was refused.
        if (!(error instanceof TooLateError)) await world.wait(1_000);
      }
    }
  };

  const at = (before: number, during: number, after: number) => (ms: number) => {
    if (ms < RUSH.fromMs) return before;
    return ms < RUSH.toMs ? during : after;
  };
  world.arrivals('pupils', { perSecond: at(60, 120, 100) }, () =>
    world.request(pupil, { kind: 'pupil' }),
  );
  world.arrivals('newspaper', { perSecond: at(20, newspaper, 25) }, () =>
    world.request(() => ask('sheddable'), { kind: 'newspaper' }),
  );
}

function shedder({
  remainingMs,
  ...changed
}: Partial<LoadShedderOptions> & { remainingMs: number }): Door {
  const shedding = createLoadShedder({
    initialLimit: 20,
    minLimit: 2,
    maxLimit: 100,
    queue: 10,
    windowSize: 20,
    baselineWindows: 100,
    tolerance: 1.5,
    backoff: 0.5,
    ...changed,
  });
  return (task, priority) => shedding.run(task, { priority, remainingMs });
}

const MACHINE = { workMs: 400, callsPerSecond: 120, patienceMs: 1_200, queue: 10 };
const MEASURED = { fromMs: 5_000, toMs: 12_500 };

sweep('machine', {
  question:
    'A limit of 16 at once was right for the old machine, which has 16 places. The service moves to a smaller one, or to a larger one. 120 calls a second come, each is 400 ms of work, and each caller waits 1.2 s. How many are served in time?',
  asked:
    'On a machine with 16 places the limit by hand serves more than the one that moves. Where does the difference go, and why would you take the one that moves all the same?',
  lastsMs: MEASURED.toMs + MACHINE.patienceMs,
  unit: 'calls a second',
  x: { label: 'places of the machine', values: [8, 16, 24, 32, 40] },
  without: {
    title: 'a limit of 16, by hand',
    play: (world, places) => machine(world, places, limitOf(16)),
  },
  yours: {
    title: 'your shedder, beginning with 16',
    play: (world, places) =>
      machine(
        world,
        places,
        shedder({ initialLimit: 16, windowSize: 10, remainingMs: MACHINE.patienceMs }),
      ),
  },
  lines: {
    'it could do': (run) => (run.counted('places').total * 1_000) / MACHINE.workMs,
    'served in time': (run) =>
      (run
        .requests()
        .latenciesMs(MEASURED.fromMs, MEASURED.toMs)
        .filter((ms) => ms <= MACHINE.patienceMs).length *
        1_000) /
      (MEASURED.toMs - MEASURED.fromMs),
  },
  observations: [
    {
      says: 'Calls a second served in time by a machine that could do 100',
      measure: (yours) => yours('served in time', 40),
      atLeast: 75,
      breaks: ['The quickest call is the baseline', 'A refusal is a quick answer'],
    },
    {
      says: 'Calls a second served in time by a machine that could do 20',
      measure: (yours) => yours('served in time', 8),
      atLeast: 14,
      breaks: ['A permit goes from hand to hand', 'A refusal is a quick answer'],
    },
  ],
});

function machine(world: World, places: number, door: Door): void {
  const { workMs, callsPerSecond } = MACHINE;
  const results = world.service('results', {
    servers: places,
    workMs: uniform(0.75 * workMs, 1.25 * workMs),
  });
  for (let place = 0; place < places; place += 1) world.count('places');
  // Nobody notes when callers leave: who is served too late is told from the latency.
  world.arrivals('calls', { perSecond: callsPerSecond }, () =>
    world.request(() => door(() => results.call(), 'normal')),
  );
}

class FullError extends Error {
  override readonly name = 'FullError';
}

function limitOf(limit: number): Door {
  const line: (() => void)[] = [];
  let running = 0;
  const turn = async () => {
    if (line.length === MACHINE.queue) throw new FullError();
    await new Promise<void>((resolve) => {
      line.push(resolve);
    });
  };
  return async (task) => {
    if (running < limit) running += 1;
    else await turn();
    try {
      await task();
    } finally {
      const next = line.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
