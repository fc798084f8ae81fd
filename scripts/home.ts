import { readFile } from 'node:fs/promises';
import type { Entry } from '../quiz/entry.ts';
import { type History, readJournal } from '../quiz/journal.ts';
import type { Problem } from '../quiz/problem.ts';
import { cardIds } from './content/card-ids.ts';
import { type DeckFile, loadCatalog } from './content/catalog.ts';
import type { Command } from './command.ts';
import { commands } from './commands.ts';
import { anytime, type NextStep, nextSteps, typed } from './next-steps.ts';
import type { KitPaths } from './paths.ts';
import { kataToGoOnWith, readiness, type Recall, type Topic } from './readiness.ts';
import { isInteractive, style } from './terminal.ts';
import { dueInWords, legend, topicMap } from './topic-map.ts';

export const homeCommand: Command = {
  name: 'home',
  summary: 'where you are, what is due today, and what comes next',
  help: `Usage: npm start

Shows for each topic whether its lesson was read, how many levels of its kata
pass, and how many cards of its deck you still know; then what is due today and
what comes next, as a menu.

Without a terminal it prints the map and the commands that come next.`,
  run: (invocation) =>
    goHome(invocation, {
      print: (text) => console.log(text),
      choose: isInteractive() ? chooseInTerminal : undefined,
      rows: isInteractive() ? process.stdout.rows : undefined,
      follow: (step) => runCommand(step, invocation),
      now: () => new Date(),
    }),
};

export interface Surroundings {
  readonly print: (text: string) => void;
  /** Undefined without a terminal. What it resolves to is undefined when nothing was chosen. */
  readonly choose: ((steps: readonly NextStep[]) => Promise<NextStep | undefined>) | undefined;
  /** How many lines fit on the screen; undefined when all may be printed. */
  readonly rows?: number | undefined;
  readonly follow: (step: NextStep) => Promise<void>;
  readonly now: () => Date;
}

/** Of the menu beside the steps in it: the question, "Leave", and the keys below an empty line. */
const MENU_ROWS = 4;
const FEWEST_TOPICS = 4;

/** Shows the map again after each thing done, until nothing is chosen. */
export async function goHome(
  paths: KitPaths,
  { print, choose, rows = Infinity, follow, now }: Surroundings,
): Promise<number> {
  for (;;) {
    const { history, topics, steps } = await whereYouAre(paths, now());
    const choices = [...steps, ...anytime];
    for (const line of mapOf(history, topics, rows - MENU_ROWS - choices.length)) print(line);
    if (choose === undefined) {
      for (const line of commandsFor(choices)) print(line);
      return 0;
    }
    const step = await choose(choices);
    if (step === undefined) return 0;
    await follow(step);
  }
}

async function whereYouAre({ root, home }: KitPaths, now: Date) {
  const history = readJournal(home);
  const { entries } = history;
  const { lessons, katas, decks } = await loadCatalog(root);
  const [cards, recall] = await Promise.all([cardsOf(decks), recallOf(entries, now)]);
  const topics = readiness({ lessons, katas, cards, entries, recall });
  return { history, topics, steps: nextSteps(topics, kataToGoOnWith(katas, entries)?.slug) };
}

async function cardsOf(decks: readonly DeckFile[]): Promise<Map<string, string[]>> {
  return new Map(
    await Promise.all(
      decks.map(async ({ slug, file }) => [slug, cardIds(await readFile(file, 'utf8'))] as const),
    ),
  );
}

/** The scheduler is loaded only when there is something to schedule. */
async function recallOf(entries: readonly Entry[], now: Date): Promise<Map<string, Recall>> {
  if (!entries.some(({ type }) => type === 'review')) return new Map();
  const { isDue, replay } = await import('../quiz/schedule.ts');
  return new Map(
    [...replay(entries)].map(([item, memory]) => [item, isDue(memory, now) ? 'due' : 'holds']),
  );
}

function mapOf({ entries, problems }: History, topics: readonly Topic[], rows: number): string[] {
  const isFirstStart = entries.length === 0 && problems.length === 0;
  const above = ['', ...(isFirstStart ? welcome : [style('bold', 'Half-Open')]), ''];
  const below = [style('dim', legend), '', dueInWords(topics), ...damage(problems), ''];
  const left = rows - above.length - below.length;
  return [...above, ...topicMap(topics, Math.max(FEWEST_TOPICS, left)), ...below];
}

const welcome = [
  `${style('bold', 'Half-Open')} gets you ready for interviews on microservices and resilience.`,
  'For each topic: read the lesson, build the kata, defend it in the quiz.',
  'A day: first what is due, so that nothing is forgotten; then one new thing.',
];

/** One line, however many lines of the journal are damaged. */
function damage(problems: readonly Problem[]): string[] {
  const [first] = problems;
  if (first === undefined) return [];
  if (first.line === undefined) return [`${first.file}: ${first.message}`];
  const lines = problems.map(({ line }) => line).join(', ');
  const which = problems.length === 1 ? `line ${lines}` : `lines ${lines}`;
  return [`${first.file}: ${which} cannot be read and does not count; the rest does.`];
}

function commandsFor(steps: readonly NextStep[]): string[] {
  const width = Math.max(...steps.map((step) => typed(step).length));
  return [
    'What comes next:',
    ...steps.map((step) => `  ${typed(step).padEnd(width)}   ${step.label}`),
  ];
}

async function chooseInTerminal(steps: readonly NextStep[]): Promise<NextStep | undefined> {
  const { choose } = await import('./menu.ts');
  const choices = steps.map((step) => ({ label: step.label, value: step }));
  return choose('What now?', [...choices, { label: 'Leave', value: undefined }]);
}

async function runCommand({ command, slug, list }: NextStep, paths: KitPaths): Promise<void> {
  const { [command]: load } = commands;
  await (await load()).run({ ...paths, words: slug === undefined ? [] : [slug], flags: { list } });
}
