import { describe, expect, it } from 'vitest';
import type { TestResult, Verdict } from '../runner/verdict.ts';
import { openKata, type Solve, step, type WatchEvent, type WatchState } from './watch-state.ts';

describe('runs', () => {
  it('runs the spec when the kata is opened', () => {
    expect(opened().run).toBe('running');
  });

  it('waits for the run of another kata that is still under way', () => {
    expect(opened({ busy: true }).run).toBe('queued');
  });

  it('runs the spec on a save', () => {
    expect(step(idle(), saved)).toMatchObject({ state: { run: 'running' }, wish: 'run' });
  });

  it('queues one more run for all the saves during a run', () => {
    const { state, wishes } = after(opened(), saved, saved, saved);
    expect(state.run).toBe('queued');
    expect(wishes).toEqual([]);
    expect(after(state, failing).wishes).toEqual(['run']);
    expect(after(state, failing, failing).state.run).toBe('idle');
  });

  it('shows no verdict on a text that was saved over meanwhile', () => {
    const { state } = after(opened(), saved, passing);
    expect(state).toMatchObject({ run: 'running', solved: false });
    expect(state.verdict).toBeUndefined();
  });

  it('keeps the last verdict on screen during the next run', () => {
    expect(after(idle(), saved).state.verdict).toBeDefined();
  });

  it('runs the spec on r, also during a run', () => {
    expect(after(idle(), key('r')).wishes).toEqual(['run']);
    expect(after(opened(), key('r')).state.run).toBe('queued');
  });

  it('says what to do where saves are not noticed', () => {
    const event: WatchEvent = { type: 'unwatched', reason: 'Too many files are watched.' };
    expect(after(idle(), event).state).toMatchObject({
      manual: true,
      notice: 'Too many files are watched. r runs the spec.',
    });
  });
});

describe('hints', () => {
  it('shows one more with each key', () => {
    expect(after(idle(), key('h')).state.hints).toBe(1);
    expect(after(idle(), key('h'), key('h')).state.hints).toBe(2);
  });

  it('says so when there are no more, until the next key', () => {
    const { state } = after(idle(), key('h'), key('h'), key('h'));
    expect(state).toMatchObject({ hints: 2 });
    expect(state.notice).toContain('That was the last hint.');
    expect(after(state, key('r')).state.notice).toBeUndefined();
  });
});

describe('success', () => {
  it('stops: nothing goes on without a key', () => {
    const { state, wishes } = after(opened(), passing);
    expect(state).toMatchObject({ run: 'idle', solved: true });
    expect(wishes).toEqual([]);
  });

  it('goes on with n, but not before', () => {
    expect(after(opened(), passing, key('n')).wishes).toEqual(['next']);
    const early = after(idle(), key('n'));
    expect(early.wishes).toEqual([]);
    expect(early.state.notice).toContain('once every level passes');
  });

  it('stays one however the answer is played with', () => {
    expect(after(opened(), passing, saved, failing).state.solved).toBe(true);
  });

  it('keeps saying what the journal took down, run after run', () => {
    const first: WatchEvent = { type: 'verdict', verdict: verdict('passed'), solve };
    expect(after(opened(), first, saved, passing).state.solve).toBe(solve);
  });

  it('shows what the compiler says until the next verdict', () => {
    const advice: WatchEvent = { type: 'advice', slug: 'quota', lines: ['line 3: unused'] };
    expect(after(opened(), passing, advice).state.advice).toEqual(['line 3: unused']);
    expect(after(opened(), passing, advice, saved, passing).state.advice).toEqual([]);
  });
});

describe('questions', () => {
  it('asks before it starts from blank', () => {
    const { state, wishes } = after(idle(), key('x'));
    expect(state.question).toBe('reset');
    expect(wishes).toEqual([]);
    expect(after(state, key('y')).wishes).toEqual(['reset']);
  });

  it.each(['n', 'escape', 'q'])('takes %s for a no', (no) => {
    const { state, wishes } = after(idle(), key('x'), key(no));
    expect(state.question).toBeUndefined();
    expect(wishes).toEqual([]);
  });

  it('waits for an answer whatever else is pressed', () => {
    expect(after(idle(), key('x'), key('h'), key('return')).state).toMatchObject({
      question: 'reset',
      hints: 0,
    });
  });

  it('asks before it shows the solution of an unsolved kata', () => {
    expect(after(idle(), key('s')).state.question).toBe('solution');
    expect(after(idle(), key('s'), key('y')).wishes).toEqual(['solution']);
  });

  it('shows the solution of a solved kata at once', () => {
    expect(after(opened(), passing, key('s')).wishes).toEqual(['solution']);
  });

  it('offers to solve a solved kata from blank when it is due', () => {
    expect(opened({ solved: true, due: true }).question).toBe('again');
    expect(after(opened({ solved: true, due: true }), key('y')).wishes).toEqual(['reset']);
    expect(opened({ solved: true }).question).toBeUndefined();
    expect(opened({ due: true }).question).toBeUndefined();
  });

  it('quits on Ctrl-C also while it asks', () => {
    expect(after(idle(), key('x'), key('ctrl-c')).wishes).toEqual(['quit']);
  });
});

describe('a start from blank', () => {
  const blank: WatchEvent = { type: 'blank', notice: 'Your answer is in attempts/.' };

  it('forgets the verdict, runs the spec, and says where the answer is', () => {
    const { state, wishes } = after(opened(), passing, blank);
    expect(state).toMatchObject({ solved: false, run: 'running', notice: blank.notice });
    expect(state.verdict).toBeUndefined();
    expect(state.solve).toBeUndefined();
    expect(wishes).toEqual(['run']);
  });

  it('takes the hints back only when the kata had been solved', () => {
    expect(after(opened(), passing, key('h'), blank).state.hints).toBe(0);
    expect(after(idle(), key('h'), blank).state.hints).toBe(1);
  });
});

describe('keys', () => {
  it.each([
    ['b', 'brief'],
    ['l', 'lesson'],
    ['m', 'more'],
    ['p', 'pick'],
    ['q', 'quit'],
    ['ctrl-c', 'quit'],
    ['ctrl-d', 'quit'],
  ])('%s leads to: %s', (name, wish) => {
    expect(after(idle(), key(name)).wishes).toEqual([wish]);
  });

  it('means nothing by any other key', () => {
    const { state, wishes } = after(idle(), key('z'), key('return'), key('up'));
    expect(state).toEqual(idle());
    expect(wishes).toEqual([]);
  });
});

it('learns what misconceptions fail, but not those of a kata that was left', () => {
  const designs = [{ title: 'Counts twice', why: 'Tempting.', fails: [] }];
  expect(after(idle(), { type: 'designs', slug: 'quota', designs }).state.designs).toBe(designs);
  expect(after(idle(), { type: 'designs', slug: 'retry', designs }).state.designs).toBeUndefined();
});

const saved: WatchEvent = { type: 'saved' };
const failing: WatchEvent = { type: 'verdict', verdict: verdict('failed') };
const passing: WatchEvent = { type: 'verdict', verdict: verdict('passed') };
const solve: Solve = {
  grade: 'good',
  peeked: false,
  due: undefined,
  tookMs: 60_000,
  now: new Date(0),
};

function key(name: string): WatchEvent {
  return { type: 'key', key: name };
}

function opened(given: Partial<Parameters<typeof openKata>[1]> = {}): WatchState {
  const kata = {
    slug: 'quota',
    title: 'Quota',
    file: 'katas/quota/quota.ts',
    path: '/kit/katas/quota/quota.ts',
    hints: ['First.', 'Second.'],
    wrongDesigns: 2,
    hasExperiment: false,
  };
  return openKata(kata, { manual: false, solved: false, due: false, busy: false, ...given });
}

/** Opened, and its first level fails. */
function idle(): WatchState {
  return after(opened(), failing).state;
}

function after(start: WatchState, ...events: readonly WatchEvent[]) {
  let state = start;
  const wishes = events.flatMap((event) => {
    const next = step(state, event);
    state = next.state;
    return next.wish ?? [];
  });
  return { state, wishes };
}

function verdict(state: TestResult['state']): Verdict {
  return {
    kind: 'tested',
    tests: [{ level: '1 · taking', name: 'takes', state }],
    output: { lines: [], cut: 0 },
    durationMs: 120,
  };
}
