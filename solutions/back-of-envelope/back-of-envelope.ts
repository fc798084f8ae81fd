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
  // #region answer: put several probabilities together without losing the tiny ones
  let logOfAllWell = 0;
  for (const failure of failures) logOfAllWell += Math.log1p(-share(failure, 'failures'));
  // 1 − 1e−17 is 1 in floating point: whoever multiplies availabilities has lost the tiny ones before the first step.
  return 0 - Math.expm1(logOfAllWell);
  // #endregion
}

/** Minutes without service. @param days finite, above 0; a month has 30 here */
export function downtimeMinutes(failure: number, days = 30): number {
  // #region answer: say in minutes what a probability costs
  return share(failure, 'failure') * above0(days, 'days') * MINUTES_A_DAY;
  // #endregion
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
  // #region answer: add up the ways in which too few replicas are left
  const { needed = 1, shared = 0 } = options;
  const replicas = whole(options.replicas, 'replicas', 100);
  const down = share(options.failure, 'failure');
  whole(needed, 'needed', replicas);

  let tooFew = 0;
  let ways = 1;
  for (let up = 0; up < needed; up += 1) {
    tooFew += ways * (1 - down) ** up * down ** (replicas - up);
    ways *= (replicas - up) / (up + 1);
  }
  return anyFails([share(shared, 'shared'), Math.min(1, tooFew)]);
  // #endregion
}

/** How a page fares: it fails with any hard dependency, and is degraded when only soft ones fail. */
export function pageOutcome(dependencies: {
  readonly hard: readonly number[];
  readonly soft: readonly number[];
}): { readonly fails: number; readonly degraded: number } {
  // #region answer: tell a page that fails from a page with parts missing
  const fails = anyFails(dependencies.hard);
  // Not 1 − fails: when nearly all fails, nothing of the little that is left would be right.
  const noneFails = dependencies.hard.reduce((well, failure) => well * (1 - failure), 1);
  return { fails, degraded: noneFails * anyFails(dependencies.soft) };
  // #endregion
}

/** How long a page takes: what runs one after another adds up, of what runs side by side the slowest counts. */
export function latencyMs(plan: Plan): number {
  // #region answer: add up the plan
  if (typeof plan === 'number') return atLeast0(plan, 'plan');
  if ('inSeries' in plan) return sum(plan.inSeries.map(latencyMs));
  return Math.max(0, ...plan.inParallel.map(latencyMs));
  // #endregion
}

/**
 * The share of pages with at least one slow call. J. Dean and L. A. Barroso, The Tail at Scale (2013).
 *
 * @param options.slow the share of slow calls
 * @param options.calls that a page makes, side by side or one after another; whole number, 1 or more
 */
export function slowPages(options: { readonly slow: number; readonly calls: number }): number {
  // #region answer: find how many pages see the tail
  const slow = share(options.slow, 'slow');
  return 0 - Math.expm1(whole(options.calls, 'calls') * Math.log1p(-slow));
  // #endregion
}

/** The share of calls that may be slow if no more than `slowPages` of the pages are to be. */
export function slowCallsAllowed(options: {
  readonly slowPages: number;
  readonly calls: number;
}): number {
  // #region answer: find how good each call has to be
  const target = share(options.slowPages, 'slowPages');
  return 0 - Math.expm1(Math.log1p(-target) / whole(options.calls, 'calls'));
  // #endregion
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
  // #region answer: multiply the layers, then count the calls
  // Layers that retry are one layer with the product of their attempts: the innermost success ends them all.
  let attempts = 1;
  for (const each of options.attempts) attempts *= whole(each, 'attempts');
  const success = 1 - share(options.failure, 'failure');
  if (success === 0) return attempts;
  return (0 - Math.expm1(attempts * Math.log1p(-success))) / success;
  // #endregion
}

/** How many requests are under way at any moment. J. D. C. Little, A Proof for the Queuing Formula L = λW (1961). */
export function inFlight(load: { readonly perSecond: number; readonly latencyMs: number }): number {
  // #region answer: apply Little's law
  const perSecond = atLeast0(load.perSecond, 'perSecond');
  return (perSecond * atLeast0(load.latencyMs, 'latencyMs')) / 1_000;
  // #endregion
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
  // #region answer: leave room in the pool
  return wholeUp(inFlight(load) / above0(share(load.utilization, 'utilization'), 'utilization'));
  // #endregion
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
  // #region answer: compare one program with many
  const perInstance = above0(options.coresPerInstance, 'coresPerInstance');
  const fewest = whole(options.fewest, 'fewest');
  const fleetOf = (modules: readonly Module[]): Fleet => {
    const cores = sum(modules.map((module) => atLeast0(module.cores, 'cores')));
    const memoryGb = sum(modules.map((module) => atLeast0(module.memoryGb, 'memoryGb')));
    const instances = Math.max(fewest, wholeUp(cores / perInstance));
    return { instances, memoryGb: instances * memoryGb };
  };
  const fleets = options.modules.map((module) => fleetOf([module]));
  return {
    asOne: fleetOf(options.modules),
    apart: {
      instances: sum(fleets.map(({ instances }) => instances)),
      memoryGb: sum(fleets.map(({ memoryGb }) => memoryGb)),
    },
  };
  // #endregion
}

// #region answer
const MINUTES_A_DAY = 24 * 60;

/** Less than this, as a share, is rounding: 700 × 0.03 / 0.7 comes out a little above 30, and 30 is meant. */
const ROUNDING = 1e-12;

function wholeUp(value: number): number {
  return Math.ceil(value * (1 - ROUNDING));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function share(value: number, name: string): number {
  return checked(value >= 0 && value <= 1, value, name, 'a share from 0 to 1');
}

function above0(value: number, name: string): number {
  return checked(value > 0 && value < Infinity, value, name, 'a number above 0');
}

function atLeast0(value: number, name: string): number {
  return checked(value >= 0 && value < Infinity, value, name, '0 or more');
}

function whole(value: number, name: string, most = Number.MAX_SAFE_INTEGER): number {
  const isRight = Number.isInteger(value) && value >= 1 && value <= most;
  return checked(isRight, value, name, `a whole number from 1 to ${most}`);
}

function checked(isRight: boolean, value: number, name: string, expected: string): number {
  if (!isRight) throw new RangeError(`${name} must be ${expected}, not ${value}.`);
  return value;
}
// #endregion
