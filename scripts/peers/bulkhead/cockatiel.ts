import { bulkhead, isBulkheadRejectedError, TaskCancelledError } from 'cockatiel';
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

/** `maxWaitMs` has no counterpart: a call waits as long as it takes. */
export function createBulkhead({ permits, queue }: BulkheadOptions): Bulkhead {
  const policy = bulkhead(permits, queue);
  return {
    get running() {
      return permits - policy.executionSlots;
    },
    get queued() {
      return queue - policy.queueSlots;
    },
    async run<T>(task: () => T | PromiseLike<T>, { signal }: RunOptions = {}): Promise<T> {
      try {
        return await policy.execute(task, signal);
      } catch (error) {
        // Its `isTaskCancelledError` looks for the mark of another error.
        if (error instanceof TaskCancelledError && signal?.aborted) throw signal.reason;
        if (isBulkheadRejectedError(error)) throw new BulkheadFullError('Refused by cockatiel.');
        throw error;
      }
    },
  };
}

/** The library has one bulkhead; its adapter keeps one for each name. */
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
