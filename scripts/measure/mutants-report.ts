import { relative } from 'node:path';
import type { Kata } from '../content/catalog.ts';
import { type Mutant, scoreOf } from './mutation-report.ts';
import { describeChange, type Sorted } from './survivors.ts';
import { style } from '../terminal.ts';

/** The share of mutants that a spec has to notice. */
export const LEAST_SCORE = 0.95;

/** What became of the mutants of a kata, as lines of text: what is not explained first. */
export function reportMutants(
  root: string,
  { slug, files }: Kata,
  mutants: readonly Mutant[],
  sorted: Sorted,
): string[] {
  const count = (status: Mutant['status']) =>
    mutants.filter((each) => each.status === status).length;
  const score = scoreOf(mutants);
  const isMet = score >= LEAST_SCORE;
  const solution = relative(root, files.solution);
  const walkthrough = relative(root, files.walkthrough);
  return [
    '',
    style('bold', slug),
    `  ${mutants.length} mutants: ${count('killed')} killed, ${count('timed out')} timed out, ${count('survived')} survived, ${count('not covered')} not covered`,
    `  score ${percent(score)}, aim at least ${percent(LEAST_SCORE)}: ${isMet ? 'met' : style('red', 'missed')}`,
    ...listed(`Not explained in ${walkthrough}:`, sorted.unexplained, solution),
    ...listed('Explained:', sorted.explained, solution),
    ...sorted.stale.map(
      ({ change, line }) => `\n  ${walkthrough}:${line} explains what does not survive: ${change}`,
    ),
  ];
}

function listed(title: string, mutants: readonly Mutant[], solution: string): string[] {
  if (mutants.length === 0) return [];
  return [
    '',
    `  ${title}`,
    ...mutants.flatMap((mutant) => [
      `    ${solution}:${mutant.line} ${mutant.mutator}, ${mutant.status}`,
      `      ${describeChange(mutant)}`,
    ]),
  ];
}

function percent(share: number): string {
  // Downwards, so that 94.96 does not read as if it had met 95.
  return `${Math.floor(share * 1_000) / 10} %`;
}
