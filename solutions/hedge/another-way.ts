/** One attempt: it is handed a signal that aborts when it is not needed any more, and its number, counted from 1. */
export type Task<T> = (signal: AbortSignal, attempt: number) => T | PromiseLike<T>;

/** A delay that is the same for all calls. */
export interface FixedDelay {
  /** In milliseconds; whole number, 1 to 60,000. */
  readonly ms: number;
}

/** A delay that is learned from calls: as long as most of them needed. */
export interface LearnedDelay {
  /** The share of calls that needed no longer; a multiple of 0.01, from 0.5 to 0.99. */
  readonly quantile: number;
  /** How many samples it looks back on, the latest ones; whole number, 1 to 1,000. */
  readonly window: number;
  /** With fewer samples than this nothing is known; whole number, 1 to `window`. */
  readonly minSamples: number;
}

/** Pays for every attempt but the first ones: in any `n` calls at most `burst + ratio * n` of them. */
export interface Budget {
  /** What each call earns; a multiple of 0.01, from 0 to 1. */
  readonly ratio: number;
  /** What the purse holds at most, and at first; whole number, 1 to 1,000. */
  readonly burst: number;
}

export interface HedgeOptions {
  /** How long after the beginning of an attempt the next one begins. */
  readonly delay: FixedDelay | LearnedDelay;
  /** Most attempts at one call, the first one included; whole number, 1 or more. */
  readonly maxAttempts: number;
  /** @default every attempt is paid for */
  readonly budget?: Budget;
  /** Whether an error is the answer, whichever replica is asked; @default none is */
  readonly isFatal?: (error: unknown) => boolean;
}

export interface CallOptions {
  /** Whether the task may run more than once, also at the same time; @default false */
  readonly idempotent?: boolean;
  /** The caller's own signal: aborted when the caller hangs up. */
  readonly signal?: AbortSignal;
}

export interface Hedge {
  /** What a call that began now would wait between attempts, in milliseconds; undefined with too few samples. */
  readonly delayMs: number | undefined;
  /**
   * Runs `task`, and again while it is still under way if that takes long; the first success is the result. What
   * other attempts come back with after that changes nothing.
   *
   * @throws the error of the first attempt (as a rejection) when all attempts have failed
   * @throws the fatal error (as a rejection) as soon as an attempt fails with one
   * @throws the reason of the caller's signal (as a rejection) when it is aborted
   */
  call<T>(task: Task<T>, options?: CallOptions): Promise<T>;
}

/**
 * Hedged requests after J. Dean and L. A. Barroso, The Tail at Scale (CACM, 2013), with the rules of gRPC's proposal
 * A6 for failures. Share one for each kind of call to a dependency.
 */
export function createHedge(options: HedgeOptions): Hedge {
  return new RacingHedge(options);
}

/**
 * The other usual shape: a class, and for each call one loop that waits for whatever happens next. Only the loop begins
 * attempts and only the loop ends the call, so the two cannot get into each other's way.
 */
class RacingHedge implements Hedge {
  readonly #options: HedgeOptions;
  readonly #latency: Latency | undefined;
  /** Hundredths that are missing from a full purse. */
  #debt = 0;

  constructor(options: HedgeOptions) {
    this.#options = options;
    if ('quantile' in options.delay) this.#latency = new Latency(options.delay);
  }

  get delayMs(): number | undefined {
    const { delay } = this.#options;
    return 'ms' in delay ? delay.ms : this.#latency?.delayMs;
  }

  async call<T>(task: Task<T>, { idempotent = false, signal }: CallOptions = {}): Promise<T> {
    signal?.throwIfAborted();
    this.#earn();
    const { delayMs } = this;
    const beganAt = process.hrtime.bigint();
    const race = new Race<T>(task, signal);
    let left = idempotent ? this.#options.maxAttempts - 1 : 0;
    let firstError: { readonly error: unknown } | undefined;
    try {
      race.begin();
      for (;;) {
        const event = await race.next(left > 0 ? delayMs : undefined);
        if (event.is === 'value') {
          if (!firstError) this.#latency?.add(Number(process.hrtime.bigint() - beganAt) / 1e6);
          return event.value;
        }
        if (event.is === 'left') throw event.reason;
        if (event.is === 'error') {
          if (event.attempt === 1) firstError = event;
          if (this.#options.isFatal?.(event.error)) throw event.error;
        }
        const isPaid = left > 0 && this.#pay();
        left = isPaid ? left - 1 : 0;
        if (isPaid) race.begin();
        else if (race.isEmpty) throw firstError?.error;
      }
    } finally {
      race.end();
    }
  }

  #earn(): void {
    this.#debt = Math.max(0, this.#debt - Math.round(100 * (this.#options.budget?.ratio ?? 0)));
  }

  #pay(): boolean {
    const { budget } = this.#options;
    if (!budget) return true;
    if (this.#debt + 100 > 100 * budget.burst) return false;
    this.#debt += 100;
    return true;
  }
}

/** What may happen next in a call. */
type Event<T> =
  | { readonly is: 'value'; readonly value: T; readonly attempt: number }
  | { readonly is: 'error'; readonly error: unknown; readonly attempt: number }
  | { readonly is: 'left'; readonly reason: unknown }
  | { readonly is: 'due' };

interface Runner<T> {
  readonly controller: AbortController;
  /** Never rejects, so nobody has to catch what a loser comes back with. */
  readonly finish: Promise<Event<T>>;
}

/** The attempts at one call, and its caller. */
class Race<T> {
  readonly #task: Task<T>;
  readonly #caller: AbortSignal | undefined;
  readonly #leaves: Promise<Event<T>>;
  #onLeave: () => void = () => {};
  readonly #runners = new Map<number, Runner<T>>();
  #begun = 0;
  #lastBeganAt = 0;

  constructor(task: Task<T>, caller: AbortSignal | undefined) {
    this.#task = task;
    this.#caller = caller;
    this.#leaves = new Promise((resolve) => {
      this.#onLeave = () => resolve({ is: 'left', reason: caller?.reason });
    });
    caller?.addEventListener('abort', this.#onLeave);
  }

  get isEmpty(): boolean {
    return this.#runners.size === 0;
  }

  begin(): void {
    const attempt = (this.#begun += 1);
    const controller = new AbortController();
    this.#lastBeganAt = performance.now();
    const run = async () => this.#task(controller.signal, attempt);
    const finish = run().then<Event<T>, Event<T>>(
      (value) => ({ is: 'value', value, attempt }),
      (error: unknown) => ({ is: 'error', error, attempt }),
    );
    this.#runners.set(attempt, { controller, finish });
  }

  /** Whatever happens first, and at the latest that the next attempt is due. */
  async next(delayMs: number | undefined): Promise<Event<T>> {
    let timer: NodeJS.Timeout | undefined;
    const due = new Promise<Event<T>>((resolve) => {
      if (delayMs === undefined) return;
      const leftMs = this.#lastBeganAt + delayMs - performance.now();
      timer = setTimeout(() => resolve({ is: 'due' }), leftMs);
    });
    const finishes = [...this.#runners.values()].map(({ finish }) => finish);
    const event = await Promise.race([this.#leaves, ...finishes, due]);
    clearTimeout(timer);
    if ('attempt' in event) this.#runners.delete(event.attempt);
    return event;
  }

  /** Stops all that are still under way. */
  end(): void {
    this.#caller?.removeEventListener('abort', this.#onLeave);
    for (const { controller } of this.#runners.values()) controller.abort(this.#caller?.reason);
  }
}

/** The latest samples twice: in their order, to know which to forget, and sorted, so that reading costs nothing. */
class Latency {
  readonly #delay: LearnedDelay;
  readonly #latest: number[] = [];
  readonly #sorted: number[] = [];

  constructor(delay: LearnedDelay) {
    this.#delay = delay;
  }

  get delayMs(): number | undefined {
    const { quantile, minSamples } = this.#delay;
    const count = this.#sorted.length;
    if (count < minSamples) return undefined;
    return Math.max(1, this.#sorted[Math.ceil(quantile * count) - 1] ?? 1);
  }

  add(ms: number): void {
    this.#latest.push(ms);
    this.#sorted.splice(this.#rankOf(ms), 0, ms);
    if (this.#latest.length <= this.#delay.window) return;
    const oldest = this.#latest.shift() ?? 0;
    this.#sorted.splice(this.#rankOf(oldest), 1);
  }

  /** How many samples are shorter. */
  #rankOf(ms: number): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? Infinity) < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
