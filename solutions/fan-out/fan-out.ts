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
  // #region answer: refuse what cannot be done, and run each part as soon as what it needs is there
  const ordered = inOrder(new Map(Object.entries(parts)));

  return {
    async run({ deadlineMs, signal: caller }) {
      caller?.throwIfAborted();
      const scope = createScope();
      const values = new Map<string, unknown>();
      const failures = new Map<string, unknown>();
      const ends = new Map<string, Promise<unknown>>();

      const obtain = async (name: string, part: AnyPart): Promise<unknown> => {
        try {
          const { needs = [] } = part;
          const inputs = await Promise.all(needs.map(async (need) => [need, await ends.get(need)]));
          const value = await scope.run((signal) => part.run(Object.fromEntries(inputs), signal));
          values.set(name, value);
          return value;
        } catch (error) {
          // Of a required part nobody will read it.
          failures.set(name, error);
          // Thrown on, it also fails those that need this part, and they do not run.
          if (!('fallback' in part)) throw error;
          values.set(name, part.fallback);
          return part.fallback;
        }
      };

      const leave = () => scope.cancel(caller?.reason);
      const timeUp = () => scope.cancel(new DeadlineExceededError(deadlineMs));
      const timer = setTimeout(timeUp, deadlineMs);
      caller?.addEventListener('abort', leave);
      try {
        const wanted = [...ordered].map(([name, part]) => {
          const end = obtain(name, part);
          ends.set(name, end);
          return part.optional ? end.catch(() => {}) : end;
        });
        await Promise.all(wanted);
        // If the caller left while only optional parts were out, no other error says so.
        caller?.throwIfAborted();
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        return { values: Object.fromEntries(values), failures } as unknown as Result<Values>;
      } catch (error) {
        scope.cancel(error);
        throw error;
      } finally {
        clearTimeout(timer);
        caller?.removeEventListener('abort', leave);
      }
    },
  };
  // #endregion
}

// #region answer
type AnyPart = Part<Readonly<Record<string, unknown>>, unknown>;

/** The parts in an order in which each comes after what it needs. A map, for every object has a `constructor`. */
function inOrder(parts: ReadonlyMap<string, AnyPart>): ReadonlyMap<string, AnyPart> {
  const ordered = new Map<string, AnyPart>();

  const visit = (name: string, part: AnyPart, above: readonly string[]): void => {
    if (ordered.has(name)) return;
    const path = [...above, name];
    if (above.includes(name)) throw new PlanError('cycle', path.slice(above.indexOf(name)));
    for (const need of part.needs ?? []) {
      const needed = parts.get(need);
      if (!needed) throw new PlanError('unknown part', [name, need]);
      visit(need, needed, path);
      const mayBeMissing = needed.optional && !('fallback' in needed);
      if (mayBeMissing && !part.optional) throw new PlanError('may be missing', [name, need]);
    }
    ordered.set(name, part);
  };

  for (const [name, part] of parts) visit(name, part, []);
  return ordered;
}

/** All work of one run: once it is cancelled, what is under way is given up, and nothing begins any more. */
function createScope() {
  const running = new Set<AbortController>();
  let cancelled: { readonly reason: unknown } | undefined;

  return {
    cancel(reason: unknown): void {
      cancelled ??= { reason };
      for (const controller of running) controller.abort(reason);
    },
    async run<T>(task: (signal: AbortSignal) => T | PromiseLike<T>): Promise<T> {
      if (cancelled) throw cancelled.reason;
      // One for each, taken out when it has ended: the body of an answer may still be being read.
      const controller = new AbortController();
      const { signal } = controller;
      running.add(controller);
      try {
        // Whoever lost the race is still listened to, so a late rejection is handled.
        return await Promise.race([
          new Promise<never>((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason));
          }),
          new Promise<T>((resolve) => resolve(task(signal))),
        ]);
      } finally {
        running.delete(controller);
      }
    },
  };
}
// #endregion
