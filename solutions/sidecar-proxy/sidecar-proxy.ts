// #region answer
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http, {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import https from 'node:https';
import net, { type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
// #endregion

/** Who a workload is, as the control plane hands it out and renews it; all in PEM. */
export interface Identity {
  /** Its certificate, with its SPIFFE id as the one URI among the subject alternative names. */
  readonly certPem: string;
  readonly keyPem: string;
  /** Whom it trusts: the CA of the mesh; two, one after the other, while the CA is being replaced. */
  readonly caPem: string;
}

/** One version of a service. */
export interface Target {
  /** Its share of the requests, measured against the sum of the route's weights; 0 or more, not all 0. */
  readonly weight: number;
  /** Who has to answer there. */
  readonly spiffeId: string;
  /** Its endpoints: the inbound ports of its sidecars, on 127.0.0.1; one or more, all different. */
  readonly ports: readonly number[];
}

export interface Route {
  /** How long a caller waits for the head of the response, all tries together, in milliseconds; above 0. */
  readonly timeoutMs: number;
  /** How many tries may follow the first; whole number, 0 or more. */
  readonly retries: number;
  readonly targets: readonly Target[];
}

/** What the control plane can change at any time. */
export interface MeshConfig {
  readonly identity: Identity;
  /** The SPIFFE ids that may call the own service. */
  readonly allow: readonly string[];
  /** Where requests go, by the name of the host they ask for, in lower case and without a port. */
  readonly routes: Readonly<Record<string, Route>>;
}

/** When an endpoint is ejected, and how it comes back. */
export interface EjectionOptions {
  /** After so many failures in a row; whole number, 1 or more. */
  readonly failures: number;
  /** The path that an ejected endpoint is asked for. */
  readonly checkPath: string;
  /** How long until the first check, and from the end of one check to the next, in milliseconds; above 0. */
  readonly checkEveryMs: number;
  /** How long one check may take, in milliseconds; above 0. */
  readonly checkTimeoutMs: number;
}

export interface SidecarOptions extends MeshConfig {
  /** Where the own service listens: plain HTTP on 127.0.0.1. */
  readonly appPort: number;
  readonly ejection: EjectionOptions;
  /** From 0 to below 1; drawn once for each request that goes out; @default Math.random */
  readonly random?: () => number;
}

export interface Sidecar {
  /** Other sidecars connect here, with mutual TLS; on 127.0.0.1. */
  readonly inboundPort: number;
  /** The own service sends its requests here, as plain HTTP; on 127.0.0.1. */
  readonly outboundPort: number;
  /** Puts what is given in the place of what was there. */
  update(change: Partial<MeshConfig>): void;
  /**
   * Lets what is running end, then closes everything; resolves when that is done. Called once.
   *
   * @param graceMs what is still running after so many milliseconds is cut; 0 or more
   */
  drain(graceMs: number): Promise<void>;
}

/** A sidecar proxy, as in a service mesh: the service beside it speaks plain HTTP, and knows nothing of the mesh. */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  // #region answer: let in who may come in, take out what goes out, and let the service know nothing of it
  const { appPort, ejection, random = Math.random } = options;
  let mesh: MeshConfig = options;
  const stopped = new AbortController();
  // A resumed session brings no certificate along, so there would be nothing to look at.
  const agent = new https.Agent({ keepAlive: true, maxCachedSessions: 0 });

  const toPeer = (port: number, how: http.RequestOptions): ClientRequest =>
    https.request({
      ...pemOf(mesh.identity),
      agent,
      host: LOOPBACK,
      port,
      // Names of hosts say nothing here. `attempt` looks who it is, also on a connection that is used again.
      checkServerIdentity: () => undefined,
      ...how,
    });

  const isWell = async (port: number, { spiffeId }: Target): Promise<boolean> => {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(ejection.checkTimeoutMs)]);
    const check = toPeer(port, { path: ejection.checkPath, signal });
    const { status, response } = await attempt(check, undefined, spiffeId);
    response?.resume();
    return status < 300;
  };
  const balancer = createBalancer(ejection, isWell, stopped.signal);

  const serveIn: Answer = async (req, res) => {
    const shown = spiffeIdOf(req.socket);
    const caller = mesh.allow.find((id) => id === shown);
    if (caller === undefined) return refuse(req, res, 403);
    const request = http.request({
      agent: false,
      host: LOOPBACK,
      port: appPort,
      method: req.method,
      path: req.url,
      headers: { ...headersFor(req)(), [CLIENT_CERT]: `URI=${caller}` },
      signal: hangUpOf(res).signal,
    });
    return finish(await attempt(request, req, undefined), req, res);
  };

  const serveOut: Answer = async (req, res) => {
    const route = routeOf(mesh.routes, req);
    if (!route) return refuse(req, res, 404);
    const calledOff = hangUpOf(res);
    const timer = setTimeout(() => calledOff.abort(TIMED_OUT), route.timeoutMs);
    const outcome = await tryAll(route, req, calledOff.signal);
    clearTimeout(timer);
    return finish(outcome, req, res);
  };

  const tryAll = async (route: Route, req: IncomingMessage, signal: AbortSignal) => {
    const target = draw(route.targets, random());
    const headers = headersFor(req);
    const tried: number[] = [];
    for (;;) {
      const port = balancer.pick(target, tried);
      tried.push(port);
      const { method, url: path } = req;
      const request = toPeer(port, { method, path, headers: headers(), signal });
      const outcome = await attempt(request, req, target.spiffeId);
      const isLate = signal.reason === TIMED_OUT;
      // A caller who hangs up says nothing about the other end.
      if (isLate || !signal.aborted) balancer.record(target, port, !isLate && outcome.status < 500);
      if (isLate) return { status: 504 };
      if (signal.aborted || tried.length > route.retries || !mayRepeat(req, outcome))
        return outcome;
      outcome.response?.resume();
    }
  };

  const inbound = https.createServer({ ...pemOf(mesh.identity), requestCert: true });
  const wayIn = await openDoor(inbound, 'secureConnection', serveIn);
  const wayOut = await openDoor(http.createServer(), 'connection', serveOut);
  return {
    inboundPort: wayIn.port,
    outboundPort: wayOut.port,
    update(change) {
      mesh = { ...mesh, ...change };
      if (change.identity) inbound.setSecureContext(pemOf(change.identity));
      if (change.routes)
        balancer.keep(Object.values(change.routes).flatMap((route) => route.targets));
    },
    async drain(graceMs) {
      const cut = setTimeout(() => [wayIn, wayOut].map((door) => door.cut()), graceMs);
      await wayIn.close();
      // Only now: what came in may have had to ask others.
      await wayOut.close();
      clearTimeout(cut);
      stopped.abort();
      agent.destroy();
    },
  };
  // #endregion
}

// #region answer
const LOOPBACK = '127.0.0.1';
const TIMED_OUT = Symbol('timed out');

const pemOf = ({ certPem: cert, keyPem: key, caPem: ca }: Identity) => ({ cert, key, ca });

// ── One try ─────────────────────────────────────────────────────────────────────────────────────────────

/** Without a response, 503 says that nothing was sent, and 502 that nobody knows what has become of it. */
interface Outcome {
  readonly status: number;
  readonly response?: IncomingMessage;
}

/**
 * Sends a request, but not before its connection stands, and the right one is at the other end: `peer`, or nobody in
 * particular at the end of a plain connection. Never rejects.
 */
async function attempt(
  request: ClientRequest,
  body: Readable | undefined,
  peer: string | undefined,
): Promise<Outcome> {
  let status = 503;
  try {
    const socket = await connectionOf(request);
    if (spiffeIdOf(socket) !== peer) throw new Error();
    status = 502;
    request.flushHeaders();
    if (body) body.pipe(request);
    else request.end();
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    return { status: response.statusCode ?? status, response };
  } catch {
    request.destroy();
    return { status };
  }
}

function connectionOf(request: ClientRequest): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // Stays: whatever goes wrong after the response has begun is seen on the response.
    request.on('error', reject);
    request.once('socket', (socket) => {
      if (request.reusedSocket) return resolve(socket);
      const event = socket instanceof TLSSocket ? 'secureConnect' : 'connect';
      socket.once(event, () => resolve(socket));
    });
  });
}

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** May the request be sent once more? Whatever has been read of a body is gone. */
function mayRepeat({ method, headers }: IncomingMessage, { status, response }: Outcome) {
  if (!response && status === 503) return true;
  const hasBody = 'transfer-encoding' in headers || Number(headers['content-length'] ?? 0) > 0;
  return IDEMPOTENT.has(String(method)) && !hasBody && [502, 503, 504].includes(status);
}

async function finish({ status, response }: Outcome, req: IncomingMessage, res: ServerResponse) {
  if (!response) return refuse(req, res, status);
  res.writeHead(status, endToEnd(response));
  // The body may be a long time coming.
  res.flushHeaders();
  // When one side breaks off, so does the other: half a response must not look like a whole one.
  await pipeline(response, res).catch(() => {});
}

function refuse(req: IncomingMessage, res: ServerResponse, status: number): void {
  // The rest of its body, which nobody wants, would keep the connection from being used again.
  req.resume();
  res.writeHead(status).end();
}

function hangUpOf(res: ServerResponse): AbortController {
  const controller = new AbortController();
  res.once('close', () => controller.abort());
  return controller;
}

// ── Where to ────────────────────────────────────────────────────────────────────────────────────────────

function routeOf(routes: MeshConfig['routes'], { headers }: IncomingMessage): Route | undefined {
  const host = String(headers.host).replace(/:\d*$/, '').toLowerCase();
  return Object.hasOwn(routes, host) ? routes[host] : undefined;
}

/** The targets stand on a line, each as wide as its weight; `random` points at a place on it. */
function draw(targets: readonly Target[], random: number): Target {
  const place = random * targets.reduce((sum, { weight }) => sum + weight, 0);
  let end = 0;
  for (const target of targets) {
    end += target.weight;
    if (place < end) return target;
  }
  throw new Error('A route needs a target whose weight is above 0.');
}

interface Endpoint {
  lastUse: number;
  failures: number;
  isOut: boolean;
}

type IsWell = (port: number, target: Target) => Promise<boolean>;

function createBalancer(options: EjectionOptions, isWell: IsWell, stopped: AbortSignal) {
  const endpoints = new Map<number, Endpoint>();
  let uses = 0;

  const at = (port: number): Endpoint => {
    const endpoint = endpoints.get(port) ?? { lastUse: 0, failures: 0, isOut: false };
    endpoints.set(port, endpoint);
    return endpoint;
  };

  const eject = async (endpoint: Endpoint, port: number, target: Target): Promise<void> => {
    endpoint.isOut = true;
    do await sleep(options.checkEveryMs, undefined, { signal: stopped });
    while (endpoints.get(port) === endpoint && !(await isWell(port, target)));
    endpoint.isOut = false;
    endpoint.failures = 0;
  };

  return {
    /** The one that was used longest ago; rather one that is in, and rather one that was not tried yet. */
    pick({ ports }: Target, tried: readonly number[]): number {
      const rank = (port: number) => 2 * Number(at(port).isOut) + Number(tried.includes(port));
      const inOrder = ports.toSorted((a, b) => rank(a) - rank(b) || at(a).lastUse - at(b).lastUse);
      const [port = 0] = inOrder;
      at(port).lastUse = uses += 1;
      return port;
    },
    record(target: Target, port: number, isSuccess: boolean): void {
      const endpoint = at(port);
      endpoint.failures = isSuccess ? 0 : endpoint.failures + 1;
      if (endpoint.isOut || endpoint.failures < options.failures) return;
      // If most of them fail alike, it is hardly the fault of each: half of them stay.
      const out = target.ports.filter((each) => at(each).isOut).length;
      if (out + 1 <= target.ports.length / 2) eject(endpoint, port, target).catch(() => {});
    },
    /** Forgets the endpoints that are in none of these targets. */
    keep(targets: readonly Target[]): void {
      const kept = new Set(targets.flatMap(({ ports }) => ports));
      for (const port of endpoints.keys()) if (!kept.has(port)) endpoints.delete(port);
    },
  };
}

// ── Headers ─────────────────────────────────────────────────────────────────────────────────────────────

const CLIENT_CERT = 'x-forwarded-client-cert';
const HOP_BY_HOP = 'connection keep-alive proxy-connection te transfer-encoding upgrade'.split(' ');
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/** Without those that are about this one connection: the usual ones, and those that `Connection` names (RFC 9110). */
function endToEnd({ headers, headersDistinct }: IncomingMessage): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').toLowerCase().split(',');
  const dropped = new Set([...HOP_BY_HOP, ...named.map((name) => name.trim())]);
  return Object.fromEntries(Object.entries(headersDistinct).filter(([name]) => !dropped.has(name)));
}

/** The headers of a request for the next hop: each time with a span of its own, in one trace (W3C Trace Context). */
function headersFor(req: IncomingMessage): () => OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ...endToEnd(req), host: req.headers.host ?? '' };
  // Whoever wrote it cannot prove it.
  delete headers[CLIENT_CERT];
  // Node leaves the body of a DELETE without a frame, and then it reads like another request. The one that came has
  // been dropped, or not: `Connection` may also name `content-length`.
  const isFramed = 'transfer-encoding' in req.headers || 'content-length' in req.headers;
  if (isFramed && !('content-length' in headers)) headers['transfer-encoding'] = 'chunked';
  const trace = TRACEPARENT.exec(String(headers['traceparent']));
  if (!trace) delete headers['tracestate'];
  const traceId = trace?.[1] ?? randomHex(16);
  const flags = trace?.[2] ?? '01';
  return () => ({ ...headers, traceparent: `00-${traceId}-${randomHex(8)}-${flags}` });
}

const randomHex = (bytes: number) => randomBytes(bytes).toString('hex');

// ── Who is there ────────────────────────────────────────────────────────────────────────────────────────

/** The SPIFFE id at the other end of a connection, if there is exactly one. */
function spiffeIdOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  // Not getPeerX509Certificate(): as a client, Node up to 24 gives that once for each connection.
  const names = socket.getPeerCertificate().subjectaltname?.split(', ') ?? [];
  const [uri, ...others] = names.filter((name) => name.startsWith('URI:'));
  return others.length === 0 ? uri?.slice('URI:'.length) : undefined;
}

// ── The doors ───────────────────────────────────────────────────────────────────────────────────────────

type Answer = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** A server that can be closed without breaking off what runs on it. `arrival` is the event of a new connection. */
async function openDoor(server: http.Server, arrival: string, answer: Answer) {
  const all = new Set<Socket>();
  const idle = new Set<Socket>();
  let isClosing = false;
  const rest = (socket: Socket) => {
    if (isClosing) socket.destroySoon();
    else if (!socket.destroyed) idle.add(socket);
  };
  server.on('connection', (socket) => {
    all.add(socket);
    socket.once('close', () => all.delete(socket));
  });
  server.on(arrival, (socket: Socket) => {
    rest(socket);
    socket.once('close', () => idle.delete(socket));
  });
  server.on('request', (req, res) => {
    idle.delete(req.socket);
    res.once('close', () => rest(req.socket));
    answer(req, res).catch(() => res.destroy());
  });
  const close = async () => {
    isClosing = true;
    for (const socket of idle) socket.destroySoon();
    // The close() of node:http would also destroy connections whose response is not yet written to its end.
    await new Promise((resolve) => {
      net.Server.prototype.close.call(server, resolve);
    });
    server.close();
  };
  const cut = () => {
    void close();
    for (const socket of all) socket.destroy();
  };
  // Node would give a request five minutes, with its body, and a body takes as long as it takes.
  server.requestTimeout = 0;
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  const { port } = Object.assign({ port: 0 }, server.address());
  return { port, close, cut };
}
// #endregion
