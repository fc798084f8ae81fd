import { describe, expect, it } from 'vitest';
import { draw, fill, isClose, placeholdersOf, readNumber, showNumber, valuesOf } from './number.ts';
import { seeded } from './random.ts';

describe('params', () => {
  it('have all steps from the first to the last', () => {
    expect(valuesOf({ from: 2, to: 6, step: 2 })).toEqual([2, 4, 6]);
    expect(valuesOf({ from: 0.1, to: 0.5, step: 0.2 })).toEqual([0.1, 0.3, 0.5]);
    expect(valuesOf({ from: 1, to: 4, step: 2 }), 'a last step that does not fit').toEqual([1, 3]);
    expect(valuesOf({ of: [5, 3] })).toEqual([5, 3]);
  });

  it('are drawn among their values, in the end each of them', () => {
    const random = seeded('numbers');
    const params = { calls: { from: 1, to: 3, step: 1 }, layers: { of: [7] } };
    const drawn = Array.from({ length: 50 }, () => draw(params, random));
    expect(new Set(drawn.map((values) => values['calls']))).toEqual(new Set([1, 2, 3]));
    expect(new Set(drawn.map((values) => values['layers']))).toEqual(new Set([7]));
  });

  it('take the place of their names', () => {
    expect(fill('{calls} calls, {calls} more, {else}', { calls: 1500 })).toBe(
      '1,500 calls, 1,500 more, {else}',
    );
    expect(placeholdersOf('{a} of {b2}, not { c } nor {}')).toEqual(['a', 'b2']);
  });
});

describe('showNumber', () => {
  it.each([
    [1024, '1,024'],
    [0.1 + 0.2, '0.3'],
    [99.9995, '99.9995'],
    [0.000001, '0.000001'],
    [10 / 3, '3.333'],
    [200_000 / 3, '66,670'],
    [-2, '-2'],
  ])('%d is %s', (value, shown) => {
    expect(showNumber(value)).toBe(shown);
  });
});

describe('readNumber', () => {
  it.each([
    ['1024', 1024],
    ['1,024', 1024],
    ['1 024', 1024],
    ['12,345,678', 12_345_678],
    ['0.5', 0.5],
    ['0,5', 0.5],
    ['0,125', 0.125],
    ['-3', -3],
    ['1e3', 1000],
    ['3 * 4 ^ 2', 48],
    ['81 requests', 81],
    ['81REQUESTS', 81],
  ])('takes %s for %d', (typed, value) => {
    expect(readNumber(typed, 'requests')).toBe(value);
  });

  it('knows percent as a unit', () => {
    expect(readNumber('99.9%', '%')).toBe(99.9);
  });

  it.each(['', 'many', '12 ms', '1,2,3', '1 / 0', '1 2', '5 calls'])(
    'does not guess what “%s” means',
    (typed) => {
      expect(readNumber(typed, 'requests')).toBeUndefined();
    },
  );
});

describe('isClose', () => {
  it('takes the tolerance from the answer', () => {
    expect(isClose(105, 100, 0.05)).toBe(true);
    expect(isClose(106, 100, 0.05)).toBe(false);
    expect(isClose(-95, -100, 0.05)).toBe(true);
  });

  it('forgives the last bits of a float, no more, when the answer is to be exact', () => {
    expect(isClose(0.3, 0.1 + 0.2, 0)).toBe(true);
    expect(isClose(0.3001, 0.1 + 0.2, 0)).toBe(false);
    expect(isClose(0, 0, 0)).toBe(true);
  });
});
