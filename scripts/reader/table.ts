import stringWidth from 'string-width';
import wrapAnsi from 'wrap-ansi';
import { style } from '../terminal.ts';

export interface Table {
  /** Cells are styled text, those of the header too; `\n` breaks a line. */
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly align: readonly Align[];
}

type Align = 'left' | 'center' | 'right' | null;

/** Prose in a column narrower than this is a tower of single words. */
const PROSE = 18;
/** A column this wide is readable if it takes no more than a few lines. */
const NARROWEST = 8;
const FEW_LINES = 4;
/** Words longer than this may be broken, tried in turn; a table that would have to break shorter ones is no help. */
const UNBROKEN = [Infinity, 24, 18, 14];
const GAP = ' │ ';

/**
 * The table in lines of at most `width`: cells wrap where they must; where even that would leave columns
 * too narrow to read, each row becomes a few lines `Header: value`.
 */
export function drawTable(table: Table, width: number): string[] {
  const widths = columnWidths(table, width - GAP.length * (table.header.length - 1));
  return widths === undefined ? drawRecords(table, width) : drawGrid(table, widths);
}

/** Widths that add up to at most `room`; `undefined` when the columns would get too narrow. */
function columnWidths(table: Table, room: number): number[] | undefined {
  const cells = table.header.map((title, column) => [
    title,
    ...table.rows.map((row) => row[column] ?? ''),
  ]);
  const wanted = cells.map((column) => Math.max(...column.map(lineWidth)));
  if (sum(wanted) <= room) return wanted;

  const words = cells.map((column) => Math.max(...column.map(longestWord)));
  const leastWith = (unbroken: number) =>
    wanted.map((want, column) =>
      Math.min(
        want,
        Math.max(
          NARROWEST,
          Math.min(unbroken, words[column] ?? 0),
          Math.min(PROSE, Math.ceil(want / FEW_LINES)),
        ),
      ),
    );
  const least = UNBROKEN.map(leastWith).find((widths) => sum(widths) <= room);
  return least && widened(least, wanted, room - sum(least));
}

/** What is left over goes to all columns that lack something, more to those that lack more, none in excess. */
function widened(least: readonly number[], wanted: readonly number[], room: number): number[] {
  const widths = [...least];
  const lacking = wanted
    .map((want, column) => ({ column, lack: want - (least[column] ?? 0) }))
    .toSorted((a, b) => a.lack - b.lack);
  let spare = room;
  let weights = sum(lacking.map(({ lack }) => Math.sqrt(lack)));
  for (const { column, lack } of lacking) {
    const more = Math.min(lack, Math.floor((spare * Math.sqrt(lack)) / Math.max(1, weights)));
    widths[column] = (widths[column] ?? 0) + more;
    spare -= more;
    weights -= Math.sqrt(lack);
  }
  return widths;
}

function drawGrid(table: Table, widths: readonly number[]): string[] {
  const rule = style('dim', widths.map((width) => '─'.repeat(width)).join('─┼─'));
  const draw = (cells: readonly string[]) => drawRow(cells, widths, table.align);
  const rows = table.rows.map(draw);
  const isRuled = needsRules(table, rows, widths);
  return [
    ...draw(table.header),
    rule,
    ...rows.flatMap((lines, index) => (isRuled && index > 0 ? [rule, ...lines] : lines)),
  ];
}

/** Rows of several lines need rules between them, unless the first column shows where each starts. */
function needsRules(
  table: Table,
  rows: readonly (readonly string[])[],
  [firstWidth = 0]: readonly number[],
): boolean {
  const height = sum(rows.map((lines) => lines.length));
  if (height === rows.length) return false;
  const startsAreClear = table.rows.every(
    ([first = '']) => first !== '' && wrapped(first, firstWidth).length === 1,
  );
  return !startsAreClear || height > 2 * rows.length;
}

function drawRow(
  cells: readonly string[],
  widths: readonly number[],
  align: readonly Align[],
): string[] {
  const columns = widths.map((width, column) => wrapped(cells[column] ?? '', width));
  const height = Math.max(...columns.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    columns
      .map((lines, column) =>
        padded(lines[line] ?? '', widths[column] ?? 0, align[column] ?? 'left'),
      )
      .join(style('dim', GAP))
      .trimEnd(),
  );
}

function drawRecords(table: Table, width: number): string[] {
  return table.rows.flatMap((row, index) => {
    const fields = table.header.flatMap((title, column) => {
      const value = row[column] ?? '';
      if (value === '') return [];
      const [first = '', ...rest] = wrapped(title === '' ? value : `${title}: ${value}`, width - 2);
      return [first, ...rest.map((line) => `  ${line}`)];
    });
    return index > 0 ? ['', ...fields] : fields;
  });
}

function wrapped(text: string, width: number): string[] {
  return wrapAnsi(text, width, { hard: true }).split('\n');
}

function padded(text: string, width: number, align: 'left' | 'center' | 'right'): string {
  const blanks = Math.max(0, width - stringWidth(text));
  if (align === 'right') return ' '.repeat(blanks) + text;
  const before = align === 'center' ? Math.floor(blanks / 2) : 0;
  return ' '.repeat(before) + text + ' '.repeat(blanks - before);
}

function lineWidth(cell: string): number {
  return Math.max(...cell.split('\n').map((line) => stringWidth(line)));
}

function longestWord(cell: string): number {
  return Math.max(...cell.split(/[ \n]/).map((word) => stringWidth(word)));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
