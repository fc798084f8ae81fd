import { levelsOf, levelsPassed, type TestResult, type Verdict } from '../runner/verdict.ts';

/** A misconception and what the spec says of it. */
export interface WrongDesign {
  readonly title: string;
  readonly why: string;
  /** The tests it fails, as `testKey` names them. */
  readonly fails: readonly string[];
}

export function testKey(test: Pick<TestResult, 'level' | 'name'>): string {
  return `${test.level} > ${test.name}`;
}

/** The tests that failed, as `testKey` names them; none when the spec did not run to its end. */
export function failuresIn(verdict: Verdict): string[] {
  return verdict.kind === 'tested'
    ? verdict.tests.filter((test) => test.state === 'failed').map(testKey)
    : [];
}

/**
 * The wrong designs that fail just the tests that the answer fails. While later levels are not built yet, only
 * the levels up to the first failing one count, and that one must be half right: a level that fails as a
 * whole, or at a TODO, says that it was not built, not how it was misunderstood.
 */
export function likeness(
  tests: readonly TestResult[],
  designs: readonly WrongDesign[],
): WrongDesign[] {
  const alike = designs.filter((design) => failsAlike(tests, design));
  if (alike.length > 0) return alike;
  const levels = levelsOf(tests);
  const reached = levels.slice(0, levelsPassed(levels) + 1);
  const current = reached.at(-1)?.tests ?? [];
  if (current.every((test) => test.state === 'failed') || current.some(isTodo)) return [];
  const inReach = reached.flatMap((level) => level.tests);
  return designs.filter((design) => failsAlike(inReach, design));
}

/** Whether of these tests the answer fails one or more, and the design fails just the same. */
function failsAlike(tests: readonly TestResult[], design: WrongDesign): boolean {
  return (
    tests.some((test) => test.state === 'failed') &&
    tests.every((test) => (test.state === 'failed') === design.fails.includes(testKey(test)))
  );
}

function isTodo(test: TestResult): boolean {
  return /\bTODO: /.test(test.message ?? '');
}
