import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

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
  return new LazyRegistry(options);
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
  return new PatientResolver(options);
}

/**
 * The other usual shape: no timer for each lease. Leases that have run out are found when somebody looks, and are then
 * judged one after another, each as of the moment in which it ran out. One timer, for the end that comes next, is set
 * only while somebody watches. Watchers are told in a job of their own, so changes of one step are told together.
 */
class LazyRegistry implements Registry {
  readonly #options: RegistryOptions;
  readonly #services = new Map<string, Page>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  register(service: string, given: Instance): Lease {
    const page = this.#pageOf(service);
    const now = performance.now();
    const line: Line = {
      instance: { ...given },
      heardAt: now,
      endsAt: now + this.#options.leaseMs,
    };
    const { id } = line.instance;
    page.lines = [...page.lines.filter((other) => other.instance.id !== id), line];
    this.#changed(page);

    const isListed = () => this.#pageOf(service).lines.includes(line);
    return {
      renew: () => {
        if (!isListed()) return false;
        line.heardAt = performance.now();
        line.endsAt = line.heardAt + this.#options.leaseMs;
        return true;
      },
      release: () => {
        if (!isListed()) return;
        page.lines = page.lines.filter((other) => other !== line);
        this.#changed(page);
      },
    };
  }

  instances(service: string): Instance[] {
    return listOf(this.#pageOf(service));
  }

  watch(service: string, listener: (instances: Instance[]) => void): () => void {
    const page = this.#pageOf(service);
    const watcher: Watcher = { listener, told: undefined };
    page.watchers.push(watcher);
    this.#changed(page);
    return () => {
      page.watchers = page.watchers.filter((other) => other !== watcher);
      if (page.watchers.length === 0) clearTimeout(page.timer);
    };
  }

  /** The page of a service as it is by now. */
  #pageOf(service: string): Page {
    const page = this.#services.get(service) ?? { lines: [], watchers: [], timer: undefined };
    this.#services.set(service, page);
    for (let next = firstToEnd(page); next; next = firstToEnd(page)) {
      if (next.endsAt > performance.now()) break;
      this.#judge(page, next);
    }
    return page;
  }

  #judge(page: Page, line: Line): void {
    const { leaseMs, quietMs, maxQuietShare } = this.#options;
    const quiet = page.lines.filter(({ heardAt }) => line.endsAt - heardAt >= quietMs);
    if (quiet.length > maxQuietShare * page.lines.length) {
      line.endsAt += leaseMs;
      return;
    }
    page.lines = page.lines.filter((other) => other !== line);
    this.#changed(page);
  }

  #changed(page: Page): void {
    queueMicrotask(() => {
      for (const watcher of page.watchers) if (page.watchers.includes(watcher)) tell(watcher, page);
      this.#watchTheClock(page);
    });
  }

  #watchTheClock(page: Page): void {
    clearTimeout(page.timer);
    const next = firstToEnd(page);
    if (!next || page.watchers.length === 0) return;
    page.timer = setTimeout(() => {
      for (const service of this.#services.keys()) this.#pageOf(service);
      this.#watchTheClock(page);
    }, next.endsAt - performance.now());
  }
}

/** All that is known of a service. */
interface Page {
  lines: Line[];
  watchers: Watcher[];
  timer: NodeJS.Timeout | undefined;
}

interface Line {
  readonly instance: Instance;
  heardAt: number;
  endsAt: number;
}

interface Watcher {
  readonly listener: (instances: Instance[]) => void;
  /** The list that it was told last, as text. */
  told: string | undefined;
}

function firstToEnd({ lines }: Page): Line | undefined {
  return lines.toSorted((a, b) => a.endsAt - b.endsAt)[0];
}

function listOf({ lines }: Page): Instance[] {
  return lines.map(({ instance }) => ({ ...instance }));
}

function tell(watcher: Watcher, page: Page): void {
  const list = listOf(page).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const text = JSON.stringify(list, ['id', 'host', 'port', 'zone']);
  if (watcher.told === text) return;
  watcher.told = text;
  try {
    watcher.listener(list);
  } catch {
    // The others are to be told all the same.
  }
}

/** A loop that asks and sleeps, and that remembers of each instance when it departed. */
class PatientResolver implements Resolver {
  readonly #options: ResolverOptions;
  readonly #stopped = new AbortController();
  /** When the instances departed, by id; also of those that are back. */
  readonly #departures = new Map<string, number[]>();
  #known: readonly Instance[] = [];

  constructor(options: ResolverOptions) {
    this.#options = options;
    void this.#keepAsking();
  }

  instances(): Instance[] {
    const { zone, minInZone, maxDepartures } = this.#options;
    const steady = this.#known.filter(({ id }) => this.#recent(id).length < maxDepartures);
    const usable = steady.length > 0 ? steady : this.#known;
    const near = usable.filter((instance) => instance.zone === zone);
    return (near.length < minInZone ? usable : near).map((instance) => ({ ...instance }));
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #keepAsking(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const answer = await this.#ask();
      if (signal.aborted) return;
      if (answer.length > 0) this.#learn(answer);
      await sleep(this.#options.refreshMs, undefined, { signal }).catch(() => {});
    }
  }

  /** What the registry says; nothing, if it says nothing in time. */
  async #ask(): Promise<readonly Instance[]> {
    const over = new AbortController();
    const end = () => over.abort();
    const timer = setTimeout(end, this.#options.timeoutMs);
    this.#stopped.signal.addEventListener('abort', end);
    const givenUp = once(over.signal, 'abort').then(() => []);
    try {
      return await Promise.race([this.#options.lookup(over.signal), givenUp]);
    } catch {
      return [];
    } finally {
      clearTimeout(timer);
      this.#stopped.signal.removeEventListener('abort', end);
    }
  }

  #learn(answer: readonly Instance[]): void {
    const ids = new Set(answer.map(({ id }) => id));
    for (const { id } of this.#known) {
      if (!ids.has(id)) this.#departures.set(id, [...this.#recent(id), performance.now()]);
    }
    for (const id of this.#departures.keys()) {
      if (this.#recent(id).length === 0) this.#departures.delete(id);
    }
    this.#known = answer.map((instance) => ({ ...instance }));
  }

  #recent(id: string): number[] {
    const past = this.#departures.get(id) ?? [];
    return past.filter((at) => performance.now() - at < this.#options.dampMs);
  }
}
