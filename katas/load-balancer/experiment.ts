import {
  experiment,
  percentile,
  type Run,
  ServiceError,
  uniform,
  type World,
} from '../../scripts/see/experiment.ts';
import { createBalancer } from './load-balancer.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const CALLS_PER_SECOND = 300;
const USUAL = uniform(60, 100);

type Balance = (task: (host: string) => Promise<void>) => Promise<void>;

const isFailure = (error: unknown) => error instanceof ServiceError;

const FULL = { fromMs: 3_000, toMs: 8_000 };

experiment('black-hole', {
  question:
    'Six price servers get 300 calls a second; each call goes to whoever has the fewest in flight. For five seconds the disk of b is full: b answers 500 after 2 ms, where the others need 80 ms, and still passes its health checks. How many calls does it get?',
  asked:
    'On the left nothing is slow and every health check passes. Why does the broken server get most of the calls? What would round robin have lost, and what is lost with ejection?',
  lastsMs: 11_000,
  unit: 'a second',
  faults: () => [{ ...FULL, what: 'full disk' }],
  without: {
    title: 'least in flight, with health checks',
    play: (world) => playFullDisk(world, leastInFlight()),
  },
  yours: {
    title: 'your balancer, with ejection',
    play: (world) => {
      const balancer = createBalancer({
        hosts: listed(),
        policy: 'least-in-flight',
        ejection: { failures: 5, baseMs: 2_000, maxMs: 20_000, maxPercent: 50, isFailure },
        check: {
          // It asks for what works.
          run: () => Promise.resolve(),
          intervalMs: 250,
          timeoutMs: 200,
          unhealthyAfter: 2,
          healthyAfter: 2,
        },
      });
      for (let ms = 250; ms < world.lastsMs; ms += 250) {
        world.at(ms, () => balancer.setHosts(listed()));
      }
      playFullDisk(world, (task) => balancer.call(task));
    },
  },
  lines: {
    'calls to b': (run, fromMs, toMs) => run.counted('calls to b').perSecond(fromMs, toMs),
    'prices given': (run, fromMs, toMs) => run.requests().answered.perSecond(fromMs, toMs),
  },
  numbers: {
    'share of b meanwhile (%)': (run) =>
      (100 * run.counted('calls to b').between(FULL.fromMs, FULL.toMs)) /
      run.requests().begun.between(FULL.fromMs, FULL.toMs),
    'prices that were missing': missing,
    'p99 of the prices meanwhile (ms)': (run) =>
      percentile(run.requests().latenciesMs(FULL.fromMs, FULL.toMs), 0.99),
    'calls to b a second at the end': (run) =>
      run.counted('calls to b').perSecond(run.lastsMs - 1_000, run.lastsMs),
  },
  observations: [
    {
      says: 'Prices that were missing because the disk of b was full',
      measure: missing,
      atMost: 50,
      breaks: ['It answers, so it is well', 'A new list, a new beginning'],
    },
  ],
});

function missing(run: Run): number {
  return run.requests().failed.total;
}

/** The whole list, as discovery sends it again and again. */
function listed() {
  return NAMES.map((name) => ({ name }));
}

function playFullDisk(world: World, balance: Balance): void {
  const servers = new Map(NAMES.map((name) => [name, world.service(name, { workMs: USUAL })]));
  const broken = world.service('b with a full disk', {
    workMs: uniform(1, 3),
    faults: [{ fromMs: 0, toMs: world.lastsMs, kind: 'failing', share: 1 }],
  });
  world.arrivals('calls', { perSecond: CALLS_PER_SECOND }, () => {
    world.request(() =>
      balance(async (host) => {
        world.count(`calls to ${host}`);
        const isFull = host === 'b' && FULL.fromMs <= world.nowMs && world.nowMs < FULL.toMs;
        await (isFull ? broken : servers.get(host))?.call();
      }),
    );
  });
}

function leastInFlight(): Balance {
  const inFlight = new Map(NAMES.map((name) => [name, 0]));
  return async (task) => {
    const [[host, calls] = ['', 0]] = [...inFlight].toSorted(([, one], [, other]) => one - other);
    // To the end of the map: among equals they take turns.
    inFlight.delete(host);
    inFlight.set(host, calls + 1);
    try {
      await task(host);
    } finally {
      inFlight.set(host, (inFlight.get(host) ?? 0) - 1);
    }
  };
}

const CRASH_MS = 3_000;
const RESTART_MS = 1_000;
/** A price server that has more in flight runs out of memory. */
const MOST_IN_FLIGHT = 30;
/** With an empty cache a call takes ten times as long; each call that ends fills it a little. */
const COLD_TIMES = 10;
const CALLS_TO_WARM = 20;

experiment('cold-start', {
  question:
    'Server c dies at second 3, and is up again a second later with an empty cache: at first each call takes ten times as long. With more than 30 calls in flight it dies again. Both balancers go round the list and eject whoever fails five times in a row. How long does c take to come back?',
  asked:
    'On the left c is up for most of the time and never gets well. What does slow start change, as c gets the same share in the end? When would it not help?',
  lastsMs: 14_000,
  settings: {
    slowStart: {
      says: 'milliseconds for which c gets less than its share',
      usual: 5_000,
      from: 0,
      to: 10_000,
    },
  },
  unit: 'a second',
  faults: () => [{ fromMs: CRASH_MS, toMs: CRASH_MS + RESTART_MS, what: 'c restarts' }],
  without: {
    title: 'round robin, full share at once',
    play: (world) => playRestart(world, roundRobin(world)),
  },
  yours: {
    title: 'your balancer, with slow start',
    play: (world, setting) => {
      const balancer = createBalancer({
        hosts: listed(),
        policy: 'round-robin',
        ejection: { failures: 5, baseMs: 1_500, maxMs: 1_500, maxPercent: 50, isFailure },
        slowStartMs: setting('slowStart'),
      });
      playRestart(world, (task) => balancer.call(task));
    },
  },
  lines: {
    'calls to c': (run, fromMs, toMs) => run.counted('calls to c').perSecond(fromMs, toMs),
    'prices from c': (run, fromMs, toMs) => run.service('c').useful.perSecond(fromMs, toMs),
  },
  numbers: {
    'times that c dies again': diesAgain,
    'prices that were missing': missing,
    'slowest price (ms)': (run) => percentile(run.requests().latenciesMs(), 1),
    'most in flight at c, after the restart': (run) =>
      run.service('c').working.highest(CRASH_MS + RESTART_MS),
  },
  observations: [
    {
      says: 'Times that c dies again after its restart',
      measure: diesAgain,
      atMost: 0,
      breaks: ['Only what is new starts slowly'],
    },
    {
      says: 'Prices that c gives a second in the last three seconds',
      measure: (run) => run.service('c').useful.perSecond(11_000, 14_000),
      atLeast: 30,
      breaks: ['Only what is new starts slowly'],
    },
  ],
});

function diesAgain(run: Run): number {
  return run.counted('c dies').total - 1;
}

function playRestart(world: World, balance: Balance): void {
  const servers = new Map(NAMES.map((name) => [name, world.service(name, { workMs: USUAL })]));
  const callC = createRestarting(world);
  world.arrivals('calls', { perSecond: CALLS_PER_SECOND }, () => {
    world.request(() =>
      balance(async (host) => {
        world.count(`calls to ${host}`);
        await (host === 'c' ? callC() : servers.get(host)?.call());
      }),
    );
  });
}

function createRestarting(world: World): () => Promise<void> {
  let upAtMs = 0;
  let coldness = 0;
  const underWay = new Set<AbortController>();
  const c = world.service('c', {
    workMs: (random) => USUAL(random) * (1 + (COLD_TIMES - 1) * coldness),
    seesLeaving: true,
  });
  const die = () => {
    world.count('c dies');
    upAtMs = world.nowMs + RESTART_MS;
    coldness = 1;
    for (const call of underWay) call.abort(new ServiceError('c', 'failed'));
    underWay.clear();
  };
  world.at(CRASH_MS, die);
  return async () => {
    if (underWay.size >= MOST_IN_FLIGHT) die();
    if (world.nowMs < upAtMs) throw new ServiceError('c', 'refused');
    const call = new AbortController();
    underWay.add(call);
    await c.call({ signal: call.signal });
    underWay.delete(call);
    coldness *= 1 - 1 / CALLS_TO_WARM;
  };
}

/** Takes turns among those who have not failed five times in a row; that costs a second and a half. */
function roundRobin(world: World): Balance {
  const hosts = NAMES.map((name) => ({ name, failures: 0, outUntilMs: 0 }));
  return async (task) => {
    const at = hosts.findIndex(({ outUntilMs }) => outUntilMs <= world.nowMs);
    const [host] = hosts.splice(at, 1);
    if (!host) return;
    hosts.push(host);
    try {
      await task(host.name);
      host.failures = 0;
    } catch (error) {
      host.failures += 1;
      if (host.failures === 5) {
        host.failures = 0;
        host.outUntilMs = world.nowMs + 1_500;
      }
      throw error;
    }
  };
}
