/** A flowchart or a state machine, as parsed from Mermaid and as drawn. */
export interface Diagram {
  readonly direction: 'down' | 'across';
  /** In the order in which the source names them. */
  readonly nodes: readonly DiagramNode[];
  readonly edges: readonly DiagramEdge[];
}

export interface DiagramNode {
  readonly id: string;
  /** May have several lines. */
  readonly label: string;
  readonly shape: 'box' | 'round' | 'choice' | 'start' | 'end';
}

export interface DiagramEdge {
  readonly from: string;
  readonly to: string;
  /** May have several lines; empty for none. */
  readonly label: string;
  readonly line: 'solid' | 'dotted';
  /** What stands at each end; a cross says that it does not get through. */
  readonly heads: { readonly from: Head; readonly to: Head };
}

export type Head = 'none' | 'arrow' | 'cross';

/** A diagram that cannot be drawn as text, or not faithfully: it says which line is to blame. */
export class DiagramError extends Error {
  override readonly name = 'DiagramError';
}
