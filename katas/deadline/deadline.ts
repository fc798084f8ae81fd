/** What is run: it is handed a signal that aborts when nobody waits for it any more. */
export type Work<T> = (signal: AbortSignal) => T | PromiseLike<T>;

/** What is run again: it is told which attempt this is, counted from 1. */
export type Attempt<T> = (signal: AbortSignal, attempt: number) => T | PromiseLike<T>;

export interface DeadlineOptions {
  /** The caller's own signal: aborted when the caller hangs up. */
  readonly signal?: AbortSignal;
}

export interface HeaderOptions extends DeadlineOptions {
  /** The longest that this service lets anybody wait, in milliseconds; above 0. */
  readonly maxMs: number;
}

export interface RunOptions {
  /** What this call may take of the budget at most, in milliseconds; @default all that remains */
  readonly limitMs?: number;
}

export interface RetryOptions extends RunOptions {
  /** How often to try, the first time included; whole number, 1 or more. */
  readonly attempts: number;
  /** How long to wait between the end of an attempt and the next, in milliseconds; 0 or more. */
  readonly pauseMs: number;
}

/** How long somebody waits for an answer: a point in time, told to others as the time that remains. */
export interface Deadline {
  /** Milliseconds left, 0 when the budget is used up. */
  readonly remainingMs: number;
  /** `remainingMs` in whole milliseconds, rounded down: what is sent along with a request to another service. */
  readonly header: string;
  /**
   * Runs `work` and settles as it does, or as soon as time is up or the caller hangs up. What the work ends
   * with after that changes nothing.
   *
   * @throws {TimeoutError} (as a rejection) when `limitMs` is over, while some of the budget remains
   * @throws {DeadlineExceededError} (as a rejection) when the budget is used up
   * @throws the reason of the caller's signal (as a rejection) when it is aborted
   */
  run<T>(work: Work<T>, options?: RunOptions): Promise<T>;
  /**
   * Runs `work` until an attempt succeeds, all within this one deadline; `limitMs` is for each attempt.
   *
   * @throws the error of the last attempt, or as `run` does (all as a rejection)
   */
  retry<T>(work: Attempt<T>, options: RetryOptions): Promise<T>;
}

/** A call took longer than its own limit; the budget is not used up. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
  /** As it was given, in milliseconds. */
  readonly limitMs: number;

  constructor(limitMs: number) {
    super(`The call took longer than its limit of ${limitMs} ms.`);
    this.limitMs = limitMs;
  }
}

/** The budget is used up: nobody waits for an answer any more. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError';
  /** All that there was at the start, in milliseconds. */
  readonly budgetMs: number;

  constructor(budgetMs: number) {
    super(`The deadline is exceeded: ${budgetMs} ms are used up.`);
    this.budgetMs = budgetMs;
  }
}

/**
 * A deadline in `budgetMs` milliseconds from now; with 0 or less it is over at once. It needs no end of its own:
 * it holds a timer and a listener only while something runs.
 */
export function createDeadline(budgetMs: number, options: DeadlineOptions = {}): Deadline {
  throw new Error('TODO: run work until it ends, time is up, or the caller hangs up');
}

/**
 * A deadline as the caller has sent it: what was left to it, in whole milliseconds. Never more than `maxMs`, and
 * `maxMs` when there is no header or when it is anything but digits.
 */
export function deadlineFromHeader(
  value: string | null | undefined,
  options: HeaderOptions,
): Deadline {
  throw new Error("TODO: take the caller's budget, if it is one, and never more than maxMs");
}
