import { EventEmitter } from 'node:events';
import LibraryBreaker from 'opossum';
import type {
  CircuitBreaker,
  CircuitBreakerOptions,
  CircuitState,
} from '../../../solutions/circuit-breaker/circuit-breaker.ts';

export class CircuitOpenError extends Error {
  readonly retryAfterMs: number | undefined;

  constructor(retryAfterMs: number | undefined) {
    super('Refused by opossum.');
    this.retryAfterMs = retryAfterMs;
  }
}

const BUCKETS = 10;

/**
 * `probes` has no counterpart: opossum lets one through. Nor have failures in a row: the nearest is that all
 * calls of the last 10 s failed, and so many of them.
 */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { trip, cooldownMs, isFailure = isNotAbort, onStateChange } = options;
  const windowMs = 'windowMs' in trip ? trip.windowMs : 10_000;
  const buckets = bucketClock(windowMs / BUCKETS);
  const run = async (task: () => unknown) => {
    try {
      return await task();
    } finally {
      buckets.turn();
    }
  };
  const breaker = new LibraryBreaker(run, {
    timeout: false,
    resetTimeout: cooldownMs,
    errorFilter: (error: unknown) => !isFailure(error),
    rollingCountTimeout: windowMs,
    rollingCountBuckets: BUCKETS,
    rotateBucketController: buckets.controller,
    enableSnapshots: false,
    ...('windowMs' in trip
      ? { errorThresholdPercentage: 100 * trip.failureRate, volumeThreshold: trip.minimumCalls }
      : { errorThresholdPercentage: 99.9, volumeThreshold: trip.consecutiveFailures }),
  });

  // The library does not say when to try again, so its adapter keeps the time.
  let endsAt = 0;
  let from: CircuitState = 'closed';
  const tell = (to: CircuitState) => {
    if (to === 'open') endsAt = performance.now() + cooldownMs;
    onStateChange?.(to, from);
    from = to;
  };
  breaker.on('open', () => tell('open'));
  breaker.on('halfOpen', () => tell('half-open'));
  breaker.on('close', () => tell('closed'));

  return {
    get state() {
      if (breaker.closed) return 'closed';
      return breaker.halfOpen ? 'half-open' : 'open';
    },
    async call<T>(task: () => T | PromiseLike<T>): Promise<T> {
      buckets.turn();
      try {
        // The library types what it runs once for all calls.
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        return (await breaker.fire(task)) as T;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        throw new CircuitOpenError(breaker.opened ? endsAt - performance.now() : undefined);
      }
    },
  };
}

/** In place of the library's own interval, which would run for ever: turns the buckets when a call comes or ends. */
function bucketClock(bucketMs: number) {
  const controller = new EventEmitter();
  let turnedAt = performance.now();
  return {
    controller,
    turn() {
      const due = Math.floor((performance.now() - turnedAt) / bucketMs);
      for (let turned = 0; turned < Math.min(due, BUCKETS); turned += 1) controller.emit('rotate');
      turnedAt += due * bucketMs;
    },
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EOPENBREAKER';
}

function isNotAbort(error: unknown): boolean {
  return !(error instanceof Error && error.name === 'AbortError');
}
