import { awaiting, BARE, type CallBench, sceneOf, SOLUTION } from './scene.ts';

const PERMITS = 10;
const QUEUE = 1_000;

type Task = () => Promise<string>;
type Call = (task: Task) => Promise<unknown>;

const bulkheads = {
  async [SOLUTION](): Promise<Call> {
    const { createBulkhead } = await import('../../../solutions/bulkhead/bulkhead.ts');
    const compartment = createBulkhead({ permits: PERMITS, queue: QUEUE });
    return (task) => compartment.run(task);
  },
  async 'p-limit'(): Promise<Call> {
    const { default: pLimit } = await import('p-limit');
    return pLimit(PERMITS);
  },
  async cockatiel(): Promise<Call> {
    const { bulkhead: bulkheadPolicy } = await import('cockatiel');
    const policy = bulkheadPolicy(PERMITS, QUEUE);
    return (task) => policy.execute(task);
  },
};

const receipt: Task = async () => 'receipt';

export const bulkhead: CallBench = {
  title: 'what a call through a bulkhead costs',
  scenes: [
    sceneOf('a permit is free', bulkheads, (call) => awaiting(() => call(receipt)), {
      [BARE]: async () => awaiting(receipt),
    }),
    sceneOf('100 at once', bulkheads, (call) => async (calls) => {
      for (let made = 0; made < calls; made += 100) {
        await Promise.all(Array.from({ length: 100 }, () => call(receipt)));
      }
    }),
  ],
  notes: [
    `${PERMITS} permits and a queue of ${QUEUE}; the task is an async function that returns a string`,
    '100 at once: 10 run, 90 wait in the queue, until all are done. p-limit has no bound to its queue',
  ],
};
