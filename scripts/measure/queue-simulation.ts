import { type Random, seeded } from '../../quiz/random.ts';
import { constant, exponential, mixture } from '../see/draws.ts';
import { createEventClock } from '../see/event-clock.ts';
import { createService } from '../see/service.ts';
import { createWorld } from '../see/world.ts';
import type { Queue } from './queue-formulas.ts';

/** Short, as the gauges of a service count in steps of time. */
const WORK_MS = 1;
const SLOW_MS = 50;

export interface Waiting {
  /** The share of calls that had to wait. */
  readonly probability: number;
  /** In mean service times. */
  readonly mean: number;
  /** By how much the mean number of waiting calls differs from rate times wait (Little's law), as a share. */
  readonly littleError: number;
}

/**
 * Simulates a queue with the services of the experiments. Near full load the wait depends so much on chance that one
 * run says little: so it makes four, with the same random numbers, their complements, and both of them exchanged between
 * arrivals and work (E. S. Page, On Monte Carlo methods in congestion problems, 1965), and takes the mean.
 */
export async function simulateQueue(
  queue: Queue,
  arrivals: number,
  seed: string,
): Promise<Waiting> {
  const complement = (random: Random) => () => 1 - Math.max(random(), 2 ** -32);
  const streams = (): [Random, Random] => [seeded(`${seed} one`), seeded(`${seed} other`)];
  const runs: Waiting[] = [];
  for (const mirrored of [false, true]) {
    for (const exchanged of [false, true]) {
      const [one, other] = streams().map((each) => (mirrored ? complement(each) : each));
      if (!one || !other) continue;
      const [forArrivals, forWork] = exchanged ? [other, one] : [one, other];
      runs.push(await runOnce(queue, arrivals, { forArrivals, forWork }));
    }
  }
  const mean = (of: (run: Waiting) => number) =>
    runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
  return {
    probability: mean((run) => run.probability),
    mean: mean((run) => run.mean),
    littleError: mean((run) => run.littleError),
  };
}

async function runOnce(
  { servers, utilization }: Queue,
  arrivals: number,
  { forArrivals, forWork }: { forArrivals: Random; forWork: Random },
): Promise<Waiting> {
  const clock = createEventClock();
  const options = { servers, workMs: exponential(WORK_MS) };
  const service = createService('queue', options, { clock, random: forWork });
  const meanGapMs = WORK_MS / (servers * utilization);
  const gapMs = exponential(meanGapMs);
  const arrive = () => {
    void service.call();
    clock.at(clock.nowMs + gapMs(forArrivals), arrive);
  };
  clock.at(gapMs(forArrivals), arrive);
  const lastsMs = arrivals * meanGapMs;
  await clock.advanceTo(lastsMs);

  const { waitsMs, waiting, calls } = service;
  const meanMs = waitsMs.reduce((sum, wait) => sum + wait, 0) / waitsMs.length;
  const byLittle = (calls.total / lastsMs) * meanMs;
  return {
    probability: waitsMs.filter((wait) => wait > 0).length / waitsMs.length,
    mean: meanMs / WORK_MS,
    littleError: waiting.mean(0, lastsMs) / byLittle - 1,
  };
}

/** The share of pages that take longer than all their calls do usually, in a simulation of so many pages. */
export async function simulatePages(
  { slow, calls }: { readonly slow: number; readonly calls: number },
  pages: number,
  seed: string,
): Promise<number> {
  const clock = createEventClock();
  const lastsMs = pages * 2 * SLOW_MS;
  const { world, run } = createWorld(clock, { seed, lastsMs });
  const service = world.service('part', { workMs: mixture(constant(1), slow, constant(SLOW_MS)) });
  for (let page = 0; page < pages; page += 1) {
    world.at(page, () =>
      world.request(() => Promise.all(Array.from({ length: calls }, () => service.call()))),
    );
  }
  await clock.advanceTo(lastsMs);
  const latencies = run.requests().latenciesMs();
  return latencies.filter((ms) => ms >= SLOW_MS).length / latencies.length;
}
