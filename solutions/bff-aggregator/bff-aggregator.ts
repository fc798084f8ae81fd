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
  // #region answer: ask the services that the page needs, and answer with what is there in time
  return {
    handle: (request, { signal: caller } = {}) =>
      new Promise((resolve, reject) => {
        if (caller?.aborted) return reject(caller.reason);
        const over = new AbortController();
        const leave = (): void => {
          reject(caller?.reason);
          over.abort();
        };
        caller?.addEventListener('abort', leave);
        void answer(options, request, over.signal)
          .then(resolve, reject)
          .finally(() => {
            caller?.removeEventListener('abort', leave);
            over.abort();
          });
      }),
  };
  // #endregion
}

// #region answer
interface Parts {
  readonly order: Order;
  readonly productOf: (sku: string) => Product | undefined;
  readonly delivery: Delivery | null;
  readonly offers: readonly Offer[] | null;
  readonly errors: readonly MissingPart[];
}

interface View {
  readonly needs: readonly MissingPart['part'][];
  /** Whether it has a place to say what is missing. If not, all that it needs is required. */
  readonly mayHaveGaps: boolean;
  readonly show: (parts: Parts) => BffResponse['body'];
}

// Each field is named. What a service adds tomorrow is on no page until somebody puts it there.
const VIEWS: Record<Client, View> = {
  mobile: {
    needs: ['products', 'delivery', 'offers'],
    mayHaveGaps: true,
    show: ({ order: { id, status, items }, productOf, delivery, offers, errors }) => ({
      order: { id, status },
      items: items.map(({ sku, quantity }) => ({ quantity, name: productOf(sku)?.name ?? null })),
      delivery: delivery && { etaAt: delivery.etaAt, courierName: delivery.courier.name },
      offers: offers && offers.map(({ title }) => ({ title })),
      errors,
    }),
  },
  web: {
    needs: ['products', 'delivery', 'offers'],
    mayHaveGaps: true,
    show: ({ order: { id, status, totalCents, items }, productOf, delivery, offers, errors }) => ({
      order: { id, status, totalCents },
      items: items.map(({ sku, quantity }) => {
        const { name = null, imageUrl = null } = productOf(sku) ?? {};
        return { quantity, name, imageUrl };
      }),
      delivery: delivery && {
        etaAt: delivery.etaAt,
        courierName: delivery.courier.name,
        stopsLeft: delivery.stopsLeft,
      },
      offers: offers && offers.map(({ title, priceCents }) => ({ title, priceCents })),
      errors,
    }),
  },
  partner: {
    needs: ['delivery'],
    mayHaveGaps: false,
    show: ({ order, delivery }) => ({
      version: 1,
      order_id: order.id,
      state: PARTNER_STATES.get(order.status) ?? 'other',
      total_cents: order.totalCents,
      eta: delivery && delivery.etaAt,
    }),
  },
};

const PARTNER_STATES = new Map<string, PartnerOrder['state']>([
  ['placed', 'open'],
  ['packed', 'open'],
  ['shipped', 'shipped'],
  ['delivered', 'delivered'],
  ['canceled', 'canceled'],
]);

/** What services hear of the request: no credential, and no user that the client says it is. */
const PASSED_ON = new Set(['traceparent', 'accept-language']);

async function answer(
  { client, services, timeoutsMs, limitMs }: BffOptions,
  request: BffRequest,
  over: AbortSignal,
): Promise<BffResponse> {
  const { needs, mayHaveGaps, show } = VIEWS[client];
  const endsAt = performance.now() + limitMs;
  const own = new Map(Object.entries(request.headers).filter(([name]) => PASSED_ON.has(name)));
  const ask = <T>(name: keyof Services, call: (context: CallContext) => Promise<T>) => {
    const leftMs = Math.min(timeoutsMs[name], endsAt - performance.now());
    return outcomeOf((signal) => call({ signal, headers: Object.fromEntries(own) }), leftMs, over);
  };

  const credential = credentialOf(client, request.headers);
  if (!credential) return failure('unauthorized');
  const auth = await ask('auth', (context) => services.auth(credential, context));
  if (auth.reason) return failure(auth.status === 401 ? 'unauthorized' : `upstream_${auth.reason}`);
  const { userId } = auth.value;
  own.set('x-user-id', userId);

  // Not awaited here: what hangs on the order must not wait for offers.
  const offersCall = needs.includes('offers')
    ? ask('offers', (context) => services.offers({ userId }, context))
    : NOTHING;
  const found = await ask('orders', (context) =>
    services.orders({ orderId: request.orderId }, context),
  );
  if (found.reason) {
    const isHidden = found.status === 403 || found.status === 404;
    return failure(isHidden ? 'not_found' : `upstream_${found.reason}`);
  }
  const order = found.value;
  const { shipmentId } = order;
  const skus = [...new Set(order.items.map(({ sku }) => sku))];
  const [products, delivery, offers] = await Promise.all([
    needs.includes('products') && skus.length > 0
      ? ask('products', (context) => services.products({ skus }, context))
      : NOTHING,
    needs.includes('delivery') && shipmentId !== null
      ? ask('delivery', (context) => services.delivery({ shipmentId }, context))
      : NOTHING,
    offersCall,
  ]);

  const errors = [
    ...gap('products', products),
    ...gap('delivery', delivery),
    ...gap('offers', offers),
  ];
  const [first] = errors;
  if (first && !mayHaveGaps) return failure(`upstream_${first.reason}`);
  const bySku = new Map(products.value?.map((product) => [product.sku, product]));
  const body = show({
    order,
    productOf: (sku) => bySku.get(sku),
    delivery: delivery.value ?? null,
    offers: offers.value ?? null,
    errors,
  });
  return json(200, body, errors.length > 0 ? 'no-store' : 'private, max-age=10');
}

/** How a call has ended. A promise of it never rejects: it does not matter who waits for it, and when. */
type Outcome<T> =
  | { readonly value: T; readonly reason?: never }
  | { readonly reason: MissingPart['reason']; readonly status?: unknown; readonly value?: never };

/** Where there is nothing to ask, the answer is known. */
const NOTHING = { value: null };

function outcomeOf<T>(
  call: (signal: AbortSignal) => Promise<T>,
  limitMs: number,
  over: AbortSignal,
): Promise<Outcome<T>> {
  return new Promise((resolve) => {
    // The client may have left in the very step that would have begun this call.
    if (over.aborted) return resolve({ reason: 'timeout' });
    const controller = new AbortController();
    const stop = (): void => {
      clearTimeout(timer);
      resolve({ reason: 'timeout' });
      controller.abort();
    };
    const timer = setTimeout(stop, limitMs);
    over.addEventListener('abort', stop);
    new Promise<T>((settle) => settle(call(controller.signal)))
      .then(
        (value) => resolve({ value }),
        (error: unknown) => resolve({ reason: 'failed', status: statusOf(error) }),
      )
      .finally(() => clearTimeout(timer));
  });
}

/** Whatever a service fails with: an error, or nothing at all. */
function statusOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'status' in error
    ? error.status
    : undefined;
}

function gap(part: MissingPart['part'], { reason }: Outcome<unknown>): MissingPart[] {
  return reason ? [{ part, reason }] : [];
}

function failure(error: Failure['error']): BffResponse {
  const status = { unauthorized: 401, not_found: 404, upstream_failed: 502, upstream_timeout: 504 };
  return json(status[error], { error }, 'no-store');
}

/** The only headers that a client gets. */
function json(status: number, body: BffResponse['body'], cacheControl: string): BffResponse {
  const headers = { 'content-type': 'application/json', 'cache-control': cacheControl };
  return { status, headers, body };
}
// #endregion
