import { readJournal } from '../quiz/journal.ts';
import { aligned } from './columns.ts';
import type { Command, Invocation } from './command.ts';
import type { DayStats, Held, KataStats, Stats, TopicStats } from './stats-figures.ts';

export const statsCommand: Command = {
  name: 'stats',
  summary: 'what you have learned so far, in numbers',
  help: `Usage: npm run stats [-- --json]

How many cards came to mind, against the target and by topic; reviews a day;
katas with the time to green of the first and the last attempt; topics that get
mixed up; what will be due.

  --json   the same figures for a program`,
  options: { json: { type: 'boolean' } },
  run: (invocation) => stats(invocation, { print: (text) => console.log(text), now: new Date() }),
};

export interface Surroundings {
  readonly print: (text: string) => void;
  readonly now: Date;
}

export async function stats(
  { root, home, flags }: Invocation,
  { print, now }: Surroundings,
): Promise<number> {
  const { entries } = readJournal(home, now);
  const { loadCatalog } = await import('./content/catalog.ts');
  const { askedCards } = await import('./asked-cards.ts');
  const { statsOf } = await import('./stats-figures.ts');
  const { replay, targetRetention } = await import('../quiz/schedule.ts');
  const { currentPlan } = await import('../quiz/interview-plan.ts');
  const { dayNumber } = await import('../quiz/day.ts');
  const { lessons, decks } = await loadCatalog(root);
  const cards = askedCards(decks, entries);
  const titles = new Map(lessons.map(({ slug, title }) => [slug, title]));
  const plan = currentPlan(entries, now);
  const figures = statsOf({
    entries,
    memories: replay(entries, plan?.day),
    target: targetRetention(plan ? plan.day - dayNumber(now) : Infinity),
    decks: [...cards].map(([slug, ids]) => ({
      slug,
      title: titles.get(slug) ?? slug,
      cards: ids,
    })),
    now,
  });
  if (flags['json'] === true) print(JSON.stringify(figures, null, 2));
  else for (const line of inWords(figures)) print(line);
  return 0;
}

function inWords(figures: Stats): string[] {
  const { target, ever, lately, topics, days, katas, confused, due } = figures;
  if (ever.asked === 0 && topics.every(({ seen }) => seen === 0) && katas.length === 0) {
    return ['Nothing to count yet. Begin with npm start.'];
  }
  const titleOf = (slug: string) => topics.find((topic) => topic.slug === slug)?.title ?? slug;
  return [
    `Cards that came to mind again: ${share(lately)} in 30 days, ${share(ever)} ever.`,
    `The target is ${percent(target)}.`,
    '',
    ...section('By topic', topicRows(topics)),
    ...section('Reviews a day', dayRows(days)),
    ...section('Katas solved', kataRows(katas)),
    ...(confused.length > 0
      ? ['Often missed, and easily mixed up:']
          .concat(confused.map(([a, b]) => `  ${titleOf(a)} and ${titleOf(b)}`))
          .concat('')
      : []),
    ...section('Due', [['day', 'cards'], ...due.map(({ day, cards }) => [day, String(cards)])]),
  ];
}

function section(title: string, rows: readonly (readonly string[])[]): string[] {
  if (rows.length < 2) return [];
  return [title, ...aligned(rows).map((row) => `  ${row}`.trimEnd()), ''];
}

function topicRows(topics: readonly TopicStats[]): string[][] {
  const begun = topics.filter(({ seen }) => seen > 0);
  return [
    ['topic', 'seen', 'held in 30 days'],
    ...begun.map(({ title, seen, cards, lately }) => [title, `${seen} of ${cards}`, share(lately)]),
  ];
}

const WIDEST_BAR = 40;

/** The bar says the same as the numbers beside it. */
function dayRows(days: readonly DayStats[]): string[][] {
  const most = Math.max(1, ...days.map(({ asked }) => asked));
  return [
    ['day', 'cards', 'held', ''],
    ...days.map(({ day, asked, held }) => [
      day,
      String(asked),
      String(held),
      '█'.repeat(Math.round((asked / most) * WIDEST_BAR)),
    ]),
  ];
}

function kataRows(katas: readonly KataStats[]): string[][] {
  return [
    ['kata', 'solved', 'first', 'last'],
    ...katas.map(({ slug, solved, firstMinutes, lastMinutes }) => [
      slug,
      `${solved} ×`,
      `${firstMinutes} min`,
      `${lastMinutes} min`,
    ]),
  ];
}

function share({ asked, held }: Held): string {
  return asked === 0 ? '–' : `${percent(held / asked)} of ${asked}`;
}

function percent(part: number): string {
  return `${Math.round(100 * part)} %`;
}
