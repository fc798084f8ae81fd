import { EventEmitter } from 'node:events';
import CircuitBreaker from 'opossum';
import type {
  Bulkhead,
  BulkheadOptions,
  Bulkheads,
  RunOptions,
} from '../../../solutions/bulkhead/bulkhead.ts';

export class BulkheadFullError extends Error {
  override readonly name = 'BulkheadFullError';
  readonly reason = 'full';
}

/**
 * The `capacity` of a circuit breaker that never opens. `queue` and `maxWaitMs` have no counterpart, as nobody waits;
 * the library does not know signals either, so its adapter looks at them before the call.
 */
export function createBulkhead({ permits }: BulkheadOptions): Bulkhead {
  // The library does not say how many run, so its adapter counts.
  let running = 0;
  const work = async (task: () => unknown) => {
    running += 1;
    try {
      return await task();
    } finally {
      running -= 1;
    }
  };
  const breaker = new CircuitBreaker(work, {
    capacity: permits,
    timeout: false,
    volumeThreshold: Number.MAX_SAFE_INTEGER,
    // In place of the library's own interval, which would run for ever.
    rotateBucketController: new EventEmitter(),
    enableSnapshots: false,
  });
  return {
    get running() {
      return running;
    },
    queued: 0,
    async run<T>(task: () => T | PromiseLike<T>, { signal }: RunOptions = {}): Promise<T> {
      signal?.throwIfAborted();
      try {
        // The library types what it runs once for all calls.
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        return (await breaker.fire(task)) as T;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        throw new BulkheadFullError('Refused by opossum.');
      }
    },
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ESEMLOCKED';
}

/** The library has a limit for each breaker; its adapter keeps one for each name. */
export function createBulkheads(
  defaults: BulkheadOptions,
  own: Readonly<Record<string, BulkheadOptions>> = {},
): Bulkheads {
  const optionsOf = new Map(Object.entries(own));
  const compartments = new Map<string, Bulkhead>();
  return {
    for(dependency) {
      const compartment =
        compartments.get(dependency) ?? createBulkhead(optionsOf.get(dependency) ?? defaults);
      compartments.set(dependency, compartment);
      return compartment;
    },
  };
}
