import {
  experiment,
  percentile,
  type Run,
  uniform,
  type World,
} from '../../scripts/see/experiment.ts';
import { createPlan } from './fan-out.ts';

/** How long each service takes, more or less. */
const SERVICES = {
  session: 200,
  product: 80,
  stock: 260,
  price: 120,
  delivery: 320,
  reviews: 180,
  alsoBought: 240,
};
const PATIENCE_MS = 1_600;
const NO_PICTURES = { fromMs: 8_000, toMs: 14_000 };
const SLOW_REVIEWS = { fromMs: 19_000, toMs: 25_000 };
const NO_PRICE = { fromMs: 29_000, toMs: 32_000 };

type Name = keyof typeof SERVICES;
type Ask = (name: Name, signal?: AbortSignal) => Promise<void>;
type Show = (visitor: AbortSignal) => Promise<unknown>;

experiment('page', {
  question:
    'A product page asks seven services. First the row of pictures at its bottom, alsoBought, is down. Then the reviews take eight times as long. At last there is no price. Who sees a page, and how soon?',
  asked:
    'On the right two of the three troubles cost nobody a page, and the third one everybody. What is the difference? And what would it take to sell shoes in the third as well?',
  lastsMs: 35_000,
  unit: '% of visitors',
  settings: {
    deadline: { says: 'deadline of your plan in ms', usual: 900, from: 300, to: 1_500 },
  },
  faults: () => [
    { ...NO_PICTURES, what: 'pictures' },
    { ...SLOW_REVIEWS, what: 'reviews' },
    { ...NO_PRICE, what: 'price' },
  ],
  without: {
    title: 'Promise.all, three times',
    play: (world) => {
      const ask = shop(world);
      const askFor = (...names: Name[]) =>
        Promise.all(names.map((name) => ask(name, AbortSignal.timeout(1_000))));
      visit(world, async () => {
        await askFor('session', 'product');
        await askFor('stock', 'price', 'reviews', 'alsoBought');
        await askFor('delivery');
      });
    },
  },
  yours: {
    title: 'your plan',
    play: (world, setting) => {
      const ask = shop(world);
      const run = (name: Name) => (_: unknown, signal: AbortSignal) => ask(name, signal);
      const plan = createPlan<Partial<Record<Name, void>>>({
        session: { run: run('session') },
        product: { run: run('product') },
        stock: { needs: ['product'], run: run('stock') },
        price: { needs: ['session', 'product'], run: run('price') },
        delivery: { needs: ['session', 'stock'], run: run('delivery') },
        // A driver from before there were signals.
        reviews: { needs: ['product'], optional: true, run: () => ask('reviews') },
        alsoBought: { needs: ['session'], optional: true, run: run('alsoBought') },
      });
      visit(world, (signal) => plan.run({ deadlineMs: setting('deadline'), signal }));
    },
  },
  lines: {
    'a page within 700 ms': (run, fromMs, toMs) => {
      const all = visitors(run).latenciesMs(fromMs, toMs);
      const share = all.filter((ms) => ms <= 700).length / Math.max(1, all.length);
      return 100 * share * visitors(run).success(fromMs, toMs);
    },
    'a page at all': (run, fromMs, toMs) => 100 * visitors(run).success(fromMs, toMs),
  },
  numbers: {
    'median while all is well (ms)': medianMs,
    'slowest page (ms)': slowestMs,
    'a page without pictures or reviews (%)': inTrouble,
    'calls for 100 visits': (run) =>
      (100 * Object.keys(SERVICES).reduce((sum, name) => sum + run.service(name).calls.total, 0)) /
      run.requests().begun.total,
    'delivery quotes for 100 pages': (run) => 100 * quotesForEach(run),
  },
  observations: [
    {
      says: 'Median of a page while all is well (ms)',
      measure: medianMs,
      atMost: 720,
      breaks: ['One after another, to be safe', 'By levels'],
    },
    {
      says: 'Visitors with a page while pictures or reviews are out, in percent',
      measure: inTrouble,
      atLeast: 99,
      breaks: ['The deadline fails everything'],
    },
    {
      says: 'Slowest page (ms)',
      measure: slowestMs,
      atMost: 950,
      breaks: ['The signal is a request, and it is granted', 'A deadline for each part'],
    },
    {
      says: 'Calls to the session for each visit',
      measure: (run) => run.service('session').calls.total / run.requests().begun.total,
      atMost: 1,
      breaks: ['Each part fetches what it needs'],
    },
    {
      says: 'Quotes from the carrier for each page shown',
      measure: quotesForEach,
      atMost: 1.05,
      breaks: ['Promise.all tells, and stops nobody'],
    },
  ],
});

function visitors(run: Run) {
  return run.requests('visitor');
}

function medianMs(run: Run): number {
  return percentile(visitors(run).latenciesMs(0, NO_PICTURES.fromMs - 1_000), 0.5);
}

function slowestMs(run: Run): number {
  return percentile(visitors(run).latenciesMs(), 1);
}

function inTrouble(run: Run): number {
  const spans = [NO_PICTURES, SLOW_REVIEWS];
  return Math.min(...spans.map(({ fromMs, toMs }) => 100 * visitors(run).success(fromMs, toMs)));
}

function quotesForEach(run: Run): number {
  return run.service('delivery').calls.total / run.requests().answered.total;
}

function shop(world: World): Ask {
  const services = new Map(
    Object.entries(SERVICES).map(([name, ms]) => [
      name,
      world.service(name, {
        workMs: uniform(0.95 * ms, 1.05 * ms),
        seesLeaving: true,
        faults: [
          ...(name === 'alsoBought' ? [{ ...NO_PICTURES, kind: 'down' } as const] : []),
          ...(name === 'reviews' ? [{ ...SLOW_REVIEWS, kind: 'slow', times: 8 } as const] : []),
          ...(name === 'price' ? [{ ...NO_PRICE, kind: 'down' } as const] : []),
        ],
      }),
    ]),
  );
  return async (name, signal) => services.get(name)?.call({ signal });
}

/** One visitor in ten closes the tab at once. */
function visit(world: World, show: Show): void {
  world.arrivals('visitors', { perSecond: 20 }, (number) => {
    const leaves = number % 10 === 0;
    world.request(show, {
      kind: leaves ? 'tab closed' : 'visitor',
      patienceMs: leaves ? 250 : PATIENCE_MS,
    });
  });
}
