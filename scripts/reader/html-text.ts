import { decodeEntities } from './entities.ts';

export interface HtmlParagraph {
  readonly kind: 'summary' | 'text';
  readonly text: string;
}

/** What a block of HTML says: comments and tags dropped, a `<summary>` kept apart, `<br>` a line break. */
export function htmlParagraphs(html: string): HtmlParagraph[] {
  return html
    .replaceAll(/<!--.*?(?:-->|$)/gs, '')
    .split(/(<summary\b[^>]*>.*?<\/summary>)/is)
    .flatMap((part): HtmlParagraph[] => {
      if (/^<summary\b/i.test(part))
        return [{ kind: 'summary', text: plain(part).replaceAll('\n', ' ') }];
      return part
        .replaceAll(/<\/(?:p|div|h[1-6]|li|ul|ol|table|tr)>/gi, '\n\n')
        .split(/\n\s*\n/)
        .map((text) => ({ kind: 'text' as const, text: plain(text) }));
    })
    .filter(({ text }) => text !== '');
}

function plain(html: string): string {
  const lines = html
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/<br\s*\/?>/gi, '\n')
    .replaceAll(/<\/?[a-z][^>]*>/gi, '')
    .split('\n');
  return decodeEntities(lines.map((line) => line.trim()).join('\n')).trim();
}
