import { awaiting, BARE, type CallBench, sceneOf, SOLUTION } from './scene.ts';

const LIMIT_MS = 60_000;

const receipt = async () => 'receipt';

type Call = () => Promise<unknown>;

const timeouts = {
  async [SOLUTION](): Promise<Call> {
    const { createDeadline } = await import('../../../solutions/deadline/deadline.ts');
    const deadline = createDeadline(60 * LIMIT_MS);
    return () => deadline.run(receipt, { limitMs: LIMIT_MS });
  },
  async 'p-timeout'(): Promise<Call> {
    const { default: pTimeout } = await import('p-timeout');
    return () => pTimeout(receipt(), { milliseconds: LIMIT_MS });
  },
  async cockatiel(): Promise<Call> {
    const { timeout, TimeoutStrategy } = await import('cockatiel');
    const policy = timeout(LIMIT_MS, TimeoutStrategy.Aggressive);
    return () => policy.execute(receipt);
  },
};

export const deadline: CallBench = {
  title: 'what a call with a time limit costs that ends in time',
  scenes: [sceneOf('in time', timeouts, awaiting, { [BARE]: async () => awaiting(receipt) })],
  notes: [
    'the task is an async function that returns a string; the limit is far away',
    'the solution and cockatiel hand a signal to the task, p-timeout does not; only the solution keeps a budget over all calls',
  ],
};
