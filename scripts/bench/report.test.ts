import { expect, it } from 'vitest';
import { contestant, type Finding, type Measure } from './measure.ts';
import { reportLines } from './report.ts';

function took(name: string, samples: readonly number[]) {
  const each = contestant(name, 'ms', async () => 0);
  each.samples.push(...samples);
  return each;
}

const ours = took('the loop', [100, 110, 120]);
const theirs = took('vitest run', [1_000, 1_100, 1_200]);

function linesFor(aim: number): string {
  const finding: Finding = {
    contestants: [ours, theirs],
    ratios: [{ ours, theirs, aim }],
    notes: ['what a reader has to know to judge it, and it is long enough for two lines of a page'],
  };
  const measure: Measure = { name: 'loop', title: 'a save', run: async () => finding };
  return reportLines(measure, finding).join('\n');
}

it('prints what each took, the ratio, and whether the aim was met, in words', () => {
  expect(linesFor(0.2)).toMatchInlineSnapshot(`
    "
    loop: a save
      median of 3 rounds, taken in turn (the middle half of them)

      the loop        110 ms  (105 to 115)
      vitest run    1,100 ms  (1,050 to 1,150)

      the loop takes 0.10 times what vitest run takes (0.10 to 0.10)
        aim: at most 0.20; met

      - what a reader has to know to judge it, and it is long enough for two lines
        of a page"
  `);
  expect(linesFor(0.05)).toContain('aim: at most 0.05; missed');
});
