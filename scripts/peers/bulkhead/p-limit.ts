import pLimit from 'p-limit';
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
 * The library's line has no end, so its adapter refuses what is too much. A call that waits cannot leave: there is
 * no counterpart of `maxWaitMs`, and the signal is looked at before the call and when its turn has come.
 */
export function createBulkhead({ permits, queue }: BulkheadOptions): Bulkhead {
  const limit = pLimit(permits);
  return {
    get running() {
      return limit.activeCount;
    },
    get queued() {
      return limit.pendingCount;
    },
    async run<T>(task: () => T | PromiseLike<T>, { signal }: RunOptions = {}): Promise<T> {
      signal?.throwIfAborted();
      if (limit.activeCount + limit.pendingCount >= permits + queue) {
        throw new BulkheadFullError('Refused on behalf of p-limit.');
      }
      return limit(async () => {
        signal?.throwIfAborted();
        return task();
      });
    },
  };
}

/** The library has one limit; its adapter keeps one for each name. */
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
