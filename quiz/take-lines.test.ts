import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { takeLines } from './take-lines.ts';

/** What is kept of these keys, and of those that come a while later, and how it ends. */
async function typing(keys: string, { keep = (_line: string) => {}, later = '' } = {}) {
  const input = new PassThrough();
  const kept: string[] = [];
  const ending = takeLines({ input, output: new PassThrough() }, (line) => {
    keep(line);
    kept.push(line);
  });
  input.write(keys);
  if (later !== '') setTimeout(() => input.write(later), 100);
  return { ending: await ending, kept };
}

describe('takeLines', () => {
  it('keeps each line until an empty one', async () => {
    expect(await typing('one\rtwo \r\r')).toEqual({ ending: 'given', kept: ['one', 'two'] });
  });

  it('passes over empty lines before the first', async () => {
    expect(await typing('\r\rone\r\r')).toEqual({ ending: 'given', kept: ['one'] });
  });

  it('takes a pasted text whole, empty lines and an end without Enter included', async () => {
    const kept = ['one', 'two', 'three'];
    expect(await typing('one\r\rtwo\r\rthree\r\r')).toEqual({ ending: 'given', kept });
    expect(await typing('one\r\rtwo\r\rthree', { later: '\r\r' })).toEqual({
      ending: 'given',
      kept,
    });
  });

  it('takes ? alone for “I don’t know”, within an answer for a line', async () => {
    expect(await typing('?\r')).toEqual({ ending: 'unknown', kept: [] });
    expect(await typing('one\r?\r\r')).toEqual({ ending: 'given', kept: ['one', '?'] });
  });

  it('keeps the half line on Ctrl-C and on Ctrl-D', async () => {
    expect(await typing('one\rtw\u0003')).toEqual({ ending: 'stop', kept: ['one', 'tw'] });
    expect(await typing('one\r\u0004')).toEqual({ ending: 'stop', kept: ['one'] });
  });

  it('hands over to an editor on :e', async () => {
    expect(await typing('one\r:e\r')).toEqual({ ending: 'editor', kept: ['one'] });
  });

  it('fails when a line cannot be kept', async () => {
    const full = () => {
      throw new Error('full');
    };
    await expect(typing('one\r', { keep: full })).rejects.toThrow('full');
  });
});
