/** A queue with Poisson arrivals, exponential service times and `servers` servers: M/M/c. */
export interface Queue {
  readonly servers: number;
  /** The share of the servers that is busy on average; above 0, below 1. */
  readonly utilization: number;
}

/**
 * The probability that a call has to wait. A. K. Erlang, Solution of some problems in the theory of probabilities of
 * significance in automatic telephone exchanges (1917).
 */
export function erlangC({ servers, utilization }: Queue): number {
  const offered = servers * utilization;
  // The recursion for Erlang B does without factorials, which would overflow.
  let blocking = 1;
  for (let server = 1; server <= servers; server += 1) {
    blocking = (offered * blocking) / (server + offered * blocking);
  }
  return blocking / (1 - utilization * (1 - blocking));
}

/** How long a call waits on average, in mean service times. */
export function meanWait(queue: Queue): number {
  const { servers, utilization } = queue;
  return erlangC(queue) / (servers * (1 - utilization));
}

/** The share of pages with a slow call, of `calls` that are slow with probability `slow` each. */
export function slowPages(slow: number, calls: number): number {
  return 1 - (1 - slow) ** calls;
}
