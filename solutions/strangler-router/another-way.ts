/** A request as it came in. Nobody changes it on its way. */
export interface HttpRequest {
  /** In capitals, such as `GET`. */
  readonly method: string;
  /** As it was sent, with its query: `/orders/7?view=full`. Segments `.` and `..` have been resolved before. */
  readonly path: string;
  /** Names in lower case, as Node gives them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Who asks, as authentication has found out; missing for a stranger. */
  readonly userId?: string;
  readonly body?: unknown;
}

export interface HttpResponse {
  readonly status: number;
  readonly body?: unknown;
}

/** Answers, or rejects or throws if it has no answer: the connection was refused, the timeout has struck. */
export type Backend = (request: HttpRequest) => HttpResponse | PromiseLike<HttpResponse>;

/** What has moved, and how far. No two routes of a table have the same prefix and a method in common. */
export interface Route {
  /** The segments that its paths begin with, as `/orders`; `/` for all paths. Plain text: no query, no `%`. */
  readonly prefix: string;
  /** The methods it is about; @default all */
  readonly methods?: readonly string[];
  /** The new service. */
  readonly service: Backend;
  /** The share of users who go over, 0 to 100, in steps of 0.1. */
  readonly percent: number;
  /** Routes of one cohort send the same users over; cohorts have nothing to do with each other. */
  readonly cohort: string;
  /** Does the new service get a copy of the reads that the monolith serves? @default false */
  readonly shadow?: boolean;
  /** Is the monolith's code for it gone? Then all of it goes to the service, and nothing back; @default false */
  readonly retired?: boolean;
}

export type Report =
  | {
      /** The monolith served what the new service could not. */
      readonly kind: 'fallback';
      readonly request: HttpRequest;
      /** What the new service ended in: its 5xx, or what was thrown. */
      readonly failure: unknown;
    }
  | {
      /** In a parallel run the new service did not do as the monolith. */
      readonly kind: 'mismatch';
      readonly request: HttpRequest;
      /** What the monolith answered. */
      readonly expected: HttpResponse;
      /** What the new service ended in: its response, or what was thrown. */
      readonly actual: unknown;
    };

export interface StranglerRouterOptions {
  readonly monolith: Backend;
  readonly routes: readonly Route[];
  /** Are these two the same for a customer? */
  readonly isSame: (monolith: HttpResponse, service: HttpResponse) => boolean;
  readonly onReport: (report: Report) => void;
}

export interface StranglerRouter {
  /**
   * Answers with the monolith's response or with that of a new service.
   *
   * @throws what the backend whose turn it was has thrown (as a rejection)
   */
  handle(request: HttpRequest): Promise<HttpResponse>;
  /** The table for all requests that come from now on. */
  setRoutes(routes: readonly Route[]): void;
  /** The kill switch: while it is on, the monolith serves whatever it still can. */
  setKilled(killed: boolean): void;
}

/** The façade of a strangler fig (M. Fowler, 2004): sends each request to the monolith or to what replaces it. */
export function createStranglerRouter(options: StranglerRouterOptions): StranglerRouter {
  return new Facade(options);
}

/**
 * The other usual shape: a class that keeps the routes in a tree of segments and walks down it, as routers of web
 * frameworks do. What is decided is written on a ticket first, as data that could be logged, and then carried out. The
 * parallel run needs no promise that both have ended: each of the two puts its outcome down, and whoever comes second
 * compares.
 */
class Facade implements StranglerRouter {
  readonly #options: StranglerRouterOptions;
  #root: TreeNode;
  #killed = false;

  constructor(options: StranglerRouterOptions) {
    this.#options = options;
    this.#root = treeOf(options.routes);
  }

  setRoutes(routes: readonly Route[]): void {
    this.#root = treeOf(routes);
  }

  setKilled(killed: boolean): void {
    this.#killed = killed;
  }

  handle(request: HttpRequest): Promise<HttpResponse> {
    const { monolith, onReport } = this.#options;
    const { first, fallback, shadow } = this.#ticket(request);
    const compare = shadow && this.#comparison(request);

    const answer = outcomeOf(first, request).then((outcome) => {
      compare?.('monolith', outcome);
      if (!fallback || isAnswer(outcome)) return outcome;
      onReport({
        kind: 'fallback',
        request,
        failure: 'response' in outcome ? outcome.response : outcome.error,
      });
      return outcomeOf(monolith, request);
    });
    if (shadow && compare) {
      void outcomeOf(shadow, request).then((outcome) => compare('service', outcome));
    }
    return answer.then((outcome) => {
      if ('response' in outcome) return outcome.response;
      throw outcome.error;
    });
  }

  #ticket(request: HttpRequest): Ticket {
    const { monolith } = this.#options;
    const route = this.#find(request);
    if (!route) return { first: monolith };
    const { service, retired, shadow } = route;
    if (retired) return { first: service };
    if (this.#killed) return { first: monolith };
    const isRead = /^(GET|HEAD|OPTIONS)$/.test(request.method);
    if (sideOf(request, route) === 'service') return { first: service, fallback: isRead };
    return shadow && isRead ? { first: monolith, shadow: service } : { first: monolith };
  }

  /** The last route that is met on the way down. */
  #find({ method, path }: HttpRequest): Route | undefined {
    let node: TreeNode | undefined = this.#root;
    let found = node.routes.find((route) => isAbout(route, method));
    for (const segment of segmentsOf(path)) {
      node = node.children.get(segment);
      if (!node) break;
      found = node.routes.find((route) => isAbout(route, method)) ?? found;
    }
    return found;
  }

  #comparison(request: HttpRequest): (side: 'monolith' | 'service', outcome: Outcome) => void {
    const ended: { monolith?: Outcome; service?: Outcome } = {};
    return (side, outcome) => {
      ended[side] = outcome;
      const { monolith, service } = ended;
      // Without an answer of the monolith there is nothing to compare with.
      if (!monolith || !service || 'error' in monolith) return;
      const expected = monolith.response;
      const actual = 'response' in service ? service.response : service.error;
      if ('response' in service && this.#isSame(expected, service.response)) return;
      this.#options.onReport({ kind: 'mismatch', request, expected, actual });
    };
  }

  #isSame(expected: HttpResponse, actual: HttpResponse): boolean {
    try {
      return this.#options.isSame(expected, actual);
    } catch {
      return false;
    }
  }
}

/** What becomes of a request. */
interface Ticket {
  readonly first: Backend;
  /** May the monolith be asked if the first has no answer? */
  readonly fallback?: boolean;
  /** Who gets a copy. */
  readonly shadow?: Backend;
}

type Outcome = { readonly response: HttpResponse } | { readonly error: unknown };

/** Never rejects. */
async function outcomeOf(backend: Backend, request: HttpRequest): Promise<Outcome> {
  try {
    return { response: await backend(request) };
  } catch (error) {
    return { error };
  }
}

function isAnswer(outcome: Outcome): boolean {
  return 'response' in outcome && outcome.response.status < 500;
}

interface TreeNode {
  readonly routes: Route[];
  readonly children: Map<string, TreeNode>;
}

function treeOf(routes: readonly Route[]): TreeNode {
  const root: TreeNode = { routes: [], children: new Map() };
  for (const route of routes) {
    let node = root;
    for (const segment of segmentsOf(route.prefix)) {
      const child = node.children.get(segment) ?? { routes: [], children: new Map() };
      node.children.set(segment, child);
      node = child;
    }
    node.routes.push(route);
  }
  return root;
}

function isAbout({ methods }: Route, method: string): boolean {
  return !methods || methods.includes(method);
}

/** Split by hand, and decoded by a regular expression: what is no valid encoding does not match, and stays. */
function* segmentsOf(path: string): Generator<string> {
  for (const [segment] of path.replace(/\?.*/s, '').matchAll(/[^/]+/g)) {
    yield /%(?![\da-f]{2})/i.test(segment) ? segment : decoded(segment);
  }
}

function decoded(segment: string): string {
  // Bytes that are no UTF-8 become U+FFFD, which no prefix has in it.
  const bytes = Buffer.from(
    Buffer.from(segment, 'utf8')
      .toString('latin1')
      .replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  return bytes.toString('utf8');
}

function sideOf({ headers, userId }: HttpRequest, { percent, cohort }: Route): string {
  const wish = headers['x-route-to'] ?? '';
  if (['monolith', 'service'].includes(wish)) return wish;
  if (percent === 100) return 'service';
  if (userId === undefined) return 'monolith';
  return hash(`${cohort}:${userId}`) / 2 ** 32 < percent / 100 ? 'service' : 'monolith';
}

/** FNV-1a, and then the last steps of MurmurHash3, without which names that differ at the end lie close together. */
function hash(text: string): number {
  let bits = 0x811c9dc5;
  for (const byte of Buffer.from(text)) bits = Math.imul(bits ^ byte, 0x01000193);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
