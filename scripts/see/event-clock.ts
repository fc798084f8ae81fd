import TinyQueue from 'tinyqueue';

// Real ones, taken before anything is put in their place.
const { setImmediate } = globalThis;

/** How many events are fired before the outer world gets a turn. */
const BATCH = 256;

/** More than any simulation needs at one moment: beyond it, something sets itself again and again. */
const MOST_EVENTS_AT_ONCE = 1_000_000;

/** Something that happens at a moment; of one moment, what was set first happens first. */
export interface ClockEvent {
  readonly atMs: number;
  readonly order: number;
  /** Undefined once it has been called off. */
  run: (() => void) | undefined;
}

/** Time as a simulation knows it: it stands still while anything happens, and jumps to the next event. */
export interface EventClock {
  /** Milliseconds since the beginning; whole or not. */
  readonly nowMs: number;
  /** How many events have happened. */
  readonly fired: number;
  /** Sets an event, at once if its moment is past. To call it off, set its `run` to undefined. */
  at(atMs: number, run: () => void): ClockEvent;
  /**
   * Fires what is set up to `untilMs`, in its order, and lets all promises settle after each event. Rejects when more
   * than a million events happen at one moment.
   */
  advanceTo(untilMs: number): Promise<void>;
  /** Forgets all events, and begins again at 0. */
  reset(): void;
}

export function createEventClock(): EventClock {
  const earlierFirst = (one: ClockEvent, other: ClockEvent) =>
    one.atMs - other.atMs || one.order - other.order;
  let events = new TinyQueue<ClockEvent>([], earlierFirst);
  let nowMs = 0;
  let set = 0;
  let fired = 0;
  let atThisMoment = 0;

  /** The next one that has not been called off; nothing if it is later than `untilMs`. */
  const takeNext = (untilMs: number): ClockEvent | undefined => {
    for (let next = events.peek(); next && next.atMs <= untilMs; next = events.peek()) {
      events.pop();
      if (next.run) return next;
    }
    return undefined;
  };

  return {
    get nowMs() {
      return nowMs;
    },
    get fired() {
      return fired;
    },
    at(atMs, run) {
      set += 1;
      const event = { atMs: Math.max(nowMs, atMs), order: set, run };
      events.push(event);
      return event;
    },
    advanceTo(untilMs) {
      return new Promise((resolve, reject) => {
        let isDone = false;
        const fireNext = () => {
          if (isDone) return;
          const event = takeNext(untilMs);
          if (!event?.run) {
            isDone = true;
            return;
          }
          atThisMoment = event.atMs === nowMs ? atThisMoment + 1 : 0;
          isDone = atThisMoment > MOST_EVENTS_AT_ONCE;
          ({ atMs: nowMs } = event);
          fired += 1;
          const { run } = event;
          event.run = undefined;
          run();
        };
        // Node runs all promise jobs, however many each of them adds, between one immediate and the next: so a batch of
        // them settles all there is after each event, six times as fast as one immediate a turn.
        const nextBatch = () => {
          if (atThisMoment > MOST_EVENTS_AT_ONCE) {
            const at = Math.round(nowMs).toLocaleString('en');
            reject(
              new Error(`Time stands still at ${at} ms: something sets itself again and again.`),
            );
          } else if (isDone) {
            nowMs = Math.max(nowMs, untilMs);
            resolve();
          } else {
            for (let place = 0; place < BATCH; place += 1) setImmediate(fireNext);
            setImmediate(nextBatch);
          }
        };
        setImmediate(nextBatch);
      });
    },
    reset() {
      events = new TinyQueue<ClockEvent>([], earlierFirst);
      nowMs = 0;
      set = 0;
      fired = 0;
      atThisMoment = 0;
    },
  };
}
