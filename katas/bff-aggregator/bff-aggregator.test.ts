import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createBff,
  type Bff,
  type BffRequest,
  type Client,
  type Credential,
  type Delivery,
  type MissingPart,
  type MobilePage,
  type Offer,
  type Order,
  type PartnerOrder,
  type Product,
  type Services,
  type WebPage,
} from './bff-aggregator.ts';

// ── The services, played by the spec ────────────────────────────────────────────────────────────────────

type Name = keyof Services;
const NAMES: readonly Name[] = ['auth', 'orders', 'products', 'delivery', 'offers'];
type Part = MissingPart['part'];
const PARTS: readonly Part[] = ['products', 'delivery', 'offers'];

/** What no client may ever see, and no service but auth. */
const SECRETS = {
  'the app’s token': 'token-of-ada',
  'the site’s session': 'session-of-ada',
  'the portal’s API key': 'key-of-the-portal',
  'a host name': 'prod.internal',
  'a stack trace': 'at Connection.query',
  'a password': 'hunter2',
  'an error message': 'no route to',
  'the door code': '4711#',
  'a phone number': '+49 170',
  'a margin': 'margin',
  'what the supplier charges': 'supplierPrice',
  'the fraud score': 'fraud',
  'a cookie of a service': 'affinity=',
  'the id of the user': 'user-ada',
  'an id of somebody else': 'user-root',
  'the id of the trace': '4bf92f35',
};

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** What a service answers with when it fails. It tells much about the inside of the shop. */
function failsWith(status: number | undefined, service = 'a service'): Error {
  const error = new Error(`no route to ${service}.prod.internal:5432, password hunter2`);
  error.stack = `Error: ${error.message}\n    at Connection.query (/srv/${service}/db.js:7:11)`;
  return Object.assign(error, {
    ...(status !== undefined && { status }),
    url: `http://${service}.prod.internal/v2`,
    headers: { 'set-cookie': 'affinity=prod.internal' },
    body: { detail: 'password hunter2' },
  });
}

function orderOf(items: readonly (readonly [sku: string, quantity: number])[] = ITEMS): Order {
  return {
    id: 'o-7',
    status: 'shipped',
    totalCents: 1_840,
    items: items.map(([sku, quantity]) => ({ sku, quantity, priceCents: 199 })),
    shipmentId: 's-7',
    fraudScore: 0.02,
  };
}

const ITEMS = [
  ['milk', 2],
  ['bread', 1],
  ['eggs', 1],
] as const;

function productOf(sku: string): Product {
  const imageUrl = `https://img.example/${sku}.png`;
  return { sku, name: `${sku}, fresh`, imageUrl, supplierPriceCents: 70 };
}

const DELIVERY: Delivery = {
  etaAt: '2026-11-22T20:40:00Z',
  stopsLeft: 3,
  courier: { name: 'Kim Lee', phone: '+49 170 555 1234' },
};

const OFFERS: readonly Offer[] = [
  { title: 'Yogurt', priceCents: 249, marginCents: 120 },
  { title: 'Oranges', priceCents: 299, marginCents: 130 },
];

/** What services have added since their types were written. */
const NEWS = {
  doorCode: '4711#',
  internal: { host: 'db.prod.internal' },
  courierName: 'no',
  errors: 'no',
  name: 'no',
  title: 'no',
  version: 2,
};

/** The same, with news at every depth. */
function withNews(thing: unknown): unknown {
  if (Array.isArray(thing)) return thing.map(withNews);
  if (typeof thing !== 'object' || thing === null) return thing;
  const entries = Object.entries(thing).map(([key, value]) => [key, withNews(value)]);
  return { ...NEWS, ...Object.fromEntries(entries) };
}

/** Answers and requests belong to whoever made them. */
function frozen<Thing>(thing: Thing): Thing {
  if (typeof thing !== 'object' || thing === null) return thing;
  for (const part of Object.values(thing)) frozen(part);
  return Object.freeze(thing);
}

/** Whom auth takes for whom: `token-of-ada` is `user-ada`. */
const userOf = (secret: unknown) => `user-${String(secret).split('-').at(-1)}`;

/** One request to a service. */
class Call {
  readonly service: Name;
  readonly input: unknown;
  readonly signal: AbortSignal;
  /** As they were when it was asked. */
  readonly headers: unknown;
  /** The very object that it was handed. */
  readonly heldHeaders: unknown;
  readonly atMs = performance.now();
  readonly promise: Promise<unknown>;
  hasEnded = false;
  #resolve: (value: unknown) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(service: Name, input: unknown, context: unknown) {
    this.service = service;
    this.input = structuredClone(input);
    const signal = fieldOf(context, 'signal');
    // Without one nothing is ever told to stop.
    this.signal = signal instanceof AbortSignal ? signal : new AbortController().signal;
    this.heldHeaders = fieldOf(context, 'headers');
    this.headers = structuredClone(this.heldHeaders);
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  answersNow(value: unknown): void {
    this.hasEnded = true;
    this.#resolve(value);
  }

  failsNow(error: unknown): void {
    this.hasEnded = true;
    this.#reject(error);
  }
}

/** What a service does with a call, in the same step. */
type Play = (call: Call) => void;

/** All calls of a test, with what would be their answers. */
const answers = new Map<Call, unknown>();

/** The five services. They answer at once, unless the test says otherwise. */
class Shop {
  /** In the order in which they began. */
  readonly calls: Call[] = [];
  order: unknown = orderOf();
  products: (skus: readonly string[]) => unknown = (skus) => skus.map(productOf).toReversed();
  delivery: unknown = DELIVERY;
  offers: unknown = OFFERS;
  /** Whether the services have added fields to their answers. */
  hasNews = false;
  readonly services: Services;
  readonly #plays = new Map<Name, Play>();

  constructor() {
    const service = (name: Name) => (input: unknown, context: unknown) => {
      const call = new Call(name, input, context);
      this.calls.push(call);
      answers.set(call, this.answerOf(call));
      const play = this.#plays.get(name) ?? (() => call.answersNow(answers.get(call)));
      play(call);
      // What comes back has the types of the answers above.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return call.promise as Promise<never>;
    };
    this.services = {
      auth: service('auth'),
      orders: service('orders'),
      products: service('products'),
      delivery: service('delivery'),
      offers: service('offers'),
    };
  }

  /** What a service says when all is well. */
  answerOf({ service, input }: Call): unknown {
    const answer = {
      auth: {
        userId: userOf(fieldOf(input, 'secret')),
        accessToken: 'token-of-ada',
        roles: ['admin.prod.internal'],
      },
      orders: this.order,
      products: this.products(skusIn(input)),
      delivery: this.delivery,
      offers: this.offers,
    }[service];
    return frozen(this.hasNews ? withNews(answer) : answer);
  }

  /** These answer when the test says so. */
  hold(...names: Name[]): this {
    return this.play(() => {}, ...names);
  }

  fail(error: unknown, ...names: Name[]): this {
    return this.play((call) => call.failsNow(error), ...names);
  }

  /** It throws where it should reject. */
  throw(error: unknown, ...names: Name[]): this {
    return this.play(
      (call) => {
        call.hasEnded = true;
        throw error;
      },
      ...names,
    );
  }

  play(play: Play, ...names: Name[]): this {
    for (const name of names) this.#plays.set(name, play);
    return this;
  }

  /** It answers after so many milliseconds. */
  take(ms: number, ...names: Name[]): this {
    return this.play(
      (call) => void later(ms, () => call.answersNow(this.answerOf(call))),
      ...names,
    );
  }

  callsOf(name: Name): Call[] {
    return this.calls.filter(({ service }) => service === name);
  }

  /** The latest call of a service. */
  call(name: Name): Call {
    return (
      this.callsOf(name).at(-1) ??
      expect.fail(`${name} should have been asked by now; ${this.askedInWords}`)
    );
  }

  answerNow(...names: Name[]): void {
    for (const name of names) this.call(name).answersNow(this.answerOf(this.call(name)));
  }

  async answer(...names: Name[]): Promise<void> {
    this.answerNow(...names);
    await settle();
  }

  get askedInWords(): string {
    const names = this.calls.map(({ service }) => service);
    return names.length > 0 ? `asked so far: ${names.join(', ')}` : 'nobody has been asked';
  }
}

function fieldOf(thing: unknown, name: string): unknown {
  return typeof thing === 'object' && thing !== null ? Reflect.get(thing, name) : undefined;
}

function skusIn(input: unknown): string[] {
  const skus = fieldOf(input, 'skus');
  return Array.isArray(skus) ? skus.map(String) : [];
}

function later(ms: number, task: () => void): NodeJS.Timeout | void {
  return ms > 0 ? setTimeout(task, ms) : task();
}

// ── The clients, played by the spec ─────────────────────────────────────────────────────────────────────

const HEADERS: Record<Client, Record<string, string>> = {
  mobile: { authorization: 'Bearer token-of-ada' },
  web: { cookie: 'theme=dark; sid=session-of-ada; lang=de' },
  partner: { 'x-api-key': 'key-of-the-portal' },
};

/** Long enough for everything that is not about limits. */
const TIMEOUTS_MS = { auth: 1_000, orders: 1_000, products: 1_000, delivery: 1_000, offers: 1_000 };

interface Setting {
  readonly client?: Client;
  readonly timeoutsMs?: Partial<Record<Name, number>>;
  readonly limitMs?: number;
}

function bffOf(
  { services }: Shop,
  { client = 'mobile', timeoutsMs = {}, limitMs = 5_000 }: Setting = {},
): Bff {
  const bff = createBff({
    client,
    services,
    timeoutsMs: { ...TIMEOUTS_MS, ...timeoutsMs },
    limitMs,
  });
  if (typeof bff?.handle !== 'function') expect.fail(`createBff() returned ${print(bff)}, no BFF`);
  return bff;
}

interface Response {
  readonly status: unknown;
  /** By their names in lower case. */
  readonly headers: Record<string, unknown>;
  /** As the client reads it: after JSON. */
  readonly body: unknown;
}

/** What a client knows of its request. */
class Visit {
  response: Response | undefined;
  raw: unknown;
  error: unknown;
  hasFailed = false;
  readonly #beganAtMs = performance.now();
  /** After so many milliseconds it was told. */
  afterMs = Number.NaN;

  constructor(bff: Bff, request: BffRequest, signal?: AbortSignal) {
    let promise: unknown;
    try {
      promise = signal ? bff.handle(request, { signal }) : bff.handle(request);
    } catch (error) {
      expect.fail(`handle() threw ${print(error)}: it must return a promise`);
    }
    if (!(promise instanceof Promise)) expect.fail(`handle() returned ${print(promise)}`);
    promise.then(
      (response: unknown) => {
        this.raw = response;
        this.response = readOut(response);
        this.afterMs = performance.now() - this.#beganAtMs;
      },
      (error: unknown) => {
        this.error = error;
        this.hasFailed = true;
        this.afterMs = performance.now() - this.#beganAtMs;
      },
    );
  }

  get told(): string {
    if (this.hasFailed) return `handle() rejected with ${print(this.error)}`;
    if (!this.response) return 'the client is still waiting';
    return `status ${print(this.response.status)}, ${JSON.stringify(this.response.body)}`;
  }
}

function readOut(response: unknown): Response {
  const headers = Object.entries(fieldOf(response, 'headers') ?? {});
  return {
    status: fieldOf(response, 'status'),
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    body: JSON.parse(JSON.stringify(fieldOf(response, 'body') ?? null)),
  };
}

function requestOf(client: Client, headers: Record<string, string> = {}): BffRequest {
  return frozen({ orderId: 'o-7', headers: { ...HEADERS[client], ...headers } });
}

/** A request whose calls that can be answered at once have been. */
async function visit(
  shop: Shop,
  setting: Setting & {
    readonly headers?: Record<string, string>;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Visit> {
  const visited = new Visit(
    bffOf(shop, setting),
    requestOf(setting.client ?? 'mobile', setting.headers),
    setting.signal,
  );
  await settle();
  return visited;
}

// ── What must have happened ─────────────────────────────────────────────────────────────────────────────

function print(thing: unknown): string {
  if (thing instanceof Error) return `${thing.name} (“${thing.message}”)`;
  return typeof thing === 'string' ? `“${thing}”` : inspect(thing, { depth: 4 });
}

const MOBILE_PAGE: MobilePage = {
  order: { id: 'o-7', status: 'shipped' },
  items: [
    { quantity: 2, name: 'milk, fresh' },
    { quantity: 1, name: 'bread, fresh' },
    { quantity: 1, name: 'eggs, fresh' },
  ],
  delivery: { etaAt: '2026-11-22T20:40:00Z', courierName: 'Kim Lee' },
  offers: [{ title: 'Yogurt' }, { title: 'Oranges' }],
  errors: [],
};

const WEB_PAGE: WebPage = {
  order: { id: 'o-7', status: 'shipped', totalCents: 1_840 },
  items: [
    { quantity: 2, name: 'milk, fresh', imageUrl: 'https://img.example/milk.png' },
    { quantity: 1, name: 'bread, fresh', imageUrl: 'https://img.example/bread.png' },
    { quantity: 1, name: 'eggs, fresh', imageUrl: 'https://img.example/eggs.png' },
  ],
  delivery: { etaAt: '2026-11-22T20:40:00Z', courierName: 'Kim Lee', stopsLeft: 3 },
  offers: [
    { title: 'Yogurt', priceCents: 249 },
    { title: 'Oranges', priceCents: 299 },
  ],
  errors: [],
};

const PARTNER_ORDER: PartnerOrder = {
  version: 1,
  order_id: 'o-7',
  state: 'shipped',
  total_cents: 1_840,
  eta: '2026-11-22T20:40:00Z',
};

const PAGES = { mobile: MOBILE_PAGE, web: WEB_PAGE, partner: PARTNER_ORDER };

/** The page without the parts that are missing. */
function pageWithout<Page extends MobilePage | WebPage>(
  page: Page,
  ...errors: readonly MissingPart[]
): Page {
  const missing = new Set(errors.map(({ part }) => part));
  const unnamed = page.items.map((item) =>
    'imageUrl' in item ? { ...item, name: null, imageUrl: null } : { ...item, name: null },
  );
  return {
    ...page,
    ...(missing.has('products') && { items: unnamed }),
    ...(missing.has('delivery') && { delivery: null }),
    ...(missing.has('offers') && { offers: null }),
    errors,
  };
}

/** Where two pages differ, in words. */
function differences(actual: unknown, expected: unknown, path = ''): string[] {
  if (Object.is(actual, expected)) return [];
  const where = path || 'the body';
  if (typeof actual !== 'object' || actual === null || !isAlike(actual, expected)) {
    return [`${where} should be ${print(expected)}, not ${print(actual)}`];
  }
  const [is, should] = [new Map(Object.entries(actual)), new Map(Object.entries(expected))];
  return [...new Set([...should.keys(), ...is.keys()])].flatMap((key) => {
    const at = Array.isArray(actual) ? `${path}[${key}]` : `${path}${path && '.'}${key}`;
    if (!is.has(key)) return [`${at} should be ${print(should.get(key))}, but it is not there`];
    if (!should.has(key)) return [`${at} must not be there, and is ${print(is.get(key))}`];
    return differences(is.get(key), should.get(key), at);
  });
}

function isAlike(actual: object, expected: unknown): expected is object {
  const isObject = typeof expected === 'object' && expected !== null;
  return isObject && Array.isArray(actual) === Array.isArray(expected);
}

/** Errors are in any order. */
function inOrder(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !('errors' in body)) return body;
  const { errors } = body;
  if (!Array.isArray(errors)) return body;
  const rank = (error: unknown) => `${String(fieldOf(error, 'part'))} ${JSON.stringify(error)}`;
  return { ...body, errors: errors.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)) };
}

function expectAnswer(visited: Visit, status: number, body: object, because: string): void {
  const { response } = visited;
  if (!response) expect.fail(`${because}: the client should have its answer; ${visited.told}`);
  if (response.status !== status) {
    expect.fail(`${because}: the status should be ${status}; it is ${visited.told}`);
  }
  const [first, ...more] = differences(inOrder(response.body), inOrder(body));
  if (first) {
    expect.fail(`${because}: ${first}${more.length > 0 ? `, and ${more.length} more` : ''}`);
  }
  const isComplete = status === 200 && !('errors' in body && Object(body.errors).length > 0);
  expectHeaders(visited, response, isComplete, because);
}

function expectHeaders(
  { raw }: Visit,
  { headers }: Response,
  isComplete: boolean,
  because: string,
): void {
  if (!/^application\/json\b/.test(String(headers['content-type']))) {
    expect.fail(`${because}: content-type is ${print(headers['content-type'])}, no JSON`);
  }
  const cacheControl = headers['cache-control'];
  const should = isComplete ? 'private, max-age=10' : 'no-store';
  if (directivesOf(cacheControl) !== directivesOf(should)) {
    const why = isComplete ? 'nothing is missing' : 'or it is shown long after the outage';
    expect.fail(
      `${because}: cache-control should be “${should}”, ${why}; it is ${print(cacheControl)}`,
    );
  }
  const all = JSON.stringify(raw);
  for (const [what, secret] of Object.entries(SECRETS)) {
    if (all.toLowerCase().includes(secret.toLowerCase())) {
      expect.fail(`${because}: the client must not see ${what}; its answer is ${all}`);
    }
  }
}

function directivesOf(cacheControl: unknown): string {
  const directives = String(cacheControl).toLowerCase().split(',');
  return directives
    .map((directive) => directive.trim())
    .toSorted()
    .join();
}

function expectPage(visited: Visit, page: MobilePage | WebPage | PartnerOrder, because: string) {
  expectAnswer(visited, 200, page, because);
}

const ERRORS = {
  unauthorized: 401,
  not_found: 404,
  upstream_failed: 502,
  upstream_timeout: 504,
};

function expectFailure(visited: Visit, error: keyof typeof ERRORS, because: string): void {
  expectAnswer(visited, ERRORS[error], { error }, because);
}

function expectWaiting(visited: Visit, because: string): void {
  if (visited.response || visited.hasFailed) {
    expect.fail(`${because}: the client should still be waiting; ${visited.told}`);
  }
}

function expectAsked(shop: Shop, names: readonly Name[], because: string): void {
  const asked = shop.calls.map(({ service }) => service);
  if (asked.toSorted().join() === names.toSorted().join()) return;
  const should = names.length > 0 ? names.join(', ') : 'nobody';
  expect.fail(
    `${because}: who has been asked, by now, should be ${should}; ${shop.askedInWords || ''}`,
  );
}

function expectAborted({ service, signal }: Call, because: string): void {
  if (signal.aborted) return;
  expect.fail(`${because}: the signal of ${service} should be aborted, or it works for nobody`);
}

function expectNotAborted({ service, signal }: Call, because: string): void {
  if (!signal.aborted) return;
  expect.fail(`${because}: ${service} is still needed, so its signal must not be aborted`);
}

function expectUnchanged({ raw, response }: Visit, because: string): void {
  const [first] = differences(readOut(raw), response);
  if (first) expect.fail(`${because}: the answer has changed since it was given: ${first}`);
}

function expectLeft(visited: Visit, reason: unknown, because: string): void {
  if (visited.hasFailed && Object.is(visited.error, reason)) return;
  expect.fail(`${because}: handle() should reject with ${print(reason)}; ${visited.told}`);
}

function expectNoListener(signal: AbortSignal, because: string): void {
  const left = getEventListeners(signal, 'abort').length;
  if (left > 0) expect.fail(`${because}: ${left} listener(s) are left on the client's signal`);
}

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});

/** What is still open ends, and what that leads to, and a minute passes. */
async function allEnds(end?: Play): Promise<void> {
  for (let round = 0; answers.size > 0 && round < 20; round += 1) {
    for (const [call, answer] of answers) {
      answers.delete(call);
      if (call.hasEnded) continue;
      if (end) end(call);
      else call.answersNow(answer);
    }
    await settle();
  }
  answers.clear();
  await advance(61_000);
}

afterEach(async () => {
  await allEnds();
  const [stray] = strays.splice(0).map(print);
  if (stray !== undefined) {
    expect.fail(
      `a promise was rejected with ${stray} and nobody handled it, which ends a Node process, with all its pages`,
    );
  }
  if (pendingTimers() > 0) {
    expect.fail('a minute after the last page a timer is still set, for a page that is over');
  }
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · one page', () => {
  it('is made of what the services say', async () => {
    expectPage(await visit(new Shop()), MOBILE_PAGE, 'all services have answered');
  });

  it('is made also if there are options, and no signal in them', async () => {
    const bff = bffOf(new Shop());
    const visited = new Visit(
      { handle: (request) => bff.handle(request, {}) },
      requestOf('mobile'),
    );
    await settle();
    expectPage(visited, MOBILE_PAGE, 'all services have answered');
  });

  it('asks each service for what it needs', async () => {
    const shop = new Shop();
    await visit(shop);
    const inputs: Record<Name, unknown> = {
      auth: { kind: 'bearer', secret: 'token-of-ada' },
      orders: { orderId: 'o-7' },
      products: { skus: ['bread', 'eggs', 'milk'] },
      delivery: { shipmentId: 's-7' },
      offers: { userId: 'user-ada' },
    };
    for (const name of NAMES) expectInput(shop.call(name), inputs[name]);
  });

  it('keeps the items as they are in the order, whatever order the products come in', async () => {
    const shop = new Shop();
    shop.products = (skus) => skus.map(productOf).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    expectPage(await visit(shop), MOBILE_PAGE, 'products came by their names');
  });

  it('shows an item twice that is in the order twice', async () => {
    const shop = new Shop();
    shop.order = orderOf([
      ['milk', 2],
      ['eggs', 1],
      ['milk', 5],
    ]);
    const items = [
      { quantity: 2, name: 'milk, fresh' },
      { quantity: 1, name: 'eggs, fresh' },
      { quantity: 5, name: 'milk, fresh' },
    ];
    expectPage(await visit(shop), { ...MOBILE_PAGE, items }, 'milk was ordered twice');
  });

  it('shows null for the name of a product that is gone, and takes it for no error', async () => {
    const shop = new Shop();
    shop.products = (skus) => skus.filter((sku) => sku !== 'bread').map(productOf);
    const [milk, , eggs] = MOBILE_PAGE.items;
    const items = [milk, { quantity: 1, name: null }, eggs].flatMap((item) => item ?? []);
    expectPage(await visit(shop), { ...MOBILE_PAGE, items }, 'bread is sold no more');
  });

  it('takes every string for an SKU', async () => {
    const shop = new Shop();
    const skus = ['constructor', '__proto__', '2', '', '1', 'a', 'A', 'a '];
    shop.order = orderOf(skus.map((sku) => [sku, 1]));
    const items = skus.map((sku) => ({ quantity: 1, name: `${sku}, fresh` }));
    expectPage(await visit(shop), { ...MOBILE_PAGE, items }, `SKUs ${print(skus)}`);
    shop.products = () => [];
    const unnamed = skus.map(() => ({ quantity: 1, name: null }));
    expectPage(
      await visit(shop),
      { ...MOBILE_PAGE, items: unnamed },
      `SKUs ${print(skus)}, all of which are sold no more`,
    );
  });

  it('shows no delivery before anything has been shipped, and asks nobody for it', async () => {
    const shop = new Shop();
    shop.order = { ...orderOf(), status: 'packed', shipmentId: null };
    const page = { ...MOBILE_PAGE, order: { id: 'o-7', status: 'packed' }, delivery: null };
    expectPage(await visit(shop), page, 'nothing has been shipped');
    expectAsked(shop, ['auth', 'orders', 'products', 'offers'], 'nothing has been shipped');
  });

  it('shows the order as the orders team knows it', async () => {
    const shop = new Shop();
    shop.order = { ...orderOf(), id: 'o-2026-7', status: 'repacking' };
    const order = { id: 'o-2026-7', status: 'repacking' };
    const because = 'o-7 is short for o-2026-7, and its status is a new one';
    expectPage(await visit(shop), { ...MOBILE_PAGE, order }, because);
  });

  it('shows all offers, and what is zero or empty as it is', async () => {
    const page: MobilePage = {
      ...MOBILE_PAGE,
      items: [{ quantity: 0, name: '' }],
      delivery: { etaAt: '', courierName: '' },
      offers: TITLES.map((title) => ({ title })),
    };
    expectPage(await visit(shopOfZeros()), page, '31 offers, and texts that are empty');
  });

  it('shows an empty list when there are no offers', async () => {
    const shop = new Shop();
    shop.offers = [];
    expectPage(await visit(shop), { ...MOBILE_PAGE, offers: [] }, 'there are no offers today');
  });

  it('shows an empty list when there are no items, and asks nobody for products', async () => {
    const shop = new Shop();
    shop.order = orderOf([]);
    expectPage(await visit(shop), { ...MOBILE_PAGE, items: [] }, 'all items were taken back');
    expectAsked(shop, ['auth', 'orders', 'delivery', 'offers'], 'there are no items');
  });
});

const TITLES = ['', ...Array.from({ length: 30 }, (_, index) => `Offer ${index}`)];

/** Many offers, zeros, and empty texts. */
function shopOfZeros(): Shop {
  const shop = new Shop();
  shop.order = { ...orderOf([['bag', 0]]), totalCents: 0 };
  shop.products = () => [{ ...productOf('bag'), name: '', imageUrl: '' }];
  shop.delivery = { etaAt: '', stopsLeft: 0, courier: { name: '', phone: '' } };
  shop.offers = TITLES.map((title) => ({ title, priceCents: 0, marginCents: 0 }));
  return shop;
}

function expectInput({ service, input }: Call, should: unknown): void {
  const [first] = differences(sorted(input), should);
  if (first) expect.fail(`${service} was asked about ${print(input)}: ${first}`);
}

/** SKUs may be asked for in any order. */
function sorted(input: unknown): unknown {
  const skus = skusIn(input);
  return skus.length > 0 ? { ...Object(input), skus: skus.toSorted() } : input;
}

describe('2 · side by side', () => {
  it('asks nobody else before it knows the user', async () => {
    const shop = new Shop().hold(...NAMES);
    await visit(shop);
    await advance(100);
    expectAsked(shop, ['auth'], 'auth has not answered yet');
  });

  it('asks for the order and for offers side by side', async () => {
    const shop = new Shop().hold(...NAMES);
    await visit(shop);
    await shop.answer('auth');
    expectAsked(shop, ['auth', 'orders', 'offers'], 'the user is known, the order is not');
  });

  it('asks for products and delivery side by side', async () => {
    const shop = new Shop().hold('products', 'delivery');
    await visit(shop);
    expectAsked(shop, NAMES, 'the order is known');
  });

  it('does not let products and delivery wait for offers', async () => {
    const shop = new Shop().hold('products', 'delivery', 'offers');
    await visit(shop);
    expectAsked(shop, NAMES, 'the order is known, and offers are still on their way');
  });

  it('does not let products and delivery wait for offers that have failed', async () => {
    const shop = new Shop().hold('products', 'delivery').fail(failsWith(503), 'offers');
    await visit(shop);
    expectAsked(shop, NAMES, 'the order is known, and offers have failed');
  });

  it('takes as long as the longest way through, not as long as all together', async () => {
    const shop = new Shop().take(20, 'auth').take(80, 'orders').take(60, 'delivery');
    shop.take(90, 'products').take(150, 'offers');
    const visited = await visit(shop);
    await advance(1_000);
    expectPage(visited, MOBILE_PAGE, 'all services have answered');
    expectAfter(visited, 190, '20 ms auth, 80 ms orders, 90 ms products');
  });

  it('waits until all have answered', async () => {
    for (const last of PARTS) {
      const shop = new Shop().hold(last);
      const visited = await visit(shop);
      await advance(100);
      expectWaiting(visited, `${last} may still answer`);
      await shop.answer(last);
      expectPage(visited, MOBILE_PAGE, `${last} came last`);
    }
  });

  it('makes the same page in whatever order services answer', async () => {
    for (const order of [PARTS, PARTS.toReversed(), ['delivery', 'offers', 'products'] as const]) {
      const shop = new Shop().hold(...PARTS);
      const visited = await visit(shop);
      for (const part of order) await shop.answer(part);
      expectPage(visited, MOBILE_PAGE, `answers came as ${order.join(', ')}`);
    }
  });

  it('asks for all products in one call, and for each once', async () => {
    const shop = new Shop();
    const skus = Array.from({ length: 250 }, (_, index) => `sku-${index}`);
    shop.order = orderOf([...skus, ...skus].map((sku) => [sku, 1]));
    await visit(shop);
    const calls = shop.callsOf('products');
    expect(calls.length, 'calls of products, for a page with 500 items').toBe(1);
    const asked = skusIn(shop.call('products').input);
    if (asked.toSorted().join() !== skus.toSorted().join()) {
      expect.fail(
        `500 items of 250 kinds: products should be asked for each of the 250 once; it was asked for ${asked.length}`,
      );
    }
  });

  it('asks each service once', async () => {
    const shop = new Shop();
    await visit(shop);
    expectAsked(shop, NAMES, 'one page');
  });
});

function expectAfter(
  { afterMs, told }: { afterMs: number; told: string },
  ms: number,
  because: string,
) {
  if (Math.abs(afterMs - ms) <= 1) return;
  const when = Number.isNaN(afterMs) ? told : `it came after ${afterMs} ms`;
  expect.fail(`${because}: the answer should come after ${ms} ms; ${when}`);
}

describe('3 · what is missing', () => {
  it.each(PARTS)('makes the page without %s when they fail', async (part) => {
    const shop = new Shop().fail(failsWith(503, part), part);
    const page = pageWithout(MOBILE_PAGE, { part, reason: 'failed' });
    expectPage(await visit(shop), page, `${part} failed`);
  });

  it('makes the page also when all that is optional fails', async () => {
    const shop = new Shop().fail(failsWith(500), ...PARTS);
    const errors = PARTS.map((part) => ({ part, reason: 'failed' }) as const);
    expectPage(await visit(shop), pageWithout(MOBILE_PAGE, ...errors), 'three services failed');
  });

  it.each([
    ['early', ['offers', 'products', 'delivery']],
    ['late', ['products', 'delivery', 'offers']],
    ['in between', ['delivery', 'offers', 'products']],
  ] as const)('puts each part where it belongs when offers fail %s', async (_, order) => {
    const shop = new Shop().hold(...PARTS);
    const visited = await visit(shop);
    for (const part of order) {
      if (part === 'offers') shop.call(part).failsNow(failsWith(503));
      else shop.answerNow(part);
      await settle();
    }
    const page = pageWithout(MOBILE_PAGE, { part: 'offers', reason: 'failed' });
    expectPage(visited, page, `offers failed, and ${order.join(', ')} was the order`);
  });

  it('still waits for the others when one fails', async () => {
    const shop = new Shop().fail(failsWith(503), 'offers').hold('delivery');
    const visited = await visit(shop);
    await advance(100);
    expectWaiting(visited, 'offers have failed, and delivery may still answer');
    await shop.answer('delivery');
    const page = pageWithout(MOBILE_PAGE, { part: 'offers', reason: 'failed' });
    expectPage(visited, page, 'offers have failed, and delivery has answered');
  });

  it('tells what is empty from what is not there', async () => {
    const shop = new Shop().fail(failsWith(503), 'delivery');
    shop.offers = [];
    const page = pageWithout(
      { ...MOBILE_PAGE, offers: [] },
      { part: 'delivery', reason: 'failed' },
    );
    expectPage(
      await visit(shop),
      page,
      'there are no offers, and nobody knows where the delivery is',
    );
  });

  it('takes a throw for a failure', async () => {
    for (const part of PARTS) {
      const page = pageWithout(MOBILE_PAGE, { part, reason: 'failed' });
      expectPage(await visit(new Shop().throw(failsWith(503), part)), page, `${part} threw`);
    }
    for (const name of ['auth', 'orders'] as const) {
      expectFailure(
        await visit(new Shop().throw(failsWith(503), name)),
        'upstream_failed',
        `${name} threw`,
      );
    }
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'down'],
    ['0', 0],
    ['an object', { status: '404' }],
    ['a TypeError', new TypeError('fetch failed')],
    ['an AbortError', new DOMException('This operation was aborted', 'AbortError')],
    ['an error without a status', failsWith(undefined)],
    ['401', failsWith(401)],
    ['404', failsWith(404)],
    ['429', failsWith(429)],
  ])('makes do with whatever an optional service fails with: %s', async (_, error) => {
    for (const part of PARTS) {
      const page = pageWithout(MOBILE_PAGE, { part, reason: 'failed' });
      const visited = await visit(new Shop().fail(error, part));
      expectPage(visited, page, `${part} failed with ${inWords(error)}`);
    }
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'down'],
    ['a TypeError', new TypeError('fetch failed')],
    ['an error without a status', failsWith(undefined)],
    ['400', failsWith(400)],
    ['410', failsWith(410)],
    ['500', failsWith(500)],
    ['503', failsWith(503)],
  ])('answers with 502 when a required service fails with %s', async (_, error) => {
    for (const name of ['auth', 'orders'] as const) {
      const visited = await visit(new Shop().fail(error, name));
      expectFailure(visited, 'upstream_failed', `${name} failed with ${inWords(error)}`);
    }
  });

  it('answers with 401 to a client without a credential, and asks nobody', async () => {
    const shop = new Shop();
    const visited = new Visit(bffOf(shop), { orderId: 'o-7', headers: {} });
    await settle();
    expectFailure(visited, 'unauthorized', 'there was no credential');
    expectAsked(shop, [], 'there was no credential');
  });

  it('answers with 401 to a client that auth does not know, and asks nobody else', async () => {
    const shop = new Shop().fail(failsWith(401), 'auth');
    expectFailure(await visit(shop), 'unauthorized', 'auth failed with 401');
    expectAsked(shop, ['auth'], 'auth failed with 401');
  });

  it.each([403, 404])('answers with 404 when orders fail with %i', async (status) => {
    const shop = new Shop().fail(failsWith(status), 'orders');
    expectFailure(await visit(shop), 'not_found', `orders failed with ${status}`);
    for (const part of ['products', 'delivery'] as const) {
      expect(shop.callsOf(part).length, `calls of ${part}, though there is no order`).toBe(0);
    }
  });

  it('takes a 401 from orders for a failure of its own, not for one of the client', async () => {
    const shop = new Shop().fail(failsWith(401), 'orders');
    expectFailure(await visit(shop), 'upstream_failed', 'the BFF was not let in by orders');
  });

  it('takes a 403 or a 404 from auth for a failure', async () => {
    for (const status of [403, 404]) {
      const shop = new Shop().fail(failsWith(status), 'auth');
      expectFailure(await visit(shop), 'upstream_failed', `auth, of all services, said ${status}`);
    }
  });

  it('does not wait for what is optional when there is no order', async () => {
    const shop = new Shop().hold('offers').fail(failsWith(404), 'orders');
    expectFailure(await visit(shop), 'not_found', 'there is no order, and offers hang');
  });
});

function inWords(error: unknown): string {
  const status = fieldOf(error, 'status');
  return status === undefined ? print(error) : `status ${print(status)}`;
}

describe('4 · limits', () => {
  it.each(PARTS)('makes the page without %s when their time is over', async (part) => {
    const shop = new Shop().hold(part);
    const visited = await visit(shop, { timeoutsMs: { [part]: 300 } });
    await advance(298);
    expectWaiting(visited, `${part} have 2 ms left`);
    await advance(4);
    const page = pageWithout(MOBILE_PAGE, { part, reason: 'timeout' });
    expectPage(visited, page, `${part} had 300 ms`);
    expectAfter(visited, 300, `${part} had 300 ms, and the others have answered`);
  });

  it.each(['auth', 'orders'] as const)(
    'answers with 504 when the time of %s is over',
    async (name) => {
      const shop = new Shop().hold(name);
      const visited = await visit(shop, { timeoutsMs: { [name]: 300 } });
      await advance(298);
      expectWaiting(visited, `${name} has 2 ms left`);
      await advance(4);
      expectFailure(visited, 'upstream_timeout', `${name} had 300 ms`);
    },
  );

  it('waits for those that have more time', async () => {
    const shop = new Shop().hold('offers', 'delivery');
    const visited = await visit(shop, { timeoutsMs: { offers: 200, delivery: 600 } });
    await advance(400);
    expectWaiting(visited, 'the time of offers is over, that of delivery is not');
    await shop.answer('delivery');
    const page = pageWithout(MOBILE_PAGE, { part: 'offers', reason: 'timeout' });
    expectPage(visited, page, 'the time of offers was over, and delivery answered in its own');
  });

  it('counts the time of a call from its own beginning', async () => {
    const shop = new Shop().take(250, 'auth').take(250, 'orders').take(250, 'products');
    const timeoutsMs = { auth: 300, orders: 300, products: 300 };
    const visited = await visit(shop, { timeoutsMs });
    await advance(1_000);
    expectPage(visited, MOBILE_PAGE, 'three calls, one after another, of 250 ms each');
  });

  it('aborts the signal of a call whose time is over, and no other', async () => {
    const shop = new Shop().hold('offers', 'delivery');
    await visit(shop, { timeoutsMs: { offers: 200 } });
    expectNotAborted(shop.call('offers'), 'offers have 200 ms');
    await advance(202);
    expectAborted(shop.call('offers'), 'the time of offers is over');
    expectNotAborted(shop.call('delivery'), 'the time of offers is over');
  });

  it.each(['auth', 'orders'] as const)(
    'aborts the signal of %s when its time is over',
    async (name) => {
      const shop = new Shop().hold(name);
      await visit(shop, { timeoutsMs: { [name]: 200 } });
      await advance(202);
      expectAborted(shop.call(name), `the time of ${name} is over`);
    },
  );

  it('takes a service that stops when it is told to for a timeout, not for a failure', async () => {
    for (const name of NAMES.filter((other) => other !== 'products')) {
      const shop = new Shop().play(stopsWhenAborted, name);
      const visited = await visit(shop, { timeoutsMs: { [name]: 200 } });
      await advance(202);
      const because = `the time of ${name} was over, and it stopped as it was told to`;
      if (name === 'auth' || name === 'orders') expectFailure(visited, 'upstream_timeout', because);
      else
        expectPage(visited, pageWithout(MOBILE_PAGE, { part: name, reason: 'timeout' }), because);
    }
  });

  it('does not use what comes after its time', async () => {
    const shop = new Shop().take(300, 'offers').take(500, 'delivery');
    const visited = await visit(shop, { timeoutsMs: { offers: 200, delivery: 600 } });
    await advance(600);
    const page = pageWithout(MOBILE_PAGE, { part: 'offers', reason: 'timeout' });
    expectPage(visited, page, 'offers had 200 ms and took 300');
  });

  it('keeps what has failed in time a failure', async () => {
    const shop = new Shop().hold('offers', 'delivery');
    const visited = await visit(shop, { timeoutsMs: { offers: 200, delivery: 600 } });
    await advance(100);
    shop.call('offers').failsNow(failsWith(503));
    await advance(300);
    await shop.answer('delivery');
    const page = pageWithout(MOBILE_PAGE, { part: 'offers', reason: 'failed' });
    expectPage(visited, page, 'offers failed after 100 of 200 ms');
  });

  it('makes the page of what is there when the time of the page is over', async () => {
    const shop = new Shop().hold('offers', 'products').take(100, 'delivery');
    const visited = await visit(shop, { limitMs: 400 });
    await advance(398);
    expectWaiting(visited, 'the page has 2 ms left');
    await advance(4);
    const errors = (['products', 'offers'] as const).map(
      (part) => ({ part, reason: 'timeout' }) as const,
    );
    expectPage(visited, pageWithout(MOBILE_PAGE, ...errors), 'the page had 400 ms');
    expectAborted(shop.call('offers'), 'the time of the page is over');
    expectAborted(shop.call('products'), 'the time of the page is over');
  });

  it('counts the time of the page from its beginning', async () => {
    const shop = new Shop().take(150, 'auth').take(150, 'orders').hold('products');
    const visited = await visit(shop, { limitMs: 400 });
    await advance(1_000);
    const page = pageWithout(MOBILE_PAGE, { part: 'products', reason: 'timeout' });
    expectPage(visited, page, '150 ms auth, 150 ms orders, and products hang');
    expectAfter(visited, 400, 'the page had 400 ms');
  });

  it.each(['auth', 'orders'] as const)(
    'answers with 504 when the time of the page is over before %s',
    async (name) => {
      const shop = new Shop().hold(name);
      const visited = await visit(shop, { limitMs: 400 });
      await advance(402);
      expectFailure(visited, 'upstream_timeout', `the page had 400 ms, and ${name} hangs`);
      expectAborted(shop.call(name), 'the time of the page is over');
      expectAfter(visited, 400, 'the page had 400 ms');
    },
  );

  it('does not hurry or wait when the wall clock is set', async () => {
    for (const ms of [-3_600_000, 3_600_000]) {
      const shop = new Shop().take(50, 'auth').hold('offers');
      const visited = await visit(shop, { limitMs: 400 });
      await advance(20);
      stepWallClock(ms);
      await advance(370);
      expectWaiting(visited, 'the wall clock was set, and the page has 10 ms left');
      await advance(20);
      const page = pageWithout(MOBILE_PAGE, { part: 'offers', reason: 'timeout' });
      expectPage(visited, page, 'the wall clock was set, and the page had 400 ms');
    }
  });
});

/** As `fetch` does: it rejects as soon as its signal aborts. */
function stopsWhenAborted(call: Call): void {
  call.signal.addEventListener('abort', () => call.failsNow(call.signal.reason));
}

describe('5 · three clients', () => {
  it('makes the page of the site', async () => {
    const visited = await visit(new Shop(), { client: 'web' });
    expectPage(visited, WEB_PAGE, 'all services have answered');
  });

  it('says to the site, too, what is missing', async () => {
    for (const part of PARTS) {
      const visited = await visit(new Shop().fail(failsWith(503), part), { client: 'web' });
      const page = pageWithout(WEB_PAGE, { part, reason: 'failed' });
      expectPage(visited, page, `${part} failed, for the site`);
    }
  });

  it('shows the site what is empty', async () => {
    const shop = new Shop();
    shop.order = { ...orderOf(), shipmentId: null };
    shop.products = (skus) => skus.filter((sku) => sku !== 'bread').map(productOf);
    shop.offers = [];
    const items = WEB_PAGE.items.map((item) =>
      item.name === 'bread, fresh' ? { quantity: 1, name: null, imageUrl: null } : item,
    );
    const visited = await visit(shop, { client: 'web' });
    const page = { ...WEB_PAGE, items, delivery: null, offers: [] };
    expectPage(
      visited,
      page,
      'nothing has been shipped, bread is sold no more, there are no offers',
    );
  });

  it('shows the site and the partner, too, what is zero or empty as it is', async () => {
    const site: WebPage = {
      order: { ...WEB_PAGE.order, totalCents: 0 },
      items: [{ quantity: 0, name: '', imageUrl: '' }],
      delivery: { etaAt: '', courierName: '', stopsLeft: 0 },
      offers: TITLES.map((title) => ({ title, priceCents: 0 })),
      errors: [],
    };
    expectPage(await visit(shopOfZeros(), { client: 'web' }), site, 'sums of 0, and empty texts');
    const order: PartnerOrder = { ...PARTNER_ORDER, total_cents: 0, eta: '' };
    expectPage(await visit(shopOfZeros(), { client: 'partner' }), order, 'a sum of 0, no time yet');
  });

  it('keeps to the contract with the partner, and asks only for what is in it', async () => {
    const shop = new Shop();
    const visited = await visit(shop, { client: 'partner' });
    expectPage(visited, PARTNER_ORDER, 'the portal has asked for an order');
    expectAsked(
      shop,
      ['auth', 'orders', 'delivery'],
      'the portal shows neither products nor offers',
    );
  });

  it.each([
    ['placed', 'open'],
    ['packed', 'open'],
    ['shipped', 'shipped'],
    ['delivered', 'delivered'],
    ['canceled', 'canceled'],
    ['repacking', 'other'],
    ['Shipped', 'other'],
    ['', 'other'],
  ] as const)('tells the partner of an order that is “%s” that it is %s', async (status, state) => {
    const shop = new Shop();
    shop.order = { ...orderOf(), status };
    const visited = await visit(shop, { client: 'partner' });
    expectPage(visited, { ...PARTNER_ORDER, state }, `the order is “${status}”`);
  });

  it('tells the partner nothing of a delivery before there is one', async () => {
    const shop = new Shop();
    shop.order = { ...orderOf(), status: 'packed', shipmentId: null };
    const visited = await visit(shop, { client: 'partner' });
    expectPage(visited, { ...PARTNER_ORDER, state: 'open', eta: null }, 'nothing has been shipped');
    expectAsked(shop, ['auth', 'orders'], 'nothing has been shipped');
  });

  it('has nothing for the partner when the delivery is missing', async () => {
    for (const error of [failsWith(503), failsWith(404), failsWith(401), undefined]) {
      const visited = await visit(new Shop().fail(error, 'delivery'), { client: 'partner' });
      const because = `the contract has no place for errors; delivery failed with ${inWords(error)}`;
      expectFailure(visited, 'upstream_failed', because);
    }
    const visited = await visit(new Shop().hold('delivery'), { client: 'partner', limitMs: 400 });
    await advance(402);
    expectFailure(
      visited,
      'upstream_timeout',
      'the contract has no place for errors; delivery hangs',
    );
  });

  it('tells the partner of required services what it tells the others', async () => {
    const unknown = await visit(new Shop().fail(failsWith(401), 'auth'), { client: 'partner' });
    expectFailure(unknown, 'unauthorized', 'auth does not know the key');
    const hidden = await visit(new Shop().fail(failsWith(403), 'orders'), { client: 'partner' });
    expectFailure(hidden, 'not_found', 'the order is another partner’s');
  });

  it.each(['mobile', 'web', 'partner'] as const)(
    'shows %s nothing that a service has added',
    async (client) => {
      const shop = new Shop();
      shop.hasNews = true;
      const visited = await visit(shop, { client });
      expectPage(visited, PAGES[client], 'services have added fields');
    },
  );

  it.each(['mobile', 'web', 'partner'] as const)(
    'asks auth for whoever shows the credential of %s',
    async (client) => {
      const shop = new Shop();
      await visit(shop, { client });
      const credentials: Record<Client, Credential> = {
        mobile: { kind: 'bearer', secret: 'token-of-ada' },
        web: { kind: 'session', secret: 'session-of-ada' },
        partner: { kind: 'api_key', secret: 'key-of-the-portal' },
      };
      expectInput(shop.call('auth'), credentials[client]);
    },
  );

  it.each(['mobile', 'web', 'partner'] as const)(
    'takes from %s no credential of another client',
    async (client) => {
      const shop = new Shop();
      const others = Object.entries(HEADERS).filter(([name]) => name !== client);
      const headers = Object.fromEntries(others.flatMap(([, given]) => Object.entries(given)));
      const visited = new Visit(bffOf(shop, { client }), {
        orderId: 'o-7',
        headers,
      });
      await settle();
      expectFailure(visited, 'unauthorized', 'the credential was that of another client');
      expectAsked(shop, [], 'the credential was that of another client');
    },
  );

  it.each([
    ['mobile', { authorization: 'bearer token-of-ada' }, 'token-of-ada'],
    ['mobile', { authorization: 'Bearer  token-of-ada' }, undefined],
    ['mobile', { authorization: 'Basic YWRhOmFkYQ' }, undefined],
    ['mobile', { authorization: 'Bearer token-of-ada, Basic YWRh' }, undefined],
    ['mobile', { authorization: 'X-Bearer token-of-ada' }, undefined],
    ['web', { cookie: 'sid=session-of-ada' }, 'session-of-ada'],
    ['web', { cookie: 'lastsid=9; sid=session-of-ada' }, 'session-of-ada'],
    ['web', { cookie: 'lastsid=9' }, undefined],
    ['web', { cookie: 'sid=' }, undefined],
    ['partner', { 'x-api-key': '' }, undefined],
  ] as const)('finds the credential of %s in %o', async (client, headers, secret) => {
    const shop = new Shop();
    const visited = new Visit(bffOf(shop, { client }), { orderId: 'o-7', headers });
    await settle();
    if (secret === undefined) {
      expectFailure(visited, 'unauthorized', `${print(headers)} has no credential`);
      expectAsked(shop, [], `${print(headers)} has no credential`);
    } else {
      const { input } = shop.call('auth');
      const [first] = differences(Object(input).secret, secret);
      if (first) expect.fail(`auth was asked about ${print(input)}`);
    }
  });

  it.each(['mobile', 'web', 'partner'] as const)(
    'passes on a few headers of %s, and no other',
    async (client) => {
      const shop = new Shop();
      const passedOn = { traceparent: TRACEPARENT, 'accept-language': 'de' };
      await visit(shop, {
        client,
        headers: {
          ...passedOn,
          ...ALL_CREDENTIALS,
          host: 'shop.example',
          'content-length': '0',
          'x-forwarded-for': '203.0.113.9',
          'x-request-id': 'r-1',
          tracestate: 'shop=1',
          baggage: 'cart=3',
          'x-user-id': 'user-root',
          'x-admin': 'true',
          ...HEADERS[client],
        },
      });
      const userId = client === 'partner' ? 'user-portal' : 'user-ada';
      for (const call of shop.calls) {
        const user = call.service !== 'auth' && { 'x-user-id': userId };
        expectPassedOn(call, { ...passedOn, ...user });
      }
    },
  );

  it('passes on no header that the request does not have', async () => {
    const shop = new Shop();
    await visit(shop);
    for (const call of shop.calls) {
      expectPassedOn(call, call.service === 'auth' ? {} : { 'x-user-id': 'user-ada' });
    }
  });

  it('gives the credential to auth, and to nobody else', async () => {
    for (const client of ['mobile', 'web', 'partner'] as const) {
      const shop = new Shop();
      await visit(shop, { client });
      for (const { service, input, headers } of shop.calls) {
        const sent = JSON.stringify(service === 'auth' ? headers : { input, headers });
        const secrets = ['token-of-ada', 'session-of-ada', 'key-of-the-portal'];
        if (secrets.some((secret) => sent.includes(secret))) {
          expect.fail(`${service} must not see a credential; it was sent ${sent}`);
        }
      }
    }
  });

  it('shows nothing of the request to the client', async () => {
    const headers = {
      ...ALL_CREDENTIALS,
      traceparent: TRACEPARENT,
      'x-user-id': 'user-root',
      'x-secret': 'hunter2',
    };
    expectPage(await visit(new Shop(), { headers }), MOBILE_PAGE, 'a request with many headers');
    for (const name of ['auth', 'orders'] as const) {
      const visited = await visit(new Shop().fail(failsWith(500), name), { headers });
      expectFailure(visited, 'upstream_failed', `a request with many headers, and ${name} failed`);
    }
  });
});

const ALL_CREDENTIALS = { ...HEADERS.mobile, ...HEADERS.web, ...HEADERS.partner };

function expectPassedOn({ service, headers, heldHeaders }: Call, should: object): void {
  const [first] = differences(headers, should, 'headers');
  if (first) expect.fail(`what ${service} is sent: ${first}`);
  const [change] = differences(heldHeaders, should, 'headers');
  if (change) {
    expect.fail(
      `what ${service} was sent has changed since, while it may still read it: ${change}`,
    );
  }
}

describe('6 · each request by itself', () => {
  it.each(NAMES)('rejects at once when the client leaves while %s is out', async (name) => {
    const shop = new Shop().hold(name);
    const leaving = new AbortController();
    const visited = await visit(shop, { signal: leaving.signal });
    await advance(50);
    expectWaiting(visited, `${name} has not answered yet`);
    expectNotAborted(shop.call(name), 'the client is still there');
    leaving.abort('closed');
    await settle();
    expectLeft(visited, 'closed', 'the client has left');
    expectAborted(shop.call(name), 'the client has left');
  });

  it('aborts all calls that are out when the client leaves', async () => {
    const shop = new Shop().hold(...PARTS);
    const leaving = new AbortController();
    await visit(shop, { signal: leaving.signal });
    leaving.abort();
    await settle();
    for (const part of PARTS) expectAborted(shop.call(part), 'the client has left');
  });

  it('begins nothing after the client has left', async () => {
    for (const name of ['auth', 'orders'] as const) {
      const shop = new Shop().hold(name);
      const leaving = new AbortController();
      await visit(shop, { signal: leaving.signal });
      const before = shop.calls.map(({ service }) => service);
      leaving.abort();
      await settle();
      await shop.answer(name);
      expectAsked(shop, before, `the client had left when ${name} answered`);
    }
  });

  it('lets nothing run on when the client leaves as a service answers', async () => {
    for (const name of ['auth', 'orders'] as const) {
      for (let turns = 0; turns <= 12; turns += 1) {
        const shop = new Shop().hold(...NAMES);
        const leaving = new AbortController();
        await visit(shop, { signal: leaving.signal });
        if (name === 'orders') await shop.answer('auth');
        shop.answerNow(name);
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
        leaving.abort();
        await settle();
        const underWay = shop.calls.filter(({ hasEnded }) => !hasEnded);
        const because = `the client left in the instant in which ${name} answered`;
        for (const call of underWay) expectAborted(call, because);
      }
    }
  });

  it('asks nobody for a client that has left before', async () => {
    for (const reason of ['closed', null, 0]) {
      const shop = new Shop();
      const visited = await visit(shop, { signal: AbortSignal.abort(reason) });
      expectLeft(visited, reason, 'the client had left before');
      expectAsked(shop, [], 'the client had left before');
    }
  });

  it.each([null, 0, 'closed', new Error('ECONNRESET')])(
    'hands over whatever the reason is: %s',
    async (reason) => {
      const leaving = new AbortController();
      const visited = await visit(new Shop().hold('orders'), { signal: leaving.signal });
      leaving.abort(reason);
      await settle();
      expectLeft(visited, reason, 'the client has left');
    },
  );

  it('leaves nothing on the signal of the client', async () => {
    const { signal } = new AbortController();
    await visit(new Shop(), { signal });
    await visit(new Shop().fail(failsWith(503), 'offers'), { signal });
    await visit(new Shop().fail(failsWith(404), 'orders'), { signal });
    await visit(new Shop().hold('auth'), { signal, limitMs: 10 });
    await advance(12);
    expectNoListener(signal, 'four pages are over');
  });

  it('leaves nothing on a signal that has aborted', async () => {
    const leaving = new AbortController();
    await visit(new Shop().hold('auth'), { signal: leaving.signal });
    leaving.abort();
    await settle();
    expectNoListener(leaving.signal, 'the client has left');
  });

  it('does not change an answer when the client leaves after it', async () => {
    const leaving = new AbortController();
    const visited = await visit(new Shop(), { signal: leaving.signal });
    leaving.abort();
    await settle();
    expectPage(visited, MOBILE_PAGE, 'the client left when it had its page');
  });

  it('lets other pages go on when a client leaves', async () => {
    const shop = new Shop().hold('orders');
    const bff = bffOf(shop);
    const leaving = new AbortController();
    const gone = new Visit(bff, requestOf('mobile'), leaving.signal);
    const staying = new Visit(bff, requestOf('mobile'), new AbortController().signal);
    await settle();
    leaving.abort('closed');
    await settle();
    expectLeft(gone, 'closed', 'this client has left');
    expectWaiting(staying, 'another client has left');
    await shop.answer('orders');
    expectPage(staying, MOBILE_PAGE, 'another client has left');
  });

  it('aborts what is out when a required service fails', async () => {
    const shop = new Shop().hold('offers', 'orders');
    await visit(shop, { signal: new AbortController().signal });
    shop.call('orders').failsNow(failsWith(500));
    await settle();
    expectAborted(shop.call('offers'), 'the page has failed, for want of an order');
  });

  it('aborts what is out when a required service is not there in time', async () => {
    const shop = new Shop().hold('offers', 'orders');
    await visit(shop, { timeoutsMs: { orders: 200 } });
    await advance(202);
    expectAborted(shop.call('offers'), 'the page has failed, for want of an order');
  });

  it('begins nothing after the page has failed', async () => {
    const shop = new Shop().hold('orders');
    await visit(shop, { timeoutsMs: { orders: 200 } });
    await advance(202);
    await shop.answer('orders');
    await advance(202);
    expectAsked(shop, ['auth', 'orders', 'offers'], 'orders answered when the page had failed');
  });

  it('does not change an answer by what comes later', async () => {
    for (const late of ['an answer', 'a failure'] as const) {
      const shop = new Shop().hold(...PARTS);
      const visited = await visit(shop, { limitMs: 400 });
      await advance(402);
      for (const part of PARTS) {
        if (late === 'an answer') shop.answerNow(part);
        else shop.call(part).failsNow(failsWith(503));
        await settle();
      }
      expectUnchanged(visited, `after ${late} that came too late`);
    }
  });

  it('handles what calls fail with after the page is over', async () => {
    const shop = new Shop().hold('offers', 'orders');
    await visit(shop);
    shop.call('orders').failsNow(failsWith(404));
    await settle();
    shop.call('offers').failsNow(failsWith(503));
    await settle();
    const [stray] = strays;
    expect(stray, 'offers failed when the page was over: an unhandled rejection').toBe(undefined);
  });

  it('handles what fails before anybody waits for it', async () => {
    const shop = new Shop().hold('orders').fail(failsWith(503), 'offers');
    const visited = await visit(shop);
    await advance(50);
    const [stray] = strays;
    expect(stray, 'offers failed before the order came: an unhandled rejection').toBe(undefined);
    await shop.answer('orders');
    const page = pageWithout(MOBILE_PAGE, { part: 'offers', reason: 'failed' });
    expectPage(visited, page, 'offers failed before the order came');
  });

  it('asks for each user by itself, also for the same order', async () => {
    const shop = new Shop().hold('orders', 'offers');
    const bff = bffOf(shop);
    const ada = new Visit(bff, requestOf('mobile'));
    const ben = new Visit(bff, requestOf('mobile', { authorization: 'Bearer token-of-ben' }));
    await settle();
    const [ofAda, ofBen] = ['user-ada', 'user-ben'].map((userId) => ({
      orders: shop.callsOf('orders').find((call) => sentAs(call) === userId),
      offers: shop.callsOf('offers').find((call) => sentAs(call) === userId),
    }));
    if (!ofAda?.orders || !ofAda.offers || !ofBen?.orders || !ofBen.offers) {
      const others = shop.calls.filter(({ service }) => service !== 'auth');
      const asked = others.map((call) => `${call.service} for ${print(sentAs(call))}`);
      expect.fail(
        `Ada and Ben look at the same order at the same time: services should be asked for each of them; they were asked: ${asked.join(', ')}`,
      );
    }
    ofBen.orders.failsNow(failsWith(403));
    ofBen.offers.answersNow([]);
    ofAda.orders.answersNow(orderOf());
    ofAda.offers.answersNow(OFFERS);
    await settle();
    expectPage(ada, MOBILE_PAGE, 'Ada’s order');
    expectFailure(ben, 'not_found', 'Ada’s order, and Ben may not see it');
  });

  it('keeps nothing for the next request', async () => {
    const shop = new Shop();
    const bff = bffOf(shop);
    const first = new Visit(bff, requestOf('mobile'));
    await settle();
    expectPage(first, MOBILE_PAGE, 'the first request');
    shop.order = { ...orderOf(), status: 'delivered' };
    shop.fail(failsWith(503), 'offers');
    const second = new Visit(bff, requestOf('mobile'));
    await settle();
    const page = { ...MOBILE_PAGE, order: { id: 'o-7', status: 'delivered' } };
    expectPage(
      second,
      pageWithout(page, { part: 'offers', reason: 'failed' }),
      'the second request, after the delivery',
    );
    shop.fail(failsWith(401), 'auth');
    const third = new Visit(bff, requestOf('mobile'));
    await settle();
    expectFailure(third, 'unauthorized', 'the third request, after Ada has logged out');
  });

  it('keeps no failure for the next request', async () => {
    const shop = new Shop().fail(failsWith(503), 'orders', 'offers');
    const bff = bffOf(shop);
    const first = new Visit(bff, requestOf('mobile'));
    await settle();
    expectFailure(first, 'upstream_failed', 'orders are down');
    shop.play((call) => call.answersNow(shop.answerOf(call)), 'orders', 'offers');
    const second = new Visit(bff, requestOf('mobile'));
    await settle();
    expectPage(second, MOBILE_PAGE, 'orders are back');
  });

  it('counts limits for each request by itself', async () => {
    const shop = new Shop().hold('offers');
    const bff = bffOf(shop, { limitMs: 400 });
    await advance(1_000);
    const first = new Visit(bff, requestOf('mobile'));
    await advance(300);
    const second = new Visit(bff, requestOf('mobile'));
    await advance(150);
    const page = pageWithout(MOBILE_PAGE, { part: 'offers', reason: 'timeout' });
    expectPage(first, page, 'the first request, after 450 of 400 ms');
    expectWaiting(second, 'the second request, after 150 of 400 ms');
    await shop.answer('offers');
    expectPage(second, MOBILE_PAGE, 'the second request, after 150 of 400 ms');
  });

  it('does not mix up two BFFs', async () => {
    const [shop, other] = [new Shop(), new Shop()];
    other.order = { ...orderOf(), id: 'o-8', status: 'placed' };
    const [mobile, partner] = [bffOf(shop), bffOf(other, { client: 'partner' })];
    const page = new Visit(mobile, requestOf('mobile'));
    const order = new Visit(partner, requestOf('partner'));
    await settle();
    expectPage(page, MOBILE_PAGE, 'the app has asked its own BFF');
    const should = { ...PARTNER_ORDER, order_id: 'o-8', state: 'open' } as const;
    expectPage(order, should, 'the portal has asked its own BFF');
  });
});

function sentAs({ headers }: Call): unknown {
  return fieldOf(headers, 'x-user-id');
}

describe('7 · whatever happens', () => {
  it('answers as pencil and paper say', async () => {
    await fc.assert(fc.asyncProperty(plans(), compare), { seed: 20_261_122, numRuns: 100 });
  });
});

const ENDS = ['answers', 'fails', 'hangs'] as const;

/** What a service does when it is asked. */
interface Conduct {
  readonly end: (typeof ENDS)[number];
  readonly afterMs: number;
  /** What it fails with. */
  readonly status: number | undefined;
  /** Whether it stops when its signal aborts. */
  readonly listens: boolean;
  readonly limitMs: number;
}

interface Plan {
  readonly client: Client;
  readonly items: readonly string[];
  readonly isShipped: boolean;
  readonly services: Readonly<Record<Name, Conduct>>;
  readonly limitMs: number;
  readonly leavesAfterMs: number | undefined;
}

/** Services end after multiples of 10 ms, limits at multiples of 5 that are none of 10, clients leave in between. */
function plans(): fc.Arbitrary<Plan> {
  const conduct = fc.record({
    end: fc.constantFrom('answers', 'answers', 'answers', 'answers', ...ENDS),
    afterMs: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 1, max: 30 }).map((tens) => tens * 10),
    ),
    status: fc.constantFrom(undefined, 401, 403, 404, 500),
    listens: fc.boolean(),
    limitMs: fc.constantFrom(105, 205, 305, 1_005),
  });
  // Pages that have an order are the interesting ones.
  const likely = conduct.map((given) => ({ ...given, limitMs: Math.max(given.limitMs, 205) }));
  const services = fc.record({
    auth: likely.map((given) => ({ ...given, afterMs: given.afterMs % 40 })),
    orders: likely,
    products: conduct,
    delivery: conduct,
    offers: conduct,
  });
  return fc
    .record({
      client: fc.constantFrom<Client[]>('mobile', 'mobile', 'web', 'partner'),
      items: fc.array(fc.constantFrom('milk', 'bread', 'eggs'), { maxLength: 4 }),
      isShipped: fc.constantFrom(true, true, true, false),
      services,
      limitMs: fc.constantFrom(255, 455, 855),
      leavesAfterMs: fc.option(
        fc.integer({ min: 0, max: 40 }).map((tens) => tens * 10 + 3),
        {
          nil: undefined,
          freq: 5,
        },
      ),
    })
    .map((plan) => ({ ...plan, [fc.toStringMethod]: () => planInWords(plan) }));
}

function planInWords({ client, items, isShipped, services, limitMs, leavesAfterMs }: Plan): string {
  const conducts = NAMES.map((name) => {
    const { end, afterMs, status, listens, limitMs: callMs } = services[name];
    const how = end === 'fails' ? `fails with ${status ?? 'no status'}` : end;
    const when = end === 'hangs' ? (listens ? ' until it is stopped' : '') : ` after ${afterMs} ms`;
    return `  ${name} (limit ${callMs} ms) ${how}${when}`;
  });
  const leaves =
    leavesAfterMs === undefined ? [] : [`  the client leaves after ${leavesAfterMs} ms`];
  const order = `items: ${items.join(', ') || 'none'}; ${isShipped ? 'shipped' : 'not shipped'}`;
  return ['', `  ${client} (limit ${limitMs} ms), ${order}`, ...conducts, ...leaves, ''].join('\n');
}

/** When a call begins and ends by the rules, and how. */
interface PaperCall {
  readonly fromMs: number;
  readonly toMs: number;
  readonly end: 'is there' | MissingPart['reason'];
}

/** A page as one would work it out with pencil and paper. */
interface PaperPage {
  readonly calls: Partial<Record<Name, PaperCall>>;
  readonly afterMs: number;
  readonly error?: keyof typeof ERRORS;
  readonly missing: readonly MissingPart[];
}

function onPaper({ client, items, isShipped, services, limitMs }: Plan): PaperPage {
  const callFrom = (name: Name, fromMs: number): PaperCall => {
    const { end, afterMs, limitMs: callMs } = services[name];
    const limitAtMs = Math.min(fromMs + callMs, limitMs);
    if (end === 'hangs' || fromMs + afterMs > limitAtMs) {
      return { fromMs, toMs: limitAtMs, end: 'timeout' };
    }
    return { fromMs, toMs: fromMs + afterMs, end: end === 'fails' ? 'failed' : 'is there' };
  };
  const errorOf = ({ end }: PaperCall, name: Name): keyof typeof ERRORS => {
    const { status } = services[name];
    if (end === 'timeout') return 'upstream_timeout';
    if (name === 'auth' && status === 401) return 'unauthorized';
    if (name === 'orders' && (status === 403 || status === 404)) return 'not_found';
    return 'upstream_failed';
  };

  const auth = callFrom('auth', 0);
  if (auth.end !== 'is there') {
    return { calls: { auth }, afterMs: auth.toMs, error: errorOf(auth, 'auth'), missing: [] };
  }
  const orders = callFrom('orders', auth.toMs);
  const offers = client === 'partner' ? {} : { offers: callFrom('offers', auth.toMs) };
  if (orders.end !== 'is there') {
    const calls = { auth, orders, ...offers };
    return { calls, afterMs: orders.toMs, error: errorOf(orders, 'orders'), missing: [] };
  }
  const parts: Partial<Record<Part, PaperCall>> = {
    ...offers,
    ...(client !== 'partner' &&
      items.length > 0 && { products: callFrom('products', orders.toMs) }),
    ...(isShipped && { delivery: callFrom('delivery', orders.toMs) }),
  };
  const missing = PARTS.flatMap((part): MissingPart[] => {
    const end = parts[part]?.end;
    return end === undefined || end === 'is there' ? [] : [{ part, reason: end }];
  });
  const { delivery } = parts;
  const isLost = client === 'partner' && delivery && delivery.end !== 'is there';
  return {
    calls: { auth, orders, ...parts },
    afterMs: Math.max(orders.toMs, ...Object.values(parts).map(({ toMs }) => toMs)),
    ...(isLost && { error: errorOf(delivery, 'delivery') }),
    missing,
  };
}

// 100 pages are compared. `expect` is for the one that differs, as it takes its time.

async function compare(plan: Plan): Promise<void> {
  const { client, items, isShipped, services, limitMs, leavesAfterMs } = plan;
  const paper = onPaper(plan);
  const shop = new Shop();
  shop.hasNews = true;
  shop.order = {
    ...orderOf(items.map((sku, index) => [sku, index + 1])),
    ...(!isShipped && { shipmentId: null }),
  };
  for (const name of NAMES) shop.play((call) => behave(shop, call, services[name]), name);
  const timeoutsMs = Object.fromEntries(NAMES.map((name) => [name, services[name].limitMs]));
  const leaving = new AbortController();
  const beganAtMs = performance.now();
  const visited = new Visit(
    bffOf(shop, { client, timeoutsMs, limitMs }),
    requestOf(client),
    leaving.signal,
  );
  if (leavesAfterMs !== undefined) setTimeout(() => leaving.abort('closed'), leavesAfterMs);
  const isLeft = leavesAfterMs !== undefined && leavesAfterMs < paper.afterMs;
  const afterMs = isLeft ? leavesAfterMs : paper.afterMs;
  await advance(afterMs + 2);
  for (const call of shop.calls) {
    if (!call.hasEnded) expectAborted(call, `the page was over after ${afterMs} ms`);
  }
  await advance(1_000);

  if (isLeft) expectLeft(visited, 'closed', 'the client has left');
  else if (paper.error) expectFailure(visited, paper.error, 'by the rules');
  else expectPage(visited, paperPage(plan, paper), 'by the rules');
  expectAfter(visited, afterMs, 'by the rules');
  expectCalls(shop, beganAtMs, paper.calls, afterMs);
  await allEnds((call) => call.failsNow(failsWith(503)));
  const [stray] = strays.splice(0).map(print);
  if (visited.response) expectUnchanged(visited, 'a minute later');
  if (stray !== undefined) expect.fail(`nobody handled that a promise was rejected with ${stray}`);
}

function behave(shop: Shop, call: Call, { end, afterMs, status, listens }: Conduct): void {
  if (listens) stopsWhenAborted(call);
  if (end === 'hangs') return;
  void later(afterMs, () => {
    if (end === 'answers') call.answersNow(shop.answerOf(call));
    else call.failsNow(failsWith(status));
  });
}

function paperPage({ client, items, isShipped }: Plan, { missing }: PaperPage) {
  const delivery = isShipped ? {} : { delivery: null };
  if (client === 'partner') return isShipped ? PARTNER_ORDER : { ...PARTNER_ORDER, eta: null };
  if (client === 'web') {
    const all = items.map((sku, index) => ({
      quantity: index + 1,
      name: `${sku}, fresh`,
      imageUrl: `https://img.example/${sku}.png`,
    }));
    return pageWithout({ ...WEB_PAGE, items: all, ...delivery }, ...missing);
  }
  const all = items.map((sku, index) => ({ quantity: index + 1, name: `${sku}, fresh` }));
  return pageWithout({ ...MOBILE_PAGE, items: all, ...delivery }, ...missing);
}

/** Each service was asked when it should have been, once, and nobody after the page was over. */
function expectCalls(
  shop: Shop,
  beganAtMs: number,
  should: PaperPage['calls'],
  overAfterMs: number,
): void {
  for (const name of NAMES) {
    const isAt = shop.callsOf(name).map(({ atMs }) => atMs - beganAtMs);
    const from = should[name]?.fromMs;
    // In the instant in which the page is over, a call may begin or not.
    if (from === overAfterMs && isAt.length === 0) continue;
    const shouldAt = from === undefined || from > overAfterMs ? [] : [from];
    const isRight =
      isAt.length === shouldAt.length &&
      isAt.every((atMs, index) => Math.abs(atMs - Number(shouldAt[index])) <= 1);
    if (!isRight) {
      expect.fail(
        `by the rules ${name} should have been asked ${whenIn(shouldAt)}; it was asked ${whenIn(isAt)}`,
      );
    }
  }
}

function whenIn(timesMs: readonly number[]): string {
  return timesMs.length === 0 ? 'never' : `after ${timesMs.join(' and ')} ms`;
}
