import { setTimeout as pause } from 'node:timers/promises';
import pRetry from 'p-retry';
import type { Attempt, Backoff, Failure, RetryOptions } from '../../../solutions/retry/retry.ts';

const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * `Retry-After` has no counterpart: its time is spent in `shouldRetry`, for which the library waits before it begins a
 * wait of its own. How long that will be it does not tell, so `onRetry` is told of the header's part alone.
 */
export function retry<T>(
  task: (attempt: Attempt) => T | PromiseLike<T>,
  options: RetryOptions,
): Promise<T> {
  const { attempts, baseMs, capMs, idempotent = false, classify = byDefault } = options;
  const { signal, deadlineMs = Infinity, onRetry } = options;
  const endsAt = performance.now() + deadlineMs;
  const run = async (number: number) => task({ number, remainingMs: endsAt - performance.now() });
  return pRetry(run, {
    retries: attempts - 1,
    minTimeout: baseMs,
    maxTimeout: capMs,
    factor: 2,
    randomize: true,
    maxRetryTime: deadlineMs,
    ...(signal && { signal }),
    async shouldRetry({ error, attemptNumber }) {
      const failure = classify(error);
      if (failure === 'permanent' || (failure === 'in-doubt' && !idempotent)) return false;
      const toldMs = retryAfterMs(error);
      onRetry?.({ number: attemptNumber, error, waitMs: toldMs });
      // An abort ends the pause; the library then looks at the signal by itself.
      await pause(toldMs, undefined, signal && { signal }).catch(() => {});
      return true;
    },
  });
}

/** The library keeps its formula to itself; this is a copy of it. */
export function backoffMs(retryNumber: number, { baseMs, capMs }: Backoff): number {
  const random = Math.random() + 1;
  return Math.min(Math.round(random * baseMs * 2 ** (retryNumber - 1)), capMs);
}

function retryAfterMs(error: unknown): number {
  const header: unknown = Object(error).retryAfter;
  if (typeof header !== 'string') return 0;
  if (/^\d+$/.test(header)) return Number(header) * 1_000;
  if (!HTTP_DATE.test(header)) return 0;
  return Math.max(0, Date.parse(header) - Date.now()) || 0;
}

function byDefault(error: unknown): Failure {
  return error instanceof Error && error.name === 'AbortError' ? 'permanent' : 'in-doubt';
}
