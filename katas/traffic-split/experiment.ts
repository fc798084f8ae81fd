import { experiment, type Run, ServiceError, type World } from '../../scripts/see/experiment.ts';
import { createSplit } from './traffic-split.ts';

const PAYMENTS_PER_SECOND = 20;
const GUESTS = 2_000;
const LASTS_MS = 540_000;
const RAMP = [
  { atMs: 0, percent: 5 },
  { atMs: 60_000, percent: 20 },
  { atMs: 120_000, percent: 50 },
  { atMs: 360_000, percent: 60 },
  { atMs: 420_000, percent: 80 },
  { atMs: 480_000, percent: 100 },
];
const ILL = { fromMs: 170_000, toMs: 230_000 };
const RELEASE_MS = 290_000;
/** When somebody has seen it on the dashboard, and has set the share to 0. */
const SEEN_MS = RELEASE_MS + 180_000;

type Choose = (userId: string) => { readonly variant: string; report(ok: boolean): void };

experiment('rollback', {
  question:
    'Twenty payments a second; a timer gives the new page to 5, 20, 50 % of the guests, and so on. After 170 s the payment provider is ill for a minute: 12 % fail on both pages. After 290 s a release breaks the new page for foreign cards: 30 % of its payments fail. How many are lost?',
  asked:
    'In the first incident as many payments of the new page fail as one would never tolerate, and nothing is taken back. Which rule tells the two apart, and how much evidence does it need before it may act?',
  lastsMs: LASTS_MS,
  settings: {
    budget: {
      says: 'percentage points by which the new page may fail more often',
      usual: 8,
      from: 0,
      to: 50,
    },
  },
  unit: 'a second',
  faults: () => [
    { ...ILL, what: 'provider is ill' },
    { fromMs: RELEASE_MS, toMs: LASTS_MS, what: 'bad release' },
  ],
  without: {
    title: 'a lot per payment, and a person',
    play: (world) => {
      const chance = world.random('lot');
      let percent = 0;
      let isOff = false;
      ramp(world, (to) => {
        percent = to;
      });
      world.at(SEEN_MS, () => {
        isOff = true;
      });
      play(world, () => ({
        variant: !isOff && chance() * 100 < percent ? 'new' : 'old',
        report() {},
      }));
    },
  },
  yours: {
    title: 'your split, with an error budget',
    play: (world, setting) => {
      const split = createSplit({
        experiment: 'payment page',
        variants: [
          { name: 'old', weight: 0 },
          { name: 'new', weight: 100 },
        ],
        percent: 0,
        rollback: {
          windowMs: 60_000,
          minimumRequests: 200,
          errorBudget: setting('budget') / 100,
        },
      });
      ramp(world, (percent) => split.rampTo(percent));
      play(world, (userId) => split.choose({ userId }));
    },
  },
  lines: {
    'payments on the new page': (run, fromMs, toMs) =>
      run.counted('new page').perSecond(fromMs, toMs),
    'payments that fail': (run, fromMs, toMs) => run.requests().failed.perSecond(fromMs, toMs),
  },
  numbers: {
    'payments on the broken page': (run) =>
      run.counted('new page').between(RELEASE_MS, run.lastsMs),
    'lost payments on it': lost,
    'guests who lost one': (run) => run.counted('guests who lost a payment').total,
    'guests thrown back before (times)': thrownBack,
  },
  observations: [
    {
      says: 'Payments that the new page has lost since the release',
      measure: lost,
      atMost: 100,
      breaks: ['The next step of the ramp brings it back', 'All since the start'],
    },
    {
      says: 'Share of payments on the new page after the provider was down (%)',
      measure: (run) => shareOfNew(run, ILL.toMs, RELEASE_MS),
      atLeast: 40,
      breaks: ['A threshold of its own', 'So many failures are too many'],
    },
    {
      says: 'Times that a guest was thrown back to the old page before the release',
      measure: thrownBack,
      atMost: 0,
      breaks: ['Each request is drawn anew', 'The percentage is in the key'],
    },
  ],
});

function lost(run: Run): number {
  return run.counted('lost on the new page').between(RELEASE_MS, run.lastsMs);
}

function thrownBack(run: Run): number {
  return run.counted('thrown back').between(0, RELEASE_MS);
}

function shareOfNew(run: Run, fromMs: number, toMs: number): number {
  const { begun } = run.requests();
  return (100 * run.counted('new page').between(fromMs, toMs)) / begun.between(fromMs, toMs);
}

function ramp(world: World, rampTo: (percent: number) => void): void {
  for (const { atMs, percent } of RAMP) world.at(atMs, () => rampTo(percent));
}

function play(world: World, choose: Choose): void {
  const guests = world.random('guests');
  const luck = world.random('luck');
  const lastPage = new Map<string, string>();
  const losers = new Set<string>();
  world.arrivals('payments', { perSecond: PAYMENTS_PER_SECOND }, () => {
    const userId = `guest-${Math.floor(guests() * GUESTS)}`;
    const draw = luck();
    world.request(async () => {
      const choice = choose(userId);
      const { variant } = choice;
      if (variant === 'new') world.count('new page');
      else if (lastPage.get(userId) === 'new') world.count('thrown back');
      lastPage.set(userId, variant);
      const isLost = draw < failureRate(variant, world.nowMs);
      choice.report(!isLost);
      if (!isLost) return;
      if (variant === 'new') world.count('lost on the new page');
      if (variant === 'new' && world.nowMs >= RELEASE_MS && !losers.has(userId)) {
        losers.add(userId);
        world.count('guests who lost a payment');
      }
      throw new ServiceError(`The ${variant} page`, 'failed');
    });
  });
}

function failureRate(variant: string, ms: number): number {
  const isIll = ILL.fromMs <= ms && ms < ILL.toMs;
  const isBroken = variant === 'new' && ms >= RELEASE_MS;
  return 0.01 + (isIll ? 0.11 : 0) + (isBroken ? 0.29 : 0);
}
