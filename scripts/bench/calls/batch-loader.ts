import { type CallBench, sceneOf, SOLUTION } from './scene.ts';

const KEYS = Array.from({ length: 1_000 }, (_, index) => index);
const BATCH = 100;

type Load = (key: number) => Promise<number>;

const loaders = {
  async [SOLUTION](): Promise<Load> {
    const { createBatchLoader } = await import('../../../solutions/batch-loader/batch-loader.ts');
    const loader = createBatchLoader<number, number>({
      fetchMany: async (keys) => keys.map((key) => ({ key, value: key })),
      maxBatchSize: BATCH,
    });
    return (key) => loader.load(key);
  },
  async dataloader(): Promise<Load> {
    const { default: DataLoader } = await import('dataloader');
    const loader = new DataLoader<number, number>(
      async (keys) => {
        loader.clearAll();
        return keys;
      },
      { maxBatchSize: BATCH },
    );
    return (key) => loader.load(key);
  },
};

export const batchLoader: CallBench = {
  title: 'what a load through a batch loader costs',
  scenes: [
    sceneOf('1,000 keys in one tick', loaders, (load) => async (calls) => {
      for (let made = 0; made < calls; made += KEYS.length) await Promise.all(KEYS.map(load));
    }),
  ],
  notes: [
    `the service answers at once; ${KEYS.length} keys, each asked for once, are ${KEYS.length / BATCH} calls`,
    'the solution waits for the end of the tick, a turn of the event loop, so that keys asked for by promise jobs still belong to it; dataloader waits for the promise jobs that there are',
    'the difference is one or two microseconds a load; in a profile it is spread over promises, maps and closures, and no part of it stands out',
    'dataloader keeps its cache, without which it asks for duplicates too, and empties it with each call, as its documentation shows; it is answered by position, the solution by rows',
  ],
};
