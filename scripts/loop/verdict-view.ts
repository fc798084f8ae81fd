import { dayInWords } from '../../quiz/day.ts';
import { count } from '../../quiz/count.ts';
import { likeness } from './likeness.ts';
import { fileLink, style } from '../terminal.ts';
import { cut, harmless, type Section, wrap } from './text-block.ts';
import {
  type Broken,
  isSolved,
  levelsOf,
  type Output,
  type Place,
  type Tested,
  type Verdict,
} from '../runner/verdict.ts';
import type { Solve, WatchState } from './watch-state.ts';

/** What the spec said, what the code printed, and which misconception it looks like, if any. */
export function verdictSections(state: WatchState, verdict: Verdict, columns: number): Section[] {
  return [
    verdictOf(state, verdict, columns),
    outputOf(verdict.output, columns),
    likenessOf(state, verdict, columns),
  ];
}

function verdictOf(state: WatchState, verdict: Verdict, columns: number): Section {
  if (verdict.kind === 'broken') return brokenOf(state, verdict, columns);
  return isSolved(verdict) ? solvedOf(state, verdict, columns) : failureOf(state, verdict, columns);
}

function brokenOf(state: WatchState, { message, at, during }: Broken, columns: number): Section {
  const isNamed = during === undefined || message.includes(during);
  return [
    ...wrap(`${style('red', '✗')} The spec could not be run to its end.`, columns),
    ...(at ? [placeOf(state, at, columns)] : []),
    '',
    ...wrap(harmless(message), columns, '  '),
    ...(isNamed ? [] : ['', ...wrap(`During: ${during}`, columns, '  ')]),
  ];
}

function placeOf({ kata }: WatchState, { line, column }: Place, columns: number): string {
  return cut(`  at ${fileLink(`${kata.file}:${line}:${column}`, kata.path)}`, columns);
}

/** One thing at a time: the first test that fails in the first level that fails. */
function failureOf(state: WatchState, { tests }: Tested, columns: number): Section {
  const level = levelsOf(tests).find((each) => each.tests.some((test) => test.state === 'failed'));
  const [first, ...others] = level?.tests.filter((test) => test.state === 'failed') ?? [];
  if (level === undefined || first === undefined) return ['The spec has no tests.'];
  return [
    ...wrap(style('bold', level.title), columns),
    ...wrap(`${style('red', '✗')} ${first.name}`, columns),
    // Above the message, which may be too long for the screen.
    ...(first.at ? [placeOf(state, first.at, columns)] : []),
    '',
    ...wrap(harmless(first.message ?? 'It fails without saying why.'), columns, '  '),
    ...(others.length > 0
      ? [
          '',
          style(
            'dim',
            `  ${count(others.length, 'more test')} of this level ${others.length === 1 ? 'fails' : 'fail'}`,
          ),
        ]
      : []),
  ];
}

function solvedOf(
  { kata, solve, advice }: WatchState,
  { tests }: Tested,
  columns: number,
): Section {
  const { wrongDesigns } = kata;
  const lines = [
    style('green', `Solved: all ${count(levelsOf(tests).length, 'level')} pass.`),
    '',
    ...(wrongDesigns > 0
      ? [
          `Your code survived ${count(wrongDesigns, 'wrong design')}: this spec catches each of them.`,
        ]
      : []),
    ...(solve ? [solveOf(solve)] : []),
    ...(advice.length > 0 ? ['', 'The compiler has advice on your file:'] : []),
  ];
  return [
    ...lines.flatMap((line) => wrap(line, columns)),
    ...advice.flatMap((line) => wrap(harmless(line), columns, '  ')),
  ];
}

/** How long it took, and when it comes back. */
function solveOf({ grade, peeked, tookMs, due, now }: Solve): string {
  const took = `Time to green: ${duration(tookMs)}.`;
  if (due === undefined) return took;
  const why = peeked
    ? ', soon, as you had seen the solution'
    : grade === 'hard'
      ? ', a little sooner for the hints'
      : '';
  return `${took} It comes back ${dayInWords(due, now)}, to be solved from blank${why}.`;
}

function outputOf({ lines, cut: missing }: Output, columns: number): Section {
  if (lines.length === 0 && missing === 0) return [];
  return [
    'Your code printed:',
    ...lines.flatMap((line) => wrap(harmless(line), columns, '  | ')),
    ...(missing > 0 ? [style('dim', `  … and ${count(missing, 'more line')}, cut`)] : []),
  ];
}

function likenessOf({ designs = [] }: WatchState, verdict: Verdict, columns: number): Section {
  const [first, ...others] = verdict.kind === 'tested' ? likeness(verdict.tests, designs) : [];
  if (first === undefined) return [];
  const titles = [first, ...others].map(({ title }) => title).join(', or: ');
  return [
    ...wrap(style('yellow', `This looks like: ${titles}`), columns),
    ...wrap(first.why.replaceAll(/\s*\n\s*/g, ' '), columns, '  '),
  ];
}

/** "40 seconds", "14 minutes", "2 h 5 min". */
function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 2) return count(Math.max(1, Math.round(ms / 1_000)), 'second');
  return minutes < 120
    ? count(minutes, 'minute')
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
