import { expect, it } from 'vitest';
import { aligned } from './columns.ts';

it('puts the cells of a column below each other', () => {
  const rows = [
    ['a', 'one'],
    ['long', 'two', 'more'],
  ];
  expect(aligned(rows)).toEqual(['a      one', 'long   two   more']);
});

it('leaves no space at the end of a line', () => {
  expect(
    aligned(
      [
        ['a', ''],
        ['b', 'c'],
      ],
      ' ',
    ),
  ).toEqual(['a', 'b c']);
});
