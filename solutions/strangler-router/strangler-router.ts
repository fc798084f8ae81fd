// #region answer
import { createHash } from 'node:crypto';
// #endregion

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
  // #region answer: decide once, when a request comes, who serves it; nothing that happens later may change that
  const { monolith, isSame, onReport } = options;
  let table = sorted(options.routes);
  let killed = false;

  const toMonolith = (request: HttpRequest) => ask(monolith, request);

  const toService = (request: HttpRequest, { service }: Route) => ask(service, request);

  const toServiceOrBack = async (request: HttpRequest, route: Route) => {
    let failure: unknown;
    try {
      const response = await toService(request, route);
      if (response.status < 500) return response;
      failure = response;
    } catch (error) {
      failure = error;
    }
    onReport({ kind: 'fallback', request, failure });
    return toMonolith(request);
  };

  const toBoth = (request: HttpRequest, route: Route) => {
    const serving = toMonolith(request);
    // Apart from the answer: nobody waits for this promise, and it cannot reject.
    void Promise.allSettled([serving, toService(request, route)]).then(([old, fresh]) => {
      if (old.status === 'rejected') return;
      const expected = old.value;
      if (fresh.status === 'rejected') {
        onReport({ kind: 'mismatch', request, expected, actual: fresh.reason });
      } else if (!matches(expected, fresh.value)) {
        onReport({ kind: 'mismatch', request, expected, actual: fresh.value });
      }
    });
    return serving;
  };

  const matches = (expected: HttpResponse, actual: HttpResponse): boolean => {
    try {
      return isSame(expected, actual);
    } catch {
      return false;
    }
  };

  return {
    async handle(request) {
      const route = routeOf(table, request);
      if (route?.retired) return toService(request, route);
      if (!route || killed) return toMonolith(request);
      const mayRunTwice = SAFE_METHODS.has(request.method);
      if (goesOver(request, route)) {
        return mayRunTwice ? toServiceOrBack(request, route) : toService(request, route);
      }
      return mayRunTwice && route.shadow ? toBoth(request, route) : toMonolith(request);
    },
    setRoutes(routes) {
      table = sorted(routes);
    },
    setKilled(on) {
      killed = on;
    },
  };
  // #endregion
}

// #region answer
// Safe, not idempotent: a PUT that is repeated here would be stored by two systems.
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The routes with their segments, the most specific first. */
type Table = readonly { readonly route: Route; readonly segments: readonly string[] }[];

function sorted(routes: readonly Route[]): Table {
  return routes
    .map((route) => ({ route, segments: segmentsOf(route.prefix) }))
    .toSorted((a, b) => b.segments.length - a.segments.length);
}

function routeOf(table: Table, { method, path }: HttpRequest): Route | undefined {
  const asked = segmentsOf(path);
  return table.find(
    ({ route, segments }) =>
      (route.methods?.includes(method) ?? true) &&
      segments.every((segment, index) => segment === asked[index]),
  )?.route;
}

function segmentsOf(path: string): string[] {
  // Split first, decode then: an encoded slash belongs to its segment.
  return path
    .replace(/\?.*/s, '')
    .split('/')
    .filter((segment) => segment !== '')
    .map(decoded);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function goesOver({ headers, userId }: HttpRequest, { percent, cohort }: Route): boolean {
  const wish = headers['x-route-to'];
  if (wish === 'service' || wish === 'monolith') return wish === 'service';
  return userId === undefined ? percent === 100 : placeOf(userId, cohort) < percent;
}

/** Where a user stands in the queue of a cohort, from 0 to below 100. `percent` only says how far it is let in. */
function placeOf(userId: string, cohort: string): number {
  const hash = createHash('sha256').update(`${cohort}\n${userId}`).digest();
  return (hash.readUInt32BE() / 2 ** 32) * 100;
}

/** What a backend returns, rejects with or throws, as a promise. */
async function ask(backend: Backend, request: HttpRequest): Promise<HttpResponse> {
  return backend(request);
}
// #endregion
