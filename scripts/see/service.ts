import type { Random } from '../../quiz/random.ts';
import type { Draw } from './draws.ts';
import type { EventClock } from './event-clock.ts';
import { createCounter, createGauge, type Level, type Tally } from './tally.ts';

/** What goes wrong with a service, from `fromMs` up to `toMs`. */
export type Fault = { readonly fromMs: number; readonly toMs: number } & (
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

export interface CallOptions {
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

interface Call extends CallOptions {
  readonly number: number;
  readonly arrivedMs: number;
  /** Settles the call for its caller; the first time counts. */
  readonly end: (error?: unknown) => void;
  isOver: boolean;
}

/** A number of servers behind one queue. */
export function createService(
  name: string,
  options: ServiceOptions,
  { clock, random }: { readonly clock: EventClock; readonly random: Random },
): Service {
  const { servers = Infinity, queue = Infinity, order = 'oldest first' } = options;
  const { workMs, networkMs, seesLeaving = false, faults = [] } = options;
  const now = () => clock.nowMs;
  const counters = {
    calls: createCounter(),
    refused: createCounter(),
    done: createCounter(),
    useful: createCounter(),
    wasted: createCounter(),
  };
  const working = createGauge(now);
  const waiting = createGauge(now);
  const waitsMs: number[] = [];
  const line = createLine<Call>();
  let taken = 0;

  const faultNow = (kind: Fault['kind']) =>
    faults.find((fault) => fault.kind === kind && fault.fromMs <= now() && now() < fault.toMs);

  const arrive = (call: Call) => {
    counters.calls.count(now());
    const isFull = working.now >= servers && waiting.now >= queue;
    if (faultNow('down') || isFull) {
      counters.refused.count(now());
      call.end(new ServiceError(name, 'refused'));
      return;
    }
    line.push(call);
    waiting.add(1);
    workOn();
  };

  const workOn = () => {
    if (faultNow('stalled')) return;
    while (working.now < servers && line.length > 0) {
      const call = order === 'oldest first' ? line.shift() : line.pop();
      waiting.add(-1);
      if (call && !(call.isOver && seesLeaving)) begin(call);
    }
  };

  const begin = (call: Call) => {
    working.add(1);
    waitsMs[call.number] = now() - call.arrivedMs;
    const slow = faultNow('slow');
    const failing = faultNow('failing');
    const takesMs = workMs(random) * (slow?.kind === 'slow' ? slow.times : 1);
    const fails = failing?.kind === 'failing' && random() < failing.share;
    let isFreed = false;
    const free = (error?: unknown) => {
      if (isFreed) return;
      isFreed = true;
      working.add(-1);
      counters.done.count(now());
      if (call.isOver) counters.wasted.count(now());
      else if (error === undefined) counters.useful.count(now());
      call.end(error);
      workOn();
    };
    clock.at(now() + takesMs, () => {
      if (isFreed) return;
      if (fails) free(new ServiceError(name, 'failed'));
      else if (call.next) call.next().then(() => free(), free);
      else free();
    });
    if (seesLeaving) call.signal?.addEventListener('abort', () => free(), { once: true });
  };

  for (const { kind, toMs } of faults) if (kind === 'stalled') clock.at(toMs, workOn);

  return {
    name,
    ...counters,
    working,
    waiting,
    waitsMs,
    call({ signal, next } = {}) {
      return new Promise((resolve, reject) => {
        const messageMs = () => networkMs?.(random) ?? 0;
        const thereMs = messageMs();
        const settle = (error: unknown) => {
          if (error === undefined) resolve();
          else reject(error);
        };
        const call: Call = {
          signal,
          next,
          number: taken,
          arrivedMs: now() + thereMs,
          isOver: false,
          end(error) {
            if (call.isOver) return;
            call.isOver = true;
            signal?.removeEventListener('abort', leave);
            if (networkMs) clock.at(now() + messageMs(), () => settle(error));
            else settle(error);
          },
        };
        const leave = () => {
          call.isOver = true;
          reject(signal?.reason);
        };
        taken += 1;
        if (signal?.aborted) {
          leave();
          return;
        }
        signal?.addEventListener('abort', leave, { once: true });
        if (networkMs) clock.at(call.arrivedMs, () => arrive(call));
        else arrive(call);
      });
    },
  };
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
