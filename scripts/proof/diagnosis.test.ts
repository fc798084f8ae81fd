import { describe, expect, it } from 'vitest';
import { seeded } from '../../quiz/random.ts';
import type { Misconception } from '../content/misconceptions.ts';
import type { Verdict } from '../runner/verdict.ts';
import { designsOf, diagnose, pairs, singles, slips } from './diagnosis.ts';

const solution = `
// Few if one < two.
export const isFew = (one: number) => one < 5;
export const next = (one: number) => one + 1;
`;

const misconceptions = [
  misconception('One more is few', '-one < 5\n+one < 6'),
  misconception('Five is few', '-one < 5\n+one <= 5'),
  misconception('Counts by two', '-one + 1\n+one + 2'),
];

function misconception(title: string, change: string): Misconception {
  const lines = change
    .replace(/one (?:<|<=) \d/g, 'export const isFew = (one: number) => $&;')
    .replace(/one \+ \d/g, 'export const next = (one: number) => $&;');
  return {
    title,
    why: 'Tempting.',
    caughtBy: 'a test',
    diff: lines,
    replacesFile: false,
    line: 1,
    diffLine: 1,
  };
}

/** The verdict of a spec of three tests, of which these fail. */
function verdictWith(failing: string): Verdict {
  return {
    kind: 'tested',
    tests: ['a', 'b', 'c'].map((name) => ({
      level: '1 · all',
      name,
      state: failing.includes(name) ? 'failed' : 'passed',
    })),
    output: { lines: [], cut: 0 },
    durationMs: 1,
  };
}

describe('wrong answers', () => {
  it('hold one misconception each, or two that do not meet', () => {
    expect(singles(solution, misconceptions).map(({ titles }) => titles)).toEqual([
      ['One more is few'],
      ['Five is few'],
      ['Counts by two'],
    ]);
    const both = pairs(solution, misconceptions, 10, seeded('1'));
    expect(both.map(({ titles }) => titles.toSorted().join(' + ')).toSorted()).toEqual([
      'Counts by two + Five is few',
      'Counts by two + One more is few',
    ]);
    expect(both.every(({ code }) => code.includes('one + 2'))).toBe(true);
    expect(pairs(solution, misconceptions, 1, seeded('1'))).toHaveLength(1);
  });

  it('are slips of one sign, outside of comments, which no misconception is', () => {
    const codes = slips(solution, misconceptions, 10, seeded('1')).map(({ code }) => code);
    expect(codes).toEqual([solution.replace('one + 1', 'one - 1')]);
  });
});

describe('a diagnosis', () => {
  const designs = designsOf(misconceptions, ['a', 'a', 'b'].map(verdictWith));
  const say = (failing: string, ...titles: string[]) =>
    diagnose({ code: '', titles }, verdictWith(failing), designs);

  it.each([
    ['right', 'b', ['Counts by two']],
    ['also', 'a', ['Five is few']],
    ['silent', 'c', ['Five is few']],
    ['wrong', 'b', ['Five is few']],
    ['wrong', 'b', []],
    ['passed', '', ['Five is few']],
  ])('is %s when %j fail', (wanted, failing, titles) => {
    expect(say(failing, ...titles)).toBe(wanted);
  });
});
