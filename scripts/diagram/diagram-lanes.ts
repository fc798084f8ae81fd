import type { Diagram, DiagramEdge } from './diagram.ts';

/** A line beside the column of nodes, for one arrow between nodes that are not neighbours. */
export interface Lane {
  readonly edge: DiagramEdge;
  /** Positions of both nodes in the column. */
  readonly from: number;
  readonly to: number;
  /** 0 is next to the column. */
  readonly track: number;
}

/** Where a lane meets a node. */
export interface Port {
  readonly lane: Lane;
  readonly end: 'from' | 'to';
}

/** Gives each edge the innermost track that is free along its way; short ways first. */
export function placeLanes(nodes: Diagram['nodes'], edges: readonly DiagramEdge[]): Lane[] {
  const positions = new Map(nodes.map((node, position) => [node.id, position]));
  const ways = edges
    .map((edge) => ({
      edge,
      from: positions.get(edge.from) ?? 0,
      to: positions.get(edge.to) ?? 0,
    }))
    .toSorted((a, b) => span(a).length - span(b).length);

  const lanes: Lane[] = [];
  for (const way of ways) {
    const taken = lanes.filter((lane) => overlap(lane, way)).map((lane) => lane.track);
    let track = 0;
    while (taken.includes(track)) track += 1;
    lanes.push({ ...way, track });
  }
  return lanes;
}

/**
 * The ports of the node at `position`, from top to bottom. Lanes that go up stand above those that go down,
 * and inner ones nearer to where they go, so that none crosses another on its way out.
 */
export function portsAt(position: number, lanes: readonly Lane[]): Port[] {
  return lanes
    .flatMap((lane): Port[] => [
      ...(lane.from === position ? [{ lane, end: 'from' } as const] : []),
      ...(lane.to === position ? [{ lane, end: 'to' } as const] : []),
    ])
    .toSorted((a, b) => rank(a) - rank(b));
}

function rank({ lane, end }: Port): number {
  const leadsTo = end === 'from' ? lane.to : lane.from;
  const position = end === 'from' ? lane.from : lane.to;
  const side = Math.sign(leadsTo - position);
  return side * 1000 - side * lane.track + (end === 'to' ? 0.5 : 0);
}

function overlap(a: Pick<Lane, 'from' | 'to'>, b: Pick<Lane, 'from' | 'to'>): boolean {
  return span(a).start < span(b).end && span(b).start < span(a).end;
}

/** An arrow from a node to itself takes some room around it. */
function span({ from, to }: Pick<Lane, 'from' | 'to'>) {
  const start = Math.min(from, to) - (from === to ? 0.25 : 0);
  const end = Math.max(from, to) + (from === to ? 0.25 : 0);
  return { start, end, length: end - start };
}
