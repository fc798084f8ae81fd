import { stripVTControlCharacters } from 'node:util';
import { headingAnchors } from '../content/anchors.ts';
import { known } from './inline.ts';
import { renderBlock } from './markdown-blocks.ts';
import { parseMarkdown } from './parse-markdown.ts';

/** Rendered Markdown with what a pager needs to find its way in it. */
export interface Page {
  readonly lines: readonly string[];
  /** On which line (0-based) each of the document's blocks starts; the same count at every width. */
  readonly blocks: readonly number[];
  /** The headings that a link can lead to. */
  readonly headings: readonly {
    readonly anchor: string;
    readonly depth: number;
    readonly line: number;
  }[];
}

/** Narrower terminals get lines of this width: they have to be cut anyway. */
const NARROWEST = 24;

/** Markdown (without front matter) as text for a terminal: no line is wider than `width` columns, 24 at least. */
export async function renderMarkdown(
  markdown: string,
  { width }: { readonly width: number },
): Promise<string> {
  return (await renderPage(markdown, { width })).lines.join('\n');
}

export async function renderPage(
  markdown: string,
  { width }: { readonly width: number },
): Promise<Page> {
  const tokens = parseMarkdown(stripVTControlCharacters(markdown));
  const anchors = headingAnchors(tokens);
  const lines: string[] = [];
  const blocks: number[] = [];
  const headings: { anchor: string; depth: number; line: number }[] = [];
  for (const token of known(tokens)) {
    const block = await renderBlock(token, Math.max(NARROWEST, width));
    if (block.length === 0) continue;
    if (lines.length > 0) lines.push('');
    blocks.push(lines.length);
    if (token.type === 'heading') {
      headings.push({ anchor: anchors.get(token) ?? '', depth: token.depth, line: lines.length });
    }
    lines.push(...block);
  }
  return { lines, blocks, headings };
}
