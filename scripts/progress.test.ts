import { describe, expect, it } from 'vitest';
import type { Entry, NewEntry } from '../quiz/entry.ts';
import { type Attempt, entriesFor, entriesForReset, standings } from './progress.ts';
import type { Verdict } from './runner/verdict.ts';

describe('standings', () => {
  it('says how many levels passed last', () => {
    const standing = standingAfter(progress(1, 7), progress(3, 7));
    expect(standing).toMatchObject({ passed: 3, of: 7, solved: false });
  });

  it('knows when the levels passed last changed', () => {
    expect(standingAfter(progress(1, 7), progress(3, 7))?.at).toEqual(new Date(dayOf(1)));
  });

  it('calls a kata solved when all levels passed', () => {
    expect(standingAfter(progress(7, 7))).toMatchObject({ solved: true });
  });

  it('calls a solved kata unsolved again after a start from blank', () => {
    expect(standingAfter(progress(7, 7), progress(0, 7))).toMatchObject({ solved: false });
  });

  it('remembers a look at the solution through resets until the kata is solved', () => {
    expect(standingAfter(peek, progress(2, 7), progress(0, 7))).toMatchObject({ peeked: true });
  });

  it('forgets a look at the solution when a solved kata starts anew', () => {
    expect(standingAfter(peek, progress(7, 7), progress(0, 7))).toMatchObject({ peeked: false });
  });

  it('knows nothing of a kata that nobody began', () => {
    expect(standingAfter()).toBeUndefined();
  });
});

describe('entriesFor', () => {
  it('takes down the first run, also of the stub', () => {
    expect(entriesFor(attempt({ verdict: tested('fail', 'fail') }))).toEqual([
      { type: 'progress', kata: 'quota', passed: 0, of: 2 },
    ]);
  });

  it('takes nothing down while the levels passed stay the same', () => {
    const standing = standingAfter(progress(1, 2));
    expect(entriesFor(attempt({ standing, verdict: tested('pass', 'fail') }))).toEqual([]);
  });

  it('takes nothing down when the spec did not run to its end', () => {
    const verdict: Verdict = { kind: 'broken', reason: 'time-out', message: 'Stopped.', ...run };
    expect(entriesFor(attempt({ verdict }))).toEqual([]);
  });

  it('grades a kata solved without help as good', () => {
    expect(gradeOf({})).toBe('good');
  });

  it('grades a kata solved with hints as hard', () => {
    expect(gradeOf({ hints: 1 })).toBe('hard');
  });

  it('grades a kata as again when its solution had been looked at', () => {
    expect(gradeOf({ hints: 1, standing: standingAfter(progress(0, 2), peek) })).toBe('again');
  });

  it('grades a solved kata once, however often it passes and fails afterwards', () => {
    const standing = standingAfter(progress(2, 2));
    expect(entriesFor(attempt({ standing, verdict: tested('pass', 'fail') }))).toEqual([]);
    expect(entriesFor(attempt({ standing }))).toEqual([]);
  });

  it('notices that a solved kata is the stub again, however that came about', () => {
    const standing = standingAfter(progress(2, 2));
    const verdict = tested('fail', 'fail');
    expect(entriesFor(attempt({ standing, verdict, blank: true }))).toEqual([
      { type: 'progress', kata: 'quota', passed: 0, of: 2 },
    ]);
  });

  it('grades a kata again when it is solved again from blank', () => {
    expect(gradeOf({ standing: standingAfter(progress(2, 2), progress(0, 2)) })).toBe('good');
  });

  it('grades a solved kata again when its spec has got a further level', () => {
    const standing = standingAfter(progress(1, 1));
    expect(entriesFor(attempt({ standing, verdict: tested('pass', 'fail') }))).toEqual([
      { type: 'progress', kata: 'quota', passed: 1, of: 2 },
    ]);
    expect(gradeOf({ standing: standingAfter(progress(1, 1), progress(1, 2)) })).toBe('good');
  });
});

describe('entriesForReset', () => {
  it('takes the start from blank down', () => {
    expect(entriesForReset('quota', standingAfter(progress(2, 2)))).toEqual([
      { type: 'progress', kata: 'quota', passed: 0, of: 2 },
    ]);
  });

  it('has nothing to take down when no level had passed', () => {
    expect(entriesForReset('quota', standingAfter(progress(0, 2)))).toEqual([]);
    expect(entriesForReset('quota', undefined)).toEqual([]);
  });
});

const run = { output: { lines: [], cut: 0 }, durationMs: 1 };
const peek: NewEntry = { type: 'peek', kata: 'quota' };

function progress(passed: number, of: number): NewEntry {
  return { type: 'progress', kata: 'quota', passed, of };
}

function dayOf(index: number): string {
  return new Date(Date.UTC(2026, 10, 1 + index)).toISOString();
}

function standingAfter(...entries: readonly NewEntry[]) {
  const dated = entries.map((entry, index): Entry => ({
    v: 1,
    id: String(index),
    at: dayOf(index),
    ...entry,
  }));
  return standings(dated).get('quota');
}

/** A verdict on a spec with a level, of one test, for each state. */
function tested(...states: readonly ('pass' | 'fail')[]): Verdict {
  const tests = states.map((state, index) => ({
    level: `${index + 1} · level`,
    name: 'test',
    state: state === 'pass' ? ('passed' as const) : ('failed' as const),
  }));
  return { kind: 'tested', tests, ...run };
}

function attempt(given: Partial<Attempt>): Attempt {
  const verdict = tested('pass', 'pass');
  return { slug: 'quota', standing: undefined, verdict, hints: 0, blank: false, ...given };
}

function gradeOf(given: Partial<Attempt>) {
  return entriesFor(attempt(given)).flatMap((entry) =>
    entry.type === 'review' ? entry.grade : [],
  )[0];
}
