export interface BulkheadOptions {
  /** How many tasks may run at once; whole number, 1 or more. */
  readonly permits: number;
  /** How many calls may wait for a permit; whole number, 0 or more. */
  readonly queue: number;
  /** How long a call may wait, in milliseconds; whole number from 1 to 2,147,483,647; @default as long as it takes */
  readonly maxWaitMs?: number;
}

export interface RunOptions {
  /** Takes the call out of the queue. Once the task runs, stopping is up to the task. */
  readonly signal?: AbortSignal;
}

export interface Bulkhead {
  /** How many permits are taken. */
  readonly running: number;
  /** How many calls wait for a permit. */
  readonly queued: number;
  /**
   * Runs `task` as soon as there is a permit for it and settles as it does, or does not run it at all.
   *
   * @throws {BulkheadFullError} (as a rejection) when there is no room, or the wait has been too long
   * @throws `signal.reason` (as a rejection) when the signal aborts before the task runs
   */
  run<T>(task: () => T | PromiseLike<T>, options?: RunOptions): Promise<T>;
}

export interface Bulkheads {
  /** The compartment of this dependency: made when it is first asked for, the same one ever after. */
  for(dependency: string): Bulkhead;
}

/** The call was refused; the task has not run. */
export class BulkheadFullError extends Error {
  override readonly name = 'BulkheadFullError';
  /** `full`: no permit and no place in the queue; `waited too long`: for `maxWaitMs`, without getting a permit. */
  readonly reason: 'full' | 'waited too long';

  constructor(reason: 'full' | 'waited too long') {
    super(`The bulkhead refused the call: ${reason}.`);
    this.reason = reason;
  }
}

/** A bulkhead after M. Nygard, Release It!, 2nd edition (2018): a counting semaphore with a bounded, fair queue. */
export function createBulkhead(options: BulkheadOptions): Bulkhead {
  throw new Error(
    'TODO: run each task with a permit, let a few calls wait in line, refuse the rest',
  );
}

/**
 * A compartment for each dependency, so that none can use up what the others need.
 *
 * @param own options of the dependencies that need others than `defaults`; in place of them, not mixed with them
 */
export function createBulkheads(
  defaults: BulkheadOptions,
  own: Readonly<Record<string, BulkheadOptions>> = {},
): Bulkheads {
  throw new Error('TODO: make a compartment when it is first asked for, and keep it');
}
