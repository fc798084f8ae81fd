import { describe, expect, it } from 'vitest';
import { erlangC, meanWait, slowPages } from './queue-formulas.ts';
import { simulatePages, simulateQueue } from './queue-simulation.ts';

describe('the formulas', () => {
  it('know the queue with one server', () => {
    expect(erlangC({ servers: 1, utilization: 0.8 })).toBeCloseTo(0.8);
    expect(meanWait({ servers: 1, utilization: 0.8 })).toBeCloseTo(4);
  });

  it("agree with Erlang's formula as it is printed", () => {
    // c = 3, a = 2: (2³/3!)(3/(3−2)) / (1 + 2 + 2 + 4) = 4 / 9
    expect(erlangC({ servers: 3, utilization: 2 / 3 })).toBeCloseTo(4 / 9);
  });

  it('do without factorials', () => {
    expect(erlangC({ servers: 1_000, utilization: 0.99 })).toBeGreaterThan(0);
  });
});

describe('the simulated queue', () => {
  it.each([
    [1, 0.5],
    [4, 0.7],
  ])(
    'with %d servers that are busy for %d of the time waits as the formula says',
    async (servers, utilization) => {
      const queue = { servers, utilization };
      const seen = await simulateQueue(queue, 20_000, '1');
      expect(seen.probability / erlangC(queue)).toBeCloseTo(1, 1);
      expect(seen.mean / meanWait(queue)).toBeCloseTo(1, 1);
      expect(seen.littleError).toBeCloseTo(0, 2);
    },
  );

  it('has as many slow pages as the formula says', async () => {
    const seen = await simulatePages({ slow: 0.02, calls: 20 }, 5_000, '1');
    expect(seen / slowPages(0.02, 20)).toBeCloseTo(1, 1);
  });
});
