import { stripVTControlCharacters } from 'node:util';
import type { Page } from './markdown.ts';
import { findMatches, type Match } from './page-search.ts';

/** What a pager shows, and what of it has been on screen. */
export interface PagerState {
  readonly title: string;
  readonly page: Page;
  /** Lines of text that fit above the status line. */
  readonly rows: number;
  /** The first line shown. */
  readonly top: number;
  /** The page's blocks that have been on screen. */
  readonly seen: ReadonlySet<number>;
  /** What is being typed after `/`, while it is. */
  readonly typing: string | undefined;
  readonly matches: readonly Match[];
  /** Position in `matches`. */
  readonly current: number;
  /** Said in the status line until the next key. */
  readonly notice: string;
  readonly isDone: boolean;
  /** At the end, space and Enter leave it. */
  readonly leavesAtEnd: boolean;
}

/** A key as `node:readline` tells of it, with the text it stands for. */
export interface PagerKey {
  readonly name?: string | undefined;
  readonly text?: string | undefined;
  readonly ctrl?: boolean | undefined;
}

export function openPager(
  title: string,
  page: Page,
  rows: number,
  { line = 0, leavesAtEnd = false } = {},
): PagerState {
  return moved(
    {
      title,
      page,
      rows,
      top: 0,
      seen: new Set(),
      typing: undefined,
      matches: [],
      current: 0,
      notice: '',
      isDone: false,
      leavesAtEnd,
    },
    line,
  );
}

export function press(before: PagerState, key: PagerKey): PagerState {
  const state = { ...before, notice: '' };
  return state.typing === undefined ? command(state, key) : type(state, state.typing, key);
}

/** The same place in the same text, wrapped anew or on a screen of another height. */
export function resized(state: PagerState, page: Page, rows: number): PagerState {
  const block = Math.max(
    0,
    state.page.blocks.findLastIndex((start) => start <= state.top),
  );
  const before = extent(state.page, block);
  const after = extent(page, block);
  const share = (state.top - before.start) / before.length;
  const line = after.start + Math.floor(share * after.length);
  // Matches are places in the lines as they were wrapped; searching again is one key.
  return moved({ ...state, page, rows, matches: [], current: 0 }, line);
}

/** How much of the text has been on screen, 0 to 1. */
export function shareSeen({ page, seen }: PagerState): number {
  const lines = [...seen].reduce((sum, block) => sum + extent(page, block).length, 0);
  return page.lines.length === 0 ? 1 : lines / page.lines.length;
}

export function isAtEnd(state: PagerState): boolean {
  return state.top >= lastTop(state);
}

/** The line on which the last screen starts. */
function lastTop({ page, rows }: PagerState): number {
  return Math.max(0, page.lines.length - rows);
}

function command(state: PagerState, key: PagerKey): PagerState {
  const { top, rows, leavesAtEnd } = state;
  // One line stays in sight, so that the eye finds the place again.
  const step = Math.max(1, rows - 1);
  const name = keyName(key);
  if (leavesAtEnd && isAtEnd(state) && ['space', 'return', 'enter'].includes(name)) {
    return { ...state, isDone: true };
  }
  switch (name) {
    case 'q':
    case 'escape':
    case 'ctrl-c':
      return { ...state, isDone: true };
    case 'space':
    case 'pagedown':
    case 'f':
    case 'ctrl-f':
      return moved(state, top + step);
    case 'b':
    case 'pageup':
    case 'ctrl-b':
      return moved(state, top - step);
    case 'd':
    case 'ctrl-d':
      return moved(state, top + Math.ceil(step / 2));
    case 'u':
    case 'ctrl-u':
      return moved(state, top - Math.ceil(step / 2));
    case 'j':
    case 'down':
    case 'return':
    case 'enter':
      return moved(state, top + 1);
    case 'k':
    case 'up':
      return moved(state, top - 1);
    case 'g':
    case 'home':
      return moved(state, 0);
    case 'G':
    case 'end':
      return moved(state, lastTop(state));
    case '/':
      return { ...state, typing: '' };
    case 'n':
      return toMatch(state, 1);
    case 'N':
      return toMatch(state, -1);
    default:
      return state;
  }
}

/** Letters tell small from capital; `node:readline` gives both the same name. */
function keyName({ name, text, ctrl }: PagerKey): string {
  if (ctrl) return `ctrl-${name ?? ''}`;
  if (text === ' ') return 'space';
  return text !== undefined && /^[!-~]$/.test(text) ? text : (name ?? '');
}

function type(before: PagerState, typed: string, key: PagerKey): PagerState {
  const state = { ...before, typing: undefined };
  const name = keyName(key);
  if (name === 'escape' || name === 'ctrl-c') return state;
  if (name === 'return' || name === 'enter') return typed === '' ? state : searched(state, typed);
  if (name === 'backspace') {
    return typed === '' ? state : { ...state, typing: Array.from(typed).slice(0, -1).join('') };
  }
  const text = key.ctrl ? '' : stripVTControlCharacters(key.text ?? '');
  return { ...state, typing: typed + (/^\P{Cc}*$/u.test(text) ? text : '') };
}

function searched(state: PagerState, words: string): PagerState {
  const matches = findMatches(state.page.lines, words);
  if (matches.length === 0) return { ...state, matches, notice: `"${words}" is not in this text` };
  const next = matches.findIndex((match) => match.line >= state.top);
  return atMatch({ ...state, matches }, Math.max(0, next));
}

function toMatch(state: PagerState, step: 1 | -1): PagerState {
  const { matches, current } = state;
  if (matches.length === 0) return { ...state, notice: 'nothing to look for: press / first' };
  return atMatch(state, (current + step + matches.length) % matches.length);
}

function atMatch(state: PagerState, current: number): PagerState {
  const { matches, top, rows } = state;
  const line = matches[current]?.line ?? top;
  const isInSight = line >= top && line < top + rows;
  const notice = `match ${current + 1} of ${matches.length} (n next, N back)`;
  return moved({ ...state, current, notice }, isInSight ? top : line - 2);
}

/** Scrolls to `line`, as far as there is text, and keeps in mind what is seen there. */
function moved(state: PagerState, line: number): PagerState {
  const { page, rows } = state;
  const top = Math.max(0, Math.min(line, lastTop(state)));
  const seen = new Set(state.seen);
  page.blocks.forEach((start, block) => {
    if (start < top + rows && start + extent(page, block).length > top) seen.add(block);
  });
  return { ...state, top, seen };
}

function extent(page: Page, block: number): { readonly start: number; readonly length: number } {
  const start = page.blocks[block] ?? 0;
  const end = page.blocks[block + 1] ?? page.lines.length;
  return { start, length: Math.max(1, end - start) };
}
