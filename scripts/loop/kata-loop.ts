import type { Journal } from '../../quiz/journal.ts';
import type { Catalog, Kata } from '../content/catalog.ts';
import { createRooms, pickKata } from './rooms.ts';
import type { Terminal } from './screen.ts';
import { createSpecRunner } from '../runner/spec-runner.ts';
import { awaitTermination } from './termination.ts';
import { watchKatas } from './watch.ts';

export interface KataLoop {
  readonly catalog: Catalog;
  readonly home: string;
  readonly journal: Journal;
  readonly terminal: Terminal;
  readonly now: () => Date;
  readonly timeoutMs: number;
  readonly manual: boolean;
}

/**
 * The guided loop in a real terminal, with everything that it starts taken down again however it ends.
 * @param wanted undefined: let the learner pick
 * @returns the exit code: 0, or what a signal asks for
 */
export async function runLoop(wanted: Kata | undefined, tools: KataLoop): Promise<number> {
  const { root } = tools.catalog;
  const { timeoutMs } = tools;
  const termination = awaitTermination();
  const { signal } = termination;
  const createRunner = () => createSpecRunner({ root, timeoutMs });
  const inTerminal = { ...tools, signal };
  try {
    const kata = wanted ?? (await pickKata(inTerminal));
    if (kata === undefined) return termination.exitCode();
    const runner = createRunner();
    try {
      const rooms = createRooms(inTerminal);
      await watchKatas(kata, { ...inTerminal, root, runner, createRunner, rooms });
    } finally {
      await runner.close();
    }
    return termination.exitCode();
  } finally {
    // Whatever was just about to open, and would wait for keys, must not keep the process.
    if (signal.aborted) tools.terminal.input.destroy?.();
    termination.ignore();
  }
}
