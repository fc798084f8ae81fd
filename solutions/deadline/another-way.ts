import { setTimeout as delay } from 'node:timers/promises';

/** What is run: it is handed a signal that aborts when nobody waits for it any more. */
export type Work<T> = (signal: AbortSignal) => T | PromiseLike<T>;

/** What is run again: it is told which attempt this is, counted from 1. */
export type Attempt<T> = (signal: AbortSignal, attempt: number) => T | PromiseLike<T>;

export interface DeadlineOptions {
  /** The caller's own signal: aborted when the caller hangs up. */
  readonly signal?: AbortSignal;
}

export interface HeaderOptions extends DeadlineOptions {
  /** The longest that this service lets anybody wait, in milliseconds; above 0. */
  readonly maxMs: number;
}

export interface RunOptions {
  /** What this call may take of the budget at most, in milliseconds; @default all that remains */
  readonly limitMs?: number;
}

export interface RetryOptions extends RunOptions {
  /** How often to try, the first time included; whole number, 1 or more. */
  readonly attempts: number;
  /** How long to wait between the end of an attempt and the next, in milliseconds; 0 or more. */
  readonly pauseMs: number;
}

/** How long somebody waits for an answer: a point in time, told to others as the time that remains. */
export interface Deadline {
  /** Milliseconds left, 0 when the budget is used up. */
  readonly remainingMs: number;
  /** `remainingMs` in whole milliseconds, rounded down: what is sent along with a request to another service. */
  readonly header: string;
  /**
   * Runs `work` and settles as it does, or as soon as time is up or the caller hangs up. What the work ends
   * with after that changes nothing.
   *
   * @throws {TimeoutError} (as a rejection) when `limitMs` is over, while some of the budget remains
   * @throws {DeadlineExceededError} (as a rejection) when the budget is used up
   * @throws the reason of the caller's signal (as a rejection) when it is aborted
   */
  run<T>(work: Work<T>, options?: RunOptions): Promise<T>;
  /**
   * Runs `work` until an attempt succeeds, all within this one deadline; `limitMs` is for each attempt.
   *
   * @throws the error of the last attempt, or as `run` does (all as a rejection)
   */
  retry<T>(work: Attempt<T>, options: RetryOptions): Promise<T>;
}

/** A call took longer than its own limit; the budget is not used up. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
  /** As it was given, in milliseconds. */
  readonly limitMs: number;

  constructor(limitMs: number) {
    super(`The call took longer than its limit of ${limitMs} ms.`);
    this.limitMs = limitMs;
  }
}

/** The budget is used up: nobody waits for an answer any more. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError';
  /** All that there was at the start, in milliseconds. */
  readonly budgetMs: number;

  constructor(budgetMs: number) {
    super(`The deadline is exceeded: ${budgetMs} ms are used up.`);
    this.budgetMs = budgetMs;
  }
}

/**
 * A deadline in `budgetMs` milliseconds from now; with 0 or less it is over at once. It needs no end of its own:
 * it holds a timer and a listener only while something runs.
 */
export function createDeadline(budgetMs: number, options: DeadlineOptions = {}): Deadline {
  return new TimedDeadline(budgetMs, options.signal);
}

/**
 * A deadline as the caller has sent it: what was left to it, in whole milliseconds. Never more than `maxMs`, and
 * `maxMs` when there is no header or when it is anything but digits.
 */
export function deadlineFromHeader(
  value: string | null | undefined,
  { maxMs, signal }: HeaderOptions,
): Deadline {
  const isPlain = value && !/[^0-9]/.test(value);
  const sentMs = isPlain ? Number.parseInt(value, 10) : maxMs;
  return new TimedDeadline(sentMs < maxMs ? sentMs : maxMs, signal);
}

/**
 * The other usual shape: a class, one promise per run that whoever comes first settles, and a loop that is made of
 * runs. A pause is a run, too, whose work is to do nothing for a while.
 */
class TimedDeadline implements Deadline {
  readonly #budgetMs: number;
  readonly #caller: AbortSignal | undefined;
  readonly #madeAt = process.hrtime.bigint();
  /** Timers may fire a little early by another clock: once one has said that time is up, it is. */
  #isOver = false;

  constructor(budgetMs: number, caller: AbortSignal | undefined) {
    this.#budgetMs = budgetMs;
    this.#caller = caller;
  }

  get remainingMs(): number {
    const passedMs = Number(process.hrtime.bigint() - this.#madeAt) / 1e6;
    return this.#isOver ? 0 : Math.max(0, this.#budgetMs - passedMs);
  }

  get header(): string {
    return `${Math.trunc(this.remainingMs)}`;
  }

  run<T>(work: Work<T>, { limitMs }: RunOptions = {}): Promise<T> {
    const caller = this.#caller;
    const leftMs = this.remainingMs;
    const isOwnLimit = limitMs !== undefined && limitMs < leftMs && leftMs > 0;
    const timeUp = isOwnLimit
      ? new TimeoutError(limitMs)
      : new DeadlineExceededError(this.#budgetMs);
    const forMs = isOwnLimit ? limitMs : leftMs;

    return new Promise<T>((resolve, reject) => {
      if (caller?.aborted) return reject(caller.reason);
      if (forMs <= 0) return reject(timeUp);

      const controller = new AbortController();
      const stop = (reason: unknown) => {
        cleanUp();
        reject(reason);
        controller.abort(reason);
      };
      const onHangUp = () => stop(caller?.reason);
      const onTimeUp = () => {
        this.#isOver ||= !isOwnLimit;
        stop(timeUp);
      };
      // More than a timer can hold is more than anybody waits.
      const timer = forMs < 2 ** 31 ? setTimeout(onTimeUp, forMs) : undefined;
      const cleanUp = () => {
        clearTimeout(timer);
        caller?.removeEventListener('abort', onHangUp);
      };
      caller?.addEventListener('abort', onHangUp);
      const start = async () => work(controller.signal);
      start().then(resolve, reject).finally(cleanUp);
    });
  }

  async retry<T>(work: Attempt<T>, options: RetryOptions, attempt = 1): Promise<T> {
    try {
      return await this.run((signal) => work(signal, attempt), options);
    } catch (error) {
      const isLast = attempt === options.attempts || this.remainingMs <= options.pauseMs;
      if (isLast || this.#caller?.aborted) throw error;
    }
    await this.run((signal) => delay(options.pauseMs, undefined, { signal }));
    return this.retry(work, options, attempt + 1);
  }
}
