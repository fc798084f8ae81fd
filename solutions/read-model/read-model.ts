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
  // #region answer: keep a copy that comes out right in the end
  let current = createCopies();
  let next: Copies | undefined;
  const inBoth = (change: (copies: Copies) => void) => {
    change(current);
    if (next) change(next);
  };

  return {
    apply: (event) => inBoth((copies) => copies.apply(event)),
    heartbeat: (at) => inBoth((copies) => copies.see(at)),
    resync: (id, snapshot) => inBoth((copies) => copies.jump(id, snapshot)),
    get(id) {
      const { version, customer, waiting } = current.entries.get(id) ?? UNKNOWN;
      return customer && { customer: { ...customer }, version, hasGap: waiting.size > 0 };
    },
    get staleMs() {
      const { newestAt } = current;
      // Two machines, two wall clocks: theirs may be ahead of ours.
      return newestAt === undefined ? undefined : Math.max(0, Date.now() - newestAt);
    },
    gaps() {
      return [...current.entries]
        .filter(([, { waiting }]) => waiting.size > 0)
        .map(([id, { version }]) => ({ id, missing: version + 1 }));
    },
    async replay(log) {
      const fresh = createCopies();
      // From now on it hears what happens as well, or what happens during the replay would be missing at its end.
      next = fresh;
      try {
        for await (const event of log) fresh.apply(event);
        if (current.newestAt !== undefined) fresh.see(current.newestAt);
        current = fresh;
      } finally {
        next = undefined;
      }
    },
  };
  // #endregion
}

// #region answer
interface Entry {
  readonly version: number;
  /** Undefined: deleted. The entry stays, so that late events find a version that is higher. */
  readonly customer: Customer | undefined;
  /** Events that came before their turn, by version. */
  readonly waiting: ReadonlyMap<number, CustomerEvent>;
}

const UNKNOWN: Entry = { version: 0, customer: undefined, waiting: new Map() };

type Copies = ReturnType<typeof createCopies>;

function createCopies() {
  const entries = new Map<string, Entry>();
  let newestAt: number | undefined;

  const see = (at: number) => {
    newestAt = Math.max(newestAt ?? at, at);
  };

  /** Applies what waits for its turn, as far as there is no gap. */
  const settle = (id: string, entry: Entry) => {
    let { version, customer } = entry;
    const waiting = new Map([...entry.waiting].filter(([each]) => each > version));
    for (let event = waiting.get(version + 1); event; event = waiting.get(version + 1)) {
      ({ version } = event);
      customer = event.kind === 'deleted' ? undefined : { ...customer, ...event.fields };
      waiting.delete(version);
      see(event.at);
    }
    entries.set(id, { version, customer, waiting });
  };

  return {
    entries,
    get newestAt() {
      return newestAt;
    },
    see,
    apply(event: CustomerEvent) {
      const entry = entries.get(event.id) ?? UNKNOWN;
      const waiting = new Map(entry.waiting).set(event.version, event);
      settle(event.id, { ...entry, waiting });
    },
    jump(id: string, { version, at, customer }: Snapshot) {
      const entry = entries.get(id) ?? UNKNOWN;
      if (version <= entry.version) return;
      see(at);
      settle(id, { ...entry, version, customer: customer && { ...customer } });
    },
  };
}
// #endregion
