import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { advance, pendingTimers } from '../virtual-time.ts';
import {
  createStranglerRouter,
  type Backend,
  type HttpRequest,
  type HttpResponse,
  type Report,
  type Route,
  type StranglerRouter,
} from './strangler-router.ts';

// ── The shop, its customers and its backends, played by the spec ────────────────────────────────────────

const MONOLITH = 'the monolith';
const SERVICE = 'the order service';
const REFUNDS = 'the refund service';

/** No timer of an answer has a reason to be set for longer. */
const LONGEST_MS = 3_600_000;

/** Nothing here depends on time. An answer may take a few turns, and a timer of 0 ms for a copy. */
const aMoment = () => advance(2);

const SAFE = ['GET', 'HEAD', 'OPTIONS'] as const;
/** TRACE changes nothing either; it is not on the list of the three. */
const OTHERS = ['POST', 'PUT', 'PATCH', 'DELETE', 'PURGE', 'TRACE'] as const;

const refused = (text = 'connection refused') => new Error(text);

/** A request that has arrived at a backend. */
class Call {
  readonly at: string;
  readonly request: HttpRequest;
  hasEnded = false;
  #resolve: (response: HttpResponse) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(at: string, request: HttpRequest) {
    this.at = at;
    this.request = request;
  }

  /** Its response, which comes when the spec says so. */
  wait(): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Nothing has settled yet when this returns. */
  answersNow(response: HttpResponse): void {
    this.hasEnded = true;
    this.#resolve(response);
  }

  async answers(status: number, body: unknown = this.at): Promise<HttpResponse> {
    const response = { status, body };
    this.answersNow(response);
    await aMoment();
    return response;
  }

  async fails(error: unknown): Promise<void> {
    this.hasEnded = true;
    this.#reject(error);
    await aMoment();
  }
}

/** The monolith, or a new service. */
class Played {
  readonly name: string;
  readonly calls: Call[] = [];
  /** What it does with a request at once; if nothing, the spec ends each call when it likes. */
  atOnce: ((request: HttpRequest) => HttpResponse | PromiseLike<HttpResponse>) | undefined;

  constructor(name: string) {
    this.name = name;
  }

  readonly backend: Backend = (request) => {
    const call = new Call(this.name, request);
    this.calls.push(call);
    if (!this.atOnce) return call.wait();
    call.hasEnded = true;
    return this.atOnce(request);
  };

  /** The request that has arrived last. */
  get call(): Call {
    return this.calls.at(-1) ?? expect.fail(`${this.name} should have been asked by now`);
  }
}

/** A customer's request, and what the customer was told, in words. */
class Visit {
  readonly request: HttpRequest;
  /** The request as it was before the router had it. */
  readonly sent: HttpRequest;
  response: unknown;
  error: unknown;
  #end: 'pending' | 'response' | 'error' = 'pending';

  constructor(router: StranglerRouter, request: HttpRequest) {
    this.request = request;
    this.sent = structuredClone(request);
    handleNeverThrows(() => router.handle(request)).then(
      (response) => {
        this.response = response;
        this.#end = 'response';
      },
      (error: unknown) => {
        this.error = error;
        this.#end = 'error';
      },
    );
  }

  get told(): string {
    if (this.#end === 'pending') return NOTHING_YET;
    return this.#end === 'error' ? failed(this.error) : inWords(this.response);
  }
}

function handleNeverThrows(handle: () => Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = handle();
  } catch (error) {
    return expect.fail(`handle() threw ${print(error)}: it must return a promise that rejects`);
  }
  if (result instanceof Promise) return result;
  return expect.fail(`handle() returned ${print(result)}: it must return a promise`);
}

/** The table belongs to whoever made it, and is frozen. */
function withTable<Result>(use: () => Result): Result {
  try {
    return use();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return expect.fail(`with a table that nobody may change, it threw “${error.message}”`);
  }
}

const NOTHING_YET = 'nothing yet';
const failed = (error: unknown) => `the error: ${print(error)}`;
const answered = (status: number, by: unknown) => `${status} “${String(by)}”`;
const timesIn = (count: number) => ['never', 'once', 'twice'][count] ?? `${count} times`;

function print(value: unknown): string {
  if (value instanceof Error) return value.message;
  return typeof value === 'string' ? `“${value}”` : inspect(value);
}

function inWords(response: unknown): string {
  if (typeof response !== 'object' || response === null || !('status' in response)) {
    return `${print(response)}, in place of a response`;
  }
  const { status, body } = { body: undefined, ...response };
  return answered(Number(status), body);
}

interface By {
  /** Undefined for a stranger. */
  readonly userId?: string | undefined;
  /** The header `x-route-to`. */
  readonly to?: string | undefined;
  readonly body?: unknown;
}

const ADA = { userId: 'ada' };
const STRANGER = { userId: undefined };

function requestOf(method: string, path: string, { userId, to, body }: By = ADA): HttpRequest {
  return {
    method,
    path,
    headers: {
      host: 'shop.example',
      accept: 'application/json',
      ...(to === undefined ? {} : { 'x-route-to': to }),
    },
    ...(userId === undefined ? {} : { userId }),
    ...(body === undefined ? {} : { body }),
  };
}

/** A route of the spec: that of the orders, if nothing else is said; its service by name. */
type Moved = Partial<Omit<Route, 'service'>> & { readonly service?: string };

let createRouter = createStranglerRouter;

/** The process ends, and with it all that the code remembers; the next one loads it anew. */
async function restart(): Promise<void> {
  vi.resetModules();
  ({ createStranglerRouter: createRouter } = await import('./strangler-router.ts'));
}

/** Router, monolith and services. */
class Shop {
  readonly monolith = new Played(MONOLITH);
  readonly reports: Report[] = [];
  /** What `isSame` was asked, and what it says. */
  readonly compared: (readonly [HttpResponse, HttpResponse])[] = [];
  isSame: (monolith: HttpResponse, service: HttpResponse) => boolean = (a, b) =>
    a.status === b.status && a.body === b.body;
  readonly router: StranglerRouter;
  readonly #services = new Map<string, Played>();

  constructor(...moved: readonly Moved[]) {
    const router = withTable(() =>
      createRouter({
        monolith: this.monolith.backend,
        routes: this.#table(moved),
        isSame: (...responses) => {
          this.compared.push(responses);
          return this.isSame(...responses);
        },
        onReport: (report) => {
          this.reports.push(report);
        },
      }),
    );
    if (typeof router?.handle !== 'function') expect.fail(`no router, but ${print(router)}`);
    this.router = router;
  }

  get orders(): Played {
    return this.service(SERVICE);
  }

  service(name: string): Played {
    const service = this.#services.get(name) ?? new Played(name);
    this.#services.set(name, service);
    return service;
  }

  get backends(): readonly Played[] {
    return [this.monolith, ...this.#services.values()];
  }

  setRoutes(...moved: readonly Moved[]): void {
    withTable(() => this.router.setRoutes(this.#table(moved)));
  }

  /** Nothing has settled yet when this returns. */
  visitNow(method: string, path: string, by?: By): Visit {
    return new Visit(this.router, requestOf(method, path, by));
  }

  async visit(method: string, path: string, by?: By): Promise<Visit> {
    const visit = this.visitNow(method, path, by);
    await aMoment();
    return visit;
  }

  /** Who was asked, in words. Everybody who is asked answers 200. */
  async askedFor(method: string, path: string, by?: By): Promise<string> {
    const before = this.backends.map(({ calls }) => calls.length);
    const visit = await this.visit(method, path, by);
    const asked = this.backends.flatMap(({ name, calls }, index) =>
      calls.slice(before[index] ?? 0).map((call) => ({ name, call })),
    );
    for (const { call } of asked) call.answersNow({ status: 200, body: call.at });
    await aMoment();
    const names = asked.map(({ name }) => name).join(' and ');
    return names || `nobody, and the customer was told ${visit.told}`;
  }

  /** Which of these users the order service serves; everybody answers at once. */
  async usersOver(users: readonly string[], method = 'GET', path = '/orders'): Promise<string[]> {
    const over: string[] = [];
    let answers = 0;
    for (const backend of this.backends) backend.atOnce = () => ({ status: 200 });
    this.orders.atOnce = ({ userId = 'a stranger' }) => {
      over.push(userId);
      return { status: 200 };
    };
    for (const userId of users) {
      this.router.handle(requestOf(method, path, { userId })).then(
        () => (answers += 1),
        (error: unknown) => expect.fail(`all backends answer, but ${userId} got ${print(error)}`),
      );
    }
    await aMoment();
    expect(answers, `${method} ${path}, by ${users.length} users; how many were answered`).toBe(
      users.length,
    );
    return over;
  }

  #table(moved: readonly Moved[]): readonly Route[] {
    return Object.freeze(
      moved.map(({ service = SERVICE, ...route }) =>
        Object.freeze({
          prefix: '/orders',
          percent: 100,
          cohort: 'orders',
          ...route,
          service: this.service(service).backend,
        }),
      ),
    );
  }
}

const moved = { percent: 100 };
const inShadow = { percent: 0, shadow: true };
const retired = { retired: true };

async function expectAsked(
  shop: Shop,
  [method, path, by]: readonly [method: string, path: string, by?: By],
  name: string,
  because: string,
): Promise<void> {
  const asked = await shop.askedFor(method, path, by);
  expect(asked, `${method} ${path}: ${because}; who was asked`).toBe(name);
}

function expectTold(visit: Visit, told: string, because: string): void {
  expect(visit.told, `${because}: what the customer was told`).toBe(told);
}

function expectCalls({ name, calls }: Played, count: number, because: string): void {
  expect(timesIn(calls.length), `${because}: how often ${name} was asked`).toBe(timesIn(count));
}

function expectNoReport({ reports }: Shop, because: string): void {
  const [report] = reports;
  if (report) expect.fail(`${because}, but a ${print(report.kind)} was reported`);
}

function expectReport(shop: Shop, report: Report, because: string): void {
  const kinds = shop.reports.map(({ kind }) => kind).join(', ') || 'nothing';
  expect(kinds, `${because}: what was reported`).toBe(report.kind);
  const [seen = {}] = shop.reports;
  for (const [field, value] of Object.entries(report)) {
    expect(Reflect.get(seen, field), `${because}: the “${field}” of the report`).toEqual(value);
  }
}

/** Not merely one that looks the same. */
function expectVery(what: 'response' | 'error', got: unknown, sent: unknown): void {
  if (got !== sent) expect.fail(`the customer needs the very ${what} of the backend, not a copy`);
}

function expectSameUsers(now: readonly string[], before: readonly string[], because: string): void {
  const [left] = before.filter((user) => !now.includes(user));
  if (left) expect.fail(`${left} went over, and does not any more: ${because}`);
  const [joined] = now.filter((user) => !before.includes(user));
  if (joined) expect.fail(`${joined} goes over, and did not before: ${because}`);
}

const numbered = (count: number, name: (n: number) => string) =>
  Array.from({ length: count }, (_, index) => name(index + 1));

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
afterAll(() => {
  process.off('unhandledRejection', onStray);
});

afterEach(async () => {
  await aMoment();
  const stray = strays.splice(0);
  if (stray.length > 0) {
    expect.fail(
      `a promise was rejected with “${print(stray[0])}” and nobody handled it, which ends a Node process`,
    );
  }
  if (pendingTimers() > 0) await advance(LONGEST_MS);
  if (pendingTimers() > 0) {
    expect.fail('an hour later a timer is still set: nobody asks, and it keeps on running');
  }
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · routes', () => {
  it('leaves what has no route to the monolith', async () => {
    const shop = new Shop();
    await expectAsked(shop, ['GET', '/orders'], MONOLITH, 'nothing has moved yet');
    await expectAsked(shop, ['POST', '/'], MONOLITH, 'nothing has moved yet');
  });

  it.for(['/orders', '/orders/7', '/orders/7/lines/3', '/orders/7.json'])(
    'sends what has moved to its service: %s',
    async (path) => {
      await expectAsked(new Shop(moved), ['GET', path], SERVICE, '/orders has moved');
    },
  );

  it.for([
    '/orders-archive',
    '/orders-archive/2026',
    '/ordersx',
    '/orders.json',
    '/orders;v=2',
    '/order',
    '/',
    '/api/orders',
    '/basket/orders/7',
  ])('compares whole segments, from the first on: %s', async (path) => {
    await expectAsked(new Shop(moved), ['GET', path], MONOLITH, 'only /orders has moved');
  });

  it('gives a request to the most specific route, in whatever order they stand', async () => {
    const routes = [
      { prefix: '/', service: 'the new shop' },
      { prefix: '/orders' },
      { prefix: '/orders/refunds', service: REFUNDS },
    ];
    for (const table of [
      routes,
      routes.toReversed(),
      [...routes.slice(1), ...routes.slice(0, 1)],
    ]) {
      const shop = new Shop(...table);
      const order = `the table is ${table.map(({ prefix }) => prefix).join(', ')}`;
      await expectAsked(shop, ['GET', '/orders/refunds/1'], REFUNDS, order);
      await expectAsked(shop, ['GET', '/orders/refund'], SERVICE, order);
      await expectAsked(shop, ['GET', '/orders'], SERVICE, order);
      await expectAsked(shop, ['GET', '/basket'], 'the new shop', order);
      await expectAsked(shop, ['GET', '/'], 'the new shop', order);
    }
  });

  it('counts segments, not letters, to find the most specific', async () => {
    const shop = new Shop({ prefix: '///orders///' }, { prefix: '/orders/7', service: REFUNDS });
    const why = '/orders/7 has two segments, ///orders/// has one';
    await expectAsked(shop, ['GET', '/orders/7'], REFUNDS, why);
    await expectAsked(shop, ['GET', '/orders/8'], SERVICE, why);
  });

  it.for(['GET', 'POST'])('asks for the method, too: %s', async (method) => {
    const shop = new Shop({ methods: ['GET'] });
    const asked = method === 'GET' ? SERVICE : MONOLITH;
    await expectAsked(shop, [method, '/orders/7'], asked, 'only GET has moved');
  });

  it('takes the methods as they are listed', async () => {
    const shop = new Shop({ methods: ['GET', 'DELETE'] });
    await expectAsked(shop, ['DELETE', '/orders/7'], SERVICE, 'GET and DELETE have moved');
    await expectAsked(shop, ['HEAD', '/orders/7'], MONOLITH, 'HEAD is not in the list');
    const none = new Shop({ methods: [] });
    await expectAsked(none, ['GET', '/orders/7'], MONOLITH, 'the list is there, and empty');
  });

  it('takes the most specific of those that are about the method', async () => {
    const shop = new Shop(
      { prefix: '/orders/refunds', methods: ['POST'], service: REFUNDS },
      { prefix: '/orders', methods: ['GET'] },
    );
    const why = 'GET /orders and POST /orders/refunds have moved';
    await expectAsked(shop, ['POST', '/orders/refunds'], REFUNDS, why);
    await expectAsked(shop, ['GET', '/orders/refunds'], SERVICE, why);
    await expectAsked(shop, ['POST', '/orders'], MONOLITH, why);
    await expectAsked(shop, ['PUT', '/orders/refunds'], MONOLITH, why);
  });

  it('lets reads and writes of one prefix go to different services', async () => {
    const shop = new Shop(
      { methods: ['GET', 'HEAD'], service: 'the order reads' },
      { methods: ['POST'], service: 'the order writes' },
    );
    const why = 'there are two routes for /orders';
    await expectAsked(shop, ['GET', '/orders'], 'the order reads', why);
    await expectAsked(shop, ['POST', '/orders'], 'the order writes', why);
  });

  it.for([
    ['/orders?page=2', SERVICE],
    ['/orders?next=/basket', SERVICE],
    ['/orders?a?b', SERVICE],
    ['/search?next=/orders/7', MONOLITH],
    ['/?/orders', MONOLITH],
    ['/orders-archive?x=/orders', MONOLITH],
  ] as const)('looks at no query: %s', async ([path, asked]) => {
    await expectAsked(new Shop(moved), ['GET', path], asked, 'only /orders has moved');
  });

  it.for(['/orders/', '//orders', '/orders//7', '///orders///'])(
    'does not count empty segments: %s',
    async (path) => {
      await expectAsked(new Shop(moved), ['GET', path], SERVICE, 'that is /orders, or below it');
      const shop = new Shop({ prefix: '/orders/' });
      await expectAsked(shop, ['GET', path], SERVICE, 'the prefix is written /orders/');
    },
  );

  it.for(['/Orders', '/ORDERS/7'])('tells upper from lower case: %s', async (path) => {
    await expectAsked(new Shop(moved), ['GET', path], MONOLITH, 'only /orders has moved');
  });

  it.for([
    ['/%6Frders', SERVICE],
    ['/%6frder%73/7?x', SERVICE],
    ['/orders/%zz', SERVICE],
    ['/%6Frders/%zz', SERVICE],
    ['/orders%2F7', MONOLITH],
    ['/%2Forders', MONOLITH],
    ['/orders%3Fpage=2', MONOLITH],
    ['/%256Frders', MONOLITH],
    ['/%zz', MONOLITH],
    ['/%E0%A4%A', MONOLITH],
  ] as const)('decodes each segment, once: %s', async ([path, asked]) => {
    await expectAsked(new Shop(moved), ['GET', path], asked, 'only /orders has moved');
  });

  it.for([
    ['/café', '/caf%C3%A9/1'],
    ['/c++', '/c%2B%2B/1'],
    ['/a,b', '/a%2Cb/1'],
    ['/two words', '/two%20words/1'],
  ] as const)('decodes whatever may be encoded: %s', async ([prefix, path]) => {
    await expectAsked(new Shop({ prefix }), ['GET', path], SERVICE, `${prefix} has moved`);
  });

  it('takes an encoded slash for a part of its segment, not for a slash', async () => {
    const shop = new Shop({ prefix: '/files/a', service: 'the file service' });
    await expectAsked(shop, ['GET', '/files/a/b'], 'the file service', '/files/a has moved');
    await expectAsked(shop, ['GET', '/files%2Fa/b'], MONOLITH, 'its first segment is “files/a”');
  });

  it.for([
    ['/v1.0', '/v1.0/orders', '/v1x0/orders'],
    ['/c++', '/c++/7', '/ccc/7'],
    ['/(new)', '/(new)', '/new'],
    ['/a|b', '/a|b', '/a'],
    ['/*', '/*/7', '/orders'],
    ['/:id', '/:id', '/7'],
    ['/$&', '/$&/7', '/&'],
  ] as const)('takes a prefix literally: %s', async ([prefix, below, other]) => {
    const shop = new Shop({ prefix });
    await expectAsked(shop, ['GET', below], SERVICE, `${prefix} has moved, nothing else`);
    await expectAsked(shop, ['GET', other], MONOLITH, `${prefix} has moved, nothing else`);
  });

  it.for(['/constructor', '/__proto__/x', '/toString', '/routes', '/hasOwnProperty/7'])(
    'is not confused by a segment of any name: %s',
    async (path) => {
      await expectAsked(new Shop(moved), ['GET', path], MONOLITH, 'only /orders has moved');
      const shop = new Shop({ prefix: path });
      await expectAsked(shop, ['GET', `${path}/1`], SERVICE, `${path} has moved`);
      await expectAsked(shop, ['GET', '/orders'], MONOLITH, `only ${path} has moved`);
    },
  );

  it('hands the request over as it came', async () => {
    const shop = new Shop(moved);
    for (const path of ['/orders//7/?q=a%2Fb&q=%6F', '/basket/%6F//?q=a%2Fb&q=%6F']) {
      const visit = await shop.visit('POST', path, { ...ADA, to: 'any', body: { books: 3 } });
      const [call] = shop.backends.flatMap(({ calls }) => calls).filter((one) => !one.hasEnded);
      expect(call?.request, 'the backend needs the request as the customer sent it').toEqual(
        requestOf('POST', path, { ...ADA, to: 'any', body: { books: 3 } }),
      );
      const response = await call?.answers(201);
      expectVery('response', visit.response, response);
    }
  });

  it('passes on the very error', async () => {
    const shop = new Shop(moved);
    for (const [path, backend] of [
      ['/orders', shop.orders],
      ['/basket', shop.monolith],
    ] as const) {
      const visit = await shop.visit('POST', path);
      const error = refused();
      await backend.call.fails(error);
      expectTold(visit, failed(error), `${backend.name} was not there for POST ${path}`);
      expectVery('error', visit.error, error);
    }
  });

  it.for([
    ['/orders', SERVICE],
    ['/basket', MONOLITH],
  ] as const)('takes whatever a backend may return: %s', async ([path, name]) => {
    const shop = new Shop(moved);
    const backend = name === MONOLITH ? shop.monolith : shop.orders;
    for (const method of ['GET', 'POST']) {
      const asked = `${method} ${path}, and ${name}`;
      backend.atOnce = () => ({ status: 200, body: 'plain' });
      const plain = await shop.visit(method, path);
      expectTold(plain, answered(200, 'plain'), `${asked} is synchronous`);
      backend.atOnce = () => new Later({ status: 200, body: 'later' });
      const later = await shop.visit(method, path);
      expectTold(later, answered(200, 'later'), `${asked} has a then`);
    }
    backend.atOnce = () => {
      throw refused();
    };
    expectTold(await shop.visit('POST', path), failed(refused()), `${name} throws`);
    expectCalls(backend, 5, 'five requests, and each is asked once');
  });

  it('makes no request wait for another', async () => {
    const shop = new Shop(moved);
    const first = await shop.visit('GET', '/orders/1');
    const second = await shop.visit('GET', '/orders/2');
    expectCalls(shop.orders, 2, 'the first has not been answered yet, and there is a second');
    await shop.orders.call.answers(200, 'second');
    expectTold(second, answered(200, 'second'), 'the second has been answered first');
    expectTold(first, NOTHING_YET, 'the first has not been answered');
    await shop.orders.calls[0]?.answers(200, 'first');
    expectTold(first, answered(200, 'first'), 'now it has');
  });

  it('finds the longest prefix, whatever table and path', async () => {
    await fc.assert(
      fc.asyncProperty(tables(), async ({ routes, requests }) => {
        const served = await Promise.all([routes, routes.toReversed()].map(servesOf(requests)));
        for (const [index, [method, path]] of requests.entries()) {
          const best = longestOf(routes, method, path);
          const name = best ? nameOf(best) : MONOLITH;
          for (const names of served) {
            if (names[index] === name) continue;
            expect.fail(`${method} ${path} is for ${name}, but ${names[index]} was asked`);
          }
        }
      }),
      { seed: 20_261_124, numRuns: 60 },
    );
  });
});

/** No promise, but awaited like one. */
class Later implements PromiseLike<HttpResponse> {
  readonly #response: HttpResponse;
  constructor(response: HttpResponse) {
    this.#response = response;
  }
  // oxlint-disable-next-line unicorn/no-thenable
  readonly then: PromiseLike<HttpResponse>['then'] = (onValue, onError) =>
    Promise.resolve(this.#response).then(onValue, onError);
}

interface PaperRoute {
  readonly segments: readonly string[];
  readonly methods: readonly string[] | undefined;
}

const nameOf = ({ segments, methods }: PaperRoute) =>
  `the service of ${methods?.join('+') ?? 'all'} /${segments.join('/')}`;

/** The rule on paper: of all routes that fit, the one with the most segments. */
function longestOf(routes: readonly PaperRoute[], method: string, path: string) {
  const asked = path.split('/').filter(Boolean).map(decodeURIComponent);
  let best: PaperRoute | undefined;
  for (const route of routes) {
    const fits =
      (!route.methods || route.methods.includes(method)) &&
      route.segments.join('/') === asked.slice(0, route.segments.length).join('/');
    if (fits && route.segments.length >= (best?.segments.length ?? 0)) best = route;
  }
  return best;
}

/** Who is asked for each of the requests, with this table. */
function servesOf(requests: readonly (readonly [method: string, path: string])[]) {
  return async (routes: readonly PaperRoute[]): Promise<string[]> => {
    const shop = new Shop(
      ...routes.map((route) => ({
        prefix: `/${route.segments.join('/')}`,
        service: nameOf(route),
        ...(route.methods ? { methods: route.methods } : {}),
      })),
    );
    const asked: string[] = requests.map(() => 'nobody');
    for (const backend of shop.backends) {
      backend.atOnce = ({ body }) => {
        asked[Number(body)] = backend.name;
        return { status: 200 };
      };
    }
    for (const [index, [method, path]] of requests.entries()) {
      shop.visitNow(method, path, { ...ADA, body: index });
    }
    await aMoment();
    return asked;
  };
}

/** Tables of routes, and requests of which many fit several of them. */
function tables() {
  const segment = fc.constantFrom('a', 'b', 'ab', 'a-b', 'a.b');
  const route: fc.Arbitrary<PaperRoute> = fc.record({
    segments: fc.array(segment, { maxLength: 3 }),
    methods: fc.constantFrom(undefined, ['GET'], ['POST']),
  });
  // Two routes with the same prefix may not have a method in common.
  const routes = fc.uniqueArray(route, {
    maxLength: 6,
    comparator: (a, b) =>
      a.segments.join('/') === b.segments.join('/') &&
      (!a.methods || !b.methods || a.methods[0] === b.methods[0]),
  });
  const written = fc.tuple(segment, fc.constantFrom('', '', '', '/', '%')).map(([text, how]) => {
    if (how === '%') return `/%${text.charCodeAt(0).toString(16)}${text.slice(1)}`;
    return `/${how}${text}`;
  });
  const path = fc
    .tuple(fc.array(written, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '', '/'))
    .map(([parts, end]) => parts.join('') + end);
  const request = fc.tuple(fc.constantFrom('GET', 'POST'), path);
  return fc
    .record({ routes, requests: fc.array(request, { minLength: 1, maxLength: 6 }) })
    .map(({ routes: drawn, requests }) => ({
      routes: drawn,
      requests,
      /** How fast-check prints it. */
      [fc.toStringMethod]: () =>
        `${drawn.map(nameOf).join(', ') || 'no routes'} → ${requests.map((one) => one.join(' ')).join(', ')}`,
    }));
}

const USERS = numbered(1_500, (n) => `user-${n}`);

describe('2 · a share of the users', () => {
  it('sends nobody over at 0 %, and everybody at 100 %', async () => {
    const nobody = await new Shop({ percent: 0 }).usersOver(numbered(5_000, (n) => `user-${n}`));
    expect(nobody.length, 'how many of 5,000 users the new service served at 0 %').toBe(0);
    const users = USERS.slice(0, 200);
    const everybody = await new Shop({ percent: 100 }).usersOver(users);
    expect(everybody.length, 'how many of 200 users the new service served at 100 %').toBe(200);
  });

  it('keeps a user on one side', async () => {
    const shop = new Shop({ percent: 50 });
    const users = USERS.slice(0, 40);
    const first = await shop.usersOver(users);
    expect(first.length, 'of 40 users at 50 % some go over').toBeGreaterThan(0);
    expect(first.length, 'of 40 users at 50 % some stay').toBeLessThan(40);
    for (const [method, path] of [
      ['GET', '/orders'],
      ['GET', '/orders/7?page=2'],
      ['POST', '/orders'],
    ] as const) {
      const again = await shop.usersOver(users.toReversed(), method, path);
      const why = `${method} ${path}: what a user has stored is on the other side now`;
      expectSameUsers(again, first, why);
    }
  });

  it('agrees with the router in every other process', async () => {
    const users = USERS.slice(0, 60);
    const first = await new Shop({ percent: 30 }).usersOver(users);
    const other = new Shop(
      { prefix: '/basket', cohort: 'basket', percent: 70 },
      { percent: 30, prefix: '/orders' },
    );
    await other.usersOver(USERS.slice(900, 1_000));
    const second = await other.usersOver(users);
    expectSameUsers(second, first, 'another router has another table, but the same route /orders');
  });

  it('is of the same mind after a restart', async () => {
    const users = USERS.slice(0, 60);
    const first = await new Shop({ percent: 30 }).usersOver(users);
    await advance(86_400_000);
    await restart();
    const second = await new Shop({ percent: 30 }).usersOver(users);
    expectSameUsers(second, first, 'all that has happened is a restart, a day later');
  });

  it.for([
    ['user-1, user-2 …', USERS.slice(0, 1_000), 20],
    ['00001, 00002 …', numbered(1_000, (n) => String(n).padStart(5, '0')), 56],
    ['customer1@example.com …', numbered(1_000, (n) => `customer${n}@example.com`), 56],
  ] as const)('sends about as many over as it was told: %s', async ([, users, percent]) => {
    const over = (await new Shop({ percent }).usersOver(users)).length;
    const share = percent / 100;
    // Five standard deviations: a hash that spreads misses them once in two million times.
    const most = 5 * Math.sqrt(users.length * share * (1 - share));
    if (Math.abs(over - users.length * share) < most) return;
    expect.fail(
      `at ${percent} % ${over} of ${users.length} users go over: it should be about ${users.length * share}`,
    );
  });

  it('counts in tenths of a percent', async () => {
    const shop = new Shop({ percent: 2 });
    const first = await shop.usersOver(USERS);
    const counts: number[] = [];
    for (let tenths = 0; tenths <= 20; tenths += 1) {
      shop.setRoutes({ percent: tenths / 10 });
      counts.push((await shop.usersOver(first)).length);
    }
    // About 30 users get in one after another: some together, but not all of them at two or three steps.
    const steps = new Set(counts).size - 1;
    if (steps > 7) return;
    expect.fail(
      `from 0 to 2 % in steps of 0.1 more users go over at ${steps} of 20 steps only: ${counts.join(', ')}`,
    );
  });

  it('sends the same users over on all routes of a cohort', async () => {
    const shop = new Shop(
      { methods: ['GET'], percent: 40 },
      { methods: ['POST'], percent: 40 },
      { prefix: '/invoices', percent: 40 },
    );
    const users = USERS.slice(0, 60);
    const readers = await shop.usersOver(users);
    const writers = await shop.usersOver(users, 'POST');
    expectSameUsers(writers, readers, 'GET /orders and then POST /orders are of the same cohort');
    const payers = await shop.usersOver(users, 'GET', '/invoices');
    expectSameUsers(payers, readers, 'GET /orders and then GET /invoices are of the same cohort');
  });

  it('sends others over in another cohort', async () => {
    const cohorts = ['orders', 'basket', 'search'];
    const shop = new Shop(
      ...cohorts.map((cohort) => ({ prefix: `/${cohort}`, percent: 20, cohort })),
    );
    const over: Set<string>[] = [];
    for (const cohort of cohorts) {
      over.push(new Set(await shop.usersOver(USERS.slice(0, 600), 'GET', `/${cohort}`)));
    }
    for (const [index, first] of over.entries()) {
      for (const [later, second] of over.slice(index + 1).entries()) {
        const both = [...first].filter((user) => second.has(user)).length;
        if (both > 5 && both < 60) continue;
        expect.fail(
          `of 600 users 20 % go over in “${cohorts[index]}” and 20 % in “${cohorts[index + 1 + later]}”: ` +
            `${both} of them are in both, and it should be about 24`,
        );
      }
    }
  });

  it.for([0, 50, 99.9, 100])('lets strangers over last: at %d', async (percent) => {
    const shop = new Shop({ percent });
    for (const path of numbered(10, (n) => `/orders/${n}`)) {
      const why = `nobody knows who asks, at ${percent} %`;
      await expectAsked(shop, ['GET', path, STRANGER], percent === 100 ? SERVICE : MONOLITH, why);
    }
  });

  it('loses nobody when the share is raised, and lets nobody in when it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(ramps(), async ({ users, steps, cohort }) => {
        const shop = new Shop({ percent: 0, cohort });
        const seen: (readonly [percent: number, over: ReadonlySet<string>])[] = [];
        for (const step of steps) {
          shop.setRoutes({ percent: step, cohort });
          const over = new Set(await shop.usersOver(users));
          for (const [other, then] of seen) {
            const [few, many] = other <= step ? [then, over] : [over, then];
            const lost = [...few].find((user) => !many.has(user));
            if (lost === undefined) continue;
            const [low, high] = [other, step].toSorted((a, b) => a - b);
            expect.fail(`user ${print(lost)} is in at ${low} %, and out at ${high} %`);
          }
          seen.push([step, over]);
        }
      }),
      { seed: 20_261_124, numRuns: 20 },
    );
  });
});

/** Shares that are set one after another, and 20 users of any name. */
function ramps() {
  const users = fc.uniqueArray(fc.string({ maxLength: 12 }), { minLength: 20, maxLength: 20 });
  const percent = fc.integer({ min: 0, max: 1_000 }).map((tenths) => tenths / 10);
  return fc
    .record({ users, steps: fc.tuple(percent, percent, percent), cohort: fc.string() })
    .map((ramp) => ({
      ...ramp,
      /** How fast-check prints it. */
      [fc.toStringMethod]: () => `cohort ${print(ramp.cohort)}, ${ramp.steps.join(' % → ')} %`,
    }));
}

describe('3 · by header', () => {
  it.for([
    ['a user', ADA],
    ['a stranger', STRANGER],
  ] as const)('sends %s to the service that the header asks for', async ([, by]) => {
    const shop = new Shop({ percent: 0 });
    const why = 'the header says service';
    await expectAsked(shop, ['GET', '/orders', { ...by, to: 'service' }], SERVICE, why);
    await expectAsked(shop, ['POST', '/orders', { ...by, to: 'service' }], SERVICE, why);
    await expectAsked(shop, ['GET', '/orders', by], MONOLITH, 'no header, at 0 %');
  });

  it.for([
    ['a user', ADA],
    ['a stranger', STRANGER],
  ] as const)('sends %s to the monolith that the header asks for', async ([, by]) => {
    const shop = new Shop({ percent: 100 });
    const why = 'the header says monolith';
    await expectAsked(shop, ['GET', '/orders', { ...by, to: 'monolith' }], MONOLITH, why);
    await expectAsked(shop, ['POST', '/orders', { ...by, to: 'monolith' }], MONOLITH, why);
    await expectAsked(shop, ['GET', '/orders', by], SERVICE, 'no header, at 100 %');
  });

  it.for(['', 'true', 'both', 'orders', 'constructor', 'Service', 'service, monolith'])(
    'does not care for any other value: “%s”',
    async (to) => {
      const why = `the header says “${to}”, which is neither service nor monolith`;
      const by = { ...ADA, to };
      await expectAsked(new Shop({ percent: 0 }), ['GET', '/orders', by], MONOLITH, why);
      await expectAsked(new Shop({ percent: 100 }), ['GET', '/orders', by], SERVICE, why);
    },
  );

  it('changes nothing where there is no route', async () => {
    const shop = new Shop({ methods: ['GET'] });
    const by = { ...ADA, to: 'service' };
    await expectAsked(shop, ['GET', '/basket', by], MONOLITH, '/basket has not moved');
    await expectAsked(shop, ['POST', '/orders', by], MONOLITH, 'POST has not moved');
  });
});

/** Ways to have no answer. */
const NO_ANSWER: readonly (readonly [string, (call: Call) => Promise<unknown>])[] = [
  ['it was refused', (call) => call.fails(refused())],
  ['it rejected with nothing', (call) => call.fails(undefined)],
  ['500', (call) => call.answers(500)],
  ['503', (call) => call.answers(503)],
  ['504', (call) => call.answers(504)],
  ['599', (call) => call.answers(599)],
  ['600', (call) => call.answers(600)],
];

describe('4 · fallback', () => {
  it.for(SAFE)('lets the monolith serve a %s that the new service could not', async (method) => {
    for (const [what, end] of NO_ANSWER) {
      const shop = new Shop(moved);
      const visit = await shop.visit(method, '/orders/7');
      expectCalls(shop.monolith, 0, 'the new service has not answered yet');
      await end(shop.orders.call);
      const why = `${method}, and the new service had no answer (${what})`;
      expectCalls(shop.monolith, 1, why);
      expect(shop.monolith.call.request, `${why}: what the monolith is asked`).toEqual(visit.sent);
      expectTold(visit, NOTHING_YET, `${why}, and the monolith has not answered yet`);
      const response = await shop.monolith.call.answers(200);
      expectTold(visit, answered(200, MONOLITH), `${why}, and the monolith had one`);
      expectVery('response', visit.response, response);
      expectCalls(shop.orders, 1, why);
    }
  });

  it.for(OTHERS)('never sends a %s to a second system', async (method) => {
    for (const [what, end] of NO_ANSWER) {
      const shop = new Shop(moved);
      const visit = await shop.visit(method, '/orders');
      await end(shop.orders.call);
      const why = `${method}, and the new service had no answer (${what}), but it may have done its work`;
      expectCalls(shop.monolith, 0, why);
      expectCalls(shop.orders, 1, why);
      if (visit.told === NOTHING_YET) expect.fail(`${why}: the customer was told nothing`);
      expectNoReport(shop, `${method}: there was no fallback`);
    }
  });

  it('tells a writer what the new service ended in', async () => {
    const shop = new Shop(moved);
    const first = await shop.visit('POST', '/orders');
    const error = refused();
    await shop.orders.call.fails(error);
    expectTold(first, failed(error), 'POST, and the new service was not there');
    expectVery('error', first.error, error);
    const second = await shop.visit('POST', '/orders');
    const response = await shop.orders.call.answers(503);
    expectTold(second, answered(503, SERVICE), 'POST, and the new service said 503');
    expectVery('response', second.response, response);
  });

  it.for([200, 204, 304, 400, 401, 404, 410, 429, 499])(
    'takes every other status for an answer: %d',
    async (status) => {
      const shop = new Shop(moved);
      const visit = await shop.visit('GET', '/orders/7');
      await shop.orders.call.answers(status);
      expectTold(visit, answered(status, SERVICE), `the new service said ${status}`);
      expectCalls(shop.monolith, 0, `the new service said ${status}, and that is an answer`);
      expectNoReport(shop, 'the new service has answered');
    },
  );

  it('takes a service that throws for one that has no answer', async () => {
    const shop = new Shop(moved);
    const error = refused();
    shop.orders.atOnce = () => {
      throw error;
    };
    const visit = await shop.visit('GET', '/orders');
    await shop.monolith.call.answers(200);
    expectTold(visit, answered(200, MONOLITH), 'the new service threw at once');
    expectReport(shop, { kind: 'fallback', request: visit.request, failure: error }, 'it threw');
  });

  it('reports each fallback, once, with what the new service ended in', async () => {
    const shop = new Shop(moved);
    const visit = await shop.visit('GET', '/orders/7');
    const response = await shop.orders.call.answers(503);
    await shop.monolith.call.answers(200);
    expectReport(
      shop,
      { kind: 'fallback', request: visit.request, failure: response },
      'nobody else will say that the new service is down',
    );
    for (const error of [refused(), undefined, 'no route to host']) {
      shop.reports.length = 0;
      const other = await shop.visit('HEAD', '/orders/8');
      await shop.orders.call.fails(error);
      await shop.monolith.call.answers(404);
      expectReport(
        shop,
        { kind: 'fallback', request: other.request, failure: error },
        `nobody else will say that the new service failed with ${print(error)}`,
      );
    }
    expect(shop.compared.length, 'a fallback compares nothing; how often isSame was asked').toBe(0);
  });

  it('reports it also if the monolith has no answer either', async () => {
    const shop = new Shop(moved);
    const visit = await shop.visit('GET', '/orders/7');
    const error = refused();
    await shop.orders.call.fails(error);
    await shop.monolith.call.fails(refused('the monolith is down, too'));
    expectReport(shop, { kind: 'fallback', request: visit.request, failure: error }, 'all is down');
    shop.reports.length = 0;
    shop.monolith.atOnce = () => {
      throw refused('the monolith throws');
    };
    const other = await shop.visit('GET', '/orders/8');
    await shop.orders.call.fails(error);
    expectTold(other, 'the error: the monolith throws', 'all is down');
    expectReport(shop, { kind: 'fallback', request: other.request, failure: error }, 'all is down');
  });

  it('asks the new service each time, however often it had no answer', async () => {
    const shop = new Shop(moved);
    shop.monolith.atOnce = () => ({ status: 200 });
    shop.orders.atOnce = () => ({ status: 503 });
    for (let n = 1; n <= 30; n += 1) await shop.visit('GET', `/orders/${n}`);
    expectCalls(shop.orders, 30, '30 requests, and it said 503 to each');
    expect(shop.reports.length, 'how many of 30 fallbacks were reported').toBe(30);
  });

  it('leaves it to the new service how long it takes', async () => {
    const shop = new Shop(moved);
    const visit = await shop.visit('GET', '/orders/7');
    await advance(120_000);
    expectTold(visit, NOTHING_YET, 'the new service has been at it for 2 minutes');
    expectCalls(shop.monolith, 0, 'the new service has been at it for 2 minutes');
    await shop.orders.call.answers(200);
    expectTold(visit, answered(200, SERVICE), 'the new service has answered after 2 minutes');
  });

  it('is the request of the monolith from then on, however that ends', async () => {
    const shop = new Shop(moved);
    const first = await shop.visit('GET', '/orders/7');
    await shop.orders.call.fails(refused('the order service is down'));
    await shop.monolith.call.fails(refused('the monolith is down, too'));
    expectTold(first, 'the error: the monolith is down, too', 'both have failed');
    const second = await shop.visit('GET', '/orders/7');
    await shop.orders.call.fails(refused('the order service is down'));
    await shop.monolith.call.answers(500);
    expectTold(second, answered(500, MONOLITH), 'the monolith said 500');
    expectCalls(shop.orders, 2, 'two requests, and nobody goes round in circles');
    expectCalls(shop.monolith, 2, 'two requests, and nobody goes round in circles');
  });

  it('knows no way in the other direction', async () => {
    for (const [what, end] of NO_ANSWER) {
      const shop = new Shop({ percent: 0 });
      const visit = await shop.visit('GET', '/orders');
      await end(shop.monolith.call);
      expectCalls(shop.orders, 0, `at 0 %, and the monolith had no answer (${what})`);
      if (visit.told === NOTHING_YET) expect.fail(`the customer was told nothing (${what})`);
      expectNoReport(shop, 'there was no fallback');
    }
  });

  it.for([
    ['a stranger at 100 %', { percent: 100 }, STRANGER],
    ['whoever the header sends over', { percent: 0 }, { ...STRANGER, to: 'service' }],
  ] as const)('is there for %s as well', async ([who, route, by]) => {
    const shop = new Shop(route);
    const visit = await shop.visit('GET', '/orders', by);
    await shop.orders.call.fails(refused());
    await shop.monolith.call.answers(200);
    expectTold(visit, answered(200, MONOLITH), `${who}, and the new service was not there`);
  });
});

/** A customer has asked, and both backends, if the router keeps to the rules. */
async function inParallel(method = 'GET', by?: By) {
  const shop = new Shop(inShadow);
  const visit = await shop.visit(method, '/orders/7', by);
  return { shop, visit };
}

describe('5 · parallel run', () => {
  it.for(SAFE)('sends a copy of each %s that the monolith serves', async (method) => {
    const { shop, visit } = await inParallel(method);
    await shop.monolith.call.answers(200);
    expectCalls(shop.orders, 1, `${method}, in a parallel run`);
    for (const { call, name } of [shop.orders, shop.monolith]) {
      expect(call.request, `what ${name} is asked, the request as it came`).toEqual(visit.sent);
    }
    await shop.orders.call.answers(200, MONOLITH);
    expectCalls(shop.monolith, 1, `${method}, in a parallel run`);
    expectTold(visit, answered(200, MONOLITH), 'in a parallel run the monolith answers');
  });

  it.for(OTHERS)('never sends a copy of a %s', async (method) => {
    const { shop, visit } = await inParallel(method);
    await shop.monolith.call.answers(201);
    expectTold(visit, answered(201, MONOLITH), `${method}, in a parallel run`);
    expectCalls(
      shop.orders,
      0,
      `${method}, and only GET, HEAD and OPTIONS are copied: what changes something would change it twice`,
    );
  });

  it('lets no customer wait for the copy', async () => {
    const { shop, visit } = await inParallel();
    const response = await shop.monolith.call.answers(200);
    expectTold(visit, answered(200, MONOLITH), 'the monolith has answered, and the copy hangs');
    expectVery('response', visit.response, response);
    expectCalls(shop.orders, 1, 'the copy has been sent');
    expectNoReport(shop, 'the copy has not ended yet');
  });

  it('gives the answer of the monolith also if the copy is quicker', async () => {
    const shop = new Shop(inShadow);
    shop.orders.atOnce = () => ({ status: 200, body: 'from the copy' });
    const visit = await shop.visit('GET', '/orders');
    expectCalls(shop.monolith, 1, 'the monolith has to serve it');
    expectTold(visit, NOTHING_YET, 'the monolith has not answered yet');
    await shop.monolith.call.answers(200);
    expectTold(visit, answered(200, MONOLITH), 'the monolith has answered');
  });

  it('reports what is not the same, once', async () => {
    const { shop, visit } = await inParallel();
    const expected = await shop.monolith.call.answers(200, '3 books');
    const actual = await shop.orders.call.answers(200, '2 books');
    expectReport(
      shop,
      { kind: 'mismatch', request: visit.request, expected, actual },
      'the monolith has 3 books in the basket, and the new service 2',
    );
  });

  it('sends each its copy and reports each mismatch, however many there are', async () => {
    const shop = new Shop(inShadow);
    shop.monolith.atOnce = () => ({ status: 200, body: '3 books' });
    for (let n = 1; n <= 30; n += 1) shop.visitNow('GET', '/orders/7');
    await aMoment();
    expectCalls(shop.orders, 30, '30 requests for the same page, and all copies hang');
    for (const call of shop.orders.calls) await call.answers(200, '2 books');
    expect(shop.reports.length, 'how many of 30 mismatches were reported').toBe(30);
  });

  it.for([
    ['plain responses', (response: HttpResponse) => response],
    ['something with a then', (response: HttpResponse) => new Later(response)],
  ] as const)('compares whatever the backends return: %s', async ([what, made]) => {
    const shop = new Shop(inShadow);
    for (const backend of [shop.monolith, shop.orders]) {
      backend.atOnce = () => made({ status: 200, body: '3 books' });
    }
    const visit = await shop.visit('GET', '/orders');
    expectTold(visit, answered(200, '3 books'), `both backends return ${what}`);
    expect(shop.compared.length, `both backends return ${what}; how often isSame was asked`).toBe(
      1,
    );
    expectNoReport(shop, `both backends return ${what}, and both have 3 books`);
  });

  it('reports nothing that is the same', async () => {
    const { shop } = await inParallel();
    await shop.monolith.call.answers(200, '3 books');
    await shop.orders.call.answers(200, '3 books');
    expectNoReport(shop, 'both have 3 books');
  });

  it('leaves it to isSame what is the same, and asks it once', async () => {
    for (const verdict of [true, false]) {
      const { shop, visit } = await inParallel();
      shop.isSame = () => verdict;
      const expected = await shop.monolith.call.answers(200, 'a');
      const actual = await shop.orders.call.answers(verdict ? 404 : 200, 'a');
      expect(shop.compared, 'what isSame was asked: the monolith first').toEqual([
        [expected, actual],
      ]);
      if (verdict) expectNoReport(shop, 'isSame said yes');
      else {
        expectReport(
          shop,
          { kind: 'mismatch', request: visit.request, expected, actual },
          'isSame said no',
        );
      }
    }
  });

  it('takes an isSame that throws for a no', async () => {
    const { shop, visit } = await inParallel();
    shop.isSame = () => {
      throw new TypeError('body.lines is undefined');
    };
    const expected = await shop.monolith.call.answers(200, '3 books');
    const actual = await shop.orders.call.answers(200, {});
    expectTold(visit, answered(200, '3 books'), 'isSame throws, which is not the customer’s fault');
    expectReport(
      shop,
      { kind: 'mismatch', request: visit.request, expected, actual },
      'isSame throws',
    );
  });

  it('compares responses of whatever status', async () => {
    const { shop, visit } = await inParallel();
    const expected = await shop.monolith.call.answers(404, 'none');
    const actual = await shop.orders.call.answers(503, 'none');
    expectTold(visit, answered(404, 'none'), 'the monolith said 404');
    expectReport(
      shop,
      { kind: 'mismatch', request: visit.request, expected, actual },
      'a copy that ends in 503 falls back to nothing',
    );
    const failing = await inParallel();
    await failing.shop.monolith.call.answers(500, 'the same');
    await failing.shop.orders.call.answers(500, 'the same');
    expectTold(failing.visit, answered(500, 'the same'), 'the monolith said 500');
    expectNoReport(failing.shop, 'both said 500, and isSame says that it is the same');
  });

  it.for([
    ['rejects', () => Promise.reject(refused())],
    [
      'throws',
      () => {
        throw refused();
      },
    ],
  ] as const)('lets a copy that %s harm nobody, and reports it', async ([how, atOnce]) => {
    const shop = new Shop(inShadow);
    shop.orders.atOnce = atOnce;
    const visit = await shop.visit('GET', '/orders');
    expectTold(visit, NOTHING_YET, `the copy ${how}, and the monolith has not answered yet`);
    expectCalls(shop.monolith, 1, `the copy ${how}`);
    const expected = await shop.monolith.call.answers(200);
    expectTold(visit, answered(200, MONOLITH), `the copy ${how}, and the monolith has answered`);
    expectCalls(shop.monolith, 1, `the copy ${how}`);
    expectReport(
      shop,
      { kind: 'mismatch', request: visit.request, expected, actual: refused() },
      `the copy ${how}`,
    );
    expect(shop.compared.length, 'isSame compares responses; how often it was asked').toBe(0);
  });

  it('reports a copy that fails long after the answer', async () => {
    const { shop, visit } = await inParallel();
    const expected = await shop.monolith.call.answers(200);
    await shop.orders.call.fails(undefined);
    expectReport(
      shop,
      { kind: 'mismatch', request: visit.request, expected, actual: undefined },
      'the copy rejected with nothing',
    );
  });

  it('has nothing to compare with if the monolith fails', async () => {
    const { shop, visit } = await inParallel();
    const error = refused('the monolith is down');
    await shop.monolith.call.fails(error);
    expectTold(visit, failed(error), 'the monolith serves it, and is down');
    expectVery('error', visit.error, error);
    for (const call of shop.orders.calls) await call.answers(200);
    expectNoReport(shop, 'there was nothing to compare with');
    expectTold(visit, failed(error), 'the copy has ended');
  });

  it('has nothing to compare with if both fail', async () => {
    const shop = new Shop(inShadow);
    shop.orders.atOnce = () => Promise.reject(refused());
    shop.monolith.atOnce = () => {
      throw refused('the monolith is down');
    };
    const visit = await shop.visit('GET', '/orders');
    expectTold(visit, 'the error: the monolith is down', 'both are down');
    expectNoReport(shop, 'there was nothing to compare with');
  });

  it('copies only what the monolith serves', async () => {
    const shop = new Shop({ percent: 100, shadow: true });
    await expectAsked(shop, ['GET', '/orders'], SERVICE, 'all users are over');
    const sent = new Shop({ percent: 0, shadow: true });
    const by = { ...ADA, to: 'service' };
    await expectAsked(sent, ['GET', '/orders', by], SERVICE, 'the header says service');
    expectNoReport(shop, 'there was no parallel run');
  });

  it('copies whatever the reason why the monolith serves it', async () => {
    const both = `${MONOLITH} and ${SERVICE}`;
    const shop = new Shop({ percent: 100, shadow: true });
    const by = { ...ADA, to: 'monolith' };
    await expectAskedInTurn(shop, ['GET', '/orders', by], both, 'the header says monolith');
    const half = new Shop({ percent: 50, shadow: true });
    // Often enough for a router that draws lots.
    for (const path of numbered(16, (n) => `/orders/${n}`)) {
      await expectAskedInTurn(half, ['GET', path, STRANGER], both, 'a stranger at 50 %');
    }
  });

  it('copies nothing without shadow, and nothing without a route', async () => {
    const shop = new Shop(
      { percent: 0, shadow: false },
      { prefix: '/basket', percent: 0 },
      { prefix: '/stock', methods: ['GET'], ...inShadow },
    );
    for (const path of ['/orders', '/basket', '/search']) {
      await expectAskedInTurn(shop, ['GET', path], MONOLITH, 'there is no parallel run for it');
    }
    await expectAskedInTurn(shop, ['HEAD', '/stock'], MONOLITH, 'the route is for GET alone');
  });

  it('is no parallel run when the monolith stands in', async () => {
    const shop = new Shop({ percent: 100, shadow: true });
    const visit = await shop.visit('GET', '/orders');
    const error = refused();
    await shop.orders.call.fails(error);
    await shop.monolith.call.answers(200);
    expectCalls(shop.orders, 1, 'the new service has failed at this request, and gets no copy');
    expectReport(
      shop,
      { kind: 'fallback', request: visit.request, failure: error },
      'the monolith stands in',
    );
  });
});

/** Like `expectAsked`, but waits for a copy that is sent after the answer. */
async function expectAskedInTurn(
  shop: Shop,
  [method, path, by]: readonly [method: string, path: string, by?: By],
  names: string,
  because: string,
): Promise<void> {
  const before = new Set(shop.backends.flatMap(({ calls }) => calls));
  await shop.askedFor(method, path, by);
  const asked = shop.backends.flatMap(({ calls }) => calls).filter((call) => !before.has(call));
  const told = asked.map(({ at }) => at).join(' and ');
  expect(told, `${method} ${path}: ${because}; who was asked`).toBe(names);
  for (const call of asked) await call.answers(200);
}

describe('6 · switches', () => {
  it('goes by the new table from the next request on', async () => {
    const shop = new Shop();
    await expectAsked(shop, ['GET', '/orders'], MONOLITH, 'nothing has moved yet');
    shop.setRoutes(moved);
    await expectAsked(shop, ['GET', '/orders'], SERVICE, '/orders has moved a moment ago');
    shop.setRoutes({ percent: 0 }, { prefix: '/basket' });
    await expectAsked(shop, ['GET', '/orders'], MONOLITH, '/orders has been cut to 0 %');
    await expectAsked(shop, ['GET', '/basket'], SERVICE, '/basket has moved');
    shop.setRoutes();
    await expectAsked(shop, ['GET', '/basket'], MONOLITH, 'the table is empty again');
  });

  it('goes by what held when the request came, also if that changes in the same instant', async () => {
    const shop = new Shop(moved);
    shop.visitNow('POST', '/orders');
    shop.setRoutes();
    await aMoment();
    expectCalls(shop.orders, 1, '/orders had moved when the request came, and the table changed');
    shop.setRoutes(moved);
    shop.visitNow('POST', '/orders');
    shop.router.setKilled(true);
    await aMoment();
    expectCalls(shop.orders, 2, 'the router was killed right after the second request had come');
    expectCalls(shop.monolith, 0, 'both requests came while /orders had moved');
    shop.visitNow('POST', '/orders');
    shop.router.setKilled(false);
    await aMoment();
    expectCalls(shop.monolith, 1, 'the third request came while the router was killed');
  });

  it.for([
    ['the table is empty', (shop: Shop) => shop.setRoutes()],
    ['the share is 0 %', (shop: Shop) => shop.setRoutes({ percent: 0 })],
    ['the router is killed', (shop: Shop) => shop.router.setKilled(true)],
    ['the route is retired', (shop: Shop) => shop.setRoutes({ percent: 100, ...retired })],
  ] as const)('lets a request under way go on when %s', async ([what, change]) => {
    const shop = new Shop(moved);
    const read = await shop.visit('GET', '/orders/7');
    const write = await shop.visit('POST', '/orders');
    const [readCall, writeCall] = shop.orders.calls;
    change(shop);
    await aMoment();
    expectTold(read, NOTHING_YET, `${what} now, and the new service still works at the request`);
    expectCalls(shop.monolith, 0, `${what} now, but both had been sent to the new service`);
    await writeCall?.answers(201);
    expectTold(write, answered(201, SERVICE), `${what} now, and the new service has stored it`);
    await readCall?.fails(refused());
    expectCalls(shop.monolith, 1, `${what} now; the read came before that, and may fall back`);
    await shop.monolith.call.answers(200);
    expectTold(read, answered(200, MONOLITH), `${what} now; the monolith stood in`);
    expect(shop.reports.length, 'how many fallbacks were reported').toBe(1);
  });

  it.for([
    ['the route is retired', (shop: Shop) => shop.setRoutes(moved), { ...moved, ...retired }],
    ['the router is killed', (shop: Shop) => shop.router.setKilled(false), moved],
  ] as const)('gives no fallback to who came while %s', async ([what, change, route]) => {
    const shop = new Shop(route);
    if (route === moved) shop.router.setKilled(true);
    const visit = await shop.visit('GET', '/orders');
    change(shop);
    await aMoment();
    const error = refused();
    for (const call of shop.backends.flatMap(({ calls }) => calls)) await call.fails(error);
    expectTold(visit, failed(error), `it came while ${what}`);
    expectNoReport(shop, `it came while ${what}`);
  });

  it.for([
    ['the table is empty', (shop: Shop) => shop.setRoutes()],
    ['the router is killed', (shop: Shop) => shop.router.setKilled(true)],
  ] as const)('compares what is under way when %s', async ([what, change]) => {
    const { shop, visit } = await inParallel();
    const expected = await shop.monolith.call.answers(200, '3 books');
    change(shop);
    const actual = await shop.orders.call.answers(200, '2 books');
    expectReport(
      shop,
      { kind: 'mismatch', request: visit.request, expected, actual },
      `${what} now, but the copy had been sent before`,
    );
  });

  it('sends all back at once when it is killed', async () => {
    const shop = new Shop(moved, { prefix: '/stock', ...inShadow });
    await expectAsked(shop, ['GET', '/orders'], SERVICE, 'all is well');
    shop.router.setKilled(true);
    for (const [method, path, by] of [
      ['GET', '/orders', ADA],
      ['POST', '/orders', ADA],
      ['GET', '/orders', STRANGER],
      ['GET', '/basket', ADA],
    ] as const) {
      await expectAskedInTurn(shop, [method, path, by], MONOLITH, 'the router is killed');
    }
    const by = { ...ADA, to: 'service' };
    await expectAskedInTurn(shop, ['GET', '/orders', by], MONOLITH, 'killed, whatever headers say');
    await expectAskedInTurn(shop, ['GET', '/stock'], MONOLITH, 'killed, and no copies are sent');
    expectNoReport(shop, 'the router is killed');
  });

  it('is as before when the switch is off again', async () => {
    const shop = new Shop({ percent: 50 });
    const users = USERS.slice(0, 40);
    const before = await shop.usersOver(users);
    shop.router.setKilled(true);
    shop.router.setKilled(true);
    expect(await shop.usersOver(users), 'who goes over while it is killed').toEqual([]);
    shop.router.setKilled(false);
    expectSameUsers(await shop.usersOver(users), before, 'the switch was on, and is off again');
  });

  it('stays killed when the table is set', async () => {
    const shop = new Shop({ percent: 0 });
    shop.router.setKilled(true);
    shop.setRoutes(moved, { prefix: '/stock' });
    await expectAsked(shop, ['GET', '/orders'], MONOLITH, 'killed, and then the table was set');
    shop.router.setKilled(false);
    await expectAsked(shop, ['GET', '/orders'], SERVICE, 'the table that was set meanwhile');
    await expectAsked(shop, ['GET', '/stock'], SERVICE, 'the table that was set meanwhile');
    shop.router.setKilled(false);
    await expectAsked(shop, ['GET', '/orders'], SERVICE, 'it was off already');
  });

  it.for([
    ['a user at 0 %', { percent: 0 }, ADA],
    ['a stranger at 50 %', { percent: 50 }, STRANGER],
    ['the header says monolith', { percent: 100 }, { ...ADA, to: 'monolith' }],
    ['in a parallel run', inShadow, ADA],
  ] as const)('sends all of a retired route to its service: %s', async ([what, route, by]) => {
    const shop = new Shop({ ...route, ...retired });
    for (const killed of [false, true]) {
      shop.router.setKilled(killed);
      const why = `${what}${killed ? ', killed' : ''}; the monolith's code is gone`;
      await expectAskedInTurn(shop, ['GET', '/orders/7', by], SERVICE, why);
      await expectAskedInTurn(shop, ['POST', '/orders', by], SERVICE, why);
    }
    expectNoReport(shop, 'there is no parallel run on a retired route');
  });

  it('has nothing to fall back to on a retired route', async () => {
    const shop = new Shop({ percent: 100, shadow: true, ...retired });
    const first = await shop.visit('GET', '/orders');
    const error = refused();
    await shop.orders.call.fails(error);
    expectTold(first, failed(error), 'the code of the monolith is gone');
    expectVery('error', first.error, error);
    const second = await shop.visit('GET', '/orders');
    await shop.orders.call.answers(503);
    expectTold(second, answered(503, SERVICE), 'the code of the monolith is gone');
    expectCalls(shop.monolith, 0, 'the code of the monolith is gone');
    expectNoReport(shop, 'there was no fallback');
  });

  it('retires a route, not what lies below it or beside it', async () => {
    const shop = new Shop(
      { percent: 100, methods: ['GET', 'POST'], ...retired },
      { prefix: '/orders/refunds', service: REFUNDS, percent: 0 },
    );
    await expectAsked(shop, ['GET', '/orders/7'], SERVICE, '/orders is retired');
    await expectAsked(shop, ['GET', '/orders/refunds/7'], MONOLITH, '/orders/refunds is at 0 %');
    await expectAsked(shop, ['DELETE', '/orders/7'], MONOLITH, 'GET and POST are retired');
    shop.router.setKilled(true);
    const by = { ...ADA, to: 'service' };
    await expectAsked(shop, ['GET', '/orders/refunds', by], MONOLITH, 'killed, and not retired');
    await expectAsked(shop, ['GET', '/orders/7'], SERVICE, 'killed, but /orders is retired');
  });
});

describe('7 · whatever happens', () => {
  it('does what the rules say, request by request', async () => {
    const over = new Set<string>();
    for (const cohort of ['orders', 'refunds']) {
      const users = await new Shop({ percent: 50, cohort }).usersOver(CUSTOMERS);
      for (const user of users) over.add(`${cohort} ${user}`);
    }
    await fc.assert(
      fc.asyncProperty(histories(), (history) =>
        fc.asyncModelRun(() => ({ model: new Paper(over), real: new Shop() }), history),
      ),
      { seed: 20_261_124, numRuns: 60 },
    );
  });
});

// ── The rules on paper, and what can happen to them ─────────────────────────────────────────────────────

const CUSTOMERS = ['ada', 'ben', 'cleo', 'dan'];

const TABLES: readonly (readonly Moved[])[] = [
  [],
  [moved],
  [inShadow],
  [{ percent: 50 }, { prefix: '/orders/refunds', cohort: 'refunds', ...inShadow }],
  [
    { ...moved, ...retired },
    { prefix: '/orders/refunds', cohort: 'refunds', percent: 50 },
  ],
  [{ methods: ['GET'], percent: 50, shadow: true }, { prefix: '/orders/refunds' }],
];

const describeRoute = (route: Moved) =>
  [
    `${route.methods?.join('+') ?? ''} ${route.prefix ?? '/orders'}`.trim(),
    route.retired ? 'retired' : `${route.percent ?? 100} %`,
    ...(route.shadow ? ['in shadow'] : []),
  ].join(' ');

type Plan = 'the monolith' | 'the service' | 'the service, or else the monolith' | 'both';

/** What a call ended in. */
type End = HttpResponse | Error;

interface PaperVisit {
  readonly visit: Visit;
  readonly plan: Plan;
  monolith?: End;
  service?: End;
  /** Has a switch been thrown, or the table changed, before the copy was sent? */
  mayBeLeftOut: boolean;
}

/** The router as one would play it with pencil and paper. */
class Paper {
  readonly visits: PaperVisit[] = [];
  table: readonly Moved[] = [];
  killed = false;
  readonly #over: ReadonlySet<string>;

  constructor(over: ReadonlySet<string>) {
    this.#over = over;
  }

  planFor({ method, path, userId, headers }: HttpRequest): Plan {
    const isBelow = ({ prefix = '/orders' }: Moved) =>
      path === prefix || path.startsWith(`${prefix}/`);
    const route = this.table
      .filter((one) => isBelow(one) && (one.methods?.includes(method) ?? true))
      .toSorted((a, b) => (b.prefix ?? '').length - (a.prefix ?? '').length)[0];
    if (!route) return 'the monolith';
    if (route.retired) return 'the service';
    if (this.killed) return 'the monolith';
    const isSafe = method === 'GET';
    const { percent = 100, cohort = 'orders' } = route;
    const isIn = percent === 100 || (percent === 50 && this.#over.has(`${cohort} ${userId}`));
    const wish = headers['x-route-to'];
    if (wish ? wish === 'service' : isIn) {
      return isSafe ? 'the service, or else the monolith' : 'the service';
    }
    return isSafe && route.shadow ? 'both' : 'the monolith';
  }

  /** Who has been asked, what was told and reported: all of it must be as the rules say. */
  check(shop: Shop): void {
    const monolith = countOf(shop.monolith.calls);
    const service = countOf(shop.orders.calls);
    for (const [index, paper] of this.visits.entries()) {
      const wrong = this.#wrongWith(paper, {
        monolith: monolith.get(index) ?? 0,
        service: service.get(index) ?? 0,
        reports: shop.reports.filter(({ request }) => request.body === index),
      });
      if (!wrong) continue;
      const { method, path } = paper.visit.request;
      expect.fail(`request ${index + 1}, ${method} ${path}, is for ${paper.plan}; ${wrong}`);
    }
  }

  #wrongWith(
    paper: PaperVisit,
    seen: {
      readonly monolith: number;
      readonly service: number;
      readonly reports: readonly Report[];
    },
  ): string | undefined {
    const { visit, plan, monolith, service, mayBeLeftOut } = paper;
    const failedOver = plan.includes('or else') && service !== undefined && !isAnswer(service);
    const forMonolith = plan === 'the monolith' || plan === 'both' || failedOver ? 1 : 0;
    if (seen.monolith !== forMonolith) {
      return `the monolith was asked ${timesIn(seen.monolith)}, not ${timesIn(forMonolith)}`;
    }

    const mostForService = plan === 'the monolith' ? 0 : 1;
    const isFree = plan === 'both' && (mayBeLeftOut || !monolith || monolith instanceof Error);
    const leastForService = isFree ? 0 : mostForService;
    if (seen.service < leastForService || seen.service > mostForService) {
      return `the service was asked ${timesIn(seen.service)}, not ${timesIn(mostForService)}`;
    }

    const end =
      plan === 'the service' || (plan.includes('or else') && !failedOver) ? service : monolith;
    const told = end ? (end instanceof Error ? failed(end) : inWords(end)) : NOTHING_YET;
    if (visit.told !== told) return `the customer was told “${visit.told}”, not “${told}”`;

    const differs =
      plan === 'both' &&
      monolith !== undefined &&
      !(monolith instanceof Error) &&
      service !== undefined &&
      (service instanceof Error || inWords(service) !== inWords(monolith));
    const due = failedOver ? 'fallback' : differs ? 'mismatch' : 'nothing';
    const reported = seen.reports.map(({ kind }) => kind).join(', ') || 'nothing';
    // A fallback may be reported when it begins, or when it has ended.
    if (reported === due || (failedOver && !monolith && reported === 'nothing')) return undefined;
    return `${reported} was reported, in place of ${due}`;
  }
}

/** How many calls there are of each visit. */
function countOf(calls: readonly Call[]): ReadonlyMap<unknown, number> {
  const counts = new Map<unknown, number>();
  for (const { request } of calls) counts.set(request.body, (counts.get(request.body) ?? 0) + 1);
  return counts;
}

type How = 200 | 404 | 503 | 'no answer';

const isAnswer = (end: End) => !(end instanceof Error) && end.status < 500;

/** Anything that can happen to a router, in any order. */
function histories() {
  const by = fc.record({
    userId: fc.constantFrom(...CUSTOMERS, undefined),
    to: fc.constantFrom(undefined, undefined, undefined, 'service', 'monolith'),
  });
  const method = fc.constantFrom('GET', 'GET', 'POST');
  const path = fc.constantFrom('/orders', '/orders/7', '/orders/refunds', '/orders-archive');
  const request = fc.tuple(method, path, by).map((args) => new CustomerAsks(...args));
  const end = fc.constantFrom<How[]>(200, 200, 404, 503, 'no answer');
  const ends = fc.tuple(fc.nat(9), end).map((args) => new BackendEnds(...args));
  return fc.commands(
    [
      fc.constantFrom(...TABLES).map((table) => new TableIsSet(table)),
      request,
      request,
      ends,
      ends,
      fc.boolean().map((killed) => new SwitchIsThrown(killed)),
    ],
    { maxCommands: 30, size: 'max' },
  );
}

class CustomerAsks implements fc.AsyncCommand<Paper, Shop> {
  readonly #args: readonly [string, string, By];
  constructor(method: string, path: string, by: By) {
    this.#args = [method, path, by];
  }
  check = () => true;
  async run(paper: Paper, shop: Shop) {
    const [method, path, by] = this.#args;
    const visit = await shop.visit(method, path, { ...by, body: paper.visits.length });
    paper.visits.push({ visit, plan: paper.planFor(visit.request), mayBeLeftOut: false });
    paper.check(shop);
  }
  toString = () => {
    const [method, path, { userId = 'a stranger', to }] = this.#args;
    return `${method} ${path} by ${userId}${to ? ` to ${to}` : ''}`;
  };
}

class BackendEnds implements fc.AsyncCommand<Paper, Shop> {
  readonly #nth: number;
  readonly #how: How;
  #who = 'nobody';
  constructor(nth: number, how: How) {
    this.#nth = nth;
    this.#how = how;
  }
  check = () => true;
  async run(paper: Paper, shop: Shop) {
    const open = shop.backends.flatMap(({ calls }) => calls).filter(({ hasEnded }) => !hasEnded);
    const call = open[this.#nth % open.length];
    const of = paper.visits[Number(call?.request.body)];
    if (!call || !of) return;
    this.#who = `${call.at}, request ${Number(call.request.body) + 1}`;
    const side = call.at === MONOLITH ? 'monolith' : 'service';
    if (this.#how === 'no answer') {
      of[side] = refused(`${call.at} is down`);
      await call.fails(of[side]);
    } else {
      of[side] = await call.answers(this.#how, 'the same');
    }
    paper.check(shop);
  }
  toString = () => `${this.#who}: ${this.#how}`;
}

class TableIsSet implements fc.AsyncCommand<Paper, Shop> {
  readonly #table: readonly Moved[];
  constructor(table: readonly Moved[]) {
    this.#table = table;
  }
  check = () => true;
  async run(paper: Paper, shop: Shop) {
    leaveCopiesOut(paper, shop);
    paper.table = this.#table;
    shop.setRoutes(...this.#table);
    await aMoment();
    paper.check(shop);
  }
  toString = () => `setRoutes(${this.#table.map(describeRoute).join(', ')})`;
}

class SwitchIsThrown implements fc.AsyncCommand<Paper, Shop> {
  readonly #killed: boolean;
  constructor(killed: boolean) {
    this.#killed = killed;
  }
  check = ({ killed }: Readonly<Paper>) => killed !== this.#killed;
  async run(paper: Paper, shop: Shop) {
    leaveCopiesOut(paper, shop);
    paper.killed = this.#killed;
    shop.router.setKilled(this.#killed);
    await aMoment();
    paper.check(shop);
  }
  toString = () => `setKilled(${this.#killed})`;
}

/** A copy that has not been sent by now may be left out. */
function leaveCopiesOut({ visits }: Paper, { orders }: Shop): void {
  for (const [index, visit] of visits.entries()) {
    if (!orders.calls.some(({ request }) => request.body === index)) visit.mayBeLeftOut = true;
  }
}
