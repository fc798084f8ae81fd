import { ask, say, type Screen } from './ask.ts';
import type { Asker } from './asker.ts';
import { furtherReading, heading, opening } from './captions.ts';
import { dayNumber } from './day.ts';
import type { Card, Deck } from './deck.ts';
import type { Grade } from './entry.ts';
import { currentPlan } from './interview-plan.ts';
import type { Journal } from './journal.ts';
import { KitError } from './problem.ts';
import { seeded } from './random.ts';
import { openGaps, replay } from './schedule.ts';
import {
  answerTurn,
  currentTurn,
  type Limits,
  planSession,
  type Session,
  usualLimits,
} from './session.ts';
import { show } from './showing.ts';
import { describeSummary, summarize, type Summary } from './summary.ts';

export interface Quiz extends Screen {
  /** In the order of their lessons. */
  readonly decks: readonly Deck[];
  /** Slugs of the katas there are. */
  readonly katas: readonly string[];
  readonly journal: Journal;
  readonly prompts: Asker;
  readonly now: () => Date;
  readonly limits?: Limits;
  /** What starts another sitting like this one. */
  readonly command: string;
}

/**
 * One sitting: asks what is due, then what is new, and records each answer at once. Throws a KitError, after
 * the summary, when an answer could not be kept.
 */
export async function runQuiz(quiz: Quiz): Promise<Summary> {
  const { decks, katas, journal, prompts, now, limits = usualLimits, command } = quiz;
  const memories = () => replay(journal.entries, currentPlan(journal.entries, now())?.day);
  const start = planSession({
    decks,
    memories: memories(),
    begun: new Set(journal.entries.flatMap((entry) => (entry.type === 'read' ? entry.lesson : []))),
    gaps: openGaps(journal.entries),
    now: now(),
    limits,
    random: seeded(seedOf(now())),
  });
  if (start.planned > 0) await say(quiz, opening(start, decks, prompts.stopKey));
  const { session, lost } = await sit(start, quiz);
  const summary = summarize(session, {
    decks,
    katas,
    memories: memories(),
    now: now(),
  });
  await say(quiz, describeSummary(summary, command, now()));
  if (lost !== undefined) throw lost;
  return summary;
}

/** Asks until nothing is left, the learner wants no more, or an answer could not be kept. */
async function sit(start: Session, quiz: Quiz): Promise<{ session: Session; lost?: KitError }> {
  let session = start;
  for (let turn = currentTurn(session); turn !== undefined; turn = currentTurn(session)) {
    const { card, round } = turn;
    await say(quiz, heading(turn, session, quiz.decks));
    const showing = show(card, seeded(`${seedOf(quiz.now())} ${card.item} ${round}`));
    const outcome = await ask(showing, quiz.prompts, quiz);
    if (outcome === undefined) break;
    const { grade, feedback } = outcome;
    const lost = round === 0 ? keep(card, grade, quiz) : undefined;
    if (lost !== undefined) return { session, lost };
    session = answerTurn(session, grade);
    const more = [
      showing.explain,
      grade === 'again' ? furtherReading(card, quiz.decks) : undefined,
    ];
    await say(quiz, feedback, ...more);
    const needsTime = more.some((text) => text !== undefined);
    if (needsTime && !(await quiz.prompts.pause())) break;
  }
  return { session };
}

/** Records an answer; an error, ready to be thrown, when it could not be kept. */
function keep(card: Card, grade: Grade, { journal, now }: Quiz): KitError | undefined {
  try {
    journal.append({ type: 'review', item: card.item, grade }, now());
    return undefined;
  } catch (cause) {
    if (!(cause instanceof KitError)) throw cause;
    return new KitError(`Your answer to ${card.deck}/${card.id} was not kept. ${cause.message}`, {
      cause,
    });
  }
}

/** Within a day the same card is shown alike. */
function seedOf(now: Date): string {
  return String(dayNumber(now));
}
