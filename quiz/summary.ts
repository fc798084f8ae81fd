import { count } from './count.ts';
import { dayInWords, dayNumber } from './day.ts';
import type { Card } from './deck.ts';
import { isDue, type Memory } from './schedule.ts';
import { dueCards, freshCards, type Named, type Session } from './session.ts';

/** How a sitting went, and what comes next. */
export interface Summary {
  readonly answered: number;
  readonly held: number;
  readonly missed: readonly { readonly card: Card; readonly due: Date }[];
  /** What could be asked right away. */
  readonly waiting: { readonly due: number; readonly fresh: number };
  /** The next day on which a card comes due, and how many do. */
  readonly next?: { readonly due: Date; readonly cards: number };
  /** Slugs of the katas that should be solved again. */
  readonly katas: readonly string[];
}

export interface Standing {
  readonly decks: readonly Named[];
  /** Slugs of the katas there are. */
  readonly katas: readonly string[];
  readonly memories: ReadonlyMap<string, Memory>;
  readonly now: Date;
}

export function summarize(session: Session, { decks, katas, memories, now }: Standing): Summary {
  const missed = session.answers.filter(({ grade }) => grade === 'again');
  const next = nextDay(decks, memories, now);
  return {
    answered: session.answers.length,
    held: session.answers.length - missed.length,
    missed: missed.map(({ card }) => ({ card, due: memories.get(card.item)?.due ?? now })),
    waiting: {
      due: dueCards(decks, memories, now).length,
      fresh: freshCards(decks, memories).length,
    },
    ...(next && { next }),
    katas: katas.filter((slug) => isDue(memories.get(`kata:${slug}`), now)),
  };
}

/** The summary as Markdown. `command` starts another sitting like this one. */
export function describeSummary(summary: Summary, command: string, now: Date): string {
  const { answered, held, missed, waiting, next, katas } = summary;
  return [
    answered > 0 &&
      `**${count(answered, 'card')} answered: ${held} held, ${missed.length} did not.**`,
    missed
      .map(({ card, due }) => `- \`${card.deck}/${card.id}\` comes back ${dayInWords(due, now)}`)
      .join('\n'),
    waitingInWords(waiting, command),
    waiting.due === 0 &&
      next &&
      `Next due: ${count(next.cards, 'card')} ${dayInWords(next.due, now)}.`,
    ...katas.map((slug) => `Kata due, to be solved again: \`npm run kata -- ${slug}\`.`),
  ]
    .filter((paragraph) => typeof paragraph === 'string' && paragraph !== '')
    .join('\n\n');
}

function waitingInWords({ due, fresh }: Summary['waiting'], command: string): string {
  const kinds = [due > 0 && `${count(due, 'card')} due`, fresh > 0 && `${fresh} new`];
  const waiting = kinds.filter((kind) => kind !== false).join(' and ');
  return waiting === ''
    ? 'Nothing is due, and nothing is new.'
    : `Waiting: ${waiting} (\`${command}\`).`;
}

function nextDay(
  decks: readonly Named[],
  memories: ReadonlyMap<string, Memory>,
  now: Date,
): Summary['next'] {
  const later = decks
    .flatMap((deck) => deck.cards.flatMap((card) => memories.get(card.item)?.due ?? []))
    .filter((due) => dayNumber(due) > dayNumber(now))
    .toSorted((one, other) => one.getTime() - other.getTime());
  const [due] = later;
  if (due === undefined) return undefined;
  return { due, cards: later.filter((other) => dayNumber(other) === dayNumber(due)).length };
}
