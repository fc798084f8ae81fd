import { experiment, type Run, uniform, within, type World } from '../../scripts/see/experiment.ts';
import {
  type Backend,
  createStranglerRouter,
  type HttpRequest,
  type HttpResponse,
} from './strangler-router.ts';

type Tally = ReturnType<Run['counted']>;

type Handle = (request: HttpRequest) => Promise<HttpResponse>;

const PAGE_MS = uniform(20, 60);
const TIMEOUT_MS = 3_000;
const RAISED_MS = 5_000;
const STALL = { fromMs: 12_000, toMs: 20_000 };
const KILLED_MS = 18_000;

experiment('fallback', {
  question:
    'The new order service has a fifth of the customers, from second 5 on half of them. At second 12 it stalls for eight seconds. Callers give up after three, but the orders are in its queue, and it stores them later. How many does the monolith store as well?',
  asked:
    'On the right some orders get no answer, and were stored all the same. What must their customers be able to do safely that the router must not? And which orders does nobody find once the kill switch is on?',
  lastsMs: 30_000,
  unit: 'orders a second',
  faults: () => [{ ...STALL, what: 'it stalls' }],
  without: {
    title: 'by lot, and whatever fails goes back',
    play: (world) => {
      const chance = world.random('lot');
      let share = 0.2;
      world.at(RAISED_MS, () => {
        share = 0.5;
      });
      playOrders(world, (monolith, service) => async (request) => {
        if (chance() >= share) return monolith(request);
        try {
          return await service(request);
        } catch {
          return monolith(request);
        }
      });
    },
  },
  yours: {
    title: 'your router',
    play: (world) =>
      playOrders(world, (monolith, service) => {
        const routes = (percent: number) => [
          { prefix: '/orders', service, percent, cohort: 'orders' },
        ];
        const router = createStranglerRouter({
          monolith,
          routes: routes(20),
          isSame: () => true,
          onReport: () => {},
        });
        world.at(RAISED_MS, () => router.setRoutes(routes(50)));
        world.at(KILLED_MS, () => router.setKilled(true));
        return (request) => router.handle(request);
      }),
  },
  lines: {
    'orders answered': (run, fromMs, toMs) =>
      around(run, run.requests('POST').answered, fromMs, toMs),
    'stored twice': (run, fromMs, toMs) => around(run, run.counted('stored twice'), fromMs, toMs),
  },
  numbers: {
    'orders stored twice': storedTwice,
    'orders without an answer': (run) => run.requests('POST').failed.total,
    'reads that miss an order, before the stall': (run) => missing(run, 0, STALL.fromMs),
    'reads that miss an order, from then on': (run) => missing(run, STALL.fromMs, run.lastsMs),
    'reads answered during the stall (%)': readsAnswered,
  },
  observations: [
    {
      says: 'Orders that both systems have stored',
      measure: storedTwice,
      atMost: 0,
      breaks: ['Whatever fails goes back'],
    },
    {
      says: 'Reads before the stall that did not show customers all their orders',
      measure: (run) => missing(run, 0, STALL.fromMs),
      atMost: 0,
      breaks: ['Drawn by lot', 'The share is part of the hash'],
    },
    {
      says: 'Reads that were answered of those made during the stall (%)',
      measure: readsAnswered,
      atLeast: 99,
      breaks: ['Asks the switch once more'],
    },
  ],
});

/** The mean of two seconds, so that chance does not hide the rest. */
function around({ lastsMs }: Run, tally: Tally, fromMs: number, toMs: number): number {
  return tally.perSecond(Math.max(0, fromMs - 750), Math.min(lastsMs, toMs + 750));
}

function storedTwice(run: Run): number {
  return run.counted('stored twice').total;
}

function missing(run: Run, fromMs: number, toMs: number): number {
  return run.counted('order is missing').between(fromMs, toMs);
}

function readsAnswered(run: Run): number {
  return 100 * run.requests('GET').success(STALL.fromMs, STALL.toMs);
}

type System = 'monolith' | 'service';

/** 300 customers order, and look at their orders. The service has a copy of what the monolith stores, not vice versa. */
function playOrders(world: World, route: (monolith: Backend, service: Backend) => Handle): void {
  const customers = world.random('customers');
  const answered = new Map<string, number[]>();
  const storedBy = new Map<number, System[]>();

  const backend = (system: System): Backend => {
    const server = world.service(system, {
      servers: system === 'monolith' ? 50 : 4,
      workMs: PAGE_MS,
      faults: system === 'monolith' ? [] : [{ ...STALL, kind: 'stalled' }],
    });
    return async ({ method, body }) => {
      const work = async () => {
        if (method !== 'POST' || typeof body !== 'number') return;
        const systems = [...(storedBy.get(body) ?? []), system];
        storedBy.set(body, systems);
        if (systems.length === 2) world.count('stored twice');
      };
      await withTimeout((signal) => server.call({ signal, next: work }));
      return { status: 200, body: system };
    };
  };

  const handle = route(backend('monolith'), backend('service'));
  const come = (
    method: string,
    perSecond: number,
    then: (user: string, by: unknown, order: number) => void,
  ) => {
    world.arrivals(method, { perSecond }, (order) => {
      const userId = `customer-${Math.floor(customers() * 300)}`;
      const ask = async () => {
        const response = await handle({
          method,
          path: '/orders',
          headers: {},
          userId,
          body: order,
        });
        then(userId, response.body, order);
      };
      world.request(ask, { kind: method });
    });
  };
  come('POST', 60, (userId, _, order) => {
    answered.set(userId, [...(answered.get(userId) ?? []), order]);
  });
  come('GET', 40, (userId, by) => {
    const isMissing = (order: number) => !storedBy.get(order)?.includes('monolith');
    if (by === 'monolith' && answered.get(userId)?.some(isMissing)) world.count('order is missing');
  });
}

function withTimeout(call: (signal: AbortSignal) => Promise<void>): Promise<void> {
  return within(TIMEOUT_MS, call, () => new Error('no answer in time'));
}

const HANGS = { fromMs: 4_000, toMs: 8_000 };
const PATIENCE_MS = 2_000;

experiment('parallel-run', {
  question:
    'No customer is to see the new service yet: the monolith answers 100 reads a second, and the new service gets a copy of each, so that the answers can be compared. At second 4 it hangs for four seconds. Customers wait for two. How many of them notice?',
  asked:
    'On the right nobody notices that the new service hangs. What does the parallel run cost all the same, where do the copies pile up, and what limits them?',
  lastsMs: 12_000,
  unit: 'reads a second',
  faults: () => [{ ...HANGS, what: 'it hangs' }],
  without: {
    title: 'asks both, compares, answers',
    play: (world) =>
      playReads(world, (monolith, service) => async (request) => {
        const asked = [monolith, service].map(async (backend) => backend(request));
        const [old, fresh] = await Promise.allSettled(asked);
        if (fresh?.status === 'rejected') world.count('differences');
        if (old?.status !== 'fulfilled') throw new Error('no answer');
        return old.value;
      }),
  },
  yours: {
    title: 'your router',
    play: (world) =>
      playReads(world, (monolith, service) => {
        const router = createStranglerRouter({
          monolith,
          routes: [{ prefix: '/', service, percent: 0, cohort: 'orders', shadow: true }],
          isSame: (one, other) => one.status === other.status,
          onReport: () => world.count('differences'),
        });
        return (request) => router.handle(request);
      }),
  },
  lines: {
    'customers who ask': (run, fromMs, toMs) => run.requests().begun.perSecond(fromMs, toMs),
    'answered in time': (run, fromMs, toMs) => run.requests().answered.perSecond(fromMs, toMs),
  },
  numbers: {
    'not answered in time': (run) => run.requests().failed.total,
    'most requests under way': (run) => run.requests().underWay.highest(),
    'most copies under way': (run) => {
      const { working, waiting } = run.service('service');
      return working.highest() + waiting.highest();
    },
    'copies without an answer, reported': (run) => run.counted('differences').total,
  },
  observations: [
    {
      says: 'Reads answered in time while the new service hangs (%)',
      measure: (run) => 100 * run.requests().success(HANGS.fromMs, HANGS.toMs),
      atLeast: 99,
      breaks: ['Compares, and then answers'],
    },
  ],
});

function playReads(world: World, route: (monolith: Backend, service: Backend) => Handle): void {
  const monolith = world.service('monolith', { workMs: PAGE_MS });
  const service = world.service('service', {
    servers: 8,
    workMs: PAGE_MS,
    faults: [{ ...HANGS, kind: 'stalled' }],
  });
  const backend =
    ({ call }: typeof monolith): Backend =>
    async () => {
      await withTimeout((signal) => call({ signal }));
      return { status: 200 };
    };
  const handle = route(backend(monolith), backend(service));
  world.arrivals('reads', { perSecond: 100 }, (number) => {
    const request = { method: 'GET', path: `/orders/${number}`, headers: {} };
    world.request(() => handle(request), { patienceMs: PATIENCE_MS });
  });
}
