import { expect, it } from 'vitest';
import { compare, isAccountedFor, parseDifferences } from './peer-differences.ts';
import type { TestResult, Verdict } from '../runner/verdict.ts';

const walkthrough = `## What libraries decide

Prose with a list of other things:

- five probes

**Probes.**

- cockatiel: \`lets one through\`, \`2 · open > refuses\`: because
  it waits.
- opossum: \`lets one through\`: because it does not.

## Surviving mutants

- cockatiel: \`closes\`: is no difference
`;
const ofCockatiel = parseDifferences(walkthrough).filter(({ peer }) => peer === 'cockatiel');

function result(level: string, name: string, state: TestResult['state']): TestResult {
  return { level, name, state };
}

function verdictOn(...tests: TestResult[]): Verdict {
  return { kind: 'tested', tests, output: { lines: [], cut: 0 }, durationMs: 1 };
}

it('finds the tests of each library, with their lines', () => {
  expect(parseDifferences(walkthrough)).toEqual([
    { peer: 'cockatiel', test: 'lets one through', line: 9 },
    { peer: 'cockatiel', test: '2 · open > refuses', line: 9 },
    { peer: 'opossum', test: 'lets one through', line: 11 },
  ]);
});

it('tells failures that are accounted for from others', () => {
  const known = result('1 · closed', 'lets one through', 'failed');
  const byLevel = result('2 · open', 'refuses', 'failed');
  const unknown = result('1 · closed', 'refuses', 'failed');
  expect(compare([known, byLevel, unknown], ofCockatiel)).toEqual({
    accounted: [known, byLevel],
    unaccounted: [unknown],
    stale: [],
  });
});

it('names differences that are none any more', () => {
  const tests = [result('1 · closed', 'lets one through', 'passed')];
  expect(compare(tests, ofCockatiel).stale.map(({ test }) => test)).toEqual([
    'lets one through',
    '2 · open > refuses',
  ]);
});

it('holds no library accounted for that could not be tested', () => {
  const known = verdictOn(result('1 · closed', 'lets one through', 'failed'));
  expect(isAccountedFor(known, ofCockatiel)).toBe(true);
  expect(isAccountedFor(known, [])).toBe(false);
  const broken: Verdict = {
    kind: 'broken',
    reason: 'import',
    message: 'There is no such package.',
    output: { lines: [], cut: 0 },
    durationMs: 1,
  };
  expect(isAccountedFor(broken, ofCockatiel)).toBe(false);
});
