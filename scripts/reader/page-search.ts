import { stripVTControlCharacters } from 'node:util';

/** Where the words were found. */
export interface Match {
  /** The line on which they start. */
  readonly line: number;
  /** The columns (of plain text) that they take, line by line. */
  readonly spans: readonly Span[];
}

interface Span {
  readonly line: number;
  readonly start: number;
  readonly end: number;
}

/** All places of `words`, also where a line break divides them. Capitals matter only when some are typed. */
export function findMatches(lines: readonly string[], words: string): Match[] {
  const text = lines.map((line) => stripVTControlCharacters(line)).join('\n');
  const starts = lineStarts(text);
  return [...text.matchAll(patternOf(words))].map(({ index, 0: found }) => {
    const spans = spansOf(text, starts, index, index + found.length);
    return { line: spans[0]?.line ?? 0, spans };
  });
}

function patternOf(words: string): RegExp {
  const source = words
    .trim()
    .split(/\s+/)
    .map((word) => word.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`))
    .join(String.raw`\s+`);
  return new RegExp(source === '' ? '(?!)' : source, /\p{Lu}/u.test(words) ? 'gu' : 'giu');
}

function lineStarts(text: string): number[] {
  return [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
}

function spansOf(text: string, starts: readonly number[], from: number, to: number): Span[] {
  const first = starts.findLastIndex((start) => start <= from);
  const last = starts.findLastIndex((start) => start < to);
  return Array.from({ length: last - first + 1 }, (_, at) => {
    const line = first + at;
    const start = starts[line] ?? 0;
    const end = (starts[line + 1] ?? text.length + 1) - 1;
    const indent = at === 0 ? 0 : (/^\s*/.exec(text.slice(start, end))?.[0].length ?? 0);
    return { line, start: Math.max(from - start, indent), end: Math.min(to, end) - start };
  });
}
