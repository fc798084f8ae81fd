import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exponential } from './draws.ts';
import { createEventClock } from './event-clock.ts';
import { createWorld, percentile, type World } from './world.ts';

async function runWorld(play: (world: World) => void, { seed = '1', lastsMs = 10_000 } = {}) {
  const clock = createEventClock();
  const { world, run } = createWorld(clock, { seed, lastsMs });
  play(world);
  await clock.advanceTo(lastsMs);
  return run;
}

describe('a world', () => {
  it('is the same for the same seed, and another one for another', async () => {
    const shop = (world: World) => {
      const service = world.service('shop', { servers: 3, workMs: exponential(20) });
      world.arrivals('users', { perSecond: 100 }, () => world.request(() => service.call()));
    };
    const [one, same, other] = [
      await runWorld(shop),
      await runWorld(shop),
      await runWorld(shop, { seed: '2' }),
    ];
    expect(same.requests().latenciesMs()).toEqual(one.requests().latenciesMs());
    expect(other.requests().latenciesMs()).not.toEqual(one.requests().latenciesMs());
  });

  it('gives a service the same arrivals, whatever chance is used up elsewhere', async () => {
    const arrivalsOf = async (draws: number) => {
      const moments: number[] = [];
      await runWorld((world) => {
        const chance = world.random('elsewhere');
        world.arrivals('users', { perSecond: 50 }, () => {
          moments.push(world.nowMs);
          for (let draw = 0; draw < draws; draw += 1) chance();
        });
      });
      return moments;
    };
    expect(await arrivalsOf(5)).toEqual(await arrivalsOf(0));
  });

  it('lets arrivals follow a rate that changes', async () => {
    const run = await runWorld((world) => {
      world.arrivals(
        'users',
        { perSecond: (ms) => (ms < 5_000 ? 100 : 400), spacing: 'even' },
        () => world.count('arrivals'),
      );
    });
    expect(run.counted('arrivals').perSecond(0, 5_000)).toBeCloseTo(100, 0);
    expect(run.counted('arrivals').perSecond(5_000, 10_000)).toBeCloseTo(400, 0);
  });

  it('counts a request by how it ends: answered, refused, out of patience, or thrown at once', async () => {
    const signals: AbortSignal[] = [];
    const run = await runWorld((world) => {
      world.request(async () => {}, { kind: 'good' });
      world.request(() => {
        throw new TypeError('at once');
      });
      world.request(async () => {
        throw undefined;
      });
      world.request(
        (signal) => {
          signals.push(signal);
          return new Promise(() => {});
        },
        { patienceMs: 100 },
      );
      world.request(() => new Promise(() => {}));
    });
    expect(run.requests().begun.total).toBe(5);
    expect(run.requests().answered.total).toBe(1);
    expect(run.requests('good').answered.total).toBe(1);
    expect(run.requests().failed.total).toBe(3);
    expect(run.requests().underWay.now).toBe(1);
    expect(run.failures.map(({ what }) => what).toSorted()).toEqual([
      'TypeError',
      'nobody waited any more',
      'nothing',
    ]);
    expect(signals[0]?.aborted).toBe(true);
  });

  it("obeys Little's law: the mean number under way is the rate times the time each takes", async () => {
    const shops = fc.record({
      perSecond: fc.integer({ min: 10, max: 200 }),
      servers: fc.integer({ min: 1, max: 8 }),
      workMs: fc.integer({ min: 1, max: 50 }),
      queue: fc.integer({ min: 0, max: 30 }),
    });
    await fc.assert(
      fc.asyncProperty(shops, async ({ perSecond, servers, workMs, queue }) => {
        const lastsMs = 4_000;
        const run = await runWorld(
          (world) => {
            const service = world.service('shop', { servers, queue, workMs: exponential(workMs) });
            // The last ones are let through, so that each has an end.
            world.arrivals('users', { perSecond, untilMs: 2_000 }, () =>
              world.request(() => service.call()),
            );
          },
          { lastsMs },
        );
        const took = run
          .requests()
          .latenciesMs()
          .reduce((sum, ms) => sum + ms, 0);
        expect(run.requests().underWay.mean(0, lastsMs) * lastsMs).toBeCloseTo(took, 3);
      }),
      { seed: 1, numRuns: 20 },
    );
  });
});

describe('percentile', () => {
  it.each([
    [0.5, 2],
    [0.75, 3],
    [0.99, 4],
    [1, 4],
    [0, 1],
  ])('finds %d of four numbers', (share, wanted) => {
    expect(percentile([1, 2, 3, 4], share)).toBe(wanted);
  });

  it('has none of nothing', () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});
