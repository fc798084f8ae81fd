import type { Asker } from '../quiz/asker.ts';
import { isInteractive } from './terminal.ts';

/** Where a command asks, and what it is told. */
export interface Conversation {
  readonly input: NodeJS.ReadableStream;
  readonly print: (text: string) => void;
  /** Someone sits at a terminal: ask with keys rather than line by line. */
  readonly hasTerminal: boolean;
  readonly now: () => Date;
}

/** With whoever started the command. */
export function withLearner(): Conversation {
  return {
    input: process.stdin,
    print: (text) => console.log(text),
    hasTerminal: isInteractive(),
    now: () => new Date(),
  };
}

/** Loads only the one that is wanted. To be closed at the end. */
export async function askerFor({ hasTerminal, input, print }: Conversation): Promise<Asker> {
  return hasTerminal
    ? (await import('../quiz/prompts.ts')).terminalAsker({ rows: process.stdout.rows })
    : (await import('../quiz/line-asker.ts')).lineAsker(input, print);
}
