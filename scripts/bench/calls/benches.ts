import { batchLoader } from './batch-loader.ts';
import { bulkhead } from './bulkhead.ts';
import { circuitBreaker } from './circuit-breaker.ts';
import { deadline } from './deadline.ts';
import { rateLimiter } from './rate-limiter.ts';
import { retry } from './retry.ts';
import type { CallBench } from './scene.ts';
import { staleCache } from './stale-cache.ts';
import { traceContext } from './trace-context.ts';
import { trafficSplit } from './traffic-split.ts';

/**
 * By the slug of the kata whose solution is compared. Of the katas with peers two are missing: what libraries do of
 * fan-out and resilient-client is a part of the job, and other parts cost more than that.
 */
export const callBenches: Readonly<Record<string, CallBench>> = {
  retry,
  deadline,
  'circuit-breaker': circuitBreaker,
  bulkhead,
  'rate-limiter': rateLimiter,
  'stale-cache': staleCache,
  'batch-loader': batchLoader,
  'traffic-split': trafficSplit,
  'trace-context': traceContext,
};
