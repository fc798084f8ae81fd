import { describe, expect, it } from 'vitest';
import { codeSpan, leadingCode, listItemsOf } from './list-items.ts';

describe('listItemsOf', () => {
  it('finds items of several lists, with their lines', () => {
    expect(listItemsOf('Prose.\n\n- one\n- two\n\nProse.\n\n* three\n')).toEqual([
      { text: 'one', line: 3 },
      { text: 'two', line: 4 },
      { text: 'three', line: 8 },
    ]);
  });

  it('joins an item that goes on over several lines', () => {
    expect(listItemsOf('- one\n  and more\n\nProse.')).toEqual([{ text: 'one and more', line: 1 }]);
  });
});

describe('leadingCode', () => {
  it('reads pieces of code up to the first that has no separator behind it', () => {
    expect(leadingCode('`a`, `b`: because `c`, `d`', ', ')).toEqual(['a', 'b']);
  });

  it('finds none in a text that starts otherwise', () => {
    expect(leadingCode('because `a`', ', ')).toEqual([]);
  });

  it('reads what codeSpan has written', () => {
    for (const code of ['plain', '`template`', 'a `${b}` c', '``']) {
      expect(leadingCode(`${codeSpan(code)} → ${codeSpan(code)}`, ' → ')).toEqual([code, code]);
    }
  });
});
