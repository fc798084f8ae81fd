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

/** A balancer on the client's side, after Envoy's ejection, panic and slow start. */
export function createBalancer(options: BalancerOptions): Balancer {
  return new PoolBalancer(options);
}

/**
 * The other usual shape: a class for the pool and one for each server. Turns are deadlines, as in Envoy and gRPC: each
 * server is due once in every period of 1 / weight, and of those whose period has begun the one that is due first gets
 * the call. Ejections and checks are timers that change a state, instead of times that are compared.
 */
class PoolBalancer implements Balancer {
  readonly #options: BalancerOptions;
  #servers: readonly Server[];
  /** How far the turns have come: with every call by 1 / the sum of the weights. */
  #turn = 0;
  #calls = 0;

  constructor(options: BalancerOptions) {
    this.#options = options;
    this.#servers = options.hosts.map((host) => new Server(host, this.#options, -Infinity));
  }

  async call<T>(task: (host: string) => T | PromiseLike<T>): Promise<T> {
    const server = this.#choose();
    return server.serve(task, () => this.#mayEject());
  }

  setHosts(hosts: readonly Host[]): void {
    const before = new Map(this.#servers.map((server) => [server.name, server]));
    this.#servers = hosts.map((host) => {
      const known = before.get(host.name);
      before.delete(host.name);
      if (!known) return new Server(host, this.#options, performance.now());
      known.weight = host.weight ?? 1;
      return known;
    });
    for (const server of before.values()) server.leave();
  }

  hosts(): readonly HostReport[] {
    return this.#servers.map((server) => server.report);
  }

  stop(): void {
    for (const server of this.#servers) server.leave();
  }

  #mayEject(): boolean {
    const ejected = this.#servers.filter((server) => server.isEjected).length;
    const limit = ((this.#options.ejection?.maxPercent ?? 0) * this.#servers.length) / 100;
    return ejected < Math.floor(limit);
  }

  #choose(): Server {
    const { policy, panicPercent = 50, random = Math.random } = this.#options;
    const left = this.#servers.filter((server) => server.isIn);
    const isPanic = left.length < (this.#servers.length * panicPercent) / 100;
    const candidates = isPanic ? [...this.#servers] : left;
    if (policy === 'two-choices') {
      while (candidates.length > 2) {
        candidates.splice(Math.floor(random() * candidates.length), 1);
      }
    }
    if (candidates.length === 0) throw new NoHostError();
    this.#calls += 1;
    const next =
      policy === 'round-robin' ? this.#nextInTurn(candidates) : candidates.reduce(lessLoaded);
    next.lastCall = this.#calls;
    return next;
  }

  #nextInTurn(candidates: readonly Server[]): Server {
    for (const server of candidates) server.takesPart(this.#calls, this.#turn);
    const hasBegun = candidates.filter((server) => server.periodFrom <= this.#turn + ROUNDING);
    const next = (hasBegun.length > 0 ? hasBegun : candidates).reduce(dueFirst);
    next.beginsNextPeriod();
    this.#turn += 1 / candidates.reduce((sum, server) => sum + server.weightNow, 0);
    return next;
  }
}

/** What sums of fractions differ by. */
const ROUNDING = 1e-9;

class Server {
  readonly name: string;
  weight: number;
  /** It is due once in this period. */
  periodFrom = 0;
  dueAt = 0;
  /** The number of the last call that it got. */
  lastCall = 0;
  /** The number of the last call that it could have got. */
  #tookPartIn = -1;
  readonly #options: BalancerOptions;
  readonly #underWay = new Set<object>();
  #cameInAt: number;
  #failures = 0;
  #ejections = 0;
  #ejected: NodeJS.Timeout | undefined;
  /** Calls that may tell something: those that began since the last change of `#ejected`. */
  #trusted = new WeakSet<object>();
  #isHealthy = true;
  #checks: boolean[] = [];
  #nextCheck: NodeJS.Timeout | undefined;
  #check: AbortController | undefined;
  #hasLeft = false;

  constructor({ name, weight = 1 }: Host, options: BalancerOptions, cameInAt: number) {
    this.name = name;
    this.weight = weight;
    this.#options = options;
    this.#cameInAt = cameInAt;
    const { check } = options;
    if (!check) return;
    this.#nextCheck = setInterval(() => this.#beginCheck(check), check.intervalMs);
  }

  get isEjected(): boolean {
    return this.#ejected !== undefined;
  }

  get isIn(): boolean {
    return this.#isHealthy && !this.isEjected;
  }

  /** Whoever was out, or is new, has its first period from now on, and makes up for nothing. */
  takesPart(call: number, now: number): void {
    if (this.#tookPartIn < call - 1) {
      this.dueAt = now;
      this.beginsNextPeriod();
    }
    this.#tookPartIn = call;
  }

  beginsNextPeriod(): void {
    this.periodFrom = this.dueAt;
    this.dueAt += 1 / this.weightNow;
  }

  get weightNow(): number {
    const { slowStartMs = 0 } = this.#options;
    // Who is out is only asked in a panic, and then all are alike.
    if (slowStartMs === 0 || !this.isIn) return this.weight;
    const part = (performance.now() - this.#cameInAt) / slowStartMs;
    return this.weight * Math.min(1, Math.max(0.1, part));
  }

  get load(): number {
    return (this.#underWay.size + 1) / this.weightNow;
  }

  get report(): HostReport {
    const { name, isEjected } = this;
    return { name, inFlight: this.#underWay.size, isEjected, isHealthy: this.#isHealthy };
  }

  async serve<T>(task: (host: string) => T | PromiseLike<T>, mayEject: () => boolean): Promise<T> {
    const call = {};
    this.#underWay.add(call);
    if (!this.isEjected) this.#trusted.add(call);
    try {
      const value = await task(this.name);
      if (this.#trusted.has(call)) {
        this.#failures = 0;
        this.#ejections = 0;
      }
      return value;
    } catch (error) {
      if (this.#trusted.has(call)) this.#hasFailed(error, mayEject);
      throw error;
    } finally {
      this.#underWay.delete(call);
    }
  }

  leave(): void {
    this.#hasLeft = true;
    clearInterval(this.#nextCheck);
    clearTimeout(this.#ejected);
    this.#check?.abort();
  }

  #hasFailed(error: unknown, mayEject: () => boolean): void {
    const { ejection } = this.#options;
    if (!ejection?.isFailure(error)) return;
    this.#failures += 1;
    if (this.#failures < ejection.failures || this.#hasLeft || !mayEject()) return;
    this.#failures = 0;
    this.#ejections += 1;
    this.#trusted = new WeakSet();
    const forMs = Math.min(ejection.maxMs, ejection.baseMs * this.#ejections);
    this.#ejected = setTimeout(() => {
      this.#ejected = undefined;
      this.#cameInAt = performance.now();
    }, forMs);
  }

  #beginCheck(check: Check): void {
    if (this.#check) return;
    const current = new AbortController();
    this.#check = current;
    const timer = setTimeout(() => {
      end(false);
      current.abort();
    }, check.timeoutMs);
    const end = (passed: boolean) => {
      if (this.#check !== current) return;
      this.#check = undefined;
      clearTimeout(timer);
      if (!this.#hasLeft) this.#learn(check, passed);
    };
    current.signal.addEventListener('abort', () => end(false));
    const run = async () => check.run(this.name, current.signal);
    run().then(
      () => end(true),
      () => end(false),
    );
  }

  /** The last results decide: all failed, or all passed. */
  #learn({ unhealthyAfter, healthyAfter }: Check, passed: boolean): void {
    const needed = this.#isHealthy ? unhealthyAfter : healthyAfter;
    this.#checks = [...this.#checks, passed].slice(-needed);
    if (this.#checks.length < needed || this.#checks.includes(this.#isHealthy)) return;
    this.#checks = [];
    this.#isHealthy = passed;
    if (passed) this.#cameInAt = performance.now();
  }
}

const dueFirst = (one: Server, other: Server): Server => (other.dueAt < one.dueAt ? other : one);

/** Of two that are alike, the one whose last call is longer ago. */
function lessLoaded(one: Server, other: Server): Server {
  if (one.load === other.load) return other.lastCall < one.lastCall ? other : one;
  return other.load < one.load ? other : one;
}
