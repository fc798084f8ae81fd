import stringWidth from 'string-width';
import wrapAnsi from 'wrap-ansi';
import { hasColour, style } from '../terminal.ts';

const INDENT = '    ';

/**
 * A fenced block, four columns in: Mermaid as a drawing, code in colours where there are any.
 *
 * Code that is too long goes on below, after `↪`. To cut it would lose what it says; to leave it whole would have
 * the terminal break it anywhere, and a pager count its lines wrongly.
 *
 * @param info what stands after the opening backticks; its first word is the language
 */
export async function renderCode(code: string, info: string, width: number): Promise<string[]> {
  const language = (/^[^\s{]*/.exec(info)?.[0] ?? '').toLowerCase();
  return language === 'mermaid' ? renderDiagram(code, width) : renderLines(code, language, width);
}

async function renderDiagram(source: string, width: number): Promise<string[]> {
  const { drawMermaid } = await import('../diagram/mermaid.ts');
  const drawing = await drawMermaid(source, width);
  if ('lines' in drawing) {
    const hasRoom = drawing.lines.every((line) => stringWidth(line) <= width - 2);
    return drawing.lines.map((line) => (hasRoom ? `  ${line}` : line).trimEnd());
  }
  const apology = `(This diagram cannot be drawn here: ${drawing.problem}. Its source, in Mermaid:)`;
  return [
    ...wrapAnsi(apology, width, { hard: true }).split('\n'),
    '',
    ...(await renderLines(source, '', width)),
  ];
}

async function renderLines(code: string, language: string, width: number): Promise<string[]> {
  const text = code.replaceAll('\t', '  ');
  const coloured = await inColour(text, language);
  return coloured.split('\n').flatMap((line) => wrapLine(line, width));
}

async function inColour(code: string, language: string): Promise<string> {
  if (language === '' || !hasColour()) return code;
  const { highlight } = await import('./highlight.ts');
  return highlight(code, language);
}

function wrapLine(line: string, width: number): string[] {
  const room = width - INDENT.length;
  const [first = '', ...rest] = wrapAnsi(line, room, { hard: true, trim: false }).split('\n');
  return [
    (INDENT + first).trimEnd(),
    ...rest.map((part) => `  ${style('dim', '↪')} ${part.trimStart()}`),
  ];
}
