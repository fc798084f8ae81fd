import { performance } from 'node:perf_hooks';

export interface Variant {
  readonly name: string;
  /** Share of those who take part, in percent: 0 to 100, in steps of 0.1. */
  readonly weight: number;
}

export interface RollbackRule {
  /** How far back requests count, in milliseconds from the moment they were reported; above 0. */
  readonly windowMs: number;
  /** With fewer requests in the window, of the variant or of the baseline, nothing is known; whole number, 1 or more. */
  readonly minimumRequests: number;
  /** By how much its error rate may exceed the baseline's: 0.01 is one percentage point; 0 or more. */
  readonly errorBudget: number;
}

export interface SplitOptions {
  /** Its name. Experiments of different names have nothing to do with each other. */
  readonly experiment: string;
  /** What there is to choose from. The first is the baseline, which also serves all who do not take part. */
  readonly variants: readonly Variant[];
  /** Share of the users who take part, in percent: 0 to 100, in steps of 0.1. */
  readonly percent: number;
  /** The header by which a tester asks for a variant, in upper or lower case; @default there is none */
  readonly overrideHeader?: string;
  readonly rollback: RollbackRule;
}

export interface SplitRequest {
  /** A stable key: the login, or an id in a cookie that lasts. */
  readonly userId: string;
  /** Names in upper or lower case; @default none */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What has been chosen for one request. */
export interface Choice {
  /** The variant's name, for as long as the request takes. */
  readonly variant: string;
  /** Tells how the request has ended. The first call counts, further ones do nothing. */
  report(ok: boolean): void;
}

export type Health = 'unknown' | 'healthy' | 'unhealthy' | 'rolled back';

export interface Split {
  choose(request: SplitRequest): Choice;
  /**
   * From now on this share of the users takes part, in percent.
   *
   * @throws {RangeError} when `percent` is not from 0 to 100; then nothing has changed
   */
  rampTo(percent: number): void;
  /** How a variant other than the baseline does at this moment. Only `healthy` is a reason to go on. */
  health(variant: string): Health;
  /** Gives a variant that was rolled back another chance. Nothing but this does. */
  restore(variant: string): void;
}

/**
 * Splits the users of a service among its variants, by a hash, and rolls a variant back that fails more often than the
 * baseline. No state per user: all instances choose alike. After R. Kohavi, D. Tang, Y. Xu, Trustworthy Online
 * Controlled Experiments (2020).
 *
 * @throws {RangeError} when `variants` or `percent` cannot be right; the message says what is wrong
 */
export function createSplit(options: SplitOptions): Split {
  return new RangeSplit(options);
}

/**
 * The other usual shape: one number per user, and for each variant a range of which it serves the first part, as
 * GrowthBook does it; and for each variant a trial against the baseline, which counts in slices of a tenth of the window.
 * To restore a variant is to put a new trial in the place of the old: late reports go to an object at which nobody looks.
 */
class RangeSplit implements Split {
  readonly #options: SplitOptions;
  readonly #baseline: string;
  readonly #ranges: readonly Range[];
  readonly #trials = new Map<string, Trial>();
  #part = 0;

  constructor(options: SplitOptions) {
    this.#options = options;
    refuseWrong(options.variants);
    const [baseline = '', ...others] = options.variants.map(({ name }) => name);
    this.#baseline = baseline;
    for (const name of others) this.#trials.set(name, new Trial(options.rollback));
    this.#ranges = rangesOf(options.variants.slice(1));
    this.rampTo(options.percent);
  }

  choose({ userId, headers = {} }: SplitRequest): Choice {
    const wish = this.#wishIn(headers);
    const variant = wish ?? this.#variantOf(userId);
    const trials = wish === undefined ? this.#trialsOf(variant) : [];
    let hasEnded = false;
    const report = (ok: boolean) => {
      if (hasEnded) return;
      hasEnded = true;
      for (const trial of trials) trial.record(variant === this.#baseline ? 'base' : 'own', ok);
    };
    return { variant, report };
  }

  rampTo(percent: number): void {
    if (!(percent >= 0 && percent <= 100)) {
      throw new RangeError(`${percent} % of the users cannot take part.`);
    }
    this.#part = percent / 100;
  }

  health(variant: string): Health {
    return this.#trials.get(variant)?.health ?? 'unknown';
  }

  restore(variant: string): void {
    this.#trials.set(variant, new Trial(this.#options.rollback));
  }

  #wishIn(headers: Readonly<Record<string, string>>): string | undefined {
    const { overrideHeader, variants } = this.#options;
    if (overrideHeader === undefined) return undefined;
    const wish = new Headers(headers).get(overrideHeader);
    return variants.find(({ name }) => name === wish && this.#isOn(name))?.name;
  }

  #variantOf(userId: string): string {
    const point = pointOf(`${this.#options.experiment}/${userId}`);
    const range = this.#ranges.find(({ start, end }) => point >= start && point < end);
    if (!range || !this.#isOn(range.name)) return this.#baseline;
    const takesPart = point < range.start + (range.end - range.start) * this.#part;
    return takesPart ? range.name : this.#baseline;
  }

  #isOn(variant: string): boolean {
    return this.#trials.get(variant)?.health !== 'rolled back';
  }

  /** A request of the baseline counts in all trials of this moment, one of a variant in its own. */
  #trialsOf(variant: string): readonly Trial[] {
    const own = this.#trials.get(variant);
    return own ? [own] : [...this.#trials.values()];
  }
}

interface Range {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** One after another, as parts of 1. What is left over at the end is the baseline's. */
function rangesOf(variants: readonly Variant[]): readonly Range[] {
  let end = 0;
  return variants.map(({ name, weight }) => {
    const start = end;
    end += weight / 100;
    return { name, start, end };
  });
}

/** FNV-1a, with the last steps of MurmurHash3 behind it; from 0 to below 1. */
function pointOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

type Side = 'own' | 'base';
type Counts = Record<Side, { ended: number; failed: number }>;

/** A variant against the baseline, from one moment on. */
class Trial {
  readonly #rule: RollbackRule;
  readonly #slices: { readonly number: number; readonly counts: Counts }[] = [];
  #isOver = false;

  constructor(rule: RollbackRule) {
    this.#rule = rule;
  }

  record(side: Side, ok: boolean): void {
    const number = this.#now();
    let slice = this.#slices.at(-1);
    if (slice?.number !== number) {
      slice = { number, counts: noCounts() };
      this.#slices.push(slice);
    }
    slice.counts[side].ended += 1;
    if (!ok) slice.counts[side].failed += 1;
    if (this.health === 'unhealthy') this.#isOver = true;
  }

  get health(): Health {
    if (this.#isOver) return 'rolled back';
    const { own, base } = this.#counts();
    const { minimumRequests, errorBudget } = this.#rule;
    if (Math.min(own.ended, base.ended) < minimumRequests) return 'unknown';
    const allowed = base.failed / base.ended + errorBudget;
    return own.failed / own.ended <= allowed ? 'healthy' : 'unhealthy';
  }

  #counts(): Counts {
    const first = this.#now() - 10;
    const sum = noCounts();
    while (this.#slices[0] && this.#slices[0].number <= first) this.#slices.shift();
    for (const { counts } of this.#slices) {
      for (const side of ['own', 'base'] as const) {
        sum[side].ended += counts[side].ended;
        sum[side].failed += counts[side].failed;
      }
    }
    return sum;
  }

  /** Which tenth of a window it is. */
  #now(): number {
    return Math.floor(performance.now() / (this.#rule.windowMs / 10));
  }
}

function noCounts(): Counts {
  return { own: { ended: 0, failed: 0 }, base: { ended: 0, failed: 0 } };
}

function refuseWrong(variants: readonly Variant[]): void {
  const wrong = variants.find(({ weight }) => !(weight >= 0 && weight <= 100));
  if (wrong) throw new RangeError(`${wrong.name} has a weight of ${wrong.weight}.`);
  const names = variants.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new RangeError(`${twice} is there twice.`);
  // In tenths of a percent, which are whole numbers.
  const tenths = variants.reduce((sum, { weight }) => sum + Math.round(weight * 10), 0);
  if (tenths !== 1_000) throw new RangeError(`The weights add up to ${tenths / 10}, not to 100.`);
}
