import {
  defaultTextMapSetter,
  ROOT_CONTEXT,
  trace,
  type SpanContext,
  type TextMapGetter,
} from '@opentelemetry/api';
import { TraceState, W3CTraceContextPropagator } from '@opentelemetry/core';
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type {
  IncomingHeaders,
  OutgoingHeaders,
  TraceContext,
  Tracer,
  TracerOptions,
} from '../../../solutions/trace-context/trace-context.ts';

const SAMPLED = 1;
const RANDOM = 2;

const propagator = new W3CTraceContextPropagator();
/** What the library has read or made: with all eight flags, and entries that nobody has looked at yet. */
const spanContexts = new WeakMap<TraceContext, SpanContext>();

/** The library asks for names in lower case, which is what Node has; other ones are made so. */
const getter: TextMapGetter<IncomingHeaders> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, name) => {
    const found = Object.entries(headers).filter(([key]) => key.toLowerCase() === name);
    const lines = found.flatMap(([, value]) => value ?? []);
    return lines.length > 1 ? lines : lines[0];
  },
};

export function extract(headers: IncomingHeaders): TraceContext | undefined {
  const parent = trace.getSpanContext(propagator.extract(ROOT_CONTEXT, headers, getter));
  return parent && contextOf(parent);
}

export function inject(context: TraceContext | undefined): OutgoingHeaders {
  const headers: Record<string, string> = {};
  if (!context) return headers;
  const { traceId, spanId, sampled, random, tracestate } = context;
  const spanContext = spanContexts.get(context) ?? {
    traceId,
    spanId,
    traceFlags: (sampled ? SAMPLED : 0) + (random ? RANDOM : 0),
    traceState: new TraceState(Array.from(tracestate, (entry) => entry.join('=')).join(',')),
  };
  propagator.inject(trace.setSpanContext(ROOT_CONTEXT, spanContext), headers, defaultTextMapSetter);
  return headers;
}

/** The library's core has no spans: ids, sampling and what is current are done here. */
export function createTracer(options: TracerOptions): Tracer {
  const { vendor, trustsCallers, sampleRatio, randomBytes, now, onEnd } = options;
  const storage = new AsyncLocalStorage<TraceContext>();

  const newId = (size: number): string => {
    const id = Buffer.from(randomBytes(size)).toString('hex');
    return /[^0]/.test(id) ? id : newId(size);
  };

  const newTrace = (): Omit<SpanContext, 'spanId'> => {
    const traceId = newId(16);
    const drawn = BigInt(`0x${traceId.slice(-14)}`);
    const sampled = drawn >= BigInt(Math.round((1 - sampleRatio) * 2 ** 56));
    return { traceId, traceFlags: RANDOM + (sampled ? SAMPLED : 0) };
  };

  return {
    async inSpan(name, work, headers) {
      const caller = headers && trustsCallers ? extract(headers) : undefined;
      const parent = headers ? caller : storage.getStore();
      const begun = (parent && spanContexts.get(parent)) ?? newTrace();
      const spanId = newId(8);
      const traceState = (begun.traceState ?? new TraceState()).set(vendor, spanId);
      const context = contextOf({ ...begun, spanId, traceState });
      const { traceId, sampled } = context;
      const startMs = now();
      try {
        return await storage.run(context, async () => work());
      } finally {
        const ids = { traceId, spanId, parentId: parent?.spanId };
        if (sampled) onEnd({ name, ...ids, startMs, endMs: now() });
      }
    },
    current: () => storage.getStore(),
    bind: (callback) => AsyncResource.bind(callback),
  };
}

/** Nor has it paths. */
export function criticalPath(): Map<string, number> {
  return new Map();
}

function contextOf(spanContext: SpanContext): TraceContext {
  const { traceId, spanId, traceFlags, traceState } = spanContext;
  const entries = traceState?.serialize().split(',') ?? [];
  const context: TraceContext = {
    traceId,
    spanId,
    sampled: (traceFlags & SAMPLED) !== 0,
    random: (traceFlags & RANDOM) !== 0,
    tracestate: new Map(
      entries
        .filter((entry) => entry !== '')
        .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    ),
  };
  spanContexts.set(context, spanContext);
  return context;
}
