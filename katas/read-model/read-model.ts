/** What the customer service says of a customer; which fields there are is its business. */
export type Customer = Readonly<Record<string, unknown>>;

interface Event {
  readonly id: string;
  /** Of this customer: 1, 2, 3 … without gaps, given by the customer service. */
  readonly version: number;
  /** When it happened, by the wall clock of the customer service, in milliseconds. */
  readonly at: number;
}

/** Only the fields that have changed, with their new values. */
export interface Changed extends Event {
  readonly kind: 'changed';
  readonly fields: Customer;
}

export interface Deleted extends Event {
  readonly kind: 'deleted';
}

export type CustomerEvent = Changed | Deleted;

/** The answer of the customer service to "how is this customer now?" */
export interface Snapshot {
  readonly version: number;
  readonly at: number;
  /** Absent: deleted. */
  readonly customer?: Customer;
}

export interface Copy {
  readonly customer: Customer;
  /** The event up to which this is the customer. */
  readonly version: number;
  /** Whether later events have come that cannot be applied yet, as one before them is missing. */
  readonly hasGap: boolean;
}

export interface Gap {
  readonly id: string;
  /** The first version that is missing. */
  readonly missing: number;
}

/** A copy of another service's data, made of its events. Never throws, whatever comes in whatever order. */
export interface ReadModel {
  apply(event: CustomerEvent): void;
  /** All that happened up to `at` has been sent. */
  heartbeat(at: number): void;
  /** Undefined for a customer who is unknown or deleted. */
  get(id: string): Copy | undefined;
  /** How long ago, in milliseconds, the newest happened that this copy knows of; 0 or more; undefined: it knows nothing. */
  readonly staleMs: number | undefined;
  /** The customers whose events wait for one that is missing, in any order. */
  gaps(): Gap[];
  /** Takes over what the customer service says, unless more is known already. */
  resync(id: string, snapshot: Snapshot): void;
  /**
   * Makes the copy anew from the log of all events. Until the log ends, readers see the old copy. Rejects with the error
   * of the log when that fails; then the old copy stays.
   */
  replay(log: AsyncIterable<CustomerEvent>): Promise<void>;
}

/** Keep one per service whose data is copied. */
export function createReadModel(): ReadModel {
  throw new Error('TODO: keep a copy that comes out right in the end');
}
