import stringWidth from 'string-width';
import { Canvas } from './canvas.ts';
import type { Diagram } from './diagram.ts';
import { drawNode, headOf, horizontal, isDot, linesOf, widthOf } from './diagram-ink.ts';

/** True when each arrow leads from one node to the next and the source wants them side by side. */
export function isChainAcross({ direction, nodes, edges }: Diagram): boolean {
  return (
    direction === 'across' &&
    edges.length === nodes.length - 1 &&
    edges.every((edge, at) => edge.from === nodes[at]?.id && edge.to === nodes[at + 1]?.id)
  );
}

export function drawAcross({ nodes, edges }: Diagram): string[] {
  const canvas = new Canvas();
  const height = Math.max(...nodes.map((node) => linesOf(node.label).length));
  const y = 1 + Math.floor((height - 1) / 2);
  let x = 0;
  nodes.forEach((node, at) => {
    const width = isDot(node) ? 1 : widthOf(node.label) + 4;
    drawNode(canvas, node, { x, y: isDot(node) ? y : 0, width, height });
    x += width;

    const edge = edges[at];
    if (!edge) return;
    const line = horizontal(edge);
    const label = edge.label === '' ? '' : ` ${edge.label.replaceAll('\n', ' ')} `;
    const shaft = line + label + line;
    const arrow = headOf(edge.heads.from, '◄', line) + shaft + headOf(edge.heads.to, '►', line);
    if (!isDot(node)) canvas.write(x - 1, y, '├');
    canvas.write(x, y, arrow);
    x += stringWidth(arrow);
  });
  return canvas.lines();
}
