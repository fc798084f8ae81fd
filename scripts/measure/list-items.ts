/** An item of a Markdown list. */
export interface ListItem {
  /** On one line, without its bullet. */
  readonly text: string;
  /** 1-based, counted from the start of the text it stands in. */
  readonly line: number;
}

/** The items of all lists that start with `- ` or `* `; lines that go on below one belong to it. */
export function listItemsOf(markdown: string): ListItem[] {
  const items: { text: string; line: number }[] = [];
  let open: { text: string; line: number } | undefined;
  for (const [index, line] of markdown.split('\n').entries()) {
    const start = /^\s*[-*]\s+(.*)$/.exec(line)?.[1];
    if (start !== undefined) {
      open = { text: start.trim(), line: index + 1 };
      items.push(open);
    } else if (line.trim() === '') {
      open = undefined;
    } else if (open) {
      open.text += ` ${line.trim()}`;
    }
  }
  return items;
}

/** `text` as code in Markdown, on one line. */
export function codeSpan(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  return fence + pad + text + pad + fence;
}

/** The pieces of code that a text starts with, with `separator` between one and the next. */
export function leadingCode(text: string, separator: string): string[] {
  const codes: string[] = [];
  let rest = text;
  for (;;) {
    const [span, , code] = /^(`+)(?!`)(.+?)(?<!`)\1(?!`)/.exec(rest) ?? [];
    if (span === undefined || code === undefined) return codes;
    codes.push(code.trim());
    if (!rest.startsWith(separator, span.length)) return codes;
    rest = rest.slice(span.length + separator.length);
  }
}
