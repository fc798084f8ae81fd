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
  // #region answer: read the caller's context, and refuse what is against the rules
  const [traceparent, ...others] = linesOf(headers, 'traceparent');
  if (traceparent === undefined || others.length > 0) return undefined;
  const value = traceparent.trim();
  if (!TRACEPARENT.test(value)) return undefined;
  // An id is no number: it would be rounded to 53 bits.
  const flags = Number.parseInt(value.slice(53, 55), 16);
  return {
    traceId: value.slice(3, 35),
    spanId: value.slice(36, 52),
    sampled: (flags & SAMPLED) !== 0,
    random: (flags & RANDOM) !== 0,
    tracestate: parseTracestate(linesOf(headers, 'tracestate').join(',')),
  };
  // #endregion
}

/** The headers for a request that is sent in this context; none without a context. */
export function inject(context: TraceContext | undefined): OutgoingHeaders {
  // #region answer: write the context as headers
  if (!context) return {};
  const { traceId, spanId, sampled, random, tracestate } = context;
  const flags = (sampled ? SAMPLED : 0) | (random ? RANDOM : 0);
  const traceparent = `00-${traceId}-${spanId}-0${flags}`;
  if (tracestate.size === 0) return { traceparent };
  return { traceparent, tracestate: Array.from(tracestate, (entry) => entry.join('=')).join(',') };
  // #endregion
}

/** Makes spans, carries the current one through asynchronous work, and reports those that are sampled. */
export function createTracer(options: TracerOptions): Tracer {
  // #region answer: continue the caller's trace or begin one, and know the current span wherever its work goes on
  const { vendor, trustsCallers, sampleRatio, randomBytes, now, onEnd } = options;
  const storage = new AsyncLocalStorage<TraceContext>();

  const newId = (size: number): string => {
    const id = Buffer.from(randomBytes(size)).toString('hex');
    return /[^0]/.test(id) ? id : newId(size);
  };

  /** Decides by the id itself, so that all who begin or keep a part of a trace decide alike. */
  const newTrace = (): Omit<TraceContext, 'spanId'> => {
    const traceId = newId(16);
    // 56 bits are more than a number holds.
    const drawn = BigInt(`0x${traceId.slice(-14)}`);
    const sampled = drawn >= BigInt(Math.round((1 - sampleRatio) * 2 ** 56));
    return { traceId, sampled, random: true, tracestate: new Map() };
  };

  const parentOf = (headers: IncomingHeaders | undefined): TraceContext | undefined => {
    if (!headers) return storage.getStore();
    return trustsCallers ? extract(headers) : undefined;
  };

  return {
    async inSpan(name, work, headers) {
      const parent = parentOf(headers);
      const { tracestate, ...trace } = parent ?? newTrace();
      const spanId = newId(8);
      const others = [...tracestate].filter(([key]) => key !== vendor);
      const entries = [[vendor, spanId] as const, ...others].slice(0, MOST_ENTRIES);
      const context = { ...trace, spanId, tracestate: new Map(entries) };
      const startMs = now();
      try {
        // An async function within the span: a thenable begins when it is awaited, and that has to be here, too.
        return await storage.run(context, async () => work());
      } finally {
        const ids = { traceId: trace.traceId, spanId, parentId: parent?.spanId };
        if (trace.sampled) onEnd({ name, ...ids, startMs, endMs: now() });
      }
    },
    current: () => storage.getStore(),
    bind: (callback) => AsyncResource.bind(callback),
  };
  // #endregion
}

/**
 * What the user waited for: how many milliseconds of the root's duration belong to each span, by span id. The shares add
 * up to that duration; a span without one may be left out.
 */
export function criticalPath(spans: readonly Span[]): Map<string, number> {
  // #region answer: walk back from the end, to whoever ended last
  const shares = new Map<string, number>();
  const ids = new Set<string | undefined>(spans.map(({ spanId }) => spanId));
  const hasParent = ({ parentId }: Span) => ids.has(parentId);
  const heads = spans.filter((span) => !hasParent(span)).toSorted(byBeginning);
  const root = heads.find(({ parentId }) => parentId === undefined) ?? heads[0];
  if (!root) return shares;

  const parentIdOf = (span: Span) => (hasParent(span) ? span.parentId : root.spanId);
  /** Cut to their parent's time: for the rest, which clocks or late answers make, nobody has waited. */
  const childrenOf = (parent: Span, fromMs: number, untilMs: number): Span[] =>
    spans
      .filter((span) => span !== root && parentIdOf(span) === parent.spanId)
      .map((child) => ({
        ...child,
        startMs: Math.max(child.startMs, fromMs),
        endMs: Math.min(child.endMs, untilMs),
      }))
      .filter(({ startMs, endMs }) => startMs < endMs);

  const walk = (span: Span, fromMs: number, untilMs: number): void => {
    let atMs = untilMs;
    let ownMs = 0;
    const lastFirst = (a: Span, b: Span) => b.endMs - a.endMs || byBeginning(a, b);
    for (const child of childrenOf(span, fromMs, untilMs).toSorted(lastFirst)) {
      // It was still running when the next one on the path began, so that one has not waited for it.
      if (child.endMs > atMs) continue;
      ownMs += atMs - child.endMs;
      walk(child, child.startMs, child.endMs);
      atMs = child.startMs;
    }
    shares.set(span.spanId, ownMs + atMs - fromMs);
  };
  walk(root, root.startMs, root.endMs);
  return shares;
  // #endregion
}

// #region answer
const SAMPLED = 1;
const RANDOM = 2;
const MOST_ENTRIES = 32;

/** What comes after the flags is for later versions only. */
const TRACEPARENT =
  /^(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/s;
/** Printable ASCII without `,` and `=`; a space may stand anywhere but at the end. */
const MEMBER = /^[a-z0-9][a-z0-9_*/@-]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;

/** All values of a header, in order, whatever the case of its name. */
function linesOf(headers: IncomingHeaders, name: string): string[] {
  const found = Object.entries(headers).filter(([key]) => key.toLowerCase() === name);
  return found.flatMap(([, value]) => value ?? []);
}

/** The entries in order; none at all if one of them is against the rules. */
function parseTracestate(list: string): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const member of list.split(',').map((text) => text.trim())) {
    if (member === '') continue;
    const at = member.indexOf('=');
    const key = member.slice(0, at);
    if (!MEMBER.test(member) || entries.has(key)) return new Map();
    entries.set(key, member.slice(at + 1));
  }
  return entries.size > MOST_ENTRIES ? new Map() : entries;
}

const byBeginning = (a: Span, b: Span): number =>
  a.startMs - b.startMs || (a.spanId < b.spanId ? -1 : 1);
// #endregion
