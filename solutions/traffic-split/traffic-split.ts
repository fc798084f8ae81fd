// #region answer
import { createHash } from 'node:crypto';
// #endregion

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
  // #region answer: choose a variant for each request, and roll back what spends the error budget
  const { experiment, variants, rollback } = options;
  const { windowMs, minimumRequests, errorBudget } = rollback;
  const overrideHeader = options.overrideHeader?.toLowerCase();
  const baseline = baselineOf(variants);
  const others = variants.slice(1);
  const rolledBack = new Set<string>();
  let percent = checkedPercent(options.percent);
  let evidence = new Evidence(windowMs);

  /** The variant that the header asks for, if it is one that may be had. */
  const wishOf = (headers: Readonly<Record<string, string>>): string | undefined => {
    const header = Object.entries(headers).find(([name]) => name.toLowerCase() === overrideHeader);
    return variants.find(({ name }) => name === header?.[1] && !rolledBack.has(name))?.name;
  };

  const variantOf = (userId: string): string => {
    const [place, lot] = placesOf(experiment, userId);
    if (place >= percent) return baseline;
    // The baseline comes last: a variant that joins at its cost then moves nobody else.
    let end = 0;
    const drawn = others.find(({ weight }) => {
      end += weight;
      return lot < end;
    });
    return drawn && !rolledBack.has(drawn.name) ? drawn.name : baseline;
  };

  const health = (variant: string): Health => {
    if (rolledBack.has(variant)) return 'rolled back';
    const own = evidence.of(variant);
    const base = evidence.of(baseline);
    // Without this line 0 / 0 is not greater than the budget, and silence is healthy.
    if (own.ended < minimumRequests || base.ended < minimumRequests) return 'unknown';
    const excess = own.failed / own.ended - base.failed / base.ended;
    return excess > errorBudget ? 'unhealthy' : 'healthy';
  };

  return {
    choose({ userId, headers = {} }) {
      const wish = wishOf(headers);
      const variant = wish ?? variantOf(userId);
      const chosenFor = evidence;
      let isDue = wish === undefined;
      return {
        variant,
        report(ok) {
          // What was chosen before a restore is news of what has been put right since.
          if (!isDue || chosenFor !== evidence) return;
          isDue = false;
          evidence.add(variant, ok);
          for (const { name } of others) if (health(name) === 'unhealthy') rolledBack.add(name);
        },
      };
    },
    rampTo(to) {
      percent = checkedPercent(to);
    },
    health,
    restore(variant) {
      rolledBack.delete(variant);
      evidence = new Evidence(windowMs);
    },
  };
  // #endregion
}

// #region answer
/**
 * Two numbers from 0 to below 100 that belong to a user in an experiment: a place in the queue of those who are let in,
 * and the lot that says which variant it will be. Two, for whoever is at the front must not all draw the same.
 */
function placesOf(experiment: string, userId: string): readonly [place: number, lot: number] {
  const hash = createHash('sha256').update(`${experiment}\n${userId}`).digest();
  return [(hash.readUInt32BE(0) / 2 ** 32) * 100, (hash.readUInt32BE(4) / 2 ** 32) * 100];
}

/** The requests that have ended within the last `windowMs`, counted by variant. */
class Evidence {
  readonly #windowMs: number;
  readonly #requests: Ended[] = [];
  readonly #tallies = new Map<string, Tally>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(variant: string, ok: boolean): void {
    const request = { variant, failures: ok ? 0 : 1, endedAt: performance.now() };
    this.#requests.push(request);
    this.#count(request, 1);
  }

  of(variant: string): Tally {
    const oldest = performance.now() - this.#windowMs;
    for (let [first] = this.#requests; first && first.endedAt <= oldest; [first] = this.#requests) {
      this.#requests.shift();
      this.#count(first, -1);
    }
    return this.#tallies.get(variant) ?? NOTHING;
  }

  #count({ variant, failures }: Ended, sign: 1 | -1): void {
    const { ended, failed } = this.#tallies.get(variant) ?? NOTHING;
    this.#tallies.set(variant, { ended: ended + sign, failed: failed + sign * failures });
  }
}

interface Ended {
  readonly variant: string;
  readonly failures: number;
  readonly endedAt: number;
}

interface Tally {
  readonly ended: number;
  readonly failed: number;
}

const NOTHING: Tally = { ended: 0, failed: 0 };

function baselineOf(variants: readonly Variant[]): string {
  const [first] = variants;
  const names = new Set<string>();
  let total = 0;
  for (const { name, weight } of variants) {
    if (names.has(name)) throw new RangeError(`Two variants are called “${name}”.`);
    if (!isPercent(weight)) {
      throw new RangeError(`The weight of “${name}” is ${weight}, and must be from 0 to 100.`);
    }
    names.add(name);
    total += weight;
  }
  // 0.1 + 0.2 is not 0.3.
  if (!first || Math.abs(total - 100) > 1e-6) {
    throw new RangeError(`The weights add up to ${total}, and must add up to 100.`);
  }
  return first.name;
}

function checkedPercent(percent: number): number {
  if (isPercent(percent)) return percent;
  throw new RangeError(`The share of the users is ${percent}, and must be from 0 to 100.`);
}

function isPercent(value: number): boolean {
  return value >= 0 && value <= 100;
}
// #endregion
