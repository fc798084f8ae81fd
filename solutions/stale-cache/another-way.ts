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
  return new EntryCache<Value>(options);
}

/**
 * The other usual shape: a class with one entry for each key, which holds all that is known of it, and lists of readers
 * in place of promises that are shared. To invalidate a key is to put its entry aside: a load that is still under way
 * then lands in an object at which nobody looks any more. The least recently used copy is found by its number.
 */
class EntryCache<Value> implements StaleCache<Value> {
  readonly #options: StaleCacheOptions;
  readonly #entries = new Map<string, Entry<Value>>();
  #uses = 0;

  constructor(options: StaleCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#holding('copy').length;
  }

  get(
    key: string,
    load: () => Value | PromiseLike<Value>,
    { signal }: ReadOptions = {},
  ): Promise<Answer<Value>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const { freshMs, staleWhileRevalidateMs } = this.#options;
      const entry = this.#entries.get(key) ?? { usedAt: 0 };
      this.#entries.set(key, entry);
      entry.usedAt = this.#uses += 1;

      const answer = this.#copyIn(entry, freshMs + staleWhileRevalidateMs);
      if (answer) {
        resolve(answer);
        if (answer.state === 'stale' && !this.#failureIn(entry)) this.#fly(entry, load);
        return;
      }
      const failure = this.#failureIn(entry);
      if (failure) return this.#fail({ resolve, reject }, entry, failure.error);

      const readers = this.#fly(entry, load);
      const leave = () => {
        readers.delete(reader);
        reject(signal?.reason);
      };
      const stay = () => signal?.removeEventListener('abort', leave);
      const reader: Reader<Value> = {
        resolve: (value) => (stay(), resolve(value)),
        reject: (error) => (stay(), reject(error)),
      };
      signal?.addEventListener('abort', leave, { once: true });
      readers.add(reader);
    });
  }

  invalidate(key: string): void {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    // Whoever waits for the load still holds the entry, and must not find the copy there.
    if (entry) entry.copy = undefined;
  }

  /** Sees to it that a load is under way; returns those who wait for it. */
  #fly(entry: Entry<Value>, load: () => Value | PromiseLike<Value>): Set<Reader<Value>> {
    if (entry.flight) return entry.flight;
    const readers: Set<Reader<Value>> = new Set();
    entry.flight = readers;
    const land = (tell: (reader: Reader<Value>) => void) => {
      entry.flight = undefined;
      this.#tidy();
      for (const reader of readers) tell(reader);
    };
    new Promise<Value>((resolve) => resolve(load())).then(
      (value) => {
        if (!entry.copy) entry.usedAt = this.#uses += 1;
        entry.copy = { value, at: performance.now() };
        land((reader) => reader.resolve({ value, ageMs: 0, state: 'fresh' }));
      },
      (error: unknown) => {
        entry.failure = { error, at: performance.now() };
        if (!this.#options.isOutage(error)) entry.copy = undefined;
        land((reader) => this.#fail(reader, entry, error));
      },
    );
    return readers;
  }

  #fail(reader: Reader<Value>, entry: Entry<Value>, error: unknown): void {
    const { isOutage, freshMs, staleIfErrorMs } = this.#options;
    const standIn = isOutage(error) && this.#copyIn(entry, freshMs + staleIfErrorMs);
    if (standIn) reader.resolve(standIn);
    else reader.reject(error);
  }

  #copyIn({ copy }: Entry<Value>, maxAgeMs: number): Answer<Value> | undefined {
    if (!copy) return undefined;
    const ageMs = performance.now() - copy.at;
    if (ageMs >= maxAgeMs) return undefined;
    return { value: copy.value, ageMs, state: ageMs < this.#options.freshMs ? 'fresh' : 'stale' };
  }

  #failureIn({ failure }: Entry<Value>): Entry<Value>['failure'] {
    return failure && performance.now() - failure.at < this.#options.errorMs ? failure : undefined;
  }

  #holding(part: 'copy' | 'failure'): Entry<Value>[] {
    return [...this.#entries.values()].filter((entry) => entry[part]);
  }

  /** Brings copies and failures down to what is allowed, and drops entries that hold nothing. */
  #tidy(): void {
    for (const part of ['copy', 'failure'] as const) {
      const holding = this.#holding(part).toSorted((a, b) => b.usedAt - a.usedAt);
      for (const entry of holding.slice(this.#options.maxEntries)) entry[part] = undefined;
    }
    for (const [key, { copy, failure, flight }] of this.#entries) {
      if (!copy && !failure && !flight) this.#entries.delete(key);
    }
  }
}

/** All that is known of a key. */
interface Entry<Value> {
  /** Number of its last use. */
  usedAt: number;
  copy?: { readonly value: Value; readonly at: number } | undefined;
  failure?: { readonly error: unknown; readonly at: number } | undefined;
  /** Who waits for the load that is under way. */
  flight?: Set<Reader<Value>> | undefined;
}

interface Reader<Value> {
  resolve(answer: Answer<Value>): void;
  reject(error: unknown): void;
}
