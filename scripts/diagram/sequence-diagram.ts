import { renderMermaidASCII } from 'beautiful-mermaid';
import { DiagramError } from './diagram.ts';

const NAME = String.raw`[\p{L}\p{N}_](?:[^:,;>]*?[^-:,;>+\s)x])?`;
const MESSAGE = new RegExp(
  String.raw`^(${NAME})\s*(--?>>|--?>|--?x|--?\))\s*[+-]?\s*(${NAME})\s*:(.*)$`,
  'u',
);
const NOTE = /^note\s+(?:over|left of|right of)\s+[^:]+:.*$/i;
const PARTICIPANT = /^(?:create\s+)?(?:participant|actor)\s+\S/;
const OPENS = /^(?:loop|alt|opt|par|critical|break)\b/;
const CONTINUES = /^(?:else|and|option)\b/;
/** Boxes of colour around things: there is nothing of them to draw in text. */
const FRAMES = /^(?:rect|box)\b/;
const IGNORED = /^(?:activate|deactivate|destroy|accTitle|accDescr|links?|properties|title)\b/;

/**
 * Mermaid's `sequenceDiagram` as lines of text, as wide as they get. A line that is not understood throws a
 * `DiagramError`; the library underneath would leave it out without a word.
 *
 * @param statements the lines below the header
 */
export function drawSequence(statements: readonly string[]): string[] {
  const plain = plainStatements(statements);
  const drawing = renderMermaidASCII(['sequenceDiagram', ...plain].join('\n'), {
    colorMode: 'none',
  });
  if (drawing.trim() === '') throw new DiagramError('there is nothing in it');
  return drawing.split('\n').map((line) => line.trimEnd());
}

/** What the library draws as it is meant: messages numbered, lost ones marked, frames dropped. */
function plainStatements(statements: readonly string[]): string[] {
  const open: ('block' | 'frame')[] = [];
  const plain: string[] = [];
  let number: number | undefined;
  for (const statement of statements) {
    const [isMessage, from = '', arrow = '', to = '', text = ''] = MESSAGE.exec(statement) ?? [];
    if (isMessage !== undefined) {
      const label = [
        number === undefined ? '' : `${number}.`,
        text.trim(),
        arrow.endsWith('x') ? '×' : '',
      ];
      plain.push(`${from}${arrow.replace('x', '>>')}${to}: ${label.filter(Boolean).join(' ')}`);
      number = number === undefined ? undefined : number + 1;
    } else if (/^autonumber\b/.test(statement)) {
      number = 1;
    } else if (FRAMES.test(statement)) {
      open.push('frame');
    } else if (OPENS.test(statement)) {
      open.push('block');
      plain.push(statement);
    } else if (statement === 'end') {
      const closed = open.pop();
      if (closed === undefined) throw new DiagramError('there is nothing to end');
      if (closed === 'block') plain.push(statement);
    } else if (CONTINUES.test(statement) || NOTE.test(statement) || PARTICIPANT.test(statement)) {
      plain.push(statement.replace(/^create\s+/, ''));
    } else if (statement !== '' && !IGNORED.test(statement)) {
      throw new DiagramError(`"${statement}" is not understood`);
    }
  }
  if (open.length > 0) throw new DiagramError('a block is not ended');
  return plain;
}
