import { describe, expect, it } from 'vitest';
import { type Dated, type Happening, parseHappening, rehearsalOf } from './interview-record.ts';

const began: Happening = { type: 'began', interview: 'storm', title: 'A storm' };
const asked = (phase: string): Happening => ({ type: 'asked', phase, kind: 'opening', text: '?' });
const line = (text: string): Happening => ({ type: 'line', text });
const given: Happening = { type: 'given' };

/** Happenings, each with the minute at which it was. */
const told = (...minutes: readonly (readonly [number, Happening])[]) =>
  rehearsalOf(
    minutes.map(([minute, happening]): Dated => {
      return { ...happening, at: new Date(Date.UTC(2026, 10, 28, 10, minute)).toISOString() };
    }),
  );

describe('a record', () => {
  it('tells what was asked and said', () => {
    const { interview, title, turns } = told(
      [0, began],
      [0, asked('Clarify')],
      [1, line('one')],
      [2, line('two')],
      [2, given],
      [3, asked('Draw')],
    );
    expect([interview, title]).toEqual(['storm', 'A storm']);
    expect(turns).toMatchObject([
      { phase: 'Clarify', lines: ['one', 'two'], isGiven: true },
      { phase: 'Draw', lines: [], isGiven: false },
    ]);
  });

  it('counts the time of each phase without the time away', () => {
    const { spentMs } = told(
      [0, began],
      [1, asked('Clarify')],
      [3, line('one')],
      [50, { type: 'back' }],
      [52, given],
      [52, asked('Draw')],
      [55, given],
      [59, { type: 'scored', axis: 'Depth', level: 'L5' }],
    );
    expect([...spentMs]).toEqual([
      ['Clarify', 4 * 60_000],
      ['Draw', 3 * 60_000],
    ]);
  });

  it('is not spoiled by a clock that was set back', () => {
    const { spentMs } = told([30, began], [30, asked('Clarify')], [10, line('x')], [12, given]);
    expect(spentMs.get('Clarify')).toBe(2 * 60_000);
  });

  it('keeps the last score of an axis, and knows the end', () => {
    const { scores, hasEnded } = told(
      [0, began],
      [1, { type: 'scored', axis: 'Depth', level: 'L4' }],
      [2, { type: 'scored', axis: 'Depth', level: 'L6', evidence: 'a line' }],
      [3, { type: 'ended' }],
    );
    expect(scores).toEqual([{ axis: 'Depth', level: 'L6', evidence: 'a line' }]);
    expect(hasEnded).toBe(true);
  });
});

describe('a line of a record', () => {
  const at = '2026-11-28T10:00:00.000Z';

  it('is read back', () => {
    const dated = { type: 'line', text: 'a\nb', at };
    expect(parseHappening(JSON.stringify(dated))).toEqual(dated);
  });

  it.each([
    ['half a line', '{"type":"line","te'],
    ['no time', JSON.stringify({ type: 'line', text: 'x' })],
    ['a time that is none', JSON.stringify({ type: 'line', text: 'x', at: 'noon' })],
    ['another type', JSON.stringify({ type: 'sang', at })],
    ['a field that is missing', JSON.stringify({ type: 'line', at })],
    ['a level that is none', JSON.stringify({ type: 'scored', axis: 'x', level: 'L9', at })],
    ['a list', '[]'],
    ['nothing', ''],
  ])('that has %s costs itself only', (_, text) => {
    expect(parseHappening(text)).toBeTypeOf('string');
  });
});
