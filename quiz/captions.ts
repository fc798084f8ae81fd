import type { Asker } from './asker.ts';
import type { Card, Deck } from './deck.ts';
import type { Session, Turn } from './session.ts';
import { count } from './count.ts';

/** What this sitting will ask. Captions are Markdown. */
export function opening(
  { turns, waiting }: Session,
  decks: readonly Deck[],
  { stopKey, wishesHelp }: Pick<Asker, 'stopKey' | 'wishesHelp'>,
): string {
  const due = turns.filter((turn) => !turn.isNew);
  const topics = decks.flatMap((deck) => {
    const cards = due.filter((turn) => turn.card.deck === deck.slug).length;
    return cards > 0 ? `${deck.title} ${cards}` : [];
  });
  const kinds = [
    due.length > 0 ? `${count(due.length, 'due card')} (${topics.join(', ')})` : [],
    due.length < turns.length ? count(turns.length - due.length, 'new card') : [],
  ].flat();
  const rest = waiting > 0 ? `${waiting} more can wait for the next sittings. ` : '';
  return (
    `This sitting: ${kinds.join(' and ')}. ${rest}` +
    `Every answer is kept at once; ${wishesHelp}, ${stopKey} ends the sitting.`
  );
}

/** What stands above a card. */
export function heading(
  { card, isNew, round }: Turn,
  session: Session,
  decks: readonly Deck[],
): string {
  const place = `${session.answers.length + 1} of ${session.planned}`;
  const [where, kind] = round > 0 ? ['Once more', ''] : [place, isNew ? ' · new' : ' · due'];
  return `### ${where} · ${titleOf(card, decks)}${kind}`;
}

/** Where to read up on a card that was missed. */
export function furtherReading(card: Card, decks: readonly Deck[]): string {
  const [section, anchor] =
    card.section === undefined ? ['', ''] : [` › ${sentence(card.section)}`, `#${card.section}`];
  const read = `Read: ${titleOf(card, decks)}${section} (\`npm run learn -- ${card.deck}${anchor}\`)`;
  const source = sourceInWords(card);
  return source === undefined ? read : `${read}\n\n${source}`;
}

/** Where a card's facts are from, and as of when. */
export function sourceInWords({ source, asOf }: Card): string | undefined {
  if (source === undefined) return undefined;
  return `Source${asOf === undefined ? '' : `, as of ${asOf}`}: <${source}>`;
}

function titleOf(card: Card, decks: readonly Deck[]): string {
  return decks.find((deck) => deck.slug === card.deck)?.title ?? card.deck;
}

/** "what-counts-as-a-failure" → "What counts as a failure". */
function sentence(anchor: string): string {
  return anchor.charAt(0).toUpperCase() + anchor.slice(1).replaceAll('-', ' ');
}
