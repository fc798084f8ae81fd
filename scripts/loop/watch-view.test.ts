import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import type { TestResult, Verdict } from '../runner/verdict.ts';
import { openKata, type WatchState } from './watch-state.ts';
import { type Canvas, hintMarkdown, render, renderAll } from './watch-view.ts';

describe('the screen', () => {
  it('shows the first failing test of the first failing level, and that alone', () => {
    expect(lines(state({ verdict: tested() }))).toEqual([
      'Quota                                                         [#-] 1 of 2 levels',
      'Watching katas/quota/quota.ts                                      ran in 0.12 s',
      '',
      '2 · giving back',
      '✗ lets another through once one came back',
      '  at katas/quota/quota.ts:12:5',
      '',
      '  one came back: expected false to be true',
      '',
      '  1 more test of this level fails',
      ...Array<string>(13).fill(''),
      'h hint 0/2  l lesson  b brief  r run again  p pick  x reset  s solution  q quit',
    ]);
  });

  it('says what is going on before the first verdict', () => {
    expect(text(state({}))).toContain('Running the spec on your file…');
    expect(text(state({}))).toContain('running…');
  });

  it('shows what the code printed, and how much of it was cut', () => {
    const verdict = { ...tested(), output: { lines: ['left: 0', '\u001B[2Jgone'], cut: 5 } };
    expect(text(state({ verdict }))).toContain(
      ['Your code printed:', '  | left: 0', '  | gone', '  … and 5 more lines, cut'].join('\n'),
    );
  });

  it('says in words why the spec could not be run', () => {
    const verdict: Verdict = {
      kind: 'broken',
      reason: 'syntax',
      message: 'Line 3 cannot be read.\n\n  const = 1;',
      at: { line: 3, column: 7 },
      ...run,
    };
    const shown = text(state({ verdict }));
    expect(shown).toContain('✗ The spec could not be run to its end.');
    expect(shown).toContain('  Line 3 cannot be read.\n\n    const = 1;');
    expect(shown).toContain('  at katas/quota/quota.ts:3:7');
    expect(shown).not.toContain('levels');
  });

  it('says which test was running, unless the message does', () => {
    const broken = { kind: 'broken', reason: 'killed', during: 'takes one', ...run } as const;
    expect(text(state({ verdict: { ...broken, message: 'It died.' } }))).toContain('During: takes');
    expect(text(state({ verdict: { ...broken, message: 'It died in takes one.' } }))).not.toContain(
      'During',
    );
  });

  it('names the misconception that fails alike, and why it is tempting', () => {
    const designs = [
      {
        title: 'Gives without end',
        why: 'The happy path\nnever shows it.',
        fails: ['2 · giving back > never holds more than the limit', ...failingKeys],
      },
      { title: 'Never gives', why: 'It is short.', fails: failingKeys },
    ];
    const shown = text(state({ verdict: tested(), designs }));
    expect(shown).toContain('This looks like: Gives without end\n  The happy path never shows it.');
    expect(shown).not.toContain('Never gives');
  });

  it('shows the last hint that was taken', () => {
    const shown = text(state({ verdict: tested(), hints: 2 }));
    expect(shown).toContain('Second hint.');
    expect(shown).not.toContain('First hint.');
  });

  it('asks in place of the keys', () => {
    const shown = lines(state({ verdict: tested(), question: 'reset' }));
    expect(shown.at(-1)).toBe('Start again from blank? Your answer is archived first. y/n');
  });

  it('says that saves are not noticed', () => {
    expect(text(state({ verdict: tested(), manual: true }))).toContain(
      'katas/quota/quota.ts · saves are not noticed, r runs it',
    );
  });

  it('says that a kata was solved before when its answer fails now', () => {
    expect(text(state({ verdict: tested(), solved: true }))).toContain('Quota · solved before');
  });
});

describe('success', () => {
  const verdict = tested('passed', 'passed');
  const solve = {
    grade: 'good',
    peeked: false,
    tookMs: 840_000,
    now: new Date(2026, 10, 22),
  } as const;
  const due = new Date(2026, 10, 26);

  it('says how many wrong designs the code survived, the time it took, and when it comes back', () => {
    expect(lines(state({ verdict, solved: true, solve: { ...solve, due } })).slice(3, 12)).toEqual([
      'Solved: all 2 levels pass.',
      '',
      'Your code survived 12 wrong designs: this spec catches each of them.',
      'Time to green: 14 minutes. It comes back in 4 days (Thu, Nov 26), to be solved',
      'from blank.',
      '',
      'n goes on to the next kata; s shows our solution and another way, to compare',
      'with yours.',
      '',
    ]);
  });

  it('says why it comes back sooner', () => {
    const hard = { ...solve, grade: 'hard', due } as const;
    const again = { ...solve, grade: 'again', peeked: true, due } as const;
    expect(text(state({ verdict, solve: hard }))).toMatch(/a little sooner\s+for the hints/);
    expect(text(state({ verdict, solve: again }))).toMatch(/as\s+you had seen the solution/);
  });

  it('passes the advice of the compiler on', () => {
    const shown = text(state({ verdict, advice: ['line 3: Not assignable.'] }));
    expect(shown).toContain('The compiler has advice on your file:\n  line 3: Not assignable.');
  });

  it('offers to go on', () => {
    expect(lines(state({ verdict, solved: true })).at(-1)).toMatch(/^n next {2}l lesson/);
  });
});

describe('a screen of any size', () => {
  const long = {
    ...tested(),
    output: {
      lines: Array.from({ length: 60 }, (_, line) => `line ${line} ${'x'.repeat(90)}`),
      cut: 9,
    },
  };
  const states = [
    state({}),
    state({
      verdict: tested(),
      hints: 2,
      notice: 'Something to say that is long enough to wrap. '.repeat(2),
    }),
    state({ verdict: long, hints: 2 }),
    state({ verdict: long, question: 'again' }),
    state({ verdict: tested('passed', 'passed'), solved: true }),
  ];

  it.each([
    [80, 24],
    [60, 15],
    [40, 12],
    [100, 50],
    [20, 8],
    [200, 5],
  ])('is never more than %i columns and %i rows', (columns, rows) => {
    for (const each of states) {
      const drawn = render(each, canvas({ columns, rows })).split('\n');
      expect(drawn.length).toBeLessThanOrEqual(rows);
      expect(Math.max(...drawn.map((line) => stringWidth(line)))).toBeLessThanOrEqual(columns);
    }
  });

  it('always shows the keys, and says how to see what had no room', () => {
    const drawn = lines(state({ verdict: long, hints: 2 }));
    expect(drawn.at(-1)).toContain('q quit');
    expect(drawn.join('\n')).toContain('more lines: m shows all');
  });
});

describe('everything', () => {
  it('has all hints that were taken, and all that the code printed', () => {
    const printed = Array.from({ length: 60 }, (_, line) => `line ${line}`);
    const verdict = { ...tested(), output: { lines: printed, cut: 0 } };
    const all = renderAll(state({ verdict, hints: 2 }), canvas({}));
    expect(all).toContain('First hint.\n\nSecond hint.');
    for (const line of printed) expect(all).toContain(`  | ${line}\n`);
  });

  it('has no hints that were not taken', () => {
    expect(renderAll(state({ verdict: tested(), hints: 1 }), canvas({}))).not.toContain('Second');
  });
});

it('a hint says how many there are', () => {
  const hints = ['### 1 · Where to begin\n\nWrite it down.', '### 2 · Then\n\nGo on.'];
  expect(hints.map(hintMarkdown)).toEqual([
    '**Hint 1 of 2 · Where to begin**\n\nWrite it down.',
    '**Hint 2 of 2 · Then**\n\nGo on.',
  ]);
});

const run = { output: { lines: [], cut: 0 }, durationMs: 120 };

const failingKeys = ['2 · giving back > lets another through once one came back'];

function state(given: Partial<WatchState>): WatchState {
  const kata = {
    slug: 'quota',
    title: 'Quota',
    file: 'katas/quota/quota.ts',
    path: '/kit/katas/quota/quota.ts',
    hints: ['First hint.', 'Second hint.'],
    wrongDesigns: 12,
    hasExperiment: false,
  };
  const opened = openKata(kata, { manual: false, solved: false, due: false, busy: false });
  return { ...opened, run: given.verdict ? 'idle' : 'running', ...given };
}

type State = TestResult['state'];

/** Two levels: the first passes, and of the three tests of the second the last two are as given. */
function tested(first: State = 'failed', second: State = 'failed') {
  const tests: TestResult[] = [
    { level: '1 · taking', name: 'takes', state: 'passed' },
    { level: '2 · giving back', name: 'gives', state: 'passed' },
    {
      level: '2 · giving back',
      name: 'lets another through once one came back',
      state: first,
      message: 'one came back: expected false to be true',
      at: { line: 12, column: 5 },
    },
    { level: '2 · giving back', name: 'never holds more than the limit', state: second },
  ];
  return { kind: 'tested', tests, ...run } as const;
}

function canvas(given: Partial<Canvas>): Canvas {
  return { columns: 80, rows: 24, hints: ['First hint.', 'Second hint.'], ...given };
}

function text(shown: WatchState): string {
  return render(shown, canvas({}));
}

function lines(shown: WatchState): string[] {
  return text(shown).split('\n');
}
