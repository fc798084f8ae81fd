// #region answer
import { isDeepStrictEqual } from 'node:util';
// #endregion

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
  // #region answer: list each instance while its lease lasts, and tell whoever watches
  const services = new Map<string, Service>();
  const serviceOf = (name: string): Service => {
    const service = services.get(name) ?? new Service(options);
    services.set(name, service);
    return service;
  };
  return {
    register: (name, instance) => serviceOf(name).register(instance),
    instances: (name) => serviceOf(name).instances(),
    watch: (name, listener) => serviceOf(name).watch(listener),
  };
  // #endregion
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
  // #region answer: ask again and again, and keep what was last known
  const { lookup, refreshMs, timeoutMs, zone, minInZone, maxDepartures, dampMs } = options;
  let known: readonly Instance[] = [];
  let departures: { readonly id: string; readonly at: number }[] = [];
  let underWay: AbortController | undefined;
  let timer: NodeJS.Timeout | undefined;

  function ask(): void {
    const asking = new AbortController();
    const end = (answer: readonly Instance[]) => {
      // It was given up, or the resolver has stopped.
      if (underWay !== asking) return;
      underWay = undefined;
      clearTimeout(timer);
      timer = setTimeout(ask, refreshMs);
      if (answer.length > 0) learn(answer);
    };
    // A failed lookup says as much as an empty one: nothing.
    const fail = () => end([]);
    underWay = asking;
    timer = setTimeout(() => (fail(), asking.abort()), timeoutMs);
    new Promise<readonly Instance[]>((resolve) => resolve(lookup(asking.signal))).then(end, fail);
  }

  function learn(answer: readonly Instance[]): void {
    const at = performance.now();
    const ids = new Set(answer.map(({ id }) => id));
    const departed = known.filter(({ id }) => !ids.has(id)).map(({ id }) => ({ id, at }));
    departures = [...departures.filter((departure) => at - departure.at < dampMs), ...departed];
    known = copyOf(answer);
  }

  function isSteady({ id }: Instance): boolean {
    const now = performance.now();
    const recent = departures.filter((past) => past.id === id && now - past.at < dampMs);
    return recent.length < maxDepartures;
  }

  ask();
  return {
    instances() {
      const steady = known.filter(isSteady);
      const usable = steady.length > 0 ? steady : known;
      const near = usable.filter((instance) => instance.zone === zone);
      return copyOf(near.length >= minInZone ? near : usable);
    },
    stop() {
      clearTimeout(timer);
      underWay?.abort();
      underWay = undefined;
    },
  };
  // #endregion
}

// #region answer
/** One service: who is listed, and who watches. */
class Service {
  readonly #options: RegistryOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #watchers = new Set<Watcher>();
  #version = 0;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  register(given: Instance): Lease {
    const before = this.#entries.get(given.id);
    clearTimeout(before?.timer);
    const timer = setTimeout(() => this.#runOut(entry), this.#options.leaseMs);
    const entry: Entry = { instance: { ...given }, heardAt: performance.now(), timer };
    this.#entries.set(entry.instance.id, entry);
    if (!isDeepStrictEqual(before?.instance, entry.instance)) this.#tellAll();

    // By identity, not by id: there may be another entry with this id by then.
    const isOver = () => this.#entries.get(entry.instance.id) !== entry;
    return {
      renew: () => {
        if (isOver()) return false;
        entry.heardAt = performance.now();
        entry.timer.refresh();
        return true;
      },
      release: () => {
        if (!isOver()) this.#remove(entry);
      },
    };
  }

  instances(): Instance[] {
    return copyOf([...this.#entries.values()].map(({ instance }) => instance));
  }

  watch(listener: Watcher['listener']): () => void {
    const watcher: Watcher = { listener, told: -1 };
    this.#watchers.add(watcher);
    this.#tell(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #runOut(entry: Entry): void {
    const { quietMs, maxQuietShare } = this.#options;
    const now = performance.now();
    const all = [...this.#entries.values()];
    const quiet = all.filter(({ heardAt }) => now - heardAt >= quietMs);
    if (quiet.length > maxQuietShare * all.length) entry.timer.refresh();
    else this.#remove(entry);
  }

  #remove(entry: Entry): void {
    clearTimeout(entry.timer);
    this.#entries.delete(entry.instance.id);
    this.#tellAll();
  }

  #tellAll(): void {
    this.#version += 1;
    for (const watcher of this.#watchers) this.#tell(watcher);
  }

  #tell(watcher: Watcher): void {
    // A listener that changes the list has had all others told by the time it returns.
    if (watcher.told === this.#version) return;
    watcher.told = this.#version;
    try {
      watcher.listener(this.instances());
    } catch {
      // The listener's own affair: the others are to be told, and the instance has registered.
    }
  }
}

interface Entry {
  readonly instance: Instance;
  readonly timer: NodeJS.Timeout;
  heardAt: number;
}

interface Watcher {
  readonly listener: (instances: Instance[]) => void;
  /** The version of the list that it was told last. */
  told: number;
}

function copyOf(instances: readonly Instance[]): Instance[] {
  return instances.map((instance) => ({ ...instance }));
}
// #endregion
