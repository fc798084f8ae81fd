/**
 * What is known of a failed attempt:
 *
 * - `permanent`: it would fail again, whatever was done;
 * - `not-applied`: it may pass, and the work was certainly not done (connection refused, 429);
 * - `in-doubt`: it may pass, and nobody knows whether the work was done (timeout, connection lost, 502).
 */
export type Failure = 'permanent' | 'not-applied' | 'in-doubt';

export interface Backoff {
  /** Ceiling of the first wait, in milliseconds; 0 or more. It doubles with each further wait. */
  readonly baseMs: number;
  /** Ceiling of every wait, in milliseconds; 0 or more. What `Retry-After` asks for comes on top. */
  readonly capMs: number;
}

export interface RetryOptions extends Backoff {
  /** Most attempts, the first one included; whole number, 1 or more. */
  readonly attempts: number;
  /** Whether doing the work twice is as good as doing it once (RFC 9110, 9.2.2); @default false */
  readonly idempotent?: boolean;
  /** What is known of an attempt that ended so; @default `permanent` for an `AbortError`, else `in-doubt` */
  readonly classify?: (error: unknown) => Failure;
  /** Its abort ends a wait at once, and lets no other attempt begin. */
  readonly signal?: AbortSignal;
  /** Every attempt begins before this, in milliseconds since `retry` was called; above 0; @default Infinity */
  readonly deadlineMs?: number;
  /** Told before each wait. */
  readonly onRetry?: (failed: FailedAttempt) => void;
}

/** What a task is told of the attempt that it makes. */
export interface Attempt {
  /** Counted from 1. */
  readonly number: number;
  /** Milliseconds to the deadline: no timeout of the task's own needs to be longer; `Infinity` without one. */
  readonly remainingMs: number;
}

export interface FailedAttempt {
  /** Counted from 1. */
  readonly number: number;
  readonly error: unknown;
  /** Milliseconds until the next attempt. */
  readonly waitMs: number;
}

/**
 * Runs `task` until it succeeds, its error is not worth a repetition, or attempts or time have run out. An error
 * may carry the text of a `Retry-After` header (RFC 9110, 10.2.3) as `retryAfter`: then the wait is so much longer.
 *
 * @throws the last error, the very object; after an abort the `reason` of the signal
 */
export async function retry<T>(
  task: (attempt: Attempt) => T | PromiseLike<T>,
  options: RetryOptions,
): Promise<T> {
  throw new Error('TODO: try, and try again as long as it is allowed, makes sense and fits');
}

/**
 * Milliseconds to wait before a retry, counted from 1: exponential backoff with full jitter, after M. Brooker,
 * Exponential Backoff and Jitter (2015). Drawn from 0 up to, but not including, `capMs` or
 * `baseMs * 2 ** (retryNumber - 1)`, whichever is less.
 */
export function backoffMs(retryNumber: number, { baseMs, capMs }: Backoff): number {
  throw new Error('TODO: draw the wait below the capped ceiling');
}
