import { type CallBench, sceneOf, SOLUTION } from './scene.ts';

const HEADERS: Record<string, string> = {
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  tracestate: 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
};

type PassOn = () => unknown;

const propagators = {
  async [SOLUTION](): Promise<PassOn> {
    const { extract, inject } = await import('../../../solutions/trace-context/trace-context.ts');
    return () => inject(extract(HEADERS));
  },
  async opentelemetry(): Promise<PassOn> {
    const { defaultTextMapGetter, defaultTextMapSetter, ROOT_CONTEXT } =
      await import('@opentelemetry/api');
    const { W3CTraceContextPropagator } = await import('@opentelemetry/core');
    const propagator = new W3CTraceContextPropagator();
    return () => {
      const headers: Record<string, string> = {};
      const context = propagator.extract(ROOT_CONTEXT, HEADERS, defaultTextMapGetter);
      propagator.inject(context, headers, defaultTextMapSetter);
      return headers;
    };
  },
};

export const traceContext: CallBench = {
  title: 'what it costs to read the headers of a trace and to write them again',
  scenes: [
    sceneOf('read and written', propagators, (passOn) => (calls) => {
      for (let made = 0; made < calls; made += 1) passOn();
    }),
  ],
  notes: [
    'a sampled trace with two entries in tracestate; nothing is changed between',
    'the solution finds headers in upper and in lower case, and checks each entry of tracestate as it reads; opentelemetry asks for lower case',
  ],
};
