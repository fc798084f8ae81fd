import {
  circuitBreaker,
  CircuitState as LibraryState,
  ConsecutiveBreaker,
  handleWhen,
  isBrokenCircuitError,
  SamplingBreaker,
} from 'cockatiel';
import type {
  CircuitBreaker,
  CircuitBreakerOptions,
  CircuitState,
} from '../../../solutions/circuit-breaker/circuit-breaker.ts';

export class CircuitOpenError extends Error {
  readonly retryAfterMs: number | undefined;

  constructor(retryAfterMs: number | undefined) {
    super('Refused by cockatiel.');
    this.retryAfterMs = retryAfterMs;
  }
}

/** `probes` has no counterpart: cockatiel lets one through. */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { trip, cooldownMs, isFailure = isNotAbort, onStateChange } = options;
  const policy = circuitBreaker(handleWhen(isFailure), {
    halfOpenAfter: cooldownMs,
    breaker:
      'windowMs' in trip
        ? new SamplingBreaker({
            threshold: trip.failureRate,
            duration: trip.windowMs,
            minimumRps: trip.minimumCalls / (trip.windowMs / 1_000),
          })
        : new ConsecutiveBreaker(trip.consecutiveFailures),
  });

  // The library does not say when to try again, so its adapter keeps the time.
  let endsAt = 0;
  policy.onBreak(() => {
    endsAt = performance.now() + cooldownMs;
  });
  let from = nameOf(policy.state);
  policy.onStateChange((state) => {
    const to = nameOf(state);
    onStateChange?.(to, from);
    from = to;
  });

  return {
    get state() {
      return nameOf(policy.state);
    },
    async call(task) {
      try {
        return await policy.execute(task);
      } catch (error) {
        if (!isBrokenCircuitError(error)) throw error;
        throw new CircuitOpenError(endsAt - performance.now());
      }
    },
  };
}

function nameOf(state: LibraryState): CircuitState {
  if (state === LibraryState.Closed) return 'closed';
  return state === LibraryState.HalfOpen ? 'half-open' : 'open';
}

function isNotAbort(error: unknown): boolean {
  return !(error instanceof Error && error.name === 'AbortError');
}
