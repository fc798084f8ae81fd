import { KitError } from '../quiz/problem.ts';
import type { Catalog, Lesson } from './content/catalog.ts';
import type { Command, Invocation } from './command.ts';
import type { Page } from './reader/markdown.ts';
import type { Terminal } from './loop/screen.ts';
import { columns, isInteractive, style } from './terminal.ts';

export const learnCommand: Command = {
  name: 'learn',
  summary: 'read a lesson',
  help: `Usage: npm run learn [-- lesson[#section]]

Lists the lessons, or shows one: by the beginning of its name, or by its number.
With a section, the lesson opens there:
npm run learn -- circuit-breaker#half-open-probes

A lesson counts as read when at least half of it has been on your screen. In the
pager that $PAGER names nobody can see that: there it counts when you leave it.

Without a terminal the text is printed, wrapped to 80 columns (with a section,
that section only), and does not count as read.`,
  run: (invocation) =>
    learn(invocation, {
      print: (text) => console.log(text),
      hasTerminal: isInteractive(),
      now: () => new Date(),
    }),
};

export interface Surroundings {
  readonly print: (text: string) => void;
  /** Someone sits at a terminal: show texts in a pager, and choose from a menu. */
  readonly hasTerminal: boolean;
  readonly now: () => Date;
  /** Instead of the process's own, for tests. */
  readonly terminal?: Terminal;
}

export async function learn(invocation: Invocation, surroundings: Surroundings): Promise<number> {
  const [wanted, ...more] = invocation.words;
  if (more.length > 0)
    throw new KitError('Name one lesson, or none for the list.', { exitCode: 2 });
  const { loadCatalog } = await import('./content/catalog.ts');
  const catalog = await loadCatalog(invocation.root);
  if (wanted !== undefined) {
    const [name = '', anchor] = wanted.split('#', 2);
    await open(await findLesson(name, catalog.lessons), anchor, {
      catalog,
      invocation,
      surroundings,
    });
  } else if (catalog.lessons.length === 0) {
    surroundings.print('There are no lessons here yet: npm run new -- lesson <name> begins one.');
  } else if (surroundings.hasTerminal) {
    await chooseAndOpen({ catalog, invocation, surroundings });
  } else {
    const [first] = catalog.lessons;
    const lines = await listLessons(catalog, invocation.home);
    surroundings.print([...lines, '', `Read one: npm run learn -- ${first?.slug}`].join('\n'));
  }
  return 0;
}

interface Context {
  readonly catalog: Catalog;
  readonly invocation: Invocation;
  readonly surroundings: Surroundings;
}

async function findLesson(name: string, lessons: readonly Lesson[]): Promise<Lesson> {
  const numbered = lessons.find((lesson) => String(lesson.number) === name.replace(/^0+/, ''));
  if (numbered) return numbered;
  const { findBySlug } = await import('./content/catalog.ts');
  return findBySlug('lesson', name, lessons);
}

async function listLessons(catalog: Catalog, home: string): Promise<string[]> {
  const { readProgress } = await import('../quiz/journal.ts');
  const { lessonLines } = await import('./reader/lesson-list.ts');
  return lessonLines(catalog, readProgress(home).entries);
}

async function chooseAndOpen(context: Context): Promise<void> {
  const { catalog, invocation, surroundings } = context;
  const { choose } = await import('./menu.ts');
  let chosen: Lesson | undefined;
  do {
    const lines = await listLessons(catalog, invocation.home);
    const choices = catalog.lessons.map((lesson, at) => ({
      label: lines[at] ?? lesson.title,
      value: lesson,
    }));
    chosen = await choose('Which lesson?', choices, surroundings.terminal);
    if (chosen) await open(chosen, undefined, context);
  } while (chosen);
}

/** Shows the lesson in a pager, or prints it, and says what comes next. */
async function open(
  lesson: Lesson,
  section: string | undefined,
  { catalog, invocation: { home }, surroundings }: Context,
): Promise<void> {
  const { print, hasTerminal, now, terminal } = surroundings;
  const { readLesson, showLesson } = await import('./reader/show-lesson.ts');
  const markdown = await readLesson(lesson);
  const anchor = section === undefined ? undefined : await findAnchor(section, markdown, lesson);
  if (hasTerminal) {
    const sentences = await showLesson(lesson, { home, now: now(), anchor, terminal });
    for (const sentence of sentences) print(sentence);
  } else {
    const { renderPage } = await import('./reader/markdown.ts');
    const page = await renderPage(markdown, { width: columns() });
    print(`${linesFrom(page, anchor).join('\n')}\n`);
  }
  const { readProgress } = await import('../quiz/journal.ts');
  const { standings } = await import('./progress.ts');
  const { nextStep } = await import('./reader/lesson-list.ts');
  const standing = standings(readProgress(home).entries);
  const next = nextStep(lesson.slug, catalog, (kata) => standing.get(kata)?.solved ?? false);
  if (next !== undefined) print(style('bold', next));
}

/** The anchor that is meant: it may be shortened, as a lesson's name may. */
async function findAnchor(section: string, markdown: string, lesson: Lesson): Promise<string> {
  const { anchorsOf } = await import('./content/anchors.ts');
  const anchors = anchorsOf(markdown);
  const wanted = section.toLowerCase();
  if (anchors.includes(wanted)) return wanted;
  const matches = anchors.filter((anchor) => anchor.startsWith(wanted));
  const [only] = matches;
  if (only !== undefined && matches.length === 1) return only;
  const [what, choices] =
    matches.length === 0
      ? [`has no section "${section}". It has`, anchors]
      : [`has several sections that begin with "${section}"`, matches];
  const message = [`The lesson "${lesson.title}" ${what}:`, ...choices].join('\n  ');
  throw new KitError(message, { exitCode: 2 });
}

/** All lines, or those of the section with the sections below it. */
function linesFrom({ lines, headings }: Page, anchor: string | undefined): readonly string[] {
  const start = headings.findIndex((heading) => heading.anchor === anchor);
  const own = headings[start];
  if (!own) return lines;
  const next = headings.find((heading, at) => at > start && heading.depth <= own.depth);
  return lines.slice(own.line, next && next.line - 1);
}
