// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 cannot do without it
import 'reflect-metadata';
import { X509Certificate, type webcrypto } from 'node:crypto';
import { once } from 'node:events';
import http, {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import https from 'node:https';
import net, { type Socket } from 'node:net';
import { networkInterfaces, platform } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import tls, { TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  startSidecar,
  type EjectionOptions,
  type Identity,
  type Route,
  type Sidecar,
  type SidecarOptions,
  type Target,
} from './sidecar-proxy.ts';

// Everything here is real: time, sockets, TLS. So the spec waits for events, and never for a time to pass, except to
// show that something does not happen.

const LOOPBACK = '127.0.0.1';
const XFCC = 'x-forwarded-client-cert';
const CHECK_PATH = '/healthz';

// ── Patience ────────────────────────────────────────────────────────────────────────────────────────────

/**
 * How long this thread may have nothing to do while somebody waits: a busy machine is slow, but not idle. Whoever hangs
 * once hangs often, and has less time from then on.
 */
const PATIENCE_MS = [800, 400, 200];
const LITTLE_MS = 100;
const LEAST_MS = 40;
const LONGEST_MS = 4_000;
let hangs = 0;

/** What is waited for, or a failure that says in words what has not come. */
async function inTime<T>(promise: Promise<T>, missing: string): Promise<T> {
  const began = performance.now();
  const idleBefore = performance.eventLoopUtilization().idle;
  const patienceMs = PATIENCE_MS[hangs] ?? (hangs < 20 ? LITTLE_MS : LEAST_MS);
  let watch: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    watch = setInterval(() => {
      const idleMs = performance.eventLoopUtilization().idle - idleBefore;
      if (idleMs < patienceMs && performance.now() - began < LONGEST_MS) return;
      hangs += 1;
      reject(new Error(missing));
    }, 10);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearInterval(watch);
  }
}

async function eventually(isSo: () => boolean, missing: string): Promise<void> {
  const over = new AbortController();
  const poll = async () => {
    while (!over.signal.aborted && !isSo()) await sleep(1);
  };
  await inTime(poll(), missing).finally(() => over.abort());
}

/** Long enough for whatever is under way between sockets of this thread. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn();
  await sleep(5);
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

// ── Certificates ────────────────────────────────────────────────────────────────────────────────────────

const CHECKOUT = 'spiffe://shop.example/checkout';
const PAYMENTS = 'spiffe://shop.example/payments';

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;
const inHours = (hours: number) => new Date(Date.now() + hours * HOUR_MS);

interface Authority {
  readonly keys: webcrypto.CryptoKeyPair;
  readonly certificate: x509.X509Certificate;
  readonly pem: string;
}

type Name = x509.JsonGeneralName;
const uri = (value: string): Name => ({ type: 'url', value });
const dns = (value: string): Name => ({ type: 'dns', value });

interface Wish {
  readonly names: readonly Name[];
  readonly by?: Authority;
  readonly hours?: readonly [from: number, to: number];
  readonly usages?: readonly string[];
  readonly subject?: string;
}

const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
let workloadKeys: webcrypto.CryptoKeyPair;
let keyPem = '';
let mesh: Authority;
let nextMesh: Authority;
let stranger: Authority;
let serials = 0x10;

async function authority(name: string): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    notBefore: inHours(-24),
    notAfter: inHours(24),
    signingAlgorithm: ECDSA,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  return { keys, certificate, pem: `${certificate.toString('pem')}\n` };
}

async function identity(wish: Wish): Promise<Identity> {
  const { names, by = mesh, hours = [-1, 1], usages = [clientAuth, serverAuth] } = wish;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: (serials += 1).toString(16),
    subject: wish.subject ?? 'CN=workload',
    issuer: by.certificate.subject,
    notBefore: inHours(hours[0]),
    notAfter: inHours(hours[1]),
    signingAlgorithm: ECDSA,
    publicKey: workloadKeys.publicKey,
    signingKey: by.keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([...usages]),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension([...names])] : []),
    ],
  });
  return { certPem: certificate.toString('pem'), keyPem, caPem: mesh.pem };
}

/** Certificates are dear: each wish is granted once. */
const granted = new Map<string, Promise<Identity>>();
function granting(who: string, wish: Wish): Promise<Identity> {
  const made = granted.get(who) ?? identity(wish);
  granted.set(who, made);
  return made;
}

const serialOf = ({ certPem }: Identity) => new X509Certificate(certPem).serialNumber;
const pemOf = ({ certPem: cert, keyPem: key, caPem: ca }: Identity) => ({ cert, key, ca });

/** How the spec calls, in the name of a workload: it takes whoever the old or the new mesh vouches for. */
function callingAs(as: Identity | 'nobody'): tls.ConnectionOptions {
  const made = contexts.get(as);
  const ca = mesh.pem + nextMesh.pem;
  const secureContext =
    made ?? tls.createSecureContext(as === 'nobody' ? { ca } : { ...pemOf(as), ca });
  contexts.set(as, secureContext);
  return { secureContext, host: LOOPBACK, checkServerIdentity: () => undefined };
}
const contexts = new Map<unknown, tls.SecureContext>();

let checkout: Identity;
let payments: Identity;

beforeAll(async () => {
  workloadKeys = await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', workloadKeys.privateKey);
  keyPem = x509.PemConverter.encode(pkcs8, 'PRIVATE KEY');
  mesh = await authority('mesh');
  nextMesh = await authority('next mesh');
  stranger = await authority('stranger');
  checkout = await identity({ names: [uri(CHECKOUT)] });
  payments = await identity({ names: [uri(PAYMENTS)] });
});

/** Whose certificate is right for checkout, and what may be wrong with it. */
const RIGHT: readonly [who: string, wish: () => Wish][] = [
  ['the id', () => ({ names: [uri(CHECKOUT)] })],
  ['the id beside a DNS name', () => ({ names: [dns('pod-7.internal'), uri(CHECKOUT)] })],
];
const NOT_TRUSTED: readonly [who: string, wish: () => Wish][] = [
  ['a certificate of another CA', () => ({ names: [uri(CHECKOUT)], by: stranger })],
  ['an expired certificate', () => ({ names: [uri(CHECKOUT)], hours: [-2, -1] })],
  ['a certificate that is not valid yet', () => ({ names: [uri(CHECKOUT)], hours: [1, 2] })],
];
const NOT_THE_ID: readonly [who: string, wish: () => Wish][] = [
  ['an id that begins like the right one', () => ({ names: [uri(`${CHECKOUT}-report`)] })],
  ['an id below the right one', () => ({ names: [uri(`${CHECKOUT}/admin`)] })],
  ['the right id in capitals', () => ({ names: [uri(CHECKOUT.toUpperCase())] })],
  [
    'the path in another trust domain',
    () => ({ names: [uri(CHECKOUT.replace('shop.', 'shop2.'))] }),
  ],
  ['two ids, the right one first', () => ({ names: [uri(CHECKOUT), uri(`${CHECKOUT}-report`)] })],
  ['two ids, the right one last', () => ({ names: [uri(`${CHECKOUT}-report`), uri(CHECKOUT)] })],
  ['a DNS name in which the id stands', () => ({ names: [dns(`a, URI:${CHECKOUT}, b`)] })],
  ['the id in the subject alone', () => ({ names: [], subject: `CN=${CHECKOUT}` })],
];

// ── The services, played by the spec ────────────────────────────────────────────────────────────────────

/** A request that has arrived at a service. */
class Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The certificate that the other side has shown has this serial number. */
  readonly serial: string | undefined;
  /** Resolves when the connection has gone before the response was at its end. */
  readonly brokenOff: Promise<void>;

  constructor(req: IncomingMessage, res: ServerResponse, serial?: string) {
    this.req = req;
    this.res = res;
    this.serial = serial;
    this.brokenOff = new Promise((resolve) => {
      res.once('close', () => {
        if (!res.writableFinished) resolve();
      });
    });
    // That a request breaks off is no error of the spec.
    req.on('error', () => {});
    res.on('error', () => {});
  }

  get what(): string {
    return `${this.req.method} ${this.req.url}`;
  }

  answers(status: number, body = 'paid', headers: http.OutgoingHttpHeaders = {}): void {
    this.res.writeHead(status, headers).end(body);
  }

  breaksOff(): void {
    this.req.socket.destroy();
  }

  async body(): Promise<string> {
    const all = textOf(this.req).catch(() =>
      expect.fail(`${this.what}: the request broke off before the end of its body`),
    );
    return inTime(all, `${this.what}: the body should have arrived by now, to its end`);
  }
}

/**
 * A plain HTTP service; with an identity, a service and its sidecar in one. Then it takes whoever comes, for that is
 * quicker, unless it `asksWho` that is.
 */
class Service {
  /** Closed, and as good as new: to read keys and certificates is dear. Each start has a port of its own. */
  static readonly #spare = new Map<string, Service[]>();

  readonly server: http.Server;
  readonly sockets = new Set<Socket>();
  readonly #alike: Service[];
  readonly #serials = new WeakMap<Socket, string>();
  #isSomebodyElse = false;
  /** What has been asked, apart from health checks. */
  readonly calls: Call[] = [];
  readonly checks: Call[] = [];
  /** How many connections there have been. */
  connections = 0;
  onCall: (call: Call) => unknown = () => {};
  onCheck: (call: Call) => unknown = () => {};

  private constructor(as: Identity | undefined, asksWho: boolean, alike: Service[]) {
    this.#alike = alike;
    this.server = as
      ? https.createServer({ ...pemOf(as), requestCert: asksWho })
      : http.createServer();
    this.server.on('secureConnection', (socket: TLSSocket) => {
      const shown = socket.getPeerX509Certificate();
      if (shown) this.#serials.set(socket, shown.serialNumber);
    });
    this.server.on('request', (req, res) => {
      const call = new Call(req, res, this.#serials.get(req.socket));
      if (req.url === CHECK_PATH) {
        this.checks.push(call);
        this.onCheck(call);
      } else {
        this.calls.push(call);
        this.onCall(call);
      }
    });
    this.server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  static async start(as?: Identity, { asksWho = false } = {}): Promise<Service> {
    const kind = `${asksWho} ${as?.certPem} ${as?.caPem}`;
    const alike = Service.#spare.get(kind) ?? [];
    Service.#spare.set(kind, alike);
    const service = alike.pop() ?? new Service(as, asksWho, alike);
    service.beginsAnew();
    service.server.listen(0, LOOPBACK);
    await once(service.server, 'listening');
    opened.add(service);
    return service;
  }

  /** Knows of no call, and answers each. */
  beginsAnew(): void {
    this.calls.length = 0;
    this.checks.length = 0;
    this.connections = 0;
    this.onCall = (call) => call.answers(200, 'paid');
    this.onCheck = (call) => call.answers(200);
  }

  get port(): number {
    return portOf(this.server);
  }

  /** The call with this number, from 1 on, when it has come. */
  async call(nr = 1): Promise<Call> {
    const missing = `request no. ${nr} should have reached the service by now`;
    await eventually(() => this.calls.length >= nr, missing);
    return this.calls[nr - 1] ?? expect.fail(missing);
  }

  /** From now on it keeps whoever asks waiting. */
  holds(): void {
    this.onCall = () => {};
  }

  answers(status: number, body = 'paid'): void {
    this.onCall = (call) => call.answers(status, body);
  }

  /** New connections get to see somebody else. */
  becomes(as: Identity): void {
    this.#isSomebodyElse = true;
    if (this.server instanceof https.Server) this.server.setSecureContext(pemOf(as));
  }

  close(): void {
    this.server.close((wasClosed) => {
      if (!wasClosed && !this.#isSomebodyElse) this.#alike.push(this);
    });
    for (const socket of this.sockets) socket.destroy();
  }
}

/** A port on which connections come about, and nothing is ever said. */
class MuteDoor {
  readonly sockets = new Set<Socket>();
  knocks = 0;
  readonly server: net.Server;

  private constructor(onKnock: (socket: Socket) => void) {
    this.server = net.createServer((socket) => {
      this.knocks += 1;
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.sockets.delete(socket)).resume();
      onKnock(socket);
    });
  }

  /** Ends each connection at once. */
  static slammed(): Promise<MuteDoor> {
    return MuteDoor.#open((socket) => socket.destroy());
  }

  /** Leaves each connection open. */
  static silent(): Promise<MuteDoor> {
    return MuteDoor.#open(() => {});
  }

  static async #open(onKnock: (socket: Socket) => void): Promise<MuteDoor> {
    const door = new MuteDoor(onKnock);
    door.server.listen(0, LOOPBACK);
    await once(door.server, 'listening');
    opened.add(door);
    return door;
  }

  get port(): number {
    return portOf(this.server);
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

function portOf(server: net.Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : expect.fail('no port');
}

async function textOf(stream: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString('latin1');
}

// ── Whoever asks ────────────────────────────────────────────────────────────────────────────────────────

interface Asking {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
  readonly body?: string;
  /** The request goes on: the spec writes what else there is. */
  readonly isOpen?: boolean;
  readonly agent?: http.Agent;
  /** With mutual TLS, as this workload; `nobody` has no certificate. */
  readonly as?: Identity | 'nobody';
}

interface Reply {
  readonly told: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const NO_ANSWER = 'no answer';
const reply = (status: number, body = 'paid') => `${status} “${body}”`;

/** A request, from the view of whoever makes it. */
class Ask {
  readonly req: ClientRequest;
  readonly what: string;
  readonly #response: Promise<IncomingMessage>;

  constructor(port: number, asking: Asking) {
    const { method = 'GET', path = '/charge', host = 'payments', body, as, agent } = asking;
    this.what = `${method} ${path}`;
    const headers = ['host', host, ...(asking.headers ?? [])];
    const lower = headers.map((each) => each.toLowerCase());
    const isFramed = lower.includes('transfer-encoding') || lower.includes('content-length');
    if (!isFramed && (body !== undefined || method.startsWith('P'))) {
      headers.push('content-length', String(body?.length ?? 0));
    }
    const how = { host: LOOPBACK, port, method, path, headers, agent: agent ?? false };
    this.req = as ? https.request({ ...how, ...callingAs(as) }) : http.request(how);
    this.#response = new Promise((resolve, reject) => {
      this.req.on('error', reject).once('response', resolve);
    });
    this.#response.catch(() => {});
    opened.add({ close: () => this.hangsUp() });
    if (asking.isOpen) this.req.flushHeaders();
    else this.req.end(body, 'latin1');
  }

  /** The head of the response. */
  async head(): Promise<IncomingMessage> {
    const answered = this.#response.catch(() =>
      expect.fail(`${this.what}: the connection broke before there was an answer`),
    );
    const response = await inTime(answered, `${this.what} should have been answered by now`);
    response.on('error', () => {});
    return response;
  }

  /** The response, to its end or until it breaks off. */
  async reply(): Promise<Reply> {
    const missing = `${this.what} should have an answer by now: the caller still waits`;
    return inTime(this.#reply(), missing);
  }

  async told(): Promise<string> {
    return (await this.reply()).told;
  }

  async #reply(): Promise<Reply> {
    let response: IncomingMessage;
    try {
      response = await this.#response;
    } catch {
      return { told: NO_ANSWER, status: 0, headers: {}, body: '' };
    }
    const { statusCode: status = 0, headers } = response;
    try {
      const body = await textOf(response);
      const shown = body.length > 200 ? `${body.length} bytes` : body;
      return { told: reply(status, shown), status, headers, body };
    } catch {
      return { told: `${status}, and then it broke off`, status, headers, body: '' };
    }
  }

  hangsUp(): void {
    this.req.destroy();
  }
}

/** What the spec has opened itself. */
const opened = new Set<{ close(): void }>();

// ── Sidecars ────────────────────────────────────────────────────────────────────────────────────────────

/** No try of this spec takes as long. */
const LONG_MS = 30_000;
const running = new Set<Sidecar>();

type Options = Partial<SidecarOptions>;

/** After so many failures in a row; no check comes within the time of a test, unless it is told to. */
function ejecting(
  failures: number,
  more: Partial<EjectionOptions> = {},
): Pick<SidecarOptions, 'ejection'> {
  const checks = { checkPath: CHECK_PATH, checkEveryMs: LONG_MS, checkTimeoutMs: LONG_MS };
  return { ejection: { failures, ...checks, ...more } };
}

/** That of checkout, if nothing else is said; nobody may call it, and it knows no routes. */
async function sidecar(options: Options = {}): Promise<Sidecar> {
  const started = startSidecar({
    appPort: 1,
    identity: checkout,
    allow: [],
    routes: {},
    ...ejecting(1_000),
    ...options,
  });
  const made = await inTime(started, 'startSidecar() should have resolved by now');
  if (typeof made?.drain === 'function') running.add(made);
  return made;
}

const SOON = { checkEveryMs: 10 };

type Ported = { readonly port: number };

function target(at: readonly Ported[], more: Partial<Target> = {}): Target {
  return { weight: 1, spiffeId: PAYMENTS, ports: at.map(({ port }) => port), ...more };
}

function routeTo(at: readonly Ported[], more: Partial<Route> = {}): Route {
  return { timeoutMs: LONG_MS, retries: 0, targets: [target(at)], ...more };
}

/** Checkout's sidecar, with a route to endpoints that the spec plays. */
async function outTo(
  at: readonly Ported[],
  route: Partial<Route> = {},
  options: Options = {},
): Promise<Outbound> {
  const made = await sidecar({ routes: { payments: routeTo(at, route) }, ...options });
  return new Outbound(made);
}

/** Checkout, the service, with its sidecar beside it. */
class Outbound {
  readonly sidecar: Sidecar;
  constructor(made: Sidecar) {
    this.sidecar = made;
  }
  asks(asking: Asking = {}): Ask {
    return new Ask(this.sidecar.outboundPort, asking);
  }
  async told(asking: Asking = {}): Promise<string> {
    return this.asks(asking).told();
  }
  /** One after another. */
  async asksTimes(times: number): Promise<string[]> {
    const all: string[] = [];
    for (let nr = 0; nr < times; nr += 1) all.push(await this.told());
    return all;
  }
}

/** The sidecar of payments, beside the service itself. */
async function inTo(app: Service, options: Options = {}): Promise<Inbound> {
  const allow = [CHECKOUT];
  return new Inbound(await sidecar({ appPort: app.port, identity: payments, allow, ...options }));
}

class Inbound {
  readonly sidecar: Sidecar;
  constructor(made: Sidecar) {
    this.sidecar = made;
  }
  asks(asking: Asking = {}): Ask {
    return new Ask(this.sidecar.inboundPort, { as: checkout, ...asking });
  }
  async told(asking: Asking = {}): Promise<string> {
    return this.asks(asking).told();
  }
}

/** Checkout and its sidecar, the sidecar of payments, and payments itself. */
interface Street {
  readonly app: Service;
  readonly shop: Outbound;
  readonly pay: Inbound;
}

async function ownSidecars(): Promise<Street> {
  const app = await Service.start();
  const pay = await inTo(app);
  const shop = await outTo([{ port: pay.sidecar.inboundPort }]);
  return { app, shop, pay };
}

/** For all tests that change nothing there. What a failed test has left behind is used no more. */
let street: Street | undefined;

async function bothSidecars(): Promise<Street> {
  street ??= await ownSidecars();
  const { app, shop, pay } = street;
  opened.delete(app);
  for (const each of [shop, pay]) running.delete(each.sidecar);
  app.beginsAnew();
  return street;
}

function leaveStreet(): void {
  if (!street) return;
  opened.add(street.app);
  for (const each of [street.shop, street.pay]) running.add(each.sidecar);
  street = undefined;
}

/** Keeps connections, as other sidecars do. */
function keeping(): https.Agent {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  opened.add({ close: () => agent.destroy() });
  return agent;
}

async function drained(made: Sidecar, graceMs: number, missing: string): Promise<void> {
  running.delete(made);
  await inTime(made.drain(graceMs), missing);
}

async function expectBrokenOff(call: Call, missing: string): Promise<void> {
  await inTime(call.brokenOff, missing);
}

const asked = (...services: readonly Service[]) =>
  services.map(({ calls }) => calls.length).join(', ');

const numbered = <T>(count: number, make: (nr: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index + 1));

/** Of payments: the service with its sidecar, played by the spec. */
const endpoint = () => Service.start(payments);
const asksWho = { asksWho: true };

// ── After each test ─────────────────────────────────────────────────────────────────────────────────────

const strays: unknown[] = [];
const onStray = (reason: unknown) => strays.push(reason);
process.on('unhandledRejection', onStray);
process.on('uncaughtException', onStray);
afterAll(async () => {
  leaveStreet();
  await closeAll();
  process.off('unhandledRejection', onStray);
  process.off('uncaughtException', onStray);
});

async function closeAll(): Promise<void> {
  for (const each of opened) each.close();
  opened.clear();
  // Draining is the business of the last level: here it is only to make room.
  const drains = [...running].map(async (made) => made.drain(0));
  running.clear();
  if (drains.length > 0) await inTime(Promise.allSettled(drains), '').catch(() => {});
  await turn();
}

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') leaveStreet();
  await closeAll();
  const [stray] = strays.splice(0);
  if (stray !== undefined) {
    leaveStreet();
    const text = stray instanceof Error ? stray.message : inspect(stray);
    expect.fail(
      `“${text}” was thrown or rejected where nobody handles it, which ends the process of a sidecar, and cuts all that runs through it`,
    );
  }
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · a request goes through both sidecars', () => {
  it('carries method, path and query as they were sent', async () => {
    const { app, shop } = await bothSidecars();
    const sent = [
      { method: 'GET', path: '/a//b/%2F/../c?x=1&x=2&y=%20+&z=' },
      { method: 'PATCH', path: '/?' },
      { method: 'PURGE', path: '/charge?to=http://a/b' },
      { method: 'DELETE', path: '/charge' },
    ];
    for (const asking of sent) {
      const told = await shop.told(asking);
      expect(told, `${asking.method} ${asking.path}: what checkout is told`).toBe(reply(200));
    }
    const seen = app.calls.map(({ what }) => what);
    const want = sent.map(({ method, path }) => `${method} ${path}`);
    expect(seen, 'payments has to see each request as checkout has sent it').toEqual(want);
    const bare = app.calls.filter(({ req }) => ['GET', 'DELETE'].includes(String(req.method)));
    const framed = bare.filter(({ req }) => 'transfer-encoding' in req.headers);
    const why = 'requests without a body that reach payments with a chunked one';
    expect(
      framed.map(({ what }) => what),
      why,
    ).toEqual([]);
  });

  it('carries the body, and the status and body of the response', async () => {
    const { app, shop } = await bothSidecars();
    const body = String.fromCharCode(...numbered(60_000, (nr) => (nr * 7) % 256));
    app.onCall = async (call) => call.res.writeHead(418).end(await call.body(), 'latin1');
    const answer = await shop.asks({ method: 'POST', body }).reply();
    expect(answer.status, 'the status is that of payments').toBe(418);
    expect(answer.body === body, 'each byte has to arrive, on the way there and back').toBe(true);
  });

  it('carries headers, also those that come twice', async () => {
    const { app, shop } = await bothSidecars();
    app.onCall = (call) => {
      call.answers(200, 'paid', { 'Set-Cookie': ['a=1', 'b=2'], 'X-Version': '7', Vary: 'x, y' });
    };
    const headers = ['Accept', 'a/b', 'X-Tag', 'one', 'X-Tag', 'two', 'Cookie', 'a=1; b=2'];
    const answer = await shop.asks({ headers, host: 'payments:8080' }).reply();
    const { req } = await app.call();
    const { accept, host, cookie, 'x-tag': tags } = req.headers;
    expect({ accept, host, cookie, tags }, 'the headers that payments sees').toEqual({
      accept: 'a/b',
      host: 'payments:8080',
      cookie: 'a=1; b=2',
      tags: 'one, two',
    });
    const { 'set-cookie': cookies, 'x-version': version, vary } = answer.headers;
    expect({ cookies, version, vary }, 'the headers that checkout sees').toEqual({
      cookies: ['a=1', 'b=2'],
      version: '7',
      vary: 'x, y',
    });
  });

  it('leaves the body of a DELETE or GET a body', async () => {
    const { app, shop } = await bothSidecars();
    app.onCall = async (call) => call.answers(200, await call.body());
    const body = 'GET /refund-everything HTTP/1.1\r\nhost: payments\r\n\r\n';
    const chunked = ['Transfer-Encoding', 'chunked'];
    const framings = [
      ['DELETE', 'with a content-length', []],
      ['DELETE', 'with a chunked body', chunked],
      ['GET', 'with a chunked body', chunked],
    ] as const;
    for (const [method, framing, headers] of framings) {
      const before = app.calls.length;
      const { body: echo } = await shop.asks({ method, headers, body }).reply();
      await settle();
      const others = app.calls.slice(before + 1).map(({ what }) => what);
      const how = `${method} ${framing}`;
      expect(others, `${how}: its body reached payments as a request of its own`).toEqual([]);
      expect(echo, `${how}: payments has to get the body`).toBe(body);
    }
  });

  it('carries responses that have no body', async () => {
    const { app, shop } = await bothSidecars();
    app.onCall = (call) => call.answers(200, '', { 'Content-Length': 17, ETag: '"7"' });
    const head = await shop.asks({ method: 'HEAD' }).reply();
    expect(head.told, 'HEAD').toBe(reply(200, ''));
    expect(head.headers['content-length'], 'a HEAD says how long the body would be').toBe('17');
    for (const status of [204, 304]) {
      app.onCall = (call) => call.answers(status, '', { ETag: '"7"' });
      const none = await shop.asks().reply();
      expect(none.told, `a response ${status}`).toBe(reply(status, ''));
      expect(none.headers.etag, `the headers of a response ${status}`).toBe('"7"');
    }
  });

  it('ends the headers of one connection there, for requests', async () => {
    const { app, shop, pay } = await bothSidecars();
    const lines = {
      Connection: ['X-Debug,  x-trace-me', 'upgrade'],
      'X-Debug': ['1'],
      'X-Trace-Me': ['1'],
      'Keep-Alive': ['timeout=99'],
      'Proxy-Connection': ['close'],
      TE: ['trailers'],
      Upgrade: ['h2c'],
      'X-Stays': ['1'],
    };
    const headers = Object.entries(lines).flatMap(([name, values]) =>
      values.flatMap((value) => [name, value]),
    );
    for (const asks of [shop.asks({ headers }), pay.asks({ headers })]) {
      expect(await asks.told(), 'the request itself arrives').toBe(reply(200));
    }
    const directly = ['through both sidecars', 'through the sidecar of payments alone'];
    for (const [index, call] of app.calls.entries()) {
      const left = leftOf(call.req.headers, ['te', 'upgrade', 'proxy-connection']);
      expect(left, `${directly[index]}: hop-by-hop headers that payments sees`).toEqual([]);
      expect(call.req.headers['x-stays'], 'all other headers stay').toBe('1');
    }
  });

  it('ends the headers of one connection there, for responses', async () => {
    const { app, shop } = await bothSidecars();
    app.onCall = (call) => {
      call.answers(200, 'paid', {
        Connection: 'X-Debug,  x-trace-me, keep-alive',
        'X-Debug': '1',
        'X-Trace-Me': '1',
        'Keep-Alive': 'timeout=99',
        'Proxy-Connection': 'close',
        Upgrade: 'h2c',
        'X-Stays': '1',
      });
    };
    const answer = await shop.asks().reply();
    const left = leftOf(answer.headers, ['upgrade', 'proxy-connection']);
    expect(left, 'hop-by-hop headers that checkout sees').toEqual([]);
    expect(answer.headers['x-stays'], 'all other headers stay').toBe('1');
  });

  function leftOf(headers: IncomingHttpHeaders, hopByHop: readonly string[]): string[] {
    const named = ['x-debug', 'x-trace-me'].filter((name) => headers[name] !== undefined);
    const usual = hopByHop.filter((name) => headers[name] !== undefined);
    const inConnection = /x-debug|x-trace-me|upgrade/i.exec(headers.connection ?? '') ?? [];
    const keepAlive = headers['keep-alive']?.includes('99') ? ['keep-alive'] : [];
    return [...named, ...usual, ...keepAlive, ...inConnection.map((each) => `connection: ${each}`)];
  }

  it('finds the route by the name of the host, whatever the case and the port', async () => {
    const [old, fresh] = [await endpoint(), await endpoint()];
    const routes = { payments: routeTo([old]), 'ledger.shop': routeTo([fresh]) };
    const shop = new Outbound(await sidecar({ routes }));
    for (const host of ['payments', 'Payments:80', 'LEDGER.shop:8443']) {
      expect(await shop.told({ host }), `a request with “Host: ${host}”`).toBe(reply(200));
    }
    expect(asked(old, fresh), 'requests for payments, and for the ledger').toBe('2, 1');
  });

  it('answers 404 if there is no route', async () => {
    const pay = await endpoint();
    const shop = await outTo([pay]);
    for (const host of ['payment', 'payments.evil', 'toString', '__proto__', '']) {
      const { status } = await shop.asks({ host }).reply();
      expect(status, `a request with “Host: ${host}”`).toBe(404);
    }
    expect(asked(pay), 'nobody is asked').toBe('0');
    expect(await shop.told(), 'the sidecar still works').toBe(reply(200));
  });

  it('answers 502 if its own service breaks off, and 503 if it is not there', async () => {
    const app = await Service.start();
    const pay = await inTo(app);
    app.onCall = (call) => call.breaksOff();
    const broken = await pay.asks({ method: 'POST', body: 'x' }).reply();
    expect(broken.status, 'payments has broken off: nobody knows what it has done').toBe(502);
    expect(asked(app), 'payments is asked once: what comes in is never repeated').toBe('1');
    app.close();
    await settle();
    const { status } = await pay.asks({ method: 'POST', body: 'x' }).reply();
    expect(status, 'payments does not listen, so nothing was sent').toBe(503);
  });
});

describe('2 · both sides show who they are', () => {
  it('lets in who may come in, and tells the service who it is', async () => {
    const app = await Service.start();
    const pay = await inTo(app, { allow: ['spiffe://shop.example/other', CHECKOUT] });
    for (const [who, wish] of RIGHT) {
      const told = await pay.told({ as: await granting(who, wish()) });
      expect(told, `a caller with ${who}: what it is told`).toBe(reply(200));
      const seen = app.calls.at(-1)?.req.headers[XFCC];
      expect(seen, `a caller with ${who}: ${XFCC}, as payments sees it`).toBe(`URI=${CHECKOUT}`);
    }
  });

  it('turns away callers for whom the mesh does not vouch', async () => {
    const { app, pay } = await bothSidecars();
    const callers: [string, Identity | 'nobody' | undefined][] = [
      ['no certificate', 'nobody'],
      ['no TLS at all', undefined],
      [
        'a certificate for servers alone',
        await identity({ names: [uri(CHECKOUT)], usages: [serverAuth] }),
      ],
    ];
    for (const [who, wish] of NOT_TRUSTED) callers.push([who, await granting(who, wish())]);
    for (const [who, as] of callers) {
      const asks = new Ask(pay.sidecar.inboundPort, as ? { as } : {});
      const { status, told } = await asks.reply();
      expect([0, 400, 403], `a caller with ${who} was told ${told}`).toContain(status);
      expect(asked(app), `a caller with ${who} has got through to payments`).toBe('0');
    }
    expect(await pay.told(), 'checkout still gets in').toBe(reply(200));
  });

  it('turns away all ids but those that are allowed', async () => {
    const { app, pay } = await bothSidecars();
    for (const [who, wish] of NOT_THE_ID) {
      const { told, status } = await pay.asks({ as: await granting(who, wish()) }).reply();
      expect(status, `a caller with ${who} was told ${told}`).toBe(403);
      expect(asked(app), `a caller with ${who} has got through to payments`).toBe('0');
    }
    expect(await pay.told(), 'checkout still gets in').toBe(reply(200));
  });

  it('lets nobody in if nobody is allowed', async () => {
    const app = await Service.start();
    const pay = await inTo(app, { allow: [] });
    const { status } = await pay.asks({ method: 'POST', body: 'x' }).reply();
    expect(status, 'the list of who is allowed is empty').toBe(403);
    expect(asked(app), 'payments is not asked').toBe('0');
  });

  it('asks whoever has the right id', async () => {
    const peers: Service[] = [];
    for (const [who, wish] of RIGHT) peers.push(await Service.start(await granting(who, wish())));
    const shop = await outTo([], { targets: [target(peers, { spiffeId: CHECKOUT })] });
    const told = await shop.asksTimes(peers.length);
    const whose = `endpoints with ${RIGHT.map(([who]) => who).join(', and with ')}`;
    expect(told, whose).toEqual(peers.map(() => reply(200)));
  });

  it('sends nothing to an endpoint for which the mesh does not vouch', async () => {
    const endpoints: [string, Identity][] = [
      [
        'a certificate for clients alone',
        await identity({ names: [uri(CHECKOUT)], usages: [clientAuth] }),
      ],
    ];
    for (const [who, wish] of NOT_TRUSTED) endpoints.push([who, await granting(who, wish())]);
    await expectShunned(endpoints);
  });

  it('sends nothing to an endpoint with another id', async () => {
    const endpoints: [string, Identity][] = [];
    // All of them are tried on the way in.
    const some = NOT_THE_ID.filter(([who]) => !/below|capitals|domain|first/.test(who));
    for (const [who, wish] of some) endpoints.push([who, await granting(who, wish())]);
    await expectShunned(endpoints);
  });

  async function expectShunned(endpoints: readonly [string, Identity][]): Promise<void> {
    const at = await Service.start(checkout);
    const shop = await outTo([at], { targets: [target([at], { spiffeId: CHECKOUT })] });
    for (const [who, as] of endpoints) {
      at.becomes(as);
      const { status, told } = await shop.asks({ method: 'POST', body: 'card 4711' }).reply();
      expect(asked(at), `an endpoint with ${who} has got a request with a card number`).toBe('0');
      const why = `an endpoint with ${who} is nobody to talk to: checkout was told ${told}`;
      expect(status, why).toBe(503);
    }
  }

  it('shows its own certificate to both sides', async () => {
    const at = await Service.start(payments, asksWho);
    const out = await outTo([at]);
    await out.told();
    const { serial } = await at.call();
    expect(serial, 'the certificate that the endpoint sees').toBe(serialOf(checkout));
    const { pay } = await bothSidecars();
    const seen = await serialAt(pay.sidecar.inboundPort);
    expect(seen, 'the certificate that the caller sees').toBe(serialOf(payments));
  });

  it('knows whom it knows when the next connection resumes the session', async () => {
    const at = await endpoint();
    const shop = await outTo([at]);
    for (const nr of [1, 2]) {
      expect(await shop.told(), `connection no. ${nr} to an endpoint`).toBe(reply(200));
      await settle();
      at.server.closeIdleConnections();
      await eventually(() => at.sockets.size === 0, 'an idle connection that was closed is open');
      await settle();
    }
    const { pay } = await bothSidecars();
    const agent = new https.Agent({ keepAlive: false, maxCachedSessions: 10 });
    for (const nr of [1, 2]) {
      expect(await pay.told({ agent }), `connection no. ${nr} of a caller`).toBe(reply(200));
    }
  });

  it('says who calls, whatever others have written there', async () => {
    const { app, shop, pay } = await bothSidecars();
    const name = fc.constantFrom(XFCC, 'X-Forwarded-Client-Cert', XFCC.toUpperCase());
    const forged = fc.constantFrom(
      'URI=spiffe://shop.example/admin',
      `By=x;URI=${CHECKOUT}`,
      '',
      'Hash=1;Subject="CN=admin"',
    );
    const line = fc.oneof(
      fc.tuple(name, forged),
      fc.tuple(fc.constant('Connection'), fc.oneof(name, fc.constant(`keep-alive, ${XFCC}`))),
      fc.tuple(fc.constantFrom('X-A', 'x-forwarded-for'), fc.constant('1')),
    );
    const agent = keeping();
    const property = fc.asyncProperty(
      fc.array(line, { maxLength: 5 }),
      fc.constantFrom('checkout itself' as const, 'another sidecar' as const),
      async (lines, by) => {
        const headers = lines.flat();
        const asks =
          by === 'checkout itself' ? shop.asks({ headers }) : pay.asks({ headers, agent });
        const told = await asks.told();
        const seen = app.calls.at(-1)?.req.headersDistinct[XFCC];
        expect(told, `what checkout is told`).toBe(reply(200));
        expect(seen, `${XFCC}, as payments sees it; these headers came from ${by}`).toEqual([
          `URI=${CHECKOUT}`,
        ]);
      },
    );
    // The shortest first: real sockets are too slow to look for the shortest afterwards.
    const shortest: [[string, string][], 'checkout itself' | 'another sidecar'][] = [
      [[[XFCC, 'URI=spiffe://shop.example/admin']], 'checkout itself'],
      [[[XFCC, 'URI=spiffe://shop.example/admin']], 'another sidecar'],
      [[['Connection', XFCC]], 'another sidecar'],
    ];
    await fc.assert(property, { seed: 56, numRuns: 10, examples: shortest, endOnFailure: true });
  });

  it('is there for its own machine alone', async () => {
    const made = await sidecar();
    const addresses = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(
        ({ address, family }) =>
          address !== LOOPBACK && !(family === 'IPv6' && /^fe80/i.test(address)),
      )
      .map(({ address }) => address);
    if (platform() === 'linux') addresses.push('127.0.0.2');
    for (const address of addresses) {
      expect(
        await canConnect(made.outboundPort, address),
        `whoever reaches ${address}:${made.outboundPort} can speak in the name of checkout`,
      ).toBe(false);
    }
  });

  async function canConnect(port: number, host: string): Promise<boolean> {
    const socket = net.connect({ port, host });
    opened.add({ close: () => socket.destroy() });
    const answer = new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    return Promise.race([answer, sleep(200, false, { ref: false })]);
  }
});

/** Of the certificate that a server shows on a new connection. */
async function serialAt(port: number): Promise<string | undefined> {
  const socket = tls.connect({ ...callingAs(checkout), port });
  opened.add({ close: () => socket.destroy() });
  await inTime(once(socket, 'secureConnect'), 'the handshake should have come to an end');
  return socket.getPeerX509Certificate()?.serialNumber;
}

describe('3 · bodies are streams', () => {
  it('passes on heads and each part as they come, in both directions at once', async () => {
    const { app, shop } = await bothSidecars();
    app.holds();
    const headers = ['Transfer-Encoding', 'chunked'];
    const asks = shop.asks({ method: 'POST', headers, isOpen: true });
    const { req, res } = await app.call();
    res.writeHead(200).flushHeaders();
    const head = await asks.head();
    req.on('data', (part: Buffer) => res.write(`got ${part.toString()}`));
    req.on('end', () => res.end('bye'));
    const parts: string[] = [];
    head.on('data', (part: Buffer) => parts.push(part.toString()));
    for (const [index, word] of ['one', 'two'].entries()) {
      asks.req.write(word);
      const missing = `part ${index + 1} should have come back before more is sent`;
      await eventually(() => parts.length > index, missing);
    }
    asks.req.end();
    await inTime(once(head, 'end'), 'the response should have come to its end');
    expect(parts.join(', '), 'the conversation').toBe('got one, got two, bye');
  });

  it('holds a fast service back while the caller does not read', async () => {
    const pay = await endpoint();
    const shop = await outTo([pay]);
    pay.onCall = (call) => call.res.flushHeaders();
    const head = await shop.asks().head();
    const { res } = await pay.call();
    const written = await pumped(res);
    expect(
      written < MUCH,
      `nobody reads, and the sidecar took ${inMb(written)} MB of a body into its memory`,
    ).toBe(true);
    res.end();
    const size = await inTime(sizeOf(head), 'the rest should come when it is read');
    expect(size, 'when it is read, all of it comes').toBe(written);
  });

  it('holds a fast caller back while the service does not read', async () => {
    const { app, pay } = await bothSidecars();
    app.holds();
    const headers = ['Transfer-Encoding', 'chunked'];
    const asks = pay.asks({ method: 'POST', headers, isOpen: true });
    const call = await app.call();
    const written = await pumped(asks.req);
    expect(
      written < MUCH,
      `nobody reads, and the sidecar took ${inMb(written)} MB of a body into its memory`,
    ).toBe(true);
    asks.req.end();
    const size = await inTime(sizeOf(call.req), 'the rest should come when it is read');
    expect(size, 'when it is read, all of it comes').toBe(written);
  });

  /** More than all buffers of sockets and streams on the way hold together. */
  const MUCH = 48 * 2 ** 20;
  const PART = Buffer.alloc(2 ** 18, 'x');
  const inMb = (bytes: number) => Math.round(bytes / 2 ** 20);

  /** Writes until the other end takes nothing for a while, or until it is too much. */
  async function pumped(stream: NodeJS.WritableStream): Promise<number> {
    let written = 0;
    for (;;) {
      let isTaken = true;
      while (isTaken && written < MUCH) {
        isTaken = stream.write(PART);
        written += PART.length;
      }
      if (written >= MUCH) return written;
      const drain = once(stream, 'drain').then(() => true);
      const stalled = stillFor(30).then(() => false);
      if (!(await Promise.race([drain, stalled]))) return written;
    }
  }

  async function sizeOf(stream: IncomingMessage): Promise<number> {
    let size = 0;
    for await (const part of stream) size += part.length;
    return size;
  }

  async function stillFor(ms: number): Promise<void> {
    const before = performance.eventLoopUtilization().idle;
    while (performance.eventLoopUtilization().idle - before < ms) await sleep(5);
  }

  it('tells the service that the caller hangs up while it waits', async () => {
    const { app, shop } = await bothSidecars();
    app.holds();
    const asks = shop.asks({ method: 'POST', body: 'x' });
    const call = await app.call();
    asks.hangsUp();
    await expectBrokenOff(call, 'checkout has hung up, and payments works on for nobody');
  });

  it('tells the service that the caller hangs up in the middle of a request', async () => {
    const { app, shop } = await bothSidecars();
    app.holds();
    const headers = ['Content-Length', '1000'];
    const asks = shop.asks({ method: 'POST', headers, isOpen: true });
    asks.req.write('half of it');
    const call = await app.call();
    let hasEnded = false;
    call.req.on('end', () => {
      hasEnded = true;
    });
    call.req.resume();
    asks.hangsUp();
    await expectBrokenOff(call, 'checkout has hung up, and payments waits for the rest');
    expect(hasEnded, 'half a request must not look like a whole one').toBe(false);
  });

  it('tells the service that the caller hangs up in the middle of a response', async () => {
    const { app, shop } = await bothSidecars();
    app.onCall = (call) => call.res.write('half of it');
    const asks = shop.asks();
    await asks.head();
    asks.hangsUp();
    const call = await app.call();
    await expectBrokenOff(call, 'checkout has hung up, and payments sends on to nobody');
  });

  it('tells the caller that the service breaks off in the middle of a response', async () => {
    const { app, shop } = await bothSidecars();
    for (const headers of [{ 'Content-Length': 1_000 }, { 'Transfer-Encoding': 'chunked' }]) {
      app.onCall = (call) => call.res.writeHead(200, headers).write('half of it');
      const asks = shop.asks();
      await asks.head();
      (await app.call(app.calls.length)).breaksOff();
      const how = `a response with ${Object.keys(headers).join()}`;
      const told = await asks.told();
      expect(told, `${how}: half of it must not look like all`).toBe('200, and then it broke off');
    }
    app.answers(200);
    expect(await shop.told(), 'the next request goes well').toBe(reply(200));
  });
});

/** On a busy machine a request may be late before it has arrived anywhere: then it says nothing, and gets more time. */
const TIMES_MS = [40, 160, 640, 2_560];

describe('4 · time and tries', () => {
  const TRACE = '0bf92f3577b34da6a3ce929d0e0e4736';
  const SPAN = '00f067aa0ba902b7';
  const VALID = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

  it('answers 504 when time is up, and calls the request off', async () => {
    const pay = await endpoint();
    pay.holds();
    for (const timeoutMs of TIMES_MS) {
      const shop = await outTo([pay], { timeoutMs });
      const { status } = await shop.asks({ method: 'POST', body: 'x' }).reply();
      expect(status, 'nobody has answered within timeoutMs').toBe(504);
      if (pay.calls.length > 0) break;
    }
    const call = await pay.call();
    await expectBrokenOff(call, 'checkout has its 504, and payments works on for nobody');
  });

  it('answers 504 also if nobody speaks on the connection', async () => {
    const silent = await MuteDoor.silent();
    const shop = await outTo([silent], { timeoutMs: 40, retries: 2 });
    const { status } = await shop.asks({ method: 'POST', body: 'x' }).reply();
    expect(status, 'the handshake has not come to its end within timeoutMs').toBe(504);
    const missing = 'checkout has its 504, and the connection to whoever is silent is still open';
    await eventually(() => silent.sockets.size === 0, missing);
  });

  it('gives a response as much time as it takes, once it has begun', async () => {
    const pay = await endpoint();
    let told = '';
    for (const timeoutMs of TIMES_MS) {
      pay.onCall = async ({ res }) => {
        res.writeHead(200).write('in ');
        await sleep(timeoutMs + 40);
        res.end('parts');
      };
      const shop = await outTo([pay], { timeoutMs });
      told = await shop.told();
      if (told !== reply(504, '')) break;
    }
    expect(told, 'a body that takes longer than timeoutMs').toBe(reply(200, 'in parts'));
  });

  it('has one deadline for all tries', async () => {
    const pay = await endpoint();
    for (const timeoutMs of [160, 640, 2_560]) {
      pay.calls.length = 0;
      pay.onCall = async (call) => {
        await sleep(0.6 * timeoutMs);
        call.answers(503);
      };
      const shop = await outTo([pay], { timeoutMs, retries: 2 });
      const { status } = await shop.asks().reply();
      const why =
        'the second try would be answered after timeoutMs: the caller has given up by then';
      expect(status, why).toBe(504);
      await settle();
      expect(pay.calls.length, 'tries in the time for one and a half').toBeLessThanOrEqual(2);
      // With less than two, the machine is busy, and the first try was late already.
      if (pay.calls.length === 2) break;
    }
  });

  it('answers 503 if no connection comes about', async () => {
    const closed = await endpoint();
    const { port } = closed;
    closed.close();
    for (const at of [{ port }, await MuteDoor.slammed()]) {
      const shop = await outTo([at]);
      const { status } = await shop.asks({ method: 'POST', body: 'x' }).reply();
      expect(status, 'nothing was sent').toBe(503);
    }
  });

  it('answers 502 if the connection breaks before there is a response', async () => {
    const pay = await endpoint();
    pay.onCall = (call) => call.breaksOff();
    const shop = await outTo([pay]);
    const { status } = await shop.asks({ method: 'POST', body: 'x' }).reply();
    expect(status, 'nobody knows what payments has done').toBe(502);
  });

  const FAILURES: readonly [how: string, status: number, fail: (call: Call) => void][] = [
    ['breaks off', 502, (call) => call.breaksOff()],
    ['answers 502', 502, (call) => call.answers(502, 'x'.repeat(100_000))],
    ['answers 503', 503, (call) => call.answers(503)],
    ['answers 504', 504, (call) => call.answers(504)],
  ];

  it('tries elsewhere what may be repeated', async () => {
    const both = [await endpoint(), await endpoint()];
    const shop = await outTo(both, { retries: 1 });
    const methods = [['GET'], ['PUT'], ['HEAD', 'OPTIONS'], ['DELETE', 'TRACE']];
    for (const [index, [how, , fail]] of FAILURES.entries()) {
      for (const method of methods[index] ?? []) {
        let tries = 0;
        for (const each of both) {
          each.onCall = (call) => ((tries += 1) === 1 ? fail(call) : call.answers(200));
        }
        const want = reply(200, method === 'HEAD' ? '' : 'paid');
        expect(
          await shop.told({ method }),
          `${method}; the endpoint that is asked first ${how}`,
        ).toBe(want);
      }
    }
  });

  it('tries elsewhere whatever it is, if nothing was sent', async () => {
    const good = await endpoint();
    good.onCall = async (call) => call.answers(200, await call.body());
    const impostor = await Service.start(checkout);
    const body = 'x'.repeat(150_000);
    for (const bad of [await MuteDoor.slammed(), impostor]) {
      const shop = await outTo([bad, good], { retries: 1 });
      const answer = await shop.asks({ method: 'POST', body }).reply();
      expect(
        answer.status,
        'a POST whose first endpoint has no connection, or is an impostor',
      ).toBe(200);
      expect(answer.body === body, 'the second endpoint has to get the whole body').toBe(true);
    }
    expect(asked(impostor, good), 'requests at the impostor, and at the good endpoint').toBe(
      '0, 2',
    );
  });

  it('never repeats what may have been done already', async () => {
    const pay = await endpoint();
    const shop = await outTo([pay], { retries: 2 });
    for (const [nr, [how, status, fail]] of FAILURES.entries()) {
      pay.onCall = fail;
      const before = pay.calls.length;
      const asking = nr % 2 === 0 ? { method: 'POST', body: 'x' } : { method: 'PATCH' };
      const answer = await shop.asks(asking).reply();
      const what = `a ${asking.method} whose endpoint ${how}`;
      expect(pay.calls.length - before, `${what}: how often it was sent`).toBe(1);
      expect(answer.status, `${what}: what checkout is told`).toBe(status);
    }
  });

  it('never repeats a request with a body that was sent', async () => {
    const pay = await endpoint();
    pay.onCall = async (call) => {
      await call.body();
      call.answers(503);
    };
    const shop = await outTo([pay], { retries: 2 });
    for (const headers of [[], ['Transfer-Encoding', 'chunked']]) {
      for (const method of ['PUT', 'DELETE']) {
        const before = pay.calls.length;
        const { status } = await shop.asks({ method, body: 'x', headers }).reply();
        expect(status, `a ${method} is idempotent, but its body is gone`).toBe(503);
        const why = `how often a ${method} was sent: where did its body come from again?`;
        expect(pay.calls.length - before, why).toBe(1);
      }
    }
  });

  it('passes on every other answer as it is', async () => {
    const pay = await endpoint();
    const shop = await outTo([pay], { retries: 2 }, ejecting(1));
    const statuses = [404, 429, 500, 501];
    for (const status of statuses) {
      pay.answers(status);
      expect(await shop.told(), `a GET that the only endpoint answers with ${status}`).toBe(
        reply(status),
      );
    }
    expect(pay.calls.length, 'none of these is tried again').toBe(statuses.length);
  });

  it('makes no more tries than it may, each with a span of its own', async () => {
    const pay = await endpoint();
    pay.answers(503, 'no');
    for (const retries of [0, 2]) {
      pay.calls.length = 0;
      const shop = await outTo([pay], { retries });
      const told = await shop.told();
      expect(told, `retries: ${retries}; the last answer goes to checkout`).toBe(reply(503, 'no'));
      expect(pay.calls.length, `retries: ${retries}; tries`).toBe(retries + 1);
    }
    const seen = pay.calls.map(({ req }) => VALID.exec(String(req.headers['traceparent'])) ?? []);
    const distinct = (nr: number) => new Set(seen.map((parts) => parts[nr])).size;
    expect(distinct(1), 'traces of three tries for one request').toBe(1);
    expect(distinct(2), 'spans of three tries for one request').toBe(3);
  });

  it('tries an endpoint that it has not tried, also while others ask', async () => {
    const [one, two, good] = [await endpoint(), await endpoint(), await endpoint()];
    const held: Call[] = [];
    for (const bad of [one, two]) bad.onCall = (call) => held.push(call);
    const shop = await outTo([one, two, good], { retries: 2 });
    const asks = numbered(3, () => shop.asks());
    await eventually(() => held.length === 2, 'two of three requests should be at bad endpoints');
    while (held.length > 0) {
      for (const call of held.splice(0)) call.answers(503);
      await settle();
    }
    for (const each of asks) {
      expect(await each.told(), 'with two retries and three endpoints, one of which is fine').toBe(
        reply(200),
      );
    }
  });

  it('does not take a caller who hangs up for a failure', async () => {
    const pay = await endpoint();
    pay.holds();
    const shop = await outTo([pay], { retries: 3 });
    const asks = shop.asks();
    const call = await pay.call();
    asks.hangsUp();
    await expectBrokenOff(call, 'checkout has hung up, and payments works on for nobody');
    await settle();
    expect(pay.calls.length, 'tries for somebody who has hung up').toBe(1);
  });

  it('continues a trace, with a span of its own', async () => {
    const { app, shop, pay } = await bothSidecars();
    for (const asks of [shop, pay]) {
      for (const flags of ['01', '00'].slice(asks === shop ? 0 : 1)) {
        const headers = ['traceparent', `00-${TRACE}-${SPAN}-${flags}`, 'tracestate', 'a=1,b=2'];
        await asks.told({ headers });
        const seen = app.calls.at(-1)?.req.headers ?? {};
        const [, trace, span, seenFlags] = VALID.exec(String(seen['traceparent'])) ?? [];
        expect(trace, `the trace goes on; payments sees ${String(seen['traceparent'])}`).toBe(
          TRACE,
        );
        expect(span, 'whoever passes on a request is a span of its own').not.toBe(SPAN);
        expect(seenFlags, 'whether it is sampled is not for a proxy to say').toBe(flags);
        expect(seen['tracestate'], 'tracestate goes along').toBe('a=1,b=2');
      }
    }
  });

  it('starts a trace where there is none', async () => {
    const { app, pay: inbound } = await bothSidecars();
    await inbound.told();
    const began = String(app.calls[0]?.req.headers['traceparent']);
    expect(VALID.test(began), `whoever calls has no trace; payments sees ${began}`).toBe(true);
    const pay = await endpoint();
    const shop = await outTo([pay]);
    const zeros = '0'.repeat(32);
    const invalid = [
      undefined,
      `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      `00-${zeros}-${SPAN}-01`,
      `00-${TRACE}-${zeros.slice(16)}-01`,
      `00-${TRACE}-${SPAN}-01-more`,
      `000-${TRACE}-${SPAN}-01`,
    ];
    const traces = new Set<unknown>();
    for (const header of invalid) {
      const headers = header === undefined ? [] : ['traceparent', header];
      await shop.told({ headers: [...headers, 'tracestate', 'a=1'] });
      const seen = pay.calls.at(-1)?.req.headers ?? {};
      const [, trace] = VALID.exec(String(seen['traceparent'])) ?? [];
      const was = `with traceparent ${header}, payments sees ${String(seen['traceparent'])}`;
      expect(trace, `${was}: that should be a trace`).toBeDefined();
      expect([TRACE, zeros], `${was}: that should be a new trace`).not.toContain(trace);
      expect(
        seen['tracestate'],
        `${was}: tracestate is about a trace that is not known`,
      ).toBeUndefined();
      traces.add(trace);
    }
    expect(traces.size, 'new traces all differ').toBe(invalid.length);
  });
});

describe('5 · who is asked', () => {
  it('gives each endpoint its turn', async () => {
    const all = [await endpoint(), await endpoint(), await endpoint()];
    const shop = await outTo(all);
    await shop.asksTimes(6);
    expect(asked(...all), 'six requests, one after another, for three endpoints').toBe('2, 2, 2');

    const four = [await endpoint(), await endpoint(), await endpoint(), await endpoint()];
    const routes = { payments: routeTo(four.slice(0, 2)), ledger: routeTo(four.slice(2)) };
    const both = new Outbound(await sidecar({ routes }));
    for (const host of ['payments', 'ledger', 'payments', 'ledger']) await both.told({ host });
    const why =
      'two requests for payments and two for the ledger, in turn; both have two endpoints';
    expect(asked(...four), why).toBe('1, 1, 1, 1');
  });

  it('draws the target by its weight, once for each request', async () => {
    const [stable, canary] = [await endpoint(), await endpoint()];
    const table: readonly [weights: [number, number], random: number, drawn: string][] = [
      [[95, 5], 0.9499, 'stable'],
      [[95, 5], 0.95, 'canary'],
      [[1, 3], 0.2499, 'stable'],
      [[1, 3], 0.25, 'canary'],
      [[0, 7], 0, 'canary'],
      [[0.1, 0], 1 - 2 ** -53, 'stable'],
    ];
    const routes = Object.fromEntries(
      table.map(([[heavy, light]]) => {
        const two = [target([stable], { weight: heavy }), target([canary], { weight: light })];
        return [`payments-${[heavy, light].join('-')}`, routeTo([], { targets: two })];
      }),
    );
    let draw = 0;
    let draws = 0;
    const random = () => {
      draws += 1;
      return draw;
    };
    const shop = new Outbound(await sidecar({ routes, random }));
    for (const [weights, drawing, drawn] of table) {
      draw = drawing;
      draws = 0;
      const before = canary.calls.length;
      await shop.told({ host: `payments-${weights.join('-')}` });
      const now = canary.calls.length > before ? 'canary' : 'stable';
      const how = `weights ${weights.join(' and ')}, random() is ${draw}`;
      expect(now, `${how}: who is asked`).toBe(drawn);
      expect(draws, `${how}: how often random() is called for one request`).toBe(1);
    }
  });

  it('stays with the target that was drawn', async () => {
    const [stable, canary] = [await endpoint(), await endpoint()];
    canary.answers(503);
    const targets = [target([stable], { weight: 95 }), target([canary], { weight: 5 })];
    let draws = 0;
    const random = () => ((draws += 1) === 1 ? 0.99 : 0);
    const shop = await outTo([], { targets, retries: 2 }, { random });
    const { status } = await shop.asks().reply();
    expect(status, 'the canary fails: that has to be seen, or it is promoted').toBe(503);
    expect(asked(stable, canary), 'requests at stable, and at the canary').toBe('0, 3');
    expect(draws, 'how often random() is called for a request of three tries').toBe(1);
  });

  /** An endpoint that fails in this way, and does not get better. */
  async function failing(fail: (call: Call) => unknown): Promise<Service> {
    const bad = await endpoint();
    bad.onCall = fail;
    bad.onCheck = (call) => call.answers(500);
    return bad;
  }

  it('ejects an endpoint that fails several times in a row', async () => {
    const [bad, good] = [await failing((call) => call.breaksOff()), await endpoint()];
    const shop = await outTo([bad, good], {}, ejecting(3));
    const told = await shop.asksTimes(2);
    bad.answers(599, '');
    told.push(...(await shop.asksTimes(2)));
    bad.close();
    await settle();
    told.push(...(await shop.asksTimes(2)));
    const why = 'one of two endpoints breaks off, then answers 599, and then is gone: six requests';
    const failures = [reply(502, ''), reply(503, ''), reply(599, '')];
    expect(told.toSorted(), why).toEqual([...numbered(3, () => reply(200)), ...failures]);
    const later = await shop.asksTimes(2);
    const out = 'that were three failures in a row: it is out now, and the other is asked alone';
    expect(later, out).toEqual([reply(200), reply(200)]);
  });

  it('ejects an endpoint that does not answer in time', async () => {
    const [bad, good] = [await failing(() => {}), await endpoint()];
    for (const timeoutMs of TIMES_MS) {
      bad.calls.length = 0;
      const shop = await outTo([bad, good], { timeoutMs }, ejecting(1));
      const told = await shop.asksTimes(4);
      const late = told.filter((each) => each === reply(504, '')).length;
      // Otherwise the good one was late as well: the machine is busy.
      if (late <= Math.max(1, bad.calls.length)) break;
    }
    const why = 'one of two endpoints does not answer in time: how many of four requests it gets';
    expect(bad.calls.length, why).toBeLessThanOrEqual(1);
  });

  it('counts tries whose failure the caller has not seen, and then tries elsewhere', async () => {
    const [bad, good] = [await failing((call) => call.answers(503)), await endpoint()];
    const shop = await outTo([bad, good], { retries: 1 }, ejecting(2));
    await shop.asksTimes(5);
    expect(bad.calls.length, 'failed tries at the bad endpoint, until it is out').toBe(2);
    good.onCall = (call) => {
      good.answers(200);
      call.answers(503);
    };
    const before = good.calls.length;
    expect(await shop.told(), 'the endpoint that is in fails once').toBe(reply(200));
    expect(good.calls.length - before, 'both tries go to the endpoint that is in').toBe(2);
  });

  it('forgets failures after a success', async () => {
    const flaky = await endpoint();
    const good = await endpoint();
    const shop = await outTo([flaky, good], {}, ejecting(3));
    const statuses = [500, 503, 304, 500, 503, 404, 500, 503];
    for (const status of statuses) {
      flaky.answers(status, '');
      await shop.asksTimes(2);
    }
    const why = `three failures put it out, and it answers ${statuses.join(', ')}: never three in a row`;
    expect(asked(flaky, good), why).toBe('8, 8');
  });

  it('does not count a caller who hangs up', async () => {
    const [slow, good] = [await endpoint(), await endpoint()];
    const shop = await outTo([slow, good], {}, ejecting(1));
    slow.holds();
    const asks = shop.asks();
    const call = await slow.call();
    asks.hangsUp();
    await expectBrokenOff(call, 'checkout has hung up, and payments works on for nobody');
    await settle();
    slow.answers(200);
    await shop.asksTimes(4);
    expect(asked(slow, good), 'nobody has failed').toBe('3, 2');
  });

  it('leaves half of the endpoints in, however they fail', async () => {
    const others = [await endpoint(), await endpoint(), await endpoint(), await endpoint()];
    for (const [count, stay] of [
      [3, 2],
      [4, 2],
    ] as const) {
      const all: Service[] = [];
      while (all.length < count) all.push(await failing((call) => call.answers(500, 'no')));
      const routes = { payments: routeTo(all), ledger: routeTo(others) };
      const shop = new Outbound(await sidecar({ routes, ...ejecting(1) }));
      for (const _ of others) await shop.told({ host: 'ledger' });
      await shop.asksTimes(count);
      const before = all.map(({ calls }) => calls.length);
      const told = await shop.asksTimes(stay + 1);
      const still = all.filter(({ calls }, index) => calls.length > (before[index] ?? 0));
      expect(still.length, `all ${count} endpoints fail: how many are still asked`).toBe(stay);
      expect(told[0], 'what checkout is told').toBe(reply(500, 'no'));
    }
  });

  it('lets an endpoint in again when it is well, and begins anew with it', async () => {
    const [bad, good] = [await Service.start(payments, asksWho), await endpoint()];
    bad.onCall = (call) => call.answers(500);
    bad.onCheck = (call) => call.answers(500);
    const shop = await outTo([bad, good], {}, ejecting(2, SOON));
    await shop.asksTimes(4);
    await checksAt(bad, 2);
    bad.onCheck = (call) => call.answers(300);
    await checksAt(bad, bad.checks.length + 2);
    await shop.asksTimes(2);
    expect(bad.calls.length, 'neither a 500 nor a 300 is a sign of health').toBe(2);
    const [check] = bad.checks;
    expect(check?.what, 'a check').toBe(`GET ${CHECK_PATH}`);
    expect(check?.serial, 'a check is made in the name of checkout').toBe(serialOf(checkout));
    bad.onCall = (call) => {
      bad.onCheck = (later) => later.answers(500);
      call.answers(500);
    };
    bad.onCheck = (call) => call.answers(204);
    let left = 200;
    const isBack = () => bad.calls.length > 2;
    while (!isBack() && (left -= 1) > 0) await shop.told().then(() => sleep(4));
    expect(isBack(), 'the endpoint is well, and was not asked again').toBe(true);
    await shop.asksTimes(4);
    expect(bad.calls.length, 'two failures put it out, and later two more').toBe(4);
  });

  /** Waits for so many checks. */
  async function checksAt(at: Service, count: number): Promise<void> {
    const missing = `an ejected endpoint has seen ${at.checks.length} checks, and should see ${count}`;
    await eventually(() => at.checks.length >= count, missing);
  }

  it('gives up a check that is not answered, and makes one at a time', async () => {
    const [bad, good] = [await failing((call) => call.answers(500)), await endpoint()];
    let underWay = 0;
    let most = 0;
    bad.onCheck = (call) => {
      underWay += 1;
      most = Math.max(most, underWay);
      void call.brokenOff.then(() => {
        underWay -= 1;
      });
    };
    const shop = await outTo([bad, good], {}, ejecting(1, { ...SOON, checkTimeoutMs: 60 }));
    await shop.asksTimes(2);
    await checksAt(bad, 2);
    expect(most, 'checks of one endpoint that were under way at once').toBeLessThanOrEqual(2);
    await shop.asksTimes(2);
    expect(bad.calls.length, 'no answer is no sign of health').toBe(1);
  });

  it('gives up a check on whose connection nobody speaks', async () => {
    const doors = [await MuteDoor.silent(), await MuteDoor.silent()];
    const ejection = ejecting(1, { ...SOON, checkTimeoutMs: 20 });
    const shop = await outTo(doors, { timeoutMs: 40 }, ejection);
    expect(await shop.told(), 'nobody speaks within timeoutMs').toBe(reply(504, ''));
    const connections = () => doors.reduce((sum, door) => sum + door.knocks, 0);
    const missing =
      'one connection for a request, and then one for each check: no check came after the first';
    await eventually(() => connections() >= 3, missing);
  });

  it('takes no impostor for a sign of health', async () => {
    const [bad, good] = [await failing((call) => call.answers(500)), await endpoint()];
    const shop = await outTo([bad, good], {}, ejecting(1, SOON));
    await shop.asksTimes(2);
    const before = bad.calls.length;
    bad.becomes(await granting('the id', { names: [uri(CHECKOUT)] }));
    for (const socket of bad.sockets) socket.destroy();
    bad.onCheck = (call) => call.answers(200);
    const connections = bad.connections + 2;
    await eventually(() => bad.connections >= connections, 'the endpoint should be checked on');
    await shop.asksTimes(4);
    expect(bad.calls.length - before, 'requests at somebody else who says that all is well').toBe(
      0,
    );
  });
});

describe('6 · everything changes while it runs', () => {
  it('shows a new certificate on new connections', async () => {
    const [app, at] = [await Service.start(), await Service.start(payments, asksWho)];
    at.onCall = (call) => call.answers(200, 'paid', { Connection: 'close' });
    const routes = { payments: routeTo([at]) };
    const made = (await inTo(app, { routes })).sidecar;
    const shop = new Outbound(made);
    await shop.told();
    const renewed = await granting('payments, renewed', { names: [uri(PAYMENTS)] });
    made.update({ identity: renewed });
    const seen = await serialAt(made.inboundPort);
    expect(seen, 'the certificate that new callers see').toBe(serialOf(renewed));
    expect(await shop.told(), 'a request after the change').toBe(reply(200));
    const { serial } = await at.call(2);
    expect(serial, 'the certificate that endpoints see').toBe(serialOf(renewed));
  });

  it('breaks nothing off that is running', async () => {
    const { app, shop, pay } = await ownSidecars();
    app.onCall = (call) => call.res.writeHead(200).write('in ');
    const headers = ['Transfer-Encoding', 'chunked'];
    const asks = shop.asks({ method: 'POST', headers, isOpen: true });
    await asks.head();
    const renewed = await granting('payments, renewed', { names: [uri(PAYMENTS)] });
    pay.sidecar.update({ identity: renewed });
    shop.sidecar.update({ identity: await granting('the id', { names: [uri(CHECKOUT)] }) });
    shop.sidecar.update({ routes: {} });
    pay.sidecar.update({ allow: [] });
    await settle();
    const call = await app.call();
    asks.req.end('the rest');
    const body = await call.body();
    expect(body, 'the rest of a request that was running').toBe('the rest');
    call.res.end('parts');
    expect(await asks.told(), 'the rest of its response').toBe(reply(200, 'in parts'));
  });

  it('loses no request while certificates are renewed again and again', async () => {
    const { shop, pay } = await ownSidecars();
    const renewed = await granting('payments, renewed', { names: [uri(PAYMENTS)] });
    const own = await granting('the id', { names: [uri(CHECKOUT)] });
    const asks: Ask[] = [];
    for (let nr = 0; nr < 2; nr += 1) {
      asks.push(shop.asks({ method: 'POST', body: String(nr) }));
      pay.sidecar.update({ identity: nr % 2 === 0 ? renewed : payments });
      shop.sidecar.update({ identity: nr % 2 === 0 ? own : checkout });
      asks.push(shop.asks({ method: 'POST', body: String(nr) }));
      await turn();
    }
    for (const each of asks) {
      expect(await each.told(), 'a request while certificates are renewed').toBe(reply(200));
    }
  });

  it('takes the place of the CA step by step', async () => {
    const both = mesh.pem + nextMesh.pem;
    const old = { as: checkout, caPem: mesh.pem };
    const next = {
      as: await granting('next', { names: [uri(CHECKOUT)], by: nextMesh }),
      caPem: nextMesh.pem,
    };
    const [app, at] = [
      await Service.start(),
      await Service.start({ ...payments, caPem: both }, asksWho),
    ];
    at.onCall = (call) => call.answers(200, 'paid', { Connection: 'close' });
    const made = (await inTo(app, { routes: { payments: routeTo([at]) } })).sidecar;
    const steps = [
      { name: 'both CAs', caPem: both, old: true, next: true },
      { name: 'the new CA alone', caPem: next.caPem, old: false, next: true },
    ];
    for (const { name, caPem, ...trusted } of steps) {
      made.update({ identity: { ...payments, caPem } });
      for (const [which, { as }] of Object.entries({ old, next })) {
        const isIn = (await new Ask(made.inboundPort, { as }).reply()).status === 200;
        const want = which === 'old' ? trusted.old : trusted.next;
        expect(isIn, `it trusts ${name}: is a caller of the ${which} CA let in?`).toBe(want);
      }
      const { status } = await new Outbound(made).asks().reply();
      const why = `it trusts ${name}: an endpoint of the old CA`;
      expect(status, why).toBe(trusted.old ? 200 : 503);
    }
  });

  it('asks the policy for each request, not for each connection', async () => {
    const app = await Service.start();
    const pay = await inTo(app);
    const agent = keeping();
    const told = async () => (await pay.asks({ agent }).reply()).status;
    expect(await told(), 'checkout is allowed').toBe(200);
    pay.sidecar.update({ allow: ['spiffe://shop.example/other'] });
    expect(await told(), 'checkout is not allowed any more, also where it is connected').toBe(403);
    pay.sidecar.update({ allow: [CHECKOUT] });
    expect(await told(), 'checkout is allowed again').toBe(200);
    expect(app.calls.length, 'requests that payments has seen').toBe(2);
  });

  it('goes by new routes at once', async () => {
    const [old, fresh] = [await endpoint(), await endpoint()];
    const shop = await outTo([old]);
    await shop.told();
    shop.sidecar.update({ routes: { payments: routeTo([fresh]) } });
    await shop.told();
    expect(asked(old, fresh), 'a request before, and one after the change').toBe('1, 1');
    shop.sidecar.update({ routes: {} });
    expect((await shop.asks().reply()).status, 'the route is gone').toBe(404);
  });

  it('lets nobody in again because of a new weight', async () => {
    const [bad, good] = [await endpoint(), await endpoint()];
    bad.answers(500);
    const shop = await outTo([bad, good], {}, ejecting(1));
    await shop.asksTimes(2);
    const targets = [target([bad, good], { weight: 95 })];
    shop.sidecar.update({ routes: { payments: routeTo([], { targets }) } });
    await shop.asksTimes(3);
    expect(asked(bad, good), 'the endpoint was out before, and is not well').toBe('1, 4');
  });

  it('goes on counting failures after an update', async () => {
    const [bad, good] = [await endpoint(), await endpoint()];
    bad.answers(500);
    const shop = await outTo([bad, good], {}, ejecting(2));
    await shop.asksTimes(2);
    shop.sidecar.update({ routes: { payments: routeTo([bad, good]) } });
    await shop.asksTimes(6);
    const why = 'two failures in a row, with an update between them: how many requests it gets';
    expect(bad.calls.length, why).toBe(2);
  });

  it('checks nobody who is in no route any more', async () => {
    const [bad, good] = [await endpoint(), await endpoint()];
    bad.answers(500);
    bad.onCheck = (call) => call.answers(500);
    const shop = await outTo([bad, good], {}, ejecting(1, SOON));
    await shop.asksTimes(2);
    await eventually(() => bad.checks.length > 0, 'an ejected endpoint should be checked');
    shop.sidecar.update({ routes: { payments: routeTo([good]) } });
    await settle();
    const before = bad.checks.length;
    await sleep(40);
    expect(bad.checks.length - before, 'checks since its pod was deleted').toBeLessThanOrEqual(1);
  });

  it('looks who it is also where it is connected', async () => {
    const at = await endpoint();
    const shop = await outTo([at]);
    await shop.asksTimes(2);
    const targets = [target([at], { spiffeId: 'spiffe://shop.example/payments-v2' })];
    shop.sidecar.update({ routes: { payments: routeTo([at], { targets }) } });
    const { status } = await shop.asks().reply();
    expect(at.calls.length, 'payments v1 has got a request that was meant for v2').toBe(2);
    expect(status, 'whoever is there is not v2').toBe(503);
  });

  it('leaves alone what an update does not mention', async () => {
    const [app, at] = [await Service.start(), await endpoint()];
    const made = (await inTo(app, { routes: { payments: routeTo([at]) } })).sidecar;
    const agent = keeping();
    const works = async (after: string) => {
      const told = [await new Outbound(made).told(), await new Inbound(made).told({ agent })];
      expect(told, `out and in, after an update of ${after}`).toEqual([reply(200), reply(200)]);
    };
    made.update({});
    made.update({ allow: [CHECKOUT] });
    await works('nothing, and of the policy');
    made.update({ identity: payments });
    await works('the identity');
    made.update({ routes: { payments: routeTo([at]) } });
    await works('the routes');
  });
});

describe('7 · it goes without being missed', () => {
  it('lets end what is running, closes its connections, and resolves then', async () => {
    const { app, shop, pay } = await ownSidecars();
    app.onCall = (call) => call.res.writeHead(200).write('in ');
    const plain = new http.Agent({ keepAlive: true });
    opened.add({ close: () => plain.destroy() });
    const headers = ['Transfer-Encoding', 'chunked'];
    const asks = [
      shop.asks({ method: 'POST', headers, isOpen: true, agent: plain }),
      pay.asks({ method: 'POST', headers, isOpen: true, agent: keeping() }),
    ];
    for (const each of asks) await each.head();
    const gone: string[] = [];
    const draining = Promise.all(
      Object.entries({ checkout: shop, payments: pay }).map(async ([name, { sidecar: made }]) => {
        const why = `all has ended, and the drain of ${name} goes on: for a connection that is kept alive?`;
        await drained(made, LONG_MS, why);
        gone.push(name);
      }),
    );
    await settle();
    expect(gone, 'while requests run, neither sidecar may go').toEqual([]);
    for (const each of asks) each.req.end('the rest');
    for (const call of app.calls) {
      expect(await call.body(), 'the rest of a request').toBe('the rest');
      call.res.end('parts');
    }
    for (const each of asks) {
      expect(await each.told(), 'the rest of its response').toBe(reply(200, 'in parts'));
    }
    await draining;
  });

  it('takes nothing new in, and keeps the way out open for what has come in', async () => {
    const [app, ledger] = [await Service.start(), await endpoint()];
    const routes = { ledger: routeTo([ledger]) };
    const pay = await inTo(app, { routes });
    const wayOut = new Outbound(pay.sidecar);
    app.holds();
    const asks = pay.asks();
    const call = await app.call();
    const end = drained(pay.sidecar, LONG_MS, 'all has ended, and the drain goes on');
    await settle();
    const late = await pay.asks().reply();
    expect([0, 503], 'whoever comes now has to go elsewhere').toContain(late.status);
    expect(asked(app), 'requests at payments').toBe('1');
    const told = await wayOut.told({ host: 'ledger' });
    expect(told, 'payments still has to ask the ledger, to answer what has come in').toBe(
      reply(200),
    );
    call.answers(200);
    expect(await asks.told(), 'the request that was running').toBe(reply(200));
    await end;
    const { status } = await wayOut.asks({ host: 'ledger' }).reply();
    expect(status, 'when the drain is over, nobody listens any more').toBe(0);
  });

  it('waits for no connection on which nothing runs', async () => {
    const { shop, pay } = await ownSidecars();
    const agents = [new http.Agent({ keepAlive: true }), new https.Agent({ keepAlive: true })];
    const [plain, secure] = agents;
    opened.add({ close: () => agents.forEach((each) => each.destroy()) });
    await shop.asks({ agent: plain ?? expect.fail() }).told();
    await pay.asks({ agent: secure ?? expect.fail() }).told();
    const silent = [
      net.connect(shop.sidecar.outboundPort, LOOPBACK),
      tls.connect({ ...callingAs(checkout), port: pay.sidecar.inboundPort }),
    ];
    for (const socket of silent) {
      opened.add({ close: () => socket.destroy() });
      await once(socket, socket instanceof TLSSocket ? 'secureConnect' : 'connect');
    }
    await settle();
    const why =
      'nothing runs, and the drain waits: for a connection that is kept alive, or never asked anything';
    await Promise.all([drained(shop.sidecar, LONG_MS, why), drained(pay.sidecar, LONG_MS, why)]);
    const both = [shop.sidecar.outboundPort, pay.sidecar.inboundPort];
    expect(await Promise.all(both.map(isOpen)), 'ports that are still open').toEqual([
      false,
      false,
    ]);
  });

  async function isOpen(port: number): Promise<boolean> {
    const socket = net.connect(port, LOOPBACK);
    opened.add({ close: () => socket.destroy() });
    return new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
  }

  it('cuts what is still running after graceMs', async () => {
    const { app, shop, pay } = await ownSidecars();
    app.holds();
    const asks = [shop.asks(), pay.asks()];
    const calls = [await app.call(1), await app.call(2)];
    const half = net.connect(pay.sidecar.inboundPort, LOOPBACK);
    half.on('error', () => {});
    opened.add({ close: () => half.destroy() });
    await once(half, 'connect');
    const why = 'graceMs is over, and the drain still waits';
    await Promise.all([drained(shop.sidecar, 20, why), drained(pay.sidecar, 20, why)]);
    for (const each of asks) {
      const { told, status } = await each.reply();
      expect(
        [0, 502, 503],
        `a request that is never answered: checkout was told ${told}`,
      ).toContain(status);
    }
    for (const call of calls) await expectBrokenOff(call, 'payments works on for nobody');
  });

  it('leaves nothing behind', async () => {
    let before = openThings();
    // What the test runner waits for is soon over, and would hide a timer that is left behind.
    for (const began = performance.now(); performance.now() - began < 120;) {
      await settle();
      const now = openThings();
      before = before.filter((thing) => now.includes(thing));
    }
    const app = await Service.start();
    const [bad, good] = [await endpoint(), await endpoint()];
    bad.onCall = (call) => call.answers(500);
    bad.onCheck = (call) => call.answers(500);
    const routes = { payments: routeTo([bad, good], { retries: 1 }) };
    const { sidecar: made } = await inTo(app, { routes, ...ejecting(1, SOON) });
    const shop = new Outbound(made);
    await shop.asksTimes(4);
    await new Inbound(made).told();
    await eventually(() => bad.checks.length > 0, 'an ejected endpoint should be checked');
    await drained(made, LONG_MS, 'nothing runs, and the drain does not end');
    const connected = () => [app, bad, good].some(({ sockets }) => sockets.size > 0);
    await eventually(() => !connected(), 'after the drain, connections to others are still open');
    const checks = bad.checks.length;
    const { connections } = bad;
    for (let times = 0; times < 6; times += 1) await settle();
    expect(bad.checks.length - checks, 'health checks after the drain').toBe(0);
    expect(bad.connections - connections, 'health checks after the drain').toBe(0);
    for (const each of opened) each.close();
    opened.clear();
    const left = () => openThings().filter((thing) => !before.includes(thing));
    let found: string[] = [];
    let times = 0;
    // Three times in a row, for what comes again and again is away in between.
    for (let tries = 0; tries < 50 && times < 3; tries += 1) {
      await settle();
      const now = left();
      times = now.length === 0 ? times + 1 : 0;
      if (times === 0) found = now;
    }
    const what = 'servers, connections or timers that the sidecar has left behind';
    expect(times === 3 ? [] : found, what).toEqual([]);
  });

  /** What keeps this thread alive, numbered by kind. */
  function openThings(): string[] {
    const counts = new Map<string, number>();
    return process.getActiveResourcesInfo().map((kind) => {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      return `${kind} no. ${counts.get(kind)}`;
    });
  }
});
