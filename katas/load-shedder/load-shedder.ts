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
  throw new Error(
    'TODO: run what the limit allows, let a few wait, refuse the rest, and learn from how calls end',
  );
}
