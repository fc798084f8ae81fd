import { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import LibraryBreaker from 'opossum';
import type {
  Deadline,
  DeadlineOptions,
  HeaderOptions,
  Work,
} from '../../../solutions/deadline/deadline.ts';

export class TimeoutError extends Error {
  readonly limitMs: number;

  constructor(limitMs: number) {
    super('Timed out by opossum.');
    this.limitMs = limitMs;
  }
}

export class DeadlineExceededError extends Error {
  readonly budgetMs: number;

  constructor(budgetMs: number) {
    super('Timed out by opossum.');
    this.budgetMs = budgetMs;
  }
}

/**
 * A timeout of opossum's belongs to a breaker, and a deadline needs another one for each call: so each call has a
 * breaker, of which nothing else is used. The adapter keeps the budget and loops.
 */
export function createDeadline(budgetMs: number, { signal }: DeadlineOptions = {}): Deadline {
  const endsAt = performance.now() + budgetMs;
  const leftMs = () => Math.max(0, endsAt - performance.now());
  const exceeded = () => new DeadlineExceededError(budgetMs);

  const deadline: Deadline = {
    get remainingMs() {
      return leftMs();
    },
    get header() {
      return String(Math.floor(leftMs()));
    },
    run(work, { limitMs = Infinity } = {}) {
      return Math.max(0, limitMs) < leftMs()
        ? within(work, limitMs, () => new TimeoutError(limitMs), signal)
        : within(work, leftMs(), exceeded, signal);
    },
    async retry(work, { attempts, pauseMs, limitMs = Infinity }) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await deadline.run((inner) => work(inner, attempt), { limitMs });
        } catch (error) {
          if (attempt >= attempts || pauseMs >= leftMs() || signal?.aborted) throw error;
        }
        // An aborted pause rejects with an AbortError of Node's, not with the reason of the caller.
        await pause(pauseMs, undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
      }
    },
  };
  return deadline;
}

export function deadlineFromHeader(
  value: string | null | undefined,
  { maxMs, ...options }: HeaderOptions,
): Deadline {
  const sentMs = /^\d+$/.test(value ?? '') ? Number(value) : maxMs;
  return createDeadline(Math.min(sentMs, maxMs), options);
}

async function within<T>(
  work: Work<T>,
  timeout: number,
  timeUp: () => Error,
  caller: AbortSignal | undefined,
): Promise<T> {
  if (timeout <= 0) throw timeUp();
  const abortController = new AbortController();
  // The library knows no caller: all that can be done is to tell the work.
  const hangUp = () => abortController.abort(caller?.reason);
  caller?.addEventListener('abort', hangUp, { once: true });
  const breaker = new LibraryBreaker(async () => work(abortController.signal), {
    timeout,
    abortController,
    enableSnapshots: false,
    // In place of an interval that would run for ever.
    rotateBucketController: new EventEmitter(),
    volumeThreshold: Number.MAX_SAFE_INTEGER,
  });
  try {
    return await breaker.fire();
  } catch (error) {
    throw isTimeout(error) ? timeUp() : error;
  } finally {
    caller?.removeEventListener('abort', hangUp);
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ETIMEDOUT';
}
