export interface StaleCacheOptions {
  /** How long a copy is fresh, in milliseconds since its value arrived; above 0. */
  readonly freshMs: number;
  /** For how long after that it is still given at once, while a load runs in the background; 0 or more. */
  readonly staleWhileRevalidateMs: number;
  /** For how long after `freshMs`, too, it may stand in for a load that ends in an outage; 0 or more. */
  readonly staleIfErrorMs: number;
  /** How long a failed load is remembered, in milliseconds; 0 or more. */
  readonly errorMs: number;
  /** How many copies are kept at most; whole number, 1 or more. */
  readonly maxEntries: number;
  /** Does the error say that nobody answered? If not, it is an answer: it is passed on, and ends the copy. */
  readonly isOutage: (error: unknown) => boolean;
}

export interface ReadOptions {
  /** Ends this reader's wait. The load goes on, for it belongs to all who wait. */
  readonly signal?: AbortSignal;
}

export interface Answer<Value> {
  readonly value: Value;
  /** Milliseconds since the value arrived, as of this answer. */
  readonly ageMs: number;
  /** `stale` from exactly `freshMs` on. */
  readonly state: 'fresh' | 'stale';
}

export interface StaleCache<Value> {
  /** How many copies are kept; loads under way and remembered failures do not count. */
  readonly size: number;
  /**
   * Answers from the copy, or from `load()`, which all readers of `key` share while it is under way.
   *
   * @throws what the load ended in (as a rejection), when no copy may stand in
   * @throws `signal.reason` (as a rejection) when the signal aborts before there is an answer
   */
  get(
    key: string,
    load: () => Value | PromiseLike<Value>,
    options?: ReadOptions,
  ): Promise<Answer<Value>>;
  /** Forgets all about `key`. What a load brings that is under way already is not kept. */
  invalidate(key: string): void;
}

/**
 * A cache that outlives its origin: `stale-while-revalidate` and `stale-if-error` after RFC 5861 (2010), with one
 * load per key, and failures remembered for a moment (as RFC 9520 wants it for DNS).
 */
export function createStaleCache<Value>(options: StaleCacheOptions): StaleCache<Value> {
  throw new Error(
    'TODO: answer from a copy while it may be used, and load what is missing once for all',
  );
}
