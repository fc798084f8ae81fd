import fc from 'fast-check';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createBalancer,
  NoHostError,
  type Balancer,
  type BalancerOptions,
  type Check,
  type Ejection,
  type Host,
} from './load-balancer.ts';

// ── The gateway and the price servers, played by the spec ───────────────────────────────────────────────

class PriceServerError extends Error {
  override readonly name = 'PriceServerError';
  readonly status: number;
  constructor(status: number) {
    super(`${status} from the price server`);
    this.status = status;
  }
}
const outage = () => new PriceServerError(500);
/** Says nothing about the server: neither a failure nor a success. One for all, for a stack takes its time. */
const NOT_FOUND = new PriceServerError(404);
const notFound = () => NOT_FOUND;
const isFailure = (error: unknown) => error instanceof PriceServerError && error.status === 500;

const EJECTION: Ejection = {
  failures: 3,
  baseMs: 30_000,
  maxMs: 100_000,
  maxPercent: 50,
  isFailure,
};
const SLOW_START_MS = 60_000;
/** Nothing of this spec goes on for longer by itself. */
const LONGEST_MS = 400_000;

/** `a b:3` are two hosts, of weights 1 and 3. */
const list = (text: string): Host[] =>
  text
    .split(' ')
    .filter(Boolean)
    .map((host) => {
      const [name = '', weight] = host.split(':');
      return weight === undefined ? { name } : { name, weight: Number(weight) };
    });

/** The same numbers each time, from 0 to below 1. */
function chance(seed = 20_261_128): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const print = (value: unknown) => (value instanceof Error ? value.message : inspect(value));
const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

/** One call: where it went, and what its caller was told. */
class Call {
  host = 'nobody yet';
  begun = 0;
  told = 'nothing yet';
  hasEnded = false;
  readonly promise: Promise<unknown>;
  #resolve: (value: unknown) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A task that was given to it, or none at all: then nobody looks at this promise.
    this.promise.catch(() => {});
  }

  /** Nothing has settled yet when this returns. */
  endsNow(end: unknown): void {
    this.hasEnded = true;
    if (end instanceof Error) this.#reject(end);
    else this.#resolve(end);
  }

  async ends(end: unknown): Promise<void> {
    this.endsNow(end);
    await settle();
  }
}

const PRICE = '12.90';
const price = `the value ${print(PRICE)}`;
const failed = (error: unknown) => `the error ${print(error)}`;
const gateways: Gateway[] = [];

interface GatewayOptions extends Partial<Omit<BalancerOptions, 'panicPercent'>> {
  /** 0 if nothing is said, which is no panic. */
  readonly panicPercent?: number | 'not given';
}

/** The gateway, its balancer, and the price servers behind it. */
class Gateway {
  readonly balancer: Balancer;
  readonly calls: Call[] = [];

  constructor(hosts: string, { panicPercent = 0, ...options }: GatewayOptions = {}) {
    this.balancer = createBalancer({
      hosts: list(hosts),
      policy: 'round-robin',
      random: chance(),
      ...(panicPercent === 'not given' ? {} : { panicPercent }),
      ...options,
    });
    gateways.push(this);
  }

  setHosts(hosts: string): void {
    this.balancer.setHosts(list(hosts));
  }

  /** A call whose task does what it is told to, or waits until the spec ends it. Nothing has settled yet. */
  callNow(task?: (host: string) => unknown, onTold?: () => void): Call {
    const call = new Call();
    this.calls.push(call);
    callNeverThrows(() =>
      this.balancer.call((host) => {
        call.begun += 1;
        call.host = host;
        return task ? task(host) : call.promise;
      }),
    ).then(
      (value) => {
        call.told = `the value ${print(value)}`;
        onTold?.();
      },
      (error: unknown) => {
        call.told = error instanceof NoHostError ? 'there is no host' : failed(error);
        onTold?.();
      },
    );
    return call;
  }

  async call(task?: (host: string) => unknown): Promise<Call> {
    const call = this.callNow(task);
    await settle();
    return call;
  }

  /** So many calls in one instant, each of which waits until the spec ends it. */
  async callsAtOnce(count: number): Promise<Call[]> {
    const calls = Array.from({ length: count }, () => this.callNow());
    await settle();
    return calls;
  }

  /** Where so many calls in one instant go. They end at once, and tell nothing about the servers. */
  async chosen(count: number): Promise<string[]> {
    const calls = Array.from({ length: count }, () => this.callNow(() => expectThrow(NOT_FOUND)));
    await settle();
    return calls.map((call) => call.host);
  }

  /** Calls that are under way at one server. All others end at once, and tell nothing about the servers. */
  async callsAt(host: string, count: number): Promise<Call[]> {
    const found: Call[] = [];
    for (let round = 0; found.length < count && round < 60; round += 1) {
      for (const call of await this.callsAtOnce(this.balancer.hosts().length)) {
        if (call.host === host && found.length < count) found.push(call);
        else call.endsNow(notFound());
      }
    }
    await settle();
    if (found.length < count) expect.fail(`server ${host} should be chosen, and is not any more`);
    return found;
  }

  async failsAt(host: string, count: number, error: () => Error = outage): Promise<void> {
    for (const call of await this.callsAt(host, count)) call.endsNow(error());
    await settle();
  }

  async answersAt(host: string, count = 1): Promise<void> {
    for (const call of await this.callsAt(host, count)) call.endsNow(PRICE);
    await settle();
  }

  /** What `hosts()` says of a server. */
  report(name: string, hosts = this.balancer.hosts()): string {
    const report = hosts.find((host) => host.name === name);
    if (!report) return 'not on the list';
    const { inFlight, isEjected, isHealthy } = report;
    return reportOf(inFlight, isEjected, isHealthy);
  }

  isEjected(name: string): 'ejected' | 'not ejected' {
    const host = this.balancer.hosts().find((other) => other.name === name);
    return host?.isEjected ? 'ejected' : 'not ejected';
  }

  /** `a 2, b 0`: how many calls are in flight. */
  get inFlight(): string {
    const hosts = this.balancer.hosts().toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return hosts.map(({ name, inFlight }) => `${name} ${inFlight}`).join(', ');
  }

  async closes(): Promise<void> {
    for (const call of this.calls) call.endsNow(notFound());
    await settle();
    this.balancer.stop();
  }
}

function callNeverThrows(call: () => Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    return expect.fail(`call() threw ${print(error)}: it must return a promise that rejects`);
  }
  if (result instanceof Promise) return result;
  return expect.fail(`call() returned ${print(result)}: it must return a promise`);
}

const reportOf = (inFlight: number, isEjected: boolean, isHealthy: boolean) =>
  `${inFlight} in flight, ${isEjected ? 'ejected' : 'not ejected'}, ${isHealthy ? 'healthy' : 'unhealthy'}`;

function expectTold(call: Call, told: string, because: string): void {
  expect(call.told, `${because}: what the caller was told`).toBe(told);
}

function expectReport(gateway: Gateway, host: string, report: string, because: string): void {
  expect(gateway.report(host), `${because}: what hosts() says of ${host}`).toBe(report);
}

function expectInFlight(gateway: Gateway, inFlight: string, because: string): void {
  expect(gateway.inFlight, `${because}: calls in flight, by hosts()`).toBe(inFlight);
}

/** Who has calls now. Only for round-robin, where everybody's turn comes. */
async function expectChosen(gateway: Gateway, hosts: string, because: string): Promise<void> {
  const chosen = new Set(await gateway.chosen(4 * (gateway.balancer.hosts().length || 1)));
  const names = [...chosen].toSorted((a, b) => (a < b ? -1 : 1)).join(' ');
  expect(names, `${because}: the servers that have calls`).toBe(hosts);
}

function countIn(hosts: readonly string[], host: string): number {
  return hosts.filter((other) => other === host).length;
}

function expectBetween(count: number, least: number, most: number, what: string): void {
  if (count < least || count > most) {
    expect.fail(`${what}: ${count}; it should be from ${least} to ${most}`);
  }
}

/** Two hosts that are there all the time get the same number, give or take two. */
function expectAlike(hosts: readonly string[], names: string, because: string): void {
  const counts = names.split(' ').map((name) => countIn(hosts, name));
  const inWords = names.split(' ').map((name, index) => `${name} ${counts[index]}`);
  if (Math.max(...counts) - Math.min(...counts) > 2) {
    expect.fail(
      `${because}: of ${hosts.length} calls the servers that were there all the time got ${inWords.join(', ')}; no two of them may differ by more than two`,
    );
  }
}

/** Of any calls in a row each host gets its share, give or take three. */
function expectShares(chosen: readonly string[], hosts: string, because = ''): void {
  const all = list(hosts);
  const total = all.reduce((sum, { weight = 1 }) => sum + weight, 0);
  for (const { name, weight = 1 } of all) {
    // How far it is ahead of its share, call by call: what lies between two such numbers is a row of calls.
    let now = 0;
    const ahead = [0, ...chosen.map((host) => (now += (host === name ? 1 : 0) - weight / total))];
    if (Math.max(...ahead) - Math.min(...ahead) <= MOST_AHEAD) continue;
    const [from, to] = shortestRow(ahead);
    const count = countIn(chosen.slice(from, to), name);
    const share = ((weight / total) * (to - from)).toFixed(1);
    expect.fail(
      `${because}servers ${hosts}: of the calls from ${from + 1} to ${to}, ${name} got ${count}; its share is ${share}, give or take three`,
    );
  }
}

/** Give or take three, and what computers make of it. */
const MOST_AHEAD = 3.000_001;

/** The fewest calls in a row that are not fair. */
function shortestRow(ahead: readonly number[]): [from: number, to: number] {
  for (let length = 1; length < ahead.length; length += 1) {
    for (const [from, before] of ahead.slice(0, -length).entries()) {
      const after = ahead[from + length] ?? 0;
      if (Math.abs(after - before) > MOST_AHEAD) return [from, from + length];
    }
  }
  return [0, ahead.length - 1];
}

/** Once there are timers that never end, there is nothing more to find out, and they only cost time. */
let timersAreLeft = false;

async function expectNoTimers(ms: number): Promise<void> {
  if (!timersAreLeft) await advance(ms);
  timersAreLeft = pendingTimers() > 0;
  if (timersAreLeft) expect.fail('the balancer was stopped, and a timer is set long after that');
}

afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.closes();
  if (!timersAreLeft) await expectNoTimers(LONGEST_MS);
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · in turn', () => {
  it.each([PRICE, 0, '', null, undefined])(
    'hands over what the task resolves with: %s',
    async (value) => {
      const call = await new Gateway('a').call(() => Promise.resolve(value));
      expectTold(call, `the value ${print(value)}`, `the task resolved with ${print(value)}`);
    },
  );

  it('takes a plain value and anything with a then', async () => {
    const gateway = new Gateway('a');
    const plain = await gateway.call(() => PRICE);
    expectTold(plain, price, 'the task returned a plain value');
    // oxlint-disable-next-line unicorn/no-thenable
    const thenable = { then: (resolve: (value: string) => void) => resolve(PRICE) };
    expectTold(await gateway.call(() => thenable), price, 'the task returned a thenable');
  });

  it.each([outage(), 'no', undefined])('hands over the very error: %s', async (error) => {
    const gateway = new Gateway('a');
    const rejects = await gateway.call(async () => expectThrow(error));
    expectTold(rejects, failed(error), 'the task rejected');
    const throws = await gateway.call(() => {
      throw error;
    });
    expectTold(throws, failed(error), 'the task threw');
  });

  it('runs the task once, with the name of a host', async () => {
    const gateway = new Gateway('a');
    for (const end of [PRICE, outage()]) {
      const call = await gateway.call();
      await call.ends(end);
      expect(call.begun, `the task ended with ${print(end)}: how often it has run`).toBe(1);
      expect(call.host, 'a is the only server: what the task was given').toBe('a');
    }
  });

  it.each(['a', 'a b', 'a b c', 'a b c d e f'])('takes turns among %s', async (hosts) => {
    const gateway = new Gateway(hosts);
    const names = hosts.split(' ');
    const chosen = await gateway.chosen(5 * names.length);
    for (let rounds = 1; rounds <= 5; rounds += 1) {
      const soFar = chosen.slice(0, rounds * names.length);
      const counts = names.map((name) => `${name} ${countIn(soFar, name)}`).join(', ');
      const fair = names.map((name) => `${name} ${rounds}`).join(', ');
      expect(counts, `after ${plural(soFar.length, 'call')}, who got how many`).toBe(fair);
    }
  });

  it('goes on in turn whether or not calls have ended', async () => {
    const gateway = new Gateway('a b c');
    const chosen: string[] = [];
    for (let nth = 0; nth < 9; nth += 1) {
      const call = await gateway.call();
      chosen.push(call.host);
      if (nth % 3 === 0) await call.ends(PRICE);
    }
    const counts = ['a', 'b', 'c'].map((name) => countIn(chosen, name)).join();
    expect(counts, 'nine calls, some of which have ended: a, b and c got').toBe('3,3,3');
  });

  it('calls nobody who is not on the list any more', async () => {
    const gateway = new Gateway('a b c');
    await gateway.chosen(2);
    gateway.setHosts('a c');
    await expectChosen(gateway, 'a c', 'b was taken off the list');
    gateway.setHosts('d');
    await expectChosen(gateway, 'd', 'now d is the only one on the list');
  });

  it.each([1, 2, 3, 5])(
    'gives the neighbors of a host that comes and goes no more than others: every %i calls',
    async (every) => {
      const gateway = new Gateway('a b c d e');
      const chosen: string[] = [];
      for (let turn = 0; turn < 40; turn += 1) {
        gateway.setHosts(turn % 2 ? 'a b c d e' : 'a b d e');
        chosen.push(...(await gateway.chosen(every)));
      }
      const because = `c leaves or comes back every ${plural(every, 'call')}`;
      expectAlike(chosen, 'a b d e', because);
    },
  );

  it('does not begin again with each list', async () => {
    const gateway = new Gateway('a b c');
    const chosen: string[] = [];
    for (let turn = 0; turn < 30; turn += 1) {
      gateway.setHosts('a b c');
      chosen.push(...(await gateway.chosen(1)));
    }
    expectAlike(chosen, 'a b c', 'discovery says the same before each call');
  });

  it('takes a list for what it says when it is given, and leaves it alone', async () => {
    const first = [{ name: 'c' }, { name: 'a' }, { name: 'b' }];
    const gateway = new Gateway('', { hosts: first });
    first.pop();
    await expectChosen(gateway, 'a b c', 'the array was changed, and not given to setHosts');
    gateway.balancer.setHosts(first);
    await expectChosen(gateway, 'a c', 'the same array was given again, without b');
    first.push({ name: 'd' });
    gateway.balancer.setHosts(first);
    await expectChosen(gateway, 'a c d', 'the same array was given again, with d');
    const names = first.map(({ name }) => name).join(' ');
    expect(names, 'what has become of the array, which belongs to the caller').toBe('c a d');
    const changing = { name: 'a', weight: 1 };
    gateway.balancer.setHosts([changing, { name: 'c' }]);
    changing.weight = 9;
    expectShares(await gateway.chosen(40), 'a c', 'its weight became 9 after setHosts; ');
  });

  it('does not care about the order of the list', async () => {
    const gateway = new Gateway('a b c d');
    const orders = ['d c b a', 'b a d c', 'c d a b', 'a b c d', 'a c b d', 'd a c b'];
    const chosen: string[] = [];
    for (let turn = 0; turn < 48; turn += 1) {
      gateway.setHosts(orders[(turn * turn) % orders.length] ?? '');
      chosen.push(...(await gateway.chosen(1)));
    }
    expectAlike(chosen, 'a b c d', 'discovery gives the list in another order each time');
  });

  it('lets a newcomer make up for nothing', async () => {
    const gateway = new Gateway('a b');
    await gateway.chosen(100);
    gateway.setHosts('a b c');
    const chosen = await gateway.chosen(30);
    expectShares(chosen, 'a b c', 'c is new, after 100 calls to the others; ');
  });

  it('lets a host that comes back make up for nothing', async () => {
    const gateway = new Gateway('a b c');
    await gateway.chosen(31);
    gateway.setHosts('a b');
    await gateway.chosen(100);
    gateway.setHosts('a b c');
    const chosen = await gateway.chosen(30);
    expectShares(chosen, 'a b c', 'c is back, after 100 calls to the others; ');
  });
});

describe('2 · by weight', () => {
  it.each([
    'a:3 b:1',
    'a:5 b:1 c:1',
    'a:10 b:10 c:10',
    'a:7 b:10 c:9 d:10 e:10',
    'a:1 b:9 c:9 d:1 e:9',
    'a:100 b:1',
    'a:4 b c:2',
  ])('gives each host its share: %s', async (hosts) => {
    const chosen = await new Gateway(hosts).chosen(150);
    expectShares(chosen, hosts);
  });

  it('goes by the new weight as soon as it is on the list', async () => {
    const gateway = new Gateway('a:1 b:1');
    await gateway.chosen(40);
    gateway.setHosts('a:9 b:1');
    expectShares(await gateway.chosen(60), 'a:9 b:1', 'both had 1 before; ');
    gateway.setHosts('a b:4');
    expectShares(await gateway.chosen(60), 'a b:4', 'before that they had 9 and 1; ');
  });

  it('owes nobody what the old weights were worth', async () => {
    const gateway = new Gateway('a:100 b:100 c:100');
    await gateway.chosen(1);
    gateway.setHosts('a b c');
    expectShares(await gateway.chosen(60), 'a b c', 'all had weight 100 before; ');
  });

  it('goes by the weights of those who may be chosen', async () => {
    const gateway = new Gateway('a:6 b:2 c:1');
    await gateway.chosen(50);
    gateway.setHosts('b:2 c:1');
    expectShares(await gateway.chosen(60), 'b:2 c:1', 'a, which had 6, has left; ');
  });

  it('keeps the shares when the list comes before each call', async () => {
    const gateway = new Gateway('a:5 b:2 c:1');
    const chosen: string[] = [];
    for (let turn = 0; turn < 80; turn += 1) {
      gateway.setHosts(turn % 2 ? 'a:5 b:2 c:1' : 'c:1 b:2 a:5');
      chosen.push(...(await gateway.chosen(1)));
    }
    expectShares(chosen, 'a:5 b:2 c:1', 'discovery says the same before each call; ');
  });

  it('gives each host its share, whatever the weights', async () => {
    const weights = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(weights, async (each) => {
        const hosts = each.map((weight, index) => `${'abcde'[index]}:${weight}`).join(' ');
        const total = each.reduce((sum, weight) => sum + weight, 0);
        expectShares(await new Gateway(hosts).chosen(3 * total), hosts);
      }),
      { seed: 20_261_128, numRuns: 20 },
    );
  });
});

describe('3 · in flight', () => {
  it('counts a call from its beginning until its task has ended', async () => {
    const gateway = new Gateway('a');
    expectInFlight(gateway, 'a 0', 'nobody has called');
    const [first, second] = await gateway.callsAtOnce(2);
    expectInFlight(gateway, 'a 2', 'two calls are under way');
    await advance(3_600_000);
    expectInFlight(gateway, 'a 2', 'they have been under way for an hour');
    await first?.ends(PRICE);
    expectInFlight(gateway, 'a 1', 'the first has been answered');
    await second?.ends(outage());
    expectInFlight(gateway, 'a 0', 'the second has failed');
  });

  it.each<[string, () => unknown]>([
    ['throws', () => expectThrow(outage())],
    ['throws nothing', () => expectThrow(undefined)],
    ['rejects', () => Promise.reject(outage())],
    ['returns a plain value', () => PRICE],
    ['returns nothing', () => undefined],
    ['is called off', () => Promise.reject(new DOMException('aborted', 'AbortError'))],
    // oxlint-disable-next-line unicorn/no-thenable
    ['returns something whose then throws', () => ({ then: () => expectThrow(outage()) })],
  ])('counts back when a task %s', async (_how, task) => {
    const gateway = new Gateway('a', { ejection: EJECTION });
    await gateway.call(task);
    expectInFlight(gateway, 'a 0', 'the task has ended');
  });

  it('counts as long as something with a then takes', async () => {
    const gateway = new Gateway('a');
    let end = () => {};
    const thenable = {
      // oxlint-disable-next-line unicorn/no-thenable
      then(resolve: (value: string) => void) {
        end = () => resolve(PRICE);
      },
    };
    await gateway.call(() => thenable);
    expectInFlight(gateway, 'a 1', 'the thenable has not settled');
    end();
    await settle();
    expectInFlight(gateway, 'a 0', 'the thenable has settled');
  });

  it.each([PRICE, outage()])('has counted back when the caller has its answer: %s', async (end) => {
    const gateway = new Gateway('a');
    let then = 'never told';
    const call = gateway.callNow(undefined, () => {
      then = gateway.inFlight;
    });
    await settle();
    await call.ends(end);
    expect(then, 'calls in flight, in the step in which the caller is told').toBe('a 0');
  });

  it.each(['a b c', 'a:10 b:10 c:10'])(
    'chooses the host with the fewest calls in flight: %s',
    async (hosts) => {
      const gateway = new Gateway(hosts, { policy: 'least-in-flight' });
      const calls = await gateway.callsAtOnce(9);
      expectInFlight(gateway, 'a 3, b 3, c 3', 'nine calls in one instant');
      const atB = calls.filter(({ host }) => host === 'b');
      for (const call of atB) await call.ends(PRICE);
      expectInFlight(gateway, 'a 3, b 0, c 3', 'b has answered all its calls');
      const next = await gateway.callsAtOnce(3);
      const what = 'b has fewer: where three calls go';
      expect(next.map(({ host }) => host).join(' '), what).toBe('b b b');
    },
  );

  it.each(['least-in-flight', 'two-choices'] as const)(
    'sees the call whose task calls again: %s',
    async (policy) => {
      const gateway = new Gateway('a b', { policy });
      let inner: Call | undefined;
      const outer = await gateway.call(() => {
        inner = gateway.callNow();
        return new Promise(() => {});
      });
      await settle();
      const other = outer.host === 'a' ? 'b' : 'a';
      expect(inner?.host, `the outer call is in flight at ${outer.host}: the inner one`).toBe(
        other,
      );
    },
  );

  it('gives a slow host fewer calls', async () => {
    const gateway = new Gateway('a b c', { policy: 'least-in-flight' });
    const hosts: string[] = [];
    for (let nth = 0; nth < 40; nth += 1) {
      const call = await gateway.call();
      hosts.push(call.host);
      if (call.host !== 'a') await call.ends(PRICE);
    }
    expect(countIn(hosts, 'a'), 'a does not answer, the others do at once: calls to a').toBe(1);
  });

  it.each(['least-in-flight', 'two-choices'] as const)(
    'does not prefer the beginning of the list among equals: %s',
    async (policy) => {
      const gateway = new Gateway('a b c', { policy });
      const hosts: string[] = [];
      for (let nth = 0; nth < 60; nth += 1) hosts.push(...(await gateway.chosen(1)));
      for (const name of ['a', 'b', 'c']) {
        const what = `60 calls one after another, nothing else in flight: calls to ${name}`;
        expectBetween(countIn(hosts, name), 5, 50, what);
      }
    },
  );

  it.each(['least-in-flight', 'two-choices'] as const)(
    'looks at the weights, too: %s',
    async (policy) => {
      const gateway = new Gateway('a:3 b:1', { policy });
      await gateway.callsAtOnce(40);
      const inFlight = gateway.balancer.hosts().find(({ name }) => name === 'a')?.inFlight ?? 0;
      const what = 'weights 3 and 1, 40 calls in flight: those of a';
      expectBetween(inFlight, 28, 32, what);
    },
  );

  /** The four servers have 0, 2, 1 and 3 calls in flight. */
  async function unevenly(random = chance()): Promise<Gateway> {
    const gateway = new Gateway('a b c d', { policy: 'two-choices', random });
    for (const wanted of [
      { b: 1, c: 1, d: 1 },
      { b: 2, c: 1, d: 2 },
      { b: 2, c: 1, d: 3 },
    ]) {
      const has = (name: string) =>
        gateway.balancer.hosts().find((host) => host.name === name)?.inFlight ?? 0;
      for (
        let nth = 0;
        nth < 400 && Object.entries(wanted).some(([n, w]) => has(n) < w);
        nth += 1
      ) {
        const call = await gateway.call();
        const most = Object.entries(wanted).find(([name]) => name === call.host)?.[1] ?? 0;
        if (has(call.host) > most) await call.ends(PRICE);
      }
    }
    expectInFlight(gateway, 'a 0, b 2, c 1, d 3', 'this is how it begins');
    return gateway;
  }

  it('takes the better of two, and not the best of all', async () => {
    const gateway = await unevenly();
    const hosts: string[] = [];
    for (let nth = 0; nth < 600; nth += 1) hosts.push(...(await gateway.chosen(1)));
    const what = 'a, b, c, d have 0, 2, 1, 3 in flight, 600 calls, one by one';
    expectBetween(countIn(hosts, 'd'), 0, 0, `${what}; to d, which loses against all`);
    expectBetween(countIn(hosts, 'a'), 250, 350, `${what}; to a, which is in every second pair`);
    expectBetween(countIn(hosts, 'c'), 152, 248, `${what}; to c, which wins two pairs of six`);
    expectBetween(countIn(hosts, 'b'), 61, 139, `${what}; to b, which wins one pair of six`);
  });

  it.each(['round-robin', 'least-in-flight', 'two-choices'] as const)(
    'takes its chances from the random it was given: %s',
    async (policy) => {
      const choices = async (seed: number) => {
        const gateway = new Gateway('a b c d', { policy, random: chance(seed) });
        return (await gateway.callsAtOnce(40)).map(({ host }) => host).join(' ');
      };
      expect(await choices(1), 'the same chance twice: where 40 calls go').toBe(await choices(1));
      if (policy !== 'two-choices') return;
      const what = 'another chance: where 40 calls go';
      expect(await choices(2), what).not.toBe(await choices(1));
    },
  );

  it.each(['a', 'a b', 'a b c'])('takes 0 and almost 1 from random as well: %s', async (hosts) => {
    let nth = 0;
    const random = () => (nth++ % 2 ? 1 - 2 ** -53 : 0);
    const gateway = new Gateway(hosts, { policy: 'two-choices', random });
    for (const { host } of await gateway.callsAtOnce(12)) {
      expect(hosts.split(' '), 'a call goes to one of the servers').toContain(host);
    }
  });

  it('keeps what it knows of a host that stays', async () => {
    const gateway = new Gateway('a b', { policy: 'least-in-flight' });
    await gateway.callsAtOnce(4);
    gateway.setHosts('c b a:1');
    expectInFlight(gateway, 'a 2, b 2, c 0', 'c is new, the others stay');
    const next = await gateway.callsAtOnce(2);
    expect(next.map(({ host }) => host).join(' '), 'where two calls go').toBe('c c');
  });

  it('lets the calls of a host go on that is taken off the list', async () => {
    const gateway = new Gateway('a b');
    const [call] = await gateway.callsAt('b', 1);
    if (!call) return;
    gateway.setHosts('a');
    await settle();
    expectReport(gateway, 'b', 'not on the list', 'b was taken off');
    expectTold(call, 'nothing yet', 'b was taken off, its call is under way');
    await call.ends(PRICE);
    expectTold(call, price, 'b has answered after all');
    expectReport(gateway, 'b', 'not on the list', 'b has answered, and is still off');
  });

  it.each([PRICE, outage()])(
    'takes a name that is added again for a new host: the old call ends with %s',
    async (end) => {
      const gateway = new Gateway('a b');
      const [old] = await gateway.callsAt('b', 1);
      gateway.setHosts('a');
      gateway.setHosts('a b');
      expectInFlight(gateway, 'a 0, b 0', 'the old b had a call in flight, the new one has none');
      await gateway.callsAt('b', 1);
      expectInFlight(gateway, 'a 0, b 1', 'the new b has a call');
      await old?.ends(end);
      expectInFlight(gateway, 'a 0, b 1', 'the call of the old b has ended');
    },
  );
});

function expectThrow(error: unknown): never {
  throw error;
}

describe('4 · ejection', () => {
  const ejecting = (options: Partial<Ejection> = {}) => ({
    ejection: { ...EJECTION, ...options },
  });

  it('does not count errors that do not speak against the host', async () => {
    const gateway = new Gateway('a b c', ejecting());
    await gateway.failsAt('b', 20, notFound);
    await expectChosen(gateway, 'a b c', 'b has answered 404 twenty times');
    await gateway.failsAt('b', 2);
    await gateway.failsAt('b', 1, notFound);
    await gateway.failsAt('b', 1);
    await expectChosen(gateway, 'a c', 'b has failed three times, a 404 in between is no success');
  });

  it.each([1, 3, 5])('ejects a host after %i failures in a row', async (failures) => {
    const gateway = new Gateway('a b c', ejecting({ failures }));
    await gateway.failsAt('b', failures - 1);
    const before = `b has failed ${plural(failures - 1, 'time')}, ${failures} are too many`;
    await expectChosen(gateway, 'a b c', before);
    await advance(3_600_000);
    await gateway.failsAt('b', 1);
    const because = `b has failed ${plural(failures, 'time')} in a row, the last an hour later`;
    expectReport(gateway, 'b', '0 in flight, ejected, healthy', because);
    await expectChosen(gateway, 'a c', because);
  });

  it('asks isFailure about the very error', async () => {
    const asked: unknown[] = [];
    const ejection = { ...EJECTION, isFailure: (error: unknown) => asked.push(error) > 0 };
    const gateway = new Gateway('a', { ejection });
    const error = outage();
    await (await gateway.call()).ends(error);
    await (await gateway.call()).ends(PRICE);
    expect(asked.length, 'one call failed, one went well: how often isFailure was asked').toBe(1);
    expect(asked[0] === error, 'isFailure was asked about the very error').toBe(true);
  });

  it('counts a task that throws like one that rejects', async () => {
    const gateway = new Gateway('a b', ejecting({ failures: 4 }));
    const isDown = (host: string) => (host === 'b' ? expectThrow(outage()) : PRICE);
    for (let nth = 0; nth < 8; nth += 1) await gateway.call(isDown);
    await expectChosen(gateway, 'a', 'the task threw at b, four times');
  });

  it('forgets earlier failures after a success', async () => {
    const gateway = new Gateway('a b c', ejecting());
    for (let round = 0; round < 4; round += 1) {
      await gateway.failsAt('b', 2);
      await gateway.answersAt('b');
    }
    await expectChosen(gateway, 'a b c', 'b has never failed three times in a row');
  });

  it('counts for each host', async () => {
    const gateway = new Gateway('a b c', ejecting());
    for (const host of ['a', 'b', 'c']) await gateway.failsAt(host, 2);
    await expectChosen(gateway, 'a b c', 'each has failed twice, six times in all');
    await gateway.failsAt('b', 1);
    await expectChosen(gateway, 'a c', 'b has failed three times');
    await gateway.answersAt('a');
    await gateway.answersAt('c');
    await expectChosen(gateway, 'a c', 'others went well, b is ejected');
  });

  it('lets it come back after its time, exactly', async () => {
    const gateway = new Gateway('a b c', ejecting());
    await gateway.failsAt('b', 3);
    await advance(29_999);
    await expectChosen(gateway, 'a c', 'b was ejected for 30 s, 29.999 s ago');
    await advance(1);
    expectReport(gateway, 'b', '0 in flight, not ejected, healthy', 'after 30 s');
    await expectChosen(gateway, 'a b c', 'b was ejected for 30 s, 30 s ago');
  });

  it('lets it come back with no failures', async () => {
    const gateway = new Gateway('a b c', ejecting());
    await gateway.failsAt('b', 3);
    await advance(30_000);
    await gateway.failsAt('b', 2);
    await expectChosen(gateway, 'a b c', 'b is back, and has failed twice since then');
    await gateway.failsAt('b', 1);
    await expectChosen(gateway, 'a c', 'b is back, and has failed three times since then');
  });

  it('counts the time from the failure, not from the beginning of the call', async () => {
    const gateway = new Gateway('a b', ejecting({ failures: 1 }));
    const [call] = await gateway.callsAt('b', 1);
    await advance(20_000);
    await call?.ends(outage());
    await advance(29_999);
    await expectChosen(gateway, 'a', 'b failed 29.999 s ago, after a call of 20 s');
    await advance(1);
    await expectChosen(gateway, 'a b', 'b failed 30 s ago');
  });

  async function expectEjectedFor(gateway: Gateway, ms: number, because: string) {
    await gateway.failsAt('b', 3);
    await advance(ms - 1);
    expect(gateway.isEjected('b'), `${because}: b, after ${ms - 1} ms`).toBe('ejected');
    await advance(1);
    expect(gateway.isEjected('b'), `${because}: b, after ${ms} ms`).toBe('not ejected');
  }

  it('ejects it for longer each time, up to a limit', async () => {
    const gateway = new Gateway('a b c', ejecting());
    await expectEjectedFor(gateway, 30_000, 'the first time');
    await expectEjectedFor(gateway, 60_000, 'the second time in a row');
    await advance(3_600_000);
    await expectEjectedFor(gateway, 90_000, 'the third time, an hour later, with no success since');
    await expectEjectedFor(gateway, 100_000, 'the fourth time, and 100 s is the limit');
    await expectEjectedFor(gateway, 100_000, 'the fifth time, and 100 s is the limit');
  });

  it('begins with the shortest time again after a success', async () => {
    const gateway = new Gateway('a b c', ejecting());
    await expectEjectedFor(gateway, 30_000, 'the first time');
    await expectEjectedFor(gateway, 60_000, 'the second time in a row');
    await gateway.answersAt('b');
    await expectEjectedFor(gateway, 30_000, 'b has answered since the last time');
    await gateway.failsAt('b', 1, notFound);
    await expectEjectedFor(gateway, 60_000, 'b has answered 404 since the last time, no success');
  });

  it('does not hold it against others', async () => {
    const gateway = new Gateway('a b c d', ejecting());
    await gateway.failsAt('a', 3);
    await advance(30_000);
    await gateway.failsAt('a', 3);
    await expectEjectedFor(gateway, 30_000, 'a was ejected twice, b never was');
  });

  it('learns nothing from calls that were under way when it was ejected', async () => {
    const gateway = new Gateway('a b c', ejecting());
    const calls = await gateway.callsAt('b', 15);
    for (const call of calls.slice(0, 3)) call.endsNow(outage());
    await settle();
    await advance(10_000);
    for (const call of calls.slice(3, 9)) call.endsNow(outage());
    await settle();
    await advance(19_999);
    const six = 'b was ejected for 30 s; six calls that were under way have failed after 10 s';
    expect(gateway.isEjected('b'), `${six}: b, after 29.999 s`).toBe('ejected');
    await advance(1);
    expect(gateway.isEjected('b'), `${six}: b, after 30 s`).toBe('not ejected');
    for (const call of calls.slice(9, 12)) call.endsNow(outage());
    await settle();
    await expectChosen(gateway, 'a b c', 'b is back; three calls from before have failed');
    await gateway.failsAt('b', 2);
    calls[12]?.endsNow(PRICE);
    await settle();
    await gateway.failsAt('b', 1);
    await expectChosen(gateway, 'a c', 'b has failed three times; an answer is from before');
    await advance(30_000);
    const row = 'ejected twice in a row, with an answer in between that is from before; after 30 s';
    expect(gateway.isEjected('b'), `${row}: b`).toBe('ejected');
  });

  it('ejects no more than so many at once', async () => {
    const gateway = new Gateway('a b c d e', ejecting());
    for (const host of ['a', 'b', 'c', 'd']) await gateway.failsAt(host, 3);
    await expectChosen(gateway, 'c d e', 'four of five have failed, at most half may be ejected');
  });

  it('ejects one that had to stay at its next failure, when there is room', async () => {
    const gateway = new Gateway('a b c d', ejecting({ maxPercent: 25 }));
    await gateway.failsAt('a', 3);
    await gateway.failsAt('b', 6);
    await expectChosen(gateway, 'b c d', 'a is ejected, only one of four may be');
    await advance(30_000);
    await expectChosen(gateway, 'a b c d', 'a is back; b has not been called since then');
    await gateway.failsAt('b', 1);
    await expectChosen(gateway, 'a c d', 'b has failed once more, the seventh time in a row');
    expect(gateway.isEjected('b'), 'and hosts() says of b').toBe('ejected');
    await advance(30_000);
    expect(gateway.isEjected('b'), 'it was the first ejection of b: b, after 30 s').toBe(
      'not ejected',
    );
  });

  it.each([
    ['10 % of five', 10, 'a b c d e', 'a b c d e'],
    ['19 % of five', 19, 'a b c d e', 'a b c d e'],
    ['20 % of five', 20, 'a b c d e', 'b c d e'],
    ['20 % of five, whatever their weights,', 20, 'a:9 b c d e', 'b c d e'],
    ['66 % of three', 66, 'a b c', 'b c'],
    ['0 % of two', 0, 'a b', 'a b'],
  ])('rounds down how many may be ejected: %s', async (given, maxPercent, hosts, left) => {
    const gateway = new Gateway(hosts, ejecting({ maxPercent }));
    await gateway.failsAt('a', 4);
    if (maxPercent === 66) await gateway.failsAt('b', 4);
    await expectChosen(gateway, left, `at most ${given} may be ejected`);
  });

  it('counts for the limit who is on the list', async () => {
    const gateway = new Gateway('a b c d', ejecting({ maxPercent: 25 }));
    await gateway.failsAt('a', 3);
    gateway.setHosts('b c d e');
    await gateway.failsAt('b', 3);
    await expectChosen(gateway, 'c d e', 'a was ejected and has left, so b may be ejected');
    gateway.setHosts('b c d e f g h i');
    await gateway.failsAt('c', 3);
    await expectChosen(gateway, 'd e f g h i', 'two of eight may be ejected');
  });

  it('protects from a host that fails fast', async () => {
    const gateway = new Gateway('a b c', { policy: 'least-in-flight', ...ejecting() });
    let failures = 0;
    for (let nth = 0; nth < 40; nth += 1) {
      const call = await gateway.call();
      if (call.host !== 'b') continue;
      failures += 1;
      await call.ends(outage());
    }
    expect(failures, 'b fails at once, the others take their time: calls to b').toBe(3);
  });

  it('gives the neighbors of an ejected host no more than others', async () => {
    const gateway = new Gateway('a b c d e', ejecting());
    await gateway.failsAt('c', 3);
    const chosen = await gateway.chosen(80);
    expectAlike(chosen, 'a b d e', 'c is ejected');
    await advance(30_000);
    const since = await gateway.chosen(50);
    expectShares(since, 'a b c d e', 'c is back from its ejection; ');
  });

  it.each([-3_600_000, 3_600_000])(
    'does not mind when the wall clock is set by %i ms',
    async (ms) => {
      const gateway = new Gateway('a b c', ejecting());
      await gateway.failsAt('b', 3);
      stepWallClock(ms);
      await advance(29_999);
      expect(gateway.isEjected('b'), 'b was ejected for 30 s, 29.999 s ago: b').toBe('ejected');
      await advance(1);
      expect(gateway.isEjected('b'), 'b was ejected for 30 s, 30 s ago: b').toBe('not ejected');
    },
  );

  it('keeps what it knows of a host that stays on the list', async () => {
    const gateway = new Gateway('a b c d', ejecting());
    await gateway.failsAt('b', 3);
    await gateway.failsAt('c', 2);
    gateway.setHosts('e d c b:3 a');
    await expectChosen(gateway, 'a c d e', 'b is ejected, and a new list has come');
    await gateway.failsAt('c', 1);
    await expectChosen(gateway, 'a d e', 'c has failed twice before the new list, and once since');
    await advance(30_000);
    const because = 'b and c are back, and the list gave b the weight 3 meanwhile; ';
    expectShares(await gateway.chosen(60), 'a b:3 c d e', because);
  });

  it('knows nothing of a host that is added again', async () => {
    const gateway = new Gateway('a b c d', ejecting());
    await gateway.failsAt('b', 3);
    const late = await gateway.callsAt('c', 3);
    gateway.setHosts('a d');
    gateway.setHosts('a b c d');
    await expectChosen(gateway, 'a b c d', 'b was ejected, left, and is added again');
    for (const call of late) call.endsNow(outage());
    await settle();
    await expectChosen(gateway, 'a b c d', 'three calls of the old c have failed, c is a new one');
    for (const host of ['a', 'd']) await gateway.failsAt(host, 3);
    const half =
      'a and d have failed; half of four may be ejected, and the old c is not of the four';
    await expectChosen(gateway, 'b c', half);
  });

  it('ejects nobody unless it is asked for', async () => {
    const gateway = new Gateway('a b c');
    await gateway.failsAt('b', 30);
    await expectChosen(gateway, 'a b c', 'b has failed thirty times, there is no `ejection`');
  });
});

// ── Checks, played by the spec ──────────────────────────────────────────────────────────────────────────

type Health = 'passes' | 'fails' | 'throws' | 'hangs';

interface CheckUnderWay {
  readonly host: string;
  readonly beganAt: number;
  readonly signal: AbortSignal;
  endedAt: number | undefined;
  readonly passes: () => void;
  readonly fails: () => void;
}

/** What the servers answer when they are asked how they are. */
class Checks {
  readonly begun: CheckUnderWay[] = [];
  /** All others pass. */
  readonly health: Record<string, Health> = {};
  readonly check: Check;

  constructor(check: Partial<Check> = {}) {
    const run = (host: string, signal: AbortSignal) => this.#run(host, signal);
    this.check = {
      run,
      intervalMs: 10_000,
      timeoutMs: 2_000,
      unhealthyAfter: 3,
      healthyAfter: 2,
      ...check,
    };
  }

  of(host: string): CheckUnderWay[] {
    return this.begun.filter((check) => check.host === host);
  }

  /** The check of a host that is under way, or the next one to begin. */
  async next(host: string): Promise<CheckUnderWay> {
    const underWay = () => this.of(host).find((check) => !this.#hasEnded(check));
    await settle();
    for (let step = 0; !underWay() && step <= 40; step += 1) await advance(500);
    return underWay() ?? expect.fail(`server ${host} is not checked any more`);
  }

  /** Time goes on until so many more checks of a host have ended, by timeout or otherwise. */
  async more(host: string, count: number): Promise<void> {
    const ended = () => this.of(host).filter((check) => this.#hasEnded(check)).length;
    const until = ended() + count;
    const stepMs = this.check.intervalMs / 4;
    for (let step = 0; ended() < until; step += 1) {
      if (step > 12 * (count + 1)) expect.fail(`server ${host} is not checked any more`);
      await advance(stepMs);
    }
  }

  #hasEnded({ endedAt, beganAt }: CheckUnderWay): boolean {
    return endedAt !== undefined || performance.now() >= beganAt + this.check.timeoutMs;
  }

  #run(host: string, signal: AbortSignal): Promise<unknown> {
    if (!(signal instanceof AbortSignal)) expect.fail('a check should be given a signal');
    const { promise, resolve, reject } = withResolvers();
    const end = (settles: () => void) => {
      check.endedAt = performance.now();
      settles();
    };
    const check: CheckUnderWay = {
      host,
      beganAt: performance.now(),
      signal,
      endedAt: undefined,
      passes: () => end(() => resolve(undefined)),
      fails: () => end(() => reject(new Error(`${host} did not answer its check`))),
    };
    this.begun.push(check);
    const health = this.health[host] ?? 'passes';
    if (health === 'passes') check.passes();
    if (health === 'fails') check.fails();
    if (health === 'throws') {
      check.endedAt = performance.now();
      throw new Error(`the check of ${host} threw`);
    }
    return promise;
  }
}

function withResolvers() {
  let resolve: (value: unknown) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<unknown>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}

describe('5 · checks', () => {
  interface Given {
    readonly health?: Record<string, Health>;
    readonly check?: Partial<Check>;
    readonly ejection?: Ejection;
  }

  function checking(hosts: string, { health = {}, check = {}, ...options }: Given = {}) {
    const checks = new Checks(check);
    Object.assign(checks.health, health);
    return { checks, gateway: new Gateway(hosts, { check: checks.check, ...options }) };
  }

  it('begins with all of them', async () => {
    const { gateway } = checking('a b c', { health: { b: 'hangs' } });
    await expectChosen(gateway, 'a b c', 'no check has ended');
    expectReport(gateway, 'b', '0 in flight, not ejected, healthy', 'no check has ended');
  });

  it.each(['fails', 'throws', 'hangs'] as const)(
    'leaves a host out after so many checks in a row, each of which %s',
    async (health) => {
      const { gateway, checks } = checking('a b c');
      await checks.more('b', 1);
      checks.health['b'] = health;
      await checks.more('b', 2);
      await expectChosen(gateway, 'a b c', 'two checks of b have failed, three are too many');
      await checks.more('b', 1);
      const because = 'three checks of b have failed in a row';
      expectReport(gateway, 'b', '0 in flight, not ejected, unhealthy', because);
      await expectChosen(gateway, 'a c', because);
    },
  );

  it('takes a host back after so many checks in a row that passed', async () => {
    const { gateway, checks } = checking('a b c');
    checks.health['b'] = 'fails';
    await checks.more('b', 3);
    checks.health['b'] = 'passes';
    await checks.more('b', 1);
    await expectChosen(gateway, 'a c', 'b was unhealthy; one check has passed, two are needed');
    await checks.more('b', 1);
    await expectChosen(gateway, 'a b c', 'b was unhealthy; two checks have passed in a row');
    expectReport(gateway, 'b', '0 in flight, not ejected, healthy', 'two checks have passed');
  });

  it('counts checks in a row only', async () => {
    const { gateway, checks } = checking('a b');
    for (let round = 0; round < 3; round += 1) {
      checks.health['b'] = 'fails';
      await checks.more('b', 2);
      checks.health['b'] = 'passes';
      await checks.more('b', 1);
    }
    await expectChosen(gateway, 'a b', 'three checks of b have never failed in a row');
    checks.health['b'] = 'fails';
    await checks.more('b', 3);
    await expectChosen(gateway, 'a', 'now three have');
    for (let round = 0; round < 3; round += 1) {
      checks.health['b'] = 'passes';
      await checks.more('b', 1);
      checks.health['b'] = 'fails';
      await checks.more('b', 1);
    }
    await expectChosen(gateway, 'a', 'two checks of b have never passed in a row');
    checks.health['b'] = 'passes';
    await checks.more('b', 2);
    checks.health['b'] = 'fails';
    await checks.more('b', 2);
    await expectChosen(gateway, 'a b', 'b is healthy again, and two checks have failed since');
  });

  it('believes one check if it is told to', async () => {
    const { gateway, checks } = checking('a b', { check: { unhealthyAfter: 1, healthyAfter: 1 } });
    checks.health['b'] = 'fails';
    await checks.more('b', 1);
    await expectChosen(gateway, 'a', 'one failed check is enough here');
    checks.health['b'] = 'passes';
    await checks.more('b', 1);
    await expectChosen(gateway, 'a b', 'one passed check is enough here');
  });

  it('checks each host every so often', async () => {
    const { checks } = checking('a b c', { health: { b: 'fails' } });
    await advance(10_000);
    for (const host of ['a', 'b', 'c']) {
      expect(checks.of(host).length, `${host} is first checked within 10 s`).toBeGreaterThan(0);
    }
    await advance(90_000);
    for (const host of ['a', 'b', 'c']) {
      const begun = checks.of(host).map(({ beganAt }) => beganAt);
      for (const [nth, at] of begun.slice(1).entries()) {
        const what = `checks of ${host} end at once, and are made every 10,000 ms: ms between two`;
        expectBetween(at - (begun[nth] ?? 0), 10_000, 10_005, what);
      }
      expectBetween(begun.length, 10, 11, `checks of ${host} in 100 s, one every 10 s`);
    }
  });

  it('never has two checks of a host under way', async () => {
    const { checks } = checking('a b', { check: { timeoutMs: 15_000 }, health: { b: 'hangs' } });
    await advance(150_000);
    const begun = checks.of('b').map(({ beganAt }) => beganAt);
    for (const [nth, at] of begun.slice(1).entries()) {
      const what =
        'each check of b hangs until its timeout of 15,000 ms: ms between two beginnings';
      expectBetween(at - (begun[nth] ?? 0), 15_000, 25_005, what);
    }
    expectBetween(begun.length, 6, 10, 'checks of b in 150 s');
  });

  it('waits for a check that is slow', async () => {
    const { gateway, checks } = checking('a b', {
      check: { timeoutMs: 15_000, unhealthyAfter: 1 },
      health: { b: 'hangs' },
    });
    for (let round = 1; round <= 3; round += 1) {
      const check = await checks.next('b');
      await advance(check.beganAt + 11_000 - performance.now());
      const because = `a check of b takes 11 s, it may take 15; round ${round}`;
      expect(checks.of('b').at(-1) === check, `${because}: it is the last that began`).toBe(true);
      expect(check.signal.aborted, `${because}: its signal has aborted`).toBe(false);
      check.passes();
      await settle();
      expectReport(gateway, 'b', '0 in flight, not ejected, healthy', because);
    }
  });

  it('checks others while one hangs', async () => {
    const { gateway, checks } = checking('a b c', {
      check: { timeoutMs: 30_000 },
      health: { a: 'hangs' },
    });
    checks.health['c'] = 'fails';
    await advance(35_000);
    await expectChosen(gateway, 'a b', 'a check of a hangs, c has failed three in the meantime');
  });

  it('gives up after the timeout, exactly, and says so', async () => {
    const { gateway, checks } = checking('a b', {
      check: { unhealthyAfter: 1 },
      health: { b: 'hangs' },
    });
    const check = await checks.next('b');
    await advance(check.beganAt + 1_999 - performance.now());
    expectReport(gateway, 'b', '0 in flight, not ejected, healthy', 'a check hangs for 1,999 ms');
    expect(check.signal.aborted, 'a check hangs for 1,999 ms: its signal has aborted').toBe(false);
    await advance(1);
    expectReport(gateway, 'b', '0 in flight, not ejected, unhealthy', 'it hangs for 2,000 ms');
    expect(check.signal.aborted, 'a check hangs for 2,000 ms: its signal has aborted').toBe(true);
    const next = await checks.next('b');
    expect(next.signal.aborted, 'the next check has begun: its signal has aborted').toBe(false);
  });

  it('ignores what comes of a check after its timeout', async () => {
    const { gateway, checks } = checking('a b', {
      check: { unhealthyAfter: 2, healthyAfter: 1 },
      health: { b: 'hangs' },
    });
    await checks.more('b', 1);
    checks.of('b').at(-1)?.fails();
    await settle();
    const one = 'a check of b has timed out, and rejected later: that is one failure, not two';
    expectReport(gateway, 'b', '0 in flight, not ejected, healthy', one);
    const late = checks.of('b').at(-1);
    checks.health['b'] = 'fails';
    await checks.more('b', 1);
    const two = 'two checks of b have failed, the first by its timeout';
    expectReport(gateway, 'b', '0 in flight, not ejected, unhealthy', two);
    checks.health['b'] = 'hangs';
    await checks.more('b', 1);
    checks.of('b').at(-1)?.passes();
    late?.passes();
    await settle();
    const old = 'b is unhealthy; a check that has timed out passes after all';
    expectReport(gateway, 'b', '0 in flight, not ejected, unhealthy', old);
  });

  it('does not let an old check end the row of newer ones', async () => {
    const { gateway, checks } = checking('a b', {
      check: { unhealthyAfter: 2 },
      health: { b: 'hangs' },
    });
    await checks.more('b', 1);
    checks.of('b').at(-1)?.passes();
    checks.health['b'] = 'fails';
    await checks.more('b', 1);
    const because = 'one check timed out and passed later, the next one failed: two failures';
    expectReport(gateway, 'b', '0 in flight, not ejected, unhealthy', because);
  });

  it('checks a host that is added, and only once', async () => {
    const { gateway, checks } = checking('a b', { check: { unhealthyAfter: 2 } });
    checks.health['c'] = 'fails';
    gateway.setHosts('a b c');
    gateway.setHosts('c b a');
    gateway.setHosts('a:2 b c');
    await advance(10_000);
    expect(checks.of('c').length, 'c was added 10 s ago: its checks').toBeGreaterThan(0);
    await advance(10_000);
    await expectChosen(gateway, 'a b', 'c was added, and both its checks have failed');
    for (const host of ['a', 'b', 'c']) {
      const what = `the list came four times in 20 s, ${host} is to be checked every 10 s: checks`;
      expectBetween(checks.of(host).length, 2, 3, what);
    }
  });

  it('ends the checks of a host that is taken off', async () => {
    const { gateway, checks } = checking('a b', {
      check: { timeoutMs: 60_000 },
      health: { b: 'hangs' },
    });
    await advance(10_000);
    const before = checks.of('b').length;
    gateway.setHosts('a');
    await settle();
    const check = checks.of('b').at(-1);
    expect(check?.signal.aborted, 'b has left: the signal of its check has aborted').toBe(true);
    await advance(100_000);
    expect(checks.of('b').length - before, 'b has left: further checks in 100 s').toBe(0);
    expectBetween(checks.of('a').length, 11, 12, 'a has stayed: checks in 110 s');
  });

  it('does not take the check of an old host for one of a new host', async () => {
    const check = { timeoutMs: 60_000, unhealthyAfter: 1 };
    const { gateway, checks } = checking('a b', { check, health: { b: 'hangs' } });
    await advance(10_000);
    const old = checks.of('b').at(-1);
    gateway.setHosts('a');
    await settle();
    checks.health['b'] = 'passes';
    gateway.setHosts('a b');
    await settle();
    old?.fails();
    await settle();
    const because = 'the check of the old b has failed, b was added again';
    expectReport(gateway, 'b', '0 in flight, not ejected, healthy', because);
    const before = checks.of('b').length;
    await advance(50_000);
    const what = 'b was added again, and is checked every 10 s: checks in 50 s';
    expectBetween(checks.of('b').length - before, 4, 6, what);
  });

  it('is over when it is stopped', async () => {
    const { gateway, checks } = checking('a b c', {
      check: { timeoutMs: 60_000 },
      health: { b: 'hangs' },
    });
    await advance(10_000);
    const before = checks.begun.length;
    const hanging = checks.of('b').at(-1);
    gateway.balancer.stop();
    await settle();
    expect(hanging?.signal.aborted, 'stopped: the signal of a check has aborted').toBe(true);
    hanging?.fails();
    await advance(LONGEST_MS);
    expect(checks.begun.length - before, 'stopped: checks that began after that').toBe(0);
    expect(pendingTimers(), 'stopped: timers that are still set long after that').toBe(0);
    gateway.balancer.stop();
  });

  it('does not end an ejection because a check has passed', async () => {
    const { gateway, checks } = checking('a b c', { ejection: EJECTION });
    await gateway.failsAt('b', 3);
    await checks.more('b', 2);
    expect(gateway.isEjected('b'), 'b was ejected, and two checks have passed: b').toBe('ejected');
    await advance(30_000);
    await expectChosen(gateway, 'a b c', 'the ejection of b is over');
  });

  it('does not count failed checks as failed calls, or the other way round', async () => {
    const { gateway, checks } = checking('a b c d', { ejection: EJECTION });
    await gateway.failsAt('b', 2);
    checks.health['b'] = 'fails';
    await checks.more('b', 2);
    const because = 'two calls and two checks of b have failed, three of a kind are too many';
    expectReport(gateway, 'b', '0 in flight, not ejected, healthy', because);
    await gateway.failsAt('b', 1);
    await checks.more('b', 1);
    const both = 'three calls and three checks of b have failed';
    expectReport(gateway, 'b', '0 in flight, ejected, unhealthy', both);
    await advance(20_000);
    await expectChosen(gateway, 'a c d', 'the ejection of b is over, but it is unhealthy');
  });

  it('does not let checks end a row of calls, or the other way round', async () => {
    const { gateway, checks } = checking('a b', { ejection: EJECTION });
    const failsAndPasses = async () => {
      checks.health['b'] = 'fails';
      await checks.more('b', 3);
      checks.health['b'] = 'passes';
      await checks.more('b', 2);
    };
    await gateway.failsAt('b', 3);
    await failsAndPasses();
    await gateway.failsAt('b', 2);
    await failsAndPasses();
    await gateway.failsAt('b', 1);
    const third = 'two calls of b failed, then its checks failed and passed, then one more call';
    expectReport(gateway, 'b', '0 in flight, ejected, healthy', third);
    await advance(59_999);
    const second = 'b is ejected for the second time, and only checks have passed in between';
    expect(gateway.isEjected('b'), `${second}: b, after 59.999 s`).toBe('ejected');
    await advance(1);
    checks.health['b'] = 'fails';
    await checks.more('b', 2);
    await gateway.answersAt('b');
    await checks.more('b', 1);
    const checked = 'three checks of b have failed in a row, and a call has gone well in between';
    expectReport(gateway, 'b', '0 in flight, not ejected, unhealthy', checked);
  });

  it('does not let an answer make a host healthy', async () => {
    const { gateway, checks } = checking('a b', {
      check: { unhealthyAfter: 1 },
      ejection: EJECTION,
    });
    const calls = await gateway.callsAt('b', 3);
    checks.health['b'] = 'fails';
    await checks.more('b', 1);
    for (const call of calls) call.endsNow(PRICE);
    await settle();
    await expectChosen(gateway, 'a', 'b is unhealthy by its checks; three calls have gone well');
  });

  it('does not count unhealthy hosts as ejected', async () => {
    const ejection = { ...EJECTION, maxPercent: 25 };
    const { gateway, checks } = checking('a b c d', { check: { unhealthyAfter: 1 }, ejection });
    checks.health['b'] = 'fails';
    await checks.more('b', 1);
    await gateway.failsAt('c', 3);
    await expectChosen(gateway, 'a d', 'b is unhealthy, and one of four may be ejected: c');
  });
});

describe('6 · panic and slow start', () => {
  const ejection = { ...EJECTION, maxPercent: 100 };

  /** Makes hosts unhealthy by their checks, at once. */
  async function without(out: string, hosts: string, options: GatewayOptions = {}) {
    const checks = new Checks({ intervalMs: 20_000, unhealthyAfter: 1, healthyAfter: 1 });
    for (const host of out.split(' ')) checks.health[host] = 'fails';
    const gateway = new Gateway(hosts, { check: checks.check, ejection, ...options });
    for (const host of out.split(' ').filter(Boolean)) await checks.more(host, 1);
    return { gateway, checks };
  }

  it.each([
    { panicPercent: 50, out: 'c d', hosts: 'a b c d', left: 'a b' },
    { panicPercent: 50, out: 'b c d', hosts: 'a b c d', left: 'a b c d' },
    { panicPercent: 51, out: 'c d', hosts: 'a b c d', left: 'a b c d' },
    { panicPercent: 34, out: 'b c', hosts: 'a b c', left: 'a b c' },
    { panicPercent: 33, out: 'b c', hosts: 'a b c', left: 'a' },
    { panicPercent: 67, out: 'c', hosts: 'a b c', left: 'a b c' },
    { panicPercent: 1, out: 'a b', hosts: 'a b', left: 'a b' },
    { panicPercent: 100, out: 'b', hosts: 'a b c d', left: 'a b c d' },
    { panicPercent: 50, out: 'b', hosts: 'a b:9', left: 'a' },
  ])(
    'with $panicPercent % to be left, and $out of $hosts out, calls $left',
    async ({ panicPercent, out, hosts, left }) => {
      const { gateway } = await without(out, hosts, { panicPercent });
      await expectChosen(gateway, left, `${out} of ${hosts} are unhealthy`);
    },
  );

  it.each([
    { out: 'c d', hosts: 'a b c d', left: 'a b' },
    { out: 'c d e', hosts: 'a b c d e', left: 'a b c d e' },
  ])('panics below a half if nothing is said: $out of $hosts are out', async (given) => {
    const { out, hosts, left } = given;
    const { gateway } = await without(out, hosts, { panicPercent: 'not given' });
    await expectChosen(gateway, left, `${out} of ${hosts} are unhealthy, no panicPercent is given`);
  });

  it('counts those that are ejected and those that are unhealthy, each once', async () => {
    const { gateway, checks } = await without('d', 'a b c d', { panicPercent: 50 });
    await gateway.failsAt('c', 3);
    await expectChosen(gateway, 'a b', 'c is ejected and d is unhealthy, two of four are left');
    checks.health['c'] = 'fails';
    await checks.more('c', 1);
    await expectChosen(gateway, 'a b', 'c is both by now');
    await gateway.failsAt('b', 3);
    await expectChosen(gateway, 'a b c d', 'b is ejected, too, one of four is left');
  });

  it('is over as soon as enough hosts are back', async () => {
    const gateway = new Gateway('a b c d', { ejection, panicPercent: 50 });
    await gateway.failsAt('b', 3);
    await advance(1_000);
    await gateway.failsAt('c', 3);
    await advance(1_000);
    await gateway.failsAt('d', 3);
    await expectChosen(gateway, 'a b c d', 'one of four is left');
    await advance(27_999);
    await expectChosen(gateway, 'a b c d', 'b comes back in 1 ms');
    await advance(1);
    await expectChosen(gateway, 'a b', 'b is back, two of four are left');
  });

  it('counts who is on the list', async () => {
    const { gateway } = await without('c d', 'a b c d', { panicPercent: 50 });
    gateway.setHosts('a c d');
    await expectChosen(gateway, 'a c d', 'one of three is left');
    gateway.setHosts('a c e');
    await expectChosen(gateway, 'a e', 'two of three are left');
  });

  it('learns nothing about ejected hosts in a panic', async () => {
    const gateway = new Gateway('a b', { ejection, panicPercent: 60 });
    await gateway.failsAt('b', 3);
    const under = await gateway.callsAt('b', 4);
    await gateway.failsAt('b', 9);
    await gateway.answersAt('b', 2);
    expect(gateway.isEjected('b'), 'b was called in a panic, and has answered: b').toBe('ejected');
    await advance(30_000);
    const nine = 'b was ejected for 30 s, and has failed nine times in a panic; after 30 s';
    expect(gateway.isEjected('b'), `${nine}: b`).toBe('not ejected');
    for (const call of under) call.endsNow(outage());
    await settle();
    expect(gateway.isEjected('b'), `${nine} four more calls of the panic fail: b`).toBe(
      'not ejected',
    );
    await gateway.failsAt('b', 3);
    await advance(59_999);
    const second = 'b is ejected for the second time in a row; it has answered in the panic only';
    expect(gateway.isEjected('b'), `${second}: b, after 59.999 s`).toBe('ejected');
  });

  it('learns from the others in a panic', async () => {
    const { gateway } = await without('b', 'a b c', { panicPercent: 100 });
    await gateway.failsAt('a', 2);
    await gateway.failsAt('b', 3);
    const because = 'b is unhealthy, which is a panic; three calls of b have failed, two of a';
    expectReport(gateway, 'b', '0 in flight, ejected, unhealthy', because);
    await gateway.failsAt('a', 1);
    expect(gateway.isEjected('a'), 'in the panic a has failed for the third time: a').toBe(
      'ejected',
    );
  });

  it('counts calls in flight in a panic as well', async () => {
    const { gateway } = await without('b', 'a b', { panicPercent: 60, policy: 'least-in-flight' });
    await gateway.callsAtOnce(8);
    expectInFlight(gateway, 'a 4, b 4', 'b is unhealthy, and eight calls come in a panic');
  });

  it('tells the caller when nobody is left, and runs no task', async () => {
    const { gateway } = await without('a b', 'a b', { panicPercent: 0 });
    const call = await gateway.call();
    expectTold(call, 'there is no host', 'both servers are unhealthy, and there is no panic');
    expect(call.begun, 'there is no host: how often the task has run').toBe(0);
    expectInFlight(gateway, 'a 0, b 0', 'no task has run');
  });

  it.each(['round-robin', 'least-in-flight', 'two-choices'] as const)(
    'tells the caller when the list is empty: %s',
    async (policy) => {
      const gateway = new Gateway('', { policy, panicPercent: 50 });
      const call = await gateway.call();
      expectTold(call, 'there is no host', 'the list is empty');
      expect(call.begun, 'the list is empty: how often the task has run').toBe(0);
      gateway.setHosts('a');
      expect((await gateway.call()).host, 'a is on the list now').toBe('a');
      gateway.setHosts('');
      expectTold(await gateway.call(), 'there is no host', 'the list is empty again');
    },
  );

  const slow = { slowStartMs: SLOW_START_MS };

  /** d has just come; the others have been there for long. */
  async function expectSlowStart(gateway: Gateway, how: string): Promise<void> {
    const early = countIn(await gateway.chosen(124), 'd');
    expectBetween(early, 1, 9, `d ${how}, a tenth of its weight counts; of 124 calls it got`);
    await advance(SLOW_START_MS / 2);
    const later = countIn(await gateway.chosen(140), 'd');
    expectBetween(
      later,
      14,
      26,
      `d ${how} 30 s ago, half of its weight counts; of 140 calls it got`,
    );
    await advance(SLOW_START_MS / 2);
    expectShares(await gateway.chosen(100), 'a b c d', `d ${how} 60 s ago; `);
  }

  it('lets a host that is added begin slowly', async () => {
    const gateway = new Gateway('a b c', slow);
    gateway.setHosts('a b c d');
    await expectSlowStart(gateway, 'was added');
  });

  it('lets a host begin slowly that is back from an ejection', async () => {
    const gateway = new Gateway('a b c d', { ...slow, ejection });
    await gateway.failsAt('d', 3);
    await advance(30_000);
    await expectSlowStart(gateway, 'is back from its ejection');
  });

  it('lets a host begin slowly that is healthy again', async () => {
    const { gateway, checks } = await without('d', 'a b c d', slow);
    checks.health['d'] = 'passes';
    await checks.more('d', 1);
    await expectSlowStart(gateway, 'is healthy again');
  });

  it('begins with the last of these', async () => {
    const { gateway, checks } = await without('', 'a b c d', { ...slow, ejection });
    await gateway.failsAt('d', 3);
    checks.health['d'] = 'fails';
    await checks.more('d', 1);
    await advance(60_000);
    checks.health['d'] = 'passes';
    await checks.more('d', 1);
    await expectSlowStart(gateway, 'is healthy again long after its ejection');
  });

  it('lets the first hosts begin at once', async () => {
    const gateway = new Gateway('a b c d', slow);
    expectShares(await gateway.chosen(80), 'a b c d', 'the balancer has just been made; ');
  });

  it('gives those who are out their full share in a panic', async () => {
    const { gateway, checks } = await without('', 'a b c', { ...slow, ejection, panicPercent: 50 });
    checks.health['b'] = 'fails';
    await checks.more('b', 1);
    await gateway.failsAt('c', 3);
    const chosen = await gateway.chosen(60);
    expectShares(chosen, 'a b c', 'b is unhealthy and c is ejected, which is a panic; ');
  });

  it('does not let a host begin again that stays', async () => {
    const checks = new Checks();
    const gateway = new Gateway('a b:2', { ...slow, ejection, check: checks.check });
    await gateway.answersAt('a', 3);
    await gateway.failsAt('b', 2);
    gateway.setHosts('b:2 a:2');
    await checks.more('a', 3);
    expectShares(await gateway.chosen(80), 'a:2 b:2', 'both have been there all the time; ');
  });

  it('gives less in proportion to the weight', async () => {
    const gateway = new Gateway('a:4 b:4', slow);
    gateway.setHosts('a:4 b:4 c:8');
    const early = 'a and b have weight 4; c has 8, of which a tenth counts; of 110 calls c got';
    expectBetween(countIn(await gateway.chosen(110), 'c'), 7, 13, early);
    await advance(SLOW_START_MS / 2);
    const later = 'a and b have weight 4; c has 8, of which half counts; of 120 calls c got';
    expectBetween(countIn(await gateway.chosen(120), 'c'), 33, 47, later);
    stepWallClock(-3_600_000);
    const back = `the wall clock was set back, which means nothing; ${later}`;
    expectBetween(countIn(await gateway.chosen(120), 'c'), 33, 47, back);
  });

  it.each(['least-in-flight', 'two-choices'] as const)(
    'does not give the next 20 calls to whoever has none in flight: %s',
    async (policy) => {
      const gateway = new Gateway('a', { ...slow, policy });
      await gateway.callsAtOnce(20);
      gateway.setHosts('a d');
      await gateway.callsAtOnce(20);
      const dHas = () => gateway.balancer.hosts().find(({ name }) => name === 'd')?.inFlight ?? 0;
      const early = 'a has 20 calls in flight, d was added, 20 more calls come; of these d got';
      expectBetween(dHas(), 1, 6, early);
      await advance(SLOW_START_MS);
      const before = dHas();
      await gateway.callsAtOnce(20);
      const late =
        'a has more calls in flight, d was added 60 s ago, 20 calls come; of these d got';
      expectBetween(dHas() - before, 18, 20, late);
    },
  );

  it('lets nobody begin slowly unless it is asked for', async () => {
    const gateway = new Gateway('a b', { ejection });
    gateway.setHosts('a b c');
    expectShares(await gateway.chosen(60), 'a b c', 'c was added, slowStartMs is not given; ');
    await gateway.failsAt('b', 3);
    await advance(30_000);
    expectShares(await gateway.chosen(60), 'a b c', 'b is back, slowStartMs is not given; ');
  });
});

describe('7 · whatever happens', () => {
  it('does what a balancer on paper does, step by step', async () => {
    await fc.assert(
      fc.asyncProperty(fc.noShrink(anySettings()), histories(), async (settings, history) => {
        const paper = new Paper(settings);
        const gateway = new Gateway(NAMES.slice(0, 4).join(' '), settings.optionsOn(paper));
        await settle();
        try {
          await fc.asyncModelRun(() => ({ model: paper, real: gateway }), history);
        } finally {
          await gateway.closes();
          gateways.length = 0;
        }
        await expectNoTimers(10_000);
      }),
      { seed: 20_261_128, numRuns: 40 },
    );
  });
});

const OUTAGE = outage();

// ── The balancer on paper, and what can happen to it ────────────────────────────────────────────────────

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const CHECK_MS = 1_000;
const CHECK_TIMEOUT_MS = 300;

interface Choices {
  readonly policy: BalancerOptions['policy'];
  readonly failures: number;
  readonly maxPercent: number;
  readonly panicPercent: number;
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
}

class Settings {
  readonly choices: Choices;

  constructor(choices: Choices) {
    this.choices = choices;
  }

  /** Checks are made when the balancer likes, within the rules: the paper hears how they end. */
  optionsOn(paper: Paper): Partial<BalancerOptions> {
    const { policy, failures, maxPercent, panicPercent, unhealthyAfter, healthyAfter } =
      this.choices;
    const run = (host: string) => {
      const health = paper.isChecked(host);
      if (health === 'passes') return Promise.resolve();
      return health === 'hangs' ? new Promise(() => {}) : Promise.reject(new Error('unwell'));
    };
    return {
      policy,
      panicPercent,
      ejection: { failures, baseMs: 2_000, maxMs: 5_000, maxPercent, isFailure },
      check: {
        run,
        intervalMs: CHECK_MS,
        timeoutMs: CHECK_TIMEOUT_MS,
        unhealthyAfter,
        healthyAfter,
      },
    };
  }

  /** How fast-check prints it. */
  [fc.toStringMethod] = () =>
    [
      ...Object.entries(this.choices).map(([name, value]) => `${name}: ${value}`),
      'baseMs: 2000, maxMs: 5000, the list a b c d',
      `a check every ${CHECK_MS} ms, which times out after ${CHECK_TIMEOUT_MS}`,
    ].join(', ');
}

function anySettings(): fc.Arbitrary<Settings> {
  return fc
    .record({
      policy: fc.constantFrom<BalancerOptions['policy'][]>(
        'round-robin',
        'least-in-flight',
        'two-choices',
      ),
      failures: fc.integer({ min: 1, max: 2 }),
      maxPercent: fc.constantFrom(25, 50, 100),
      panicPercent: fc.constantFrom(0, 40, 60),
      unhealthyAfter: fc.integer({ min: 1, max: 2 }),
      healthyAfter: fc.integer({ min: 1, max: 2 }),
    })
    .map((choices) => new Settings(choices));
}

interface HostOnPaper {
  readonly name: string;
  inFlight: number;
  failures: number;
  ejections: number;
  ejectedUntil: number;
  isHealthy: boolean;
  /** How many checks in a row say something else than `isHealthy`. */
  against: number;
  /** When a check that hangs will have failed. */
  timesOutAt: number | undefined;
}

interface CallOnPaper {
  readonly host: HostOnPaper;
  readonly begunAt: number;
  readonly real: Call;
}

/** The balancer as one would play it with pencil and paper. */
class Paper {
  hosts: HostOnPaper[];
  calls: CallOnPaper[] = [];
  readonly choices: Choices;
  /** What the servers answer to checks; all others pass. */
  readonly health: Record<string, Health> = {};
  /** By how many calls a host is ahead of another since both may be chosen. */
  #ahead = new Map<string, number>();

  constructor({ choices }: Settings) {
    this.choices = choices;
    this.hosts = NAMES.slice(0, 4).map((name) => newHost(name));
  }

  get candidates(): HostOnPaper[] {
    const left = this.hosts.filter((host) => host.isHealthy && !isOut(host));
    const isPanic = left.length * 100 < this.choices.panicPercent * this.hosts.length;
    return isPanic ? this.hosts : left;
  }

  isChecked(name: string): Health {
    const host = this.hosts.find((other) => other.name === name);
    if (!host) return expect.fail(`${name} is not on the list, and is checked`);
    this.passes();
    if (host.timesOutAt !== undefined) {
      return expect.fail(`a check of ${name} is under way, and another one begins`);
    }
    const health = this.health[name] ?? 'passes';
    if (health === 'hangs') host.timesOutAt = performance.now() + CHECK_TIMEOUT_MS;
    else this.#checked(host, health === 'passes');
    return health;
  }

  /** Time has passed: which checks have timed out? */
  passes(): void {
    for (const host of this.hosts) {
      if (host.timesOutAt === undefined || host.timesOutAt > performance.now()) continue;
      host.timesOutAt = undefined;
      this.#checked(host, false);
    }
  }

  #checked(host: HostOnPaper, passed: boolean): void {
    const { healthyAfter, unhealthyAfter } = this.choices;
    host.against = passed === host.isHealthy ? 0 : host.against + 1;
    if (host.against < (passed ? healthyAfter : unhealthyAfter)) return;
    host.against = 0;
    host.isHealthy = passed;
  }

  begins(host: HostOnPaper, real: Call): void {
    host.inFlight += 1;
    this.calls.push({ host, begunAt: performance.now(), real });
  }

  ends(call: CallOnPaper, how: 'answered' | 'failed' | 'not found'): void {
    const { host, begunAt } = call;
    this.calls = this.calls.filter((other) => other !== call);
    host.inFlight -= 1;
    if (how === 'not found' || begunAt < host.ejectedUntil) return;
    if (how === 'answered') {
      host.failures = 0;
      host.ejections = 0;
      return;
    }
    host.failures += 1;
    const out = this.hosts.filter(isOut).length + 1;
    const mayGo = out * 100 <= this.choices.maxPercent * this.hosts.length;
    if (host.failures < this.choices.failures || !mayGo) return;
    host.failures = 0;
    host.ejections += 1;
    host.ejectedUntil = performance.now() + Math.min(5_000, 2_000 * host.ejections);
  }

  comesOrGoes(name: string): void {
    const others = this.hosts.filter((host) => host.name !== name);
    this.hosts = others.length < this.hosts.length ? others : [newHost(name), ...others];
  }

  /** In turn: who may be chosen all the time gets the same number, give or take two. */
  turn(chosen: HostOnPaper): string | undefined {
    const names = this.candidates.map(({ name }) => name);
    for (const pair of this.#ahead.keys()) {
      if (pair.split('').some((name) => !names.includes(name))) this.#ahead.delete(pair);
    }
    for (const one of names) {
      for (const other of names) {
        if (one === other) continue;
        const step = (chosen.name === one ? 1 : 0) - (chosen.name === other ? 1 : 0);
        const ahead = (this.#ahead.get(one + other) ?? 0) + step;
        this.#ahead.set(one + other, ahead);
        if (ahead > 3) return `${one} got ${ahead} calls more than ${other}, and both were there`;
      }
    }
    return undefined;
  }

  /** Somebody is out now: whatever turns there were are over. */
  forgetsTurns(): void {
    const names = new Set(this.candidates.map(({ name }) => name));
    for (const pair of this.#ahead.keys()) {
      if (pair.split('').some((name) => !names.has(name))) this.#ahead.delete(pair);
    }
  }
}

function newHost(name: string): HostOnPaper {
  return {
    name,
    inFlight: 0,
    failures: 0,
    ejections: 0,
    ejectedUntil: 0,
    isHealthy: true,
    against: 0,
    timesOutAt: undefined,
  };
}

const isOut = ({ ejectedUntil }: HostOnPaper) => performance.now() < ejectedUntil;

/** What must hold after every step. Thousands of steps are compared: `expect` is for the one that differs. */
function compare(paper: Paper, gateway: Gateway): void {
  paper.passes();
  paper.forgetsTurns();
  const reports = gateway.balancer.hosts();
  if (reports.length !== paper.hosts.length) {
    expect.fail(`hosts() tells of ${reports.length}, on paper there are ${paper.hosts.length}`);
  }
  for (const host of paper.hosts) {
    const real = gateway.report(host.name, reports);
    const onPaper = reportOf(host.inFlight, isOut(host), host.isHealthy);
    if (real !== onPaper) {
      expect.fail(`hosts() says of ${host.name}: ${real}; on paper it is ${onPaper}`);
    }
  }
}

/** Anything that can happen to a balancer, in any order. */
function histories() {
  const host = fc.constantFrom(...NAMES);
  return fc.commands(
    [
      fc.integer({ min: 1, max: 3 }).map((count) => new Calls(count)),
      fc.integer({ min: 1, max: 3 }).map((count) => new Calls(count)),
      fc.nat(9).map((nth) => new Ends(nth, 'failed')),
      fc.nat(9).map((nth) => new Ends(nth, 'failed')),
      fc.nat(9).map((nth) => new Ends(nth, 'answered')),
      fc.nat(9).map((nth) => new Ends(nth, 'not found')),
      fc.constantFrom(100, 700, 1_000, 2_000).map((ms) => new TimePasses(ms)),
      fc.constantFrom(1_000, 2_000, 4_000).map((ms) => new TimePasses(ms)),
      fc
        .tuple(host, fc.constantFrom<Health[]>('passes', 'fails', 'hangs'))
        .map(([name, health]) => new Feels(name, health)),
      host.map((name) => new ComesOrGoes(name)),
    ],
    { maxCommands: 40, size: 'max' },
  );
}

class Calls implements fc.AsyncCommand<Paper, Gateway> {
  readonly #count: number;
  constructor(count: number) {
    this.#count = count;
  }
  check = () => true;
  async run(paper: Paper, gateway: Gateway) {
    const calls = await gateway.callsAtOnce(this.#count);
    for (const call of calls) {
      const { candidates } = paper;
      if (candidates.length === 0) {
        if (call.told !== 'there is no host') {
          expect.fail(`a call went to ${call.host}; on paper there is no host`);
        }
        continue;
      }
      const names = candidates.map(({ name }) => name).join(' ');
      const chosen = candidates.find(({ name }) => name === call.host);
      if (!chosen) {
        expect.fail(
          `a call went to ${call.host}, and was told ${call.told}; on paper there are ${names}`,
        );
      }
      const wrong = this.#wrong(paper, chosen);
      if (wrong) expect.fail(wrong);
      paper.begins(chosen, call);
    }
    compare(paper, gateway);
  }
  #wrong(paper: Paper, chosen: HostOnPaper): string | undefined {
    const loads = paper.candidates.map(({ inFlight }) => inFlight);
    const inWords = paper.candidates.map(({ name, inFlight }) => `${name} ${inFlight}`).join(', ');
    const { policy } = paper.choices;
    if (policy === 'round-robin') return paper.turn(chosen);
    const least = Math.min(...loads);
    if (policy === 'least-in-flight' && chosen.inFlight > least) {
      return `a call went to ${chosen.name}, in flight were ${inWords}`;
    }
    const losesAgainstAll = loads.filter((load) => load >= chosen.inFlight).length === 1;
    if (policy === 'two-choices' && loads.length > 1 && losesAgainstAll) {
      return `a call went to ${chosen.name}, in flight were ${inWords}: it loses against all`;
    }
    return undefined;
  }
  toString = () => plural(this.#count, 'call');
}

class Ends implements fc.AsyncCommand<Paper, Gateway> {
  readonly #nth: number;
  readonly #how: 'answered' | 'failed' | 'not found';
  #host = '';
  constructor(nth: number, how: 'answered' | 'failed' | 'not found') {
    this.#nth = nth;
    this.#how = how;
  }
  check = (paper: Readonly<Paper>) => paper.calls.length > 0;
  async run(paper: Paper, gateway: Gateway) {
    // Round the end of the list, so that every number finds somebody.
    const call = paper.calls[this.#nth % paper.calls.length];
    if (!call) return;
    this.#host = call.host.name;
    const end = { answered: PRICE, failed: OUTAGE, 'not found': NOT_FOUND }[this.#how];
    paper.ends(call, this.#how);
    await call.real.ends(end);
    const told = typeof end === 'string' ? price : failed(end);
    if (call.real.told !== told) {
      expect.fail(`a call ended with ${told}, its caller was told ${call.real.told}`);
    }
    compare(paper, gateway);
  }
  toString = () => {
    const how = { answered: 'is answered', failed: 'fails', 'not found': 'ends with 404' };
    return `a call to ${this.#host || '…'} ${how[this.#how]}`;
  };
}

class TimePasses implements fc.AsyncCommand<Paper, Gateway> {
  readonly #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  check = () => true;
  async run(paper: Paper, gateway: Gateway) {
    await advance(this.#ms);
    compare(paper, gateway);
  }
  toString = () => `+${this.#ms} ms`;
}

class Feels implements fc.AsyncCommand<Paper, Gateway> {
  readonly #name: string;
  readonly #health: Health;
  constructor(name: string, health: Health) {
    this.#name = name;
    this.#health = health;
  }
  check = () => true;
  run(paper: Paper) {
    paper.health[this.#name] = this.#health;
    return Promise.resolve();
  }
  toString = () => `each check of ${this.#name} ${this.#health} from now on`;
}

class ComesOrGoes implements fc.AsyncCommand<Paper, Gateway> {
  readonly #name: string;
  #list = '';
  constructor(name: string) {
    this.#name = name;
  }
  check = () => true;
  async run(paper: Paper, gateway: Gateway) {
    paper.comesOrGoes(this.#name);
    this.#list = paper.hosts.map(({ name }) => name).join(' ');
    gateway.setHosts(this.#list);
    await settle();
    compare(paper, gateway);
  }
  toString = () => (this.#list ? `the list is ${this.#list}` : `${this.#name} comes or goes`);
}
