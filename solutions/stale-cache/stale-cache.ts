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
  // #region answer: answer from a copy while it may be used, and load what is missing once for all
  const { freshMs, staleWhileRevalidateMs, staleIfErrorMs, errorMs, maxEntries, isOutage } =
    options;
  const flights = new Map<string, Promise<Value>>();
  const copies = new LruMap<{ readonly value: Value; readonly arrivedAt: number }>(maxEntries);
  // Apart from the copies: an outage of many keys must not push out what it is survived with.
  const failures = new LruMap<{ readonly error: unknown; readonly failedAt: number }>(maxEntries);

  /** The copy as an answer, if it is younger than `maxAgeMs`. */
  const copyOf = (key: string, maxAgeMs: number): Answer<Value> | undefined => {
    const copy = copies.get(key);
    if (!copy) return undefined;
    const ageMs = performance.now() - copy.arrivedAt;
    if (ageMs >= maxAgeMs) return undefined;
    return { value: copy.value, ageMs, state: ageMs < freshMs ? 'fresh' : 'stale' };
  };

  /** The load under way, a new one, or how the last one failed. */
  const loaded = (key: string, load: () => Value | PromiseLike<Value>): Promise<Value> => {
    const known = flights.get(key);
    if (known) return known;
    const failure = failures.get(key);
    if (failure && performance.now() - failure.failedAt < errorMs) {
      return Promise.reject(failure.error);
    }

    const flight = new Promise<Value>((resolve) => resolve(load())).then(
      (value) => {
        if (land(key, flight)) copies.set(key, { value, arrivedAt: performance.now() });
        return value;
      },
      (error: unknown) => {
        if (land(key, flight)) {
          failures.set(key, { error, failedAt: performance.now() });
          if (!isOutage(error)) copies.delete(key);
        }
        throw error;
      },
    );
    flights.set(key, flight);
    return flight;
  };

  /** Takes a flight out. If it is no longer the one of its key, what it brings is from before an `invalidate`. */
  const land = (key: string, flight: Promise<Value>): boolean =>
    flights.get(key) === flight && flights.delete(key);

  return {
    get size() {
      return copies.size;
    },
    async get(key, load, { signal } = {}) {
      signal?.throwIfAborted();
      const copy = copyOf(key, freshMs + staleWhileRevalidateMs);
      if (copy?.state === 'fresh') return copy;
      const value = loaded(key, load);
      if (copy) {
        // Nobody waits for it. If it fails, that is told to whoever finds no copy to use.
        value.catch(() => {});
        return copy;
      }
      const answer = value.then<Answer<Value>, Answer<Value>>(
        (fresh) => ({ value: fresh, ageMs: 0, state: 'fresh' }),
        (error: unknown) => {
          const standIn = isOutage(error) && copyOf(key, freshMs + staleIfErrorMs);
          if (standIn) return standIn;
          throw error;
        },
      );
      return signal ? unlessAborted(answer, signal) : answer;
    },
    invalidate(key) {
      flights.delete(key);
      copies.delete(key);
      failures.delete(key);
    },
  };
  // #endregion
}

// #region answer
/** Drops what was used longest ago. A Map keeps the order in which keys were set, so whatever is used is set anew. */
class LruMap<Entry extends object> extends Map<string, Entry> {
  readonly #maxEntries: number;

  constructor(maxEntries: number) {
    super();
    this.#maxEntries = maxEntries;
  }

  override get(key: string): Entry | undefined {
    const entry = super.get(key);
    if (entry) this.set(key, entry);
    return entry;
  }

  override set(key: string, entry: Entry): this {
    this.delete(key);
    super.set(key, entry);
    const [leastUsed] = this.keys();
    if (this.size > this.#maxEntries && leastUsed !== undefined) this.delete(leastUsed);
    return this;
  }
}

/** Settles as `promise` does, unless the signal aborts first. Leaves no listener behind. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
// #endregion
