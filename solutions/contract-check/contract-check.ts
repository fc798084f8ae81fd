export type FieldType = 'string' | 'number' | 'boolean' | 'list' | 'object';

export interface Field {
  readonly type: FieldType;
  /** In a response: it is always there. In a request: it has to be sent. */
  readonly required: boolean;
  /** The only values that it can have; absent: whatever fits the type. */
  readonly values?: readonly string[];
}

/** By path: `customer.name` is the field `name` of the object `customer`. */
export type Fields = Readonly<Record<string, Field>>;

export interface Operation {
  readonly request: Fields;
  readonly response: Fields;
}

/** What a service promises, by the name of the operation. */
export type Contract = Readonly<Record<string, Operation>>;

/** Something that could break a consumer. */
export interface Change {
  readonly operation: string;
  /** Absent when the whole operation is gone. */
  readonly part?: 'request' | 'response';
  readonly field?: string;
  /** What is wrong, from the consumer's side. */
  readonly problem: 'removed' | 'type' | 'optional' | 'required' | 'values';
}

export interface Consumer {
  readonly name: string;
  /** What it really uses, by operation: the paths that it sends, and those that it reads. */
  readonly uses: Readonly<
    Record<string, { readonly sends: readonly string[]; readonly reads: readonly string[] }>
  >;
  /** It can live with values that it does not know; @default false */
  readonly toleratesUnknown?: boolean;
}

export interface Breakage {
  readonly consumer: string;
  /** At least one. */
  readonly changes: readonly Change[];
}

export interface Plan {
  /** First: a contract that suits those of the old one and those of the new one. */
  readonly expand: Contract;
  /** Then: the consumers that have to change before the new contract can take its place. */
  readonly migrate: readonly string[];
}

export interface Deploy {
  readonly service: string;
  /** When, in milliseconds. */
  readonly at: number;
}

export interface Coupling {
  /** Two services, by alphabet. */
  readonly services: readonly [string, string];
  /** The share of their deploys that had one of the other beside it; above 0, up to 1. */
  readonly share: number;
}

/** What a reader gets in place of a value that it does not know. */
export const UNKNOWN = Symbol('unknown value');

/** The body is not what was agreed. */
export class ContractError extends Error {
  override readonly name = 'ContractError';
  /** The path of the field. */
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** All changes from one version to the next that could break somebody, in any order. A field can have several. */
export function breakingChanges(before: Contract, after: Contract): Change[] {
  // #region answer: name each change that could break somebody
  return Object.entries(before).flatMap(([operation, was]): Change[] => {
    const is = after[operation];
    if (!is) return [{ operation, problem: 'removed' }];
    const changesOf = (part: 'request' | 'response', judge: Judge) =>
      [...pathsOf(was[part], is[part])].flatMap((field) =>
        judge(was[part][field], is[part][field]).map((problem) => ({
          operation,
          part,
          field,
          problem,
        })),
      );
    return [...changesOf('request', requestProblems), ...changesOf('response', responseProblems)];
  });
  // #endregion
}

/** Who breaks if the new version goes out now, and by what; in the order of the consumers. */
export function whoBreaks(
  before: Contract,
  after: Contract,
  consumers: readonly Consumer[],
): Breakage[] {
  // #region answer: find those whom a change really meets
  const all = breakingChanges(before, after);
  return consumers
    .map((consumer) => ({
      consumer: consumer.name,
      changes: all.filter((change) => meets(change, consumer)),
    }))
    .filter(({ changes }) => changes.length > 0);
  // #endregion
}

/**
 * A tolerant reader: takes what it wants from a body, by path, and does not look at the rest. What is optional and
 * missing is not in the result; a value that is not among `values` is read as `UNKNOWN`.
 *
 * @throws {ContractError} when something required is missing or null, or something is of another type
 */
export function read(body: unknown, wants: Fields): Record<string, unknown> {
  // #region answer: take what is wanted, and nothing else
  const result: Record<string, unknown> = {};
  for (const [path, { type, required, values }] of Object.entries(wants)) {
    const value = valueAt(body, path);
    if (value === undefined || value === null) {
      if (required) throw new ContractError(path, `${path} is missing.`);
      continue;
    }
    if (typeOf(value) !== type) {
      throw new ContractError(path, `${path} is ${typeOf(value)}, not ${type}.`);
    }
    const isKnown = values === undefined || values.some((known) => known === value);
    result[path] = isKnown ? value : UNKNOWN;
  }
  return result;
  // #endregion
}

/**
 * How to get from one version to the next without a day on which all have to deploy: expand, migrate, contract.
 *
 * @throws {ContractError} when no contract can suit both: a field of another type, or without a common value in a response
 */
export function plan(before: Contract, after: Contract, consumers: readonly Consumer[]): Plan {
  // #region answer: find a contract that suits both, and who has to move
  const expand: Record<string, Operation> = { ...before, ...after };
  for (const [operation, was] of Object.entries(before)) {
    const is = after[operation];
    if (!is) continue;
    expand[operation] = {
      request: merged(was.request, is.request, acceptBoth),
      response: merged(was.response, is.response, promiseBoth),
    };
  }
  return { expand, migrate: whoBreaks(before, after, consumers).map(({ consumer }) => consumer) };
  // #endregion
}

/**
 * Services that go out together too often to be independent, the closest first.
 *
 * @param options.windowMs how far apart two deploys may be to count as one release; 0 or more
 * @param options.atLeast the share from which on a pair is named; above 0, up to 1
 */
export function changeTogether(
  log: readonly Deploy[],
  { windowMs, atLeast }: { readonly windowMs: number; readonly atLeast: number },
): Coupling[] {
  // #region answer: find the pairs that go out together
  const services = [...new Set(log.map(({ service }) => service))].toSorted();
  const timesOf = new Map(
    services.map((name) => [
      name,
      log.flatMap(({ service, at }) => (service === name ? [at] : [])),
    ]),
  );
  const beside = (times: readonly number[], others: readonly number[]) =>
    times.filter((at) => others.some((other) => Math.abs(other - at) <= windowMs)).length;

  return services
    .flatMap((one, index) =>
      services.slice(index + 1).map((other): Coupling => {
        const [ones, others] = [timesOf.get(one) ?? [], timesOf.get(other) ?? []];
        const together = beside(ones, others) + beside(others, ones);
        return { services: [one, other], share: together / (ones.length + others.length) };
      }),
    )
    .filter(({ share }) => share >= atLeast)
    .toSorted((a, b) => b.share - a.share);
  // #endregion
}

// #region answer
type Judge = (was: Field | undefined, is: Field | undefined) => Change['problem'][];

/** Whoever sends: what was accepted must still be. What is no longer known is ignored. */
const requestProblems: Judge = (was, is) => {
  const problems: Change['problem'][] = [];
  if (is?.required && !was?.required) problems.push('required');
  if (was && is && was.type !== is.type) problems.push('type');
  else if (was && is && !covers(is.values, was.values)) problems.push('values');
  return problems;
};

/** Whoever reads: what was promised must still come, and nothing else in its place. */
const responseProblems: Judge = (was, is) => {
  if (!was) return [];
  if (!is) return ['removed'];
  const problems: Change['problem'][] = [];
  if (was.required && !is.required) problems.push('optional');
  if (was.type !== is.type) problems.push('type');
  else if (!covers(was.values, is.values)) problems.push('values');
  return problems;
};

type Values = Field['values'];

/** Whether all that is in `few` is in `many`, too; no list means all there are. */
function covers(many: Values, few: Values): boolean {
  return many === undefined || (few !== undefined && few.every((value) => many.includes(value)));
}

function pathsOf(was: Fields, is: Fields): Set<string> {
  return new Set([...Object.keys(was), ...Object.keys(is)]);
}

function meets({ operation, part, field, problem }: Change, consumer: Consumer): boolean {
  const use = consumer.uses[operation];
  if (!use) return false;
  if (field === undefined) return true;
  if (problem === 'required') return !use.sends.includes(field);
  if (part === 'request') return use.sends.includes(field);
  if (problem === 'values' && consumer.toleratesUnknown) return false;
  return use.reads.includes(field);
}

function valueAt(body: unknown, path: string): unknown {
  let value = body;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
  }
  return value;
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? 'list' : typeof value;
}

/** From what the versions say of a field, one or both, what suits both. */
type Merge = (known: readonly Field[]) => { readonly required: boolean; readonly values: Values };

const acceptBoth: Merge = (known) => ({
  required: known.length === 2 && known.every(({ required }) => required),
  values: known.every(({ values }) => values)
    ? [...new Set(known.flatMap(({ values = [] }) => values))]
    : undefined,
});

const promiseBoth: Merge = (known) => ({
  required: known.some(({ required }) => required),
  values: known
    .map(({ values }) => values)
    .reduce((few, more) => (few ? few.filter((value) => covers(more, [value])) : more)),
});

function merged(was: Fields, is: Fields, merge: Merge): Fields {
  const fields: Record<string, Field> = {};
  for (const path of pathsOf(was, is)) {
    const known = [was[path], is[path]].filter((field) => field !== undefined);
    const [type, other = type] = known.map((field) => field.type);
    const { required, values } = merge(known);
    if (!type || type !== other || values?.length === 0) {
      throw new ContractError(path, `Nothing suits both for ${path}: give the new one a new name.`);
    }
    fields[path] = { type, required, ...(values && { values }) };
  }
  return fields;
}
// #endregion
