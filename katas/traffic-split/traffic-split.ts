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
  throw new Error(
    'TODO: choose a variant for each request, and roll back what spends the error budget',
  );
}
