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
export function retry<T>(
  task: (attempt: Attempt) => T | PromiseLike<T>,
  options: RetryOptions,
): Promise<T> {
  return new Promise((resolve, reject) => {
    new Operation(task, options, resolve, reject).begin();
  });
}

/**
 * Milliseconds to wait before a retry, counted from 1: exponential backoff with full jitter, after M. Brooker,
 * Exponential Backoff and Jitter (2015). Drawn from 0 up to, but not including, `capMs` or
 * `baseMs * 2 ** (retryNumber - 1)`, whichever is less.
 */
export function backoffMs(retryNumber: number, { baseMs, capMs }: Backoff): number {
  let ceilingMs = baseMs;
  for (let n = 1; n < retryNumber && ceilingMs > 0 && ceilingMs < capMs; n += 1) ceilingMs *= 2;
  return Math.floor(Math.random() * Math.min(ceilingMs, capMs));
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The other usual shape: no loop and no `await`, but an object that is called when something has happened (an
 * attempt has ended, the wait is over, the signal has aborted) and knows what comes next. One promise and one listener
 * for the whole operation.
 */
class Operation<T> {
  readonly #task: (attempt: Attempt) => T | PromiseLike<T>;
  readonly #options: RetryOptions;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #endsAtMs: number;
  #number = 0;
  #isWaiting = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    task: (attempt: Attempt) => T | PromiseLike<T>,
    options: RetryOptions,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#task = task;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#endsAtMs = nowMs() + (options.deadlineMs ?? Infinity);
  }

  begin(): void {
    const { signal } = this.#options;
    if (signal?.aborted) return this.#reject(signal.reason);
    signal?.addEventListener('abort', this.#aborted);
    this.#try();
  }

  #try(): void {
    this.#isWaiting = false;
    this.#number += 1;
    const attempt = { number: this.#number, remainingMs: this.#endsAtMs - nowMs() };
    new Promise<T>((resolve) => resolve(this.#task(attempt))).then(
      (value) => {
        this.#end();
        this.#resolve(value);
      },
      (error: unknown) => this.#failed(error),
    );
  }

  #failed(error: unknown): void {
    const { signal, onRetry } = this.#options;
    if (signal?.aborted) return this.#giveUp(signal.reason);
    if (!this.#mayTryAgain(error)) return this.#giveUp(error);
    const waitMs = toldMs(error) + backoffMs(this.#number, this.#options);
    const fits = waitMs < this.#endsAtMs - nowMs() && waitMs <= LONGEST_TIMER_MS;
    if (!fits) return this.#giveUp(error);
    this.#isWaiting = true;
    this.#timer = setTimeout(() => this.#try(), waitMs);
    onRetry?.({ number: this.#number, error, waitMs });
  }

  #mayTryAgain(error: unknown): boolean {
    const { attempts, idempotent = false, classify = inDoubtUnlessAborted } = this.#options;
    if (this.#number >= attempts) return false;
    const failure = classify(error);
    return idempotent ? failure !== 'permanent' : failure === 'not-applied';
  }

  /** An attempt under way is left to end: `#failed` looks at the signal then. */
  readonly #aborted = (): void => {
    if (this.#isWaiting) this.#giveUp(this.#options.signal?.reason);
  };

  #giveUp(error: unknown): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#aborted);
  }
}

/** How long the other side asks to be left alone. */
function toldMs(error: unknown): number {
  const text: unknown = Object(error).retryAfter;
  if (typeof text !== 'string' || text === '') return 0;
  if (!/\D/.test(text)) return 1_000 * Number(text);
  const date = new Date(text);
  // An HTTP date is what comes out again, letter for letter.
  return date.toUTCString() === text ? Math.max(0, date.getTime() - Date.now()) : 0;
}

function inDoubtUnlessAborted(error: unknown): Failure {
  const name: unknown = Object(error).name;
  return name === 'AbortError' ? 'permanent' : 'in-doubt';
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
