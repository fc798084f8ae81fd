import stringWidth from 'string-width';
import type { Entry } from '../../quiz/entry.ts';
import type { Catalog } from '../content/catalog.ts';

type Listed = Pick<Catalog, 'lessons' | 'katas'>;

/** A line for each lesson: number, title, minutes, when it was read last, and what there is to build. */
export function lessonLines({ lessons, katas }: Listed, entries: readonly Entry[]): string[] {
  const daysRead = new Map(
    entries.flatMap((entry) => (entry.type === 'read' ? [[entry.lesson, dayOf(entry.at)]] : [])),
  );
  return aligned(
    lessons.map(({ slug, number, title, minutes }) => {
      const day = daysRead.get(slug);
      const own = katas.filter((kata) => kata.lesson === slug).map((kata) => kata.slug);
      return [
        String(number).padStart(2),
        title,
        `${String(minutes).padStart(3)} min`,
        day === undefined ? 'not read' : `read ${day}`,
        own.length > 0 ? `kata ${own.join(', ')}` : '',
      ];
    }),
  );
}

/** What to do after this lesson: build it, or, when all its katas are solved, defend it. */
export function nextStep(
  slug: string,
  { katas, decks }: Pick<Catalog, 'katas' | 'decks'>,
  isSolved: (kata: string) => boolean,
): string | undefined {
  const kata = katas.find((each) => each.lesson === slug && !isSolved(each.slug));
  if (kata) return `Now build it: npm run kata -- ${kata.slug}`;
  return decks.some((deck) => deck.slug === slug)
    ? `Now defend it: npm run quiz -- ${slug}`
    : undefined;
}

/** The learner's own calendar day, yyyy-mm-dd: Swedish writes dates like that. */
function dayOf(at: string): string {
  return new Intl.DateTimeFormat('sv-SE').format(new Date(at));
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => stringWidth(row[column] ?? ''))),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - stringWidth(cell)))
      .join('  ')
      .trimEnd(),
  );
}
