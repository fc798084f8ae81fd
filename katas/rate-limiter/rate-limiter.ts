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
  throw new Error('TODO: grant the call or refuse it, and hold no more clients than you must');
}
