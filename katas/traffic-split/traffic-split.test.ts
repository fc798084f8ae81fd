import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createSplit,
  type Choice,
  type Split,
  type SplitOptions,
  type Variant,
} from './traffic-split.ts';

// ── The hotel site and its guests, played by the spec ───────────────────────────────────────────────────

const OLD = 'old-page';
const NEW = 'new-page';
const SHORT = 'short-page';
/** The header of the testers. */
const HEADER = 'x-variant';

const WINDOW_MS = 60_000;
/** Evidence of this age counts, and of that age is forgotten, whatever the slices are. */
const SOON_MS = 53_000;
const LATER_MS = 67_000;
/** No timer of an answer has a reason to be set for longer. */
const LONGEST_MS = 2 * WINDOW_MS;
const HOUR_MS = 3_600_000;
/** All rates of this spec are exact as binary fractions, or far from the budget. */
const RULE = Object.freeze({ windowMs: WINDOW_MS, minimumRequests: 8, errorBudget: 0.25 });

type Weights = Readonly<Record<string, number>>;
const HALF_HALF: Weights = { [OLD]: 50, [NEW]: 50 };
const ALL_NEW: Weights = { [OLD]: 0, [NEW]: 100 };
const THREE: Weights = { [OLD]: 40, [NEW]: 30, [SHORT]: 30 };

const inOrder = (weights: Weights): readonly Variant[] =>
  Object.entries(weights).map(([name, weight]) => ({ name, weight }));

type Settings = Partial<SplitOptions> & { readonly weights?: Weights };

/** Nobody may change what belongs to the site, or to a guest. */
function optionsOf({ weights = HALF_HALF, ...settings }: Settings): SplitOptions {
  const variants = (settings.variants ?? inOrder(weights)).map((variant) => Object.freeze(variant));
  return Object.freeze({
    experiment: 'payment page',
    percent: 100,
    rollback: RULE,
    ...settings,
    variants: Object.freeze(variants),
  });
}

let create = createSplit;

/** The process ends, and with it all that the code remembers; the next one loads it anew. */
async function restart(): Promise<void> {
  vi.resetModules();
  ({ createSplit: create } = await import('./traffic-split.ts'));
}

function print(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === 'string' ? `“${value}”` : inspect(value);
}

interface Outcome {
  readonly ok?: number;
  readonly failed?: number;
}

/** One instance of the site, with its own split. */
class Site {
  readonly split: Split;
  readonly #options: SplitOptions;
  readonly #guests = new Map<string, string>();
  /** How many payments there were, for the messages. */
  readonly #paid = new Map<string, { ok: number; failed: number }>();

  constructor(settings: Settings = {}) {
    this.#options = optionsOf(settings);
    this.split = valid(() => create(this.#options));
    if (typeof this.split?.choose !== 'function') expect.fail(`no split, but ${print(this.split)}`);
  }

  /** A request of this guest. */
  asks(userId: string, headers?: Readonly<Record<string, string>>): Choice {
    const request = headers ? { userId, headers: Object.freeze({ ...headers }) } : { userId };
    Object.freeze(request);
    const choice = valid(() => this.split.choose(request));
    if (typeof choice?.variant === 'string' && typeof choice.report === 'function') return choice;
    return expect.fail(`choose() returned ${print(choice)}, in place of { variant, report }`);
  }

  gets(userId: string, headers?: Readonly<Record<string, string>>): string {
    return this.asks(userId, headers).variant;
  }

  /** What each of these guests gets. */
  allGet(guests: readonly string[]): ReadonlyMap<string, string> {
    return new Map(guests.map((guest) => [guest, this.gets(guest)]));
  }

  /** A guest whom the weights give this variant, whatever has become of it here. */
  guestOf(variant: string): string {
    const known = this.#guests.get(variant);
    if (known !== undefined) return known;
    const twin = create(this.#options);
    const guest = GUESTS.find((userId) => twin.choose({ userId }).variant === variant);
    if (guest === undefined) return expect.fail(`of ${GUESTS.length} guests none gets ${variant}`);
    this.#guests.set(variant, guest);
    return guest;
  }

  /** A request that gets this variant. */
  serves(variant: string): Choice {
    const choice = this.asks(this.guestOf(variant));
    if (choice.variant === variant) return choice;
    const paid = [...this.#paid].map(
      ([name, { ok, failed }]) => `${name} ${ok} well, ${failed} failed`,
    );
    const sofar = paid.length > 0 ? `; payments so far: ${paid.join('; ')}` : '';
    return expect.fail(`the guests of ${variant} get ${choice.variant} already${sofar}`);
  }

  /** So many payments, first those that go well. */
  pays(variant: string, { ok = 0, failed = 0 }: Outcome): void {
    const paid = this.#paid.get(variant) ?? { ok: 0, failed: 0 };
    this.#paid.set(variant, paid);
    for (; ok > 0; ok -= 1, paid.ok += 1) report(this.serves(variant), true);
    for (; failed > 0; failed -= 1, paid.failed += 1) report(this.serves(variant), false);
  }

  /** So many requests of this variant, which have not ended. */
  servesMany(variant: string, count: number): readonly Choice[] {
    return Array.from({ length: count }, () => this.serves(variant));
  }

  health(variant = NEW): string {
    return valid(() => this.split.health(variant));
  }

  /** The evidence that it takes: all is well with the old page, and the new one fails. */
  rollsBack(variant = NEW): this {
    this.pays(OLD, { ok: 8 });
    for (const choice of this.servesMany(variant, 8)) report(choice, false);
    expectRolledBack(this, variant, '8 of 8 payments failed there, and none of 8 on the old page');
    return this;
  }
}

function valid<Result>(use: () => Result): Result {
  try {
    return use();
  } catch (error) {
    return expect.fail(`with nothing wrong in options and request, it threw ${print(error)}`);
  }
}

function report(choice: Choice, ok: boolean): void {
  try {
    choice.report(ok);
  } catch (error) {
    expect.fail(`report(${ok}) of a request of ${choice.variant} threw ${print(error)}`);
  }
}

function expectHealth(site: Site, health: string, because: string, variant = NEW): void {
  expect(site.health(variant), `${because}: the health of ${variant}`).toBe(health);
}

function expectGets(site: Site, guest: string, variant: string, because: string): void {
  expect(site.gets(guest), `${because}: what ${guest} gets`).toBe(variant);
}

function expectRolledBack(site: Site, variant: string, because: string): void {
  expectGets(site, site.guestOf(variant), OLD, `${because}, so ${variant} should be rolled back`);
  expectHealth(site, 'rolled back', because, variant);
}

/** It is in use, and this is its health. */
function expectServed(site: Site, health: string, because: string, variant = NEW): void {
  expectGets(site, site.guestOf(variant), variant, `${because}, so it should not be rolled back`);
  expectHealth(site, health, because, variant);
}

function expectSame(
  now: ReadonlyMap<string, string>,
  before: ReadonlyMap<string, string>,
  because: string,
): void {
  for (const [guest, variant] of before) {
    const other = now.get(guest);
    if (other !== variant) expect.fail(`${guest} got ${variant} and gets ${other}: ${because}`);
  }
}

const countOf = (got: ReadonlyMap<string, string>, variant: string) =>
  [...got.values()].filter((one) => one === variant).length;

/**
 * What chance explains: six standard deviations, and a few more because small counts are skewed. A sound hash misses it
 * less than once in ten million.
 */
function expectShare(count: number, of: number, share: number, what: string): void {
  const expected = of * share;
  const slack = 6 * Math.sqrt(expected * (1 - share)) + 6;
  if (Math.abs(count - expected) <= slack) return;
  const most = Math.floor(expected + slack);
  const least = Math.max(0, Math.ceil(expected - slack));
  expect.fail(
    `${what}: ${count} of ${of}. It should be about ${Math.round(expected)}; chance explains ${least} to ${most}, no more`,
  );
}

const numbered = (count: number, name: (n: number) => string) =>
  Array.from({ length: count }, (_, index) => name(index + 1));

const GUESTS = numbered(400, (n) => `user-${n}`);
const SOME = GUESTS.slice(0, 150);

/** Ids as they are found in the wild. */
const IDS: Readonly<Record<string, (n: number) => string>> = {
  'user-1, user-2, …': (n) => `user-${n}`,
  '1, 2, …': String,
  'G0000001, G0000002, …': (n) => `G${String(n).padStart(7, '0')}`,
  'numbers in steps of 1,000': (n) => String(n * 1_000),
  'e-mail addresses': (n) => `guest${n}@hotel.example`,
  UUIDs: (n) => {
    const hex = [1, 2, 3, 4].map((part) => mixed(n * 4 + part)).join('');
    return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');
  },
};

/** Eight hexadecimal digits without a pattern. */
function mixed(n: number): string {
  let x = Math.imul(n + 0x9e3779b9, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 0).toString(16).padStart(8, '0');
}

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});

const STILL_SET = 'two windows later a timer is still set: nobody asks, and it keeps on running';
let hasLeaked = false;

beforeEach(() => {
  // It would fire in all tests to come.
  if (hasLeaked) expect.fail(STILL_SET);
});

afterEach(async () => {
  if (hasLeaked) return;
  await settle();
  const stray = strays.splice(0);
  if (stray.length > 0) {
    expect.fail(
      `a promise was rejected with ${print(stray[0])} and nobody handled it, which ends a Node process`,
    );
  }
  if (pendingTimers() > 0) await advance(LONGEST_MS);
  hasLeaked = pendingTimers() > 0;
  if (hasLeaked) expect.fail(STILL_SET);
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

/** Says what the answer found wrong. */
function expectRefused(make: () => unknown, wrong: string): string {
  try {
    make();
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    return expect.fail(`${wrong}: it needs a RangeError that says so, and threw ${print(error)}`);
  }
  return expect.fail(`${wrong}, and nobody was told`);
}

/** page z, page y, … with these weights. */
const pagesOf = (weights: string): readonly Variant[] =>
  weights.split(' + ').map((weight, index) => ({
    name: `page ${'zyxwvut'[index]}`,
    weight: Number(weight),
  }));

describe('1 · weights that add up', () => {
  it.for([
    '100',
    '50 + 50',
    '95 + 5',
    '0 + 100',
    '100 + 0',
    '99.9 + 0.1',
    '33.3 + 33.3 + 33.4',
    '70.1 + 29.7 + 0.1 + 0.1',
    '14.3 + 14.3 + 14.3 + 14.3 + 14.3 + 14.3 + 14.2',
  ])('takes weights that are 100 together: %s', (weights) => {
    const split = valid(() => createSplit({ ...optionsOf({}), variants: pagesOf(weights) }));
    expect(split, 'what createSplit() returned').toBeTypeOf('object');
  });

  it.for([
    ['90 + 5', 95],
    ['95 + 10', 105],
    ['0.9 + 0.1', 1],
    ['1 + 1', 2],
    ['0 + 0', 0],
    ['50', 50],
    ['33 + 33 + 33', 99],
    ['34 + 34 + 34', 102],
    ['100 + 100', 200],
    ['0.5 + 99', 99.5],
    ['99.5 + 1', 100.5],
  ] as const)('says what the total is: %s', ([weights, total]) => {
    const message = expectRefused(
      () => createSplit({ ...optionsOf({}), variants: pagesOf(weights) }),
      `the weights ${weights} are ${total}`,
    );
    const numbers = (message.match(/\d+(\.\d+)?/g) ?? []).map(Number);
    expect(numbers, `“${message}”: the total should be in it`).toContain(total);
  });

  it.for(['33.3 + 33.3 + 33.3', '50 + 50.1'])(
    'knows a tenth from a rounding error: %s',
    (weights) => {
      expectRefused(
        () => createSplit({ ...optionsOf({}), variants: pagesOf(weights) }),
        `the weights ${weights} are a tenth away from 100`,
      );
    },
  );

  it.for([
    '-10 + 110',
    '110 + -10',
    '50 + -50 + 100',
    'NaN + 100',
    '50 + NaN + 50',
    'Infinity + 0',
    '-0.1 + 100.1',
  ])('refuses a weight that is none: %s', (weights) => {
    const variants = pagesOf(weights);
    const wrong = variants.filter(({ weight }) => !(weight >= 0 && weight <= 100));
    const message = expectRefused(
      () => createSplit({ ...optionsOf({}), variants }),
      `there is a weight of ${wrong[0]?.weight}`,
    );
    const total = variants.reduce((sum, { weight }) => sum + weight, 0);
    const says =
      wrong.some(({ name }) => message.includes(name)) ||
      (total !== 100 && message.includes(String(total)));
    expect(says, `“${message}”: it should say which variant it is`).toBe(true);
  });

  it('refuses two variants of one name', () => {
    const variants = [OLD, NEW, NEW].map((name, index) => ({
      name,
      weight: [50, 25, 25][index] ?? 0,
    }));
    const message = expectRefused(
      () => createSplit({ ...optionsOf({}), variants }),
      `there are two variants called ${NEW}`,
    );
    expect(message, 'the message should say which name it is').toContain(NEW);
  });

  it('refuses an empty list', () => {
    expectRefused(
      () => createSplit({ ...optionsOf({}), variants: [] }),
      'there is no variant at all',
    );
  });

  it.for([-1, -0.1, 100.1, 101, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses a share of the users that is none: %d %',
    (percent) => {
      const wrong = `${percent} % of the users were to take part`;
      const message = expectRefused(() => createSplit(optionsOf({ percent })), wrong);
      expect(message, 'the message should have the number in it').toContain(String(percent));
      const site = new Site({ weights: ALL_NEW, percent: 50 });
      const before = site.allGet(GUESTS.slice(0, 50));
      expectRefused(() => site.split.rampTo(percent), wrong);
      expectSame(
        site.allGet(GUESTS.slice(0, 50)),
        before,
        'rampTo() refused, and so nothing has changed',
      );
    },
  );
});

describe('2 · each guest has a variant', () => {
  it('gives everybody the baseline at 0 %', () => {
    const got = new Site({ weights: ALL_NEW, percent: 0 }).allGet(GUESTS);
    expect(countOf(got, OLD), 'nobody takes part; how many get the old page').toBe(GUESTS.length);
  });

  it('lets everybody take part at 100 %', () => {
    const got = new Site({ weights: ALL_NEW }).allGet(GUESTS);
    expect(countOf(got, NEW), 'all take part; how many get the new page').toBe(GUESTS.length);
  });

  it('gives nobody a variant with a weight of 0', () => {
    const weights = { [OLD]: 50, [NEW]: 0, [SHORT]: 50, 'last-page': 0 };
    const got = new Site({ weights }).allGet(GUESTS);
    expect(countOf(got, NEW), `${NEW} has a weight of 0; how many got it`).toBe(0);
    expect(countOf(got, 'last-page'), 'last-page has a weight of 0; how many got it').toBe(0);
    const all = new Site({ weights: { [OLD]: 100, [NEW]: 0 } }).allGet(GUESTS);
    expect(countOf(all, OLD), `${OLD} has a weight of 100; how many got it`).toBe(GUESTS.length);
  });

  it('gives a guest the same whenever the guest asks', async () => {
    const site = new Site({ weights: THREE, percent: 60 });
    const first = site.allGet(SOME);
    expectSame(site.allGet(SOME.toReversed()), first, 'it was the second request');
    await advance(LATER_MS);
    expectSame(site.allGet(SOME), first, 'it was a minute later');
    stepWallClock(24 * HOUR_MS);
    expectSame(site.allGet(SOME), first, 'it was the next day');
    stepWallClock(-25 * HOUR_MS);
    expectSame(site.allGet(SOME), first, 'the clock had been set back');
  });

  it('gives a guest the same in every instance', () => {
    const settings = { weights: THREE, percent: 60 };
    const first = new Site(settings).allGet(SOME);
    const second = new Site(settings).allGet(SOME.toReversed());
    expectSame(second, first, 'the load balancer had chosen another instance');
  });

  it('gives a guest the same after a restart', async () => {
    const settings = { weights: THREE, percent: 60 };
    const before = new Site(settings).allGet(SOME);
    await restart();
    expectSame(new Site(settings).allGet(SOME), before, 'the process had been started anew');
  });

  it('looks at the id, and at nothing else of the request', () => {
    const site = new Site({ weights: THREE, percent: 60 });
    for (const guest of GUESTS.slice(0, 50)) {
      const variant = site.gets(guest);
      const headers = { host: 'hotel.example', cookie: `session=${guest}`, 'user-agent': NEW };
      const other = site.gets(guest, headers);
      if (other !== variant) {
        expect.fail(`${guest} gets ${variant}, and with another browser ${other}`);
      }
    }
  });

  it.for(Object.keys(IDS))('lets in as many as it should, whatever the ids are: %s', (ids) => {
    const guests = numbered(1_500, IDS[ids] ?? String);
    const got = new Site({ weights: ALL_NEW, percent: 55 }).allGet(guests);
    expectShare(countOf(got, NEW), guests.length, 0.55, `55 % take part; ids are ${ids}`);
  });

  it('gives each variant its weight', () => {
    const guests = numbered(1_500, (n) => `user-${n}`);
    for (const weights of [
      { [OLD]: 45, [NEW]: 55 },
      { [OLD]: 20, [NEW]: 30, [SHORT]: 50 },
    ]) {
      const got = new Site({ weights }).allGet(guests);
      for (const [variant, weight] of Object.entries(weights)) {
        const what = `${variant} has a weight of ${weight}; who gets it`;
        expectShare(countOf(got, variant), guests.length, weight / 100, what);
      }
    }
  });

  it.for([
    [10, 3_000],
    [0.5, 15_000],
  ] as const)('gives each variant its weight also when few take part: %d %', ([percent, count]) => {
    const guests = numbered(count, (n) => `user-${n}`);
    const weights = { [OLD]: 0, [NEW]: 50, [SHORT]: 50 };
    const got = new Site({ weights, percent }).allGet(guests);
    const taking = guests.length - countOf(got, OLD);
    expectShare(taking, guests.length, percent / 100, `${percent} % take part`);
    for (const variant of [NEW, SHORT]) {
      const what = `${variant} has a weight of 50, so half of the ${percent} % who take part get it`;
      expectShare(countOf(got, variant), taking, 0.5, what);
    }
  });

  it('knows tenths of a percent', () => {
    const guests = numbered(3_000, (n) => `user-${n}`);
    for (const [what, settingsOf] of [
      ['of the users take part', (percent: number) => ({ weights: ALL_NEW, percent })],
      [
        `is the weight of ${NEW}`,
        (weight: number) => ({ weights: { [OLD]: 100 - weight, [NEW]: weight } }),
      ],
    ] as const) {
      const got = new Site(settingsOf(1)).allGet(guests);
      const atOne = guests.filter((guest) => got.get(guest) === NEW);
      expectShare(atOne.length, guests.length, 0.01, `1 % ${what}; who gets ${NEW}`);
      // Whoever knows tenths lets them in little by little; of ten steps a sound hash leaves at most some empty.
      const counts = [0];
      for (const tenths of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
        counts.push(countOf(new Site(settingsOf(tenths / 10)).allGet(atOne), NEW));
      }
      const steps = counts.filter((count, index) => count > (counts[index - 1] ?? 0)).length;
      if (steps > 3) continue;
      const because = `0.1 %, 0.2 % … 1 % ${what}: how many get ${NEW}`;
      expect.fail(`${because} is ${counts.slice(1).join(', ')}; tenths make no difference`);
    }
  });
});

describe('3 · the ramp', () => {
  it('leaves whoever is in where they are', () => {
    const site = new Site({ weights: THREE, percent: 0 });
    const guests = numbered(600, (n) => `user-${n}`);
    let before = site.allGet([]);
    let [from, taking] = [0, 0];
    for (const percent of [0.1, 1, 5, 20, 50, 99.9, 100]) {
      site.split.rampTo(percent);
      const now = site.allGet(guests);
      for (const [guest, variant] of before) {
        const other = now.get(guest);
        if (variant === OLD || other === variant) continue;
        expect.fail(`at ${from} % ${guest} got ${variant}, at ${percent} % ${guest} gets ${other}`);
      }
      [before, from, taking] = [now, percent, guests.length - countOf(now, OLD)];
      expectShare(taking, guests.length, (percent / 100) * 0.6, `not ${OLD} at ${percent} %`);
    }
  });

  it('holds for the very next request', () => {
    const site = new Site({ weights: ALL_NEW, percent: 0 });
    const [guest = ''] = GUESTS;
    expectGets(site, guest, OLD, 'at 0 %');
    site.split.rampTo(100);
    expectGets(site, guest, NEW, 'right after rampTo(100)');
    site.split.rampTo(0);
    expectGets(site, guest, OLD, 'right after rampTo(0)');
  });

  it('lets those go first who came last', () => {
    const site = new Site({ weights: THREE, percent: 5 });
    const at5 = site.allGet(SOME);
    for (const percent of [20, 100, 50, 0]) {
      site.split.rampTo(percent);
      site.allGet(SOME);
    }
    site.split.rampTo(5);
    expectSame(site.allGet(SOME), at5, 'it is 5 % again, as it was before');
  });

  it('makes no difference between 20 % after a ramp and 20 % from the start', () => {
    const settings = { weights: THREE, percent: 5 };
    const site = new Site(settings);
    site.allGet(SOME);
    site.split.rampTo(20);
    const fresh = new Site({ ...settings, percent: 20 });
    const because = 'one instance began at 5 % and went to 20 %, the other one began at 20 %';
    expectSame(fresh.allGet(SOME), site.allGet(SOME), because);
  });

  it.for([
    ['70 + 30', '50 + 30 + 20'],
    ['40 + 30 + 30', '15 + 30 + 30 + 25'],
    ['70 + 10 + 20', '40 + 10 + 20 + 30'],
    ['100', '90 + 10'],
    ['20 + 80', '0 + 80 + 20'],
  ] as const)(
    'moves nobody but to a variant that joins at the baseline’s cost: %s → %s',
    (weights) => {
      const [few, more] = weights.map(pagesOf);
      const [baseline, joined] = [more?.[0]?.name, more?.at(-1)?.name];
      for (const percent of [60, 100]) {
        const [before, after] = [few, more].map((variants = []) =>
          new Site({ variants, percent }).allGet(SOME),
        );
        for (const [guest, variant] of before ?? []) {
          const other = after?.get(guest);
          if (other === variant || (variant === baseline && other === joined)) continue;
          const because = `only ${joined} has joined, at the cost of ${baseline}`;
          expect.fail(`${guest} got ${variant} and gets ${other}, but ${because}`);
        }
      }
    },
  );

  it('has no memory, whatever the ramp has been', () => {
    const percent = fc.constantFrom(0, 0.1, 5, 20, 50, 80, 100);
    const guests = GUESTS.slice(0, 40);
    fc.assert(
      fc.property(fc.array(percent, { minLength: 2, maxLength: 6 }), (ramp) => {
        const site = new Site({ weights: THREE, percent: ramp[0] ?? 0 });
        for (const to of ramp) {
          site.split.rampTo(to);
          site.gets(guests[0] ?? '');
        }
        const fresh = new Site({ weights: THREE, percent: ramp.at(-1) ?? 0 });
        const because = `one instance has gone ${ramp.join(' % → ')} %, the other one just began`;
        expectSame(fresh.allGet(guests), site.allGet(guests), because);
      }),
      { seed: 20_261_128, numRuns: 12 },
    );
  });
});

describe('4 · independent experiments', () => {
  it.for([
    ['payment page', 'search ranking'],
    ['payment page 1', 'payment page 2'],
    ['ab', 'ba'],
    ['payment', 'payment page'],
    ['payment page', 'Payment page'],
  ] as const)('lets one say nothing about another: %s and %s', ([one, other]) => {
    const guests = numbered(2_000, (n) => `user-${n}`);
    const settings = { weights: { [OLD]: 0, [NEW]: 50, [SHORT]: 50 }, percent: 40 };
    const shares: Weights = { [OLD]: 0.6, [NEW]: 0.2, [SHORT]: 0.2 };
    const first = new Site({ ...settings, experiment: one }).allGet(guests);
    const second = new Site({ ...settings, experiment: other }).allGet(guests);
    for (const [here, share] of Object.entries(shares)) {
      for (const [there, otherShare] of Object.entries(shares)) {
        const both = guests.filter((id) => first.get(id) === here && second.get(id) === there);
        const what = `guests with ${here} in “${one}” and ${there} in “${other}”`;
        expectShare(both.length, guests.length, share * otherShare, what);
      }
    }
  });
});

describe('5 · by header', () => {
  const settings = { weights: THREE, percent: 50, overrideHeader: HEADER };

  it.for([OLD, NEW, SHORT])('gives a tester what the tester asks for: %s', (variant) => {
    const site = new Site(settings);
    for (const guest of GUESTS.slice(0, 50)) {
      expectGetsBy(site, guest, { [HEADER]: variant }, variant, 'the header asks for it');
    }
  });

  it('reaches what nobody else can', () => {
    const site = new Site({ ...settings, weights: { [OLD]: 100, [NEW]: 0 }, percent: 0 });
    const [guest = ''] = GUESTS;
    expectGetsBy(site, guest, { [HEADER]: NEW }, NEW, 'that is how it is tested before the ramp');
  });

  it('is for this one request', () => {
    const site = new Site(settings);
    for (const guest of GUESTS.slice(0, 20)) {
      const before = site.gets(guest);
      site.gets(guest, { [HEADER]: NEW });
      site.gets(guest, { [HEADER]: SHORT });
      expectGets(site, guest, before, 'the next request comes without the header');
    }
  });

  it.for([
    ['x-variant', 'X-Variant'],
    ['X-Variant', 'x-variant'],
    ['X-VARIANT', 'x-Variant'],
  ] as const)('takes upper and lower case for the same: %s and %s', ([option, sent]) => {
    const site = new Site({ ...settings, overrideHeader: option });
    const because = `the option says ${option}`;
    for (const guest of GUESTS.slice(0, 20)) {
      expectGetsBy(site, guest, { accept: '*/*', [sent]: NEW }, NEW, because);
    }
  });

  it.for([
    '',
    'newer-page',
    'New-Page',
    'new',
    'new-page, short-page',
    '1',
    'true',
    'undefined',
    '__proto__',
    'constructor',
  ])('takes any other value for none: “%s”', (value) => {
    const site = new Site(settings);
    for (const guest of GUESTS.slice(0, 20)) {
      const variant = site.gets(guest);
      expectGetsBy(site, guest, { [HEADER]: value }, variant, 'there is no such variant');
    }
  });

  it('looks at no other header', () => {
    const headers = { variant: NEW, 'x-variants': NEW, x_variant: NEW, accept: NEW };
    const site = new Site(settings);
    for (const guest of GUESTS.slice(0, 20)) {
      expectGetsBy(site, guest, headers, site.gets(guest), `${HEADER} is the header that decides`);
    }
  });

  it('lets no header decide where none was named', () => {
    const site = new Site({ weights: THREE, percent: 50 });
    const headers = { [HEADER]: NEW, undefined: NEW, '': NEW };
    for (const guest of GUESTS.slice(0, 20)) {
      expectGetsBy(site, guest, headers, site.gets(guest), 'there is no override header');
    }
  });
});

function expectGetsBy(
  site: Site,
  guest: string,
  headers: Readonly<Record<string, string>>,
  variant: string,
  because: string,
): void {
  const sent = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  expect(site.gets(guest, headers), `${because}: what ${guest} gets with ${sent.join(', ')}`).toBe(
    variant,
  );
}

describe('6 · the error budget', () => {
  it('rolls a variant back that fails too often', () => {
    const site = new Site();
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { ok: 5, failed: 3 });
    expectRolledBack(site, NEW, '3 of 8 failed there, and none of 8 on the old page');
  });

  it('leaves a variant alone that fails now and then', () => {
    const site = new Site();
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { ok: 7, failed: 1 });
    expectServed(site, 'healthy', '1 of 8 failed there, which the budget of 25 points covers');
  });

  it('leaves a variant alone that spends exactly its budget', () => {
    const site = new Site();
    site.pays(OLD, { ok: 7, failed: 1 });
    site.pays(NEW, { ok: 5, failed: 3 });
    expectServed(site, 'healthy', '3 of 8 failed, 1 of 8 on the old page: 25 points, and no more');
    site.pays(NEW, { failed: 1 });
    expectRolledBack(site, NEW, '4 of 9 failed there, and 1 of 8 on the old page');
  });

  it('has no tolerance where there is no budget', () => {
    const site = new Site({ rollback: { ...RULE, errorBudget: 0 } });
    site.pays(OLD, { ok: 12, failed: 4 });
    site.pays(NEW, { ok: 6, failed: 2 });
    expectServed(site, 'healthy', 'a quarter failed on either page');
    site.pays(NEW, { failed: 1 });
    expectRolledBack(site, NEW, '3 of 9 failed there, 4 of 16 on the old page, the budget is 0');
  });

  it('has a budget as small as it is told', () => {
    const site = new Site({ rollback: { ...RULE, errorBudget: 0.002 } });
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { ok: 299, failed: 1 });
    const because =
      '1 of 300 failed there, none on the old page, and the budget is a fifth of a point';
    expectRolledBack(site, NEW, because);
  });

  it('compares it with the baseline', () => {
    const site = new Site();
    site.pays(OLD, { ok: 4, failed: 4 });
    site.pays(NEW, { ok: 4, failed: 4 });
    expectServed(site, 'healthy', 'half failed on either page: the payment provider is down');
    site.pays(NEW, { failed: 8 });
    expectServed(site, 'healthy', '12 of 16 failed there, 4 of 8 on the old page: 25 points');
    site.pays(NEW, { failed: 1 });
    expectRolledBack(site, NEW, '13 of 17 failed there, and 4 of 8 on the old page');
  });

  it('does not mind a variant that fails less', () => {
    const site = new Site();
    site.pays(OLD, { ok: 2, failed: 6 });
    site.pays(NEW, { ok: 7, failed: 1 });
    expectServed(site, 'healthy', '1 of 8 failed there, and 6 of 8 on the old page');
  });

  it('compares rates, not counts', () => {
    const many = new Site();
    many.pays(OLD, { ok: 8 });
    many.pays(NEW, { ok: 180, failed: 20 });
    expectServed(many, 'healthy', '20 of 200 failed there, 10 points more than on the old page');
    const few = new Site();
    few.pays(OLD, { ok: 150, failed: 10 });
    few.pays(NEW, { ok: 4, failed: 4 });
    expectRolledBack(few, NEW, '4 of 8 failed there, and 10 of 160 on the old page');
  });

  it('knows nothing before there is anything to know', () => {
    const site = new Site();
    expectServed(site, 'unknown', 'nobody has paid: 0 of 0 failed');
    site.pays(NEW, { ok: 100 });
    expectServed(site, 'unknown', '100 have paid on the new page, and nobody on the old page');
    const other = new Site();
    other.pays(OLD, { ok: 100 });
    expectServed(other, 'unknown', '100 have paid on the old page, and nobody on the new page');
  });

  it('does not judge by fewer requests of the variant than it was told', () => {
    const site = new Site();
    site.pays(OLD, { ok: 20 });
    site.pays(NEW, { failed: 7 });
    expectServed(site, 'unknown', '7 of 7 failed there; the minimum is 8');
    site.pays(NEW, { failed: 1 });
    expectRolledBack(site, NEW, '8 of 8 failed there; the minimum is 8');
  });

  it('does not judge by fewer requests of the baseline than it was told', () => {
    const site = new Site();
    site.pays(OLD, { ok: 7 });
    site.pays(NEW, { failed: 20 });
    expectServed(site, 'unknown', 'only 7 have paid on the old page; the minimum is 8');
  });

  it('judges when a request of the baseline ends, too', () => {
    const site = new Site();
    site.pays(OLD, { ok: 7 });
    site.pays(NEW, { failed: 20 });
    site.pays(OLD, { ok: 1 });
    expectRolledBack(site, NEW, '20 of 20 failed there, and now 8 have paid on the old page');

    const three = new Site({ weights: THREE });
    three.pays(OLD, { ok: 7 });
    for (const variant of [NEW, SHORT]) three.pays(variant, { failed: 20 });
    three.pays(OLD, { failed: 1 });
    for (const variant of [NEW, SHORT]) {
      const because = '20 of 20 failed there, and 1 of 8 on the old page, the eighth just now';
      expectRolledBack(three, variant, because);
    }
  });

  it('judges when a request ends well, too', () => {
    const site = new Site();
    site.pays(OLD, { ok: 8 });
    for (const failed of [1, 1, 1, 1]) site.pays(NEW, { failed });
    site.pays(NEW, { ok: 4 });
    expectRolledBack(site, NEW, '4 of 8 failed there; the eighth, which went well, told enough');
  });

  it('is not lulled by what went well long ago', async () => {
    const site = new Site();
    site.pays(OLD, { ok: 50 });
    site.pays(NEW, { ok: 50 });
    await advance(LATER_MS);
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { ok: 4, failed: 4 });
    expectRolledBack(site, NEW, 'in the last minute 4 of 8 failed there, none on the old page');
  });

  it('does not bear a grudge', async () => {
    const site = new Site();
    site.pays(NEW, { failed: 7 });
    await advance(LATER_MS);
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { ok: 8 });
    expectServed(site, 'healthy', 'in the last minute none of 8 failed there');
  });

  it('looks at the same time on both sides', async () => {
    const site = new Site();
    site.pays(OLD, { failed: 20 });
    await advance(LATER_MS);
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { ok: 4, failed: 4 });
    expectRolledBack(site, NEW, 'in the last minute 4 of 8 failed there, none on the old page');
  });

  it('knows nothing any more after a silence', async () => {
    const site = new Site();
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { ok: 8 });
    expectServed(site, 'healthy', 'none of 8 failed on either page');
    await advance(LATER_MS);
    expectServed(site, 'unknown', 'for 67 s nobody has paid, and the window is 60 s');
  });

  it('does not call healthy what is worse by now, although nothing was reported', async () => {
    const site = new Site();
    site.pays(OLD, { failed: 8 });
    await advance(LATER_MS / 2);
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { ok: 4, failed: 4 });
    expectServed(site, 'healthy', 'half failed on either page in the last minute');
    await advance(LATER_MS / 2);
    const because =
      'the 8 failures of the old page are 67 s ago; since then 4 of 8 failed on the new one, none of 8 on the old one';
    expect(['unhealthy', 'rolled back'], `${because}: the health of ${NEW}`).toContain(
      site.health(),
    );
  });

  it.for([0, 15_000, 30_000, 45_000, 50_000])(
    'has a window that slides, and does not start anew: after %d ms',
    async (ms) => {
      const site = new Site();
      site.pays(OLD, { ok: 1 });
      await advance(ms);
      site.pays(OLD, { ok: 8 });
      site.pays(NEW, { failed: 4 });
      await advance(SOON_MS);
      site.pays(NEW, { ok: 4 });
      expectRolledBack(site, NEW, 'within 53 s 4 of 8 failed there, and the window is 60 s');
    },
  );

  it('forgets one request after another', async () => {
    const site = new Site();
    site.pays(NEW, { failed: 6 });
    await advance(40_000);
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { ok: 1 });
    await advance(40_000);
    site.pays(NEW, { ok: 6 });
    expectServed(site, 'unknown', 'of the last 60 s there are 7 requests; the minimum is 8');
    site.pays(NEW, { ok: 1 });
    expectServed(site, 'healthy', 'of the 8 requests of the last 60 s none failed');
  });

  it('forgets none of them earlier because there are so many others', () => {
    const site = new Site();
    site.pays(NEW, { failed: 7 });
    site.pays(OLD, { ok: 1_500 });
    site.pays(NEW, { failed: 1 });
    expectRolledBack(site, NEW, '8 of 8 failed there, and none of 1,500 on the old page');
  });

  it('counts a request from when it ended', async () => {
    const site = new Site();
    const slow = site.servesMany(NEW, 8);
    await advance(LATER_MS);
    for (const choice of slow) report(choice, false);
    site.pays(OLD, { ok: 8 });
    expectRolledBack(site, NEW, '8 of 8 have failed just now; they took 67 s');
  });

  it.for([HOUR_MS, -HOUR_MS])('has a clock that only runs forward: set by %d ms', async (ms) => {
    const site = new Site();
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { failed: 4 });
    stepWallClock(ms);
    site.pays(NEW, { ok: 4 });
    expectRolledBack(site, NEW, '4 of 8 failed there within a moment; the wall clock was set');

    const other = new Site();
    other.pays(NEW, { failed: 7 });
    stepWallClock(ms);
    await advance(LATER_MS);
    other.pays(OLD, { ok: 8 });
    other.pays(NEW, { ok: 8 });
    expectServed(
      other,
      'healthy',
      '67 s after 7 failures they are forgotten; the wall clock was set',
    );
  });

  it('takes a request that was never reported for none', () => {
    const site = new Site();
    site.pays(OLD, { ok: 8 });
    site.servesMany(NEW, 50);
    expectServed(site, 'unknown', '50 requests are under way, and nobody knows how they end');
    site.pays(NEW, { ok: 2, failed: 6 });
    expectRolledBack(site, NEW, '6 of the 8 that have ended failed; 50 are under way');
  });

  it('counts a request once, as it was told first', () => {
    const site = new Site();
    site.pays(OLD, { ok: 8 });
    for (const choice of site.servesMany(NEW, 7)) {
      report(choice, true);
      report(choice, false);
      report(choice, false);
    }
    expectServed(site, 'unknown', '7 requests have ended, and each was reported three times');
    site.pays(NEW, { ok: 1 });
    expectServed(site, 'healthy', 'each of the 8 was reported as good first');
  });

  it('counts each request of a guest', () => {
    const site = new Site();
    site.pays(OLD, { ok: 8 });
    const choices = site.servesMany(NEW, 8);
    for (const choice of choices.toReversed()) report(choice, false);
    expectRolledBack(site, NEW, '8 of 8 requests failed, all of one guest');
  });

  it('takes no tester for evidence', () => {
    const site = new Site({ overrideHeader: HEADER });
    const tests = (variant: string, guest: string, ok: boolean) => {
      for (let n = 0; n < 20; n += 1) report(site.asks(guest, { [HEADER]: variant }), ok);
    };
    site.pays(OLD, { ok: 8 });
    tests(NEW, site.guestOf(OLD), false);
    tests(NEW, site.guestOf(NEW), false);
    expectServed(site, 'unknown', 'only testers have tried to pay on the new page');

    const other = new Site({ overrideHeader: HEADER });
    for (const guest of [OLD, NEW].map((variant) => other.guestOf(variant))) {
      for (let n = 0; n < 20; n += 1) report(other.asks(guest, { [HEADER]: OLD }), true);
    }
    other.pays(NEW, { failed: 8 });
    expectServed(other, 'unknown', 'only testers have paid on the old page');
  });

  it('takes a guest with a header that asks for nothing for evidence', () => {
    const site = new Site({ overrideHeader: HEADER });
    for (const [variant, ok] of [
      [OLD, true],
      [NEW, false],
    ] as const) {
      for (let n = 0; n < 8; n += 1) {
        report(site.asks(site.guestOf(variant), { [HEADER]: 'none-of-these' }), ok);
      }
    }
    expectRolledBack(site, NEW, '8 of 8 failed there, whatever else the header said');
  });

  it('takes all who get the baseline for its evidence', () => {
    const outside = new Site({ weights: ALL_NEW, percent: 50 });
    outside.pays(OLD, { ok: 8 });
    outside.pays(NEW, { failed: 8 });
    expectRolledBack(outside, NEW, 'the 8 who paid on the old page do not take part');
  });

  it('takes those for evidence who get the baseline because of a rollback', async () => {
    const site = new Site({ weights: THREE }).rollsBack(NEW);
    await advance(LATER_MS);
    for (let n = 0; n < 8; n += 1) report(site.asks(site.guestOf(NEW)), true);
    site.pays(SHORT, { failed: 8 });
    expectRolledBack(site, SHORT, '8 have paid on the old page, who would have got the new one');

    const other = new Site({ weights: THREE, overrideHeader: HEADER }).rollsBack(NEW);
    await advance(LATER_MS);
    for (let n = 0; n < 8; n += 1) report(other.asks(other.guestOf(OLD), { [HEADER]: NEW }), true);
    other.pays(SHORT, { failed: 8 });
    const because = '8 have paid on the old page, whose header asked for what is rolled back';
    expectRolledBack(other, SHORT, because);
  });

  it('keeps its evidence when the ramp goes on', () => {
    const site = new Site({ percent: 60 });
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { failed: 4 });
    site.split.rampTo(80);
    site.pays(NEW, { failed: 4 });
    expectRolledBack(site, NEW, '8 of 8 failed there, 4 of them before the ramp went on');
  });

  it('takes a request for evidence that was under way when the ramp went down', () => {
    const site = new Site();
    site.pays(OLD, { ok: 8 });
    const open = site.servesMany(NEW, 8);
    site.split.rampTo(0);
    for (const choice of open) report(choice, false);
    const because = '8 of 8 failed there, which were chosen before the ramp went to 0 %';
    expectHealth(site, 'rolled back', because);
  });

  it('leaves a request under way where it is', () => {
    const site = new Site();
    const [first, second] = site.servesMany(NEW, 2);
    site.rollsBack();
    const because = 'the guest has the new page on the screen; it was rolled back since';
    expect(first?.variant, `${because}: the variant of this request`).toBe(NEW);
    if (first) report(first, true);
    if (second) report(second, false);
    expectRolledBack(site, NEW, 'two requests have ended that were under way');
    site.split.rampTo(0);
    expect(second?.variant, `${because}: the variant of this request`).toBe(NEW);
  });

  it('hides no failure behind the baseline', () => {
    const site = new Site({ weights: THREE });
    const open = site.servesMany(NEW, 20);
    site.rollsBack(NEW);
    for (const choice of open) report(choice, false);
    site.pays(SHORT, { ok: 4, failed: 4 });
    const because = '4 of 8 failed there, none of 8 on the old page; the 20 had the new page';
    expectRolledBack(site, SHORT, because);
  });

  it('moves nobody but the users of the variant', () => {
    const site = new Site({ weights: THREE, percent: 80 });
    const before = site.allGet(SOME);
    site.rollsBack(NEW);
    const now = site.allGet(SOME);
    for (const [guest, variant] of before) {
      const due = variant === NEW ? OLD : variant;
      const message = `${guest} had ${variant}, and ${NEW} was rolled back; what ${guest} gets`;
      expect(now.get(guest), message).toBe(due);
    }
    expectServed(site, 'unknown', 'only the new page was rolled back', SHORT);
  });

  it('gives a variant its users back, wherever the ramp is by then', () => {
    const site = new Site({ weights: THREE });
    site.split.rampTo(20);
    const at20 = site.allGet(SOME);
    site.split.rampTo(100);
    site.rollsBack(NEW);
    site.split.rampTo(20);
    site.split.restore(NEW);
    expectSame(site.allGet(SOME), at20, `${NEW} was restored, and it is 20 %, as it was before`);
  });

  it('rolls each variant back for itself', () => {
    const site = new Site({ weights: THREE });
    site.pays(OLD, { ok: 8 });
    site.pays(SHORT, { ok: 8 });
    site.pays(NEW, { failed: 8 });
    expectRolledBack(site, NEW, '8 of 8 failed there, and none of 8 on the old page');
    expectServed(site, 'healthy', 'none of 8 failed there', SHORT);
    for (const choice of site.servesMany(SHORT, 8)) report(choice, false);
    expectRolledBack(site, SHORT, '8 of 16 failed there, and none of 8 on the old page');
    site.split.restore(SHORT);
    expectServed(site, 'unknown', 'it was restored', SHORT);
    expectRolledBack(site, NEW, 'it was the other one that was restored');
  });

  it('stays rolled back, whatever happens', async () => {
    const site = new Site();
    const open = site.servesMany(NEW, 20);
    site.rollsBack();
    for (const choice of open) report(choice, true);
    expectRolledBack(site, NEW, '20 payments that were under way have gone well');
    site.pays(OLD, { failed: 20 });
    expectRolledBack(site, NEW, '20 payments have failed on the old page');
    await advance(HOUR_MS);
    expectRolledBack(site, NEW, 'an hour has passed');
    for (const percent of [0, 5, 100]) site.split.rampTo(percent);
    expectRolledBack(site, NEW, 'the ramp has gone on; that does not mend the page');
  });

  it('lets no header undo it', () => {
    const site = new Site({ weights: THREE, overrideHeader: HEADER }).rollsBack(NEW);
    for (const variant of [OLD, NEW, SHORT]) {
      const due = variant === NEW ? OLD : variant;
      const because = `${NEW} was rolled back, so to ask for it is as good as nothing`;
      expectGetsBy(site, site.guestOf(variant), { [HEADER]: NEW }, due, because);
    }
    expectGetsBy(site, site.guestOf(NEW), { [HEADER]: SHORT }, SHORT, `${SHORT} is still there`);
  });

  it('starts with nothing after a restore', () => {
    const site = new Site().rollsBack();
    site.split.restore(NEW);
    expectServed(site, 'unknown', 'it was restored, and nobody has paid since');
    site.pays(NEW, { failed: 20 });
    expectServed(site, 'unknown', 'nobody has paid on the old page since the restore');
    site.pays(OLD, { ok: 8 });
    expectRolledBack(
      site,
      NEW,
      'since the restore 20 of 20 failed there, none of 8 on the old page',
    );
    site.split.restore(NEW);
    site.pays(OLD, { ok: 8 });
    site.pays(NEW, { failed: 7 });
    expectServed(site, 'unknown', 'since the second restore 7 have failed; the minimum is 8');
  });

  it('does not hear of requests any more that were chosen before the restore', () => {
    const site = new Site();
    const failing = site.servesMany(NEW, 20);
    const good = site.servesMany(OLD, 20);
    site.rollsBack();
    site.split.restore(NEW);
    site.pays(OLD, { ok: 8 });
    for (const choice of failing) report(choice, false);
    expectServed(site, 'unknown', '20 have failed that were chosen before the restore');
    site.pays(NEW, { ok: 8 });
    expectServed(site, 'healthy', '8 of 8 chosen since the restore went well');

    const other = new Site();
    const before = other.servesMany(OLD, 20);
    other.rollsBack();
    other.split.restore(NEW);
    other.pays(NEW, { failed: 8 });
    for (const choice of [...before, ...good]) report(choice, true);
    expectServed(other, 'unknown', 'nobody has paid on the old page who came after the restore');
  });
});

describe('7 · whatever happens', () => {
  it('does what the rules say, step by step', async () => {
    const crowd = crowdOf();
    await fc.assert(
      fc.asyncProperty(histories(), (history) =>
        fc.asyncModelRun(() => ({ model: new Paper(crowd), real: new Site(PROPERTY) }), history),
      ),
      { seed: 20_261_128, numRuns: 40 },
    );
  });
});

// ── The rules on paper, and what can happen to them ─────────────────────────────────────────────────────

/** No two shares of so few requests differ by exactly this budget. */
const BUDGET = 0.2371;
const MINIMUM = 3;
const PERCENTS = [0, 20, 50, 100];

const PROPERTY: Settings = {
  percent: 50,
  overrideHeader: HEADER,
  rollback: { windowMs: WINDOW_MS, minimumRequests: MINIMUM, errorBudget: BUDGET },
};

/** What each guest gets at each percentage, if nothing has been rolled back. */
type Crowd = ReadonlyMap<string, ReadonlyMap<number, string>>;

/** Some guests of each kind: let in early, let in late, and never given the new page. */
function crowdOf(): Crowd {
  const sites = new Map(PERCENTS.map((percent) => [percent, new Site({ ...PROPERTY, percent })]));
  const kinds = new Map<string, number>();
  const crowd = new Map<string, ReadonlyMap<number, string>>();
  for (const guest of GUESTS) {
    const gets = new Map([...sites].map(([percent, site]) => [percent, site.gets(guest)]));
    const kind = [...gets.values()].join();
    const known = kinds.get(kind) ?? 0;
    if (known === 2) continue;
    kinds.set(kind, known + 1);
    crowd.set(guest, gets);
    if (crowd.size === 6) break;
  }
  return crowd;
}

interface PaperRequest {
  readonly choice: Choice;
  readonly guest: string;
  readonly variant: string;
  /** Undefined once it was reported, or from the start if a header has decided. */
  evidence: PaperEvidence | undefined;
}

type PaperEvidence = { readonly variant: string; readonly ok: boolean; readonly at: number }[];

/** The split as one would play it with pencil and paper. */
class Paper {
  readonly crowd: Crowd;
  readonly requests: PaperRequest[] = [];
  percent = 50;
  isRolledBack = false;
  now = 0;
  evidence: PaperEvidence = [];

  constructor(crowd: Crowd) {
    this.crowd = crowd;
  }

  nthGuest(nth: number): string {
    return [...this.crowd.keys()][nth % this.crowd.size] ?? '';
  }

  variantOf(guest: string, wish?: string): string {
    if (wish === OLD || (wish === NEW && !this.isRolledBack)) return wish;
    const variant = this.crowd.get(guest)?.get(this.percent) ?? OLD;
    return this.isRolledBack ? OLD : variant;
  }

  /** A header that asks for what is rolled back is as good as none. */
  isForced(wish?: string): boolean {
    return wish === OLD || (wish === NEW && !this.isRolledBack);
  }

  get health(): string {
    if (this.isRolledBack) return 'rolled back';
    const recent = this.evidence.filter(({ at }) => at > this.now - WINDOW_MS);
    const rates = [OLD, NEW].map((variant) => {
      const own = recent.filter((request) => request.variant === variant);
      return own.length < MINIMUM ? undefined : own.filter(({ ok }) => !ok).length / own.length;
    });
    const [old, fresh] = rates;
    if (old === undefined || fresh === undefined) return 'unknown';
    return fresh - old > BUDGET ? 'unhealthy' : 'healthy';
  }

  ends(request: PaperRequest, ok: boolean): void {
    const { evidence, variant } = request;
    request.evidence = undefined;
    if (!evidence) return;
    evidence.push({ variant, ok, at: this.now });
    if (this.health === 'unhealthy') this.isRolledBack = true;
  }

  /** What everybody gets, and the health: both must be as the rules say. */
  check(site: Site): void {
    const health = site.health();
    if (health !== this.health) {
      expect.fail(`the health of ${NEW} is “${health}”, and should be “${this.health}”`);
    }
    for (const guest of this.crowd.keys()) {
      expectQuick(site.gets(guest), this.variantOf(guest), `${guest} asks at ${this.percent} %`);
    }
    for (const { choice, guest, variant } of this.requests) {
      expectQuick(choice.variant, variant, `${guest} had this request under way`);
    }
  }
}

/** As `expect` does, in a hundredth of its time. */
function expectQuick(got: string, due: string, because: string): void {
  if (got !== due) expect.fail(`${because}: got ${got}, in place of ${due}`);
}

/** Anything that can happen to a split, in any order. */
function histories() {
  const nth = fc.nat(7);
  const wish = fc.constantFrom(undefined, undefined, undefined, OLD, NEW, 'no-page');
  const asks = fc.tuple(nth, wish).map((args) => new GuestAsks(...args));
  const ok = fc.constantFrom(true, false);
  return fc.commands(
    [
      asks,
      fc.tuple(nth, ok).map((args) => new RequestEnds(...args)),
      fc.tuple(nth, ok, fc.integer({ min: 1, max: 4 })).map((args) => new GuestPays(...args)),
      fc.tuple(nth, ok, fc.integer({ min: 1, max: 4 })).map((args) => new GuestPays(...args)),
      fc.constantFrom(...PERCENTS).map((percent) => new RampGoes(percent)),
      fc.constantFrom(1_000, 1_000, 120_000).map((ms) => new TimePasses(ms)),
      fc.constant(new Restored()),
    ],
    { maxCommands: 30, size: 'max' },
  );
}

class GuestAsks implements fc.AsyncCommand<Paper, Site> {
  readonly #nth: number;
  readonly #wish: string | undefined;
  #guest = 'nobody';
  constructor(nth: number, wish: string | undefined) {
    this.#nth = nth;
    this.#wish = wish;
  }
  check = () => true;
  async run(paper: Paper, site: Site) {
    const wish = this.#wish;
    const guest = paper.nthGuest(this.#nth);
    this.#guest = guest;
    const choice = wish === undefined ? site.asks(guest) : site.asks(guest, { [HEADER]: wish });
    const variant = paper.variantOf(guest, wish);
    expectQuick(choice.variant, variant, `${String(this)} at ${paper.percent} %`);
    const evidence = paper.isForced(wish) ? undefined : paper.evidence;
    paper.requests.push({ choice, guest, variant, evidence });
    paper.check(site);
  }
  toString = () => `${this.#guest} asks${this.#wish === undefined ? '' : ` for ${this.#wish}`}`;
}

class RequestEnds implements fc.AsyncCommand<Paper, Site> {
  readonly #nth: number;
  readonly #ok: boolean;
  #request = 'nothing';
  constructor(nth: number, ok: boolean) {
    this.#nth = nth;
    this.#ok = ok;
  }
  check = ({ requests }: Readonly<Paper>) => requests.length > 0;
  async run(paper: Paper, site: Site) {
    const request = paper.requests[this.#nth % paper.requests.length];
    if (!request) return;
    this.#request = `${request.guest}’s request, with ${request.variant},`;
    paper.ends(request, this.#ok);
    report(request.choice, this.#ok);
    paper.check(site);
  }
  toString = () => `${this.#request} ${this.#ok ? 'ends well' : 'fails'}`;
}

class GuestPays implements fc.AsyncCommand<Paper, Site> {
  readonly #nth: number;
  readonly #ok: boolean;
  readonly #times: number;
  #guest = 'nobody';
  constructor(nth: number, ok: boolean, times: number) {
    this.#nth = nth;
    this.#ok = ok;
    this.#times = times;
  }
  check = () => true;
  async run(paper: Paper, site: Site) {
    const guest = paper.nthGuest(this.#nth);
    for (let n = 0; n < this.#times; n += 1) {
      const variant = paper.variantOf(guest);
      this.#guest = `${guest}, who gets ${variant},`;
      const choice = site.asks(guest);
      expectQuick(choice.variant, variant, `${guest} asks at ${paper.percent} %`);
      paper.ends({ choice, guest, variant, evidence: paper.evidence }, this.#ok);
      report(choice, this.#ok);
    }
    paper.check(site);
  }
  toString = () => `${this.#guest} pays ${this.#times} × ${this.#ok ? 'well' : 'in vain'}`;
}

class RampGoes implements fc.AsyncCommand<Paper, Site> {
  readonly #percent: number;
  constructor(percent: number) {
    this.#percent = percent;
  }
  check = ({ percent }: Readonly<Paper>) => percent !== this.#percent;
  async run(paper: Paper, site: Site) {
    paper.percent = this.#percent;
    site.split.rampTo(this.#percent);
    paper.check(site);
  }
  toString = () => `rampTo(${this.#percent})`;
}

class TimePasses implements fc.AsyncCommand<Paper, Site> {
  readonly #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  check = () => true;
  async run(paper: Paper, site: Site) {
    paper.now += this.#ms;
    await advance(this.#ms);
    paper.check(site);
  }
  toString = () => `+${this.#ms / 1_000} s`;
}

class Restored implements fc.AsyncCommand<Paper, Site> {
  check = ({ isRolledBack }: Readonly<Paper>) => isRolledBack;
  async run(paper: Paper, site: Site) {
    paper.isRolledBack = false;
    paper.evidence = [];
    site.split.restore(NEW);
    paper.check(site);
  }
  toString = () => `restore(${NEW})`;
}
