/**
 * Prints how many nanoseconds one call takes: `cost.ts SLUG SCENE SUBJECT`. One subject a process, so that what the
 * compiler learns from one is not used, or lost, on another.
 */
import { setImmediate } from 'node:timers/promises';
import { spreadOf } from '../statistics.ts';
import { callBenches } from './benches.ts';
import type { Turn } from './scene.ts';

const BATCHES = 11;
const MS_PER_BATCH = 20;
const CALLS_PER_TURN = 1_000;

const [, , slug = '', sceneName = '', subject = ''] = process.argv;
const scene = callBenches[slug]?.scenes.find(({ name }) => name === sceneName);
const createTurn = scene?.subjects[subject];
if (!createTurn) throw new Error(`No subject ${subject} in ${slug}, ${sceneName}.`);
console.log(await typicalBatch(await createTurn()));

/**
 * Nanoseconds for each call, once the compiler has had its time: the lower quartile of the batches, for whatever
 * else the machine does can only add to them.
 */
async function typicalBatch(turn: Turn): Promise<number> {
  let turns = 1;
  // Grows until one batch is long enough to be timed; that is the warm-up as well.
  while ((await timed(turn, turns)) < MS_PER_BATCH) turns *= 2;
  await timed(turn, 4 * turns);
  const samples: number[] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    globalThis.gc?.();
    samples.push(((await timed(turn, turns)) / turns / CALLS_PER_TURN) * 1e6);
  }
  return spreadOf(samples).p25;
}

async function timed(turn: Turn, turns: number): Promise<number> {
  const startedAt = performance.now();
  for (let made = 0; made < turns; made += 1) {
    await turn(CALLS_PER_TURN);
    // Node keeps a list of rejected promises until the event loop turns; a real program's turns often.
    await setImmediate();
  }
  return performance.now() - startedAt;
}
