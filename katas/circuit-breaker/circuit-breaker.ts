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
  throw new Error('TODO: let the call through or refuse it, and learn from how it ends');
}
