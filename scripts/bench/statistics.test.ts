import { expect, it } from 'vitest';
import { ratiosOf, spreadOf } from './statistics.ts';

it('finds the median and the middle half, in any order', () => {
  expect(spreadOf([5, 1, 4, 2, 3])).toEqual({ p25: 2, median: 3, p75: 4 });
});

it('goes between neighbors where there is no middle one', () => {
  expect(spreadOf([1, 2, 3, 4])).toEqual({ p25: 1.75, median: 2.5, p75: 3.25 });
});

it('takes one number for all three', () => {
  expect(spreadOf([7])).toEqual({ p25: 7, median: 7, p75: 7 });
});

it('has nothing to say about nothing', () => {
  expect(() => spreadOf([])).toThrow('nothing to measure');
});

it('compares round by round', () => {
  expect(ratiosOf([1, 20], [2, 40])).toEqual([0.5, 0.5]);
});
