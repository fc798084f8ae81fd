import pRetry from 'p-retry';
import pTimeout from 'p-timeout';
import type {
  Deadline,
  DeadlineOptions,
  HeaderOptions,
  Work,
} from '../../../solutions/deadline/deadline.ts';

export class TimeoutError extends Error {
  readonly limitMs: number;

  constructor(limitMs: number) {
    super('Timed out by p-timeout.');
    this.limitMs = limitMs;
  }
}

export class DeadlineExceededError extends Error {
  readonly budgetMs: number;

  constructor(budgetMs: number) {
    super('Timed out by p-timeout.');
    this.budgetMs = budgetMs;
  }
}

/** The library has timeouts, p-retry of the same house has retries: the adapter keeps the budget. */
export function createDeadline(budgetMs: number, { signal }: DeadlineOptions = {}): Deadline {
  const endsAt = performance.now() + budgetMs;
  const leftMs = () => Math.max(0, endsAt - performance.now());
  const exceeded = () => new DeadlineExceededError(budgetMs);

  return {
    get remainingMs() {
      return leftMs();
    },
    get header() {
      return String(Math.floor(leftMs()));
    },
    run(work, { limitMs = Infinity } = {}) {
      return Math.max(0, limitMs) < leftMs()
        ? within(work, limitMs, new TimeoutError(limitMs), signal)
        : within(work, leftMs(), exceeded(), signal);
    },
    retry(work, { attempts, pauseMs, limitMs = Infinity }) {
      const loop = (stop: AbortSignal) =>
        pRetry(
          (attempt) =>
            within((inner) => work(inner, attempt), limitMs, new TimeoutError(limitMs), stop),
          {
            retries: attempts - 1,
            minTimeout: pauseMs,
            factor: 1,
            maxRetryTime: leftMs(),
            signal: stop,
          },
        );
      return within(loop, leftMs(), exceeded(), signal);
    },
  };
}

export function deadlineFromHeader(
  value: string | null | undefined,
  { maxMs, ...options }: HeaderOptions,
): Deadline {
  const sentMs = /^\d+$/.test(value ?? '') ? Number(value) : maxMs;
  return createDeadline(Math.min(sentMs, maxMs), options);
}

/** The library is handed a promise, so the work has begun; at the limit it calls the promise's `cancel`. */
async function within<T>(
  work: Work<T>,
  milliseconds: number,
  timeUp: Error,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (milliseconds <= 0) throw timeUp;
  const controller = new AbortController();
  const stop = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;
  const started = Promise.resolve(work(stop));
  const promise = Object.assign(started, { cancel: () => controller.abort(timeUp) });
  return pTimeout(promise, { milliseconds, message: timeUp, ...(signal && { signal }) });
}
