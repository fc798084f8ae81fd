import { DiagramError, type Diagram, type DiagramEdge, type DiagramNode } from './diagram.ts';
import { DiagramBuilder } from './diagram-builder.ts';

/** Longest first, so that `([` is not taken for `(`. */
const SHAPES: readonly (readonly [open: string, close: string, shape: DiagramNode['shape']])[] = [
  ['(((', ')))', 'round'],
  ['((', '))', 'round'],
  ['([', '])', 'round'],
  ['[(', ')]', 'round'],
  ['[[', ']]', 'box'],
  ['[/', '/]', 'box'],
  ['[/', '\\]', 'box'],
  ['[\\', '\\]', 'box'],
  ['[\\', '/]', 'box'],
  ['{{', '}}', 'choice'],
  ['[', ']', 'box'],
  ['(', ')', 'round'],
  ['{', '}', 'choice'],
  ['>', ']', 'box'],
];

/** A hyphen or dot belongs to a name only when it cannot start an arrow. */
const NAME = /[\p{L}\p{N}_]+(?:[-.][\p{L}\p{N}_]+)*/uy;
const CLASS = /:::[\w-]+/y;
const AND = /\s*&\s*/y;
const ARROW = /\s*(<)?(--+[->x]|==+[=>x]|-\.+-[>x]?|~~~)\s*(?:\|([^|]*)\|\s*)?/y;
/** `-- text -->`, thick and dotted ones too. */
const LABELLED_ARROW =
  /\s*(<)?(?:--|==|-\.)\s*("[^"]*"|[^|]+?)\s*(--+[->x]|==+[=>x]|\.+-[>x]?)\s*/y;
const IGNORED = /^(?:classDef|class|style|linkStyle|click)\s|^acc(?:Title|Descr)\b/;

/**
 * Reads Mermaid's `flowchart` strictly: a line that is not understood throws a `DiagramError`, since a
 * picture with an arrow missing is worse than none.
 *
 * @param statements the lines below the header
 */
export function parseFlowchart(header: string, statements: readonly string[]): Diagram {
  const builder = new DiagramBuilder();
  builder.direction = /\b(?:LR|RL)\b/.test(header) ? 'across' : 'down';
  for (const statement of statements.flatMap(splitAtSemicolons)) {
    readStatement(statement, builder);
  }
  return builder.finish();
}

function readStatement(statement: string, builder: DiagramBuilder): void {
  if (statement === '' || IGNORED.test(statement) || /^direction\s/.test(statement)) return;
  if (statement === 'end') return builder.closeGroup();

  const [isGroup, id = '', title] = /^subgraph\s+(?:(.+?)\s*(?:\[(.+)\])?)$/.exec(statement) ?? [];
  if (isGroup !== undefined) return builder.openGroup(id, title ?? id);

  readChain(new Scanner(statement), builder);
}

/** `a & b --> c -->|label| d` */
function readChain(scanner: Scanner, builder: DiagramBuilder): void {
  let from = readNodes(scanner, builder);
  while (!scanner.isAtEnd()) {
    const arrow = readArrow(scanner);
    const to = readNodes(scanner, builder);
    if (arrow !== 'invisible') {
      for (const source of from) {
        for (const target of to) builder.edge({ from: source, to: target, ...arrow });
      }
    }
    from = to;
  }
}

function readNodes(scanner: Scanner, builder: DiagramBuilder): string[] {
  const ids: string[] = [];
  do {
    const [id] = scanner.take(NAME) ?? scanner.fail();
    const given = readShape(scanner);
    if (given) builder.define(id, given.label, given.shape);
    else builder.mention(id, 'box');
    scanner.take(CLASS);
    ids.push(id);
  } while (scanner.take(AND));
  return ids;
}

function readShape(scanner: Scanner): Pick<DiagramNode, 'label' | 'shape'> | undefined {
  for (const [open, close, shape] of SHAPES) {
    const label = scanner.takeBetween(open, close);
    if (label === undefined) continue;
    // Mermaid itself stumbles over these, and the lesson's picture would be missing on the web.
    if (!/^\s*"[^"]*"\s*$/.test(label) && /[()[\]{}"]/.test(label)) {
      throw new DiagramError(`put the label ${label} in quotes: it has brackets in it`);
    }
    return { label, shape };
  }
  return undefined;
}

function readArrow(scanner: Scanner): Omit<DiagramEdge, 'from' | 'to'> | 'invisible' {
  const plain = scanner.take(ARROW);
  const [, tail, line = '', label = ''] =
    plain ?? swapLast(scanner.take(LABELLED_ARROW) ?? scanner.fail());
  if (line === '~~~') return 'invisible';
  return {
    label,
    line: line.includes('.') ? 'dotted' : 'solid',
    heads: {
      from: tail === undefined ? 'none' : 'arrow',
      to: line.endsWith('>') ? 'arrow' : line.endsWith('x') ? 'cross' : 'none',
    },
  };
}

/** In a labelled arrow the label comes before the line's end. */
function swapLast([whole = '', tail, label, line]: readonly (string | undefined)[]) {
  return [whole, tail, line, label];
}

function splitAtSemicolons(line: string): string[] {
  return (line.match(/(?:"[^"]*"|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}|\|[^|]*\||[^;])+/g) ?? []).map(
    (part) => part.trim(),
  );
}

/** Reads one statement from left to right. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    return this.#at >= this.#text.trimEnd().length;
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text) ?? undefined;
    if (match) this.#at += match[0].length;
    return match;
  }

  takeBetween(open: string, close: string): string | undefined {
    if (!this.#text.startsWith(open, this.#at)) return undefined;
    const start = this.#at + open.length;
    const quoted = /\s*"[^"]*"\s*/y;
    quoted.lastIndex = start;
    const end = this.#text.indexOf(close, quoted.test(this.#text) ? quoted.lastIndex : start);
    if (end === -1) return undefined;
    this.#at = end + close.length;
    return this.#text.slice(start, end);
  }

  fail(): never {
    throw new DiagramError(
      `"${this.#text}" is not understood from "${this.#text.slice(this.#at)}" on`,
    );
  }
}
