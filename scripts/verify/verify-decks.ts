import { parseDeck } from '../../quiz/deck.ts';
import { giveawayOf, isTooOften } from '../../quiz/giveaway.ts';
import type { DeckFile, Lesson } from '../content/catalog.ts';
import { type Check, expectThat, problemIn } from './checks.ts';

const FEWEST_CARDS = 10;
const ALL_OR_NONE = /\b(?:all|none|both|neither|any) of the (?:above|others)\b/i;

/** The lesson that a deck asks about, and its anchors. */
export interface DeckLesson {
  readonly lesson: Lesson;
  readonly anchors: ReadonlySet<string>;
}

/** Each card is valid, there are enough of them, and what they refer to is in the lesson. */
export function checkDeck(
  { file, slug }: DeckFile,
  text: string,
  about: DeckLesson | undefined,
): Check[] {
  const { deck, leftOut, problems, lines } = parseDeck(text, file, slug);
  const checks: Check[] = [{ file, problems }];
  if (!deck) return checks;

  const count = deck.cards.length + leftOut;
  checks.push(
    expectThat(count >= FEWEST_CARDS, file, `expected ${FEWEST_CARDS} cards or more, not ${count}`),
  );
  const giveaway = giveawayOf(deck.cards);
  for (const extreme of ['longest', 'shortest'] as const) {
    const often = giveaway[extreme];
    checks.push(
      expectThat(
        !isTooOften(often, giveaway),
        file,
        `the right option is the ${extreme} in ${often} of ${giveaway.cards} cards, which gives it away: chance would have ${Math.round(giveaway.chance)}`,
      ),
    );
  }
  checks.push({
    file,
    problems: deck.cards.flatMap((card) =>
      'options' in card && card.options.some(({ text: option }) => ALL_OR_NONE.test(option))
        ? [
            problemIn(
              file,
              lines.get(card.id),
              `${card.id}: options are shuffled, so none may speak of "the above"`,
            ),
          ]
        : [],
    ),
  });
  if (!about) return checks;

  const { title } = about.lesson;
  const dead = deck.cards.filter(({ section }) => section && !about.anchors.has(section));
  checks.push(
    expectThat(deck.title === title, file, `expected \`title\` to be the lesson's, "${title}"`, 1),
    {
      file,
      problems: dead.map(({ id, section }) =>
        problemIn(
          file,
          lines.get(id),
          `${id}: the lesson has no heading with the anchor \`${section}\``,
        ),
      ),
    },
  );
  return checks;
}
