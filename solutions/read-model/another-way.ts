/*
 * Keeps, for each customer, the facts: every event that it has seen, and the best snapshot. What is asked for is worked
 * out of them, so that nothing depends on the order in which they came.
 */
export type Customer = Readonly<Record<string, unknown>>;
interface Event {
  readonly id: string;
  readonly version: number;
  readonly at: number;
}
export interface Changed extends Event {
  readonly kind: 'changed';
  readonly fields: Customer;
}
export interface Deleted extends Event {
  readonly kind: 'deleted';
}
export type CustomerEvent = Changed | Deleted;
export interface Snapshot {
  readonly version: number;
  readonly at: number;
  readonly customer?: Customer;
}
export interface Copy {
  readonly customer: Customer;
  readonly version: number;
  readonly hasGap: boolean;
}
export interface Gap {
  readonly id: string;
  readonly missing: number;
}
export interface ReadModel {
  apply(event: CustomerEvent): void;
  heartbeat(at: number): void;
  get(id: string): Copy | undefined;
  readonly staleMs: number | undefined;
  gaps(): Gap[];
  resync(id: string, snapshot: Snapshot): void;
  replay(log: AsyncIterable<CustomerEvent>): Promise<void>;
}

/** All that is known of one customer. */
class History {
  readonly #events = new Map<number, CustomerEvent>();
  #base: Snapshot = { version: 0, at: -Infinity };

  add(event: CustomerEvent): void {
    if (!this.#events.has(event.version)) this.#events.set(event.version, structuredClone(event));
  }

  rebase(snapshot: Snapshot): void {
    if (snapshot.version > this.state().version) this.#base = structuredClone(snapshot);
  }

  /** The snapshot and the events after it, up to the first that is missing. */
  state(): { version: number; customer: Customer | undefined; newestAt: number; hasGap: boolean } {
    let { version, customer, at: newestAt } = this.#base;
    for (;;) {
      const event = this.#events.get(version + 1);
      if (!event) break;
      version += 1;
      newestAt = Math.max(newestAt, event.at);
      if (event.kind === 'deleted') customer = undefined;
      else customer = Object.assign({}, customer, event.fields);
    }
    const hasGap = Math.max(0, ...this.#events.keys()) > version;
    return { version, customer, newestAt, hasGap };
  }
}

class Model implements ReadModel {
  #histories = new Map<string, History>();
  #heard = -Infinity;
  /** What has come in since a replay began, to be done again on its result. */
  #since: ((histories: Map<string, History>) => void)[] | undefined;

  #record(change: (histories: Map<string, History>) => void): void {
    change(this.#histories);
    this.#since?.push(change);
  }

  apply(event: CustomerEvent): void {
    this.#record((histories) => historyOf(histories, event.id).add(event));
  }

  resync(id: string, snapshot: Snapshot): void {
    this.#record((histories) => historyOf(histories, id).rebase(snapshot));
  }

  heartbeat(at: number): void {
    if (at > this.#heard) this.#heard = at;
  }

  get(id: string): Copy | undefined {
    const state = this.#histories.get(id)?.state();
    if (!state?.customer) return undefined;
    const { customer, version, hasGap } = state;
    return { customer: structuredClone(customer), version, hasGap };
  }

  get staleMs(): number | undefined {
    const newest = this.#newest();
    return newest === -Infinity ? undefined : Math.max(Date.now() - newest, 0);
  }

  #newest(): number {
    let newest = this.#heard;
    for (const history of this.#histories.values()) {
      newest = Math.max(newest, history.state().newestAt);
    }
    return newest;
  }

  gaps(): Gap[] {
    const gaps: Gap[] = [];
    for (const [id, history] of this.#histories) {
      const { version, hasGap } = history.state();
      if (hasGap) gaps.push({ id, missing: version + 1 });
    }
    return gaps;
  }

  async replay(log: AsyncIterable<CustomerEvent>): Promise<void> {
    const since: ((histories: Map<string, History>) => void)[] = [];
    this.#since = since;
    try {
      const fresh = new Map<string, History>();
      for await (const event of log) historyOf(fresh, event.id).add(event);
      for (const change of since) change(fresh);
      // What has been heard of stays heard of.
      this.#heard = this.#newest();
      this.#histories = fresh;
    } finally {
      this.#since = undefined;
    }
  }
}

function historyOf(histories: Map<string, History>, id: string): History {
  const history = histories.get(id) ?? new History();
  histories.set(id, history);
  return history;
}

export function createReadModel(): ReadModel {
  return new Model();
}
