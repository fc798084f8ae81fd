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
  // #region answer: run what the limit allows, let a few wait, refuse the rest, and learn from how calls end
  const limiter = createLimiter(options);
  /** In the order in which they are to be served. So the last is also the first to be shed. */
  const line: WaitingCall[] = [];
  let running = 0;

  const admit = () => {
    running += 1;
    limiter.sees(running);
  };

  const leave = (call: WaitingCall) => {
    clearTimeout(call.timer);
    line.splice(line.indexOf(call), 1);
  };

  const refuse = (call: WaitingCall, reason: OverloadedError['reason']) => {
    leave(call);
    call.reject(new OverloadedError(reason));
  };

  /** Resolves when it is this call's turn: it is counted as running then. */
  const turn = async (priority: Priority, maxWaitMs: number) => {
    const rank = RANKS[priority];
    if (maxWaitMs <= 0) throw new OverloadedError('too late');
    if (line.length === options.queue) {
      const last = line.at(-1);
      if (!last || last.rank >= rank) throw new OverloadedError('full');
      refuse(last, 'displaced');
    }
    return new Promise<void>((resolve, reject) => {
      const call: WaitingCall = { rank, resolve, reject };
      const behind = line.findIndex((other) => other.rank < rank);
      line.splice(behind === -1 ? line.length : behind, 0, call);
      if (maxWaitMs === Infinity) return;
      call.timer = setTimeout(() => refuse(call, 'too late'), maxWaitMs);
    });
  };

  const admitWaiting = () => {
    // A loop, for the limit may have grown; and a look at the limit, for it may have been cut.
    for (let [next] = line; next && running < limiter.limit; [next] = line) {
      leave(next);
      admit();
      next.resolve();
    }
  };

  return {
    get limit() {
      return limiter.limit;
    },
    get running() {
      return running;
    },
    get queued() {
      return line.length;
    },
    async run(task, { priority = 'normal', remainingMs = Infinity } = {}) {
      if (remainingMs <= 0) throw new OverloadedError('too late');
      if (running < limiter.limit) admit();
      // When its turn comes there must be time left for the answer.
      else await turn(priority, remainingMs - (limiter.allowanceMs ?? 0));
      const measure = limiter.begin();
      let failed = true;
      try {
        const value = await task();
        failed = false;
        return value;
      } finally {
        measure(failed);
        running -= 1;
        admitWaiting();
      }
    },
  };
  // #endregion
}

// #region answer
const RANKS: Readonly<Record<Priority, number>> = { critical: 2, normal: 1, sheddable: 0 };

interface WaitingCall {
  readonly rank: number;
  readonly resolve: () => void;
  readonly reject: (error: OverloadedError) => void;
  timer?: NodeJS.Timeout;
}

/** The number of tasks that may run at once, and what moves it. */
function createLimiter(options: LoadShedderOptions) {
  const { minLimit, maxLimit, windowSize, baselineWindows, tolerance, backoff } = options;
  let limit = options.initialLimit;
  let cuts = 0;
  let samples: number[] = [];
  let wasFull = false;
  /** Of the latest windows. The smallest is the baseline: what a call takes when nothing queues in the server. */
  const medians: number[] = [];

  /** What a call may take; unknown until the first window has been judged. */
  const allowanceMs = () => (medians.length > 0 ? tolerance * Math.min(...medians) : undefined);

  const judge = () => {
    const median = medianOf(samples);
    if (median < Infinity) medians.push(median);
    if (medians.length > baselineWindows) medians.shift();
    if (median > (allowanceMs() ?? Infinity)) {
      limit = Math.max(minLimit, Math.floor(limit * backoff));
      cuts += 1;
    } else if (wasFull) {
      limit = Math.min(maxLimit, limit + 1);
    }
    samples = [];
    wasFull = false;
  };

  return {
    get limit() {
      return limit;
    },
    get allowanceMs() {
      return allowanceMs();
    },
    sees(running: number) {
      if (running >= limit) wasFull = true;
    },
    /** Returns what is to be told when the task has ended. */
    begin() {
      const startedAt = performance.now();
      const cutsBefore = cuts;
      return (failed: boolean) => {
        const latencyMs = performance.now() - startedAt;
        // It speaks of the limit before the cut. One overload would be punished many times.
        if (cutsBefore < cuts) return;
        // An error does not say how long an answer takes, only that it takes longer than this.
        if (failed && latencyMs <= (allowanceMs() ?? Infinity)) return;
        samples.push(failed ? Infinity : latencyMs);
        if (samples.length === windowSize) judge();
      };
    },
  };
}

function medianOf(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Infinity;
}
// #endregion
