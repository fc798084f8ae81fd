import { describe, expect, it } from 'vitest';
import type { Grade, Review } from './entry.ts';
import { plainDeck } from './fixtures/decks.ts';
import { replay } from './schedule.ts';
import type { Session } from './session.ts';
import { count } from './count.ts';
import { describeSummary, summarize } from './summary.ts';

const now = new Date('2026-11-22T12:00:00');
const deck = plainDeck(3, 'breaker');
const [one, two, three] = deck.cards;
if (!one || !two || !three) throw new Error('three cards');

const review = (item: string, grade: Grade, at: string): Review => ({
  v: 1,
  id: item,
  at: new Date(at).toISOString(),
  type: 'review',
  item,
  grade,
});

const sitting = (...answers: Session['answers']): Session => ({
  planned: 3,
  waiting: 0,
  turns: [],
  answers,
});

function standing(...reviews: Review[]) {
  return { decks: [deck], katas: ['quota', 'breaker'], memories: replay(reviews), now };
}

describe('summarize', () => {
  it('says what held, what did not and when that comes back', () => {
    const summary = summarize(
      sitting({ card: one, grade: 'hard' }, { card: two, grade: 'again' }),
      standing(
        review(one.item, 'hard', '2026-11-22T12:00:00'),
        review(two.item, 'again', '2026-11-22T12:00:00'),
      ),
    );
    expect(summary).toMatchObject({ answered: 2, held: 1, waiting: { due: 0, fresh: 1 } });
    expect(summary.missed).toEqual([{ card: two, due: new Date('2026-11-23T00:00:00') }]);
    expect(summary.next).toEqual({ due: new Date('2026-11-23T00:00:00'), cards: 1 });
  });

  it('names katas that are due, if they still exist', () => {
    const summary = summarize(
      sitting(),
      standing(
        review('kata:quota', 'again', '2026-11-01T12:00:00'),
        review('kata:gone', 'again', '2026-11-01T12:00:00'),
        review('kata:breaker', 'easy', '2026-11-21T12:00:00'),
      ),
    );
    expect(summary.katas).toEqual(['quota']);
  });
});

describe('describeSummary', () => {
  const describeIt = (session: Session, ...reviews: Review[]) =>
    describeSummary(summarize(session, standing(...reviews)), 'npm run quiz', now);

  it('of a sitting', () => {
    const answers = [
      { card: one, grade: 'good' },
      { card: two, grade: 'again' },
    ] as const;
    const today = '2026-11-22T12:00:00';
    expect(
      describeIt(
        sitting(...answers),
        review(one.item, 'good', today),
        review(two.item, 'again', today),
        review(three.item, 'again', '2026-11-01T12:00:00'),
      ),
    ).toBe(
      [
        '**2 cards answered: 1 held, 1 did not.**',
        '- `breaker/card-2` comes back tomorrow',
        'Waiting: 1 card due (`npm run quiz`).',
      ].join('\n\n'),
    );
  });

  it('when there was nothing to ask: when the next card comes due', () => {
    const reviews = deck.cards.map((card) => review(card.item, 'good', '2026-11-21T12:00:00'));
    expect(describeIt(sitting(), ...reviews)).toBe(
      'Nothing is due, and nothing is new.\n\nNext due: 3 cards in 2 days (Tue, Nov 24).',
    );
  });

  it('with katas that are due', () => {
    expect(describeIt(sitting(), review('kata:quota', 'again', '2026-11-01T12:00:00'))).toBe(
      'Waiting: 3 new (`npm run quiz`).\n\nKata due, to be solved again: `npm run kata -- quota`.',
    );
  });

  it('of an empty kit', () => {
    const summary = summarize(sitting(), { decks: [], katas: [], memories: new Map(), now });
    expect(describeSummary(summary, 'npm run quiz', now)).toBe(
      'Nothing is due, and nothing is new.',
    );
  });
});

describe('count', () => {
  it('knows one from many', () => {
    expect([0, 1, 2].map((number) => count(number, 'card'))).toEqual([
      '0 cards',
      '1 card',
      '2 cards',
    ]);
  });
});
