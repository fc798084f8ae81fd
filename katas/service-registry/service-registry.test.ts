import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createRegistry,
  createResolver,
  type Instance,
  type Lease,
  type Registry,
  type RegistryOptions,
  type Resolver,
  type ResolverOptions,
} from './service-registry.ts';

// ── The railway, played by the spec ─────────────────────────────────────────────────────────────────────

const SEATS = 'seats';
const LEASE_MS = 30_000;
const QUIET_MS = 15_000;
/** No share is above this one: level 4 plays no part. */
const OFF = { maxQuietShare: 1 };
const HALF = { maxQuietShare: 0.5 };
const HOUR_MS = 3_600_000;

function seats(nth: number, more: Partial<Instance> = {}): Instance {
  return { id: `seats-${nth}`, host: `10.0.0.${nth}`, port: 8_080, zone: 'east', ...more };
}

const byName = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** `seats-1, seats-2`, or `nobody`. */
function idsOf(instances: unknown): string {
  if (!Array.isArray(instances)) return `no list, but ${inspect(instances)}`;
  const ids = instances.map((instance: Partial<Instance> | undefined) => String(instance?.id));
  return ids.toSorted(byName).join(', ') || 'nobody';
}

/** With where they are, if that is not where they usually are. */
function inWords(instances: readonly Instance[]): string {
  const words = instances.map((instance) => {
    const usual = seats(Number(instance.id.replace('seats-', '')));
    return instance.host === usual.host ? instance.id : `${instance.id} at ${instance.host}`;
  });
  return words.toSorted(byName).join(', ') || 'nobody';
}

/** Does what a careless caller may do to a list, as far as it can be done. */
function spoil(instances: Instance[]): void {
  for (const instance of instances) Reflect.set(instance, 'host', 'nowhere');
  try {
    instances.length = 0;
  } catch {
    // Frozen: fine, too.
  }
}

/** A program that watches a service. */
class Watcher {
  /** Each list that it was told, in words. */
  readonly told: string[] = [];
  readonly lists: Instance[][] = [];
  readonly stop: () => void;

  constructor(registry: Registry, service: string, onTold: (watcher: Watcher) => void) {
    const stop = registry.watch(service, (instances) => {
      this.told.push(inWords(instances));
      this.lists.push(instances);
      onTold(this);
    });
    if (typeof stop !== 'function') {
      expect.fail(`watch() returned ${inspect(stop)}: it must return a function that stops it`);
    }
    this.stop = stop;
  }

  /** What it was told since it was asked last. */
  news(): string[] {
    return this.told.splice(0);
  }
}

const offices: Office[] = [];

/** The registry, and all who have to do with it. */
class Office {
  readonly registry: Registry;
  readonly #leases: Lease[] = [];
  readonly #watchers: Watcher[] = [];

  constructor(options: Partial<RegistryOptions> = OFF) {
    this.registry = createRegistry({
      leaseMs: LEASE_MS,
      quietMs: QUIET_MS,
      maxQuietShare: 1,
      ...options,
    });
    if (typeof this.registry?.register !== 'function') {
      expect.fail(`no registry, but ${inspect(this.registry)}`);
    }
    offices.push(this);
  }

  register(instance: Instance, service = SEATS): Lease {
    const lease = this.registry.register(service, instance);
    if (typeof lease?.renew !== 'function' || typeof lease.release !== 'function') {
      expect.fail(`register() returned ${inspect(lease)}: it must return a lease`);
    }
    this.#leases.push(lease);
    return lease;
  }

  /** Registers `seats-1` and so on, in this instant. */
  open(count: number): Lease[] {
    return Array.from({ length: count }, (_, index) => this.register(seats(index + 1)));
  }

  watchNow(onTold: (watcher: Watcher) => void = () => {}, service = SEATS): Watcher {
    const watcher = new Watcher(this.registry, service, onTold);
    this.#watchers.push(watcher);
    return watcher;
  }

  /** A watcher who has been told the current list, and has forgotten that. */
  async watch(onTold?: (watcher: Watcher) => void): Promise<Watcher> {
    const watcher = this.watchNow(onTold);
    await settle();
    watcher.news();
    return watcher;
  }

  close(): void {
    for (const lease of this.#leases.splice(0)) lease.release();
    for (const watcher of this.#watchers.splice(0)) watcher.stop();
  }
}

function expectListed(office: Office, ids: string, because: string, service = SEATS): void {
  expect(idsOf(office.registry.instances(service)), `${because}: who is listed`).toBe(ids);
}

function expectRenewed(lease: Lease, renewed: boolean, because: string): void {
  expect(lease.renew(), `${because}: what renew() returns`).toBe(renewed);
}

function expectTold(watcher: Watcher, lists: readonly string[], because: string): void {
  expect(watcher.news(), `${because}: the lists that the watcher was told`).toEqual(lists);
}

/** Changes of one step may have been told one by one or together. */
function expectToldAtLast(watcher: Watcher, list: string, because: string): void {
  expect(watcher.news().at(-1), `${because}: the list that the watcher was told last`).toBe(list);
}

/** Sends a heartbeat for each of these every 10 s, for as long as it is told. */
async function passWithHeartbeats(
  leases: readonly (Lease | undefined)[],
  ms: number,
): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10_000) {
    await advance(Math.min(10_000, ms - passed));
    for (const lease of leases) lease?.renew();
  }
}

const REFRESH_MS = 10_000;
const TIMEOUT_MS = 2_000;

/** A question to the registry. */
class Lookup {
  readonly at = performance.now();
  readonly signal: AbortSignal;
  endedAt: number | undefined;
  readonly promise: Promise<readonly Instance[]>;
  #resolve: (instances: readonly Instance[]) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(signal: AbortSignal) {
    this.signal = signal;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Nothing has settled yet when this returns. */
  answersNow(instances: readonly Instance[]): void {
    this.endedAt ??= performance.now();
    this.#resolve(instances);
  }

  async answers(...instances: readonly Instance[]): Promise<void> {
    this.answersNow(instances);
    await settle();
  }

  async fails(error: unknown = new Error('503 from the registry')): Promise<void> {
    this.endedAt ??= performance.now();
    this.#reject(error);
    await settle();
  }
}

const machines: TicketMachine[] = [];

/** A ticket machine with its resolver. Its lookups end when the spec says so. */
class TicketMachine {
  readonly resolver: Resolver;
  /** In the order in which they began. */
  readonly lookups: Lookup[] = [];
  readonly #refreshMs: number;
  readonly #timeoutMs: number;

  constructor(options: Partial<ResolverOptions> = {}) {
    this.#refreshMs = options.refreshMs ?? REFRESH_MS;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.resolver = createResolver({
      lookup: (signal) => {
        if (!(signal instanceof AbortSignal)) {
          expect.fail(`lookup was called with ${inspect(signal)}: it needs a signal`);
        }
        const lookup = new Lookup(signal);
        this.lookups.push(lookup);
        return lookup.promise;
      },
      refreshMs: REFRESH_MS,
      timeoutMs: TIMEOUT_MS,
      zone: 'east',
      minInZone: 1,
      maxDepartures: 99,
      dampMs: 60_000,
      ...options,
    });
    if (typeof this.resolver?.instances !== 'function') {
      expect.fail(`no resolver, but ${inspect(this.resolver)}`);
    }
    machines.push(this);
  }

  get instances(): string {
    return inWords(this.resolver.instances());
  }

  /** The lookup that began last. */
  get lookup(): Lookup {
    return this.lookups.at(-1) ?? expect.fail('the registry should have been asked by now');
  }

  /** Whether one is under way that was neither answered nor given up. */
  get isAsking(): boolean {
    const last = this.lookups.at(-1);
    return last !== undefined && last.endedAt === undefined && !last.signal.aborted;
  }

  /** Lets time pass until the next lookup is under way. */
  async nextLookup(): Promise<Lookup> {
    const asked = this.lookups.length;
    await settle();
    const longestMs = this.#refreshMs + this.#timeoutMs;
    for (let passed = 0; passed < longestMs && this.lookups.length === asked; passed += 500) {
      await advance(500);
    }
    if (this.lookups.length === asked) {
      expect.fail(
        `lookup ${asked} has ended or should have been given up, but ${longestMs / 1_000} s later no other has begun: the ticket machine asks too late, or no more`,
      );
    }
    return this.lookup;
  }

  /** The registry gives these answers, one after another, each in the moment in which it is asked. */
  async hears(...answers: readonly (readonly Instance[])[]): Promise<void> {
    for (const answer of answers) {
      const lookup = this.isAsking ? this.lookup : await this.nextLookup();
      await lookup.answers(...answer);
    }
  }
}

/** A ticket machine whose resolver has had its first answer. */
async function machineThatKnows(
  instances: readonly Instance[],
  options?: Partial<ResolverOptions>,
): Promise<TicketMachine> {
  const machine = new TicketMachine(options);
  await settle();
  await machine.lookup.answers(...instances);
  return machine;
}

function expectCalls(machine: TicketMachine, ids: string, because: string): void {
  expect(machine.instances, `${because}: whom the ticket machine calls`).toBe(ids);
}

function expectLookups({ lookups }: TicketMachine, count: number, because: string): void {
  expect(lookups.length, `${because}: how often the registry was asked`).toBe(count);
}

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});

/** By earlier tests, which have failed for that. */
let timersLeft = 0;

afterEach(async () => {
  for (const office of offices.splice(0)) office.close();
  const stopped = machines.splice(0);
  for (const { resolver } of stopped) resolver.stop();
  await settle();
  const [stray] = strays.splice(0);
  if (stray !== undefined) {
    expect.fail(
      `a promise was rejected with “${stray instanceof Error ? stray.message : inspect(stray)}” and nobody handled it, which ends a Node process`,
    );
  }
  if (stopped.length > 0 && pendingTimers() > timersLeft) await advance(LONGEST_TIMEOUT_MS);
  const before = timersLeft;
  timersLeft = pendingTimers();
  if (timersLeft > before) {
    expect.fail(
      stopped.length > 0
        ? 'the resolver was stopped, its last lookup would have timed out by now, and a timer is still set: the process cannot end'
        : 'all leases are released and nobody watches, and a timer is still set: the process cannot end',
    );
  }
});
/** No lookup of this spec may take longer. */
const LONGEST_TIMEOUT_MS = 5_000;

const JUMPS = [
  ['forward', 4 * 60_000],
  ['back', -4 * 60_000],
] as const;

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · listed while the lease lasts', () => {
  it('lists an instance as soon as it has registered', () => {
    const office = new Office();
    office.register(seats(1));
    expectListed(office, 'seats-1', 'seats-1 has just registered');
    office.register(seats(2));
    expectListed(office, 'seats-1, seats-2', 'seats-2 has registered, too');
  });

  it('says of each instance what it was told', () => {
    const office = new Office();
    const given = seats(7, { host: 'seven.example', port: 9_443, zone: 'west' });
    office.register(given);
    expect(
      office.registry.instances(SEATS),
      'a caller needs id, host, port and zone, as they were registered',
    ).toEqual([given]);
  });

  it('lists nobody for a service of which nobody has registered', () => {
    expectListed(new Office(), 'nobody', 'nobody has registered');
  });

  it('keeps services apart', () => {
    const office = new Office();
    const lease = office.register(seats(1), 'seats');
    office.register(seats(1), 'meals');
    office.register(seats(2), 'meals');
    expectListed(office, 'seats-1', 'one instance has registered for seats', 'seats');
    lease.release();
    expectListed(office, 'nobody', 'it has said goodbye', 'seats');
    expectListed(office, 'seats-1, seats-2', 'the goodbye was for seats, not for meals', 'meals');
  });

  it.each(['', '__proto__', 'constructor', 'a b'])('takes any string for a name: “%s”', (name) => {
    const office = new Office();
    expectListed(office, 'nobody', `nobody has registered for “${name}”`, name);
    const lease = office.register(seats(1, { id: name }), name);
    expect(
      office.registry.instances(name).map(({ id }) => id),
      `an instance “${name}” of a service “${name}” has registered: the ids that are listed`,
    ).toEqual([name]);
    expectRenewed(lease, true, 'it is listed under this lease');
    lease.release();
    expectListed(office, 'nobody', 'it has said goodbye', name);
  });

  it.each(['/', ':', '|', ',', '-', '.', ' '])(
    'takes no part of a name for a part of another: “%s”',
    (mark) => {
      const office = new Office();
      const [short, long] = ['seats', `seats${mark}north`];
      office.register(seats(1, { id: `north${mark}1` }), short);
      const lease = office.register(seats(1, { id: '1' }), long);
      const because = `“north${mark}1” of “${short}” and “1” of “${long}” have registered`;
      expectListed(office, `north${mark}1`, because, short);
      expectListed(office, '1', because, long);
      lease.release();
      expectListed(office, `north${mark}1`, `${because}, and the second has said goodbye`, short);
    },
  );

  it('takes names as they are written', () => {
    const office = new Office();
    for (const id of ['a', 'A', ' a', 'a ']) office.register(seats(1, { id }));
    for (const name of ['SEATS', ' seats', 'seats ']) office.register(seats(2), name);
    expectListed(office, ' a, A, a, a ', 'four have registered, each under another id');
  });

  it.each([1, 500, 30_000])(
    'keeps it for exactly as long as the lease lasts: %i ms',
    async (ms) => {
      const office = new Office({ leaseMs: ms, quietMs: ms });
      office.register(seats(1));
      await advance(ms - 1);
      expectListed(office, 'seats-1', 'the lease lasts for 1 ms more');
      await advance(1);
      expectListed(office, 'nobody', `nothing was heard for ${ms} ms, so the lease has run out`);
    },
  );

  it('begins the lease anew with each heartbeat', async () => {
    const office = new Office();
    const lease = office.register(seats(1));
    await advance(20_000);
    expectRenewed(lease, true, 'it is listed under this lease');
    await advance(LEASE_MS - 1);
    expectListed(office, 'seats-1', 'the last heartbeat was 29.999 s ago');
    await advance(1);
    expectListed(office, 'nobody', 'the last heartbeat was 30 s ago');
  });

  it('takes a heartbeat in the last millisecond', async () => {
    const office = new Office();
    const lease = office.register(seats(1));
    await advance(LEASE_MS - 1);
    expectRenewed(lease, true, 'the lease lasts for 1 ms more');
    await advance(LEASE_MS - 1);
    expectListed(office, 'seats-1', 'the last heartbeat was 29.999 s ago');
  });

  it('lists it for as long as it goes on with its heartbeats', async () => {
    const office = new Office();
    const lease = office.register(seats(1));
    await passWithHeartbeats([lease], 600_000);
    expectListed(office, 'seats-1', 'there was a heartbeat every 10 s for ten minutes');
  });

  it('gives each instance a lease of its own', async () => {
    const office = new Office();
    office.register(seats(1));
    await advance(10_000);
    const second = office.register(seats(2));
    await advance(10_000);
    second.renew();
    await advance(10_000);
    expectListed(office, 'seats-2', 'only seats-2 has sent a heartbeat');
    await advance(20_000);
    expectListed(office, 'nobody', 'seats-2 was heard last 30 s ago');
  });

  it('takes it off at once when it says goodbye', () => {
    const office = new Office();
    const [first] = office.open(2);
    first?.release();
    expectListed(office, 'seats-2', 'seats-1 has said goodbye');
    first?.release();
    expectListed(office, 'seats-2', 'seats-1 has said goodbye twice');
  });

  it('hands out lists that belong to whoever asked', () => {
    const office = new Office();
    office.open(2);
    spoil(office.registry.instances(SEATS));
    expect(
      inWords(office.registry.instances(SEATS)),
      'one caller has changed and emptied the list that it was given; the next one must not notice',
    ).toBe('seats-1, seats-2');
  });

  it('does not care what becomes of the object that was registered', async () => {
    const office = new Office();
    const given = { ...seats(1) };
    const lease = office.register(given);
    given.host = 'nowhere';
    given.id = 'seats-9';
    expect(
      inWords(office.registry.instances(SEATS)),
      'the process uses the object that it has registered for something else',
    ).toBe('seats-1');
    expectRenewed(lease, true, 'it is still listed under this lease');
    lease.release();
    expectListed(office, 'nobody', 'it has said goodbye');
    await advance(LEASE_MS);
    expectListed(office, 'nobody', 'and that was long ago');
  });

  it.each(JUMPS)('keeps to the lease when the wall clock is set %s', async (_, ms) => {
    const office = new Office();
    office.register(seats(1));
    stepWallClock(ms);
    await settle();
    expectListed(office, 'seats-1', 'somebody has set the clock; no time has passed');
    await advance(LEASE_MS - 1);
    expectListed(office, 'seats-1', 'the lease lasts for 1 ms more, whatever the clock says');
    await advance(1);
    expectListed(office, 'nobody', 'nothing was heard for 30 s, whatever the clock says');
  });

  it('shares nothing with another registry', () => {
    const office = new Office();
    const other = new Office();
    office.register(seats(1));
    expectListed(other, 'nobody', 'seats-1 has registered at another registry');
  });
});

describe('2 · a lease is a fence', () => {
  it('puts the new data in the place of the old', () => {
    const office = new Office();
    office.register(seats(7));
    office.register(seats(7, { host: '10.0.1.7' }));
    expect(
      inWords(office.registry.instances(SEATS)),
      'seats-7 has restarted on another host, and registered again: who is listed',
    ).toBe('seats-7 at 10.0.1.7');
  });

  it('does not take off the new process when the old one says goodbye late', () => {
    const office = new Office();
    const old = office.register(seats(7));
    office.register(seats(7));
    old.release();
    expectListed(office, 'seats-7', 'the goodbye came from the process that was there before');
  });

  it('tells the old process that its lease has ended', () => {
    const office = new Office();
    const old = office.register(seats(7));
    const lease = office.register(seats(7));
    expectRenewed(old, false, 'there is a newer lease for seats-7');
    expectRenewed(lease, true, 'this is the newer one');
  });

  it('does not prolong the new lease by a heartbeat of the old process', async () => {
    const office = new Office();
    const old = office.register(seats(7));
    office.register(seats(7));
    await advance(20_000);
    old.renew();
    await advance(10_000);
    expectListed(office, 'nobody', 'the new process has never sent a heartbeat, and 30 s are over');
  });

  it('does not end the new lease when the old one would have run out', async () => {
    const office = new Office();
    office.register(seats(7));
    await advance(20_000);
    office.register(seats(7));
    await advance(10_000);
    expectListed(office, 'seats-7', 'the new process has registered 10 s ago');
    await advance(19_999);
    expectListed(office, 'seats-7', 'the new process has registered 29.999 s ago');
    await advance(1);
    expectListed(office, 'nobody', 'the new process has registered 30 s ago');
  });

  it('makes a new lease also when the very same object is registered again', () => {
    const office = new Office();
    const given = seats(7);
    const old = office.register(given);
    const lease = office.register(given);
    expectRenewed(old, false, 'there is a newer lease, although the data is the same');
    old.release();
    expectListed(office, 'seats-7', 'the late goodbye was for the older lease');
    lease.release();
    expectListed(office, 'nobody', 'this goodbye was for the newer one');
  });

  it('does not bring back who has run out', async () => {
    const office = new Office();
    const lease = office.register(seats(1));
    await advance(LEASE_MS);
    expectRenewed(lease, false, 'the lease has run out this very millisecond');
    expectListed(office, 'nobody', 'to come back it has to register');
  });

  it('does not bring back who has said goodbye', () => {
    const office = new Office();
    const lease = office.register(seats(1));
    lease.release();
    expectRenewed(lease, false, 'a heartbeat was under way when the process said goodbye');
    expectListed(office, 'nobody', 'it has said goodbye');
  });

  it('lets who has run out register again, with a lease of its own', async () => {
    const office = new Office();
    const old = office.register(seats(1));
    await advance(LEASE_MS);
    const lease = office.register(seats(1));
    expectListed(office, 'seats-1', 'it has registered again');
    expectRenewed(old, false, 'the lease from before has run out');
    old.release();
    expectListed(office, 'seats-1', 'the goodbye was for the lease that has run out');
    expectRenewed(lease, true, 'this lease has just begun');
  });

  it('takes a second goodbye for what it is', () => {
    const office = new Office();
    const old = office.register(seats(7));
    old.release();
    office.register(seats(7));
    old.release();
    expectListed(office, 'seats-7', 'the old process has said goodbye once more');
  });

  it('knows each of many lives apart', async () => {
    const office = new Office();
    const lives: Lease[] = [];
    for (let life = 0; life < 5; life += 1) {
      lives.push(office.register(seats(7, { host: `10.0.${life}.7` })));
      await advance(1_000);
    }
    for (const old of lives.slice(0, -1)) {
      expectRenewed(old, false, 'seats-7 has restarted since');
      old.release();
    }
    expectListed(office, 'seats-7', 'four old processes have said goodbye, the fifth has not');
    expectRenewed(lives.at(-1) ?? expect.fail(), true, 'this is the newest lease');
  });
});

describe('3 · watchers', () => {
  it('tells the current list first', async () => {
    const office = new Office();
    office.open(2);
    const watcher = office.watchNow();
    await settle();
    expectTold(watcher, ['seats-1, seats-2'], 'two were listed when it began to watch');
  });

  it('tells also that there is nobody', async () => {
    const watcher = new Office().watchNow();
    await settle();
    expectTold(watcher, ['nobody'], 'nobody was listed when it began to watch');
  });

  it('tells the whole list each time it has changed', async () => {
    const office = new Office();
    const watcher = await office.watch();
    const first = office.register(seats(1));
    await settle();
    expectTold(watcher, ['seats-1'], 'seats-1 has registered');
    office.register(seats(2));
    await settle();
    expectTold(watcher, ['seats-1, seats-2'], 'seats-2 has registered');
    first.release();
    await settle();
    expectTold(watcher, ['seats-2'], 'seats-1 has said goodbye');
  });

  it('tells that a lease has run out, although nobody asks', async () => {
    const office = new Office();
    office.register(seats(1));
    await advance(10_000);
    office.register(seats(2));
    const watcher = await office.watch();
    await advance(19_999);
    expectTold(watcher, [], 'the lease of seats-1 lasts for 1 ms more');
    await advance(1);
    expectTold(watcher, ['seats-2'], 'the lease of seats-1 has run out');
    await advance(10_000);
    expectTold(watcher, ['nobody'], 'the lease of seats-2 has run out');
  });

  it('tells it at the right time also after heartbeats', async () => {
    const office = new Office();
    const lease = office.register(seats(1));
    const watcher = await office.watch();
    await advance(20_000);
    lease.renew();
    await advance(29_999);
    expectTold(watcher, [], 'the last heartbeat was 29.999 s ago');
    await advance(1);
    expectTold(watcher, ['nobody'], 'the last heartbeat was 30 s ago');
  });

  it('tells the list as it is when many leases run out at once', async () => {
    const office = new Office();
    office.open(4);
    const watcher = await office.watch();
    await advance(LEASE_MS);
    expectToldAtLast(watcher, 'nobody', 'four leases have run out in the same millisecond');
  });

  it('tells nobody of heartbeats', async () => {
    const office = new Office();
    const leases = office.open(2);
    const watcher = await office.watch();
    await passWithHeartbeats(leases, 60_000);
    expectTold(watcher, [], 'heartbeats change nothing');
  });

  it('tells nobody when the same data is registered again', async () => {
    const office = new Office();
    office.open(2);
    const watcher = await office.watch();
    office.register(seats(1));
    await settle();
    expectTold(watcher, [], 'seats-1 has registered again, and all is as it was');
  });

  it.each([{ host: 'other' }, { port: 9 }, { zone: 'west' }])(
    'tells other data as one change: %o',
    async (other) => {
      const office = new Office();
      office.open(2);
      const watcher = await office.watch();
      office.register(seats(1, other));
      await settle();
      expect(
        watcher.news().length,
        'seats-1 has registered with other data: how many lists the watcher was told',
      ).toBe(1);
      expect(
        watcher.lists.at(-1)?.find(({ id }) => id === 'seats-1'),
        'seats-1 has registered with other data, and is never off the list',
      ).toEqual(seats(1, other));
    },
  );

  it('tells nobody what old leases do', async () => {
    const office = new Office();
    const old = office.register(seats(7));
    office.register(seats(7));
    const watcher = await office.watch();
    old.renew();
    old.release();
    await settle();
    expectTold(watcher, [], 'the old lease has no effect any more');
  });

  it('tells nobody of other services', async () => {
    const office = new Office();
    const watcher = await office.watch();
    office.register(seats(1), 'meals');
    await settle();
    expectTold(watcher, [], 'that was an instance of another service');
  });

  it('tells all who watch', async () => {
    const office = new Office();
    const watchers = [await office.watch(), await office.watch(), await office.watch()];
    office.register(seats(1));
    await settle();
    for (const watcher of watchers) expectTold(watcher, ['seats-1'], 'three watch the service');
  });

  it('tells a function twice that watches twice', async () => {
    const office = new Office();
    const told: string[] = [];
    const listener = (instances: Instance[]) => void told.push(inWords(instances));
    const stops = [0, 1].map(() => office.registry.watch(SEATS, listener));
    await settle();
    expect(told, 'each of the two watches begins with the current list').toEqual([
      'nobody',
      'nobody',
    ]);
    stops[0]?.();
    office.register(seats(1));
    await settle();
    stops[1]?.();
    expect(told.slice(2), 'one of the two watches has ended, the other has not').toEqual([
      'seats-1',
    ]);
  });

  it('gives each watcher a list of its own', async () => {
    const office = new Office();
    await office.watch(({ lists }) => spoil(lists.at(-1) ?? []));
    const watcher = await office.watch();
    office.open(2);
    await settle();
    expectToldAtLast(watcher, 'seats-1, seats-2', 'another watcher has spoiled its own list');
    expect(
      inWords(office.registry.instances(SEATS)),
      'a watcher has spoiled its own list: who is listed',
    ).toBe('seats-1, seats-2');
  });

  it('leaves a list as it was when it was told', async () => {
    const office = new Office();
    office.register(seats(1));
    const watcher = office.watchNow();
    await settle();
    office.register(seats(2));
    office.register(seats(1, { host: 'other' }));
    await settle();
    expect(
      inWords(watcher.lists[0] ?? []),
      'the list that the watcher was told first, after others have registered',
    ).toBe('seats-1');
  });

  it('lets nobody suffer from a listener that throws', async () => {
    const office = new Office();
    const fails = () => {
      throw new Error('a listener has thrown this, and nobody else must notice');
    };
    const before = await office.watch();
    const faulty = office.watchNow(fails);
    const after = await office.watch();
    await settle();
    expect(faulty.news(), 'the faulty watcher was told the first list').toEqual(['nobody']);

    const lease = office.register(seats(1));
    await settle();
    for (const watcher of [before, after]) {
      expectTold(watcher, ['seats-1'], 'another listener has thrown');
    }
    expectTold(faulty, ['seats-1'], 'it has thrown before, and is told all the same');
    lease.release();
    await settle();
    expectTold(after, ['nobody'], 'another listener has thrown on a goodbye');
    office.register(seats(2));
    await advance(LEASE_MS);
    expectToldAtLast(after, 'nobody', 'another listener has thrown when a lease ran out');
    faulty.stop();
  });

  it('tells nothing more to who has stopped', async () => {
    const office = new Office();
    const watcher = await office.watch();
    const other = await office.watch();
    watcher.stop();
    office.register(seats(1));
    watcher.stop();
    office.register(seats(2));
    await settle();
    expectTold(watcher, [], 'it has stopped watching');
    expectToldAtLast(other, 'seats-1, seats-2', 'only the other one has stopped, and twice');
  });

  it('lets a listener stop itself', async () => {
    const office = new Office();
    let isStopping = false;
    const watcher = await office.watch(({ stop }) => isStopping && stop());
    const next = await office.watch();
    isStopping = true;
    office.register(seats(1));
    await settle();
    office.register(seats(2));
    await settle();
    expectTold(watcher, ['seats-1'], 'it has stopped when it was told of seats-1');
    expectTold(next, ['seats-1', 'seats-1, seats-2'], 'the one before it has stopped meanwhile');
  });

  it('tells nothing more to who is stopped by another listener', async () => {
    const office = new Office();
    const told: string[] = [];
    let stop = () => {};
    const stopsOther = (name: string) => () => {
      told.push(name);
      stop();
    };
    // One of the two comes first, and stops the other one.
    const one = await office.watch(stopsOther('one'));
    const two = await office.watch(stopsOther('two'));
    told.length = 0;
    stop = () => (told.at(-1) === 'one' ? two : one).stop();
    office.register(seats(1));
    await settle();
    expect(
      told.length,
      'the first of two listeners has stopped the second: how many were told',
    ).toBe(1);
  });

  it('tells who begins to watch within a listener the current list, once', async () => {
    const office = new Office();
    const late: Watcher[] = [];
    let isWatching = false;
    await office.watch(() => {
      if (isWatching) late.push(office.watchNow());
      isWatching = false;
    });
    isWatching = true;
    office.register(seats(1));
    await settle();
    expectTold(late[0] ?? expect.fail('the listener was not called'), ['seats-1'], 'it is new');
  });

  it('tells nobody an older list after a newer one', async () => {
    const office = new Office();
    let isRegistering = false;
    const registersAnother = () => {
      if (!isRegistering) return;
      isRegistering = false;
      office.register(seats(2));
    };
    const watchers = [
      await office.watch(),
      await office.watch(registersAnother),
      await office.watch(),
    ];
    isRegistering = true;
    office.register(seats(1));
    await settle();
    for (const watcher of watchers) {
      const news = watcher.news();
      expect(
        news.at(-1),
        'a listener was told of seats-1, and registered seats-2: the last list that each was told',
      ).toBe('seats-1, seats-2');
      expect(
        new Set(news).size,
        `a listener was told of seats-1, and registered seats-2: the watcher was told “${news.join('” then “')}”, and no list may be there twice; how many differ`,
      ).toBe(news.length);
    }
  });

  it('tells a listener also what it has changed itself, from the first list on', async () => {
    const office = new Office();
    let isRegistering = true;
    const watcher = office.watchNow(() => {
      if (!isRegistering) return;
      isRegistering = false;
      office.register(seats(1));
    });
    await settle();
    expectTold(
      watcher,
      ['nobody', 'seats-1'],
      'it was told that there is nobody, and registered seats-1 at that moment',
    );
  });

  it.each(['first', 'second'])(
    'comes to rest with a listener that registers again and again: the %s of two',
    async (place) => {
      const office = new Office();
      let isRegistering = false;
      // Nine times at most, so that the spec comes to an end in any case.
      const registers = ({ told }: Watcher) => {
        if (isRegistering && told.length < 9) office.register(seats(2));
      };
      const watchers = [
        await office.watch(place === 'first' ? registers : undefined),
        await office.watch(place === 'second' ? registers : undefined),
      ];
      isRegistering = true;
      office.register(seats(1));
      await settle();
      const last = watchers.map((watcher) => watcher.news().at(-1));
      office.register(seats(1));
      await settle();
      isRegistering = false;
      expect(
        last,
        'each time that a listener is told a list, it registers seats-2: what both were told last',
      ).toEqual(['seats-1, seats-2', 'seats-1, seats-2']);
      for (const watcher of watchers) {
        expectTold(watcher, [], 'seats-1 has registered again, and all is as it was');
      }
    },
  );

  it('tells a list once also to a listener that throws', async () => {
    const office = new Office();
    const watcher = await office.watch(() => {
      throw new Error('a listener has thrown this, and nobody else must notice');
    });
    office.register(seats(1));
    await settle();
    expectTold(watcher, ['seats-1'], 'seats-1 has registered');
    office.register(seats(1));
    await settle();
    expectTold(watcher, [], 'it has thrown, and then seats-1 has registered with the same data');
  });

  it('ends a lease also if a listener registers the instance again', async () => {
    const office = new Office();
    let newer: Lease | undefined;
    await office.watch(({ told }) => {
      if (told.at(-1) === 'seats-7') newer = office.register(seats(7, { host: 'other' }));
    });
    const old = office.register(seats(7));
    await settle();
    expectRenewed(old, false, 'when a listener was told of seats-7, it registered it elsewhere');
    old.release();
    expect(
      inWords(office.registry.instances(SEATS)),
      'that goodbye was for the older lease: who is listed',
    ).toBe('seats-7 at other');
    expectRenewed(newer ?? expect.fail('the listener was not told'), true, 'this is the newer one');
  });
});

describe('4 · when most fall silent', () => {
  it('ends the lease of one that falls silent among others', async () => {
    const office = new Office(HALF);
    const [, ...others] = office.open(3);
    await passWithHeartbeats(others, LEASE_MS);
    expectListed(office, 'seats-2, seats-3', 'only seats-1 was not heard: that one is dead');
  });

  it('keeps all when nobody is heard', async () => {
    const office = new Office(HALF);
    office.open(3);
    const watcher = await office.watch();
    await advance(LEASE_MS);
    expectListed(office, 'seats-1, seats-2, seats-3', 'nobody was heard: that is the network');
    expectTold(watcher, [], 'nothing has changed');
  });

  it('keeps them for as long as it takes', async () => {
    const office = new Office(HALF);
    office.open(3);
    const watcher = await office.watch();
    await advance(HOUR_MS);
    expectListed(office, 'seats-1, seats-2, seats-3', 'nobody was heard for an hour');
    expectTold(watcher, [], 'nothing has changed for an hour');
  });

  it('keeps them although they fall silent one after another', async () => {
    const office = new Office(HALF);
    const leases = office.open(10);
    for (const lease of leases) {
      await advance(1_000);
      lease.renew();
    }
    await advance(2 * LEASE_MS);
    expectListed(
      office,
      idsOf(Array.from({ length: 10 }, (_, index) => seats(index + 1))),
      'the last heartbeats of ten came 1 s after another, and then the switch failed',
    );
  });

  it.each([
    { of: 2, silent: 1, kept: false },
    { of: 3, silent: 2, kept: true },
    { of: 4, silent: 2, kept: false },
    { of: 4, silent: 3, kept: true },
    { of: 5, silent: 2, kept: false },
    { of: 5, silent: 3, kept: true },
  ])('counts who is quiet: $silent of $of', async ({ of, silent, kept }) => {
    const office = new Office(HALF);
    const leases = office.open(of);
    await passWithHeartbeats(leases.slice(silent), LEASE_MS);
    const all = Array.from({ length: of }, (_, index) => seats(index + 1));
    expectListed(
      office,
      idsOf(kept ? all : all.slice(silent)),
      `${silent} of ${of} are silent, which is ${kept ? '' : 'not '}more than half`,
    );
  });

  it.each([
    { share: 0.25, words: 'a quarter', silent: 1, kept: false },
    { share: 0.25, words: 'a quarter', silent: 2, kept: true },
    { share: 0.75, words: 'three quarters', silent: 3, kept: false },
    { share: 0.75, words: 'three quarters', silent: 4, kept: true },
    { share: 0, words: 'none', silent: 1, kept: true },
    { share: 1, words: 'all', silent: 4, kept: false },
  ])(
    'takes the share that it is told: $silent of 4 at $words',
    async ({ share, words, silent, kept }) => {
      const office = new Office({ maxQuietShare: share });
      const leases = office.open(4);
      await passWithHeartbeats(leases.slice(silent), LEASE_MS);
      const all = [1, 2, 3, 4].map((nth) => seats(nth));
      expectListed(
        office,
        idsOf(kept ? all : all.slice(silent)),
        `${silent} of 4 are silent, which is ${kept ? '' : 'not '}more than ${words}`,
      );
    },
  );

  it.each([
    { ago: QUIET_MS, kept: true },
    { ago: QUIET_MS - 1, kept: false },
  ])('takes for quiet who was heard 15 s ago or earlier: $ago ms', async ({ ago, kept }) => {
    const office = new Office(HALF);
    const [, second, third] = office.open(3);
    await advance(LEASE_MS - ago);
    second?.renew();
    third?.renew();
    await advance(ago);
    expectListed(
      office,
      kept ? 'seats-1, seats-2, seats-3' : 'seats-2, seats-3',
      `the lease of seats-1 runs out; both others were heard ${ago} ms ago`,
    );
  });

  it('takes a registration for a sign of life', async () => {
    const office = new Office(HALF);
    office.register(seats(1));
    await advance(20_000);
    office.register(seats(2));
    await advance(10_000);
    expectListed(office, 'seats-2', 'seats-2 has registered 10 s ago, so one of two is quiet');
  });

  it('judges by when the lease ran out, not by when somebody asks', async () => {
    const office = new Office(HALF);
    const [, second, third] = office.open(3);
    await advance(25_000);
    second?.renew();
    third?.renew();
    // At 30 s seats-1 runs out, and the others were heard 5 s before. At 45 s all are quiet.
    await advance(20_000);
    expectListed(office, 'seats-2, seats-3', 'when seats-1 ran out, the others were not quiet');
  });

  it('judges one after another, as they ran out', async () => {
    const office = new Office({ ...HALF, quietMs: 25_000 });
    const [first, , third] = office.open(3);
    await advance(6_000);
    first?.renew();
    await advance(14_000);
    third?.renew();
    // At 30 s seats-2 runs out: one of three is quiet. At 36 s seats-1 runs out: one of two is quiet.
    await advance(20_000);
    expectListed(office, 'seats-3', 'nobody has asked meanwhile; seats-2 ran out before seats-1');
  });

  it('judges nobody but who runs out', async () => {
    const office = new Office(HALF);
    const [first, second] = office.open(4);
    await advance(LEASE_MS + 5_000);
    first?.renew();
    second?.renew();
    expectListed(
      office,
      'seats-1, seats-2, seats-3, seats-4',
      'half of them are heard again; the other two have not been judged yet',
    );
    office.register(seats(5));
    second?.release();
    expectListed(
      office,
      'seats-1, seats-3, seats-4, seats-5',
      'one has come and one has said goodbye; neither is a reason to judge seats-3 and seats-4',
    );
  });

  it('extends the lease that it judges, and no other', async () => {
    const office = new Office(HALF);
    office.register(seats(1));
    await advance(1_000);
    office.register(seats(2));
    const others = [3, 4].map((nth) => office.register(seats(nth)));
    await advance(LEASE_MS - 500);
    for (const lease of others) lease.renew();
    await advance(500);
    expectListed(
      office,
      'seats-1, seats-3, seats-4',
      'when seats-1 ran out all were quiet; 1 s later seats-2 has run out, and only half were',
    );
  });

  it('judges an extended lease again when it runs out again', async () => {
    const office = new Office(HALF);
    const [first, second] = office.open(3);
    await advance(LEASE_MS + 10_000);
    await passWithHeartbeats([first, second], 10_000);
    await advance(9_999);
    expectListed(office, 'seats-1, seats-2, seats-3', 'the extended lease lasts for 1 ms more');
    await advance(1);
    expectListed(office, 'seats-1, seats-2', 'two are heard again, seats-3 is not: it is dead');
  });

  it('lets all go on with their leases when the network is back', async () => {
    const office = new Office(HALF);
    const leases = office.open(4);
    await advance(5 * LEASE_MS + 3_000);
    for (const lease of leases) expectRenewed(lease, true, 'it is listed under this very lease');
    await advance(LEASE_MS - 1);
    expectListed(office, 'seats-1, seats-2, seats-3, seats-4', 'the heartbeat was 29.999 s ago');
  });

  it('ends an extended lease by a goodbye', async () => {
    const office = new Office(HALF);
    const [first] = office.open(3);
    await advance(LEASE_MS + 1_000);
    first?.release();
    expectListed(office, 'seats-2, seats-3', 'seats-1 has said goodbye');
    expectRenewed(first ?? expect.fail(), false, 'it has said goodbye');
  });

  it('ends an extended lease when the instance registers again', async () => {
    const office = new Office(HALF);
    const [old, second, third] = office.open(3);
    await advance(LEASE_MS + 1_000);
    office.register(seats(1));
    expectRenewed(old ?? expect.fail(), false, 'there is a newer lease for seats-1');
    const others = [second, third];
    for (const lease of others) lease?.renew();
    await passWithHeartbeats(others, LEASE_MS - 1_000);
    expectListed(office, 'seats-1, seats-2, seats-3', 'seats-1 has registered 29 s ago');
    await advance(1_000);
    expectListed(office, 'seats-2, seats-3', 'seats-1 has registered 30 s ago');
  });

  it('counts only who is listed', async () => {
    const office = new Office(HALF);
    const [, , third, fourth] = office.open(4);
    await passWithHeartbeats([third, fourth], 20_000);
    fourth?.release();
    await advance(10_000);
    expectListed(
      office,
      'seats-1, seats-2, seats-3',
      'seats-4 has said goodbye, so two of three are quiet',
    );
  });

  it('counts each service by itself', async () => {
    const office = new Office(HALF);
    office.open(2);
    const meals = [1, 2, 3, 4].map((nth) => office.register(seats(nth), 'meals'));
    await passWithHeartbeats(meals.slice(1), LEASE_MS);
    expectListed(office, 'seats-1, seats-2', 'nobody of seats is heard', 'seats');
    expectListed(office, 'seats-2, seats-3, seats-4', 'one of meals is not heard', 'meals');
  });

  it('keeps the last one of a service', async () => {
    const office = new Office(HALF);
    const [, second] = office.open(2);
    await passWithHeartbeats([second], 60_000);
    await advance(HOUR_MS);
    expectListed(office, 'seats-2', 'one of one is quiet; an empty list would help nobody');
  });

  it.each(JUMPS)('hears as before when the wall clock is set %s', async (_, ms) => {
    const office = new Office(HALF);
    const [, second, third] = office.open(3);
    await advance(20_000);
    second?.renew();
    third?.renew();
    stepWallClock(ms);
    await advance(10_000);
    expectListed(office, 'seats-2, seats-3', 'both others were heard 10 s ago, whatever it says');
  });
});

describe('5 · last known good', () => {
  it('asks at once', async () => {
    const machine = new TicketMachine();
    await settle();
    expectLookups(machine, 1, 'the ticket machine has been switched on');
    expectCalls(machine, 'nobody', 'there is no answer yet');
    await machine.lookup.answers(seats(1), seats(2));
    expectCalls(machine, 'seats-1, seats-2', 'the registry has answered');
  });

  it('asks again, neither earlier nor later than it should', async () => {
    const machine = await machineThatKnows([seats(1)]);
    for (const asked of [1, 2, 3]) {
      await advance(REFRESH_MS - 1);
      expectLookups(machine, asked, 'the last lookup was answered at once, 9.999 s ago');
      await advance(1);
      expectLookups(machine, asked + 1, 'the last lookup was answered at once, 10 s ago');
      await machine.lookup.answers(seats(1));
    }
  });

  it('goes by what the last answer says', async () => {
    const machine = await machineThatKnows([seats(1), seats(2)]);
    await machine.hears([seats(2, { host: 'other' }), seats(3)]);
    expectCalls(machine, 'seats-2 at other, seats-3', 'the registry has answered again');
  });

  it('keeps the list when the registry fails', async () => {
    const machine = await machineThatKnows([seats(1)]);
    for (let minute = 0; minute < 6; minute += 1) {
      const lookup = await machine.nextLookup();
      await lookup.fails();
      expectCalls(machine, 'seats-1', 'the registry is down, the service seats is not');
    }
    await machine.hears([seats(2)]);
    expectCalls(machine, 'seats-2', 'the registry is back, and has answered');
  });

  it('keeps the list when the lookup throws', async () => {
    let isBroken = false;
    let asked = 0;
    const machine = new TicketMachine({
      lookup: () => {
        asked += 1;
        if (isBroken)
          throw new TypeError('the lookup has thrown this: take it for an answer that failed');
        return Promise.resolve([seats(1)]);
      },
    });
    await settle();
    isBroken = true;
    await advance(3 * REFRESH_MS);
    expectCalls(machine, 'seats-1', 'the lookup has thrown instead of rejecting');
    expect(
      asked,
      'it has thrown, and is tried again every 10 s: how often it was called in 30 s',
    ).toBe(4);
  });

  it('asks also if the first lookup throws', async () => {
    let asked = 0;
    const machine = new TicketMachine({
      lookup: () => {
        asked += 1;
        if (asked === 1)
          throw new TypeError('the lookup has thrown this: take it for an answer that failed');
        return Promise.resolve([seats(1)]);
      },
    });
    await advance(REFRESH_MS);
    expectCalls(machine, 'seats-1', 'the first lookup has thrown, the second was answered');
  });

  it('keeps the list when the answer is empty', async () => {
    const machine = await machineThatKnows([seats(1), seats(2)]);
    for (let times = 0; times < 4; times += 1) {
      await machine.hears([]);
      expectCalls(machine, 'seats-1, seats-2', 'a registry that has restarted knows nobody yet');
    }
    await machine.hears([seats(3)]);
    expectCalls(machine, 'seats-3', 'now it knows somebody');
  });

  it('goes on when the first answer is empty', async () => {
    const machine = await machineThatKnows([]);
    expectCalls(machine, 'nobody', 'nobody has registered yet');
    await machine.hears([seats(1)]);
    expectCalls(machine, 'seats-1', 'somebody has registered');
  });

  it('gives a lookup up that takes too long', async () => {
    const machine = await machineThatKnows([seats(1)]);
    const lookup = await machine.nextLookup();
    await advance(TIMEOUT_MS - 1);
    expect(lookup.signal.aborted, 'the lookup has 1 ms left: is its signal aborted').toBe(false);
    await advance(1);
    expect(lookup.signal.aborted, 'the lookup takes 2 s: is its signal aborted').toBe(true);
    expectCalls(machine, 'seats-1', 'the registry hangs, the service seats does not');
    const [asked, givenUpAt] = [machine.lookups.length, performance.now()];
    const next = await machine.nextLookup();
    expect(next.signal.aborted, 'the next lookup has just begun: is its signal aborted').toBe(
      false,
    );
    await advance(givenUpAt + REFRESH_MS - performance.now());
    expectLookups(machine, asked + 1, 'a lookup was given up 10 s ago');
  });

  it('takes an answer that comes just in time', async () => {
    const machine = await machineThatKnows([seats(1)]);
    const lookup = await machine.nextLookup();
    await advance(TIMEOUT_MS - 1);
    await lookup.answers(seats(2));
    expectCalls(machine, 'seats-2', 'the answer took 1.999 s, and may take 2 s');
  });

  it('does not use what comes too late', async () => {
    const machine = await machineThatKnows([seats(1)]);
    const lookup = await machine.nextLookup();
    await advance(TIMEOUT_MS + 1);
    await lookup.answers(seats(2));
    expectCalls(machine, 'seats-1', 'the lookup had been given up when its answer came');
  });

  it('does not let an older answer take the place of a newer one', async () => {
    const machine = await machineThatKnows([seats(1)]);
    const slow = await machine.nextLookup();
    await machine.nextLookup();
    await machine.hears([seats(3)]);
    await slow.answers(seats(2));
    expectCalls(machine, 'seats-3', 'the answer of a lookup that was given up came after a newer');
  });

  it('does not let an older answer end a lookup that is under way', async () => {
    const machine = await machineThatKnows([seats(1)]);
    const slow = await machine.nextLookup();
    const newer = await machine.nextLookup();
    await slow.answers(seats(2));
    await newer.answers(seats(3));
    expectCalls(machine, 'seats-3', 'the newer lookup was answered in time');
  });

  it('does not mind if a lookup that was given up fails later', async () => {
    const machine = await machineThatKnows([seats(1)]);
    const slow = await machine.nextLookup();
    await advance(TIMEOUT_MS + 1);
    const asked = machine.lookups.length;
    await slow.fails();
    expectCalls(machine, 'seats-1', 'a lookup had been given up, and has failed');
    await advance(REFRESH_MS - 1);
    expectLookups(machine, asked + 1, 'the lookup has ended once, so one more follows');
  });

  it('asks once, not twice, after a lookup that obeys its signal', async () => {
    let asked = 0;
    const machine = new TicketMachine({
      lookup: (signal) => {
        asked += 1;
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    });
    await advance(5 * (REFRESH_MS + TIMEOUT_MS));
    expectCalls(machine, 'nobody', 'the registry has never answered');
    expect(
      asked,
      'each lookup ends when its signal aborts, after 2 s, and the next begins within 10 s: how many in a minute',
    ).toBeLessThanOrEqual(7);
    expect(asked, 'how many in a minute').toBeGreaterThanOrEqual(5);
  });

  it('never asks while it is asking', async () => {
    const machine = new TicketMachine({ refreshMs: 1_000, timeoutMs: 5_000 });
    await advance(4_999);
    expectLookups(machine, 1, 'the first lookup is still under way, the registry is slow enough');
    await machine.lookup.answers(seats(1));
    await advance(1_000);
    expectLookups(machine, 2, 'the first lookup was answered 1 s ago');
  });

  it('hands out lists that belong to whoever asked', async () => {
    const answer = [{ ...seats(2) }, { ...seats(1) }];
    const given = inspect(answer);
    const machine = await machineThatKnows([]);
    const lookup = await machine.nextLookup();
    lookup.answersNow(answer);
    await settle();
    expect(inspect(answer), 'the array that the lookup has answered, which is its own').toBe(given);
    spoil(machine.resolver.instances());
    expectCalls(machine, 'seats-1, seats-2', 'a caller has spoiled the list that it was given');
    spoil(answer);
    expectCalls(machine, 'seats-1, seats-2', 'the lookup uses its array for something else');
  });

  it('asks no more when it is stopped', async () => {
    const machine = await machineThatKnows([seats(1)]);
    machine.resolver.stop();
    await advance(HOUR_MS);
    expectLookups(machine, 1, 'the ticket machine was switched off an hour ago');
    expectCalls(machine, 'seats-1', 'the list stays as it is');
    machine.resolver.stop();
    expectCalls(machine, 'seats-1', 'switched off twice');
  });

  it('gives up the lookup that is under way when it is stopped', async () => {
    const machine = await machineThatKnows([seats(1)]);
    const lookup = await machine.nextLookup();
    machine.resolver.stop();
    await settle();
    expect(lookup.signal.aborted, 'the resolver has stopped: is the signal aborted').toBe(true);
    await lookup.answers(seats(2));
    expectCalls(machine, 'seats-1', 'the answer came when the resolver had stopped');
    await advance(HOUR_MS);
    expectLookups(machine, 2, 'the ticket machine was switched off an hour ago');
  });

  it('does not take the place of a list with what fails when it is stopped', async () => {
    const machine = await machineThatKnows([seats(1)]);
    const lookup = await machine.nextLookup();
    machine.resolver.stop();
    await lookup.fails();
    await advance(HOUR_MS);
    expectLookups(machine, 2, 'the ticket machine was switched off an hour ago');
    expectCalls(machine, 'seats-1', 'the list stays as it is');
  });

  it.each(JUMPS)('asks as before when the wall clock is set %s', async (_, ms) => {
    const machine = await machineThatKnows([seats(1)]);
    stepWallClock(ms);
    await advance(REFRESH_MS - 1);
    expectLookups(machine, 1, '9.999 s have passed, whatever the clock says');
    await advance(1);
    expectLookups(machine, 2, '10 s have passed, whatever the clock says');
  });
});

describe('6 · whom to call', () => {
  const west = (nth: number) => seats(nth, { zone: 'west' });
  const north = (nth: number) => seats(nth, { zone: 'north' });

  it('stays in its own zone while there are enough', async () => {
    const all = [seats(1), seats(2), west(3), north(4)];
    const machine = await machineThatKnows(all, { minInZone: 2 });
    expectCalls(machine, 'seats-1, seats-2', 'two in its own zone are enough');
  });

  it('goes everywhere when there are too few in its own zone', async () => {
    const all = [seats(1), west(2), west(3), north(4)];
    const machine = await machineThatKnows(all, { minInZone: 2 });
    expectCalls(
      machine,
      'seats-1, seats-2, seats-3, seats-4',
      'the one in its own zone would be overrun; all of all zones share the load',
    );
    const most = await machineThatKnows([seats(1), seats(2), west(3)], { minInZone: 3 });
    expectCalls(most, 'seats-1, seats-2, seats-3', 'two of three are near, and three are enough');
  });

  it('goes everywhere when there is nobody in its own zone', async () => {
    const machine = await machineThatKnows([west(1), north(2)]);
    expectCalls(machine, 'seats-1, seats-2', 'far away is better than nobody');
  });

  it('goes back to its own zone when there are enough again', async () => {
    const machine = await machineThatKnows([west(1), seats(2)], { minInZone: 2 });
    await machine.hears([west(1), seats(2), seats(3)]);
    expectCalls(machine, 'seats-2, seats-3', 'there are two in its own zone again');
  });

  const steady = seats(1);
  const flapping = seats(2);
  const with2 = [steady, flapping];
  const without2 = [steady];
  const TWICE = { maxDepartures: 2, dampMs: 60_000 };

  it('withholds who has departed too often', async () => {
    const machine = await machineThatKnows(with2, TWICE);
    await machine.hears(without2, with2, without2, with2);
    expectCalls(machine, 'seats-1', 'seats-2 has departed twice within a minute');
  });

  it('does not withhold who has departed less often', async () => {
    const machine = await machineThatKnows(with2, TWICE);
    await machine.hears(without2, with2);
    expectCalls(machine, 'seats-1, seats-2', 'seats-2 has departed once: it was restarted');
  });

  it('withholds who has departed once if that is too often', async () => {
    const machine = await machineThatKnows(with2, { ...TWICE, maxDepartures: 1 });
    await machine.hears(without2, with2);
    expectCalls(machine, 'seats-1', 'seats-2 has departed once');
  });

  it('counts a departure for exactly as long as it should', async () => {
    const machine = await machineThatKnows(with2, TWICE);
    await machine.hears(without2);
    const departedAt = performance.now();
    await machine.hears(with2, without2, with2);
    await advance(59_999 - (performance.now() - departedAt));
    expectCalls(machine, 'seats-1', 'its first departure was 59.999 s ago');
    await advance(1);
    expectCalls(
      machine,
      'seats-1, seats-2',
      'its first departure was 60 s ago; nobody has to answer for that to be over',
    );
  });

  it('counts a departure from when the answer arrived', async () => {
    const machine = await machineThatKnows(with2, { ...TWICE, maxDepartures: 1, dampMs: 30_000 });
    const lookup = await machine.nextLookup();
    await advance(1_500);
    await lookup.answers(...without2);
    const arrivedAt = performance.now();
    await machine.hears(with2);
    await advance(29_999 - (performance.now() - arrivedAt));
    const because = 'the lookup took 1.5 s, and its answer, without seats-2, arrived';
    expectCalls(machine, 'seats-1', `${because} 29.999 s ago`);
    await advance(1);
    expectCalls(machine, 'seats-1, seats-2', `${because} 30 s ago`);
  });

  it.each(['', '__proto__', 'constructor'])('takes any string for an id: “%s”', async (id) => {
    const named = seats(2, { id });
    const machine = await machineThatKnows([steady, named], { ...TWICE, maxDepartures: 1 });
    const called = () => idsOf(machine.resolver.instances());
    expect(called(), `the registry says seats-1 and “${id}”: whom the machine calls`).toBe(
      idsOf([steady, named]),
    );
    await machine.hears(without2, [steady, named]);
    expect(called(), `“${id}” has departed once, which is too often: whom it calls`).toBe(
      'seats-1',
    );
    await advance(TWICE.dampMs);
    expect(called(), `“${id}” has departed a minute ago: whom it calls`).toBe(
      idsOf([steady, named]),
    );
  });

  it('does not count what was long ago', async () => {
    const machine = await machineThatKnows(with2, { ...TWICE, dampMs: 25_000 });
    await machine.hears(without2, with2, with2, with2, without2, with2);
    expectCalls(machine, 'seats-1, seats-2', 'its departures were 40 s apart, and count for 25 s');
  });

  it('counts again who goes on flapping', async () => {
    const machine = await machineThatKnows(with2, { ...TWICE, dampMs: 45_000 });
    for (let times = 0; times < 4; times += 1) await machine.hears(without2, with2);
    expectCalls(machine, 'seats-1', 'it departs every 20 s: two departures count at any time');
  });

  it('counts one departure, however long it was away', async () => {
    const machine = await machineThatKnows(with2, TWICE);
    await machine.hears(without2, without2, without2, with2);
    expectCalls(machine, 'seats-1, seats-2', 'seats-2 was away for three answers, once');
  });

  it('takes no failure for a departure', async () => {
    const machine = await machineThatKnows(with2, { ...TWICE, maxDepartures: 1 });
    await (await machine.nextLookup()).fails();
    await machine.hears([...with2, seats(3)]);
    expectCalls(
      machine,
      'seats-1, seats-2, seats-3',
      'the registry has failed; seats-1 and seats-2 have not, and seats-3 is new',
    );
  });

  it('takes no empty answer for a departure', async () => {
    const machine = await machineThatKnows(with2, { ...TWICE, maxDepartures: 1 });
    await machine.hears([], [...with2, seats(3)]);
    expectCalls(
      machine,
      'seats-1, seats-2, seats-3',
      'the registry had restarted; seats-1 and seats-2 had not, and seats-3 is new',
    );
  });

  it('takes no late answer for a departure', async () => {
    const machine = await machineThatKnows(with2, { ...TWICE, maxDepartures: 1 });
    const slow = await machine.nextLookup();
    await machine.nextLookup();
    await machine.hears(with2);
    await slow.answers(...without2);
    await machine.hears(with2);
    expectCalls(machine, 'seats-1, seats-2', 'the answer without seats-2 was not used');
  });

  it('goes by the id, not by where it runs', async () => {
    const machine = await machineThatKnows(with2, { ...TWICE, maxDepartures: 1 });
    await machine.hears([steady, seats(2, { host: 'other' })]);
    expectCalls(machine, 'seats-1, seats-2 at other', 'seats-2 has moved, and never departed');
  });

  it('counts the departures of each instance by itself', async () => {
    const three = [...with2, seats(3)];
    const machine = await machineThatKnows(three, TWICE);
    await machine.hears([steady, seats(3)], three, [steady, flapping], three);
    expectCalls(machine, 'seats-1, seats-2, seats-3', 'two have departed, each of them once');
  });

  it('withholds nobody if that would leave nobody', async () => {
    const machine = await machineThatKnows(with2, { ...TWICE, maxDepartures: 1 });
    await machine.hears([seats(3)], with2);
    expectCalls(machine, 'seats-1, seats-2', 'both have departed; better those than nobody');
    const all = [seats(1), west(2)];
    const other = await machineThatKnows(all, { ...TWICE, maxDepartures: 1 });
    await other.hears([seats(3)], all);
    expectCalls(other, 'seats-1', 'both have departed, so nobody is withheld, and seats-1 is near');
  });

  it('does not count who is withheld for a zone', async () => {
    const all = [seats(1), seats(2), west(3), west(4)];
    const machine = await machineThatKnows(all, { ...TWICE, maxDepartures: 1, minInZone: 2 });
    await machine.hears([seats(1), west(3), west(4)], all);
    expectCalls(
      machine,
      'seats-1, seats-3, seats-4',
      'seats-2 is flapping, and the one that remains in its own zone is not enough',
    );
  });

  it('prefers a steady one far away to a flapping one nearby', async () => {
    const all = [seats(1), west(2)];
    const machine = await machineThatKnows(all, { ...TWICE, maxDepartures: 1 });
    await machine.hears([west(2)], all);
    expectCalls(machine, 'seats-2', 'seats-1 is flapping, and it is the only one in its own zone');
    const four = [seats(1), seats(2), west(3), west(4)];
    const other = await machineThatKnows(four, { ...TWICE, maxDepartures: 1, minInZone: 3 });
    await other.hears([west(3)], four);
    expectCalls(other, 'seats-3', 'three of four are flapping, and the one that is left is steady');
  });

  it.each(JUMPS)('forgets as before when the wall clock is set %s', async (_, ms) => {
    const machine = await machineThatKnows(with2, { ...TWICE, maxDepartures: 1 });
    await machine.hears(without2);
    const departedAt = performance.now();
    await machine.hears(with2);
    stepWallClock(ms);
    expectCalls(machine, 'seats-1', 'it departed 10 s ago, whatever the clock says');
    await advance(59_999 - (performance.now() - departedAt));
    expectCalls(machine, 'seats-1', 'it departed 59.999 s ago, whatever the clock says');
    await advance(1);
    expectCalls(machine, 'seats-1, seats-2', 'it departed 60 s ago, whatever the clock says');
  });
});

describe('7 · whatever happens', () => {
  it('lists who the rules say, step by step', async () => {
    const rules = fc.noShrink(fc.constantFrom(...RULES));
    await fc.assert(
      fc.asyncProperty(rules, weeksOf(registrySteps), async (rule, week) => {
        const played = new RegistryWeek(rule);
        await settle();
        for (const [index, step] of week.steps.entries()) {
          await played.play(step, `${rule.words}; ${week.upTo(index)}`);
        }
        played.expectAsOnPaper();
        played.office.close();
      }),
      { seed: 20_261_128, numRuns: 50 },
    );
  });

  it('calls whom the rules say, step by step', async () => {
    await fc.assert(
      fc.asyncProperty(weeksOf(resolverSteps), async (week) => {
        const played = new ResolverWeek();
        await settle();
        for (const [index, step] of week.steps.entries()) await played.play(step, week.upTo(index));
        played.machine.resolver.stop();
      }),
      { seed: 20_261_128, numRuns: 40 },
    );
  });
});

// ── The rules on paper, and what can happen to them ─────────────────────────────────────────────────────

function differs(told: string, what: string, should: string, is: string): void {
  expect.fail(`${told}: by the rules “${should}” should be ${what}, not “${is}”`);
}

/** Steps that print as a timeline. */
function weeksOf<Step extends { readonly words: string }>(steps: fc.Arbitrary<Step>) {
  return fc.array(steps, { maxLength: 25, size: 'max' }).map((inOrder) => {
    const upTo = (index: number) =>
      inOrder
        .slice(0, index + 1)
        .map(({ words }) => words)
        .join(' → ');
    return { steps: inOrder, upTo, [fc.toStringMethod]: () => upTo(inOrder.length) };
  });
}

class Rule {
  readonly maxQuietShare: number;
  /** Without a watcher, and without anybody who asks, a registry may look at its leases later. */
  readonly isWatched: boolean;
  readonly words: string;
  constructor(maxQuietShare: number, isWatched: boolean) {
    this.maxQuietShare = maxQuietShare;
    this.isWatched = isWatched;
    this.words = `maxQuietShare ${maxQuietShare}, ${isWatched ? 'watched' : 'not watched'}`;
  }
  /** How fast-check prints it. */
  [fc.toStringMethod] = () => this.words;
}
const RULES = [
  new Rule(0.5, true),
  new Rule(0.5, false),
  new Rule(0.25, false),
  new Rule(1, true),
] as const;

interface RegistryStep {
  readonly words: string;
  /** Nobody asks: the next step may find leases that have run out long before. */
  readonly isWait?: true;
  readonly does: (week: RegistryWeek) => Promise<void> | void;
}

const anyNth = fc.integer({ min: 1, max: 4 });
/** 0 is the newest process of this name, 1 the one before. */
const anyLife = fc.constantFrom(0, 0, 0, 1);
const lifeInWords = (nth: number, life: number) =>
  `${life === 0 ? '' : 'the process before '}seats-${nth}`;
const clockJumps = fc.constantFrom(-240_000, 240_000).map((ms) => ({
  words: `the clock is set ${ms > 0 ? 'forward' : 'back'}`,
  does: () => stepWallClock(ms),
}));
const registrySteps: fc.Arbitrary<RegistryStep> = fc.oneof(
  ...[false, false, true].map((isMoved) =>
    anyNth.map((nth) => ({
      words: `seats-${nth} registers${isMoved ? ' from elsewhere' : ''}`,
      does: (week: RegistryWeek) => week.register(nth, isMoved),
    })),
  ),
  fc.tuple(anyNth, anyLife).map(([nth, life]) => ({
    words: `heartbeat of ${lifeInWords(nth, life)}`,
    does: (week: RegistryWeek) => week.renew(nth, life),
  })),
  anyNth.map((nth) => ({
    words: `heartbeats of all but seats-${nth}`,
    does: (week: RegistryWeek) => {
      for (const other of [1, 2, 3, 4]) if (other !== nth) week.renew(other, 0);
    },
  })),
  fc.tuple(anyNth, anyLife).map(([nth, life]) => ({
    words: `goodbye of ${lifeInWords(nth, life)}`,
    does: (week: RegistryWeek) => week.release(nth, life),
  })),
  ...[
    [1, 9_999, 10_000, 15_000],
    [20_000, 29_999, 30_000, 90_000],
  ].map((waits) =>
    fc.constantFrom(...waits).map((ms) => ({
      words: `+${ms / 1_000} s`,
      isWait: true as const,
      does: (week: RegistryWeek) => week.pass(ms),
    })),
  ),
  clockJumps,
);

/** An entry of the list, and the lease that goes with it. */
interface Line {
  readonly nth: number;
  readonly words: string;
  readonly lease: Lease;
  heardAt: number;
  endsAt: number;
}

/** A registry, and beside it the list as one would keep it with pencil and paper. */
class RegistryWeek {
  readonly office: Office;
  readonly #watcher: Watcher | undefined;
  readonly #share: number;
  readonly #quietMs = 20_000;
  /** All there ever were, the newest first. */
  readonly #lives: Line[] = [];
  #listed: Line[] = [];
  #now = 0;
  #told = '';

  constructor({ maxQuietShare, isWatched }: Rule) {
    this.#share = maxQuietShare;
    this.office = new Office({ quietMs: this.#quietMs, maxQuietShare });
    if (isWatched) this.#watcher = this.office.watchNow();
  }

  async play(step: RegistryStep, told: string): Promise<void> {
    this.#watcher?.news();
    const before = this.#inWords;
    this.#told = told;
    await step.does(this);
    const should = this.#inWords;
    if (!step.isWait) this.expectAsOnPaper();
    if (!this.#watcher) return;
    await settle();
    this.#expectNews(this.#watcher.news(), before, should);
  }

  expectAsOnPaper(): void {
    const is = inWords(this.office.registry.instances(SEATS));
    if (is !== this.#inWords) differs(this.#told, 'listed', this.#inWords, is);
  }

  #expectNews(news: readonly string[], before: string, should: string): void {
    if (should !== before && news.at(-1) !== should) {
      differs(this.#told, 'told to the watcher at last', should, news.at(-1) ?? 'nothing');
    }
    if (should === before && news.length > 0) {
      differs(this.#told, 'told to the watcher', 'nothing', news.join('” then “'));
    }
  }

  register(nth: number, isMoved: boolean): void {
    const moved = isMoved ? { host: 'elsewhere' } : {};
    const lease = this.office.register(seats(nth, moved));
    const words = inWords([seats(nth, moved)]);
    const line = { nth, words, lease, heardAt: this.#now, endsAt: this.#now + LEASE_MS };
    this.#lives.unshift(line);
    this.#listed = [...this.#listed.filter((other) => other.nth !== nth), line];
  }

  renew(nth: number, life: number): void {
    const line = this.#find(nth, life);
    if (!line) return;
    const should = this.#listed.includes(line);
    const is = line.lease.renew();
    if (is !== should) differs(this.#told, 'what renew() returns', `${should}`, `${is}`);
    line.heardAt = this.#now;
    line.endsAt = this.#now + LEASE_MS;
  }

  release(nth: number, life: number): void {
    const line = this.#find(nth, life);
    line?.lease.release();
    this.#listed = this.#listed.filter((other) => other !== line);
  }

  async pass(ms: number): Promise<void> {
    await advance(ms);
    const until = this.#now + ms;
    for (let next = this.#next; next && next.endsAt <= until; next = this.#next) {
      this.#now = next.endsAt;
      const ended = next;
      const quiet = this.#listed.filter(({ heardAt }) => this.#now - heardAt >= this.#quietMs);
      if (quiet.length > this.#share * this.#listed.length) next.endsAt += LEASE_MS;
      else this.#listed = this.#listed.filter((line) => line !== ended);
    }
    this.#now = until;
  }

  get #next(): Line | undefined {
    return this.#listed.toSorted((a, b) => a.endsAt - b.endsAt)[0];
  }

  get #inWords(): string {
    const words = this.#listed.map((line) => line.words);
    return words.toSorted(byName).join(', ') || 'nobody';
  }

  #find(nth: number, life: number): Line | undefined {
    return this.#lives.filter((line) => line.nth === nth)[life];
  }
}

interface ResolverStep {
  readonly words: string;
  readonly does: (week: ResolverWeek) => Promise<void> | void;
}

/** Odd ones are in the east, where the ticket machine is. */
const onPaper = (nth: number) => seats(nth, { zone: nth % 2 === 1 ? 'east' : 'west' });
const PAPER_OPTIONS = {
  refreshMs: 10_000,
  timeoutMs: 2_300,
  minInZone: 2,
  maxDepartures: 2,
  dampMs: 60_000,
} as const;

const hears = (nths: readonly number[], isLate: boolean) => ({
  words: `${isLate ? 'the lookup before brings' : 'the registry says'} ${nths.join('+') || 'nobody'}`,
  does: (week: ResolverWeek) => week.hears(nths, isLate),
});
const subsets = fc.subarray([1, 2, 3, 5, 6]);
const resolverSteps: fc.Arbitrary<ResolverStep> = fc.oneof(
  subsets.map((nths) => hears(nths, false)),
  fc.constantFrom([1, 2, 3], [1, 2, 3, 5], [1, 3], [2, 6]).map((nths) => hears(nths, false)),
  subsets.map((nths) => hears(nths, true)),
  fc.constantFrom(false, true).map((isLate) => ({
    words: `${isLate ? 'the lookup before' : 'the lookup'} fails`,
    does: (week: ResolverWeek) => week.fails(isLate),
  })),
  ...[
    [1_000, 10_000, 13_000, 60_000],
    [10_000, 10_000, 10_000],
  ].map((waits) =>
    fc.constantFrom(...waits).map((ms) => ({ words: `+${ms / 1_000} s`, does: () => advance(ms) })),
  ),
  clockJumps,
);

/** A resolver, and beside it what it should know by the answers that came in time. */
class ResolverWeek {
  readonly machine = new TicketMachine(PAPER_OPTIONS);
  #known: readonly number[] = [];
  readonly #departures: { readonly nth: number; readonly at: number }[] = [];

  async play(step: ResolverStep, told: string): Promise<void> {
    await step.does(this);
    if (this.machine.instances !== this.#called) {
      differs(told, 'called', this.#called, this.machine.instances);
    }
    checkLookups(this.machine, told);
  }

  async fails(isLate: boolean): Promise<void> {
    await this.#find(isLate)?.fails();
  }

  async hears(nths: readonly number[], isLate: boolean): Promise<void> {
    const lookup = this.#find(isLate);
    await lookup?.answers(...nths.map(onPaper));
    const isUsed = lookup && !isLate && performance.now() < lookup.at + PAPER_OPTIONS.timeoutMs;
    if (!isUsed || nths.length === 0) return;
    for (const nth of this.#known) {
      if (!nths.includes(nth)) this.#departures.push({ nth, at: performance.now() });
    }
    this.#known = nths;
  }

  /** A lookup that has not ended. At exactly `timeoutMs` it may have been given up or not: that is left out. */
  #find(isLate: boolean): Lookup | undefined {
    const lookup = this.machine.lookups.at(isLate ? -2 : -1);
    const isOpen = lookup && lookup.endedAt === undefined;
    const isDue = lookup && performance.now() === lookup.at + PAPER_OPTIONS.timeoutMs;
    return isOpen && !isDue ? lookup : undefined;
  }

  get #called(): string {
    const { dampMs, maxDepartures, minInZone } = PAPER_OPTIONS;
    const recent = this.#departures.filter(({ at }) => performance.now() - at < dampMs);
    const isSteady = (nth: number) =>
      recent.filter((past) => past.nth === nth).length < maxDepartures;
    const steady = this.#known.filter(isSteady);
    const usable = steady.length > 0 ? steady : this.#known;
    const near = usable.filter((nth) => onPaper(nth).zone === 'east');
    return inWords((near.length < minInZone ? usable : near).map(onPaper));
  }
}

/** One lookup at a time, neither too early nor too late. */
function checkLookups({ lookups }: TicketMachine, told: string): void {
  const { refreshMs, timeoutMs } = PAPER_OPTIONS;
  const endOf = ({ at, endedAt }: Lookup) => Math.min(endedAt ?? Infinity, at + timeoutMs);
  for (const [index, lookup] of lookups.entries()) {
    const before = lookups[index - 1];
    if (!before) continue;
    if (lookup.at < endOf(before)) {
      expect.fail(`${told}: lookup ${index + 1} began while the one before was under way`);
    }
    if (lookup.at < before.at + refreshMs || lookup.at > endOf(before) + refreshMs) {
      expect.fail(
        `${told}: lookup ${index + 1} began ${lookup.at - before.at} ms after the one before, which took ${endOf(before) - before.at} ms`,
      );
    }
  }
  const last = lookups.at(-1);
  if (!last || performance.now() > endOf(last) + refreshMs) {
    expect.fail(`${told}: the last lookup has ended more than 10 s ago, and no other has begun`);
  }
}
