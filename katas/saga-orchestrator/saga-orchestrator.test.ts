import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle } from '../virtual-time.ts';
import {
  type Call,
  type Completed,
  createOrchestrator,
  type Failure,
  type Orchestrator,
  type Outcome,
  type Parked,
  type SagaLog,
  type Step,
} from './saga-orchestrator.ts';

const ATTEMPTS = 3;
const BACKOFF_MS = 1_000;
const TIMEOUT_MS = 10_000;
/** By then every attempt of every step is over, whatever it does. */
const LONG_MS = 600_000;

// ── The services, played by the spec ────────────────────────────────────────────────────────────────────

/** The service says no: it has done nothing, and will do nothing under this key. */
class Rejected extends Error {
  override readonly name = 'Rejected';
}
/** Nobody knows whether it has been done. */
class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/** What becomes of one call. Or whatever a function returns or throws. */
type Reply =
  | 'works'
  | 'is rejected'
  | 'fails'
  | 'works, but the reply is lost'
  | 'hangs'
  | 'works, but hangs'
  | (() => unknown);

type Undoes = readonly Reply[] | 'there is nothing to undo';

interface StepPlan {
  /** What becomes of each call of the action; the last one goes for all that follow. */
  readonly does?: readonly Reply[];
  /** The same for the compensation, if there is one. */
  readonly undoes?: Undoes;
  readonly isPivot?: boolean;
}
type Plan = Readonly<Record<string, StepPlan>>;

/** Goods set aside, card charged, parcel handed to the courier (no way back), receipt mailed. */
const CHECKOUT = {
  inventory: {},
  payment: {},
  shipping: { isPivot: true },
  receipt: {},
} satisfies Plan;

/** The checkout, where these steps go otherwise. */
function checkout(changes: Plan = {}): Plan {
  const steps = Object.entries<StepPlan>(CHECKOUT);
  return Object.fromEntries(steps.map(([name, step]) => [name, { ...step, ...changes[name] }]));
}

function errors(...messages: string[]): Reply[] {
  return messages.map((message) => () => Promise.reject(new Unavailable(message)));
}

const DOWN = ['fails'] as const;
const NO = ['is rejected'] as const;
const WORKS = ['works'] as const;

type Verb = 'do' | 'undo';

interface Called {
  readonly step: string;
  readonly verb: Verb;
  readonly call: Call<unknown>;
  readonly atMs: number;
}

interface Order {
  readonly item: string;
}
const KETTLE: Order = { item: 'kettle' };

const now = performance.now.bind(performance);
const NEVER = new Promise<never>(() => {});

/** The services, the log, and the person on call: all that outlives a process. */
class Shop {
  readonly called: Called[] = [];
  /** What a person was told, in words. */
  readonly told: { readonly sagaId: string; readonly about: string }[] = [];
  readonly log = new PlayedLog();
  patience = { attempts: ATTEMPTS, backoffMs: BACKOFF_MS, timeoutMs: TIMEOUT_MS };
  isRejection = (error: unknown): boolean => error instanceof Rejected;
  /** What the person on call does when told. */
  onTold: () => unknown = () => undefined;
  /** How long the next call takes, there and back; what it is for happens halfway. */
  delayMs: () => number = () => 0;
  readonly #plan: Plan;
  /** Of each key: what its step has done, and undone. A service keeps its keys. */
  readonly #ledger = new Map<string, { readonly step: string; isUndone: boolean }>();
  readonly #calls = new Map<string, number>();
  /** Steps tried, compensations tried, and calls to a person, in their order. */
  readonly #events: string[] = [];
  /** The same, and deaths. */
  readonly timeline: string[] = [];

  constructor(plan: Plan = checkout()) {
    this.#plan = plan;
  }

  /** A process of the shop. All processes of a shop have the same services and the same log. */
  open(diesAt?: number): Process {
    return new Process(this, diesAt);
  }

  /** One order in a process of its own, to its end. */
  async sells(sagaId = 'order-1'): Promise<Run> {
    const run = this.open().run(sagaId);
    await advance(LONG_MS);
    return run;
  }

  /** What has been tried, in its order: `inventory → payment → undo inventory`. */
  get story(): string {
    return inOneLine(this.#events);
  }

  /** The same, with everything that was tried several times in a row told once. */
  get plot(): string {
    return inOneLine(this.#events.filter((event, index, all) => event !== all[index - 1]));
  }

  /** What is done and not undone, whatever the orchestrator believes. */
  get standing(): string {
    const steps = [...this.#ledger.values()].flatMap(({ step, isUndone }) =>
      isUndone ? [] : [step],
    );
    return steps.toSorted().join(', ') || 'nothing';
  }

  callsOf(step: string, verb: Verb = 'do'): Called[] {
    return this.called.filter((each) => each.step === step && each.verb === verb);
  }

  #happens(event: string): void {
    this.#events.push(event);
    this.timeline.push(event);
  }

  /** The steps as a process sees them. */
  stepsFor(process: Process): Step<Order>[] {
    return Object.entries(this.#plan).map(([name, { does, undoes, isPivot }]) => ({
      name,
      action: (call) => this.#call(process, name, 'do', call, does),
      ...(typeof undoes !== 'string' && {
        compensate: (call: Call<Order>) => this.#call(process, name, 'undo', call, undoes),
      }),
      ...(isPivot && { isPivot }),
    }));
  }

  #call(
    process: Process,
    step: string,
    verb: Verb,
    { key, input, outputs }: Call<Order>,
    replies: readonly Reply[] = [],
  ): unknown {
    if (process.isDead) return NEVER;
    this.#happens(verb === 'do' ? step : `undo ${step}`);
    const call = { key, input, outputs: { ...outputs } };
    this.called.push({ step, verb, call, atMs: Math.round(now()) });
    const nth = this.callsOf(step, verb).length;
    const reply = replies[nth - 1] ?? replies.at(-1) ?? 'works';
    if (typeof reply === 'function') return reply();
    return this.#reply(process, { step, verb, key }, reply);
  }

  async #reply(
    process: Process,
    { step, verb, key }: { step: string; verb: Verb; key: string },
    reply: Exclude<Reply, () => unknown>,
  ): Promise<unknown> {
    const what = verb === 'do' ? step : `undo ${step}`;
    const delayMs = this.delayMs();
    await process.lives(delayMs / 2);
    await process.moment(`in the middle of “${what}”, where nothing has happened yet,`);
    if (reply === 'is rejected') throw new Rejected(`${what} is refused`);
    if (reply === 'fails') throw new Unavailable(`${what}: no connection`);
    if (reply === 'hangs') return NEVER;
    const output = verb === 'do' ? this.#does(step, key) : this.#undoes(step, key);
    await process.moment(`in the middle of “${what}”, where it has happened already,`);
    await process.lives(delayMs / 2);
    if (reply === 'works, but hangs') return NEVER;
    if (reply === 'works') return output;
    throw new Unavailable(`${what}: connection reset`);
  }

  /** Once for each key; and never again under a key that was undone. */
  #does(step: string, key: string): string {
    const known = this.#ledger.get(key);
    if (known?.isUndone) throw new Rejected(`${step} was undone under this key`);
    this.#ledger.set(key, known ?? { step, isUndone: false });
    return numberOf(step, this.#numberUnder(key));
  }

  #undoes(step: string, key: string): void {
    this.#ledger.set(key, { step, isUndone: true });
  }

  #numberUnder(key: string): number {
    const number = this.#calls.get(key) ?? this.#calls.size + 1;
    this.#calls.set(key, number);
    return number;
  }

  /** The person on call, as a process sees them. */
  onParkedFor(process: Process) {
    return (sagaId: string, outcome: Parked): unknown => {
      if (process.isDead) return NEVER;
      this.#happens('call a person');
      this.told.push({ sagaId, about: inWords(outcome) });
      const call = this.onTold();
      const isPromise = call === undefined || call instanceof Promise;
      return isPromise ? this.#callPerson(process, call) : call;
    };
  }

  async #callPerson(process: Process, call: unknown): Promise<void> {
    await process.moment('that is about to call a person');
    await call;
    await process.moment('that has just called a person');
  }
}

/** At most so many events are told; more than that is a loop. */
const LONGEST_STORY = 40;

function inOneLine(events: readonly string[]): string {
  const more = events.length - LONGEST_STORY;
  const told = [...events.slice(0, LONGEST_STORY), ...(more > 0 ? [`and ${more} more`] : [])];
  return told.join(' → ') || 'nothing';
}

/** What a service returns for its nth key. */
function numberOf(step: string, nth = 1): string {
  return `${step} no. ${nth}`;
}

class LogError extends Error {
  override readonly name = 'LogError';
}

/** What fails: every read, or write number `nth`, before or after it has landed. */
type LogTrouble =
  | { readonly of: 'reads' }
  | { readonly of: 'write'; readonly nth: number; readonly when: 'before' | 'after' };

/** The log, in memory; a call takes its time, and a write lands at the end of it. */
class PlayedLog {
  latencyMs = 0;
  trouble: LogTrouble | undefined;
  readonly error = new LogError('the log: connection reset');
  readonly #entries = new Map<string, string[]>();
  #writes = 0;

  for(process: Process): SagaLog {
    return {
      read: async (sagaId) => {
        await process.lives(this.latencyMs);
        if (this.trouble?.of === 'reads') throw this.error;
        return [...this.#of(sagaId)];
      },
      append: async (sagaId, index, entry) => {
        await process.moment(`that is about to write entry ${index} of the log`);
        await process.lives(this.latencyMs);
        this.#writes += 1;
        const { trouble } = this;
        const fails = trouble?.of === 'write' && trouble.nth === this.#writes && trouble.when;
        if (fails === 'before') throw this.error;
        this.#write(sagaId, index, entry);
        await process.moment(`that has just written entry ${index} of the log`);
        if (fails === 'after') throw this.error;
      },
    };
  }

  #write(sagaId: string, index: number, entry: unknown): void {
    if (typeof entry !== 'string') expect.fail(`the log keeps strings, not ${inspect(entry)}`);
    const entries = this.#of(sagaId);
    if (index !== entries.length) {
      throw new LogError(`the log: the next entry is ${entries.length}, not ${index}`);
    }
    entries.push(entry);
  }

  get writes(): number {
    return this.#writes;
  }

  #of(sagaId: string): string[] {
    const entries = this.#entries.get(sagaId) ?? [];
    this.#entries.set(sagaId, entries);
    return entries;
  }
}

/** A process of the shop: it runs orders until it dies. What it calls after that does nothing, and never answers. */
class Process {
  isDead = false;
  /** Where it could have died so far. */
  readonly moments: string[] = [];
  readonly #shop: Shop;
  readonly #orchestrator: Orchestrator<Order>;
  readonly #diesAt: number | undefined;

  constructor(shop: Shop, diesAt?: number) {
    this.#shop = shop;
    this.#diesAt = diesAt;
    this.#orchestrator = createOrchestrator<Order>({
      log: shop.log.for(this),
      steps: shop.stepsFor(this),
      ...shop.patience,
      isRejection: shop.isRejection,
      onParked: shop.onParkedFor(this),
    });
    if (typeof this.#orchestrator?.run !== 'function') {
      expect.fail(`no orchestrator, but ${inspect(this.#orchestrator)}`);
    }
  }

  /** Nothing has happened yet when this returns. */
  run(sagaId = 'order-1', order = KETTLE): Run {
    return new Run(() => this.#orchestrator.run(sagaId, order));
  }

  /** A point at which the process may die; resolves at once, or never. */
  async moment(what: string): Promise<void> {
    if (!this.isDead) {
      if (this.moments.length === this.#diesAt) this.dies(what);
      this.moments.push(what);
    }
    if (this.isDead) await NEVER;
  }

  dies(when: string): void {
    this.isDead = true;
    this.#shop.timeline.push(`[the process ${when} dies]`);
  }

  /** Some time later, or never if it is dead by then. */
  async lives(ms: number): Promise<void> {
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    if (this.isDead) await NEVER;
  }
}

/** What the caller of an order was told, in words. */
class Run {
  outcome: Outcome | undefined;
  error: unknown;
  end: 'pending' | 'outcome' | 'error' = 'pending';

  constructor(run: () => Promise<Outcome>) {
    runNeverThrows(run).then(
      (outcome) => Object.assign(this, { outcome, end: 'outcome' }),
      (error: unknown) => Object.assign(this, { error, end: 'error' }),
    );
  }

  outputOf(step: string): unknown {
    return this.outcome?.state === 'completed' ? this.outcome.outputs[step] : undefined;
  }

  get told(): string {
    if (this.end === 'pending') return 'nothing yet';
    return this.end === 'error' ? `the error: ${String(this.error)}` : inWords(this.outcome);
  }
}

function runNeverThrows(run: () => Promise<Outcome>): Promise<Outcome> {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    return expect.fail(`run() threw ${String(error)}: it must return a promise that rejects`);
  }
  if (!(result instanceof Promise)) {
    return expect.fail(`run() returned ${inspect(result)}: it must return a promise`);
  }
  return result;
}

function inWords(outcome: Outcome | undefined): string {
  if (outcome?.state === 'completed') return `completed, with ${outputsInWords(outcome.outputs)}`;
  if (outcome?.state === 'compensated') return compensated(outcome.failure);
  if (outcome?.state === 'parked') return parked(outcome.failure, outcome.stuck);
  return `${inspect(outcome)}, which is no outcome`;
}

function completed(...steps: string[]): string {
  const outputs = steps.map((step, index) => [step, numberOf(step, index + 1)]);
  return `completed, with ${outputsInWords(Object.fromEntries(outputs))}`;
}

function outputsInWords(outputs: Completed['outputs'] | undefined): string {
  const each = Object.entries(outputs ?? {}).map(([step, output]) => `${step}: ${inspect(output)}`);
  return each.toSorted().join(', ') || inspect(outputs);
}
const COMPLETED = completed(...Object.keys(CHECKOUT));

function compensated(failure: Failure): string {
  return `compensated, for ${failureInWords(failure)}`;
}

function parked(failure: Failure, stuck: readonly Failure[] = []): string {
  const list = Array.isArray(stuck) ? stuck.map(failureInWords).join(', ') : inspect(stuck);
  return `parked, for ${failureInWords(failure)}; stuck: ${list || 'nothing'}`;
}

function failureInWords(failure: Failure): string {
  return `${failure?.step} (${failure?.message})`;
}

/** An action that was refused. */
function refused(step: string): Failure {
  return { step, message: `${step} is refused` };
}

/** An action or a compensation that failed in every attempt. */
function failed(step: string, verb: Verb = 'do'): Failure {
  const what = verb === 'do' ? step : `undo ${step}`;
  return { step, message: `${what}: no connection` };
}

function expectStory(shop: Shop, story: string, because: string): void {
  expect(shop.story, `${because}: what was tried`).toBe(story);
}

function expectPlot(shop: Shop, plot: string, because: string): void {
  expect(shop.plot, `${because}: what was tried, repeats left out`).toBe(plot);
}

function expectStanding(shop: Shop, standing: string, because: string): void {
  expect(shop.standing, `${because}: what is done and not undone`).toBe(standing);
}

function expectTold(run: Run, told: string, because: string): void {
  expect(run.told, `${because}: what the caller was told`).toBe(told);
}

function expectError(run: Run, error: Error, because: string): void {
  if (run.end === 'error' && run.error === error) return;
  expect.fail(`${because}: the caller must get the error “${error.message}”; told: ${run.told}`);
}

function expectTimes(called: readonly Called[], times: readonly number[], because: string): void {
  const since = called.map(({ atMs }) => atMs - (called[0]?.atMs ?? 0));
  expect(`${since.join(', ')} ms`, `${because}: when it is tried`).toBe(`${times.join(', ')} ms`);
}

function expectKeys(called: readonly Called[], count: number, because: string): void {
  const keys = new Set(called.map(({ call }) => call.key));
  expect(`${keys.size} keys`, because).toBe(`${count} keys`);
}

function expectCount(count: number, expected: number, because: string): void {
  const timesIn = (times: number) => ['never', 'once', 'twice'][times] ?? `${times} times`;
  expect(timesIn(count), because).toBe(timesIn(expected));
}

/** A promise that is settled by hand. */
function deferred() {
  let resolve: (value: unknown) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** Settles as the promise does, and is none. */
function thenable(promise: Promise<unknown>) {
  promise.catch(() => {});
  return {
    // oxlint-disable-next-line unicorn/no-thenable
    then: (onValue: (value: unknown) => void, onError: (error: unknown) => void) => {
      promise.then(onValue, onError);
    },
  };
}

let isHaunted = false;

beforeEach(() => {
  if (isHaunted) expect.fail('a test before this one has left something behind that never ends');
});

afterEach(async () => {
  if (isHaunted) return;
  await advance(LONG_MS);
  isHaunted = pendingTimers() > 0;
  if (isHaunted) expect.fail('ten minutes after the last order a timer is still set');
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · one step after the other', () => {
  it('does each step once, in order', async () => {
    const shop = new Shop();
    const order = await shop.sells();
    expectStory(shop, 'inventory → payment → shipping → receipt', 'nothing goes wrong');
    expectTold(order, COMPLETED, 'every step is done');
    expectStanding(shop, 'inventory, payment, receipt, shipping', 'every step is done');
  });

  it('begins a step when the one before has answered, and not earlier', async () => {
    const paying = deferred();
    const shop = new Shop(checkout({ payment: { does: [() => paying.promise] } }));
    const order = shop.open().run();
    await advance(TIMEOUT_MS - 1);
    expectStory(shop, 'inventory → payment', 'payment has not answered yet');
    expectTold(order, 'nothing yet', 'payment has not answered yet');
    paying.resolve('paid');
    await settle();
    const all = 'inventory → payment → shipping → receipt';
    expectStory(shop, all, 'payment has answered, 1 ms before its time is up');
  });

  it('hands over the input, and what the steps before have returned', async () => {
    const shop = new Shop();
    await shop.sells();
    const [inventory] = shop.callsOf('inventory');
    expect(inventory?.call.input, 'what inventory is asked for').toEqual(KETTLE);
    expect(inventory?.call.outputs, 'inventory comes first: nothing has been returned').toEqual({});
    const [receipt] = shop.callsOf('receipt');
    expect(receipt?.call.input, 'what the receipt is for').toEqual(KETTLE);
    expect(receipt?.call.outputs, 'receipt comes last').toEqual({
      inventory: 'inventory no. 1',
      payment: 'payment no. 2',
      shipping: 'shipping no. 3',
    });
  });

  it.each(
    [undefined, null, 0, '', false, [], { carrier: { name: 'DHL' }, labels: [1, 2] }].map(
      (output) => [inspect(output), output],
    ),
  )('takes whatever an action returns for its output: %s', async (name, output) => {
    const shop = new Shop(checkout({ payment: { does: [() => Promise.resolve(output)] } }));
    const order = await shop.sells();
    const all = 'inventory → payment → shipping → receipt';
    expectStory(shop, all, `payment has answered ${name}, and any answer is one`);
    expect(order.outputOf('payment'), 'what payment returned, as the caller is told').toEqual(
      output,
    );
  });

  it('takes an action that returns no promise, or anything with a then', async () => {
    const parcel = () => thenable(Promise.resolve('parcel no. 7'));
    const shop = new Shop(
      checkout({
        payment: { does: [() => 'charge no. 5'] },
        shipping: { does: [parcel], isPivot: true },
      }),
    );
    const order = await shop.sells();
    const charge = order.outputOf('payment');
    expect(charge, 'payment returned this without a promise').toBe('charge no. 5');
    expect(order.outputOf('shipping'), 'shipping returned a thenable').toBe('parcel no. 7');
  });

  it('runs orders side by side', async () => {
    const paying = deferred();
    const shop = new Shop(checkout({ payment: { does: [() => paying.promise, 'works'] } }));
    const process = shop.open();
    const slow = process.run('order-1');
    await settle();
    const other = process.run('order-2', { item: 'pan' });
    await settle();
    expectTold(slow, 'nothing yet', 'payment has not answered for the first order');
    expect(other.outcome?.state, 'the second order has nothing to do with it').toBe('completed');
    expect(shop.callsOf('payment')[1]?.call.input, 'what the second customer pays').toEqual({
      item: 'pan',
    });
    const [, second] = shop.callsOf('inventory');
    expect(second?.call.outputs, 'the second order begins: what is known of it').toEqual({});
    paying.resolve('paid');
    await settle();
    expect(slow.outcome?.state, 'payment has answered').toBe('completed');
    const goods = slow.outputOf('inventory');
    expect(goods, 'the goods of the first order, whatever the second one has got').toBe(
      'inventory no. 1',
    );
  });
});

describe('2 · a rejection is undone', () => {
  it('undoes what is done, last first', async () => {
    const shop = new Shop(checkout({ shipping: { does: NO, isPivot: true } }));
    const order = await shop.sells();
    const story = 'inventory → payment → shipping → undo payment → undo inventory';
    expectStory(shop, story, 'the courier does not deliver there');
    expectTold(order, compensated(refused('shipping')), 'everything is undone');
    expectStanding(shop, 'nothing', 'everything is undone');
  });

  it('undoes neither the step that was rejected nor those that were never begun', async () => {
    const shop = new Shop(checkout({ payment: { does: NO } }));
    const order = await shop.sells();
    const because = 'the card was declined: there is nothing to refund, and nothing was shipped';
    expectStory(shop, 'inventory → payment → undo inventory', because);
    expectTold(order, compensated(refused('payment')), 'the card was declined');
  });

  it('undoes nothing when the first step is rejected', async () => {
    const shop = new Shop(checkout({ inventory: { does: NO } }));
    const order = await shop.sells();
    expectStory(shop, 'inventory', 'sold out');
    expectTold(order, compensated(refused('inventory')), 'sold out');
  });

  it('takes a rejection for an answer, and does not ask again', async () => {
    const shop = new Shop(checkout({ payment: { does: ['is rejected', 'works'] } }));
    await shop.sells();
    const tries = shop.callsOf('payment').length;
    expectCount(tries, 1, 'the card was declined: how often it is asked for the money');
  });

  it('takes an action that throws in place of rejecting, or a thenable that rejects', async () => {
    const no = new Rejected('payment is refused');
    const throws = () => {
      throw no;
    };
    const declines = {
      'payment threw a rejection': throws,
      'payment returned a thenable that rejects': () => thenable(Promise.reject(no)),
    };
    for (const [because, reply] of Object.entries(declines)) {
      const shop = new Shop(checkout({ payment: { does: [reply] } }));
      const order = await shop.sells();
      expectStory(shop, 'inventory → payment → undo inventory', because);
      expectTold(order, compensated(refused('payment')), because);
    }
  });

  it('begins a compensation when the one before has answered, and not earlier', async () => {
    const refunding = deferred();
    const plan = {
      payment: { undoes: [() => refunding.promise] },
      shipping: { does: NO, isPivot: true },
    };
    const shop = new Shop(checkout(plan));
    const order = shop.open().run();
    await advance(TIMEOUT_MS - 1);
    const story = 'inventory → payment → shipping → undo payment';
    expectStory(shop, story, 'the refund has not been confirmed yet');
    expectTold(order, 'nothing yet', 'the refund has not been confirmed yet');
    refunding.resolve(undefined);
    await settle();
    expectStory(shop, `${story} → undo inventory`, 'the refund has been confirmed');
  });

  it('tells a compensation what the actions have returned, and the key its own went by', async () => {
    const shop = new Shop(checkout({ shipping: { does: NO, isPivot: true } }));
    await shop.sells();
    for (const step of ['inventory', 'payment']) {
      const [done] = shop.callsOf(step);
      const [undone] = shop.callsOf(step, 'undo');
      const { key, input, outputs } = undone?.call ?? expect.fail(`${step} must be undone`);
      expect(key, `${step}: the key of what is to be undone`).toBe(done?.call.key);
      expect(input, `${step}: the order that is undone`).toEqual(KETTLE);
      expect(outputs, `“undo ${step}”: all that the actions have returned`).toEqual({
        inventory: 'inventory no. 1',
        payment: 'payment no. 2',
      });
    }
  });

  it('passes by a step that has nothing to undo', async () => {
    const undoes = 'there is nothing to undo';
    const shop = new Shop({
      fraud: { undoes },
      inventory: {},
      address: { undoes },
      payment: { does: NO },
    });
    const order = await shop.sells();
    const story = 'fraud → inventory → address → payment → undo inventory';
    expectStory(shop, story, 'to have checked something needs no undoing');
    expectTold(order, compensated(refused('payment')), 'nothing is left of the order');
  });

  it('undoes steps of any number, without a pivot as well', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const plan = Object.fromEntries(names.map((name) => [name, {}]));
    const shop = new Shop({ ...plan, g: { does: NO } });
    await shop.sells();
    const back = names.slice(0, -1).toReversed();
    const story = [...names, ...back.map((name) => `undo ${name}`)].join(' → ');
    expectStory(shop, story, 'no step is the pivot, so there is always a way back');
  });
});

describe('3 · no answer is no rejection', () => {
  it('tries again after a while, and goes on when there is an answer', async () => {
    const plan = { payment: { does: ['fails', 'fails', 'works'] as const } };
    const shop = new Shop(checkout(plan));
    const order = await shop.sells();
    const story = 'inventory → payment → payment → payment → shipping → receipt';
    expectStory(shop, story, 'payment cannot be reached twice, and then it can');
    expectTold(order, COMPLETED, 'the third attempt of three has worked');
    const times = [0, BACKOFF_MS, 2 * BACKOFF_MS];
    expectTimes(shop.callsOf('payment'), times, 'payment cannot be reached twice');
  });

  it('goes by the same key in each attempt, and by another in each step', async () => {
    const does = ['works, but the reply is lost', 'works'] as const;
    const plan = { inventory: { does }, payment: { does }, shipping: { does, isPivot: true } };
    const shop = new Shop(checkout(plan));
    await shop.sells();
    for (const step of ['inventory', 'payment', 'shipping']) {
      const because = `${step} was tried twice, as the first reply got lost`;
      expectKeys(shop.callsOf(step), 1, `${because}: with another key it is done twice`);
    }
    expectKeys(shop.called, 4, 'four steps have four different keys');
    expectStanding(shop, 'inventory, payment, receipt, shipping', 'each step is done once');
  });

  it('does not mix up orders and steps, whatever signs their names are made of', async () => {
    const signs = ':;,.-_/|#@!~+=&%$^*()[]{}<> "\'\\`'.split('');
    for (const sign of ['', ...signs, '::', '--', '__', '","']) {
      const shop = new Shop({ wrap: {}, [`gift${sign}wrap`]: {} });
      const process = shop.open();
      process.run('7');
      process.run(`7${sign}gift`);
      await advance(LONG_MS);
      const what = `orders “7” and “7${sign}gift”, steps “wrap” and “gift${sign}wrap”`;
      expectKeys(shop.called, 4, `${what}: four different things to do`);
    }
  });

  it('does not mix up many steps either, nor names that look alike', async () => {
    const many = Array.from({ length: 12 }, (_, nth) => `a step with a long name, no. ${nth}`);
    const shop = new Shop(Object.fromEntries(many.map((name) => [name, {}])));
    const process = shop.open();
    process.run('7');
    process.run('71');
    await advance(LONG_MS);
    expectKeys(shop.called, 24, 'orders “7” and “71”, of twelve steps each');

    // An é that is one sign, one that is an e with an accent, and letters that share their last byte.
    const alike = ['cafe', 'Cafe', ' cafe', 'cafe ', 'caf\u00e9', 'cafe\u0301', '\u5305', '\u8305'];
    const other = new Shop(Object.fromEntries(alike.map((name) => [name, {}])));
    await other.sells();
    expectKeys(other.called, alike.length, `steps ${alike.map((name) => `“${name}”`).join(', ')}`);
  });

  it('undoes a step that has not answered as well, first of all', async () => {
    for (const reply of ['fails', 'works, but the reply is lost'] as const) {
      const shop = new Shop(checkout({ payment: { does: [reply] } }));
      const order = await shop.sells();
      const story = 'inventory → payment → payment → payment → undo payment → undo inventory';
      expectStory(shop, story, 'payment has not answered: the card may have been charged');
      expect(order.outcome?.state, 'everything is undone').toBe('compensated');
      expectStanding(shop, 'nothing', 'payment has not answered, three times');
      const calls = [...shop.callsOf('payment'), ...shop.callsOf('payment', 'undo')];
      const times = [0, BACKOFF_MS, 2 * BACKOFF_MS, 2 * BACKOFF_MS];
      expectTimes(calls, times, 'no attempt is left, so there is nothing to wait for');
    }
  });

  it('tells what the last attempt has failed with', async () => {
    const shop = new Shop(checkout({ payment: { does: errors('no route', 'reset', 'closed') } }));
    const order = await shop.sells();
    const failure = { step: 'payment', message: 'closed' };
    expectTold(order, compensated(failure), 'no route, then reset, then closed');
  });

  it('knows no output of a step that has not answered', async () => {
    const shop = new Shop(checkout({ payment: { does: ['works, but the reply is lost'] } }));
    await shop.sells();
    const [undone] = shop.callsOf('payment', 'undo');
    const { outputs } = undone?.call ?? expect.fail('payment may be done, so it must be undone');
    expect(outputs, 'what is known when payment is undone').toEqual({
      inventory: 'inventory no. 1',
    });
  });

  it.each(['hangs', 'works, but hangs'] as const)(
    'waits for an answer for as long as it was told: a step that %s',
    async (reply) => {
      const shop = new Shop(checkout({ payment: { does: [reply] } }));
      const order = shop.open().run();
      const story = 'inventory → payment';
      await advance(TIMEOUT_MS + BACKOFF_MS - 1);
      expectStory(shop, story, '10 s to answer and 1 s of backoff are not over yet');
      await advance(1);
      expectStory(shop, `${story} → payment`, '10 s to answer and 1 s of backoff are over');
      await advance(LONG_MS);
      const back = 'undo payment → undo inventory';
      expectStory(shop, `${story} → payment → payment → ${back}`, 'payment has never answered');
      const { outcome } = order;
      const failedStep = outcome?.state === 'compensated' ? outcome.failure.step : order.told;
      expect(failedStep, 'the step for which the order is undone').toBe('payment');
      expectStanding(shop, 'nothing', 'payment has never answered');
    },
  );

  it.each([
    { attempts: 1, backoffMs: 50, timeoutMs: 500 },
    { attempts: 2, backoffMs: 30_000, timeoutMs: 5_000 },
    { attempts: 5, backoffMs: 200, timeoutMs: 60_000 },
  ])('is as patient as it was told: $attempts times $timeoutMs ms', async (patience) => {
    const shop = new Shop(checkout({ payment: { does: ['hangs'] } }));
    shop.patience = patience;
    await shop.sells();
    const { attempts, backoffMs, timeoutMs } = patience;
    const times = Array.from({ length: attempts }, (_, nth) => nth * (timeoutMs + backoffMs));
    const undoneMs = attempts * timeoutMs + (attempts - 1) * backoffMs;
    const calls = [...shop.callsOf('payment'), ...shop.callsOf('payment', 'undo')];
    expectTimes(calls, [...times, undoneMs], 'payment hangs each time, and then is undone');
  });

  it('has all attempts for each step', async () => {
    const does = ['fails', 'fails', 'works'] as const;
    const shop = new Shop(checkout({ inventory: { does }, payment: { does }, receipt: { does } }));
    const order = await shop.sells();
    expectTold(order, COMPLETED, 'each step has three attempts of its own');
  });

  it('passes by what has not answered and has nothing to undo', async () => {
    const undoes = 'there is nothing to undo';
    const shop = new Shop({ inventory: {}, address: { does: DOWN, undoes }, payment: {} });
    const order = await shop.sells();
    const story = 'inventory → address → address → address → undo inventory';
    expectStory(shop, story, 'to have checked an address needs no undoing');
    expectTold(order, compensated(failed('address')), 'nothing is left of the order');
  });

  it('takes a rejection for an answer in a later attempt, too', async () => {
    const shop = new Shop(checkout({ payment: { does: ['fails', 'is rejected', 'works'] } }));
    const order = await shop.sells();
    const tries = shop.callsOf('payment').length;
    expectCount(tries, 2, 'no connection, then declined: how often payment is tried');
    expectTold(order, compensated(refused('payment')), 'no connection, then declined');
  });

  it('tries a compensation again in the same way', async () => {
    const undoes = ['fails', 'hangs', 'works'] as const;
    const shop = new Shop(checkout({ payment: { undoes }, shipping: { does: NO, isPivot: true } }));
    const order = await shop.sells();
    const back = 'undo payment → undo payment → undo payment → undo inventory';
    expectStory(shop, `inventory → payment → shipping → ${back}`, 'the third refund works');
    expectTold(order, compensated(refused('shipping')), 'everything is undone');
    const undone = shop.callsOf('payment', 'undo');
    const times = [0, BACKOFF_MS, 2 * BACKOFF_MS + TIMEOUT_MS];
    expectTimes(undone, times, 'the first refund fails at once, the second one hangs');
    expectKeys(undone, 1, 'refunds with different keys are different refunds');
  });

  const late = { answer: 'charge no. 5', rejection: new Rejected('declined') };
  it.each(['answer', 'rejection'] as const)('lets a late %s change nothing', async (end) => {
    const whens = {
      'during the backoff': TIMEOUT_MS + BACKOFF_MS / 2,
      'during the next attempt': TIMEOUT_MS + BACKOFF_MS + TIMEOUT_MS / 2,
      'while payment is undone': 3 * TIMEOUT_MS + 2 * BACKOFF_MS + TIMEOUT_MS / 2,
      'when the order has ended': LONG_MS,
    };
    for (const [when, atMs] of Object.entries(whens)) {
      const paying = deferred();
      const payment: StepPlan = {
        does: [() => paying.promise, 'hangs'],
        undoes: ['hangs', 'works'],
      };
      const shop = new Shop(checkout({ payment }));
      const order = shop.open().run();
      await advance(atMs);
      if (end === 'answer') paying.resolve(late.answer);
      else paying.reject(late.rejection);
      await advance(LONG_MS);
      const because = `the ${end} to the first attempt comes ${when}`;
      const back = 'undo payment → undo payment → undo inventory';
      expectStory(shop, `inventory → payment → payment → payment → ${back}`, because);
      const known = shop.callsOf('payment', 'undo').at(-1)?.call.outputs['payment'];
      expect(known, `${because}: what payment has returned`).toBeUndefined();
      expect(order.outcome?.state, because).toBe('compensated');
    }
  });
});

describe('4 · the point of no return', () => {
  it('never goes back once the pivot is done', async () => {
    const shop = new Shop(checkout({ receipt: { does: DOWN } }));
    const order = await shop.sells();
    const because = 'the parcel is on the van: whoever refunds now gives it away';
    const story = 'inventory → payment → shipping → receipt → receipt → receipt → call a person';
    expectStory(shop, story, because);
    expectTold(order, parked(failed('receipt')), 'the order cannot go on, and cannot go back');
    expectStanding(shop, 'inventory, payment, shipping', because);
  });

  it('tries what comes after the pivot again, and completes', async () => {
    const shop = new Shop(checkout({ receipt: { does: ['fails', 'hangs', 'works'] } }));
    const order = await shop.sells();
    expectTold(order, COMPLETED, 'the third attempt to send the receipt has worked');
  });

  it('parks a rejection after the pivot, and asks once', async () => {
    const shop = new Shop(checkout({ receipt: { does: NO } }));
    const order = await shop.sells();
    const story = 'inventory → payment → shipping → receipt → call a person';
    expectStory(shop, story, 'the parcel is on the van, and the receipt is refused');
    expectTold(order, parked(refused('receipt')), 'there is no way back');
  });

  it('goes neither on nor back when the pivot has not answered', async () => {
    for (const reply of ['fails', 'works, but the reply is lost'] as const) {
      const shop = new Shop(checkout({ shipping: { does: [reply], isPivot: true } }));
      const order = await shop.sells();
      const tries = 'shipping → shipping → shipping';
      const because = 'nobody knows whether the parcel is on the van';
      expectStory(shop, `inventory → payment → ${tries} → call a person`, because);
      expect(order.outcome?.state, because).toBe('parked');
    }
  });

  it('goes neither on nor back when the pivot hangs', async () => {
    const shop = new Shop(checkout({ shipping: { does: ['works, but hangs'], isPivot: true } }));
    const order = await shop.sells();
    const because = 'the courier has never answered, but the parcel is on the van';
    expectPlot(shop, 'inventory → payment → shipping → call a person', because);
    const { outcome } = order;
    const step = outcome?.state === 'parked' ? outcome.failure.step : order.told;
    expect(step, 'the step for which the order is parked').toBe('shipping');
  });

  it('has the pivot wherever it is', async () => {
    const pivotFirst = new Shop({ payment: { isPivot: true }, mail: { does: DOWN } });
    expectTold(await pivotFirst.sells(), parked(failed('mail')), 'the first step is the pivot');
    expectStanding(pivotFirst, 'payment', 'the first step is the pivot, and it is done');

    const pivotLast = new Shop({ stock: {}, payment: { does: NO, isPivot: true } });
    const rejected = await pivotLast.sells();
    expectTold(
      rejected,
      compensated(refused('payment')),
      'the last step is the pivot, and rejected',
    );

    const before = new Shop({ stock: {}, check: { does: DOWN }, payment: { isPivot: true } });
    const failedBefore = await before.sells();
    expectTold(failedBefore, compensated(failed('check')), 'the pivot has not been begun');

    const far = new Shop({ stock: {}, payment: { isPivot: true }, pack: {}, mail: { does: NO } });
    expectTold(await far.sells(), parked(refused('mail')), 'the pivot is long done');
    expectStanding(far, 'pack, payment, stock', 'the pivot is long done');
  });

  it('calls a person once, before the caller is told, and says what it is about', async () => {
    const calling = deferred();
    const shop = new Shop(checkout({ receipt: { does: NO } }));
    shop.onTold = () => calling.promise;
    const order = shop.open().run('order-77');
    await advance(LONG_MS);
    expectTold(order, 'nothing yet', 'the person on call has not picked up the phone');
    calling.resolve(undefined);
    await advance(LONG_MS);
    expectCount(shop.told.length, 1, 'how often the person was called');
    const [told] = shop.told;
    expect(told?.sagaId, 'the order that the person was called about').toBe('order-77');
    expectTold(order, parked(refused('receipt')), 'a person knows');
    expect(told?.about, 'what the person was told').toBe(order.told);
  });

  it('takes whatever the call to a person returns, and waits for anything with a then', async () => {
    const shop = new Shop(checkout({ receipt: { does: NO } }));
    shop.onTold = () => 'sent';
    const told = await shop.sells('order-1');
    expectTold(told, parked(refused('receipt')), 'onParked returned a string');

    const calling = deferred();
    shop.onTold = () => thenable(calling.promise);
    const order = shop.open().run('order-2');
    await settle();
    expectTold(order, 'nothing yet', 'onParked returned a thenable that has not resolved');
    calling.resolve(undefined);
    await settle();
    expectTold(order, parked(refused('receipt')), 'the thenable of onParked has resolved');
  });

  it('calls nobody about an order that has completed or was undone', async () => {
    const completes = new Shop();
    await completes.sells();
    expectCount(completes.told.length, 0, 'every step is done: how often a person was called');
    const isUndone = new Shop(checkout({ payment: { does: DOWN, undoes: ['fails', 'works'] } }));
    await isUndone.sells();
    expectCount(isUndone.told.length, 0, 'everything is undone: how often a person was called');
  });
});

describe('5 · compensations that fail', () => {
  const noDelivery: StepPlan = { does: NO, isPivot: true };

  it('goes on with the others, and parks the order', async () => {
    const shop = new Shop(checkout({ payment: { undoes: DOWN }, shipping: noDelivery }));
    const order = await shop.sells();
    const plot = 'inventory → payment → shipping → undo payment → undo inventory → call a person';
    expectPlot(shop, plot, 'the refund fails, and the goods can be put back all the same');
    const story = parked(refused('shipping'), [failed('payment', 'undo')]);
    expectTold(order, story, 'the customer has neither parcel nor money: a person has to look');
    expectStanding(shop, 'payment', 'the refund failed');
    const tries = shop.callsOf('payment', 'undo').length;
    expectCount(tries, ATTEMPTS, 'how often the refund is tried');
  });

  it('lists all that are stuck, in the order in which they failed', async () => {
    const plan = {
      inventory: { undoes: DOWN },
      payment: { undoes: ['fails', 'works'] as const },
      address: { undoes: DOWN },
      shipping: noDelivery,
    };
    const shop = new Shop(plan);
    const order = await shop.sells();
    const stuck = [failed('address', 'undo'), failed('inventory', 'undo')];
    expectTold(order, parked(refused('shipping'), stuck), 'two of three compensations fail');
    expect(shop.told[0]?.about, 'what the person was told').toBe(order.told);
  });

  it('tells what the last attempt to undo has failed with', async () => {
    const undoes = errors('no route', 'reset', 'closed');
    const shop = new Shop(checkout({ payment: { undoes }, shipping: noDelivery }));
    const order = await shop.sells();
    const stuck = { step: 'payment', message: 'closed' };
    expectTold(order, parked(refused('shipping'), [stuck]), 'no route, then reset, then closed');
  });

  it('never lets the error of a compensation take the place of the first one', async () => {
    const plan = { inventory: { undoes: DOWN }, payment: { does: DOWN, undoes: DOWN } };
    const shop = new Shop(checkout(plan));
    const order = await shop.sells();
    const failure = order.outcome?.state === 'parked' ? order.outcome.failure : undefined;
    const because = 'payment could not be reached, that is why the order was undone';
    expect(failure, because).toEqual(failed('payment'));
  });

  it.each(['is rejected', 'hangs'] as const)('parks a compensation that %s', async (reply) => {
    const shop = new Shop(checkout({ payment: { undoes: [reply] }, shipping: noDelivery }));
    const order = await shop.sells();
    const plot = 'inventory → payment → shipping → undo payment → undo inventory → call a person';
    expectPlot(shop, plot, `the refund ${reply}`);
    const { outcome } = order;
    const stuck = outcome?.state === 'parked' ? outcome.stuck.map(({ step }) => step) : order.told;
    expect(stuck, 'what a person has to look at').toEqual(['payment']);
  });

  it('takes a compensation that throws in place of rejecting, or a thenable that rejects', async () => {
    const breaks = {
      'the refund threw': () => {
        throw new Unavailable('undo payment: no connection');
      },
      'the refund returned a thenable that rejects': () =>
        thenable(Promise.reject(new Unavailable('undo payment: no connection'))),
    };
    for (const [because, reply] of Object.entries(breaks)) {
      const shop = new Shop(checkout({ payment: { undoes: [reply] }, shipping: noDelivery }));
      const order = await shop.sells();
      const story = parked(refused('shipping'), [failed('payment', 'undo')]);
      expectTold(order, story, because);
    }
  });

  it('takes a compensation that returns a plain value', async () => {
    const undoes = [() => 'refunded'];
    const shop = new Shop(checkout({ payment: { undoes }, shipping: noDelivery }));
    const order = await shop.sells();
    expectTold(order, compensated(refused('shipping')), 'the refund returned without a promise');
  });

  it('takes an error that says nothing for an error', async () => {
    const payment: StepPlan = { does: errors(''), undoes: errors('') };
    const shop = new Shop(checkout({ payment }));
    const order = await shop.sells();
    const silent = { step: 'payment', message: '' };
    expectTold(order, parked(silent, [silent]), 'payment fails with new Error(""), and its refund');
  });

  it.each(['rejects', 'throws'])('tells the caller when the call to a person %s', async (how) => {
    const shop = new Shop(checkout({ payment: { undoes: DOWN }, shipping: noDelivery }));
    shop.onTold = how === 'rejects' ? () => Promise.reject(pagerDown) : throwsPagerDown;
    const order = await shop.sells();
    expectError(order, pagerDown, 'nobody has been told yet');
  });
});

const pagerDown = new Error('the pager is down');
const throwsPagerDown = () => {
  throw pagerDown;
};

describe('6 · processes die, the log remembers', () => {
  const lost = 'works, but the reply is lost';
  const orders: Readonly<Record<string, Plan>> = {
    'that completes': checkout({ payment: { does: [lost, 'works'] } }),
    'whose payment never answers': checkout({ payment: { does: [lost] } }),
    'that cannot be delivered': checkout({ shipping: { does: NO, isPivot: true } }),
    'whose courier never answers': checkout({ shipping: { does: [lost], isPivot: true } }),
    'whose receipt is refused': checkout({ receipt: { does: NO } }),
    'that cannot be refunded': checkout({
      payment: { undoes: DOWN },
      shipping: { does: NO, isPivot: true },
    }),
  };

  it.each(Object.entries(orders))('does nothing more for an order %s', async (_, plan) => {
    const shop = new Shop(plan);
    const process = shop.open();
    const first = process.run();
    await advance(LONG_MS);
    const { story } = shop;
    for (const [who, where] of Object.entries({ 'the same': process, another: shop.open() })) {
      const again = where.run();
      await advance(LONG_MS);
      const because = `the order has ended, and ${who} process is asked to run it again`;
      expectStory(shop, story, because);
      expectTold(again, first.told, because);
    }
  });

  it.each(Object.entries(orders))('goes on after a crash at any point: one %s', async (_, plan) => {
    const whole = new Shop(plan);
    whole.log.latencyMs = 2;
    const process = whole.open();
    const run = process.run();
    await advance(LONG_MS);
    for (const [nth, moment] of process.moments.entries()) {
      const shop = new Shop(plan);
      shop.log.latencyMs = 2;
      shop.open(nth).run();
      await advance(LONG_MS);
      const again = await shop.sells();
      const because = `the process ${moment} dies, and another one goes on`;
      expectPlot(shop, whole.plot, because);
      expectTold(again, run.told, because);
      expectStanding(shop, whole.standing, because);
      for (const { step, verb } of whole.called) {
        const known = whole.callsOf(step, verb).at(-1)?.call.outputs;
        const outputs = shop.callsOf(step, verb).at(-1)?.call.outputs;
        expect(outputs, `${because}: what is known for “${verb} ${step}”`).toEqual(known);
      }
    }
  });

  it.each([undefined, null, 0, '', false].map((output) => [inspect(output), output]))(
    'has recorded a step whose output is %s',
    async (_, output) => {
      const payment: StepPlan = { does: [() => output] };
      const plan = checkout({ payment, shipping: { does: ['hangs', 'is rejected'] } });
      const shop = new Shop(plan);
      const process = shop.open();
      process.run();
      await settle();
      process.dies('that waits for shipping');
      await shop.sells();
      const back = 'undo payment → undo inventory';
      const because = 'payment is done, whatever it has returned, and the process dies after it';
      expectPlot(shop, `inventory → payment → shipping → ${back}`, because);
      const [undone] = shop.callsOf('payment', 'undo');
      const known = undone?.call.outputs['payment'];
      // In JSON nothing may have become null.
      expect(known ?? null, `${because}: what it has returned`).toEqual(output ?? null);
    },
  );

  it.each(Object.entries(orders))('tells of no end that is not on record: %s', async (_, plan) => {
    const shop = new Shop(plan);
    shop.log.latencyMs = 500;
    const process = shop.open();
    const first = process.run();
    for (let waited = 0; waited < 200 && first.end === 'pending'; waited += 1) await advance(250);
    process.dies('that has just told its caller');
    const { story } = shop;
    const again = await shop.sells();
    const because = 'the caller was told, and in the same instant the process dies';
    expectStory(shop, story, because);
    expectTold(again, first.told, because);
  });

  it('gives a new process all its attempts', async () => {
    const does = ['fails', 'fails', 'hangs', 'fails', 'fails', 'works'] as const;
    const shop = new Shop(checkout({ payment: { does } }));
    const process = shop.open();
    process.run();
    await advance(3 * BACKOFF_MS);
    process.dies('that waits for its third attempt');
    const order = await shop.sells();
    expectTold(order, COMPLETED, 'a process dies in the last attempt, the next one has three');
  });

  it('calls a person again when the first call has failed, and does nothing else', async () => {
    const plan = { payment: { undoes: DOWN }, shipping: { does: NO, isPivot: true } };
    const shop = new Shop(checkout(plan));
    shop.onTold = () => Promise.reject(pagerDown);
    await shop.sells();
    const { plot } = shop;
    shop.onTold = () => undefined;
    const again = await shop.sells();
    expectPlot(shop, plot, 'the pager is back: a person is called, and that is all');
    expectCount(shop.told.length, 2, 'the first call did not get through: how many calls');
    const story = parked(refused('shipping'), [failed('payment', 'undo')]);
    expectTold(again, story, 'now a person knows');
  });

  it('begins nothing when the log cannot be read', async () => {
    const shop = new Shop();
    shop.log.trouble = { of: 'reads' };
    const order = await shop.sells();
    expectStory(shop, 'nothing', 'nobody knows how far this order has come');
    expectError(order, shop.log.error, 'the log cannot be read');
  });

  it.each(Object.entries(orders))('begins nothing more when a write fails: %s', async (_, plan) => {
    const whole = new Shop(plan);
    const end = await whole.sells();
    for (let nth = 1; nth <= whole.log.writes; nth += 1) {
      for (const when of ['before', 'after'] as const) {
        const shop = new Shop(plan);
        shop.log.trouble = { of: 'write', nth, when };
        const process = shop.open();
        const first = process.run();
        await settle();
        for (let waited = 0; waited < 100 && first.end === 'pending'; waited += 1) {
          await advance(BACKOFF_MS);
        }
        const { story } = shop;
        await advance(LONG_MS);
        const landed = when === 'before' ? 'does not land' : 'lands, but its reply is lost';
        const because = `write ${nth} of the log ${landed}`;
        expectError(first, shop.log.error, because);
        expectStory(shop, story, `${because}, and the caller was told so: nothing more happens`);
        const again = process.run();
        await advance(LONG_MS);
        expectPlot(shop, whole.plot, `${because}, and the order is run again`);
        expectTold(again, end.told, `${because}, and the order is run again`);
        expectStanding(shop, whole.standing, `${because}, and the order is run again`);
      }
    }
  });

  it.each(['two processes', 'one process, twice'])(
    'does no harm when an order is run in the same instant by %s',
    async (who) => {
      for (const gapMs of [0, 3, 5, 10, 12, 35]) {
        const shop = new Shop();
        shop.log.latencyMs = 10;
        const process = shop.open();
        const first = process.run();
        await advance(gapMs);
        const second = (who === 'two processes' ? shop.open() : process).run();
        await advance(LONG_MS);
        const because = `an order is run by ${who}, ${gapMs} ms apart`;
        expectStanding(shop, 'inventory, payment, receipt, shipping', because);
        const ends = [first, second].filter(({ error }) => !(error instanceof LogError));
        expect(ends.length, `${because}: whom the log let write to the end`).toBeGreaterThan(0);
        for (const run of ends) expectTold(run, COMPLETED, because);
        expectTold(await shop.sells(), COMPLETED, `${because}, and then once more`);
      }
    },
  );

  it('stops a process that was believed dead', async () => {
    const paying = deferred();
    const payment: StepPlan = { does: [() => paying.promise, 'fails'] };
    const shop = new Shop(checkout({ payment }));
    const slow = shop.open().run();
    await settle();
    const order = shop.open().run();
    await advance(5 * BACKOFF_MS);
    expectTold(order, compensated(failed('payment')), 'payment could not be reached');
    const { story } = shop;
    paying.resolve('charge no. 5');
    await advance(LONG_MS);
    const because = 'another process has undone the order, and now the first one has its answer';
    expectStory(shop, story, `${because}: it must not ship`);
    if (slow.end === 'outcome') return expectTold(slow, order.told, because);
    const refusal = `${because}: it has to hear from the log that it is out`;
    expect(slow.error, refusal).toBeInstanceOf(LogError);
  });
});

describe('7 · whatever happens', () => {
  it('does all or undoes all, or calls a person, whatever fails and whenever processes die', async () => {
    await fc.assert(
      fc.asyncProperty(nightmares(), async ({ plan, deaths }) => {
        const shop = new Shop(plan);
        shop.log.latencyMs = 2;
        for (const diesAt of deaths) {
          const process = shop.open(diesAt);
          process.run();
          await advance(LONG_MS);
          if (!process.isDead) break;
        }
        const run = await shop.sells();
        checkPaper(shop, run, playOnPaper(plan));
      }),
      { seed: 1987, numRuns: 60 },
    );
  });

  it('tells one story when two processes run the same order, and everything is slow', async () => {
    await fc.assert(
      fc.asyncProperty(badNights(), async (night) => {
        const shop = new Shop(night.plan);
        shop.log.latencyMs = 40;
        shop.delayMs = night.delays();
        const runs: Run[] = [];
        const processes: Process[] = [];
        for (const { afterMs, dies } of night.starts) {
          const process = shop.open();
          shop.timeline.push('[another process runs the order]');
          runs.push(process.run());
          processes.push(process);
          await advance(afterMs);
          if (dies) processes.shift()?.dies('that has run the longest');
        }
        await advance(LONG_MS);
        shop.delayMs = () => 0;
        const last = await shop.sells();
        checkStory(shop, runs, last, night.plan);
      }),
      { seed: 1987, numRuns: 30 },
    );
  });
});

// ── The rules on paper, and what can happen to an order ─────────────────────────────────────────────────

/** How an order must go, crashes or not. */
interface Paper {
  readonly plot: string;
  readonly state: Outcome['state'];
  readonly failedStep: string | undefined;
  readonly stuck: readonly string[];
  readonly standing: string;
}

/** What a step, or a compensation, comes to in the end. */
function endOf(replies: readonly Reply[]): { isDone: boolean; isRejected: boolean; acts: boolean } {
  const last = replies.at(-1) ?? 'works';
  return {
    isDone: last === 'works',
    isRejected: last === 'is rejected',
    acts: replies.some((reply) => typeof reply === 'string' && reply.startsWith('works')),
  };
}

function playOnPaper(plan: Plan): Paper {
  const steps = Object.entries(plan);
  const plot: string[] = [];
  const standing = new Set<string>();
  let failedAt: number | undefined;
  for (const [index, [name, { does = WORKS }]] of steps.entries()) {
    plot.push(name);
    const { isDone, acts } = endOf(does);
    if (acts) standing.add(name);
    if (isDone) continue;
    failedAt = index;
    break;
  }
  const paper = (state: Outcome['state'], stuck: readonly string[] = []): Paper => ({
    plot: [...plot, ...(state === 'parked' ? ['call a person'] : [])].join(' → '),
    state,
    failedStep: failedAt === undefined ? undefined : steps[failedAt]?.[0],
    stuck,
    standing: [...standing].toSorted().join(', ') || 'nothing',
  });
  if (failedAt === undefined) return paper('completed');

  const isRejected = endOf(steps[failedAt]?.[1].does ?? []).isRejected;
  const mayBeDone = steps.slice(0, isRejected ? failedAt : failedAt + 1);
  if (mayBeDone.some(([, { isPivot }]) => isPivot)) return paper('parked');
  const stuck: string[] = [];
  for (const [name, { undoes = WORKS }] of mayBeDone.toReversed()) {
    if (typeof undoes === 'string') continue;
    plot.push(`undo ${name}`);
    const { isDone, acts } = endOf(undoes);
    if (acts) standing.delete(name);
    if (!isDone) stuck.push(name);
  }
  return paper(stuck.length > 0 ? 'parked' : 'compensated', stuck);
}

function checkPaper(shop: Shop, run: Run, paper: Paper): void {
  const history = `\nwhat happened: ${inOneLine(shop.timeline)}`;
  expect(shop.plot, `by the rules, repeats left out, this happens${history}`).toBe(paper.plot);
  const { outcome } = run;
  if (outcome?.state !== paper.state) {
    expect.fail(`by the rules the order is ${paper.state}; told: ${run.told}${history}`);
  }
  if (outcome.state !== 'completed' && outcome.failure.step !== paper.failedStep) {
    expect.fail(`by the rules ${paper.failedStep} has failed; told: ${run.told}${history}`);
  }
  if (outcome.state === 'parked') {
    const stuck = outcome.stuck.map(({ step }) => step);
    expect(stuck, `by the rules these compensations are stuck${history}`).toEqual(paper.stuck);
  }
  const standing = `by the rules this is done and not undone${history}`;
  expect(shop.standing, standing).toBe(paper.standing);
}

const STEPS = ['inventory', 'payment', 'shipping', 'receipt'];

const DOES: readonly (readonly Reply[])[] = [
  ['works'],
  ['works'],
  ['works, but the reply is lost', 'works'],
  ['fails', 'hangs', 'works'],
  ['is rejected'],
  ['fails'],
  ['works, but the reply is lost'],
  ['works, but hangs'],
];
const UNDOES: readonly Undoes[] = [
  ['works'],
  ['works'],
  ['fails', 'works'],
  ['works, but the reply is lost', 'works'],
  ['fails'],
  ['is rejected'],
  ['works, but hangs'],
  'there is nothing to undo',
];

/** One to four steps, each of which goes as it likes; perhaps one of them is the pivot. */
function plans() {
  const step = fc.record({ does: fc.constantFrom(...DOES), undoes: fc.constantFrom(...UNDOES) });
  const steps = fc.array(step, { minLength: 1, maxLength: STEPS.length, size: 'max' });
  return fc.tuple(steps, fc.nat(STEPS.length)).map(([drawn, pivot]): Plan => {
    const named = drawn.map((each, index) => [
      STEPS[index] ?? '',
      { ...each, isPivot: index === pivot },
    ]);
    return Object.fromEntries(named);
  });
}

/** One process after another dies. */
function nightmares() {
  const deaths = fc.array(fc.nat(20), { maxLength: 3, size: 'max' });
  return fc.tuple(plans(), deaths).map(([plan, dying]) => ({
    plan,
    deaths: dying,
    /** How fast-check prints it. */
    [fc.toStringMethod]: () =>
      [describePlan(plan), ...dying.map((nth) => `a process dies at its point ${nth}`)].join('; '),
  }));
}

function describePlan(plan: Plan): string {
  return Object.entries(plan)
    .map(([name, { does = [], undoes = [], isPivot }]) => {
      const back = typeof undoes === 'string' ? undoes : `undoing it ${undoes.join(', then ')}`;
      return `${name}${isPivot ? ' (the pivot)' : ''} ${does.join(', then ')}; ${back}`;
    })
    .join(' → ');
}

/** How long each call takes, drawn from a seed: most are quick, some take longer than their time. */
function delaysFrom(seed: number): () => number {
  let state = seed;
  return () => {
    // The generator of Park and Miller, for a seed to say it all.
    state = (state * 48_271 + 1) % 2_147_483_647;
    return state % 3 === 0 ? state % (2 * TIMEOUT_MS) : state % 200;
  };
}

/** Several processes run one order; some of them die. */
function badNights() {
  const start = fc.record({
    afterMs: fc.constantFrom(0, 30, 90, 400, 5_000, TIMEOUT_MS, 25_000),
    dies: fc.boolean(),
  });
  const seeds = fc.nat(1_000_000);
  const starting = fc.array(start, { minLength: 2, maxLength: 4, size: 'max' });
  return fc.tuple(plans(), seeds, starting).map(([plan, seed, starts]) => ({
    plan,
    starts,
    delays: () => delaysFrom(seed),
    /** How fast-check prints it. */
    [fc.toStringMethod]: () => {
      const runs = starts.map(({ afterMs, dies }) => {
        const death = dies ? ', the first one that still lives dies' : '';
        return `a process runs the order, +${afterMs / 1_000} s${death}`;
      });
      return [describePlan(plan), ...runs, `delays drawn from ${seed}`].join('; ');
    },
  }));
}

/** Whoever was told an end was told the same, and what is done is what was told. */
function checkStory(shop: Shop, runs: readonly Run[], last: Run, plan: Plan): void {
  const history = `\nwhat happened: ${inOneLine(shop.timeline)}`;
  for (const { end, error, told } of runs) {
    if (end === 'outcome' && told !== last.told) {
      expect.fail(`one caller was told “${told}”, another one “${last.told}”${history}`);
    }
    if (end === 'error' && !(error instanceof LogError)) {
      expect.fail(`only the log fails a run tonight, not ${String(error)}${history}`);
    }
  }
  const { outcome } = last;
  const isCalled = shop.told.length > 0;
  if (isCalled !== (outcome?.state === 'parked')) {
    const called = isCalled ? 'a person was called' : 'nobody was called';
    expect.fail(`${called}, and the order is ${last.told}${history}`);
  }
  const standing = shop.standing === 'nothing' ? [] : shop.standing.split(', ');
  if (new Set(standing).size < standing.length) {
    expect.fail(`done more than once: ${shop.standing}${history}`);
  }
  if (outcome?.state === 'completed' && standing.length < Object.keys(plan).length) {
    expect.fail(`completed, but all that is done is: ${shop.standing}${history}`);
  }
  if (
    outcome?.state === 'compensated' ||
    (outcome?.state === 'parked' && outcome.stuck.length > 0)
  ) {
    const stuck = outcome.state === 'parked' ? outcome.stuck.map(({ step }) => step) : [];
    const left = standing.filter((step) => !stuck.includes(step));
    const mayBeLeft = left.filter((step) => typeof plan[step]?.undoes === 'string');
    if (mayBeLeft.length < left.length) {
      expect.fail(`told “${last.told}”, but still done: ${left.join(', ')}${history}`);
    }
  }
}
