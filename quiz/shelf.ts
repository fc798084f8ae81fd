import { count } from './count.ts';
import type { Card, Deck, ParsedDeck } from './deck.ts';
import type { CardName, Named, Session } from './session.ts';

/** Decks of which no more than the names of the cards is known, until a card of theirs is to be asked. */
export interface Shelf {
  /** In the order of their lessons. */
  readonly decks: readonly Named[];
  /** Reads one of them. */
  open(slug: string): Promise<ParsedDeck>;
}

/** A sitting for which all decks are open that it needs. */
interface Planned {
  readonly session: Session;
  readonly decks: readonly Deck[];
  /** In words, what of those cannot be asked. */
  readonly leftOut: readonly string[];
}

/**
 * Plans until all that is planned can be asked: a card that its deck turns out not to have makes room for another.
 * @param plan the same sitting each time for the same decks
 */
export async function planFrom(
  shelf: Shelf,
  plan: (decks: readonly Named[]) => Session<CardName>,
): Promise<Planned> {
  const open = new Map<string, ParsedDeck>();
  const take = async (slug: string) => open.set(slug, await shelf.open(slug));
  // A deck without names says at best what is wrong with it.
  for (const { slug, cards } of shelf.decks) if (cards.length === 0) await take(slug);
  for (;;) {
    const known = shelf.decks.map((named) => {
      const parsed = open.get(named.slug);
      return parsed ? { slug: named.slug, cards: parsed.deck?.cards ?? [] } : named;
    });
    const session = plan(known);
    const closed = new Set(session.turns.map(({ card }) => card.deck));
    for (const slug of open.keys()) closed.delete(slug);
    if (closed.size === 0) return plannedOf(session, [...open.values()]);
    for (const slug of closed) await take(slug);
  }
}

function plannedOf(session: Session<CardName>, parsed: readonly ParsedDeck[]): Planned {
  const decks = parsed.flatMap(({ deck }) => deck ?? []);
  const cards = new Map<string, Card>();
  for (const deck of decks) for (const card of deck.cards) cards.set(card.item, card);
  const turns = session.turns.flatMap(({ card: { item }, ...turn }) => {
    const card = cards.get(item);
    return card ? { ...turn, card } : [];
  });
  return { session: { ...session, turns, answers: [] }, decks, leftOut: leftOutInWords(parsed) };
}

/** One line on the cards and decks that have problems; none when all is well. */
export function leftOutInWords(parsed: readonly ParsedDeck[]): string[] {
  const cards = parsed.reduce((sum, { leftOut }) => sum + leftOut, 0);
  const decks = parsed.filter(({ deck }) => deck === undefined).length;
  const lost = [
    cards > 0 ? count(cards, 'card') : [],
    decks > 0 ? count(decks, 'deck') : [],
  ].flat();
  return lost.length > 0 ? [`Left out: ${lost.join(' and ')}. npm run verify says why.`] : [];
}
