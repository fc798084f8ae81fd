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
  throw new Error(
    'TODO: save change and events in one transaction, and publish them message by message',
  );
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
  throw new Error('TODO: let each message take effect once');
}
