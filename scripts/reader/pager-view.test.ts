import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openPager, press, type PagerState } from './pager-state.ts';
import { renderPager } from './pager-view.ts';

const lines = Array.from({ length: 50 }, (_, line) => `line ${line}, which goes on for a while`);
const opened = openPager('26 Circuit breaker', { lines, blocks: [0], headings: [] }, 5);

function rendered(state: PagerState, columns = 79): string[] {
  return renderPager(state, columns).split('\n');
}

beforeEach(() => {
  vi.stubEnv('NO_COLOR', '1');
});

afterEach(() => {
  vi.unstubAllEnvs();
});

test('the text stands above a line that says where one is and what to press', () => {
  expect(rendered(opened)).toEqual([
    ...lines.slice(0, 5),
    '── 26 Circuit breaker · 10 % · space next page · / search · q back',
  ]);
  expect(rendered(press(opened, { text: 'G' })).at(-1)).toContain('100 %');
});

test('nothing is wider than the screen; how to leave is the last thing to go', () => {
  for (const columns of [10, 30, 40, 60]) {
    const screen = rendered(opened, columns);
    expect(Math.max(...screen.map((line) => stringWidth(line)))).toBeLessThanOrEqual(columns);
  }
  expect(rendered(opened, 40).at(-1)).toBe('── 26 Circuit breaker · 10 % · q back');
});

test('a text that is left at its end says so there', () => {
  const page = { lines: ['only'], blocks: [0], headings: [] };
  const brief = openPager('Brief', page, 3, { leavesAtEnd: true });
  expect(rendered(brief).at(-1)).toContain('Brief · 100 % · space goes on');
});

test('a text that is shorter than the screen leaves it empty, with its status line at the bottom', () => {
  const short = openPager('Short', { lines: ['only'], blocks: [0], headings: [] }, 3);
  expect(rendered(short).slice(0, 3)).toEqual(['only', '', '']);
});

test('the words being typed are shown, and then marked where they were found', () => {
  const typing = '/line 3'.split('').reduce((state, text) => press(state, { text }), opened);
  expect(rendered(typing).at(-1)).toBe('/line 3▏');

  vi.stubEnv('NO_COLOR', undefined);
  vi.stubEnv('FORCE_COLOR', '1');
  const found = rendered(press(typing, { name: 'return' }));
  expect(found[3]).toBe('\u001B[7mline 3\u001B[27m, which goes on for a while');
  expect(stripVTControlCharacters(found.at(-1) ?? '')).toContain('match 1 of 11');
});
