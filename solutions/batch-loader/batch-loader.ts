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
  // #region answer: collect the keys of one window, ask for them in as few calls as possible, and tell each caller
  const { fetchMany, maxBatchSize, maxWaitMs = 0 } = options;
  /** What has been asked for in the window that is open, if one is. */
  let asked: Map<Key, Question<Value>> | undefined;

  const openWindow = (): Map<Key, Question<Value>> => {
    const questions = new Map<Key, Question<Value>>();
    const close = (): void => {
      // Before the first call: whoever asks from now on belongs to the next window.
      asked = undefined;
      const open = [...questions].filter(([, { askers }]) => askers > 0);
      for (let from = 0; from < open.length; from += maxBatchSize) {
        void ask(new Map(open.slice(from, from + maxBatchSize)));
      }
    };
    // An immediate comes after all promise jobs of this tick, however many they are. A microtask would be one of them.
    if (maxWaitMs > 0) setTimeout(close, maxWaitMs);
    else setImmediate(close);
    return questions;
  };

  /** Makes one call. Whoever is still waiting for a row in the end is told why there is none. */
  const ask = async (waiting: Map<Key, Question<Value>>): Promise<void> => {
    try {
      for (const row of await fetchMany([...waiting.keys()])) {
        const question = waiting.get(row.key);
        if ('error' in row) question?.reject(row.error);
        else question?.resolve(row.value);
        waiting.delete(row.key);
      }
      for (const [key, question] of waiting) question.reject(new MissingKeyError(key));
    } catch (error) {
      for (const question of waiting.values()) question.reject(error);
    }
  };

  return {
    async load(key, { signal } = {}) {
      signal?.throwIfAborted();
      asked ??= openWindow();
      const question = asked.get(key) ?? createQuestion<Value>();
      asked.set(key, question);
      question.askers += 1;
      if (!signal) return question.answer;
      return unlessAborted(question.answer, signal, () => {
        question.askers -= 1;
      });
    },
  };
  // #endregion
}

// #region answer
/** One key of one window, with all who ask for it. */
interface Question<Value> {
  /** How many have not left. */
  askers: number;
  readonly answer: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

function createQuestion<Value>(): Question<Value> {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const answer = new Promise<Value>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { askers: 0, answer, resolve, reject };
}

/** Settles as `promise` does, unless the signal aborts first. Leaves no listener behind. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, onLeave: () => void) {
  return new Promise<T>((resolve, reject) => {
    const leave = () => {
      onLeave();
      reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
// #endregion
