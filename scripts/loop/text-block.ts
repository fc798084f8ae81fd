import sliceAnsi from 'slice-ansi';
import stringWidth from 'string-width';
import wrapAnsi from 'wrap-ansi';
import { plainText } from '../runner/plain-text.ts';
import { style } from '../terminal.ts';

/** Lines that belong together on a screen. */
export type Section = readonly string[];

/** `text` as lines of at most `columns`, each after `indent`. Words that are too long are broken. */
export function wrap(text: string, columns: number, indent = ''): string[] {
  const width = Math.max(1, columns - stringWidth(indent));
  return text.split('\n').flatMap((line) => {
    // Without `trim`, which would take the indentation of code as well.
    const [first = '', ...others] = wrapAnsi(line, width, { hard: true, trim: false }).split('\n');
    return [first, ...others.map(withoutLeadingSpace)].map((part) => (indent + part).trimEnd());
  });
}

function withoutLeadingSpace(line: string): string {
  // oxlint-disable-next-line no-control-regex -- styles may stand before the space
  return line.replace(/^((?:\u001B\[[\d;]*m)*) +/, '$1');
}

/** One line of at most `columns`, cut with an ellipsis when it is longer. */
export function cut(line: string, columns: number): string {
  if (stringWidth(line) <= columns) return line;
  return columns < 1 ? '' : `${sliceAnsi(line, 0, columns - 1)}…`;
}

/** `left` at the start and `right` at the end of one line; what does not fit is cut from `left`. */
export function spread(left: string, right: string, columns: number): string {
  const room = columns - stringWidth(right) - 1;
  if (room < 1) return cut(left, columns);
  const start = cut(left, room);
  return start + ' '.repeat(columns - stringWidth(start) - stringWidth(right)) + right;
}

/** What a stranger's code says, without what would move the cursor or change colours. */
export function harmless(text: string): string {
  return plainText(text).replaceAll('\t', '  ');
}

/**
 * The sections with a blank line between, in at most `rows` lines. When they are too long, the longest give
 * way first; each that was cut ends by saying how many lines are missing, and `how` to see them.
 */
export function fit(sections: readonly Section[], rows: number, how: string): string[] {
  const shown = sections.filter((section) => section.length > 0);
  const room = rows - (shown.length - 1);
  const cap = largestCap(
    shown.map((section) => section.length),
    room,
  );
  const lines = shown.flatMap((section, index) => [
    ...(index === 0 ? [] : ['']),
    ...capped(section, cap, how),
  ]);
  return lines.slice(0, Math.max(0, rows));
}

/** How long a section may be so that all fit, given their lengths. */
function largestCap(lengths: readonly number[], room: number): number {
  let cap = Math.max(0, ...lengths);
  const taken = () => lengths.reduce((sum, length) => sum + Math.min(length, cap), 0);
  while (cap > 1 && taken() > room) cap -= 1;
  return cap;
}

function capped(section: Section, cap: number, how: string): Section {
  if (section.length <= cap) return section;
  const missing = section.length - (cap - 1);
  return [...section.slice(0, cap - 1), style('dim', `  … ${missing} more lines: ${how}`)];
}
