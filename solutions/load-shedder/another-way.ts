/** What is lost when a call is refused: `sheddable` goes first, `critical` last. */
export type Priority = 'critical' | 'normal' | 'sheddable';

export interface LoadShedderOptions {
  /** The limit to begin with; whole number, from `minLimit` to `maxLimit`. */
  readonly initialLimit: number;
  /** The limit never falls below this; whole number, 1 or more. */
  readonly minLimit: number;
  /** The limit never rises above this; whole number, `minLimit` or more. */
  readonly maxLimit: number;
  /** How many calls may wait; whole number, 0 or more. */
  readonly queue: number;
  /** How many samples are judged together; whole number, 1 or more. */
  readonly windowSize: number;
  /**
   * How many windows the baseline looks back on, the latest included; whole number, 2 or more. It has to remember a
   * whole climb, or it climbs along: `maxLimit * (1 - backoff)` windows are enough.
   */
  readonly baselineWindows: number;
  /** The allowance, what a call may take, is the baseline times this; above 1. */
  readonly tolerance: number;
  /**
   * What a cut leaves of the limit; above 0, below 1. With `tolerance * backoff` clearly below 1 a cut ends the
   * queueing in the server, so that the baseline can be seen again.
   */
  readonly backoff: number;
}

export interface RunOptions {
  /** @default 'normal' */
  readonly priority?: Priority;
  /**
   * How long the caller will still wait for its answer, in milliseconds; whole number up to 2,147,483,647, and 0 or
   * less when it waits no more; @default as long as it takes
   */
  readonly remainingMs?: number;
}

export interface LoadShedder {
  /** How many tasks may run at once, as of now. */
  readonly limit: number;
  /** How many tasks run; after a cut these may be more than `limit`. */
  readonly running: number;
  /** How many calls wait. */
  readonly queued: number;
  /**
   * Runs `task` as soon as the limit allows and settles as it does, or does not run it at all.
   *
   * @throws {OverloadedError} (as a rejection) when there is no room, or too little time left
   */
  run<T>(task: () => T | PromiseLike<T>, options?: RunOptions): Promise<T>;
}

/** The call was refused; the task has not run. */
export class OverloadedError extends Error {
  override readonly name = 'OverloadedError';
  /**
   * `full`: neither a permit nor a place in the queue; `displaced`: the place it had in the queue went to a call of
   * higher priority; `too late`: what remains to its caller is not enough.
   */
  readonly reason: 'full' | 'displaced' | 'too late';

  constructor(reason: 'full' | 'displaced' | 'too late') {
    super(`The service is overloaded, the call was refused: ${reason}.`);
    this.reason = reason;
  }
}

/**
 * Finds out how much a server can do at once, and refuses the rest. The limit moves like the congestion window of
 * TCP, by additive increase and multiplicative decrease (Chiu and Jain, 1989), with latency for its signal.
 */
export function createLoadShedder(options: LoadShedderOptions): LoadShedder {
  return new TicketShedder(options);
}

type Reason = OverloadedError['reason'];

/** From the most important to the least. */
const PRIORITIES: readonly Priority[] = ['critical', 'normal', 'sheddable'];

/**
 * The other usual shape: classes, a line for each priority, and calls that are started rather than woken up. Every
 * call gets a ticket and stands in its line, if only for a moment; `#startAll` is the one place where tasks begin.
 */
class TicketShedder implements LoadShedder {
  readonly #queue: number;
  readonly #limiter: Limiter;
  readonly #lines = PRIORITIES.map(() => new Set<Ticket>());
  #running = 0;

  constructor(options: LoadShedderOptions) {
    this.#queue = options.queue;
    this.#limiter = new Limiter(options);
  }

  get limit(): number {
    return this.#limiter.limit;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#lines.reduce((sum, line) => sum + line.size, 0);
  }

  run<T>(task: () => T | PromiseLike<T>, options: RunOptions = {}): Promise<T> {
    const { priority = 'normal', remainingMs } = options;
    const rank = PRIORITIES.indexOf(priority);
    return new Promise((resolve, reject) => {
      const refuse = (reason: Reason) => reject(new OverloadedError(reason));
      const ticket: Ticket = { start: () => resolve(this.#start(task)), refuse };
      if (remainingMs !== undefined && remainingMs <= 0) return refuse('too late');
      if (this.#running >= this.limit) {
        if (remainingMs !== undefined) {
          const maxWaitMs = remainingMs - this.#limiter.allowanceMs;
          if (maxWaitMs <= 0) return refuse('too late');
          ticket.timer = setTimeout(() => this.#turnAway(ticket, 'too late'), maxWaitMs);
        }
        if (this.queued === this.#queue && !this.#makeRoom(rank)) {
          clearTimeout(ticket.timer);
          return refuse('full');
        }
      }
      this.#lines[rank]?.add(ticket);
      this.#startAll();
    });
  }

  async #start<T>(task: () => T | PromiseLike<T>): Promise<T> {
    const measurement = this.#limiter.begin();
    try {
      const value = await task();
      this.#limiter.succeeded(measurement);
      return value;
    } catch (error) {
      this.#limiter.failed(measurement);
      throw error;
    } finally {
      this.#running -= 1;
      this.#startAll();
    }
  }

  #startAll(): void {
    while (this.#running < this.limit) {
      const ticket = this.#lines.flatMap(([first]) => first ?? []).at(0);
      if (!ticket) return;
      this.#leave(ticket);
      this.#running += 1;
      if (this.#running >= this.limit) this.#limiter.wasFull = true;
      ticket.start();
    }
  }

  /** At the cost of whoever came last among the least important, if these are less important than `rank`. */
  #makeRoom(rank: number): boolean {
    const below = this.#lines.slice(rank + 1).findLast((line) => line.size > 0);
    const last = below && [...below].at(-1);
    if (last) this.#turnAway(last, 'displaced');
    return last !== undefined;
  }

  #turnAway(ticket: Ticket, reason: Reason): void {
    this.#leave(ticket);
    ticket.refuse(reason);
  }

  #leave(ticket: Ticket): void {
    clearTimeout(ticket.timer);
    for (const line of this.#lines) line.delete(ticket);
  }
}

interface Ticket {
  readonly start: () => void;
  readonly refuse: (reason: Reason) => void;
  timer?: NodeJS.Timeout;
}

interface Measurement {
  readonly startedAt: bigint;
  readonly era: object;
}

class Limiter {
  wasFull = false;
  readonly #options: LoadShedderOptions;
  #limit: number;
  /** The time since the last slow window: a new object each time, like the periods of the circuit breaker. */
  #era = {};
  /** The samples of the window, smallest first. A call that was too slow to fail has no latency but `Infinity`. */
  #window: number[] = [];
  #medians: number[] = [];

  constructor(options: LoadShedderOptions) {
    this.#options = options;
    this.#limit = options.initialLimit;
  }

  get limit(): number {
    return this.#limit;
  }

  /** 0 as long as nothing is known. */
  get allowanceMs(): number {
    return this.#medians.length === 0 ? 0 : this.#options.tolerance * Math.min(...this.#medians);
  }

  begin(): Measurement {
    return { startedAt: process.hrtime.bigint(), era: this.#era };
  }

  succeeded(measurement: Measurement): void {
    this.#add(measurement, latencyMsOf(measurement));
  }

  failed(measurement: Measurement): void {
    const isSlow = this.#medians.length > 0 && latencyMsOf(measurement) > this.allowanceMs;
    if (isSlow) this.#add(measurement, Infinity);
  }

  #add({ era }: Measurement, latencyMs: number): void {
    if (era !== this.#era) return;
    const larger = this.#window.findIndex((other) => other > latencyMs);
    this.#window.splice(larger === -1 ? this.#window.length : larger, 0, latencyMs);
    if (this.#window.length >= this.#options.windowSize) this.#judge();
  }

  #judge(): void {
    const { minLimit, maxLimit, baselineWindows, backoff } = this.#options;
    const median = this.#window[(this.#window.length - 1) >> 1] ?? 0;
    if (median !== Infinity) this.#medians = [...this.#medians, median].slice(-baselineWindows);
    if (median > this.allowanceMs) {
      this.#limit = Math.max(minLimit, Math.trunc(this.#limit * backoff));
      this.#era = {};
    } else if (this.wasFull && this.#limit < maxLimit) {
      this.#limit += 1;
    }
    this.#window = [];
    this.wasFull = false;
  }
}

function latencyMsOf({ startedAt }: Measurement): number {
  return Number(process.hrtime.bigint() - startedAt) / 1e6;
}
