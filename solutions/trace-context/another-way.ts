import { AsyncLocalStorage } from 'node:async_hooks';

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
  const lines: Record<'traceparent' | 'tracestate', string[]> = { traceparent: [], tracestate: [] };
  for (const [name, value] of Object.entries(headers)) {
    const known = name.toLowerCase();
    if (known !== 'traceparent' && known !== 'tracestate') continue;
    if (typeof value === 'string') lines[known].push(value);
    else lines[known].push(...(value ?? []));
  }
  const [traceparent] = lines.traceparent;
  if (traceparent === undefined || lines.traceparent.length > 1) return undefined;
  const parent = readFields(traceparent.trim());
  return parent && { ...parent, tracestate: readEntries(lines.tracestate) };
}

/** The headers for a request that is sent in this context; none without a context. */
export function inject(context: TraceContext | undefined): OutgoingHeaders {
  if (context === undefined) return {};
  const flags = [
    ['00', '01'],
    ['02', '03'],
  ][Number(context.random)]?.[Number(context.sampled)];
  const traceparent = ['00', context.traceId, context.spanId, flags].join('-');
  let tracestate = '';
  for (const [key, value] of context.tracestate) tracestate += `,${key}=${value}`;
  return tracestate ? { traceparent, tracestate: tracestate.slice(1) } : { traceparent };
}

/** Makes spans, carries the current one through asynchronous work, and reports those that are sampled. */
export function createTracer(options: TracerOptions): Tracer {
  return new SpanTracer(options);
}

/**
 * What the user waited for: how many milliseconds of the root's duration belong to each span, by span id. The shares add
 * up to that duration; a span without one may be left out.
 */
export function criticalPath(spans: readonly Span[]): Map<string, number> {
  const nodes = new Map(spans.map((span) => [span.spanId, new PathNode(span)]));
  const heads: PathNode[] = [];
  for (const node of nodes.values()) {
    const above = node.span.parentId === undefined ? undefined : nodes.get(node.span.parentId);
    (above?.children ?? heads).push(node);
  }
  heads.sort(firstOf);
  const root = heads.find(({ span }) => span.parentId === undefined) ?? heads[0];
  const shares = new Map<string, number>();
  if (!root) return shares;
  root.children.push(...heads.filter((node) => node !== root));

  /** Those within which the point is, the innermost last; each with whom it has still to look at. */
  const open = [root.open(root.span.startMs, root.span.endMs)];
  let atMs = root.span.endMs;
  for (let inner = open.at(-1); inner; inner = open.at(-1)) {
    const next = inner.left.pop();
    if (next && next.endMs > atMs) continue;
    const untilMs = next ? next.endMs : inner.startMs;
    const id = inner.node.span.spanId;
    shares.set(id, (shares.get(id) ?? 0) + atMs - untilMs);
    atMs = untilMs;
    if (next) open.push(next.node.open(next.startMs, next.endMs));
    else open.pop();
  }
  return shares;
}

/** A span that is a class instance, stored as it is; the context is made of it when somebody asks. */
class LiveSpan {
  readonly spanId: string;
  readonly parent: Omit<TraceContext, 'spanId'>;
  readonly parentId: string | undefined;

  constructor(spanId: string, parent: Omit<TraceContext, 'spanId'>, parentId: string | undefined) {
    this.spanId = spanId;
    this.parent = parent;
    this.parentId = parentId;
  }

  contextFor(vendor: string): TraceContext {
    const tracestate = new Map([[vendor, this.spanId]]);
    for (const [key, value] of this.parent.tracestate) {
      if (tracestate.size < 32 && key !== vendor) tracestate.set(key, value);
    }
    return { ...this.parent, spanId: this.spanId, tracestate };
  }
}

/**
 * The other usual shape: a class, a parser without regular expressions, promises chained by hand, `snapshot()` in place of
 * `AsyncResource`, and a path that is found in a loop with a list of open spans.
 */
class SpanTracer implements Tracer {
  readonly #options: TracerOptions;
  readonly #spans = new AsyncLocalStorage<LiveSpan>();

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  inSpan<T>(name: string, work: () => T | PromiseLike<T>, headers?: IncomingHeaders): Promise<T> {
    const { now, onEnd, trustsCallers } = this.#options;
    const caller = headers && trustsCallers ? extract(headers) : undefined;
    const parent = headers ? caller : this.current();
    const span = new LiveSpan(this.#id(8), parent ?? this.#begin(), parent?.spanId);
    const startMs = now();
    const end = () => {
      const { spanId, parentId } = span;
      const { traceId, sampled } = span.parent;
      if (sampled) onEnd({ name, traceId, spanId, parentId, startMs, endMs: now() });
    };
    const running = this.#spans.run(span, () => new Promise<T>((resolve) => resolve(work())));
    return running.finally(end);
  }

  current(): TraceContext | undefined {
    return this.#spans.getStore()?.contextFor(this.#options.vendor);
  }

  bind<Args extends unknown[], Result>(
    callback: (...args: Args) => Result,
  ): (...args: Args) => Result {
    const inPlace = AsyncLocalStorage.snapshot();
    return (...args) => inPlace(() => callback(...args));
  }

  #begin(): Omit<TraceContext, 'spanId'> {
    const traceId = this.#id(16);
    // The first 13 of the last 14 digits are 52 bits, which a number holds exactly.
    const share = Number.parseInt(traceId.slice(-14, -1), 16) / 16 ** 13;
    const sampled = share >= 1 - this.#options.sampleRatio;
    return { traceId, sampled, random: true, tracestate: new Map() };
  }

  #id(size: number): string {
    for (;;) {
      const bytes = [...this.#options.randomBytes(size)];
      if (bytes.some((byte) => byte > 0)) {
        return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
      }
    }
  }
}

function readFields(value: string): Omit<TraceContext, 'tracestate'> | undefined {
  const [version = '', traceId = '', spanId = '', flags = '', ...rest] = value.split('-');
  if (!isHex(version, 2) || version === 'ff' || !isHex(flags, 2)) return undefined;
  if (version === '00' && rest.length > 0) return undefined;
  if (!isHex(traceId, 32) || !isHex(spanId, 16)) return undefined;
  if (traceId === '0'.repeat(32) || spanId === '0'.repeat(16)) return undefined;
  const bits = Number(`0x${flags}`);
  return { traceId, spanId, sampled: bits % 2 === 1, random: (bits >> 1) % 2 === 1 };
}

const isHex = (text: string, length: number): boolean =>
  text.length === length && isMadeOf(HEX_DIGITS, text);

const isMadeOf = (characters: string, text: string): boolean =>
  text.split('').every((character) => characters.includes(character));

const HEX_DIGITS = '0123456789abcdef';
const KEY_BEGINS = 'abcdefghijklmnopqrstuvwxyz0123456789';
const KEY_GOES_ON = `${KEY_BEGINS}_-*/@`;

/** Leaves out what is against the rules, and keeps the rest; of a key that comes twice the first entry. */
function readEntries(lines: readonly string[]): Map<string, string> {
  const entries = new Map<string, string>();
  for (const member of lines.flatMap((line) => line.split(','))) {
    const entry = member.trim();
    const at = entry.indexOf('=');
    const key = entry.slice(0, Math.max(at, 0));
    const value = entry.slice(at + 1);
    const isKey = key !== '' && KEY_BEGINS.includes(key.charAt(0)) && isMadeOf(KEY_GOES_ON, key);
    if (!isKey || key.length > 256 || !isValue(value)) continue;
    if (!entries.has(key) && entries.size < 32) entries.set(key, value);
  }
  return entries;
}

function isValue(value: string): boolean {
  if (value === '' || value.length > 256 || value.includes('=')) return false;
  return value.split('').every((character) => character >= ' ' && character <= '~');
}

/** A span and those that it has begun. */
class PathNode {
  readonly span: Span;
  readonly children: PathNode[] = [];

  constructor(span: Span) {
    this.span = span;
  }

  /** With its children as far as they are in this time, the one that ends last at the end. */
  open(startMs: number, endMs: number) {
    const left = this.children
      .map((node) => ({
        node,
        startMs: Math.max(node.span.startMs, startMs),
        endMs: Math.min(node.span.endMs, endMs),
      }))
      .filter((child) => child.startMs < child.endMs)
      .toSorted(
        (a, b) =>
          a.endMs - b.endMs ||
          b.startMs - a.startMs ||
          (a.node.span.spanId < b.node.span.spanId ? 1 : -1),
      );
    return { node: this, startMs, left };
  }
}

function firstOf(a: PathNode, b: PathNode): number {
  if (a.span.startMs !== b.span.startMs) return a.span.startMs - b.span.startMs;
  return a.span.spanId < b.span.spanId ? -1 : 1;
}
