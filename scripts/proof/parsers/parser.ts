import type fc from 'fast-check';
import type { Problem } from '../../../quiz/problem.ts';
import type { Catalog } from '../../content/catalog.ts';

/** Something of the kit that reads what people write. */
export interface Parser {
  /** What it is called on the command line. */
  readonly name: string;
  /** One line: what is read, and what is done with it afterwards. */
  readonly title: string;
  open(bench: Bench): Promise<OpenParser>;
}

interface Bench {
  /** The kit that real texts come from. */
  readonly catalog: Catalog;
  /** Root of a small kit of our own, where whole commands are quick. */
  readonly miniature: string;
  /** A folder that may be written to. */
  readonly scratch: string;
}

interface OpenParser {
  readonly texts: fc.Arbitrary<string>;
  /** Reads a text as the kit would. Throws for what must not be: KitErrors are told apart by the caller. */
  read(text: string): unknown;
}

/** Throws when a problem does not say what is wrong and where. */
export function expectUsable(problems: readonly Problem[], text: string, firstLine = 1): void {
  const lines = text.split(/\r\n|\r|\n/).length;
  for (const { file, line, message } of problems) {
    if (file === '' || message.trim() === '') throw new Error('a problem without file or message');
    if (line === undefined) continue;
    if (!Number.isInteger(line) || line < firstLine || line > lines + 1) {
      throw new Error(`a problem on line ${line} of ${lines}: ${message}`);
    }
  }
}
