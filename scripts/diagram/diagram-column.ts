import { Canvas } from './canvas.ts';
import type { Diagram, DiagramEdge } from './diagram.ts';
import {
  drawNode,
  headOf,
  horizontal,
  isDot,
  linesOf,
  vertical,
  widthOf,
  type Place,
} from './diagram-ink.ts';
import { inReadingOrder } from './diagram-order.ts';
import { placeLanes, portsAt, type Lane } from './diagram-lanes.ts';

const LANE_GAP = 3;

/**
 * Nodes stand in one column, so that most arrows go down. An arrow to the next node runs straight; every
 * other one leaves its box on the right, runs in a lane of its own and comes back from the right. That is
 * plainer than a layout in two dimensions, but arrows never share a stretch (`┼` is always a crossing), which
 * the layouts that we tried get wrong as soon as there is a cycle.
 */
export function drawColumn(diagram: Diagram): string[] {
  const { edges } = diagram;
  const nodes = inReadingOrder(diagram);
  const downward = nodes.map((node, at) =>
    edges.find((edge) => edge.from === node.id && edge.to === nodes[at + 1]?.id),
  );
  const lanes = placeLanes(
    nodes,
    edges.filter((edge) => !downward.includes(edge)),
  );
  const width = 4 + Math.max(...nodes.map((node) => widthOf(node.label)));
  const middle = Math.floor(width / 2);
  const firstLane = Math.max(
    width + Math.max(1, ...lanes.map(({ edge }) => stubWidth(edge))),
    middle + 3 + Math.max(0, ...downward.map((edge) => widthOf(edge?.label ?? ''))),
  );

  const canvas = new Canvas();
  const rows = { from: new Map<Lane, number>(), to: new Map<Lane, number>() };
  let y = 0;
  nodes.forEach((node, at) => {
    const firstRow = isDot(node) ? y : y + 1;
    let row = firstRow;
    for (const { lane, end } of portsAt(at, lanes)) {
      rows[end].set(lane, row);
      row += end === 'from' ? linesOf(lane.edge.label).length : 1;
    }
    const height = Math.max(linesOf(node.label).length, row - firstRow);
    drawNode(canvas, node, { x: isDot(node) ? middle : 0, y, width, height });
    y += isDot(node) ? height : height + 2;

    const edge = downward[at];
    if (edge && !isDot(node)) canvas.write(middle, y - 1, '┬');
    y = edge ? drawDownward(canvas, edge, { x: middle, y }) : y + 1;
  });

  const sideOf = (position: number) => {
    const isBox = !isDot(nodes[position]);
    return { isBox, x: isBox ? width - 1 : middle };
  };
  for (const lane of lanes) {
    drawLane(canvas, lane.edge, {
      x: firstLane + LANE_GAP * lane.track,
      from: { ...sideOf(lane.from), y: rows.from.get(lane) ?? 0 },
      to: { ...sideOf(lane.to), y: rows.to.get(lane) ?? 0 },
    });
  }
  return canvas.lines();
}

/** Returns the row below the arrow. */
function drawDownward(canvas: Canvas, edge: DiagramEdge, { x, y }: Place): number {
  const label = linesOf(edge.label);
  label.forEach((line, row) => canvas.write(x, y + row, `${vertical(edge)} ${line}`));
  canvas.write(x, y, headOf(edge.heads.from, '▲', vertical(edge)));
  canvas.write(x, y + label.length, headOf(edge.heads.to, '▼', vertical(edge)));
  return y + label.length + 1;
}

/** How far right of its box an arrow with this label turns into its lane. */
function stubWidth({ label }: DiagramEdge): number {
  return label === '' ? 3 : widthOf(label) + 6;
}

/** Where an arrow leaves or meets a node on its right. */
interface Side extends Place {
  readonly isBox: boolean;
}

/** `x` is the lane. */
function drawLane(
  canvas: Canvas,
  edge: DiagramEdge,
  { x, from, to }: { readonly x: number; readonly from: Side; readonly to: Side },
): void {
  for (const end of [from, to]) {
    for (let column = end.x + 1; column < x; column += 1) {
      canvas.stroke(column, end.y, horizontal(edge));
    }
  }
  const [upper, lower] = from.y < to.y ? [from, to] : [to, from];
  canvas.write(x, upper.y, '┐');
  for (let row = upper.y + 1; row < lower.y; row += 1) canvas.stroke(x, row, vertical(edge));
  canvas.write(x, lower.y, '┘');

  if (from.isBox) canvas.write(from.x, from.y, '├');
  canvas.write(from.x + 1, from.y, headOf(edge.heads.from, '◄', horizontal(edge)));
  canvas.write(to.x + 1, to.y, headOf(edge.heads.to, '◄', horizontal(edge)));
  if (edge.label === '') return;
  linesOf(edge.label).forEach((line, row) => canvas.write(from.x + 3, from.y + row, ` ${line} `));
}
