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
  throw new Error(
    'TODO: decide once, when a request comes, who serves it; nothing that happens later may change that',
  );
}
