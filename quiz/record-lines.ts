import { isUtf8 } from 'node:buffer';

/** What the lines of a file hold, and the lines that could not be read as a whole. */
export interface RecordLines<Found> {
  readonly found: readonly Found[];
  /** 1-based lines. */
  readonly damage: readonly { readonly line: number; readonly reason: string }[];
}

/**
 * Reads a file of JSON records, one on each line, whatever became of it: a damaged line costs itself only, and a
 * record that shares its line with another, or with a torn one, is found all the same.
 * @param parse the record, or a sentence on why there is none
 */
export function readRecordLines<Found extends object>(
  bytes: Buffer,
  parse: (text: string) => Found | string,
): RecordLines<Found> {
  const found: Found[] = [];
  const damage: { line: number; reason: string }[] = [];
  for (const [index, line] of piecesOf(bytes, '\n', 'after').entries()) {
    const whole = parsePiece(line, parse);
    if (typeof whole === 'object') found.push(whole);
    if (typeof whole !== 'string') continue;
    // Within a text of JSON a quote is escaped: these two characters only ever begin a record.
    const pieces = piecesOf(line, '{"', 'before').map((piece) => parsePiece(piece, parse));
    found.push(...pieces.filter((piece) => typeof piece === 'object'));
    if (pieces.some((piece) => typeof piece === 'string')) {
      damage.push({ line: index + 1, reason: whole });
    }
  }
  return { found, damage };
}

/** Cut before decoding: what is not UTF-8 must not spoil its neighbours. */
function piecesOf(bytes: Buffer, mark: string, cut: 'before' | 'after'): Buffer[] {
  const pieces: Buffer[] = [];
  let start = 0;
  const from = cut === 'before' ? 1 : 0;
  for (let at = bytes.indexOf(mark, from); at !== -1; at = bytes.indexOf(mark, at + 1)) {
    const end = cut === 'before' ? at : at + mark.length;
    pieces.push(bytes.subarray(start, end));
    start = end;
  }
  return [...pieces, bytes.subarray(start)];
}

/** Undefined for what has no text, which is nobody's record and no damage either. */
function parsePiece<Found extends object>(
  bytes: Buffer,
  parse: (text: string) => Found | string,
): Found | string | undefined {
  if (!isUtf8(bytes)) return 'This line is damaged (not UTF-8).';
  // This takes the mark that some editors put at the beginning of a file as well.
  const text = bytes.toString('utf8').trim();
  return text === '' ? undefined : parse(text);
}
