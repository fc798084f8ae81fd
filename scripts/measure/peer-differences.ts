import { testKey } from '../loop/likeness.ts';
import { leadingCode, listItemsOf } from './list-items.ts';
import { sectionsOf } from '../content/markdown-parts.ts';
import type { TestResult, Verdict } from '../runner/verdict.ts';

/** The section of a walkthrough that says where libraries decide otherwise than the brief. */
export const DIFFERENCES_HEADING = 'What libraries decide';

/** A test that a library is known to fail. */
export interface Difference {
  readonly peer: string;
  /** Its name, or `level > name`. */
  readonly test: string;
  /** 1-based line of the walkthrough. */
  readonly line: number;
}

/** Of every item in the section that reads `` - library: `test`, `test`: because … ``, the tests. */
export function parseDifferences(walkthrough: string): Difference[] {
  return sectionsOf(walkthrough.replaceAll('\r\n', '\n'), 2)
    .filter(({ title }) => title === DIFFERENCES_HEADING)
    .flatMap((section) =>
      listItemsOf(section.body).flatMap(({ text, line }) => {
        const [, peer = '', rest = ''] = /^([^\s:`]+): (.*)$/.exec(text) ?? [];
        return leadingCode(rest, ', ').map((test) => ({ peer, test, line: section.line + line }));
      }),
    );
}

export interface Comparison {
  readonly unaccounted: readonly TestResult[];
  readonly accounted: readonly TestResult[];
  /** Differences that are none any more: the test passes, or there is no such test. */
  readonly stale: readonly Difference[];
}

export function compare(
  tests: readonly TestResult[],
  differences: readonly Difference[],
): Comparison {
  const failed = tests.filter(({ state }) => state === 'failed');
  const isAccounted = (test: TestResult) => differences.some((each) => isAbout(each, test));
  return {
    unaccounted: failed.filter((test) => !isAccounted(test)),
    accounted: failed.filter(isAccounted),
    stale: differences.filter((each) => !failed.some((test) => isAbout(each, test))),
  };
}

/** Whether the spec could be run, and the library fails no other tests than it is known to. */
export function isAccountedFor(verdict: Verdict, differences: readonly Difference[]): boolean {
  return verdict.kind === 'tested' && compare(verdict.tests, differences).unaccounted.length === 0;
}

function isAbout(difference: Difference, test: TestResult): boolean {
  return difference.test === test.name || difference.test === testKey(test);
}
