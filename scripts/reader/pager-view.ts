import { stripVTControlCharacters } from 'node:util';
import sliceAnsi from 'slice-ansi';
import stringWidth from 'string-width';
import { isAtEnd, type PagerState } from './pager-state.ts';
import { hasColour, style } from '../terminal.ts';

/** From roomy to tight. */
const KEYS = ['space next page · / search · q back', 'space next page · q back', 'q back'];
const KEYS_TO_LEAVE = ['space goes on · / search · q back', 'space goes on', 'q back'];

/** The screen: the text, and the status line at its bottom. No line is wider than `columns`. */
export function renderPager(state: PagerState, columns: number): string {
  const shown = Array.from({ length: state.rows }, (_, row) =>
    sliceAnsi(withMatch(state, state.top + row), 0, columns),
  );
  return [...shown, statusLine(state, columns)].join('\n');
}

/** Where the words were found, the line is plain but for them: colours within would hide what is marked. */
function withMatch({ page, matches, current }: PagerState, line: number): string {
  const text = page.lines[line] ?? '';
  const span = matches[current]?.spans.find((each) => each.line === line);
  if (!span || !hasColour()) return text;
  const plain = stripVTControlCharacters(text);
  return (
    plain.slice(0, span.start) +
    style('inverse', plain.slice(span.start, span.end)) +
    plain.slice(span.end)
  );
}

function statusLine(state: PagerState, columns: number): string {
  if (state.typing !== undefined) return sliceAnsi(`/${state.typing}▏`, 0, columns);
  const { title, top, page, rows, notice } = state;
  const percent = isAtEnd(state) ? 100 : Math.floor((100 * (top + rows)) / page.lines.length);
  const keys = state.leavesAtEnd && isAtEnd(state) ? KEYS_TO_LEAVE : KEYS;
  const mark = hasColour() ? '' : '──';
  const lines = (notice === '' ? keys : [notice]).map(
    (last) => `${mark} ${title} · ${percent} % · ${last}`,
  );
  const line = lines.find((each) => stringWidth(each) <= columns) ?? lines.at(-1) ?? '';
  const fitting = sliceAnsi(line, 0, columns);
  return hasColour() ? style('inverse', fitting.padEnd(columns)) : fitting;
}
