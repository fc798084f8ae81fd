import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/** As Node hands them over: `message.headers`, `message.headersDistinct`, or an object with names in any case. */
export type IncomingHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface OutgoingHeaders {
  readonly traceparent?: string;
  /** One line; absent if there is no entry. */
  readonly tracestate?: string;
}

/** What travels with a request, after W3C Trace Context (Level 1 of 2020, and the `random` flag of Level 2). */
export interface TraceContext {
  /** 32 lower-case hex digits, not all of them 0. */
  readonly traceId: string;
  /** Of the span that sends, `parent-id` in W3C's words: 16 lower-case hex digits, not all of them 0. */
  readonly spanId: string;
  /** Bit 0 of the flags: the sender may have recorded its span. */
  readonly sampled: boolean;
  /** Bit 1 of the flags: the last 7 bytes of the trace id are random, so that one may sample by them. */
  readonly random: boolean;
  /** An entry per tracing system, in the order of the header: first the one that wrote last; 32 at most. */
  readonly tracestate: ReadonlyMap<string, string>;
}

/** A piece of work that has ended. */
export interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** The span that this one was begun by, here or in another service; none for the first of a trace. */
  readonly parentId: string | undefined;
  readonly startMs: number;
  /** Not below `startMs`. */
  readonly endMs: number;
}

export interface TracerOptions {
  /** This tracing system's key in `tracestate`. */
  readonly vendor: string;
  /** May callers go on with their own trace? No at the edge, where they are strangers. */
  readonly trustsCallers: boolean;
  /** How many of the traces that begin here are sampled: 0 (none) to 1 (all). */
  readonly sampleRatio: number;
  /** So many random bytes; the one of `node:crypto` will do. */
  readonly randomBytes: (size: number) => Uint8Array;
  /** Milliseconds on a clock that only runs forward. */
  readonly now: () => number;
  /** Is handed each sampled span when it has ended; never throws. */
  readonly onEnd: (span: Span) => void;
}

export interface Tracer {
  /**
   * Runs `work` as a span: the first of `headers`, if they are given, or else one of the span that is current.
   *
   * @param headers of the request that is served, if this is the work for one
   * @throws what `work` has thrown (as a rejection)
   */
  inSpan<T>(name: string, work: () => T | PromiseLike<T>, headers?: IncomingHeaders): Promise<T>;
  /** The span that the running code belongs to, as a context to be sent; outside of all spans undefined. */
  current(): TraceContext | undefined;
  /** A callback for others to call, which belongs to the span that is current now, whoever calls it. */
  bind<Args extends unknown[], Result>(
    callback: (...args: Args) => Result,
  ): (...args: Args) => Result;
}

/** The caller's context, or undefined if there is none that may be used. Never throws, whatever the headers hold. */
export function extract(headers: IncomingHeaders): TraceContext | undefined {
  throw new Error("TODO: read the caller's context, and refuse what is against the rules");
}

/** The headers for a request that is sent in this context; none without a context. */
export function inject(context: TraceContext | undefined): OutgoingHeaders {
  throw new Error('TODO: write the context as headers');
}

/** Makes spans, carries the current one through asynchronous work, and reports those that are sampled. */
export function createTracer(options: TracerOptions): Tracer {
  throw new Error(
    "TODO: continue the caller's trace or begin one, and know the current span wherever its work goes on",
  );
}

/**
 * What the user waited for: how many milliseconds of the root's duration belong to each span, by span id. The shares add
 * up to that duration; a span without one may be left out.
 */
export function criticalPath(spans: readonly Span[]): Map<string, number> {
  throw new Error('TODO: walk back from the end, to whoever ended last');
}
