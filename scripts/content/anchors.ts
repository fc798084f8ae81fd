import { walkTokens, type Token, type Tokens } from 'marked';
import { decodeEntities } from '../reader/entities.ts';
import { parseMarkdown } from '../reader/parse-markdown.ts';

/**
 * What a link may name after `#` in this document: its headings' anchors as GitHub makes them, in order, then
 * the ids given in HTML (`<a id="…">`).
 */
export function anchorsOf(markdown: string): string[] {
  const tokens = parseMarkdown(markdown);
  return [...headingAnchors(tokens).values(), ...htmlIds(tokens)];
}

/** Each heading's anchor; a title that comes again gets `-1`, `-2` … as on GitHub. */
export function headingAnchors(tokens: Token[]): Map<Tokens.Heading, string> {
  const anchors = new Map<Tokens.Heading, string>();
  const timesSeen = new Map<string, number>();
  void walkTokens(tokens, (token) => {
    if (!isHeading(token)) return;
    const base = slugOf(textOf(token.tokens));
    let anchor = base;
    while (timesSeen.has(anchor)) {
      const times = (timesSeen.get(base) ?? 0) + 1;
      timesSeen.set(base, times);
      anchor = `${base}-${times}`;
    }
    timesSeen.set(anchor, 0);
    anchors.set(token, anchor);
  });
  return anchors;
}

function slugOf(title: string): string {
  return title
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** The words of inline Markdown alone: without marks, tags and pictures. */
function textOf(tokens: readonly Token[]): string {
  return tokens
    .map((token) => {
      if (token.type === 'html' || token.type === 'image') return '';
      if (token.type === 'codespan') return String(token.text);
      if ('tokens' in token && token.tokens) return textOf(token.tokens);
      return 'text' in token ? decodeEntities(String(token.text)) : ' ';
    })
    .join('');
}

function htmlIds(tokens: Token[]): string[] {
  const ids: string[] = [];
  void walkTokens(tokens, (token) => {
    if (token.type !== 'html') return;
    const html = token.raw.replaceAll(/<!--.*?-->/gs, '');
    for (const [, id = ''] of html.matchAll(/<[a-z][^>]*\s(?:id|name)="([^"]+)"/gi)) ids.push(id);
  });
  return ids;
}

function isHeading(token: Token): token is Tokens.Heading {
  return token.type === 'heading';
}
