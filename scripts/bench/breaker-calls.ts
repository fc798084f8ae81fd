/**
 * Prints how many nanoseconds one call through a circuit breaker takes: `breaker-calls.ts SUBJECT STATE`. One
 * subject a process, so that what the compiler learns from one is not used, or lost, on another.
 */
import { setImmediate } from 'node:timers/promises';
import { spreadOf } from './statistics.ts';

const BATCHES = 11;
const MS_PER_BATCH = 20;
const CALLS_PER_TURN = 1_000;
const FAILURES = 5;
const HOUR_MS = 3_600_000;

type Task = () => Promise<string>;
type Call = (task: Task) => Promise<unknown>;

const subjects: Readonly<Record<string, () => Promise<Call>>> = {
  async bare() {
    return (task) => task();
  },
  async solution() {
    const { createCircuitBreaker } =
      await import('../../solutions/circuit-breaker/circuit-breaker.ts');
    const breaker = createCircuitBreaker({
      trip: { consecutiveFailures: FAILURES },
      cooldownMs: HOUR_MS,
    });
    return (task) => breaker.call(task);
  },
  async cockatiel() {
    const { circuitBreaker, ConsecutiveBreaker, handleAll } = await import('cockatiel');
    const policy = circuitBreaker(handleAll, {
      halfOpenAfter: HOUR_MS,
      breaker: new ConsecutiveBreaker(FAILURES),
    });
    return (task) => policy.execute(task);
  },
  async opossum() {
    const { default: CircuitBreaker } = await import('opossum');
    const breaker = new CircuitBreaker((task: Task) => task(), {
      timeout: false,
      resetTimeout: HOUR_MS,
      volumeThreshold: FAILURES,
      errorThresholdPercentage: 50,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    });
    return (task) => breaker.fire(task);
  },
};

const [, , subject = '', state = ''] = process.argv;
const createCall = subjects[subject];
if (!createCall) throw new Error(`No subject ${subject}.`);
const measure = state === 'open' ? whenOpen : whenClosed;
console.log(await measure(await createCall()));

async function whenClosed(call: Call): Promise<number> {
  const task = async () => 'receipt';
  return typicalBatch(async () => {
    for (let made = 0; made < CALLS_PER_TURN; made += 1) await call(task);
  });
}

async function whenOpen(call: Call): Promise<number> {
  const outage = async () => {
    throw new Error('503');
  };
  for (let failure = 0; failure < FAILURES; failure += 1) await call(outage).catch(() => {});
  let reached = 0;
  const task = async () => {
    reached += 1;
    return 'receipt';
  };
  const took = await typicalBatch(async () => {
    for (let made = 0; made < CALLS_PER_TURN; made += 1) {
      try {
        await call(task);
      } catch {
        // Refused, as it should be.
      }
    }
  });
  if (reached > 0) throw new Error(`${subject} is not open.`);
  return took;
}

/**
 * Nanoseconds for each call, once the compiler has had its time: the lower quartile of the batches, for whatever
 * else the machine does can only add to them.
 */
async function typicalBatch(runTurn: () => Promise<void>): Promise<number> {
  let turns = 1;
  // Grows until one batch is long enough to be timed; that is the warm-up as well.
  while ((await timed(runTurn, turns)) < MS_PER_BATCH) turns *= 2;
  await timed(runTurn, 4 * turns);
  const samples: number[] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    globalThis.gc?.();
    samples.push(((await timed(runTurn, turns)) / turns / CALLS_PER_TURN) * 1e6);
  }
  return spreadOf(samples).p25;
}

async function timed(runTurn: () => Promise<void>, turns: number): Promise<number> {
  const startedAt = performance.now();
  for (let turn = 0; turn < turns; turn += 1) {
    await runTurn();
    // Node keeps a list of rejected promises until the event loop turns; a real program's turns often.
    await setImmediate();
  }
  return performance.now() - startedAt;
}
