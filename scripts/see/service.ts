import type { Random } from '../../quiz/random.ts';
import type { Draw } from './draws.ts';
import type { EventClock } from './event-clock.ts';
import { createCounter, createGauge, type Gauge, type Level, type Tally } from './tally.ts';

/** What goes wrong with a service, from `fromMs` up to `toMs`. */
type Fault = { readonly fromMs: number; readonly toMs: number } & (
  | {
      /** `down`: every call is refused at once. `stalled`: calls are taken in, and nothing is worked on. */
      readonly kind: 'down' | 'stalled';
    }
  | {
      /** Work that begins meanwhile takes so many times as long. */
      readonly kind: 'slow';
      readonly times: number;
    }
  | {
      /** This share of the work that begins meanwhile ends in an error, in the usual time. */
      readonly kind: 'failing';
      readonly share: number;
    }
);

export interface ServiceOptions {
  /** How much it works on at once; @default Infinity */
  readonly servers?: number;
  /** How many calls may wait for a server; one more is refused at once; @default Infinity */
  readonly queue?: number;
  /** @default 'oldest first' */
  readonly order?: 'oldest first' | 'newest first';
  /** How long the work for one call takes, in milliseconds. */
  readonly workMs: Draw;
  /** How long a message is under way, either way; @default 0 */
  readonly networkMs?: Draw;
  /** Does it see that a caller has left, and drop the call? Most servers do not; @default false */
  readonly seesLeaving?: boolean;
  readonly faults?: readonly Fault[];
}

interface CallOptions {
  /** Its abort ends the call for the caller. */
  readonly signal?: AbortSignal | undefined;
  /** What the service calls in turn when its own work is done. Until that ends, it holds its server. */
  readonly next?: (() => PromiseLike<unknown>) | undefined;
}

/** A call that did not succeed: it was refused, or the work has failed. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly reason: 'refused' | 'failed';

  constructor(service: string, reason: 'refused' | 'failed') {
    super(`${service} ${reason === 'refused' ? 'refused the call' : 'failed'}.`);
    this.reason = reason;
  }
}

/** What a service has seen. */
export interface ServiceRecord {
  /** Calls that reached it. */
  readonly calls: Tally;
  readonly refused: Tally;
  /** Work that ended, well or not. */
  readonly done: Tally;
  /** Of it, what ended well while its caller waited. */
  readonly useful: Tally;
  /** Of it, what nobody waited for any more. */
  readonly wasted: Tally;
  readonly working: Level;
  readonly waiting: Level;
  /** Milliseconds that each call waited for a server, by the number of the call. */
  readonly waitsMs: readonly number[];
}

export interface Service extends ServiceRecord {
  readonly name: string;
  /** Resolves when the work is done. Rejects with a `ServiceError`, or with the reason of the signal. */
  readonly call: (options?: CallOptions) => Promise<void>;
}

interface Source {
  readonly clock: EventClock;
  readonly random: Random;
}

/** What `work` throws at once counts like what it rejects with. */
export async function begin(work: () => PromiseLike<unknown>): Promise<void> {
  await work();
}

/** A number of servers behind one queue. */
export function createService(name: string, options: ServiceOptions, source: Source): Service {
  const station = new Station(name, options, source);
  const { calls, refused, done, useful, wasted, working, waiting, waitsMs } = station;
  return {
    name,
    calls,
    refused,
    done,
    useful,
    wasted,
    working,
    waiting,
    waitsMs,
    call: (callOptions = {}) =>
      new Promise((resolve, reject) => {
        new Call(station, callOptions, resolve, reject).start();
      }),
  };
}

class Station {
  readonly calls = createCounter();
  readonly refused = createCounter();
  readonly done = createCounter();
  readonly useful = createCounter();
  readonly wasted = createCounter();
  readonly working: Gauge;
  readonly waiting: Gauge;
  readonly waitsMs: number[] = [];
  readonly name: string;
  readonly clock: EventClock;
  readonly hasNetwork: boolean;
  readonly #options: ServiceOptions;
  readonly #random: Random;
  readonly #line = createLine<Call>();

  constructor(name: string, options: ServiceOptions, { clock, random }: Source) {
    this.name = name;
    this.clock = clock;
    this.hasNetwork = options.networkMs !== undefined;
    this.#options = options;
    this.#random = random;
    this.working = createGauge(() => clock.nowMs);
    this.waiting = createGauge(() => clock.nowMs);
    for (const { kind, toMs } of options.faults ?? []) {
      if (kind === 'stalled') clock.at(toMs, () => this.#workOn());
    }
  }

  messageMs(): number {
    return this.#options.networkMs?.(this.#random) ?? 0;
  }

  /** Takes the call in, or refuses it. */
  take(call: Call): void {
    const { servers = Infinity, queue = Infinity } = this.#options;
    this.calls.count(this.clock.nowMs);
    const isBusy = this.working.now >= servers || this.#fault('stalled') !== undefined;
    const isFull = isBusy && this.waiting.now >= queue;
    if (isFull || this.#fault('down')) {
      this.refused.count(this.clock.nowMs);
      call.answer(new ServiceError(this.name, 'refused'));
      return;
    }
    this.#line.push(call);
    this.waiting.add(1);
    this.#workOn();
  }

  #workOn(): void {
    if (this.#fault('stalled')) return;
    const { servers = Infinity, order = 'oldest first', seesLeaving = false } = this.#options;
    while (this.working.now < servers && this.#line.length > 0) {
      const call = order === 'oldest first' ? this.#line.shift() : this.#line.pop();
      this.waiting.add(-1);
      if (call && !(call.isOver && seesLeaving)) this.#begin(call);
    }
  }

  #begin(call: Call): void {
    const { clock } = this;
    this.working.add(1);
    this.waitsMs.push(clock.nowMs - call.arrivedMs);
    call.holdsServer = true;
    const error = this.#luck();
    clock.at(clock.nowMs + this.#workMs(), () => {
      const { next } = call;
      if (error || !next) {
        this.#end(call, error);
        return;
      }
      begin(next).then(
        () => this.#end(call),
        (reason: unknown) => this.#end(call, reason),
      );
    });
    if (this.#options.seesLeaving)
      call.signal?.addEventListener('abort', () => this.#end(call), { once: true });
  }

  #end(call: Call, error?: unknown): void {
    if (!call.holdsServer) return;
    call.holdsServer = false;
    this.working.add(-1);
    this.done.count(this.clock.nowMs);
    if (call.isOver) this.wasted.count(this.clock.nowMs);
    else if (error === undefined) this.useful.count(this.clock.nowMs);
    call.answer(error);
    this.#workOn();
  }

  #workMs(): number {
    const slow = this.#fault('slow');
    return this.#options.workMs(this.#random) * (slow?.kind === 'slow' ? slow.times : 1);
  }

  /** What work that begins now will end in. */
  #luck(): ServiceError | undefined {
    const failing = this.#fault('failing');
    if (failing?.kind !== 'failing' || this.#random() >= failing.share) return undefined;
    return new ServiceError(this.name, 'failed');
  }

  #fault(kind: Fault['kind']): Fault | undefined {
    const { nowMs } = this.clock;
    return this.#options.faults?.find(
      (fault) => fault.kind === kind && fault.fromMs <= nowMs && nowMs < fault.toMs,
    );
  }
}

class Call {
  readonly signal: AbortSignal | undefined;
  readonly next: CallOptions['next'];
  arrivedMs = 0;
  holdsServer = false;
  /** It has been answered, or its caller has left. */
  isOver = false;
  readonly #station: Station;
  readonly #resolve: () => void;
  readonly #reject: (reason: unknown) => void;

  constructor(
    station: Station,
    { signal, next }: CallOptions,
    resolve: () => void,
    reject: (reason: unknown) => void,
  ) {
    this.signal = signal;
    this.next = next;
    this.#station = station;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    const { clock, hasNetwork } = this.#station;
    if (this.signal?.aborted) {
      this.#leave();
      return;
    }
    this.signal?.addEventListener('abort', this.#leave, { once: true });
    if (hasNetwork) clock.at(clock.nowMs + this.#station.messageMs(), () => this.#arrive());
    else this.#arrive();
  }

  answer(error: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.signal?.removeEventListener('abort', this.#leave);
    const { clock, hasNetwork } = this.#station;
    if (hasNetwork) clock.at(clock.nowMs + this.#station.messageMs(), () => this.#settle(error));
    else this.#settle(error);
  }

  #arrive(): void {
    this.arrivedMs = this.#station.clock.nowMs;
    this.#station.take(this);
  }

  readonly #leave = (): void => {
    this.isOver = true;
    this.#reject(this.signal?.reason);
  };

  #settle(error: unknown): void {
    if (error === undefined) this.#resolve();
    else this.#reject(error);
  }
}

/** A queue of which both ends can be taken; its memory is as long as itself. */
function createLine<T>() {
  let items: T[] = [];
  let gone = 0;
  return {
    get length() {
      return items.length - gone;
    },
    push(item: T) {
      items.push(item);
    },
    pop() {
      return items.length > gone ? items.pop() : undefined;
    },
    shift() {
      const first = items[gone];
      gone += 1;
      if (gone > 1_000 && gone * 2 > items.length) {
        items = items.slice(gone);
        gone = 0;
      }
      return first;
    },
  };
}
