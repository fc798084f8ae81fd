import { describe, expect, it } from 'vitest';
import { numbered, readIndexes } from './asker.ts';

describe('readIndexes', () => {
  it.each([
    ['2', [1]],
    ['2 1 3', [1, 0, 2]],
    ['2,1, 3', [1, 0, 2]],
    ['213', [1, 0, 2]],
    [' 3 ', [2]],
  ])('reads “%s”', (typed, indexes) => {
    expect(readIndexes(typed, 3)).toEqual(indexes);
  });

  it.each(['', '0', '4', '1 1', '11', 'a', '1 a', '-1', '1.5', '1e0'])(
    'does not read “%s”',
    (typed) => {
      expect(readIndexes(typed, 3)).toBeUndefined();
    },
  );
});

describe('numbered', () => {
  it('puts the lines of a text under each other', () => {
    expect(numbered(['one', 'two\nlines'])).toBe('  1. one\n  2. two\n     lines');
  });
});
