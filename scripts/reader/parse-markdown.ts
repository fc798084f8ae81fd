import { lexer, type Token } from 'marked';

/** Deeper quotes and lists than anybody writes, on one line: to follow them down would take more stack than there is. */
const TOO_DEEP = /^[ \t]*(?:>[ \t]*|(?:[*+-]|\d{1,9}[.)])[ \t]+){100}/m;

/** Markdown as marked's tokens; as code, as it stands, when it is nested without end. */
export function parseMarkdown(markdown: string): Token[] {
  return lexer(TOO_DEEP.test(markdown) ? markdown.replaceAll(/^/gm, '    ') : markdown);
}
