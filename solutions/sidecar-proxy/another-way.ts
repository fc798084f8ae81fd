import { randomBytes } from 'node:crypto';
import http, {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import net, { type Socket } from 'node:net';
import tls, { TLSSocket } from 'node:tls';

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
  const sidecar = new MeshSidecar(options);
  await sidecar.start();
  return sidecar;
}

const LOOPBACK = '127.0.0.1';
const CLIENT_CERT = 'x-forwarded-client-cert';

/**
 * The other usual shape: classes that hold the state, and one connection for each try in place of a pool. So who is at
 * the other end is settled by the handshake, and `checkServerIdentity` is the place for it.
 */
class MeshSidecar implements Sidecar {
  readonly options: SidecarOptions;
  config: MeshConfig;
  readonly #endpoints = new Map<number, Endpoint>();
  readonly #inbound: Listener;
  readonly #outbound: Listener;
  readonly #tlsServer: tls.Server;

  constructor(options: SidecarOptions) {
    this.options = options;
    this.config = options;
    this.#tlsServer = tls.createServer({ ...pem(options.identity), requestCert: true });
    this.#inbound = new Listener(this.#tlsServer, 'secureConnection', (req, res) => {
      this.#letIn(req, res);
    });
    this.#outbound = new Listener(net.createServer(), 'connection', (req, res) => {
      const exchange = new Exchange(this, req, res);
      exchange.begin();
    });
  }

  async start(): Promise<void> {
    await Promise.all([this.#inbound.open(), this.#outbound.open()]);
  }

  get inboundPort(): number {
    return this.#inbound.port;
  }

  get outboundPort(): number {
    return this.#outbound.port;
  }

  update(change: Partial<MeshConfig>): void {
    this.config = { ...this.config, ...change };
    this.#tlsServer.setSecureContext(pem(this.config.identity));
    const targets = Object.values(this.config.routes).flatMap((route) => route.targets);
    const ports = new Set(targets.flatMap((target) => target.ports));
    for (const [port, endpoint] of this.#endpoints) {
      if (ports.has(port)) continue;
      endpoint.stop();
      this.#endpoints.delete(port);
    }
  }

  async drain(graceMs: number): Promise<void> {
    const grace = setTimeout(() => {
      this.#inbound.cut();
      this.#outbound.cut();
    }, graceMs);
    await this.#inbound.close();
    await this.#outbound.close();
    clearTimeout(grace);
    for (const endpoint of this.#endpoints.values()) endpoint.stop();
  }

  endpointsOf(target: Target): Endpoint[] {
    return target.ports.map((port) => {
      const endpoint = this.#endpoints.get(port) ?? new Endpoint(this, port, target.spiffeId);
      this.#endpoints.set(port, endpoint);
      endpoint.spiffeId = target.spiffeId;
      return endpoint;
    });
  }

  #letIn(req: IncomingMessage, res: ServerResponse): void {
    const caller = req.socket instanceof TLSSocket ? onlyUri(req.socket.getPeerCertificate()) : '';
    if (!caller || !this.config.allow.includes(caller)) return end(req, res, 403);
    const socket = net.connect(this.options.appPort, LOOPBACK);
    const headers = { ...passable(req), [CLIENT_CERT]: `URI=${caller}` };
    const hop = new Hop(socket, 'connect', req, {
      onOpen: () =>
        hop.send({ method: req.method, path: req.url, headers: traced(headers, traceOf(req)) }),
      onResponse: (response) => relay(response, res),
      onFailure: (wasSent) => end(req, res, wasSent ? 502 : 503),
    });
    res.once('close', () => hop.cancel());
  }
}

interface HopEvents {
  onOpen(): void;
  onResponse(response: IncomingMessage): void;
  /** `wasSent` says whether anything of the request may have arrived. */
  onFailure(wasSent: boolean): void;
}

/** One request over one connection: at most one of its events is the last, and none comes after `cancel`. */
class Hop {
  readonly #socket: Socket;
  readonly #body: IncomingMessage | undefined;
  readonly #events: HopEvents;
  #wasSent = false;
  #isOver = false;

  constructor(
    socket: Socket,
    opened: string,
    body: IncomingMessage | undefined,
    events: HopEvents,
  ) {
    this.#socket = socket;
    this.#body = body;
    this.#events = events;
    socket.once(opened, () => {
      if (!this.#isOver) events.onOpen();
    });
    socket.on('error', () => this.#fail());
    socket.once('close', () => this.#fail());
  }

  send(head: http.RequestOptions): void {
    this.#wasSent = true;
    const request = http.request({ ...head, createConnection: () => this.#socket });
    request.on('error', () => this.#fail());
    request.on('response', (response) => {
      response.on('error', () => {});
      if (this.#isOver) return;
      this.#isOver = true;
      this.#events.onResponse(response);
    });
    request.flushHeaders();
    if (this.#body) this.#body.pipe(request);
    else request.end();
  }

  cancel(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #fail(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#events.onFailure(this.#wasSent);
  }
}

const SAFE_TO_REPEAT = /^(GET|HEAD|OPTIONS|TRACE|PUT|DELETE)$/;

/** One request of the own service, with all its tries. */
class Exchange {
  readonly #sidecar: MeshSidecar;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #tried = new Set<Endpoint>();
  readonly #trace: Trace;
  #candidates: Endpoint[] = [];
  #current: { hop: Hop; endpoint: Endpoint } | undefined;
  #triesLeft = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(sidecar: MeshSidecar, req: IncomingMessage, res: ServerResponse) {
    this.#sidecar = sidecar;
    this.#req = req;
    this.#res = res;
    this.#trace = traceOf(req);
  }

  begin(): void {
    const { routes } = this.#sidecar.config;
    const [host = ''] = (this.#req.headers.host ?? '').toLowerCase().split(':');
    const route = new Map(Object.entries(routes)).get(host);
    if (!route) return end(this.#req, this.#res, 404);
    const { random = Math.random } = this.#sidecar.options;
    this.#candidates = this.#sidecar.endpointsOf(choose(route.targets, random()));
    this.#triesLeft = 1 + route.retries;
    this.#timer = setTimeout(() => {
      this.#current?.hop.cancel();
      this.#current?.endpoint.failed(this.#candidates);
      end(this.#req, this.#res, 504);
    }, route.timeoutMs);
    this.#res.once('close', () => {
      clearTimeout(this.#timer);
      this.#current?.hop.cancel();
    });
    this.#try();
  }

  #try(): void {
    this.#triesLeft -= 1;
    const endpoint = this.#next();
    this.#tried.add(endpoint);
    const headers = traced(passable(this.#req), this.#trace);
    const { method, url: path } = this.#req;
    const hop = endpoint.hop(this.#req, {
      onOpen: () => hop.send({ method, path, headers }),
      onResponse: (response) => this.#answered(endpoint, response),
      onFailure: (wasSent) => {
        endpoint.failed(this.#candidates);
        if (this.#triesLeft > 0 && (!wasSent || this.#mayRepeat())) return this.#try();
        clearTimeout(this.#timer);
        end(this.#req, this.#res, wasSent ? 502 : 503);
      },
    });
    this.#current = { hop, endpoint };
  }

  #answered(endpoint: Endpoint, response: IncomingMessage): void {
    const { statusCode = 502 } = response;
    if (statusCode < 500) endpoint.succeeded();
    else endpoint.failed(this.#candidates);
    if (this.#triesLeft > 0 && [502, 503, 504].includes(statusCode) && this.#mayRepeat()) {
      response.destroy();
      return this.#try();
    }
    clearTimeout(this.#timer);
    relay(response, this.#res);
  }

  #mayRepeat(): boolean {
    const { method = '', headers } = this.#req;
    const isEmpty = !headers['transfer-encoding'] && !Number(headers['content-length'] ?? 0);
    return SAFE_TO_REPEAT.test(method) && isEmpty;
  }

  #next(): Endpoint {
    const wells = this.#candidates.filter((each) => !each.isOut);
    const inUse = wells.length > 0 ? wells : this.#candidates;
    const fresh = inUse.filter((each) => !this.#tried.has(each));
    const choice = (fresh.length > 0 ? fresh : inUse).reduce((a, b) => (b.turn < a.turn ? b : a));
    choice.turn = Endpoint.turns += 1;
    return choice;
  }
}

function choose(targets: readonly Target[], random: number): Target {
  const ends: number[] = [];
  let sum = 0;
  for (const { weight } of targets) ends.push((sum += weight));
  const place = Math.min(random * sum, sum * (1 - Number.EPSILON));
  const target = targets[ends.findIndex((each) => place < each)];
  if (!target) throw new Error('no target with a weight');
  return target;
}

/** A sidecar of somebody else, and what is known of it. */
class Endpoint {
  static turns = 0;
  readonly #sidecar: MeshSidecar;
  readonly #port: number;
  spiffeId: string;
  turn = 0;
  isOut = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #check: Hop | undefined;

  constructor(sidecar: MeshSidecar, port: number, spiffeId: string) {
    this.#sidecar = sidecar;
    this.#port = port;
    this.spiffeId = spiffeId;
  }

  hop(body: IncomingMessage | undefined, events: HopEvents): Hop {
    const socket = tls.connect({
      ...pem(this.#sidecar.config.identity),
      host: LOOPBACK,
      port: this.#port,
      checkServerIdentity: (_, certificate) =>
        onlyUri(certificate) === this.spiffeId ? undefined : new Error('somebody else'),
    });
    return new Hop(socket, 'secureConnect', body, events);
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(all: readonly Endpoint[]): void {
    this.#failures += 1;
    const out = all.filter((each) => each.isOut).length;
    const isTooMuch = this.#failures >= this.#sidecar.options.ejection.failures;
    if (this.isOut || !isTooMuch || (out + 1) * 2 > all.length) return;
    this.isOut = true;
    this.#checkLater();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#check?.cancel();
    this.#check = undefined;
  }

  #checkLater(): void {
    this.#timer = setTimeout(() => this.#checkNow(), this.#sidecar.options.ejection.checkEveryMs);
  }

  #checkNow(): void {
    const { checkPath: path, checkTimeoutMs } = this.#sidecar.options.ejection;
    const ended = (isWell: boolean) => {
      this.stop();
      if (!isWell) return this.#checkLater();
      this.isOut = false;
      this.#failures = 0;
    };
    const check = this.hop(undefined, {
      onOpen: () => check.send({ path }),
      onFailure: () => ended(false),
      onResponse: (response) =>
        ended(response.statusCode !== undefined && response.statusCode < 300),
    });
    this.#check = check;
    this.#timer = setTimeout(() => ended(false), checkTimeoutMs);
  }
}

function relay(response: IncomingMessage, res: ServerResponse): void {
  res.writeHead(response.statusCode ?? 502, passable(response));
  res.flushHeaders();
  response.on('data', (part) => {
    if (!res.write(part)) response.pause();
  });
  res.on('drain', () => response.resume());
  response.on('end', () => res.end());
  response.on('close', () => {
    if (!response.complete) res.destroy();
  });
}

function end(req: IncomingMessage, res: ServerResponse, status: number): void {
  if (res.headersSent) return;
  req.unpipe();
  req.resume();
  res.writeHead(status).end();
}

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

/** The door is a server of plain or secure connections; what comes in is handed to an HTTP server that never listens. */
class Listener {
  readonly #door: net.Server;
  readonly #idle = new Set<Socket>();
  readonly #all = new Set<Socket>();
  #isClosing = false;

  constructor(door: net.Server, arrival: string, handler: Handler) {
    this.#door = door;
    const protocol = http.createServer((req, res) => {
      this.#idle.delete(req.socket);
      res.once('close', () => this.#rests(req.socket));
      handler(req, res);
    });
    door.on('connection', (socket) => {
      this.#all.add(socket);
      socket.once('close', () => this.#all.delete(socket));
    });
    door.on(arrival, (socket: Socket) => {
      this.#rests(socket);
      protocol.emit('connection', socket);
    });
  }

  get port(): number {
    const address = this.#door.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  open(): Promise<void> {
    return new Promise((resolve) => {
      this.#door.listen({ port: 0, host: LOOPBACK }, resolve);
    });
  }

  close(): Promise<void> {
    this.#isClosing = true;
    for (const socket of this.#idle) socket.destroySoon();
    return new Promise((resolve) => {
      this.#door.close(() => resolve());
    });
  }

  cut(): void {
    for (const socket of this.#all) socket.destroy();
  }

  #rests(socket: Socket): void {
    if (this.#isClosing) socket.destroySoon();
    if (socket.destroyed) return;
    this.#idle.add(socket);
    socket.once('close', () => this.#idle.delete(socket));
  }
}

const pem = ({ certPem, keyPem, caPem }: Identity) => ({ cert: certPem, key: keyPem, ca: caPem });

function onlyUri({ subjectaltname = '' }: { readonly subjectaltname?: string | undefined }) {
  const uris = subjectaltname.split(', ').filter((name) => name.startsWith('URI:'));
  return uris.length === 1 ? uris[0]?.slice(4) : undefined;
}

/** The headers that may go on; a name that `Connection` lists is about this connection alone. */
function passable({ rawHeaders, headers }: IncomingMessage): Record<string, string[] | string> {
  const usual = 'connection,keep-alive,proxy-connection,te,transfer-encoding,upgrade';
  const listed = `${usual},${CLIENT_CERT},${headers.connection ?? ''}`.toLowerCase().split(',');
  const stays = new Set(listed.map((name) => name.trim()));
  const result: Record<string, string[] | string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2);
    const key = name.toLowerCase();
    if (!stays.has(key)) result[key] = [result[key] ?? [], value].flat();
  }
  // Node takes no list for this one.
  if (headers.host !== undefined) result['host'] = headers.host;
  return result;
}

interface Trace {
  readonly id: string;
  readonly flags: string;
  readonly isNew: boolean;
  readonly isFramed: boolean;
}

function traceOf({ headers }: IncomingMessage): Trace {
  const isFramed = 'transfer-encoding' in headers || 'content-length' in headers;
  const [version, id = '', span = '', flags = '', ...rest] = String(headers['traceparent']).split(
    '-',
  );
  const isHex = /^[0-9a-f]{32} [0-9a-f]{16} [0-9a-f]{2}$/.test(`${id} ${span} ${flags}`);
  const isValid =
    version === '00' && isHex && rest.length === 0 && !/^0*$/.test(id) && !/^0*$/.test(span);
  if (isValid) return { id, flags, isNew: false, isFramed };
  return { id: randomBytes(16).toString('hex'), flags: '01', isNew: true, isFramed };
}

function traced(headers: OutgoingHttpHeaders, { id, flags, isNew, isFramed }: Trace) {
  const { tracestate, ...others } = headers;
  return {
    ...others,
    ...(tracestate !== undefined && !isNew && { tracestate }),
    // Without a frame, the body of a GET or DELETE reads like another request.
    ...(isFramed && !('content-length' in headers) && { 'transfer-encoding': 'chunked' }),
    traceparent: `00-${id}-${randomBytes(8).toString('hex')}-${flags}`,
  };
}
