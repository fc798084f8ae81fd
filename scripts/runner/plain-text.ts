import { stripVTControlCharacters } from 'node:util';

/** Text of a candidate or a tool without anything that could colour, clear or move: only its lines are left. */
export function plainText(text: string): string {
  return (
    stripVTControlCharacters(text)
      // oxlint-disable-next-line no-control-regex -- those are what it is about
      .replace(/[\u0000-\u0008\u000B-\u001F\u007F]/g, '')
  );
}
