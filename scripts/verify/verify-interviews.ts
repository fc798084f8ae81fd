import { parseInterview } from '../content/interviews.ts';
import { sectionsOf } from '../content/markdown-parts.ts';
import { cardName } from '../../quiz/item.ts';
import { mentions, partsOf } from '../../quiz/mentions.ts';
import { type Check, expectThat, problemIn } from './checks.ts';

const AXES = ['Breadth', 'Depth', 'Trade-offs', 'Initiative'];

/**
 * Of a mock interview: it can be read, each card that it points to exists, and the interviewer does not say
 * what they listen for.
 * @param items of all cards there are, `card:<deck>/<id>`
 */
export function checkInterview(text: string, file: string, items: ReadonlySet<string>): Check[] {
  const { interview, problems } = parseInterview(text, file);
  const { phases, rubric, redFlags, opening } = interview;
  const milestones = phases.flatMap((phase) =>
    phase.milestones.map((milestone) => ({ ...milestone, said: [opening, phase.question] })),
  );
  const headings = sectionsOf(text.replaceAll('\r\n', '\n'), 3);
  const lineOf = (title: string) => headings.find((heading) => heading.title === title)?.line;
  const complain = (title: string, message: string) =>
    problemIn(file, lineOf(title), `${title}: ${message}`);
  return [
    { file, problems },
    {
      file,
      problems: milestones.flatMap(({ title, items: wanted }) =>
        wanted
          .filter((item) => !items.has(item))
          .map((item) => complain(title, `there is no card ${cardName(item)}`)),
      ),
    },
    {
      file,
      problems: milestones.flatMap(({ title, said, probe, terms }) => {
        const told = terms.filter((term) => mentions([...said, probe].join('\n'), [term]));
        return told.map((term) =>
          complain(title, `the interviewer says "${term}" before the learner can`),
        );
      }),
    },
    {
      file,
      problems: milestones.flatMap(({ title, terms }) =>
        terms
          .filter((term) => partsOf(term).includes(''))
          .map((term) =>
            complain(title, `"${term}" has a part without a word, which is never heard`),
          ),
      ),
    },
    expectThat(
      AXES.every((axis, index) => rubric[index]?.title === axis),
      file,
      `expected "## Rubric" to have ${AXES.map((axis) => `"### ${axis}"`).join(', ')}`,
    ),
    expectThat(redFlags.length > 0, file, 'expected "## Red flags" to list one or more'),
  ];
}
