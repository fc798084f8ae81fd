export interface IdempotentRequest {
  /** Who asks, as authentication has found out. */
  readonly client: string;
  /** The `Idempotency-Key` header; undefined when there is none. */
  readonly key: string | undefined;
  /** Method and path, such as `POST /transfers`. */
  readonly endpoint: string;
  /** As it came over the wire: JSON, a form, any text. */
  readonly body: string;
}

export interface HttpResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/**
 * Does the work. `attempt` is 1 when the key runs for the first time. Any higher number says that earlier attempts
 * began and nobody knows how far they came: the handler looks before it acts, and passes the number on as a fencing
 * token. It is higher than those of all attempts before.
 */
export type Handler = (attempt: number) => HttpResponse | PromiseLike<HttpResponse>;

/**
 * What all processes share: Redis, DynamoDB, a table in SQL. Each call takes its time, does its work in one step, and
 * may reject, before or after it has done it.
 */
export interface RecordStore {
  /** What is there; undefined for nothing. */
  get(id: string): Promise<StoredRecord | undefined>;
  /** Writes, whatever is there. */
  put(id: string, value: string, ttlMs: number): Promise<void>;
  /** Writes if nothing is there, and resolves to undefined; else resolves to what is there. */
  putIfAbsent(id: string, value: string, ttlMs: number): Promise<StoredRecord | undefined>;
  /** Writes if what is there has exactly the value `expected`; resolves to whether it has. */
  replace(id: string, expected: string, value: string, ttlMs: number): Promise<boolean>;
}

export interface StoredRecord {
  readonly value: string;
  /** Milliseconds since it was last written, by the clock of the store. */
  readonly ageMs: number;
}

export interface IdempotencyOptions {
  readonly store: RecordStore;
  /** How long a record counts, in milliseconds since it was last written; longer than `leaseMs`. */
  readonly ttlMs: number;
  /** How long an attempt has its key to itself, in milliseconds since it began; above 0. */
  readonly leaseMs: number;
}

export interface Idempotency {
  /**
   * Runs `handler`, or answers in its place: with what is recorded, or with 400, 409 or 422. Rejects with what the
   * handler throws, or with what the store rejects with; never throws.
   */
  handle(request: IdempotentRequest, handler: Handler): Promise<HttpResponse>;
}

/**
 * The server's side of the `Idempotency-Key` header, after draft-ietf-httpapi-idempotency-key-header-07 (2025, expired
 * in 2026) and the API of Stripe. One for each process, all with the same store.
 */
export function createIdempotency(options: IdempotencyOptions): Idempotency {
  throw new Error('TODO: let one request with each key run, and answer all others');
}
