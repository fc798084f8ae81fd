import { randomUUID } from 'node:crypto';

export type SqlValue = string | number | null;

/** SQLite, with the tables of the brief. */
export interface Sql {
  /** Runs a statement, with a value for each `?`; resolves to the number of rows it has changed. */
  run(sql: string, ...values: SqlValue[]): Promise<number>;
  /** Resolves to the rows, in any order unless `ORDER BY` says which. `Row` is believed, not checked. */
  all<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]>;
}

/** What a process has of its database. A statement that is run on it directly commits at once. */
export interface Database extends Sql {
  /**
   * Runs `work`, and commits when it resolves. When it rejects, rolls back and rejects with the same error. Only
   * statements of `tx` are part of it. One transaction is open at a time, and all other statements wait for its end;
   * so do not use `db` within `work`.
   */
  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T>;
}

/** What has happened, before it is a message. */
export interface OutboxEvent {
  /** What it has happened to, such as `order-7`: events with the same key stay in their order. */
  readonly key: string;
  readonly body: string;
}

export interface Message extends OutboxEvent {
  /** Made once, when the event is saved; the same each time it is published. Unique across all databases. */
  readonly id: string;
}

export interface OutboxOptions {
  readonly db: Database;
  /**
   * Hands a message to the broker; resolves when the broker has acked it. When it rejects, the message may have
   * arrived all the same. It brings its own timeout.
   */
  readonly publish: (message: Message) => Promise<void>;
  /** Does the error say that nobody answered? If not, the broker has refused this message. */
  readonly isOutage: (error: unknown) => boolean;
  /** After how many attempts a message is parked; whole number, 1 or more. */
  readonly maxAttempts: number;
}

export interface Outbox {
  /**
   * Makes a change and saves the events that it resolves to, both or neither. Publishes nothing.
   *
   * @throws what `change` or the database rejects with (as a rejection)
   */
  save(change: (tx: Sql) => Promise<readonly OutboxEvent[]>): Promise<void>;
  /**
   * Publishes what is waiting. Resolves when all that was saved before the call is sent, or has had its attempt, or is
   * held up by an earlier message of its key.
   *
   * @throws what the database rejects with (as a rejection)
   */
  drain(): Promise<void>;
}

/** A transactional outbox with a polling relay: at least once, and in order for each key. */
export function createOutbox(options: OutboxOptions): Outbox {
  return new PollingOutbox(options);
}

export interface InboxOptions {
  readonly db: Database;
  /** Who receives. Several consumers may share a database, and each has to get each message. */
  readonly consumer: string;
  /** Does what the message asks for; everything it does goes through `tx`. */
  readonly apply: (tx: Sql, message: Message) => Promise<void>;
}

export interface Inbox {
  /**
   * Applies a message unless that has been done. When it resolves, the broker takes that for the ack; when it rejects,
   * the broker delivers the message again, some day.
   *
   * @throws what `apply` or the database rejects with (as a rejection)
   */
  receive(message: Message): Promise<void>;
}

/** An idempotent consumer: what is delivered at least once takes effect exactly once. */
export function createInbox(options: InboxOptions): Inbox {
  return new CheckingInbox(options);
}

/**
 * The other usual shape: the database says which message is next, one query for each. A message that was sent is
 * deleted, and whoever calls `drain` while another call is at work leaves a note that makes it go round once more.
 */
class PollingOutbox implements Outbox {
  readonly #options: OutboxOptions;
  #round: Promise<void> | undefined;
  #isCalledAgain = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  async save(change: (tx: Sql) => Promise<readonly OutboxEvent[]>): Promise<void> {
    await this.#options.db.transaction(async (tx) => {
      const events = await change(tx);
      if (events.length === 0) return;
      const places = events.map(() => '(?, ?, ?)').join(', ');
      const values = events.flatMap(({ key, body }) => [randomUUID(), key, body]);
      await tx.run(`INSERT INTO outbox (id, key, body) VALUES ${places}`, ...values);
    });
  }

  drain(): Promise<void> {
    this.#isCalledAgain = true;
    this.#round ??= this.#goRound();
    return this.#round;
  }

  async #goRound(): Promise<void> {
    try {
      while (this.#isCalledAgain) {
        this.#isCalledAgain = false;
        for await (const message of this.#messages()) await this.#attempt(message);
      }
    } finally {
      // In the step that finds no further call: later, and a call in between would be told that all is done.
      this.#round = undefined;
    }
  }

  /** Each message once: in order, and none that has an earlier one of its key in front of it. */
  async *#messages(): AsyncGenerator<Waiting> {
    let last = 0;
    for (;;) {
      const [next] = await this.#options.db.all<Waiting>(NEXT, last);
      if (!next) return;
      yield next;
      last = next.seq;
    }
  }

  async #attempt({ seq, id, key, body, attempts }: Waiting): Promise<void> {
    const { db, publish, isOutage, maxAttempts } = this.#options;
    const park = () => db.run("UPDATE outbox SET state = 'parked' WHERE seq = ?", seq);
    if (attempts >= maxAttempts) return void (await park());

    await db.run('UPDATE outbox SET attempts = attempts + 1 WHERE seq = ?', seq);
    const error = await publish({ id, key, body }).then(
      () => undefined,
      (reason: unknown) => ({ reason }),
    );
    if (!error) {
      await db.run('DELETE FROM outbox WHERE seq = ?', seq);
    } else if (isOutage(error.reason)) {
      await db.run('UPDATE outbox SET attempts = attempts - 1 WHERE seq = ?', seq);
    } else if (attempts + 1 >= maxAttempts) {
      await park();
    }
  }
}

const NEXT = `
  SELECT * FROM outbox AS message
  WHERE state = 'waiting' AND seq > ? AND NOT EXISTS (
    SELECT 1 FROM outbox AS earlier WHERE earlier.key = message.key AND earlier.seq < message.seq
  )
  ORDER BY seq
  LIMIT 1`;

interface Waiting extends Message {
  readonly seq: number;
  readonly attempts: number;
}

/** Looks first and writes last. Both are in the transaction, so nobody comes in between. */
class CheckingInbox implements Inbox {
  readonly #options: InboxOptions;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  async receive(message: Message): Promise<void> {
    const { db, consumer, apply } = this.#options;
    const key = [consumer, message.id];
    await db.transaction(async (tx) => {
      const seen = 'SELECT 1 FROM inbox WHERE consumer = ? AND message_id = ?';
      if ((await tx.all(seen, ...key)).length > 0) return;
      await apply(tx, message);
      await tx.run('INSERT INTO inbox (consumer, message_id) VALUES (?, ?)', ...key);
    });
  }
}
