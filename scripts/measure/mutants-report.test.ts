import { expect, it } from 'vitest';
import type { Kata } from '../content/catalog.ts';
import { kataFiles } from '../content/kit-layout.ts';
import { reportMutants } from './mutants-report.ts';
import type { Mutant } from './mutation-report.ts';

const kata: Kata = {
  slug: 'quota',
  title: 'Quota',
  lesson: 'quota',
  level: 'L4',
  minutes: 10,
  brief: '',
  hints: [],
  hasExperiment: false,
  files: kataFiles('/kit', 'quota'),
};

function mutant(status: Mutant['status'], line: number): Mutant {
  return { status, mutator: 'EqualityOperator', line, original: 'a < b', replacement: 'a <= b' };
}

it('counts, says whether the score will do, and lists first what is not explained', () => {
  const explained = mutant('survived', 7);
  const unexplained = mutant('not covered', 9);
  const mutants = [mutant('killed', 1), mutant('timed out', 2), explained, unexplained];
  const stale = { change: '`x` → `y`', line: 40 };
  const sorted = { explained: [explained], unexplained: [unexplained], stale: [stale] };
  expect(reportMutants('/kit', kata, mutants, sorted).join('\n')).toMatchInlineSnapshot(`
    "
    quota
      4 mutants: 1 killed, 1 timed out, 1 survived, 1 not covered
      score 50 %, aim at least 95 %: missed

      Not explained in solutions/quota/README.md:
        solutions/quota/quota.ts:9 EqualityOperator, not covered
          \`a < b\` → \`a <= b\`

      Explained:
        solutions/quota/quota.ts:7 EqualityOperator, survived
          \`a < b\` → \`a <= b\`

      solutions/quota/README.md:40 explains what does not survive: \`x\` → \`y\`"
  `);
});

it('does not round a score up to the aim', () => {
  const killed = Array.from({ length: 9_499 }, () => mutant('killed', 1));
  const survived = Array.from({ length: 501 }, () => mutant('survived', 1));
  const sorted = { explained: survived, unexplained: [], stale: [] };
  const text = reportMutants('/kit', kata, [...killed, ...survived], sorted).join('\n');
  expect(text).toContain('score 94.9 %, aim at least 95 %: missed');
});
