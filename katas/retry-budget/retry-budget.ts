export interface RetryBudgetOptions {
  /** Retries that each request pays for; a multiple of 0.01, from 0 to 1. */
  readonly ratio: number;
  /** Retries a second that come on top, for clients with few requests; a multiple of 0.1, from 0 to 100. */
  readonly minPerSecond: number;
  /** How far back requests and retries count, in milliseconds; a multiple of 1,000, from 1,000 to 60,000. */
  readonly windowMs: number;
}

export interface CallOptions {
  /** Most attempts at this request, the first one included; whole number, 1 or more. */
  readonly attempts: number;
  /** Whether the failure may pass and the work may be repeated. */
  readonly isRetryable: (error: unknown) => boolean;
  /** What the request itself was sent with: how many attempts its sender had made before; @default 0 */
  readonly previousAttempts?: number;
}

/** What a task is told of the attempt that it makes. */
export interface Attempt {
  /** How many attempts went before this one, here and further up: what the dependency is to be sent. */
  readonly previousAttempts: number;
}

/** Totals since the budget was made. The dependency has seen `requests + retries`. */
export interface Counts {
  readonly requests: number;
  readonly retries: number;
  /** Retries that the budget did not pay for. */
  readonly refused: number;
}

export interface RetryBudget {
  /** How many retries the budget would pay for at this moment: whole number, rounded down, 0 or more. */
  readonly balance: number;
  readonly counts: Counts;
  /**
   * Runs `task`, and again at once when it fails, as long as that makes sense and the budget pays for it.
   *
   * @throws (as a rejection) the error of the last attempt, the very object, also when the budget is why it was the last
   */
  call<T>(task: (attempt: Attempt) => T | PromiseLike<T>, options: CallOptions): Promise<T>;
}

/**
 * A budget for all retries to one dependency, after Finagle's `RetryBudget` (2016): of the attempts within the last
 * `windowMs`, at most `ratio * requests + minPerSecond * windowMs / 1_000` are retries. Share one per dependency.
 */
export function createRetryBudget(options: RetryBudgetOptions): RetryBudget {
  throw new Error('TODO: let the first attempt through, and pay for each further one or give up');
}
