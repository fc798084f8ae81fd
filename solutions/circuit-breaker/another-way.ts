export type CircuitState = 'closed' | 'open' | 'half-open';

/** What opens a closed circuit. */
export type Trip =
  | {
      /** So many failures in a row, with no success in between; whole number, 1 or more. */
      readonly consecutiveFailures: number;
    }
  | {
      /** This share of failures, or a larger one; above 0, up to 1. */
      readonly failureRate: number;
      /** How far back calls count, in milliseconds from the moment they ended. */
      readonly windowMs: number;
      /** With fewer calls than this in the window the rate says nothing; whole number, 1 or more. */
      readonly minimumCalls: number;
    };

export interface CircuitBreakerOptions {
  readonly trip: Trip;
  /** How long an open circuit refuses every call, in milliseconds; above 0. */
  readonly cooldownMs: number;
  /** How many probes a half-open circuit lets through, all of which must succeed; @default 1 */
  readonly probes?: number;
  /** Which errors speak against the dependency; @default all but an `AbortError` */
  readonly isFailure?: (error: unknown) => boolean;
  /** Told of every change, after it has happened. */
  readonly onStateChange?: (to: CircuitState, from: CircuitState) => void;
}

export interface CircuitBreaker {
  readonly state: CircuitState;
  /**
   * Runs `task` and settles as it does, or does not run it at all.
   *
   * @throws {CircuitOpenError} (as a rejection) when the circuit lets no call through
   */
  call<T>(task: () => T | PromiseLike<T>): Promise<T>;
}

/** The call was refused; the task has not run. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError';
  /** Milliseconds until calls are let through again; undefined while probes are out, for nobody can know. */
  readonly retryAfterMs: number | undefined;

  constructor(retryAfterMs: number | undefined) {
    super('The circuit is open: the call was refused.');
    this.retryAfterMs = retryAfterMs;
  }
}

/** A circuit breaker after M. Nygard, Release It!, 2nd edition (2018). Share one per dependency. */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  return new TimedBreaker(options);
}

/**
 * The other usual shape: a class with its state in fields, a timer that ends the open time, a number that tells
 * the calls of one period from those of the next, and a window in buckets, whose memory does not grow with traffic.
 */
class TimedBreaker implements CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  readonly #tally: Tally;
  #state: CircuitState = 'closed';
  #generation = 0;
  #openedAt = 0;
  #slots = 0;
  #successes = 0;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
    this.#tally = 'windowMs' in options.trip ? new Buckets(options.trip) : new Run(options.trip);
  }

  get state(): CircuitState {
    return this.#state;
  }

  call<T>(task: () => T | PromiseLike<T>): Promise<T> {
    if (this.#state === 'open') return Promise.reject(new CircuitOpenError(this.#leftMs()));
    if (this.#state === 'half-open') {
      if (this.#slots === 0) return Promise.reject(new CircuitOpenError(undefined));
      this.#slots -= 1;
    }
    const generation = this.#generation;
    return new Promise<T>((resolve) => resolve(task())).then(
      (value) => {
        if (generation === this.#generation) this.#succeeded();
        return value;
      },
      (error: unknown) => {
        if (generation === this.#generation) this.#ended(error);
        throw error;
      },
    );
  }

  #succeeded(): void {
    if (this.#state === 'closed') this.#tally.add(false);
    else if (++this.#successes === this.#probes()) this.#become('closed');
  }

  #ended(error: unknown): void {
    const { isFailure = countsByDefault } = this.#options;
    if (!isFailure(error)) {
      if (this.#state === 'half-open') this.#slots += 1;
    } else if (this.#state === 'half-open' || this.#tally.add(true)) {
      this.#become('open');
    }
  }

  #become(state: CircuitState): void {
    const from = this.#state;
    this.#state = state;
    this.#generation += 1;
    this.#tally.clear();
    this.#slots = this.#probes();
    this.#successes = 0;
    if (state === 'open') {
      this.#openedAt = performance.now();
      setTimeout(() => this.#become('half-open'), this.#options.cooldownMs).unref();
    }
    this.#options.onStateChange?.(state, from);
  }

  #probes(): number {
    return this.#options.probes ?? 1;
  }

  #leftMs(): number {
    return Math.max(0, this.#openedAt + this.#options.cooldownMs - performance.now());
  }
}

interface Tally {
  /** Adds how a call ended; true when the circuit has to open. */
  add(failed: boolean): boolean;
  clear(): void;
}

class Run implements Tally {
  readonly #limit: number;
  #length = 0;

  constructor(trip: { readonly consecutiveFailures: number }) {
    this.#limit = trip.consecutiveFailures;
  }

  add(failed: boolean): boolean {
    this.#length = failed ? this.#length + 1 : 0;
    return this.#length >= this.#limit;
  }

  clear(): void {
    this.#length = 0;
  }
}

class Buckets implements Tally {
  readonly #trip: Extract<Trip, { windowMs: number }>;
  readonly #buckets = new Map<number, { calls: number; failures: number }>();

  constructor(trip: Extract<Trip, { windowMs: number }>) {
    this.#trip = trip;
  }

  add(failed: boolean): boolean {
    const { windowMs, minimumCalls, failureRate } = this.#trip;
    const newest = Math.floor(performance.now() / (windowMs / 10));
    const bucket = this.#buckets.get(newest) ?? { calls: 0, failures: 0 };
    this.#buckets.set(newest, bucket);
    bucket.calls += 1;
    bucket.failures += failed ? 1 : 0;
    let calls = 0;
    let failures = 0;
    for (const [age, { calls: some, failures: bad }] of this.#buckets) {
      if (age <= newest - 10) this.#buckets.delete(age);
      else [calls, failures] = [calls + some, failures + bad];
    }
    return failed && calls >= minimumCalls && failures / calls >= failureRate;
  }

  clear(): void {
    this.#buckets.clear();
  }
}

function countsByDefault(error: unknown): boolean {
  return !(error instanceof Error) || error.name !== 'AbortError';
}
