import stringWidth from 'string-width';
import type { Canvas } from './canvas.ts';
import type { DiagramEdge, DiagramNode, Head } from './diagram.ts';

export interface Place {
  readonly x: number;
  readonly y: number;
}

/** The start and the end of a state machine are one character, without a box. */
export function isDot(node: DiagramNode | undefined): boolean {
  return node?.shape === 'start' || node?.shape === 'end';
}

export function linesOf(label: string): string[] {
  return label.split('\n');
}

/** Columns that the label takes. */
export function widthOf(label: string): number {
  return Math.max(...linesOf(label).map((line) => stringWidth(line)));
}

/** `height` is that of the inside; a dot takes no notice of it. */
export function drawNode(
  canvas: Canvas,
  node: DiagramNode,
  { x, y, width, height }: Place & { readonly width: number; readonly height: number },
): void {
  if (isDot(node)) {
    canvas.write(x, y, node.shape === 'start' ? '●' : '◉');
    return;
  }
  const [topLeft, topRight, bottomLeft, bottomRight] = cornersOf(node);
  const side = '─'.repeat(width - 2);
  const label = linesOf(node.label);
  canvas.write(x, y, topLeft + side + topRight);
  for (let row = 0; row < height; row += 1) {
    const text = label[row] ?? '';
    canvas.write(x, y + 1 + row, '│');
    canvas.write(x + Math.floor((width - stringWidth(text)) / 2), y + 1 + row, text);
    canvas.write(x + width - 1, y + 1 + row, '│');
  }
  canvas.write(x, y + 1 + height, bottomLeft + side + bottomRight);
}

function cornersOf({ shape }: DiagramNode): readonly [string, string, string, string] {
  if (shape === 'round') return ['╭', '╮', '╰', '╯'];
  if (shape === 'choice') return ['◇', '◇', '◇', '◇'];
  return ['┌', '┐', '└', '┘'];
}

export function horizontal(edge: DiagramEdge): string {
  return edge.line === 'dotted' ? '╌' : '─';
}

export function vertical(edge: DiagramEdge): string {
  return edge.line === 'dotted' ? '╎' : '│';
}

/** What stands at an arrow's end: `arrow` points the right way, `line` goes on where there is no head. */
export function headOf(head: Head, arrow: string, line: string): string {
  if (head === 'cross') return '×';
  return head === 'arrow' ? arrow : line;
}
