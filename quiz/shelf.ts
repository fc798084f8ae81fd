import { count } from './count.ts';
import type { Card, Deck, ParsedDeck } from './deck.ts';
import type { CardName, Named, Session } from './session.ts';

/** Decks of which no more than the names of the cards is known, until some of them are to be asked. */
export interface Shelf {
  /** In the order of their lessons. */
  readonly decks: readonly Named[];
  /** Reads at least these cards of a deck; all of it when there are problems. */
  open(slug: string, items: readonly string[]): Promise<ParsedDeck>;
}

/** A sitting whose cards have been read. */
interface Planned {
  readonly session: Session;
  /** With those cards. */
  readonly decks: readonly Deck[];
  /** The shelf without the cards that turned out to be missing. */
  readonly named: readonly Named[];
  /** In words, what of those decks cannot be asked. */
  readonly leftOut: readonly string[];
}

/**
 * Plans, and reads what is planned: a card that its deck turns out not to have makes room for another.
 * @param plan the same sitting each time for the same decks
 */
export async function planFrom(
  shelf: Shelf,
  plan: (decks: readonly Named[]) => Session<CardName>,
): Promise<Planned> {
  const opened = new Map<string, ParsedDeck>();
  const spoilt = new Map<string, ParsedDeck>();
  const open = async (slug: string, items: readonly string[]) => {
    const parsed = await shelf.open(slug, items);
    opened.set(slug, parsed);
    if (parsed.problems.length > 0) spoilt.set(slug, parsed);
    return parsed;
  };
  // A deck without names says at best what is wrong with it.
  for (const { slug, cards } of shelf.decks) {
    if (cards.length === 0) await open(slug, []);
  }
  const missing = new Set<string>();
  for (;;) {
    const named = shelf.decks.map((deck) => without(missing, deck));
    const session = plan(named);
    const wanted = new Map<string, string[]>();
    for (const { card } of session.turns) {
      wanted.set(card.deck, [...(wanted.get(card.deck) ?? []), card.item]);
    }
    const before = missing.size;
    for (const [slug, items] of wanted) {
      const { deck } = await open(slug, items);
      const found = new Set(deck?.cards.map(({ item }) => item));
      for (const item of items) if (!found.has(item)) missing.add(item);
    }
    if (missing.size > before) continue;
    const decks = [...opened.values()].flatMap(({ deck }) => deck ?? []);
    const leftOut = leftOutInWords([...spoilt.values()]);
    return { session: withCards(session, decks), decks, named, leftOut };
  }
}

function without(missing: ReadonlySet<string>, { slug, cards }: Named): Named {
  return { slug, cards: cards.filter(({ item }) => !missing.has(item)) };
}

function withCards(session: Session<CardName>, decks: readonly Deck[]): Session {
  const cards = new Map<string, Card>();
  for (const deck of decks) for (const card of deck.cards) cards.set(card.item, card);
  const turns = session.turns.flatMap(({ card: { item }, ...turn }) => {
    const card = cards.get(item);
    return card ? { ...turn, card } : [];
  });
  return { ...session, turns, answers: [] };
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
