/*
 * No logarithms: probabilities are put together two at a time, by `either`, and many equal ones by doubling.
 */
export type Plan =
  | number
  | { readonly inSeries: readonly Plan[] }
  | { readonly inParallel: readonly Plan[] };

export interface Module {
  readonly cores: number;
  readonly memoryGb: number;
}

export interface Fleet {
  readonly instances: number;
  readonly memoryGb: number;
}

/** A value and the name that it has for whoever passed it. */
type Named = Record<string, number>;

export function anyFails(failures: readonly number[]): number {
  for (const each of failures) refuseUnless(isShare, { failures: each });
  return failures.reduce(either, 0);
}

export function downtimeMinutes(failure: number, days = 30): number {
  refuseUnless(isShare, { failure });
  refuseUnless(isPositive, { days });
  return failure * days * 1_440;
}

export function tooFewReplicas({
  failure,
  replicas,
  needed = 1,
  shared = 0,
}: {
  readonly failure: number;
  readonly replicas: number;
  readonly needed?: number;
  readonly shared?: number;
}): number {
  refuseUnless(isShare, { failure, shared });
  refuseUnless((value) => isCount(value) && value <= 100, { replicas });
  refuseUnless((value) => isCount(value) && value <= replicas, { needed });
  // up[k] is the probability that k of the replicas looked at so far work.
  let up = [1];
  for (let replica = 0; replica < replicas; replica += 1) {
    up = [...up, 0].map((same, k) => same * failure + (up[k - 1] ?? 0) * (1 - failure));
  }
  const tooFew = up.slice(0, needed).reduce((total, each) => total + each, 0);
  return either(Math.min(tooFew, 1), shared);
}

export function pageOutcome({
  hard,
  soft,
}: {
  readonly hard: readonly number[];
  readonly soft: readonly number[];
}): { readonly fails: number; readonly degraded: number } {
  let degraded = anyFails(soft);
  for (const failure of hard) degraded *= 1 - failure;
  return { fails: anyFails(hard), degraded };
}

export function latencyMs(plan: Plan): number {
  if (typeof plan === 'number') {
    refuseUnless(isAmount, { plan });
    return plan;
  }
  let total = 0;
  if ('inSeries' in plan) for (const part of plan.inSeries) total += latencyMs(part);
  else for (const part of plan.inParallel) total = Math.max(total, latencyMs(part));
  return total;
}

export function slowPages({
  slow,
  calls,
}: {
  readonly slow: number;
  readonly calls: number;
}): number {
  refuseUnless(isShare, { slow });
  refuseUnless(isCount, { calls });
  let [pages, doubled] = [0, slow];
  for (let left = calls; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) pages = either(pages, doubled);
    doubled = either(doubled, doubled);
  }
  return pages;
}

export function slowCallsAllowed({
  slowPages: target,
  calls,
}: {
  readonly slowPages: number;
  readonly calls: number;
}): number {
  refuseUnless(isShare, { slowPages: target });
  refuseUnless(isCount, { calls });
  // Between what would be enough if no two calls were ever slow together, and the target itself: halve and look.
  let [low, high] = [target / calls, target];
  for (let step = 0; step < 200; step += 1) {
    const middle = (low + high) / 2;
    if (slowPages({ slow: middle, calls }) <= target) low = middle;
    else high = middle;
  }
  return low;
}

export function callsPerRequest({
  attempts,
  failure,
}: {
  readonly attempts: readonly number[];
  readonly failure: number;
}): number {
  for (const each of attempts) refuseUnless(isCount, { attempts: each });
  refuseUnless(isShare, { failure });
  // 1 + f + f² + … for all layers as one: [sum of n terms, fⁿ], doubled and added as in a power.
  let [sum, power] = [0, 1];
  let [sumDoubled, powerDoubled] = [1, failure];
  for (
    let left = attempts.reduce((product, each) => product * each, 1);
    left > 0;
    left = Math.floor(left / 2)
  ) {
    if (left % 2 === 1) [sum, power] = [sum + power * sumDoubled, power * powerDoubled];
    [sumDoubled, powerDoubled] = [sumDoubled * (1 + powerDoubled), powerDoubled ** 2];
  }
  return sum;
}

export function inFlight(load: { readonly perSecond: number; readonly latencyMs: number }): number {
  refuseUnless(isAmount, { perSecond: load.perSecond, latencyMs: load.latencyMs });
  return load.perSecond * (load.latencyMs / 1_000);
}

export function poolSize(load: {
  readonly perSecond: number;
  readonly latencyMs: number;
  readonly utilization: number;
}): number {
  refuseUnless((value) => isPositive(value) && value <= 1, { utilization: load.utilization });
  return wholeUp(inFlight(load) / load.utilization);
}

export function scaling({
  modules,
  coresPerInstance,
  fewest,
}: {
  readonly modules: readonly Module[];
  readonly coresPerInstance: number;
  readonly fewest: number;
}): { readonly asOne: Fleet; readonly apart: Fleet } {
  refuseUnless(isPositive, { coresPerInstance });
  refuseUnless(isCount, { fewest });
  let [allCores, allMemory] = [0, 0];
  const apart = { instances: 0, memoryGb: 0 };
  const instancesFor = (cores: number) => Math.max(wholeUp(cores / coresPerInstance), fewest);
  for (const { cores, memoryGb } of modules) {
    refuseUnless(isAmount, { cores, memoryGb });
    allCores += cores;
    allMemory += memoryGb;
    apart.instances += instancesFor(cores);
    apart.memoryGb += instancesFor(cores) * memoryGb;
  }
  const instances = instancesFor(allCores);
  return { asOne: { instances, memoryGb: instances * allMemory }, apart };
}

/** Of two independent things: exact for tiny ones, as nothing is taken away from 1 that matters. */
function either(a: number, b: number): number {
  return a + b * (1 - a);
}

/** The nearest whole number if that is what is meant, else the next one. */
function wholeUp(value: number): number {
  const nearest = Math.round(value);
  return Math.abs(value - nearest) <= value * 1e-11 ? nearest : Math.ceil(value);
}

function refuseUnless(isSound: (value: number) => boolean, values: Named): void {
  for (const [name, value] of Object.entries(values)) {
    if (!isSound(value)) throw new RangeError(`${value} is no ${name}`);
  }
}

function isShare(value: number): boolean {
  return value >= 0 && value <= 1;
}

function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

function isPositive(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}
