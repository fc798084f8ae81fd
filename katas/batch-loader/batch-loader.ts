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
  throw new Error(
    'TODO: collect the keys of one window, ask for them in as few calls as possible, and tell each caller',
  );
}
