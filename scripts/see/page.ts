import { aligned } from '../columns.ts';
import { wrap } from '../loop/text-block.ts';
import { style } from '../terminal.ts';
import { drawPanels, legendOf } from './chart.ts';
import type { Bound, Observed, Picture, SettingShown } from './picture.ts';

/** Everything there is to see of a picture, as lines of at most `columns`. */
export function pageOf(picture: Picture, columns: number): string[] {
  return [
    ...wrap(style('bold', picture.question), columns),
    '',
    ...drawPanels(picture, columns),
    ...wrap(legendOf(picture), columns),
    ...section(tableOf(picture, columns)),
    ...section(picture.panels.flatMap((panel) => failuresOf(panel, columns))),
    ...section(picture.observations.flatMap((observed) => observationOf(observed, columns))),
    '',
    ...wrap(`An interviewer would ask: ${picture.asked}`, columns),
    ...section(picture.settings.flatMap((setting) => settingOf(setting, columns))),
  ];
}

/** The numbers, and for a sweep the lines of the picture: what can be read without seeing it. */
function tableOf(picture: Picture, columns: number): string[] {
  return picture.numbers.length > 0 ? numbersOf(picture, columns) : linesOf(picture, columns);
}

function numbersOf({ panels, numbers }: Picture, columns: number): string[] {
  const rows = numbers.map(({ name, values }) => [name, ...values.map(shown)]);
  const titles = panels.map(({ title }) => title);
  // Above the panels the titles stand in full.
  const tables = [titles, ['left', 'right']].map((heads) =>
    aligned(toTheRight([['', ...heads], ...rows])),
  );
  return firstThatFits(tables, columns);
}

function linesOf({ panels, x }: Picture, columns: number): string[] {
  const lines = panels.flatMap((panel, side) =>
    panel.lines.map((line) => ({ ...line, name: `${line.name}${side === 0 ? '' : ' *'}` })),
  );
  const rows = x.values.map((value, place) => [
    shown(value),
    ...lines.map(({ values }) => shown(values[place] ?? null)),
  ]);
  const cells = toTheRight([[x.label, ...lines.map(({ name }) => name)], ...rows]);
  const tables = ['   ', '  ', ' '].map((gap) => aligned(cells, gap));
  return [...firstThatFits(tables, columns), `* ${panels[1]?.title}`];
}

/** The last one where none does. */
function firstThatFits(tables: readonly string[][], columns: number): string[] {
  const fits = (lines: readonly string[]) => lines.every((line) => line.length <= columns);
  return tables.find(fits) ?? tables.at(-1) ?? [];
}

/** Numbers stand below each other by their last digit. */
function toTheRight(rows: readonly (readonly string[])[]): string[][] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell : cell.padStart(width(column)))),
  );
}

function failuresOf({ title, failures }: Picture['panels'][number], columns: number): string[] {
  if (failures.length === 0) return [];
  const most = failures
    .slice(0, 3)
    .map(({ what, times }) => `${shown(times)} × ${what.replace(/\.$/, '')}`);
  return wrap(`Not answered, ${title}: ${most.join(', ')}`, columns);
}

function observationOf({ says, bound, value, holds }: Observed, columns: number): string[] {
  const mark = holds ? style('green', '✓') : style('red', '✗');
  return wrap(`${mark} ${says}: ${inWords(bound)}, here ${shown(value)}`, columns);
}

function settingOf({ name, says, value, from, to }: SettingShown, columns: number): string[] {
  return wrap(`${name}=${value}: ${says}, from ${shown(from)} to ${shown(to)}`, columns);
}

function inWords(bound: Bound): string {
  return 'atMost' in bound ? `at most ${shown(bound.atMost)}` : `at least ${shown(bound.atLeast)}`;
}

/** Three digits say enough. */
function shown(value: number | null): string {
  if (value === null) return '–';
  return Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en')
    : value.toLocaleString('en', { maximumSignificantDigits: 3 });
}

function section(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', ...lines];
}
