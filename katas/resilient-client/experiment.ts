import {
  constant,
  experiment,
  pause,
  percentile,
  type Run,
  ServiceError,
  uniform,
  within,
  type World,
} from '../../scripts/see/experiment.ts';
import { createClient } from './resilient-client.ts';

const HANGING = { fromMs: 10_000, toMs: 25_000 };
/** The first timeouts have told by then. */
const KNOWN_MS = 12_000;
const DEADLINE_MS = 3_000;
const RETRY = { attempts: 3, baseMs: 200, capMs: 1_000 };
const BULKHEAD = { permits: 100, queue: 100 };

class NoSuchBookingError extends Error {
  override readonly name = 'NoSuchBookingError';
}

class AnotherSeatError extends Error {
  override readonly name = 'another seat than their own';
}

experiment('seats', {
  question:
    '80 passengers a second check in. One call in twenty to the seat service gets lost and is never answered; from second 10 to 25 each takes 60 times as long. Who gets no answer gets any free seat. The booking of one passenger in fifty was canceled: they are to get none. Who sits where, and after what wait?',
  asked:
    'On the left calls go on in waves, 3 s apart, for as long as seats hang, and one passenger in twenty gets another seat even before that. For each of the two: which two layers stand in the wrong order?',
  lastsMs: 40_000,
  unit: 'a second',
  faults: () => [{ ...HANGING, what: 'seats hang' }],
  without: {
    title: 'breaker → fallback → timeout → retry',
    play: (world) => play(world, asOnThatSunday(world)),
  },
  yours: {
    title: 'your client',
    play(world) {
      const client = createClient({
        dependencies: {
          seats: {
            deadlineMs: DEADLINE_MS,
            fallbackMs: 300,
            timeoutMs: 600,
            retry: RETRY,
            breaker: { consecutiveFailures: 5, cooldownMs: 3_000 },
            bulkhead: BULKHEAD,
            isFault: (error) => error instanceof ServiceError,
          },
        },
      });
      play(world, (task, fallback) =>
        client.call('seats', ({ signal }) => task(signal), { idempotent: true, fallback }),
      );
    },
  },
  lines: {
    calls: (run, fromMs, toMs) => run.counted('calls').perSecond(fromMs, toMs),
    'own seats': (run, fromMs, toMs) => run.requests('own seat').answered.perSecond(fromMs, toMs),
  },
  numbers: {
    'own seats before, of 100 passengers': ownBefore,
    'calls while seats hang': (run) => run.counted('calls').between(HANGING.fromMs, HANGING.toMs),
    'p90 of the wait then (ms)': p90WaitMs,
    'longest wait of all (ms)': (run) => percentile(run.requests('told').latenciesMs(), 1),
    'no own seat for (s)': (run) => darkMs(run) / 1_000,
    'seats without a booking': seatsWithoutBooking,
  },
  observations: [
    {
      says: 'Of 100 passengers before the hang, with their own seat',
      measure: ownBefore,
      atLeast: 99,
      breaks: ['One timeout for all attempts', 'Second best at the first failure'],
    },
    {
      says: 'Calls from second 12 to 25, while seats hang',
      measure: (run) => run.counted('calls').between(KNOWN_MS, HANGING.toMs),
      atMost: 30,
      breaks: [
        'The fallback has helped, so all is well',
        'One predicate for all that goes wrong',
        'A client for each call',
      ],
    },
    {
      says: 'P90 of the wait for a seat in that time (ms)',
      measure: p90WaitMs,
      atMost: 50,
      breaks: ['An open circuit may be closed next time', 'One predicate for all that goes wrong'],
    },
    {
      says: 'Seats given though the service has said: no such booking',
      measure: seatsWithoutBooking,
      atMost: 0,
      breaks: ['Second best is for every error'],
    },
  ],
});

function ownBefore(run: Run): number {
  return 100 * run.requests('own seat').success(0, HANGING.fromMs - DEADLINE_MS);
}

function p90WaitMs(run: Run): number {
  return percentile(run.requests('told').latenciesMs(KNOWN_MS, HANGING.toMs), 0.9);
}

function seatsWithoutBooking(run: Run): number {
  return run.counted('seats without a booking').total;
}

/** The longest time in which nobody has got their own seat. */
function darkMs(run: Run): number {
  let longest = 0;
  let dark = 0;
  for (let ms = 0; ms < run.lastsMs; ms += 100) {
    dark = run.requests('own seat').answered.between(ms, ms + 100) === 0 ? dark + 100 : 0;
    longest = Math.max(longest, dark);
  }
  return longest;
}

/** Asks the seat service in whatever way, or else does the second best. */
type Ask = (task: (signal: AbortSignal) => Promise<void>, fallback: () => void) => Promise<void>;

type Seat = 'own seat' | 'no seat' | 'any free seat';

function play(world: World, ask: Ask): void {
  const seats = world.service('seats', {
    servers: 12,
    workMs: uniform(50, 150),
    faults: [{ ...HANGING, kind: 'slow', times: 60 }],
  });
  const network = world.random('network');
  const call = async (signal: AbortSignal) => {
    signal.throwIfAborted();
    world.count('calls');
    await (network() < 0.05 ? lost(signal) : seats.call({ signal }));
  };
  const checkIn = async (isBooked: boolean): Promise<Seat> => {
    let got: Seat = 'any free seat';
    const task = async (signal: AbortSignal) => {
      await call(signal);
      got = isBooked ? 'own seat' : 'no seat';
      if (!isBooked) throw new NoSuchBookingError();
    };
    await ask(task, () => {
      if (got === 'no seat') world.count('seats without a booking');
      got = 'any free seat';
    });
    return got;
  };
  world.arrivals('passengers', { perSecond: 80 }, (number) => {
    const isBooked = number % 50 !== 0;
    const told = checkIn(isBooked);
    world.request(() => told, { kind: 'told' });
    if (!isBooked) return;
    const sit = async () => {
      if ((await told) !== 'own seat') throw new AnotherSeatError();
    };
    world.request(sit, { kind: 'own seat' });
  });
}

function lost(signal: AbortSignal): Promise<void> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Sound parts, in the wrong order. The breaker outside of them sees nothing but successes, and so is left out. */
function asOnThatSunday(world: World): Ask {
  const { permits, queue } = BULKHEAD;
  const bulkhead = world.service('permits', { servers: permits, queue, workMs: constant(0) });
  return async (task, fallback) => {
    try {
      await bulkhead.call({
        next: () => within(DEADLINE_MS, (signal) => repeated(task, signal), tooLate),
      });
    } catch {
      fallback();
    }
  };
}

async function repeated(
  task: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await task(signal);
    } catch (error) {
      if (attempt === RETRY.attempts || signal.aborted) throw error;
      await pause(Math.random() * RETRY.baseMs * 2 ** (attempt - 1));
    }
  }
}

function tooLate(): Error {
  return new Error('too late');
}
