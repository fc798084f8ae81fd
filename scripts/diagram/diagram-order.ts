import type { Diagram, DiagramNode } from './diagram.ts';

/**
 * The nodes in the order in which a column shows them best: each after all that lead to it (but for arrows that go
 * back), and what follows from one choice before the next choice. Where that says nothing, as in the source.
 */
export function inReadingOrder({ nodes, edges }: Diagram): DiagramNode[] {
  const targets = new Set(edges.filter(({ from, to }) => from !== to).map(({ to }) => to));
  const isRoot = (node: DiagramNode) => !targets.has(node.id);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const visited = new Set<DiagramNode>();

  /** The node and all that follows from it and was not visited yet. */
  function reach(node: DiagramNode): DiagramNode[] {
    if (visited.has(node)) return [];
    visited.add(node);
    const followers = edges
      .filter((edge) => edge.from === node.id)
      .map((edge) => byId.get(edge.to));
    // The last choice first: what it shares with earlier ones ends up behind them all.
    return [node, ...reachAll(followers.filter((follower) => follower !== undefined))];
  }

  function reachAll(starts: readonly DiagramNode[]): DiagramNode[] {
    return starts
      .toReversed()
      .reduce<DiagramNode[]>((after, start) => [...reach(start), ...after], []);
  }

  const fromRoots = reachAll(nodes.filter(isRoot));
  return [...fromRoots, ...nodes.flatMap(reach)];
}
