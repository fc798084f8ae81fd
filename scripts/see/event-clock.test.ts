import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventClock } from './event-clock.ts';

describe('the clock of a simulation', () => {
  it('fires events by time, and those of one moment in the order in which they were set', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 20 })), async (moments) => {
        const clock = createEventClock();
        const fired: [at: number, number: number][] = [];
        moments.forEach((at, number) => clock.at(at, () => fired.push([clock.nowMs, number])));
        await clock.advanceTo(20);
        const wanted = moments
          .map((at, number): [number, number] => [at, number])
          .toSorted(([one], [other]) => one - other);
        expect(fired).toEqual(wanted);
        expect(clock.fired).toBe(moments.length);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('lets every promise settle before the next event, however long the chain', async () => {
    const clock = createEventClock();
    const seen: string[] = [];
    clock.at(1, () => {
      void (async () => {
        for (let turn = 0; turn < 1_000; turn += 1) await Promise.resolve();
        seen.push(`settled at ${clock.nowMs}`);
      })();
    });
    clock.at(1, () => seen.push('next event'));
    await clock.advanceTo(5);
    expect(seen).toEqual(['settled at 1', 'next event']);
    expect(clock.nowMs).toBe(5);
  });

  it('does not fire what was called off, nor what lies beyond', async () => {
    const clock = createEventClock();
    const seen: number[] = [];
    const off = clock.at(2, () => seen.push(2));
    clock.at(1, () => {
      off.run = undefined;
    });
    clock.at(3, () => seen.push(3));
    clock.at(4, () => seen.push(4));
    await clock.advanceTo(3);
    expect(seen).toEqual([3]);
    await clock.advanceTo(4);
    expect(seen).toEqual([3, 4]);
  });

  it('fires what is set for the past at once', async () => {
    const clock = createEventClock();
    let at: number | undefined;
    clock.at(5, () =>
      clock.at(2, () => {
        at = clock.nowMs;
      }),
    );
    await clock.advanceTo(10);
    expect(at).toBe(5);
  });

  it('says so when time stands still', async () => {
    const clock = createEventClock();
    const again = () => void clock.at(0, again);
    again();
    await expect(clock.advanceTo(1)).rejects.toThrow('Time stands still at 0 ms');
  });

  it('begins again, with nothing set', async () => {
    const clock = createEventClock();
    const seen: string[] = [];
    clock.at(10, () => seen.push('old'));
    await clock.advanceTo(5);
    clock.reset();
    expect(clock.nowMs).toBe(0);
    await clock.advanceTo(20);
    expect(seen).toEqual([]);
  });
});
