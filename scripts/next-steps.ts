import type { Part } from './day-plan.ts';
import type { Build, Topic } from './readiness.ts';

/** Something to do now, and the command that does it. */
export interface NextStep {
  readonly label: string;
  readonly command: 'learn' | 'kata' | 'quiz' | 'interview' | 'plan';
  readonly slug?: string;
  /** Choose from all of them. */
  readonly list?: true;
}

/** What can be done at any time. */
export const anytime: readonly NextStep[] = [
  { label: 'All lessons', command: 'learn' },
  { label: 'All katas', command: 'kata', list: true },
  { label: 'Quiz', command: 'quiz' },
  { label: 'Mock interview', command: 'interview' },
];

/** As it is typed: `npm run kata -- circuit-breaker`. */
export function typed({ command, slug, list }: NextStep): string {
  const words = [...(slug === undefined ? [] : [slug]), ...(list ? ['--list'] : [])];
  return [`npm run ${command}`, ...(words.length > 0 ? ['--', ...words] : [])].join(' ');
}

/** More katas than this are no day's work. */
const MOST_DUE_KATAS = 2;

/**
 * What to do next: first what is due, then the kata that was begun, then the first stop that is open on the
 * way through the topics.
 * @param current slug of the kata to go on with
 */
export function nextSteps(topics: readonly Topic[], current: string | undefined): NextStep[] {
  const builds = topics.flatMap((topic) => topic.build);
  const begun = builds.find((build) => build.slug === current && build.of > 0);
  const steps = [
    ...dueCards(topics),
    ...builds
      .filter((build) => build.due)
      .slice(0, MOST_DUE_KATAS)
      .map(solveAgain),
    ...(begun ? [goOn(begun)] : []),
    ...topics.flatMap(openStop).slice(0, 1),
  ];
  return steps.filter(
    (step, index) =>
      index ===
      steps.findIndex(({ command, slug }) => step.command === command && step.slug === slug),
  );
}

/** What the plan has for today: first what is due, then the parts of the day. */
export function todaysSteps(topics: readonly Topic[], parts: readonly Part[]): NextStep[] {
  return [
    ...dueCards(topics),
    ...parts.map(({ task, minutes }): NextStep => {
      const { kind, slug, title } = task;
      const label = `${kind === 'interview' ? 'Rehearse' : kind === 'kata' ? 'Build' : 'Read'}: ${title}`;
      return { label: `${label} (${Math.round(minutes)} min)`, command: kind, slug };
    }),
  ];
}

/** What to do when the day of an interview is over. */
export const debriefStep: NextStep = { label: 'Tell how the interview went', command: 'plan' };

function dueCards(topics: readonly Topic[]): NextStep[] {
  const due = topics.reduce((sum, topic) => sum + topic.defend.due, 0);
  return due > 0 ? [{ label: `Answer what is due: ${due} in the quiz`, command: 'quiz' }] : [];
}

function solveAgain({ slug, title }: Build): NextStep {
  return { label: `Solve again from blank: ${title}`, command: 'kata', slug };
}

function goOn({ slug, title, passed, of }: Build): NextStep {
  return { label: `Go on building: ${title} (${passed} of ${of} levels)`, command: 'kata', slug };
}

/** The first of a topic's three stops that is still open. */
function openStop({ lesson, read, build, defend }: Topic): NextStep[] {
  const { slug, title } = lesson;
  if (!read) return [{ label: `Read: ${title}`, command: 'learn', slug }];
  const [unsolved] = build.filter((each) => !each.solved);
  if (unsolved)
    return [{ label: `Build: ${unsolved.title}`, command: 'kata', slug: unsolved.slug }];
  const fresh = defend.cards - defend.holds - defend.due;
  if (fresh > 0) return [{ label: `Defend: ${title} (${fresh} new cards)`, command: 'quiz', slug }];
  return [];
}
