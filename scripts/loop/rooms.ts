import { relative } from 'node:path';
import type { Journal } from '../../quiz/journal.ts';
import { resetAnswer } from '../content/attempts.ts';
import type { Catalog, Kata } from '../content/catalog.ts';
import { kataLines } from './kata-list.ts';
import { renderMarkdown } from '../reader/markdown.ts';
import { choose } from '../menu.ts';
import { showInPager } from '../reader/pager.ts';
import { kataToGoOnWith } from '../readiness.ts';
import type { Terminal } from './screen.ts';
import { showLesson, showText } from '../reader/show-lesson.ts';
import { harmless, wrap } from './text-block.ts';
import { USUAL_SIGHT } from '../see/picture.ts';
import { solutionPage } from './solution-page.ts';
import type { Rooms } from './watch.ts';

export interface RoomsTools {
  readonly catalog: Catalog;
  readonly home: string;
  readonly journal: Journal;
  readonly terminal: Terminal;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

/** What the guided loop opens besides itself, in a real terminal. */
export function createRooms(tools: RoomsTools): Rooms {
  const { catalog, home, journal, terminal, now } = tools;
  const { root, katas } = catalog;
  return {
    brief: (kata) => showText(`${kata.title} · brief`, kata.brief, terminal),
    async lesson(kata) {
      const lesson = catalog.lessons.find(({ slug }) => slug === kata.lesson);
      if (lesson === undefined) return [`There is no lesson ${kata.lesson} yet.`];
      return showLesson(lesson, { home, now: now(), terminal });
    },
    solution: async (kata) =>
      showText(`${kata.title} · solution`, await solutionPage(kata, root), terminal),
    async text(title, textFor) {
      const render = async (columns: number) => ({
        lines: (await textFor(columns)).split('\n'),
        blocks: [],
        headings: [],
      });
      await showInPager({ title, render }, terminal);
    },
    async see({ slug, title }, runner) {
      const [{ look }, { pageOf }] = await Promise.all([
        import('../see/look.ts'),
        import('../see/page.ts'),
      ]);
      terminal.output.write('Your code is on its way through the outage…\n');
      const { pictures, trouble } = await look({ slug }, USUAL_SIGHT, runner);
      const render = async (columns: number) => ({
        lines: [
          ...trouble.flatMap((sentence) => [...wrap(harmless(sentence), columns), '']),
          ...pictures.flatMap((picture) => [...pageOf(picture, columns), '']),
        ],
        blocks: [],
        headings: [],
      });
      await showInPager({ title: `${title} · your code in the outage`, render }, terminal);
    },
    pick: () => pickKata(tools),
    next: () => kataToGoOnWith(katas, journal.progress.entries),
    async reset(kata) {
      const outcome = await resetAnswer(kata, { home, now: now() });
      const stub = `${relative(root, kata.files.stub)} is the stub again.`;
      return outcome.kind === 'archived'
        ? `${stub} Your answer is in ${relative(root, outcome.copy)}.`
        : stub;
    },
    layOut: (markdown, width) => renderMarkdown(markdown, { width }),
  };
}

/** Undefined when none was picked. */
export function pickKata({
  catalog,
  journal,
  terminal,
  now,
  signal,
}: RoomsTools): Promise<Kata | undefined> {
  const { katas } = catalog;
  const lines = kataLines(katas, journal.progress, now());
  const choices = katas.map((kata, index) => ({ label: lines[index] ?? kata.title, value: kata }));
  return choose('Which kata?', choices, terminal, signal);
}
