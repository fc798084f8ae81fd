/**
 * Prints how many nanoseconds one event takes: `cost.ts TIMERS CLIENTS`. Each client waits a while, again and again, on
 * the platform's `setTimeout`, whoever has put a clock of their own behind it. One of them a process.
 */
import { seeded } from '../../../quiz/random.ts';
import { isTimers, timersOf } from './timers.ts';

const WARM_UP_MS = 300;
const MEASURED_MS = 1_500;
/** Of simulated time, between two looks at the real clock. */
const STEP_MS = 1_000;

// Taken before anything is put in its place.
const now = performance.now.bind(performance);

const [, , name = '', clients = ''] = process.argv;
if (!isTimers(name)) throw new Error(`There are no timers called ${name}.`);
const advance = await timersOf[name]();
const random = seeded('clients');
/** With it, there is one event a millisecond, whatever the number of clients. */
const meanWaitMs = Number(clients);
let events = 0;
for (let client = 0; client < Number(clients); client += 1) void comeAgainAndAgain();
await run(WARM_UP_MS);
events = 0;
const tookMs = await run(MEASURED_MS);
console.log((tookMs / events) * 1e6);

async function comeAgainAndAgain(): Promise<never> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 2 * random() * meanWaitMs));
    events += 1;
  }
}

async function run(atLeastMs: number): Promise<number> {
  const startedAt = now();
  while (now() - startedAt < atLeastMs) await advance(STEP_MS);
  return now() - startedAt;
}
