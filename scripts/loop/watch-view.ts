import { fit, type Section, spread, wrap } from './text-block.ts';
import { fileLink, style } from '../terminal.ts';
import { isSolved, levelsOf, levelsPassed, type Verdict } from '../runner/verdict.ts';
import { verdictSections } from './verdict-view.ts';
import type { Question, WatchState } from './watch-state.ts';

/** What is drawn on. */
export interface Canvas extends Scroll {
  readonly rows: number;
}

/** The same, however long. */
export interface Scroll {
  readonly columns: number;
  /** What `hintMarkdown` gives for each hint, as text for that many columns. */
  readonly hints: readonly string[];
}

/** The whole screen: never more than `rows` lines of `columns`; the file and the keys are always on it. */
export function render(state: WatchState, canvas: Canvas): string {
  const { columns, rows } = canvas;
  const header = [headline(state, columns), watched(state, columns), ''];
  const footer = ['', ...footerOf(state, columns)];
  const room = rows - header.length - footer.length;
  const body = fit([...bodyOf(state, canvas), invitation(state, columns)], room, 'm shows all');
  const filler = Array<string>(Math.max(0, room - body.length)).fill('');
  return [...header, ...body, ...filler, ...footer].slice(-rows).join('\n');
}

/** A hint of the kata as it is shown: its heading, `### 1 · Where to begin`, says how many there are. */
export function hintMarkdown(hint: string, index: number, hints: readonly string[]): string {
  const place = `Hint ${index + 1} of ${hints.length}`;
  return hint.replace(/^### (?:\d+ · )?(.*)$/m, `**${place} · $1**`);
}

/** All there is to say, however long, with every hint that was taken. */
export function renderAll(state: WatchState, scroll: Scroll): string {
  const hints = Array.from({ length: state.hints }, (_, i) => hintOf(i + 1, scroll));
  const sections = [...bodyOf({ ...state, hints: 0 }, scroll), ...hints];
  return [headline(state, scroll.columns), ...paragraphs(sections)].join('\n\n');
}

function paragraphs(sections: readonly Section[]): string[] {
  return sections.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
}

function headline({ kata, verdict, solved }: WatchState, columns: number): string {
  const before = solved && verdict && !isSolved(verdict) ? ' · solved before' : '';
  return spread(style('bold', kata.title) + before, verdict ? bar(verdict) : '', columns);
}

/** `[####---] 4 of 7 levels`; nothing when the spec did not run to its end. */
function bar(verdict: Verdict): string {
  if (verdict.kind === 'broken') return '';
  const levels = levelsOf(verdict.tests);
  const passed = levelsPassed(levels);
  const cells = '#'.repeat(passed) + '-'.repeat(levels.length - passed);
  return `[${cells}] ${passed} of ${levels.length} levels`;
}

function watched({ kata, manual, run, verdict }: WatchState, columns: number): string {
  const file = fileLink(kata.file, kata.path);
  const right =
    run === 'idle' ? (verdict ? `ran in ${seconds(verdict.durationMs)}` : '') : 'running…';
  return style(
    'dim',
    spread(
      manual ? `${file} · saves are not noticed, r runs it` : `Watching ${file}`,
      right,
      columns,
    ),
  );
}

function bodyOf(state: WatchState, scroll: Scroll): Section[] {
  const { verdict, hints } = state;
  if (verdict === undefined) return [['Running the spec on your file…']];
  const sections = verdictSections(state, verdict, scroll.columns);
  return isSolved(verdict) ? sections : [...sections, hintOf(hints, scroll)];
}

/** Nothing goes on by itself: what there is to do after a success. */
function invitation({ verdict }: WatchState, columns: number): Section {
  if (verdict === undefined || !isSolved(verdict)) return [];
  return wrap(
    'n goes on to the next kata; s shows our solution and another way, to compare with yours.',
    columns,
  );
}

function hintOf(number: number, { hints }: Scroll): Section {
  const text = number > 0 ? hints[number - 1] : undefined;
  return text === undefined ? [] : text.split('\n');
}

function footerOf(state: WatchState, columns: number): string[] {
  const { question, notice } = state;
  if (question !== undefined)
    return wrap(`${questions[question]} ${style('bold', 'y/n')}`, columns);
  return [...(notice ? wrap(notice, columns) : []), ...keyLines(state, columns)];
}

const questions: Readonly<Record<Question, string>> = {
  solution: 'Look at the solution before solving it? The kata then comes back sooner.',
  reset: 'Start again from blank? Your answer is archived first.',
  again: 'Solved, and due again today. Solve it from blank? Your answer is archived first.',
};

/** The keys that mean something now, on as many lines as it takes. */
function keyLines({ kata, hints, solved, verdict }: WatchState, columns: number): string[] {
  const isGreen = verdict !== undefined && isSolved(verdict);
  const keys = [
    ...(solved ? ['n next'] : []),
    ...(isGreen || kata.hints.length === 0 ? [] : [`h hint ${hints}/${kata.hints.length}`]),
    'l lesson',
    'b brief',
    ...(kata.hasExperiment ? ['v see it'] : []),
    'r run again',
    'p pick',
    'x reset',
    's solution',
    'q quit',
  ];
  const lines: string[] = [];
  for (const key of keys) {
    const longer = [...lines.slice(-1), key].join('  ');
    if (lines.length > 0 && longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(key);
  }
  return lines.map((line) => line.replaceAll(/\b[a-z] (?=[a-z])/g, (key) => style('bold', key)));
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 0)} s`;
}
