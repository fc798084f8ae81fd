import { LRUCache } from 'lru-cache';
import type {
  Answer,
  StaleCache,
  StaleCacheOptions,
} from '../../../solutions/stale-cache/stale-cache.ts';

/**
 * The library knows no ages beside `ttl`. Whether a stale copy is given at once is decided here, read by read; whether
 * one stands in for a failed load is a switch, without a limit. `errorMs` and `isOutage` have no counterpart.
 */
export function createStaleCache<Value>(options: StaleCacheOptions): StaleCache<Value> {
  const { freshMs, staleWhileRevalidateMs, staleIfErrorMs, maxEntries } = options;
  const cache = new LRUCache<string, NonNullable<Value>, Load<Value>>({
    max: maxEntries,
    // What is exactly as old as `ttl` is still fresh for the library.
    ttl: freshMs - 1,
    ttlResolution: 0,
    // A clock that says 0 is none for the library.
    perf: { now: () => performance.now() + 1 },
    allowStaleOnFetchRejection: staleIfErrorMs > 0,
    // One method loads for all, so each reader's load is its context. The types exclude undefined and null.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    fetchMethod: async (_key, _stale, { context: load }) => (await load()) as NonNullable<Value>,
  });
  const ageOf = (key: string) => freshMs - 1 - cache.getRemainingTTL(key);

  return {
    get size() {
      return cache.size;
    },
    async get(key, load, { signal } = {}) {
      const status: LRUCache.Status<string, NonNullable<Value>, Load<Value>> = {};
      const value = await cache.fetch(key, {
        context: load,
        allowStale: ageOf(key) < freshMs + staleWhileRevalidateMs,
        status,
        ...(signal && { signal }),
      });
      // With `allowStaleOnFetchRejection`, a failed load without a copy is a value of undefined.
      if (value === undefined && status.fetchError !== undefined) throw status.fetchError;
      const ageMs = cache.info(key) ? ageOf(key) : 0;
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return { value, ageMs, state: ageMs < freshMs ? 'fresh' : 'stale' } as Answer<Value>;
    },
    invalidate(key) {
      cache.delete(key);
    },
  };
}

type Load<Value> = () => Value | PromiseLike<Value>;
