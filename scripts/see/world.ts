import { type Random, seeded } from '../../quiz/random.ts';
import { exponential } from './draws.ts';
import type { EventClock } from './event-clock.ts';
import {
  begin,
  createService,
  type Service,
  ServiceError,
  type ServiceOptions,
  type ServiceRecord,
} from './service.ts';
import { type Counter, createCounter, createGauge, type Level, type Tally } from './tally.ts';

/** How requests come. */
interface Arrivals {
  /** On average; may change with the milliseconds since the beginning. */
  readonly perSecond: number | ((ms: number) => number);
  /** @default 'random': independent of each other (Poisson). `even`: at even distances. */
  readonly spacing?: 'random' | 'even';
  /** @default 0 */
  readonly fromMs?: number;
  /** @default the end */
  readonly untilMs?: number;
}

/** A small system under load. The same seed gives the same arrivals and the same draws, whatever answer runs in it. */
export interface World {
  /** Milliseconds since the beginning. */
  readonly nowMs: number;
  /** When it ends, in milliseconds since the beginning. */
  readonly lastsMs: number;
  /** A source of chance of its own for each name. */
  random(name: string): Random;
  /** Runs `task` at a moment. */
  at(ms: number, task: () => void): void;
  /** Resolves after so many milliseconds. */
  wait(ms: number): Promise<void>;
  /** Calls `onArrival` for each arrival, with its number, counted from 0. */
  arrivals(name: string, arrivals: Arrivals, onArrival: (number: number) => void): void;
  service(name: string, options: ServiceOptions): Service;
  /** Counts something that happens now, of which only the experiment knows. */
  count(what: string): void;
  /**
   * Someone who wants something, from this moment until `work` settles, or until their patience ends; then the signal
   * aborts.
   */
  request(work: (signal: AbortSignal) => PromiseLike<unknown>, options?: RequestOptions): void;
}

interface RequestOptions {
  /** Requests of a kind are counted together; @default 'all' */
  readonly kind?: string;
  /** After so many milliseconds nobody waits any more, and the request has failed; @default Infinity */
  readonly patienceMs?: number;
}

/** How requests fared. */
interface RequestRecord {
  readonly begun: Tally;
  /** When they ended: with an answer, or without one. */
  readonly answered: Tally;
  readonly failed: Tally;
  readonly underWay: Level;
  /** How long those took that began in the span and were answered, in milliseconds, shortest first. */
  latenciesMs(fromMs?: number, toMs?: number): readonly number[];
  /** Of the requests that began in the span, the share that was answered in the end. */
  success(fromMs: number, toMs: number): number;
}

/** What happened in a world. */
export interface Run {
  readonly lastsMs: number;
  /** What users asked for; by `kind`, or all of it. */
  requests(kind?: string): RequestRecord;
  service(name: string): ServiceRecord;
  /** What the experiment has counted itself. */
  counted(what: string): Tally;
  /** How many requests ended in which error, most frequent first. */
  readonly failures: readonly { readonly what: string; readonly times: number }[];
}

type Requests = ReturnType<typeof createRequests>;

/** @param options.lastsMs how long it lasts; requests that are under way then have not been answered */
export function createWorld(
  clock: EventClock,
  { seed, lastsMs }: { readonly seed: string; readonly lastsMs: number },
): { readonly world: World; readonly run: Run } {
  const services = new Map<string, Service>();
  const kinds = new Map<string, Requests>();
  const counters = new Map<string, Counter>();
  const failures = new Map<string, number>();
  const random = (name: string) => seeded(`${seed} ${name}`);

  const requestsOf = (kind: string) => {
    const requests = kinds.get(kind) ?? createRequests(clock);
    kinds.set(kind, requests);
    return requests;
  };

  const counted = (what: string) => {
    const counter = counters.get(what) ?? createCounter();
    counters.set(what, counter);
    return counter;
  };

  const world: World = {
    get nowMs() {
      return clock.nowMs;
    },
    lastsMs,
    random,
    at: (ms, task) => void clock.at(ms, task),
    wait: (ms) =>
      new Promise((resolve) => {
        clock.at(clock.nowMs + ms, resolve);
      }),
    arrivals(name, { perSecond, spacing = 'random', fromMs = 0, untilMs = lastsMs }, onArrival) {
      const chance = random(name);
      const rateAt = typeof perSecond === 'number' ? () => perSecond : perSecond;
      const gap =
        spacing === 'even' ? (mean: number) => mean : (mean: number) => exponential(mean)(chance);
      let number = 0;
      const next = (atMs: number) => {
        const nextMs = atMs + gap(1_000 / rateAt(atMs));
        if (nextMs >= untilMs) return;
        clock.at(nextMs, () => {
          next(nextMs);
          number += 1;
          onArrival(number - 1);
        });
      };
      next(fromMs);
    },
    service(name, options) {
      const service = createService(name, options, { clock, random: random(name) });
      services.set(name, service);
      return service;
    },
    count: (what) => counted(what).count(clock.nowMs),
    request(work, { kind = ALL, patienceMs = Infinity } = {}) {
      const records = kind === ALL ? [requestsOf(ALL)] : [requestsOf(ALL), requestsOf(kind)];
      const ends = records.map((record) => record.begin());
      const patience = new AbortController();
      let isOver = false;
      const end = (error?: unknown) => {
        if (isOver) return;
        isOver = true;
        if (leaving) leaving.run = undefined;
        for (const each of ends) each(error === undefined);
        if (error === undefined) return;
        const what = nameOf(error);
        failures.set(what, (failures.get(what) ?? 0) + 1);
      };
      const leave = () => {
        end(new PatienceError());
        patience.abort(new DOMException('The caller has left.', 'AbortError'));
      };
      const leaving = patienceMs < Infinity ? clock.at(clock.nowMs + patienceMs, leave) : undefined;
      begin(() => work(patience.signal)).then(
        () => end(),
        (error: unknown) => end(error ?? new Error('nothing')),
      );
    },
  };

  return {
    world,
    run: {
      lastsMs,
      requests: (kind = ALL) => requestsOf(kind),
      service(name) {
        const service = services.get(name);
        if (!service) throw new Error(`There is no service ${name} in this world.`);
        return service;
      },
      counted,
      get failures() {
        return [...failures]
          .map(([what, times]) => ({ what, times }))
          .toSorted((one, other) => other.times - one.times);
      },
    },
  };
}

const ALL = 'all';

class PatienceError extends Error {
  override readonly name = 'nobody waited any more';
}

function nameOf(error: unknown): string {
  if (error instanceof ServiceError) return error.message;
  if (!(error instanceof Error)) return String(error);
  return error.name === 'Error' ? error.message : error.name;
}

interface Ended {
  readonly begunMs: number;
  readonly tookMs: number;
}

function createRequests(clock: EventClock) {
  const begun = createCounter();
  const answered = createCounter();
  const failed = createCounter();
  const wereAnswered = createCounter();
  const underWay = createGauge(() => clock.nowMs);
  const ended: Ended[] = [];
  return {
    begun,
    answered,
    failed,
    underWay,
    begin() {
      const begunMs = clock.nowMs;
      begun.count(begunMs);
      underWay.add(1);
      return (isAnswered: boolean) => {
        underWay.add(-1);
        (isAnswered ? answered : failed).count(clock.nowMs);
        if (!isAnswered) return;
        wereAnswered.count(begunMs);
        ended.push({ begunMs, tookMs: clock.nowMs - begunMs });
      };
    },
    latenciesMs: (fromMs = 0, toMs = Infinity) =>
      ended
        .filter(({ begunMs }) => begunMs >= fromMs && begunMs < toMs)
        .map(({ tookMs }) => tookMs)
        .toSorted((one, other) => one - other),
    success: (fromMs: number, toMs: number) =>
      wereAnswered.between(fromMs, toMs) / begun.between(fromMs, toMs),
  };
}

/** The smallest number that is not exceeded by this share of `sorted`; NaN of nothing. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
