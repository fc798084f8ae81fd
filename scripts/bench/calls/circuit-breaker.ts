import { awaiting, BARE, type CallBench, sceneOf, SOLUTION, type Turn } from './scene.ts';

const FAILURES = 5;
const HOUR_MS = 3_600_000;

type Task = () => Promise<string>;
type Call = (task: Task) => Promise<unknown>;

const breakers = {
  async [SOLUTION](): Promise<Call> {
    const { createCircuitBreaker } =
      await import('../../../solutions/circuit-breaker/circuit-breaker.ts');
    const breaker = createCircuitBreaker({
      trip: { consecutiveFailures: FAILURES },
      cooldownMs: HOUR_MS,
    });
    return (task) => breaker.call(task);
  },
  async cockatiel(): Promise<Call> {
    const { circuitBreaker, ConsecutiveBreaker, handleAll } = await import('cockatiel');
    const policy = circuitBreaker(handleAll, {
      halfOpenAfter: HOUR_MS,
      breaker: new ConsecutiveBreaker(FAILURES),
    });
    return (task) => policy.execute(task);
  },
  async opossum(): Promise<Call> {
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

const receipt: Task = async () => 'receipt';

export const circuitBreaker: CallBench = {
  title: 'what a call through a circuit breaker costs',
  scenes: [
    sceneOf('closed', breakers, async (call) => awaiting(() => call(receipt)), {
      [BARE]: async () => awaiting(receipt),
    }),
    sceneOf('open', breakers, whenOpen),
  ],
  notes: [
    'closed: the task is an async function that returns a string',
    'open: after five failures, with no end of the cooldown in sight; the caller catches the error. Most of the time goes into the stack of that error, in all of them alike',
    'the rule is five failures in a row, and nothing else is switched on. opossum has no such rule: more than half of five calls or more in ten seconds; its timeout, percentiles and snapshots are off, its counters cannot be',
  ],
};

async function whenOpen(call: Call): Promise<Turn> {
  const outage = async () => {
    throw new Error('503');
  };
  for (let failure = 0; failure < FAILURES; failure += 1) await call(outage).catch(() => {});
  return async (calls) => {
    for (let made = 0; made < calls; made += 1) {
      try {
        await call(receipt);
      } catch {
        continue;
      }
      throw new Error('The circuit is not open.');
    }
  };
}
