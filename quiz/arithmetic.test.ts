import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseArithmetic } from './arithmetic.ts';

const value = (text: string, values: Record<string, number> = {}) =>
  parseArithmetic(text).evaluate(values);

describe('parseArithmetic', () => {
  it.each([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['10 - 3 - 2', 5],
    ['12 / 3 / 2', 2],
    ['2 ^ 3 ^ 2', 512],
    ['-2 ^ 2', -4],
    ['2 ^ -1', 0.5],
    ['2 - -3', 5],
    ['1.5e3 + 1', 1501],
    ['min(3, 1, 2) + max(4)', 5],
    ['round(2.5) + ceil(1.2) + floor(1.8)', 6],
  ])('%s is %d', (text, expected) => {
    expect(value(text)).toBe(expected);
  });

  it('takes names from the values', () => {
    const expression = parseArithmetic('calls ^ layers + calls');
    expect(expression.names).toEqual(['calls', 'layers']);
    expect(expression.evaluate({ calls: 3, layers: 2 })).toBe(12);
  });

  it('rounds what a person would, not what binary floats say', () => {
    expect(value('ceil(0.1 * 3 * 10)'), '0.1 * 3 * 10 is 3.0000000000000004').toBe(3);
    expect(value('floor(0.29 * 100)'), '0.29 * 100 is 28.999999999999996').toBe(29);
  });

  it('refuses what is longer, and so deeper, than anybody writes', () => {
    for (const endless of ['('.repeat(9_000), '-'.repeat(9_000), '1+'.repeat(9_000).concat('1')]) {
      expect(() => parseArithmetic(endless)).toThrow(SyntaxError);
    }
  });

  it('knows no name that it was not given', () => {
    expect(parseArithmetic('constructor').evaluate({})).toBeNaN();
    expect(parseArithmetic('toString + 1').evaluate({})).toBeNaN();
  });

  it('leaves a division by zero to the caller', () => {
    expect(value('1 / (a - 1)', { a: 1 })).toBe(Infinity);
  });

  it.each([
    ['', 'expected a number, a name or “(”, found the end'],
    ['1 +', 'expected a number, a name or “(”, found the end'],
    ['1 2', 'expected an operator, found “2”'],
    ['2calls', 'expected an operator, found “calls”'],
    ['(1', 'expected “)”, found the end'],
    ['1)', 'expected an operator, found “)”'],
    ['round(1, 2)', 'expected “)”, found “,”'],
    ['sqrt(2)', 'no function is called “sqrt”'],
    ['min()', 'expected a number, a name or “(”, found “)”'],
    ['1 % 2', 'expected an operator, found “%”'],
    ['.5', 'expected a number, a name or “(”, found “.”'],
  ])('says what is wrong with “%s”', (text, message) => {
    expect(() => parseArithmetic(text)).toThrow(new SyntaxError(message));
  });

  it('agrees with JavaScript, which writes ^ as **', () => {
    interface Sum {
      text: string;
    }
    const { sum } = fc.letrec<{ sum: Sum; leaf: Sum; pair: Sum }>((tie) => ({
      sum: fc.oneof({ maxDepth: 4 }, tie('leaf'), tie('pair')),
      leaf: fc.integer({ min: 0, max: 9 }).map((number) => ({ text: String(number) })),
      pair: fc
        .tuple(tie('sum'), fc.constantFrom('+', '-', '*', '/'), tie('sum'), fc.boolean())
        .map(([left, sign, right, closed]) => {
          const text = `${left.text} ${sign} ${right.text}`;
          return { text: closed ? `(${text})` : text };
        }),
    }));
    fc.assert(
      fc.property(sum, ({ text }) => {
        // oxlint-disable-next-line no-implied-eval -- the text is made of digits and signs, just above
        expect(value(text)).toBe(Function(`return ${text}`)());
      }),
      { seed: 1 },
    );
  });
});
