import {
  ConstantBackoff,
  handleAll,
  retry,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
  wrap,
} from 'cockatiel';
import type {
  Deadline,
  DeadlineOptions,
  HeaderOptions,
} from '../../../solutions/deadline/deadline.ts';

export class TimeoutError extends Error {
  readonly limitMs: number;

  constructor(limitMs: number) {
    super('Timed out by cockatiel.');
    this.limitMs = limitMs;
  }
}

export class DeadlineExceededError extends Error {
  readonly budgetMs: number;

  constructor(budgetMs: number) {
    super('Timed out by cockatiel.');
    this.budgetMs = budgetMs;
  }
}

/** The library has timeouts and retries, and no deadline: its adapter keeps the budget. */
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
    async run(work, { limitMs = Infinity } = {}) {
      const isOwnLimit = Math.max(0, limitMs) < leftMs();
      const timeUp = isOwnLimit ? () => new TimeoutError(limitMs) : exceeded;
      const ms = isOwnLimit ? limitMs : leftMs();
      if (ms <= 0) throw timeUp();
      try {
        return await within(ms).execute((context) => work(context.signal), signal);
      } catch (error) {
        // Its `isTaskCancelledError` says no to every error in 3.2.1: it asks for another mark.
        throw error instanceof TaskCancelledError ? timeUp() : error;
      }
    },
    async retry(work, { attempts, pauseMs, limitMs }) {
      if (leftMs() <= 0) throw exceeded();
      let attempt = 0;
      const timeUp = () => (limitMs === undefined ? exceeded() : new TimeoutError(limitMs));
      const loop = wrap(
        within(leftMs()),
        retry(handleAll, { maxAttempts: attempts - 1, backoff: new ConstantBackoff(pauseMs) }),
        within(limitMs ?? leftMs()),
      );
      try {
        return await loop.execute((context) => work(context.signal, (attempt += 1)), signal);
      } catch (error) {
        if (!(error instanceof TaskCancelledError)) throw error;
        throw leftMs() > 0 ? timeUp() : exceeded();
      }
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

function within(ms: number) {
  return timeout(ms, { strategy: TimeoutStrategy.Aggressive, abortOnReturn: false });
}
