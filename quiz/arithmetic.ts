/** An arithmetic expression over named numbers, such as `calls ^ layers` or `ceil(rate * 1.5)`. */
export interface Expression {
  /** The names it needs, in the order in which they first appear. */
  readonly names: readonly string[];
  /** May be infinite or not a number (a division by zero): the caller decides what that means. */
  evaluate(values: Values): number;
}

export type Values = Readonly<Record<string, number>>;

/**
 * Reads `+ - * / ^`, parentheses, numbers, names, and the functions `min max round ceil floor`.
 * `^` binds tightest and to the right. Throws a SyntaxError that says where it went wrong.
 */
export function parseArithmetic(text: string): Expression {
  if (text.length > MOST_CHARACTERS) {
    throw new SyntaxError(`it is longer than ${MOST_CHARACTERS} characters`);
  }
  const names = new Set<string>();
  const tokens = tokenize(text);
  let position = 0;

  const evaluate = sum();
  if (position < tokens.length) throw unexpected('an operator');
  return { names: [...names], evaluate };

  function sum(): Evaluate {
    let left = product();
    for (let sign = take('+', '-'); sign !== undefined; sign = take('+', '-')) {
      left = binary(left, sign, product());
    }
    return left;
  }

  function product(): Evaluate {
    let left = signed();
    for (let sign = take('*', '/'); sign !== undefined; sign = take('*', '/')) {
      left = binary(left, sign, signed());
    }
    return left;
  }

  function signed(): Evaluate {
    if (take('-') === undefined) return power();
    const operand = signed();
    return (values) => -operand(values);
  }

  function power(): Evaluate {
    const base = atom();
    return take('^') === undefined ? base : binary(base, '^', signed());
  }

  function atom(): Evaluate {
    const token = tokens[position];
    if (take('(') !== undefined) {
      const inner = sum();
      expect(')');
      return inner;
    }
    if (token === undefined || !/^[a-z\d]/i.test(token))
      throw unexpected('a number, a name or “(”');
    position += 1;
    if (/^\d/.test(token)) return () => Number(token);
    if (take('(') !== undefined) return call(token);
    names.add(token);
    return (values) => (Object.hasOwn(values, token) ? (values[token] ?? Number.NaN) : Number.NaN);
  }

  function call(name: string): Evaluate {
    const fn = functions.get(name);
    if (fn === undefined) throw new SyntaxError(`no function is called “${name}”`);
    const args = [sum()];
    while (fn.many && take(',') !== undefined) args.push(sum());
    expect(')');
    return (values) => fn.apply(args.map((arg) => arg(values)));
  }

  function take(...wanted: string[]): string | undefined {
    const token = tokens[position];
    if (token === undefined || !wanted.includes(token)) return undefined;
    position += 1;
    return token;
  }

  function expect(wanted: string): void {
    if (take(wanted) === undefined) throw unexpected(`“${wanted}”`);
  }

  function unexpected(wanted: string): SyntaxError {
    const token = tokens[position];
    const found = token === undefined ? 'the end' : `“${token}”`;
    return new SyntaxError(`expected ${wanted}, found ${found}`);
  }
}

/** Longer ones are nobody's arithmetic, and nested as deeply they could not be evaluated. */
const MOST_CHARACTERS = 500;

/** Takes away what binary floating point adds: 0.1 * 3 is 0.3, and rounding it up gives no surprise. */
export function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

type Evaluate = Expression['evaluate'];

const functions = new Map<string, { many: boolean; apply: (values: number[]) => number }>([
  ['min', { many: true, apply: (values) => Math.min(...values) }],
  ['max', { many: true, apply: (values) => Math.max(...values) }],
  ['round', { many: false, apply: ([value = Number.NaN]) => Math.round(tidy(value)) }],
  ['ceil', { many: false, apply: ([value = Number.NaN]) => Math.ceil(tidy(value)) }],
  ['floor', { many: false, apply: ([value = Number.NaN]) => Math.floor(tidy(value)) }],
]);

function binary(left: Evaluate, sign: string, right: Evaluate): Evaluate {
  switch (sign) {
    case '+':
      return (values) => left(values) + right(values);
    case '-':
      return (values) => left(values) - right(values);
    case '*':
      return (values) => left(values) * right(values);
    case '/':
      return (values) => left(values) / right(values);
    default:
      return (values) => left(values) ** right(values);
  }
}

/** Numbers, names and single signs; anything else becomes a token that no rule takes. */
function tokenize(text: string): string[] {
  return text.match(/\d+(?:\.\d+)?(?:e[+-]?\d+)?|[a-z]\w*|\S/gi) ?? [];
}
