import type { TestCase, TestModule, TestSuite } from 'vitest/node';
import { failureMessage, type Thrown } from './failure-message.ts';
import { loadFailure } from './load-failure.ts';
import { type SpecFiles, specChanged } from './spec-files.ts';
import { placeIn } from './stack-place.ts';
import type { Outcome, TestResult } from './verdict.ts';

/** What Vitest says of a run, in the words of the kit. */
export function outcomeOf(
  module: TestModule,
  unhandled: readonly Thrown[],
  files: SpecFiles,
): Outcome {
  const results = resultsOf(module, [], undefined, files);
  const [loadError] = module.errors();
  if (results.length === 0) {
    return loadError ? loadFailure(loadError, files) : specChanged('has no tests', files);
  }
  const tests = results.filter((result) => result !== undefined);
  if (tests.length < results.length) {
    return specChanged(skippedMessage(results.length - tests.length, results.length), files);
  }
  const [stray] = unhandled;
  return stray ? withStray(tests, stray, files) : { kind: 'tested', tests };
}

/**
 * The results of a group of tests and all groups in it; `undefined` for a test that did not run. A step before
 * a whole group that fails fails its tests, which do not run then.
 */
function resultsOf(
  group: TestModule | TestSuite,
  titles: readonly string[],
  outerError: Thrown | undefined,
  files: SpecFiles,
): (TestResult | undefined)[] {
  const [ownError] = group.errors();
  const error = ownError ?? outerError;
  const results = [...group.children].flatMap((child) =>
    child.type === 'test'
      ? [resultOf(child, titles, error, files)]
      : resultsOf(child, [...titles, child.name], error, files),
  );
  const last = results.findLast((result) => result !== undefined);
  if (!ownError || !last || results.some((result) => result?.state === 'failed')) return results;
  // What failed was a step after all tests, so none of them shows it.
  return results.map((result) => (result === last ? failed(last, ownError, files) : result));
}

function resultOf(
  test: TestCase,
  titles: readonly string[],
  groupError: Thrown | undefined,
  files: SpecFiles,
): TestResult | undefined {
  const [level = '', ...groups] = titles;
  const title = { level, name: [...groups, test.name].join(' > ') };
  const { state, errors } = test.result();
  const { picture } = test.meta();
  if (state === 'passed') return { ...title, state, ...(picture && { picture }) };
  const [error = groupError] = errors ?? [];
  return error && failed(title, error, files);
}

function failed(
  { level, name }: Pick<TestResult, 'level' | 'name'>,
  error: Thrown,
  files: SpecFiles,
): TestResult {
  const at = placeIn(files.answer, error.stack) ?? placeIn(files.answer, error.cause?.stack);
  const message = failureMessage(error, files.root);
  return { level, name, state: 'failed', message, ...(at && { at }) };
}

function skippedMessage(skipped: number, all: number): string {
  return `was changed: ${skipped} of its ${all} tests did not run. Look for \`.only\`, \`.skip\` and \`.todo\``;
}

/** An error that no test caught: the verdict when all tests pass, a remark on the first failed one otherwise. */
function withStray(tests: readonly TestResult[], stray: Thrown, files: SpecFiles): Outcome {
  const during = typeof stray.VITEST_TEST_NAME === 'string' ? stray.VITEST_TEST_NAME : undefined;
  const message = strayMessage(stray, during, files);
  const first = tests.find((test) => test.state === 'failed');
  if (first) {
    const remarked = { ...first, message: `${first.message}\nBesides: ${message}` };
    return { kind: 'tested', tests: tests.map((test) => (test === first ? remarked : test)) };
  }
  const at = placeIn(files.answer, stray.stack);
  return {
    kind: 'broken',
    reason: 'unhandled',
    message,
    ...(during !== undefined && { during }),
    ...(at && { at }),
  };
}

function strayMessage(stray: Thrown, during: string | undefined, files: SpecFiles): string {
  const text = failureMessage(stray, files.root);
  const where = during === undefined ? '' : ` in the test “${during}”`;
  return stray.type === 'Unhandled Rejection'
    ? `A promise was rejected${where} and nobody handled it.\n${text}\nAwait it, return it, or give it a \`catch\`.`
    : `An error was thrown${where} where nothing can catch it, in a timer or an event handler.\n${text}`;
}
