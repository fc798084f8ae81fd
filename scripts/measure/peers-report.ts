import { compare, type Difference } from './peer-differences.ts';
import { style } from '../terminal.ts';
import { levelsOf, type TestResult, type Verdict } from '../runner/verdict.ts';

/** A library behind the interface of a kata. */
export interface Peer {
  readonly name: string;
  readonly code: string;
  readonly version: string;
}

/** What a spec says of a library, as lines of text: what is not accounted for first. */
export function reportPeer(
  { name, version }: Peer,
  verdict: Verdict,
  differences: readonly Difference[],
  walkthrough: string,
): string[] {
  if (verdict.kind === 'broken') {
    return ['', `  ${name} ${version} could not be tested: ${verdict.message}`];
  }
  const { tests } = verdict;
  const { unaccounted, accounted, stale } = compare(tests, differences);
  return [
    '',
    `  ${name} ${version}: ${passed(tests)}`,
    ...levelsOf(tests).map((level) => `    ${level.title}: ${passed(level.tests)}`),
    ...listed(`Not accounted for in ${walkthrough}:`, unaccounted),
    ...listed('Accounted for:', accounted),
    ...stale.map(
      ({ test, line }) => `\n    ${walkthrough}:${line} ${name} does not fail \`${test}\``,
    ),
  ];
}

function passed(tests: readonly TestResult[]): string {
  return `${tests.filter(({ state }) => state === 'passed').length} of ${tests.length} tests pass`;
}

function listed(title: string, tests: readonly TestResult[]): string[] {
  if (tests.length === 0) return [];
  return [
    '',
    `    ${title}`,
    ...tests.flatMap(({ level, name, message = '' }) => [
      `      ${level.split(' ', 1)[0]} · ${name}`,
      style('dim', `        ${message.split('\n', 1)[0]}`),
    ]),
  ];
}
