import type { MarkedToken, Token, Tokens } from 'marked';
import stringWidth from 'string-width';
import wrapAnsi from 'wrap-ansi';
import { renderCode } from './code-block.ts';
import { htmlParagraphs } from './html-text.ts';
import { known, prose, renderInline, styleLines } from './inline.ts';
import { drawTable } from './table.ts';
import { hasColour, style } from '../terminal.ts';

/** However deep a block is nested. */
const NARROWEST = 12;

/** One block of Markdown as lines of at most `width`; none when there is nothing to see. */
export async function renderBlock(token: MarkedToken, width: number): Promise<string[]> {
  switch (token.type) {
    case 'heading':
      return renderHeading(token, width);
    case 'paragraph':
      return wrap(renderInline(token.tokens), width);
    case 'text':
      return wrap(token.tokens ? renderInline(token.tokens) : prose(token.text), width);
    case 'list':
      return renderList(token, width);
    case 'blockquote':
      return renderQuote(token, width);
    case 'code':
      return renderCode(token.text, token.lang ?? '', width);
    case 'table':
      return drawTable(
        {
          header: token.header.map((cell) =>
            styleLines('bold', renderInline(cell.tokens, ['bold'])),
          ),
          rows: token.rows.map((row) => row.map((cell) => renderInline(cell.tokens))),
          align: token.align,
        },
        width,
      );
    case 'html':
      return renderHtml(token.text, width);
    case 'hr':
      return [style('dim', '─'.repeat(width))];
    case 'def':
      // `[^1]: https://…` is a footnote to people, whatever the parser says.
      return token.tag.startsWith('^') ? wrap(prose(token.raw.trim()), width) : [];
    case 'br':
    case 'codespan':
    case 'del':
    case 'em':
    case 'escape':
    case 'image':
    case 'link':
    case 'strong':
      return wrap(renderInline([token]), width);
    case 'checkbox':
    case 'list_item':
    case 'space':
    default:
      return [];
  }
}

async function renderBlocks(
  tokens: readonly Token[],
  width: number,
  between: readonly string[] = [''],
): Promise<string[]> {
  const lines: string[] = [];
  for (const token of known(tokens)) {
    const block = await renderBlock(token, Math.max(NARROWEST, width));
    if (block.length > 0) lines.push(...(lines.length > 0 ? between : []), ...block);
  }
  return lines;
}

/** Ranks 1 and 2 are underlined; further ones are bold, and keep their `###` where there are no styles. */
function renderHeading({ depth, tokens }: Tokens.Heading, width: number): string[] {
  const text = styleLines('bold', renderInline(tokens, ['bold']));
  if (depth > 2 && !hasColour()) {
    return hanging(`${'#'.repeat(depth)} `, wrap(text, width - depth - 1));
  }
  const lines = wrap(text, width);
  if (depth > 2) return lines;
  if (lines.length === 0) return [];
  const underline = depth === 1 ? '═' : '─';
  return [...lines, underline.repeat(Math.max(...lines.map((line) => stringWidth(line))))];
}

async function renderList(
  { items, ordered, start, loose }: Tokens.List,
  width: number,
): Promise<string[]> {
  const first = start === '' ? 1 : start;
  const numberWidth = String(first + items.length - 1).length;
  const lines: string[] = [];
  for (const [index, item] of items.entries()) {
    const bullet = ordered ? `${String(first + index).padStart(numberWidth)}. ` : '• ';
    const marker = item.task ? `[${item.checked ? 'x' : ' '}] ` : bullet;
    const between = item.loose ? [''] : [];
    const content = await renderBlocks(item.tokens, width - marker.length, between);
    if (loose && index > 0) lines.push('');
    lines.push(...hanging(marker, content.length > 0 ? content : ['']));
  }
  return lines;
}

const ALERT = /^\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*(?:\n|$)/i;

const ALERT_COLOURS: ReadonlyMap<string, 'blue' | 'green' | 'magenta' | 'yellow' | 'red'> = new Map(
  [
    ['NOTE', 'blue'],
    ['TIP', 'green'],
    ['IMPORTANT', 'magenta'],
    ['WARNING', 'yellow'],
    ['CAUTION', 'red'],
  ],
);

async function renderQuote({ text, tokens }: Tokens.Blockquote, width: number): Promise<string[]> {
  const [marker, kind = ''] = ALERT.exec(text) ?? [];
  if (marker === undefined) {
    const lines = await renderBlocks(tokens, width - 2);
    return lines.map((line) => `${style('dim', '│')} ${line}`.trimEnd());
  }
  const colour = ALERT_COLOURS.get(kind.toUpperCase()) ?? 'blue';
  const title = kind.slice(0, 1).toUpperCase() + kind.slice(1).toLowerCase();
  const body = await renderBlocks(withoutMarker(tokens), width - 2);
  return [style(['bold', colour], title), ...body].map((line) =>
    `${style(colour, '│')} ${line}`.trimEnd(),
  );
}

function withoutMarker([paragraph, ...others]: readonly Token[]): Token[] {
  const [first, ...rest] = paragraph && 'tokens' in paragraph ? (paragraph.tokens ?? []) : [];
  if (paragraph === undefined || first === undefined || !('text' in first)) return others;
  const text = String(first.text).replace(ALERT, '');
  return [{ ...paragraph, tokens: [{ ...first, text }, ...rest] }, ...others];
}

/** Of HTML only the text is shown; a `<summary>` stands over its details like a heading. */
function renderHtml(html: string, width: number): string[] {
  return htmlParagraphs(html).flatMap(({ kind, text }, index) => {
    const lines =
      kind === 'summary' ? hanging('▸ ', wrap(style('bold', text), width - 2)) : wrap(text, width);
    return index > 0 ? ['', ...lines] : lines;
  });
}

/** The first line after `marker`, the others as far in. */
function hanging(marker: string, lines: readonly string[]): string[] {
  const indent = ' '.repeat(stringWidth(marker));
  return lines.map((line, index) => ((index === 0 ? marker : indent) + line).trimEnd());
}

function wrap(text: string, width: number): string[] {
  const trimmed = text.replaceAll(/ {2,}/g, ' ').trim();
  return trimmed === '' ? [] : wrapAnsi(trimmed, width, { hard: true }).split('\n');
}
