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
  // #region answer: let the call through or refuse it, and learn from how it ends
  const { trip, cooldownMs, probes = 1, isFailure = isNotAbort, onStateChange } = options;

  const closed = (): Period => {
    const trips = 'windowMs' in trip ? rateRule(trip) : runRule(trip);
    return {
      state: 'closed',
      admit() {},
      record(outcome) {
        if (outcome !== 'ignored' && trips(outcome)) enter(open());
      },
    };
  };

  const open = (): Period => {
    const endsAt = performance.now() + cooldownMs;
    return {
      state: 'open',
      admit() {
        const leftMs = endsAt - performance.now();
        if (leftMs > 0) throw new CircuitOpenError(leftMs);
        enter(halfOpen());
        period.admit();
      },
      record() {},
    };
  };

  const halfOpen = (): Period => {
    let slots = probes;
    let successes = 0;
    return {
      state: 'half-open',
      admit() {
        if (slots === 0) throw new CircuitOpenError(undefined);
        slots -= 1;
      },
      record(outcome) {
        if (outcome === 'failure') return enter(open());
        if (outcome === 'ignored') slots += 1;
        else successes += 1;
        if (successes === probes) enter(closed());
      },
    };
  };

  let period = closed();

  const enter = (next: Period): void => {
    const from = period.state;
    period = next;
    onStateChange?.(next.state, from);
  };

  return {
    get state() {
      return period.state;
    },
    async call(task) {
      period.admit();
      const admittedIn = period;
      let outcome: Outcome = 'ignored';
      try {
        const value = await task();
        outcome = 'success';
        return value;
      } catch (error) {
        if (isFailure(error)) outcome = 'failure';
        throw error;
      } finally {
        // A result speaks for the period its call began in. Once that is over, it is news of the past.
        if (admittedIn === period) period.record(outcome);
      }
    },
  };
  // #endregion
}

// #region answer
type Outcome = 'success' | 'failure' | 'ignored';

/** The time between two changes of state, with all that is counted during it: a new one starts from nothing. */
interface Period {
  readonly state: CircuitState;
  admit(): void;
  record(outcome: Outcome): void;
}

/** Is told how calls end, one after another, and says when to open. */
type TripRule = (outcome: Exclude<Outcome, 'ignored'>) => boolean;

type TripOn<Key extends PropertyKey> = Extract<Trip, Record<Key, unknown>>;

function runRule({ consecutiveFailures }: TripOn<'consecutiveFailures'>): TripRule {
  let run = 0;
  return (outcome) => {
    run = outcome === 'failure' ? run + 1 : 0;
    return run >= consecutiveFailures;
  };
}

function rateRule({ failureRate, windowMs, minimumCalls }: TripOn<'windowMs'>): TripRule {
  const calls: { readonly endedAt: number; readonly failed: boolean }[] = [];
  let failures = 0;
  return (outcome) => {
    const now = performance.now();
    const failed = outcome === 'failure';
    calls.push({ endedAt: now, failed });
    if (failed) failures += 1;
    for (let [oldest] = calls; oldest && oldest.endedAt <= now - windowMs; [oldest] = calls) {
      calls.shift();
      if (oldest.failed) failures -= 1;
    }
    return failed && calls.length >= minimumCalls && failures / calls.length >= failureRate;
  };
}

/** Whoever hangs up says nothing about the other end. */
function isNotAbort(error: unknown): boolean {
  return !(error instanceof Error && error.name === 'AbortError');
}
// #endregion
