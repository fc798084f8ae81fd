import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  BulkheadFullError,
  CircuitOpenError,
  createClient,
  DeadlineExceededError,
  TimeoutError,
  type Attempt,
  type BreakerOptions,
  type BulkheadOptions,
  type CallOptions,
  type Client,
  type ClientEvent,
  type DependencyOptions,
  type RetryOptions,
} from './resilient-client.ts';

// ── The seat service and the check-in desks, played by the spec ─────────────────────────────────────────

class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly status: number;
  constructor(status: number, text: string) {
    super(`${status}: ${text}`);
    this.status = status;
  }
}
const outage = () => new ServiceError(503, 'the service is down');
const noSuchBooking = () => new ServiceError(404, 'no such booking');
const aborted = () => new DOMException('This operation was aborted', 'AbortError');

/** Everything but a 4xx speaks against the service: also what we have never seen before. */
const isFault = (error: unknown) => !(error instanceof ServiceError && error.status < 500);

const SEAT = 'seat 14C';
const ANY_SEAT = 'any free seat';
const DAY_MS = 24 * 3_600_000;

/** One attempt, by default: no retry, a breaker that never opens, and time for everything. */
const SEATS: DependencyOptions = {
  deadlineMs: 60_000,
  fallbackMs: 500,
  timeoutMs: 3_000,
  retry: { attempts: 1, baseMs: 400, capMs: 10_000 },
  breaker: { consecutiveFailures: 1_000, cooldownMs: 5_000 },
  bulkhead: { permits: 10, queue: 0 },
  isFault,
};

type Settings = Partial<Omit<DependencyOptions, 'retry' | 'breaker' | 'bulkhead'>> & {
  readonly retry?: Partial<RetryOptions>;
  readonly breaker?: Partial<BreakerOptions>;
  readonly bulkhead?: Partial<BulkheadOptions>;
};

function optionsWith(settings: Settings): DependencyOptions {
  return {
    ...SEATS,
    ...settings,
    retry: { ...SEATS.retry, ...settings.retry },
    breaker: { ...SEATS.breaker, ...settings.breaker },
    bulkhead: { ...SEATS.bulkhead, ...settings.bulkhead },
  };
}

/** A task that has begun: the service works on it until the spec lets it end. */
interface Request extends Partial<Attempt> {
  readonly atMs: number;
  isAtWork: boolean;
  readonly answers: (value?: unknown) => Promise<void>;
  readonly fails: (error?: unknown) => Promise<void>;
}

interface Wish extends CallOptions<unknown> {
  /** Which dependency is asked; @default 'seats' */
  readonly of?: string;
  /** What the task does, in place of waiting for the spec to end it. */
  readonly task?: (attempt: Attempt) => unknown;
  /** Whether the task goes on when its signal aborts. */
  readonly deaf?: boolean;
}

/** One call, and what its caller was told. Times count from the call. */
class Passenger {
  readonly calledAtMs = performance.now();
  readonly requests: Request[] = [];
  readonly fallbacks: { readonly error: unknown; readonly signal: AbortSignal }[] = [];
  end: 'pending' | 'value' | 'error' = 'pending';
  value: unknown;
  error: unknown;
  tookMs = Number.NaN;
  /** Resolves when the caller has been told. */
  told: Promise<unknown> = Promise.resolve();

  /** The request that came last. */
  get request(): Request {
    return (
      this.requests.at(-1) ??
      expect.fail('the service was not asked, and should have been; the caller ' + outcome(this))
    );
  }
}

/** Some check-in desks that share one client, and what the services see of them. */
class Desks {
  readonly client: Client<string>;
  readonly passengers: Passenger[] = [];
  readonly events: ClientEvent[] = [];
  /** How many tasks each service works on, and the most it ever did at once. */
  readonly atWork = new Map<string, number>();
  readonly most = new Map<string, number>();

  constructor(
    dependencies: Readonly<Record<string, Settings>>,
    onEvent: (event: ClientEvent) => unknown = () => {},
  ) {
    const entries = Object.entries(dependencies).map(([name, settings]) => [
      name,
      optionsWith(settings),
    ]);
    this.client = createClient({
      dependencies: Object.fromEntries(entries),
      onEvent: (event) => {
        this.events.push(event);
        return onEvent(event);
      },
    });
    if (typeof this.client?.call !== 'function') {
      expect.fail(`createClient() returned no client, but a ${typeof this.client}`);
    }
    allDesks.push(this);
  }

  /** Nothing has settled yet when this returns. */
  callNow({ of = 'seats', task, deaf = false, fallback, ...options }: Wish = {}): Passenger {
    const passenger = new Passenger();
    this.passengers.push(passenger);
    const work = (attempt: Attempt) => {
      const request = this.#begin(of, passenger, attempt);
      if (!task) return request.work(deaf);
      return request.until(() => task(attempt));
    };
    const secondBest =
      fallback &&
      ((error: unknown, signal: AbortSignal) => {
        passenger.fallbacks.push({ error, signal });
        return fallback(error, signal);
      });
    const told = (end: Partial<Passenger>) =>
      Object.assign(passenger, end, { tookMs: performance.now() - passenger.calledAtMs });
    passenger.told = callNeverThrows(() =>
      this.client.call<unknown>(of, work, {
        ...options,
        ...(secondBest && { fallback: secondBest }),
      }),
    ).then(
      (value) => told({ end: 'value', value }),
      (error: unknown) => told({ end: 'error', error }),
    );
    return passenger;
  }

  async call(wish: Wish = {}): Promise<Passenger> {
    const passenger = this.callNow(wish);
    await settle();
    return passenger;
  }

  /** A call that the service fails at once, as often as it is asked. */
  async callInVain(wish: Wish = {}): Promise<Passenger> {
    return this.call({ task: () => Promise.reject(outage()), ...wish });
  }

  /** A call whose task ends at once when the result is called, which moves no time. */
  async callUntilTold(): Promise<() => void> {
    let end = () => {};
    const told = new Promise<void>((resolve) => {
      end = resolve;
    });
    await this.call({ task: () => told });
    return end;
  }

  get requests(): Request[] {
    return this.passengers.flatMap(({ requests }) => requests);
  }

  /** What was told of calls, attempts or circuits, without the times. */
  told(kind: ClientEvent['kind']): string[] {
    return this.events.filter((event) => event.kind === kind).map((event) => inWords(event));
  }

  #begin(of: string, { requests }: Passenger, attempt: Attempt) {
    const change = (by: number) => {
      const atWork = (this.atWork.get(of) ?? 0) + by;
      this.atWork.set(of, atWork);
      this.most.set(of, Math.max(this.most.get(of) ?? 0, atWork));
    };
    let end: { resolve: (value: unknown) => void; reject: (error: unknown) => void } | undefined;
    const over = () => {
      if (request.isAtWork) change(-1);
      request.isAtWork = false;
    };
    const { signal, number, remainingMs } = attempt;
    const request: Request = {
      signal,
      number,
      remainingMs,
      atMs: performance.now(),
      isAtWork: true,
      answers: (value = SEAT) => {
        over();
        end?.resolve(value);
        return settle();
      },
      fails: (error = outage()) => {
        over();
        end?.reject(error);
        return settle();
      },
    };
    change(1);
    requests.push(request);
    return {
      work: (deaf: boolean) =>
        new Promise((resolve, reject) => {
          end = { resolve, reject };
          if (deaf) return;
          attempt.signal.addEventListener('abort', () => {
            over();
            reject(aborted());
          });
        }),
      until: (task: () => unknown) => {
        try {
          const result = task();
          if (result instanceof Promise) return result.finally(over);
          over();
          return result;
        } catch (error) {
          over();
          throw error;
        }
      },
    };
  }
}

/** Desks with one service to ask. */
function desksWith(settings: Settings = {}): Desks {
  return new Desks({ seats: settings });
}

function callNeverThrows(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return call();
  } catch (error) {
    return expect.fail(`call() threw ${print(error)}: it must return a promise that rejects`);
  }
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

// ── What must be so, in words ───────────────────────────────────────────────────────────────────────────

function print(thing: unknown): string {
  return thing instanceof Error || thing instanceof DOMException
    ? `${thing.name} (“${thing.message}”)`
    : String(thing);
}

function outcome({ end, value, error, tookMs }: Passenger): string {
  if (end === 'pending') return 'is still waiting';
  const got = end === 'value' ? `the value ${print(value)}` : print(error);
  return `got ${got} after ${Math.round(tookMs)} ms`;
}

function expectPending(passenger: Passenger, because: string): void {
  if (passenger.end === 'pending') return;
  expect.fail(`${because}: the caller should still be waiting; it ${outcome(passenger)}`);
}

function expectValue(passenger: Passenger, expected: unknown, because: string): void {
  if (passenger.end === 'value' && Object.is(passenger.value, expected)) return;
  expect.fail(
    `${because}: the caller should get the value ${print(expected)}; it ${outcome(passenger)}`,
  );
}

function expectError(passenger: Passenger, expected: unknown, because: string): void {
  const { end, error } = passenger;
  if (end === 'error' && Object.is(error, expected)) return;
  const isAlike = end === 'error' && print(error) === print(expected) ? ', another object' : '';
  expect.fail(
    `${because}: the caller should get the very error ${print(expected)}; it ${outcome(passenger)}${isAlike}`,
  );
}

type Kind<E> = (new (...args: never[]) => E) & { readonly name: string };

/** The caller has been told, by an error of this class. */
function expectKind<E extends Error>(passenger: Passenger, kind: Kind<E>, because: string): E {
  const { end, error } = passenger;
  if (end === 'error' && error instanceof kind) return error;
  return expect.fail(`${because}: the caller should get a ${kind.name}; it ${outcome(passenger)}`);
}

function expectAsked(
  { requests }: { readonly requests: readonly Request[] },
  times: number,
  because: string,
): void {
  if (requests.length === times) return;
  const should = times === 0 ? 'must not be asked' : `should have been asked ${count(times)}`;
  const was = requests.length === 0 ? 'was not' : `was asked ${count(requests.length)}`;
  expect.fail(`${because}: the service ${should}, but ${was}`);
}

function count(times: number): string {
  return times === 1 ? 'once' : `${times} times`;
}

/** The most that this service has worked on at once. */
function expectMost(desks: Desks, most: number, because: string, of = 'seats'): void {
  expect(desks.most.get(of) ?? 0, `${because}: the most tasks that ran at once`).toBe(most);
}

function expectStopped({ signal }: Request, because: string): AbortSignal {
  if (!signal) return expect.fail('the task was handed no signal');
  if (!signal.aborted) {
    expect.fail(`${because}: the task's signal should be aborted, or the work goes on for nobody`);
  }
  return signal;
}

function expectSameReason(request: Request, { error }: Passenger, because: string): void {
  const { reason } = expectStopped(request, because);
  if (Object.is(reason, error)) return;
  const isAlike = print(reason) === print(error) ? ', another object' : '';
  expect.fail(
    `${because}: the reason of the task's signal should be the very error that ended the attempt, ${print(error)}; it is ${print(reason)}${isAlike}`,
  );
}

function expectGoingOn({ signal }: Request, because: string): void {
  if (!signal?.aborted) return;
  expect.fail(`${because}: the task's signal must not be aborted (${print(signal.reason)})`);
}

/** Whatever came of the call: each of its attempts has ended before its limit. */
function expectEndedInTime({ requests }: Passenger): void {
  for (const request of requests) {
    expectGoingOn(
      request,
      `attempt ${request.number} ended in time, what the service sent may still be read`,
    );
  }
}

function expectRemaining({ remainingMs }: Request, expectedMs: number, because: string): void {
  expectMs(remainingMs, expectedMs, `${because}: remainingMs`);
}

/** Times are compared give or take a millisecond. */
function expectMs(actual: number | undefined, expectedMs: number, what: string): void {
  if (Math.abs(Number(actual) - expectedMs) <= 1) return;
  expect.fail(`${what} should be ${expectedMs}, but is ${actual}`);
}

function expectNoFallback({ fallbacks }: Passenger, because: string): void {
  if (fallbacks.length > 0) expect.fail(`${because}: the fallback must not be called`);
}

/** Nothing has happened to a passenger until the time has come, and then it has. */
async function expectAt(
  passenger: Passenger,
  ms: number,
  because: string,
  expected: () => void,
): Promise<void> {
  const passedMs = performance.now() - passenger.calledAtMs;
  await advance(Math.max(0, ms - passedMs - 2));
  expectPending(passenger, `${because}, 2 ms before`);
  await advance(4);
  expected();
}

function expectNoTimer(because: string): void {
  if (pendingTimers() > 0) {
    expect.fail(`${because}: a timer is still set, for something that is over`);
  }
}

function listenersOn(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

function expectNoListener(signal: AbortSignal, because: string): void {
  const left = listenersOn(signal);
  if (left > 0) expect.fail(`${because}: ${left} listener(s) left on the caller's signal`);
}

/** Nothing is under way: so many tasks can run at once, and not one more. */
async function expectAllPermitsFree(desks: Desks, permits: number, because: string): Promise<void> {
  const newcomers: Passenger[] = [];
  for (let i = 0; i <= permits; i += 1) newcomers.push(await desks.call());
  const running = newcomers.filter(({ requests }) => requests.length > 0).length;
  expect(running, `${because}: how many of ${permits + 1} new calls run at once`).toBe(permits);
  for (const { requests } of newcomers) for (const { answers } of requests) await answers();
}

function inWords(event: ClientEvent): string {
  if (event.kind === 'circuit') return `${event.dependency}: ${event.from} → ${event.to}`;
  const { dependency, outcome: ended } = event;
  if (event.kind === 'attempt') return `${dependency}: attempt ${event.number} ${ended}`;
  return `${dependency}: ${ended} after ${event.attempts} attempt(s)`;
}

const allDesks: Desks[] = [];
const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});

beforeEach(() => {
  setRandom(0.5);
});

function setRandom(value: number): void {
  vi.spyOn(Math, 'random').mockReturnValue(value);
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const { requests } of allDesks.splice(0)) {
    for (const { isAtWork, answers } of requests) if (isAtWork) await answers();
  }
  await advance(DAY_MS);
  const stray = strays.splice(0);
  if (stray.length > 0) {
    expect.fail(
      `a promise was rejected with ${print(stray[0])} and nobody handled it, which ends a Node process`,
    );
  }
  expectNoTimer('a day later');
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

/** What a task may do that has heard its signal. */
const comebacks: [what: string, comesBack: (signal: AbortSignal) => Promise<unknown>][] = [
  ['an AbortError', () => Promise.reject(aborted())],
  ['the reason of its signal', ({ reason }) => Promise.reject(reason)],
  ['a 404', () => Promise.reject(noSuchBooking())],
  ['half a seat map', () => Promise.resolve('half a seat map')],
];

describe('1 · one attempt: its limit and its permit', () => {
  it('hands over the value', async () => {
    const desks = desksWith();
    const passenger = await desks.call();
    await advance(300);
    expectPending(passenger, 'the seat service has not answered yet');
    await passenger.request.answers();
    expectValue(passenger, SEAT, 'the seat service answered after 300 ms');
    expectAsked(desks, 1, 'one attempt');
  });

  it('hands over the very error, fault or answer', async () => {
    for (const error of [outage(), noSuchBooking()]) {
      const passenger = await desksWith().call();
      await passenger.request.fails(error);
      expectError(passenger, error, 'the seat service failed');
    }
  });

  it('takes a task that returns a plain value, even undefined', async () => {
    const desks = desksWith();
    for (const value of [42, undefined, null, false, '']) {
      expectValue(await desks.call({ task: () => value }), value, 'the task returned no promise');
    }
  });

  it('turns a throw into a rejection', async () => {
    const desks = desksWith({ bulkhead: { permits: 2 } });
    for (const error of [outage(), noSuchBooking()]) {
      const throws = () => {
        throw error;
      };
      expectError(await desks.call({ task: throws }), error, 'the task threw');
    }
    await expectAllPermitsFree(desks, 2, 'two tasks threw');
  });

  it('hands over whatever was thrown, even nothing at all', async () => {
    const desks = desksWith();
    for (const thrown of [undefined, null, 0, 'no route to host']) {
      const passenger = await desks.call({ task: () => Promise.reject(thrown) });
      expectError(passenger, thrown, `the task rejected with ${String(thrown)}`);
    }
  });

  it('waits for anything with a then, and asks it once', async () => {
    const query = new Query(() => SEAT);
    expectValue(await desksWith().call({ task: () => query }), SEAT, 'the task returned a query');
    expect(query.sent, 'a query is sent each time its `then` is called').toBe(1);
    const error = outage();
    const failing = new Query(() => Promise.reject(error));
    expectError(await desksWith().call({ task: () => failing }), error, 'a query that failed');
  });

  it.each([60, 700, 3_000])('ends an attempt that takes longer than %i ms', async (timeoutMs) => {
    const desks = desksWith({ timeoutMs });
    const passenger = await desks.call();
    await expectAt(passenger, timeoutMs, `a limit of ${timeoutMs} ms`, () => {
      const { limitMs } = expectKind(passenger, TimeoutError, 'the limit is over');
      expect(limitMs, 'limitMs of the error').toBe(timeoutMs);
    });
    expectAsked(desks, 1, 'one attempt');
  });

  it('stops the task at the limit, and tells it why', async () => {
    const passenger = await desksWith().call({ deaf: true });
    await expectAt(passenger, 3_000, 'a limit of 3 s', () => {
      expectKind(passenger, TimeoutError, 'the limit is over');
    });
    expectSameReason(passenger.request, passenger, 'the limit is over');
  });

  it('leaves the signal alone while there is time, and when the task has ended', async () => {
    const passenger = await desksWith().call();
    await advance(2_990);
    expectGoingOn(passenger.request, '10 ms before the limit');
    await passenger.request.answers();
    await advance(70_000);
    expectGoingOn(passenger.request, 'the task has ended in time, its answer may still be read');
  });

  it.each(comebacks)(
    'is a timeout, even if the stopped task comes back with %s',
    async (_, comesBack) => {
      const desks = desksWith();
      const passenger = await desks.call({
        task: ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve(comesBack(signal)));
          }),
      });
      await advance(3_002);
      expectKind(passenger, TimeoutError, 'the task has heard its signal, which the limit aborted');
    },
  );

  it('does not change its word for what comes late', async () => {
    const desks = desksWith();
    const passengers = [await desks.call({ deaf: true }), await desks.call({ deaf: true })];
    await advance(3_002);
    for (const passenger of passengers) expectKind(passenger, TimeoutError, 'the limit is over');
    const errors = passengers.map(({ error }) => error);
    await passengers[0]?.request.answers();
    await passengers[1]?.request.fails();
    for (const [index, passenger] of passengers.entries()) {
      expectError(passenger, errors[index], 'the seat service came back after the limit');
    }
  });

  it('tells the task what it has to do with', async () => {
    const { request } = await desksWith({ timeoutMs: 1_250 }).call();
    expect(request.signal, 'signal').toBeInstanceOf(AbortSignal);
    expect(request.number, 'the number of the first attempt').toBe(1);
    expectRemaining(request, 1_250, 'a limit of 1,250 ms, and a minute for all');
  });

  it.each([1, 2, 5])('runs so many tasks at once, and refuses the next: %i', async (permits) => {
    const desks = desksWith({ bulkhead: { permits } });
    const passengers = Array.from({ length: permits }, () => desks.callNow());
    const late = desks.callNow();
    await settle();
    for (const passenger of passengers) expectPending(passenger, 'there was a permit for it');
    expectKind(late, BulkheadFullError, 'all permits are taken, and there is no line');
    expectAsked(late, 0, 'it was refused');
    expectMost(desks, permits, `${permits} permits`);
    for (const { request } of passengers) await request.answers();
    await expectAllPermitsFree(desks, permits, 'all tasks have ended');
  });

  it.each([1, 3])('lets so many wait in line, first come, first served: %i', async (queue) => {
    const desks = desksWith({ bulkhead: { permits: 1, queue } });
    const first = await desks.call();
    const waiting = Array.from({ length: queue }, () => desks.callNow());
    await settle();
    const late = await desks.call();
    expectKind(late, BulkheadFullError, `${queue} are in line, which is all that may`);
    await first.request.answers();
    for (const [index, passenger] of waiting.entries()) {
      expectAsked(passenger, 1, `number ${index + 1} in line, and the permit is back`);
      expectAsked({ requests: desks.requests }, index + 2, 'one permit, one task at a time');
      await passenger.request.answers();
      expectValue(passenger, SEAT, 'it has waited for its turn');
    }
    expectMost(desks, 1, 'one permit');
  });

  it('does not count the wait in line towards the limit', async () => {
    const desks = desksWith({ timeoutMs: 300, bulkhead: { permits: 1, queue: 2 } });
    const [first, second, third] = [desks.callNow(), desks.callNow(), desks.callNow()];
    await advance(250);
    await first.request.answers();
    await advance(100);
    expectPending(second, '250 ms in line and 100 ms at work, with a limit of 300 ms');
    expectAsked(second, 1, 'it has waited for its turn');
    expectGoingOn(second.request, '100 ms at work, with a limit of 300 ms');
    await advance(150);
    await second.request.answers();
    expectValue(second, SEAT, '250 ms in line and 250 ms at work, with a limit of 300 ms');
    await expectAt(third, 800, '500 ms in line, and then a limit of 300 ms', () => {
      expectKind(third, TimeoutError, 'the limit counts from the permit on');
    });
  });

  it('keeps the permit while the task runs, though its attempt has timed out', async () => {
    const desks = desksWith({ timeoutMs: 300, bulkhead: { permits: 1 } });
    const deaf = await desks.call({ deaf: true });
    await advance(302);
    expectKind(deaf, TimeoutError, 'the limit is over');
    for (const ms of [0, 5_000, 60_000]) {
      await advance(ms);
      const next = await desks.call();
      expectKind(next, BulkheadFullError, 'the task does not look at its signal: it still runs');
      expectMost(desks, 1, 'one permit');
    }
    await deaf.request.answers();
    await expectAllPermitsFree(desks, 1, 'the task has ended');
  });

  it('keeps those in line waiting while a task that has timed out runs on', async () => {
    const desks = desksWith({ timeoutMs: 300, bulkhead: { permits: 1, queue: 1 } });
    const deaf = await desks.call({ deaf: true });
    const waiting = await desks.call();
    await advance(900);
    expectKind(deaf, TimeoutError, 'the limit is over');
    expectAsked(waiting, 0, 'the permit is still in use');
    expectPending(waiting, 'it stands in line, which counts towards no limit but the deadline');
    await deaf.request.fails();
    expectAsked(waiting, 1, 'the task has ended, and the permit is back');
    await waiting.request.answers();
    expectValue(waiting, SEAT, 'it was its turn');
    expectMost(desks, 1, 'one permit');
  });

  it('has the permit of a task that heeds its signal back at the limit', async () => {
    const desks = desksWith({ timeoutMs: 300, bulkhead: { permits: 1 } });
    for (let round = 1; round <= 3; round += 1) {
      const passenger = await desks.call();
      expectAsked(passenger, 1, `round ${round}: the tasks before have ended`);
      await advance(302);
      expectKind(passenger, TimeoutError, 'the limit is over');
    }
  });

  it('has each permit back once, whatever the end', async () => {
    const desks = desksWith({ timeoutMs: 300, bulkhead: { permits: 3, queue: 1 } });
    for (let round = 0; round < 3; round += 1) {
      const [value, fault, deaf] = [
        desks.callNow(),
        desks.callNow(),
        desks.callNow({ deaf: true }),
      ];
      const waiting = desks.callNow();
      const refused = desks.callNow();
      await settle();
      expectKind(refused, BulkheadFullError, 'three permits and one place in line');
      await value.request.answers();
      await fault.request.fails();
      await desks.callInVain();
      await waiting.request.fails(noSuchBooking());
      await advance(302);
      await deaf.request.answers();
    }
    expectMost(desks, 3, 'three permits');
    await advance(1_000);
    const running = Array.from({ length: 5 }, () => desks.callNow());
    await settle();
    expect(
      running.map(({ requests }) => requests.length),
      'all tasks have ended: three of five new calls run, one waits, one is refused',
    ).toEqual([1, 1, 1, 0, 0]);
  });

  it('has the permit back before the caller is told', async () => {
    const desks = desksWith({ bulkhead: { permits: 1 } });
    const tasks = [
      () => Promise.resolve(SEAT),
      () => Promise.reject(outage()),
      () => Promise.reject(noSuchBooking()),
      () => SEAT,
    ];
    const refused: number[] = [];
    const oneAfterAnother = async () => {
      for (const [index, task] of [...tasks, ...tasks].entries()) {
        try {
          await desks.client.call<unknown>('seats', task);
        } catch (error) {
          if (error instanceof BulkheadFullError) refused.push(index + 1);
        }
      }
    };
    void oneAfterAnother();
    await settle();
    expect(refused, 'one permit, `await call()` eight times: which of them were refused').toEqual(
      [],
    );
  });

  it('keeps to the order of the line, whoever calls while a permit is handed over', async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const desks = desksWith({ bulkhead: { permits: 1, queue: 1 } });
      const answer = await desks.callUntilTold();
      const next = await desks.call();
      answer();
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      const late = await desks.call();
      expectAsked(next, 1, 'it was next in line, and the permit is back');
      expectAsked(late, 0, 'it has called last, and the permit is taken');
      await next.request.answers();
    }
  });

  it('leaves no timer and no listener behind, whatever the end', async () => {
    const { signal } = new AbortController();
    const desks = desksWith({ bulkhead: { permits: 1, queue: 1 } });
    const first = await desks.call({ signal });
    const waiting = await desks.call({ signal });
    const refused = await desks.call({ signal });
    expectKind(refused, BulkheadFullError, 'no permit, and no place in line');
    await first.request.answers();
    await waiting.request.fails(noSuchBooking());
    await desks.callInVain({ signal });
    await desks.call({ signal, task: () => SEAT });
    expectNoTimer('all calls have settled, and all tasks have ended');
    const late = await desks.call({ signal });
    await advance(3_002);
    expectKind(late, TimeoutError, 'the limit is over');
    expectNoTimer('all calls have settled, and all tasks have ended');
    expectNoListener(signal, 'all calls have settled, and all tasks have ended');
  });
});

describe('2 · each dependency by itself', () => {
  it('does not let a flood of one use up the permits of another', async () => {
    const desks = new Desks({
      seats: { bulkhead: { permits: 2, queue: 1 } },
      bags: { bulkhead: { permits: 2, queue: 1 } },
    });
    for (let i = 0; i < 5; i += 1) await desks.call({ of: 'seats' });
    const bags = await desks.call({ of: 'bags' });
    expectAsked(bags, 1, 'only the seat service is flooded');
    await bags.request.answers('bag tag 0042');
    expectValue(bags, 'bag tag 0042', 'the bag service has answered');
  });

  it('gives one dependency the same permits, whatever the call', async () => {
    const desks = desksWith({ bulkhead: { permits: 2 } });
    await desks.call({ idempotent: true });
    await desks.call({ fallback: () => ANY_SEAT, signal: new AbortController().signal });
    expectKind(await desks.call(), BulkheadFullError, 'two calls have the two permits');
  });

  it('takes the options of each dependency', async () => {
    const desks = new Desks({
      seats: { timeoutMs: 400, bulkhead: { permits: 3 } },
      bags: { timeoutMs: 2_000, bulkhead: { permits: 1 } },
      miles: { timeoutMs: 900, bulkhead: { permits: 1, queue: 1 }, isFault: () => false },
    });
    const of = (name: string) => Array.from({ length: 3 }, () => desks.callNow({ of: name }));
    const [seats, bags, miles] = [of('seats'), of('bags'), of('miles')];
    await settle();
    const ends = (passengers: Passenger[]) =>
      passengers.map(({ requests, end }) => (requests.length > 0 ? 'runs' : end));
    expect(ends(seats), 'seats: three permits').toEqual(['runs', 'runs', 'runs']);
    expect(ends(bags), 'bags: one permit').toEqual(['runs', 'error', 'error']);
    expect(ends(miles), 'miles: one permit, one place').toEqual(['runs', 'pending', 'error']);
    for (const [passengers, ms] of [
      [seats, 400],
      [miles, 900],
      [bags, 2_000],
    ] as const) {
      const [first] = passengers;
      if (!first) continue;
      await expectAt(first, ms, `a limit of ${ms} ms`, () => {
        expectKind(first, TimeoutError, `a limit of ${ms} ms`);
      });
    }
  });

  it('shares nothing between two clients', async () => {
    const one = desksWith({ bulkhead: { permits: 1 } });
    const other = desksWith({ bulkhead: { permits: 1 } });
    await one.call();
    expectAsked(await other.call(), 1, 'only the permit of the other client is taken');
  });

  it('shares nothing between two that happen to have the same object for their options', async () => {
    const options = optionsWith({ bulkhead: { permits: 1 } });
    const dependencies = { seats: options, bags: options };
    const asked: string[] = [];
    for (const which of ['one', 'other']) {
      const client = createClient({ dependencies });
      for (const name of ['seats', 'bags'] as const) {
        const task = () => {
          asked.push(`${name} of the ${which} client`);
          return new Promise((resolve) => setTimeout(resolve, 50));
        };
        client.call(name, task).catch(() => {});
      }
    }
    await settle();
    expect(asked.toSorted(), 'each has a permit of its own').toEqual([
      'bags of the one client',
      'bags of the other client',
      'seats of the one client',
      'seats of the other client',
    ]);
  });

  it('takes calls to all of them that arrive in one instant', async () => {
    const desks = new Desks({
      seats: { bulkhead: { permits: 2 } },
      bags: { bulkhead: { permits: 1 } },
    });
    for (let i = 0; i < 4; i += 1) {
      desks.callNow({ of: 'seats' });
      desks.callNow({ of: 'bags' });
    }
    await settle();
    expectMost(desks, 2, 'seats: two permits');
    expectMost(desks, 1, 'bags: one permit', 'bags');
  });
});

describe('3 · retry: around the permit and the limit', () => {
  it.each([1, 2, 3, 6])('makes so many attempts, the first included: %i', async (attempts) => {
    const desks = desksWith({ retry: { attempts } });
    const passenger = await desks.call({ idempotent: true });
    for (let number = 1; number < attempts; number += 1) {
      const waitMs = 200 * 2 ** (number - 1);
      await passenger.request.fails();
      await advance(waitMs + 2);
      const because = `attempt ${number} of ${attempts} has failed, and its wait of ${waitMs} ms is over`;
      expectPending(passenger, because);
      expectAsked(passenger, number + 1, because);
    }
    const last = outage();
    await passenger.request.fails(last);
    expectError(passenger, last, 'the last attempt has failed, and there is nothing to wait for');
    await advance(60_000);
    expectAsked(passenger, attempts, 'no further attempt');
  });

  it('leaves the signals of attempts alone that have ended in time', async () => {
    const desks = desksWith({ retry: { attempts: 3 } });
    const passenger = await desks.call({ idempotent: true });
    await passenger.request.fails();
    await advance(202);
    await passenger.request.fails();
    await advance(402);
    await passenger.request.answers();
    await advance(60_000);
    expectEndedInTime(passenger);
  });

  it('stops at the first success', async () => {
    const desks = desksWith({ retry: { attempts: 5 } });
    const passenger = await desks.call({ idempotent: true });
    await passenger.request.fails();
    await advance(202);
    await passenger.request.answers();
    expectValue(passenger, SEAT, 'the second attempt has succeeded');
    await advance(60_000);
    expectAsked(passenger, 2, 'it has succeeded');
  });

  it('does not repeat what is not idempotent', async () => {
    const desks = desksWith({ retry: { attempts: 5 } });
    for (const idempotent of [false, undefined]) {
      const wish = idempotent === undefined ? {} : { idempotent };
      const failed = await desks.call(wish);
      const error = outage();
      await failed.request.fails(error);
      expectError(failed, error, 'the seat may have been taken, and must not be taken twice');
      const hung = await desks.call(wish);
      await advance(30_000);
      expectKind(hung, TimeoutError, 'the seat may have been taken, and must not be taken twice');
      for (const passenger of [failed, hung]) expectAsked(passenger, 1, 'not idempotent');
    }
  });

  it('does not repeat what was answered', async () => {
    const desks = desksWith({ retry: { attempts: 5 } });
    const passenger = await desks.call({ idempotent: true });
    const error = noSuchBooking();
    await passenger.request.fails(error);
    expectError(passenger, error, 'there is no such booking, however often one asks');
    const later = await desks.call({ idempotent: true });
    await later.request.fails();
    await advance(202);
    await later.request.fails(error);
    expectError(later, error, 'the second attempt was answered');
    const throws = () => {
      throw error;
    };
    const queries = () => new Query(() => Promise.reject(error));
    for (const task of [throws, queries]) {
      const other = await desks.call({ idempotent: true, task });
      expectError(other, error, 'it was answered, by a throw or a query');
      expectAsked(other, 1, 'it was answered, by a throw or a query');
    }
    await advance(60_000);
    expectAsked(passenger, 1, 'it was answered');
    expectAsked(later, 2, 'the second attempt was answered');
  });

  it('gives each attempt its number and a signal of its own', async () => {
    const desks = desksWith({ timeoutMs: 300, retry: { attempts: 4 } });
    const handed: Attempt[] = [];
    const passenger = await desks.call({
      idempotent: true,
      task: (attempt) => {
        handed.push(attempt);
        return new Promise(() => {});
      },
    });
    await advance(10_000);
    const { requests } = passenger;
    for (const attempts of [requests, handed]) {
      expect(
        attempts.map(({ number }) => number),
        attempts === handed ? 'numbers, if the tasks look again later' : 'numbers',
      ).toEqual([1, 2, 3, 4]);
    }
    const signals = new Set(requests.map(({ signal }) => signal));
    expect(signals.size, 'four attempts: different signals').toBe(4);
    for (const request of requests) expectStopped(request, 'each of them has timed out');
    expectSameReason(passenger.request, passenger, 'the last attempt has timed out');
  });

  it.each([
    { random: 0.5, baseMs: 400, capMs: 10_000, waitsMs: [200, 400, 800, 1_600] },
    { random: 0.5, baseMs: 100, capMs: 300, waitsMs: [50, 100, 150, 150] },
    { random: 0.5, baseMs: 900, capMs: 300, waitsMs: [150, 150, 150, 150] },
    { random: 0.9, baseMs: 50, capMs: 1_000, waitsMs: [45, 90, 180, 360] },
    { random: 0, baseMs: 5_000, capMs: 5_000, waitsMs: [0, 0, 0, 0] },
  ])(
    'waits longer and longer: $random of $baseMs ms and so on up to $capMs ms',
    async ({ random, baseMs, capMs, waitsMs }) => {
      setRandom(random);
      const desks = desksWith({ retry: { attempts: 5, baseMs, capMs } });
      const passenger = await desks.call({ idempotent: true });
      for (const [index, waitMs] of waitsMs.entries()) {
        await advance(30);
        await passenger.request.fails();
        if (waitMs > 2) await advance(waitMs - 2);
        if (waitMs > 2) {
          expectAsked(passenger, index + 1, `2 ms before wait ${index + 1} is over`);
        }
        await advance(4);
        expectAsked(passenger, index + 2, `wait ${index + 1}, ${waitMs} ms, is over`);
      }
    },
  );

  it('draws each wait anew', async () => {
    const drawn: number[] = [];
    vi.spyOn(Math, 'random').mockImplementation(() => {
      const random = (((3 * drawn.length) % 7) + 1) / 8;
      drawn.push(random);
      return random;
    });
    const desks = desksWith({ retry: { attempts: 5, baseMs: 1_000, capMs: 1_000 } });
    const passenger = await desks.call({ idempotent: true });
    const waitsMs: number[] = [];
    for (let number = 1; number < 5; number += 1) {
      const failedAtMs = performance.now();
      await passenger.request.fails();
      await advance(1_002);
      expectAsked(passenger, number + 1, 'no wait is longer than 1,000 ms');
      waitsMs.push(Math.round(passenger.request.atMs - failedAtMs));
    }
    const because = `Math.random() gave ${drawn.join(', ')}; waits of up to 1,000 ms took ${waitsMs.join(', ')} ms`;
    for (const waitMs of waitsMs) {
      const isDrawn = drawn.some((random) => Math.abs(1_000 * random - waitMs) <= 2);
      if (!isDrawn) expect.fail(`${because}: none of them explains the wait of ${waitMs} ms`);
    }
    expect(new Set(waitsMs).size, `${because}: how many different ones`).toBe(4);
  });

  it('counts attempts and waits for each call by itself', async () => {
    const desks = desksWith({ retry: { attempts: 3 } });
    const first = await desks.call({ idempotent: true });
    await first.request.fails();
    await advance(202);
    await first.request.fails();
    const second = await desks.call({ idempotent: true });
    await second.request.fails();
    await advance(202);
    expectAsked(second, 2, 'the first wait of this call is 200 ms, whatever others wait');
    expectAsked(first, 2, 'the second wait of this call is 400 ms, whatever others wait');
    await advance(200);
    expectAsked(first, 3, 'the second wait of this call is 400 ms');
    await first.request.answers();
    await second.request.fails();
    await advance(402);
    expectAsked(second, 3, 'three attempts for each call');
    expect(second.request.number, 'the number of its last attempt').toBe(3);
  });

  it('limits each attempt, not all of them together', async () => {
    const desks = desksWith({ timeoutMs: 300, retry: { attempts: 3 } });
    const passenger = await desks.call({ idempotent: true });
    await advance(298);
    expectAsked(passenger, 1, 'the first attempt still has 2 ms');
    await advance(4);
    expectPending(passenger, 'the first attempt hung; that leaves two');
    await advance(200);
    expectAsked(passenger, 2, 'a limit of 300 ms and a wait of 200 ms are over');
    expectRemaining(passenger.request, 300, 'the second attempt has a limit of its own');
    await advance(250);
    expectGoingOn(passenger.request, '250 ms of 300');
    await passenger.request.answers();
    expectValue(passenger, SEAT, 'the second attempt was answered');
  });

  it.each(comebacks)(
    'repeats what has timed out, even if the stopped task comes back with %s',
    async (_, comesBack) => {
      const desks = desksWith({ timeoutMs: 300, retry: { attempts: 2 } });
      const passenger = await desks.call({
        idempotent: true,
        task: ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve(comesBack(signal)));
          }),
      });
      await advance(502);
      expectAsked(passenger, 2, 'the first attempt has timed out: what came after that is late');
      await advance(302);
      expectKind(passenger, TimeoutError, 'so has the second');
    },
  );

  it('holds no permit while it waits', async () => {
    const desks = desksWith({ retry: { attempts: 3 }, bulkhead: { permits: 1 } });
    const failing = await desks.call({ idempotent: true });
    await failing.request.fails();
    for (let i = 1; i <= 3; i += 1) {
      const other = await desks.call();
      expectAsked(other, 1, 'the only call with a permit waits between two attempts');
      await other.request.answers();
    }
    await advance(202);
    expectAsked(failing, 2, 'its wait is over, and nobody else has the permit');
    await failing.request.answers();
    expectValue(failing, SEAT, 'its second attempt was answered');
  });

  it('asks for a permit anew, and stands in line for it', async () => {
    const desks = desksWith({ retry: { attempts: 3 }, bulkhead: { permits: 1, queue: 2 } });
    const failing = await desks.call({ idempotent: true });
    await failing.request.fails();
    const [other, next] = [await desks.call(), await desks.call()];
    await advance(250);
    expectAsked(failing, 1, 'its wait is over, but the permit is taken');
    expectPending(failing, 'it stands in line');
    await other.request.answers();
    expectAsked(next, 1, 'it stood in line before the second attempt of the other');
    expectAsked(failing, 1, 'a second attempt does not go to the front of the line');
    await next.request.answers();
    expectAsked(failing, 2, 'the permit is back, and it is its turn');
    expectMost(desks, 1, 'one permit');
  });

  it('is refused at once when there is no permit, and does not try again', async () => {
    const desks = desksWith({ retry: { attempts: 5 }, bulkhead: { permits: 1 } });
    const running = await desks.call();
    const refused = await desks.call({ idempotent: true });
    expectKind(refused, BulkheadFullError, 'the line is the place to wait, and there is none');
    await running.request.answers();
    await advance(60_000);
    expectAsked(refused, 0, 'it was refused, and its caller told so');
  });

  it('ends with a refusal, also when it is not the first attempt that is refused', async () => {
    const desks = desksWith({ retry: { attempts: 5 }, bulkhead: { permits: 1 } });
    const failing = await desks.call({ idempotent: true });
    await failing.request.fails();
    const other = await desks.call();
    await expectAt(failing, 200, 'a wait of 200 ms', () => {
      expectKind(failing, BulkheadFullError, 'its second attempt found no permit');
    });
    await other.request.answers();
    await advance(60_000);
    expectAsked(failing, 1, 'its second attempt was refused');
  });

  it('does not take the permit of its own first attempt for free while that still runs', async () => {
    const desks = desksWith({
      timeoutMs: 300,
      retry: { attempts: 4 },
      bulkhead: { permits: 2 },
    });
    const passenger = await desks.call({ idempotent: true, deaf: true });
    await advance(10_000);
    expectKind(passenger, BulkheadFullError, 'two tasks still run, and there are two permits');
    expectAsked(passenger, 2, 'two permits');
    expectMost(desks, 2, 'two permits, and tasks that do not look at their signals');
  });

  it('has the permit back before the next attempt asks for one', async () => {
    setRandom(0);
    const desks = desksWith({ retry: { attempts: 4 }, bulkhead: { permits: 1 } });
    const passenger = await desks.callInVain({ idempotent: true });
    await advance(20);
    expectAsked(passenger, 4, 'one permit, and four attempts one after another');
    expectKind(passenger, ServiceError, 'four attempts have failed');
  });

  it('leaves no timer and no listener behind', async () => {
    const { signal } = new AbortController();
    const desks = desksWith({ timeoutMs: 300, retry: { attempts: 3 } });
    await desks.callInVain({ idempotent: true, signal });
    await desks.call({ idempotent: true, signal });
    await advance(10_000);
    expectNoTimer('both calls have made three attempts');
    expectNoListener(signal, 'both calls have made three attempts');
  });
});

describe('4 · breaker: sees attempts, and counts what speaks against the dependency', () => {
  /** The circuit is closed: a call reaches the service, whose answer is a 404, which changes nothing. */
  async function expectClosed(desks: Desks, because: string, of = 'seats'): Promise<void> {
    const passenger = await desks.call({ of });
    expectAsked(passenger, 1, `${because}: the circuit should be closed`);
    await passenger.request.fails(noSuchBooking());
  }

  async function expectOpen(desks: Desks, because: string): Promise<CircuitOpenError> {
    const passenger = await desks.call();
    expectAsked(passenger, 0, `${because}: the circuit should be open`);
    return expectKind(passenger, CircuitOpenError, `${because}: the circuit should be open`);
  }

  /** So many failures open it, one after another. */
  async function open(desks: Desks, failures = 3, of = 'seats'): Promise<void> {
    for (let i = 0; i < failures; i += 1) await desks.callInVain({ of });
  }

  const trips = { consecutiveFailures: 3, cooldownMs: 5_000 };

  it.each([1, 2, 5])('opens after so many failures in a row: %i', async (consecutiveFailures) => {
    const desks = desksWith({ breaker: { consecutiveFailures } });
    await open(desks, consecutiveFailures - 1);
    await expectClosed(desks, `${consecutiveFailures - 1} failures in a row`);
    const error = outage();
    const last = await desks.callInVain({ task: () => Promise.reject(error) });
    expectError(last, error, 'the call that opens the circuit still gets its own error');
    await expectOpen(desks, `it opens at ${consecutiveFailures} in a row`);
  });

  it('counts an attempt before its caller is told', async () => {
    const desks = desksWith({ breaker: trips });
    const oneAfterAnother = async () => {
      for (let i = 0; i < 6; i += 1) {
        await desks.callNow({ task: () => Promise.reject(outage()) }).told;
        for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
      }
    };
    void oneAfterAnother();
    await settle();
    expectAsked(
      desks,
      3,
      'an attempt counts when it ends; six calls, each made right after the one before was told its error',
    );
  });

  it('starts the count again with a success', async () => {
    const desks = desksWith({ breaker: trips });
    for (let round = 0; round < 3; round += 1) {
      await open(desks, 2);
      await desks.call({ task: () => SEAT });
    }
    await expectClosed(desks, 'never three failures in a row');
    await open(desks);
    await expectOpen(desks, 'three failures in a row');
  });

  it('counts each attempt of a call', async () => {
    const desks = desksWith({ retry: { attempts: 3 }, breaker: trips });
    const passenger = await desks.callInVain({ idempotent: true });
    await advance(2_000);
    expectAsked(passenger, 3, 'three attempts');
    await expectOpen(
      desks,
      'the service has failed three times: that it was one call says nothing',
    );
  });

  it('counts timeouts', async () => {
    const desks = desksWith({ timeoutMs: 300, breaker: trips });
    for (let i = 0; i < 3; i += 1) await desks.call({ deaf: i === 1 });
    await advance(302);
    await expectOpen(desks, 'three tasks hung');
  });

  it('takes a timeout for a failure, whatever isFault would say of it', async () => {
    const knowsOnly5xx = (error: unknown) => error instanceof ServiceError && error.status >= 500;
    const desks = desksWith({
      isFault: knowsOnly5xx,
      timeoutMs: 300,
      retry: { attempts: 2 },
      breaker: { consecutiveFailures: 2 },
    });
    const passenger = await desks.call({ idempotent: true, fallback: () => ANY_SEAT });
    await advance(302 + 202 + 302);
    const because = 'isFault is for what a task has failed with, and this one has timed out';
    expectAsked(passenger, 2, because);
    expectValue(passenger, ANY_SEAT, because);
    await expectOpen(desks, 'two timeouts');
  });

  it('does not take what a timed-out task brings late for a success', async () => {
    const desks = desksWith({ timeoutMs: 300, breaker: trips });
    const deaf = [await desks.call({ deaf: true }), await desks.call({ deaf: true })];
    await advance(302);
    for (const { request } of deaf) await request.answers();
    await open(desks, 1);
    await expectOpen(desks, 'two timeouts and a fault; answers that nobody waits for are none');
  });

  it('refuses every attempt at once while it is open', async () => {
    const desks = desksWith({ retry: { attempts: 4 }, breaker: trips });
    await open(desks);
    await advance(1_200);
    const { signal } = new AbortController();
    const timersBefore = pendingTimers();
    for (const wish of [{ signal }, { signal, idempotent: true }]) {
      const passenger = await desks.call(wish);
      expectNoListener(signal, 'the circuit is open, and the call was refused');
      if (pendingTimers() > timersBefore) expect.fail('a refused call has left a timer');
      const { retryAfterMs } = expectKind(passenger, CircuitOpenError, 'the circuit is open');
      expectMs(retryAfterMs, 3_800, '1,200 ms of the cooldown of 5,000 are over: retryAfterMs');
    }
    await advance(3_000);
    await expectOpen(desks, '4,200 ms of the cooldown of 5,000');
    await advance(20_000);
    expectAsked(desks, 3, 'what was refused is not tried again');
  });

  it('refuses before it looks for a permit', async () => {
    const desks = desksWith({
      timeoutMs: 300,
      breaker: trips,
      bulkhead: { permits: 3, queue: 1 },
    });
    for (let i = 0; i < 3; i += 1) await desks.call({ deaf: true });
    await advance(302);
    const passenger = await desks.call();
    expectKind(passenger, CircuitOpenError, 'the circuit is open, so why stand in line');
    const next = await desks.call();
    expectKind(next, CircuitOpenError, 'the circuit is open, and the line is empty');
  });

  it('does not count refusals of the bulkhead', async () => {
    const desks = desksWith({ breaker: trips, bulkhead: { permits: 1 } });
    const running = await desks.call();
    for (let i = 0; i < 5; i += 1) {
      expectKind(await desks.call(), BulkheadFullError, 'the only permit is taken');
    }
    await running.request.answers();
    await expectClosed(desks, 'five calls were refused here: the service knows nothing of them');
  });

  it('does not count answers', async () => {
    const desks = desksWith({ breaker: trips });
    for (let i = 0; i < 5; i += 1) {
      await desks.call({ task: () => Promise.reject(noSuchBooking()) });
    }
    await expectClosed(desks, 'five times a 404: the service answers');
  });

  it('leaves the count as it was for what is neither', async () => {
    const desks = desksWith({ breaker: trips, bulkhead: { permits: 1 } });
    await open(desks, 2);
    const running = await desks.call();
    expectKind(await desks.call(), BulkheadFullError, 'the only permit is taken');
    await running.request.fails(noSuchBooking());
    await open(desks, 1);
    await expectOpen(desks, 'three faults; a refusal and a 404 in between change nothing');
  });

  it('asks isFault, and nobody else, about what a task has failed with', async () => {
    const others = [
      new CircuitOpenError(1_000),
      new BulkheadFullError(),
      new TimeoutError(200),
      new DeadlineExceededError(400),
      aborted(),
      undefined,
    ];
    for (const error of others) {
      const what = `the task, which uses another client, came back with ${print(error)}`;
      const desks = desksWith({ retry: { attempts: 3 }, breaker: trips });
      const passenger = await desks.call({ idempotent: true, task: () => Promise.reject(error) });
      await advance(2_000);
      expectAsked(passenger, 3, `${what}, and isFault says yes`);
      expectError(passenger, error, `${what} for the third time`);
      await expectOpen(desks, `${what} three times`);
    }
  });

  it('takes isFault at its word when it says no', async () => {
    const others = [new CircuitOpenError(1_000), new TimeoutError(200), outage(), aborted()];
    for (const error of others) {
      const what = `the task came back with ${print(error)}, and isFault says no`;
      const desks = desksWith({ isFault: () => false, retry: { attempts: 3 }, breaker: trips });
      for (let i = 0; i < 4; i += 1) {
        const passenger = await desks.call({ idempotent: true, task: () => Promise.reject(error) });
        expectError(passenger, error, what);
        expectAsked(passenger, 1, what);
      }
    }
  });

  it('ends the call when its own attempts have opened the circuit', async () => {
    const desks = desksWith({
      retry: { attempts: 6 },
      breaker: { consecutiveFailures: 2, cooldownMs: 5_000 },
    });
    const passenger = await desks.callInVain({ idempotent: true });
    await expectAt(passenger, 600, 'waits of 200 and 400 ms', () => {
      expectKind(passenger, CircuitOpenError, 'its third attempt was refused');
    });
    await advance(20_000);
    expectAsked(passenger, 2, 'two failures open the circuit');
  });

  it('ends the call when others have opened the circuit during its wait', async () => {
    const desks = desksWith({ retry: { attempts: 6 }, breaker: trips });
    const passenger = await desks.callInVain({ idempotent: true });
    await advance(100);
    await open(desks, 2);
    await expectAt(passenger, 200, 'a wait of 200 ms', () => {
      expectKind(passenger, CircuitOpenError, 'its second attempt was refused');
    });
    await advance(20_000);
    expectAsked(passenger, 1, 'its second attempt was refused');
  });

  it('is not asked before a wait, but after it', async () => {
    const desks = desksWith({
      retry: { attempts: 3 },
      breaker: { consecutiveFailures: 1, cooldownMs: 120 },
    });
    const passenger = await desks.call({ idempotent: true });
    await passenger.request.fails();
    await advance(202);
    expectAsked(passenger, 2, 'a cooldown of 120 ms, a wait of 200: its second attempt is a probe');
    await passenger.request.answers();
    expectValue(passenger, SEAT, 'the probe was answered');
    await expectClosed(desks, 'the probe was answered');
  });

  it.each([100, 1_500, 30_000])('lets a probe through after %i ms', async (cooldownMs) => {
    const desks = desksWith({ breaker: { consecutiveFailures: 2, cooldownMs } });
    await open(desks, 2);
    await advance(cooldownMs - 2);
    await expectOpen(desks, `2 ms before the cooldown of ${cooldownMs} ms is over`);
    await advance(3);
    const probe = await desks.call();
    expectAsked(probe, 1, `the cooldown of ${cooldownMs} ms is over`);
    const error = await expectOpen(desks, 'a probe is out');
    expect(error.retryAfterMs, 'a probe is out: nobody knows how long').toBeUndefined();
    await probe.request.answers();
    expectValue(probe, SEAT, 'the probe was answered');
    await expectClosed(desks, 'the probe was answered');
    await open(desks, 1);
    await expectClosed(desks, 'it began anew: one failure of two');
  });

  it('counts the cooldown from when it has opened', async () => {
    const desks = desksWith({ breaker: { consecutiveFailures: 2, cooldownMs: 1_000 } });
    await open(desks, 1);
    await advance(9_000);
    await open(desks, 1);
    await advance(998);
    await expectOpen(desks, 'it opened 998 ms ago, with the second of two failures');
    await advance(3);
    expectAsked(await desks.call(), 1, 'it opened more than the cooldown of 1,000 ms ago');
  });

  it('leaves nobody standing in line when it opens', async () => {
    const desks = desksWith({
      breaker: { consecutiveFailures: 1, cooldownMs: 5_000 },
      bulkhead: { permits: 1, queue: 2 },
    });
    const running = await desks.call();
    const inLine = [await desks.call(), await desks.call()];
    await running.request.fails();
    for (const passenger of inLine) {
      const because = 'it stood in line while the circuit opened, and the permit is back';
      const [request] = passenger.requests;
      if (request) {
        await request.answers();
        expectValue(passenger, SEAT, because);
      } else if (passenger.end === 'pending') {
        expect.fail(`${because}: it may run or be refused; it is still waiting`);
      } else expectKind(passenger, CircuitOpenError, because);
    }
    await advance(5_002);
    await desks.call({ task: () => SEAT });
    await expectAllPermitsFree(desks, 1, 'the line is empty, and the circuit is closed again');
  });

  it('has one probe, also while that stands in line behind an attempt from before', async () => {
    const desks = desksWith({
      timeoutMs: 300,
      breaker: { consecutiveFailures: 1, cooldownMs: 1_000 },
      bulkhead: { permits: 1, queue: 3 },
    });
    const deaf = await desks.call({ deaf: true });
    const old = await desks.call();
    await advance(302 + 1_002);
    const probe = await desks.call();
    expectPending(probe, 'the cooldown is over, and the old task still has the only permit');
    await expectOpen(desks, 'the probe stands in line: it is out');
    await deaf.request.answers();
    const [request] = old.requests;
    if (request) await request.answers();
    expectAsked(probe, 1, 'it is the turn of the probe');
    await expectOpen(desks, 'a success of an attempt from before it opened, and the probe is out');
    await probe.request.answers();
    await expectClosed(desks, 'the probe was answered');
  });

  it('sends one request for a probe, not all the attempts of a call', async () => {
    const desks = desksWith({ retry: { attempts: 4 }, breaker: trips });
    await open(desks);
    await advance(5_002);
    const probe = await desks.callInVain({ idempotent: true });
    await expectAt(probe, 200, 'a wait of 200 ms', () => {
      expectKind(probe, CircuitOpenError, 'the probe has failed, so its second attempt is refused');
    });
    expectAsked(probe, 1, 'one probe is one request');
    await advance(4_700);
    await expectOpen(desks, '4,900 ms of the cooldown that the failed probe began');
    await advance(200);
    expectAsked(await desks.call(), 1, 'that cooldown is over');
  });

  it('opens again when a probe times out', async () => {
    const desks = desksWith({ timeoutMs: 300, breaker: trips });
    await open(desks);
    await advance(5_002);
    await desks.call({ deaf: true });
    await advance(302);
    const { retryAfterMs } = await expectOpen(desks, 'the probe hung');
    expectMs(retryAfterMs, 4_998, 'the probe hung until 2 ms ago: retryAfterMs');
    await advance(4_650);
    await expectOpen(desks, 'the probe hung, and a whole new cooldown has begun then');
  });

  it('gives the slot of a probe that was answered with a 404 to the next', async () => {
    const desks = desksWith({ breaker: trips });
    await open(desks);
    await advance(5_002);
    for (let i = 0; i < 3; i += 1) {
      const probe = await desks.call();
      expectAsked(probe, 1, 'the cooldown is over, and no probe is out');
      await expectOpen(desks, 'a probe is out');
      await probe.request.fails(noSuchBooking());
    }
    const probe = await desks.call();
    await probe.request.fails();
    await expectOpen(desks, 'a probe has failed');
  });

  it('gives the slot of a probe that found no permit to the next', async () => {
    const desks = desksWith({
      timeoutMs: 300,
      breaker: { consecutiveFailures: 1, cooldownMs: 1_000 },
      bulkhead: { permits: 1 },
    });
    const deaf = await desks.call({ deaf: true });
    await advance(1_400);
    for (let i = 0; i < 2; i += 1) {
      expectKind(await desks.call(), BulkheadFullError, 'the old task still has the only permit');
    }
    await deaf.request.answers();
    const probe = await desks.call();
    expectAsked(probe, 1, 'the permit is back, and no probe is out');
    await probe.request.answers();
    await expectClosed(desks, 'the probe was answered');
  });

  it('does not listen to attempts from before the circuit has changed', async () => {
    const desks = desksWith({ breaker: { consecutiveFailures: 2, cooldownMs: 1_000 } });
    const old = Array.from({ length: 5 }, () => desks.callNow());
    await open(desks, 2);
    await advance(400);
    await old[0]?.request.answers();
    await expectOpen(desks, 'a success from before');
    await old[1]?.request.fails();
    await advance(602);
    const probe = await desks.call();
    expectAsked(probe, 1, 'a failure from before does not prolong the cooldown');
    await old[2]?.request.fails();
    await old[4]?.request.answers();
    await expectOpen(desks, 'the probe is still out');
    await probe.request.answers();
    expectAsked(await desks.call(), 1, 'the probe was answered');
    await open(desks, 1);
    await old[3]?.request.fails();
    expectAsked(await desks.call(), 1, 'one failure since it closed, and one from before');
  });

  it('has a circuit for each dependency, which all calls to it share', async () => {
    const desks = new Desks({ seats: { breaker: trips }, bags: { breaker: trips } });
    const other = desksWith({ breaker: trips });
    await open(desks, 2);
    await open(desks, 2, 'bags');
    await desks.callInVain({ fallback: () => ANY_SEAT });
    await expectOpen(desks, 'three calls have failed');
    await expectClosed(desks, 'the bag service has failed twice', 'bags');
    await expectClosed(other, 'the other client has heard nothing of it');
  });

  it.each([-3_600_000, 3_600_000])(
    'keeps its cooldown when the wall clock is set by %i ms',
    async (ms) => {
      const desks = desksWith({ breaker: trips });
      await open(desks);
      stepWallClock(ms);
      await advance(4_900);
      await expectOpen(desks, '4,900 ms of 5,000, whatever the clock on the wall says');
      await advance(200);
      expectAsked(
        await desks.call(),
        1,
        'the cooldown is over, whatever the clock on the wall says',
      );
    },
  );
});

describe('5 · deadline and hanging up: around all attempts', () => {
  it.each([
    { deadlineMs: 650, times: 2 },
    { deadlineMs: 1_350, times: 3 },
    { deadlineMs: 2_450, times: 4 },
  ])('ends all attempts together after $deadlineMs ms', async ({ deadlineMs, times }) => {
    const desks = desksWith({ deadlineMs, timeoutMs: 300, retry: { attempts: 10 } });
    const { signal } = new AbortController();
    const passenger = await desks.call({ idempotent: true, signal });
    await expectAt(passenger, deadlineMs, `a deadline of ${deadlineMs} ms`, () => {
      const error = expectKind(
        passenger,
        DeadlineExceededError,
        'the attempts have had their time',
      );
      expect(error.budgetMs, 'budgetMs: all that the attempts had').toBe(deadlineMs);
    });
    expectAsked(passenger, times, 'limits of 300 ms, waits of 200, 400 and 800 ms');
    expectSameReason(passenger.request, passenger, 'the last attempt was under way');
    expectNoTimer('the deadline has ended the call');
    expectNoListener(signal, 'the deadline has ended the call');
    await advance(60_000);
    expectAsked(passenger, times, 'the caller has been told');
  });

  it('ends a call that waits in line, and takes it out of the line', async () => {
    const desks = desksWith({ deadlineMs: 5_000, bulkhead: { permits: 1, queue: 1 } });
    const deaf = await desks.call({ deaf: true });
    const waiting = await desks.call();
    await expectAt(waiting, 5_000, 'a deadline of 5 s, all of it in line', () => {
      expectKind(waiting, DeadlineExceededError, 'the line counts towards the deadline');
    });
    const next = await desks.call();
    expectPending(next, 'the place in line is free again');
    await deaf.request.answers();
    expectAsked(waiting, 0, 'its caller has been told');
    expectAsked(next, 1, 'it was next in line');
    await next.request.answers();
  });

  it('does not begin a wait that would not be over by then', async () => {
    const desks = desksWith({
      deadlineMs: 1_000,
      timeoutMs: 500,
      retry: { attempts: 10, baseMs: 1_600 },
    });
    const [late, early] = [
      desks.callNow({ idempotent: true }),
      desks.callNow({ idempotent: true }),
    ];
    await advance(100);
    await early.request.fails();
    await advance(250);
    const error = outage();
    await late.request.fails(error);
    expectError(late, error, 'a wait of 800 ms, and 650 are left: there is nothing to wait for');
    await advance(552);
    expectAsked(early, 2, 'a wait of 800 ms, and 900 were left');
    expectRemaining(early.request, 100, '900 of 1,000 ms are over');
    await expectAt(early, 1_000, 'a deadline of 1 s', () => {
      expectKind(early, DeadlineExceededError, 'the attempts have had their time');
    });
    expectAsked(late, 1, 'its caller has been told');
  });

  it('tells each attempt how long it may take', async () => {
    const desks = desksWith({
      deadlineMs: 1_000,
      timeoutMs: 400,
      retry: { attempts: 3, baseMs: 200 },
      bulkhead: { permits: 1, queue: 1 },
    });
    const other = await desks.call();
    const passenger = await desks.call({ idempotent: true });
    await advance(150);
    await other.request.answers();
    expectRemaining(passenger.request, 400, '150 of 1,000 ms were spent in line');
    await advance(380);
    await passenger.request.fails();
    await advance(102);
    expectRemaining(passenger.request, 370, '630 of 1,000 ms are over, and the limit is 400');
  });

  it('does not count an attempt that was cut off by the deadline', async () => {
    const desks = desksWith({
      deadlineMs: 1_000,
      timeoutMs: 900,
      breaker: { consecutiveFailures: 1, cooldownMs: 60_000 },
      bulkhead: { permits: 1, queue: 1 },
    });
    const first = await desks.call();
    const second = await desks.call({ deaf: true });
    await advance(700);
    await first.request.answers();
    expectRemaining(second.request, 300, '700 of 1,000 ms were spent in line');
    await advance(302);
    expectKind(second, DeadlineExceededError, '700 ms in line and 300 at work');
    await second.request.fails();
    const next = await desks.call();
    expectAsked(next, 1, 'it had 300 of its 900 ms: that says nothing about the service');
  });

  it('gives the slot of a probe that was cut off to the next', async () => {
    const desks = desksWith({
      deadlineMs: 1_000,
      timeoutMs: 900,
      breaker: { consecutiveFailures: 1, cooldownMs: 500 },
      bulkhead: { permits: 1, queue: 1 },
    });
    await desks.callInVain();
    const caller = new AbortController();
    await advance(502);
    const probe = await desks.call({ signal: caller.signal });
    caller.abort('left the desk');
    await settle();
    expectError(probe, 'left the desk', 'the caller has hung up');
    const next = await desks.call({ deaf: true });
    expectAsked(next, 1, 'the probe was cut off by its caller, so the next is a probe');
    await advance(902);
    expectKind(next, TimeoutError, 'a limit of 900 ms');
    await advance(502);
    const waiting = await desks.call();
    await expectAt(waiting, 1_000, 'a deadline of 1 s, all of it in line', () => {
      expectKind(waiting, DeadlineExceededError, 'a probe, too, waits for a permit');
    });
    await next.request.answers();
    const last = await desks.call();
    expectAsked(last, 1, 'the probe was cut off in line, so the next is a probe');
  });

  it.each<[what: string, reason: unknown]>([
    ['an error', new RangeError('the desk is closed')],
    ['a text', 'left the desk'],
    ['null', null],
    ['a fault', outage()],
    ['an answer', noSuchBooking()],
    ['a TimeoutError of another client', new TimeoutError(50)],
    ['a CircuitOpenError of another client', new CircuitOpenError(50)],
  ])('tells the caller its own reason at once: %s', async (_, reason) => {
    const desks = desksWith({
      retry: { attempts: 5 },
      breaker: { consecutiveFailures: 1, cooldownMs: 100_000 },
      bulkhead: { permits: 1, queue: 1 },
    });
    const caller = new AbortController();
    const { signal } = caller;
    const running = await desks.call({ signal, idempotent: true, deaf: true });
    const waiting = await desks.call({ signal, idempotent: true });
    await advance(100);
    caller.abort(reason);
    await settle();
    expectError(running, reason, 'the caller hung up during an attempt');
    expectSameReason(running.request, running, 'the caller hung up during an attempt');
    expectError(waiting, reason, 'the caller hung up while the attempt was in line');
    expectNoTimer('all callers have hung up');
    expectNoListener(signal, 'all callers have hung up');
    await running.request.fails();
    await advance(60_000);
    expectAsked(desks, 1, 'nobody waits any more');
    const next = await desks.call();
    expectAsked(next, 1, 'whoever hangs up says nothing about the service: its circuit is closed');
  });

  it('hears a caller who hangs up right after the call', async () => {
    for (let turns = 0; turns < 6; turns += 1) {
      const desks = desksWith({ bulkhead: { permits: 1 } });
      const caller = new AbortController();
      const passenger = desks.callNow({ signal: caller.signal });
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      caller.abort('left the desk');
      await settle();
      expectError(passenger, 'left the desk', 'the caller hung up right after the call');
      for (const request of passenger.requests) {
        expectStopped(request, 'the caller has hung up');
        await request.answers();
      }
      await expectAllPermitsFree(desks, 1, 'the caller has hung up');
    }
  });

  it('tells the caller at once during a wait', async () => {
    const desks = desksWith({ retry: { attempts: 5 } });
    const caller = new AbortController();
    const passenger = await desks.call({ signal: caller.signal, idempotent: true });
    await passenger.request.fails();
    await advance(150);
    expectPending(passenger, '150 ms of a wait of 200');
    caller.abort('left the desk');
    await settle();
    expectError(passenger, 'left the desk', 'the caller hung up during a wait');
    expectNoTimer('the caller has hung up');
    expectNoListener(caller.signal, 'the caller has hung up');
    await advance(60_000);
    expectAsked(passenger, 1, 'nobody waits any more');
  });

  it('calls nothing for a caller who has hung up before', async () => {
    const desks = desksWith({
      retry: { attempts: 5 },
      breaker: { consecutiveFailures: 1, cooldownMs: 60_000 },
      bulkhead: { permits: 1 },
    });
    const signal = AbortSignal.abort('left the desk');
    const passenger = await desks.call({ signal, idempotent: true });
    expectError(passenger, 'left the desk', 'the caller had hung up before');
    const running = await desks.call();
    const next = await desks.call({ signal });
    expectError(next, 'left the desk', 'whether there is a permit is of no interest any more');
    await running.request.fails();
    expectError(
      await desks.call({ signal }),
      'left the desk',
      'whether the circuit is open is of no interest either',
    );
    await advance(60_000);
    expectAsked(desks, 1, 'one call was not given up before it began');
  });

  it('frees the place in line of a caller who hangs up, and nothing else', async () => {
    const desks = desksWith({ bulkhead: { permits: 1, queue: 2 } });
    const caller = new AbortController();
    const running = await desks.call();
    const [leaving, staying] = [desks.callNow({ signal: caller.signal }), desks.callNow()];
    await settle();
    caller.abort('left the desk');
    await settle();
    const next = await desks.call();
    expectPending(next, 'one place in line is free again');
    expectKind(await desks.call(), BulkheadFullError, 'one place was free, and not two');
    await running.request.answers();
    expectAsked(leaving, 0, 'its caller has hung up');
    expectAsked(staying, 1, 'it was next in line');
    await staying.request.answers();
    expectAsked(next, 1, 'it was last in line');
    expectMost(desks, 1, 'one permit');
  });

  it('has the permit back from a caller who hangs up while it is handed over', async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const desks = desksWith({ bulkhead: { permits: 1, queue: 1 } });
      const caller = new AbortController();
      const answer = await desks.callUntilTold();
      const next = await desks.call({ signal: caller.signal });
      answer();
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      caller.abort('left the desk');
      await settle();
      expectError(next, 'left the desk', 'its caller hung up when it was next');
      for (const { answers } of next.requests) await answers();
      await expectAllPermitsFree(desks, 1, 'next in line had hung up');
    }
  });

  it('keeps the permit of a task that runs on after its caller has hung up', async () => {
    const desks = desksWith({ bulkhead: { permits: 1 } });
    const caller = new AbortController();
    const { request } = await desks.call({ signal: caller.signal, deaf: true });
    caller.abort('left the desk');
    await settle();
    expectKind(await desks.call(), BulkheadFullError, 'the task does not look at its signal');
    await request.answers();
    await expectAllPermitsFree(desks, 1, 'the task has ended');
  });

  it('does nothing when the caller hangs up after all is over', async () => {
    const desks = desksWith();
    const caller = new AbortController();
    const passenger = await desks.call({ signal: caller.signal });
    await passenger.request.answers();
    expectNoListener(caller.signal, 'the call has settled');
    caller.abort('left the desk');
    await settle();
    expectValue(passenger, SEAT, 'the caller hung up with the answer in hand');
  });

  it('makes no further attempt when the caller hangs up as an attempt fails', async () => {
    const desks = desksWith({ retry: { attempts: 5 } });
    const caller = new AbortController();
    const passenger = await desks.call({
      signal: caller.signal,
      idempotent: true,
      task: () => {
        caller.abort('left the desk');
        throw outage();
      },
    });
    await advance(60_000);
    expect(passenger.end, 'the caller must be told something').toBe('error');
    expectAsked(passenger, 1, 'nobody waits any more');
  });

  it('leaves nothing on a signal that sees many calls', async () => {
    const desks = desksWith({ timeoutMs: 300, retry: { attempts: 2 } });
    const { signal } = new AbortController();
    for (let i = 0; i < 4; i += 1) {
      await desks.call({ signal, task: () => SEAT });
      await desks.callInVain({ signal, idempotent: true });
      await desks.call({ signal });
      await advance(2_000);
    }
    expectNoListener(signal, 'twelve calls have settled');
  });

  it.each([-3_600_000, 3_600_000])(
    'keeps its deadline when the wall clock is set by %i ms',
    async (ms) => {
      const desks = desksWith({
        deadlineMs: 2_000,
        timeoutMs: 500,
        retry: { attempts: 3, baseMs: 1_000 },
      });
      const passenger = await desks.call({ idempotent: true });
      await advance(100);
      stepWallClock(ms);
      await passenger.request.fails();
      await advance(502);
      expectRemaining(passenger.request, 500, '600 of 2,000 ms are over');
      stepWallClock(-ms);
      await expectAt(passenger, 1_100, 'a limit of 500 ms, and no time for a wait of 1,000', () => {
        expectKind(passenger, TimeoutError, 'no time is left for a wait of 1,000 ms');
      });
    },
  );
});

describe('6 · fallback: outermost, and only when nobody has answered', () => {
  const fallback = () => ANY_SEAT;

  it('is not called when an attempt has succeeded', async () => {
    const desks = desksWith();
    for (const value of [SEAT, undefined, null, 0, false, '']) {
      const passenger = await desks.call({ fallback, task: () => value });
      expectValue(passenger, value, 'the service has answered');
      expectNoFallback(passenger, 'the service has answered');
    }
  });

  it('is called once, after the last attempt, with its error', async () => {
    const desks = desksWith({ retry: { attempts: 3 } });
    const passenger = await desks.call({ fallback, idempotent: true });
    for (let number = 1; number < 3; number += 1) {
      await passenger.request.fails();
      expectNoFallback(passenger, `attempt ${number} of 3 has failed`);
      await advance(1_000);
    }
    expectNoFallback(passenger, 'attempt 3 of 3 is under way');
    const last = outage();
    await passenger.request.fails(last);
    expectValue(passenger, ANY_SEAT, 'attempt 3 of 3 has failed');
    expectAsked(passenger, 3, 'three attempts come before second best');
    expect(
      passenger.fallbacks.map(({ error }) => error),
      'what the fallback was called with',
    ).toEqual([last]);
    await advance(60_000);
    expect(passenger.fallbacks.length, 'how often the fallback was called').toBe(1);
    expectEndedInTime(passenger);
  });

  it('takes a fallback that returns a plain value, a promise or anything with a then', async () => {
    const desks = desksWith();
    for (const result of [undefined, null, 42, '']) {
      const passenger = await desks.callInVain({ fallback: () => result });
      expectValue(passenger, result, 'the fallback returned no promise');
      const promised = await desks.callInVain({ fallback: () => Promise.resolve(result) });
      expectValue(promised, result, 'the fallback returned a promise');
    }
    const query = new Query(() => ANY_SEAT);
    expectValue(await desks.callInVain({ fallback: () => query }), ANY_SEAT, 'it returned a query');
    expect(query.sent, 'a query is sent each time its `then` is called').toBe(1);
  });

  it('covers what is no answer: fault, timeout, open circuit, full bulkhead, deadline', async () => {
    const desks = desksWith({
      deadlineMs: 2_000,
      fallbackMs: 400,
      timeoutMs: 900,
      breaker: { consecutiveFailures: 2, cooldownMs: 5_000 },
      bulkhead: { permits: 1, queue: 1 },
    });
    const covered = async (passenger: Passenger, kind: Kind<Error>) => {
      expectValue(passenger, ANY_SEAT, `a ${kind.name}`);
      const [call] = passenger.fallbacks;
      expect(call?.error, `the fallback is told of a ${kind.name}`).toBeInstanceOf(kind);
    };
    const deaf = await desks.call({ fallback, deaf: true });
    const waiting = await desks.call({ fallback });
    await covered(await desks.call({ fallback }), BulkheadFullError);
    await advance(902);
    await covered(deaf, TimeoutError);
    await advance(700);
    await covered(waiting, DeadlineExceededError);
    await deaf.request.answers();
    await covered(await desks.callInVain({ fallback }), ServiceError);
    await covered(await desks.call({ fallback }), CircuitOpenError);
    expectAsked(desks, 2, 'two tasks have run');
    const nothing = await desksWith().call({ fallback, task: () => Promise.reject(undefined) });
    expectValue(nothing, ANY_SEAT, 'a task rejected with undefined, and isFault says yes');
  });

  it('does not cover an answer', async () => {
    const desks = desksWith({ retry: { attempts: 3 } });
    const error = noSuchBooking();
    const passenger = await desks.call({ fallback, idempotent: true });
    await passenger.request.fails();
    await advance(202);
    await passenger.request.fails(error);
    expectError(passenger, error, 'no such booking: no seat');
    expectNoFallback(passenger, 'no such booking: no seat');
  });

  it('does not cover a caller who has hung up', async () => {
    const desks = desksWith({ retry: { attempts: 3 }, bulkhead: { permits: 2, queue: 1 } });
    const caller = new AbortController();
    const { signal } = caller;
    const wish = { signal, fallback, idempotent: true };
    const pausing = await desks.callInVain(wish);
    const passengers = [await desks.call(wish), await desks.call({ ...wish, deaf: true })];
    passengers.push(await desks.call(wish), pausing);
    await advance(50);
    caller.abort('left the desk');
    passengers.push(await desks.call(wish));
    await advance(60_000);
    for (const passenger of passengers) {
      expectError(passenger, 'left the desk', 'the caller has hung up');
      expectNoFallback(passenger, 'the caller has hung up');
    }
  });

  it('does not hide failures from the breaker', async () => {
    const desks = desksWith({ breaker: { consecutiveFailures: 3, cooldownMs: 5_000 } });
    for (let i = 0; i < 3; i += 1) {
      expectValue(await desks.callInVain({ fallback }), ANY_SEAT, 'the service has failed');
    }
    const passenger = await desks.call({ fallback });
    expectAsked(passenger, 0, 'three failures have opened the circuit, whatever their callers got');
    expectValue(passenger, ANY_SEAT, 'the circuit is open: second best, and at once');
  });

  it('is not counted by the breaker when it fails itself', async () => {
    const desks = desksWith({ breaker: { consecutiveFailures: 3, cooldownMs: 5_000 } });
    const failing = () => Promise.reject(new ServiceError(500, 'no free seats'));
    await desks.callInVain({ fallback: failing });
    await desks.callInVain({ fallback: failing });
    expectAsked(await desks.call(), 1, 'the seat service has failed twice');
  });

  it('needs no permit', async () => {
    const desks = desksWith({ timeoutMs: 300, bulkhead: { permits: 1 } });
    const slowFallback = () => new Promise((resolve) => setTimeout(resolve, 900, ANY_SEAT));
    const deaf = await desks.call({ deaf: true, fallback: slowFallback });
    const refused = await desks.call({ fallback });
    expectValue(refused, ANY_SEAT, 'the only permit is taken');
    await advance(302);
    await deaf.request.answers();
    expectPending(deaf, 'its fallback takes 900 ms');
    await expectAllPermitsFree(desks, 1, 'the task has ended, only a fallback is under way');
    await advance(902);
    expectValue(deaf, ANY_SEAT, 'its fallback took 900 ms');
  });

  it.each([
    { deadlineMs: 2_000, fallbackMs: 400 },
    { deadlineMs: 2_900, fallbackMs: 1_800 },
  ])(
    'keeps time for the fallback: $fallbackMs of $deadlineMs ms',
    async ({ deadlineMs, fallbackMs }) => {
      const budgetMs = deadlineMs - fallbackMs;
      const desks = desksWith({
        deadlineMs,
        fallbackMs,
        timeoutMs: 700,
        retry: { attempts: 9, baseMs: 100, capMs: 100 },
      });
      const wish = { idempotent: true, fallback: () => new Promise(() => {}) };
      const passenger = await desks.call(wish);
      const without = await desks.call({ idempotent: true });
      await advance(budgetMs - 2);
      expectNoFallback(passenger, '2 ms before the attempts have had their time');
      const { request } = passenger;
      await advance(4);
      const [call] = passenger.fallbacks;
      if (!call) expect.fail(`${fallbackMs} ms are left, and kept for the fallback`);
      expect(call.error, 'what ended the attempts').toBeInstanceOf(DeadlineExceededError);
      expect(call.error, 'all that the attempts had').toMatchObject({ budgetMs });
      expect(expectStopped(request, 'the attempts have had their time').reason).toBe(call.error);
      await advance(fallbackMs - 20);
      expectPending(without, 'with no fallback the attempts have all of the time');
      expectPending(passenger, 'its fallback still has 18 ms');
      expect(call.signal.aborted, 'the signal of a fallback that still has 18 ms').toBe(false);
      await advance(20);
      expectError(passenger, call.error, 'the fallback has used up what was left');
      expect(call.signal.aborted, 'the signal of a fallback whose time is up').toBe(true);
      const error = expectKind(without, DeadlineExceededError, 'its attempts have had their time');
      expect(error.budgetMs, 'budgetMs: with no fallback all of it').toBe(deadlineMs);
      expect(passenger.tookMs, 'the deadline is for all of it').toBeLessThan(deadlineMs + 3);
    },
  );

  it('has all the time that the attempts have left', async () => {
    const desks = desksWith({ deadlineMs: 5_000, fallbackMs: 500 });
    const slow = (_: unknown, signal: AbortSignal) =>
      new Promise((resolve, reject) => {
        setTimeout(resolve, 4_500, ANY_SEAT);
        signal.addEventListener('abort', () => reject(aborted()));
      });
    const caller = new AbortController();
    const passenger = await desks.call({ fallback: slow, signal: caller.signal });
    await advance(300);
    stepWallClock(3_600_000);
    await passenger.request.fails();
    await advance(4_499);
    expectPending(
      passenger,
      'attempts of 300 ms, and a fallback of 4,500: 200 ms to spare, whatever the clock on the wall says',
    );
    await advance(3);
    expectValue(passenger, ANY_SEAT, 'attempts of 300 ms, and a fallback of 4,500');
    expectNoTimer('the call has settled');
    expectNoListener(caller.signal, 'the call has settled');
    const [call] = passenger.fallbacks;
    if (call?.signal.aborted !== false) {
      expect.fail(
        'the fallback has helped, so its signal must not be aborted: its answer may still be read',
      );
    }
  });

  it.each<[how: string, failing: () => unknown]>([
    ['rejects', () => Promise.reject(new RangeError('no free seats'))],
    [
      'throws',
      () => {
        throw new RangeError('no free seats');
      },
    ],
    ['rejects with nothing', () => Promise.reject(undefined)],
  ])('gives the first error when the fallback %s', async (_, failing) => {
    const desks = desksWith({ retry: { attempts: 2 } });
    const passenger = await desks.call({ fallback: failing, idempotent: true });
    await passenger.request.fails();
    await advance(202);
    const error = outage();
    await passenger.request.fails(error);
    expectError(passenger, error, 'second best failed; what went wrong first is what went wrong');
    expectNoTimer('the fallback has failed, and the call has settled');
    await advance(60_000);
    expect(passenger.fallbacks.length, 'how often the fallback was called').toBe(1);
    expectAsked(passenger, 2, 'two attempts');
  });

  it('does not change its word for a fallback that comes late', async () => {
    const desks = desksWith({ deadlineMs: 5_000 });
    for (const comes of ['value', 'error']) {
      const error = outage();
      const passenger = await desks.call({
        task: () => Promise.reject(error),
        fallback: () =>
          new Promise((resolve, reject) => {
            setTimeout(comes === 'value' ? resolve : reject, 8_000, ANY_SEAT);
          }),
      });
      await advance(5_002);
      expectError(passenger, error, 'the fallback was too slow');
      await advance(5_000);
      expectError(passenger, error, `the fallback came with its ${comes} 3 s after the deadline`);
    }
  });

  it('ends at once when the caller hangs up during the fallback', async () => {
    const desks = desksWith();
    for (const comes of ['nothing', 'a value', 'an error']) {
      const caller = new AbortController();
      const passenger = await desks.callInVain({
        signal: caller.signal,
        fallback: (_, signal) =>
          new Promise((resolve, reject) => {
            signal.addEventListener('abort', () => {
              if (comes === 'a value') resolve(ANY_SEAT);
              if (comes === 'an error') reject(aborted());
            });
          }),
      });
      expectPending(passenger, 'the fallback is under way');
      caller.abort('left the desk');
      await settle();
      expectError(passenger, 'left the desk', `the fallback heard it and came with ${comes}`);
      expect(passenger.fallbacks[0]?.signal.aborted, 'the signal of the fallback').toBe(true);
      expectNoTimer('the caller has hung up');
      expectNoListener(caller.signal, 'the caller has hung up');
    }
  });

  it('does not begin a wait that would leave no time for an attempt', async () => {
    const desks = desksWith({
      deadlineMs: 3_000,
      fallbackMs: 1_500,
      timeoutMs: 1_200,
      retry: { attempts: 9, baseMs: 800 },
    });
    const passenger = await desks.call({ fallback, idempotent: true });
    const without = await desks.call({ idempotent: true });
    await advance(1_195);
    await passenger.request.fails();
    await without.request.fails();
    expectValue(passenger, ANY_SEAT, 'a wait of 400 ms, and 305 are left for attempts');
    expectPending(without, 'a wait of 400 ms, and with no fallback 1,805 are left for attempts');
    await advance(402);
    expectAsked(without, 2, 'with no fallback there is time for another attempt');
    await without.request.answers();
  });

  it('leaves less to each attempt', async () => {
    const desks = desksWith({ deadlineMs: 2_000, fallbackMs: 800, timeoutMs: 1_000 });
    const first = await desks.call({ fallback, idempotent: true });
    expectRemaining(first.request, 1_000, '1,200 ms for all attempts');
    const other = desksWith({
      deadlineMs: 2_000,
      fallbackMs: 800,
      timeoutMs: 1_000,
      retry: { attempts: 2 },
    });
    const passenger = await other.call({ fallback, idempotent: true });
    await advance(300);
    await passenger.request.fails();
    await advance(202);
    expectRemaining(passenger.request, 700, '500 of 1,200 ms are over');
  });

  it('is for its own call only', async () => {
    const desks = desksWith();
    const [one, other, without] = [
      await desks.call({ fallback: () => 'a seat at the window' }),
      await desks.call({ fallback: () => 'a seat at the aisle' }),
      await desks.call(),
    ];
    const error = outage();
    for (const passenger of [one, other, without]) await passenger.request.fails(error);
    expectValue(one, 'a seat at the window', 'each call has its own');
    expectValue(other, 'a seat at the aisle', 'each call has its own');
    expectError(without, error, 'this call has no fallback');
  });
});

describe('7 · observers, and whatever happens', () => {
  const fallback = () => ANY_SEAT;

  it('tells of each attempt how it ended', async () => {
    const desks = desksWith({
      deadlineMs: 1_000,
      timeoutMs: 600,
      retry: { attempts: 3, baseMs: 200 },
      breaker: { consecutiveFailures: 3, cooldownMs: 5_000 },
      bulkhead: { permits: 1 },
    });
    const told = (): string[] => desks.told('attempt').splice(seen);
    let seen = 0;
    const expectTold = (expected: string[], because: string) => {
      expect(told(), because).toEqual(expected.map((text) => `seats: attempt ${text}`));
      seen = desks.told('attempt').length;
    };
    const first = await desks.call({ idempotent: true });
    expectTold([], 'the first attempt is under way');
    await first.request.fails();
    expectTold(['1 fault'], 'the first attempt has failed');
    await advance(102);
    await first.request.answers();
    expectTold(['2 ok'], 'the second attempt was answered');
    const second = await desks.call();
    await second.request.fails(noSuchBooking());
    expectTold(['1 answer'], 'no such booking');
    const third = await desks.call({ idempotent: true, deaf: true });
    await desks.call({ idempotent: true });
    expectTold(['1 bulkhead full'], 'the only permit is taken');
    await advance(602);
    expectTold(['1 timeout'], 'a limit of 600 ms');
    await third.request.answers();
    expectTold([], 'nobody waits for a task that has timed out');
    await advance(102);
    await advance(302);
    expectTold(['2 cut off'], 'a deadline of 1 s, and 700 ms were over when it began');
    await third.request.answers();
    expectTold([], 'nobody waits for a task that was cut off');
    const caller = new AbortController();
    await desks.call({ signal: caller.signal });
    caller.abort('left the desk');
    await settle();
    expectTold(['1 cut off'], 'the caller has hung up');
    await desks.callInVain();
    await desks.callInVain();
    await desks.call({ idempotent: true });
    expectTold(['1 fault', '1 fault', '1 circuit open'], 'one timeout and two faults');
  });

  it('tells of whoever leaves the line or a wait', async () => {
    const desks = desksWith({
      deadlineMs: 1_000,
      timeoutMs: 900,
      retry: { attempts: 2 },
      bulkhead: { permits: 1, queue: 1 },
    });
    const caller = new AbortController();
    const pausing = await desks.call({ signal: caller.signal, idempotent: true });
    await pausing.request.fails();
    const running = await desks.call();
    await desks.call({ signal: caller.signal });
    await advance(100);
    caller.abort('left the desk');
    await settle();
    expect(desks.told('attempt'), 'one has failed, and one was in line').toEqual([
      'seats: attempt 1 fault',
      'seats: attempt 1 cut off',
    ]);
    expect(desks.told('call'), 'the caller has hung up during a wait, and in line').toEqual([
      'seats: aborted after 1 attempt(s)',
      'seats: aborted after 1 attempt(s)',
    ]);
    await running.request.answers();
    await desks.call({ deaf: true });
    await advance(100);
    await desks.call();
    await advance(1_002);
    const [told] = desks.events.filter(({ kind }) => kind === 'attempt').slice(-1);
    if (told?.kind !== 'attempt') return;
    expect(told.outcome, 'the deadline was over in line').toBe('cut off');
    expectMs(told.ms, 1_000, 'a deadline of 1 s, all of it in line: ms of the attempt');
  });

  it('tells of each call what its caller was told', async () => {
    const desks = desksWith({
      retry: { attempts: 3 },
      breaker: { consecutiveFailures: 4, cooldownMs: 5_000 },
      bulkhead: { permits: 1 },
    });
    const caller = new AbortController();
    const told: string[] = [];
    const expectTold = (text: string, because: string) => {
      told.push(`seats: ${text} attempt(s)`);
      expect(desks.told('call'), because).toEqual(told);
    };
    const first = await desks.call({ idempotent: true });
    await first.request.fails();
    await advance(202);
    expect(desks.told('call'), 'the call is under way').toEqual([]);
    await first.request.answers();
    expectTold('ok after 2', 'the second attempt was answered');
    const second = await desks.call({ idempotent: true, fallback });
    await second.request.fails(noSuchBooking());
    expectTold('answer after 1', 'no such booking');
    await desks.callInVain({ fallback });
    expectTold('fallback after 1', 'the fallback has helped');
    await desks.callInVain({ fallback: () => Promise.reject(new Error('no free seats')) });
    expectTold('failed after 1', 'not even the fallback has helped');
    const running = await desks.call({ signal: caller.signal });
    await desks.call({ idempotent: true });
    expectTold('failed after 1', 'it was refused, and that was an attempt');
    caller.abort('left the desk');
    await settle();
    expectTold('aborted after 1', 'the caller has hung up');
    await running.request.fails();
    await desks.call({ signal: caller.signal, fallback });
    expectTold('aborted after 0', 'the caller had hung up before');
    const last = new AbortController();
    await desks.callInVain({ signal: last.signal, fallback: () => new Promise(() => {}) });
    last.abort('left the desk');
    await settle();
    expectTold('aborted after 1', 'the caller has hung up during the fallback');
    await desks.callInVain({ idempotent: true });
    await advance(202);
    expectTold('failed after 2', 'the fourth failure in a row has opened the circuit');
    await desks.call({ fallback });
    expectTold('fallback after 1', 'it was refused, and the fallback has helped');
    last.abort('left the airport');
    await advance(10_000);
    expect(desks.told('call'), 'each call is told of once').toEqual(told);
  });

  it('tells how long each of them took', async () => {
    const desks = desksWith({
      deadlineMs: 4_000,
      timeoutMs: 900,
      retry: { attempts: 2 },
      bulkhead: { permits: 1, queue: 1 },
    });
    const first = await desks.call();
    const second = await desks.call({ idempotent: true });
    await advance(350);
    stepWallClock(3_600_000);
    await first.request.answers();
    await advance(250);
    await second.request.fails();
    await advance(202);
    await desks.call();
    await advance(902);
    const near = (ms: number) =>
      [350, 600, 900, 1_700].find((expected) => Math.abs(ms - expected) <= 3) ?? Math.round(ms);
    const told = desks.events.flatMap((event) =>
      event.kind === 'circuit' ? [] : [`${event.kind} ${event.outcome}: ${near(event.ms)} ms`],
    );
    expect(
      told.toSorted(),
      'whatever the clock on the wall says, the first call: 350 ms at work; the second: 350 in line, 250 at work, a wait of 200, 900 at work',
    ).toEqual([
      'attempt fault: 600 ms',
      'attempt ok: 350 ms',
      'attempt timeout: 900 ms',
      'call failed: 1700 ms',
      'call ok: 350 ms',
    ]);
  });

  it('tells of each change of a circuit, and whose it is', async () => {
    const trips = { consecutiveFailures: 2, cooldownMs: 1_000 };
    const desks = new Desks({ seats: { breaker: trips }, bags: { breaker: trips } });
    const fail = async (of: string) => {
      await desks.callInVain({ of });
    };
    await fail('seats');
    await fail('bags');
    expect(desks.told('circuit'), 'one failure each').toEqual([]);
    await fail('bags');
    expect(desks.told('circuit'), 'bags: two failures').toEqual(['bags: closed → open']);
    await fail('seats');
    await advance(1_002);
    await fail('seats');
    expect(
      desks.told('circuit').filter((text) => text.startsWith('seats')),
      'seats: two failures, and a probe that failed',
    ).toEqual(['seats: closed → open', 'seats: open → half-open', 'seats: half-open → open']);
    await desks.call({ of: 'bags', task: () => 'bag tag 0042' });
    expect(
      desks.told('circuit').filter((text) => text.startsWith('bags')),
      'bags: two failures, and a probe that was answered',
    ).toEqual(['bags: closed → open', 'bags: open → half-open', 'bags: half-open → closed']);
    const names = desks.events.map(({ dependency }) => dependency);
    expect(new Set(names), 'whom the events are about').toEqual(new Set(['seats', 'bags']));
  });

  it.each<[how: string, observer: () => unknown]>([
    [
      'throws',
      () => {
        throw new RangeError('no space left on the disk');
      },
    ],
    ['rejects', () => Promise.reject(new RangeError('no space left on the disk'))],
    ['never comes to an end', () => new Promise(() => {})],
  ])('does no harm when the observer %s', async (how, observer) => {
    const settings = {
      timeoutMs: 300,
      retry: { attempts: 2 },
      breaker: { consecutiveFailures: 3, cooldownMs: 1_000 },
      bulkhead: { permits: 1 },
    };
    const desks = new Desks({ seats: settings }, observer);
    const because = `the observer ${how}`;
    expectValue(await desks.call({ task: () => SEAT }), SEAT, because);
    const error = outage();
    const failed = await desks.call({ idempotent: true, task: () => Promise.reject(error) });
    await advance(202);
    expectError(failed, error, because);
    expectAsked(failed, 2, because);
    await desks.call();
    await advance(302);
    expectKind(await desks.call(), CircuitOpenError, `${because}, and three attempts have failed`);
    expectValue(await desks.call({ fallback }), ANY_SEAT, because);
    await advance(1_002);
    expectValue(
      await desks.call({ task: () => SEAT }),
      SEAT,
      `${because}, and the cooldown is over`,
    );
    await expectAllPermitsFree(desks, 1, because);
    expect(desks.told('circuit').length, `${because}: changes that were told of`).toBe(3);
  });

  it('needs no observer', async () => {
    const client = createClient({ dependencies: { seats: optionsWith({}) } });
    const values: unknown[] = [];
    void client.call('seats', () => SEAT).then((value) => values.push(value));
    const error = outage();
    void client
      .call('seats', () => Promise.reject(error), { fallback: () => ANY_SEAT })
      .then((value) => values.push(value));
    await settle();
    expect(values, 'nobody observes').toEqual([SEAT, ANY_SEAT]);
  });

  it('keeps its promises, whatever the services and the callers do', async () => {
    await fc.assert(fc.asyncProperty(stories(), play), { seed: 20_261_123, numRuns: 30 });
  });
});

// ── Whatever happens ────────────────────────────────────────────────────────────────────────────────────

/** A day at the airport. Times are in milliseconds. */
interface Story {
  readonly services: readonly DependencyOptions[];
  readonly visits: readonly Visit[];
}

/** One call. */
interface Visit {
  readonly atMs: number;
  /** Which service is asked. */
  readonly of: number;
  readonly idempotent: boolean;
  readonly hangsUpAfterMs: number | undefined;
  readonly fallback: 'none' | 'helps' | 'fails' | 'hangs';
  /** What happens to its attempts; the last one goes for all that follow. */
  readonly steps: readonly Step[];
}

interface Step {
  /** With 0 the task returns or throws at once. */
  readonly takesMs: number;
  readonly end: 'ok' | 'fault' | 'answer';
  /** Whether the task goes on when its signal aborts. */
  readonly deaf: boolean;
}

function stories(): fc.Arbitrary<Story> {
  const ms = (min: number, max: number) => fc.integer({ min, max });
  const service = fc
    .record({
      timeoutMs: ms(50, 900),
      fallbackMs: ms(50, 400),
      spareMs: ms(1, 2_500),
      attempts: ms(1, 4),
      baseMs: ms(20, 600),
      capMs: ms(20, 900),
      consecutiveFailures: ms(1, 4),
      cooldownMs: ms(100, 2_000),
      permits: ms(1, 3),
      queue: ms(0, 3),
    })
    .map((chosen): DependencyOptions => {
      const { timeoutMs, fallbackMs, spareMs, attempts, baseMs, capMs } = chosen;
      const { consecutiveFailures, cooldownMs, permits, queue } = chosen;
      return {
        deadlineMs: timeoutMs + fallbackMs + spareMs,
        fallbackMs,
        timeoutMs,
        retry: { attempts, baseMs, capMs },
        breaker: { consecutiveFailures, cooldownMs },
        bulkhead: { permits, queue },
        isFault,
      };
    });
  const step = fc.record({
    takesMs: fc.oneof(fc.constant(0), ms(5, 800), ms(900, 6_000)),
    end: fc.constantFrom<Step['end'][]>('ok', 'ok', 'fault', 'fault', 'fault', 'answer'),
    deaf: fc.boolean(),
  });
  const visit = fc.record({
    atMs: ms(0, 5_000),
    of: ms(0, 1),
    idempotent: fc.constantFrom(true, true, false),
    hangsUpAfterMs: fc.option(ms(0, 2_500), { freq: 4, nil: undefined }),
    fallback: fc.constantFrom<Visit['fallback'][]>('none', 'none', 'helps', 'fails', 'hangs'),
    steps: fc.array(step, { minLength: 1, maxLength: 4 }),
  });
  return fc
    .record({
      services: fc.noShrink(fc.array(service, { minLength: 2, maxLength: 2 })),
      visits: fc.array(fc.noShrink(visit), { minLength: 1, maxLength: 16, size: 'max' }),
    })
    .map(({ services, visits }) => ({
      services,
      visits: visits.toSorted((a, b) => a.atMs - b.atMs),
    }))
    .map((story) => ({ ...story, [fc.toStringMethod]: () => storyInWords(story) }));
}

/** How fast-check prints it. */
function storyInWords({ services, visits }: Story): string {
  return [
    ...services.map(
      ({ timeoutMs, deadlineMs, fallbackMs, retry, breaker, bulkhead }, index) =>
        `service ${index}: ${bulkhead.permits} permits and ${bulkhead.queue} in line; ${retry.attempts} attempts of ${timeoutMs} ms, waits of ${retry.baseMs / 2} to ${retry.capMs / 2} ms; deadline ${deadlineMs} ms, ${fallbackMs} of it for the fallback; opens at ${breaker.consecutiveFailures} for ${breaker.cooldownMs} ms`,
    ),
    ...visits.map(({ atMs, of, idempotent, hangsUpAfterMs, fallback, steps }) =>
      [
        `after ${atMs} ms: call to service ${of}`,
        ...(idempotent ? ['idempotent'] : []),
        ...(fallback === 'none' ? [] : [`with a fallback that ${fallback}`]),
        ...(hangsUpAfterMs === undefined ? [] : [`hangs up after ${hangsUpAfterMs} ms`]),
        ...steps.map(
          ({ takesMs, end, deaf }) => `[${end} after ${takesMs} ms${deaf ? ', deaf' : ''}]`,
        ),
      ].join(', '),
    ),
  ].join('\n  ');
}

/** A task as the service saw it. */
interface Run {
  /** When its attempt began, before it stood in line. */
  readonly askedAtMs: number;
  readonly beganAtMs: number;
  readonly step: Step;
  readonly signal: AbortSignal;
  /** When the task itself is over. */
  overAtMs: number;
}

/** A call as the spec follows it. */
interface Followed {
  readonly visit: Visit;
  readonly options: DependencyOptions;
  readonly calledAtMs: number;
  readonly caller: AbortController;
  readonly runs: Run[];
  fallbacks: number;
  end: 'pending' | 'value' | 'error';
  value?: unknown;
  error?: unknown;
  toldAtMs: number;
}

/** Ends that are closer to each other than this may have come in either order. */
const CLOSE_MS = 3;
const isClose = (a: number, b: number) => Math.abs(a - b) < CLOSE_MS;

async function play({ services, visits }: Story): Promise<void> {
  setRandom(0.5);
  await advance(DAY_MS);
  const timersBefore = pendingTimers();
  const beganAtMs = performance.now();
  const client = createClient<string>({
    dependencies: Object.fromEntries(services.map((service, index) => [`${index}`, service])),
  });
  const calls: Followed[] = [];
  /** What goes wrong inside of a task or a fallback: thrown there, it would reach the client and not the reader. */
  const wrongs: string[] = [];
  const atWork = services.map(() => 0);
  const theirs = new Set<NodeJS.Timeout>();
  const later = (ms: number, task: () => void) => {
    const timer = setTimeout(() => {
      theirs.delete(timer);
      task();
    }, ms);
    theirs.add(timer);
  };

  const begin = (call: Followed, { signal }: Attempt): unknown => {
    const { visit, options, runs } = call;
    const { permits } = options.bulkhead;
    const step = visit.steps[Math.min(runs.length, visit.steps.length - 1)];
    if (!step) return undefined;
    const nowMs = performance.now();
    if (call.end !== 'pending') wrongs.push('a task has begun after its caller was told');
    const most = visit.idempotent ? options.retry.attempts : 1;
    if (runs.length === most) wrongs.push(`attempt ${most + 1} of a call that may make ${most}`);
    const running = (atWork[visit.of] ?? 0) + 1;
    atWork[visit.of] = running;
    if (running > permits) wrongs.push(`${running} tasks run at once, with ${permits} permits`);
    const run: Run = {
      askedAtMs: askedAt(call),
      beganAtMs: nowMs,
      step,
      signal,
      overAtMs: Infinity,
    };
    runs.push(run);
    const over = () => {
      if (run.overAtMs < Infinity) return;
      run.overAtMs = performance.now();
      atWork[visit.of] = (atWork[visit.of] ?? 0) - 1;
    };
    const number = runs.length;
    const ends = { ok: () => `seat of attempt ${number}`, fault: outage, answer: noSuchBooking };
    const result = ends[step.end]();
    if (step.takesMs === 0) {
      over();
      if (result instanceof Error) throw result;
      return result;
    }
    return new Promise((resolve, reject) => {
      later(step.takesMs, () => {
        over();
        if (result instanceof Error) reject(result);
        else resolve(result);
      });
      if (step.deaf) return;
      signal.addEventListener('abort', () => {
        over();
        reject(aborted());
      });
    });
  };

  for (const visit of visits) {
    await advance(beganAtMs + visit.atMs - performance.now());
    const options = services[visit.of];
    if (!options) continue;
    const caller = new AbortController();
    const call: Followed = {
      visit,
      options,
      calledAtMs: performance.now(),
      caller,
      runs: [],
      fallbacks: 0,
      end: 'pending',
      toldAtMs: Infinity,
    };
    calls.push(call);
    if (visit.hangsUpAfterMs !== undefined) {
      later(visit.hangsUpAfterMs, () => caller.abort('left the desk'));
    }
    const refused = (error: unknown) => {
      const { permits } = options.bulkhead;
      const running = atWork[visit.of] ?? 0;
      if (error instanceof BulkheadFullError && running < permits) {
        wrongs.push(`"bulkhead full", with ${running} of ${permits} permits in use`);
      }
    };
    const secondBest = (error: unknown): unknown => {
      refused(error);
      call.fallbacks += 1;
      if (call.fallbacks > 1) wrongs.push('a fallback was called twice');
      const { hangsUpAfterMs = Infinity } = visit;
      if (performance.now() - call.calledAtMs > hangsUpAfterMs + CLOSE_MS) {
        wrongs.push('a fallback was called for a caller who had hung up');
      }
      if (!isFault(error)) {
        wrongs.push(`a fallback was called to cover an answer, ${print(error)}`);
      }
      if (visit.fallback === 'fails') throw new RangeError('no free seats');
      return visit.fallback === 'helps' ? ANY_SEAT : new Promise(() => {});
    };
    const told = (end: Partial<Followed>) => {
      Object.assign(call, end, { toldAtMs: performance.now() });
      if (visit.fallback === 'none') refused(call.error);
    };
    callNeverThrows(() =>
      client.call<unknown>(`${visit.of}`, (attempt) => begin(call, attempt), {
        signal: caller.signal,
        idempotent: visit.idempotent,
        ...(visit.fallback !== 'none' && { fallback: secondBest }),
      }),
    ).then(
      (value) => told({ end: 'value', value }),
      (error: unknown) => told({ end: 'error', error }),
    );
  }
  await advance(60_000);
  const [wrong] = wrongs;
  if (wrong) expect.fail(wrong);

  for (const call of calls) checkCall(call);
  for (const [index, options] of services.entries()) {
    checkCircuit(
      calls.filter(({ visit }) => visit.of === index),
      options,
    );
  }
  if (pendingTimers() > timersBefore + theirs.size) expect.fail('all is over, and a timer is set');
  for (const index of services.keys()) await checkGoodAsNew(client, services, index);
}

/** When the attempt that is about to run was begun, before it stood in line. */
function askedAt({ calledAtMs, runs, options }: Followed): number {
  const last = runs.at(-1);
  if (!last) return calledAtMs;
  const { baseMs, capMs } = options.retry;
  const waitMs = 0.5 * Math.min(capMs, baseMs * 2 ** (runs.length - 1));
  // Timers may fire early by a fraction of a millisecond.
  return Math.min(endOf(last, options).atMs + waitMs, performance.now());
}

/** How and when the attempt ended, if nobody cut it off. */
function endOf({ beganAtMs, step }: Run, { timeoutMs }: DependencyOptions) {
  const isSlow = step.takesMs > timeoutMs;
  const atMs = beganAtMs + Math.min(step.takesMs, timeoutMs);
  return { atMs, end: isSlow ? ('timeout' as const) : step.end };
}

/** What the attempts of a call have together. */
function budgetOf({ visit, options }: Followed): number {
  return visit.fallback === 'none' ? options.deadlineMs : options.deadlineMs - options.fallbackMs;
}

/** What each caller was promised. */
function checkCall(call: Followed): void {
  const { visit, options, calledAtMs, caller, runs, toldAtMs, end, value, error } = call;
  const { deadlineMs } = options;
  const tookMs = toldAtMs - calledAtMs;
  if (tookMs > deadlineMs + CLOSE_MS) {
    expect.fail(`a caller was told after ${tookMs} ms, with a deadline of ${deadlineMs} ms`);
  }
  const { hangsUpAfterMs = Infinity } = visit;
  if (hangsUpAfterMs + CLOSE_MS < tookMs) {
    expect.fail(`a caller hung up after ${hangsUpAfterMs} ms, and was told after ${tookMs} ms`);
  }
  const wasCutOff = caller.signal.aborted && error === 'left the desk';
  const last = runs.at(-1);
  const expected =
    value === ANY_SEAT
      ? call.fallbacks === 1 && visit.fallback === 'helps'
      : end === 'value'
        ? last?.step.end === 'ok' && value === `seat of attempt ${runs.length}`
        : wasCutOff ||
          error instanceof CircuitOpenError ||
          error instanceof BulkheadFullError ||
          (error instanceof DeadlineExceededError && error.budgetMs === budgetOf(call)) ||
          (error instanceof TimeoutError && error.limitMs === options.timeoutMs) ||
          (error instanceof ServiceError && (error.status === 503 || last?.step.end === 'answer'));
  if (!expected) {
    expect.fail(`a caller got ${end === 'value' ? `the value ${print(value)}` : print(error)}`);
  }
  for (const { signal, overAtMs } of runs) {
    if (overAtMs > toldAtMs + CLOSE_MS && !signal.aborted) {
      expect.fail('a caller has been told, its task runs on, and the signal of it is not aborted');
    }
  }
}

/**
 * The circuit as it must have been, by the tasks that ran and how they ended: whom should it have refused? Where two
 * ends are too close to tell which came first, the rest of the day is not judged.
 */
function checkCircuit(calls: readonly Followed[], options: DependencyOptions): void {
  const { consecutiveFailures, cooldownMs } = options.breaker;
  type Moment = {
    readonly atMs: number;
    readonly run: Run;
    readonly end?: Step['end'] | 'timeout' | 'nothing' | 'either';
  };
  const moments: Moment[] = calls.flatMap((call) => {
    const { hangsUpAfterMs = Infinity } = call.visit;
    const cutOffAtMs = call.calledAtMs + Math.min(budgetOf(call), hangsUpAfterMs);
    return call.runs.flatMap((run): Moment[] => {
      const { atMs, end } = endOf(run, options);
      const begins: Moment = { atMs: run.askedAtMs, run };
      const isTie = isClose(cutOffAtMs, atMs) || isClose(run.step.takesMs, options.timeoutMs);
      if (isTie) return [begins, { atMs, run, end: 'either' }];
      return [
        begins,
        cutOffAtMs < atMs ? { atMs: cutOffAtMs, run, end: 'nothing' } : { atMs, run, end },
      ];
    });
  });
  const refusedAtMs = calls.flatMap(({ error, toldAtMs, visit }) =>
    error instanceof CircuitOpenError && visit.fallback === 'none' ? [toldAtMs] : [],
  );
  moments.sort((a, b) => a.atMs - b.atMs || Number(Boolean(a.end)) - Number(Boolean(b.end)));
  let period = { state: 'closed', failures: 0, endsAtMs: 0, probe: undefined as Run | undefined };
  const periodOf = new Map<Run, typeof period>();
  let changedAtMs = -Infinity;
  const become = (state: string, atMs: number) => {
    period = { state, failures: 0, endsAtMs: atMs + cooldownMs, probe: undefined };
    changedAtMs = atMs;
  };
  for (const [index, { atMs, run, end }] of moments.entries()) {
    const wasRefused = refusedAtMs.some(
      (ms) => period.state === 'closed' && ms > changedAtMs + CLOSE_MS && ms < atMs - CLOSE_MS,
    );
    if (wasRefused) expect.fail('a call was refused by a circuit that was closed');
    const others = [moments[index - 1], moments[index + 1]];
    if (others.some((other) => other && other.run !== run && isClose(other.atMs, atMs))) return;
    if (end === 'either' || (period.state === 'open' && isClose(atMs, period.endsAtMs))) return;
    if (!end) {
      if (period.state === 'open' && atMs < period.endsAtMs) {
        expect.fail(`an attempt was let through by a circuit that was open`);
      }
      if (period.state === 'open') become('half-open', atMs);
      if (period.probe) expect.fail('an attempt was let through while a probe was out');
      if (period.state === 'half-open') period.probe = run;
      periodOf.set(run, period);
      continue;
    }
    if (periodOf.get(run) !== period) continue;
    period.probe = undefined;
    const isFailure = end === 'fault' || end === 'timeout';
    if (end === 'ok') period.failures = 0;
    if (end === 'ok' && period.state === 'half-open') become('closed', atMs);
    if (isFailure) period.failures += 1;
    const isEnough = period.state === 'half-open' || period.failures === consecutiveFailures;
    if (isFailure && isEnough) become('open', atMs);
  }
}

/** Once everything is over: one success closes the circuit, and all permits are there. */
async function checkGoodAsNew(
  client: Client<string>,
  services: readonly DependencyOptions[],
  index: number,
): Promise<void> {
  const permits = services[index]?.bulkhead.permits ?? 0;
  const values: unknown[] = [];
  const keep = (value: unknown) => values.push(value);
  client.call<unknown>(`${index}`, () => SEAT).then(keep, keep);
  await settle();
  if (values[0] !== SEAT) {
    expect.fail(`a minute after all is over a call got ${print(values[0])} in place of a seat`);
  }
  const ends: (() => void)[] = [];
  const task = () => new Promise<void>((resolve) => ends.push(resolve));
  for (let i = 0; i < permits; i += 1) client.call<unknown>(`${index}`, task).then(keep, keep);
  await settle();
  if (ends.length !== permits) {
    expect.fail(`a minute after all is over ${ends.length} of ${permits} permits are there`);
  }
  for (const end of ends) end();
  await settle();
}
