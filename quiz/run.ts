import { ask, type Outcome, say, type Screen } from './ask.ts';
import type { Asker, Wish } from './asker.ts';
import { furtherReading, heading, opening } from './captions.ts';
import { dayNumber } from './day.ts';
import type { Card, Deck } from './deck.ts';
import { type Entry, type Grade, suspendedItems } from './entry.ts';
import { currentPlan } from './interview-plan.ts';
import type { Journal } from './journal.ts';
import { CARD_SHARE, limitsFor, usualLimits } from './pace.ts';
import { KitError } from './problem.ts';
import { seeded } from './random.ts';
import { memoriesOf } from './schedule.ts';
import {
  answerTurn,
  currentTurn,
  type Named,
  type Plan,
  planSession,
  type Session,
  type Turn,
  withoutCard,
} from './session.ts';
import { planFrom, type Shelf } from './shelf.ts';
import { show, type Showing } from './showing.ts';
import { describeSummary, summarize, type Summary } from './summary.ts';

export interface Quiz extends Screen {
  readonly shelf: Shelf;
  /** Slugs of the katas there are. */
  readonly katas: readonly string[];
  readonly journal: Journal;
  readonly prompts: Asker;
  readonly now: () => Date;
  /** What starts another sitting like this one. */
  readonly command: string;
}

/**
 * One sitting: asks what is due, then what is new, and records each answer at once. Throws a KitError, after
 * the summary, when an answer could not be kept.
 */
export async function runQuiz(quiz: Quiz): Promise<Summary> {
  const { katas, journal, prompts, now, command, shelf, print } = quiz;
  const plan = currentPlan(journal.progress.entries, now());
  const limits = plan ? limitsFor(CARD_SHARE * plan.minutes) : usualLimits;
  const memories = () => memoriesOf(journal.progress.recall, plan?.day);
  const begins: Omit<Plan, 'decks' | 'random'> = {
    memories: memories(),
    begun: readLessons(journal.progress.entries),
    gaps: journal.progress.recall.gaps,
    now: now(),
    limits,
  };
  const start = await planFrom(shelf, (named) => {
    const decks = withoutSuspended(named, journal.progress.entries);
    return planSession({ ...begins, decks, random: seeded(seedOf(now())) });
  });
  for (const line of start.leftOut) print(line);
  const table = { ...quiz, decks: start.decks };
  if (start.session.planned > 0) await say(quiz, opening(start.session, start.decks, prompts));
  const { session, lost } = await sit(start.session, table);
  const summary = summarize(session, {
    decks: withoutSuspended(start.named, journal.progress.entries),
    katas,
    memories: memories(),
    now: now(),
  });
  await say(quiz, describeSummary(summary, command, now()));
  if (lost !== undefined) throw lost;
  return summary;
}

function readLessons(entries: readonly Entry[]): Set<string> {
  return new Set(entries.flatMap((entry) => (entry.type === 'read' ? entry.lesson : [])));
}

function withoutSuspended(decks: readonly Named[], entries: readonly Entry[]): Named[] {
  const suspended = suspendedItems(entries);
  return decks.map((deck) => ({
    ...deck,
    cards: deck.cards.filter(({ item }) => !suspended.has(item)),
  }));
}

/** A quiz, and the decks that are open in it. */
interface Table extends Quiz {
  readonly decks: readonly Deck[];
}

/** A sitting under way, and the answers that can be taken back. */
interface Sitting {
  readonly session: Session;
  readonly before: readonly { readonly session: Session; readonly review: Entry | undefined }[];
  /** Set when an answer could not be kept. */
  readonly lost?: KitError;
}

/** Asks until nothing is left, the learner wants no more, or an answer could not be kept. */
async function sit(start: Session, quiz: Table): Promise<Sitting> {
  let sitting: Sitting = { session: start, before: [] };
  for (;;) {
    const turn = currentTurn(sitting.session);
    if (turn === undefined) return sitting;
    await say(quiz, heading(turn, sitting.session, quiz.decks));
    const showing = show(
      turn.card,
      seeded(`${seedOf(quiz.now())} ${turn.card.item} ${turn.round}`),
    );
    const outcome = await ask(showing, quiz.prompts, quiz);
    if (typeof outcome === 'string') {
      if (outcome === 'stop') return sitting;
      sitting = await grant(outcome, turn.card, sitting, quiz);
    } else {
      sitting = keep(turn, outcome.grade, sitting, quiz);
      if (sitting.lost !== undefined) return sitting;
      const wish = await respond(turn.card, showing, outcome, quiz);
      if (wish === 'stop') return sitting;
      if (wish !== 'given') sitting = await grant(wish, turn.card, sitting, quiz);
    }
  }
}

/** Says what there is to say about an answer; time to read, when it is more than a word. */
async function respond(
  card: Card,
  { explain }: Showing,
  { grade, feedback }: Outcome,
  quiz: Table,
): Promise<'given' | Wish> {
  const more = [explain, grade === 'again' ? furtherReading(card, quiz.decks) : undefined];
  await say(quiz, feedback, ...more);
  return more.some((text) => text !== undefined) ? quiz.prompts.pause() : 'given';
}

async function grant(
  wish: 'undo' | 'suspend',
  card: Card,
  sitting: Sitting,
  quiz: Quiz,
): Promise<Sitting> {
  const { journal, now } = quiz;
  if (wish === 'suspend') {
    journal.append({ type: 'suspend', item: card.item }, now());
    const command = `npm run quiz -- --resume ${card.deck}/${card.id}`;
    await say(quiz, `Suspended. It is asked again after \`${command}\`.`);
    const without = <T extends { readonly session: Session }>(each: T): T => {
      return { ...each, session: withoutCard(each.session, card) };
    };
    // Whoever goes back does not meet it either.
    return { ...without(sitting), before: sitting.before.map(without) };
  }
  const last = sitting.before.at(-1);
  if (last === undefined) {
    await say(quiz, 'There is nothing to take back in this sitting.');
    return sitting;
  }
  if (last.review) journal.append({ type: 'undo', of: last.review.id }, now());
  await say(quiz, 'Taken back. Once more:');
  return { session: last.session, before: sitting.before.slice(0, -1) };
}

/** The sitting after an answer, which is on disk by then; or with the error of one that could not be kept. */
function keep(turn: Turn, grade: Grade, sitting: Sitting, { journal, now }: Quiz): Sitting {
  const { session, before } = sitting;
  const { card, round } = turn;
  try {
    const review =
      round === 0 ? journal.append({ type: 'review', item: card.item, grade }, now()) : undefined;
    return {
      session: answerTurn(session, grade),
      before: [...before, { session, review }],
    };
  } catch (cause) {
    if (!(cause instanceof KitError)) throw cause;
    const message = `Your answer to ${card.deck}/${card.id} was not kept. ${cause.message}`;
    return { ...sitting, lost: new KitError(message, { cause }) };
  }
}

/** Within a day the same card is shown alike. */
function seedOf(now: Date): string {
  return String(dayNumber(now));
}
