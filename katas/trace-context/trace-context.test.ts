import { EventEmitter } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { advance, settle } from '../virtual-time.ts';
import {
  createTracer,
  criticalPath,
  extract,
  inject,
  type IncomingHeaders,
  type Span,
  type TraceContext,
  type Tracer,
  type TracerOptions,
} from './trace-context.ts';

// ── What the recommendation allows, in the spec's own words ─────────────────────────────────────────────

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const header = (flags = '01', version = '00') => `${version}-${TRACE}-${CALLER}-${flags}`;
const request = (tracestate?: string | readonly string[], flags?: string): IncomingHeaders => ({
  host: 'checkout.example',
  traceparent: header(flags),
  ...(tracestate !== undefined && { tracestate }),
});

const isMadeOf = (characters: string, text: string) =>
  text.split('').every((character) => characters.includes(character));
const isHex = (text: string) => isMadeOf('0123456789abcdef', text);
const isZero = (text: string) => isMadeOf('0', text);
const isId = (text: string, length: number) =>
  text.length === length && isHex(text) && !isZero(text);

interface Parent {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
  readonly random: boolean;
}

/** Reads a traceparent character by character; a later version with odd flags is a matter of taste. */
function read(value: string): Parent | 'refused' | 'as you like' {
  const [version, traceId, spanId, flags] = [
    value.slice(0, 2),
    value.slice(3, 35),
    value.slice(36, 52),
    value.slice(53, 55),
  ];
  if (value.length < 55 || [2, 35, 52].some((at) => value[at] !== '-')) return 'refused';
  if (!isHex(version) || version === 'ff') return 'refused';
  if (!isId(traceId, 32) || !isId(spanId, 16)) return 'refused';
  if (value.length > 55 && (version === '00' || value[55] !== '-')) return 'refused';
  if (!isHex(flags)) return version === '00' ? 'refused' : 'as you like';
  const bits = Number(`0x${flags}`);
  return { traceId, spanId, sampled: bits % 2 === 1, random: bits % 4 > 1 };
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const KEY_CHARACTERS = `${LETTERS}0123456789_-*/@`;
const VALUE_CHARACTERS = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n))
  .filter((character) => character !== ',' && character !== '=')
  .join('');

/** Is `key=value` an entry for somebody at least? */
function isEntry(entry: string): boolean {
  const [key = '', value = '', ...rest] = entry.split('=');
  return (
    rest.length === 0 &&
    [key.length, value.length].every((length) => length >= 1 && length <= 256) &&
    isMadeOf(KEY_CHARACTERS, key) &&
    !'_-*/@'.includes(key.charAt(0)) &&
    isMadeOf(VALUE_CHARACTERS, value) &&
    !value.endsWith(' ')
  );
}

function print(value: unknown): string {
  if (value instanceof Error) return `${value.name} (${value.message})`;
  return typeof value === 'string' ? `“${shown(value)}”` : inspect(value);
}

/** Long runs of one character in short: they are what limits are tried with. */
const shown = (text: string) =>
  text.replaceAll(/(.)\1{19,}/g, (run, character) => `${character}×${run.length}`);

// ── What a service reads and sends ──────────────────────────────────────────────────────────────────────

const NO_CONTEXT = 'no context';

function extractNeverThrows(headers: IncomingHeaders): TraceContext | undefined {
  try {
    return extract(headers);
  } catch (error) {
    return expect.fail(
      `extract() threw ${print(error)} for ${print(headers)}: a stranger's header must not cost a request`,
    );
  }
}

function inWords(context: unknown): string {
  if (context === undefined) return NO_CONTEXT;
  if (typeof context !== 'object' || context === null) return `${print(context)}, no context`;
  const [traceId, spanId, sampled, random] = ['traceId', 'spanId', 'sampled', 'random'].map(
    (field): unknown => Reflect.get(context, field),
  );
  const marked = `${mark('sampled', sampled)}, ${mark('random', random)}`;
  return `trace ${shown(String(traceId))}, span ${shown(String(spanId))}, ${marked}`;
}

function mark(name: string, value: unknown): string {
  if (typeof value !== 'boolean') return `${name}: ${print(value)} in place of true or false`;
  return value ? name : `not ${name}`;
}

const COME_FROM_CALLER = { traceId: TRACE, spanId: CALLER, sampled: true, random: false };

function entriesOf(context: TraceContext | undefined): string[] {
  const entries: unknown = context?.tracestate;
  if (!(entries instanceof Map)) {
    return expect.fail(`tracestate should be a Map; it is ${print(entries)}`);
  }
  return [...entries].map(([key, value]) => `${String(key)}=${String(value)}`);
}

/** What a service that keeps to the recommendation makes of outgoing headers. */
interface Sent extends Parent {
  readonly entries: readonly string[];
}

function sentIn(headers: object, because: string): Sent {
  const traceparent: unknown = Reflect.get(headers, 'traceparent');
  const others = Object.keys(headers).filter((n) => n !== 'traceparent' && n !== 'tracestate');
  if (others.length > 0) expect.fail(`${because}: there is a header named ${others.join(', ')}`);
  if (typeof traceparent !== 'string') {
    return expect.fail(`${because}: the request has no traceparent, but ${print(headers)}`);
  }
  const parent = read(traceparent);
  if (typeof parent === 'string') {
    return expect.fail(
      `${because}: nobody can read the traceparent that is sent, ${print(traceparent)}`,
    );
  }
  const version = traceparent.slice(0, 2);
  const flags = traceparent.slice(53);
  expect(version, `${because}: the version that is sent`).toBe('00');
  if (!['00', '01', '02', '03'].includes(flags)) {
    expect.fail(`${because}: the flags are sent as ${flags}, with bits that mean nothing yet`);
  }
  return { ...parent, entries: entriesIn(Reflect.get(headers, 'tracestate'), because) };
}

/** The entries of an outgoing list, each looked at. */
function entriesIn(tracestate: unknown, because: string): readonly string[] {
  if (tracestate === undefined) return [];
  if (typeof tracestate !== 'string') {
    return expect.fail(`${because}: tracestate should be one line; it is ${print(tracestate)}`);
  }
  const entries = tracestate.split(',').map((entry) => entry.replace(/^[ \t]/, ''));
  const keys = entries.map((entry) => entry.split('=')[0]);
  const twice = keys.find((key, at) => keys.indexOf(key) !== at);
  if (tracestate === '') expect.fail(`${because}: an empty tracestate is sent; leave it out`);
  const bad = entries.find((entry) => !isEntry(entry));
  if (bad !== undefined) {
    expect.fail(`${because}: an entry is sent that is against the rules: ${print(bad)}`);
  }
  if (twice !== undefined) expect.fail(`${because}: the key “${twice}” is sent twice`);
  if (entries.length > 32) expect.fail(`${because}: ${entries.length} entries are sent; 32 may be`);
  return entries;
}

/** Of many entries the first and the last ones. */
function list(entries: readonly string[]): string {
  const all = entries.map(shown);
  if (all.length <= 12) return all.join(' | ') || 'no entry';
  return [...all.slice(0, 3), '…', ...all.slice(-2)].join(' | ') + ` (${all.length} entries)`;
}

function expectRead(headers: IncomingHeaders, context: Parent, because: string): void {
  expect(inWords(extractNeverThrows(headers)), `${because}: what the service reads`).toBe(
    inWords(context),
  );
}

function expectRefused(headers: IncomingHeaders, because: string): void {
  expect(inWords(extractNeverThrows(headers)), `${because}: what the service reads`).toBe(
    NO_CONTEXT,
  );
}

/** The entries that the service reads beside a valid traceparent. */
function entriesRead(tracestate: string | readonly string[], because: string): string[] {
  const headers = request(tracestate);
  expectRead(headers, COME_FROM_CALLER, `${because}, traceparent counts all the same`);
  return entriesOf(extractNeverThrows(headers));
}

function expectEntries(
  tracestate: string | readonly string[],
  entries: readonly string[],
  because: string,
): void {
  expect(list(entriesRead(tracestate, because)), `${because}: the entries that are read`).toBe(
    list(entries),
  );
}

/** Either the whole list is left out, or only what is against the rules. */
function expectNoneOr(
  tracestate: string | readonly string[],
  good: readonly string[],
  because: string,
): void {
  const entries = entriesRead(tracestate, because);
  if (entries.length === 0) return;
  expect(list(entries), `${because}: what may be left of the list, if anything is`).toBe(
    list(good),
  );
}

// ── Services, played by the spec ────────────────────────────────────────────────────────────────────────

/** Bytes that look random and are the same each time. */
function dice(seed: number): TracerOptions['randomBytes'] {
  let state = seed * 2_654_435_761 + 1;
  return (size) =>
    Uint8Array.from({ length: size }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    });
}

/** Real bytes, but with an end: who never stops to draw would never end. */
function limited(randomBytes: TracerOptions['randomBytes']): TracerOptions['randomBytes'] {
  let draws = 0;
  return (size) => {
    draws += 1;
    if (draws > 10_000) throw new Error('randomBytes has been called 10,000 times');
    return randomBytes(size);
  };
}

/** How a piece of work has ended, for whoever waits for it. */
class Told {
  #end: { readonly value: unknown } | { readonly error: unknown } | undefined;
  readonly #onTold: () => void;

  constructor(run: () => Promise<unknown>, onTold = () => {}) {
    this.#onTold = onTold;
    let promise: unknown;
    try {
      promise = run();
    } catch (error) {
      expect.fail(`inSpan() threw ${print(error)}: it must return a promise that rejects`);
    }
    if (!(promise instanceof Promise)) {
      expect.fail(`inSpan() returned ${print(promise)}: it must return a promise`);
    }
    promise.then(
      (value: unknown) => this.#told({ value }),
      (error: unknown) => this.#told({ error }),
    );
  }

  #told(end: { readonly value: unknown } | { readonly error: unknown }): void {
    this.#end = end;
    this.#onTold();
  }

  get told(): string {
    if (!this.#end) return 'nothing yet';
    return 'error' in this.#end
      ? `the error: ${print(this.#end.error)}`
      : `the value: ${print(this.#end.value)}`;
  }

  get error(): unknown {
    return this.#end && 'error' in this.#end ? this.#end.error : undefined;
  }
}

/** The work should have got that far. If the spec itself has found something wrong within it, that is said. */
function neverRan({ error, told }: Told): never {
  if (error instanceof Error && error.name === 'AssertionError') throw error;
  expect.fail(`the work has not run; whoever began it was told ${told}`);
}

class Service {
  readonly tracer: Tracer;
  /** Recorded spans, in the order in which they ended. */
  readonly recorded: Span[] = [];

  constructor(options: Partial<TracerOptions> = {}) {
    const tracer = createTracer({
      vendor: 'shop',
      trustsCallers: true,
      sampleRatio: 1,
      now: () => performance.now(),
      onEnd: (span) => this.recorded.push(span),
      ...options,
      randomBytes: limited(options.randomBytes ?? dice(7)),
    });
    if (typeof tracer?.inSpan !== 'function') expect.fail(`no tracer, but ${print(tracer)}`);
    this.tracer = tracer;
  }

  /** What the next service would get if the running code sent a request now. */
  sends(because = 'a request that is sent from within the span'): Sent {
    return sentIn(inject(this.tracer.current()), because);
  }

  /** What the next service gets if this one sends a request while it serves another. */
  async serves(headers?: IncomingHeaders, because?: string): Promise<Sent> {
    let sent: Sent | undefined;
    const work = () => {
      sent = this.sends(because);
    };
    const served = new Told(() => this.tracer.inSpan('GET /checkout', work, headers));
    await settle();
    if (!sent) neverRan(served);
    expect(served.told, 'what the caller of inSpan was told').toBe('the value: undefined');
    return sent;
  }

  /** The running code's span, in a word. */
  get at(): string {
    return this.tracer.current()?.spanId ?? NOWHERE;
  }
}

function expectNowhere(service: Service, because: string): void {
  expect(service.at, `${because}: the current span`).toBe(NOWHERE);
}

const NOWHERE = 'none';

/** Lets the service's work be looked at from within: each place it passes, and the span that is current there. */
class Visits {
  readonly #service: Service;
  readonly places: (readonly [place: string, id: string])[] = [];

  constructor(service: Service) {
    this.#service = service;
  }

  readonly pass = (place: string): void => {
    this.places.push([place, this.#service.at]);
  };

  /** All places are in this span, or in none. */
  expectAll(span: string | undefined, places: string, because: string): void {
    const where = (id: string) => {
      if (id === span) return 'in its span';
      return id === NOWHERE ? 'in no span' : 'in another span';
    };
    const passed = this.places.map(([place, id]) => `${place}: ${where(id)}`);
    const due = places.split(' ').map((place) => `${place}: ${where(span ?? NOWHERE)}`);
    expect(passed.toSorted(), because).toEqual(due.toSorted());
  }
}

/** As query builders make them: no promise, but awaited like one. The query is sent when `then` is called. */
class Query implements PromiseLike<string> {
  readonly #rows: string;
  readonly #onSend: () => void;
  constructor(rows: string, onSend: () => void = () => {}) {
    this.#rows = rows;
    this.#onSend = onSend;
  }
  // oxlint-disable-next-line unicorn/no-thenable
  readonly then: PromiseLike<string>['then'] = (onValue, onError) => {
    this.#onSend();
    return Promise.resolve(this.#rows).then(onValue, onError);
  };
}

function expectSame(actual: string, expected: string, because: string): void {
  expect(shown(actual), because).toBe(shown(expected));
}

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});
afterEach(async () => {
  await settle();
  const stray = strays.splice(0);
  if (stray.length > 0) expect.fail(`a rejection that nobody handles: ${print(stray[0])}`);
});

// ── Level 1 ─────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · traceparent', () => {
  it('reads what the caller has sent', () => {
    expectRead(request(), COME_FROM_CALLER, header());
  });

  it.each(['TraceParent', 'TRACEPARENT', 'tRaCePaReNt'])(
    'takes the name in any case: %s',
    (name) => {
      expectRead({ [name]: header() }, COME_FROM_CALLER, name);
    },
  );

  it.each(['trace-parent', 'trace.parent', 'x-traceparent', 'traceparent2'])(
    'takes no other header for it: %s',
    (name) => {
      expectRefused({ [name]: header() }, name);
    },
  );

  it('has no context if there is no header', () => {
    expectRefused({}, 'no headers at all');
    expectRefused({ traceparent: undefined }, 'traceparent is undefined');
    expectRefused({ traceparent: [] }, 'an empty list');
    expectRefused({ traceparent: '' }, 'an empty value');
  });

  it.each([
    ['a space before', ` ${header()}`],
    ['a tab before', `\t${header()}`],
    ['a space after', `${header()} `],
    ['a tab after', `${header()}\t`],
    ['several of both', `\t ${header()} \t`],
  ])('does not count spaces and tabs around it: %s', (why, value) => {
    expectRead({ traceparent: value }, COME_FROM_CALLER, why);
  });

  it('takes a list of one', () => {
    expectRead({ traceparent: [header()] }, COME_FROM_CALLER, 'as in headersDistinct');
  });

  it.each<[string, string | string[]]>([
    ['a list of two', [header(), `00-${'a'.repeat(32)}-${CALLER}-01`]],
    ['one string with a comma', `${header()}, 00-${'a'.repeat(32)}-${CALLER}-01`],
    ['later versions', `${header('01', 'cc')}, cc-${'a'.repeat(32)}-${CALLER}-01`],
  ])('refuses more than one: %s', (why, value) => {
    expectRefused({ traceparent: value }, `${why}: nobody knows which is the caller's`);
  });

  it('refuses more than one: a name in two cases', () => {
    const other = `00-${'a'.repeat(32)}-${CALLER}-01`;
    const because = "traceparent and TraceParent: nobody knows which is the caller's";
    expectRefused({ traceparent: header(), TraceParent: other }, because);
  });

  it('leaves the headers as they are', () => {
    const headers = { TraceParent: [header()], TraceState: ['rojo=1', 'congo=2'], host: 'shop' };
    const before = inspect(headers);
    expectRead(headers, COME_FROM_CALLER, 'lists, and names with capitals');
    expect(inspect(headers), 'the headers, which belong to the request').toBe(before);
  });

  it.each([
    ['no hex digits', `.0-${TRACE}-${CALLER}-01`],
    ['three digits', `000-${TRACE}-${CALLER}-01`],
    ['one digit', `0-${TRACE}-${CALLER}-01`],
    ['upper case', `CC-${TRACE}-${CALLER}-01`],
    ['ff', `ff-${TRACE}-${CALLER}-01`],
    ['missing', `${TRACE}-${CALLER}-01`],
  ])('refuses a version: %s', (why, value) => {
    expectRefused({ traceparent: value }, `version, ${why}`);
  });

  it.each([
    ['all zeros', '0'.repeat(32)],
    ['a digit that is none', `g${TRACE.slice(1)}`],
    ['a dot at the end', `${TRACE.slice(1)}.`],
    ['upper case', TRACE.toUpperCase()],
    ['one upper case letter', TRACE.replace('b', 'B')],
    ['33 digits', `${TRACE}0`],
    ['31 digits', TRACE.slice(1)],
    ['a sign', `+${TRACE.slice(1)}`],
    ['0x before it', `0x${TRACE.slice(2)}`],
    ['a space in it', ` ${TRACE.slice(1)}`],
    ['nothing', ''],
  ])('refuses a trace id: %s', (why, id) => {
    expectRefused({ traceparent: `00-${id}-${CALLER}-01` }, `trace id, ${why}`);
    expectRefused({ traceparent: `cc-${id}-${CALLER}-01` }, `trace id in a later version, ${why}`);
  });

  it.each([
    ['all zeros', '0'.repeat(16)],
    ['a digit that is none', `${CALLER.slice(1)}x`],
    ['upper case', CALLER.toUpperCase()],
    ['17 digits', `${CALLER}0`],
    ['15 digits', CALLER.slice(1)],
    ['a sign', `-${CALLER.slice(1)}`],
    ['nothing', ''],
  ])('refuses a span id: %s', (why, id) => {
    expectRefused({ traceparent: `00-${TRACE}-${id}-01` }, `span id, ${why}`);
    expectRefused({ traceparent: `cc-${TRACE}-${id}-01` }, `span id in a later version, ${why}`);
  });

  it.each([
    ['no hex digit', '.1'],
    ['upper case', '0A'],
    ['three digits', '001'],
    ['one digit', '1'],
    ['a sign', '+1'],
    ['nothing', ''],
  ])('refuses flags: %s', (why, flags) => {
    expectRefused({ traceparent: header(flags) }, `flags, ${why}`);
  });

  it.each([
    ['ids of digits only', `00-${'12345678'.repeat(4)}-${'12345678'.repeat(2)}-00`],
    ['one digit that is not 0', `00-${'1'.padStart(32, '0')}-${'1'.padStart(16, '0')}-00`],
    ['nothing but f', `00-${'f'.repeat(32)}-${'f'.repeat(16)}-00`],
    ['ids with zeros at the end', `00-${'1'.padEnd(32, '0')}-${'1'.padEnd(16, '0')}-00`],
  ])('reads ids as they are: %s', (why, value) => {
    const [, traceId = '', spanId = ''] = value.split('-');
    expectRead({ traceparent: value }, { traceId, spanId, sampled: false, random: false }, why);
  });

  it('refuses a version 00 with more after the flags', () => {
    for (const rest of ['.', '-', '-what-the-future-will-be-like', '0', '-01']) {
      expectRefused({ traceparent: header() + rest }, `${rest} after the flags of version 00`);
    }
  });

  it('reads a later version as far as it knows it', () => {
    for (const version of ['01', '0f', 'cc', 'fe']) {
      for (const rest of ['', '-', '-what-the-future-will-be-like', '-01', '--']) {
        expectRead(
          { traceparent: header('01', version) + rest },
          COME_FROM_CALLER,
          `version ${version} with “${rest}” after the flags`,
        );
      }
      for (const rest of ['.', '.what-the-future-will-be-like', '0', '_']) {
        expectRefused(
          { traceparent: header('01', version) + rest },
          `version ${version} with “${rest}” after the flags`,
        );
      }
    }
  });

  it('reads flags as bits', () => {
    for (let bits = 0; bits < 256; bits += 1) {
      const flags = bits.toString(16).padStart(2, '0');
      const context = { ...COME_FROM_CALLER, sampled: bits % 2 === 1, random: bits % 4 > 1 };
      expectRead(request(undefined, flags), context, `flags ${flags}`);
    }
  });

  it('sends version 00, and no bits that mean nothing', () => {
    for (const [flags, sent] of [
      ['00', '00'],
      ['01', '01'],
      ['02', '02'],
      ['03', '03'],
      ['fc', '00'],
      ['ff', '03'],
      ['11', '01'],
    ]) {
      const context = extractNeverThrows({ traceparent: `${header(flags, 'cc')}-what-comes` });
      expect(inject(context), `version cc with flags ${flags} is sent on`).toEqual({
        traceparent: header(sent),
      });
    }
  });

  it('sends nothing without a context', () => {
    expect(inject(undefined), 'the headers of a request outside of all spans').toEqual({});
  });

  const contexts = fc.record({
    traceId: fc.stringMatching(/^[0-9a-f]{32}$/).filter((id) => !isZero(id)),
    spanId: fc.stringMatching(/^[0-9a-f]{16}$/).filter((id) => !isZero(id)),
    sampled: fc.boolean(),
    random: fc.boolean(),
  });

  it('reads what it sends', () => {
    fc.assert(
      fc.property(contexts, (parent) => {
        const headers = inject({ ...parent, tracestate: new Map([['rojo', 'a b']]) });
        expectSame(inWords(sentIn(headers, 'what is sent')), inWords(parent), 'what is sent');
        const context = extractNeverThrows({ ...headers });
        expectSame(inWords(context), inWords(parent), 'what is read of what was sent');
        expectSame(list(entriesOf(context)), 'rojo=a b', 'what is read of what was sent');
      }),
      { seed: 1, numRuns: 25 },
    );
  });

  it('agrees with the recommendation when one character of a good value is changed', () => {
    const characters = ['0', 'f', '9', 'a', 'A', 'F', 'g', '-', '.', '+', ' ', '_', '\n', '\u0660'];
    const mutated = fc
      .tuple(
        contexts,
        fc.constantFrom('00', '01', 'cc', 'fe'),
        fc.constantFrom('', '', '-x'),
        fc.constantFrom('replace', 'insert', 'delete'),
        fc.constantFrom(...characters),
        fc.nat({ max: 57 }),
      )
      .map(([parent, version, rest, how, character, at]) => {
        const good = `${version}${textOf(parent).slice(2)}${rest}`;
        const end = good.slice(how === 'insert' ? at : at + 1);
        return `${good.slice(0, at)}${how === 'delete' ? '' : character}${end}`;
      })
      .filter((value) => value === value.trim());
    fc.assert(fc.property(mutated, expectAsRecommended), { seed: 2, numRuns: 150 });
  });

  it('throws for no value at all', () => {
    const characters = fc.constantFrom(
      '0',
      'f',
      '-',
      ',',
      '=',
      ' ',
      'a',
      '\t',
      '\0',
      'é',
      '\uD800',
      '😀',
    );
    const strings = fc.oneof(
      fc.array(characters, { maxLength: 20 }).map((drawn) => drawn.join('')),
      fc.constantFrom('__proto__', '__proto__=1', '-', '---', '00---', '00-'),
    );
    fc.assert(
      fc.property(strings, strings, (value, tracestate) => {
        if (value === value.trim()) expectAsRecommended(value);
        const context = extractNeverThrows({ traceparent: header(), tracestate });
        expect(inWords(context), `tracestate ${print(tracestate)}`).toBe(inWords(COME_FROM_CALLER));
        sentIn(inject(context), `what is sent on of tracestate ${print(tracestate)}`);
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});

function expectAsRecommended(value: string): void {
  const parent = read(value);
  if (parent === 'as you like') return;
  if (parent === 'refused') expectRefused({ traceparent: value }, print(value));
  else expectRead({ traceparent: value }, parent, print(value));
}

// ── Level 2 ─────────────────────────────────────────────────────────────────────────────────────────────

const numbered = (count: number, first = 1) =>
  Array.from({ length: count }, (_, n) => `v${n + first}=${n + first}`);

describe('2 · tracestate', () => {
  it('keeps the entries in their order', () => {
    expectEntries('rojo=1,congo=2,azul=3', ['rojo=1', 'congo=2', 'azul=3'], 'three systems');
    const context = extractNeverThrows(request('rojo=1,congo=2,azul=3'));
    expect(sentIn(inject(context), 'three systems').entries, 'what is sent on').toEqual([
      'rojo=1',
      'congo=2',
      'azul=3',
    ]);
  });

  it('has none if there is none', () => {
    expect(list(entriesOf(extractNeverThrows(request()))), 'no tracestate').toBe(list([]));
    expectEntries('', [], 'an empty value');
    expectEntries([], [], 'an empty list');
    expectEntries(['', ' ', ' ,\t, '], [], 'nothing but commas and spaces');
  });

  it('sends no header without an entry', () => {
    for (const tracestate of [undefined, '', ',']) {
      const context = extractNeverThrows(request(tracestate));
      expect(inject(context), 'the headers that are sent').toEqual({ traceparent: header() });
    }
  });

  it.each(['TraceState', 'TRACESTATE'])('takes the name in any case: %s', (name) => {
    const context = extractNeverThrows({ traceparent: header(), [name]: 'rojo=1' });
    expect(list(entriesOf(context)), `${name}: the entries that are read`).toBe('rojo=1');
  });

  it('takes several lines for one list', () => {
    expectEntries(
      ['rojo=1,congo=2', 'azul=3', 'verde=4,gris=5'],
      ['rojo=1', 'congo=2', 'azul=3', 'verde=4', 'gris=5'],
      'three lines',
    );
    expectEntries(['', 'rojo=1', ''], ['rojo=1'], 'empty lines around it');
    const context = extractNeverThrows({ ...request('rojo=1'), TraceState: 'congo=2' });
    const because = 'a line each under tracestate and TraceState: the entries that are read';
    expect(list(entriesOf(context)), because).toBe(list(['rojo=1', 'congo=2']));
  });

  it('does not count spaces, tabs and empty entries between entries', () => {
    const three = ['rojo=1', 'congo=2', 'azul=3'];
    expectEntries('rojo=1 \t , \t congo=2, \t azul=3', three, 'spaces and tabs');
    expectEntries(' rojo=1,congo=2,azul=3\t', three, 'around the list');
    expectEntries(',rojo=1,,congo=2, ,azul=3,', three, 'empty entries');
    expectEntries(
      `${numbered(32).join(', ,')},,,`,
      numbered(32),
      '32 entries with empty ones between',
    );
  });

  it('keeps the spaces at the beginning of a value and within', () => {
    expectEntries('rojo=  x  y ,congo=2', ['rojo=  x  y', 'congo=2'], 'they belong to it');
  });

  it('takes any key and any value that is allowed', () => {
    const key = `z${KEY_CHARACTERS.slice(0, -1)}`;
    expectEntries(`${key}=1`, [`${key}=1`], 'all characters of a key but @');
    expectEntries('tenant@system=1', ['tenant@system=1'], 'a tenant of a system');
    expectEntries(`rojo=${VALUE_CHARACTERS}`, [`rojo=${VALUE_CHARACTERS}`], 'all of a value');
    for (const entry of [`${'k'.repeat(256)}=1`, `rojo=${'v'.repeat(256)}`, 'k=1', 'rojo=-']) {
      expectEntries(entry, [entry], `${entry.length} characters`);
    }
    const names = ['constructor=1', 'size=2'];
    expectEntries(names.join(','), names, 'keys that every object has');
  });

  it('leaves it to you where a digit or an @ may stand in a key', () => {
    for (const entry of [
      '0rojo=1',
      '0tenant@system=1',
      'tenant@0=1',
      'a@b@c=1',
      'rojo@=1',
      '7=1',
    ]) {
      expectNoneOr(`congo=2,${entry}`, ['congo=2', ...kept(entry)], entry);
    }

    function kept(entry: string): string[] {
      return entriesRead(`congo=2,${entry}`, entry).includes(entry) ? [entry] : [];
    }
  });

  it.each([
    ['an upper case key', 'Rojo=1'],
    ['a key with a dot', 'ro.jo=1'],
    ['a key with a space', 'ro jo=1'],
    ['a space after the key', 'rojo =1'],
    ['a key that begins with _', '_rojo=1'],
    ['a key that begins with @', '@rojo=1'],
    ['no key', '=1'],
    ['no value', 'rojo='],
    ['a value of spaces', 'rojo=  '],
    ['neither', 'rojo'],
    ['a second =', 'rojo=bar=baz'],
    ['a value with a tab in it', 'rojo=a\tb'],
    ['a value with an umlaut', 'rojo=ä'],
    ['a value with a DEL', 'rojo=a\u007Fb'],
    ['a key of 257 characters', `${'k'.repeat(257)}=1`],
    ['a value of 257 characters', `rojo=${'v'.repeat(257)}`],
  ])('does not read or send an entry that is against the rules: %s', (why, entry) => {
    expectNoneOr(`azul=1,${entry},congo=2`, ['azul=1', 'congo=2'], why);
    expectNoneOr(['azul=1', entry, 'congo=2'], ['azul=1', 'congo=2'], `${why}, in a line`);
    expectNoneOr(entry, [], `${why}, alone`);
  });

  it.each([
    ['the same value', 'azul=1,rojo=1,congo=2,rojo=1'],
    ['different values', 'azul=1,rojo=1,congo=2,rojo=2'],
    ['side by side', 'azul=1,rojo=1,rojo=2,congo=2'],
  ])('does not keep a key twice: %s', (why, tracestate) => {
    const entries = entriesRead(tracestate, why);
    const rojos = entries.filter((entry) => entry.startsWith('rojo'));
    if (rojos.length > 1) expect.fail(`${why}: rojo is kept twice`);
    if (entries.length === 0) return;
    const others = entries.filter((entry) => !entry.startsWith('rojo'));
    expect(list(others), `${why}: the entries of others, if anything is kept`).toBe(
      'azul=1 | congo=2',
    );
    if (rojos.some((rojo) => rojo !== 'rojo=1' && rojo !== 'rojo=2')) {
      expect.fail(`${why}: ${rojos.join()} was never sent`);
    }
  });

  it('keeps 32 entries, and of 33 the first 32 or none', () => {
    expectEntries(numbered(32).join(','), numbered(32), '32 entries in a line');
    expectEntries(
      [numbered(20).join(','), numbered(12, 21).join(',')],
      numbered(32),
      '32 entries in two lines',
    );
    expectNoneOr(numbered(33).join(','), numbered(32), '33 entries');
    expectNoneOr(
      [numbered(20).join(','), numbered(20, 21).join(',')],
      numbered(32),
      '40 entries in two lines',
    );
  });

  it('does not count without a valid traceparent', () => {
    expectRefused({ tracestate: 'rojo=1' }, 'tracestate alone');
    expectRefused({ traceparent: header('1'), tracestate: 'rojo=1' }, 'a bad traceparent');
  });
});

// ── Level 3 ─────────────────────────────────────────────────────────────────────────────────────────────

/** The request goes out in the caller's trace, from a span of its own. */
function expectContinued(sent: Sent, because: string, caller: Parent = COME_FROM_CALLER): void {
  expect(sent.traceId, `${because}: the trace must go on under the same id`).toBe(caller.traceId);
  if (sent.spanId === caller.spanId) {
    expect.fail(`${because}: the caller's span id is sent on, in place of one of its own`);
  }
  expect(marks(sent), `${because}: the flags`).toBe(marks(caller));
}

function expectNewTrace(sent: Sent, because: string): void {
  if (sent.traceId === TRACE) {
    expect.fail(`${because}: a new trace should begin; the caller's goes on`);
  }
  if (sent.spanId === CALLER) expect.fail(`${because}: the caller's span id is sent on`);
  if (!sent.random) expect.fail(`${because}: the new id is random, and the flag should say so`);
  expect(list(sent.entries), `${because}: entries that are sent`).toBe(own(sent));
}

const marks = ({ sampled, random }: Parent) =>
  `${mark('sampled', sampled)}, ${mark('random', random)}`;

const own = ({ spanId }: Parent) => `shop=${spanId}`;

const BAD_HEADERS: readonly (readonly [inWords: string, headers: IncomingHeaders])[] = [
  ['no header at all', {}],
  ['no header of these', { host: 'checkout.example' }],
  ['tracestate alone', { tracestate: 'rojo=1' }],
  [
    'a trace id of zeros',
    { traceparent: `00-${'0'.repeat(32)}-${CALLER}-01`, tracestate: 'rojo=1' },
  ],
  ['version ff', { traceparent: header('01', 'ff'), tracestate: 'rojo=1' }],
];

describe('3 · continue or begin', () => {
  it.each(['00', '01', '02', '03'])(
    "continues the caller's trace, with its flags: %s",
    async (flags) => {
      const sent = await new Service().serves(request(undefined, flags));
      const caller = {
        ...COME_FROM_CALLER,
        sampled: flags > '0' && '13'.includes(flags.charAt(1)),
      };
      expectContinued(sent, `flags ${flags}`, {
        ...caller,
        random: '23'.includes(flags.charAt(1)),
      });
    },
  );

  it('sends no bits that mean nothing', async () => {
    const sent = await new Service().serves(request(undefined, 'ff'));
    expectContinued(sent, 'flags ff', { ...COME_FROM_CALLER, random: true });
  });

  it.each(BAD_HEADERS)('begins a trace without a valid header: %s', async (why, headers) => {
    expectNewTrace(await new Service().serves(headers), why);
  });

  it('begins a trace without headers', async () => {
    expectNewTrace(await new Service().serves(), 'work that serves no request');
  });

  it('puts its own entry first', async () => {
    const sent = await new Service().serves(request('rojo=1,congo=2'));
    expect(list(sent.entries), 'rojo and congo were there before').toBe(
      list([own(sent), 'rojo=1', 'congo=2']),
    );
  });

  it.each(['shop=0,rojo=1,congo=2', 'rojo=1,shop=0,congo=2', 'rojo=1,congo=2,shop=0'])(
    'takes its older entry out: %s',
    async (tracestate) => {
      const sent = await new Service().serves(request(tracestate));
      expect(list(sent.entries), 'the request was in the shop before').toBe(
        list([own(sent), 'rojo=1', 'congo=2']),
      );
    },
  );

  it('leaves the entries alone whose names are like its own', async () => {
    const alike = ['workshop=1', 'shop@eu=2', 'shopping=3'];
    const sent = await new Service().serves(request(['shop=0', ...alike]));
    expect(list(sent.entries), 'all but one are those of others').toBe(list([own(sent), ...alike]));
  });

  it('goes by the vendor it is told', async () => {
    const sent = await new Service({ vendor: 'tenant@eu' }).serves(request('shop=0,tenant@eu=1'));
    expect(list(sent.entries), 'the vendor is tenant@eu').toBe(
      list([`tenant@eu=${sent.spanId}`, 'shop=0']),
    );
  });

  it('drops the last entry if there would be 33', async () => {
    const full = await new Service().serves(request(numbered(32).join(',')));
    expect(list(full.entries), '32 entries of others').toBe(list([own(full), ...numbered(31)]));
    const fits = await new Service().serves(request(numbered(31).join(',')));
    expect(list(fits.entries), '31 entries of others').toBe(list([own(fits), ...numbered(31)]));
    const back = await new Service().serves(request(['shop=0', numbered(31).join(',')]));
    expect(list(back.entries), '31 of others and an older one of its own').toBe(
      list([own(back), ...numbered(31)]),
    );
  });

  it('drops nothing else up to 512 characters', async () => {
    const long = [`rojo=${'r'.repeat(250)}`, `congo=${'c'.repeat(219)}`, 'azul=end'];
    const sent = await new Service().serves(request(long.join(',')));
    const all = [own(sent), ...long];
    expect(list(sent.entries), `the list has ${all.join().length} characters`).toBe(list(all));
  });

  it('drops whole entries, if any, above 512 characters', async () => {
    const long = Array.from({ length: 12 }, (_, n) => `v${n}=${`${n}`.repeat(120)}`);
    const sent = await new Service().serves(request(long.join(',')));
    const [first, ...others] = sent.entries;
    expect(first, 'the first entry is its own').toBe(own(sent));
    expect(list(others), 'whole entries of others, in their order').toBe(
      list(long.filter((entry) => others.includes(entry))),
    );
  });

  it('goes on with traceparent if tracestate is against the rules', async () => {
    const sent = await new Service().serves(request('Rojo=1'));
    expectContinued(sent, 'only tracestate is bad');
    expect(list(sent.entries), 'only tracestate is bad').toBe(own(sent));
  });

  it('makes a child of the current span', async () => {
    const service = new Service();
    let outer: Sent | undefined;
    let inner: Sent | undefined;
    let outerAgain: Sent | undefined;
    const served = new Told(() =>
      service.tracer.inSpan(
        'GET /checkout',
        async () => {
          outer = service.sends();
          await service.tracer.inSpan('GET /stock', () => {
            inner = service.sends();
          });
          outerAgain = service.sends();
        },
        request('rojo=1', '02'),
      ),
    );
    await settle();
    if (!outer || !inner || !outerAgain) neverRan(served);
    expectContinued(inner, 'the child', outer);
    expect(list(inner.entries), 'the child').toBe(list([own(inner), 'rojo=1']));
    expect(list(outerAgain.entries), 'what the parent sends after its child has ended').toBe(
      list(outer.entries),
    );
  });

  it('gives each outgoing request a span of its own', async () => {
    const service = new Service();
    const sent: Sent[] = [];
    const ask = () =>
      service.tracer.inSpan('GET /stock', () => {
        sent.push(service.sends());
      });
    const served = new Told(() =>
      service.tracer.inSpan('GET /checkout', () => Promise.all([ask(), ask(), ask()]), request()),
    );
    await settle();
    expect(sent.length, `requests that were sent; told: ${served.told}`).toBe(3);
    for (const call of sent) expectContinued(call, 'one of three requests');
    expect(new Set(sent.map(({ spanId }) => spanId)).size, 'span ids of three requests').toBe(3);
  });

  it.each(BAD_HEADERS)('asks the headers, not the current span: %s', async (why, headers) => {
    const service = new Service();
    let sent: Sent | undefined;
    const consumer = new Told(() =>
      service.tracer.inSpan(
        'consume',
        () =>
          service.tracer.inSpan(
            'message',
            () => {
              sent = service.sends();
            },
            headers,
          ),
        request('congo=2'),
      ),
    );
    await settle();
    if (!sent) neverRan(consumer);
    expectNewTrace(sent, `${why}; the span of the consumer is another matter`);
  });

  it('takes no header from a stranger', async () => {
    const edge = new Service({ trustsCallers: false });
    const sent = await edge.serves(request('rojo=1,shop=2', '00'));
    expectNewTrace(sent, 'trustsCallers is false');
    expect(mark('sampled', sent.sampled), 'the ratio is 1, whatever the stranger says').toBe(
      'sampled',
    );
    const traces: unknown[] = [];
    const look = () => traces.push(edge.tracer.current()?.traceId);
    const consumer = new Told(() =>
      edge.tracer.inSpan('consume', () => {
        look();
        return edge.tracer.inSpan('message', look, request());
      }),
    );
    await settle();
    const [outer, inner] = traces;
    if (traces.length < 2) neverRan(consumer);
    const nested = 'headers of a stranger, within a span: a trace begins';
    if (inner === TRACE) expect.fail(`${nested}, and here that of the stranger goes on`);
    if (inner === outer) expect.fail(`${nested}, and here that of the current span goes on`);
    const robot = new Service({ trustsCallers: false, sampleRatio: 0 });
    const asked = await robot.serves(request(undefined, '01'));
    expectNewTrace(asked, 'trustsCallers is false');
    expect(mark('sampled', asked.sampled), 'a stranger asks for it, and the ratio is 0').toBe(
      'not sampled',
    );
  });

  it('makes children also where it takes no header', async () => {
    const edge = new Service({ trustsCallers: false });
    const sent: Sent[] = [];
    const served = new Told(() =>
      edge.tracer.inSpan(
        'GET /checkout',
        () => {
          sent.push(edge.sends());
          return edge.tracer.inSpan('GET /stock', () => {
            sent.push(edge.sends());
          });
        },
        request(),
      ),
    );
    await settle();
    const [outer, inner] = sent;
    if (!outer || !inner) neverRan(served);
    expectContinued(inner, 'the child of a span at the edge', outer);
  });

  it.each([
    ['zeros at first', (call: number) => (call < 2 ? 0 : 171)],
    ['small bytes', () => 1],
    ['bytes of 0x0a', () => 10],
    ['bytes of 0xff', () => 255],
  ])('draws ids that are valid: %s', async (why, byteOf) => {
    let calls = -1;
    const randomBytes = (size: number) => {
      calls += 1;
      return new Uint8Array(size).fill(byteOf(calls));
    };
    const sent = await new Service({ randomBytes }).serves(undefined, `ids drawn from ${why}`);
    expectNewTrace(sent, why);
  });

  it('draws valid ids whatever the dice say', async () => {
    const bytes = fc.array(fc.constantFrom(0, 0, 0, 0, 0, 1, 15, 160), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(bytes, async (drawn) => {
        const queue = [...drawn];
        const rest = dice(3);
        const randomBytes = (size: number) =>
          Uint8Array.from(rest(size), (byte) => queue.shift() ?? byte);
        await new Service({ randomBytes }).serves(undefined, `bytes ${drawn.join(' ')}`);
      }),
      { seed: 4, numRuns: 20 },
    );
  });

  it('draws ids with randomBytes, and with nothing else', async () => {
    const idsBy = async (seed: number) => {
      const service = new Service({ randomBytes: dice(seed) });
      const sent = [await service.serves(), await service.serves()];
      return sent.flatMap(({ traceId, spanId }) => [traceId, spanId]);
    };
    const ids = await idsBy(1);
    await advance(1_000);
    expect(await idsBy(1), 'ids of two traces, with the same bytes again').toEqual(ids);
    const shared = (await idsBy(2)).filter((id) => ids.includes(id));
    expect(
      shared,
      'ids of another process that are the same, although its bytes are others',
    ).toEqual([]);
  });

  it('draws other ids for each trace', async () => {
    const service = new Service();
    const sent = [await service.serves(), await service.serves(), await service.serves()];
    expect(new Set(sent.map(({ traceId }) => traceId)).size, 'ids of three traces').toBe(3);
    expect(new Set(sent.map(({ spanId }) => spanId)).size, 'ids of their spans').toBe(3);
  });

  it.each<[string, () => unknown]>([
    ['a value', () => 'paid'],
    ['a promise', () => Promise.resolve('paid')],
    ['after a while', () => wait(50, 'paid')],
    ['a thenable', () => new Query('paid')],
  ])('resolves to what the work returns: %s', async (why, work) => {
    const told = new Told(() => new Service().tracer.inSpan('POST /pay', work));
    await advance(50);
    expect(told.told, why).toBe('the value: “paid”');
  });

  it.each<[string, (declined: Error) => unknown]>([
    [
      'thrown',
      (declined) => {
        throw declined;
      },
    ],
    ['a rejection', (declined) => Promise.reject(declined)],
    ['after a while', (declined) => wait(50).then(() => Promise.reject(declined))],
  ])('rejects with the very error: %s', async (why, work) => {
    const declined = new Error('card declined');
    const told = new Told(() => new Service().tracer.inSpan('POST /pay', () => work(declined)));
    await advance(50);
    expect(told.told, why).toBe('the error: Error (card declined)');
    if (told.error !== declined) expect.fail(`${why}: it should be the very error, not a copy`);
  });

  it.each([undefined, null, ''])('rejects also with what is hardly an error: %o', async (error) => {
    const work = async () => {
      throw error;
    };
    const told = new Told(() => new Service().tracer.inSpan('POST /pay', work));
    await settle();
    expect(told.told, 'what the work rejected with').toBe(`the error: ${print(error)}`);
  });

  it('has no current span outside of all spans', async () => {
    const service = new Service();
    expectNowhere(service, 'before the first span');
    await service.serves(request());
    expectNowhere(service, 'after the last span');
  });
});

// ── Level 4 ─────────────────────────────────────────────────────────────────────────────────────────────

const IN_14_DIGITS = 16n ** 14n;
/** So near to the limit nobody needs to be exact. */
const NEAR = IN_14_DIGITS / 500n;

function spanIn(service: Service, name: string): Span {
  const spans = service.recorded.filter((span) => span.name === name);
  if (spans.length === 1 && spans[0]) return spans[0];
  return expect.fail(
    `${name} should be recorded once; recorded: ${service.recorded.map((span) => span.name).join(', ') || 'nothing'}`,
  );
}

function expectRecorded(service: Service, names: string, because: string): void {
  const recorded = service.recorded.map(({ name }) => name).join(', ');
  expect(recorded, `${because}: the spans that are recorded`).toBe(names);
}

describe('4 · sample and record', () => {
  it.each([0, 255, 127, 128])('samples none at 0 and all at 1: bytes of %i', async (byte) => {
    for (const sampleRatio of [0, 1]) {
      // A whole id of zeros is not valid, so its first byte is another one.
      const randomBytes = (size: number) => new Uint8Array(size).fill(byte).fill(9, 0, 1);
      const sent = await new Service({ sampleRatio, randomBytes }).serves();
      expect(
        mark('sampled', sent.sampled),
        `ratio ${sampleRatio}: a trace with the id ${sent.traceId}`,
      ).toBe(sampleRatio === 1 ? 'sampled' : 'not sampled');
    }
  });

  it('knows a tenth of a percent', async () => {
    // As a part of 16¹⁴ that is 99.6 %.
    const randomBytes = (size: number) => new Uint8Array(size).fill(0xfe);
    for (const [sampleRatio, decided] of [
      [0.01, 'sampled'],
      [0.001, 'not sampled'],
    ] as const) {
      const { sampled } = await new Service({ sampleRatio, randomBytes }).serves();
      const what = `ratio ${sampleRatio}: a trace whose last 14 digits are 99.6 % of 16¹⁴`;
      expect(mark('sampled', sampled), what).toBe(decided);
    }
  });

  it('decides by the last 14 digits of the trace id', async () => {
    const cases = fc.tuple(fc.integer({ min: 0, max: 1_000 }), fc.nat(100_000));
    await fc.assert(
      fc.asyncProperty(cases, async ([perMille, seed]) => {
        const sampleRatio = perMille / 1_000;
        const { traceId, sampled } = await new Service({
          sampleRatio,
          randomBytes: dice(seed),
        }).serves();
        const number = BigInt(`0x${traceId.slice(-14)}`);
        const limit = (BigInt(1_000 - perMille) * IN_14_DIGITS) / 1_000n;
        if (number - limit < NEAR && limit - number < NEAR) return;
        expect(
          mark('sampled', sampled),
          `ratio ${sampleRatio}: the last 14 digits of ${traceId} are ${Number((number * 1_000n) / IN_14_DIGITS)} ‰ of 16¹⁴, and what is at least ${1_000 - perMille} ‰ is sampled`,
        ).toBe(number >= limit ? 'sampled' : 'not sampled');
      }),
      { seed: 5, numRuns: 20 },
    );
  });

  it.each([
    ['01', 0, 'sampled'],
    ['00', 1, 'not sampled'],
    ['03', 0, 'sampled'],
    ['02', 1, 'not sampled'],
  ])("goes by the caller's decision: flags %s at ratio %d", async (flags, sampleRatio, decided) => {
    const service = new Service({ sampleRatio });
    const sent = await service.serves(request(undefined, flags));
    expect(mark('sampled', sent.sampled), 'what the next service is told').toBe(decided);
    expectRecorded(service, decided === 'sampled' ? 'GET /checkout' : '', `flags ${flags}`);
  });

  it('records a span with its times, when its work has ended', async () => {
    const service = new Service();
    await advance(1_000);
    const beganAt = performance.now();
    const told = new Told(() => service.tracer.inSpan('POST /pay', () => wait(70)));
    await advance(69);
    expectRecorded(service, '', 'the work is not done yet');
    await advance(1);
    expect(told.told, 'the work is done').toBe('the value: undefined');
    await advance(500);
    expectRecorded(service, 'POST /pay', 'the work is done');
    const { startMs, endMs } = spanIn(service, 'POST /pay');
    expect([startMs - beganAt, endMs - beganAt], 'when it began and ended, in ms').toEqual([0, 70]);
  });

  it('goes by the clock it is told', async () => {
    let nowMs = 5_000;
    const service = new Service({ now: () => nowMs });
    const work = () => {
      nowMs = 5_010;
      return wait(70);
    };
    const told = new Told(() => service.tracer.inSpan('POST /pay', work));
    await advance(10);
    nowMs = 5_030;
    await advance(60);
    const { startMs, endMs } = spanIn(service, 'POST /pay');
    const clock = 'the clock said 5000, 5010 when the work had begun, and 5030 at the end';
    expect([startMs, endMs], `${clock}; told ${told.told}`).toEqual([5_000, 5_030]);
  });

  it('records who has begun whom', async () => {
    const service = new Service();
    const { tracer } = service;
    const sent: Sent[] = [];
    const told = new Told(() =>
      tracer.inSpan(
        'GET /checkout',
        async () => {
          sent.push(service.sends());
          await tracer.inSpan('GET /stock', () => {
            sent.push(service.sends());
          });
        },
        request(),
      ),
    );
    await settle();
    const checkout = spanIn(service, 'GET /checkout');
    const stock = spanIn(service, 'GET /stock');
    expect(told.told, 'the work is done').toBe('the value: undefined');
    expect(checkout.parentId, 'the parent of checkout is the span of its caller').toBe(CALLER);
    expect(stock.parentId, 'the parent of stock is checkout').toBe(checkout.spanId);
    expect([checkout.traceId, stock.traceId], 'their trace').toEqual([TRACE, TRACE]);
    expect([checkout.spanId, stock.spanId], 'the ids that were sent are those recorded').toEqual(
      sent.map(({ spanId }) => spanId),
    );
  });

  it('records no parent for the first span of a trace', async () => {
    const service = new Service();
    await service.serves({ traceparent: header('1') });
    expect(spanIn(service, 'GET /checkout').parentId, 'the header was not valid').toBeUndefined();
    const edge = new Service({ trustsCallers: false });
    await edge.serves(request());
    expect(spanIn(edge, 'GET /checkout').parentId, 'the caller is a stranger').toBeUndefined();
  });

  it.each<[string, () => unknown]>([
    [
      'thrown',
      () => {
        throw new Error('card declined');
      },
    ],
    ['a rejection', () => Promise.reject(new Error('card declined'))],
    ['after a while', () => wait(50).then(() => Promise.reject(new Error('card declined')))],
  ])('records work that fails as well: %s', async (why, work) => {
    const service = new Service();
    const told = new Told(() => service.tracer.inSpan('POST /pay', work));
    await advance(50);
    expect(told.told, why).toBe('the error: Error (card declined)');
    expectRecorded(service, 'POST /pay', `${why}: failures are what traces are read for`);
  });

  it('has recorded it before anybody is told', async () => {
    const service = new Service();
    for (const work of [() => 'paid', () => Promise.reject(new Error('card declined'))]) {
      let recorded = -1;
      service.recorded.length = 0;
      const told = new Told(
        () => service.tracer.inSpan<unknown>('POST /pay', work),
        () => {
          recorded = service.recorded.length;
        },
      );
      await settle();
      expect(recorded, `spans on record when the caller was told ${told.told}`).toBe(1);
    }
  });

  it('records no span of a trace that is not sampled', async () => {
    const service = new Service();
    const told = new Told(() =>
      service.tracer.inSpan(
        'GET /checkout',
        () => service.tracer.inSpan('GET /stock', () => service.sends()),
        request(undefined, '00'),
      ),
    );
    await settle();
    expect(told.told, 'the work is done').toContain('the value');
    expectRecorded(service, '', 'the caller has said that it is not sampled');
  });
});

// ── Level 5 ─────────────────────────────────────────────────────────────────────────────────────────────

/** A trace id for each of the requests that are told apart. */
const traceOf = (n: number) => `${n + 1}`.padStart(32, '0');
const requestOf = (n: number): IncomingHeaders => ({
  traceparent: `00-${traceOf(n)}-${CALLER}-01`,
});

describe('5 · through asynchronous work', () => {
  it('is current wherever the work goes on', async () => {
    const service = new Service();
    const visits = new Visits(service);
    let span: string | undefined;
    const told = new Told(() =>
      service.tracer.inSpan('GET /checkout', async () => {
        span = service.at;
        visits.pass('begin');
        process.nextTick(visits.pass, 'nextTick');
        queueMicrotask(() => visits.pass('microtask'));
        setTimeout(() => visits.pass('timer'), 20);
        void wait(10).then(() => visits.pass('then'));
        await Promise.resolve();
        visits.pass('await');
        await wait(30);
        visits.pass('await-timer');
        await Promise.all([wait(5), wait(6)]);
        visits.pass('await-all');
      }),
    );
    await advance(100);
    expect(told.told, 'the work is done').toBe('the value: undefined');
    visits.expectAll(
      span,
      'begin nextTick microtask timer then await await-timer await-all',
      'one and the same request',
    );
  });

  it('leaves the caller where it was, right after the call and after the end', async () => {
    const service = new Service();
    const outside = new Visits(service);
    const calls = (async () => {
      const one = service.tracer.inSpan('one', () => wait(10));
      outside.pass('right-after-the-call');
      await Promise.resolve();
      outside.pass('next-turn');
      await one;
      outside.pass('after-the-end');
      await service.tracer.inSpan('two', () => 'quick');
      outside.pass('after-the-second');
    })();
    expectNowhere(service, 'while a span that somebody else has begun goes on');
    await advance(10);
    await calls;
    outside.expectAll(
      undefined,
      'right-after-the-call next-turn after-the-end after-the-second',
      'the caller is in no span',
    );
  });

  it('leaves the caller where it was when the work fails', async () => {
    const service = new Service();
    const inside = new Visits(service);
    let outer: string | undefined;
    const fail = () => {
      throw new Error('out of stock');
    };
    const told = new Told(() =>
      service.tracer.inSpan('GET /checkout', async () => {
        outer = service.at;
        const failing = service.tracer.inSpan('GET /stock', fail).catch(() => {
          inside.pass('in-catch');
        });
        inside.pass('right-after-the-call');
        await failing;
        inside.pass('after-the-end');
        await service.tracer
          .inSpan('GET /price', () => wait(5).then(fail))
          .catch(() => inside.pass('in-second-catch'));
        inside.pass('after-the-second');
      }),
    );
    await advance(10);
    expect(told.told, 'the work is done').toBe('the value: undefined');
    expectNowhere(service, 'after the request');
    inside.expectAll(
      outer,
      'in-catch right-after-the-call after-the-end in-second-catch after-the-second',
      'two children have failed',
    );
  });

  it('keeps apart what one request does at the same time', async () => {
    const service = new Service();
    const call = (name: string, ms: number) =>
      service.tracer.inSpan(name, async () => {
        await wait(ms);
        await service.tracer.inSpan(`query of ${name}`, () => wait(10));
      });
    const told = new Told(() =>
      service.tracer.inSpan('GET /checkout', async () => {
        await Promise.all([call('stock', 30), call('price', 10), call('reviews', 20)]);
        await call('payment', 5);
      }),
    );
    await advance(100);
    expect(told.told, 'the work is done').toBe('the value: undefined');
    const root = spanIn(service, 'GET /checkout').spanId;
    for (const name of ['stock', 'price', 'reviews', 'payment']) {
      expect(spanIn(service, name).parentId, `${name} was begun by checkout`).toBe(root);
      expect(
        spanIn(service, `query of ${name}`).parentId,
        `the query of ${name} was begun by ${name}`,
      ).toBe(spanIn(service, name).spanId);
    }
  });

  it('keeps requests apart that are served at the same time', async () => {
    const service = new Service();
    const seen: string[][] = [[], [], []];
    const serve = (n: number) => async () => {
      for (const ms of [0, 30 - 10 * n, 5, 10 * n]) {
        seen[n]?.push(service.tracer.current()?.traceId ?? NOWHERE);
        await wait(ms);
      }
      seen[n]?.push(service.tracer.current()?.traceId ?? NOWHERE);
    };
    for (const n of [0, 1, 2]) {
      const told = new Told(() => service.tracer.inSpan('GET /stock', serve(n), requestOf(n)));
      expect(told.told, 'the request has just begun').toBe('nothing yet');
    }
    await advance(100);
    for (const n of [0, 1, 2]) {
      expect(seen[n], `the traces that request ${n + 1} found itself in`).toEqual(
        Array.from({ length: 5 }, () => traceOf(n)),
      );
    }
  });

  it('goes on in its span when the work that set it off has ended', async () => {
    const service = new Service();
    let late: Sent | undefined;
    const told = new Told(() =>
      service.tracer.inSpan(
        'GET /checkout',
        () => {
          setTimeout(() => {
            late = service.sends('a request that is sent after the answer');
          }, 50);
        },
        request(),
      ),
    );
    await advance(50);
    expect(told.told, 'the work is done').toBe('the value: undefined');
    if (!late) expect.fail('the timer has not fired');
    expectContinued(late, 'a request that is sent after the answer');
  });

  it('says by bind whose a callback is', async () => {
    const service = new Service();
    const visits = new Visits(service);
    const pool: (() => void)[] = [];
    const spans: string[] = [];
    const wantConnection = (place: string) => () => {
      spans.push(service.at);
      pool.push(service.tracer.bind(() => visits.pass(place)));
    };
    const release = () => {
      pool.shift()?.();
      visits.pass('after it');
    };
    const nobody = service.tracer.bind(() => visits.pass('bound outside'));
    const queued = new Told(() =>
      service.tracer.inSpan('GET /stock', wantConnection('queued by the first')),
    );
    await settle();
    const released = new Told(() =>
      service.tracer.inSpan('GET /price', () => {
        spans.push(service.at);
        release();
        nobody();
      }),
    );
    await settle();
    expect([queued.told, released.told], 'both are done').toEqual(
      Array.from({ length: 2 }, () => 'the value: undefined'),
    );
    const inWhose = ([place, id]: readonly [string, string]) =>
      `${place}: ${['first', 'second'][spans.indexOf(id)] ?? id}`;
    expect(visits.places.map(inWhose), 'the span that each callback runs in').toEqual([
      'queued by the first: first',
      'after it: second',
      'bound outside: none',
    ]);
  });

  it('binds a listener to its span, also in what it sets off', async () => {
    const service = new Service();
    const visits = new Visits(service);
    const connection = new EventEmitter();
    let span: string | undefined;
    const told = new Told(() =>
      service.tracer.inSpan('GET /stock', () => {
        span = service.at;
        connection.once(
          'row',
          service.tracer.bind((row: string) => {
            visits.pass(row);
            void wait(5).then(() => visits.pass('later'));
          }),
        );
      }),
    );
    await settle();
    connection.emit('row', 'the-row');
    expectNowhere(service, 'whoever emits is in no span');
    await advance(5);
    expect(told.told, 'the work is done').toBe('the value: undefined');
    visits.expectAll(span, 'the-row later', 'a listener that was bound in a span');
  });

  it('takes and returns by bind what the callback does', async () => {
    const service = new Service();
    const { tracer } = service;
    const add = tracer.bind((a: number, b: number) => a + b);
    expect(add(2, 3), 'a bound sum').toBe(5);
    const soldOut = new Error('sold out');
    const fail = tracer.bind(() => {
      throw soldOut;
    });
    expect(fail, 'a bound callback that throws').toThrow(soldOut);
    let failInSpan = fail;
    const told = new Told(() =>
      tracer.inSpan('GET /stock', () => {
        failInSpan = tracer.bind(() => {
          throw soldOut;
        });
      }),
    );
    await settle();
    expect(told.told, 'the work is done').toBe('the value: undefined');
    expect(failInSpan, 'a callback that was bound in a span, and throws').toThrow(soldOut);
    expectNowhere(service, 'whoever has called it');
  });

  it('begins in its span what begins only when it is awaited', async () => {
    const service = new Service();
    const visits = new Visits(service);
    let span: string | undefined;
    const query = new Query('rows', () => visits.pass('query-sent'));
    const told = new Told(() =>
      service.tracer.inSpan('GET /checkout', () =>
        service.tracer.inSpan('SELECT', () => {
          span = service.at;
          return query;
        }),
      ),
    );
    await settle();
    expect(told.told, 'the rows').toBe('the value: “rows”');
    visits.expectAll(span, 'query-sent', 'a query builder sends its query when it is awaited');
  });
});

// ── Level 6 ─────────────────────────────────────────────────────────────────────────────────────────────

/**
 * A trace as a text: a span in each line, `name start-end`, deeper ones below their parent. Ids are given in the order of
 * the lines.
 */
function traceFrom(text: string): Span[] {
  const spans: Span[] = [];
  const above: Span[] = [];
  for (const line of text.split('\n').filter((other) => other.trim() !== '')) {
    const [, indent = '', name = '', start, end] = /^( *)(\S+) (-?\d+)-(\d+)$/.exec(line) ?? [];
    const depth = (indent.length - 6) / 2;
    const span = spanOf(spans.length, name, above[depth - 1]?.spanId, Number(start), Number(end));
    above.splice(depth, Infinity, span);
    spans.push(span);
  }
  return spans;
}

/** As numbers they would all be the same. */
const idOf = (n: number) => `f067aa0ba902b${(n + 1).toString(16).padStart(3, '0')}`;

function spanOf(
  n: number,
  name: string,
  parentId: string | undefined,
  startMs: number,
  endMs: number,
): Span {
  return { name, traceId: TRACE, spanId: idOf(n), parentId, startMs, endMs };
}

/** `name ms` for each span with a share, in the order of the spans. */
function sharesIn(spans: readonly Span[], path: ReadonlyMap<string, number>): string {
  if (!(path instanceof Map)) return `${print(path)}, no Map`;
  const strange = [...path.keys()].find((id) => spans.every(({ spanId }) => spanId !== id));
  if (strange !== undefined) return `a share for ${print(strange)}, which is the id of no span`;
  const shares = spans.flatMap(({ spanId, name }) => {
    const share = path.get(spanId) ?? 0;
    return share === 0 ? [] : [`${name} ${share}`];
  });
  return shares.join(', ') || 'nothing';
}

function expectPath(text: string, shares: string, because: string): void {
  const spans = traceFrom(text);
  expectPathOf(spans, shares, because);
  expectPathOf(spans.toReversed(), shares, `${because}, spans in another order`);
}

function expectPathOf(spans: readonly Span[], shares: string, because: string): void {
  const path = criticalPath(spans);
  const byId = spans.toSorted((a, b) => (a.spanId < b.spanId ? -1 : 1));
  expect(sharesIn(byId, path), `${because}: the milliseconds on the path`).toBe(shares);
}

describe('6 · the critical path', () => {
  it('is empty without spans', () => {
    expect([...criticalPath([])], 'no spans').toEqual([]);
  });

  it('is the root, if there is nobody else', () => {
    expectPath('      checkout 100-800', 'checkout 700', 'one span');
  });

  it('goes through children one after another', () => {
    expectPath(
      `
      checkout 0-700
        auth 0-100
        prices 150-500
        payment 520-680`,
      'checkout 90, auth 100, prices 350, payment 160',
      'three in a row, with gaps',
    );
  });

  it('goes through the child that ended last, of those at the same time', () => {
    expectPath(
      `
      checkout 0-700
        auth 0-100
        stock 100-250
        prices 100-500
        reviews 100-480
        payment 520-680`,
      'checkout 40, auth 100, prices 400, payment 160',
      'the checkout of the two weeks',
    );
  });

  it('goes on where the child began, not where the others ended', () => {
    expectPath(
      `
      checkout 0-500
        cart 0-300
        stock 200-450`,
      'checkout 250, stock 250',
      'stock began while the cart was still running, and so did not wait for it',
    );
    expectPath(
      `
      checkout 0-500
        auth 0-150
        cart 0-300
        stock 200-450`,
      'checkout 100, auth 150, stock 250',
      'auth ended before stock began',
    );
  });

  it('takes one that ends where the next begins', () => {
    expectPath(
      `
      checkout 0-300
        auth 0-100
        cart 0-101
        stock 100-300`,
      'auth 100, stock 200',
      'auth ended at 100, when stock began; the cart a millisecond later',
    );
  });

  it('goes down into the children on the path, and only there', () => {
    expectPath(
      `
      checkout 0-700
        prices 0-600
          rates 100-550
            cache 120-130
            database 140-540
        reviews 0-500
          images 10-490`,
      'checkout 100, prices 150, rates 40, cache 10, database 400',
      'images are below reviews, and reviews is not on the path',
    );
  });

  it('cuts what goes on after the answer', () => {
    expectPath(
      `
      checkout 0-700
        payment 100-600
        mail 650-4000
          smtp 660-3900`,
      'checkout 150, payment 500, mail 10, smtp 40',
      'the mail takes until 4000, and the answer came at 700',
    );
  });

  it('cuts what seems to begin before its parent', () => {
    expectPath(
      `
      checkout 100-700
        prices 60-400
          rates 40-300`,
      'checkout 300, prices 100, rates 200',
      'the clocks of prices and rates are slow',
    );
  });

  it('cuts by what is left of the parent', () => {
    expectPath(
      `
      checkout 0-700
        prices 300-900
          rates 100-800
            cache 200-850`,
      'checkout 300, cache 400',
      'rates and cache have only what is left of prices',
    );
  });

  it('leaves out what was not in the time of its parent at all', () => {
    expectPath(
      `
      checkout 100-700
        early 0-100
          below 150-200
        late 700-900
          deeper 300-650
        payment 200-600`,
      'checkout 200, payment 400',
      'neither early nor late took any of the time of checkout',
    );
  });

  it('leaves out what took no time', () => {
    expectPath(
      `
      checkout 0-700
        flag 700-700
        lookup 300-300
        prices 300-700
        start 0-0`,
      'checkout 300, prices 400',
      'some spans took less than a millisecond',
    );
    expectPath('      checkout 100-100', 'nothing', 'the whole took no time');
  });

  it('takes the one that began first, of two that ended together', () => {
    expectPath(
      `
      checkout 0-700
        stock 300-600
        prices 100-600
        reviews 200-600`,
      'checkout 200, prices 500',
      'all three ended at 600',
    );
    expectPath(
      `
      checkout 0-700
        mail 500-4000
        prices 100-800`,
      'checkout 100, prices 600',
      'after the cut both end at 700',
    );
    expectPath(
      `
      checkout 0-700
        stock 0-600
        prices 0-600`,
      'checkout 100, stock 600',
      'both began and ended together; stock has the smaller id',
    );
    expectPath(
      `
      checkout 100-700
        stock 90-600
        prices 50-600`,
      'checkout 100, stock 500',
      'after the cut both begin at 100; stock has the smaller id',
    );
  });

  it('takes a caller in another service for no parent that is missing', () => {
    const spans = traceFrom(`
      checkout 0-700
        payment 100-600`);
    const [checkout, payment] = spans;
    if (!checkout || !payment) return;
    expectPathOf(
      [{ ...checkout, parentId: CALLER }, payment],
      'checkout 200, payment 500',
      'the spans of the caller are elsewhere',
    );
  });

  it('hangs what has lost its parent below the root', () => {
    const spans = [
      spanOf(0, 'checkout', undefined, 100, 700),
      spanOf(1, 'rates', idOf(77), 200, 600),
      spanOf(2, 'database', idOf(1), 250, 550),
      spanOf(3, 'early', idOf(78), 0, 150),
    ];
    const shares = 'checkout 150, rates 100, database 300, early 50';
    expectPathOf(spans, shares, 'the span between checkout and rates is lost');
    expectPathOf(spans.toReversed(), shares, 'the same in another order');
  });

  it('begins with the first of those that have lost their parent, if the root is lost', () => {
    const spans = [
      spanOf(0, 'payment', idOf(77), 400, 650),
      spanOf(1, 'prices', idOf(77), 100, 700),
      spanOf(2, 'rates', idOf(1), 50, 300),
      spanOf(3, 'stock', idOf(78), 100, 350),
    ];
    expectPathOf(spans, 'payment 250, prices 100, stock 250', 'prices and stock began first');
    expectPathOf(spans.toReversed(), 'payment 250, prices 100, stock 250', 'in another order');
  });

  it('does not change the spans', () => {
    const spans = traceFrom(`
      checkout 0-700
        mail 650-4000
        prices 100-600`).map((span) => Object.freeze(span));
    const before = inspect(spans);
    expectPathOf(Object.freeze(spans), 'checkout 150, mail 50, prices 500', 'frozen spans');
    expect(inspect(spans), 'the spans that were handed over').toBe(before);
  });

  it('does what the three steps say, whatever the trace', () => {
    const span = fc.record({
      parent: fc.integer({ min: -1, max: 7 }),
      startMs: fc.nat(12).map((n) => (n - 4) * 1.5),
      ms: fc.nat(9).map((n) => n * 1.5),
    });
    const traces = fc
      .tuple(fc.array(span, { minLength: 1, maxLength: 8 }), fc.boolean(), fc.nat(7))
      .map(([drawn, isRootLost, turnBy]) => {
        const spans = drawn.map(({ parent, startMs, ms }, n) => {
          const above = n === 0 ? 77 : parent < 0 ? 78 : parent % n;
          const parentId = n === 0 && !isRootLost ? undefined : idOf(above);
          return spanOf(n, `span${n + 1}`, parentId, startMs, startMs + ms);
        });
        const turned = [...spans.slice(turnBy), ...spans.slice(0, turnBy)];
        return { spans, turned, [fc.toStringMethod]: () => traceInWords(turned) };
      });
    fc.assert(
      fc.property(traces, ({ spans, turned }) => {
        expect(sharesIn(spans, criticalPath(turned)), 'the milliseconds on the path').toBe(
          sharesIn(spans, pathOnPaper(spans)),
        );
      }),
      { seed: 6, numRuns: 100 },
    );
  });
});

const traceInWords = (spans: readonly Span[]) =>
  spans
    .map(({ name, startMs, endMs, parentId }) => {
      return `${name} ${startMs}-${endMs} ${nameOf(spans, parentId)}`;
    })
    .join(', ');

const nameOf = (spans: readonly Span[], parentId: string | undefined) => {
  if (parentId === undefined) return 'without parent';
  return `of ${spans.find(({ spanId }) => spanId === parentId)?.name ?? 'a span that is lost'}`;
};

const byAge = (a: Span, b: Span) => a.startMs - b.startMs || (a.spanId < b.spanId ? -1 : 1);

/** The steps of the brief, one after the other, with no thought of speed. */
function pathOnPaper(spans: readonly Span[]): Map<string, number> {
  const path = new Map<string, number>();
  const parentOf = ({ parentId }: Span) => spans.find(({ spanId }) => spanId === parentId);
  const heads = spans.filter((span) => !parentOf(span)).toSorted(byAge);
  const root = heads.find(({ parentId }) => parentId === undefined) ?? heads.at(0);

  const stepThrough = (span: Span): void => {
    const below = spans.filter(
      (other) => other !== root && (parentOf(other) ?? root)?.spanId === span.spanId,
    );
    const cut = below.map((child) => ({
      ...child,
      startMs: Math.max(child.startMs, span.startMs),
      endMs: Math.min(child.endMs, span.endMs),
    }));
    let left = cut.filter(({ startMs, endMs }) => startMs < endMs);
    let pointMs = span.endMs;
    let ownMs = 0;
    while (left.length > 0) {
      left = left.filter((child) => child.endMs <= pointMs);
      const [last] = left.toSorted((a, b) => b.endMs - a.endMs || byAge(a, b));
      if (!last) break;
      ownMs += pointMs - last.endMs;
      stepThrough(last);
      pointMs = last.startMs;
    }
    path.set(span.spanId, ownMs + pointMs - span.startMs);
  };
  if (root) stepThrough(root);
  return path;
}

// ── Level 7 ─────────────────────────────────────────────────────────────────────────────────────────────

/** A service on the way, and what the proxy before it does to the headers. */
interface Hop {
  readonly vendor: string;
  readonly trustsCallers: boolean;
  readonly sampleRatio: number;
  readonly proxy: keyof typeof PROXIES;
}

const PROXIES = {
  'sends on': (headers: IncomingHeaders) => headers,
  'writes capitals': (headers: IncomingHeaders) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value])),
  'makes lists': (headers: IncomingHeaders) =>
    Object.fromEntries(
      Object.entries(headers).map(([name, value]) =>
        name === 'tracestate' ? [name, String(value).split(',')] : [name, [String(value)]],
      ),
    ),
  'doubles traceparent': (headers: IncomingHeaders) => ({
    ...headers,
    traceparent: `${String(headers['traceparent'])}, ${String(headers['traceparent'])}`,
  }),
  'loses traceparent': ({ tracestate }: IncomingHeaders) => ({ tracestate }),
} as const;
const isHarmless = (proxy: Hop['proxy']) => !proxy.endsWith('traceparent');

const hops = fc.record<Hop>({
  vendor: fc.constantFrom('shop', 'rojo', 'congo', 'azul'),
  trustsCallers: fc.constantFrom(true, true, true, false),
  sampleRatio: fc.constantFrom(0, 1),
  proxy: fc.constantFrom(
    'sends on',
    'sends on',
    'writes capitals',
    'makes lists',
    'doubles traceparent',
    'loses traceparent',
  ),
});

const hopInWords = ({ vendor, trustsCallers, sampleRatio, proxy }: Hop) =>
  `→ a proxy ${proxy} → ${vendor} at ratio ${sampleRatio}${trustsCallers ? '' : ', which trusts nobody'}`;

const ways = fc.array(hops, { minLength: 1, maxLength: 6 }).map((chain) => ({
  chain,
  [fc.toStringMethod]: () =>
    [
      'a request of trace 4bf9…, sampled, with tracestate rojo=0,verde=1',
      ...chain.map(hopInWords),
    ].join(' '),
}));

/** What a request in a service does next. */
type Step = 'await' | 'call' | 'call later' | 'queue a job' | 'run a job';

interface Play {
  readonly requests: readonly (readonly Step[])[];
  /** Whose turn it is. */
  readonly turns: readonly number[];
}

const steps = fc.constantFrom<Step[]>('await', 'call', 'call later', 'queue a job', 'run a job');
const plays = fc
  .record<Play>({
    requests: fc.array(fc.array(steps, { maxLength: 4 }), { minLength: 1, maxLength: 3 }),
    turns: fc.array(fc.nat(2), { maxLength: 12 }),
  })
  .map((play) => ({
    ...play,
    [fc.toStringMethod]: () =>
      [
        ...play.requests.map((todo, n) => `request ${n + 1}: ${todo.join(', ') || 'nothing'}`),
        `turns: ${play.turns.map((n) => n + 1).join(', ') || 'as they come'}`,
      ].join('; '),
  }));

describe('7 · whatever happens', () => {
  it('keeps the thread through any chain of services', async () => {
    await fc.assert(
      fc.asyncProperty(ways, ({ chain }) => travel(chain)),
      {
        seed: 7,
        numRuns: 20,
      },
    );
  });

  it('keeps requests apart whose work takes turns', async () => {
    await fc.assert(fc.asyncProperty(plays, takeTurns), { seed: 8, numRuns: 15 });
  });
});

async function travel(chain: readonly Hop[]): Promise<void> {
  let headers: IncomingHeaders = request('rojo=0,verde=1');
  let before: Sent = { ...COME_FROM_CALLER, entries: ['rojo=0', 'verde=1'] };
  for (const [n, hop] of chain.entries()) {
    const because = `service ${n + 1} on the way, ${hop.vendor}`;
    const service = new Service({ ...hop, randomBytes: dice(n + 1) });
    const sent = await service.serves(PROXIES[hop.proxy](headers), because);
    const goesOn = hop.trustsCallers && isHarmless(hop.proxy);
    const first = `${hop.vendor}=${sent.spanId}`;
    const others = before.entries.filter((entry) => !entry.startsWith(`${hop.vendor}=`));
    const due = goesOn
      ? { sampled: before.sampled, random: before.random, entries: [first, ...others] }
      : { sampled: hop.sampleRatio === 1, random: true, entries: [first] };

    expect(
      sent.traceId === before.traceId ? 'the same trace' : 'a new trace',
      `${because}: the next service sees`,
    ).toBe(goesOn ? 'the same trace' : 'a new trace');
    expect(`${marks(sent)}, ${list(sent.entries)}`, `${because}: the next service is told`).toBe(
      `${marks({ ...sent, ...due })}, ${list(due.entries)}`,
    );
    expectRecorded(service, due.sampled ? 'GET /checkout' : '', because);
    const parents = service.recorded.map(({ parentId }) => parentId ?? 'none');
    expect(parents, `${because}: the parent on record`).toEqual(
      due.sampled ? [goesOn ? before.spanId : 'none'] : [],
    );
    if (sent.spanId === before.spanId) expect.fail(`${because}: the span id is the caller's`);
    headers = { traceparent: textOf(sent), tracestate: sent.entries.join(',') };
    before = sent;
  }
}

const textOf = ({ traceId, spanId, sampled, random }: Parent) =>
  `00-${traceId}-${spanId}-0${(sampled ? 1 : 0) + (random ? 2 : 0)}`;

async function takeTurns({ requests, turns }: Play): Promise<void> {
  const service = new Service();
  const { tracer } = service;
  const timeline: string[] = [];
  const wrong: string[] = [];
  const jobs: (() => void)[] = [];
  const waiting: (() => void)[][] = requests.map(() => []);
  const parents = new Map<string, string>();

  const look = (span: string, what: string) => {
    timeline.push(what);
    if (service.at !== span) {
      wrong.push(`${timeline.join(', ')}: the current span should be ${span}; it is ${service.at}`);
    }
  };
  const turn = (n: number) =>
    new Promise<void>((resolve) => {
      waiting[n]?.push(resolve);
    });
  const call = (n: number, parent: string) => {
    timeline.push(`request ${n + 1} calls`);
    return tracer.inSpan('a call', async () => {
      const span = service.at;
      parents.set(span, parent);
      await turn(n);
      look(span, `the call of request ${n + 1} is answered`);
    });
  };
  const serve = (n: number, todo: readonly Step[]) => async () => {
    const span = service.at;
    const calls: Promise<void>[] = [];
    parents.set(span, CALLER);
    const trace = tracer.current()?.traceId;
    if (trace !== traceOf(n)) wrong.push(`request ${n + 1} is in trace ${trace ?? NOWHERE}`);
    for (const step of todo) {
      look(span, `request ${n + 1} goes on`);
      if (step === 'await') await turn(n);
      else if (step === 'call') await call(n, span);
      else if (step === 'call later') calls.push(call(n, span));
      else if (step === 'run a job') jobs.shift()?.();
      else jobs.push(tracer.bind(() => look(span, `a job of request ${n + 1} is run`)));
    }
    await Promise.all(calls);
    look(span, `request ${n + 1} is answered`);
  };

  const told = requests.map(
    (todo, n) => new Told(() => tracer.inSpan('a request', serve(n, todo), requestOf(n))),
  );
  await settle();
  const rest = requests.flatMap((todo, n) => todo.map(() => n));
  for (const n of [...turns, ...rest]) {
    if (!waiting[n]?.length) continue;
    waiting[n].shift()?.();
    await settle();
    if (service.at !== NOWHERE) wrong.push(`${timeline.join(', ')}: ${service.at} is left behind`);
  }

  if (wrong[0] !== undefined) expect.fail(wrong[0]);
  for (const [n, one] of told.entries()) {
    expect(one.told, `${timeline.join(', ')}: what request ${n + 1} was told`).toBe(
      'the value: undefined',
    );
  }
  for (const { spanId, parentId } of service.recorded) {
    expect(parentId, `${timeline.join(', ')}: the parent of span ${spanId}`).toBe(
      parents.get(spanId),
    );
  }
  expect(service.recorded.length, `${timeline.join(', ')}: spans on record`).toBe(parents.size);
}
