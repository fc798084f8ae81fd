import {
  BrokenCircuitError,
  bulkhead,
  BulkheadRejectedError,
  circuitBreaker,
  CircuitState as LibraryState,
  ConsecutiveBreaker,
  ExponentialBackoff,
  fallback as fallbackPolicy,
  fullJitterGenerator,
  handleWhen,
  retry,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
  wrap,
} from 'cockatiel';
import type {
  Attempt,
  AttemptOutcome,
  CallOptions,
  CallOutcome,
  CircuitState,
  Client,
  ClientEvent,
  ClientOptions,
  DependencyOptions,
} from '../../../solutions/resilient-client/resilient-client.ts';

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

export class CircuitOpenError extends Error {
  readonly retryAfterMs: number | undefined;

  constructor(retryAfterMs: number | undefined) {
    super('Refused by cockatiel.');
    this.retryAfterMs = retryAfterMs;
  }
}

export class BulkheadFullError extends Error {
  constructor() {
    super('Refused by cockatiel.');
  }
}

/**
 * The policies of the library, wrapped in the order that the brief asks for. Events are told by the adapter, for those
 * of the library do not say which call they are about.
 */
export function createClient<Name extends string>({
  dependencies,
  onEvent,
}: ClientOptions<Name>): Client<Name> {
  const tell: Tell = (event) => {
    new Promise((resolve) => resolve(onEvent?.(event))).catch(() => {});
  };
  const entries = Object.entries<DependencyOptions>(dependencies);
  const callers = new Map(entries.map(([name, own]) => [name, createCaller(name, own, tell)]));
  return {
    async call(name, task, callOptions = {}) {
      const call = callers.get(name);
      if (!call) throw new TypeError(`There is no dependency "${name}".`);
      return call(task, callOptions);
    },
  };
}

type Tell = (event: ClientEvent) => void;
type Task<T> = (attempt: Attempt) => T | PromiseLike<T>;

const within = (ms: number) =>
  timeout(ms, { strategy: TimeoutStrategy.Aggressive, abortOnReturn: false });

function createCaller(dependency: string, options: DependencyOptions, tell: Tell) {
  const { deadlineMs, fallbackMs, timeoutMs, isFault } = options;
  const { cooldownMs, consecutiveFailures } = options.breaker;
  const isRefusal = (error: unknown) =>
    error instanceof BrokenCircuitError || error instanceof BulkheadRejectedError;
  const isFailure = (error: unknown) =>
    !isRefusal(error) && (error instanceof TaskCancelledError || isFault(error));

  const breaker = circuitBreaker(handleWhen(isFailure), {
    halfOpenAfter: cooldownMs,
    breaker: new ConsecutiveBreaker(consecutiveFailures),
  });
  const guard = wrap(
    breaker,
    bulkhead(options.bulkhead.permits, options.bulkhead.queue),
    within(timeoutMs),
  );

  // The library does not say when to try again, so its adapter keeps the time.
  let endsAt = 0;
  let from = nameOf(breaker.state);
  breaker.onStateChange((state) => {
    const to = nameOf(state);
    if (to === 'open') endsAt = performance.now() + cooldownMs;
    tell({ kind: 'circuit', dependency, from, to });
    from = to;
  });

  return async <T>(task: Task<T>, callOptions: CallOptions<T>): Promise<T> => {
    const { signal: caller, idempotent = false, fallback } = callOptions;
    const calledAt = performance.now();
    const passedMs = () => performance.now() - calledAt;
    const budgetMs = fallback ? deadlineMs - fallbackMs : deadlineMs;
    let attempts = 0;

    /** A timeout says only in words which one it was. */
    const asBrief = (error: unknown): unknown => {
      if (error instanceof BrokenCircuitError)
        return new CircuitOpenError(endsAt - performance.now());
      if (error instanceof BulkheadRejectedError) return new BulkheadFullError();
      if (!(error instanceof TaskCancelledError)) return error;
      if (caller?.aborted) return caller.reason;
      return error.message.includes(` ${timeoutMs}ms`)
        ? new TimeoutError(timeoutMs)
        : new DeadlineExceededError(budgetMs);
    };

    const attempt = async (parent: AbortSignal) => {
      attempts += 1;
      const number = attempts;
      const beganAt = performance.now();
      let outcome: AttemptOutcome = 'ok';
      try {
        return await guard.execute(({ signal }) => {
          const remainingMs = Math.min(timeoutMs, budgetMs - passedMs());
          return task({ signal, number, remainingMs });
        }, parent);
      } catch (error) {
        outcome = outcomeOf(error, parent.aborted, isFault);
        throw error;
      } finally {
        const ms = performance.now() - beganAt;
        tell({ kind: 'attempt', dependency, number, outcome, ms });
      }
    };

    const { attempts: mostAttempts, baseMs, capMs } = options.retry;
    const repeated = wrap(
      within(budgetMs),
      retry(
        handleWhen((error) => idempotent && isFailure(error)),
        {
          maxAttempts: mostAttempts - 1,
          backoff: new ExponentialBackoff({
            initialDelay: baseMs,
            maxDelay: capMs,
            generator: fullJitterGenerator,
          }),
        },
      ),
    );
    let failed: unknown;
    let hasFallenBack = false;
    const isCovered = handleWhen((error) => {
      failed = error;
      return isRefusal(error) || isFailure(error);
    });
    const secondBest = async () => {
      if (!fallback) throw failed;
      const value = await fallback(asBrief(failed), caller ?? new AbortController().signal);
      hasFallenBack = true;
      return value;
    };
    const whole = fallback
      ? wrap(within(deadlineMs), fallbackPolicy(isCovered, secondBest), repeated)
      : repeated;

    let outcome: CallOutcome = 'ok';
    try {
      const value = await whole.execute(({ signal }) => attempt(signal), caller);
      if (hasFallenBack) outcome = 'fallback';
      return value;
    } catch (error) {
      const isAnswer = !isRefusal(error) && !isFailure(error);
      outcome = caller?.aborted ? 'aborted' : isAnswer ? 'answer' : 'failed';
      throw asBrief(error);
    } finally {
      tell({ kind: 'call', dependency, outcome, attempts, ms: passedMs() });
    }
  };
}

function outcomeOf(
  error: unknown,
  isCutOff: boolean,
  isFault: (error: unknown) => boolean,
): AttemptOutcome {
  if (error instanceof BrokenCircuitError) return 'circuit open';
  if (error instanceof BulkheadRejectedError) return 'bulkhead full';
  if (error instanceof TaskCancelledError) return isCutOff ? 'cut off' : 'timeout';
  return isFault(error) ? 'fault' : 'answer';
}

function nameOf(state: LibraryState): CircuitState {
  if (state === LibraryState.Closed) return 'closed';
  return state === LibraryState.HalfOpen ? 'half-open' : 'open';
}
