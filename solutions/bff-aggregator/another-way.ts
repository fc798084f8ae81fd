// ── The services behind it ──────────────────────────────────────────────────────────────────────────────

/** What a client proves with who it is. */
export interface Credential {
  readonly kind: 'bearer' | 'session' | 'api_key';
  readonly secret: string;
}

export interface Order {
  readonly id: string;
  /** `placed`, `packed`, `shipped`, `delivered`, `canceled`, and whatever the orders team adds next. */
  readonly status: string;
  readonly totalCents: number;
  readonly items: readonly {
    readonly sku: string;
    readonly quantity: number;
    readonly priceCents: number;
  }[];
  /** null as long as nothing has been shipped. */
  readonly shipmentId: string | null;
  readonly fraudScore: number;
}

export interface Product {
  readonly sku: string;
  readonly name: string;
  readonly imageUrl: string;
  readonly supplierPriceCents: number;
}

export interface Delivery {
  readonly etaAt: string;
  readonly stopsLeft: number;
  readonly courier: { readonly name: string; readonly phone: string };
}

export interface Offer {
  readonly title: string;
  readonly priceCents: number;
  readonly marginCents: number;
}

export interface CallContext {
  /** Aborted when nobody needs the answer any more. */
  readonly signal: AbortSignal;
  readonly headers: Readonly<Record<string, string>>;
}

/** May throw, hang, and take no notice of its signal. What it fails with has a `status` if the service has answered. */
export type Service<Input, Output> = (input: Input, context: CallContext) => Promise<Output>;

export interface Services {
  /** Fails with 401 for a credential that is none. */
  readonly auth: Service<Credential, { readonly userId: string }>;
  /** Decides who may see an order: fails with 403 or 404. */
  readonly orders: Service<{ readonly orderId: string }, Order>;
  /** Those there are, in any order. Takes each SKU once. */
  readonly products: Service<{ readonly skus: readonly string[] }, readonly Product[]>;
  readonly delivery: Service<{ readonly shipmentId: string }, Delivery>;
  readonly offers: Service<{ readonly userId: string }, readonly Offer[]>;
}

// ── The clients before it ───────────────────────────────────────────────────────────────────────────────

export type Client = 'mobile' | 'web' | 'partner';

/** A part of a page that may be missing. */
export interface MissingPart {
  readonly part: 'products' | 'delivery' | 'offers';
  readonly reason: 'failed' | 'timeout';
}

export interface MobilePage {
  readonly order: { readonly id: string; readonly status: string };
  readonly items: readonly { readonly quantity: number; readonly name: string | null }[];
  readonly delivery: { readonly etaAt: string; readonly courierName: string } | null;
  readonly offers: readonly { readonly title: string }[] | null;
  /** Which parts are not there although they should be; in any order. */
  readonly errors: readonly MissingPart[];
}

export interface WebPage {
  readonly order: { readonly id: string; readonly status: string; readonly totalCents: number };
  readonly items: readonly {
    readonly quantity: number;
    readonly name: string | null;
    readonly imageUrl: string | null;
  }[];
  readonly delivery: {
    readonly etaAt: string;
    readonly courierName: string;
    readonly stopsLeft: number;
  } | null;
  readonly offers: readonly { readonly title: string; readonly priceCents: number }[] | null;
  /** Which parts are not there although they should be; in any order. */
  readonly errors: readonly MissingPart[];
}

/** A contract: neither a name nor the values of `state` change before version 2. */
export interface PartnerOrder {
  readonly version: 1;
  readonly order_id: string;
  /** `open`: placed or packed; `other`: whatever is not known here. */
  readonly state: 'open' | 'shipped' | 'delivered' | 'canceled' | 'other';
  readonly total_cents: number;
  /** null as long as nothing has been shipped. */
  readonly eta: string | null;
}

export interface Failure {
  readonly error: 'unauthorized' | 'not_found' | 'upstream_failed' | 'upstream_timeout';
}

export interface BffRequest {
  readonly orderId: string;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface BffResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Is sent as JSON. */
  readonly body: MobilePage | WebPage | PartnerOrder | Failure;
}

/** The credential that this client, and no other, comes with. */
export function credentialOf(
  client: Client,
  headers: Readonly<Record<string, string>>,
): Credential | undefined {
  const { authorization = '', cookie = '', 'x-api-key': apiKey } = headers;
  const [kind, secret] = {
    mobile: ['bearer', /^Bearer (\S+)$/i.exec(authorization)?.[1]] as const,
    web: ['session', /(?:^|; )sid=([^;]+)/.exec(cookie)?.[1]] as const,
    partner: ['api_key', apiKey] as const,
  }[client];
  return secret ? { kind, secret } : undefined;
}

// ── What you build ──────────────────────────────────────────────────────────────────────────────────────

export interface BffOptions {
  /** Each client has a BFF of its own, over the same services. */
  readonly client: Client;
  readonly services: Services;
  /** How long one call of a service may take, in whole milliseconds; 1 to 60,000. */
  readonly timeoutsMs: Readonly<Record<keyof Services, number>>;
  /** How long a whole page may take, in whole milliseconds; 1 to 60,000. */
  readonly limitMs: number;
}

export interface Bff {
  /**
   * Answers with the page of one order, or says in a status why there is none.
   *
   * @throws `signal.reason` (as a rejection) when the client hangs up before it has an answer
   */
  handle(request: BffRequest, options?: { readonly signal?: AbortSignal }): Promise<BffResponse>;
}

/** A backend for frontends, after S. Newman (2015): one page made of many services, for one client. */
export function createBff(options: BffOptions): Bff {
  return {
    handle: (request, { signal } = {}) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) reject(signal.reason);
        else new Page(options, request, signal, resolve, reject).proceed();
      }),
  };
}

/**
 * The other usual shape: an object for each page that knows what it has so far. Whenever something ends, it looks at a
 * table of what each service needs, begins whatever can begin, and sees whether the page is done. Nobody awaits
 * anything; the order of the calls is written down nowhere, for it follows from the table. One timer for the page and
 * one for each call.
 */
class Page {
  readonly #options: BffOptions;
  readonly #request: BffRequest;
  readonly #client: AbortSignal | undefined;
  readonly #resolve: (response: BffResponse) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #credential: Credential | undefined;
  readonly #known: Known = {};
  readonly #missing = new Map<Name, Missing>();
  readonly #underWay = new Map<Name, UnderWay>();
  readonly #timer: NodeJS.Timeout;
  #isOver = false;

  constructor(
    options: BffOptions,
    request: BffRequest,
    client: AbortSignal | undefined,
    resolve: (response: BffResponse) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#options = options;
    this.#request = request;
    this.#client = client;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#credential = credentialOf(options.client, request.headers);
    this.#timer = setTimeout(this.#runOut, options.limitMs);
    client?.addEventListener('abort', this.#leave);
  }

  /** Begins what can begin, and ends the page when nothing is under way any more. */
  proceed(): void {
    if (this.#isOver) return;
    if (!this.#credential) return this.#end('unauthorized');
    const failure = this.#failure();
    if (failure) return this.#end(failure);
    const known = this.#known;
    const user = known.auth && { 'x-user-id': known.auth.userId };
    this.#begin('auth', this.#credential);
    this.#begin('orders', user && { orderId: this.#request.orderId }, user);
    if (this.#options.client !== 'partner') {
      this.#begin('offers', known.auth && { userId: known.auth.userId }, user);
      this.#begin('products', skusOf(known.orders), user);
    }
    this.#begin('delivery', shipmentOf(known.orders), user);
    if (this.#underWay.size === 0) this.#end(undefined);
  }

  /** Asks a service, once, as soon as there is an input for it. */
  #begin<N extends Name>(
    name: N,
    input: Parameters<Services[N]>[0] | undefined,
    user: Record<string, string> = {},
  ): void {
    const isAsked = this.#underWay.has(name) || name in this.#known || this.#missing.has(name);
    if (this.#isOver || isAsked || !input) return;
    const controller = new AbortController();
    const timer = setTimeout(() => {
      this.#drop(name);
      this.proceed();
    }, this.#options.timeoutsMs[name]);
    this.#underWay.set(name, { controller, timer });
    const headers = { ...passedOn(this.#request.headers), ...user };
    // The compiler does not see that name and input belong together.
    const service: (input: never, context: CallContext) => Promise<unknown> =
      this.#options.services[name];
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const call = async () => service(input as never, { signal: controller.signal, headers });
    call().then(
      (value) => {
        if (!this.#land(name)) return;
        Object.assign(this.#known, { [name]: value });
        this.proceed();
      },
      (error: unknown) => {
        if (!this.#land(name)) return;
        const status = error instanceof Object && 'status' in error ? error.status : undefined;
        this.#missing.set(name, { reason: 'failed', status });
        this.proceed();
      },
    );
  }

  /** Whether anybody still waits for this call. */
  #land(name: Name): boolean {
    clearTimeout(this.#underWay.get(name)?.timer);
    return this.#underWay.delete(name);
  }

  #drop(name: Name): void {
    const { controller } = this.#underWay.get(name) ?? {};
    this.#land(name);
    this.#missing.set(name, { reason: 'timeout' });
    controller?.abort();
  }

  /** The time of the page is over: what is under way is missing. */
  readonly #runOut = (): void => {
    for (const name of this.#underWay.keys()) this.#drop(name);
    this.#end(this.#failure());
  };

  readonly #leave = (): void => {
    this.#close();
    this.#reject(this.#client?.reason);
  };

  #failure(): Failure['error'] | undefined {
    const { client } = this.#options;
    for (const [name, { reason, status }] of this.#missing) {
      if (name === 'auth' && status === 401) return 'unauthorized';
      if (name === 'orders' && (status === 403 || status === 404)) return 'not_found';
      const isRequired = name === 'auth' || name === 'orders' || client === 'partner';
      if (isRequired) return `upstream_${reason}`;
    }
    return undefined;
  }

  #end(failure: Failure['error'] | undefined): void {
    if (this.#isOver) return;
    this.#close();
    this.#resolve(failure ? failed(failure) : this.#page());
  }

  #close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#client?.removeEventListener('abort', this.#leave);
    const left = [...this.#underWay.values()];
    this.#underWay.clear();
    for (const { controller, timer } of left) {
      clearTimeout(timer);
      controller.abort();
    }
  }

  #page(): BffResponse {
    const { orders: order, products, delivery, offers } = this.#known;
    // Without an order the page has ended before.
    if (!order) return failed('upstream_failed');
    if (this.#options.client === 'partner') {
      return complete({
        version: 1,
        order_id: order.id,
        state: stateOf(order.status),
        total_cents: order.totalCents,
        eta: delivery?.etaAt ?? null,
      });
    }
    const errors: MissingPart[] = [];
    for (const part of ['products', 'delivery', 'offers'] as const) {
      const missing = this.#missing.get(part);
      if (missing) errors.push({ part, reason: missing.reason });
    }
    const productOf = (sku: string) => products?.find((product) => product.sku === sku);
    const page =
      this.#options.client === 'mobile'
        ? {
            order: pick(order, 'id', 'status'),
            items: order.items.map(({ sku, quantity }) => ({
              quantity,
              name: productOf(sku)?.name ?? null,
            })),
            delivery: delivery
              ? { ...pick(delivery, 'etaAt'), courierName: delivery.courier.name }
              : null,
            offers: offers?.map((offer) => pick(offer, 'title')) ?? null,
            errors,
          }
        : {
            order: pick(order, 'id', 'status', 'totalCents'),
            items: order.items.map(({ sku, quantity }) => ({
              quantity,
              name: productOf(sku)?.name ?? null,
              imageUrl: productOf(sku)?.imageUrl ?? null,
            })),
            delivery: delivery
              ? { ...pick(delivery, 'etaAt', 'stopsLeft'), courierName: delivery.courier.name }
              : null,
            offers: offers?.map((offer) => pick(offer, 'title', 'priceCents')) ?? null,
            errors,
          };
    return errors.length > 0 ? respond(200, page, 'no-store') : complete(page);
  }
}

type Name = keyof Services;

/** What the services have said so far. */
type Known = { [N in Name]?: Awaited<ReturnType<Services[N]>> };

interface Missing {
  readonly reason: MissingPart['reason'];
  readonly status?: unknown;
}

interface UnderWay {
  readonly controller: AbortController;
  readonly timer: NodeJS.Timeout;
}

function skusOf(order: Order | undefined): { readonly skus: readonly string[] } | undefined {
  const skus = new Set(order?.items.map(({ sku }) => sku));
  return skus.size > 0 ? { skus: [...skus] } : undefined;
}

function shipmentOf(order: Order | undefined): { readonly shipmentId: string } | undefined {
  const shipmentId = order?.shipmentId ?? null;
  return shipmentId === null ? undefined : { shipmentId };
}

function stateOf(status: string): PartnerOrder['state'] {
  switch (status) {
    case 'placed':
    case 'packed':
      return 'open';
    case 'shipped':
    case 'delivered':
    case 'canceled':
      return status;
    default:
      return 'other';
  }
}

function passedOn(headers: BffRequest['headers']): Record<string, string> {
  const { traceparent, 'accept-language': language } = headers;
  return {
    ...(traceparent !== undefined && { traceparent }),
    ...(language !== undefined && { 'accept-language': language }),
  };
}

/** These fields and no others. */
function pick<T, Key extends keyof T>(thing: T, ...keys: readonly Key[]): Pick<T, Key> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(keys.map((key) => [key, thing[key]])) as Pick<T, Key>;
}

function complete(body: BffResponse['body']): BffResponse {
  return respond(200, body, 'private, max-age=10');
}

const STATUSES = { unauthorized: 401, not_found: 404, upstream_failed: 502, upstream_timeout: 504 };

function failed(error: Failure['error']): BffResponse {
  return respond(STATUSES[error], { error }, 'no-store');
}

function respond(status: number, body: BffResponse['body'], cacheControl: string): BffResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': cacheControl },
    body,
  };
}
