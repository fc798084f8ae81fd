export interface RetryBudgetOptions {
  /** Retries that each request pays for; a multiple of 0.01, from 0 to 1. */
  readonly ratio: number;
  /** Retries a second that come on top, for clients with few requests; a multiple of 0.1, from 0 to 100. */
  readonly minPerSecond: number;
  /** How far back requests and retries count, in milliseconds; a multiple of 1,000, from 1,000 to 60,000. */
  readonly windowMs: number;
}

export interface CallOptions {
  /** Most attempts at this request, the first one included; whole number, 1 or more. */
  readonly attempts: number;
  /** Whether the failure may pass and the work may be repeated. */
  readonly isRetryable: (error: unknown) => boolean;
  /** What the request itself was sent with: how many attempts its sender had made before; @default 0 */
  readonly previousAttempts?: number;
}

/** What a task is told of the attempt that it makes. */
export interface Attempt {
  /** How many attempts went before this one, here and further up: what the dependency is to be sent. */
  readonly previousAttempts: number;
}

/** Totals since the budget was made. The dependency has seen `requests + retries`. */
export interface Counts {
  readonly requests: number;
  readonly retries: number;
  /** Retries that the budget did not pay for. */
  readonly refused: number;
}

export interface RetryBudget {
  /** How many retries the budget would pay for at this moment: whole number, rounded down, 0 or more. */
  readonly balance: number;
  readonly counts: Counts;
  /**
   * Runs `task`, and again at once when it fails, as long as that makes sense and the budget pays for it.
   *
   * @throws (as a rejection) the error of the last attempt, the very object, also when the budget is why it was the last
   */
  call<T>(task: (attempt: Attempt) => T | PromiseLike<T>, options: CallOptions): Promise<T>;
}

/** A retry budget in ten buckets, as Finagle, tower and Envoy keep it. Share one per dependency. */
export function createRetryBudget(options: RetryBudgetOptions): RetryBudget {
  return new BucketedBudget(options);
}

/**
 * The other usual shape: a class with its counts in fields, promises chained by hand, and a window of ten
 * buckets, whose memory does not grow with traffic. Who retries is decided here, what there is to spend by the `Purse`.
 */
class BucketedBudget implements RetryBudget {
  readonly #purse: Purse;
  #requests = 0;
  #retries = 0;
  #refused = 0;

  constructor(options: RetryBudgetOptions) {
    this.#purse = new Purse(options);
  }

  get balance(): number {
    return this.#purse.balance;
  }

  get counts(): Counts {
    return { requests: this.#requests, retries: this.#retries, refused: this.#refused };
  }

  call<T>(task: (attempt: Attempt) => T | PromiseLike<T>, options: CallOptions): Promise<T> {
    this.#requests += 1;
    const { previousAttempts = 0 } = options;
    if (previousAttempts > 0) return run(task, previousAttempts);
    this.#purse.earn();
    return this.#attempt(task, options, 0);
  }

  #attempt<T>(
    task: (attempt: Attempt) => T | PromiseLike<T>,
    options: CallOptions,
    previousAttempts: number,
  ): Promise<T> {
    return run(task, previousAttempts).catch((error: unknown) => {
      const next = previousAttempts + 1;
      if (next >= options.attempts || !options.isRetryable(error)) throw error;
      if (!this.#purse.spend()) {
        this.#refused += 1;
        throw error;
      }
      this.#retries += 1;
      return this.#attempt(task, options, next);
    });
  }
}

function run<T>(
  task: (attempt: Attempt) => T | PromiseLike<T>,
  previousAttempts: number,
): Promise<T> {
  return new Promise((resolve) => resolve(task({ previousAttempts })));
}

const BUCKETS = 10;

/** All amounts in hundredths of a retry. */
class Purse {
  readonly #share: number;
  readonly #reserve: number;
  readonly #bucketMs: number;
  /** A ring: what was earned and spent in the last ten tenths of the window. */
  readonly #ring = Array.from({ length: BUCKETS }, () => 0);
  /** The tenth of the window that was looked at last, counted from the start of the clock. */
  #newest = 0;

  constructor({ ratio, minPerSecond, windowMs }: RetryBudgetOptions) {
    this.#share = Math.round(ratio * 100);
    this.#reserve = Math.round((minPerSecond * windowMs) / 10);
    this.#bucketMs = windowMs / BUCKETS;
  }

  get balance(): number {
    return Math.max(0, Math.floor(this.#sum() / 100));
  }

  earn(): void {
    this.#add(this.#share);
  }

  /** False, and nothing is spent, if there is less than a whole retry. */
  spend(): boolean {
    const isEnough = this.#sum() >= 100;
    if (isEnough) this.#add(-100);
    return isEnough;
  }

  #add(amount: number): void {
    const bucket = this.#turn();
    this.#ring[bucket] = (this.#ring[bucket] ?? 0) + amount;
  }

  #sum(): number {
    this.#turn();
    return this.#ring.reduce((sum, amount) => sum + amount, this.#reserve);
  }

  /** Empties the buckets whose time has come round again; returns the one for now. */
  #turn(): number {
    const now = Math.floor(performance.now() / this.#bucketMs);
    for (let tenth = Math.max(this.#newest + 1, now - BUCKETS + 1); tenth <= now; tenth += 1) {
      this.#ring[tenth % BUCKETS] = 0;
    }
    this.#newest = now;
    return now % BUCKETS;
  }
}
