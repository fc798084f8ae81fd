import type { Contestant, Finding, Measure, Ratio } from './measure.ts';
import { wrap } from '../loop/text-block.ts';
import { ratiosOf, spreadOf } from './statistics.ts';

const WIDTH = 80;

/** A finding as text. */
export function reportLines({ name, title }: Measure, finding: Finding): string[] {
  const { contestants, ratios, notes } = finding;
  const [first] = contestants;
  const rounds = first?.samples.length ?? 0;
  const width = Math.max(...contestants.map((each) => each.name.length));
  return [
    '',
    `${name}: ${title}`,
    `  median of ${rounds} rounds, taken in turn (the middle half of them)`,
    '',
    ...contestants.map((each) => `  ${each.name.padEnd(width)}  ${timeOf(each)}`),
    '',
    ...ratios.flatMap(ratioLines),
    '',
    ...notes.flatMap(noteLines),
  ];
}

/** What a reader of all findings has to know. */
export const howToRead = [
  'How to read it: times are of this machine, now; a ratio below 1 means that ours',
  'takes less. All take turns in each round, and each round has its own ratio: first',
  'their median, then the range of the middle half. A range that is wide, or has the',
  'aim inside, says that the machine was too busy to tell: run that measure again.',
  'An aim is what the kit promises, and a ratio without one is for orientation. The',
  'notes say where the two do not do the same.',
] as const;

/** Whether the median of the rounds' ratios is within its aim. */
function isMet({ ours, theirs, aim = Infinity }: Ratio): boolean {
  return spreadOf(ratiosOf(ours.samples, theirs.samples)).median <= aim;
}

function timeOf({ unit, samples }: Contestant): string {
  const { median, p25, p75 } = spreadOf(samples);
  const whole = (value: number) => Math.round(value).toLocaleString('en');
  return `${whole(median).padStart(7)} ${unit}  (${whole(p25)} to ${whole(p75)})`;
}

function ratioLines(ratio: Ratio): string[] {
  const { ours, theirs, aim } = ratio;
  const { median, p25, p75 } = spreadOf(ratiosOf(ours.samples, theirs.samples));
  const range = `(${p25.toFixed(2)} to ${p75.toFixed(2)})`;
  return [
    `  ${ours.name} takes ${median.toFixed(2)} times what ${theirs.name} takes ${range}`,
    aim === undefined
      ? '    for orientation'
      : `    aim: at most ${aim.toFixed(2)}; ${isMet(ratio) ? 'met' : 'missed'}`,
  ];
}

function noteLines(note: string): string[] {
  return wrap(note, WIDTH, '    ').map((line, index) =>
    index === 0 ? `  - ${line.trim()}` : line,
  );
}
