import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle } from '../virtual-time.ts';
import {
  createBatchLoader,
  MissingKeyError,
  type BatchLoader,
  type BatchLoaderOptions,
  type Row,
} from './batch-loader.ts';

// ── The depot and the address service, played by the spec ───────────────────────────────────────────────

type Options = BatchLoaderOptions<unknown, unknown>;
type AnyRow = Row<unknown, unknown>;

class AddressServiceError extends Error {
  override readonly name = 'AddressServiceError';
}
const outage = () => new AddressServiceError('503 from the address service');
const unknownParcel = () => new AddressServiceError('404: no such parcel');

/** No window of this spec is open for longer. */
const LONGEST_MS = 300;
const NOTHING_YET = 'nothing yet';
const SOME_ERROR = 'some error';

/** One call to the address service. */
class Call {
  /** As the loader handed them over; copied, since the list might change later. */
  readonly keys: readonly unknown[];
  /** The very list that the loader handed over. */
  readonly list: readonly unknown[];
  readonly atMs = performance.now();
  readonly number: number;
  hasEnded = false;
  readonly promise: Promise<readonly AnyRow[]>;
  #resolve: (rows: readonly AnyRow[]) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(list: readonly unknown[], number: number) {
    this.list = list;
    this.number = number;
    this.keys = Array.isArray(list) ? [...list] : [`${inspect(list)}, which is no list`];
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** What this call says of a key: another address than other calls would. */
  addressOf(key: unknown): string {
    return `address of ${print(key)} from call ${this.number}`;
  }

  get rows(): AnyRow[] {
    return this.keys.map((key) => ({ key, value: this.addressOf(key) }));
  }

  /** With a row for each of its keys, if it is not said with what. */
  async answers(...answer: [] | [unknown]): Promise<void> {
    this.answersNow(...answer);
    await settle();
  }

  /** Nothing has settled yet when this returns. */
  answersNow(...answer: [] | [unknown]): void {
    this.hasEnded = true;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    this.#resolve((answer.length === 0 ? this.rows : answer[0]) as readonly AnyRow[]);
  }

  async fails(error: unknown): Promise<void> {
    this.hasEnded = true;
    this.#reject(error);
    await settle();
  }
}

/** A label that waits for the address of its parcel, and what it was told, in words. */
class Label {
  readonly key: unknown;
  error: unknown;
  #told = NOTHING_YET;

  /** `onTold` is called in the very step in which the label is told. */
  constructor(key: unknown, load: () => Promise<unknown>, onTold?: () => void) {
    this.key = key;
    loadNeverThrows(load).then(
      (value) => {
        this.#told = address(value);
        onTold?.();
      },
      (error: unknown) => {
        this.error = error;
        this.#told = failed(error);
        onTold?.();
      },
    );
  }

  get told(): string {
    return this.#told;
  }
}

function loadNeverThrows(load: () => Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = load();
  } catch (error) {
    return expect.fail(`load() threw ${print(error)}: it must return a promise that rejects`);
  }
  if (result instanceof Promise) return result;
  return expect.fail(`load() returned ${print(result)}: it must return a promise`);
}

const print = (value: unknown): string => {
  if (value instanceof Error) return value.message;
  return typeof value === 'string' ? `“${value}”` : inspect(value);
};
const address = (value: unknown) =>
  typeof value === 'string' ? value : `the value ${print(value)}`;
const failed = (error: unknown) =>
  error instanceof MissingKeyError ? missing(error.key) : `the error: ${print(error)}`;
const missing = (key: unknown) => `a MissingKeyError for ${print(key)}`;
const timesIn = (count: number) => ['never', 'once', 'twice'][count] ?? `${count} times`;
const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`;

/** P1, P2, P3, … */
function parcels(count: number, from = 1): string[] {
  return Array.from({ length: count }, (_, index) => `P${from + index}`);
}

/** A depot with its loader, and the address service behind it. */
class Depot {
  readonly loader: BatchLoader<unknown, unknown>;
  /** In the order in which they were made. */
  readonly calls: Call[] = [];
  readonly #waitMs: number;

  /** `answer` takes the place of a call that is ended by the spec. */
  constructor(options: Partial<Options> = {}, answer = (call: Call): unknown => call.promise) {
    this.#waitMs = Math.max(1, options.maxWaitMs ?? 0);
    const loader = createBatchLoader<unknown, unknown>({
      maxBatchSize: 1_000,
      fetchMany: (keys) => {
        const call = new Call(keys, this.calls.length + 1);
        this.calls.push(call);
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        return answer(call) as readonly AnyRow[];
      },
      ...options,
    });
    if (typeof loader?.load !== 'function') expect.fail(`no loader, but ${print(loader)}`);
    this.loader = loader;
  }

  /** Nothing has settled yet when this returns. */
  asks(key: unknown, signal?: AbortSignal, onTold?: () => void): Label {
    const load = () => (signal ? this.loader.load(key, { signal }) : this.loader.load(key));
    return new Label(key, load, onTold);
  }

  asksFor(...keys: readonly unknown[]): Label[] {
    return keys.map((key) => this.asks(key));
  }

  /** Until the window that is open is over, for certain: a tick may end 1 ms late. */
  async windowEnds(): Promise<void> {
    await advance(this.#waitMs);
  }

  /** Asks for all of them in one window, and waits for its end. */
  async asked(...keys: readonly unknown[]): Promise<Label[]> {
    const labels = this.asksFor(...keys);
    await this.windowEnds();
    return labels;
  }

  /** The call that was made last. */
  get call(): Call {
    return this.calls.at(-1) ?? expect.fail('the address service should have been called by now');
  }

  /** The call that asks for this key, the last one if there are several. */
  callFor(key: unknown): Call {
    const call = this.calls.findLast(({ keys }) => keys.includes(key));
    return call ?? expect.fail(`no call has asked for ${print(key)}, and somebody waits for it`);
  }

  /** Ends all calls that are under way, each with a row for each of its keys. */
  async answersAll(): Promise<void> {
    for (const call of this.calls) if (!call.hasEnded) call.answersNow();
    await settle();
  }
}

/** Each call in brackets; the order of the keys does not matter. */
function callsIn(calls: readonly { readonly keys: readonly unknown[] }[]): string {
  const inBrackets = calls.map(({ keys }) => `[${keys.map(print).toSorted().join(' ')}]`);
  return inBrackets.join(' ') || 'no call';
}

function expectCalls({ calls }: Depot, keys: readonly (readonly unknown[])[], because: string) {
  expect(callsIn(calls), `${because}: the calls, each with its keys`).toBe(
    callsIn(keys.map((list) => ({ keys: list }))),
  );
}

function expectCallCount({ calls }: Depot, count: number, because: string): void {
  expect(
    timesIn(calls.length),
    `${because}: how often the address service was called (${callsIn(calls)})`,
  ).toBe(timesIn(count));
}

function expectTold(label: Label | undefined, told: string, because: string): void {
  expect(label?.told, `${because}: what the label of ${print(label?.key)} was told`).toBe(told);
}

function expectError(label: Label, because: string): void {
  if (label.told.startsWith('the error') || label.told.startsWith('a MissingKeyError')) return;
  expect.fail(
    `${because}: the label of ${print(label.key)} should be told some error, not “${label.told}”`,
  );
}

/** Each label has the address of its own parcel, as the call said which asked for it. */
function expectOwnAddresses(labels: readonly Label[], call: Call, because: string): void {
  for (const label of labels) expectTold(label, call.addressOf(label.key), because);
}

/** So many promise jobs, one after another, within the same tick. */
async function promiseJobs(count: number): Promise<void> {
  for (let job = 0; job < count; job += 1) await Promise.resolve();
}

/** As Node does when a request comes in: no promise job, and what `process.nextTick()` is handed comes before them. */
function calledBack(handler: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    process.nextTick(() => {
      handler().then(resolve, reject);
    });
  });
}

function listenersOn(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

function expectNoListener(signal: AbortSignal, because: string): void {
  const left = listenersOn(signal);
  if (left > 0) expect.fail(`${because}: ${plural(left, 'listener')} left on its signal`);
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

const ODD_ERRORS = [
  ['undefined', undefined],
  ['null', null],
  ['0', 0],
  ['an empty string', ''],
  ['a text', 'no such parcel'],
] as const;

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});

afterEach(async () => {
  await settle();
  if (strays.length > 0) {
    const [stray] = strays.splice(0);
    expect.fail(
      `a promise was rejected with “${print(stray)}” and nobody handled it, which ends a Node process`,
    );
  }
  if (pendingTimers() > 0) await advance(LONGEST_MS);
  if (pendingTimers() > 0) {
    expect.fail(
      'every window is over and a timer is still set: nobody asks, and it keeps on running',
    );
  }
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · one call for a tick', () => {
  it('asks for one parcel, and passes on its address', async () => {
    const depot = new Depot();
    const [label] = await depot.asked('P1');
    expectCalls(depot, [['P1']], 'one label has asked');
    expectTold(label, NOTHING_YET, 'the address service has not answered yet');
    await depot.call.answers([{ key: 'P1', value: 'Mill Lane 1' }]);
    expectTold(label, 'Mill Lane 1', 'the address service has answered');
  });

  it('takes a load with options and no signal', async () => {
    const depot = new Depot();
    const label = new Label('P1', () => depot.loader.load('P1', {}));
    await depot.windowEnds();
    const without = 'load() was handed options without a signal';
    expectTold(label, NOTHING_YET, `${without}, and the call is open`);
    await depot.call.answers();
    expectTold(label, depot.call.addressOf('P1'), without);
  });

  it('makes one call for all who ask in the same tick', async () => {
    const depot = new Depot();
    const keys = parcels(12);
    const labels = await depot.asked(...keys);
    expectCalls(depot, [keys], '12 labels have asked in the same tick');
    await depot.call.answers();
    expectOwnAddresses(labels, depot.call, 'the one call was answered');
  });

  it('makes no call while others may still ask', () => {
    const depot = new Depot();
    depot.asks('P1');
    expectCallCount(depot, 0, 'load() has just returned, and the next line may ask, too');
  });

  it.for([1, 2, 3, 10, 1_000])(
    'takes along who asks later in the tick, promise jobs later: %d',
    async (jobs) => {
      const depot = new Depot();
      const first = depot.asks('P1');
      await promiseJobs(jobs);
      const second = depot.asks('P2');
      await promiseJobs(jobs);
      const third = depot.asks('P3');
      await depot.windowEnds();
      expectCalls(depot, [['P1', 'P2', 'P3']], 'no timer and no I/O lay between the three');
      await depot.call.answers();
      expectOwnAddresses([first, second, third], depot.call, 'the one call was answered');
    },
  );

  it.for([1, 10])(
    'takes them along when Node has called back, too, promise jobs later: %d',
    async (jobs) => {
      const depot = new Depot();
      const labels: Label[] = [];
      await calledBack(async () => {
        labels.push(depot.asks('P1'));
        await promiseJobs(jobs);
        labels.push(depot.asks('P2'));
      });
      await depot.windowEnds();
      expectCalls(
        depot,
        [['P1', 'P2']],
        'a request has come in: a callback, then its promise jobs',
      );
      await depot.call.answers();
      expectOwnAddresses(labels, depot.call, 'the one call was answered');
    },
  );

  it('takes along who has waited for something that was there already', async () => {
    const depot = new Depot();
    const routeOf = async (key: string) => {
      if (key !== 'P1') await Promise.all([Promise.resolve('van 7'), Promise.resolve(key)]);
      return depot.asks(key);
    };
    await Promise.all(parcels(4).map(routeOf));
    await depot.windowEnds();
    expectCalls(depot, [parcels(4)], 'three of four labels had to wait for a few promise jobs');
  });

  it('makes one call again for all who ask on being told', async () => {
    const depot = new Depot();
    const next: Label[] = [];
    for (const key of parcels(3)) {
      depot.asks(key, undefined, () => next.push(depot.asks(`depot of ${key}`)));
    }
    await depot.windowEnds();
    await depot.call.answers();
    await depot.windowEnds();
    const depots = parcels(3).map((key) => `depot of ${key}`);
    expectCalls(depot, [parcels(3), depots], 'three labels were told at once, and asked on');
    await depot.call.answers();
    expectOwnAddresses(next, depot.call, 'the second call was answered');
  });

  it('asks again in a later tick', async () => {
    const depot = new Depot();
    const [early] = await depot.asked('P1');
    await depot.call.answers();
    const [late] = await depot.asked('P1');
    expectCalls(depot, [['P1'], ['P1']], 'the address may have been corrected: it is no cache');
    await depot.call.answers();
    expectTold(early, 'address of “P1” from call 1', 'the first tick');
    expectTold(late, 'address of “P1” from call 2', 'the second tick');
  });

  it('asks again in a later tick while the first call is under way', async () => {
    const depot = new Depot();
    await depot.asked('P1', 'P2');
    await advance(5);
    await depot.asked('P2', 'P3');
    expectCalls(
      depot,
      [
        ['P1', 'P2'],
        ['P2', 'P3'],
      ],
      'what is under way was asked before the correction',
    );
    await depot.answersAll();
  });

  it('answers each tick from its own call, whichever ends first', async () => {
    const depot = new Depot();
    const [early] = await depot.asked('P1');
    await advance(5);
    const [late] = await depot.asked('P1');
    const [first, second] = depot.calls;
    await second?.answers();
    expectTold(early, NOTHING_YET, 'the call of the second tick has ended, its own has not');
    expectTold(late, 'address of “P1” from call 2', 'the call of the second tick has ended');
    await first?.answers();
    expectTold(early, 'address of “P1” from call 1', 'the call of the first tick has ended, too');
  });

  it('is not told by an old call what a new one was asked', async () => {
    const depot = new Depot();
    await depot.asked('P1');
    await advance(5);
    const [late] = await depot.asked('P1');
    await depot.calls[0]?.answers();
    expectTold(late, NOTHING_YET, 'a call from before this label asked has ended');
    await depot.call.answers();
    expectTold(late, 'address of “P1” from call 2', 'its own call has ended');
  });

  it('loses nobody who asks while a call is being made', async () => {
    const inside: Label[] = [];
    const depot = new Depot({}, (call) => {
      if (call.number === 1) inside.push(...depot.asksFor('P1', 'P2'));
      return call.promise;
    });
    const [outside] = await depot.asked('P1');
    await depot.windowEnds();
    expectCalls(
      depot,
      [['P1'], parcels(2)],
      'fetchMany() itself has asked for P1 and P2, a new window',
    );
    await depot.answersAll();
    expectTold(outside, 'address of “P1” from call 1', 'both calls were answered');
    expectOwnAddresses(inside, depot.call, 'asked from within the first call, told by the second');
  });

  it('loses nobody who asks while a call is under way', async () => {
    const depot = new Depot();
    await depot.asked('P1');
    const during = depot.asks('P2');
    await depot.calls[0]?.answers();
    await depot.windowEnds();
    expectCalls(depot, [['P1'], ['P2']], 'the first call ended after P2 was asked for');
    await depot.call.answers();
    expectTold(during, 'address of “P2” from call 2', 'both calls were answered');
  });

  it('makes no call when nobody asks', async () => {
    const depot = new Depot();
    await advance(100);
    expectCallCount(depot, 0, 'nobody has asked yet');
    await depot.asked('P1');
    await depot.call.answers();
    await advance(100);
    expectCallCount(depot, 1, 'nobody has asked since');
  });

  it('keeps two loaders apart', async () => {
    const north = new Depot();
    const south = new Depot();
    const [here, there] = [north.asks('P1'), south.asks('P1')];
    await north.windowEnds();
    expectCalls(north, [['P1']], 'the depot in the north has asked its own service');
    expectCalls(south, [['P1']], 'the depot in the south has asked its own service');
    await north.call.answers([{ key: 'P1', value: 'in the north' }]);
    await south.call.answers([{ key: 'P1', value: 'in the south' }]);
    expectTold(here, 'in the north', 'two loaders');
    expectTold(there, 'in the south', 'two loaders');
  });
});

describe('2 · to each its own', () => {
  it('asks once for a parcel that many ask for', async () => {
    const depot = new Depot();
    const labels = await depot.asked('P1', 'P2', 'P1', 'P1', 'P2');
    expectCalls(depot, [['P1', 'P2']], 'five labels for two parcels');
    await depot.call.answers();
    expectOwnAddresses(labels, depot.call, 'five labels for two parcels');
  });

  it('asks once, too, if the second asks some promise jobs later', async () => {
    const depot = new Depot();
    const early = depot.asks('P1');
    await promiseJobs(10);
    const late = depot.asks('P1');
    await depot.windowEnds();
    expectCalls(depot, [['P1']], 'two labels for one parcel, in one tick');
    await depot.call.answers();
    expectOwnAddresses([early, late], depot.call, 'two labels for one parcel, in one tick');
  });

  it.for([
    ['backwards', (rows: AnyRow[]) => rows.toReversed()],
    ['one place on', (rows: AnyRow[]) => [...rows.slice(1), ...rows.slice(0, 1)]],
  ] as const)('takes the rows in any order: %s', async ([, reorder]) => {
    const depot = new Depot();
    const labels = await depot.asked('P1', 'P2', 'P3', 'P1', 'P4');
    await depot.call.answers(reorder(depot.call.rows));
    expectOwnAddresses(labels, depot.call, 'a row says itself which parcel it is about');
  });

  it('tells a label that there is no row for its parcel', async () => {
    const depot = new Depot();
    const [first, second, third] = await depot.asked('P1', 'P2', 'P3');
    await depot.call.answers(depot.call.rows.filter(({ key }) => key !== 'P2'));
    expectTold(second, missing('P2'), 'the answer has rows for P1 and P3 only');
    expectTold(first, depot.call.addressOf('P1'), 'the answer has a row for P1');
    expectTold(third, depot.call.addressOf('P3'), 'the answer has a row for P3, and none for P2');
  });

  it('tells all of them if there are no rows', async () => {
    const depot = new Depot();
    const labels = await depot.asked('P1', 'P2', 'P1');
    await depot.call.answers([]);
    for (const label of labels) expectTold(label, missing(label.key), 'an answer without a row');
  });

  it.for([
    ['0', 0],
    ['an empty string', ''],
    ['null', null],
    ['undefined', undefined],
    ['false', false],
    ['NaN', Number.NaN],
  ] as const)('takes a row for an answer, whatever its value: %s', async ([name, value]) => {
    const depot = new Depot();
    const [first, second] = await depot.asked('P1', 'P2');
    await depot.call.answers([
      { key: 'P2', value: 'Mill Lane 2' },
      { key: 'P1', value },
    ]);
    expectTold(first, address(value), `there is a row of P1, and its value is ${name}`);
    expectTold(second, 'Mill Lane 2', 'there is a row of P2');
  });

  it('takes anything for a key', async () => {
    const depot = new Depot();
    const texts = ['__proto__', 'constructor', 'toString', '', ' ', 'P1', '0', '1', 'undefined'];
    const objects = [{ parcel: 1 }, { parcel: 1 }, ['P1'], () => 'P1', Object.create(null)];
    const keys = [
      ...texts,
      ...objects,
      0,
      1,
      -1,
      1.5,
      Number.NaN,
      true,
      false,
      null,
      undefined,
      7n,
      Symbol('P1'),
    ];
    const labels = await depot.asked(...keys, ...keys);
    const lost = keys.filter((key) => !depot.call.keys.includes(key)).map(print);
    expect(lost.join(' '), 'keys that were not asked for, as if they were the same as others').toBe(
      '',
    );
    const rows = keys.map((key, index) => ({ key, value: `address ${index}` }));
    await depot.call.answers(rows.toReversed());
    for (const [index, label] of labels.entries()) {
      const own = `address ${index % keys.length}`;
      expectTold(label, own, 'keys are the same if a Map takes them for the same');
    }
  });

  it('takes 0 and -0 for the same, as a Map does', async () => {
    const depot = new Depot();
    const labels = await depot.asked(0, -0);
    expectCallCount(depot, 1, 'labels for 0 and for -0, in one tick');
    expect(depot.call.keys.length, 'labels for 0 and for -0: how many keys the call has').toBe(1);
    await depot.call.answers([{ key: -0, value: 'Mill Lane 1' }]);
    for (const label of labels) expectTold(label, 'Mill Lane 1', 'there is one row, its key is -0');
  });

  it('tells which key of which kind is missing', async () => {
    const depot = new Depot();
    for (const key of ['__proto__', 0, undefined, Symbol('P1'), Object.create(null)]) {
      const [label] = await depot.asked(key);
      await depot.call.answers([]);
      expectTold(label, missing(key), 'an answer without a row');
    }
  });

  it('ignores rows for which nobody has asked', async () => {
    const depot = new Depot();
    const labels = await depot.asked('P1', 'P2');
    await depot.call.answers([
      { key: 'P7', value: 'Mill Lane 7' },
      { key: '__proto__', error: unknownParcel() },
      ...depot.call.rows,
      { key: undefined, value: 'Mill Lane 8' },
    ]);
    expectOwnAddresses(labels, depot.call, 'the answer has rows for other parcels, too');
  });

  it('does not keep for later what nobody has asked for', async () => {
    const depot = new Depot();
    await depot.asked('P1');
    await depot.call.answers([...depot.call.rows, { key: 'P2', value: 'Mill Lane 2' }]);
    const [label] = await depot.asked('P2');
    expectCalls(depot, [['P1'], ['P2']], 'an earlier answer had a row for P2 as well');
    await depot.call.answers();
    expectTold(label, 'address of “P2” from call 2', 'P2 was asked for in the second call');
  });

  it('hands over a list of keys that does not change any more', async () => {
    const depot = new Depot();
    await depot.asked('P1', 'P2');
    depot.asks('P3');
    await depot.windowEnds();
    await depot.calls[0]?.answers();
    const [first] = depot.calls;
    expect(
      callsIn([{ keys: first?.list ?? [] }]),
      'fetchMany() may read the list later, when it has a connection; what is in it by then',
    ).toBe(callsIn([{ keys: ['P1', 'P2'] }]));
    await depot.answersAll();
  });

  it('takes a service that answers with a plain list', async () => {
    let rows: AnyRow[] = [];
    const depot = new Depot({}, (call) => (rows = call.rows));
    const labels = await depot.asked('P1', 'P2');
    await settle();
    expectOwnAddresses(labels, depot.call, 'fetchMany() returned the rows, no promise');
    expect(
      callsIn([{ keys: rows.map(({ key }) => key) }]),
      'the list is readonly, and fetchMany() may keep it: the rows in it when all were told',
    ).toBe(callsIn([{ keys: ['P1', 'P2'] }]));
  });

  it('waits for anything with a then, and asks it once', async () => {
    let query: Query | undefined;
    const depot = new Depot({}, (call) => (query = new Query(() => call.rows)));
    const labels = await depot.asked('P1', 'P2', 'P1');
    await settle();
    expectOwnAddresses(labels, depot.call, 'fetchMany() returned a query');
    expect(timesIn(query?.sent ?? 0), 'a query is sent each time its `then` is called').toBe(
      'once',
    );
  });

  it('waits for a function with a then', async () => {
    const depot = new Depot({}, (call) => {
      const query = new Query(() => call.rows);
      // oxlint-disable-next-line unicorn/no-thenable
      return Object.assign(() => query, { then: query.then });
    });
    const labels = await depot.asked('P1', 'P2');
    await settle();
    expectOwnAddresses(labels, depot.call, 'fetchMany() returned a function that has a `then`');
  });
});

describe('3 · when it goes wrong', () => {
  it('tells only those who asked for the parcel of a row with an error', async () => {
    const depot = new Depot();
    const [good, bad, other, again] = await depot.asked('P1', 'P2', 'P3', 'P2');
    const error = unknownParcel();
    await depot.call.answers(
      depot.call.rows.map((row) => (row.key === 'P2' ? { key: 'P2', error } : row)),
    );
    expectTold(good, depot.call.addressOf('P1'), 'only the row of P2 is an error');
    expectTold(other, depot.call.addressOf('P3'), 'only the row of P2 is an error');
    for (const label of [bad, again]) {
      expectTold(label, failed(error), 'the row of P2 is an error');
      expect(label?.error, 'the label needs the original error, not a copy').toBe(error);
    }
  });

  it.for(ODD_ERRORS)('takes a row with an error for one, whatever it is: %s', async ([, error]) => {
    const depot = new Depot();
    const [bad, good] = await depot.asked('P1', 'P2');
    await depot.call.answers([
      { key: 'P1', error },
      { key: 'P2', value: 'Mill Lane 2' },
    ]);
    expectTold(bad, failed(error), 'the row of P1 has an error');
    expectTold(good, 'Mill Lane 2', 'the row of P2 has a value');
  });

  it('takes an Error for a value if it stands there as one', async () => {
    const depot = new Depot();
    const [label] = await depot.asked('P1');
    const value = unknownParcel();
    await depot.call.answers([{ key: 'P1', value }]);
    expectTold(label, address(value), 'the row has no error; its value is an Error, as in a log');
  });

  it('tells all who asked in a call that it has failed', async () => {
    const depot = new Depot();
    const labels = await depot.asked('P1', 'P2', 'P1');
    const error = outage();
    await depot.call.fails(error);
    for (const label of labels) {
      expectTold(label, failed(error), 'the call has failed');
      expect(label.error, 'the label needs the original error, not a copy').toBe(error);
    }
  });

  it.for(ODD_ERRORS)('hands over whatever a call has failed with: %s', async ([, reason]) => {
    const depot = new Depot();
    const labels = await depot.asked('P1', 'P2');
    await depot.call.fails(reason);
    for (const label of labels) expectTold(label, failed(reason), 'the call has failed');
  });

  it('turns a throw into a rejection', async () => {
    const error = outage();
    const depot = new Depot({}, () => {
      throw error;
    });
    const labels = await depot.asked('P1', 'P2');
    await settle();
    for (const label of labels) expectTold(label, failed(error), 'fetchMany() threw');
  });

  it.for(['fails', 'throws', 'cannot be read'] as const)(
    'goes on after a call that %s',
    async (how) => {
      const depot = new Depot({}, (call) => {
        if (call.number === 1 && how === 'throws') throw outage();
        return call.promise;
      });
      await depot.asked('P1', 'P2');
      if (how === 'fails') await depot.call.fails(outage());
      if (how === 'cannot be read') await depot.call.answers(null);
      const labels = await depot.asked('P1', 'P2');
      expectCalls(depot, [parcels(2), parcels(2)], 'the second time: P1 and P2 are asked again');
      await depot.call.answers();
      expectOwnAddresses(labels, depot.call, 'the second call was answered');
    },
  );

  it('leaves other calls alone when one fails', async () => {
    const depot = new Depot();
    const [early] = await depot.asked('P1');
    await advance(5);
    const [late] = await depot.asked('P1');
    const open = depot.asks('P1');
    await depot.calls[0]?.fails(outage());
    expectTold(early, failed(outage()), 'its own call has failed');
    expectTold(late, NOTHING_YET, 'the call of another tick has failed, its own is under way');
    expectTold(open, NOTHING_YET, 'the call of another tick has failed, its own is not made yet');
    await depot.windowEnds();
    await depot.answersAll();
    expectTold(late, 'address of “P1” from call 2', 'its own call was answered');
    expectTold(open, 'address of “P1” from call 3', 'its own call was answered');
  });

  it('makes the next call, although the one before never ends', async () => {
    const depot = new Depot();
    const [first] = await depot.asked('P1');
    await advance(500);
    const [second] = await depot.asked('P2');
    expectCalls(depot, [['P1'], ['P2']], 'the first call hangs');
    await depot.call.answers();
    expectTold(second, 'address of “P2” from call 2', 'the first call hangs, the second does not');
    expectTold(first, NOTHING_YET, 'the first call hangs');
  });

  it.for([
    ['undefined', undefined],
    ['null', null],
    ['a number', 42],
    ['an object', { P1: 'Mill Lane 1', P2: 'Mill Lane 2' }],
    ['a text', '<html>502 Bad Gateway</html>'],
    ['a list of null', [null, null]],
    ['a list of texts', ['Mill Lane 1', 'Mill Lane 2']],
  ] as const)(
    'lets nobody wait for ever if the answer cannot be read: %s',
    async ([name, nonsense]) => {
      for (const comes of ['in a promise', 'as it is']) {
        const depot = new Depot({}, (call) => (comes === 'as it is' ? nonsense : call.promise));
        const labels = await depot.asked('P1', 'P2');
        await depot.call.answers(nonsense);
        for (const label of labels) expectError(label, `the answer is ${name}, ${comes}`);
      }
    },
  );

  it.for([0, 1, 2])('lets nobody wait for ever if row %d is null', async (hole) => {
    const depot = new Depot();
    const labels = await depot.asked('P1', 'P2', 'P3');
    await depot.call.answers(depot.call.rows.map((row, index) => (index === hole ? null : row)));
    for (const label of labels) {
      const mayHaveIt = label.key !== depot.call.keys[hole];
      if (mayHaveIt && label.told === depot.call.addressOf(label.key)) continue;
      expectError(label, `row ${hole} is null, the others can be read`);
    }
  });

  it('takes one of two rows for the same parcel', async () => {
    const depot = new Depot();
    const [label, other] = await depot.asked('P1', 'P2');
    await depot.call.answers([
      { key: 'P1', value: 'Mill Lane 1' },
      { key: 'P1', value: 'Mill Lane 1' },
      { key: 'P2', value: 'Mill Lane 2' },
    ]);
    expectTold(label, 'Mill Lane 1', 'two rows for P1');
    expectTold(other, 'Mill Lane 2', 'two rows for P1, one for P2');
  });
});

describe('4 · no more than a call can take', () => {
  it.for([
    [10, 25, 3],
    [10, 20, 2],
    [10, 10, 1],
    [10, 11, 2],
    [1, 3, 3],
    [2, 5, 3],
    [150, 151, 2],
    [200, 151, 1],
  ] as const)(
    'with %d keys a call, asks for %d parcels in %d calls',
    async ([most, all, calls]) => {
      const depot = new Depot({ maxBatchSize: most });
      const labels = await depot.asked(...parcels(all));
      expectCallCount(depot, calls, `${all} parcels, and at most ${most} to a call`);
      const largest = Math.max(...depot.calls.map(({ keys }) => keys.length));
      if (largest > most)
        expect.fail(`a call has ${largest} keys: the service refuses over ${most}`);
      const asked = depot.calls.flatMap(({ keys }) => keys);
      expect(callsIn([{ keys: asked }]), 'all keys of all calls together').toBe(
        callsIn([{ keys: parcels(all) }]),
      );
      await depot.answersAll();
      for (const label of labels) {
        expectTold(label, depot.callFor(label.key).addressOf(label.key), 'all calls were answered');
      }
    },
  );

  it('makes all calls at the same time', async () => {
    for (const calls of [3, 60]) {
      const depot = new Depot({ maxBatchSize: 2 });
      await depot.asked(...parcels(2 * calls));
      expect(
        depot.calls.length,
        `${2 * calls} parcels, two to a call, and none has been answered: the calls under way`,
      ).toBe(calls);
      await depot.answersAll();
    }
  });

  it('asks for a parcel once, in whichever call', async () => {
    const depot = new Depot({ maxBatchSize: 2 });
    const labels = depot.asksFor('P1', 'P2', 'P3', 'P1');
    await promiseJobs(5);
    labels.push(...depot.asksFor('P2', 'P4', 'P3', 'P1'));
    await depot.windowEnds();
    const asked = depot.calls.flatMap(({ keys }) => keys);
    expect(callsIn([{ keys: asked }]), 'eight labels for four parcels: what was asked for').toBe(
      callsIn([{ keys: parcels(4) }]),
    );
    await depot.answersAll();
    for (const label of labels) {
      expectTold(label, depot.callFor(label.key).addressOf(label.key), 'all calls were answered');
    }
  });

  it('counts parcels, not labels', async () => {
    const depot = new Depot({ maxBatchSize: 2 });
    await depot.asked('P1', 'P1', 'P1', 'P2', 'P2');
    expectCalls(depot, [['P1', 'P2']], 'five labels for two parcels, two parcels to a call');
    await depot.answersAll();
  });

  it('tells each label as soon as its own call has ended', async () => {
    const depot = new Depot({ maxBatchSize: 2 });
    const labels = await depot.asked(...parcels(4));
    const call = depot.callFor('P3');
    await call.answers();
    for (const label of labels) {
      const told = call.keys.includes(label.key) ? call.addressOf(label.key) : NOTHING_YET;
      expectTold(label, told, 'one of two calls has ended');
    }
    await depot.answersAll();
  });

  it('leaves the other calls alone when one fails', async () => {
    const depot = new Depot({ maxBatchSize: 2 });
    const labels = await depot.asked(...parcels(6));
    const call = depot.callFor('P3');
    await call.fails(outage());
    await depot.answersAll();
    for (const label of labels) {
      const own = depot.callFor(label.key);
      const told = own === call ? failed(outage()) : own.addressOf(label.key);
      expectTold(label, told, 'one of three calls has failed');
    }
  });

  it('makes the other calls, too, when one throws', async () => {
    const depot = new Depot({ maxBatchSize: 2 }, (call) => {
      if (call.number === 1) throw outage();
      return call.promise;
    });
    const labels = await depot.asked(...parcels(6));
    expectCallCount(depot, 3, 'fetchMany() threw the first time it was called');
    await depot.answersAll();
    for (const label of labels) {
      const own = depot.callFor(label.key);
      const told = own.number === 1 ? failed(outage()) : own.addressOf(label.key);
      expectTold(label, told, 'one of three calls has thrown');
    }
  });

  it('takes no row from a call that has not asked for it', async () => {
    const depot = new Depot({ maxBatchSize: 1 });
    const [first, second] = await depot.asked('P1', 'P2');
    const call = depot.callFor('P1');
    await call.answers([...call.rows, { key: 'P2', error: unknownParcel() }]);
    expectTold(first, call.addressOf('P1'), 'its own call has ended');
    expectTold(
      second,
      NOTHING_YET,
      'the call for P1 has a row for P2; the one for P2 is under way',
    );
    await depot.answersAll();
    expectTold(second, depot.callFor('P2').addressOf('P2'), 'its own call has ended');
  });

  it('finds no row missing before its own call has ended', async () => {
    const depot = new Depot({ maxBatchSize: 1 });
    const [first, second] = await depot.asked('P1', 'P2');
    await depot.callFor('P1').answers([]);
    expectTold(first, missing('P1'), 'its own call has no row');
    expectTold(second, NOTHING_YET, 'its own call is under way');
    await depot.answersAll();
  });
});

describe('5 · a longer window', () => {
  it.for([1, 2, 10, 250])('is open for as long as it was told: %d ms', async (maxWaitMs) => {
    const depot = new Depot({ maxWaitMs });
    const label = depot.asks('P1');
    await advance(maxWaitMs - 1);
    expectCallCount(depot, 0, `${maxWaitMs - 1} ms after the first label has asked`);
    await advance(1);
    expectCalls(depot, [['P1']], `${maxWaitMs} ms after the first label has asked`);
    expect(pendingTimers(), 'the window is over, and no other is open: how many timers run').toBe(
      0,
    );
    await depot.call.answers();
    expectTold(label, depot.call.addressOf('P1'), 'the call was answered');
  });

  it('takes along who asks in the meantime', async () => {
    const depot = new Depot({ maxWaitMs: 10 });
    const labels = depot.asksFor('P1');
    await advance(3);
    labels.push(...depot.asksFor('P2', 'P1'));
    await advance(6);
    labels.push(...depot.asksFor('P3', 'P2'));
    await advance(1);
    expectCalls(depot, [parcels(3)], 'labels asked at 0, 3 and 9 ms');
    await depot.call.answers();
    expectOwnAddresses(labels, depot.call, 'labels asked at 0, 3 and 9 ms');
  });

  it('is not prolonged by those who come later', async () => {
    const depot = new Depot({ maxWaitMs: 10 });
    const labels = depot.asksFor('P1');
    for (const key of ['P2', 'P3', 'P4']) {
      await advance(3);
      labels.push(depot.asks(key));
    }
    await advance(1);
    expectCalls(depot, [parcels(4)], '10 ms after the first; the last asked 1 ms ago');
    await depot.call.answers();
  });

  it('makes a call every so often while labels keep on coming', async () => {
    const depot = new Depot({ maxWaitMs: 10 });
    for (const key of parcels(40)) {
      depot.asks(key);
      await advance(3);
    }
    const gapsMs = depot.calls.map(({ atMs }, index) => atMs - (depot.calls[index - 1]?.atMs ?? 0));
    expect(
      depot.calls.length,
      'a label every 3 ms for 120 ms, and windows of 10 ms: how many calls were made',
    ).toBe(10);
    expect(Math.max(...gapsMs.slice(1)), 'the longest time between two calls, in ms').toBe(12);
    await depot.answersAll();
  });

  it('makes no call before its end, however many parcels have come together', async () => {
    const depot = new Depot({ maxWaitMs: 10, maxBatchSize: 2 });
    const labels = depot.asksFor(...parcels(5));
    await advance(5);
    labels.push(...depot.asksFor(...parcels(6)));
    expectCallCount(depot, 0, 'P1 was asked for at 0 ms, and again at 5 ms');
    await advance(5);
    const asked = depot.calls.flatMap(({ keys }) => keys);
    expect(callsIn([{ keys: asked }]), 'at 10 ms: what was asked for, in all calls together').toBe(
      callsIn([{ keys: parcels(6) }]),
    );
    expectCallCount(depot, 3, 'at 10 ms: six parcels, two to a call');
    await depot.answersAll();
  });

  it('asks for all at its end, also for what does not fit into the first call', async () => {
    const depot = new Depot({ maxWaitMs: 10, maxBatchSize: 2 });
    depot.asksFor('P1', 'P2');
    await advance(6);
    depot.asks('P3');
    await advance(4);
    expectCallCount(depot, 2, '10 ms after the first label: three parcels, two to a call');
    await depot.answersAll();
  });

  it('opens the next one with the next label, not before', async () => {
    const depot = new Depot({ maxWaitMs: 10 });
    await depot.asked('P1');
    await advance(7);
    const late = depot.asks('P2');
    await advance(9);
    expectCalls(depot, [['P1']], 'the label of P2 asked 9 ms ago');
    await advance(1);
    expectCalls(depot, [['P1'], ['P2']], 'the label of P2 asked 10 ms ago');
    await depot.answersAll();
    expectTold(late, depot.call.addressOf('P2'), 'both calls were answered');
  });

  it('has nothing to do with calls that are under way', async () => {
    const depot = new Depot({ maxWaitMs: 10 });
    const [early] = await depot.asked('P1');
    const late = depot.asks('P1');
    await advance(4);
    await depot.call.fails(outage());
    expectTold(early, failed(outage()), 'its own call has failed');
    expectTold(late, NOTHING_YET, 'its own call is not made yet');
    await advance(6);
    expectCalls(depot, [['P1'], ['P1']], '10 ms after the second label asked');
    await depot.call.answers();
    expectTold(late, depot.call.addressOf('P1'), 'its own call was answered');
  });
});

describe('6 · who leaves', () => {
  const WINDOW = { maxWaitMs: 10 };

  it('tells a label that has left already, and asks for nothing', async () => {
    for (const reason of ['van has left', null, 0]) {
      const depot = new Depot();
      const label = depot.asks('P1', AbortSignal.abort(reason));
      await settle();
      expectTold(label, failed(reason), 'its signal had aborted before it asked');
      await depot.windowEnds();
      expectCallCount(depot, 0, 'nobody else has asked');
    }
  });

  it.for([...ODD_ERRORS, ['an error', new AddressServiceError('van has left')]] as const)(
    'tells a label at once when it leaves, whatever the reason: %s',
    async ([, reason]) => {
      const depot = new Depot(WINDOW);
      const leaving = new AbortController();
      const waiting = depot.asks('P1', leaving.signal);
      await advance(3);
      leaving.abort(reason); // of `undefined` it makes an AbortError
      await settle();
      expectTold(waiting, failed(leaving.signal.reason), 'it left 3 ms after it asked');
      expect(waiting.error, 'the very reason').toBe(leaving.signal.reason);
    },
  );

  it('tells it at once while the call is under way as well', async () => {
    const depot = new Depot();
    const leaving = new AbortController();
    const label = depot.asks('P1', leaving.signal);
    await depot.windowEnds();
    leaving.abort('van has left');
    await settle();
    expectTold(label, failed('van has left'), 'it left while the call was under way');
    await depot.call.answers();
    expectTold(label, failed('van has left'), 'the call was answered later');
  });

  it('leaves a label its own patience', async () => {
    const depot = new Depot();
    const patient = depot.asks('P1');
    const hurried = depot.asks('P1', AbortSignal.timeout(200));
    await depot.windowEnds();
    await advance(200);
    expect(inspect(hurried.error), 'after 200 ms: the reason of its own signal').toContain(
      'TimeoutError',
    );
    await depot.call.answers();
    expectTold(patient, depot.call.addressOf('P1'), 'the call was answered after 200 ms');
  });

  it('leaves the answer to the others', async () => {
    const depot = new Depot();
    const leaving = new AbortController();
    const gone = depot.asks('P1', leaving.signal);
    const others = depot.asksFor('P1', 'P2');
    await depot.windowEnds();
    leaving.abort('van has left');
    await settle();
    for (const label of others) expectTold(label, NOTHING_YET, 'another label has left');
    await depot.call.answers();
    expectOwnAddresses(others, depot.call, 'another label has left');
    expectTold(gone, failed('van has left'), 'it had left before');
  });

  it('asks for no parcel for which nobody waits any more', async () => {
    const depot = new Depot(WINDOW);
    const leaving = new AbortController();
    depot.asks('P1', leaving.signal);
    depot.asks('P1', leaving.signal);
    const stays = depot.asks('P2');
    await advance(3);
    leaving.abort('van has left');
    await depot.windowEnds();
    expectCalls(depot, [['P2']], 'both labels of P1 have left');
    await depot.call.answers();
    expectTold(stays, depot.call.addressOf('P2'), 'the call was answered');
  });

  it('asks for it if another waits, whoever was first', async () => {
    for (const leavesFirst of [true, false]) {
      const depot = new Depot();
      const leaving = new AbortController();
      const who = leavesFirst ? 'the first' : 'the second';
      const labels = [
        depot.asks('P1', leavesFirst ? leaving.signal : undefined),
        depot.asks('P1', leavesFirst ? undefined : leaving.signal),
      ];
      leaving.abort('van has left');
      await depot.windowEnds();
      expectCalls(depot, [['P1']], `${who} of two labels has left`);
      await depot.call.answers();
      const stays = leavesFirst ? labels[1] : labels[0];
      expectTold(stays, depot.call.addressOf('P1'), `${who} of two labels has left`);
    }
  });

  it('asks for it if another comes after the first has left', async () => {
    const depot = new Depot(WINDOW);
    const leaving = new AbortController();
    depot.asks('P1', leaving.signal);
    const other = depot.asks('P2');
    await advance(2);
    leaving.abort('van has left');
    await advance(2);
    const label = depot.asks('P1');
    await advance(6);
    expectCalls(depot, [parcels(2)], 'a label for P1 has left, then another has asked for it');
    await depot.call.answers();
    expectOwnAddresses([label, other], depot.call, 'the call was answered');
  });

  it('makes no call when all have left', async () => {
    for (const options of [{}, WINDOW]) {
      const depot = new Depot({ ...options, maxBatchSize: 2 });
      const leaving = new AbortController();
      for (const key of parcels(5)) depot.asks(key, leaving.signal);
      leaving.abort('van has left');
      await advance(50);
      expectCallCount(depot, 0, 'five labels have asked, and left before the window was over');
      const [label] = await depot.asked('P1');
      expectCalls(depot, [['P1']], 'another label asks later');
      await depot.call.answers();
      expectTold(label, depot.call.addressOf('P1'), 'another label asks later');
    }
  });

  it('makes no call without a key when some have left', async () => {
    const depot = new Depot({ ...WINDOW, maxBatchSize: 2 });
    const leaving = new AbortController();
    for (const key of parcels(4)) depot.asks(key, leaving.signal);
    const stays = depot.asks('P5');
    leaving.abort('van has left');
    await depot.windowEnds();
    expectCalls(depot, [['P5']], 'five labels have asked, two parcels to a call, and four left');
    await depot.call.answers();
    expectTold(stays, depot.call.addressOf('P5'), 'the call was answered');
  });

  it('does not let the others wait longer when the first leaves', async () => {
    const depot = new Depot(WINDOW);
    const leaving = new AbortController();
    depot.asks('P1', leaving.signal);
    await advance(4);
    const stays = depot.asks('P2');
    await advance(2);
    leaving.abort('van has left');
    await advance(4);
    expectCalls(depot, [['P2']], '10 ms after the window was opened, by a label that has left');
    await depot.call.answers();
    expectTold(stays, depot.call.addressOf('P2'), 'the call was answered');
  });

  it('lets nobody wait longer than a window because all before have left', async () => {
    const depot = new Depot(WINDOW);
    const leaving = new AbortController();
    depot.asks('P1', leaving.signal);
    await advance(2);
    leaving.abort('van has left');
    await advance(2);
    const label = depot.asks('P1');
    await advance(10);
    expectCalls(depot, [['P1']], '10 ms after this label has asked');
    await depot.call.answers();
    expectTold(label, depot.call.addressOf('P1'), 'the call was answered');
  });

  it('leaves every window its length, also after one that all have left', async () => {
    const depot = new Depot(WINDOW);
    const leaving = new AbortController();
    depot.asks('P1', leaving.signal);
    await advance(2);
    leaving.abort('van has left');
    await advance(2);
    depot.asks('P2');
    await advance(7);
    depot.asks('P3');
    // The label of P2 may have come into the window of P1, which was over 1 ms ago, or have opened its own.
    const isOver = depot.calls.length > 0;
    await advance(9);
    const soFar = isOver ? [['P2']] : [['P2', 'P3']];
    expectCalls(depot, soFar, 'labels asked 20, 16 and 9 ms ago, and the first has left');
    await advance(1);
    const inTheEnd = isOver ? [['P2'], ['P3']] : soFar;
    expectCalls(depot, inTheEnd, 'labels asked 21, 17 and 10 ms ago, and the first has left');
    await depot.answersAll();
  });

  it('leaves the next window alone when one leaves late', async () => {
    const depot = new Depot(WINDOW);
    const leaving = new AbortController();
    depot.asks('P1', leaving.signal);
    await depot.windowEnds();
    const next = depot.asks('P1');
    await advance(2);
    leaving.abort('van has left');
    await advance(8);
    expectCalls(depot, [['P1'], ['P1']], 'the label of the first call has left, another has asked');
    await depot.call.answers();
    expectTold(next, depot.call.addressOf('P1'), 'its own call was answered');
  });

  it('leaves a call alone that nobody waits for any more, however it ends', async () => {
    for (const how of ['answered', 'failed', 'missing', 'refused', 'unreadable']) {
      const depot = new Depot();
      const leaving = new AbortController();
      const label = depot.asks('P1', leaving.signal);
      await depot.windowEnds();
      leaving.abort('van has left');
      await settle();
      if (how === 'answered') await depot.call.answers();
      if (how === 'failed') await depot.call.fails(outage());
      if (how === 'missing') await depot.call.answers([]);
      if (how === 'refused') await depot.call.answers([{ key: 'P1', error: unknownParcel() }]);
      if (how === 'unreadable') await depot.call.answers(null);
      expectTold(label, failed('van has left'), `it has left, and the call was ${how} later`);
    }
  });

  it('leaves no listener on a signal', async () => {
    const stays = new AbortController();
    const { signal } = stays;
    const depot = new Depot();
    depot.asks('P1', signal);
    depot.asks('P1', signal);
    depot.asks('P2', signal);
    await depot.windowEnds();
    await depot.call.answers([{ key: 'P1', value: 'Mill Lane 1' }]);
    expectNoListener(signal, 'the labels were told an address, or that there is none');

    depot.asks('P1', signal);
    await depot.windowEnds();
    await depot.call.fails(outage());
    expectNoListener(signal, 'the call has failed');

    depot.asks('P1', signal);
    stays.abort('van has left');
    await depot.windowEnds();
    expectNoListener(signal, 'the label has left');
  });

  it('does not change what a label was told when it leaves afterwards', async () => {
    const depot = new Depot();
    const leaving = new AbortController();
    const label = depot.asks('P1', leaving.signal);
    await depot.windowEnds();
    await depot.call.answers();
    leaving.abort('van has left');
    await settle();
    expectTold(label, depot.call.addressOf('P1'), 'it has left, but after the answer');
    const [next] = await depot.asked('P1');
    await depot.call.answers();
    expectTold(next, depot.call.addressOf('P1'), 'the next label');
  });
});

describe('7 · whatever happens', () => {
  it('does what the rules say, label by label', async () => {
    // Once fast-check had shrunk the options, it would not shrink the history.
    const options = fc.noShrink(fc.constantFrom(...GIVEN));
    await fc.assert(
      fc.asyncProperty(options, histories(), async (given, history) => {
        const paper = new Paper(given);
        const depot = new Depot(given);
        await fc.asyncModelRun(() => ({ model: paper, real: depot }), history);
        await paper.comesToItsEnd(depot);
      }),
      { seed: 20_261_126, numRuns: 50 },
    );
  });
});

// ── The rules, on paper ─────────────────────────────────────────────────────────────────────────────────

/** Made for the sake of `toString`: it stands before the history that goes wrong. */
class Given {
  readonly maxWaitMs: number;
  readonly maxBatchSize: number;
  constructor(maxWaitMs: number, maxBatchSize: number) {
    this.maxWaitMs = maxWaitMs;
    this.maxBatchSize = maxBatchSize;
  }
  toString(): string {
    return `windows of ${this.maxWaitMs} ms and ${plural(this.maxBatchSize, 'key')} to a call`;
  }
}

const GIVEN = [0, 10].flatMap((ms) => [1, 2, 3].map((size) => new Given(ms, size)));

interface PaperLabel {
  readonly label: Label;
  readonly leaving: AbortController;
  /** In words, as `Label.told`. */
  told: string;
}

interface PaperWindow {
  readonly openedAt: number;
  /** When it may be over; the last one is when it is over at the latest. */
  readonly ends: readonly number[];
  /** All who have asked. */
  readonly labels: PaperLabel[];
}

interface PaperCall {
  readonly call: Call;
  readonly labels: readonly PaperLabel[];
}

/** The loader as one would play it with pencil and paper. */
class Paper {
  readonly #labels: PaperLabel[] = [];
  /** Under way. */
  readonly calls: PaperCall[] = [];
  readonly #maxWaitMs: number;
  readonly #maxBatchSize: number;
  #window: PaperWindow | undefined;
  /** That all have left: whether it still is one is up to the answer. */
  #deserted: PaperWindow | undefined;
  #callsSeen = 0;

  constructor({ maxWaitMs, maxBatchSize }: Given) {
    this.#maxWaitMs = maxWaitMs;
    this.#maxBatchSize = maxBatchSize;
  }

  get waiting(): PaperLabel[] {
    return this.#labels.filter(({ told }) => told === NOTHING_YET);
  }

  /** A tick of a window of 0 is over when the command is, at the latest. */
  get tickMs(): number {
    return this.#maxWaitMs === 0 ? 1 : 0;
  }

  asks(key: string, depot: Depot): PaperLabel {
    const nowMs = performance.now();
    if (!this.#window) {
      const ends = this.#deserted?.ends.filter((endMs) => endMs > nowMs) ?? [];
      const labels = ends.length > 0 ? (this.#deserted?.labels ?? []) : [];
      this.#window = { openedAt: nowMs, ends: [...ends, nowMs + this.#maxWaitMs], labels };
      this.#deserted = undefined;
    }
    const leaving = new AbortController();
    const label = { label: depot.asks(key, leaving.signal), leaving, told: NOTHING_YET };
    this.#window.labels.push(label);
    this.#labels.push(label);
    return label;
  }

  leaves(label: PaperLabel): void {
    label.leaving.abort('van has left');
    label.told = failed('van has left');
    const open = this.#window;
    if (!open || open.labels.some(({ told }) => told === NOTHING_YET)) return;
    this.#deserted = open;
    this.#window = undefined;
  }

  async ends(nth: number, how: Outcome): Promise<void> {
    const under = this.calls.splice(nth % this.calls.length, 1)[0];
    if (!under) return;
    const { call, labels } = under;
    const odd = KEYS.find((key) => call.keys.includes(key));
    const rows = call.rows.toReversed();
    const told = (of: (key: unknown) => string) => {
      for (const label of labels) {
        if (label.told === NOTHING_YET) label.told = of(label.label.key);
      }
    };
    if (how === 'fails') {
      told(() => failed(outage()));
      await call.fails(outage());
    } else if (how === 'cannot be read') {
      told(() => SOME_ERROR);
      await call.answers(null);
    } else if (how === 'lacks a row') {
      told((key) => (key === odd ? missing(key) : call.addressOf(key)));
      await call.answers(rows.filter(({ key }) => key !== odd));
    } else if (how === 'has an error in a row') {
      told((key) => (key === odd ? failed(unknownParcel()) : call.addressOf(key)));
      const error = unknownParcel();
      await call.answers(rows.map((row) => (row.key === odd ? { key: odd, error } : row)));
    } else {
      told((key) => call.addressOf(key));
      const others = KEYS.filter((key) => !call.keys.includes(key));
      await call.answers([...others.map((key) => ({ key, value: 'of no use' })), ...rows]);
    }
  }

  /** What must hold after every step. */
  checks(depot: Depot): void {
    this.#checkCalls(depot.calls.slice(this.#callsSeen));
    this.#callsSeen = depot.calls.length;
    for (const { label, told } of this.#labels) {
      const isSo = told === SOME_ERROR ? label.told.startsWith('the error') : label.told === told;
      if (!isSo) {
        expect.fail(
          `by the rules the label of ${print(label.key)} should be told “${told}”, not “${label.told}”`,
        );
      }
    }
  }

  /** Nobody waits for ever: when the last window is over and all calls have ended, everybody was told. */
  async comesToItsEnd(depot: Depot): Promise<void> {
    await advance(this.#maxWaitMs + 1);
    this.checks(depot);
    while (this.calls.length > 0) await this.ends(0, 'is answered');
    this.checks(depot);
    const forgotten = this.waiting[0];
    if (forgotten) expect.fail(`the label of ${print(forgotten.label.key)} waits for ever`);
  }

  #checkCalls(made: readonly Call[]): void {
    const open = this.#window;
    if (!open) {
      if (made.length > 0)
        expect.fail(`by the rules there is nothing to ask for: ${callsIn(made)}`);
      return;
    }
    const nowMs = performance.now();
    const latestMs = open.ends.at(-1) ?? nowMs;
    if (made.length === 0) {
      if (nowMs < latestMs + this.tickMs) return;
      expect.fail(`by the rules the window is over, and no call was made`);
    }
    for (const { atMs } of made) {
      const lateMs = open.ends.map((endMs) => atMs - endMs);
      if (lateMs.some((ms) => ms >= 0 && ms <= this.tickMs)) continue;
      const ageMs: number = atMs - open.openedAt;
      expect.fail(
        `a call was made when the window had been open for ${ageMs} ms: ${callsIn(made)}`,
      );
    }
    const stay = open.labels.filter(({ told }) => told === NOTHING_YET);
    const keysOf = (labels: readonly PaperLabel[]) => [
      ...new Set(labels.map(({ label }) => label.key)),
    ];
    const should = callsIn([{ keys: keysOf(stay) }]);
    const asked = callsIn([{ keys: made.flatMap(({ keys }) => keys) }]);
    if (asked !== should) {
      expect.fail(`by the rules ${should} should be asked for, not ${asked}: ${callsIn(made)}`);
    }
    // Who leaves may leave a gap.
    const most = Math.ceil(keysOf(open.labels).length / this.#maxBatchSize);
    if (made.length > most || made.some(({ keys }) => keys.length > this.#maxBatchSize)) {
      expect.fail(`with ${plural(this.#maxBatchSize, 'key')} a call: ${callsIn(made)}`);
    }
    for (const call of made) {
      const labels = stay.filter(({ label }) => call.keys.includes(label.key));
      this.calls.push({ call, labels });
    }
    this.#window = undefined;
  }
}

const KEYS = ['P1', 'P2', 'P3', 'P4'];
const OUTCOMES = [
  'is answered',
  'lacks a row',
  'has an error in a row',
  'fails',
  'cannot be read',
] as const;
type Outcome = (typeof OUTCOMES)[number];

/** Anything that can happen to a loader, in any order. */
function histories() {
  const ask = fc.record({
    key: fc.constantFrom(...KEYS),
    jobs: fc.constantFrom(0, 0, 1, 7),
    leaves: fc.constantFrom(false, false, false, true),
  });
  const tick = fc.array(ask, { minLength: 1, maxLength: 5 }).map((asks) => new LabelsAsk(asks));
  const end = fc
    .tuple(fc.nat(9), fc.constantFrom(...OUTCOMES))
    .map(([nth, how]) => new CallEnds(nth, how));
  const leave = fc.nat(9).map((nth) => new LabelLeaves(nth));
  return fc.commands(
    [tick, tick, end, end, leave, fc.constantFrom(1, 2, 4, 9, 10).map((ms) => new TimePasses(ms))],
    { maxCommands: 25, size: 'max' },
  );
}

interface Ask {
  readonly key: string;
  /** Promise jobs between the one before and this one. */
  readonly jobs: number;
  /** In the same tick. */
  readonly leaves: boolean;
}

class LabelsAsk implements fc.AsyncCommand<Paper, Depot> {
  readonly #asks: readonly Ask[];
  constructor(asks: readonly Ask[]) {
    this.#asks = asks;
  }
  check = () => true;
  async run(paper: Paper, depot: Depot) {
    const left: PaperLabel[] = [];
    for (const { key, jobs, leaves } of this.#asks) {
      await promiseJobs(jobs);
      const label = paper.asks(key, depot);
      if (leaves) left.push(label);
    }
    for (const label of left) paper.leaves(label);
    await advance(paper.tickMs);
    paper.checks(depot);
  }
  toString = () => {
    const inWords = ({ key, leaves }: Ask) => (leaves ? `${key} and leaves` : key);
    return `labels ask for ${this.#asks.map(inWords).join(', ')}`;
  };
}

class CallEnds implements fc.AsyncCommand<Paper, Depot> {
  readonly #nth: number;
  readonly #how: Outcome;
  constructor(nth: number, how: Outcome) {
    this.#nth = nth;
    this.#how = how;
  }
  check = ({ calls }: Readonly<Paper>) => calls.length > 0;
  async run(paper: Paper, depot: Depot) {
    await paper.ends(this.#nth, this.#how);
    paper.checks(depot);
  }
  toString = () => `a call ${this.#how}`;
}

class LabelLeaves implements fc.AsyncCommand<Paper, Depot> {
  readonly #nth: number;
  constructor(nth: number) {
    this.#nth = nth;
  }
  check = ({ waiting }: Readonly<Paper>) => waiting.length > 0;
  async run(paper: Paper, depot: Depot) {
    const gone = paper.waiting[this.#nth % paper.waiting.length];
    if (gone) paper.leaves(gone);
    await settle();
    paper.checks(depot);
  }
  toString = () => 'a label leaves';
}

class TimePasses implements fc.AsyncCommand<Paper, Depot> {
  readonly #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  check = () => true;
  async run(paper: Paper, depot: Depot) {
    await advance(this.#ms);
    paper.checks(depot);
  }
  toString = () => `+${this.#ms} ms`;
}
