import { aligned } from './columns.ts';
import type { Build, Topic } from './readiness.ts';
import { style } from './terminal.ts';

/**
 * A line per topic: `26 Circuit breaker   read ✓   build 3/7   defend 5/14, 2 due`. At most 80 columns, and at most
 * `most` lines: then those come first that have been begun, after them those that come next.
 */
export function topicMap(topics: readonly Topic[], most = Infinity): string[] {
  if (topics.length <= most) return linesOf(topics);
  const byWeight = topics.toSorted((a, b) => weight(a) - weight(b));
  const shown = new Set(byWeight.slice(0, most - 1));
  return [
    ...linesOf(topics.filter((topic) => shown.has(topic))),
    style('dim', `… and ${topics.length - shown.size} more; see all lessons`),
  ];
}

/** What is under way weighs least and comes first; what is done comes last. */
function weight(topic: Topic): number {
  if (isDone(topic)) return 2;
  const { read, build, defend } = topic;
  const isBegun = read || build.some(({ passed }) => passed > 0) || defend.holds + defend.due > 0;
  return isBegun ? 0 : 1;
}

function linesOf(topics: readonly Topic[]): string[] {
  const rows = topics.map(({ lesson, read, build, defend }) => [
    `${String(lesson.number).padStart(2, '0')} ${clipped(lesson.title, 28)}`,
    `read ${read ? '✓' : '–'}`,
    `build ${build.map(buildInWords).join(' ') || '–'}`,
    `defend ${defendInWords(defend)}`,
  ]);
  return aligned(rows).map((row, index) => {
    const line = clipped(row, 80);
    return isDone(topics[index]) ? style('green', line) : line;
  });
}

/** Below the map: what its words mean. */
export const legend = 'read: the lesson   build: levels passed   defend: cards that you still know';

export function dueInWords(topics: readonly Topic[]): string {
  const cards = topics.reduce((sum, { defend }) => sum + defend.due, 0);
  const katas = topics.flatMap(({ build }) => build.filter(({ due }) => due));
  const parts = [
    ...(cards > 0 ? [`${cards} ${cards === 1 ? 'card' : 'cards'}`] : []),
    ...(katas.length > 0
      ? [`to solve again from blank: ${katas.map(({ title }) => title).join(', ')}`]
      : []),
  ];
  return parts.length > 0 ? `Due today: ${parts.join('; ')}.` : 'Nothing is due today.';
}

function buildInWords({ passed, of, solved, due }: Build): string {
  if (solved) return due ? '✓ due' : '✓';
  return of === 0 ? '–' : `${passed}/${of}`;
}

function defendInWords({ cards, holds, due }: Topic['defend']): string {
  if (cards === 0) return '–';
  return `${holds}/${cards}${due > 0 ? `, ${due} due` : ''}`;
}

function isDone(topic: Topic | undefined): boolean {
  return (
    topic !== undefined &&
    topic.read &&
    topic.build.every(({ solved, due }) => solved && !due) &&
    topic.defend.holds === topic.defend.cards
  );
}

function clipped(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}
