// #region answer
import { randomUUID } from 'node:crypto';
// #endregion

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
  // #region answer: save change and events in one transaction, and publish them message by message
  const { db, publish, isOutage, maxAttempts } = options;
  let pass = Promise.resolve();
  let nextPass: Promise<void> | undefined;

  async function publishWaiting(): Promise<void> {
    const rows = await db.all<Row>("SELECT * FROM outbox WHERE state <> 'sent' ORDER BY seq");
    const heldUp = new Set<string>();
    for (const row of rows) {
      if (heldUp.has(row.key)) continue;
      const isSent = row.state === 'waiting' && (await attempt(row));
      if (!isSent) heldUp.add(row.key);
    }
  }

  /** One attempt; resolves to whether the broker has acked the message. */
  async function attempt({ seq, id, key, body, attempts }: Row): Promise<boolean> {
    const write = (state: Row['state'], count: number) =>
      db.run('UPDATE outbox SET state = ?, attempts = ? WHERE seq = ?', state, count, seq);
    if (attempts >= maxAttempts) {
      await write('parked', attempts);
      return false;
    }
    const attemptsNow = attempts + 1;
    // Counted beforehand: some messages kill the process, which then counts nothing any more.
    await write('waiting', attemptsNow);
    try {
      await publish({ id, key, body });
    } catch (error) {
      if (isOutage(error)) await write('waiting', attempts);
      else if (attemptsNow === maxAttempts) await write('parked', attemptsNow);
      return false;
    }
    await write('sent', attemptsNow);
    return true;
  }

  return {
    save(change) {
      return db.transaction(async (tx) => {
        for (const { key, body } of await change(tx)) {
          const insert = 'INSERT INTO outbox (id, key, body) VALUES (?, ?, ?)';
          await tx.run(insert, randomUUID(), key, body);
        }
      });
    },
    drain() {
      // The pass under way may have read the table already: whoever comes now shares the one after it.
      nextPass ??= pass
        .catch(() => {})
        .then(() => {
          nextPass = undefined;
          pass = publishWaiting();
          return pass;
        });
      return nextPass;
    },
  };
  // #endregion
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
  // #region answer: let each message take effect once
  const { db, consumer, apply } = options;
  return {
    receive(message) {
      return db.transaction(async (tx) => {
        const insert = 'INSERT INTO inbox (consumer, message_id) VALUES (?, ?)';
        const isNew = await tx.run(`${insert} ON CONFLICT DO NOTHING`, consumer, message.id);
        if (isNew) await apply(tx, message);
      });
    },
  };
  // #endregion
}

// #region answer
interface Row extends Message {
  readonly seq: number;
  readonly state: 'waiting' | 'sent' | 'parked';
  readonly attempts: number;
}
// #endregion
