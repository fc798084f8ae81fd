import { awaiting, type CallBench, sceneOf, SOLUTION } from './scene.ts';

const KEYS = Array.from({ length: 100 }, (_, index) => `key-${index}`);
const HOUR_MS = 3_600_000;

type Read = (key: string) => Promise<unknown>;

const load = async () => 'price';

const caches = {
  async [SOLUTION](): Promise<Read> {
    const { createStaleCache } = await import('../../../solutions/stale-cache/stale-cache.ts');
    const cache = createStaleCache<string>({
      freshMs: HOUR_MS,
      staleWhileRevalidateMs: HOUR_MS,
      staleIfErrorMs: HOUR_MS,
      errorMs: 0,
      maxEntries: KEYS.length,
      isOutage: () => true,
    });
    return (key) => cache.get(key, load);
  },
  async 'lru-cache'(): Promise<Read> {
    const { LRUCache } = await import('lru-cache');
    const cache = new LRUCache<string, string>({
      max: KEYS.length,
      ttl: HOUR_MS,
      allowStaleOnFetchRejection: true,
      fetchMethod: load,
    });
    return (key) => cache.fetch(key);
  },
};

export const staleCache: CallBench = {
  title: 'what a read of a fresh copy costs',
  scenes: [
    sceneOf('fresh', caches, (read) => {
      let next = 0;
      return awaiting(() => read(KEYS[next++ % KEYS.length] ?? ''));
    }),
  ],
  notes: [
    `${KEYS.length} keys in turn, all of them loaded and fresh; lru-cache by its \`fetch\`, which loads what is missing`,
    'the solution says with each answer how old it is; lru-cache does not, and it looks at the clock once in a millisecond',
  ],
};
