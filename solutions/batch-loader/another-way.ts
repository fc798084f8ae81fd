import { inspect } from 'node:util';

/** What the service says of one key. Value and error may be anything, also `undefined`. */
export type Row<Key, Value> =
  | { readonly key: Key; readonly value: Value }
  | { readonly key: Key; readonly error: unknown };

export interface BatchLoaderOptions<Key, Value> {
  /**
   * Asks the service for several keys with one call. The keys are distinct, and at least one. The rows come in any
   * order; a key without a row is missing. Brings its own timeout.
   */
  readonly fetchMany: (
    keys: readonly Key[],
  ) => readonly Row<Key, Value>[] | PromiseLike<readonly Row<Key, Value>[]>;
  /** How many keys one call takes; whole number, 1 or more. */
  readonly maxBatchSize: number;
  /** How long a window is open, in milliseconds; 0 or more. 0 is the end of the tick. @default 0 */
  readonly maxWaitMs?: number;
}

export interface LoadOptions {
  /** Ends this caller's wait. The others have theirs. */
  readonly signal?: AbortSignal;
}

export interface BatchLoader<Key, Value> {
  /**
   * Resolves to the value of `key`, from a call that is made after this one for all who ask in the same window.
   * Keys are the same if a `Map` takes them for the same.
   *
   * @throws the error of the row, or else of the call (as a rejection)
   * @throws {MissingKeyError} (as a rejection) when the answer has no row for the key
   * @throws `signal.reason` (as a rejection) when the signal aborts before there is an answer
   */
  load(key: Key, options?: LoadOptions): Promise<Value>;
}

/** The service has answered, and said nothing of this key. */
export class MissingKeyError extends Error {
  override readonly name = 'MissingKeyError';
  readonly key: unknown;

  constructor(key: unknown) {
    super(`The answer has no row for the key ${inspect(key)}.`);
    this.key = key;
  }
}

/**
 * Turns single loads into calls for many keys, after Facebook's DataLoader (2015), without its cache: what is asked
 * for in a later window is asked again. Share one among all whom the service answers alike.
 */
export function createBatchLoader<Key, Value>(
  options: BatchLoaderOptions<Key, Value>,
): BatchLoader<Key, Value> {
  return new CallerList(options);
}

/**
 * The other usual shape: a class with a plain list of callers, each with its own key and its own promise. Who asks for the
 * same key is found out when the window ends, and an answer becomes a `Map` in which each caller looks for its own key.
 * Whoever leaves is taken off the list, and the last one takes the timer along.
 */
class CallerList<Key, Value> implements BatchLoader<Key, Value> {
  readonly #options: BatchLoaderOptions<Key, Value>;
  #waiting = new Set<Caller<Key, Value>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BatchLoaderOptions<Key, Value>) {
    this.#options = options;
  }

  load(key: Key, { signal }: LoadOptions = {}): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = () => {
        this.#forget(caller);
        reject(signal?.reason);
      };
      const stay = () => signal?.removeEventListener('abort', leave);
      const caller: Caller<Key, Value> = {
        key,
        resolve: (value) => (stay(), resolve(value)),
        reject: (error) => (stay(), reject(error)),
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#waiting.add(caller);
      // Node makes 1 ms of 0 ms.
      this.#timer ??= setTimeout(() => this.#endWindow(), this.#options.maxWaitMs ?? 0);
    });
  }

  #forget(caller: Caller<Key, Value>): void {
    this.#waiting.delete(caller);
    if (this.#waiting.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #endWindow(): void {
    const callers = [...this.#waiting];
    this.#waiting = new Set();
    this.#timer = undefined;
    let keys = [...new Set(callers.map(({ key }) => key))];
    while (keys.length > 0) {
      const batch = new Set(keys.slice(0, this.#options.maxBatchSize));
      keys = keys.slice(batch.size);
      const own = callers.filter(({ key }) => batch.has(key));
      this.#ask([...batch]).then(
        (rows) => {
          for (const caller of own) tell(caller, rows.get(caller.key));
        },
        (error: unknown) => {
          for (const caller of own) caller.reject(error);
        },
      );
    }
  }

  async #ask(keys: readonly Key[]): Promise<Map<Key, Row<Key, Value>>> {
    const rows = await this.#options.fetchMany(keys);
    return new Map(Array.from(rows, (row) => [row.key, row]));
  }
}

interface Caller<Key, Value> {
  readonly key: Key;
  resolve(value: Value): void;
  reject(error: unknown): void;
}

function tell<Key, Value>(caller: Caller<Key, Value>, row: Row<Key, Value> | undefined): void {
  if (!row) caller.reject(new MissingKeyError(caller.key));
  else if ('error' in row) caller.reject(row.error);
  else caller.resolve(row.value);
}
