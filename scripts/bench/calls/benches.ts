import { bulkhead } from './bulkhead.ts';
import { circuitBreaker } from './circuit-breaker.ts';
import { rateLimiter } from './rate-limiter.ts';
import { retry } from './retry.ts';
import type { CallBench } from './scene.ts';

/** By the slug of the kata whose solution is compared. */
export const callBenches: Readonly<Record<string, CallBench>> = {
  retry,
  'circuit-breaker': circuitBreaker,
  bulkhead,
  'rate-limiter': rateLimiter,
};
