import { type CallBench, sceneOf, SOLUTION } from './scene.ts';

const USERS = Array.from({ length: 100 }, (_, index) => `user-${index}`);
const EXPERIMENT = 'checkout';

type Choose = (userId: string) => unknown;

const splits = {
  async [SOLUTION](): Promise<Choose> {
    const { createSplit } = await import('../../../solutions/traffic-split/traffic-split.ts');
    const split = createSplit({
      experiment: EXPERIMENT,
      variants: [
        { name: 'old', weight: 50 },
        { name: 'new', weight: 50 },
      ],
      percent: 100,
      rollback: { windowMs: 60_000, minimumRequests: 100, errorBudget: 0.01 },
    });
    return (userId) => split.choose({ userId }).variant;
  },
  async growthbook(): Promise<Choose> {
    const { GrowthBookClient } = await import('@growthbook/growthbook');
    const client = new GrowthBookClient();
    const experiment = {
      key: EXPERIMENT,
      variations: ['old', 'new'] as [string, string],
      weights: [0.5, 0.5],
      coverage: 1,
      hashVersion: 2,
    };
    return (id) => client.runInlineExperiment(experiment, { attributes: { id } }).value;
  },
};

export const trafficSplit: CallBench = {
  title: 'what it costs to choose a variant for a request',
  scenes: [
    sceneOf('chosen', splits, (choose) => (calls) => {
      for (let made = 0; made < calls; made += 1) choose(USERS[made % USERS.length] ?? '');
    }),
  ],
  notes: [
    `${USERS.length} users in turn, two variants, all users take part, no header; no request reports how it ended`,
    'most of it is the hash: SHA-256 from node:crypto against the FNV-1a of growthbook, some lines of arithmetic',
    'the solution also makes what a request reports with; growthbook judges on its server',
  ],
};
