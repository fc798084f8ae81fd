import { expect, it } from 'vitest';
import type { Mutant } from './mutation-report.ts';
import { describeChange, parseExplanations, sortSurvivors } from './survivors.ts';

function survivor(original: string, replacement: string, line = 1): Mutant {
  return { status: 'survived', mutator: 'EqualityOperator', line, original, replacement };
}

const walkthrough = `# A kata

- \`x\` → \`y\`: of another section

## Surviving mutants

Two survive.

- \`a < b\` → \`a <= b\`: because it
  does not matter.
- \`'on'\` → \`""\`: because nobody asks.
- no code: so this is none

## Misconceptions
`;

it('finds the explanations of the section, and no others', () => {
  expect(parseExplanations(walkthrough)).toEqual([
    { change: '`a < b` → `a <= b`', line: 9 },
    { change: '`\'on\'` → `""`', line: 11 },
  ]);
});

it('tells explained survivors from others, and explanations that nothing needs', () => {
  const known = survivor("'on'", '""');
  const unknown = survivor('a < b', 'a > b');
  expect(sortSurvivors([known, unknown], parseExplanations(walkthrough))).toEqual({
    explained: [known],
    unexplained: [unknown],
    stale: [{ change: '`a < b` → `a <= b`', line: 9 }],
  });
});

it('takes one explanation for one survivor only', () => {
  const first = survivor('a < b', 'a <= b', 3);
  const second = survivor('a < b', 'a <= b', 9);
  const { explained, unexplained } = sortSurvivors([first, second], parseExplanations(walkthrough));
  expect(explained).toEqual([first]);
  expect(unexplained).toEqual([second]);
});

it('writes long code on one line, cut, and reads what it has written', () => {
  const long = survivor(`{\n  first();\n  ${'again();\n'.repeat(20)}}`, '{}');
  const change = describeChange(long);
  expect(change).not.toContain('\n');
  expect(change.length).toBeLessThan(80);
  const explained = parseExplanations(`## Surviving mutants\n\n- ${change}: because.\n`);
  expect(sortSurvivors([long], explained).unexplained).toEqual([]);
});
