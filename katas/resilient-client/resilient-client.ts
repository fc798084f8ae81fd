/** What has become of one attempt, and so what each policy is to make of it. */
export type AttemptOutcome =
  /** The task has succeeded. */
  | 'ok'
  /** The task has failed with an error that is no fault, such as "no such booking": that is an answer. */
  | 'answer'
  /** The task has failed with a fault. */
  | 'fault'
  /** The task has taken longer than `timeoutMs`. */
  | 'timeout'
  /** Refused: the task has not run. */
  | 'circuit open'
  /** Refused: the task has not run. */
  | 'bulkhead full'
  /** The caller has hung up, or the time for all attempts was over. Whether the task ran or stood in line: no telling. */
  | 'cut off';

/** What the caller of a whole call was told. */
export type CallOutcome =
  | 'ok'
  | 'answer'
  /** No attempt has helped, the fallback has. */
  | 'fallback'
  /** The caller was told an error that is no answer. */
  | 'failed'
  /** The caller has hung up. */
  | 'aborted';

/** What an observer is told, always after the fact. */
export type ClientEvent =
  | {
      readonly kind: 'attempt';
      readonly dependency: string;
      /** Counted from 1 in each call. */
      readonly number: number;
      readonly outcome: AttemptOutcome;
      /** From when the attempt began, the wait for a permit included, in milliseconds. */
      readonly ms: number;
    }
  | {
      readonly kind: 'circuit';
      readonly dependency: string;
      readonly from: CircuitState;
      readonly to: CircuitState;
    }
  | {
      readonly kind: 'call';
      readonly dependency: string;
      readonly outcome: CallOutcome;
      /** How many attempts there were, those that were refused or cut off included. */
      readonly attempts: number;
      /** From when `call` was called until its caller was told, in milliseconds. */
      readonly ms: number;
    };

/** How to treat one dependency. All times are whole milliseconds. */
export interface DependencyOptions {
  /** Most that a call may take, from `call` until its caller is told, the fallback included; above `timeoutMs + fallbackMs`. */
  readonly deadlineMs: number;
  /** What of it is kept for the fallback, in calls that have one; 1 or more. */
  readonly fallbackMs: number;
  /** Most that one attempt may take once it has a permit; 1 or more. */
  readonly timeoutMs: number;
  readonly retry: RetryOptions;
  readonly breaker: BreakerOptions;
  readonly bulkhead: BulkheadOptions;
  /** Whether what a task has failed with speaks against the dependency; else it is an answer. Never throws. */
  readonly isFault: (error: unknown) => boolean;
}

export interface RetryOptions {
  /** Most attempts of a call, the first included; whole number, 1 or more. */
  readonly attempts: number;
  /** Ceiling of the first wait between attempts; it doubles with each further wait; 1 or more. */
  readonly baseMs: number;
  /** Ceiling of every wait; 1 or more. */
  readonly capMs: number;
}

export interface BreakerOptions {
  /** So many failures in a row open the circuit; whole number, 1 or more. */
  readonly consecutiveFailures: number;
  /** How long an open circuit refuses every attempt; 1 or more. */
  readonly cooldownMs: number;
}

export interface BulkheadOptions {
  /** How many tasks may run at once; whole number, 1 or more. */
  readonly permits: number;
  /** How many attempts may wait for a permit; whole number, 0 or more. */
  readonly queue: number;
}

export interface ClientOptions<Name extends string> {
  readonly dependencies: Readonly<Record<Name, DependencyOptions>>;
  /** Whatever it throws, or rejects with, harms no call. */
  readonly onEvent?: (event: ClientEvent) => unknown;
}

/** What a task is told of the attempt that it makes. */
export interface Attempt {
  /** Aborts when nobody waits for this attempt any more; its `reason` says why. */
  readonly signal: AbortSignal;
  /** Counted from 1. */
  readonly number: number;
  /** Milliseconds until the signal will abort, to be sent along to the dependency. */
  readonly remainingMs: number;
}

export interface CallOptions<T> {
  /** The caller's own signal: aborted when the caller hangs up. */
  readonly signal?: AbortSignal;
  /** Whether doing the work twice is as good as doing it once; @default false: a task that has begun is not repeated */
  readonly idempotent?: boolean;
  /** Second best. Is told the error that the caller would get without it. */
  readonly fallback?: (error: unknown, signal: AbortSignal) => T | PromiseLike<T>;
}

export interface Client<Name extends string> {
  /**
   * Asks a dependency for something, with all its policies around it. Settles within `deadlineMs`.
   *
   * @throws what the task has failed with, the very object, {@link TimeoutError}, {@link DeadlineExceededError},
   * {@link CircuitOpenError}, {@link BulkheadFullError}, or the reason of the caller's signal (all as a rejection)
   */
  call<T>(
    dependency: Name,
    task: (attempt: Attempt) => T | PromiseLike<T>,
    options?: CallOptions<T>,
  ): Promise<T>;
}

/** An attempt has taken longer than `timeoutMs`. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
  readonly limitMs: number;

  constructor(limitMs: number) {
    super(`The attempt took longer than ${limitMs} ms.`);
    this.limitMs = limitMs;
  }
}

/** The time for all attempts is used up. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError';
  /** All that the attempts had together, in milliseconds: `deadlineMs`, less what is kept for the fallback. */
  readonly budgetMs: number;

  constructor(budgetMs: number) {
    super(`The deadline is exceeded: ${budgetMs} ms are used up.`);
    this.budgetMs = budgetMs;
  }
}

/** The circuit refused the attempt; the task has not run. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError';
  /** Milliseconds until attempts are let through again; undefined while a probe is out. */
  readonly retryAfterMs: number | undefined;

  constructor(retryAfterMs: number | undefined) {
    super('The circuit is open: the attempt was refused.');
    this.retryAfterMs = retryAfterMs;
  }
}

/** There was neither a permit nor a place in line; the task has not run. */
export class BulkheadFullError extends Error {
  override readonly name = 'BulkheadFullError';

  constructor() {
    super('The bulkhead is full: the attempt was refused.');
  }
}

/**
 * One client for all dependencies of a process. Each dependency has a circuit and a compartment of its own, shared by
 * all calls to it. Make the client once: one for each request would know nothing of the others.
 */
export function createClient<Name extends string>(options: ClientOptions<Name>): Client<Name> {
  throw new Error('TODO: put the policies together, in the right order, once for each dependency');
}

// ── Given ───────────────────────────────────────────────────────────────────────────────────────────────
//
// The parts, sound and short: what you have built in other katas, cut down to what is needed here. Change them, or put
// your own in their place, as you like.

export interface Stop {
  /** Aborts with the parent, or when the time of `after` is over. */
  readonly signal: AbortSignal;
  /** From now on the work has `ms` milliseconds; if it has not ended then, `signal` aborts with the reason `why`. */
  readonly after: (ms: number, why: Error) => void;
}

/**
 * Runs `work` and settles as it does, or with the reason of `stop.signal` as soon as that aborts, whatever the work
 * does then. Afterwards nothing is left: no timer, and no listener on `parent`.
 */
export async function untilStopped<T>(
  parent: AbortSignal | undefined,
  work: (stop: Stop) => T | PromiseLike<T>,
): Promise<T> {
  parent?.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  let timer: NodeJS.Timeout | undefined;
  const after: Stop['after'] = (ms, why) => {
    timer = setTimeout(() => controller.abort(why), ms);
  };
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  const hangUp = () => controller.abort(parent?.reason);
  parent?.addEventListener('abort', hangUp);
  try {
    return await Promise.race([
      stopped,
      new Promise<T>((resolve) => resolve(work({ signal, after }))),
    ]);
  } finally {
    clearTimeout(timer);
    parent?.removeEventListener('abort', hangUp);
  }
}

/** Milliseconds to wait after the attempt of this number: exponential, capped, with full jitter. */
export function backoffMs(attempt: number, { baseMs, capMs }: RetryOptions): number {
  return Math.random() * Math.min(capMs, baseMs * 2 ** (attempt - 1));
}

export interface Bulkhead {
  /**
   * Runs `task` as soon as there is a permit for it, in the order of the calls. The permit comes back when what the
   * task has returned has ended. Leaves the line when `signal` aborts; once the task runs, that is up to the task.
   *
   * @throws {BulkheadFullError} (as a rejection) when there is no permit and no place in line
   */
  run<T>(task: () => T | PromiseLike<T>, options: { readonly signal: AbortSignal }): Promise<T>;
}

export function createBulkhead({ permits, queue }: BulkheadOptions): Bulkhead {
  const waiting: (() => void)[] = [];
  let running = 0;

  const turn = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        waiting.splice(waiting.indexOf(admit), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(admit);
    });

  return {
    async run(task, { signal }) {
      signal.throwIfAborted();
      if (running < permits) running += 1;
      else if (waiting.length < queue) await turn(signal);
      else throw new BulkheadFullError();
      try {
        signal.throwIfAborted();
        return await task();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else running -= 1;
      }
    },
  };
}

export type CircuitState = 'closed' | 'open' | 'half-open';

export interface CircuitBreaker {
  /**
   * Runs `task` and settles as it does, or refuses it. One probe at a time is let through while half-open.
   *
   * @throws {CircuitOpenError} (as a rejection) when the circuit lets no task through
   */
  call<T>(task: () => T | PromiseLike<T>): Promise<T>;
}

export interface CircuitBreakerOptions extends BreakerOptions {
  /** Which errors speak against the dependency. Any other is neither a failure nor a success. */
  readonly isFailure: (error: unknown) => boolean;
  readonly onStateChange: (to: CircuitState, from: CircuitState) => void;
}

export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { consecutiveFailures, cooldownMs, isFailure, onStateChange } = options;
  // A result speaks for the period its task began in, and every change of state begins another.
  let period = { state: 'closed' as CircuitState, failures: 0, isProbing: false, endsAt: 0 };

  const enter = (state: CircuitState) => {
    const from = period.state;
    period = { state, failures: 0, isProbing: false, endsAt: performance.now() + cooldownMs };
    onStateChange(state, from);
  };

  const admit = () => {
    if (period.state === 'open') {
      const leftMs = period.endsAt - performance.now();
      if (leftMs > 0) throw new CircuitOpenError(leftMs);
      enter('half-open');
    }
    if (period.isProbing) throw new CircuitOpenError(undefined);
    period.isProbing = period.state === 'half-open';
    return period;
  };

  return {
    async call(task) {
      const admittedIn = admit();
      try {
        const value = await task();
        admittedIn.failures = 0;
        if (admittedIn.state === 'half-open' && admittedIn === period) enter('closed');
        return value;
      } catch (error) {
        admittedIn.isProbing = false;
        if (isFailure(error)) {
          admittedIn.failures += 1;
          const isEnough =
            admittedIn.state === 'half-open' || admittedIn.failures === consecutiveFailures;
          if (isEnough && admittedIn === period) enter('open');
        }
        throw error;
      }
    },
  };
}
