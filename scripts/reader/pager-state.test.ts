import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Page } from './markdown.ts';
import {
  openPager,
  press,
  resized,
  shareSeen,
  type PagerKey,
  type PagerState,
} from './pager-state.ts';

/** Ten blocks, each `height` lines long. */
function pageOf(height: number): Page {
  const lines = Array.from({ length: 10 * height }, (_, line) =>
    line % height === 0 ? `Block ${line / height}` : `line ${line}`,
  );
  return { lines, blocks: Array.from({ length: 10 }, (_, block) => block * height), headings: [] };
}

const opened = openPager('A title', pageOf(10), 20);

function pressed(state: PagerState, ...keys: readonly (string | PagerKey)[]): PagerState {
  return keys.reduce<PagerState>((before, key) => {
    if (typeof key !== 'string') return press(before, key);
    return press(before, key.length === 1 ? { text: key, name: key.toLowerCase() } : { name: key });
  }, state);
}

function typed(words: string): string[] {
  return ['/', ...words.split(''), 'return'];
}

test.each([
  ['a page down leaves one line in sight', [' '], 19],
  ['PageDown does the same', ['pagedown'], 19],
  ['b goes back', [' ', ' ', 'b'], 19],
  ['arrows and j, k go by lines', ['down', 'j', 'j', 'up', 'k'], 1],
  ['G goes to the end', ['G'], 80],
  ['g goes to the start', ['G', 'g'], 0],
  ['Home and End do too', ['end', 'home', 'down'], 1],
  ['there is nothing before the start', ['k', 'b', 'up'], 0],
  ['there is nothing behind the end', ['end', ' ', 'j', 'pagedown'], 80],
  ['other keys do nothing', [' ', 'x', 'left', 'tab'], 19],
])('%s', (_, keys, top) => {
  expect(pressed(opened, ...keys).top).toBe(top);
});

test.each(['q', 'escape', { name: 'c', ctrl: true }])('%j leaves', (key) => {
  expect(pressed(opened, ' ').isDone).toBe(false);
  expect(pressed(opened, ' ', key).isDone).toBe(true);
});

test('/ goes to the next place of the words, n and N to the others, around the end', () => {
  const found = pressed(opened, ...typed('block'));
  expect([found.top, found.notice]).toEqual([0, 'match 1 of 10 (n next, N back)']);
  expect(pressed(found, 'n', 'n').top).toBe(18);
  expect(pressed(found, 'N').top).toBe(80);
  expect(pressed(found, 'N', 'n').top).toBe(0);
  expect(pressed(pressed(opened, 'G'), ...typed('Block 1')).notice).toContain('match 1 of 1');
});

test('capitals count once some are typed', () => {
  expect(pressed(opened, ...typed('LINE')).notice).toBe('"LINE" is not in this text');
  expect(pressed(opened, ...typed('Block')).matches).toHaveLength(10);
});

test('words are found where a line break divides them', () => {
  const lines = ['a probe that', '    is cancelled', 'frees its slot'];
  const state = openPager('', { lines, blocks: [0], headings: [] }, 20);
  expect(pressed(state, ...typed('that is cancelled frees')).matches).toEqual([
    {
      line: 0,
      spans: [
        { line: 0, start: 8, end: 12 },
        { line: 1, start: 4, end: 16 },
        { line: 2, start: 0, end: 5 },
      ],
    },
  ]);
});

test('what has a meaning in regular expressions is searched for as it is', () => {
  const state = openPager('', { lines: ['f(x) * [y]'], blocks: [0], headings: [] }, 20);
  expect(pressed(state, ...typed('(x) * [')).matches).toHaveLength(1);
});

test('while words are typed, keys are text; Backspace takes one back, Escape gives up', () => {
  const typing = pressed(opened, '/', 'q', 'b', ' ', 'backspace', 'backspace');
  expect([typing.typing, typing.top, typing.isDone]).toEqual(['q', 0, false]);
  expect(pressed(typing, 'escape')).toMatchObject({ typing: undefined, isDone: false });
  expect(pressed(typing, 'backspace', 'backspace').typing).toBeUndefined();
  expect(pressed(typing, 'tab', 'up', { name: 'x', ctrl: true }).typing).toBe('q');
});

test('n before any search says what to do', () => {
  expect(pressed(opened, 'n').notice).toBe('nothing to look for: press / first');
});

test('a resize keeps the place, wherever lines break now', () => {
  const reading = pressed(openPager('', pageOf(10), 20, { line: 45 }), 'j');
  expect(reading.top).toBe(46);
  expect(resized(reading, pageOf(20), 20).top).toBe(92);
  expect(resized(reading, pageOf(5), 20).top).toBe(23);
  expect(resized(reading, pageOf(2), 40).top).toBe(0);
});

test('only what was on screen counts as seen, at every width', () => {
  expect(shareSeen(opened)).toBeCloseTo(0.2);
  expect(shareSeen(pressed(opened, ' ', ' '))).toBeCloseTo(0.6);
  expect(shareSeen(pressed(opened, 'G'))).toBeCloseTo(0.4);
  expect(shareSeen(resized(pressed(opened, 'G'), pageOf(40), 20))).toBeCloseTo(0.4);
  expect(shareSeen(pressed(opened, ' ', ' ', ' ', ' ', ' '))).toBe(1);
});

test('a text that fits on the screen has been seen at once', () => {
  expect(shareSeen(openPager('', pageOf(1), 20))).toBe(1);
  expect(shareSeen(openPager('', { lines: [], blocks: [], headings: [] }, 20))).toBe(1);
});

test('whatever is pressed, the screen shows a part of the text', () => {
  const key = fc.oneof(
    fc.constantFrom(' ', 'b', 'j', 'k', 'g', 'G', 'n', 'N', '/', 'd', 'u'),
    fc.constantFrom('return', 'escape', 'backspace', 'pageup', 'end'),
    fc.integer({ min: 1, max: 30 }),
  );
  fc.assert(
    fc.property(fc.array(key), (keys) => {
      let state = opened;
      for (const each of keys) {
        state =
          typeof each === 'number' ? resized(state, pageOf(each), each) : pressed(state, each);
        const last = Math.max(0, state.page.lines.length - state.rows);
        expect(state.top).toBeGreaterThanOrEqual(0);
        expect(state.top).toBeLessThanOrEqual(last);
        expect(shareSeen(state)).toBeLessThanOrEqual(1);
      }
    }),
    { seed: 26 },
  );
});

test('where that was asked for, space and Enter leave at the end, and only there', () => {
  const brief = openPager('', pageOf(10), 20, { leavesAtEnd: true });
  expect(pressed(brief, 'return', ' ', ' ', ' ', ' ').isDone).toBe(false);
  expect(pressed(brief, 'end', ' ').isDone).toBe(true);
  expect(pressed(brief, 'end', 'return').isDone).toBe(true);
  expect(pressed(opened, 'end', ' ', 'return').isDone).toBe(false);
});
