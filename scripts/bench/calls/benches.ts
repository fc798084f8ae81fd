import { circuitBreaker } from './circuit-breaker.ts';
import type { CallBench } from './scene.ts';

/** By the slug of the kata whose solution is compared. */
export const callBenches: Readonly<Record<string, CallBench>> = {
  'circuit-breaker': circuitBreaker,
};
