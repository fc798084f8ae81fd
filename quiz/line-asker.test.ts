import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { lineAsker } from './line-asker.ts';

function asking(typed: string) {
  const printed: string[] = [];
  const asker = lineAsker(Readable.from([typed]), (text) => printed.push(text));
  return { asker, printed };
}

const options = ['red', 'green'];
const stop = { kind: 'stop' };
const unknown = { kind: 'unknown' };
const given = (answer: unknown) => ({ kind: 'given', answer });
const readShout = (typed: string) =>
  typed === typed.toUpperCase() && typed ? { answer: typed } : 'Louder!';

describe('lineAsker', () => {
  it('takes a number for one option', async () => {
    const { asker, printed } = asking('2\n');
    expect(await asker.one('Which?', options)).toEqual(given(1));
    expect(printed).toEqual([
      '  1. red\n  2. green\nWhich? (a number from 1 to 2, or ? if you do not know):',
    ]);
  });

  it('takes numbers for several options', async () => {
    const { asker } = asking('2 1\n12\n1,2\n');
    expect(await asker.several('Which?', options)).toEqual(given([1, 0]));
    expect(await asker.several('Which?', options)).toEqual(given([0, 1]));
    expect(await asker.several('Which?', options)).toEqual(given([0, 1]));
  });

  it('takes text as its reader reads it', async () => {
    const { asker } = asking('HEY\n');
    expect(await asker.typed('Shout', readShout)).toEqual(given('HEY'));
  });

  it('says what to type, and asks on, when it cannot make sense of a line', async () => {
    const { asker, printed } = asking('3\n1 2\nred\n1\n0\n1 2\nhey\nHEY\n');
    expect(await asker.one('Which?', options)).toEqual(given(0));
    expect(printed.slice(1)).toEqual(
      Array(3).fill('Type a number from 1 to 2, or ? if you do not know.'),
    );
    expect(await asker.several('Which?', options)).toEqual(given([0, 1]));
    expect(await asker.typed('Shout', readShout)).toEqual(given('HEY'));
    expect(printed.at(-1)).toBe('Louder!');
  });

  it('passes over empty lines, unless they are an answer', async () => {
    const { asker, printed } = asking('\n  \n1\n\n');
    expect(await asker.one('Which?', options)).toEqual(given(0));
    expect(printed).toHaveLength(1);
    expect(await asker.typed('Think', (answer) => ({ answer }))).toEqual(given(''));
  });

  it('takes ? for “I don’t know”, where one may say that', async () => {
    const { asker, printed } = asking('?\n?\n?\n?\n2\n');
    expect(await asker.one('Which?', options)).toEqual(unknown);
    expect(await asker.several('Which?', options)).toEqual(unknown);
    expect(await asker.typed('Shout', readShout)).toEqual(unknown);
    expect(await asker.one('How well?', options, false)).toEqual(given(1));
    expect(printed.slice(-2)).toEqual([
      'Type a number from 1 to 2.',
      '  1. red\n  2. green\nHow well? (a number from 1 to 2):',
    ]);
  });

  it('stops at q, and at the end of the input', async () => {
    const { asker } = asking('q\nQ\n');
    expect(await asker.one('Which?', options)).toEqual(stop);
    expect(await asker.typed('Shout', readShout)).toEqual(stop);
    expect(await asker.several('Which?', options)).toEqual(stop);
    expect(await asker.one('Which?', options)).toEqual(stop);
  });

  it('takes a last line without its end', async () => {
    expect(await asking('1').asker.one('Which?', options)).toEqual(given(0));
  });

  it('keeps lines that come before they are asked for', async () => {
    const input = new PassThrough();
    const asker = lineAsker(input, () => {});
    const first = asker.one('Which?', options);
    input.write('1\n2\n1\n');
    expect(await first).toEqual(given(0));
    expect(await asker.pause(), 'no key to wait for').toBe('given');
    expect(await asker.one('Which?', options)).toEqual(given(1));
    expect(await asker.one('Which?', options)).toEqual(given(0));
    asker.close();
    expect(await asker.one('Which?', options)).toEqual(stop);
  });
});

describe('lines', () => {
  const take = async (typed: string) => {
    const kept: string[] = [];
    const { asker } = asking(typed);
    return { ending: await asker.lines((line) => kept.push(line)), kept };
  };

  it('are kept one by one until an empty one', async () => {
    expect(await take('\none\n two\n\nthree\n')).toEqual({ ending: 'given', kept: ['one', 'two'] });
  });

  it('may be unknown, or stopped, which keeps what stands', async () => {
    expect(await take('?\n')).toEqual({ ending: 'unknown', kept: [] });
    expect(await take('one\nq\n')).toEqual({ ending: 'stop', kept: ['one'] });
    expect(await take('one')).toEqual({ ending: 'stop', kept: ['one'] });
  });
});

describe('wishes', () => {
  it('are letters of their own', async () => {
    const { asker } = asking('u\nS\n');
    expect(await asker.one('Which?', options)).toEqual({ kind: 'undo' });
    expect(await asker.typed('Shout', readShout)).toEqual({ kind: 'suspend' });
  });
});
