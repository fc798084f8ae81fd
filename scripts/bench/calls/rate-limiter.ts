import { awaiting, type CallBench, SOLUTION, type Turn } from './scene.ts';

/** Enough for all calls of a sample: what is measured is a call that is granted. */
const BURST = 1_000_000;
const PER_SECOND = 10_000;
const CLIENTS = Array.from({ length: 100 }, (_, index) => `client-${index}`);

export const rateLimiter: CallBench = {
  title: 'what a decision of a rate limiter costs',
  scenes: [
    {
      name: 'granted',
      subjects: {
        async [SOLUTION]() {
          const { createRateLimiter } =
            await import('../../../solutions/rate-limiter/rate-limiter.ts');
          const rateLimit = createRateLimiter({ ratePerSecond: PER_SECOND, burst: BURST });
          return forEachClient((client) => rateLimit.take(client).granted);
        },
        async limiter() {
          const { TokenBucket } = await import('limiter');
          const options = {
            bucketSize: BURST,
            tokensPerInterval: PER_SECOND,
            interval: 'second',
          } as const;
          const buckets = new Map<string, InstanceType<typeof TokenBucket>>();
          const bucketOf = (client: string) => {
            const known = buckets.get(client);
            if (known) return known;
            const bucket = new TokenBucket(options);
            bucket.content = BURST;
            buckets.set(client, bucket);
            return bucket;
          };
          return forEachClient((client) => bucketOf(client).tryRemoveTokens(1));
        },
        async 'rate-limiter-flexible'() {
          const { RateLimiterMemory } = await import('rate-limiter-flexible');
          const windows = new RateLimiterMemory({ points: BURST, duration: BURST / PER_SECOND });
          let next = 0;
          return awaiting(() => windows.consume(clientAt(next++)));
        },
      },
    },
  ],
  notes: [
    `${CLIENTS.length} clients in turn; every call is granted`,
    'limiter has buckets, but none by client: a Map in front of it does that, as its users do. rate-limiter-flexible answers with a promise, and each is awaited; and it counts in fixed windows, not by a bucket',
  ],
};

function forEachClient(isGranted: (client: string) => boolean): Turn {
  let next = 0;
  return (calls) => {
    for (let made = 0; made < calls; made += 1) {
      if (!isGranted(clientAt(next++))) throw new Error('A call was refused.');
    }
  };
}

function clientAt(index: number): string {
  return CLIENTS[index % CLIENTS.length] ?? '';
}
