// #region answer
import { setTimeout as sleep } from 'node:timers/promises';
// #endregion

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
  // #region answer: choose a host for each call, and learn from calls and checks who may be chosen
  const { policy, random = Math.random, panicPercent = 50, slowStartMs = 0 } = options;
  const { ejection, check } = options;
  const members = new Map<string, Member>();

  function candidates(): Member[] {
    const all = [...members.values()];
    const available = all.filter((member) => !isOut(member));
    return available.length * 100 < panicPercent * all.length ? all : available;
  }

  function weightNow(member: Member): number {
    const inForMs = performance.now() - Math.max(member.cameInAt, member.ejectedUntil);
    // Who is out is only asked in a panic, and then all are alike.
    if (inForMs >= slowStartMs || isOut(member)) return member.weight;
    return member.weight * Math.max(0.1, inForMs / slowStartMs);
  }

  function choose(): Member {
    let hosts = candidates();
    if (hosts.length === 0) throw new NoHostError();
    if (policy === 'two-choices') hosts = twoOf(hosts, random);
    if (policy !== 'round-robin') hosts = leastLoaded(hosts, weightNow);
    return nextInTurn(hosts, weightNow);
  }

  function learn(member: Member, begunAt: number, outcome: 'success' | 'failure'): void {
    // What began before the host was ejected, or while it was, is news of the past.
    if (!ejection || begunAt < member.ejectedUntil) return;
    if (outcome === 'success') {
      member.failuresInRow = 0;
      member.ejectionsInRow = 0;
      return;
    }
    member.failuresInRow += 1;
    const ejected = [...members.values()].filter(isEjected).length;
    const mayGo = (ejected + 1) * 100 <= ejection.maxPercent * members.size;
    if (member.failuresInRow < ejection.failures || !mayGo) return;
    member.failuresInRow = 0;
    member.ejectionsInRow += 1;
    const ejectedForMs = Math.min(ejection.baseMs * member.ejectionsInRow, ejection.maxMs);
    member.ejectedUntil = performance.now() + ejectedForMs;
  }

  async function keepChecking(member: Member, by: Check): Promise<void> {
    const { signal } = member.leaves;
    let against = 0;
    while (!signal.aborted) {
      const passed = await passes(by, member);
      against = passed === member.isHealthy ? 0 : against + 1;
      if (against === (passed ? by.healthyAfter : by.unhealthyAfter)) {
        against = 0;
        member.isHealthy = passed;
        if (passed) member.cameInAt = performance.now();
      }
      await sleep(by.intervalMs, undefined, { signal }).catch(() => {});
    }
  }

  function join({ name, weight = 1 }: Host, cameInAt: number): void {
    const member: Member = {
      name,
      weight,
      cameInAt,
      owed: 0,
      inFlight: 0,
      failuresInRow: 0,
      ejectionsInRow: 0,
      ejectedUntil: -Infinity,
      isHealthy: true,
      leaves: new AbortController(),
    };
    members.set(name, member);
    if (check) void keepChecking(member, check);
  }

  for (const host of options.hosts) join(host, -Infinity);

  return {
    async call(task) {
      const member = choose();
      const begunAt = performance.now();
      member.inFlight += 1;
      try {
        const value = await task(member.name);
        learn(member, begunAt, 'success');
        return value;
      } catch (error) {
        if (ejection?.isFailure(error)) learn(member, begunAt, 'failure');
        throw error;
      } finally {
        // The host by identity: under its name there may be another one by now.
        member.inFlight -= 1;
      }
    },
    setHosts(hosts) {
      const names = new Set(hosts.map(({ name }) => name));
      for (const member of members.values()) {
        if (names.has(member.name)) continue;
        members.delete(member.name);
        member.leaves.abort();
      }
      for (const host of hosts) {
        const known = members.get(host.name);
        if (known) known.weight = host.weight ?? 1;
        else join(host, performance.now());
      }
    },
    hosts() {
      return [...members.values()].map((member) => ({
        name: member.name,
        inFlight: member.inFlight,
        isEjected: isEjected(member),
        isHealthy: member.isHealthy,
      }));
    },
    stop() {
      for (const { leaves } of members.values()) leaves.abort();
    },
  };
  // #endregion
}

// #region answer
interface Member {
  readonly name: string;
  weight: number;
  /** How many calls it should have had by now, less those it has had. */
  owed: number;
  inFlight: number;
  failuresInRow: number;
  ejectionsInRow: number;
  ejectedUntil: number;
  isHealthy: boolean;
  /** When it was added, or its checks passed again. */
  cameInAt: number;
  /** Aborted when it is off the list, or the balancer stops. */
  readonly leaves: AbortController;
}

const isEjected = ({ ejectedUntil }: Member): boolean => performance.now() < ejectedUntil;
const isOut = (member: Member): boolean => isEjected(member) || !member.isHealthy;

/** With each call everybody is owed its share of a call, and the one who gets it has had a whole one. */
function nextInTurn(hosts: readonly Member[], weightOf: (member: Member) => number): Member {
  const total = hosts.reduce((sum, member) => sum + weightOf(member), 0);
  for (const member of hosts) member.owed += weightOf(member) / total;
  const next = hosts.reduce((most, member) => (member.owed > most.owed ? member : most));
  next.owed -= 1;
  return next;
}

function leastLoaded(hosts: Member[], weightOf: (member: Member) => number): Member[] {
  const loadOf = (member: Member) => (member.inFlight + 1) / weightOf(member);
  const least = Math.min(...hosts.map(loadOf));
  return hosts.filter((member) => loadOf(member) === least);
}

/** Two different ones, if there are two. */
function twoOf(hosts: Member[], random: () => number): Member[] {
  const rest = [...hosts];
  return [1, 2].flatMap(() => rest.splice(Math.floor(random() * rest.length), 1));
}

async function passes({ run, timeoutMs }: Check, { name, leaves }: Member): Promise<boolean> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  const signal = AbortSignal.any([timeout.signal, leaves.signal]);
  const aborted = new Promise<boolean>((resolve) => {
    signal.addEventListener('abort', () => resolve(false));
  });
  const result = new Promise((resolve) => resolve(run(name, signal))).then(
    () => true,
    () => false,
  );
  const passed = await Promise.race([result, aborted]);
  clearTimeout(timer);
  return passed;
}
// #endregion
