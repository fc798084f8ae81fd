import { startOfDay } from '../../quiz/day.ts';
import type { Card, Deck } from '../../quiz/deck.ts';
import type { Review } from '../../quiz/entry.ts';
import { seeded } from '../../quiz/random.ts';
import { chanceOfRecall, type Memory, replay } from '../../quiz/schedule.ts';
import { limitsFor } from '../../quiz/pace.ts';
import { answerTurn, currentTurn, planSession } from '../../quiz/session.ts';

/** A year of daily sittings. */
export interface Year {
  /** Minutes that the sitting of each day took. */
  readonly minutes: readonly number[];
  /** Of cards that had been seen on a day before. */
  readonly reviews: Tally;
  /** Of those that were learned: their stability was a day or more. */
  readonly learned: Tally;
  /** Cards that were seen at least once. */
  readonly seen: number;
}

interface Tally {
  readonly asked: number;
  readonly held: number;
}

export interface YearOptions {
  readonly decks: readonly Deck[];
  readonly days: number;
  /** For cards, on a day. */
  readonly minutes: number;
  readonly seed: string;
}

/** Assumed, not measured: a card takes 25 s in the middle, one of forty more than a minute. */
const MEDIAN_SECONDS = 25;
const SPREAD = 0.45;

/**
 * Plays every day's sitting with a learner whose forgetting is known: they recall a card with just the chance
 * that FSRS's curve gives for its stability, whatever the kit believes.
 */
export function playYear({ decks, days, minutes, seed }: YearOptions): Year {
  const random = seeded(seed);
  const first = 20_000;
  const history = new Map<string, Review[]>();
  const spent: number[] = [];
  let reviews: Tally = { asked: 0, held: 0 };
  let learned = reviews;
  const memories = new Map<string, Memory>();
  for (let day = first; day < first + days; day += 1) {
    const now = new Date(startOfDay(day).getTime() + 12 * 3_600_000);
    let session = planSession({
      decks,
      memories,
      begun: new Set(),
      gaps: new Set(),
      now,
      limits: limitsFor(minutes),
      random,
    });
    let seconds = 0;
    for (let turn = currentTurn(session); turn !== undefined; turn = currentTurn(session)) {
      seconds += MEDIAN_SECONDS * Math.exp(SPREAD * normal(random));
      const memory = memories.get(turn.card.item);
      const chance = turn.round > 0 ? 0.9 : memory ? chanceOfRecall(memory, now) : FIRST_RECALL;
      const isHeld = random() < chance;
      if (turn.round === 0) {
        if (memory) reviews = counted(reviews, isHeld);
        if (memory && memory.stability >= 1) learned = counted(learned, isHeld);
        const own = [...(history.get(turn.card.item) ?? []), reviewOf(turn.card, isHeld, now)];
        history.set(turn.card.item, own);
      }
      session = answerTurn(session, isHeld ? 'good' : 'again');
    }
    spent.push(seconds / 60);
    const today = session.answers.flatMap(({ card }) => history.get(card.item) ?? []);
    for (const [item, memory] of replay(today)) memories.set(item, memory);
  }
  return { minutes: spent, reviews, learned, seen: memories.size };
}

/** Assumed of someone who has just read the lesson. */
const FIRST_RECALL = 0.6;

function reviewOf({ item }: Card, isHeld: boolean, now: Date): Review {
  const at = now.toISOString();
  return { v: 1, id: `${at} ${item}`, at, type: 'review', item, grade: isHeld ? 'good' : 'again' };
}

function counted({ asked, held }: Tally, isHeld: boolean): Tally {
  return { asked: asked + 1, held: held + (isHeld ? 1 : 0) };
}

/** Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
