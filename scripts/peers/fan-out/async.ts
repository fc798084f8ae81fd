import { auto, timeout } from 'async';
import type { Part, Parts, Plan, Result } from '../../../solutions/fan-out/fan-out.ts';

export class PlanError extends Error {
  override readonly name = 'PlanError';
  readonly problem: 'unknown part' | 'cycle';
  readonly path: readonly string[];

  constructor(problem: PlanError['problem'], path: readonly string[], cause: unknown) {
    super('Refused by async.', { cause });
    this.problem = problem;
    this.path = path;
  }
}

export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError';
  readonly deadlineMs: number;

  constructor(deadlineMs: number) {
    super('Told by async.');
    this.deadlineMs = deadlineMs;
  }
}

/**
 * `auto` refuses a plan when it is run, so it is run once with parts that do nothing. An optional part is one that never
 * fails, as with `reflect`; what needs it runs in any case. `timeout` goes around the whole. Nothing can be called off:
 * a caller's signal is looked at before the call, and that of a part never aborts.
 */
export function createPlan<Values>(parts: Parts<Values>): Plan<Values> {
  const byName: [string, AnyPart][] = Object.entries(parts);
  refuse(byName);

  const runAll = (callback: Callback<Results>): void => {
    const tasks = byName.map(([name, part]) => {
      // Without needs it is handed nothing, and with needs all that is there by then.
      const task = (...args: [Results, Callback<unknown>] | [Callback<unknown>]) => {
        const [results, done] = args.length === 1 ? [{}, ...args] : args;
        void runOne(part, valuesIn(results), done);
      };
      return [name, part.needs?.length ? [...part.needs, task] : task];
    });
    auto<Results, unknown>(Object.fromEntries(tasks), callback);
  };

  return {
    run: ({ deadlineMs, signal }) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        timeout<Results, unknown>(
          runAll,
          deadlineMs,
        )((error, results = {}) => {
          if (isTimeout(error)) return reject(new DeadlineExceededError(deadlineMs));
          if (error) return reject(error);
          const result: unknown = { values: valuesIn(results), failures: failuresIn(results) };
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion
          resolve(result as Result<Values>);
        });
      }),
  };
}

type Results = Record<string, unknown>;
type AnyPart = Part<Results, unknown>;
type Callback<T> = (error?: unknown, result?: T) => void;

async function runOne(part: AnyPart, inputs: Results, done: Callback<unknown>): Promise<void> {
  let value: unknown;
  try {
    value = await part.run(inputs, new AbortController().signal);
  } catch (error) {
    if (part.optional) done(null, new Outcome(part.fallback, [error], 'fallback' in part));
    else done(error);
    return;
  }
  done(null, part.optional ? new Outcome(value, []) : value);
}

function refuse(parts: readonly [string, AnyPart][]): void {
  const nothing = () => {};
  const tasks = parts.map(([name, { needs }]) => [
    name,
    needs?.length ? [...needs, nothing] : nothing,
  ]);
  try {
    auto<Results>(Object.fromEntries(tasks), () => {});
  } catch (error) {
    const names = /task `(.*)` has a non-existent dependency `(.*)` in/.exec(String(error));
    throw names
      ? new PlanError('unknown part', names.slice(1), error)
      : new PlanError('cycle', [], error);
  }
}

/** What has become of an optional part. */
class Outcome {
  readonly value: unknown;
  readonly errors: readonly unknown[];
  readonly hasValue: boolean;

  constructor(value: unknown, errors: readonly unknown[], hasValue = true) {
    this.value = value;
    this.errors = errors;
    this.hasValue = hasValue;
  }
}

function valuesIn(results: Results): Results {
  const entries = Object.entries(results).filter(
    ([, result]) => !(result instanceof Outcome) || result.hasValue,
  );
  return Object.fromEntries(
    entries.map(([name, result]) => [name, result instanceof Outcome ? result.value : result]),
  );
}

function failuresIn(results: Results): Map<string, unknown> {
  const entries = Object.entries(results).flatMap(([name, result]) =>
    result instanceof Outcome ? result.errors.map((error): [string, unknown] => [name, error]) : [],
  );
  return new Map(entries);
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ETIMEDOUT';
}
