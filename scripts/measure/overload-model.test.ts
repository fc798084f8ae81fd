import { expect, it } from 'vitest';
import { type Conditions, createService, secondsUntilWell } from './overload-model.ts';

/** A service after a stall of 5 s. */
function afterStall(conditions: Partial<Conditions>) {
  const service = createService(conditions);
  service.run(3);
  service.run(5, { stalled: true });
  return service;
}

function wellAfter(conditions: Partial<Conditions>) {
  return secondsUntilWell(afterStall(conditions), { patience: 60 });
}

it('answers everybody below capacity, at the first attempt', () => {
  const service = createService({ load: 999 });
  service.run(10);
  for (const second of service.seconds) {
    expect(second).toMatchObject({ requests: 999, answered: 999, attempts: 999 });
  }
});

it('serves no more than its capacity, whatever it could have served before', () => {
  const service = createService({ load: 100, attempts: 1 });
  service.run(10);
  service.change({ load: 5_000 });
  service.run(5);
  expect(service.seconds.slice(10).map(({ served }) => served)).toEqual(Array(5).fill(1_000));
});

it('can have a capacity that is not a whole number per millisecond', () => {
  const service = createService({ load: 2_000, capacity: 1_250, attempts: 1 });
  service.run(4);
  expect(service.seconds.reduce((sum, { served }) => sum + served, 0)).toBe(5_000);
});

it('is busy for nobody once the line is longer than clients wait', () => {
  const service = createService({ load: 1_100, attempts: 1 });
  service.run(60);
  expect(service.seconds.at(-1)).toMatchObject({ served: 1_000, inTime: 0 });
});

it.each([{ places: 500 }, { newestFirst: true }, { dropsExpired: true }])(
  'is busy for those who wait, in an overload that lasts, with %o',
  (protection) => {
    const service = createService({ load: 3_000, attempts: 1, ...protection });
    service.run(30);
    expect(service.seconds.at(-1)).toMatchObject({ served: 1_000, inTime: 1_000 });
  },
);

it('counts an answer for the second in which its request began', () => {
  const service = afterStall({ load: 100 });
  service.run(10);
  const [begun, answered, inTime] = (['requests', 'answered', 'inTime'] as const).map((name) =>
    service.seconds.map((second) => second[name]),
  );
  expect(begun).toEqual(Array(18).fill(100));
  expect(inTime?.slice(3, 8), 'the stall').toEqual(Array(5).fill(0));
  expect(answered?.[3], 'three attempts were over when the stall was').toBe(0);
  expect(answered?.[7], 'a retry after the stall').toBeGreaterThan(0);
});

it.each([1, 2, 3])('makes %i attempts where none succeeds', (attempts) => {
  const service = createService({ load: 200, attempts });
  service.run(10, { stalled: true });
  expect(service.seconds.at(-1)?.attempts).toBe(200 * attempts);
});

it('keeps to the budget for retries', () => {
  const service = createService({ load: 200, retryRatio: 0.1 });
  service.run(20, { stalled: true });
  const [requests = 0, attempts = 0] = (['requests', 'attempts'] as const).map((name) =>
    service.seconds.reduce((sum, second) => sum + second[name], 0),
  );
  expect(requests).toBe(4_000);
  expect(attempts).toBeLessThanOrEqual(4_401);
  expect(attempts).toBeGreaterThan(4_300);
});

it('lets no more wait than there are places, and refuses the rest at once', () => {
  const service = createService({ load: 600, places: 500 });
  service.run(2, { stalled: true });
  expect(service.waiting).toBe(500);
  expect(service.seconds[0]?.attempts, '100 too many, who try three times').toBe(500 + 100 * 3);
});

it('recovers by itself where attempts × load is below capacity, and not above', () => {
  expect(wellAfter({ load: 300 })).toBeGreaterThan(10);
  expect(wellAfter({ load: 350 })).toBeUndefined();
});

it('is stuck behind a bounded queue that takes longer than clients wait', () => {
  expect(wellAfter({ places: 2_000 })).toBeUndefined();
  expect(wellAfter({ places: 900 })).toBe(0);
});

it.each([{ newestFirst: true }, { dropsExpired: true }])(
  'recovers at once, close to capacity too, with %o',
  (protection) => {
    expect(wellAfter({ load: 900, ...protection })).toBe(0);
  },
);

it('recovers with few retries as soon as the line is shorter than clients wait', () => {
  const [budget = NaN, none = NaN] = [wellAfter({ retryRatio: 0.1 }), wellAfter({ attempts: 1 })];
  // 3,000 wait, and 400 a second are to spare until 1,000 are left.
  expect(none).toBe(5);
  expect(budget).toBeGreaterThan(none);
});

it('forgets those who wait, and their clients try again', () => {
  const service = afterStall({ load: 600 });
  service.dropQueue();
  expect(service.waiting).toBe(0);
  service.run(1);
  expect(service.seconds.at(-1)?.attempts).toBe(1_800);
  expect(service.seconds.at(-1)?.inTime).toBeGreaterThan(990);
});

it('changes what is to be changed and keeps the rest', () => {
  const service = createService({ load: 100, attempts: 2 });
  service.run(2, { stalled: true });
  service.change({ load: 300 });
  service.run(3, { stalled: true });
  expect(service.seconds.at(-1)).toMatchObject({ requests: 300, attempts: 600 });
});

it('counts from now on until it is well, and gives up after a while', () => {
  const service = createService({ load: 100 });
  service.run(5);
  expect(secondsUntilWell(service)).toBe(0);
  expect(secondsUntilWell(createService({ load: 2_000 }), { patience: 40 })).toBeUndefined();
});
