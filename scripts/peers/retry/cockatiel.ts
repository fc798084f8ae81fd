import {
  DelegateBackoff,
  fullJitterGenerator,
  handleWhen,
  type IExponentialBackoffOptions,
  type IRetryBackoffContext,
  retry as retryPolicy,
  timeout,
  TimeoutStrategy,
  wrap,
} from 'cockatiel';
import type { Attempt, Backoff, Failure, RetryOptions } from '../../../solutions/retry/retry.ts';

const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * `Retry-After` has no counterpart, so a backoff of our own adds it to that of the library. A deadline is a timeout
 * policy around the retry.
 */
export function retry<T>(
  task: (attempt: Attempt) => T | PromiseLike<T>,
  options: RetryOptions,
): Promise<T> {
  const { attempts, idempotent = false, classify = byDefault } = options;
  const { signal, deadlineMs = Infinity, onRetry } = options;
  const endsAt = performance.now() + deadlineMs;
  const isRepeatable = (error: unknown) => {
    const failure = classify(error);
    return failure === 'not-applied' || (failure === 'in-doubt' && idempotent);
  };
  const backoff = new DelegateBackoff<IRetryBackoffContext<unknown>, number>((context, state) => {
    const [delay, next] = fullJitterGenerator(state, libraryOptions(options));
    const error = 'error' in context.result ? context.result.error : undefined;
    return { delay: retryAfterMs(error) + delay, state: next };
  });
  const retries = retryPolicy(handleWhen(isRepeatable), { maxAttempts: attempts - 1, backoff });
  retries.onRetry((reason) => {
    const error = 'error' in reason ? reason.error : undefined;
    onRetry?.({ number: reason.attempt, error, waitMs: reason.delay });
  });
  let number = 0;
  const run = () => {
    number += 1;
    return task({ number, remainingMs: endsAt - performance.now() });
  };
  if (deadlineMs === Infinity) return retries.execute(run, signal);
  return wrap(timeout(deadlineMs, TimeoutStrategy.Aggressive), retries).execute(run, signal);
}

export function backoffMs(retryNumber: number, options: Backoff): number {
  const [delay] = fullJitterGenerator(retryNumber - 1, libraryOptions(options));
  return delay;
}

function libraryOptions({ baseMs, capMs }: Backoff): IExponentialBackoffOptions<number> {
  return { initialDelay: baseMs, maxDelay: capMs, exponent: 2, generator: fullJitterGenerator };
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
