import { dateInWords, dayInWords, dayNumber, isoDay, readDay, startOfDay } from '../quiz/day.ts';
import { count } from '../quiz/count.ts';
import type { Asker } from '../quiz/asker.ts';
import {
  currentPlan,
  type InterviewPlan,
  MOST_DAYS_AHEAD,
  pastPlan,
} from '../quiz/interview-plan.ts';
import { type Journal, openJournal } from '../quiz/journal.ts';
import { KitError } from '../quiz/problem.ts';
import type { Command, Invocation } from './command.ts';
import { askedHow, loadCatalog } from './content/catalog.ts';
import type { Day, DayPlan, Part } from './day-plan.ts';
import { askerFor, type Conversation, withLearner } from './conversation.ts';
import { columns } from './terminal.ts';

export const planCommand: Command = {
  name: 'plan',
  summary: 'plan the days until the interview',
  help: `Usage: npm run plan [-- --interview 2026-12-05] [--minutes 30] [--none]

Says what to do on which day until the interview: cards that are due, lessons
to read, katas to build, and mock interviews in the last days; what does not
fit, and what to drop first. Made anew from what you have done each time, so a
day that was missed is made up for.

  --interview  the day of the interview; kept, so give it once
  --minutes    minutes a day; 30 when you do not say
  --none       there is no interview any more

As the day comes nearer, cards come back sooner; none is put off beyond it.
Afterwards this asks how it went.`,
  options: {
    interview: { type: 'string' },
    minutes: { type: 'string' },
    none: { type: 'boolean' },
  },
  run: (invocation) => plan(invocation, withLearner()),
};

export async function plan(
  { root, home, words, flags }: Invocation,
  conversation: Conversation,
): Promise<number> {
  const { print } = conversation;
  const now = conversation.now();
  if (words.length > 0) {
    throw new KitError('Write the day after --interview: npm run plan -- --interview 2026-12-05', {
      exitCode: 2,
    });
  }
  const wanted = wantedPlan(flags, now);
  const journal = openJournal(home, { now });
  if (wanted !== undefined) record(wanted, journal, now);
  const over = pastPlan(journal.progress.entries, now);
  if (over !== undefined) {
    const asker = await askerFor(conversation);
    await debrief(over, journal, asker, print, now).finally(() => asker.close());
    return 0;
  }
  const current = currentPlan(journal.progress.entries, now);
  if (current === undefined) {
    print('No interview is planned: cards come back when you are about to forget them.');
    print('Plan one: npm run plan -- --interview 2026-12-05 --minutes 30');
    return 0;
  }
  const { entries, recall } = journal.progress;
  const { askedCards } = await import('./asked-cards.ts');
  const { interviewsToHold } = await import('./rehearsals.ts');
  const { daysUntil } = await import('./outlook.ts');
  const { memoriesOf } = await import('../quiz/schedule.ts');
  const { lessons, katas, decks } = await loadCatalog(root);
  const cards = askedCards(decks, entries);
  const kit = { lessons, katas, cards, interviews: await interviewsToHold({ root, home }) };
  const days = daysUntil(current, kit, { entries, memories: memoriesOf(recall, current.day) }, now);
  for (const line of await report(current, days, now)) print(line);
  return 0;
}

type Wanted = { readonly day?: number; readonly minutes?: number } | 'none';

/** What the flags ask for. Throws a KitError when that cannot be. */
function wantedPlan(flags: Invocation['flags'], now: Date): Wanted | undefined {
  const { interview, minutes, none } = flags;
  if (none === true) return 'none';
  if (interview === undefined && minutes === undefined) return undefined;
  const wrong = (message: string) => new KitError(message, { exitCode: 2 });
  const day = typeof interview === 'string' ? readDay(interview) : undefined;
  if (interview !== undefined && day === undefined) {
    throw wrong(`--interview is no day: ${String(interview)}. Write it as 2026-12-05.`);
  }
  if (day !== undefined && day < dayNumber(now)) {
    throw wrong(
      `--interview is in the past: ${String(interview)}. Today is ${isoDay(dayNumber(now))}.`,
    );
  }
  if (day !== undefined && day > dayNumber(now) + MOST_DAYS_AHEAD) {
    throw wrong(
      `--interview is more than two years away: ${String(interview)}. Is the year right?`,
    );
  }
  const number = minutes === undefined ? undefined : Number(minutes);
  if (number !== undefined && !(Number.isInteger(number) && number >= 5 && number <= 600)) {
    throw wrong(`--minutes must be a whole number from 5 to 600, not ${String(minutes)}.`);
  }
  return { ...(day !== undefined && { day }), ...(number !== undefined && { minutes: number }) };
}

const USUAL_MINUTES = 30;

function record(wanted: Wanted, journal: Journal, now: Date): void {
  if (wanted === 'none') {
    journal.append({ type: 'plan', interview: null, minutes: 0 }, now);
    return;
  }
  const before = currentPlan(journal.progress.entries, now);
  const day = wanted.day ?? before?.day;
  if (day === undefined) {
    throw new KitError('Say the day as well: npm run plan -- --interview 2026-12-05', {
      exitCode: 2,
    });
  }
  const minutes = wanted.minutes ?? before?.minutes ?? USUAL_MINUTES;
  journal.append({ type: 'plan', interview: isoDay(day), minutes }, now);
}

/** Keeps how the interview went, and what was asked; whatever was typed before someone stopped counts. */
async function debrief(
  { day }: InterviewPlan,
  journal: Journal,
  asker: Asker,
  print: (text: string) => void,
  now: Date,
): Promise<void> {
  print(`Your interview was on ${dateInWords(startOfDay(day))}. How did it go?`);
  print('(An empty line ends an answer.)');
  const went: string[] = [];
  const asked: string[] = [];
  const keep = () => journal.append({ type: 'debrief', went: went.join('\n'), asked }, now);
  const reply = await asker.lines((line) => went.push(line));
  if (went.length === 0) {
    print('Nothing was kept. npm run plan asks again; --none ends the plan.');
    return;
  }
  // Before the next question: what has been told is not to be lost with that.
  keep();
  if (reply === 'given') {
    print('What was asked? It helps you with the next one.');
    await asker.lines((line) => asked.push(line));
    if (asked.length > 0) keep();
  }
  print('Kept. From now on cards come back when you are about to forget them.');
  print('The next interview: npm run plan -- --interview 2026-12-05');
}

const MOST_DAYS = 14;

async function report(
  { day, minutes }: InterviewPlan,
  { days, leftOut, unseen }: DayPlan,
  now: Date,
): Promise<string[]> {
  const { default: wrap } = await import('wrap-ansi');
  const inColumns = (text: string, indent: number) =>
    wrap(text, columns() - indent).replaceAll('\n', `\n${' '.repeat(indent)}`);
  const shown = days.slice(0, MOST_DAYS);
  return [
    `Interview ${dayInWords(startOfDay(day), now)}, ${count(minutes, 'minute')} a day until then.`,
    '',
    ...shown.map((each, index) => {
      const date = index === 0 ? 'Today' : dateInWords(startOfDay(each.day));
      return date.padEnd(DATE_WIDTH) + inColumns(dayInWordsOf(each), DATE_WIDTH);
    }),
    ...(days.length > shown.length
      ? [
          `${count(days.length - shown.length, 'more day')} follow; each is planned when it is near.`,
        ]
      : []),
    ...(days.length === 0 ? ['Good luck. Nothing is to be learned today.'] : []),
    '',
    ...leftOutInWords(leftOut, unseen, days.length, minutes).map((line) => inColumns(line, 2)),
  ];
}

const DATE_WIDTH = 'Wed, Dec 31  '.length;

function dayInWordsOf({ parts, due, fresh, minutes }: Day): string {
  const cards = [due > 0 ? count(due, 'due card') : [], fresh > 0 ? count(fresh, 'new card') : []];
  const all = [...cards.flat(), ...parts.map(partInWords)];
  return all.length === 0 ? 'free' : `${all.join(' · ')} (${Math.ceil(minutes)} min)`;
}

const verbs = { learn: 'read', kata: 'build', interview: 'rehearse' } as const;

function partInWords({ task, minutes, goesOn }: Part): string {
  const isPart = goesOn || minutes < task.minutes;
  const piece = isPart ? ` (${Math.round(minutes)} of ${task.minutes} min)` : '';
  return `${verbs[task.kind]} ${task.title}${piece}`;
}

/** What does not fit, honestly, and what of it to drop first. */
function leftOutInWords(
  leftOut: readonly Part[],
  unseen: number,
  days: number,
  minutes: number,
): string[] {
  if (leftOut.length === 0 && unseen === 0) return ['All of it fits.'];
  const needed = leftOut.reduce((sum, part) => sum + part.minutes, 0);
  const hours = (needed / 60).toFixed(1);
  const groups = askedHow.toReversed().flatMap((asked) => {
    const titles = leftOut
      .filter((part) => part.task.asked === asked)
      .map(({ task }) => `${verbs[task.kind]} ${task.title}`);
    return titles.length > 0 ? [`- asked ${asked}: ${titles.join(', ')}`] : [];
  });
  return [
    [
      needed > 0 ? `Does not fit: ${hours} hours.` : [],
      unseen > 0 ? `${count(unseen, 'card')} will not have been asked.` : [],
      needed > 0 && days > 0
        ? `All of it would take ${Math.ceil(minutes + needed / days)} minutes a day.`
        : [],
    ]
      .flat()
      .join(' '),
    ...(groups.length > 0 ? ['Drop first what stands first:', ...groups] : []),
  ];
}
