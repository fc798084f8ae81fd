import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mentions } from './mentions.ts';

describe('mentions', () => {
  it('hears the beginning of a word, whatever the case and the punctuation', () => {
    expect(mentions('We make it Idempotent.', ['idempot'])).toBe(true);
    expect(mentions('a dead-letter queue', ['dead letter'])).toBe(true);
  });

  it('hears no word within another', () => {
    expect(mentions('the unjittered one', ['jitter'])).toBe(false);
    expect(mentions('dead messages, a letter', ['dead letter'])).toBe(false);
  });

  it('hears a number however it is written, and no other one', () => {
    expect(mentions('3 × 3 attempts, or 12,000 calls, or 99.9 %.', ['3x3'])).toBe(true);
    expect(mentions('12,000 calls', ['12000'])).toBe(true);
    expect(mentions('we lose 10%', ['10 %'])).toBe(true);
    expect(mentions('270 calls', ['27'])).toBe(false);
    expect(mentions('0.1 % of 99.9 %', ['1 %', '9 %', '0'])).toBe(false);
    expect(mentions('it ends at 27. Then', ['27'])).toBe(true);
  });

  it('wants all parts of a term with a plus, anywhere', () => {
    expect(mentions('retries have a budget', ['budget + retr'])).toBe(true);
    expect(mentions('we have no budget', ['budget + retr'])).toBe(false);
  });

  it('hears nothing in a term without words', () => {
    expect(mentions('anything', ['', ' + ', '×'])).toBe(false);
  });

  it('hears each word that was said', () => {
    const word = fc.stringMatching(/^[a-z]{1,8}$/);
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), fc.nat(), (words, at) => {
        const term = words[at % words.length] ?? '';
        expect(mentions(words.join(', '), [term])).toBe(true);
      }),
      { seed: 7 },
    );
  });
});
