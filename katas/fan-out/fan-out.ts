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
  throw new Error(
    'TODO: refuse what cannot be done, and run each part as soon as what it needs is there',
  );
}
