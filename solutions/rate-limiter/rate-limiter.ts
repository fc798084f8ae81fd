export interface RateLimiterOptions {
  /** Tokens that flow into each bucket; a multiple of 0.001, from 0.001 to 10,000. */
  readonly ratePerSecond: number;
  /** Tokens that a bucket holds when it is full, and so at first; whole number, 1 to 1,000,000. */
  readonly burst: number;
}

export type Decision =
  | {
      readonly granted: true;
      /** Whole tokens that are left in the client's bucket, rounded down. */
      readonly remaining: number;
    }
  | {
      readonly granted: false;
      /**
       * The fewest whole milliseconds after which the same call is granted, if the client is granted nothing else
       * meanwhile; `'never'` when the cost is above the burst.
       */
      readonly retryAfterMs: number | 'never';
    };

export interface RateLimiter {
  /** How many clients are held in memory. */
  readonly clients: number;
  /**
   * Takes `cost` tokens from the client's bucket, or none if it holds fewer. Decides at once and never throws.
   *
   * @param client any string
   * @param cost whole number, 1 or more; @default 1
   */
  take(client: string, cost?: number): Decision;
}

/**
 * A token bucket for each client: in any `t` seconds a client is granted at most `burst + ratePerSecond * t`
 * tokens. It is the meter of RFC 2697 with one bucket.
 */
export function createRateLimiter({ ratePerSecond, burst }: RateLimiterOptions): RateLimiter {
  // #region answer: grant the call or refuse it, and hold no more clients than you must
  // A thousandth of a token per second is a millionth per millisecond. Whole numbers are not rounded.
  const perMs = Math.round(ratePerSecond * 1_000);
  const full = burst * MILLIONTHS;

  // Who has called since the last turn, and who has not, but did since the turn before it.
  let recent = new Map<string, Bucket>();
  let older = new Map<string, Bucket>();
  let turnedAt = nowMs();

  const bucketOf = (client: string, now: number): Bucket => {
    if ((now - turnedAt) * perMs >= full) {
      // Long enough to fill any bucket: those of `older` are as full as new ones would be.
      older = recent;
      recent = new Map();
      turnedAt = now;
    }
    const known = recent.get(client);
    if (known) return known;
    const bucket = older.get(client) ?? { missing: 0, at: now };
    older.delete(client);
    recent.set(client, bucket);
    return bucket;
  };

  return {
    get clients() {
      return recent.size + older.size;
    },
    take(client, cost = 1) {
      if (cost > burst) return { granted: false, retryAfterMs: 'never' };
      const now = nowMs();
      const bucket = bucketOf(client, now);
      const missing = Math.max(0, bucket.missing - (now - bucket.at) * perMs);
      const left = full - missing - cost * MILLIONTHS;
      // A refused call writes nothing: however often somebody asks, it takes no tokens and loses no fractions.
      if (left < 0) return { granted: false, retryAfterMs: Math.ceil(-left / perMs) };
      bucket.missing = full - left;
      bucket.at = now;
      return { granted: true, remaining: Math.floor(left / MILLIONTHS) };
    },
  };
  // #endregion
}

// #region answer
const MILLIONTHS = 1_000_000;

/** Whole, as every amount must be. The part of a millisecond that is cut off here is in the next reading. */
const nowMs = () => Math.floor(performance.now());

interface Bucket {
  /** How many millionths of a token it was short of full … */
  missing: number;
  /** … at this time, in milliseconds. */
  at: number;
}
// #endregion
