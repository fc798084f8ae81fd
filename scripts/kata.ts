import { type Journal, openJournal } from '../quiz/journal.ts';
import { KitError } from '../quiz/problem.ts';
import { type Catalog, findBySlug, type Kata, loadCatalog } from './content/catalog.ts';
import type { Command, Invocation } from './command.ts';
import { kataLines } from './loop/kata-list.ts';
import { kataToGoOnWith } from './readiness.ts';
import type { Terminal } from './loop/screen.ts';
import { readTimeout } from './read-timeout.ts';
import { columns, isInteractive } from './terminal.ts';

export const kataCommand: Command = {
  name: 'kata',
  summary: 'build: the guided loop around one kata',
  help: `Usage: npm run kata [-- slug] [--once] [--manual] [--timeout SECONDS] [--list]

Watches your answer, runs its spec on every save, and shows the first test that
fails in the first level that fails. Keys for hints, the lesson, the brief, the
solution and more are on the screen. Without a slug it goes on with the kata
that you began last, or else with the first that is not solved.

  --once             run the spec once: ends with 0 when the kata is solved, with
                     1 when not; without a terminal it is always so
  --manual           do not watch for saves: r runs the spec
  --timeout SECONDS  how long your code may take, 10 if not given
  --list             choose among all katas; without a terminal, list them

Where saves are not noticed (network drives, some containers), set
CHOKIDAR_USEPOLLING=1, or use --manual.

A solved kata comes back, to be solved again from blank: soon when you had seen
the solution, a little sooner when you took hints, later each time it is solved.`,
  options: {
    once: { type: 'boolean' },
    manual: { type: 'boolean' },
    timeout: { type: 'string' },
    list: { type: 'boolean' },
  },
  run: (invocation) =>
    practise(invocation, {
      print: (text) => console.log(text),
      terminal: isInteractive() ? { input: process.stdin, output: process.stdout } : undefined,
      now: () => new Date(),
    }),
};

export interface Surroundings {
  readonly print: (text: string) => void;
  /** Undefined when nobody sits at one. */
  readonly terminal: Terminal | undefined;
  readonly now: () => Date;
}

export async function practise(
  { root, home, flags, words }: Invocation,
  { print, terminal, now }: Surroundings,
): Promise<number> {
  const timeoutMs = readTimeout(flags['timeout']);
  const catalog = await loadCatalog(root);
  const journal = openJournal(home, { now: now() });
  const kata = flags['list'] === true ? undefined : chosen(words, catalog, journal);
  if (terminal !== undefined && flags['once'] !== true) {
    const manual = flags['manual'] === true;
    const { runLoop } = await import('./loop/kata-loop.ts');
    return runLoop(kata, { catalog, home, journal, terminal, now, timeoutMs, manual });
  }

  if (kata === undefined) {
    const lines = kataLines(catalog.katas, journal.progress, now());
    print([...lines, '', 'Build one: npm run kata -- slug'].join('\n'));
    return 0;
  }
  const { createSpecRunner } = await import('./runner/spec-runner.ts');
  const { runOnce } = await import('./loop/kata-once.ts');
  const runner = createSpecRunner({ root, timeoutMs });
  try {
    const tools = { root, home, journal, runner, now, columns: columns() };
    const { report, solved } = await runOnce(kata, tools);
    print(report);
    return solved ? 0 : 1;
  } finally {
    await runner.close();
  }
}

/** Undefined when none was named and all are solved. */
function chosen(
  [slug, ...more]: readonly string[],
  { katas }: Catalog,
  { progress }: Journal,
): Kata | undefined {
  if (more.length > 0) {
    throw new KitError('Name one kata, or none to go on with the last.', { exitCode: 2 });
  }
  if (katas.length === 0) {
    throw new KitError('There are no katas here yet: npm run new -- kata <slug> begins one.');
  }
  return slug === undefined
    ? kataToGoOnWith(katas, progress.entries)
    : findBySlug('kata', slug, katas);
}
