import stringWidth from 'string-width';
import wrapAnsi from 'wrap-ansi';
import { drawAcross, isChainAcross } from './diagram-across.ts';
import { drawColumn } from './diagram-column.ts';
import { DiagramError, type Diagram } from './diagram.ts';
import { parseFlowchart } from './flowchart.ts';
import { parseStateDiagram } from './state-diagram.ts';

/** The drawing, or why there is none (a clause such as `it is wider than 80 columns`). */
export type Drawing = { readonly lines: readonly string[] } | { readonly problem: string };

/** How long the lines of a label may be, from roomy to tight. */
const LABEL_WIDTHS = [36, 26, 18, 12];

/**
 * A Mermaid flowchart, state or sequence diagram as lines of at most `width`. Never throws. The drawing says
 * what the source says, or there is none: sources are read strictly.
 */
export async function drawMermaid(source: string, width: number): Promise<Drawing> {
  const [header = '', ...statements] = statementsOf(source);
  try {
    const lines = await draw(header, statements, width);
    return lines === undefined ? { problem: `it is wider than ${width} columns` } : { lines };
  } catch (error) {
    if (error instanceof DiagramError) return { problem: error.message };
    throw error;
  }
}

async function draw(
  header: string,
  statements: readonly string[],
  width: number,
): Promise<readonly string[] | undefined> {
  if (/^(?:flowchart|graph)\b/.test(header)) {
    return drawDiagram(parseFlowchart(header, statements), width);
  }
  if (/^stateDiagram(?:-v2)?$/.test(header)) {
    return drawDiagram(parseStateDiagram(statements), width);
  }
  if (header === 'sequenceDiagram') {
    // Takes a quarter of a second to import, and only these diagrams need it.
    const { drawSequence } = await import('./sequence-diagram.ts');
    return fitting(drawSequence(statements), width);
  }
  if (header === '') throw new DiagramError('there is nothing in it');
  throw new DiagramError(`"${header}" is no kind of diagram that is drawn here`);
}

function drawDiagram(diagram: Diagram, width: number): readonly string[] | undefined {
  const across = isChainAcross(diagram) ? fitting(drawAcross(diagram), width) : undefined;
  if (across) return across;
  for (const limit of LABEL_WIDTHS) {
    const column = fitting(drawColumn(withLabels(diagram, limit)), width);
    if (column) return column;
  }
  return undefined;
}

function withLabels(diagram: Diagram, limit: number): Diagram {
  const wrap = <T extends { readonly label: string }>(item: T): T => ({
    ...item,
    label: wrapAnsi(item.label, limit, { hard: true }),
  });
  return { ...diagram, nodes: diagram.nodes.map(wrap), edges: diagram.edges.map(wrap) };
}

function fitting(lines: readonly string[], width: number): readonly string[] | undefined {
  return lines.every((line) => stringWidth(line) <= width) ? lines : undefined;
}

/** The header and the statements, without comments, directives and the block of settings before them. */
function statementsOf(source: string): string[] {
  const lines = source
    .replace(/^\s*---\n.*?\n---\n/s, '')
    .replaceAll(/%%\{.*?\}%%/gs, '')
    .split('\n')
    .map((line) => line.replace(/%%.*$/, '').trim());
  return lines
    .slice(lines.findIndex((line) => line !== ''))
    .map((line, at) => (at === 0 ? line.replace(/;$/, '') : line));
}
