import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Grade, grades, type Review } from './entry.ts';
import { plainDeck } from './fixtures/decks.ts';
import { seeded } from './random.ts';
import { replay } from './schedule.ts';
import { answerTurn, currentTurn, type Plan, planSession, type Session } from './session.ts';

const now = new Date('2026-11-22T12:00:00');
const breaker = plainDeck(4, 'breaker');
const retry = plainDeck(4, 'retry');

/** Missed so many days ago, and so due the day after that. */
const missed = (item: string, daysAgo: number): Review => ({
  v: 1,
  id: item,
  at: new Date(now.getTime() - daysAgo * 24 * 60 * 60 * 1000).toISOString(),
  type: 'review',
  item,
  grade: 'again',
});

function sessionOf(
  reviews: readonly Review[],
  { begun = [], ...plan }: Partial<Omit<Plan, 'begun'>> & { begun?: readonly string[] } = {},
): Session {
  const entries = reviews.toSorted((one, other) => one.at.localeCompare(other.at));
  return planSession({
    decks: [breaker, retry],
    memories: replay(entries),
    begun: new Set(begun),
    gaps: new Set(),
    now,
    limits: { cards: 20, fresh: 10 },
    random: seeded('session'),
    ...plan,
  });
}

const itemsOf = (session: Session) => session.turns.map(({ card }) => `${card.deck}/${card.id}`);

/** Answers everything; the cards in the order in which they were asked. */
function play(start: Session, gradeOf: (item: string, round: number) => Grade) {
  const asked: string[] = [];
  let session = start;
  for (let turn = currentTurn(session); turn; turn = currentTurn(session)) {
    asked.push(turn.card.id);
    session = answerTurn(session, gradeOf(turn.card.id, turn.round));
  }
  return { asked, session };
}

describe('planSession', () => {
  it('asks due cards first, topics mixed, then new ones in the order of their deck', () => {
    const session = sessionOf([
      missed('card:breaker/card-1', 9),
      missed('card:breaker/card-2', 8),
      missed('card:retry/card-1', 7),
    ]);
    expect(itemsOf(session)).toEqual([
      'breaker/card-1',
      'retry/card-1',
      'breaker/card-2',
      'breaker/card-3',
      'breaker/card-4',
      'retry/card-2',
      'retry/card-3',
      'retry/card-4',
    ]);
    expect(session.turns.map(({ isNew }) => isNew)).toEqual([
      ...Array(3).fill(false),
      ...Array(5).fill(true),
    ]);
  });

  it('puts new cards first that a mock interview showed to be missing', () => {
    const gaps = new Set(['card:retry/card-3', 'card:retry/gone']);
    expect(itemsOf(sessionOf([], { gaps, begun: ['breaker'] })).slice(0, 2)).toEqual([
      'retry/card-3',
      'breaker/card-1',
    ]);
  });

  it('puts neighbours next to each other that get mixed up', () => {
    const decks = ['retries', 'outbox', 'hedging', 'saga'].map((slug) => plainDeck(1, slug));
    const reviews = decks.map(({ slug }, index) => missed(`card:${slug}/card-1`, 9 - index));
    expect(itemsOf(sessionOf(reviews, { decks })).map((item) => item.split('/')[0])).toEqual([
      'retries',
      'hedging',
      'outbox',
      'saga',
    ]);
  });

  it('leaves what is too much for another sitting, the least overdue', () => {
    const reviews = [1, 2, 3, 4].map((card) => missed(`card:breaker/card-${card}`, card + 1));
    const session = sessionOf(reviews, { limits: { cards: 3, fresh: 3 } });
    expect(session.waiting).toBe(1);
    expect(itemsOf(session)).toEqual(['breaker/card-4', 'breaker/card-3', 'breaker/card-2']);
  });

  it('does not ask what can wait, nor what has gone from its deck', () => {
    const session = sessionOf([missed('card:breaker/card-1', 0), missed('card:breaker/gone', 9)]);
    expect(itemsOf(session)).not.toContain('breaker/card-1');
    expect(session.planned).toBe(7);
  });

  it('asks the longest overdue when there are too many, and then no new ones', () => {
    const reviews = [3, 5, 4].map((days, index) => missed(`card:breaker/card-${index + 1}`, days));
    const session = sessionOf(reviews, { limits: { cards: 2, fresh: 10 } });
    expect(itemsOf(session)).toEqual(['breaker/card-2', 'breaker/card-3']);
  });

  it('asks no more new cards than the limit', () => {
    expect(sessionOf([], { limits: { cards: 20, fresh: 3 } }).planned).toBe(3);
    expect(sessionOf([], { limits: { cards: 2, fresh: 3 } }).planned).toBe(2);
  });

  it('asks no new cards when nearly the whole sitting is due', () => {
    const reviews = [1, 2, 3, 4].map((card) => missed(`card:breaker/card-${card}`, 5));
    const fresh = (cards: number) =>
      sessionOf(reviews, { limits: { cards, fresh: 3 } }).turns.filter(({ isNew }) => isNew).length;
    expect([4, 5, 6, 8, 10].map(fresh)).toEqual([0, 0, 1, 3, 3]);
  });

  it('takes new cards first from topics whose lesson was read, in turn', () => {
    const begun = sessionOf([], { begun: ['retry'], limits: { cards: 7, fresh: 5 } });
    expect(itemsOf(begun).map((item) => item.split('/')[0])).toEqual([
      ...Array(4).fill('retry'),
      'breaker',
    ]);
    const both = sessionOf([], { begun: ['retry', 'breaker'], limits: { cards: 4, fresh: 4 } });
    expect(itemsOf(both)).toEqual([
      'breaker/card-1',
      'retry/card-1',
      'breaker/card-2',
      'retry/card-2',
    ]);
  });

  it('shuffles what came due on the same day', () => {
    const reviews = [1, 2, 3, 4].map((card) => missed(`card:breaker/card-${card}`, 5));
    const orders = ['a', 'b', 'c', 'd', 'e'].map((seed) =>
      itemsOf(sessionOf(reviews, { decks: [breaker], random: seeded(seed) })).join(),
    );
    expect(new Set(orders).size).toBeGreaterThan(1);
  });
});

describe('answerTurn', () => {
  const start = sessionOf([], { decks: [plainDeck(7)] });
  const cards = (...numbers: number[]) => numbers.map((number) => `card-${number}`);
  const missedFirst = (missedId: string) => (id: string, round: number) =>
    id === missedId && round === 0 ? 'again' : 'good';

  it('brings back what did not come to mind, after five others', () => {
    expect(play(start, missedFirst('card-1')).asked).toEqual(cards(1, 2, 3, 4, 5, 6, 1, 7));
    expect(play(start, missedFirst('card-6')).asked).toEqual(cards(1, 2, 3, 4, 5, 6, 7, 6));
  });

  it('counts only the first answer to a card', () => {
    const { session } = play(start, missedFirst('card-2'));
    expect(session.answers.map(({ card }) => card.id)).toEqual(cards(1, 2, 3, 4, 5, 6, 7));
    expect(session.answers[1]?.grade).toBe('again');
  });

  it('asks a card three times at most', () => {
    const { asked } = play(start, () => 'again');
    expect(asked).toHaveLength(21);
  });

  it('has nothing to do when nothing is left', () => {
    const empty = sessionOf([], { decks: [] });
    expect(answerTurn(empty, 'good')).toBe(empty);
  });

  it('ends with every card answered once, whatever the answers', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.constantFrom(...grades)), (stream) => {
        const { session } = play(start, () => stream.next().value ?? 'good');
        expect(session.answers.map(({ card }) => card.id)).toEqual(
          start.turns.map(({ card }) => card.id),
        );
      }),
      { seed: 1 },
    );
  });
});
