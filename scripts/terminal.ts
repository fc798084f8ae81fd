import { isatty } from 'node:tty';
import { styleText } from 'node:util';
import { pathToFileURL } from 'node:url';

type Format = Parameters<typeof styleText>[0];

/** Styled text when standard output shows colours; the text alone for pipes, `NO_COLOR` and `TERM=dumb`. */
export function style(format: Format, text: string): string {
  return hasColour() ? styleText(format, text, { validateStream: false }) : text;
}

export function hasColour(): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  return isatty(1) && TERM !== 'dumb';
}

/** Width to wrap to: the terminal's, 80 where it is not known, and never so wide that prose is hard to read. */
export function columns(): number {
  // Some terminals say 0 when they do not know.
  return Math.min(process.stdout.columns || 80, 100);
}

/** True when someone sits at both ends: keys can be read and the screen redrawn. */
export function isInteractive(): boolean {
  return isatty(0) && isatty(1) && process.env['TERM'] !== 'dumb';
}

/** `text` as a link to a local file (OSC 8) where colour is on; the bare text elsewhere. */
export function fileLink(text: string, file: string): string {
  return hasColour() ? `\u001B]8;;${pathToFileURL(file).href}\u0007${text}\u001B]8;;\u0007` : text;
}
