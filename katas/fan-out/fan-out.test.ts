import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createPlan,
  DeadlineExceededError,
  PlanError,
  type Part,
  type Plan,
  type RunOptions,
} from './fan-out.ts';

// ── The shop's services, played by the spec ─────────────────────────────────────────────────────────────

class ServiceError extends Error {
  override readonly name = 'ServiceError';
}
const outage = (service: string) => new ServiceError(`503 from ${service}`);
const aborted = () => new DOMException('This operation was aborted', 'AbortError');

type Values = Record<string, unknown>;
type ShopPart = Part<Values, unknown>;
/** Who needs whom. */
type Needs = Readonly<Record<string, readonly string[]>>;
type Rules = Readonly<Record<string, Pick<ShopPart, 'optional' | 'fallback'>>>;

const DEADLINE_MS = 2_000;
const OPTIONAL = { optional: true };

const PAGE = {
  session: [],
  product: [],
  stock: ['product'],
  price: ['session', 'product'],
  delivery: ['session', 'stock'],
  reviews: ['product'],
  alsoBought: ['session'],
} satisfies Needs;
const TAKES_MS: Readonly<Record<string, number>> = {
  session: 200,
  product: 80,
  stock: 260,
  price: 120,
  delivery: 320,
  reviews: 180,
  alsoBought: 240,
};

/** A request that has reached a service. */
class Call {
  readonly part: string;
  readonly inputs: Values;
  readonly signal: AbortSignal;
  readonly promise: Promise<unknown>;
  #resolve: (value: unknown) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(part: string, inputs: Values, signal: AbortSignal) {
    this.part = part;
    this.inputs = inputs;
    this.signal = signal;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  answers(value: unknown): Promise<void> {
    this.#resolve(value);
    return settle();
  }

  fails(error: unknown): Promise<void> {
    this.failsNow(error);
    return settle();
  }

  /** Nothing has settled yet when this returns. */
  failsNow(error: unknown): void {
    this.#reject(error);
  }
}

/** Services that answer when the spec says so. */
class Shop {
  /** In the order in which they began. */
  readonly calls: Call[] = [];

  plan(needs: Needs, rules: Rules = {}): Plan<Values> {
    return planOf(needs, rules, (part) => (inputs, signal) => {
      const call = new Call(part, inputs, signal);
      this.calls.push(call);
      return call.promise;
    });
  }

  /** The latest request to this service. */
  call(part: string): Call {
    const call = this.calls.findLast((other) => other.part === part);
    return call ?? expect.fail(`${part} should have been asked by now; asked: ${this.asked}`);
  }

  /** The parts that have begun, by name. */
  get asked(): string {
    const parts = this.calls.map(({ part }) => part);
    return parts.toSorted().join(' ') || 'nobody';
  }

  async answer(...parts: string[]): Promise<void> {
    for (const part of parts) await this.call(part).answers(`a ${part}`);
  }
}

function planOf(
  needs: Needs,
  rules: Rules,
  runOf: (part: string) => ShopPart['run'],
): Plan<Values> {
  const parts = Object.entries(needs).map(([name, needed]): [string, ShopPart] => [
    name,
    Object.freeze({
      ...(needed.length > 0 && { needs: Object.freeze([...needed]) }),
      ...rules[name],
      run: runOf(name),
    }),
  ]);
  const plan = withParts(() => createPlan<Values>(Object.freeze(Object.fromEntries(parts))));
  return typeof plan?.run === 'function' ? plan : expect.fail(`no plan, but ${print(plan)}`);
}

/** The parts belong to whoever made them, and are frozen. */
function withParts<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return expect.fail(`with parts that nobody may change, createPlan threw “${error.message}”`);
  }
}

/** A plan of services that each take their time. */
function planThatTakes(needs: Needs, msOf: Readonly<Record<string, number>>): Plan<Values> {
  return planOf(needs, {}, (part) => () => {
    const ms = msOf[part] ?? 0;
    return new Promise((resolve) => {
      setTimeout(() => resolve(`a ${part}`), ms);
    });
  });
}

// ── What the visitor is told ────────────────────────────────────────────────────────────────────────────

class Visit {
  values: unknown;
  failures: unknown;
  error: unknown;
  /** Milliseconds after the visit began. */
  toldAtMs: number | undefined;
  #end: 'pending' | 'page' | 'error' = 'pending';

  constructor(run: () => Promise<unknown>) {
    const beganAt = performance.now();
    const told = (end: 'page' | 'error') => {
      this.#end = end;
      this.toldAtMs = Math.round(performance.now() - beganAt);
    };
    runNeverThrows(run).then(
      (result) => {
        const { values, failures } = {
          values: undefined,
          failures: undefined,
          ...asObject(result),
        };
        this.values = values;
        this.failures = failures;
        told('page');
      },
      (error: unknown) => {
        this.error = error;
        told('error');
      },
    );
  }

  get told(): string {
    if (this.#end === 'pending') return NOTHING_YET;
    return this.#end === 'error' ? failed(this.error) : `a page with ${entriesIn(this.values)}`;
  }

  /** The error of each optional part that has failed. */
  get lacks(): string {
    if (this.#end !== 'page') return `nothing, for there is no page but ${this.told}`;
    if (this.failures instanceof Map) return entriesIn(Object.fromEntries(this.failures));
    return `something that is no Map (${typeof this.failures})`;
  }

  errorOf(part: string): unknown {
    return this.failures instanceof Map ? this.failures.get(part) : undefined;
  }
}

function runNeverThrows(run: () => Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    return expect.fail(`run() threw ${print(error)}: it must return a promise that rejects`);
  }
  if (result instanceof Promise) return result;
  return expect.fail(`run() returned ${print(result)}: it must return a promise`);
}

/** A visit that has just begun. Nothing has settled yet when this returns. */
function openNow(plan: Plan<Values>, options: Partial<RunOptions> = {}): Visit {
  return new Visit(() => plan.run({ deadlineMs: DEADLINE_MS, ...options }));
}

async function open(plan: Plan<Values>, options?: Partial<RunOptions>): Promise<Visit> {
  const visit = openNow(plan, options);
  await settle();
  return visit;
}

const NOTHING_YET = 'nothing yet';
const failed = (error: unknown) => `the error: ${print(error)}`;

function print(value: unknown): string {
  if (value instanceof Error) return `${value.name} (${value.message})`;
  return typeof value === 'string' ? `“${value}”` : inspect(value);
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

function entriesIn(values: unknown): string {
  if (typeof values !== 'object' || values === null) return `${print(values)}, in place of values`;
  const entries = Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, value]) => `${name}: ${print(value)}`).join(', ') || 'nothing';
}

/** `a page with …`, where each part has what its service says if it is not told otherwise. */
function pageWith(...parts: string[]): string {
  return `a page with ${entriesIn(Object.fromEntries(parts.map((part) => [part, `a ${part}`])))}`;
}

function expectTold(visit: Visit, told: string, because: string): void {
  expect(visit.told, `${because}: what the visitor was told`).toBe(told);
}

function expectVeryError(visit: Visit, error: unknown, because: string): void {
  expectTold(visit, failed(error), because);
  if (Object.is(visit.error, error)) return;
  expect.fail(
    `${because}: the visitor should get the very error, not another one that looks alike`,
  );
}

function expectDeadline(visit: Visit, deadlineMs: number, because: string): void {
  if (!(visit.error instanceof DeadlineExceededError)) {
    expect.fail(`${because}: a DeadlineExceededError is due; the visitor was told ${visit.told}`);
  }
  expect(visit.error.deadlineMs, `${because}: deadlineMs of the error`).toBe(deadlineMs);
}

function expectLacks(visit: Visit, lacks: string, because: string): void {
  expect(visit.lacks, `${because}: failures`).toBe(lacks);
}

function expectVeryFailure(visit: Visit, part: string, error: unknown, because: string): void {
  if (Object.is(visit.errorOf(part), error)) return;
  expect.fail(
    `${because}: the failure of ${part} should be the very error ${print(error)}; it is ${print(visit.errorOf(part))}, and failures: ${visit.lacks}`,
  );
}

function expectAsked({ asked }: Shop, parts: string, because: string): void {
  expect(asked, `${because}: who has been asked so far`).toBe(
    parts.split(' ').toSorted().join(' '),
  );
}

function expectGoingOn({ part, signal }: Call, because: string): void {
  if (signal.aborted) {
    expect.fail(`${because}: the signal of ${part} must not be aborted (${print(signal.reason)})`);
  }
}

function expectStopped({ part, signal }: Call, reason: unknown, because: string): void {
  if (!signal.aborted) {
    expect.fail(`${because}: the signal of ${part} should be aborted, or it works on for nobody`);
  }
  if (Object.is(signal.reason, reason)) return;
  expect.fail(
    `${because}: the reason of the signal of ${part} should be the very error that has ended the plan, ${print(reason)}; it is ${print(signal.reason)}`,
  );
}

function expectNoTimer(because: string): void {
  if (pendingTimers() > 0) {
    expect.fail(`${because}: a timer is still set, for something that is over`);
  }
}

function expectNoListener(signal: AbortSignal, because: string): void {
  const left = getEventListeners(signal, 'abort').length;
  if (left > 0) expect.fail(`${because}: ${left} listener(s) left on the visitor's signal`);
}

/** As query builders make them: no promise, but awaited like one. The query is sent when `then` is called. */
class Query implements PromiseLike<unknown> {
  sent = 0;
  readonly #answer: () => unknown;
  constructor(answer: () => unknown) {
    this.#answer = answer;
  }
  // oxlint-disable-next-line unicorn/no-thenable
  readonly then: PromiseLike<unknown>['then'] = (onValue, onError) => {
    this.sent += 1;
    return new Promise((resolve) => resolve(this.#answer())).then(onValue, onError);
  };
}

const ANY_VALUE: readonly (readonly [inWords: string, value: unknown])[] = [
  ['0', 0],
  ['an empty string', ''],
  ['null', null],
  ['undefined', undefined],
];
const ANY_ERROR = [...ANY_VALUE, ['a string', 'no route to host']] as const;

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});

function expectNoStray(): void {
  const stray = strays.splice(0);
  if (stray.length === 0) return;
  expect.fail(
    `a promise was rejected with ${print(stray[0])} and nobody handled it, which ends a Node process`,
  );
}

afterEach(async () => {
  await advance(60_000);
  expectNoStray();
  expectNoTimer('a minute after the last visit');
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · each part once', () => {
  it('asks nobody before it is run', async () => {
    const shop = new Shop();
    shop.plan(PAGE);
    await settle();
    expectAsked(shop, 'nobody', 'there is a plan, but no visitor yet');
  });

  it('hands over what each part brings, by name', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan({ session: [], product: [] }));
    await shop.answer('session');
    expectTold(visit, NOTHING_YET, 'the product is not there yet');
    await shop.answer('product');
    expectTold(visit, pageWith('product', 'session'), 'both have answered');
    expectLacks(visit, 'nothing', 'nothing has failed');
  });

  it('hands over values that only other parts need, too', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan({ product: [], stock: ['product'], label: ['stock'] }));
    await shop.answer('product', 'stock', 'label');
    expectTold(visit, pageWith('label', 'product', 'stock'), 'all have answered');
  });

  it('hands a part what it needs, and nothing else', async () => {
    const shop = new Shop();
    const needs = { session: [], menu: ['session'], product: [], price: ['session', 'product'] };
    await open(shop.plan(needs));
    const session = { visitor: 'Ada' };
    await shop.call('session').answers(session);
    await shop.answer('menu', 'product');
    const inputsOf = (part: string) => entriesIn(shop.call(part).inputs);
    expect(inputsOf('product'), 'product needs nothing: its inputs').toBe('nothing');
    expect(inputsOf('price'), 'price needs session and product: its inputs').toBe(
      `product: “a product”, session: { visitor: 'Ada' }`,
    );
    const { inputs } = shop.call('price');
    expect(inputs['session'], 'price is handed the very session that came').toBe(session);
  });

  it('hands a part nothing of what is needed by those it needs', async () => {
    const shop = new Shop();
    await open(shop.plan({ product: [], stock: ['product'], delivery: ['stock'] }));
    await shop.answer('product', 'stock');
    expect(entriesIn(shop.call('delivery').inputs), 'delivery needs stock alone: its inputs').toBe(
      'stock: “a stock”',
    );
  });

  it('takes an empty list of needs for none', async () => {
    const run = () => 'a product';
    const visit = await open(createPlan<Values>({ product: { needs: [], run } }));
    expectTold(visit, pageWith('product'), 'product has a list of needs that is empty');
  });

  it.for([...ANY_VALUE, ['false', false], ['an Error', outage('a service, last night')]] as const)(
    'takes any value for a value: %s',
    async ([, value]) => {
      const shop = new Shop();
      const visit = await open(shop.plan({ stock: [], label: ['stock'] }));
      await shop.call('stock').answers(value);
      expectAsked(shop, 'label stock', `stock has answered ${print(value)}`);
      const { inputs } = shop.call('label');
      expect(entriesIn(inputs), 'inputs of label').toBe(`stock: ${print(value)}`);
      await shop.call('label').answers(value);
      const page = entriesIn({ label: value, stock: value });
      expectTold(visit, `a page with ${page}`, `both have answered ${print(value)}`);
    },
  );

  it('takes a plain value, and anything with a then', async () => {
    const query = new Query(() => 'a query');
    const answers: Values = { plain: 12, query, nothing: undefined };
    const needs = { plain: [], query: ['plain'], nothing: ['query'] };
    let runs = 0;
    const plan = planOf(needs, {}, (part) => () => {
      runs += 1;
      // Whoever runs a part again and again for want of a value would never come to an end.
      return runs > 10 ? new Promise(() => {}) : answers[part];
    });
    const visit = await open(plan);
    const page = 'a page with nothing: undefined, plain: 12, query: “a query”';
    expectTold(visit, page, 'a plain value, a query builder and nothing at all were returned');
    expect(runs, 'how often parts ran, of which there are three').toBe(3);
    expect(query.sent, 'a query is sent each time its `then` is called').toBe(1);
  });

  it('asks once, however many need it', async () => {
    const shop = new Shop();
    const needs = { product: [], a: ['product'], b: ['product'], c: ['a', 'b', 'product'] };
    const visit = await open(shop.plan(needs));
    await shop.answer('product', 'a', 'b');
    expectAsked(shop, 'a b c product', 'three parts need product, one needs two of them');
    await shop.answer('c');
    expectTold(visit, pageWith('a', 'b', 'c', 'product'), 'all have answered');
    expectAsked(shop, 'a b c product', 'each part runs once');
  });

  it('asks again for the next visitor', async () => {
    const shop = new Shop();
    const plan = shop.plan({ session: [], price: ['session'] });
    const ada = await open(plan);
    await shop.call('session').answers('Ada');
    await shop.call('price').answers('Ada pays 89');
    const bob = await open(plan);
    expectTold(bob, NOTHING_YET, `the page of the visitor before is none of Bob's`);
    await shop.call('session').answers('Bob');
    expect(entriesIn(shop.call('price').inputs), 'the price for Bob: inputs').toBe(
      'session: “Bob”',
    );
    await shop.call('price').answers('Bob pays 99');
    expectTold(ada, 'a page with price: “Ada pays 89”, session: “Ada”', 'the first visit');
    expectTold(bob, 'a page with price: “Bob pays 99”, session: “Bob”', 'the second visit');
  });

  it('keeps two visitors apart who come at the same time', async () => {
    const shop = new Shop();
    const plan = shop.plan({ session: [], price: ['session'] });
    const visits = [openNow(plan), openNow(plan)];
    await settle();
    expectAsked(shop, 'session session', 'two visitors are two sessions');
    for (const [index, call] of [...shop.calls].entries()) await call.answers(`visitor ${index}`);
    const prices = shop.calls.filter(({ part }) => part === 'price');
    for (const call of prices) await call.answers(`for ${String(call.inputs['session'])}`);
    const told = visits.map((visit) => visit.told).toSorted();
    expect(told, 'what the two were told').toEqual([
      'a page with price: “for visitor 0”, session: “visitor 0”',
      'a page with price: “for visitor 1”, session: “visitor 1”',
    ]);
  });

  it('takes names that every object has, and any other', async () => {
    const shop = new Shop();
    const needs = { constructor: [], toString: ['constructor'], 7: ['toString'], '': ['7'] };
    const visit = await open(shop.plan({ 'a, b → c': [''], ...needs }));
    const names = ['constructor', 'toString', '7', '', 'a, b → c'];
    await shop.answer(...names);
    expectTold(visit, pageWith(...names), 'all have answered');
  });

  it('is done at once when there is nothing to do', async () => {
    const visit = await open(new Shop().plan({}));
    expectTold(visit, 'a page with nothing', 'a plan without parts');
    expectNoTimer('a plan without parts');
  });

  it('leaves the signals alone when the plan is done', async () => {
    const shop = new Shop();
    await open(shop.plan({ product: [], stock: ['product'] }));
    expect(shop.call('product').signal, 'a part gets an AbortSignal').toBeInstanceOf(AbortSignal);
    await shop.answer('product', 'stock');
    await advance(2 * DEADLINE_MS);
    for (const call of shop.calls) expectGoingOn(call, 'the plan is done, its bodies may be read');
  });
});

describe('2 · as soon as its inputs are there', () => {
  it('asks at once all that need nothing', async () => {
    const shop = new Shop();
    await open(shop.plan(PAGE));
    expectAsked(shop, 'product session', 'nobody has answered yet');
  });

  it('waits for nobody, however many begin at once', async () => {
    const shop = new Shop();
    const tiles = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`tile ${n}`, []]));
    await open(shop.plan(tiles));
    expect(shop.calls.length, '100 parts need nothing, none has answered: how many began').toBe(
      100,
    );
  });

  it('does not ask before the last input is there', async () => {
    const shop = new Shop();
    await open(shop.plan({ session: [], product: [], price: ['session', 'product'] }));
    await shop.answer('session');
    expectAsked(shop, 'product session', 'price needs the product as well');
    await shop.answer('product');
    expectAsked(shop, 'price product session', 'price has all that it needs');
  });

  it('does not wait for the level to be complete', async () => {
    const shop = new Shop();
    await open(shop.plan(PAGE));
    await shop.answer('product');
    expectAsked(
      shop,
      'product reviews session stock',
      'stock and reviews need the product, and it is there; the session is not',
    );
  });

  it('does not wait for others that need the same', async () => {
    const shop = new Shop();
    await open(shop.plan(PAGE));
    await shop.answer('session', 'product', 'stock');
    expectAsked(
      shop,
      'alsoBought delivery price product reviews session stock',
      'delivery has session and stock; price, reviews and alsoBought are none of its business',
    );
  });

  it('does not wait for one input before it asks for the next', async () => {
    const shop = new Shop();
    await open(shop.plan({ a: [], b: [], sum: ['a', 'b'], next: ['b'] }));
    await shop.answer('b');
    expectAsked(shop, 'a b next', 'next needs b only, and b is there');
    await shop.answer('a');
    expectAsked(shop, 'a b next sum', 'sum needs both, whichever came first');
  });

  it('is done when the last part is, whichever that is', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan({ product: [], stock: ['product'], reviews: [] }));
    await shop.answer('product', 'stock');
    expectTold(visit, NOTHING_YET, 'nobody needs the reviews, but the page has them');
    await shop.answer('reviews');
    expectTold(visit, pageWith('product', 'reviews', 'stock'), 'the last part is there');
  });

  it.for([
    ['as in the table', Object.entries(PAGE)],
    ['backwards', Object.entries(PAGE).toReversed()],
    ['by name', Object.entries(PAGE).toSorted(([a], [b]) => (a < b ? -1 : 1))],
  ] as const)('takes 660 ms for the page, parts %s', async ([, parts]) => {
    const visit = await open(planThatTakes(Object.fromEntries(parts), TAKES_MS));
    await advance(1_400);
    expectTold(visit, pageWith(...Object.keys(PAGE)), 'all services have answered');
    expect(
      visit.toldAtMs,
      'product, then stock, then delivery: 80 + 260 + 320 ms. One after another it is 1,400, by levels 780',
    ).toBe(660);
  });

  it('begins and ends each part when its longest path says so', async () => {
    await fc.assert(
      fc.asyncProperty(timetables(), async ({ needs, takesMs }) => {
        const beganAt = performance.now();
        const beganMs: Record<string, number> = {};
        const plan = planOf(needs, {}, (part) => () => {
          beganMs[part] = Math.round(performance.now() - beganAt);
          const ms = takesMs[part] ?? 0;
          return ms === 0 ? part : new Promise((resolve) => setTimeout(resolve, ms, part));
        });
        const visit = await open(plan);
        await advance(1_000);
        const endMs = longestPaths(needs, takesMs);
        for (const [part, end] of Object.entries(endMs)) {
          const due = end - (takesMs[part] ?? 0);
          if (beganMs[part] === due) continue;
          const when =
            beganMs[part] === undefined ? 'did not begin' : `began at ${beganMs[part]} ms`;
          expect.fail(`${part} has all that it needs at ${due} ms, but ${when}`);
        }
        const last = Math.max(0, ...Object.values(endMs));
        if (visit.toldAtMs === last) return;
        expect.fail(`the last part ends at ${last} ms; the visitor was told at ${visit.toldAtMs}`);
      }),
      { seed: 20_261_126, numRuns: 40 },
    );
  });
});

describe('3 · refused before anything runs', () => {
  it('refuses a part that needs one that is not there', () => {
    const error = refusalOf({ session: [], product: [], price: ['session', 'prodcut'] });
    expect(error.problem, 'there is no “prodcut”').toBe('unknown part');
    expect(error.path, 'who needs it, and the name').toEqual(['price', 'prodcut']);
  });

  it.for(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])(
    'knows a part only if it is in the plan: %s',
    (name) => {
      const error = refusalOf({ product: [], price: ['product', name] });
      expect(error.problem, `every object has “${name}”, but this plan has no such part`).toBe(
        'unknown part',
      );
      expect(error.path, 'who needs it, and the name').toEqual(['price', name]);
    },
  );

  it('refuses two parts that need each other, and names them', () => {
    expectCycle({ price: ['offers'], offers: ['price'] }, 'offers → price → offers');
  });

  it('refuses a longer cycle, and names it in its order', () => {
    const needs = { d: ['a'], b: ['c'], a: ['b'], c: ['d'] };
    expectCycle(needs, 'a → b → c → d → a');
  });

  it('refuses a part that needs itself', () => {
    expectCycle({ product: [], price: ['product', 'price'] }, 'price → price');
  });

  it('names the cycle, and not the way there', () => {
    const needs = { page: ['header'], header: ['menu'], menu: ['offers'], offers: ['menu'] };
    expectCycle(needs, 'menu → offers → menu');
  });

  it('names the cycle, and not what hangs on it', () => {
    const needs = { product: [], price: ['product', 'offers'], offers: ['product', 'price'] };
    expectCycle(needs, 'offers → price → offers');
    expectCycle({ ...needs, page: ['price', 'offers'] }, 'offers → price → offers');
  });

  it('finds a cycle that nothing else has to do with', () => {
    const needs = { session: [], product: [], price: ['product'], a: ['b'], b: ['a'] };
    expectCycle(needs, 'a → b → a');
  });

  it('tells the cycle in the message', () => {
    const { message } = refusalOf({ price: ['offers'], offers: ['price'] });
    expect(message, 'who reads the log must know where to look').toMatch(
      /price.*offers.*price|offers.*price.*offers/,
    );
  });

  it('does not take coming by twice for a cycle', async () => {
    const shop = new Shop();
    const needs = { a: [], b: ['a'], c: ['a'], d: ['b', 'c'], e: ['d', 'b', 'a'] };
    const visit = await open(shop.plan(needs));
    await shop.answer('a', 'b', 'c', 'd', 'e');
    expectTold(visit, pageWith(...Object.keys(needs)), 'many ways lead to a, and none comes back');
  });

  it('is quick about a plan with many ways', () => {
    // 60 parts, of which each pair needs both of the pair before: 2³⁰ ways through.
    let looks = 0;
    const parts = Array.from({ length: 60 }, (_, index): [string, ShopPart] => {
      const before = [index - (index % 2) - 2, index - (index % 2) - 1];
      const needs = index < 2 ? [] : before.map(String);
      return [
        String(index),
        {
          get needs() {
            looks += 1;
            return looks < 10_000
              ? needs
              : expect.fail('createPlan has looked 10,000 times at the needs of 60 parts');
          },
          run: () => 1,
        },
      ];
    });
    createPlan<Values>(Object.fromEntries(parts));
    expect(looks, 'how often createPlan has looked at needs').toBeLessThan(10_000);
  });

  it('refuses the plan, not each visit', async () => {
    const shop = new Shop();
    expect(
      () => shop.plan({ session: [], product: [], price: ['offers'], offers: ['price'] }),
      'createPlan itself must throw: at the start of the process, not when the first visitor comes',
    ).toThrow(PlanError);
    await settle();
    expectAsked(shop, 'nobody', 'the plan was refused');
  });

  it('refuses what has a cycle, and only that', () => {
    fc.assert(
      fc.property(graphs(), ({ needs }) => {
        const isCyclic = hasCycle(needs);
        const error = refusalIfAny(needs);
        if (!error) {
          if (isCyclic) expect.fail('there is a cycle, but createPlan takes the plan');
          return;
        }
        const { path, message } = error;
        if (!isCyclic) expect.fail(`there is no cycle, but createPlan says “${message}”`);
        const names = path.slice(1);
        const leads = names.every((name, index) => needs[path[index] ?? '']?.includes(name));
        const closes = names.length > 0 && path[0] === names.at(-1);
        if (leads && closes && new Set(names).size === names.length) return;
        expect.fail(`“${path.join(' → ')}” is no cycle in which each part needs the next`);
      }),
      { seed: 20_261_126, numRuns: 150 },
    );
  });
});

describe('4 · a part fails', () => {
  it('tells the visitor at once, and the very error', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan(PAGE));
    const error = outage('session');
    await shop.call('session').fails(error);
    expectVeryError(visit, error, 'session has failed, product is still out');
  });

  it.for(ANY_ERROR)('hands over whatever was thrown: %s', async ([, thrown]) => {
    const shop = new Shop();
    const visit = await open(shop.plan({ session: [], price: ['session'] }));
    await shop.call('session').fails(thrown);
    expectVeryError(visit, thrown, `session has rejected with ${print(thrown)}`);
    expectAsked(shop, 'session', 'the session has failed, and price needs it');
  });

  it('takes a throw for a failure', async () => {
    const error = outage('session');
    const throws = () => {
      throw error;
    };
    const waits = () => new Promise(() => {});
    const plan = planOf({ product: [], session: [], price: ['session'] }, {}, (part) =>
      part === 'session' ? throws : waits,
    );
    const visit = await open(plan);
    expectVeryError(visit, error, 'session threw before it had a promise');
    expectNoTimer('session threw before it had a promise');
  });

  it('takes a throw for a failure of the part that has thrown, and not of what it needs', async () => {
    const error = outage('price');
    const plan = planOf({ product: [], price: ['product'], reviews: [] }, {}, (part) => () => {
      if (part === 'price') throw error;
      return part === 'product' ? 'a product' : new Promise(() => {});
    });
    const visit = await open(plan);
    expectVeryError(visit, error, 'price threw as soon as the product was there');
    expectNoTimer('price threw as soon as the product was there');
  });

  it('takes the failure of a part that nobody needs for one', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan({ product: [], reviews: [] }));
    const error = outage('reviews');
    await shop.call('reviews').fails(error);
    expectVeryError(visit, error, 'reviews are required here, though no other part needs them');
  });

  it('stops all that are under way, and tells them why', async () => {
    const shop = new Shop();
    await open(shop.plan(PAGE));
    await shop.answer('product');
    const error = outage('stock');
    for (const part of ['session', 'reviews'])
      expectGoingOn(shop.call(part), 'nothing has failed yet');
    await shop.call('stock').fails(error);
    for (const part of ['session', 'reviews']) {
      expectStopped(shop.call(part), error, 'stock has failed, and there will be no page');
    }
  });

  it('begins nothing any more', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan(PAGE));
    await shop.answer('product');
    const error = outage('reviews');
    await shop.call('reviews').fails(error);
    await shop.answer('session', 'stock');
    expectAsked(
      shop,
      'product reviews session stock',
      'reviews have failed; session and stock came later, and delivery would be for nobody',
    );
    expectVeryError(visit, error, 'the visitor has been told before');
  });

  it('begins nothing by what was due in the same instant', async () => {
    const shop = new Shop();
    await open(shop.plan({ reviews: [], a: [], b: ['a'], c: ['b'] }));
    shop.call('reviews').failsNow(outage('reviews'));
    await shop.answer('a');
    // b was due in the instant of the failure, and may have begun. c was not.
    if (shop.asked.includes('b')) await shop.answer('b');
    if (shop.asked.includes('c')) {
      expect.fail(
        'reviews have failed, b came after that, and c would be for nobody: it has begun',
      );
    }
  });

  it('lets late errors pass without a word', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan(PAGE));
    await shop.answer('product');
    const error = outage('stock');
    await shop.call('stock').fails(error);
    // If nobody handles them, the check after each test says so.
    await shop.call('reviews').fails(aborted());
    await advance(30_000);
    await shop.call('session').fails(outage('session'));
    expectVeryError(visit, error, 'others have failed after stock');
  });

  it('handles what stopped parts reject with at once', async () => {
    const error = outage('session');
    let fail: (error: unknown) => void = () => {};
    const plan = planOf({ session: [], a: [], b: [] }, {}, (part) => (_, signal) => {
      return new Promise((_resolve, reject) => {
        if (part === 'session') fail = reject;
        signal.addEventListener('abort', () => reject(aborted()));
      });
    });
    const visit = await open(plan);
    fail(error);
    await settle();
    expectVeryError(visit, error, 'a and b heard their signals and rejected with an AbortError');
  });

  it('observes a failure while other parts are awaited', async () => {
    const shop = new Shop();
    // Whoever awaits one part after the other is still at the first when the last one fails.
    const visit = await open(shop.plan({ slow: [], quick: [], page: ['slow', 'quick'] }));
    const error = outage('quick');
    await shop.call('quick').fails(error);
    expectVeryError(visit, error, 'slow has not answered yet');
    expectNoStray();
    await shop.call('slow').fails(outage('slow'));
  });

  it('tells the first failure, not the last', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan({ a: [], b: [], c: [] }));
    const error = outage('b');
    await shop.call('b').fails(error);
    await shop.call('a').fails(outage('a'));
    expectVeryError(visit, error, 'b has failed before a');
  });

  it('takes an AbortError for a failure, if nobody has aborted', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan({ product: [], reviews: [] }));
    const error = aborted();
    await shop.call('product').fails(error);
    expectVeryError(visit, error, 'product came back with an AbortError by itself');
    expectStopped(shop.call('reviews'), error, 'product has failed');
  });

  it('leaves no timer behind a failure', async () => {
    const shop = new Shop();
    await open(shop.plan(PAGE));
    await shop.call('session').fails(outage('session'));
    expectNoTimer('the plan has failed');
  });

  it('leaves the next visitor alone', async () => {
    const shop = new Shop();
    const plan = shop.plan({ product: [], reviews: [] });
    await open(plan);
    const [product, reviews] = shop.calls;
    const next = await open(plan);
    await (product ?? reviews)?.fails(outage('product'));
    for (const call of shop.calls.slice(2)) {
      expectGoingOn(call, 'the visit of somebody else has failed');
      await call.answers(`a ${call.part}`);
    }
    expectTold(next, pageWith('product', 'reviews'), 'the visit of somebody else has failed');
  });
});

describe('5 · one deadline, and a visitor who leaves', () => {
  it.for([50, 900, 45_000])('tells the visitor after %d ms', async (deadlineMs) => {
    const shop = new Shop();
    const visit = await open(shop.plan(PAGE), { deadlineMs });
    await shop.answer('product');
    await advance(deadlineMs - 1);
    expectTold(visit, NOTHING_YET, `${deadlineMs - 1} ms of ${deadlineMs}`);
    await advance(1);
    expectDeadline(visit, deadlineMs, `${deadlineMs} ms of ${deadlineMs}`);
    expectNoTimer('the deadline is over');
  });

  it('is one deadline for all parts together', async () => {
    const shop = new Shop();
    const needs = { a: [], b: ['a'], c: ['b'] };
    const visit = await open(shop.plan(needs), { deadlineMs: 900 });
    await advance(400);
    await shop.answer('a');
    await advance(400);
    await shop.answer('b');
    await advance(99);
    expectTold(visit, NOTHING_YET, '899 ms of 900');
    await advance(1);
    expectDeadline(visit, 900, 'c has taken 100 ms, but the visitor has waited for 900');
  });

  it.for([-3_600_000, 3_600_000])('counts by no clock that can be set: by %d ms', async (ms) => {
    const shop = new Shop();
    const visit = await open(shop.plan({ product: [] }), { deadlineMs: 900 });
    await advance(400);
    stepWallClock(ms);
    await advance(499);
    expectTold(visit, NOTHING_YET, 'the wall clock was set, and 899 ms of 900 have passed');
    await advance(2);
    expectDeadline(visit, 900, 'the wall clock was set, and 900 ms have passed');
  });

  it('does not apply to a plan that is done in time', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan({ product: [] }), { deadlineMs: 900 });
    await advance(899);
    await shop.answer('product');
    expectTold(visit, pageWith('product'), '899 ms of 900');
    expectNoTimer('the plan is done');
    await advance(900);
    expectTold(visit, pageWith('product'), 'the deadline went by after the end');
  });

  it('stops all that are under way, and tells them what it tells the visitor', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan(PAGE), { deadlineMs: 900 });
    await shop.answer('product');
    await advance(899);
    for (const part of ['session', 'stock', 'reviews']) {
      expectGoingOn(shop.call(part), '1 ms before the deadline');
    }
    await advance(1);
    for (const part of ['session', 'stock', 'reviews']) {
      expectStopped(shop.call(part), visit.error, 'at the deadline');
    }
  });

  it('begins nothing after the deadline', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan(PAGE), { deadlineMs: 900 });
    await advance(900);
    await shop.answer('product', 'session');
    expectAsked(shop, 'product session', 'product and session came after the deadline');
    expectDeadline(visit, 900, 'product and session came after the deadline');
  });

  it('is a deadline, whatever stopped parts come back with', async () => {
    const plan = planOf({ a: [], b: [], c: ['a', 'b'] }, {}, (part) => (_, signal) => {
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () =>
          part === 'a' ? resolve('half') : reject(aborted()),
        );
      });
    });
    const visit = await open(plan, { deadlineMs: 900 });
    await advance(900);
    expectDeadline(visit, 900, 'a came back with what it had, b with an AbortError');
  });

  it('lets late errors pass without a word, after the deadline', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan({ a: [], b: [], c: ['a', 'b'] }), { deadlineMs: 900 });
    await advance(900);
    await shop.call('a').fails(outage('a'));
    await advance(30_000);
    await shop.call('b').fails(outage('b'));
    expectDeadline(visit, 900, 'a and b have failed after the deadline');
  });

  it('has a deadline for each visit', async () => {
    const shop = new Shop();
    const plan = shop.plan({ product: [] });
    const first = await open(plan, { deadlineMs: 900 });
    await advance(500);
    const second = await open(plan, { deadlineMs: 700 });
    await advance(400);
    expectDeadline(first, 900, 'the first visit');
    expectTold(second, NOTHING_YET, '400 ms of 700');
    await advance(300);
    expectDeadline(second, 700, 'the second visit');
  });

  it.for<[string, unknown]>([
    ['an error', new Error('the tab was closed')],
    ['a string', 'the tab was closed'],
    ['null', null],
    ['0', 0],
  ])('tells a visitor who leaves why, and that is no timeout: %s', async ([, reason]) => {
    const shop = new Shop();
    const leaving = new AbortController();
    const visit = await open(shop.plan(PAGE), { signal: leaving.signal });
    await shop.answer('product');
    await advance(100);
    expectTold(visit, NOTHING_YET, 'the visitor is still there');
    leaving.abort(reason);
    await settle();
    expectVeryError(visit, reason, 'the visitor has left');
    for (const part of ['session', 'stock', 'reviews']) {
      expectStopped(shop.call(part), reason, 'the visitor has left');
    }
    await shop.answer('session', 'stock');
    expectAsked(shop, 'product reviews session stock', 'session and stock came later');
    expectNoTimer('the visitor has left');
    expectNoListener(leaving.signal, 'the visitor has left');
  });

  it('asks nobody for a visitor who has left before', async () => {
    for (const reason of [new Error('the tab was closed'), null, 0]) {
      const shop = new Shop();
      const signal = AbortSignal.abort(reason);
      const visit = await open(shop.plan(PAGE), { signal });
      expectVeryError(visit, reason, 'the visitor had left before');
      expectAsked(shop, 'nobody', 'the visitor had left before');
      expectNoTimer('the visitor had left before');
      expectNoListener(signal, 'the visitor had left before');
      const empty = await open(shop.plan({}), { signal });
      expectVeryError(empty, reason, 'also if there is nothing to do');
    }
  });

  it('notices a visitor who leaves while parts are beginning', async () => {
    const reason = new Error('the tab was closed');
    const leaving = new AbortController();
    const signals: AbortSignal[] = [];
    const plan = planOf({ a: [], b: [], c: [] }, {}, () => (_, signal) => {
      signals.push(signal);
      leaving.abort(reason);
      return new Promise(() => {});
    });
    const visit = await open(plan, { signal: leaving.signal });
    expectVeryError(visit, reason, 'the visitor left while the first part was beginning');
    const missed = signals.filter((signal) => !signal.aborted).length;
    if (missed > 0) {
      expect.fail(`the visitor left while parts were beginning: ${missed} of them work on`);
    }
    expectNoTimer('the visitor has left');
    expectNoListener(leaving.signal, 'the visitor has left');
  });

  it('lets late errors pass without a word, after the visitor has left', async () => {
    const shop = new Shop();
    const leaving = new AbortController();
    const visit = await open(shop.plan(PAGE), { signal: leaving.signal });
    leaving.abort('gone');
    await settle();
    await shop.call('session').fails(aborted());
    await shop.call('product').fails(aborted());
    expectVeryError(visit, 'gone', 'session and product heard their signals');
  });

  it.for(['a page', 'a failure', 'the deadline'])(
    "leaves nothing on the visitor's signal: after %s",
    async (end) => {
      const shop = new Shop();
      const { signal } = new AbortController();
      let heard = 0;
      signal.addEventListener('abort', () => (heard += 1));
      const plan = shop.plan({ product: [], stock: ['product'] });
      const visit = await open(plan, { signal, deadlineMs: 900 });
      await shop.answer('product');
      if (end === 'a page') await shop.answer('stock');
      else if (end === 'a failure') await shop.call('stock').fails(outage('stock'));
      else await advance(900);
      expect(visit.told, 'the visit is over').not.toBe(NOTHING_YET);
      expect(
        getEventListeners(signal, 'abort').length,
        `after ${end}: listeners on the visitor's signal, of which one is somebody else's`,
      ).toBe(1);
      expect(heard, 'the visitor has not left').toBe(0);
    },
  );

  it('changes nothing when the visitor leaves after the end', async () => {
    const shop = new Shop();
    const leaving = new AbortController();
    const visit = await open(shop.plan({ product: [] }), { signal: leaving.signal });
    await shop.answer('product');
    leaving.abort('gone');
    await settle();
    expectTold(visit, pageWith('product'), 'the visitor had the page before leaving');
  });
});

describe('6 · optional parts', () => {
  it('makes a page without what has failed', async () => {
    const shop = new Shop();
    const plan = shop.plan({ product: [], alsoBought: [] }, { alsoBought: OPTIONAL });
    const visit = await open(plan);
    const error = outage('alsoBought');
    await shop.call('alsoBought').fails(error);
    expectTold(visit, NOTHING_YET, 'the product is still out');
    expectGoingOn(shop.call('product'), 'only an optional part has failed');
    await shop.answer('product');
    expectTold(visit, pageWith('product'), 'alsoBought has failed, the product is there');
    expectVeryFailure(visit, 'alsoBought', error, 'alsoBought has failed');
  });

  it('has the values of optional parts that are well', async () => {
    const shop = new Shop();
    const rules = { alsoBought: OPTIONAL, reviews: { ...OPTIONAL, fallback: [] } };
    const visit = await open(shop.plan({ product: [], alsoBought: [], reviews: [] }, rules));
    await shop.answer('product', 'reviews');
    await advance(500);
    expectTold(visit, NOTHING_YET, 'alsoBought may still come: there are 1.5 s left');
    await shop.answer('alsoBought');
    expectTold(visit, pageWith('alsoBought', 'product', 'reviews'), 'all have answered');
    expectLacks(visit, 'nothing', 'all have answered');
  });

  it.for([...ANY_VALUE, ['a text', 'no reviews yet'], ['a Map', new Map([['stars', 0]])]] as const)(
    'lets the fallback stand in: %s',
    async ([, fallback]) => {
      const shop = new Shop();
      const needs = { reviews: [], stars: ['reviews'] };
      const visit = await open(shop.plan(needs, { reviews: { ...OPTIONAL, fallback } }));
      const error = outage('reviews');
      await shop.call('reviews').fails(error);
      expectAsked(shop, 'reviews stars', `the fallback of reviews is ${print(fallback)}`);
      expect(entriesIn(shop.call('stars').inputs), 'inputs of stars').toBe(
        `reviews: ${print(fallback)}`,
      );
      await shop.answer('stars');
      const page = entriesIn({ reviews: fallback, stars: 'a stars' });
      expectTold(visit, `a page with ${page}`, `the fallback is ${print(fallback)}`);
      expectVeryFailure(visit, 'reviews', error, 'the fallback stood in for reviews');
    },
  );

  it('is required if it is said not to be optional', async () => {
    const shop = new Shop();
    const rules = { reviews: { optional: false } };
    const visit = await open(shop.plan({ product: [], reviews: [] }, rules));
    const error = outage('reviews');
    await shop.call('reviews').fails(error);
    expectVeryError(visit, error, 'reviews are not optional');
  });

  it('uses no fallback for a part that has a value, whatever value', async () => {
    const shop = new Shop();
    const rules = { reviews: { ...OPTIONAL, fallback: 'no reviews yet' } };
    const visit = await open(shop.plan({ reviews: [] }, rules));
    await shop.call('reviews').answers(undefined);
    expectTold(visit, 'a page with reviews: undefined', 'reviews has answered undefined');
    expectLacks(visit, 'nothing', 'reviews has answered undefined');
  });

  it.for(ANY_ERROR)('notes whatever an optional part has thrown: %s', async ([, thrown]) => {
    const shop = new Shop();
    const visit = await open(shop.plan({ reviews: [] }, { reviews: OPTIONAL }));
    await shop.call('reviews').fails(thrown);
    expectTold(visit, 'a page with nothing', 'reviews has failed');
    expectLacks(visit, `reviews: ${print(thrown)}`, `reviews has rejected with ${print(thrown)}`);
  });

  it('takes a throw of an optional part for its failure', async () => {
    const error = outage('reviews');
    const plan = planOf({ product: [], reviews: [] }, { reviews: OPTIONAL }, (part) => () => {
      if (part === 'reviews') throw error;
      return 'a product';
    });
    const visit = await open(plan);
    expectTold(visit, pageWith('product'), 'reviews threw before there was a promise');
    expectVeryFailure(visit, 'reviews', error, 'reviews threw before there was a promise');
  });

  it('lets the throw of an optional part harm neither what it needs nor who needs the same', async () => {
    const error = outage('stars');
    const needs = { product: [], stars: ['product'], price: ['product'] };
    const plan = planOf(needs, { stars: OPTIONAL }, (part) => () => {
      if (part === 'stars') throw error;
      return `a ${part}`;
    });
    const visit = await open(plan);
    expectTold(visit, pageWith('price', 'product'), 'stars threw as soon as the product was there');
    expectVeryFailure(visit, 'stars', error, 'stars threw as soon as the product was there');
    expectLacks(visit, `stars: ${print(error)}`, 'only stars have failed');
  });

  it('stops and delays nothing when an optional part fails', async () => {
    const shop = new Shop();
    const needs = { ...PAGE, pictures: ['alsoBought'] };
    await open(shop.plan(needs, { alsoBought: OPTIONAL, pictures: OPTIONAL }));
    await shop.answer('session', 'product');
    await shop.call('alsoBought').fails(outage('alsoBought'));
    for (const part of ['stock', 'price', 'reviews']) {
      expectGoingOn(shop.call(part), 'only an optional part has failed');
    }
    await shop.answer('stock');
    expectAsked(
      shop,
      'alsoBought delivery price product reviews session stock',
      'delivery has session and stock',
    );
  });

  it('does not run what needs a missing part', async () => {
    const shop = new Shop();
    const needs = { product: [], alsoBought: [], pictures: ['alsoBought'], frame: ['pictures'] };
    const rules = { alsoBought: OPTIONAL, pictures: OPTIONAL, frame: OPTIONAL };
    const visit = await open(shop.plan(needs, rules));
    const error = outage('alsoBought');
    await shop.call('alsoBought').fails(error);
    await shop.answer('product');
    expectAsked(shop, 'alsoBought product', 'there is nothing to show pictures of');
    expectTold(visit, pageWith('product'), 'alsoBought is missing, and what needs it');
    for (const part of ['alsoBought', 'pictures', 'frame']) {
      expectVeryFailure(visit, part, error, 'alsoBought has failed, the others lack it');
    }
  });

  it('lets a fallback stand in for a part that lacks what it needs', async () => {
    const shop = new Shop();
    const needs = { address: [], delivery: ['address'], total: ['delivery'] };
    const rules = { address: OPTIONAL, delivery: { ...OPTIONAL, fallback: '3 to 5 days' } };
    const visit = await open(shop.plan(needs, rules));
    const error = outage('address');
    await shop.call('address').fails(error);
    expectAsked(shop, 'address total', 'delivery cannot run, but it has a fallback');
    expect(entriesIn(shop.call('total').inputs), 'inputs of total').toBe('delivery: “3 to 5 days”');
    await shop.answer('total');
    const page = 'a page with delivery: “3 to 5 days”, total: “a total”';
    expectTold(visit, page, 'the address has failed');
    expectVeryFailure(visit, 'delivery', error, 'delivery lacks the address');
  });

  it.for([
    ['first', ['address', 'stock']],
    ['last', ['stock', 'address']],
  ] as const)('does not wait for the rest when one input is missing: %s', async ([, inputs]) => {
    const shop = new Shop();
    const needs = { address: [], stock: [], delivery: inputs, total: ['delivery'] };
    const rules = { address: OPTIONAL, delivery: { ...OPTIONAL, fallback: '3 to 5 days' } };
    const visit = await open(shop.plan(needs, rules));
    await shop.call('address').fails(outage('address'));
    expectAsked(
      shop,
      'address stock total',
      'without the address delivery cannot run, however long stock takes; its fallback is there',
    );
    await shop.answer('stock', 'total');
    const page = 'a page with delivery: “3 to 5 days”, stock: “a stock”, total: “a total”';
    expectTold(visit, page, 'stock came later');
  });

  it('runs no part later that was given up for a missing input', async () => {
    const shop = new Shop();
    const needs = { a: [], b: [], c: [], d: ['a', 'b', 'c'] };
    const visit = await open(shop.plan(needs, { a: OPTIONAL, b: OPTIONAL, d: OPTIONAL }));
    const error = outage('a');
    await shop.call('a').fails(error);
    await shop.call('b').fails(outage('b'));
    await shop.answer('c');
    expectAsked(shop, 'a b c', 'd lacks two of its inputs');
    expectTold(visit, pageWith('c'), 'd lacks two of its inputs');
    expectVeryFailure(visit, 'd', error, 'a was missing first');
  });

  it('lets the failure of a required part end the plan as before', async () => {
    const shop = new Shop();
    const rules = { stock: { ...OPTIONAL, fallback: 1 }, reviews: OPTIONAL };
    const visit = await open(shop.plan({ product: [], stock: ['product'], reviews: [] }, rules));
    const error = outage('product');
    await shop.call('product').fails(error);
    expectVeryError(visit, error, 'product is required, whatever needs it');
    expectAsked(shop, 'product reviews', 'stock needs the product');
    expectStopped(shop.call('reviews'), error, 'product has failed');
  });

  it('lets an optional part end nothing, even if it fails with what looks like an end', async () => {
    const shop = new Shop();
    const visit = await open(shop.plan({ product: [], reviews: [] }, { reviews: OPTIONAL }));
    const error = new DeadlineExceededError(50);
    await shop.call('reviews').fails(error);
    await shop.answer('product');
    expectTold(visit, pageWith('product'), 'reviews had a deadline of their own');
    expectVeryFailure(visit, 'reviews', error, 'reviews had a deadline of their own');
  });

  it('refuses a required part that needs what may be missing', () => {
    const error = refusalOf({ session: [], price: ['session'] }, { session: OPTIONAL });
    expect(error.problem, 'price is required, the session may be missing').toBe('may be missing');
    expect(error.path, 'who needs it, and what may be missing').toEqual(['price', 'session']);
  });

  it('refuses optional parts as well if they can never be done', () => {
    const rules = { price: OPTIONAL, offers: { ...OPTIONAL, fallback: [] } };
    const unknown = refusalOf({ product: [], price: ['product', 'prodcut'] }, rules);
    expect(unknown.problem, 'price is optional, but there is no “prodcut”').toBe('unknown part');
    expect(unknown.path, 'who needs it, and the name').toEqual(['price', 'prodcut']);
    const needs = { product: [], price: ['product', 'offers'], offers: ['price'] };
    const { problem, path } = refusalOf(needs, rules);
    expect(problem, 'price and offers are optional, but each needs the other').toBe('cycle');
    expect(asCycle(path), 'path, beginning with the first name of the alphabet').toBe(
      'offers → price → offers',
    );
  });

  it('refuses it also where it is well hidden', () => {
    const needs = { a: [], b: ['a'], c: ['b', 'a'], d: ['c'], e: ['d', 'b'] };
    const rules = { a: OPTIONAL, b: { ...OPTIONAL, fallback: 0 }, c: OPTIONAL, d: OPTIONAL };
    const error = refusalOf({ ...needs, e: ['b', 'd'] }, rules);
    expect(error.problem, 'e is required, d may be missing').toBe('may be missing');
    expect(error.path, 'who needs it, and what may be missing').toEqual(['e', 'd']);
  });

  it.for(ANY_VALUE)('takes a required part if there is a fallback: %s', async ([, fallback]) => {
    const shop = new Shop();
    const rules = { session: { ...OPTIONAL, fallback }, coupon: OPTIONAL };
    const needs = { coupon: [], session: ['coupon'], price: ['session'] };
    const visit = await open(shop.plan(needs, rules));
    await shop.answer('coupon', 'session', 'price');
    expectTold(visit, pageWith('coupon', 'price', 'session'), 'all have answered');
  });

  it('makes a page at the deadline, if only optional parts are out', async () => {
    const shop = new Shop();
    const needs = { product: [], reviews: [], stars: ['reviews'], alsoBought: ['product'] };
    const rules = {
      reviews: { ...OPTIONAL, fallback: 'no reviews yet' },
      stars: OPTIONAL,
      alsoBought: OPTIONAL,
    };
    const visit = await open(shop.plan(needs, rules), { deadlineMs: 900 });
    await shop.answer('product');
    await advance(899);
    expectTold(visit, NOTHING_YET, '899 ms of 900');
    await advance(1);
    const page = 'a page with product: “a product”, reviews: “no reviews yet”';
    expectTold(visit, page, 'at the deadline only reviews and alsoBought are out');
    expectAsked(shop, 'alsoBought product reviews', 'stars would begin after the end');
    const error = visit.errorOf('reviews');
    if (!(error instanceof DeadlineExceededError)) {
      expect.fail(`reviews are late: a DeadlineExceededError is due; it is ${print(error)}`);
    }
    expect(error.deadlineMs, 'deadlineMs of the error').toBe(900);
    for (const part of ['stars', 'alsoBought']) {
      expectVeryFailure(visit, part, error, 'at the deadline');
    }
    for (const part of ['reviews', 'alsoBought']) {
      expectStopped(shop.call(part), error, 'at the deadline');
    }
    expectNoTimer('the deadline is over');
  });

  it('leaves alone at the deadline the signals of parts that have brought a value', async () => {
    const shop = new Shop();
    const plan = shop.plan({ product: [], reviews: [], stock: ['product'] }, { reviews: OPTIONAL });
    const visit = await open(plan, { deadlineMs: 900 });
    await shop.answer('product', 'stock');
    await advance(900);
    expectTold(visit, pageWith('product', 'stock'), 'at the deadline only reviews are out');
    for (const part of ['product', 'stock']) {
      expectGoingOn(shop.call(part), 'it is on the page, and its body may still be on its way');
    }
  });

  it('makes no page at the deadline, if a required part is out', async () => {
    const shop = new Shop();
    const rules = { reviews: { ...OPTIONAL, fallback: 'no reviews yet' } };
    const visit = await open(shop.plan({ product: [], reviews: [] }, rules), { deadlineMs: 900 });
    await advance(900);
    expectDeadline(visit, 900, 'the product is required, and not there');
    for (const call of shop.calls) expectStopped(call, visit.error, 'at the deadline');
  });

  it('begins no required part with what stands in at the deadline', async () => {
    const shop = new Shop();
    const rules = { session: { ...OPTIONAL, fallback: 'a guest' } };
    const needs = { session: [], price: ['session'] };
    const visit = await open(shop.plan(needs, rules), { deadlineMs: 900 });
    await advance(900);
    expectAsked(shop, 'session', 'the deadline is over, also for price');
    expectDeadline(visit, 900, 'price is required, and has not begun');
  });

  it.for(ANY_ERROR)('begins nothing with what stands in after the end: %s', async ([, reason]) => {
    const shop = new Shop();
    const rules = { session: { ...OPTIONAL, fallback: 'a guest' } };
    const plan = shop.plan({ session: [], price: ['session'], reviews: [] }, rules);
    const visit = await open(plan);
    await shop.call('reviews').fails(reason);
    expectVeryError(visit, reason, 'reviews have failed, and the session is still out');
    expectAsked(shop, 'reviews session', 'reviews have failed: a price would be for nobody');
    await shop.call('session').fails(outage('session'));
    expectAsked(shop, 'reviews session', 'a guest may stand in, but it is over');
  });

  it('has no page for a visitor who leaves while only optional parts are out', async () => {
    for (const reason of [new Error('the tab was closed'), null, 0]) {
      const shop = new Shop();
      const leaving = new AbortController();
      const rules = { reviews: { ...OPTIONAL, fallback: 'no reviews yet' } };
      const plan = shop.plan({ product: [], reviews: [] }, rules);
      const visit = await open(plan, { signal: leaving.signal });
      await shop.answer('product');
      leaving.abort(reason);
      await settle();
      const because = 'the visitor has left; a page would count as one that was seen';
      expectVeryError(visit, reason, because);
      expectStopped(shop.call('reviews'), reason, 'the visitor has left');
      expectNoTimer('the visitor has left');
      expectNoListener(leaving.signal, 'the visitor has left');
    }
  });

  it.for(['value', 'error'])('changes nothing in the page by a late %s', async (late) => {
    const shop = new Shop();
    const needs = { product: [], reviews: [], stars: ['reviews'], alsoBought: [] };
    const rules = {
      reviews: { ...OPTIONAL, fallback: 'no reviews yet' },
      stars: OPTIONAL,
      alsoBought: OPTIONAL,
    };
    const visit = await open(shop.plan(needs, rules), { deadlineMs: 900 });
    await shop.answer('product');
    await advance(900);
    const { told, lacks } = visit;
    await advance(100);
    for (const part of ['reviews', 'alsoBought']) {
      if (late === 'value') await shop.answer(part);
      else await shop.call(part).fails(outage(part));
    }
    expectTold(visit, told, 'reviews and alsoBought came after the end');
    expectLacks(visit, lacks, 'reviews and alsoBought came after the end');
    expectAsked(shop, 'alsoBought product reviews', 'stars need reviews, but it is over');
  });

  it('does not share what has failed with the next visitor', async () => {
    const shop = new Shop();
    const plan = shop.plan({ reviews: [] }, { reviews: OPTIONAL });
    const first = await open(plan);
    const error = outage('reviews');
    await shop.call('reviews').fails(error);
    const second = await open(plan);
    await shop.answer('reviews');
    expectTold(second, pageWith('reviews'), 'the second visit');
    expectLacks(second, 'nothing', 'reviews were there for the second visitor');
    expectTold(first, 'a page with nothing', 'the first visit');
    expectLacks(first, `reviews: ${print(error)}`, 'the first visit, after the second');
  });

  it('shows nobody what was there for the visitor before', async () => {
    const shop = new Shop();
    const plan = shop.plan({ product: [], wishes: [] }, { wishes: OPTIONAL });
    const ada = await open(plan);
    await shop.call('wishes').answers('the wishes of Ada');
    await shop.answer('product');
    const bob = await open(plan);
    await shop.call('wishes').fails(outage('wishes'));
    await shop.answer('product');
    expectTold(
      bob,
      pageWith('product'),
      'wishes have failed for Bob, who must not see those of Ada',
    );
    const hers = 'a page with product: “a product”, wishes: “the wishes of Ada”';
    expectTold(ada, hers, 'the first visit');
  });
});

describe('7 · whatever happens', () => {
  it('does what pencil and paper say', async () => {
    await fc.assert(
      fc.asyncProperty(stories(), async (story) => {
        const paper = onPaper(story);
        const seen = await play(story);
        compare(story, paper, seen);
        expectNoStray();
      }),
      { seed: 20_261_126, numRuns: 60 },
    );
  });
});

// ── Plans to be refused ─────────────────────────────────────────────────────────────────────────────────

function refusalIfAny(needs: Needs, rules: Rules = {}): PlanError | undefined {
  try {
    new Shop().plan(needs, rules);
    return undefined;
  } catch (error) {
    if (error instanceof PlanError) return error;
    throw error;
  }
}

function refusalOf(needs: Needs, rules?: Rules): PlanError {
  const error = refusalIfAny(needs, rules);
  return (
    error ?? expect.fail(`createPlan must refuse this plan, and takes it: ${describeNeeds(needs)}`)
  );
}

function expectCycle(needs: Needs, cycle: string): void {
  const { problem, path } = refusalOf(needs);
  expect(problem, `there is a cycle: ${cycle}`).toBe('cycle');
  expect(asCycle(path), 'path, beginning with the first name of the alphabet').toBe(cycle);
}

/** From wherever it begins, if it ends there as well. */
function asCycle(path: readonly string[]): string {
  const names = path.slice(1);
  if (names.length === 0 || path[0] !== names.at(-1)) return path.join(' → ');
  const from = names.indexOf(names.toSorted()[0] ?? '');
  const turned = [...names.slice(from), ...names.slice(0, from)];
  return [...turned, turned[0]].join(' → ');
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

const describeNeeds = (needs: Needs) =>
  Object.entries(needs)
    .map(([name, needed]) => (needed.length > 0 ? `${name} needs ${needed.join(' and ')}` : name))
    .join(', ');

/** Parts that may need any, themselves included; or only parts after them. */
function graphs() {
  const any = fc.integer({ min: 1, max: 5 }).chain((count) => {
    const names = NAMES.slice(0, count);
    const needed = fc.subarray(names, { maxLength: Math.min(2, count) });
    return fc.tuple(...names.map(() => needed)).map((all): Needs => {
      return Object.fromEntries(names.map((name, index) => [name, all[index] ?? []]));
    });
  });
  return fc.oneof(any, acyclicNeeds().map(backwards)).map((needs) => ({
    needs,
    [fc.toStringMethod]: () => describeNeeds(needs),
  }));
}

/** Take away what needs nothing that is left, as long as there is any. */
function hasCycle(needs: Needs): boolean {
  let left = Object.keys(needs);
  for (;;) {
    const next = left.filter((name) => needs[name]?.some((need) => left.includes(need)));
    if (next.length === left.length) return left.length > 0;
    left = next;
  }
}

// ── Plans that take their time ──────────────────────────────────────────────────────────────────────────

/** Parts that need only parts before them, in any order. */
function acyclicNeeds(): fc.Arbitrary<Needs> {
  return fc
    .tuple(
      ...NAMES.map((_, index) =>
        fc.subarray(NAMES.slice(0, index), { maxLength: Math.min(3, index) }),
      ),
    )
    .chain((all) => fc.integer({ min: 1, max: NAMES.length }).map((count) => all.slice(0, count)))
    .map((all) => Object.fromEntries(all.map((needed, index) => [NAMES[index] ?? '', needed])));
}

const backwards = (needs: Needs): Needs => Object.fromEntries(Object.entries(needs).toReversed());

function timetables() {
  const times = fc.tuple(...NAMES.map(() => fc.constantFrom(0, 10, 20, 30, 50, 80, 130)));
  return fc.tuple(acyclicNeeds(), times, fc.boolean()).map(([inOrder, ms, turned]) => {
    const needs = turned ? backwards(inOrder) : inOrder;
    const takesMs = Object.fromEntries(NAMES.map((name, i) => [name, ms[i] ?? 0]));
    const takes = Object.keys(needs).map((name) => `${name} takes ${takesMs[name]} ms`);
    return {
      needs,
      takesMs,
      [fc.toStringMethod]: () => `${describeNeeds(needs)}; ${takes.join(', ')}`,
    };
  });
}

/** When each part ends. */
function longestPaths(needs: Needs, takesMs: Readonly<Record<string, number>>) {
  const ends: Record<string, number> = {};
  for (const name of NAMES) {
    const needed = needs[name];
    if (needed === undefined) continue;
    const begins = Math.max(0, ...needed.map((need) => ends[need] ?? 0));
    ends[name] = begins + (takesMs[name] ?? 0);
  }
  return ends;
}

// ── The rules on paper ──────────────────────────────────────────────────────────────────────────────────

interface StoryPart {
  readonly needs: readonly string[];
  readonly kind: 'required' | 'optional' | 'with fallback';
  readonly end: 'answers' | 'fails';
  /** A multiple of 10; infinite if it hangs. */
  readonly ms: number;
}

interface Story {
  /** Each part stands after those that it needs. */
  readonly parts: ReadonlyMap<string, StoryPart>;
  /** 5 more than a multiple of 10. */
  readonly deadlineMs: number;
  /** 3 more than a multiple of 10, so that no two ends come in the same millisecond; infinite if never. */
  readonly leavesMs: number;
}

function stories(): fc.Arbitrary<Story> {
  const part = fc.record({
    kind: fc.constantFrom<StoryPart['kind'][]>('required', 'required', 'optional', 'with fallback'),
    end: fc.constantFrom<StoryPart['end'][]>('answers', 'answers', 'answers', 'fails'),
    ms: fc.constantFrom(0, 10, 20, 30, 50, 80, 130, Infinity),
  });
  const deadline = fc.constantFrom(405, 205, 105, 55);
  const leaves = fc.constantFrom(Infinity, Infinity, 153, 73, 23);
  return fc
    .tuple(acyclicNeeds(), fc.tuple(...NAMES.map(() => part)), deadline, leaves)
    .map(([needs, kinds, deadlineMs, leavesMs]) => {
      const parts = new Map<string, StoryPart>();
      for (const [index, [name, needed]] of Object.entries(needs).entries()) {
        const own = kinds[index];
        if (!own) continue;
        // Whatever may be missing must not be required.
        const allowed = needed.filter(
          (need) => own.kind !== 'required' || parts.get(need)?.kind !== 'optional',
        );
        parts.set(name, { ...own, needs: allowed });
      }
      const story = { parts, deadlineMs, leavesMs };
      return { ...story, [fc.toStringMethod]: () => describeStory(story) };
    });
}

function describeStory({ parts, deadlineMs, leavesMs }: Story): string {
  const lines = [...parts].map(([name, { needs, kind, end, ms }]) => {
    const after = needs.length > 0 ? ` needs ${needs.join(' and ')},` : '';
    return `${name} (${kind})${after} ${ms === Infinity ? 'hangs' : `${end} after ${ms} ms`}`;
  });
  const leaves = leavesMs === Infinity ? '' : `; the visitor leaves after ${leavesMs} ms`;
  return `${lines.join('; ')}; deadline ${deadlineMs} ms${leaves}`;
}

const fallbackOf = (name: string) => `fallback of ${name}`;
const errorTextOf = (name: string) => `503 from ${name}`;
const DEADLINE = 'the deadline';
const LEFT = 'the visitor has left';

/** What becomes of a part, if nothing ends the plan. */
interface Fate {
  readonly beginsMs: number;
  readonly endsMs: number;
  /** Whose errors it may fail with: several, if they come in the same instant. None if it does not fail. */
  readonly errors: readonly string[];
}

interface Paper {
  readonly overMs: number;
  /** What may end the plan; none if it is done. */
  readonly ends: readonly string[];
  readonly fates: ReadonlyMap<string, Fate>;
}

function onPaper({ parts, deadlineMs, leavesMs }: Story): Paper {
  const fates = new Map<string, Fate>();
  const isMissing = (name: string) =>
    parts.get(name)?.kind === 'optional' && (fates.get(name)?.errors.length ?? 0) > 0;
  for (const [name, { needs, end, ms }] of parts) {
    const needed = needs.flatMap((need) => fates.get(need) ?? []);
    const missing = needs.filter(isMissing).flatMap((need) => fates.get(need) ?? []);
    const lackedMs = Math.min(...missing.map(({ endsMs }) => endsMs));
    if (missing.length > 0 && lackedMs < Infinity) {
      const errors = missing.filter(({ endsMs }) => endsMs === lackedMs).flatMap((f) => f.errors);
      fates.set(name, { beginsMs: Infinity, endsMs: lackedMs, errors });
      continue;
    }
    const beginsMs = Math.max(0, ...needed.map(({ endsMs }) => endsMs));
    const endsMs = beginsMs + ms;
    const fails = end === 'fails' && endsMs < Infinity;
    fates.set(name, { beginsMs, endsMs, errors: fails ? [errorTextOf(name)] : [] });
  }

  const all = [...fates];
  const fatal = all.filter(
    ([name, { errors }]) => errors.length > 0 && parts.get(name)?.kind === 'required',
  );
  const fatalMs = Math.min(...fatal.map(([, { endsMs }]) => endsMs));
  const doneMs = Math.max(0, ...all.map(([, { endsMs }]) => endsMs));
  const overMs = Math.min(fatalMs, doneMs, deadlineMs, leavesMs);
  if (overMs === fatalMs) {
    const first = fatal.filter(([, { endsMs }]) => endsMs === fatalMs);
    return { overMs, ends: first.flatMap(([, { errors }]) => errors), fates };
  }
  const lateParts = all.filter(([, { endsMs }]) => endsMs > overMs).map(([name]) => name);
  const isLate = lateParts.some((name) => parts.get(name)?.kind === 'required');
  if (overMs === leavesMs) return { overMs, ends: [LEFT], fates };
  return { overMs, ends: overMs === deadlineMs && isLate ? [DEADLINE] : [], fates };
}

interface Seen {
  readonly visit: Visit;
  /** As it was told, whatever came later. */
  readonly told: string;
  readonly lacks: string;
  readonly beganMs: ReadonlyMap<string, number>;
  readonly signals: ReadonlyMap<string, AbortSignal>;
}

async function play({ parts, deadlineMs, leavesMs }: Story): Promise<Seen> {
  const beganMs = new Map<string, number>();
  const signals = new Map<string, AbortSignal>();
  const needs = Object.fromEntries([...parts].map(([name, part]) => [name, part.needs]));
  const rules: Record<string, Rules[string]> = {};
  for (const [name, { kind }] of parts) {
    if (kind === 'optional') rules[name] = OPTIONAL;
    if (kind === 'with fallback') rules[name] = { ...OPTIONAL, fallback: fallbackOf(name) };
  }
  const startedAt = performance.now();
  const plan = planOf(needs, rules, (name) => (_, signal) => {
    if (beganMs.has(name)) expect.fail(`${name} runs a second time`);
    beganMs.set(name, Math.round(performance.now() - startedAt));
    signals.set(name, signal);
    const { ms = Infinity, end } = parts.get(name) ?? {};
    return new Promise((resolve, reject) => {
      const ended = () => (end === 'fails' ? reject(outage(name)) : resolve(`a ${name}`));
      if (ms === 0) ended();
      else if (ms < Infinity) setTimeout(ended, ms);
    });
  });
  const leaving = new AbortController();
  const visit = await open(plan, { deadlineMs, signal: leaving.signal });
  if (leavesMs < Infinity) {
    await advance(leavesMs);
    if (visit.told === NOTHING_YET) leaving.abort(LEFT);
  }
  await advance(500);
  const { told, lacks } = visit;
  await advance(1_000);
  if (visit.told !== told || visit.lacks !== lacks) {
    expect.fail(`what came late has changed the page: ${told} (${lacks}) → ${visit.told}`);
  }
  expectNoListener(leaving.signal, 'the plan is over');
  expectNoTimer('the plan is over, and all services have answered');
  return { visit, told, lacks, beganMs, signals };
}

/** In the words of the paper. */
function nameOf(error: unknown): string {
  if (error instanceof DeadlineExceededError) return DEADLINE;
  return error instanceof Error ? error.message : String(error);
}

function compare({ parts }: Story, { overMs, ends, fates }: Paper, seen: Seen): void {
  const { visit, told, beganMs, signals } = seen;
  if (visit.toldAtMs !== overMs) {
    const due = ends.length > 0 ? ends.join(' or ') : 'a page';
    expect.fail(
      `due at ${overMs} ms: ${due}; the visitor was told ${told}, at ${visit.toldAtMs} ms`,
    );
  }
  const hasPage = visit.values !== undefined;
  if (hasPage !== (ends.length === 0) || (!hasPage && !ends.includes(nameOf(visit.error)))) {
    expect.fail(`due: ${ends.join(' or ') || 'a page'}; the visitor was told ${told}`);
  }

  const page: Values = {};
  for (const [name, { beginsMs, endsMs, errors }] of fates) {
    const began = beganMs.get(name);
    const mayBegin = began === beginsMs || (began === undefined && beginsMs >= overMs);
    if (!mayBegin || (began ?? 0) > overMs) {
      const due = beginsMs > overMs ? 'not at all' : `at ${beginsMs} ms`;
      expect.fail(
        `${name} is due to begin ${due}; it began ${began === undefined ? 'not at all' : `at ${began} ms`}`,
      );
    }

    const hasValue = endsMs <= overMs && errors.length === 0;
    const signal = signals.get(name);
    if (signal && endsMs > overMs && !signal.aborted) {
      expect.fail(
        `it was over at ${overMs} ms, and ${name} was under way: its signal should abort`,
      );
    }
    if (!hasPage) continue;
    if (signal && hasValue && signal.aborted) {
      expect.fail(`${name} has brought a value, and there is a page: its signal must not abort`);
    }
    const allowed = hasValue ? [] : endsMs <= overMs ? errors : [DEADLINE];
    const failures = visit.failures instanceof Map ? visit.failures : new Map<string, unknown>();
    const isNoted = failures.has(name);
    if (
      isNoted !== allowed.length > 0 ||
      (isNoted && !allowed.includes(nameOf(failures.get(name))))
    ) {
      expect.fail(
        `failure of ${name}: ${allowed.join(' or ') || 'none'} is due; failures: ${seen.lacks}`,
      );
    }
    if (hasValue) page[name] = `a ${name}`;
    else if (parts.get(name)?.kind === 'with fallback') page[name] = fallbackOf(name);
  }
  if (hasPage && told !== `a page with ${entriesIn(page)}`) {
    expect.fail(`due is a page with ${entriesIn(page)}; the visitor was told ${told}`);
  }
}
