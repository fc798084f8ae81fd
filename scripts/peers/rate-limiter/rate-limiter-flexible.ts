import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import type {
  RateLimiter,
  RateLimiterOptions,
} from '../../../solutions/rate-limiter/rate-limiter.ts';

/** The library counts points in a window that begins with a key's first call: `burst` in the time they take to flow in. */
export function createRateLimiter({ ratePerSecond, burst }: RateLimiterOptions): RateLimiter {
  const limiter = new RateLimiterMemory({ points: burst, duration: burst / ratePerSecond });
  const storage = storageOf(limiter);

  return {
    get clients() {
      return limiter.dump().storage.length;
    },
    take(client, cost = 1) {
      // The library decides at once and tells by a promise; its storage has the outcome already.
      limiter.consume(client, cost).catch(() => {});
      const { consumedPoints, msBeforeNext } = storage.get(limiter.getKey(client));
      if (consumedPoints <= burst) return { granted: true, remaining: burst - consumedPoints };
      // It knows no `'never'`.
      return { granted: false, retryAfterMs: cost > burst ? 'never' : Math.ceil(msBeforeNext) };
    },
  };
}

interface Storage {
  get(key: string): RateLimiterRes;
}

function storageOf(limiter: RateLimiterMemory): Storage {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Reflect.get(limiter, '_memoryStorage') as Storage;
}
