/*
 * Probabilities are shares from 0 to 1, never percent. Whatever makes no sense is refused with a RangeError whose message
 * holds the parameter's name and the value.
 */

/** What a page calls: a call with its latency in milliseconds, or calls one after another, or side by side. */
export type Plan =
  | number
  | { readonly inSeries: readonly Plan[] }
  | { readonly inParallel: readonly Plan[] };

/** A part of the system at peak load. */
export interface Module {
  /** What its load needs in all, in cores; 0 or more. */
  readonly cores: number;
  /** What each process that holds it needs, in GB; 0 or more. */
  readonly memoryGb: number;
}

export interface Fleet {
  readonly instances: number;
  /** Of all instances together, in GB. */
  readonly memoryGb: number;
}

/** The probability that at least one of several independent things fails; 0 for none. Exact for tiny ones, too. */
export function anyFails(failures: readonly number[]): number {
  throw new Error('TODO: put several probabilities together without losing the tiny ones');
}

/** Minutes without service. @param days finite, above 0; a month has 30 here */
export function downtimeMinutes(failure: number, days = 30): number {
  throw new Error('TODO: say in minutes what a probability costs');
}

/**
 * The probability that fewer than `needed` of several replicas work.
 *
 * @param options.failure of each replica, independently of the others
 * @param options.replicas whole number, 1 to 100
 * @param options.needed whole number, 1 to `replicas`
 * @param options.shared the probability of what takes all down at once: a bad deploy, the zone, the database
 */
export function tooFewReplicas(options: {
  readonly failure: number;
  readonly replicas: number;
  readonly needed?: number;
  readonly shared?: number;
}): number {
  throw new Error('TODO: add up the ways in which too few replicas are left');
}

/** How a page fares: it fails with any hard dependency, and is degraded when only soft ones fail. */
export function pageOutcome(dependencies: {
  readonly hard: readonly number[];
  readonly soft: readonly number[];
}): { readonly fails: number; readonly degraded: number } {
  throw new Error('TODO: tell a page that fails from a page with parts missing');
}

/** How long a page takes: what runs one after another adds up, of what runs side by side the slowest counts. */
export function latencyMs(plan: Plan): number {
  throw new Error('TODO: add up the plan');
}

/**
 * The share of pages with at least one slow call. J. Dean and L. A. Barroso, The Tail at Scale (2013).
 *
 * @param options.slow the share of slow calls
 * @param options.calls that a page makes, side by side or one after another; whole number, 1 or more
 */
export function slowPages(options: { readonly slow: number; readonly calls: number }): number {
  throw new Error('TODO: find how many pages see the tail');
}

/** The share of calls that may be slow if no more than `slowPages` of the pages are to be. */
export function slowCallsAllowed(options: {
  readonly slowPages: number;
  readonly calls: number;
}): number {
  throw new Error('TODO: find how good each call has to be');
}

/**
 * How often the lowest service is called for one request, on average, when every layer above it retries.
 *
 * @param options.attempts of each layer, the first one included; whole numbers, 1 or more
 * @param options.failure of each call to the lowest service, whatever came before
 */
export function callsPerRequest(options: {
  readonly attempts: readonly number[];
  readonly failure: number;
}): number {
  throw new Error('TODO: multiply the layers, then count the calls');
}

/** How many requests are under way at any moment. J. D. C. Little, A Proof for the Queuing Formula L = λW (1961). */
export function inFlight(load: { readonly perSecond: number; readonly latencyMs: number }): number {
  throw new Error("TODO: apply Little's law");
}

/**
 * How many connections, threads or permits that takes.
 *
 * @param load.utilization the share of them that is to be in use; above 0, up to 1
 */
export function poolSize(load: {
  readonly perSecond: number;
  readonly latencyMs: number;
  readonly utilization: number;
}): number {
  throw new Error('TODO: leave room in the pool');
}

/**
 * What a peak costs when all modules are scaled as one program, and when each is scaled alone.
 *
 * @param options.coresPerInstance finite, above 0
 * @param options.fewest instances of each program, so that one may fail; whole number, 1 or more
 */
export function scaling(options: {
  readonly modules: readonly Module[];
  readonly coresPerInstance: number;
  readonly fewest: number;
}): { readonly asOne: Fleet; readonly apart: Fleet } {
  throw new Error('TODO: compare one program with many');
}
