/** A fenced code block. */
export interface Fence {
  /** First word after the backticks, in lower case; empty when there is none. */
  readonly language: string;
  /** The lines between, without the fence's own indentation, each ended by `\n`. */
  readonly code: string;
  /** Line of the first line of code. */
  readonly line: number;
}

/** A heading and what stands below it, up to the next heading of the same rank or a higher one. */
export interface Section {
  readonly title: string;
  /** Line of the heading. */
  readonly line: number;
  readonly body: string;
}

/*
 * Lines are 1-based; `firstLine` is the line of its file on which the text starts.
 */

export function fencesOf(markdown: string, firstLine = 1): Fence[] {
  const lines = markdown.split('\n');
  return spansOf(lines).map(({ start, end, language, indent }) => ({
    language,
    code: lines
      .slice(start + 1, end)
      .map((line) => `${withoutIndent(line, indent)}\n`)
      .join(''),
    line: firstLine + start + 1,
  }));
}

/** The text with its fenced blocks blanked out; every line keeps its number. */
export function proseOf(markdown: string): string {
  const lines = markdown.split('\n');
  for (const { start, end } of spansOf(lines)) {
    lines.fill('', start, end + 1);
  }
  return lines.join('\n');
}

/** As `proseOf`, with code in the lines blanked out as well. */
export function withoutCode(markdown: string): string {
  return proseOf(markdown).replaceAll(
    /(?<!`)(`+)(?!`)(?:(?!\n[ \t]*\n)[^])*?(?<!`)\1(?!`)/g,
    (code) => code.replaceAll(/[^\n]/g, ' '),
  );
}

/** The sections under headings of rank `depth` (2 for `##`). */
export function sectionsOf(markdown: string, depth: number, firstLine = 1): Section[] {
  const lines = markdown.split('\n');
  const headings = headingsOf(markdown);
  return headings
    .filter((heading) => heading.depth === depth)
    .map((heading) => {
      const next = headings.find(
        (other) => other.index > heading.index && other.depth <= heading.depth,
      );
      return {
        title: heading.title,
        line: firstLine + heading.index,
        body: lines.slice(heading.index + 1, next?.index).join('\n'),
      };
    });
}

/** The `##` section of that title, if there is one, and the text without it. */
export function cutSection(
  markdown: string,
  title: string,
): { readonly section?: Section; readonly rest: string } {
  const section = sectionsOf(markdown, 2).find((each) => each.title === title);
  if (!section) return { rest: markdown };
  const lines = markdown.split('\n');
  lines.splice(section.line - 1, 1 + section.body.split('\n').length);
  return { section, rest: lines.join('\n') };
}

interface Heading {
  readonly depth: number;
  readonly title: string;
  readonly index: number;
}

function headingsOf(markdown: string): Heading[] {
  return proseOf(markdown)
    .split('\n')
    .flatMap((line, index) => {
      const [, marks = '', title = ''] =
        /^ {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$/.exec(line) ?? [];
      return marks === '' ? [] : [{ depth: marks.length, title, index }];
    });
}

interface Span {
  /** Index of the opening line. */
  readonly start: number;
  /** Index of the closing line; an unclosed block runs to the end. */
  readonly end: number;
  readonly language: string;
  readonly indent: number;
}

function spansOf(lines: readonly string[]): Span[] {
  const spans: Span[] = [];
  for (let start = 0; start < lines.length; start += 1) {
    const [, indent = '', marks = '', language = ''] =
      /^([ \t]*)(`{3,}(?=[^`]*$)|~{3,})[ \t]*([^\s`{]*)/.exec(lines[start] ?? '') ?? [];
    if (marks === '') continue;
    const closing = lines.findIndex((line, index) => index > start && closes(line, marks));
    const end = closing === -1 ? lines.length : closing;
    spans.push({ start, end, language: language.toLowerCase(), indent: indent.length });
    start = end;
  }
  return spans;
}

function closes(line: string, marks: string): boolean {
  const trimmed = line.trim();
  return trimmed.length >= marks.length && trimmed === (marks[0] ?? '').repeat(trimmed.length);
}

function withoutIndent(line: string, indent: number): string {
  const own = /^[ \t]*/.exec(line)?.[0].length ?? 0;
  return line.slice(Math.min(own, indent));
}
