import { type Expression, parseArithmetic, type Values } from './arithmetic.ts';
import { isShort, type Param, placeholdersOf, showNumber, valuesOf } from './number.ts';

/** Says what is wrong with the part of a card that `path` leads to. */
export type Report = (path: readonly (string | number)[], message: string) => void;

interface NumberContent {
  readonly prompt: string;
  readonly params: Readonly<Record<string, Param>>;
  readonly answer: string;
  readonly tolerance: number;
  readonly formula?: string | undefined;
  readonly explain?: string | undefined;
}

/** What the shape of a number card cannot say: that its names, its numbers and its text fit together. */
export function checkNumber(card: NumberContent, report: Report): void {
  const areUsable = Object.entries(card.params)
    .map(([name, param]) => checkParam(name, param, report))
    .every((isUsable) => isUsable);
  checkPlaceholders(card, report);
  const expression = parsed(card.answer, report);
  if (areUsable && expression !== undefined) checkAnswers(card, expression, report);
}

/** True when it has values that can be tried. */
function checkParam(name: string, param: Param, report: Report): boolean {
  if (!/^[a-z]\w*$/i.test(name)) {
    report(['params', name], 'is no name: use letters and digits, a letter first');
  }
  const wrong = whatIsWrong(param);
  if (wrong !== undefined) report(['params', name], wrong);
  return wrong === undefined;
}

function whatIsWrong(param: Param): string | undefined {
  if ('of' in param) return param.of.length === 0 ? 'has no values: list some' : undefined;
  if (param.step <= 0) return 'has a `step` that leads nowhere: make it more than 0';
  if (param.from > param.to) return 'has no values: `from` is above `to`';
  const isEndless = (param.to - param.from) / param.step > 1_000;
  return isEndless ? 'has over 1,000 values: widen the `step`' : undefined;
}

function checkPlaceholders(card: NumberContent, report: Report): void {
  const known = new Set(Object.keys(card.params));
  const inPrompt = new Set(placeholdersOf(card.prompt));
  for (const name of inPrompt) {
    if (!known.has(name)) report(['prompt'], `has {${name}}, which is not among the params`);
  }
  for (const name of known) {
    if (!inPrompt.has(name)) {
      report(['params', name], `is not in the prompt: write {${name}} there, or take it out`);
    }
  }
  for (const key of ['formula', 'explain'] as const) {
    for (const name of placeholdersOf(card[key] ?? '')) {
      if (known.has(name) || name === 'answer') continue;
      report([key], `has {${name}}, which is neither among the params nor {answer}`);
    }
  }
}

function parsed(answer: string, report: Report): Expression | undefined {
  try {
    return parseArithmetic(answer);
  } catch (error) {
    report(['answer'], `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function checkAnswers(card: NumberContent, expression: Expression, report: Report): void {
  const unknown = expression.names.filter((name) => !Object.hasOwn(card.params, name));
  if (unknown.length > 0) {
    report(['answer'], `uses ${unknown.join(', ')}, which the params do not have`);
    return;
  }
  for (const values of combinations(card.params)) {
    const answer = expression.evaluate(values);
    const given = Object.entries(values)
      .map(([name, value]) => `${name} = ${showNumber(value)}`)
      .join(', ');
    const when = given === '' ? '' : ` for ${given}`;
    if (!Number.isFinite(answer)) {
      report(['answer'], `has no value${when}: keep such numbers out of the params`);
      return;
    }
    if (card.tolerance === 0 && !isShort(answer)) {
      report(['answer'], `is ${showNumber(answer)}…${when}: round() it, or give a tolerance`);
      return;
    }
  }
}

/** Every combination of values when they are few, else those at the ends of each range. */
function combinations(params: NumberContent['params']): Values[] {
  const all = Object.entries(params).map(([name, param]) => [name, valuesOf(param)] as const);
  const count = all.reduce((product, [, values]) => product * values.length, 1);
  return all.reduce<Values[]>(
    (sofar, [name, values]) => {
      const tried = count <= 2_000 ? values : [Math.min(...values), Math.max(...values)];
      return sofar.flatMap((known) => tried.map((value) => ({ ...known, [name]: value })));
    },
    [{}],
  );
}
