import { createHash, randomBytes } from 'node:crypto';

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
  return new OptimisticIdempotency(options);
}

/**
 * The other usual shape: look, decide, and write only if nothing has changed since; else look again. What a record
 * means is decided in one function that touches nothing.
 */
class OptimisticIdempotency implements Idempotency {
  readonly #options: IdempotencyOptions;
  /** With a count, it names the attempts of this process. */
  readonly #process = randomBytes(16).toString('base64url');
  #count = 0;

  constructor(options: IdempotencyOptions) {
    this.#options = options;
  }

  async handle(request: IdempotentRequest, handler: Handler): Promise<HttpResponse> {
    const { client, key } = request;
    if (key === undefined || key === '' || key.length > 255) return status(400);
    // The length says where the client ends.
    const id = `${client.length}.${client}.${key}`;
    const hash = hashOf(request);

    for (;;) {
      const found = await this.#options.store.get(id);
      const step = decide(found, hash, this.#options);
      if ('answer' in step) return step.answer;
      this.#count += 1;
      const owner = `${this.#process}.${this.#count}`;
      const attempt = { hash, owner, number: step.number };
      const claim = encode(attempt, 'under way');
      if (await this.#write(id, found?.value, claim)) return this.#run(id, claim, attempt, handler);
    }
  }

  async #run(id: string, claim: string, attempt: Attempt, handler: Handler): Promise<HttpResponse> {
    const run = new Promise<HttpResponse>((resolve) => resolve(handler(attempt.number)));
    const end = await run.then(
      (answer) => ({ answer }),
      (error: unknown) => ({ error }),
    );
    if ('error' in end) {
      await this.#write(id, claim, encode(attempt, 'failed')).catch(() => false);
      throw end.error;
    }
    if (await this.#write(id, claim, encode(attempt, end))) return end.answer;
    const found = await this.#options.store.get(id);
    const phase = found && decode(found.value).phase;
    return typeof phase === 'object' ? phase.answer : status(409);
  }

  /** Writes, if what is there is still what it was. */
  async #write(id: string, expected: string | undefined, value: string): Promise<boolean> {
    const { store, ttlMs } = this.#options;
    if (expected !== undefined) return store.replace(id, expected, value, ttlMs);
    return (await store.putIfAbsent(id, value, ttlMs)) === undefined;
  }
}

interface Attempt {
  /** Of the request that the key belongs to. */
  readonly hash: string;
  readonly number: number;
  /** Names the attempt: nobody else writes a value with it. */
  readonly owner: string;
}

/** What is on record for a key. */
type Entry = Attempt & { readonly phase: Phase };

type Phase = 'under way' | 'failed' | { readonly answer: HttpResponse };

type Step = { readonly answer: HttpResponse } | { readonly number: number };

/** What a request does, by what it has found. */
function decide(
  found: StoredRecord | undefined,
  hash: string,
  { ttlMs, leaseMs }: Pick<IdempotencyOptions, 'ttlMs' | 'leaseMs'>,
): Step {
  if (!found || found.ageMs >= ttlMs) return { number: 1 };
  const entry = decode(found.value);
  if (entry.hash !== hash) return { answer: status(422) };
  if (typeof entry.phase === 'object') return entry.phase;
  if (entry.phase === 'under way' && found.ageMs < leaseMs) return { answer: status(409) };
  return { number: entry.number + 1 };
}

function encode(attempt: Attempt, phase: Phase): string {
  return JSON.stringify({ ...attempt, phase });
}

function decode(value: string): Entry {
  return JSON.parse(value);
}

function hashOf({ endpoint, body }: IdempotentRequest): string {
  const hash = createHash('sha512').update(`${endpoint.length}.`).update(endpoint);
  return hash.update(body).digest('base64');
}

function status(code: number): HttpResponse {
  return { status: code, headers: {}, body: '' };
}
