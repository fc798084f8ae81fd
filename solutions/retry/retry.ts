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
  // #region answer: try, and try again as long as it is allowed, makes sense and fits
  const { attempts, idempotent = false, classify = byDefault, onRetry } = options;
  const { signal, deadlineMs } = options;
  const endsAt = deadlineMs === undefined ? Infinity : performance.now() + deadlineMs;
  signal?.throwIfAborted();

  for (let number = 1; ; number += 1) {
    try {
      return await task({ number, remainingMs: remainingUntil(endsAt) });
    } catch (error) {
      signal?.throwIfAborted();
      const failure = classify(error);
      const isRepeatable = failure === 'not-applied' || (failure === 'in-doubt' && idempotent);
      if (!isRepeatable || number === attempts) throw error;
      const waitMs = retryAfterMs(error) + backoffMs(number, options);
      if (waitMs >= remainingUntil(endsAt) || waitMs > LONGEST_TIMER_MS) throw error;
      onRetry?.({ number, error, waitMs });
      await sleep(waitMs, signal);
    }
  }
  // #endregion
}

/**
 * Milliseconds to wait before a retry, counted from 1: exponential backoff with full jitter, after M. Brooker,
 * Exponential Backoff and Jitter (2015). Drawn from 0 up to, but not including, `capMs` or
 * `baseMs * 2 ** (retryNumber - 1)`, whichever is less.
 */
export function backoffMs(retryNumber: number, { baseMs, capMs }: Backoff): number {
  // #region answer: draw the wait below the capped ceiling
  // Without a limit to the exponent, 0 times Infinity would be NaN.
  const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(retryNumber - 1, 1_023));
  return Math.random() * ceilingMs;
  // #endregion
}

// #region answer
/** With more than this `setTimeout` does not wait at all. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** `Sun, 06 Nov 1994 08:49:37 GMT`. `Date.parse` alone would read almost anything, and "-3" as a year. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Nearly every call ends after one attempt, and to ask the clock would be most of what that costs. */
function remainingUntil(endsAt: number): number {
  return endsAt === Infinity ? Infinity : endsAt - performance.now();
}

function retryAfterMs(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('retryAfter' in error)) return 0;
  const { retryAfter } = error;
  if (typeof retryAfter !== 'string') return 0;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * 1_000;
  // The one place for the wall clock: the other side named a point on it.
  if (HTTP_DATE.test(retryAfter)) return Math.max(0, Date.parse(retryAfter) - Date.now()) || 0;
  return 0;
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

function byDefault(error: unknown): Failure {
  return error instanceof Error && error.name === 'AbortError' ? 'permanent' : 'in-doubt';
}
// #endregion
