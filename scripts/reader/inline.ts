import type { MarkedToken, Token, Tokens } from 'marked';
import { decodeEntities } from './entities.ts';
import { hasColour, style } from '../terminal.ts';

type Emphasis = 'bold' | 'italic' | 'strikethrough';

/**
 * Inline Markdown as styled text that is yet to be wrapped: blanks are single, `\n` is a hard break only.
 * `active` names what the surrounding text is styled with already; it is not closed half-way.
 */
export function renderInline(tokens: readonly Token[], active: readonly Emphasis[] = []): string {
  return known(tokens)
    .map((token) => renderToken(token, active))
    .join('');
}

/** marked's own tokens: with no extension registered there are no others. */
export function known(tokens: readonly Token[]): readonly MarkedToken[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the type allows for extensions
  return tokens as readonly MarkedToken[];
}

function renderToken(token: MarkedToken, active: readonly Emphasis[]): string {
  switch (token.type) {
    case 'strong':
      return emphasized('bold', token.tokens, active);
    case 'em':
      return emphasized('italic', token.tokens, active);
    case 'del': {
      const text = emphasized('strikethrough', token.tokens, active);
      return hasColour() ? text : `~~${text}~~`;
    }
    case 'codespan':
      return inlineCode(token.text);
    case 'link':
      return renderLink(token, active);
    case 'image':
      return `[picture: ${decodeEntities(token.text || token.href)}]`;
    case 'br':
      return '\n';
    case 'html':
      return /^<br\b/i.test(token.raw) ? '\n' : '';
    case 'escape':
      return token.text;
    case 'text':
      return token.tokens ? renderInline(token.tokens, active) : prose(token.text);
    case 'checkbox':
      return '';
    case 'blockquote':
    case 'code':
    case 'def':
    case 'heading':
    case 'hr':
    case 'list':
    case 'list_item':
    case 'paragraph':
    case 'space':
    case 'table':
    default:
      return prose(token.raw);
  }
}

/** Character references decoded; line ends and runs of blanks are one blank, as a browser shows them. */
export function prose(text: string): string {
  return decodeEntities(text.replaceAll(/[ \t\r\n]+/g, ' '));
}

/** `text` in a style, anew on each line, because wrapping looks at lines one by one. */
export function styleLines(format: Parameters<typeof style>[0], text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : style(format, line)))
    .join('\n');
}

function emphasized(
  emphasis: Emphasis,
  tokens: readonly Token[],
  active: readonly Emphasis[],
): string {
  if (active.includes(emphasis)) return renderInline(tokens, active);
  return styleLines(emphasis, renderInline(tokens, [...active, emphasis]));
}

/** Without colour the backticks stay: `a` and a are not the same. */
function inlineCode(text: string): string {
  const code = text.replaceAll('\n', ' ');
  return hasColour() ? style('cyan', code) : `\`${code}\``;
}

/** Links into the kit are plain text: there is nothing to click. Links to the web are clickable or spelled out. */
function renderLink(token: Tokens.Link, active: readonly Emphasis[]): string {
  if (token.raw.startsWith('[^')) return prose(token.raw);
  const text = renderInline(token.tokens, active);
  const href = decodeEntities(token.href);
  if (!/^(?:https?|mailto):/i.test(href)) return text;
  if (hasColour()) return webLink(styleLines('underline', text), href);
  return [href, `mailto:${text}`].includes(text) || href === `mailto:${text}`
    ? text
    : `${text} (${href})`;
}

function webLink(text: string, href: string): string {
  return text
    .split('\n')
    .map((line) => `\u001B]8;;${href}\u0007${line}\u001B]8;;\u0007`)
    .join('\n');
}
