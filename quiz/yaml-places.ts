import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  type LineCounter,
  Scalar,
  visit,
} from 'yaml';

/** Keys and indexes that lead from the top of a document to a part of it. */
export type Path = readonly (string | number)[];

/** Finds the line of what a path leads to: of the key where there is one, else of what encloses it. */
export function lineFinder(document: Document, lines: LineCounter): (path: Path) => number {
  return (path) => {
    for (let length = path.length; length > 0; length -= 1) {
      const parent =
        length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
      const key = path[length - 1];
      const pair = isMap(parent)
        ? parent.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
        : undefined;
      const node = pair?.key ?? document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
}

/** Offsets of prose that YAML cuts at a “#”: nothing else would tell that the rest is gone. */
export function cutTexts(document: Document): number[] {
  const starts: number[] = [];
  visit(document, {
    Scalar(key, node, ancestors) {
      const parent = ancestors.at(-1);
      const isProse =
        typeof key === 'number' ||
        (key === 'value' && isPair(parent) && isScalar(parent.key) && prose.has(parent.key.value));
      if (isProse && node.type === Scalar.PLAIN && node.comment) starts.push(node.range?.[0] ?? 0);
    },
  });
  return starts;
}

const prose = new Set<unknown>(['prompt', 'text', 'why', 'explain']);
