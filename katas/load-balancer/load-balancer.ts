export interface Host {
  /** Unique within a list. */
  readonly name: string;
  /** Its share of the calls is this part of the sum of all weights; whole number from 1 to 100, @default 1 */
  readonly weight?: number;
}

/** What ejects a host: the calls themselves. */
export interface Ejection {
  /** So many failures in a row, with no success in between; whole number, 1 or more. */
  readonly failures: number;
  /** How long the first ejection lasts, in milliseconds; above 0. The second in a row lasts twice as long, and so on. */
  readonly baseMs: number;
  /** No ejection is longer than this, in milliseconds; `baseMs` or more. */
  readonly maxMs: number;
  /** How many of all hosts may be ejected at once, in percent; from 0 to 100. */
  readonly maxPercent: number;
  /** Does the error speak against the host? If not (404, the caller has left), it is neither failure nor success. */
  readonly isFailure: (error: unknown) => boolean;
}

/** What else tells how a host is: a request that is made for this purpose. */
export interface Check {
  /** Asks the host; passes if it resolves. The signal aborts when nobody waits for the result any more. */
  readonly run: (host: string, signal: AbortSignal) => Promise<unknown>;
  /** How often each host is checked, in milliseconds; above 0. */
  readonly intervalMs: number;
  /** A check that has not ended after so many milliseconds has failed; above 0, may be more than `intervalMs`. */
  readonly timeoutMs: number;
  /** So many failed checks in a row make a host unhealthy; whole number, 1 or more. */
  readonly unhealthyAfter: number;
  /** So many passed checks in a row make it healthy again; whole number, 1 or more. */
  readonly healthyAfter: number;
}

export interface BalancerOptions {
  readonly hosts: readonly Host[];
  readonly policy: 'round-robin' | 'least-in-flight' | 'two-choices';
  /** From 0 to below 1; all chance comes from here. @default Math.random */
  readonly random?: () => number;
  /** If it is left out, no host is ejected. */
  readonly ejection?: Ejection;
  /** If it is left out, all hosts are healthy. */
  readonly check?: Check;
  /** If fewer than so many percent of the hosts are left, all of them are used; from 0 to 100, @default 50 */
  readonly panicPercent?: number;
  /** For how long a host that comes in, or comes back, gets less than its share, in milliseconds; @default 0 */
  readonly slowStartMs?: number;
}

export interface HostReport {
  readonly name: string;
  /** Calls whose task has begun and has not ended. */
  readonly inFlight: number;
  readonly isEjected: boolean;
  /** What the checks say. */
  readonly isHealthy: boolean;
}

export interface Balancer {
  /**
   * Chooses a host, runs `task` with its name, and settles as it does.
   *
   * @throws {NoHostError} (as a rejection) when there is no host to choose; the task has not run
   */
  call<T>(task: (host: string) => T | PromiseLike<T>): Promise<T>;
  /** The whole list, as discovery has it now. A host that was on the list before keeps all that is known of it. */
  setHosts(hosts: readonly Host[]): void;
  /** In any order. */
  hosts(): readonly HostReport[];
  /** Ends all checks and leaves no timer behind. There are no calls after that. */
  stop(): void;
}

export class NoHostError extends Error {
  override readonly name = 'NoHostError';

  constructor() {
    super('There is no host that may be called.');
  }
}

/**
 * A balancer on the client's side. Ejection, panic and slow start after
 * [Envoy](https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier); two choices after M.
 * Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (2001).
 */
export function createBalancer(options: BalancerOptions): Balancer {
  throw new Error(
    'TODO: choose a host for each call, and learn from calls and checks who may be chosen',
  );
}
