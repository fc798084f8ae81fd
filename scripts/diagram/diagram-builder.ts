import { decodeEntities } from '../reader/entities.ts';
import { DiagramError, type Diagram, type DiagramEdge, type DiagramNode } from './diagram.ts';

/** Collects nodes and edges while a source is read from top to bottom. */
export class DiagramBuilder {
  direction: Diagram['direction'] = 'down';
  readonly #nodes = new Map<
    string,
    DiagramNode & { readonly group: string; readonly notes: string[] }
  >();
  readonly #edges: DiagramEdge[] = [];
  readonly #groups: { readonly id: string; readonly title: string }[] = [];
  readonly #groupIds = new Set<string>();

  /** The group being filled, as a name no other group has; empty outside of all. */
  get scope(): string {
    return this.#groups.map((group) => group.id).join('/');
  }

  /** A node is known from here on; what was said of it before stays. */
  mention(id: string, shape: DiagramNode['shape']): void {
    const known = this.#nodes.get(id);
    this.define(id, known?.label ?? id, known?.shape ?? shape);
  }

  define(id: string, label: string, shape: DiagramNode['shape']): void {
    const known = this.#nodes.get(id);
    // As in Mermaid, a mention inside of a group is enough to belong to it.
    const group = known?.group || (this.#groups.at(-1)?.title ?? '');
    this.#nodes.set(id, { id, label, shape, group, notes: known?.notes ?? [] });
  }

  edge(edge: DiagramEdge): void {
    this.#edges.push({ ...edge, label: cleanLabel(edge.label) });
  }

  note(id: string, text: string): void {
    this.mention(id, 'round');
    this.#nodes.get(id)?.notes.push(cleanLabel(text).replaceAll('\n', ' '));
  }

  openGroup(id: string, title: string): void {
    this.#groups.push({ id, title: cleanLabel(title) });
    this.#groupIds.add(id);
  }

  closeGroup(): void {
    if (this.#groups.pop() === undefined) throw new DiagramError('there is nothing to end');
  }

  finish(): Diagram {
    if (this.#groups.length > 0) throw new DiagramError('a group is not ended');
    if (this.#nodes.size === 0) throw new DiagramError('there is nothing in it');
    for (const { from, to } of this.#edges) {
      const group = [from, to].find((id) => this.#groupIds.has(id));
      if (group !== undefined) {
        throw new DiagramError(`"${group}" is a group; only arrows between nodes can be drawn`);
      }
    }
    const nodes = [...this.#nodes.values()].map(({ id, label, shape, group, notes }) => ({
      id,
      shape,
      label: [cleanLabel(label), ...[group, ...notes].filter(Boolean).map((aside) => `(${aside})`)]
        .filter(Boolean)
        .join('\n'),
    }));
    return { direction: this.direction, nodes, edges: this.#edges };
  }
}

/** A label without its quotes and tags; `<br>` and `\n` break its line. */
function cleanLabel(label: string): string {
  const text = label
    .trim()
    .replace(/^(["`]+)(.*?)\1$/s, '$2')
    .replace(/^`(.*)`$/s, '$1')
    .replaceAll(/\s*(?:<br\s*\/?>|\\n)\s*/gi, '\n')
    .replaceAll(/<\/?[a-z][^>]*>/gi, '');
  return decodeEntities(text).trim();
}
