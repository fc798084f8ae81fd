/** One attempt: it is handed a signal that aborts when it is not needed any more, and its number, counted from 1. */
export type Task<T> = (signal: AbortSignal, attempt: number) => T | PromiseLike<T>;

/** A delay that is the same for all calls. */
export interface FixedDelay {
  /** In milliseconds; whole number, 1 to 60,000. */
  readonly ms: number;
}

/** A delay that is learned from calls: as long as most of them needed. */
export interface LearnedDelay {
  /** The share of calls that needed no longer; a multiple of 0.01, from 0.5 to 0.99. */
  readonly quantile: number;
  /** How many samples it looks back on, the latest ones; whole number, 1 to 1,000. */
  readonly window: number;
  /** With fewer samples than this nothing is known; whole number, 1 to `window`. */
  readonly minSamples: number;
}

/** Pays for every attempt but the first ones: in any `n` calls at most `burst + ratio * n` of them. */
export interface Budget {
  /** What each call earns; a multiple of 0.01, from 0 to 1. */
  readonly ratio: number;
  /** What the purse holds at most, and at first; whole number, 1 to 1,000. */
  readonly burst: number;
}

export interface HedgeOptions {
  /** How long after the beginning of an attempt the next one begins. */
  readonly delay: FixedDelay | LearnedDelay;
  /** Most attempts at one call, the first one included; whole number, 1 or more. */
  readonly maxAttempts: number;
  /** @default every attempt is paid for */
  readonly budget?: Budget;
  /** Whether an error is the answer, whichever replica is asked; @default none is */
  readonly isFatal?: (error: unknown) => boolean;
}

export interface CallOptions {
  /** Whether the task may run more than once, also at the same time; @default false */
  readonly idempotent?: boolean;
  /** The caller's own signal: aborted when the caller hangs up. */
  readonly signal?: AbortSignal;
}

export interface Hedge {
  /** What a call that began now would wait between attempts, in milliseconds; undefined with too few samples. */
  readonly delayMs: number | undefined;
  /**
   * Runs `task`, and again while it is still under way if that takes long; the first success is the result. What
   * other attempts come back with after that changes nothing.
   *
   * @throws the error of the first attempt (as a rejection) when all attempts have failed
   * @throws the fatal error (as a rejection) as soon as an attempt fails with one
   * @throws the reason of the caller's signal (as a rejection) when it is aborted
   */
  call<T>(task: Task<T>, options?: CallOptions): Promise<T>;
}

/**
 * Hedged requests after J. Dean and L. A. Barroso, The Tail at Scale (CACM, 2013), with the rules of gRPC's proposal
 * A6 for failures. Share one for each kind of call to a dependency.
 */
export function createHedge(options: HedgeOptions): Hedge {
  // #region answer: begin attempts one after another until one succeeds
  const { delay, maxAttempts, budget, isFatal = () => false } = options;
  const delays = 'ms' in delay ? fixedDelay(delay.ms) : learnedDelay(delay);
  const purse = budget ? createPurse(budget) : BOTTOMLESS;

  return {
    get delayMs() {
      return delays.delayMs();
    },
    async call(task, { idempotent = false, signal: caller } = {}) {
      caller?.throwIfAborted();
      purse.earn();
      const beganAt = performance.now();
      const { value, firstFailed } = await race(task, {
        most: idempotent ? maxAttempts : 1,
        delayMs: delays.delayMs(),
        pay: purse.pay,
        isFatal,
        caller,
      });
      // Not how long the winner took: then those that lose would be missing, and they are the slow ones.
      if (!firstFailed) delays.learn(performance.now() - beganAt);
      return value;
    },
  };
  // #endregion
}

// #region answer
interface Rules {
  readonly most: number;
  readonly delayMs: number | undefined;
  readonly pay: () => boolean;
  readonly isFatal: (error: unknown) => boolean;
  readonly caller: AbortSignal | undefined;
}

interface Win<T> {
  readonly value: T;
  readonly firstFailed: boolean;
}

/** Begins attempts at one call, until one succeeds or none can. */
function race<T>(task: Task<T>, { most, delayMs, pay, isFatal, caller }: Rules): Promise<Win<T>> {
  return new Promise((resolve, reject) => {
    const running = new Set<AbortController>();
    let begun = 0;
    let mayBegin = true;
    let firstFailure: { readonly error: unknown } | undefined;
    let timer: NodeJS.Timeout | undefined;

    const begin = (): void => {
      const attempt = (begun += 1);
      const controller = new AbortController();
      running.add(controller);
      if (begun < most && delayMs !== undefined) timer = setTimeout(beginNext, delayMs);
      new Promise<T>((settle) => settle(task(controller.signal, attempt))).then(
        (value) => {
          if (!running.delete(controller)) return;
          end();
          resolve({ value, firstFailed: firstFailure !== undefined });
        },
        (error: unknown) => {
          if (!running.delete(controller)) return;
          if (attempt === 1) firstFailure = { error };
          if (isFatal(error)) return fail(error);
          beginNext();
          if (running.size === 0) fail(firstFailure?.error);
        },
      );
    };

    const beginNext = (): void => {
      clearTimeout(timer);
      // What the budget refuses is not made up for later: the call goes on with what is under way.
      mayBegin &&= begun < most && pay();
      if (mayBegin) begin();
    };

    const fail = (reason: unknown): void => {
      end(reason);
      reject(reason);
    };

    /** In one step with the result: whoever comes back later finds that it is not running any more. */
    const end = (reason?: unknown): void => {
      clearTimeout(timer);
      caller?.removeEventListener('abort', hangUp);
      for (const loser of running) loser.abort(reason);
      running.clear();
    };

    const hangUp = () => fail(caller?.reason);
    caller?.addEventListener('abort', hangUp);
    begin();
  });
}

/** How long to wait before the next attempt, and what calls teach of it. */
interface Delays {
  delayMs(): number | undefined;
  learn(durationMs: number): void;
}

function fixedDelay(ms: number): Delays {
  return { delayMs: () => ms, learn() {} };
}

function learnedDelay({ quantile, window, minSamples }: LearnedDelay): Delays {
  const samples: number[] = [];
  let delayMs: number | undefined;
  return {
    delayMs: () => delayMs,
    learn(durationMs) {
      samples.push(durationMs);
      if (samples.length > window) samples.shift();
      if (samples.length < minSamples) return;
      const rank = Math.ceil(quantile * samples.length);
      delayMs = Math.max(1, samples.toSorted((a, b) => a - b)[rank - 1] ?? 0);
    },
  };
}

interface Purse {
  readonly earn: () => void;
  /** Looks and pays in one step. */
  readonly pay: () => boolean;
}

const BOTTOMLESS: Purse = { earn() {}, pay: () => true };

/** Counted in hundredths of an attempt, every amount is a whole number and nothing is rounded. */
function createPurse({ ratio, burst }: Budget): Purse {
  const full = burst * 100;
  const earned = Math.round(ratio * 100);
  let balance = full;
  return {
    earn() {
      balance = Math.min(full, balance + earned);
    },
    pay() {
      if (balance < 100) return false;
      balance -= 100;
      return true;
    },
  };
}
// #endregion
