import { describe, expect, it } from 'vitest';
import { cut, fit, harmless, spread, wrap } from './text-block.ts';

describe('wrap', () => {
  it('breaks between words, and indents every line', () => {
    expect(wrap('one two three', 9, '  ')).toEqual(['  one two', '  three']);
  });

  it('breaks a word that is too long', () => {
    expect(wrap('abcdefgh', 4)).toEqual(['abcd', 'efgh']);
  });

  it('keeps line breaks and the indentation of code', () => {
    expect(wrap('expected:\n  - 1\n\nend', 20)).toEqual(['expected:', '  - 1', '', 'end']);
  });

  it('counts wide characters as two columns', () => {
    expect(wrap('漢字漢字', 4)).toEqual(['漢字', '漢字']);
  });
});

describe('cut and spread', () => {
  it('leave a line that fits as it is', () => {
    expect(cut('1234', 4)).toBe('1234');
    expect(spread('left', 'right', 12)).toBe('left   right');
  });

  it('cut what is too long', () => {
    expect(cut('12345', 4)).toBe('123…');
    expect(spread('a long title', 'right', 12)).toBe('a lon… right');
  });

  it('give up the right side when there is no room at all', () => {
    expect(spread('left', 'right', 5)).toBe('left');
  });
});

describe('harmless', () => {
  it('takes away what would colour, move or ring', () => {
    expect(harmless('\u001B[31mred\u001B[0m \u001B[2Jgone\rback\tto\u0007')).toBe(
      'red goneback  to',
    );
  });

  it('keeps lines apart', () => {
    expect(harmless('one\r\ntwo\nthree')).toBe('one\ntwo\nthree');
  });
});

describe('fit', () => {
  const how = 'm shows all';

  it('puts a blank line between sections, and leaves out empty ones', () => {
    expect(fit([['a'], [], ['b', 'c']], 10, how)).toEqual(['a', '', 'b', 'c']);
  });

  it('cuts the longest section first, and says how much is missing', () => {
    const long = ['1', '2', '3', '4', '5', '6'];
    expect(fit([['a', 'b'], long], 7, how)).toEqual([
      'a',
      'b',
      '',
      '1',
      '2',
      '3',
      '  … 3 more lines: m shows all',
    ]);
  });

  it('never gives more lines than there is room for', () => {
    const sections = Array.from({ length: 5 }, () => ['1', '2', '3']);
    for (let rows = 0; rows < 20; rows += 1) {
      expect(fit(sections, rows, how).length).toBeLessThanOrEqual(rows);
    }
  });
});
