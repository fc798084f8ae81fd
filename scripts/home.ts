import { dayInWords, hasCome, startOfDay } from '../quiz/day.ts';
import { currentPlan, type InterviewPlan, pastPlan } from '../quiz/interview-plan.ts';
import { readProgress } from '../quiz/journal.ts';
import type { Problem } from '../quiz/problem.ts';
import { memoriesOf } from '../quiz/schedule.ts';
import { askedCards } from './asked-cards.ts';
import { loadCatalog } from './content/catalog.ts';
import type { Command } from './command.ts';
import { commands } from './commands.ts';
import type { Part } from './day-plan.ts';
import {
  anytime,
  debriefStep,
  type NextStep,
  nextSteps,
  todaysSteps,
  typed,
} from './next-steps.ts';
import type { Kit, Learner } from './outlook.ts';
import type { KitPaths } from './paths.ts';
import { kataToGoOnWith, readiness, type Topic } from './readiness.ts';
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
    const place = await whereYouAre(paths, now());
    const choices = [...place.steps, ...anytime];
    for (const line of mapOf(place, rows - MENU_ROWS - choices.length, now())) print(line);
    if (choose === undefined) {
      for (const line of commandsFor(choices)) print(line);
      return 0;
    }
    const step = await choose(choices);
    if (step === undefined) return 0;
    await follow(step);
  }
}

interface Whereabouts {
  readonly isFirstStart: boolean;
  readonly problems: readonly Problem[];
  readonly topics: readonly Topic[];
  readonly steps: readonly NextStep[];
  readonly plan: InterviewPlan | undefined;
}

async function whereYouAre(paths: KitPaths, now: Date): Promise<Whereabouts> {
  const { entries, recall, lastAt, problems } = readProgress(paths.home, now);
  const plan = currentPlan(entries, now);
  const { lessons, katas, decks } = await loadCatalog(paths.root);
  const cards = askedCards(decks, entries);
  const memories = memoriesOf(recall, plan?.day);
  const holds = new Map(
    [...memories].map(([item, { due }]) => [item, hasCome(due, now) ? 'due' : 'holds'] as const),
  );
  const topics = readiness({ lessons, katas, cards, entries, recall: holds });
  const usual = nextSteps(topics, kataToGoOnWith(katas, entries)?.slug);
  const kit = { lessons, katas, cards };
  const parts = plan ? await partsOfToday(plan, paths, kit, { entries, memories }, now) : [];
  const planned = plan ? todaysSteps(topics, parts) : [];
  const told = pastPlan(entries, now) ? [debriefStep] : [];
  const isFirstStart = lastAt === undefined && problems.length === 0;
  const steps = [...told, ...(planned.length > 0 ? planned : usual)];
  return { isFirstStart, problems, topics, plan, steps };
}

async function partsOfToday(
  plan: InterviewPlan,
  paths: KitPaths,
  kit: Omit<Kit, 'interviews'>,
  learner: Learner,
  now: Date,
): Promise<readonly Part[]> {
  const { interviewsToHold } = await import('./rehearsals.ts');
  const { daysUntil } = await import('./outlook.ts');
  const interviews = await interviewsToHold(paths);
  return daysUntil(plan, { ...kit, interviews }, learner, now).days[0]?.parts ?? [];
}

function mapOf(
  { isFirstStart, problems, topics, plan }: Whereabouts,
  rows: number,
  now: Date,
): string[] {
  const above = ['', ...(isFirstStart ? welcome : [style('bold', 'Half-Open')]), ''];
  const below = [
    style('dim', legend),
    '',
    planInWords(plan, now) + dueInWords(topics),
    ...damage(problems),
    '',
  ];
  const left = rows - above.length - below.length;
  return [...above, ...topicMap(topics, Math.max(FEWEST_TOPICS, left)), ...below];
}

function planInWords(plan: InterviewPlan | undefined, now: Date): string {
  return plan === undefined ? '' : `Interview ${dayInWords(startOfDay(plan.day), now)}. `;
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
