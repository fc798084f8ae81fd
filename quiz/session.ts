import type { Card } from './deck.ts';
import type { Grade } from './entry.ts';
import { besideNeighbours } from './neighbours.ts';
import type { Limits } from './pace.ts';
import { type Random, shuffle } from './random.ts';
import { isDue, type Memory } from './schedule.ts';

/** A card as far as it is known before its deck is read. */
export type CardName = Pick<Card, 'item' | 'deck'>;

/** A deck of which perhaps no more is known than the names of its cards. */
export interface Named<C extends CardName = CardName> {
  readonly slug: string;
  readonly cards: readonly C[];
}

/** One sitting: what is still to be asked, in order, and what was answered. Never changed in place. */
export interface Session<C extends CardName = Card> {
  /** How many different cards the sitting began with. */
  readonly planned: number;
  /** Cards that are due as well, and are left for another sitting. */
  readonly waiting: number;
  readonly turns: readonly Turn<C>[];
  readonly answers: readonly Answer<C>[];
}

export interface Turn<C extends CardName = Card> {
  readonly card: C;
  /** Never reviewed before this sitting. */
  readonly isNew: boolean;
  /** How often this sitting has asked it already. Only the answer at 0 is a review. */
  readonly round: number;
}

/** The first answer that a card got in a sitting. */
interface Answer<C extends CardName> {
  readonly card: C;
  readonly grade: Grade;
}

export interface Plan<C extends CardName = Card> {
  /** In the order of their lessons. */
  readonly decks: readonly Named<C>[];
  readonly memories: ReadonlyMap<string, Memory>;
  /** Slugs of the decks whose lesson was read: their new cards come first. */
  readonly begun: ReadonlySet<string>;
  /** Items that a mock interview showed to be missing: of the new cards they come first. */
  readonly gaps: Pick<ReadonlySet<string>, 'has'>;
  readonly now: Date;
  readonly limits: Limits;
  readonly random: Random;
}

/** Due cards first, most overdue ones chosen first, then new ones in the order of their deck; topics mixed. */
export function planSession<C extends CardName>(plan: Plan<C>): Session<C> {
  const { decks, memories, begun, gaps, now, limits } = plan;
  const overdue = dueCards(decks, memories, now);
  const due = besideNeighbours(interleave(longestOverdue(overdue, plan)));
  // New cards are due again within days: a sitting that is nearly full of due ones takes none.
  const room = Math.max(0, Math.min(limits.fresh, Math.ceil(0.8 * limits.cards) - due.length));
  const fresh = freshCards(decks, memories);
  const later = fresh.filter((card) => !gaps.has(card.item));
  const turns = [
    ...due.map((card) => ({ card, isNew: false, round: 0 })),
    ...[
      ...fresh.filter((card) => gaps.has(card.item)),
      ...interleave(later.filter((card) => begun.has(card.deck))),
      ...later.filter((card) => !begun.has(card.deck)),
    ]
      .slice(0, room)
      .map((card) => ({ card, isNew: true, round: 0 })),
  ];
  return { planned: turns.length, waiting: overdue.length - due.length, turns, answers: [] };
}

export function currentTurn(session: Session): Turn | undefined {
  return session.turns[0];
}

/**
 * The session after the current card got `grade`. A card that did not come to mind returns after five
 * others, twice at most, so that it is seen again and every sitting ends.
 */
export function answerTurn(session: Session, grade: Grade): Session {
  const [turn, ...rest] = session.turns;
  if (turn === undefined) return session;
  const { card, round } = turn;
  const returns = grade === 'again' && round < 2;
  return {
    ...session,
    turns: returns ? rest.toSpliced(5, 0, { ...turn, round: round + 1 }) : rest,
    answers: round === 0 ? [...session.answers, { card, grade }] : session.answers,
  };
}

/** The session without a card, which is not to be asked again; what was answered stays. */
export function withoutCard(session: Session, card: Card): Session {
  const turns = session.turns.filter((turn) => turn.card.item !== card.item);
  const wasAnswered = session.answers.some((answer) => answer.card.item === card.item);
  return { ...session, turns, planned: session.planned - (wasAnswered ? 0 : 1) };
}

/** Cards that are due on the calendar day of `now`, in the order of their decks. */
export function dueCards<C extends CardName>(
  decks: readonly Named<C>[],
  memories: ReadonlyMap<string, Memory>,
  now: Date,
): C[] {
  return decks.flatMap(({ cards }) => cards.filter(({ item }) => isDue(memories.get(item), now)));
}

/** Cards that were never reviewed. */
export function freshCards<C extends CardName>(
  decks: readonly Named<C>[],
  memories: ReadonlyMap<string, Memory>,
): C[] {
  return decks.flatMap((deck) => deck.cards.filter((card) => !memories.has(card.item)));
}

/** As many as a sitting takes. Cards that came due on one day are shuffled: they must not cue one another. */
function longestOverdue<C extends CardName>(
  due: readonly C[],
  { memories, limits, random }: Pick<Plan<C>, 'memories' | 'limits' | 'random'>,
): C[] {
  const dated = due.map((card) => ({ card, time: memories.get(card.item)?.due.getTime() ?? 0 }));
  // Of a great backlog most is left out before it is put in order.
  const last =
    Float64Array.from(dated, ({ time }) => time).toSorted()[limits.cards - 1] ?? Infinity;
  const candidates = dated.filter(({ time }) => time <= last);
  return shuffle(candidates, random)
    .toSorted((one, other) => one.time - other.time)
    .slice(0, limits.cards)
    .map(({ card }) => card);
}

/** One of each deck in turn, each deck in its own order. */
function interleave<C extends CardName>(cards: readonly C[]): C[] {
  const seen = new Map<string, number>();
  return cards
    .map((card) => {
      const round = seen.get(card.deck) ?? 0;
      seen.set(card.deck, round + 1);
      return { card, round };
    })
    .toSorted((one, other) => one.round - other.round)
    .map(({ card }) => card);
}
