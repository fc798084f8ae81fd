export interface BulkheadOptions {
  /** How many tasks may run at once; whole number, 1 or more. */
  readonly permits: number;
  /** How many calls may wait for a permit; whole number, 0 or more. */
  readonly queue: number;
  /** How long a call may wait, in milliseconds; whole number from 1 to 2,147,483,647; @default as long as it takes */
  readonly maxWaitMs?: number;
}

export interface RunOptions {
  /** Takes the call out of the queue. Once the task runs, stopping is up to the task. */
  readonly signal?: AbortSignal;
}

export interface Bulkhead {
  /** How many permits are taken. */
  readonly running: number;
  /** How many calls wait for a permit. */
  readonly queued: number;
  /**
   * Runs `task` as soon as there is a permit for it and settles as it does, or does not run it at all.
   *
   * @throws {BulkheadFullError} (as a rejection) when there is no room, or the wait has been too long
   * @throws `signal.reason` (as a rejection) when the signal aborts before the task runs
   */
  run<T>(task: () => T | PromiseLike<T>, options?: RunOptions): Promise<T>;
}

export interface Bulkheads {
  /** The compartment of this dependency: made when it is first asked for, the same one ever after. */
  for(dependency: string): Bulkhead;
}

/** The call was refused; the task has not run. */
export class BulkheadFullError extends Error {
  override readonly name = 'BulkheadFullError';
  /** `full`: no permit and no place in the queue; `waited too long`: for `maxWaitMs`, without getting a permit. */
  readonly reason: 'full' | 'waited too long';

  constructor(reason: 'full' | 'waited too long') {
    super(`The bulkhead refused the call: ${reason}.`);
    this.reason = reason;
  }
}

/** A bulkhead after M. Nygard, Release It!, 2nd edition (2018): a counting semaphore with a bounded, fair queue. */
export function createBulkhead(options: BulkheadOptions): Bulkhead {
  return new Compartment(options);
}

/**
 * A compartment for each dependency, so that none can use up what the others need.
 *
 * @param own options of the dependencies that need others than `defaults`; in place of them, not mixed with them
 */
export function createBulkheads(
  defaults: BulkheadOptions,
  own: Readonly<Record<string, BulkheadOptions>> = {},
): Bulkheads {
  return new Compartments(defaults, own);
}

/**
 * The other usual shape: a class that starts calls in place of handing out permits. Every call joins the line, if
 * only for a moment, and one method, `#startAll`, is the only place where a task begins. One timer does for the
 * whole line: as all wait equally long, whoever is first in line is also the first to have waited too long.
 */
class Compartment implements Bulkhead {
  readonly #options: BulkheadOptions;
  #line: Waiting[] = [];
  #running = 0;
  #alarm: NodeJS.Timeout | undefined;

  constructor(options: BulkheadOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#line.length;
  }

  run<T>(task: () => T | PromiseLike<T>, { signal }: RunOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const { permits, queue, maxWaitMs = Infinity } = this.#options;
      if (signal?.aborted) return reject(signal.reason);
      if (this.#running === permits && this.#line.length === queue) {
        return reject(new BulkheadFullError('full'));
      }
      const hangUp = () => {
        this.#line = this.#line.filter((other) => other !== call);
        this.#setAlarm();
        reject(signal?.reason);
      };
      const call: Waiting = {
        untilMs: performance.now() + maxWaitMs,
        start: () => {
          signal?.removeEventListener('abort', hangUp);
          const result = new Promise<T>((settle) => settle(task()));
          const settled = () => this.#ended();
          // The permit first, the answer then: who has the answer may call again at once.
          result.then(settled, settled);
          resolve(result);
        },
        refuse: () => {
          signal?.removeEventListener('abort', hangUp);
          reject(new BulkheadFullError('waited too long'));
        },
      };
      signal?.addEventListener('abort', hangUp, { once: true });
      this.#line.push(call);
      this.#startAll();
      this.#setAlarm();
    });
  }

  #ended(): void {
    this.#running -= 1;
    this.#startAll();
    this.#setAlarm();
  }

  /** In one step with whatever frees a permit: nobody sees it free while a call waits. */
  #startAll(): void {
    while (this.#running < this.#options.permits) {
      const call = this.#line.shift();
      if (!call) return;
      this.#running += 1;
      call.start();
    }
  }

  #setAlarm(): void {
    clearTimeout(this.#alarm);
    const [first] = this.#line;
    if (!first || first.untilMs === Infinity) return;
    this.#alarm = setTimeout(() => this.#refuseLate(), first.untilMs - performance.now());
  }

  #refuseLate(): void {
    const now = performance.now();
    // A timer of Node may be early by a fraction of a millisecond: then nobody is late, and it is set once more.
    const inTime = this.#line.findIndex(({ untilMs }) => untilMs > now);
    const late = this.#line.splice(0, inTime === -1 ? this.#line.length : inTime);
    for (const call of late) call.refuse();
    this.#setAlarm();
  }
}

interface Waiting {
  readonly untilMs: number;
  start(): void;
  refuse(): void;
}

class Compartments implements Bulkheads {
  readonly #defaults: BulkheadOptions;
  readonly #own: ReadonlyMap<string, BulkheadOptions>;
  readonly #byName = new Map<string, Bulkhead>();

  constructor(defaults: BulkheadOptions, own: Readonly<Record<string, BulkheadOptions>>) {
    this.#defaults = defaults;
    this.#own = new Map(Object.entries(own));
  }

  for(dependency: string): Bulkhead {
    const made =
      this.#byName.get(dependency) ?? new Compartment(this.#own.get(dependency) ?? this.#defaults);
    this.#byName.set(dependency, made);
    return made;
  }
}
