import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle } from '../virtual-time.ts';
import {
  createInbox,
  createOutbox,
  type Database,
  type Inbox,
  type Message,
  type Outbox,
  type OutboxEvent,
  type OutboxOptions,
  type Sql,
  type SqlValue,
} from './outbox.ts';

// SQLite is a large program, and is asked little here: V8 would take longer to optimize it than to run it as it is.
setFlagsFromString('--liftoff-only');
const { Database: Sqlite } = await import('node-sqlite3-wasm');
type Sqlite = InstanceType<typeof Sqlite>;

/** Longer than whatever an answer may do in the background. */
const MOMENT_MS = 1_000;

// ── A process, which may die ────────────────────────────────────────────────────────────────────────────

class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

type Mishap =
  | 'it dies before'
  | 'it dies after'
  | 'the database fails before'
  | 'the database fails after';

const DEATHS: readonly Mishap[] = ['it dies before', 'it dies after'];
const FAILURES: readonly Mishap[] = ['the database fails before', 'the database fails after'];

/** Whatever a process asks of its database or of the broker is a step, and in each of them something can happen. */
class Process {
  readonly steps: string[] = [];
  readonly error = new DatabaseError('the connection was reset');
  readonly death: Promise<never>;
  isDead = false;
  #mishap: { readonly step: number; readonly kind: Mishap } | undefined;
  #end: (reason: Error) => void = () => {};

  constructor() {
    this.death = new Promise((_, reject) => {
      this.#end = reject;
    });
    this.death.catch(() => {});
  }

  /** Something will happen in a step that is still to come: 1 is the next one. */
  suffers(kind: Mishap, step: number): void {
    this.#mishap = { kind, step: this.steps.length + step };
  }

  /** Nothing that it has asked for is answered any more. */
  dies(): Promise<never> {
    this.isDead = true;
    this.#end(new Error('this process is dead'));
    return never();
  }

  async step<T>(what: string, work: () => T | Promise<T>): Promise<T> {
    if (this.isDead) return never();
    this.steps.push(what);
    const kind = this.#mishap?.step === this.steps.length ? this.#mishap.kind : undefined;
    if (kind === 'it dies before') return this.dies();
    if (kind === 'the database fails before') throw this.error;
    const result = await work();
    if (kind === 'it dies after' || this.isDead) return this.dies();
    if (kind === 'the database fails after') throw this.error;
    return result;
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

// ── The databases: SQLite, in memory ────────────────────────────────────────────────────────────────────

/** As in the brief; and what the shop and the warehouse have of their own. */
const TABLES = `
  CREATE TABLE outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    key      TEXT NOT NULL,
    body     TEXT NOT NULL,
    state    TEXT NOT NULL DEFAULT 'waiting',
    attempts INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE inbox (
    consumer   TEXT NOT NULL,
    message_id TEXT NOT NULL,
    PRIMARY KEY (consumer, message_id)
  );
  CREATE TABLE customers (name TEXT PRIMARY KEY);
  CREATE TABLE changes (
    nr       INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL,
    what     TEXT NOT NULL,
    customer TEXT NOT NULL REFERENCES customers (name) DEFERRABLE INITIALLY DEFERRED
  );
  CREATE TABLE parcels (nr INTEGER PRIMARY KEY, slip TEXT NOT NULL);
  CREATE TABLE stock (mugs INTEGER NOT NULL CHECK (mugs >= 0));
  INSERT INTO customers VALUES ('Ada');
  INSERT INTO stock VALUES (1000);
  PRAGMA foreign_keys = ON;
  PRAGMA reverse_unordered_selects = ON;`;

const EMPTYING = [
  ...['outbox', 'inbox', 'changes', 'parcels'].map((table) => `DELETE FROM ${table}`),
  'UPDATE stock SET mugs = 1000',
];
const VERSION = 'SELECT schema_version AS version FROM pragma_schema_version';
const CHANGED = 'INSERT INTO changes (order_id, what, customer) VALUES (?, ?, ?)';
const SAVED = 'INSERT INTO outbox (id, key, body) VALUES (?, ?, ?)';
const MENDED = "UPDATE outbox SET state = 'waiting', attempts = 0 WHERE state <> 'sent'";

const THREE = [
  ['order-7', 'placed'],
  ['order-8', 'placed'],
  ['order-7', 'cancelled'],
] as const;

type Statement = ReturnType<Sqlite['prepare']>;

/** A database that is open, with the statements that it knows already: both take longer to make than a test takes. */
interface Opened {
  readonly sqlite: Sqlite;
  readonly statements: Map<string, Statement>;
  /** Of its tables. */
  readonly version: unknown;
}

const idle: Opened[] = [];
const servers = new Set<Server>();

/** What the processes of one service share. */
class Server {
  readonly #opened = idle.pop() ?? openDatabase();
  readonly #processes: Process[] = [];
  #lastUse: Promise<void> = Promise.resolve();
  #waiting = 0;
  #isInTransaction = false;

  constructor() {
    servers.add(this);
  }

  /** What may be said of somebody who waits for ever. */
  get trouble(): string {
    if (!this.#isInTransaction || this.#waiting === 0) return '';
    return '. A transaction is open, and somebody waits for its end. Is that a statement of `db` within the transaction, which should be one of `tx`? Or does the transaction wait for the broker?';
  }

  /** What a process has of this database. */
  connects(process: Process): Database {
    this.#processes.push(process);
    const alone = async <T>(work: () => Promise<T>): Promise<T> => {
      try {
        return await this.#alone(process, work);
      } catch (error) {
        if (process.isDead) return never();
        throw error;
      }
    };
    const statement = <T>(sql: string, work: () => T) =>
      alone(() => process.step(sql, () => committing(sql, work)));
    return {
      run: (sql, ...values) => statement(sql, () => this.run(sql, ...values)),
      all: <Row>(sql: string, ...values: SqlValue[]) =>
        statement(sql, () => this.all<Row>(sql, ...values)),
      transaction: (work) => alone(() => this.#transaction(process, work)),
    };
  }

  /** A statement of the spec's own: no process is involved. */
  run(sql: string, ...values: SqlValue[]): number {
    return this.#prepared(sql, (statement) => statement.run(values).changes);
  }

  all<Row>(sql: string, ...values: SqlValue[]): Row[] {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return this.#prepared(sql, (statement) => statement.all(values)) as Row[];
  }

  /** Ends all processes, and leaves the database to the next test. */
  async close(): Promise<void> {
    for (const process of this.#processes) void process.dies();
    await settle();
    servers.delete(this);
    for (const statement of EMPTYING) this.run(statement);
    const [{ version } = { version: 0 }] = this.all<{ version: number }>(VERSION);
    // If somebody has changed the tables, it is of no use to others.
    if (version === this.#opened.version) idle.push(this.#opened);
  }

  #prepared<T>(sql: string, use: (statement: Statement) => T): T {
    const { sqlite, statements } = this.#opened;
    const statement = statements.get(sql) ?? sqlite.prepare(sql);
    statements.set(sql, statement);
    try {
      return use(statement);
    } catch (error) {
      // One that has failed cannot be used again.
      statements.delete(sql);
      statement.finalize();
      throw error;
    }
  }

  async #transaction<T>(process: Process, work: (tx: Sql) => Promise<T>): Promise<T> {
    let hasEnded = false;
    let last: Promise<unknown> = Promise.resolve();
    // As drivers do, one statement after another, whether or not anybody waits for them.
    const statement = <U>(sql: string, run: () => U): Promise<U> => {
      if (hasEnded) return Promise.reject(new Error('this transaction has ended'));
      const result = last.then(() => process.step(sql, run));
      last = result.catch(() => {});
      return result;
    };
    const tx: Sql = {
      run: (sql, ...values) => statement(sql, () => this.run(sql, ...values)),
      all: <Row>(sql: string, ...values: SqlValue[]) =>
        statement(sql, () => this.all<Row>(sql, ...values)),
    };
    try {
      await process.step('BEGIN', () => {
        this.run('BEGIN');
        this.#isInTransaction = true;
      });
      const result = await work(tx);
      await last;
      await process.step('COMMIT', () => {
        this.run('COMMIT');
        this.#isInTransaction = false;
      });
      return result;
    } finally {
      await last;
      hasEnded = true;
      this.#rollsBack();
    }
  }

  /** One after another. A process that dies makes room, and nothing of its transaction stays. */
  async #alone<T>(process: Process, work: () => Promise<T>): Promise<T> {
    const before = this.#lastUse;
    let leaves = () => {};
    this.#lastUse = new Promise((resolve) => {
      leaves = resolve;
    });
    this.#waiting += 1;
    await before;
    this.#waiting -= 1;
    try {
      return await Promise.race([work(), process.death]);
    } finally {
      if (process.isDead) this.#rollsBack();
      leaves();
    }
  }

  #rollsBack(): void {
    if (this.#isInTransaction) this.run('ROLLBACK');
    this.#isInTransaction = false;
  }
}

function openDatabase(): Opened {
  const sqlite = new Sqlite();
  sqlite.exec(TABLES);
  const version = sqlite.get(VERSION)?.['version'];
  return { sqlite, statements: new Map(), version };
}

/** Statements of one connection do not make a transaction where there are several. */
function committing<T>(sql: string, work: () => T): T {
  if (!/^\s*(begin|savepoint)/i.test(sql)) return work();
  throw new Error('no statement of `db` can begin a transaction: use db.transaction()');
}

function inOneLine(sql: string): string {
  const line = sql.replaceAll(/\s+/g, ' ').trim();
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
}

// ── The broker ──────────────────────────────────────────────────────────────────────────────────────────

class RefusedError extends Error {
  override readonly name = 'RefusedError';
}
class OutageError extends Error {
  override readonly name = 'OutageError';
}

/** What becomes of a message that is published. */
type Reception =
  | 'acked'
  | 'refused'
  | 'refused without a word'
  /** Nobody answers, and nothing arrives. */
  | 'unanswered'
  /** It arrives, and nobody answers. */
  | 'ack lost'
  /** The broker takes its time, until it is told to go on. */
  | 'slow'
  /** The shop's process dies of it. */
  | 'deadly';

class Broker {
  /** Each message as often as it has arrived. */
  readonly arrived: Message[] = [];
  /** Each message as often as it was published. */
  readonly published: Message[] = [];
  receives: (message: Message) => Reception = () => 'acked';
  /** The most messages that a process had under way at once. */
  mostAtOnce = 0;
  #underWay: Process[] = [];
  #slow: (() => void)[] = [];

  async take(message: Message, process: Process): Promise<void> {
    const { id, key, body } = message;
    const copy = { id, key, body };
    this.published.push(copy);
    this.#underWay.push(process);
    const own = this.#underWay.filter((each) => each === process);
    this.mostAtOnce = Math.max(this.mostAtOnce, own.length);
    try {
      await this.#receive(copy, this.receives(copy), process);
    } finally {
      this.#underWay.splice(this.#underWay.indexOf(process), 1);
    }
  }

  async #receive(message: Message, reception: Reception, process: Process): Promise<void> {
    if (reception === 'deadly') return process.dies();
    if (reception === 'refused') throw new RefusedError('the message is too large');
    if (reception === 'refused without a word') return Promise.reject();
    if (reception === 'unanswered') throw new OutageError('the broker does not answer');
    if (reception === 'slow') await new Promise<void>((resolve) => this.#slow.push(resolve));
    this.arrived.push(message);
    if (reception === 'ack lost') throw new OutageError('the ack has not come');
  }

  /** Whoever has been slow goes on. */
  async goesOn(): Promise<void> {
    for (const resolve of this.#slow.splice(0)) resolve();
    await moment();
  }
}

// ── The shop, which saves and publishes ─────────────────────────────────────────────────────────────────

/** Something that an answer was asked to do. */
class Call {
  end: 'pending' | 'done' | 'error' = 'pending';
  error: unknown;

  readonly #server: Server;
  readonly #name: string;

  constructor(server: Server, name: string, call: () => Promise<void>) {
    this.#server = server;
    this.#name = name;
    let result: unknown;
    try {
      result = call();
    } catch (error) {
      expect.fail(`${name}() threw ${print(error)}: it must return a promise that rejects`);
    }
    if (!(result instanceof Promise)) {
      expect.fail(`${name}() returned ${print(result)}: it must return a promise`);
    }
    result.then(
      () => {
        this.end = 'done';
      },
      (error: unknown) => {
        this.end = 'error';
        this.error = error;
      },
    );
  }

  get told(): string {
    if (this.end === 'pending') return `${this.#name}() is still waiting${this.#server.trouble}`;
    const end = this.end === 'done' ? 'has resolved' : `has rejected with ${print(this.error)}`;
    return `${this.#name}() ${end}`;
  }
}

type Options = Partial<Pick<OutboxOptions, 'maxAttempts' | 'isOutage'>>;
type Change = Parameters<Outbox['save']>[0];

class Shop {
  readonly broker = new Broker();
  readonly server = new Server();
  readonly #options: Options;
  process: Process;
  outbox: Outbox;

  constructor(options: Options = {}) {
    this.#options = options;
    [this.process, this.outbox] = this.another();
  }

  /** One more process, on the same database. */
  another(): [Process, Outbox] {
    const process = new Process();
    const outbox = createOutbox({
      db: this.server.connects(process),
      publish: (message) =>
        process.step(`publish ${inWords(message)}`, () => this.broker.take(message, process)),
      isOutage: (error) => error instanceof OutageError,
      maxAttempts: 3,
      ...this.#options,
    });
    if (typeof outbox?.save !== 'function') expect.fail(`no outbox, but ${print(outbox)}`);
    return [process, outbox];
  }

  /** All that the process had in memory is gone. */
  restarts(): void {
    void this.process.dies();
    [this.process, this.outbox] = this.another();
  }

  /** What is done in one go, by a process that is alive. Nothing has settled yet when this returns. */
  savesNow(orderId: string, ...whats: string[]): Call {
    return this.saveNow(changing(orderId, ...whats));
  }

  saveNow(change: Change): Call {
    if (this.process.isDead) this.restarts();
    return new Call(this.server, 'save', () => this.outbox.save(change));
  }

  drainsNow(): Call {
    if (this.process.isDead) this.restarts();
    return new Call(this.server, 'drain', () => this.outbox.drain());
  }

  async saves(orderId: string, ...whats: string[]): Promise<Call> {
    const call = this.savesNow(orderId, ...whats);
    await moment();
    return call;
  }

  async save(change: Change): Promise<Call> {
    const call = this.saveNow(change);
    await moment();
    return call;
  }

  async drains(times = 1): Promise<Call> {
    for (let nth = 1; nth < times; nth += 1) {
      this.drainsNow();
      await moment();
    }
    const call = this.drainsNow();
    await moment();
    return call;
  }

  /** What has happened to an order, in the order of the commits. */
  changes(orderId?: string): string[] {
    return this.server
      .all<{ key: string; body: string }>(
        'SELECT order_id AS key, what AS body FROM changes WHERE order_id = ifnull(?, order_id) ORDER BY nr',
        orderId ?? null,
      )
      .map((row) => (orderId === undefined ? inWords(row) : row.body));
  }

  rows(): (Message & { state: string })[] {
    return this.server.all('SELECT id, key, body, state FROM outbox ORDER BY seq');
  }

  /** What is in the outbox in this state. */
  having(state: 'waiting' | 'parked'): string[] {
    return this.rows()
      .filter((row) => row.state === state)
      .map(inWords);
  }

  /** Somebody mends a message that is parked, by hand. */
  retries(body: string): void {
    const sql = "UPDATE outbox SET state = 'waiting', attempts = 0 WHERE body = ?";
    if (this.server.run(sql, body) !== 1) expect.fail(`“${body}” should be in the outbox, once`);
  }

  givesUp(body: string): void {
    const deleted = this.server.run('DELETE FROM outbox WHERE body = ?', body);
    if (deleted !== 1) expect.fail(`“${body}” should be in the outbox, once`);
  }

  /** Everything that has arrived about an order; what has arrived twice, twice. */
  arrived(orderId: string): string[] {
    return this.broker.arrived.filter(({ key }) => key === orderId).map(({ body }) => body);
  }

  close(): Promise<void> {
    return this.server.close();
  }
}

/** Three messages are waiting. */
function shopWithThree(): Shop {
  const shop = new Shop();
  for (const [nth, [orderId = '', what = '']] of THREE.entries()) {
    shop.server.run(CHANGED, orderId, what, 'Ada');
    shop.server.run(SAVED, `m-${nth}`, orderId, what);
  }
  return shop;
}

/** Writes down what happens to an order, and announces the same. */
function changing(orderId: string, ...whats: string[]): Change {
  return async (tx) => {
    for (const what of whats) await insertChange(tx, orderId, what);
    return whats.map((body) => ({ key: orderId, body }));
  };
}

function insertChange(tx: Sql, orderId: string, what: string, customer = 'Ada') {
  return tx.run(CHANGED, orderId, what, customer);
}

/** A broker that refuses some messages, by their bodies. */
function refusing(...bodies: string[]): Broker['receives'] {
  return ({ body }) => (bodies.includes(body) ? 'refused' : 'acked');
}

// ── The warehouse, which receives ───────────────────────────────────────────────────────────────────────

const PLACED: Message = { id: 'm-1', key: 'order-7', body: 'placed' };
const MOVED: Message = { id: 'm-2', key: 'order-7', body: 'moved to Bern' };

class Warehouse {
  readonly server = new Server();
  process = new Process();
  inbox: Inbox;
  /** What else `apply` does, once it has written the parcel down. */
  apply: (tx: Sql, message: Message) => Promise<void> = () => Promise.resolve();

  constructor() {
    this.inbox = this.another();
  }

  another(consumer = 'warehouse', process = this.process): Inbox {
    const inbox = createInbox({
      db: this.server.connects(process),
      consumer,
      apply: async (tx, message) => {
        const slip =
          consumer === 'warehouse' ? inWords(message) : `${consumer}: ${inWords(message)}`;
        await tx.run('INSERT INTO parcels (slip) VALUES (?)', slip);
        await tx.run('UPDATE stock SET mugs = mugs - 1');
        await this.apply(tx, message);
      },
    });
    if (typeof inbox?.receive !== 'function') expect.fail(`no inbox, but ${print(inbox)}`);
    return inbox;
  }

  restarts(): void {
    void this.process.dies();
    this.process = new Process();
    this.inbox = this.another();
  }

  receivesNow(message: Message, inbox?: Inbox): Call {
    if (this.process.isDead) this.restarts();
    return new Call(this.server, 'receive', () => (inbox ?? this.inbox).receive({ ...message }));
  }

  async receives(message: Message, inbox?: Inbox): Promise<Call> {
    const call = this.receivesNow(message, inbox);
    await moment();
    return call;
  }

  /** What was packed, in its order. */
  parcels(): string[] {
    return this.server
      .all<{ slip: string }>('SELECT slip FROM parcels ORDER BY nr')
      .map(({ slip }) => slip);
  }

  close(): Promise<void> {
    return this.server.close();
  }
}

// ── What the spec says ──────────────────────────────────────────────────────────────────────────────────

function inWords({ key, body }: OutboxEvent): string {
  return `${key} ${body}`;
}

function print(value: unknown): string {
  return value instanceof Error ? `“${value.message}”` : inspect(value);
}

/** Lets everything happen that an answer may do in the background. */
function moment(): Promise<void> {
  return advance(MOMENT_MS);
}

function expectDone(call: Call, because: string): void {
  if (call.end !== 'done') expect.fail(`${because}; ${call.told}`);
}

function expectError(call: Call, error: unknown, because: string): void {
  if (call.end === 'error' && Object.is(call.error, error)) return;
  expect.fail(`${because}, and ${print(error)} must come out, the very error; ${call.told}`);
}

/** Each line stands for a message or a row; in their order. */
function expectLines(lines: readonly string[], wanted: readonly string[], because: string): void {
  const text = (all: readonly string[]) => (all.length === 0 ? 'nothing' : all.join(', '));
  expect(text(lines), because).toBe(text(wanted));
}

function expectArrived(shop: Shop, orderId: string, whats: string[], because: string): void {
  expectLines(
    shop.arrived(orderId),
    whats,
    `${because}: what the warehouse has heard of ${orderId}`,
  );
}

/** Without repeats. */
function firsts(messages: readonly Message[]): Message[] {
  return messages.filter(({ id }, nth) => messages.findIndex((other) => other.id === id) === nth);
}

/** Change and event, both or neither. */
function expectBothOrNeither(shop: Shop, when: string): void {
  expectLines(
    shop.having('waiting'),
    shop.changes(),
    `${when}: what is in the outbox, and what was changed`,
  );
}

/** The warehouse has heard of all that has happened, in the order in which it has happened, and of nothing else. */
function expectAllHeard(shop: Shop, when: string): void {
  const heard = firsts(shop.broker.arrived);
  for (const { id, key, body } of shop.broker.arrived) {
    const known = heard.find((message) => message.id === id);
    if (known?.key === key && known.body === body) continue;
    expect.fail(`${when}: two messages have one id, “${inWords({ key, body })}” and another`);
  }
  for (const key of new Set([...heard.map((each) => each.key), 'order-7', 'order-8'])) {
    const whats = heard.filter((each) => each.key === key).map(({ body }) => body);
    expectLines(
      whats,
      shop.changes(key),
      `${when}: what the warehouse has heard of ${key} (repeats left out)`,
    );
  }
}

const CALM = 'nothing happens';

interface Service {
  readonly process: Process;
  close(): Promise<void>;
}

/** Plays a story once as it should be, and then again and again, with a mishap in another step each time. */
async function inEachStep<S extends Service>(
  kinds: readonly Mishap[],
  opens: () => S,
  story: (service: S) => Promise<unknown>,
  check: (service: S, when: string) => Promise<void> | void,
): Promise<void> {
  const calm = opens();
  await story(calm);
  const steps = [...calm.process.steps];
  await check(calm, CALM);
  await calm.close();
  if (steps.length === 0) expect.fail('nothing was asked of the database');
  for (const kind of kinds) {
    for (const [index, step] of steps.entries()) {
      if (step.startsWith('publish') && FAILURES.includes(kind)) continue;
      const service = opens();
      service.process.suffers(kind, index + 1);
      await story(service);
      await check(service, `${kind} ${inOneLine(step)}`);
      await service.close();
    }
  }
}

afterEach(async () => {
  await moment();
  for (const server of servers) await server.close();
  if (pendingTimers() > 0) {
    expect.fail('nobody saves, drains or receives any more, and a timer is set');
  }
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · both or neither', () => {
  it('saves a change and its event', async () => {
    const shop = new Shop();
    let runs = 0;
    const call = await shop.save(async (tx) => {
      runs += 1;
      await insertChange(tx, 'order-7', 'placed');
      return [{ key: 'order-7', body: 'placed' }];
    });
    expectDone(call, 'the order was placed');
    expectLines(shop.changes(), ['order-7 placed'], 'what was changed');
    expectLines(shop.having('waiting'), ['order-7 placed'], 'what is waiting in the outbox');
    expect(runs, 'how often the change was made').toBe(1);
  });

  it('saves all events of a change, in their order', async () => {
    const shop = new Shop();
    await shop.save(() =>
      Promise.resolve([
        { key: 'order-7', body: 'cancelled' },
        { key: 'order-8', body: 'placed' },
        { key: 'order-7', body: 'refunded' },
      ]),
    );
    const lines = ['order-7 cancelled', 'order-8 placed', 'order-7 refunded'];
    expectLines(shop.having('waiting'), lines, 'what is waiting in the outbox');
  });

  it('saves a change that has no events', async () => {
    const shop = new Shop();
    const call = await shop.save(async (tx) => {
      await insertChange(tx, 'order-7', 'looked at');
      return [];
    });
    expectDone(call, 'nobody else needs to hear of this change');
    expectLines(shop.changes(), ['order-7 looked at'], 'what was changed');
    expectLines(shop.having('waiting'), [], 'what is waiting in the outbox');
  });

  it.each([new Error('the card was declined'), undefined])(
    'saves neither when the change fails with %s, and hands that over',
    async (error) => {
      const shop = new Shop();
      const call = await shop.save(async (tx) => {
        await insertChange(tx, 'order-7', 'placed');
        throw error;
      });
      expectError(call, error, 'the order could not be placed');
      expectLines(shop.changes(), [], 'the card was declined: what was changed');
      expectLines(shop.having('waiting'), [], 'the card was declined: what is in the outbox');
    },
  );

  it('saves neither when the database refuses the change at the commit', async () => {
    const shop = new Shop();
    const call = await shop.save(async (tx) => {
      await insertChange(tx, 'order-7', 'placed', 'a customer who has left');
      return [{ key: 'order-7', body: 'placed' }];
    });
    if (call.end !== 'error') {
      expect.fail(`the commit has failed, so the order is not placed; ${call.told}`);
    }
    expectLines(shop.changes(), [], 'the commit has failed: what was changed');
    expectLines(shop.having('waiting'), [], 'the commit has failed: what is in the outbox');
    expect(shop.broker.published, 'the commit has failed: what was published').toEqual([]);
  });

  it('saves both or neither, in whichever statement the database fails', async () => {
    let call: Call | undefined;
    await inEachStep(
      FAILURES,
      () => new Shop(),
      async (shop) => {
        call = await shop.saves('order-7', 'placed', 'paid');
      },
      (shop, when) => {
        expectBothOrNeither(shop, when);
        if (call && when !== CALM) expectError(call, shop.process.error, when);
      },
    );
  });

  it('saves both or neither, wherever the process dies', async () => {
    await inEachStep(
      DEATHS,
      () => new Shop(),
      (shop) => shop.saves('order-7', 'placed', 'paid'),
      expectBothOrNeither,
    );
  });

  it('publishes nothing itself', async () => {
    const shop = new Shop();
    await shop.saves('order-7', 'placed');
    await moment();
    const because = 'only drain() publishes: what was published by save()';
    expectLines(shop.broker.published.map(inWords), [], because);
  });

  it('lets several save at the same time', async () => {
    const shop = new Shop();
    const calls = [
      shop.savesNow('order-7', 'placed'),
      shop.savesNow('order-8', 'placed'),
      shop.savesNow('order-7', 'cancelled'),
    ];
    await moment();
    for (const call of calls) expectDone(call, 'three orders were saved in the same instant');
    expectLines(shop.having('waiting'), shop.changes(), 'what is in the outbox, and was changed');
  });

  it('takes any text for a key or a body', async () => {
    const shop = new Shop();
    const names = 'Zoe\u0308, '.repeat(3_000);
    const texts = [
      '',
      "d'Arc'); DELETE FROM outbox; --",
      '?',
      '{"mug":"☕"}\n',
      '__proto__',
      names,
    ];
    const events = texts.map((text) => ({ key: text, body: text }));
    const changed = (all: readonly OutboxEvent[]) =>
      texts
        .filter((text) => !all.some(({ key, body }) => key === text && body === text))
        .map((text) => `${inspect(text.slice(0, 40))} (${text.length} signs)`);
    expectDone(await shop.save(() => Promise.resolve(events)), 'it is text like any other');
    expectLines(changed(shop.rows()), [], 'keys or bodies that are not in the outbox as they were');
    expectDone(await shop.drains(), 'it is text like any other');
    const { arrived } = shop.broker;
    expectLines(changed(arrived), [], 'keys or bodies that have not arrived as they were');
  });

  it('gives each event an id that no other has, in any database', async () => {
    const shops = [new Shop(), new Shop()];
    for (const shop of shops) {
      const call = await shop.saves('order-7', 'placed', 'cancelled', 'placed');
      expectDone(call, 'the order was placed, cancelled, and placed again');
      shop.restarts();
      expectDone(await shop.saves('order-7', 'cancelled'), 'the order was cancelled once more');
    }
    const ids = shops.flatMap((shop) => shop.rows().map(({ id }) => id));
    const because = 'eight events in two databases, some alike: how many different ids they have';
    expect(new Set(ids).size, because).toBe(8);
  });
});

describe('2 · published, at least once', () => {
  it('publishes what is waiting, under the id that was saved', async () => {
    const shop = new Shop();
    await shop.saves('order-7', 'placed');
    const [row] = shop.rows();
    expectDone(await shop.drains(), 'the broker has acked all there was');
    const message = { id: row?.id, key: 'order-7', body: 'placed' };
    expect(shop.broker.arrived, 'what has arrived').toEqual([message]);
  });

  it('publishes all that is waiting, in one go', async () => {
    const shop = new Shop();
    await shop.saves('order-7', 'placed', 'paid');
    await shop.saves('order-8', 'placed');
    await shop.saves('order-7', 'cancelled', 'placed');
    await shop.drains();
    expectArrived(shop, 'order-7', ['placed', 'paid', 'cancelled', 'placed'], 'after one drain');
    expectArrived(shop, 'order-8', ['placed'], 'after one drain');
  });

  it('has nothing to do when nothing is waiting', async () => {
    const shop = new Shop();
    expectDone(await shop.drains(), 'nothing is waiting');
    expect(shop.broker.published, 'what was published').toEqual([]);
  });

  it('publishes nothing again that was acked', async () => {
    const shop = new Shop();
    await shop.saves('order-7', 'placed');
    await shop.drains(2);
    shop.restarts();
    await shop.drains();
    expectArrived(shop, 'order-7', ['placed'], 'acked at the first drain, then two more');
    expectLines(shop.having('waiting'), [], 'what is waiting in the outbox');
  });

  it('publishes what another process has saved', async () => {
    const shop = new Shop();
    await shop.saves('order-7', 'placed');
    shop.restarts();
    await shop.drains();
    expectArrived(shop, 'order-7', ['placed'], 'the process has restarted');
  });

  it('is done when the broker has acked, not before', async () => {
    const shop = new Shop();
    shop.broker.receives = () => 'slow';
    await shop.saves('order-7', 'placed');
    const call = await shop.drains();
    expect(call.end, 'the broker has not acked yet: drain()').toBe('pending');
    await shop.broker.goesOn();
    expectDone(call, 'the broker has acked');
  });

  it('publishes again what was not acked when the process died', async () => {
    const shop = new Shop();
    shop.broker.receives = () => 'slow';
    await shop.saves('order-7', 'placed');
    await shop.drains();
    shop.restarts();
    shop.broker.receives = () => 'acked';
    await shop.drains();
    expectArrived(shop, 'order-7', ['placed'], 'the process died while it waited for the ack');
  });

  it.each(['unanswered', 'ack lost'] as const)(
    'publishes again what was %s, under the same id',
    async (reception) => {
      const shop = new Shop();
      await shop.saves('order-7', 'placed');
      shop.broker.receives = () => reception;
      expectDone(
        await shop.drains(),
        'the broker is down, the message has had its attempt, and that is all',
      );
      shop.broker.receives = () => 'acked';
      await shop.drains();
      const { published } = shop.broker;
      expect(published.length, 'how often it was published').toBe(2);
      const [first, second] = published;
      expect(second, 'the second one: if it differs, nobody can tell that it is the same').toEqual(
        first,
      );
      expectLines(shop.having('waiting'), [], 'acked by now: what is waiting in the outbox');
    },
  );

  it('records each ack before it publishes the next message', async () => {
    const shop = new Shop();
    await shop.saves('order-7', 'placed');
    await shop.saves('order-8', 'placed', 'paid');
    let left = 2;
    shop.broker.receives = () => (left-- > 0 ? 'acked' : 'deadly');
    await shop.drains();
    shop.broker.receives = () => 'acked';
    await shop.drains();
    const arrived = shop.broker.arrived.map(inWords).toSorted();
    const because = 'two were acked, and with the third the process died: what has arrived in all';
    expectLines(arrived, ['order-7 placed', 'order-8 paid', 'order-8 placed'], because);
  });
});

describe('3 · in order for each key', () => {
  it('publishes the events of a key in the order of the commits', async () => {
    const shop = new Shop();
    const [, other] = shop.another();
    const whats = ['placed', 'moved to Bern', 'moved to Basel', 'paid', 'cancelled', 'refunded'];
    for (const [index, what] of whats.entries()) {
      if (index % 2 === 0) await shop.saves('order-7', what);
      else await other.save(changing('order-7', what));
    }
    await shop.drains();
    expectArrived(shop, 'order-7', whats, 'two processes have saved in turn');
  });

  it('publishes one message at a time', async () => {
    const shop = new Shop();
    shop.broker.receives = () => 'slow';
    await shop.saves('order-7', 'placed', 'paid');
    await shop.saves('order-8', 'placed');
    await shop.drains();
    for (let nth = 1; nth <= 3; nth += 1) await shop.broker.goesOn();
    expect(shop.broker.arrived.length, 'how many have arrived').toBe(3);
    expect(shop.broker.mostAtOnce, 'how many were under way at once').toBe(1);
  });

  it('holds up what comes after a refused message of its key, and nothing else', async () => {
    const shop = new Shop();
    await shop.saves('order-6', 'placed');
    await shop.saves('order-7', 'placed', 'cancelled');
    await shop.saves('order-8', 'placed', 'paid');
    shop.broker.receives = refusing('cancelled');
    await shop.saves('order-7', 'refunded');
    await shop.saves('order-6', 'paid');
    expectDone(await shop.drains(), 'a message was refused, and that is all');
    expectArrived(shop, 'order-7', ['placed'], '“cancelled” was refused');
    expectArrived(shop, 'order-6', ['placed', 'paid'], '“cancelled” of order-7 was refused');
    expectArrived(shop, 'order-8', ['placed', 'paid'], '“cancelled” of order-7 was refused');
  });

  it('makes one attempt in each drain, and then goes on with the key', async () => {
    const shop = new Shop({ maxAttempts: 10 });
    await shop.saves('order-7', 'placed', 'cancelled');
    shop.broker.receives = refusing('placed');
    for (let drains = 1; drains <= 3; drains += 1) {
      await shop.drains();
      expect(shop.broker.published.length, `attempts in ${drains} drain(s)`).toBe(drains);
    }
    shop.broker.receives = () => 'acked';
    await shop.drains();
    expectArrived(shop, 'order-7', ['placed', 'cancelled'], 'it was accepted at last');
    const ids = new Set(shop.broker.published.map(({ id }) => id));
    expect(ids.size, 'two messages, of which one was published four times: different ids').toBe(2);
  });

  it('holds up what is saved later, too', async () => {
    const shop = new Shop();
    shop.broker.receives = refusing('placed');
    await shop.saves('order-7', 'placed');
    await shop.drains();
    await shop.saves('order-7', 'cancelled');
    await shop.drains();
    expectArrived(shop, 'order-7', [], '“placed” was refused, “cancelled” must not overtake it');
    shop.broker.receives = () => 'acked';
    await shop.drains();
    expectArrived(shop, 'order-7', ['placed', 'cancelled'], 'it was accepted at last');
  });

  it.each(['unanswered', 'ack lost'] as const)(
    'holds up what comes after a message that was %s',
    async (reception) => {
      const shop = new Shop();
      await shop.saves('order-7', 'placed', 'paid', 'cancelled');
      await shop.saves('order-8', 'placed');
      shop.broker.receives = ({ body }) => (body === 'paid' ? reception : 'acked');
      await shop.drains();
      shop.broker.receives = () => 'acked';
      await shop.drains();
      const first = ['placed', 'paid', 'cancelled'];
      const again = ['placed', 'paid', 'paid', 'cancelled'];
      const whats = reception === 'ack lost' ? again : first;
      expectArrived(shop, 'order-7', whats, 'the broker is back');
      expectArrived(shop, 'order-8', ['placed'], 'the broker is back');
    },
  );

  it('keeps the order when another process goes on', async () => {
    const shop = new Shop();
    await shop.saves('order-7', 'placed', 'cancelled');
    shop.broker.receives = refusing('placed');
    await shop.drains();
    shop.restarts();
    await shop.drains();
    expectArrived(shop, 'order-7', [], '“placed” was refused twice, before and after a restart');
    shop.restarts();
    shop.broker.receives = () => 'acked';
    await shop.drains();
    expectArrived(shop, 'order-7', ['placed', 'cancelled'], 'it was accepted at last');
  });

  it('tells keys apart, whatever they are', async () => {
    const shop = new Shop();
    const keys = ['order-7', 'ORDER-7', 'order-7 ', '7', '07', '', '__proto__', 'constructor'];
    await shop.saves('order-7', 'too large');
    for (const key of keys) await shop.saves(key, 'placed');
    shop.broker.receives = refusing('too large');
    await shop.drains();
    for (const key of keys.slice(1)) {
      expectArrived(shop, key, ['placed'], 'a message of order-7 was refused');
    }
    for (const key of keys.slice(1)) await shop.saves(key, 'too large', 'cancelled');
    await shop.drains();
    for (const key of keys.slice(1)) {
      expectArrived(shop, key, ['placed'], `a message of “${key}” was refused as well`);
    }
  });

  it('goes on with others, however much waits behind a refused message', async () => {
    const shop = new Shop();
    await shop.saves('order-7', 'too large');
    shop.server.run(`
      INSERT INTO outbox (id, key, body)
      WITH RECURSIVE notes (nr) AS (SELECT 1 UNION ALL SELECT nr + 1 FROM notes WHERE nr < 2000)
      SELECT 'note-' || nr, 'order-7', 'note ' || nr FROM notes`);
    const whats = Array.from({ length: 110 }, (_, nth) => `change ${nth + 1}`);
    await shop.save(() => Promise.resolve(whats.map((body) => ({ key: 'order-8', body }))));
    shop.broker.receives = refusing('too large');
    await shop.drains();
    const because =
      '2,000 messages wait behind one of order-7: how many of 110 others have arrived';
    expect(shop.arrived('order-8').length, because).toBe(110);
    expectArrived(shop, 'order-7', [], '“too large” was refused');
  });
});

describe('4 · poison', () => {
  it.each([1, 2, 5])(
    'parks a message after %i attempt(s) that were refused',
    async (maxAttempts) => {
      const shop = new Shop({ maxAttempts });
      await shop.saves('order-7', 'too large');
      shop.broker.receives = refusing('too large');
      for (let attempts = 1; attempts <= maxAttempts; attempts += 1) {
        expectLines(shop.having('parked'), [], `after ${attempts - 1} attempts: what is parked`);
        expectDone(await shop.drains(), 'a message was refused, and that is all');
      }
      const because = `refused ${maxAttempts} times: what is parked`;
      expectLines(shop.having('parked'), ['order-7 too large'], because);
      await shop.drains(2);
      const { length } = shop.broker.published;
      expect(length, 'it is parked: how often it was published').toBe(maxAttempts);
    },
  );

  it('counts attempts across processes', async () => {
    const shop = new Shop({ maxAttempts: 3 });
    await shop.saves('order-7', 'too large');
    shop.broker.receives = refusing('too large');
    for (let attempts = 1; attempts <= 5; attempts += 1) {
      await shop.drains();
      shop.restarts();
    }
    const because = 'the process restarts after each drain: how often it was published';
    expect(shop.broker.published.length, because).toBe(3);
    expectLines(shop.having('parked'), ['order-7 too large'], 'refused three times');
  });

  it('counts for each message', async () => {
    const shop = new Shop({ maxAttempts: 2 });
    await shop.saves('order-7', 'large', 'larger');
    shop.broker.receives = refusing('large', 'larger');
    await shop.drains();
    shop.broker.receives = refusing('larger');
    await shop.drains();
    expectArrived(shop, 'order-7', ['large'], 'the first was accepted at its second attempt');
    expectLines(shop.having('parked'), [], 'the second has had one attempt of two: what is parked');
    await shop.drains();
    expectLines(shop.having('parked'), ['order-7 larger'], 'it has had two: what is parked');
  });

  it('lets nothing of the key overtake it, and others go on', async () => {
    const shop = new Shop({ maxAttempts: 1 });
    await shop.saves('order-7', 'too large', 'cancelled');
    shop.broker.receives = refusing('too large');
    await shop.drains();
    await shop.saves('order-7', 'refunded');
    await shop.saves('order-8', 'placed');
    await shop.drains(2);
    shop.restarts();
    await shop.drains();
    expectArrived(shop, 'order-7', [], '“too large” is parked, and the rest waits for it');
    expectArrived(shop, 'order-8', ['placed'], '“too large” of order-7 is parked');
    const lines = ['order-7 cancelled', 'order-7 refunded'];
    expectLines(shop.having('waiting'), lines, '“too large” is parked: what is waiting');
  });

  it('goes on with the key once somebody has mended the message', async () => {
    const shop = new Shop({ maxAttempts: 2 });
    await shop.saves('order-7', 'placed', 'too large', 'cancelled');
    const ids = shop.rows().map(({ id }) => id);
    shop.broker.receives = refusing('too large');
    await shop.drains(3);
    await shop.saves('order-8', 'placed');
    await shop.drains();
    shop.retries('too large');
    await shop.drains();
    expectLines(shop.having('parked'), [], 'it has two attempts again, and has had one: parked');
    shop.broker.receives = () => 'acked';
    await shop.drains();
    const whats = ['placed', 'too large', 'cancelled'];
    expectArrived(shop, 'order-7', whats, 'somebody has mended it');
    const arrived = shop.broker.arrived.filter(({ key }) => key === 'order-7');
    expect(
      arrived.map(({ id }) => id),
      'the ids that have arrived',
    ).toEqual(ids);
  });

  it('parks what has had more attempts than are allowed by now', async () => {
    const shop = new Shop({ maxAttempts: 3 });
    await shop.saves('order-7', 'too large');
    shop.server.run('UPDATE outbox SET attempts = 5');
    shop.broker.receives = refusing('too large');
    await shop.drains(2);
    const because =
      'it has had five attempts when a deploy lowers maxAttempts to 3: what is parked';
    expectLines(shop.having('parked'), ['order-7 too large'], because);
  });

  it('takes a refusal for one, whatever publish rejects with', async () => {
    const shop = new Shop({ maxAttempts: 1 });
    await shop.saves('order-7', 'too large', 'cancelled');
    shop.broker.receives = () => 'refused without a word';
    expectDone(await shop.drains(), 'publish has rejected with undefined, and that is all');
    const because = 'publish has rejected with undefined, which is no ack: what is parked';
    expectLines(shop.having('parked'), ['order-7 too large'], because);
  });

  it('publishes nothing that somebody has parked by hand', async () => {
    const shop = new Shop();
    await shop.saves('order-7', 'placed', 'cancelled');
    await shop.saves('order-8', 'placed');
    shop.server.run("UPDATE outbox SET state = 'parked' WHERE key = 'order-7' AND body = 'placed'");
    await shop.drains(2);
    expectArrived(shop, 'order-7', [], 'somebody has parked “placed”, without any attempt');
    expectArrived(shop, 'order-8', ['placed'], '“placed” of order-7 is parked');
    expectLines(shop.having('parked'), ['order-7 placed'], 'what is parked');
  });

  it('goes on with the key once somebody has deleted the message', async () => {
    const shop = new Shop({ maxAttempts: 1 });
    await shop.saves('order-7', 'placed', 'too large', 'cancelled');
    shop.broker.receives = refusing('too large');
    await shop.drains(2);
    shop.givesUp('too large');
    await shop.drains();
    expectArrived(shop, 'order-7', ['placed', 'cancelled'], 'somebody has given up “too large”');
  });

  it.each(['unanswered', 'ack lost'] as const)(
    'parks nothing because of an outage: %s',
    async (reception) => {
      const shop = new Shop({ maxAttempts: 2 });
      await shop.saves('order-7', 'placed');
      shop.broker.receives = () => reception;
      for (let drains = 1; drains <= 5; drains += 1) {
        expectDone(await shop.drains(), 'the broker is down');
        expectLines(shop.having('parked'), [], `the broker is down, drain ${drains}: parked`);
      }
      shop.broker.receives = () => 'refused';
      await shop.drains();
      const because = 'the first refusal of two: an outage is no attempt; what is parked';
      expectLines(shop.having('parked'), [], because);
      shop.broker.receives = () => reception;
      await shop.drains();
      expectLines(shop.having('parked'), [], 'refused once, and then an outage: what is parked');
      shop.broker.receives = () => 'refused';
      await shop.drains();
      const second = 'the second refusal of two, with an outage between them: what is parked';
      expectLines(shop.having('parked'), ['order-7 placed'], second);
    },
  );

  it('leaves it to isOutage which errors are outages', async () => {
    const errors: unknown[] = [];
    const shop = new Shop({
      maxAttempts: 1,
      isOutage: (error) => {
        errors.push(error);
        return error instanceof RefusedError;
      },
    });
    await shop.saves('order-7', 'placed');
    shop.broker.receives = () => 'refused';
    await shop.drains();
    expectLines(shop.having('parked'), [], 'isOutage says yes to a refusal: what is parked');
    shop.broker.receives = () => 'unanswered';
    await shop.drains();
    expectLines(shop.having('parked'), ['order-7 placed'], 'isOutage says no to no answer');
    const names = [...new Set(errors)].map((error) =>
      error instanceof Error ? error.name : error,
    );
    expect(names, 'what isOutage was asked about').toEqual(['RefusedError', 'OutageError']);
  });

  it('parks a message that kills the process', async () => {
    const shop = new Shop({ maxAttempts: 3 });
    await shop.saves('order-7', 'deadly', 'cancelled');
    await shop.saves('order-8', 'placed');
    shop.broker.receives = ({ body }) => (body === 'deadly' ? 'deadly' : 'acked');
    for (let drains = 1; drains <= 6; drains += 1) await shop.drains();
    const deadly = shop.broker.published.filter(({ body }) => body === 'deadly').length;
    expect(deadly, 'how often the process died of it').toBe(3);
    expectLines(shop.having('parked'), ['order-7 deadly'], 'three processes have died of it');
    expectArrived(shop, 'order-8', ['placed'], '“deadly” of order-7 is parked');
    expectArrived(shop, 'order-7', [], '“deadly” is parked, and the rest waits for it');
  });

  it('holds the death of a process against nobody but the message under way', async () => {
    const shop = new Shop({ maxAttempts: 2 });
    await shop.saves('order-6', 'placed', 'paid');
    await shop.saves('order-7', 'deadly');
    await shop.saves('order-8', 'placed');
    shop.broker.receives = ({ body }) => (body === 'deadly' ? 'deadly' : 'acked');
    for (let drains = 1; drains <= 4; drains += 1) await shop.drains();
    expectLines(shop.having('parked'), ['order-7 deadly'], 'what is parked');
    expectArrived(shop, 'order-6', ['placed', 'paid'], 'two processes have died of another');
    expectArrived(shop, 'order-8', ['placed'], 'two processes have died of another');
  });

  it('tries again after a process has died, as long as there are attempts left', async () => {
    const shop = new Shop({ maxAttempts: 3 });
    await shop.saves('order-7', 'placed', 'paid');
    let deaths = 0;
    shop.broker.receives = () => ((deaths += 1) <= 2 ? 'deadly' : 'acked');
    for (let drains = 1; drains <= 3; drains += 1) await shop.drains();
    expectArrived(shop, 'order-7', ['placed', 'paid'], 'the third attempt of three went well');
  });
});

describe('5 · at any time', () => {
  it('publishes each message once, however many call drain at once', async () => {
    const shop = new Shop();
    await shop.saves('order-7', 'placed', 'paid');
    await shop.saves('order-8', 'placed');
    const calls = Array.from({ length: 5 }, () => shop.drainsNow());
    await moment();
    for (const call of calls) expectDone(call, 'five have called drain in the same instant');
    expectArrived(shop, 'order-7', ['placed', 'paid'], 'five drains at once');
    expectArrived(shop, 'order-8', ['placed'], 'five drains at once');
  });

  it('publishes one message at a time, also when drains overlap', async () => {
    const shop = new Shop();
    shop.broker.receives = () => 'slow';
    await shop.saves('order-7', 'placed', 'paid');
    await shop.saves('order-8', 'placed');
    const calls = [await shop.drains(), await shop.drains()];
    expect(shop.broker.published.length, 'the broker is slow: how many are under way').toBe(1);
    for (let nth = 1; nth <= 3; nth += 1) await shop.broker.goesOn();
    for (const call of calls) expectDone(call, 'the broker has acked all');
    expectArrived(shop, 'order-7', ['placed', 'paid'], 'two drains');
    expectArrived(shop, 'order-8', ['placed'], 'two drains');
  });

  it('has published what was saved before the call, also if a drain was under way', async () => {
    const shop = new Shop();
    shop.broker.receives = () => 'slow';
    await shop.saves('order-7', 'placed');
    const first = await shop.drains();
    await shop.saves('order-8', 'placed');
    await shop.saves('order-7', 'paid');
    const second = await shop.drains();
    shop.broker.receives = () => 'acked';
    await shop.broker.goesOn();
    expectDone(first, 'all is acked');
    expectDone(second, 'all is acked');
    expectArrived(shop, 'order-8', ['placed'], 'saved while a drain was under way, then drained');
    expectArrived(shop, 'order-7', ['placed', 'paid'], 'saved while a drain was under way');
  });

  it('makes at most one attempt for each call', async () => {
    const shop = new Shop({ maxAttempts: 3 });
    await shop.saves('order-7', 'placed');
    shop.broker.receives = () => 'refused';
    const calls = [shop.drainsNow(), shop.drainsNow()];
    await moment();
    for (const call of calls) expectDone(call, 'the message has had its attempt');
    expectLines(shop.having('parked'), [], 'two calls, three attempts allowed: what is parked');
  });

  it('lets everybody save while the broker takes its time', async () => {
    const shop = new Shop();
    const [, other] = shop.another();
    shop.broker.receives = () => 'slow';
    await shop.saves('order-7', 'placed');
    await shop.drains();
    const own = shop.savesNow('order-8', 'placed');
    const others = new Call(shop.server, 'save', () => other.save(changing('order-9', 'placed')));
    await moment();
    const because = 'the broker takes its time, and meanwhile nobody can place an order';
    expectDone(own, because);
    expectDone(others, because);
  });

  it('rejects when the database fails, and loses nothing', async () => {
    let call: Call | undefined;
    await inEachStep(
      FAILURES,
      shopWithThree,
      async (shop) => {
        call = await shop.drains();
      },
      async (shop, when) => {
        if (call && when !== CALM) expectError(call, shop.process.error, `${when}: drain()`);
        expectDone(await shop.drains(), `${when}, and then all is well`);
        expectAllHeard(shop, when);
        expectLines(shop.having('waiting'), [], `${when}, and then all is well: waiting`);
      },
    );
  });

  it('goes on after a drain that has failed, also for whoever has called meanwhile', async () => {
    const shop = new Shop();
    shop.broker.receives = () => 'slow';
    await shop.saves('order-7', 'placed');
    const first = await shop.drains();
    const second = await shop.drains();
    shop.process.suffers('the database fails before', 1);
    await shop.broker.goesOn();
    expectError(first, shop.process.error, 'the ack could not be recorded');
    shop.broker.receives = () => 'acked';
    await shop.broker.goesOn();
    if (second.end === 'pending') expect.fail('the second of two drains never ends');
    await shop.saves('order-8', 'placed');
    expectDone(await shop.drains(), 'the database is back');
    expectArrived(shop, 'order-8', ['placed'], 'the database is back');
    expectLines(shop.having('waiting'), [], 'the database is back: what is waiting');
  });
});

describe('6 · the inbox', () => {
  it('applies a message', async () => {
    const warehouse = new Warehouse();
    expectDone(await warehouse.receives(PLACED), 'the message was applied');
    expectDone(await warehouse.receives(MOVED), 'the message was applied');
    expectLines(warehouse.parcels(), [inWords(PLACED), inWords(MOVED)], 'what was packed');
  });

  it('hands over the message as it came', async () => {
    const warehouse = new Warehouse();
    const messages: Message[] = [];
    warehouse.apply = async (_, message) => void messages.push({ ...message });
    await warehouse.receives(PLACED);
    expect(messages, 'what was applied').toEqual([PLACED]);
  });

  it('lets a repeat have no effect, and acks it', async () => {
    const warehouse = new Warehouse();
    await warehouse.receives(PLACED);
    expectDone(await warehouse.receives(PLACED), 'a repeat, which must be acked');
    expectLines(warehouse.parcels(), [inWords(PLACED)], 'delivered twice: what was packed');
    warehouse.restarts();
    expectDone(await warehouse.receives(PLACED), 'a repeat, which must be acked');
    expectLines(warehouse.parcels(), [inWords(PLACED)], 'again, after a restart: what was packed');
  });

  it('knows repeats of all messages, not of the last one alone', async () => {
    const warehouse = new Warehouse();
    const messages = Array.from({ length: 120 }, (_, nth) => ({ ...PLACED, id: `m-${nth}` }));
    for (const message of [...messages, ...messages]) {
      expectDone(await warehouse.receives(message), '120 messages, all delivered twice');
    }
    const because = '120 messages, all delivered twice: how many were packed';
    expect(warehouse.parcels().length, because).toBe(120);
  });

  it('goes by the id alone', async () => {
    const warehouse = new Warehouse();
    const ids = ['m-9', 'm-1', 'm-10', 'M-1', 'm-1 ', 'm_1', '%', '01', '1', ''];
    for (const id of ids) await warehouse.receives({ ...PLACED, id });
    const because = `messages that are alike, under the ids “${ids.join('”, “')}”; what was packed`;
    expectLines(warehouse.parcels(), Array(ids.length).fill(inWords(PLACED)), because);
  });

  it('acks a repeat although it could not be applied any more', async () => {
    const warehouse = new Warehouse();
    warehouse.server.run('UPDATE stock SET mugs = 1');
    expectDone(await warehouse.receives(PLACED), 'the last mug was packed');
    const because = 'a repeat of what was applied; no mug is left, and none is needed';
    expectDone(await warehouse.receives(PLACED), because);
    expectLines(warehouse.parcels(), [inWords(PLACED)], 'what was packed');
  });

  it.each([new Error('the printer is out of paper'), undefined])(
    'rejects with what apply throws, here %s, and applies the message when it comes again',
    async (error) => {
      const warehouse = new Warehouse();
      warehouse.apply = async () => {
        throw error;
      };
      expectError(await warehouse.receives(PLACED), error, 'apply has failed');
      expectLines(warehouse.parcels(), [], 'apply has failed, and is undone: what was packed');
      warehouse.apply = async () => {};
      expectDone(await warehouse.receives(PLACED), 'delivered again');
      expectLines(warehouse.parcels(), [inWords(PLACED)], 'delivered again: what was packed');
    },
  );

  it('has each consumer apply each message', async () => {
    const warehouse = new Warehouse();
    const invoices = warehouse.another('invoices');
    for (const inbox of [warehouse.inbox, invoices, invoices, warehouse.inbox]) {
      expectDone(await warehouse.receives(PLACED, inbox), 'delivered to two consumers, twice');
    }
    const lines = ['order-7 placed', 'invoices: order-7 placed'];
    expectLines(warehouse.parcels(), lines, 'two consumers: what was packed and invoiced');
  });

  it('lets a message take effect once when it comes twice in the same instant', async () => {
    const warehouse = new Warehouse();
    const other = warehouse.another('warehouse', new Process());
    const calls = [
      warehouse.receivesNow(PLACED),
      warehouse.receivesNow(PLACED),
      warehouse.receivesNow(PLACED, other),
    ];
    await moment();
    if (calls.every(({ end }) => end !== 'done')) {
      expect.fail(`three deliveries at once, and none is acked: the first ${calls[0]?.told}`);
    }
    expectLines(warehouse.parcels(), [inWords(PLACED)], 'three deliveries at once: packed');
    expectDone(await warehouse.receives(PLACED), 'a repeat, which must be acked');
  });

  it('acks nothing that comes to nothing, also when it has come twice', async () => {
    const warehouse = new Warehouse();
    let fails: (error: Error) => void = () => {};
    warehouse.apply = () => new Promise((_, reject) => (fails = reject));
    const calls = [warehouse.receivesNow(PLACED), warehouse.receivesNow(PLACED)];
    await moment();
    warehouse.apply = () => Promise.reject(new Error('the printer is out of paper'));
    fails(new Error('the printer is out of paper'));
    await moment();
    expectLines(warehouse.parcels(), [], 'apply has failed for both: what was packed');
    for (const call of calls) {
      if (call.end === 'error') continue;
      expect.fail(`nothing was packed, so neither of two deliveries is acked; ${call.told}`);
    }
  });

  it('acks nothing that the database has not kept, and applies it when it comes again', async () => {
    let call: Call | undefined;
    await inEachStep(
      FAILURES,
      () => new Warehouse(),
      async (warehouse) => {
        call = await warehouse.receives(PLACED);
      },
      async (warehouse, when) => {
        if (call?.end === 'done') {
          expectLines(warehouse.parcels(), [inWords(PLACED)], `${when}, it is acked: was packed`);
        } else if (call) {
          expectError(call, warehouse.process.error, when);
        }
        expectDone(await warehouse.receives(PLACED), `${when}, and then it is delivered again`);
        expectLines(warehouse.parcels(), [inWords(PLACED)], `${when}: what was packed`);
      },
    );
  });

  it('lets each message take effect once, wherever the process dies', async () => {
    await inEachStep(
      DEATHS,
      () => new Warehouse(),
      (warehouse) => warehouse.receives(PLACED),
      async (warehouse, when) => {
        warehouse.restarts();
        expectDone(await warehouse.receives(PLACED), `${when}, and then it is delivered again`);
        expectLines(warehouse.parcels(), [inWords(PLACED)], `${when}: what was packed`);
      },
    );
  });
});

describe('7 · whatever happens', () => {
  it('loses nothing, invents nothing and keeps the order, wherever the process dies', async () => {
    await inEachStep(
      DEATHS,
      shopWithThree,
      (shop) => shop.drains(),
      async (shop, when) => {
        shop.restarts();
        await shop.drains(2);
        expectAllHeard(shop, when);
        expectLines(shop.having('waiting'), [], `${when}: what is waiting in the end`);
      },
    );
  });

  it('has each order packed as it was changed, in any week', async () => {
    await fc.assert(
      fc.asyncProperty(weeks(), async (steps) => {
        const week = new Week();
        try {
          for (const step of steps) {
            await step.play(week);
            await moment();
          }
          await week.ends();
        } finally {
          await week.close();
        }
      }),
      { seed: 13, numRuns: 40 },
    );
  });
});

// ── A week, played at random ────────────────────────────────────────────────────────────────────────────

/** Shop, broker and warehouse, in which all sorts of things happen. */
class Week {
  readonly shop = new Shop({ maxAttempts: 3 });
  readonly warehouse = new Warehouse();
  #changes = 0;
  #delivered = 0;

  changes(orderId: string, count: number): void {
    const whats = Array.from({ length: count }, () => `change ${(this.#changes += 1)}`);
    this.shop.savesNow(orderId, ...whats);
  }

  failsToChange(orderId: string): void {
    this.shop.saveNow(async (tx) => {
      await insertChange(tx, orderId, `change ${(this.#changes += 1)}, which failed`);
      throw new Error('the card was declined');
    });
  }

  /** In the order in which they have arrived, until one is not acked; the last ones again, if their acks got lost. */
  async delivers(again = 0): Promise<void> {
    this.#delivered = Math.max(0, this.#delivered - again);
    for (const message of this.shop.broker.arrived.slice(this.#delivered)) {
      const call = await this.warehouse.receives(message);
      if (call.end !== 'done') return;
      this.#delivered += 1;
    }
  }

  /** Everything gets well again. */
  async ends(): Promise<void> {
    this.shop.restarts();
    this.warehouse.restarts();
    this.shop.broker.receives = () => 'acked';
    this.shop.server.run(MENDED);
    expectDone(await this.shop.drains(), 'all is well, and drain()');
    await this.delivers();
    expectAllHeard(this.shop, 'in the end');
    expectLines(this.shop.having('waiting'), [], 'in the end: what is waiting in the outbox');
    expectLines(this.shop.having('parked'), [], 'in the end: what is parked');
    for (const orderId of ORDERS) {
      const packed = this.warehouse.parcels().filter((slip) => slip.startsWith(orderId));
      const changes = this.shop.changes(orderId).map((what) => `${orderId} ${what}`);
      expectLines(packed, changes, `in the end: what was packed for ${orderId}`);
    }
  }

  async close(): Promise<void> {
    await this.shop.close();
    await this.warehouse.close();
  }
}

const ORDERS = ['order-7', 'order-8'] as const;
const RECEPTIONS = ['refused', 'unanswered', 'ack lost', 'deadly', 'acked'] as const;

/** Something that happens in a week, and how it reads. */
class Step {
  readonly play: (week: Week) => unknown;
  readonly [fc.toStringMethod]: () => string;
  constructor(told: string, play: (week: Week) => unknown) {
    this.play = play;
    this[fc.toStringMethod] = () => told;
  }
}

function weeks() {
  const orders = fc.constantFrom(...ORDERS);
  const nth = fc.integer({ min: 1, max: 9 });
  const mishap = fc.constantFrom(...DEATHS, ...FAILURES);
  const saves = fc
    .tuple(orders, fc.constantFrom(1, 1, 2))
    .map(
      ([orderId, count]) =>
        new Step(`${orderId} is changed${count === 2 ? ' twice' : ''}`, (week) =>
          week.changes(orderId, count),
        ),
    );
  const drains = fc.constant(new Step('drain', ({ shop }) => shop.drainsNow()));
  const delivers = fc
    .constantFrom(0, 0, 1, 3)
    .map(
      (again) =>
        new Step(again === 0 ? 'deliver' : `deliver, the last ${again} again`, (week) =>
          week.delivers(again),
        ),
    );
  const fails = orders.map(
    (orderId) => new Step(`${orderId} cannot be changed`, (week) => week.failsToChange(orderId)),
  );
  const broker = fc.tuple(orders, fc.constantFrom(...RECEPTIONS)).map(
    ([orderId, reception]) =>
      new Step(`from now on ${orderId} is ${reception}`, ({ shop }) => {
        shop.broker.receives = ({ key }) => (key === orderId ? reception : 'acked');
      }),
  );
  const shopSuffers = fc.tuple(mishap, nth).map(
    ([kind, step]) =>
      new Step(`shop: ${kind} step ${step} from now`, ({ shop }) => {
        shop.process.suffers(kind, step);
      }),
  );
  const warehouseSuffers = fc.tuple(mishap, nth).map(
    ([kind, step]) =>
      new Step(`warehouse: ${kind} step ${step} from now`, ({ warehouse }) => {
        warehouse.process.suffers(kind, step);
      }),
  );
  const steps = [saves, saves, drains, drains, delivers, fails, broker, shopSuffers];
  return fc.array(fc.oneof(...steps, warehouseSuffers), { maxLength: 18, size: 'max' });
}
