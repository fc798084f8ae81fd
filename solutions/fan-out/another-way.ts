/** All parts of a plan, by name. A key that may be missing from `Values` is an optional part without a fallback. */
export type Parts<Values> = {
  readonly [Name in keyof Values]-?: Part<Values, Values[Name]>;
};

/** One value of a plan, and how to come by it. */
export interface Part<Values, Value> {
  /** Names of the parts whose values it is handed, each once; @default none */
  readonly needs?: readonly (keyof Values & string)[];
  /** Whether the plan can do without it; @default false */
  readonly optional?: boolean;
  /** Only of an optional part: stands in for a value of its own, and may be anything, also undefined; @default none */
  readonly fallback?: Value;
  /** Is handed the values of what it needs, nothing else, and a signal that aborts when nobody waits any more. */
  readonly run: (inputs: Readonly<Values>, signal: AbortSignal) => Value | PromiseLike<Value>;
}

export interface RunOptions {
  /** How long all parts together may take, in milliseconds from now; whole number, 1 to 60,000. */
  readonly deadlineMs: number;
  /** The caller's own signal: aborted when the caller leaves. */
  readonly signal?: AbortSignal;
}

export interface Result<Values> {
  /** The value of each part, or its fallback. An optional part that has neither is missing. */
  readonly values: Values;
  /** The error of each optional part that has no value of its own, by name. */
  readonly failures: ReadonlyMap<keyof Values, unknown>;
}

export interface Plan<Values> {
  /**
   * Runs each part as soon as what it needs is there, each once.
   *
   * @throws the error of the first required part that fails (as a rejection)
   * @throws {DeadlineExceededError} (as a rejection) when required parts are not there by then
   * @throws `signal.reason` (as a rejection) when the caller leaves
   */
  run(options: RunOptions): Promise<Result<Values>>;
}

/** The plan can never be done. */
export class PlanError extends Error {
  override readonly name = 'PlanError';
  readonly problem: 'unknown part' | 'cycle' | 'may be missing';
  /** Names of parts, each of which needs the next. Of a cycle, the last is the first again. */
  readonly path: readonly string[];

  constructor(problem: PlanError['problem'], path: readonly string[]) {
    super(`${problem}: ${path.join(' → ')}`);
    this.problem = problem;
    this.path = path;
  }
}

/** The deadline of the whole plan is over. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError';
  /** As it was given, in milliseconds. */
  readonly deadlineMs: number;

  constructor(deadlineMs: number) {
    super(`The plan was not done within ${deadlineMs} ms.`);
    this.deadlineMs = deadlineMs;
  }
}

/**
 * A plan of parts that need each other's values. It takes as long as its longest path, not as the sum of its parts.
 *
 * @throws {PlanError} when it names a part that is unknown, has a cycle, or requires what may be missing
 */
export function createPlan<Values>(parts: Parts<Values>): Plan<Values> {
  const graph = new Graph(Object.entries(parts));
  return {
    async run(options) {
      options.signal?.throwIfAborted();
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return (await new Run(graph, options).end) as unknown as Result<Values>;
    },
  };
}

type AnyPart = Part<Readonly<Record<string, unknown>>, unknown>;

/**
 * The other usual shape: no promise for each part, but a count of what it still waits for. Whatever ends counts down
 * those that need it, and whoever comes to 0 begins. The same counting finds cycles, before anything runs: take away
 * what waits for nothing, again and again (Kahn, 1962). What cannot be taken away stands in a cycle, or behind one.
 */
class Graph {
  readonly parts: ReadonlyMap<string, AnyPart>;
  readonly neededBy = new Map<string, string[]>();

  constructor(entries: readonly [string, AnyPart][]) {
    this.parts = new Map(entries);
    for (const name of this.parts.keys()) this.neededBy.set(name, []);
    for (const [name, { needs = [], optional }] of entries) {
      for (const need of needs) {
        const needed = this.parts.get(need);
        if (!needed) throw new PlanError('unknown part', [name, need]);
        this.neededBy.get(need)?.push(name);
        const isSure = !needed.optional || 'fallback' in needed;
        if (!isSure && !optional) throw new PlanError('may be missing', [name, need]);
      }
    }
    this.#refuseCycles();
  }

  /** How many inputs each part waits for. */
  counts(): Map<string, number> {
    return new Map([...this.parts].map(([name, { needs = [] }]) => [name, needs.length]));
  }

  #refuseCycles(): void {
    const waiting = this.counts();
    const ready = [...waiting.keys()].filter((name) => waiting.get(name) === 0);
    for (const name of ready) {
      waiting.delete(name);
      for (const next of this.neededBy.get(name) ?? []) {
        const left = (waiting.get(next) ?? 0) - 1;
        waiting.set(next, left);
        if (left === 0) ready.push(next);
      }
    }

    // Each that is left needs another that is left, so a walk along the needs comes round.
    let [name] = waiting.keys();
    const path: string[] = [];
    while (name !== undefined) {
      const from = path.indexOf(name);
      path.push(name);
      if (from >= 0) throw new PlanError('cycle', path.slice(from));
      name = this.parts.get(name)?.needs?.find((need) => waiting.has(need));
    }
  }
}

class Run {
  readonly end: Promise<Result<Record<string, unknown>>>;
  readonly #graph: Graph;
  readonly #values: Record<string, unknown> = {};
  readonly #failures = new Map<string, unknown>();
  readonly #waitingFor: Map<string, number>;
  /** What has not ended: it runs, or it still waits. */
  readonly #open: Set<string>;
  readonly #running = new Map<string, AbortController>();
  readonly #caller: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  #resolve: (result: Result<Record<string, unknown>>) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #isOver = false;

  constructor(graph: Graph, { deadlineMs, signal }: RunOptions) {
    this.#graph = graph;
    this.#waitingFor = graph.counts();
    this.#open = new Set(graph.parts.keys());
    this.#caller = signal;
    this.end = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signal?.addEventListener('abort', this.#leave);
    this.#timer = setTimeout(() => this.#timeUp(deadlineMs), deadlineMs);
    for (const [name, count] of this.#waitingFor) if (count === 0) this.#begin(name);
    this.#finishIfDone();
  }

  readonly #leave = () => this.#fail(this.#caller?.reason);

  #begin(name: string): void {
    const part = this.#graph.parts.get(name);
    if (this.#isOver || !part) return;
    const controller = new AbortController();
    this.#running.set(name, controller);
    const inputs = Object.fromEntries((part.needs ?? []).map((need) => [need, this.#values[need]]));
    new Promise((settle) => settle(part.run(inputs, controller.signal))).then(
      (value) => {
        if (this.#running.delete(name)) this.#has(name, value);
      },
      (error: unknown) => {
        if (this.#running.delete(name)) this.#lacks(name, error);
      },
    );
  }

  #has(name: string, value: unknown): void {
    this.#values[name] = value;
    this.#open.delete(name);
    for (const next of this.#graph.neededBy.get(name) ?? []) {
      const left = (this.#waitingFor.get(next) ?? 0) - 1;
      this.#waitingFor.set(next, left);
      if (left === 0) this.#begin(next);
    }
    this.#finishIfDone();
  }

  /** It has failed, or something that it needs is missing. */
  #lacks(name: string, error: unknown): void {
    const part = this.#graph.parts.get(name);
    if (!part?.optional) return this.#fail(error);
    this.#failures.set(name, error);
    if ('fallback' in part) return this.#has(name, part.fallback);
    this.#open.delete(name);
    for (const next of this.#graph.neededBy.get(name) ?? []) {
      if (this.#open.has(next)) this.#lacks(next, error);
    }
    this.#finishIfDone();
  }

  #timeUp(deadlineMs: number): void {
    const error = new DeadlineExceededError(deadlineMs);
    for (const name of this.#open) {
      const part = this.#graph.parts.get(name);
      if (!part?.optional) return this.#fail(error);
      this.#failures.set(name, error);
      if ('fallback' in part) this.#values[name] = part.fallback;
    }
    this.#open.clear();
    this.#finishIfDone(error);
  }

  #finishIfDone(reason?: unknown): void {
    if (this.#isOver || this.#open.size > 0) return;
    this.#over(reason);
    this.#resolve({ values: this.#values, failures: this.#failures });
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#over(error);
    this.#reject(error);
  }

  /** In one step with the result: what comes back later finds that it is not running any more. */
  #over(reason: unknown): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#leave);
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const controller of running) controller.abort(reason);
  }
}
