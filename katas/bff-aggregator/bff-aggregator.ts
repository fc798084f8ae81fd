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
  throw new Error(
    'TODO: ask the services that the page needs, and answer with what is there in time',
  );
}
