import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { drawTable, type Table } from './table.ts';

const prose = 'a sentence that is long enough to be wrapped when there is little room';

function table(header: string[], ...rows: string[][]): Table {
  return { header, rows, align: header.map(() => null) };
}

test('a table that fits is as wide as what is in it', () => {
  expect(drawTable(table(['state', 'a call'], ['open', 'is refused']), 80)).toEqual([
    'state │ a call',
    '──────┼───────────',
    'open  │ is refused',
  ]);
});

test('columns are aligned as the table says', () => {
  const lines = drawTable(
    {
      header: ['left', 'middle', 'right'],
      rows: [['a', 'b', 'c']],
      align: ['left', 'center', 'right'],
    },
    80,
  );
  expect(lines.at(-1)).toBe('a    │   b    │     c');
});

test('cells wrap so that the table fits, and short columns keep their width', () => {
  const lines = drawTable(table(['state', 'meaning'], ['half-open', prose]), 40);
  expect(lines).toEqual([
    'state     │ meaning',
    '──────────┼─────────────────────────────',
    'half-open │ a sentence that is long',
    '          │ enough to be wrapped when',
    '          │ there is little room',
  ]);
});

test('a rule parts rows when the first column does not show where one starts', () => {
  const lines = drawTable(table(['kind', 'meaning'], ['', prose], ['', 'short']), 40);
  expect(lines.filter((line) => line.startsWith('──'))).toHaveLength(2);
});

test('rows become records when columns would get too narrow to read', () => {
  const header = ['kit', 'setup', 'watch', 'hints', 'solution'];
  const lines = drawTable(
    table(header, ['one', prose, prose, '', prose], ['two', '', '', '', 'x']),
    50,
  );
  expect(lines).toEqual([
    'kit: one',
    'setup: a sentence that is long enough to be',
    '  wrapped when there is little room',
    'watch: a sentence that is long enough to be',
    '  wrapped when there is little room',
    'solution: a sentence that is long enough to be',
    '  wrapped when there is little room',
    '',
    'kit: two',
    'solution: x',
  ]);
});

test('wide characters count double', () => {
  const lines = drawTable(table(['日本語', 'x'], ['a', 'b']), 80);
  expect(new Set(lines.map((line) => stringWidth(line.split(/[│┼]/)[0] ?? '')))).toEqual(
    new Set([7]),
  );
});
