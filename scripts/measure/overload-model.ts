/** What can be changed while the clock runs. */
export interface Conditions {
  /** Requests a second. */
  readonly load: number;
  /** How many attempts the server can serve in a second. */
  readonly capacity: number;
  /** Most attempts at a request. The next one is made as soon as the one before is refused or has timed out. */
  readonly attempts: number;
  /** All clients together retry at most this often for each request that there has been so far. */
  readonly retryRatio: number;
  /** How many attempts may wait; one more is refused, which costs the server nothing. */
  readonly places: number;
  /** Serves those first who came last. */
  readonly newestFirst: boolean;
  /** Drops an attempt whose client will not wait for the answer, which costs the server nothing. */
  readonly dropsExpired: boolean;
}

/** A server that nobody protects: three attempts for each request, one endless line. */
const UNPROTECTED: Conditions = {
  load: 600,
  capacity: 1_000,
  attempts: 3,
  retryRatio: Infinity,
  places: Infinity,
  newestFirst: false,
  dropsExpired: false,
};

/** What happened within one second. */
interface Second {
  /** Requests that began. */
  readonly requests: number;
  /** Of these, how many got an answer in time, then or at a later attempt. */
  readonly answered: number;
  /** Attempts that reached the server: first ones and retries. */
  readonly attempts: number;
  /** Attempts that the server worked on: its throughput. */
  readonly served: number;
  /** Of these, how many ended while their client was waiting: its goodput. */
  readonly inTime: number;
}

export interface Service {
  readonly seconds: readonly Second[];
  /** Attempts in line, those of clients who have left included. */
  readonly waiting: number;
  change(conditions: Partial<Conditions>): void;
  /** Forgets all that wait. Their clients hear nothing, and time out. */
  dropQueue(): void;
  /** Lets whole seconds pass. In a stall the server takes in attempts but serves none. */
  run(seconds: number, options?: { readonly stalled?: boolean }): void;
}

/** How long a client waits for the answer to an attempt. */
const TIMEOUT_MS = 1_000;

interface Attempt {
  readonly number: number;
  readonly sentMs: number;
  /** The second in which its request began. */
  readonly begun: Tally;
  ended: boolean;
}

type Tally = { -readonly [Key in keyof Second]: Second[Key] };

/**
 * Clients and one server, in steps of a millisecond. Requests come at even distances, and each costs the server the same
 * time, so nothing is left to chance: what the table shows is not bad luck.
 *
 * @see https://sigops.org/s/conferences/hotos/2021/papers/hotos21-s11-bronson.pdf Bronson et al., 2021
 */
export function createService(initially: Partial<Conditions> = {}): Service {
  let conditions: Conditions = { ...UNPROTECTED, ...initially };
  const seconds: Tally[] = [];
  const line = createLine();
  /** In the order in which they time out. */
  const pending = createLine();
  let nowMs = 0;
  /** In thousandths: of a request that is to come, and of one that could have been served. */
  let due = 0;
  let spare = 0;
  let requests = 0;
  let retries = 0;

  const send = (number: number, begun: Tally, now: Tally) => {
    now.attempts += 1;
    const attempt: Attempt = { number, sentMs: nowMs, begun, ended: false };
    if (line.length >= conditions.places) {
      fail(attempt, now);
    } else {
      line.push(attempt);
      pending.push(attempt);
    }
  };

  const fail = ({ number, begun }: Attempt, now: Tally) => {
    if (number >= conditions.attempts || retries >= conditions.retryRatio * requests) return;
    retries += 1;
    send(number + 1, begun, now);
  };

  const timeOut = (now: Tally) => {
    for (let oldest = pending.first; oldest; oldest = pending.first) {
      if (nowMs - oldest.sentMs < TIMEOUT_MS) return;
      pending.shift();
      if (oldest.ended) continue;
      oldest.ended = true;
      fail(oldest, now);
    }
  };

  const arrive = (now: Tally) => {
    due += conditions.load;
    while (due >= 1_000) {
      due -= 1_000;
      requests += 1;
      now.requests += 1;
      send(1, now, now);
    }
  };

  const serve = (now: Tally) => {
    spare += conditions.capacity;
    while (spare >= 1_000) {
      const next = conditions.newestFirst ? line.pop() : line.shift();
      if (!next) {
        spare = 0; // An idle moment cannot be kept for later.
        return;
      }
      if (next.ended && conditions.dropsExpired) continue;
      spare -= 1_000;
      now.served += 1;
      if (next.ended) continue;
      next.ended = true;
      next.begun.answered += 1;
      now.inTime += 1;
    }
  };

  return {
    seconds,
    get waiting() {
      return line.length;
    },
    change(changed) {
      conditions = { ...conditions, ...changed };
    },
    dropQueue() {
      line.clear();
    },
    run(count, { stalled = false } = {}) {
      for (let second = 0; second < count; second += 1) {
        const now: Tally = { requests: 0, answered: 0, attempts: 0, served: 0, inTime: 0 };
        seconds.push(now);
        for (const endMs = nowMs + 1_000; nowMs < endMs; nowMs += 1) {
          timeOut(now);
          arrive(now);
          if (!stalled) serve(now);
        }
      }
    },
  };
}

/**
 * After how many seconds, counted from the second number `since`, 99 % of the requests get their answer, from then on
 * and for at least `calm` seconds. Lets time pass until then; undefined if it takes longer than `patience` seconds.
 */
export function secondsUntilWell(
  service: Service,
  { calm = 20, patience = 600 }: { readonly calm?: number; readonly patience?: number } = {},
): number | undefined {
  const since = service.seconds.length;
  const isWell = ({ requests, answered }: Second) => answered >= 0.99 * requests;
  while (service.seconds.length < since + patience + calm) {
    service.run(calm);
    // The last attempts at the youngest requests are still to come.
    const settled = service.seconds.slice(since, -UNPROTECTED.attempts);
    const well = settled.findLastIndex((second) => !isWell(second)) + 1;
    if (settled.length - well >= calm) return well <= patience ? well : undefined;
  }
  return undefined;
}

/** A line that does not move up in memory each time somebody leaves it. */
function createLine() {
  let attempts: Attempt[] = [];
  let gone = 0;
  return {
    get length() {
      return attempts.length - gone;
    },
    get first() {
      return attempts[gone];
    },
    push(attempt: Attempt) {
      attempts.push(attempt);
    },
    pop() {
      return attempts.length > gone ? attempts.pop() : undefined;
    },
    shift() {
      const first = attempts[gone];
      if (first) gone += 1;
      if (gone > 10_000 && gone * 2 > attempts.length) {
        attempts = attempts.slice(gone);
        gone = 0;
      }
      return first;
    },
    clear() {
      attempts = [];
      gone = 0;
    },
  };
}
