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
  throw new Error('TODO: name each change that could break somebody');
}

/** Who breaks if the new version goes out now, and by what; in the order of the consumers. */
export function whoBreaks(
  before: Contract,
  after: Contract,
  consumers: readonly Consumer[],
): Breakage[] {
  throw new Error('TODO: find those whom a change really meets');
}

/**
 * A tolerant reader: takes what it wants from a body, by path, and does not look at the rest. What is optional and
 * missing is not in the result; a value that is not among `values` is read as `UNKNOWN`.
 *
 * @throws {ContractError} when something required is missing or null, or something is of another type
 */
export function read(body: unknown, wants: Fields): Record<string, unknown> {
  throw new Error('TODO: take what is wanted, and nothing else');
}

/**
 * How to get from one version to the next without a day on which all have to deploy: expand, migrate, contract.
 *
 * @throws {ContractError} when no contract can suit both: a field of another type, or without a common value in a response
 */
export function plan(before: Contract, after: Contract, consumers: readonly Consumer[]): Plan {
  throw new Error('TODO: find a contract that suits both, and who has to move');
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
  throw new Error('TODO: find the pairs that go out together');
}
