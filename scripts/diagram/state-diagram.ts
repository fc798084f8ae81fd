import { DiagramError, type Diagram } from './diagram.ts';
import { DiagramBuilder } from './diagram-builder.ts';

const ID = String.raw`[\p{L}\p{N}_]+(?:[-.][\p{L}\p{N}_]+)*`;
const END = String.raw`(${ID}|\[\*\])(?::::[\w-]+)?`;

const TRANSITION = new RegExp(String.raw`^${END}\s*-->\s*${END}\s*(?::\s*(.*))?$`, 'u');
const DESCRIPTION = new RegExp(String.raw`^(${ID})\s*:\s*(.+)$`, 'u');
const BARE = new RegExp(String.raw`^(${ID})(?::::[\w-]+)?$`, 'u');
const NAMED = new RegExp(String.raw`^state\s+"([^"]*)"\s+as\s+(${ID})\s*(\{)?$`, 'u');
const STATE = new RegExp(String.raw`^state\s+(${ID})\s*(?:(\{)|<<(\w+)>>|\[\[(\w+)\]\])?$`, 'u');
const NOTE = new RegExp(String.raw`^note\s+(?:left|right)\s+of\s+(${ID})\s*(?::\s*(.*))?$`, 'u');
const IGNORED = /^(?:classDef|class|style)\s|^acc(?:Title|Descr)\b|^hide empty description$/;

/**
 * Reads Mermaid's `stateDiagram-v2` strictly: a line that is not understood throws a `DiagramError`, since a
 * picture with a transition missing is worse than none.
 *
 * @param statements the lines below the header
 */
export function parseStateDiagram(statements: readonly string[]): Diagram {
  const builder = new DiagramBuilder();
  let openNote: { readonly of: string; readonly lines: string[] } | undefined;
  for (const statement of statements) {
    if (openNote === undefined) {
      openNote = readStatement(statement, builder);
    } else if (statement === 'end note') {
      builder.note(openNote.of, openNote.lines.join('\n'));
      openNote = undefined;
    } else {
      openNote.lines.push(statement);
    }
  }
  if (openNote) throw new DiagramError('a note is not ended');
  return builder.finish();
}

/** Returns the note that the statement opens, if it does. */
function readStatement(
  statement: string,
  builder: DiagramBuilder,
): { of: string; lines: string[] } | undefined {
  if (statement === '' || IGNORED.test(statement)) return undefined;
  if (/^direction\s/.test(statement)) {
    if (builder.scope === '') builder.direction = /LR|RL/.test(statement) ? 'across' : 'down';
    return undefined;
  }
  if (statement === '}') {
    builder.closeGroup();
    return undefined;
  }

  const transition = TRANSITION.exec(statement);
  if (transition) {
    const [, from = '', to = '', label = ''] = transition;
    builder.edge({
      from: state(from, 'start', builder),
      to: state(to, 'end', builder),
      label,
      line: 'solid',
      heads: { from: 'none', to: 'arrow' },
    });
    return undefined;
  }

  const [isNote, of = '', text] = NOTE.exec(statement) ?? [];
  if (isNote !== undefined) {
    if (text === undefined) return { of, lines: [] };
    builder.note(of, text);
    return undefined;
  }

  declare(statement, builder);
  return undefined;
}

/** `state "Half open" as half`, `state choice <<choice>>`, `state Big {`, `Open: refuses calls`, `Open` */
function declare(statement: string, builder: DiagramBuilder): void {
  const [isNamed, title = '', alias = '', opensNamed] = NAMED.exec(statement) ?? [];
  if (isNamed !== undefined) {
    if (opensNamed) builder.openGroup(alias, title);
    else builder.define(alias, title, 'round');
    return;
  }
  const [isState, id = '', opens, kind, bracketKind] = STATE.exec(statement) ?? [];
  if (isState !== undefined) {
    if (opens) builder.openGroup(id, id);
    else if (kind ?? bracketKind) builder.define(id, id, 'choice');
    else state(id, 'start', builder);
    return;
  }
  const [isDescription, described = '', description = ''] = DESCRIPTION.exec(statement) ?? [];
  if (isDescription !== undefined) {
    builder.define(described, description, 'round');
    return;
  }
  const [, bare] = BARE.exec(statement) ?? [];
  if (bare === undefined) throw new DiagramError(`"${statement}" is not understood`);
  state(bare, 'start', builder);
}

/** The id under which the state is known; `[*]` is the start or the end of what surrounds it. */
function state(id: string, role: 'start' | 'end', builder: DiagramBuilder): string {
  if (id !== '[*]') {
    builder.mention(id, 'round');
    return id;
  }
  const own = `${builder.scope}[*]${role}`;
  builder.define(own, '', role);
  return own;
}
