import type { Problem } from '../../quiz/problem.ts';
import { type Check, problemIn } from './checks.ts';
import { testKey } from '../loop/likeness.ts';
import type { Misconception } from '../content/misconceptions.ts';
import { levelsOf, type TestResult, type Verdict } from '../runner/verdict.ts';

/** A sound answer passes everything. `line`s are the candidate's own. */
export function judgeSound(verdict: Verdict, file: string): Check {
  if (verdict.kind === 'broken') {
    return { file, problems: [problemIn(file, verdict.at?.line, inOneLine(verdict.message))] };
  }
  return {
    file,
    problems: verdict.tests
      .filter(hasFailed)
      .map((test) =>
        problemIn(file, test.at?.line, `fails ${nameOf(test)}: ${inOneLine(test.message ?? '')}`),
      ),
  };
}

/** The levels of a spec are numbered in order, and no two tests of one share a name. */
export function judgeSpec(verdict: Verdict, spec: { file: string; text: string }): Check {
  const tests = verdict.kind === 'tested' ? verdict.tests : [];
  const lineOf = lineFinder(spec.text);
  const problems: Problem[] = [];
  for (const [index, { title, tests: members }] of levelsOf(tests).entries()) {
    const line = lineOf(title);
    if (title === '') {
      problems.push(
        problemIn(
          spec.file,
          lineOf(members[0]?.name ?? ''),
          `${nameOf(members[0])} stands outside of all levels; move it into a \`describe\``,
        ),
      );
    } else if (!title.startsWith(`${index + 1} · `)) {
      const message = `expected the level "${title}" to be called "${index + 1} · …"`;
      problems.push(problemIn(spec.file, line, message));
    }
  }
  for (const [index, test] of tests.entries()) {
    if (tests.findIndex((other) => testKey(other) === testKey(test)) === index) continue;
    problems.push(
      problemIn(spec.file, lineOf(test.name), `two tests of one level are called ${nameOf(test)}`),
    );
  }
  return { file: spec.file, problems };
}

/** A stub loads, and leaves something to do at every level. */
export function judgeStub(
  verdict: Verdict,
  spec: { file: string; text: string },
  solution: string,
): Check {
  if (verdict.kind === 'broken') {
    const message = `the stub made of it cannot be tested: ${inOneLine(verdict.message)}`;
    return { file: spec.file, problems: [problemIn(solution, undefined, message)] };
  }
  return {
    file: spec.file,
    problems: levelsOf(verdict.tests)
      .filter(({ tests }) => !tests.some(hasFailed))
      .map(({ title }) =>
        problemIn(
          spec.file,
          lineFinder(spec.text)(title),
          `the stub passes all of the level "${title}"; each level needs a test that it fails`,
        ),
      ),
  };
}

/** The test it names sees a misconception, others do not, and further runs say the same. */
export function judgeMisconception(
  verdicts: readonly Verdict[],
  { title, caughtBy, line }: Misconception,
  file: string,
): Check {
  const [verdict, ...others] = verdicts;
  if (!verdict) throw new Error('A misconception takes a verdict.');
  const message =
    verdict.kind === 'broken'
      ? whyNotStopped(verdict, caughtBy)
      : whyNotCaught(verdict.tests, caughtBy);
  const changed = others.some((other) => fingerprint(other) !== fingerprint(verdict));
  const messages = [
    ...(message === undefined ? [] : [message]),
    ...(changed ? ['two runs fail different tests; take chance and real time out of it'] : []),
  ];
  return { file, problems: messages.map((each) => problemIn(file, line, `${title}: ${each}`)) };
}

function whyNotCaught(tests: readonly TestResult[], caughtBy: string): string | undefined {
  const named = tests.filter((test) => test.name === caughtBy || testKey(test) === caughtBy);
  const [test] = named;
  if (!test) return `the spec has no test called "${caughtBy}"`;
  if (named.length > 1) return `two levels have a test called "${caughtBy}"; say "level > name"`;
  if (!hasFailed(test)) {
    const failing = tests.filter(hasFailed).map(nameOf).join(', ');
    return `"${caughtBy}" does not catch it; ${failing === '' ? 'nothing does' : `what does: ${failing}`}`;
  }
  return tests.every(hasFailed)
    ? 'it fails every test, so it is a crash and no plausible wrong answer'
    : undefined;
}

/** What stops the test that is to catch it has been caught. */
function whyNotStopped(
  verdict: Verdict & { kind: 'broken' },
  caughtBy: string,
): string | undefined {
  const { reason, during = '' } = verdict;
  const isStop = reason === 'time-out' || reason === 'unhandled';
  const isNamed = caughtBy === during || caughtBy.endsWith(` > ${during}`);
  if (isStop && isNamed) return undefined;
  return `the spec does not get through it: ${inOneLine(verdict.message)}`;
}

function fingerprint(verdict: Verdict): string {
  return verdict.kind === 'broken'
    ? `${verdict.reason} ${verdict.during}`
    : verdict.tests.filter(hasFailed).map(testKey).join('\n');
}

function hasFailed({ state }: TestResult): boolean {
  return state === 'failed';
}

function nameOf(test: TestResult | undefined): string {
  return `"${test?.name ?? ''}"`;
}

/** The first line of a spec on which a title stands; titles with escapes in them are not found. */
function lineFinder(text: string): (title: string) => number | undefined {
  const lines = text.split('\n');
  return (title) => {
    const last = title.split(' > ').at(-1) ?? title;
    const index = last === '' ? -1 : lines.findIndex((line) => line.includes(last));
    return index === -1 ? undefined : index + 1;
  };
}

function inOneLine(message: string): string {
  return message.replaceAll(/\s+/g, ' ').trim();
}
