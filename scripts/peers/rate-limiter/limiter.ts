import { TokenBucket } from 'limiter';
import type {
  RateLimiter,
  RateLimiterOptions,
} from '../../../solutions/rate-limiter/rate-limiter.ts';

/** The library has buckets, and no clients: its adapter keeps one for each, and forgets none. */
export function createRateLimiter({ ratePerSecond, burst }: RateLimiterOptions): RateLimiter {
  const buckets = new Map<string, TokenBucket>();

  const bucketOf = (client: string): TokenBucket => {
    const known = buckets.get(client);
    if (known) return known;
    const bucket = new TokenBucket({
      bucketSize: burst,
      tokensPerInterval: ratePerSecond,
      interval: 'second',
    });
    // A bucket of the library is empty at first.
    bucket.content = burst;
    buckets.set(client, bucket);
    return bucket;
  };

  return {
    get clients() {
      return buckets.size;
    },
    take(client, cost = 1) {
      const bucket = bucketOf(client);
      if (bucket.tryRemoveTokens(cost)) {
        return { granted: true, remaining: Math.floor(bucket.content) };
      }
      return { granted: false, retryAfterMs: waitFor(bucket, cost) };
    },
  };
}

/** For more than a bucket holds the library has no time, and throws. */
function waitFor(bucket: TokenBucket, cost: number): number | 'never' {
  try {
    return bucket.getWaitTime(cost);
  } catch {
    return 'never';
  }
}
