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

/** The generic cell rate algorithm (GCRA) of ITU-T I.371: a token bucket in one number for each client. */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  return new CellRateLimiter(options);
}

/**
 * The other usual shape. In place of a number of tokens it keeps the time at which a bucket will be full again: each
 * token pushes that time back by its share, and it must not lie further ahead than a whole burst takes to fill.
 * Whole numbers again, this time of any size; and a timer, set as long as there is somebody to forget.
 */
class CellRateLimiter implements RateLimiter {
  /** Units in a nanosecond, chosen so that a token is worth a whole number of them: `TOKEN` units. */
  readonly #perNs: bigint;
  readonly #burst: number;
  readonly #fullAt = new Map<string, bigint>();
  readonly #sweepMs: number;
  #sweep: NodeJS.Timeout | undefined;

  constructor({ ratePerSecond, burst }: RateLimiterOptions) {
    this.#perNs = BigInt(Math.round(ratePerSecond * 1_000));
    this.#burst = burst;
    this.#sweepMs = Math.max(1_000, (1_000 * burst) / ratePerSecond);
  }

  get clients(): number {
    return this.#fullAt.size;
  }

  take(client: string, cost = 1): Decision {
    if (cost > this.#burst) return { granted: false, retryAfterMs: 'never' };
    const now = this.#now();
    const before = this.#fullAt.get(client) ?? now;
    const fullAt = (before > now ? before : now) + BigInt(cost) * TOKEN;
    const ahead = now + BigInt(this.#burst) * TOKEN - fullAt;
    if (ahead < 0n) {
      const perMs = this.#perNs * NS_PER_MS;
      return { granted: false, retryAfterMs: Number((perMs - 1n - ahead) / perMs) };
    }
    this.#fullAt.set(client, fullAt);
    this.#sweep ??= setTimeout(() => this.#forget(), this.#sweepMs).unref();
    return { granted: true, remaining: Number(ahead / TOKEN) };
  }

  #forget(): void {
    const now = this.#now();
    for (const [client, fullAt] of this.#fullAt) {
      if (fullAt <= now) this.#fullAt.delete(client);
    }
    this.#sweep = this.#fullAt.size > 0 ? this.#sweep?.refresh() : undefined;
  }

  #now(): bigint {
    return process.hrtime.bigint() * this.#perNs;
  }
}

const NS_PER_MS = 1_000_000n;
/** At one token per second, so at 1,000 units per nanosecond, a token takes 10⁹ ns. */
const TOKEN = 1_000_000_000_000n;
