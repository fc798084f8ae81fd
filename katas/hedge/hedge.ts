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
  throw new Error('TODO: begin attempts one after another until one succeeds');
}
