import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import { createStaleCache, type StaleCache, type StaleCacheOptions } from './stale-cache.ts';

// ── The rate service and the booths, played by the spec ─────────────────────────────────────────────────

class RateServiceError extends Error {
  override readonly name = 'RateServiceError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
const outage = () => new RateServiceError(503, '503 from the rate service');
const suspended = () => new RateServiceError(410, '410: trading is suspended');
const isOutage = (error: unknown) => error instanceof RateServiceError && error.status === 503;

const PAIR = 'EUR/USD';
/** No copy and no failure of this spec is of any use for longer. */
const LONGEST_MS = 1_200_000;
/** Fresh up to 60 s, given at once up to 90 s, good enough in an outage up to 660 s. */
const TIMES = {
  freshMs: 60_000,
  staleWhileRevalidateMs: 30_000,
  staleIfErrorMs: 600_000,
  errorMs: 0,
};
const REMEMBER = { errorMs: 5_000 };
const NO_WINDOWS = { staleWhileRevalidateMs: 0, staleIfErrorMs: 0 };

/** What a load ends in: an error, or any other value. */
type End = unknown;

/** A request to the rate service. */
class Load {
  readonly key: string;
  hasEnded = false;
  readonly promise: Promise<unknown>;
  #resolve: (value: unknown) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(key: string) {
    this.key = key;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  async ends(end: End): Promise<void> {
    this.endsNow(end);
    await settle();
  }

  /** Nothing has settled yet when this returns. */
  endsNow(end: End): void {
    this.hasEnded = true;
    if (end instanceof Error) this.#reject(end);
    else this.#resolve(end);
  }
}

/** What a booth was told, in words. */
class Read {
  readonly key: string;
  /** How often its own load has run. */
  ran = 0;
  answer: unknown;
  error: unknown;
  #end: 'pending' | 'answer' | 'error' = 'pending';

  /** `onTold` is called in the very step in which the booth is told. */
  constructor(key: string, call: (read: Read) => Promise<unknown>, onTold?: () => void) {
    this.key = key;
    getNeverThrows(() => call(this)).then(
      (answer) => {
        this.answer = answer;
        this.#end = 'answer';
        onTold?.();
      },
      (error: unknown) => {
        this.error = error;
        this.#end = 'error';
        onTold?.();
      },
    );
  }

  get told(): string {
    if (this.#end === 'pending') return NOTHING_YET;
    return this.#end === 'error' ? failed(this.error) : inWords(this.answer);
  }
}

function getNeverThrows(get: () => Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = get();
  } catch (error) {
    return expect.fail(`get() threw ${print(error)}: it must return a promise that rejects`);
  }
  if (result instanceof Promise) return result;
  return expect.fail(`get() returned ${print(result)}: it must return a promise`);
}

const NOTHING_YET = 'nothing yet';
const timesIn = (count: number) => ['never', 'once', 'twice'][count] ?? `${count} times`;
const copiesIn = (count: unknown) => (count === 1 ? '1 copy' : `${String(count)} copies`);
const failed = (error: unknown) => `the error: ${print(error)}`;
const fresh = (value: unknown, seconds = 0) => `${print(value)}, fresh, ${seconds} s old`;
const stale = (value: unknown, seconds: number) => `${print(value)}, stale, ${seconds} s old`;

function print(value: unknown): string {
  if (value instanceof Error) return value.message;
  return typeof value === 'string' ? `“${value}”` : inspect(value);
}

function inWords(answer: unknown): string {
  if (typeof answer !== 'object' || answer === null || !('value' in answer)) {
    return `${print(answer)}, in place of { value, ageMs, state }`;
  }
  const { value, ageMs, state } = { ageMs: undefined, state: undefined, ...answer };
  const age =
    typeof ageMs === 'number' ? `${Math.round(ageMs) / 1_000} s old` : `ageMs ${print(ageMs)}`;
  return `${print(value)}, ${String(state)}, ${age}`;
}

interface ReadBy {
  readonly key?: string;
  readonly signal?: AbortSignal | undefined;
}

/** The cache, the booths that read from it, and the rate service behind it. */
class Gateway {
  readonly cache: StaleCache<unknown>;
  /** In the order in which they began. */
  readonly loads: Load[] = [];

  constructor(options: Partial<StaleCacheOptions> = {}) {
    const cache = createStaleCache<unknown>({ ...TIMES, maxEntries: 100, isOutage, ...options });
    if (typeof cache?.get !== 'function') expect.fail(`no cache, but ${print(cache)}`);
    this.cache = cache;
  }

  /** A read, which loads as it is told to. Nothing has settled yet when this returns. */
  readNow(load: () => unknown, { key = PAIR, signal }: ReadBy = {}, onTold?: () => void): Read {
    const call = (read: Read) => {
      const ownLoad = () => {
        read.ran += 1;
        return load();
      };
      return signal ? this.cache.get(key, ownLoad, { signal }) : this.cache.get(key, ownLoad);
    };
    return new Read(key, call, onTold);
  }

  /** A read whose load ends when the spec says so. Nothing has settled yet when this returns. */
  slowNow(by: ReadBy = {}, onTold?: () => void): Read {
    const load = () => {
      const under = new Load(by.key ?? PAIR);
      this.loads.push(under);
      return under.promise;
    };
    return this.readNow(load, by, onTold);
  }

  async slow(by?: ReadBy): Promise<Read> {
    const read = this.slowNow(by);
    await settle();
    return read;
  }

  /** A read; should it come to a load, the rate service answers at once. */
  async read(end: End, by: ReadBy = {}): Promise<Read> {
    const read = this.readNow(() => {
      const load = new Load(by.key ?? PAIR);
      this.loads.push(load);
      load.endsNow(end);
      return load.promise;
    }, by);
    await settle();
    return read;
  }

  /** One after another, each loaded at once with its own name. */
  async fill(...keys: string[]): Promise<void> {
    for (const key of keys) await this.read(key, { key });
  }

  /** Of which of these keys there is a copy. To find out uses it. */
  async kept(...keys: string[]): Promise<string> {
    const kept: string[] = [];
    for (const key of keys) {
      const read = await this.slow({ key });
      if (read.told !== NOTHING_YET) kept.push(key);
    }
    return kept.join(' ');
  }

  /** The load that began last. */
  get load(): Load {
    return this.loads.at(-1) ?? expect.fail('the rate service should have been asked by now');
  }
}

/** A gateway with one copy, of 1.1, which has just arrived. */
async function gatewayWithCopy(options?: Partial<StaleCacheOptions>): Promise<Gateway> {
  const gateway = new Gateway(options);
  await gateway.read(1.1);
  return gateway;
}

function expectTold(read: Read, told: string, because: string): void {
  expect(read.told, `${because}: what the booth was told`).toBe(told);
}

function expectAllTold(reads: readonly Read[], told: string, because: string): void {
  const other = reads.find((read) => read.told !== told) ?? reads[0];
  expect(other?.told, `${because}: what each booth was told`).toBe(told);
}

function expectAsked({ loads }: Gateway, count: number, because: string): void {
  expect(timesIn(loads.length), `${because}: how often the rate service was asked`).toBe(
    timesIn(count),
  );
}

function expectSize({ cache }: Gateway, count: number, because: string): void {
  expect(copiesIn(cache.size), `${because}: size`).toBe(copiesIn(count));
}

/** The next booth gets the copy, and nobody asks the rate service. */
async function expectCopy(gateway: Gateway, told: string, because: string, key = PAIR) {
  const asked = gateway.loads.length;
  const read = await gateway.slow({ key });
  expectTold(read, told, because);
  expectAsked(gateway, asked, because);
}

/** The next booth causes a request to the rate service, and waits for it. */
async function expectLoad(gateway: Gateway, because: string, key = PAIR): Promise<Load> {
  const asked = gateway.loads.length;
  const read = await gateway.slow({ key });
  expectAsked(gateway, asked + 1, because);
  expectTold(read, NOTHING_YET, because);
  return gateway.load;
}

function listenersOn(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

function expectNoListener(signal: AbortSignal, because: string): void {
  const left = listenersOn(signal);
  if (left > 0) expect.fail(`${because}: ${left} listener(s) left on its signal`);
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

/** Calls back before its `then` returns, as no promise does. */
class Prompt {
  readonly #end: End;
  constructor(end: End) {
    this.#end = end;
  }
  // oxlint-disable-next-line unicorn/no-thenable
  readonly then = (onValue: (value: unknown) => void, onError: (error: unknown) => void) =>
    this.#end instanceof Error ? onError(this.#end) : onValue(this.#end);
}

class Quote {
  readonly bid = 1.1;
}

const WALL_CLOCK = [
  ['back', -86_400_000],
  ['forward', 86_400_000],
] as const;

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});

afterEach(async () => {
  await settle();
  const [stray] = strays.splice(0);
  if (stray !== undefined) {
    expect.fail(
      `a promise was rejected with “${print(stray)}” and nobody handled it, which ends a Node process`,
    );
  }
  if (pendingTimers() > 0) await advance(LONGEST_MS);
  if (pendingTimers() > 0) {
    expect.fail(
      'when every copy is too old and every failure forgotten, a timer is still set: nobody asks, and it keeps on running',
    );
  }
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · fresh copies', () => {
  it('loads what it has no copy of', async () => {
    const gateway = new Gateway();
    const read = await gateway.slow();
    expectAsked(gateway, 1, 'the first booth asks');
    expectTold(read, NOTHING_YET, 'the rate service has not answered yet');
    await gateway.load.ends(1.1);
    expectTold(read, fresh(1.1), 'the rate service has answered 1.1');
    expect(read.ran, 'how often the load has run').toBe(1);
  });

  it('answers from the copy while it is fresh, and says how old it is', async () => {
    const gateway = await gatewayWithCopy();
    await expectCopy(gateway, fresh(1.1, 0), 'the rate has just arrived');
    await advance(25_000);
    await expectCopy(gateway, fresh(1.1, 25), '25 s later');
    await advance(34_999);
    await expectCopy(gateway, fresh(1.1, 59.999), '1 ms before it stops being fresh');
  });

  it.for([5_000, 60_000, LONGEST_MS])(
    'is fresh for as long as it was told: %d ms',
    async (freshMs) => {
      const gateway = await gatewayWithCopy({ ...NO_WINDOWS, freshMs });
      await advance(freshMs - 1);
      await expectCopy(gateway, fresh(1.1, (freshMs - 1) / 1_000), `${freshMs - 1} ms old`);
      await advance(1);
      await expectLoad(gateway, `exactly ${freshMs} ms old, and no windows`);
    },
  );

  it('counts the age from when the value arrived', async () => {
    const gateway = new Gateway();
    const read = await gateway.slow();
    await advance(3_000);
    await gateway.load.ends(1.1);
    expectTold(read, fresh(1.1), 'a load of 3 s has just ended');
    await advance(59_000);
    await expectCopy(gateway, fresh(1.1, 59), '59 s after the value arrived');
  });

  it('begins anew with each new value', async () => {
    const gateway = await gatewayWithCopy(NO_WINDOWS);
    await advance(60_000);
    expectTold(await gateway.read(1.2), fresh(1.2), 'the copy was too old, so 1.2 was loaded');
    await advance(59_999);
    await expectCopy(gateway, fresh(1.2, 59.999), 'the new copy');
    await advance(1);
    expectTold(await gateway.read(1.3), fresh(1.3), 'the new copy was too old in its turn');
  });

  it.for([
    ['0', 0],
    ['an empty string', ''],
    ['null', null],
    ['undefined', undefined],
    ['false', false],
    ['NaN', Number.NaN],
    ['an object of a class', new Quote()],
  ] as const)('keeps whatever the load brings: %s', async ([name, value]) => {
    const gateway = new Gateway();
    expectTold(await gateway.read(value), fresh(value), `the rate service answered ${name}`);
    await advance(1_000);
    await expectCopy(gateway, fresh(value, 1), `${name} is a value like any other`);
  });

  it('takes any string for a key', async () => {
    const keys = [
      '',
      ' ',
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      'eur/usd',
      PAIR,
    ];
    const gateway = new Gateway();
    for (const key of keys) {
      const read = await gateway.read(`rate of ${key}`, { key });
      expectTold(read, fresh(`rate of ${key}`), `a first read of the key ${print(key)}`);
    }
    for (const key of keys) {
      await expectCopy(gateway, fresh(`rate of ${key}`), `the key ${print(key)} was loaded`, key);
    }
    expectSize(gateway, keys.length, 'so many keys were loaded');
  });

  it('takes a load that returns a plain value', async () => {
    const gateway = new Gateway();
    const read = gateway.readNow(() => 1.1);
    await settle();
    expectTold(read, fresh(1.1), 'the load returned 1.1, no promise');
    await expectCopy(gateway, fresh(1.1), 'so it is kept');
  });

  it('waits for anything with a then, and asks it once', async () => {
    const gateway = new Gateway();
    const query = new Query(() => 1.1);
    const reads = [gateway.readNow(() => query), gateway.readNow(() => query)];
    await settle();
    expectAllTold(reads, fresh(1.1), 'the load returned a query');
    expect(query.sent, 'a query is sent each time its `then` is called').toBe(1);
  });

  it('takes a then that calls back at once', async () => {
    const gateway = new Gateway();
    const error = outage();
    for (const end of [error, 1.1]) {
      const read = gateway.readNow(() => new Prompt(end));
      await settle();
      expectTold(
        read,
        end === error ? failed(error) : fresh(1.1),
        'a load that called back before its `then` returned',
      );
    }
    await expectCopy(gateway, fresh(1.1), 'so it is over, and its value is kept');
  });

  it('hands over the very error if there is no copy', async () => {
    const gateway = new Gateway();
    for (const error of [outage(), suspended()]) {
      const read = await gateway.read(error);
      expectTold(read, failed(error), 'no copy, errorMs is 0, and the load failed');
      expect(read.error, 'the booth needs the original error, not a copy').toBe(error);
    }
    expectSize(gateway, 0, 'an error is no value');
  });

  it('turns a throw into a rejection', async () => {
    const gateway = new Gateway();
    const error = outage();
    const read = gateway.readNow(() => {
      throw error;
    });
    await settle();
    expectTold(read, failed(error), 'the load threw before there was a promise');
    expect(read.error, 'the booth needs the original error').toBe(error);
    expectTold(await gateway.read(1.1), fresh(1.1), 'errorMs is 0, and the next load went well');
  });

  it('hands over whatever was thrown, even nothing at all', async () => {
    const gateway = new Gateway();
    for (const thrown of [undefined, null, 'no route to host']) {
      const read = gateway.readNow(() => Promise.reject(thrown));
      await settle();
      expectTold(read, failed(thrown), `the load rejected with ${print(thrown)}`);
    }
  });

  it.for(WALL_CLOCK)(
    'lets a copy age as before when the wall clock is set %s',
    async ([, stepMs]) => {
      const gateway = await gatewayWithCopy(NO_WINDOWS);
      stepWallClock(stepMs);
      await advance(59_999);
      await expectCopy(
        gateway,
        fresh(1.1, 59.999),
        'the wall clock was set, and 59.999 s have passed',
      );
      await advance(1);
      await expectLoad(gateway, '60 s have passed');
    },
  );

  it('keeps keys apart, and caches', async () => {
    const gateway = await gatewayWithCopy();
    await expectLoad(gateway, 'another key', 'USD/EUR');
    await expectLoad(new Gateway(), 'another cache');
  });

  it('says how many copies it keeps', async () => {
    const gateway = new Gateway();
    expectSize(gateway, 0, 'nothing was read yet');
    await gateway.fill('EUR/USD', 'EUR/GBP', 'EUR/USD');
    await gateway.read(outage(), { key: 'EUR/JPY' });
    await gateway.slow({ key: 'EUR/CHF' });
    expectSize(gateway, 2, 'two keys were loaded, one failed, one is under way');
  });
});

describe('2 · one flight', () => {
  it('makes one load for all who read in the same instant', async () => {
    const gateway = new Gateway();
    const reads = Array.from({ length: 100 }, () => gateway.slowNow());
    await settle();
    expectAsked(gateway, 1, '100 booths read the same key in one instant');
    await gateway.load.ends(1.1);
    expectAllTold(reads, fresh(1.1), 'they share one load');
  });

  it('lets those who come later wait for the load that is under way', async () => {
    const gateway = new Gateway();
    const reads: Read[] = [];
    for (let i = 0; i < 5; i += 1) {
      reads.push(await gateway.slow());
      await advance(200);
    }
    expectAsked(gateway, 1, 'five booths read during a load of one second');
    await advance(600_000);
    reads.push(await gateway.slow());
    expectAsked(
      gateway,
      1,
      'ten minutes later the load is still under way: its timeout is its own',
    );
    await gateway.load.ends(1.1);
    expectAllTold(reads, fresh(1.1), 'the value has just arrived, whenever they began to wait');
  });

  it('does so whenever the copy has become too old', async () => {
    const gateway = await gatewayWithCopy(NO_WINDOWS);
    for (const rate of [1.2, 1.3]) {
      await advance(60_000);
      const already = gateway.loads.length;
      const reads = Array.from({ length: 10 }, () => gateway.slowNow());
      await settle();
      expectAsked(gateway, already + 1, 'ten booths found the copy too old');
      await gateway.load.ends(rate);
      expectAllTold(reads, fresh(rate), 'they share one load');
    }
  });

  it('makes one load for each key, side by side', async () => {
    const gateway = new Gateway();
    const dollar = gateway.slowNow();
    const yen = gateway.slowNow({ key: 'EUR/JPY' });
    await settle();
    expectAsked(gateway, 2, 'two keys');
    await gateway.load.ends(160);
    expectTold(yen, fresh(160), 'its own load has ended');
    expectTold(dollar, NOTHING_YET, 'its own load has not');
    await gateway.loads[0]?.ends(1.1);
    expectTold(dollar, fresh(1.1), 'now it has');
  });

  it('gives all who wait the very error', async () => {
    const gateway = new Gateway();
    const reads = Array.from({ length: 10 }, () => gateway.slowNow());
    await settle();
    const error = outage();
    await gateway.load.ends(error);
    expectAllTold(reads, failed(error), 'the load they share has failed');
    expect(
      reads.every((read) => read.error === error),
      'all got the original error',
    ).toBe(true);
  });

  it('is over when the load has failed', async () => {
    const gateway = new Gateway();
    for (let i = 1; i <= 3; i += 1) {
      await gateway.read(outage());
      expectAsked(gateway, i, 'booths come one after another, errorMs is 0, and each load fails');
    }
    expectTold(await gateway.read(1.1), fresh(1.1), 'the rate service is back');
    await expectCopy(gateway, fresh(1.1), 'and there is a copy');
  });

  it('is over when the load has thrown', async () => {
    const gateway = new Gateway();
    const reads = Array.from({ length: 3 }, () =>
      gateway.readNow(() => {
        throw outage();
      }),
    );
    await settle();
    expectAllTold(reads, failed(outage()), 'the load threw at once');
    expectTold(await gateway.read(1.1), fresh(1.1), 'the next booth has a load of its own');
  });

  it('is over before the first reader is told', async () => {
    const gateway = new Gateway();
    const next: Read[] = [];
    const readNext = () => next.push(gateway.slowNow());
    const dollar = gateway.slowNow(undefined, readNext);
    await settle();
    await gateway.load.ends(1.1);
    expectTold(dollar, fresh(1.1), 'the load has ended');
    expectAllTold(next, fresh(1.1), 'a booth reads as soon as another has its answer');
    expectAsked(gateway, 1, 'a booth reads as soon as another has its answer');
  });

  it('is over before the first reader is told that it has failed', async () => {
    const gateway = new Gateway();
    const again: Read[] = [];
    gateway.slowNow(undefined, () => again.push(gateway.slowNow()));
    const second = gateway.slowNow();
    await settle();
    await gateway.load.ends(outage());
    expectTold(second, failed(outage()), 'two booths, one load, which has failed');
    expectAllTold(again, NOTHING_YET, 'the first of them has asked again at once');
    again.push(await gateway.slow());
    expectAsked(gateway, 2, 'the new load is under way, and all who ask wait for it');
    await gateway.load.ends(1.1);
    expectAllTold(again, fresh(1.1), 'the new load has ended');
  });

  it('lets a reader leave at once, with the reason of its signal', async () => {
    for (const reason of [
      undefined,
      null,
      'closed for lunch',
      new Error('the customer has left'),
    ]) {
      const gateway = new Gateway();
      const leaving = new AbortController();
      const read = await gateway.slow({ signal: leaving.signal });
      leaving.abort(reason);
      await settle();
      expectTold(read, failed(leaving.signal.reason), 'its signal has aborted');
      expect(read.error, 'its own reason').toBe(leaving.signal.reason);

      const hurried = new AbortController();
      const brief = gateway.slowNow({ signal: hurried.signal });
      hurried.abort(reason);
      await settle();
      expectTold(
        brief,
        failed(hurried.signal.reason),
        'its signal has aborted right after get() returned',
      );
    }
  });

  it('leaves the load to the others when one of them leaves', async () => {
    for (const who of [0, 1, 2]) {
      const gateway = new Gateway();
      const signals = Array.from({ length: 3 }, () => new AbortController());
      const reads = signals.map(({ signal }) => gateway.slowNow({ signal }));
      await settle();
      signals[who]?.abort();
      await settle();
      const others = reads.filter((_, index) => index !== who);
      expectAllTold(others, NOTHING_YET, `booth ${who + 1} of 3 has left`);
      await gateway.load.ends(1.1);
      expectAllTold(others, fresh(1.1), `booth ${who + 1} of 3 has left, the load went on`);
      expectAsked(gateway, 1, 'three booths, one load');
    }
  });

  it('goes on when all have left, and keeps the value', async () => {
    const gateway = new Gateway();
    const leaving = new AbortController();
    const { signal } = leaving;
    const reads = [gateway.slowNow({ signal }), gateway.slowNow({ signal })];
    await settle();
    leaving.abort();
    await settle();
    expectAllTold(reads, failed(signal.reason), 'both booths have left');
    const read = await gateway.slow();
    expectAsked(gateway, 1, 'a booth comes when all have left: the load is still under way');
    await gateway.load.ends(1.1);
    expectTold(read, fresh(1.1), 'it waited for that load');

    const empty = new Gateway();
    const last = empty.slowNow({ signal: AbortSignal.timeout(1_000) });
    await advance(1_000);
    expect(last.told, 'its signal timed out after 1 s').toContain('timeout');
    await empty.load.ends(1.1);
    await expectCopy(empty, fresh(1.1), 'nobody waited any more, but the value has arrived');
  });

  it('fails without a sound when all have left', async () => {
    const gateway = new Gateway();
    const leaving = new AbortController();
    const read = await gateway.slow({ signal: leaving.signal });
    leaving.abort();
    await settle();
    await gateway.load.ends(outage());
    expectTold(read, failed(leaving.signal.reason), 'it left before the load failed');
  });

  it('refuses a reader who has left already, and loads nothing', async () => {
    const signal = AbortSignal.abort('the booth is closed');
    const gateway = new Gateway();
    const read = await gateway.slow({ signal });
    expectTold(read, failed('the booth is closed'), 'no copy, and the signal had aborted before');
    expectAsked(gateway, 0, 'the signal had aborted before');
    await gateway.read(1.1);
    const late = await gateway.slow({ signal });
    expectTold(
      late,
      failed('the booth is closed'),
      'a fresh copy, and the signal had aborted before',
    );
  });

  it('keeps the signal of a reader from the load', async () => {
    const gateway = new Gateway();
    const { signal } = new AbortController();
    let handed: unknown[] = [];
    const load = (...args: unknown[]) => {
      handed = args.flatMap((arg) => [arg, ...Object.values(Object(arg))]);
      return 1.1;
    };
    void gateway.cache.get(PAIR, load, { signal });
    await settle();
    if (handed.includes(signal)) {
      expect.fail(
        'the load was handed the signal of the first booth: when that one leaves, it ends for all',
      );
    }
  });

  it('leaves no listener on a signal', async () => {
    const gateway = new Gateway();
    const { signal } = new AbortController();
    const reads = [gateway.slowNow({ signal }), gateway.slowNow({ signal })];
    await settle();
    await gateway.load.ends(1.1);
    expectAllTold(reads, fresh(1.1), 'the value has arrived');
    expectNoListener(signal, 'the booths have their answer');
    await gateway.slow({ signal });
    expectNoListener(signal, 'a booth got the copy at once');
    await gateway.read(outage(), { key: 'EUR/JPY', signal });
    expectNoListener(signal, 'a booth got the error');
  });

  it('does not care for a signal that aborts after the answer', async () => {
    const gateway = new Gateway();
    const closing = new AbortController();
    const read = await gateway.read(1.1, { signal: closing.signal });
    closing.abort();
    await settle();
    expectTold(read, fresh(1.1), 'the booth closed after it had its answer');
    await expectCopy(gateway, fresh(1.1), 'and the copy is still there');
  });
});

describe('3 · stale while revalidating', () => {
  it('gives the stale copy at once, and loads in the background', async () => {
    const gateway = await gatewayWithCopy();
    await advance(75_000);
    const read = await gateway.slow();
    expectTold(read, stale(1.1, 75), 'the copy is 75 s old, and the load has not ended');
    expectAsked(gateway, 2, 'a load has begun in the background');
    await advance(60_000);
    await gateway.load.ends(1.2);
    expectTold(read, stale(1.1, 75), 'the booth had its answer already');
  });

  it('keeps the value that the background brings', async () => {
    const gateway = await gatewayWithCopy();
    for (const rate of [1.2, undefined, 1.3]) {
      await advance(75_000);
      await gateway.slow();
      await advance(5_000);
      await gateway.load.ends(rate);
      await expectCopy(gateway, fresh(rate), `the background has just brought ${rate}`);
    }
  });

  it('makes one load in the background, however many read', async () => {
    const gateway = await gatewayWithCopy();
    await advance(60_000);
    const reads = Array.from({ length: 50 }, () => gateway.slowNow());
    await settle();
    expectAllTold(reads, stale(1.1, 60), '50 booths read in one instant');
    await advance(5_000);
    expectTold(await gateway.slow(), stale(1.1, 65), 'one more, while the load is under way');
    expectAsked(gateway, 2, 'the first load, and one in the background');
    await gateway.load.ends(1.2);
    await advance(60_000);
    await gateway.slow();
    expectAsked(gateway, 3, 'the new copy is stale in its turn');
  });

  it.for([1, 30_000, 900_000])(
    'gives it at once for as long as it was told: %d ms',
    async (windowMs) => {
      const options = { freshMs: 10_000, staleWhileRevalidateMs: windowMs, staleIfErrorMs: 0 };
      const first = await gatewayWithCopy(options);
      await advance(10_000);
      expectTold(await first.slow(), stale(1.1, 10), 'exactly as old as freshMs says');
      const last = await gatewayWithCopy(options);
      await advance(10_000 + windowMs - 1);
      const age = (10_000 + windowMs - 1) / 1_000;
      expectTold(await last.slow(), stale(1.1, age), '1 ms before the window ends');
      const late = await gatewayWithCopy(options);
      await advance(10_000 + windowMs);
      await expectLoad(late, 'exactly at the end of the window');
    },
  );

  it('lets readers wait for the background load when the window is over', async () => {
    const gateway = await gatewayWithCopy();
    await advance(89_000);
    await gateway.slow();
    await advance(1_000);
    const late = [gateway.slowNow(), gateway.slowNow()];
    await settle();
    expectAllTold(late, NOTHING_YET, 'the copy is 90 s old now');
    expectAsked(gateway, 2, 'the load that began in the background is still under way');
    await gateway.load.ends(1.2);
    expectAllTold(late, fresh(1.2), 'that load has ended');
  });

  it('leaves the copy as it is when the background fails', async () => {
    const gateway = await gatewayWithCopy();
    await advance(61_000);
    await gateway.slow();
    await advance(2_000);
    await gateway.load.ends(outage());
    await advance(2_000);
    const next = await gateway.slow();
    expectTold(next, stale(1.1, 65), 'a load in the background has failed 2 s ago');
    expectAsked(gateway, 3, 'so the next booth causes another');
    await gateway.load.ends(1.2);
    await expectCopy(gateway, fresh(1.2), 'and that one went well');
  });

  it('leaves the copy as it is when the background throws', async () => {
    const gateway = await gatewayWithCopy();
    await advance(61_000);
    for (let i = 0; i < 2; i += 1) {
      const read = gateway.readNow(() => {
        throw outage();
      });
      await settle();
      expectTold(read, stale(1.1, 61), 'the load threw before there was a promise');
    }
    await gateway.read(1.2);
    await expectCopy(gateway, fresh(1.2), 'the third load went well');
  });

  it('has nothing to do with the signal of the reader', async () => {
    const gateway = await gatewayWithCopy();
    await advance(75_000);
    const leaving = new AbortController();
    const read = await gateway.slow({ signal: leaving.signal });
    expectNoListener(leaving.signal, 'the booth has its answer');
    leaving.abort();
    await settle();
    expectTold(read, stale(1.1, 75), 'it had its answer before its signal aborted');
    await gateway.load.ends(1.2);
    await expectCopy(gateway, fresh(1.2), 'the load that it caused has ended');
  });

  it('gives a copy of undefined or 0 at once as well', async () => {
    for (const value of [undefined, 0, '']) {
      const gateway = new Gateway();
      await gateway.read(value);
      await advance(75_000);
      const read = await gateway.slow();
      expectTold(read, stale(value, 75), `the copy is ${print(value)}, a value like any other`);
    }
  });
});

describe('4 · stale if error', () => {
  it('lets the copy stand in when the load ends in an outage', async () => {
    const gateway = await gatewayWithCopy();
    await advance(100_000);
    const reads = [gateway.slowNow(), gateway.slowNow(), gateway.slowNow()];
    await settle();
    expectAllTold(reads, NOTHING_YET, 'the copy is 100 s old: first they wait');
    expectAsked(gateway, 2, 'they share one load');
    await gateway.load.ends(outage());
    expectAllTold(reads, stale(1.1, 100), 'the rate service is down');
  });

  it('says how old the copy is by the end of the wait', async () => {
    const gateway = await gatewayWithCopy();
    await advance(100_000);
    const early = await gateway.slow();
    await advance(2_000);
    const late = await gateway.slow();
    await advance(1_000);
    await gateway.load.ends(outage());
    expectAllTold([early, late], stale(1.1, 103), 'the load took 3 s');
  });

  it('prefers what the load brings', async () => {
    const gateway = await gatewayWithCopy();
    await advance(100_000);
    expectTold(await gateway.read(undefined), fresh(undefined), 'the rate service answered');
    expectTold(await gateway.read(1.2), fresh(undefined), 'and that answer is the copy now');
  });

  it.for([1, 60_000, 900_000])(
    'lets it stand in for as long as it was told: %d ms',
    async (windowMs) => {
      const options = { freshMs: 10_000, staleWhileRevalidateMs: 0, staleIfErrorMs: windowMs };
      const gateway = await gatewayWithCopy(options);
      await advance(10_000);
      expectTold(await gateway.read(outage()), stale(1.1, 10), 'exactly as old as freshMs says');
      await advance(windowMs - 1);
      const age = (10_000 + windowMs - 1) / 1_000;
      expectTold(await gateway.read(outage()), stale(1.1, age), '1 ms before the window ends');
      await advance(1);
      const error = outage();
      const late = await gateway.read(error);
      expectTold(late, failed(error), 'exactly at the end of the window');
      expect(late.error, 'the original error').toBe(error);
    },
  );

  it('does not add the two windows up', async () => {
    const gateway = await gatewayWithCopy({ staleWhileRevalidateMs: 300_000 });
    await advance(659_999);
    expectTold(await gateway.read(outage()), stale(1.1, 659.999), '60 s + 600 s, less 1 ms');
    await advance(1);
    expectTold(
      await gateway.read(outage()),
      failed(outage()),
      '60 s + 600 s: both have begun at 60 s',
    );
  });

  it('has two windows, of which the first may be the longer one', async () => {
    const gateway = await gatewayWithCopy({
      staleWhileRevalidateMs: 300_000,
      staleIfErrorMs: 10_000,
    });
    for (const seconds of [100, 200, 300]) {
      await advance(100_000);
      const read = await gateway.read(outage());
      expectTold(read, stale(1.1, seconds), 'up to 360 s the copy is given at once');
    }
    await advance(59_000);
    await gateway.slow();
    await advance(1_000);
    const late = await gateway.slow();
    const error = outage();
    await gateway.load.ends(error);
    expectTold(late, failed(error), 'at 360 s it waits, and stale-if-error ended at 70 s');
  });

  it('has no windows if they are 0', async () => {
    const gateway = await gatewayWithCopy(NO_WINDOWS);
    await advance(60_000);
    const read = await gateway.slow();
    expectTold(read, NOTHING_YET, 'the copy is not fresh any more, and may not be given at once');
    await gateway.load.ends(outage());
    expectTold(read, failed(outage()), 'nor may it stand in');
  });

  it('looks at the age when the load ends, not when it begins', async () => {
    const gateway = await gatewayWithCopy();
    await advance(659_000);
    const read = await gateway.slow();
    await advance(999);
    const other = await gateway.slow();
    await advance(1);
    const error = outage();
    await gateway.load.ends(error);
    expectAllTold(
      [read, other],
      failed(error),
      'the copy was young enough when they asked, not now',
    );
  });

  it('makes a copy no younger by using it', async () => {
    const gateway = await gatewayWithCopy();
    for (let seconds = 100; seconds < 660; seconds += 100) {
      await advance(100_000);
      const read = await gateway.read(outage());
      expectTold(read, stale(1.1, seconds), 'in an outage of eleven minutes');
    }
    expectAsked(gateway, 7, 'the first load, and one for each booth since');
    await advance(60_000);
    expectTold(await gateway.read(outage()), failed(outage()), 'after 660 s the copy is too old');
  });

  it('takes a load that throws for one that fails', async () => {
    const gateway = await gatewayWithCopy();
    await advance(100_000);
    const read = gateway.readNow(() => {
      throw outage();
    });
    await settle();
    expectTold(read, stale(1.1, 100), 'the load threw before there was a promise');
  });

  it('lets a copy of undefined or 0 stand in as well', async () => {
    for (const value of [undefined, 0, '']) {
      const gateway = new Gateway();
      await gateway.read(value);
      await advance(100_000);
      const read = await gateway.read(outage());
      expectTold(read, stale(value, 100), `the copy is ${print(value)}, a value like any other`);
    }
  });

  it('passes on an error that is an answer', async () => {
    const gateway = await gatewayWithCopy();
    await advance(100_000);
    const reads = [gateway.slowNow(), gateway.slowNow(), gateway.slowNow()];
    await settle();
    const error = suspended();
    await gateway.load.ends(error);
    expectAllTold(reads, failed(error), 'the rate service said 410: that is no outage');
    expect(reads[0]?.error, 'the original error').toBe(error);
    expectSize(gateway, 0, 'the copy is gone');
  });

  it('never brings back a copy that an answer has ended', async () => {
    const gateway = await gatewayWithCopy();
    await advance(100_000);
    await gateway.read(suspended());
    const error = outage();
    expectTold(await gateway.read(error), failed(error), 'first 410, then an outage');
    expectTold(await gateway.read(1.2), fresh(1.2), 'then trading is resumed');
  });

  it('ends the copy also when nobody has waited for the answer', async () => {
    const gateway = await gatewayWithCopy();
    await advance(75_000);
    expectTold(await gateway.read(suspended()), stale(1.1, 75), 'the 410 came in the background');
    expectSize(gateway, 0, 'the copy is gone');
    const read = await gateway.slow();
    expectTold(read, NOTHING_YET, 'the next booth has no copy');
    await gateway.load.ends(outage());
    expectTold(read, failed(outage()), 'first 410 in the background, then an outage');
  });

  it('leaves it to isOutage which errors are outages', async () => {
    const bug = new TypeError('rates is not iterable');
    for (const error of [bug, outage(), undefined, 'no route to host']) {
      const asked: unknown[] = [];
      const yes = await gatewayWithCopy({ isOutage: (thrown) => asked.push(thrown) > 0 });
      const no = await gatewayWithCopy({ isOutage: () => false });
      await advance(100_000);
      const reads = [yes, no].map((gateway) => gateway.readNow(() => Promise.reject(error)));
      await settle();
      expect(reads[0]?.told, `isOutage says yes to ${print(error)}`).toBe(stale(1.1, 100));
      expect(reads[1]?.told, `isOutage says no to ${print(error)}`).toBe(failed(error));
      expect(asked[0], 'isOutage was asked about the original error').toBe(error);
    }
  });

  it('treats those who have joined a background load like all who wait', async () => {
    for (const error of [outage(), suspended()]) {
      const gateway = await gatewayWithCopy();
      await advance(89_000);
      const first = await gateway.slow();
      await advance(1_000);
      const joined = await gateway.slow();
      await advance(1_000);
      await gateway.load.ends(error);
      expectTold(first, stale(1.1, 89), 'it got the copy at once');
      const told = isOutage(error) ? stale(1.1, 91) : failed(error);
      expectTold(joined, told, 'it came when the copy was 90 s old, and waited');
    }
  });

  it('gives no copy to a reader who leaves', async () => {
    const gateway = await gatewayWithCopy();
    await advance(100_000);
    const leaving = new AbortController();
    const read = await gateway.slow({ signal: leaving.signal });
    const other = await gateway.slow();
    const reason = outage();
    leaving.abort(reason);
    await settle();
    expectTold(
      read,
      failed(reason),
      'it left, for a reason that isOutage would take for an outage',
    );
    expectTold(other, NOTHING_YET, 'the other one waits');
    await gateway.load.ends(suspended());
    expectTold(other, failed(suspended()), 'the other one got the answer');
    const left = await gateway.slow({ signal: AbortSignal.abort(reason) });
    expectTold(left, failed(reason), 'it had left before it asked');
  });
});

describe('5 · failures, briefly', () => {
  it('does not ask again for a while', async () => {
    const gateway = new Gateway(REMEMBER);
    const error = outage();
    await gateway.read(error);
    await advance(4_000);
    const reads = Array.from({ length: 100 }, () => gateway.slowNow());
    await settle();
    expectAllTold(reads, failed(error), 'the load failed 4 s ago');
    expect(reads[0]?.error, 'the original error').toBe(error);
    expectAsked(gateway, 1, '101 booths within 5 s of a failure');
  });

  it.for([1, 5_000, 60_000])('remembers it for as long as it was told: %d ms', async (errorMs) => {
    const gateway = new Gateway({ errorMs });
    await gateway.read(outage());
    await advance(errorMs - 1);
    expectTold(await gateway.slow(), failed(outage()), `${errorMs - 1} ms after a failure`);
    await advance(1);
    const load = await expectLoad(gateway, `${errorMs} ms after a failure`);
    await load.ends(1.1);
    await expectCopy(gateway, fresh(1.1), 'and there is a copy');
  });

  it('counts from when the load has failed', async () => {
    const gateway = new Gateway(REMEMBER);
    await gateway.slow();
    await advance(30_000);
    await gateway.load.ends(outage());
    await advance(4_999);
    expectTold(await gateway.slow(), failed(outage()), '4.999 s after a load of 30 s has failed');
    await advance(1);
    await expectLoad(gateway, '5 s after it');
  });

  it('does not remember it longer because it was read', async () => {
    const gateway = new Gateway(REMEMBER);
    await gateway.read(outage());
    for (let second = 1; second < 5; second += 1) {
      await advance(1_000);
      expectTold(await gateway.slow(), failed(outage()), `${second} s after a failure`);
    }
    await advance(1_000);
    await expectLoad(gateway, '5 s after a failure, of which booths heard each second');
  });

  it('does not remember it longer than the next failure', async () => {
    const gateway = new Gateway(REMEMBER);
    for (const error of [outage(), suspended(), outage()]) {
      await gateway.read(error);
      expectTold(await gateway.slow(), failed(error), 'the last failure');
      await advance(5_000);
    }
    expectAsked(gateway, 3, 'three failures, each of them remembered for 5 s');
  });

  it('remembers whatever was thrown, even nothing at all', async () => {
    for (const thrown of [undefined, null, 'no route to host']) {
      const gateway = new Gateway(REMEMBER);
      gateway.readNow(() => Promise.reject(thrown));
      await settle();
      const read = await gateway.slow();
      expectTold(read, failed(thrown), `a load has just rejected with ${print(thrown)}`);
      expectAsked(gateway, 0, 'so no other load begins');
    }
  });

  it('remembers it for that key alone', async () => {
    const gateway = new Gateway(REMEMBER);
    await gateway.read(outage());
    await expectLoad(gateway, 'the load of another key has failed', 'EUR/JPY');
  });

  it('gives the copy at once while it may', async () => {
    const gateway = await gatewayWithCopy(REMEMBER);
    await advance(61_000);
    await gateway.read(outage());
    for (const seconds of [61, 63, 65]) {
      expectTold(await gateway.slow(), stale(1.1, seconds), 'the background has failed at 61 s');
      await advance(2_000);
    }
    expectAsked(gateway, 2, 'within 5 s of a failure nothing is loaded in the background');
    await gateway.slow();
    expectAsked(gateway, 3, '6 s after it, a load begins');
  });

  it('gives the copy at once also where it may not stand in', async () => {
    const windows = { staleWhileRevalidateMs: 300_000, staleIfErrorMs: 10_000 };
    const gateway = await gatewayWithCopy({ ...REMEMBER, ...windows });
    await advance(100_000);
    await gateway.read(outage());
    await advance(4_000);
    const because =
      'the background has failed, but up to 360 s a copy is given whatever a load says';
    await expectCopy(gateway, stale(1.1, 104), because);
  });

  it('lets the copy stand in at once', async () => {
    const gateway = await gatewayWithCopy(REMEMBER);
    await advance(100_000);
    await gateway.read(outage());
    await advance(4_000);
    await expectCopy(gateway, stale(1.1, 104), 'the rate service was down 4 s ago');
    await advance(1_000);
    await expectLoad(gateway, '5 s after the failure');
  });

  it('never replaces a copy by a failure', async () => {
    const gateway = await gatewayWithCopy(REMEMBER);
    for (const seconds of [100, 200, 300]) {
      await advance(100_000);
      expectTold(await gateway.read(outage()), stale(1.1, seconds), 'it stands in once more');
      expectSize(gateway, 1, 'the copy is still there');
    }
  });

  it('looks at the age of the copy each time', async () => {
    const gateway = await gatewayWithCopy(REMEMBER);
    await advance(658_000);
    expectTold(await gateway.read(outage()), stale(1.1, 658), 'still young enough');
    await advance(1_999);
    await expectCopy(gateway, stale(1.1, 659.999), 'still young enough, by 1 ms');
    await advance(1);
    const late = await gateway.slow();
    expectTold(late, failed(outage()), 'too old now, and the failure is still remembered');
    expectAsked(gateway, 2, 'so nothing is loaded');
  });

  it('remembers an answer, too', async () => {
    const gateway = await gatewayWithCopy(REMEMBER);
    await advance(75_000);
    await gateway.read(suspended());
    await advance(4_999);
    const read = await gateway.slow();
    expectTold(
      read,
      failed(suspended()),
      'a 410 has ended the copy 4.999 s ago, in the background',
    );
    await advance(1);
    await expectLoad(gateway, '5 s after it');
  });

  it('does not take a reader who leaves for a failure', async () => {
    const gateway = new Gateway(REMEMBER);
    const leaving = new AbortController();
    await gateway.slow({ signal: leaving.signal });
    leaving.abort();
    await settle();
    const other = await gateway.slow();
    expectTold(other, NOTHING_YET, 'another booth has left, and the load goes on');
    await gateway.slow({ key: 'EUR/JPY', signal: AbortSignal.abort() });
    await expectLoad(gateway, 'nothing has failed here', 'EUR/JPY');
  });

  it('tells a reader who has left the reason, no failure', async () => {
    const gateway = await gatewayWithCopy(REMEMBER);
    await advance(100_000);
    await gateway.read(outage());
    const read = await gateway.slow({ signal: AbortSignal.abort('closed') });
    expectTold(read, failed('closed'), 'it had left before it asked');
    const { signal } = new AbortController();
    expectTold(await gateway.slow({ signal }), stale(1.1, 100), 'it has not left');
    expectNoListener(signal, 'it has its answer');
  });

  it.for(WALL_CLOCK)('forgets it as before when the wall clock is set %s', async ([, stepMs]) => {
    const gateway = new Gateway(REMEMBER);
    await gateway.read(outage());
    stepWallClock(stepMs);
    await advance(4_999);
    expectTold(await gateway.slow(), failed(outage()), '4.999 s after a failure');
    await advance(1);
    await expectLoad(gateway, '5 s after a failure');
  });
});

describe('6 · what is forgotten', () => {
  it.for([1, 3, 20])('never keeps more copies than it was told: %d', async (maxEntries) => {
    const gateway = new Gateway({ maxEntries });
    const keys = Array.from({ length: 2 * maxEntries }, (_, index) => `key ${index}`);
    for (const [index, key] of keys.entries()) {
      await gateway.read(index, { key });
      expectSize(gateway, Math.min(index + 1, maxEntries), `${index + 1} keys were loaded`);
    }
    const latest = keys.slice(maxEntries);
    expect(await gateway.kept(...latest), 'the keys that were loaded last').toBe(latest.join(' '));
  });

  it('drops what has been used longest ago, not what was stored first', async () => {
    const gateway = new Gateway({ maxEntries: 3 });
    await gateway.fill('A', 'B', 'C', 'A', 'B', 'D');
    expect(await gateway.kept('A', 'B', 'D'), 'A and B were read again, then D came').toBe('A B D');
    expect(await gateway.kept('C'), 'C was used longest ago').toBe('');
  });

  it('drops what has been used longest ago, not what is oldest', async () => {
    const gateway = new Gateway({ maxEntries: 2, staleWhileRevalidateMs: 0 });
    await gateway.fill('A');
    await advance(50_000);
    await gateway.fill('B');
    await advance(20_000);
    expectTold(await gateway.read(outage(), { key: 'A' }), stale('A', 70), 'A stands in');
    await gateway.fill('C');
    const read = await gateway.read(outage(), { key: 'A' });
    expectTold(read, stale('A', 70), 'A is older than B, but was used after it');
    expect(await gateway.kept('B'), 'B was used longest ago').toBe('');
  });

  it('takes a read in the background for a use', async () => {
    const gateway = new Gateway({ maxEntries: 2 });
    await gateway.fill('A', 'B');
    await advance(70_000);
    expectTold(await gateway.slow({ key: 'A' }), stale('A', 70), 'A is given at once');
    await gateway.fill('C');
    const read = await gateway.slow({ key: 'A' });
    expectTold(read, stale('A', 70), 'B was used longest ago when C came');
    await gateway.fill('D');
    const again = await gateway.slow({ key: 'A' });
    expectTold(again, stale('A', 70), 'C was used longest ago when D came: A was given after it');
  });

  it('takes a read for a use, whatever it was answered with', async () => {
    const gateway = new Gateway({ maxEntries: 2, errorMs: 60_000 });
    await gateway.fill('A', 'B');
    await advance(100_000);
    await gateway.fill('A', 'C');
    await expectCopy(gateway, fresh('A'), 'A was read again, and loaded, before C came', 'A');
    await advance(100_000);
    await gateway.read(outage(), { key: 'A' });
    await gateway.fill('C');
    const because = 'a load of A has just failed';
    await expectCopy(gateway, stale('A', 100), because, 'A');
    await gateway.fill('D');
    await expectCopy(gateway, stale('A', 100), `${because}, and A stood in before D came`, 'A');
  });

  it('lets no failure cost a copy its place', async () => {
    const gateway = new Gateway({ maxEntries: 3, errorMs: 60_000 });
    await gateway.fill('A', 'B', 'C');
    await advance(1_000);
    for (let i = 0; i < 10; i += 1) await gateway.read(outage(), { key: `key ${i}` });
    expect(await gateway.kept('A', 'B', 'C'), 'ten other keys have failed').toBe('A B C');
    expectSize(gateway, 3, 'a failure is no copy');
  });

  it('lets no load cost a copy its place before it has ended', async () => {
    const gateway = new Gateway({ maxEntries: 3 });
    await gateway.fill('A', 'B', 'C');
    for (let i = 0; i < 10; i += 1) await gateway.slow({ key: `key ${i}` });
    expectSize(gateway, 3, 'ten loads are under way');
    expect(await gateway.kept('A', 'B', 'C'), 'ten loads are under way').toBe('A B C');
    await gateway.load.ends(1.1);
    expectSize(gateway, 3, 'one of them has ended');
    await expectCopy(gateway, fresh(1.1), 'one of them has ended', 'key 9');
    expect(await gateway.kept('B', 'C'), 'A was used longest ago').toBe('B C');
  });

  it('lets no load cost a copy its place whose value is not kept', async () => {
    const gateway = new Gateway({ maxEntries: 2 });
    await gateway.slow();
    gateway.cache.invalidate(PAIR);
    await gateway.fill('A', 'B');
    await gateway.loads[0]?.ends(1.1);
    expect(
      await gateway.kept('A', 'B'),
      'what came last is from before its key was invalidated, and takes no place: what is kept',
    ).toBe('A B');
  });

  it('gives the place of what is gone to the next', async () => {
    const gateway = new Gateway({ maxEntries: 3 });
    await gateway.fill('A', 'B', 'C');
    gateway.cache.invalidate('A');
    await advance(70_000);
    await gateway.read(suspended(), { key: 'B' });
    expectSize(gateway, 1, 'A was invalidated, and a 410 has ended B');
    await gateway.fill('D', 'E');
    expectSize(gateway, 3, 'D and E came, and there were two places');
    for (const key of ['F', 'G']) {
      await gateway.fill(key);
      expectSize(gateway, 3, `${key} came, and one of three copies had to go`);
    }
    expect(await gateway.kept('E', 'F', 'G'), 'the keys that came last').toBe('E F G');
  });

  it('lets a refresh cost no other copy its place', async () => {
    const gateway = new Gateway({ maxEntries: 3 });
    await gateway.fill('A', 'B', 'C');
    await advance(70_000);
    for (const key of ['A', 'B', 'C', 'C', 'B', 'A']) {
      await gateway.fill(key);
      expectSize(gateway, 3, `a newer ${key} takes the place of the old one, and no other`);
    }
    expect(await gateway.kept('A', 'B', 'C'), 'three keys were loaded again').toBe('A B C');
  });

  it('remembers no more failures than it may keep copies', async () => {
    const gateway = new Gateway({ maxEntries: 3, errorMs: 60_000 });
    const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`);
    for (const key of keys) await gateway.read(outage(), { key });
    for (const key of keys) await gateway.slow({ key });
    const remembered = 100 - gateway.loads.length;
    expect(
      remembered,
      'maxEntries is 3, and 50 keys have failed: how many of these are remembered',
    ).toBeLessThanOrEqual(3);
    expect(remembered, 'how many failures are remembered').toBeGreaterThan(0);
  });

  it('makes no second load of a key because its copy was dropped', async () => {
    const gateway = new Gateway({ maxEntries: 1 });
    await gateway.fill('A');
    await advance(70_000);
    await gateway.slow({ key: 'A' });
    await gateway.fill('B');
    const read = await gateway.slow({ key: 'A' });
    expectAsked(gateway, 3, 'A, A in the background, B: and the second A is still under way');
    await gateway.loads[1]?.ends('new A');
    expectTold(read, fresh('new A'), 'it waited for the load that was under way');
    expectSize(gateway, 1, 'maxEntries');
    await expectCopy(gateway, fresh('new A'), 'its value has come last, and is kept', 'A');
  });

  it('remembers the failure of a key whose copy was dropped', async () => {
    const gateway = new Gateway({ maxEntries: 2, errorMs: 60_000 });
    await gateway.fill('A');
    await advance(100_000);
    await gateway.read(outage(), { key: 'A' });
    await gateway.fill('B', 'C');
    const read = await gateway.slow({ key: 'A' });
    expectAsked(gateway, 4, 'the copy of A had to go, but its load has failed a moment ago');
    expectTold(read, failed(outage()), 'no copy of A is left to stand in');
  });

  it('forgets the copy of a key that is invalidated', async () => {
    const gateway = new Gateway();
    await gateway.fill('A', 'B');
    gateway.cache.invalidate('A');
    expectSize(gateway, 1, 'of two keys one was invalidated');
    await expectLoad(gateway, 'A was invalidated', 'A');
    await expectCopy(gateway, fresh('B'), 'B was not', 'B');
  });

  it('forgets the failure of a key that is invalidated', async () => {
    const gateway = new Gateway({ errorMs: 60_000 });
    await gateway.read(outage());
    gateway.cache.invalidate(PAIR);
    const load = await expectLoad(gateway, 'the load has failed, then the key was invalidated');
    await advance(30_000);
    await load.ends(outage());
    await advance(59_999);
    expectTold(
      await gateway.slow(),
      failed(outage()),
      'the next load failed 59.999 s ago, and that is remembered for its own 60 s',
    );
  });

  it('takes it quietly when there is nothing to forget', async () => {
    const gateway = await gatewayWithCopy();
    gateway.cache.invalidate('EUR/JPY');
    gateway.cache.invalidate('__proto__');
    await expectCopy(gateway, fresh(1.1), 'other keys were invalidated');
    gateway.cache.invalidate(PAIR);
    gateway.cache.invalidate(PAIR);
    expectTold(await gateway.read(1.2), fresh(1.2), 'invalidated twice, and loaded again');
    await expectCopy(gateway, fresh(1.2), 'and there is a copy');
  });

  it('lets no copy stand in that was invalidated meanwhile', async () => {
    const gateway = await gatewayWithCopy();
    await advance(100_000);
    const read = await gateway.slow();
    gateway.cache.invalidate(PAIR);
    await gateway.load.ends(outage());
    expectTold(read, failed(outage()), 'the copy was invalidated while it waited');
  });

  it('does not keep what a load brings that began before', async () => {
    for (const age of [0, 75_000, 100_000]) {
      const gateway = await gatewayWithCopy();
      gateway.cache.invalidate(age === 0 ? PAIR : '');
      await advance(age);
      const read = await gateway.slow();
      const told = age === 75_000 ? stale(1.1, 75) : NOTHING_YET;
      expectTold(read, told, 'the load has not ended');
      gateway.cache.invalidate(PAIR);
      await gateway.load.ends(1.2);
      if (told === NOTHING_YET) expectTold(read, fresh(1.2), 'it gets what its load has brought');
      expectSize(gateway, 0, 'the load began before the key was invalidated');
      await expectLoad(gateway, 'the load began before the key was invalidated: that rate is old');
    }
  });

  it('does not remember a failure that began before', async () => {
    const gateway = new Gateway({ errorMs: 60_000 });
    const read = await gateway.slow();
    gateway.cache.invalidate(PAIR);
    await gateway.load.ends(outage());
    expectTold(read, failed(outage()), 'it gets what its load has ended in');
    await expectLoad(gateway, 'that load began before the key was invalidated');
  });

  it('makes a new load for whoever reads after it', async () => {
    const gateway = new Gateway();
    const before = await gateway.slow();
    gateway.cache.invalidate(PAIR);
    const after = [gateway.slowNow(), gateway.slowNow()];
    await settle();
    expectAsked(gateway, 2, 'one load from before, and one for those who came after');
    await gateway.load.ends(1.2);
    expectAllTold(after, fresh(1.2), 'the second load has ended');
    expectTold(before, NOTHING_YET, 'the first has not');
    await gateway.loads[0]?.ends(1.1);
    expectTold(before, fresh(1.1), 'it gets what its own load has brought');
    await expectCopy(
      gateway,
      fresh(1.2),
      'the second load is the newer one, though it ended first',
    );
  });

  it.for([
    ['1.1', 1.1],
    ['an outage', outage()],
    ['a 410', suspended()],
  ] as const)('does not let an old load end a newer one: %s', async ([, end]) => {
    const gateway = new Gateway({ errorMs: 60_000 });
    await gateway.slow();
    gateway.cache.invalidate(PAIR);
    const reads = [await gateway.slow()];
    await gateway.loads[0]?.ends(end);
    reads.push(await gateway.slow());
    expectAllTold(reads, NOTHING_YET, 'the newer load is still under way');
    expectAsked(gateway, 2, 'the newer load is still under way');
    await gateway.load.ends(1.2);
    expectAllTold(reads, fresh(1.2), 'the newer load has ended');
    await expectCopy(gateway, fresh(1.2), 'and is kept');
  });

  it.for([
    ['1.1', 1.1],
    ['an outage', outage()],
    ['a 410', suspended()],
  ] as const)('does not let an old load end a newer copy: %s', async ([, end]) => {
    const gateway = new Gateway({ errorMs: 60_000 });
    await gateway.slow();
    gateway.cache.invalidate(PAIR);
    await gateway.read(1.2);
    await gateway.loads[0]?.ends(end);
    await expectCopy(gateway, fresh(1.2), 'an old load has ended');
    await advance(75_000);
    await gateway.slow();
    expectAsked(gateway, 3, 'the newer copy is stale now: a load in the background');
  });

  it('begins a load in the background beside an old one', async () => {
    const gateway = await gatewayWithCopy();
    await advance(75_000);
    await gateway.slow();
    gateway.cache.invalidate(PAIR);
    await gateway.read(1.2);
    await advance(75_000);
    expectTold(await gateway.slow(), stale(1.2, 75), 'the newer copy is stale now');
    expectAsked(gateway, 4, 'the load from before the key was invalidated is of no use to it');
    await gateway.loads[1]?.ends(1.1);
    expectTold(await gateway.slow(), stale(1.2, 75), 'the old load has ended');
    expectAsked(gateway, 4, 'the old load has ended, the one in the background has not');
  });
});

describe('7 · whatever happens', () => {
  it('does what the rules say, read by read', async () => {
    // Once fast-check had shrunk the times, it would not shrink the history.
    const times = fc.noShrink(fc.constantFrom(...GIVEN));
    await fc.assert(
      fc.asyncProperty(times, histories(), (given, history) =>
        fc.asyncModelRun(
          () => ({ model: new Paper(given), real: new Gateway(given.options) }),
          history,
        ),
      ),
      { seed: 20_261_123, numRuns: 100 },
    );
  });

  it('keeps what has been used last, whatever is read', async () => {
    await fc.assert(
      fc.asyncProperty(readings(), async ({ maxEntries, keys }) => {
        const gateway = new Gateway({ maxEntries });
        let used: string[] = [];
        for (const [index, key] of keys.entries()) {
          const hit = used.includes(key);
          used = [...used.filter((other) => other !== key), key].slice(-maxEntries);
          const { ran } = await gateway.read(key, { key });
          if (ran !== Number(hit)) continue;
          expect.fail(
            `read ${index + 1}, of ${key}: it is ${hit ? '' : 'not '}among the ${maxEntries} keys used last, ` +
              `and should have ${hit ? 'had a copy' : 'been loaded'}`,
          );
        }
      }),
      { seed: 20_261_123, numRuns: 60 },
    );
  });
});

/** Keys that are read one after another. */
function readings() {
  // Some are digits alone: an object would put them first, whenever they were set.
  const keys = fc.array(fc.constantFrom('EUR', 'USD', 'JPY', '978', '840'), {
    maxLength: 30,
    size: 'max',
  });
  return fc
    .tuple(fc.noShrink(fc.integer({ min: 1, max: 4 })), keys)
    .map(([maxEntries, inOrder]) => ({
      maxEntries,
      keys: inOrder,
      /** How fast-check prints it. */
      [fc.toStringMethod]: () => `maxEntries: ${maxEntries} → read ${inOrder.join(' → read ')}`,
    }));
}

// ── The rules on paper, and what can happen to them ─────────────────────────────────────────────────────

type Times = Pick<
  StaleCacheOptions,
  'freshMs' | 'staleWhileRevalidateMs' | 'staleIfErrorMs' | 'errorMs'
>;

class Given {
  readonly options: Times;
  constructor(freshFor: number, whileRevalidate: number, ifError: number, error: number) {
    this.options = {
      freshMs: freshFor * 1_000,
      staleWhileRevalidateMs: whileRevalidate * 1_000,
      staleIfErrorMs: ifError * 1_000,
      errorMs: error * 1_000,
    };
  }
  /** How fast-check prints it. */
  [fc.toStringMethod] = () =>
    Object.entries(this.options)
      .map(([name, ms]) => `${name}: ${ms}`)
      .join(', ');
}

const GIVEN = [
  new Given(10, 5, 20, 2),
  new Given(10, 5, 20, 0),
  new Given(10, 20, 5, 2),
  new Given(10, 0, 20, 2),
  new Given(10, 20, 0, 0),
  new Given(5, 0, 0, 5),
];

interface PaperFlight {
  readonly load: Load | undefined;
  readonly waiting: PaperRead[];
}

interface PaperRead {
  readonly key: string;
  readonly read: Read;
  readonly closing: AbortController;
}

/** All that is known of a key. */
interface Page {
  copy?: { readonly value: unknown; readonly atMs: number };
  failure?: { readonly error: Error; readonly atMs: number };
  flight?: PaperFlight;
}

/** The cache as one would play it with pencil and paper. */
class Paper {
  /** Loads whose end is still to come, also those from before a key was invalidated. */
  readonly flights: PaperFlight[] = [];
  readonly #times: Times;
  readonly #pages = new Map<string, Page>();
  #nowMs = 0;
  #loads = 0;

  constructor({ options }: Given) {
    this.#times = options;
  }

  /** What the next load may bring. */
  ends(outcome: Outcome): End {
    this.#loads += 1;
    if (outcome === 'a rate') return this.#loads;
    const [status, text] = outcome === 'an outage' ? [503, 'outage'] : [410, 'suspended'];
    return new RateServiceError(status, `${text} ${this.#loads}`);
  }

  get waiting(): PaperRead[] {
    return this.flights.flatMap(({ waiting }) => waiting);
  }

  get copies(): { readonly alive: number; readonly all: number } {
    const { freshMs, staleWhileRevalidateMs, staleIfErrorMs } = this.#times;
    const longest = freshMs + Math.max(staleWhileRevalidateMs, staleIfErrorMs);
    const all = [...this.#pages.values()].flatMap(({ copy }) => copy ?? []);
    const alive = all.filter(({ atMs }) => this.#nowMs - atMs < longest);
    return { alive: alive.length, all: all.length };
  }

  reads(by: PaperRead, load: Load | undefined): void {
    const { key, read } = by;
    const page = this.#page(key);
    const { freshMs, staleWhileRevalidateMs, errorMs } = this.#times;
    const copy = this.#copyOn(page, freshMs + staleWhileRevalidateMs);
    const isFresh = page.copy !== undefined && this.#nowMs - page.copy.atMs < freshMs;
    const failure = page.failure && this.#nowMs - page.failure.atMs < errorMs && page.failure;
    const begins = !isFresh && !failure && !page.flight;
    if (begins !== read.ran > 0) {
      const should = begins ? 'should have asked' : 'must not ask';
      expect.fail(`by the rules the cache ${should} the rate service: ${this.#describe(page)}`);
    }
    if (begins) {
      page.flight = { load, waiting: [] };
      this.flights.push(page.flight);
    }
    if (copy) this.#told(by, [copy], page);
    else if (failure) this.#told(by, this.#toldOf(page, failure.error), page);
    else page.flight?.waiting.push(by);
  }

  lands(flight: PaperFlight, end: End): void {
    this.flights.splice(this.flights.indexOf(flight), 1);
    for (const by of flight.waiting) {
      const page = this.#page(by.key);
      const isOld = page.flight !== flight;
      if (end instanceof Error) {
        const allowed = this.#toldOf(page, end);
        // Whether a newer copy stands in when an old load fails is up to the answer.
        const newer = isOld && page.copy;
        if (newer) allowed.push(failed(end), stale(newer.value, this.#secondsSince(newer.atMs)));
        this.#told(by, allowed, page);
      } else this.#told(by, [fresh(end)], page);
    }
    for (const page of this.#pages.values()) if (page.flight === flight) this.#keep(page, end);
  }

  leaves(gone: PaperRead): void {
    for (const { waiting } of this.flights) {
      const index = waiting.indexOf(gone);
      if (index >= 0) waiting.splice(index, 1);
    }
    this.#told(gone, [failed('closed')], this.#page(gone.key));
  }

  invalidates(key: string): void {
    this.#pages.delete(key);
  }

  passes(ms: number): void {
    this.#nowMs += ms;
  }

  #keep(page: Page, end: End): void {
    delete page.flight;
    if (!(end instanceof Error)) page.copy = { value: end, atMs: this.#nowMs };
    else {
      page.failure = { error: end, atMs: this.#nowMs };
      if (!isOutage(end)) delete page.copy;
    }
  }

  #toldOf(page: Page, error: Error): string[] {
    const { freshMs, staleIfErrorMs } = this.#times;
    const copy = isOutage(error) ? this.#copyOn(page, freshMs + staleIfErrorMs) : undefined;
    return [copy ?? failed(error)];
  }

  #copyOn({ copy }: Page, maxAgeMs: number): string | undefined {
    if (!copy) return undefined;
    const ageMs = this.#nowMs - copy.atMs;
    if (ageMs >= maxAgeMs) return undefined;
    return (ageMs < this.#times.freshMs ? fresh : stale)(copy.value, ageMs / 1_000);
  }

  #told({ read, closing }: PaperRead, allowed: readonly string[], page: Page): void {
    if (allowed.includes(read.told)) {
      if (!closing.signal.aborted) {
        expectNoListener(closing.signal, `a booth was told “${read.told}”`);
      }
      return;
    }
    expect.fail(
      `by the rules the booth should be told “${allowed[0]}”, not “${read.told}”: ${this.#describe(page)}`,
    );
  }

  #describe({ copy, failure, flight }: Page): string {
    const agoOf = ({ atMs }: { readonly atMs: number }) => `${this.#secondsSince(atMs)} s ago`;
    const has = [
      copy && `a copy of ${print(copy.value)} arrived ${agoOf(copy)}`,
      failure && `a load failed ${agoOf(failure)} (${failure.error.message})`,
      flight && 'a load is under way',
    ];
    return has.filter(Boolean).join(', ') || 'nothing is known of the key';
  }

  #secondsSince(atMs: number): number {
    return (this.#nowMs - atMs) / 1_000;
  }

  #page(key: string): Page {
    const page = this.#pages.get(key) ?? {};
    this.#pages.set(key, page);
    return page;
  }
}

const OUTCOMES = ['a rate', 'an outage', 'a 410'] as const;
type Outcome = (typeof OUTCOMES)[number];

// Some 3,000 steps are compared. `expect` is for the one that differs, as it takes its time.

/** What must hold after every step. */
function checkStep(paper: Paper, { cache }: Gateway): void {
  const early = paper.waiting.find(({ read }) => read.told !== NOTHING_YET);
  if (early) {
    expect.fail(`by the rules a booth should still be waiting, but was told “${early.read.told}”`);
  }
  const { alive, all } = paper.copies;
  if (cache.size < alive || cache.size > all) {
    expect.fail(`by the rules there are ${alive} copies, but size is ${cache.size}`);
  }
}

/** Anything that can happen to a cache, in any order. */
function histories() {
  const key = fc.constantFrom('A', 'A', 'A', 'B');
  return fc.commands(
    [
      fc.tuple(key, fc.constantFrom(...OUTCOMES)).map(([of, end]) => new BoothReads(of, end)),
      key.map((of) => new BoothReads(of, 'a rate')),
      key.map((of) => new BoothReads(of, undefined)),
      key.map((of) => new BoothReads(of, undefined)),
      fc.tuple(fc.nat(9), fc.constantFrom(...OUTCOMES)).map(([nth, end]) => new LoadEnds(nth, end)),
      fc.tuple(fc.nat(9), fc.constantFrom(...OUTCOMES)).map(([nth, end]) => new LoadEnds(nth, end)),
      fc.nat(9).map((nth) => new BoothLeaves(nth)),
      key.map((of) => new KeyIsInvalidated(of)),
      fc.constantFrom(1, 1_999, 2_000, 4_999, 5_000).map((ms) => new TimePasses(ms)),
      fc.constantFrom(5_000, 9_999, 10_000, 15_000, 20_000).map((ms) => new TimePasses(ms)),
    ],
    { maxCommands: 40, size: 'max' },
  );
}

class BoothReads implements fc.AsyncCommand<Paper, Gateway> {
  readonly #key: string;
  readonly #outcome: Outcome | undefined;
  constructor(key: string, outcome: Outcome | undefined) {
    this.#key = key;
    this.#outcome = outcome;
  }
  check = () => true;
  async run(paper: Paper, gateway: Gateway) {
    const key = this.#key;
    const closing = new AbortController();
    const read = await gateway.slow({ key, signal: closing.signal });
    const load = read.ran > 0 ? gateway.load : undefined;
    paper.reads({ key, read, closing }, load);
    const flight = paper.flights.find((other) => load && other.load === load);
    if (flight && this.#outcome) await land(paper, flight, this.#outcome);
    checkStep(paper, gateway);
  }
  toString = () => `read ${this.#key}${this.#outcome ? ` (${this.#outcome})` : ''}`;
}

async function land(paper: Paper, flight: PaperFlight, outcome: Outcome): Promise<void> {
  const end = paper.ends(outcome);
  await flight.load?.ends(end);
  paper.lands(flight, end);
}

class LoadEnds implements fc.AsyncCommand<Paper, Gateway> {
  readonly #nth: number;
  readonly #outcome: Outcome;
  constructor(nth: number, outcome: Outcome) {
    this.#nth = nth;
    this.#outcome = outcome;
  }
  check = ({ flights }: Readonly<Paper>) => flights.length > 0;
  async run(paper: Paper, gateway: Gateway) {
    const flight = paper.flights[this.#nth % paper.flights.length];
    if (flight) await land(paper, flight, this.#outcome);
    checkStep(paper, gateway);
  }
  toString = () => `a load brings ${this.#outcome}`;
}

class BoothLeaves implements fc.AsyncCommand<Paper, Gateway> {
  readonly #nth: number;
  constructor(nth: number) {
    this.#nth = nth;
  }
  check = ({ waiting }: Readonly<Paper>) => waiting.length > 0;
  async run(paper: Paper, gateway: Gateway) {
    const gone = paper.waiting[this.#nth % paper.waiting.length];
    if (!gone) return;
    gone.closing.abort('closed');
    await settle();
    paper.leaves(gone);
    checkStep(paper, gateway);
  }
  toString = () => 'a booth leaves';
}

class KeyIsInvalidated implements fc.AsyncCommand<Paper, Gateway> {
  readonly #key: string;
  constructor(key: string) {
    this.#key = key;
  }
  check = () => true;
  async run(paper: Paper, gateway: Gateway) {
    gateway.cache.invalidate(this.#key);
    paper.invalidates(this.#key);
    await settle();
    checkStep(paper, gateway);
  }
  toString = () => `invalidate ${this.#key}`;
}

class TimePasses implements fc.AsyncCommand<Paper, Gateway> {
  readonly #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  check = () => true;
  async run(paper: Paper, gateway: Gateway) {
    await advance(this.#ms);
    paper.passes(this.#ms);
    checkStep(paper, gateway);
  }
  toString = () => `+${this.#ms / 1_000} s`;
}
