import { awaiting, BARE, type CallBench, SOLUTION } from './scene.ts';

const ATTEMPTS = 3;

const receipt = async () => 'receipt';

export const retry: CallBench = {
  title: 'what a call with retries costs when none is needed',
  scenes: [
    {
      name: 'first attempt',
      subjects: {
        async [SOLUTION]() {
          const { retry: withRetries } = await import('../../../solutions/retry/retry.ts');
          const options = { attempts: ATTEMPTS, baseMs: 100, capMs: 2_000, idempotent: true };
          return awaiting(() => withRetries(receipt, options));
        },
        async 'p-retry'() {
          const { default: pRetry } = await import('p-retry');
          const options = { retries: ATTEMPTS - 1, minTimeout: 100, maxTimeout: 2_000 };
          return awaiting(() => pRetry(receipt, options));
        },
        async cockatiel() {
          const { ExponentialBackoff, handleAll, retry: retryPolicy } = await import('cockatiel');
          const policy = retryPolicy(handleAll, {
            maxAttempts: ATTEMPTS - 1,
            backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 2_000 }),
          });
          return awaiting(() => policy.execute(receipt));
        },
        [BARE]: async () => awaiting(receipt),
      },
    },
  ],
  notes: ['the task is an async function that returns a string, at the first attempt'],
};
