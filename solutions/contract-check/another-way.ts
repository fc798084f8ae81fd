/*
 * A table of rules, each of which looks at one field in two versions; deploys are compared by walking a sorted log.
 */
export type FieldType = 'string' | 'number' | 'boolean' | 'list' | 'object';
export interface Field {
  readonly type: FieldType;
  readonly required: boolean;
  readonly values?: readonly string[];
}
export type Fields = Readonly<Record<string, Field>>;
export interface Operation {
  readonly request: Fields;
  readonly response: Fields;
}
export type Contract = Readonly<Record<string, Operation>>;
export interface Change {
  readonly operation: string;
  readonly part?: 'request' | 'response';
  readonly field?: string;
  readonly problem: 'removed' | 'type' | 'optional' | 'required' | 'values';
}
export interface Consumer {
  readonly name: string;
  readonly uses: Readonly<
    Record<string, { readonly sends: readonly string[]; readonly reads: readonly string[] }>
  >;
  readonly toleratesUnknown?: boolean;
}
export interface Breakage {
  readonly consumer: string;
  readonly changes: readonly Change[];
}
export interface Plan {
  readonly expand: Contract;
  readonly migrate: readonly string[];
}
export interface Deploy {
  readonly service: string;
  readonly at: number;
}
export interface Coupling {
  readonly services: readonly [string, string];
  readonly share: number;
}

export const UNKNOWN = Symbol('unknown value');

export class ContractError extends Error {
  override readonly name = 'ContractError';
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** A rule for a field of one part: does it break, and whom does that meet? */
interface Rule {
  readonly part: 'request' | 'response';
  readonly problem: Change['problem'];
  readonly breaks: (was: Field | undefined, is: Field | undefined) => boolean;
  readonly meets: (uses: { sends: boolean; reads: boolean; tolerates: boolean }) => boolean;
}

/** Values that `source` may produce and `sink` does not take; null stands for any value at all. */
function leaks(source: Field, sink: Field): boolean {
  const produced = new Set<string | null>(source.values ?? [null]);
  if (!sink.values) return false;
  for (const value of sink.values) produced.delete(value);
  return produced.size > 0;
}

const RULES: readonly Rule[] = [
  {
    part: 'request',
    problem: 'required',
    breaks: (was, is) => is?.required === true && was?.required !== true,
    meets: ({ sends }) => !sends,
  },
  {
    part: 'request',
    problem: 'type',
    breaks: (was, is) => was !== undefined && is !== undefined && was.type !== is.type,
    meets: ({ sends }) => sends,
  },
  {
    part: 'request',
    problem: 'values',
    breaks: (was, is) => was !== undefined && is?.type === was.type && leaks(was, is),
    meets: ({ sends }) => sends,
  },
  {
    part: 'response',
    problem: 'removed',
    breaks: (was, is) => was !== undefined && is === undefined,
    meets: ({ reads }) => reads,
  },
  {
    part: 'response',
    problem: 'optional',
    breaks: (was, is) => was?.required === true && is?.required === false,
    meets: ({ reads }) => reads,
  },
  {
    part: 'response',
    problem: 'type',
    breaks: (was, is) => was !== undefined && is !== undefined && was.type !== is.type,
    meets: ({ reads }) => reads,
  },
  {
    part: 'response',
    problem: 'values',
    breaks: (was, is) => was !== undefined && is?.type === was.type && leaks(is, was),
    meets: ({ reads, tolerates }) => reads && !tolerates,
  },
];

/** Each change, with the rule that found it; an operation that is gone has none. */
function* findings(before: Contract, after: Contract): Generator<[Change, Rule | undefined]> {
  for (const operation of Object.keys(before)) {
    const [was, is] = [before[operation], after[operation]];
    if (!was) continue;
    if (!is) {
      yield [{ operation, problem: 'removed' }, undefined];
      continue;
    }
    for (const rule of RULES) {
      const { part, problem, breaks } = rule;
      for (const field of Object.keys({ ...is[part], ...was[part] })) {
        if (breaks(was[part][field], is[part][field])) {
          yield [{ operation, part, field, problem }, rule];
        }
      }
    }
  }
}

export function breakingChanges(before: Contract, after: Contract): Change[] {
  return Array.from(findings(before, after), ([change]) => change);
}

export function whoBreaks(
  before: Contract,
  after: Contract,
  consumers: readonly Consumer[],
): Breakage[] {
  const broken = new Map<string, Change[]>(consumers.map(({ name }) => [name, []]));
  for (const [change, rule] of findings(before, after)) {
    for (const { name, uses, toleratesUnknown = false } of consumers) {
      const use = uses[change.operation];
      if (!use) continue;
      const field = change.field ?? '';
      const how = {
        sends: use.sends.includes(field),
        reads: use.reads.includes(field),
        tolerates: toleratesUnknown,
      };
      if (!rule || rule.meets(how)) broken.get(name)?.push(change);
    }
  }
  return [...broken].flatMap(([consumer, changes]) =>
    changes.length > 0 ? [{ consumer, changes }] : [],
  );
}

export function read(body: unknown, wants: Fields): Record<string, unknown> {
  const found = Object.entries(wants).map(([path, want]) => [path, want, dig(body, path)] as const);
  for (const [path, want, value] of found) {
    if (value === undefined) {
      if (want.required) throw new ContractError(path, `no ${path} in the body`);
    } else if (want.type !== (Array.isArray(value) ? 'list' : typeof value)) {
      throw new ContractError(path, `${path} should be a ${want.type}`);
    }
  }
  return Object.fromEntries(
    found
      .filter(([, , value]) => value !== undefined)
      .map(([path, { values }, value]) => [
        path,
        !values || new Set<unknown>(values).has(value) ? value : UNKNOWN,
      ]),
  );
}

function dig(body: unknown, path: string): unknown {
  const [key = '', ...rest] = path.split('.');
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const value: unknown = new Map(Object.entries(body)).get(key);
  if (rest.length > 0) return dig(value, rest.join('.'));
  return value ?? undefined;
}

export function plan(before: Contract, after: Contract, consumers: readonly Consumer[]): Plan {
  const expand: Record<string, Operation> = {};
  for (const operation of Object.keys({ ...before, ...after })) {
    const both = [before[operation], after[operation]].filter((known) => known !== undefined);
    const part = (name: 'request' | 'response') =>
      both.map((known) => known[name]).reduce((was, is) => join(was, is, name === 'request'));
    expand[operation] = { request: part('request'), response: part('response') };
  }
  const migrate = whoBreaks(before, after, consumers).map(({ consumer }) => consumer);
  return { expand, migrate };
}

function join(was: Fields, is: Fields, isRequest: boolean): Fields {
  const result: Record<string, Field> = {};
  for (const path of Object.keys({ ...was, ...is })) {
    const [a, b] = [was[path], is[path]];
    const only = a ?? b;
    if (!only) continue;
    if (!a || !b) {
      result[path] = isRequest ? { ...only, required: false } : only;
      continue;
    }
    const values = isRequest ? union(a.values, b.values) : common(a.values, b.values);
    if (a.type !== b.type || values?.size === 0) {
      throw new ContractError(path, `the two versions of ${path} have nothing in common`);
    }
    result[path] = {
      type: a.type,
      required: isRequest ? a.required && b.required : a.required || b.required,
      ...(values && { values: [...values] }),
    };
  }
  return result;
}

function union(a: Field['values'], b: Field['values']): Set<string> | undefined {
  return a && b && new Set([...a, ...b]);
}

function common(a: Field['values'], b: Field['values']): Set<string> | undefined {
  const some = a ?? b;
  return some && new Set(some.filter((value) => (b ?? some).includes(value)));
}

export function changeTogether(
  log: readonly Deploy[],
  { windowMs, atLeast }: { readonly windowMs: number; readonly atLeast: number },
): Coupling[] {
  const sorted = log.toSorted((a, b) => a.at - b.at);
  const total = new Map<string, number>();
  // By pair: the deploys that have had one of the other service beside them.
  const beside = new Map<string, { services: [string, string]; deploys: Set<Deploy> }>();
  for (const [index, deploy] of sorted.entries()) {
    total.set(deploy.service, (total.get(deploy.service) ?? 0) + 1);
    for (let i = index - 1; i >= 0; i -= 1) {
      const earlier = sorted[i];
      if (!earlier || deploy.at - earlier.at > windowMs) break;
      if (earlier.service === deploy.service) continue;
      const [a, b] =
        earlier.service < deploy.service
          ? [earlier.service, deploy.service]
          : [deploy.service, earlier.service];
      const key = JSON.stringify([a, b]);
      const pair = beside.get(key) ?? { services: [a, b], deploys: new Set() };
      pair.deploys.add(deploy).add(earlier);
      beside.set(key, pair);
    }
  }
  return [...beside.values()]
    .map(({ services, deploys }) => ({
      services,
      share: deploys.size / ((total.get(services[0]) ?? 0) + (total.get(services[1]) ?? 0)),
    }))
    .filter(({ share }) => share >= atLeast)
    .toSorted((a, b) => b.share - a.share);
}
