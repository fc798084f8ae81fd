import { plainText } from './plain-text.ts';
import { shownPath, type SpecFiles, specChanged } from './spec-files.ts';
import type { Broken, Place } from './verdict.ts';

/**
 * That the candidate does not parse, with the place and the line itself.
 * @param error as Vite throws it
 * @param text the candidate
 */
export function parseFailure(error: unknown, text: string, files: SpecFiles): Broken {
  const { message, at } = parseError(error);
  const place = at ? `, line ${at.line}: ${message}\n${excerpt(text, at)}` : `: ${message}`;
  return {
    kind: 'broken',
    reason: 'syntax',
    message: `${shownPath(files.answer, files)} is not valid TypeScript${place}`,
    ...(at && { at }),
  };
}

/** That the spec itself does not parse, or is not there. */
export function specParseFailure(error: unknown, files: SpecFiles): Broken {
  const { message, at } = parseError(error);
  const why = at ? `does not parse, line ${at.line}: ${message}` : 'is missing or cannot be read';
  return specChanged(why, files);
}

interface ReportedError {
  readonly message?: unknown;
  /** The column is counted from 0. */
  readonly loc?: { readonly line?: unknown; readonly column?: unknown };
  readonly errors?: readonly ReportedError[];
}

/** What Vite says in one line, and where; any other error has no place. */
function parseError(error: unknown): { message: string; at: Place | undefined } {
  const reported: ReportedError = typeof error === 'object' && error !== null ? error : {};
  const first = reported.errors?.[0] ?? reported;
  const [message = ''] = plainText(String(first.message ?? error))
    .replace(/^Parse failure: .*\n/, '')
    .split('\n');
  const { line, column } = first.loc ?? {};
  return {
    message: message.replace('[PARSE_ERROR] ', '').replace(/\.$/, ''),
    at:
      typeof line === 'number' && typeof column === 'number'
        ? { line, column: column + 1 }
        : undefined,
  };
}

/** The line of a place, with a mark under its column; cut around it where the line is long. */
function excerpt(text: string, { line, column }: Place): string {
  const code = plainText((text.split('\n')[line - 1] ?? '').replaceAll('\t', ' '));
  const from = Math.max(0, column - 50);
  return `  ${code.slice(from, from + 72)}\n  ${' '.repeat(column - 1 - from)}^`;
}
