import { describe, expect, it } from 'vitest';
import { judgeMisconception, judgeSound, judgeSpec, judgeStub } from './judge.ts';
import type { Misconception } from '../content/misconceptions.ts';
import type { TestResult, Verdict } from '../runner/verdict.ts';

const rest = { output: { lines: [], cut: 0 }, durationMs: 1 };

/** Tests as `level > name`; an exclamation mark in front says that it failed. */
function tested(...tests: string[]): Verdict {
  return {
    kind: 'tested',
    tests: tests.map((test): TestResult => {
      const [level = '', ...names] = test.replace(/^!/, '').split(' > ');
      const name = names.join(' > ');
      return test.startsWith('!')
        ? { level, name, state: 'failed', message: 'a\n  b', at: { line: 7, column: 1 } }
        : { level, name, state: 'passed' };
    }),
    ...rest,
  };
}

function broken(reason: 'time-out' | 'syntax' | 'unhandled', during?: string): Verdict {
  return { kind: 'broken', reason, message: 'It\nends.', ...(during && { during }), ...rest };
}

const passing = tested('1 · a > x', '2 · b > y');
const spec = {
  file: 'a.test.ts',
  text: "describe('1 · a', () => {\n  it('x')\ndescribe('2 · b'\n",
};

describe('a sound answer', () => {
  it('passes everything', () => {
    expect(judgeSound(passing, 'a.ts').problems).toEqual([]);
  });

  it.each([
    [tested('1 · a > x', '!2 · b > y'), [{ file: 'a.ts', line: 7, message: 'fails "y": a b' }]],
    [broken('syntax'), [{ file: 'a.ts', message: 'It ends.' }]],
  ])('or is told what it fails', (verdict, problems) => {
    expect(judgeSound(verdict, 'a.ts').problems).toEqual(problems);
  });
});

describe('a spec', () => {
  it('has numbered levels', () => {
    expect(judgeSpec(passing, spec).problems).toEqual([]);
  });

  it.each([
    [
      tested('1 · a > x', '3 · b > y'),
      undefined,
      'expected the level "3 · b" to be called "2 · …"',
    ],
    [tested('2 · b > y', '1 · a > x'), 3, 'expected the level "2 · b" to be called "1 · …"'],
    [tested(' > x'), 2, '"x" stands outside of all levels; move it into a `describe`'],
    [tested('1 · a > x', '1 · a > x'), 2, 'two tests of one level are called "x"'],
  ])('whose order is wrong is told where', (verdict, line, message) => {
    expect(judgeSpec(verdict, spec).problems[0]).toEqual({
      file: 'a.test.ts',
      message,
      ...(line && { line }),
    });
  });

  it('may use a test name again at another level', () => {
    expect(judgeSpec(tested('1 · a > x', '2 · b > x'), spec).problems).toEqual([]);
  });
});

describe('a stub', () => {
  it('fails a test of each level', () => {
    const verdict = tested('!1 · a > x', '1 · a > y', '!2 · b > y');
    expect(judgeStub(verdict, spec, 'a.ts').problems).toEqual([]);
  });

  it('must not pass a level', () => {
    expect(judgeStub(tested('!1 · a > x', '2 · b > y'), spec, 'a.ts').problems).toEqual([
      {
        file: 'a.test.ts',
        line: 3,
        message: 'the stub passes all of the level "2 · b"; each level needs a test that it fails',
      },
    ]);
  });

  it('must load', () => {
    expect(judgeStub(broken('syntax'), spec, 'a.ts').problems).toEqual([
      { file: 'a.ts', message: 'the stub made of it cannot be tested: It ends.' },
    ]);
  });
});

describe('a misconception', () => {
  function problems(verdict: Verdict, caughtBy: string, second = verdict): string[] {
    const misconception: Misconception = {
      title: 'M',
      caughtBy,
      why: '',
      diff: '',
      replacesFile: false,
      line: 9,
      diffLine: 12,
    };
    const check = judgeMisconception([verdict, second], misconception, 'README.md');
    return check.problems.map(({ line, message }) => `${line} ${message}`);
  }

  const caught = tested('1 · a > x', '!2 · b > y');
  const twins = tested('1 · a > x', '!2 · b > x');

  it.each([
    [caught, 'y'],
    [twins, '2 · b > x'],
    [tested('1 · a > x', '!2 · b > group > y'), 'group > y'],
    [broken('time-out', 'y'), 'y'],
    [broken('time-out', 'y'), '2 · b > y'],
    [broken('unhandled', 'y'), 'y'],
  ])('is caught by the test it names', (verdict, caughtBy) => {
    expect(problems(verdict, caughtBy)).toEqual([]);
  });

  it.each([
    [caught, 'z', 'M: the spec has no test called "z"'],
    [caught, 'x', 'M: "x" does not catch it; what does: "y"'],
    [passing, 'x', 'M: "x" does not catch it; nothing does'],
    [twins, 'x', 'M: two levels have a test called "x"; say "level > name"'],
    [
      tested('!1 · a > x', '!2 · b > y'),
      'y',
      'M: it fails every test, so it is a crash and no plausible wrong answer',
    ],
    [broken('time-out', 'a y'), 'y', 'M: the spec does not get through it: It ends.'],
    [broken('time-out'), 'y', 'M: the spec does not get through it: It ends.'],
    [broken('syntax', 'y'), 'y', 'M: the spec does not get through it: It ends.'],
  ])('is no good otherwise', (verdict, caughtBy, message) => {
    expect(problems(verdict, caughtBy)).toEqual([`9 ${message}`]);
  });

  it('fails the same tests each time', () => {
    expect(problems(caught, 'y', tested('!1 · a > x', '!2 · b > y'))).toEqual([
      '9 M: two runs fail different tests; take chance and real time out of it',
    ]);
    expect(problems(broken('time-out', 'y'), 'y', caught)).toHaveLength(1);
  });
});
