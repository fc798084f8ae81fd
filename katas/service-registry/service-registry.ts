export interface Instance {
  /** Unique within its service; a process that restarts may register under the id it had before. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** Where it runs, such as `eu-1a`. */
  readonly zone: string;
}

export interface RegistryOptions {
  /** How long a lease lasts after the last heartbeat, in milliseconds; above 0. */
  readonly leaseMs: number;
  /** How long nothing has to be heard from an instance until it is quiet; above 0, at most `leaseMs`. */
  readonly quietMs: number;
  /** While more than this share of a service is quiet, none of its leases ends by itself; 0 to 1. */
  readonly maxQuietShare: number;
}

/** What an instance holds as long as it is listed. A newer lease of the same instance ends it. */
export interface Lease {
  /** The heartbeat. `false` says that this lease has ended: register again. */
  renew(): boolean;
  /** Ends the lease, and with it the entry in the list. Does nothing if the lease has ended already. */
  release(): void;
}

export interface Registry {
  /** Lists the instance, in place of one with the same id. It is heard from by that. */
  register(service: string, instance: Instance): Lease;
  /** Who is listed now, in any order. The list is the caller's own. */
  instances(service: string): Instance[];
  /**
   * Tells the listener who is listed, now and after each change. What it throws is dropped.
   *
   * @returns a function that stops that
   */
  watch(service: string, listener: (instances: Instance[]) => void): () => void;
}

/**
 * A registry of instances that hold leases, after Gray and Cheriton (1989). When most of a service falls silent it does
 * as Eureka does, and Kubernetes' node controller: it takes that for a failure of the network, not of the service.
 */
export function createRegistry(options: RegistryOptions): Registry {
  throw new Error('TODO: list each instance while its lease lasts, and tell whoever watches');
}

export interface ResolverOptions {
  /** Asks the registry. It may fail, hang, answer late, and ignore the signal. */
  readonly lookup: (signal: AbortSignal) => Promise<readonly Instance[]>;
  /** How long to wait until the next lookup, in milliseconds; above 0. */
  readonly refreshMs: number;
  /** After how long a lookup is given up; above 0. */
  readonly timeoutMs: number;
  /** Where the caller runs. */
  readonly zone: string;
  /** With how many usable instances the caller's zone is enough for itself; whole number, 1 or more. */
  readonly minInZone: number;
  /** After how many departures within `dampMs` an instance is withheld; whole number, 1 or more. */
  readonly maxDepartures: number;
  /** How long a departure counts, in milliseconds; above 0. */
  readonly dampMs: number;
}

export interface Resolver {
  /** Whom to call now, in any order; empty until the first answer. The list is the caller's own. */
  instances(): Instance[];
  /** Asks no more. The list stays as it is. */
  stop(): void;
}

/** The caller's side: the list that was last known, whatever has become of the registry since. */
export function createResolver(options: ResolverOptions): Resolver {
  throw new Error('TODO: ask again and again, and keep what was last known');
}
