// #region answer
import { createHash, randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
// #endregion

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
  // #region answer: let one request with each key run, and answer all others
  const { store, ttlMs, leaseMs } = options;

  /** Makes the key ours for one attempt, or says what to answer instead. */
  async function claim(id: string, fingerprint: string): Promise<Claim | HttpResponse> {
    const first = newClaim(fingerprint, 1);
    const found = await store.putIfAbsent(id, JSON.stringify(running(first)), ttlMs);
    if (!found) return first;
    // Stores forget when they get round to it. An expired record says nothing, not even its number.
    const entry = found.ageMs < ttlMs ? parse(found) : undefined;
    if (entry && entry.fingerprint !== fingerprint) return refusal(422);
    if (entry?.response) return entry.response;
    if (entry?.isRunning && found.ageMs < leaseMs) return refusal(409);
    const next = newClaim(fingerprint, (entry?.attempt ?? 0) + 1);
    const isOurs = await replace(id, found.value, running(next));
    return isOurs ? next : refusal(409);
  }

  /** Writes, unless somebody else has written since. */
  function replace(id: string, expected: string, entry: Entry): Promise<boolean> {
    return store.replace(id, expected, JSON.stringify(entry), ttlMs);
  }

  return {
    async handle({ client, key, endpoint, body }, handler) {
      if (!key || key.length > 255) return refusal(400);
      const id = JSON.stringify([client, key]);
      const mine = await claim(id, sha256(JSON.stringify([endpoint, body])));
      if ('status' in mine) return mine;
      const recorded = JSON.stringify(running(mine));

      let response: HttpResponse;
      try {
        response = await handler(mine.attempt);
      } catch (error) {
        // If the store fails too, the lease frees the key. The caller needs the first error.
        await replace(id, recorded, mine).catch(() => {});
        throw error;
      }
      if (await replace(id, recorded, { ...mine, response })) return response;
      // Another attempt has taken over: its answer is the answer, and ours is told to nobody.
      const found = await store.get(id);
      return (found && parse(found).response) ?? refusal(409);
    },
  };
  // #endregion
}

// #region answer
/** One attempt at a key. */
interface Claim {
  /** Of the request that the key belongs to. */
  readonly fingerprint: string;
  readonly attempt: number;
  /** `replace` compares strings, so no two attempts may ever write the same one. */
  readonly token: string;
}

/** What is on record: an attempt that is running, or has answered, or else has failed. */
interface Entry extends Claim {
  readonly isRunning?: true;
  readonly response?: HttpResponse;
}

function newClaim(fingerprint: string, attempt: number): Claim {
  return { fingerprint, attempt, token: randomUUID() };
}

function running(claim: Claim): Entry {
  return { ...claim, isRunning: true };
}

function parse({ value }: StoredRecord): Entry {
  return JSON.parse(value);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Problem details (RFC 9457). */
function refusal(status: number): HttpResponse {
  const headers = { 'content-type': 'application/problem+json' };
  return { status, headers, body: JSON.stringify({ status, title: STATUS_CODES[status] }) };
}
// #endregion
