import type { SolveRecord } from './kata-journal.ts';
import type { WrongDesign } from './likeness.ts';
import { isSolved, type Verdict } from '../runner/verdict.ts';

/** What the loop knows; `watch-view.ts` draws it. */
export interface WatchState {
  readonly kata: WatchedKata;
  /** Saves are not noticed; only the key runs the spec. */
  readonly manual: boolean;
  /** `queued`: running, and wanted once more after that. */
  readonly run: 'idle' | 'running' | 'queued';
  /** The last one of this kata; undefined before the first. */
  readonly verdict?: Verdict | undefined;
  /** How many hints are shown. */
  readonly hints: number;
  /** What waits for y or n. */
  readonly question?: Question | undefined;
  /** The journal says that the kata is solved, whatever its answer does just now. */
  readonly solved: boolean;
  readonly solve?: Solve | undefined;
  /** What each misconception fails; undefined until known. */
  readonly designs?: readonly WrongDesign[] | undefined;
  /** What the compiler says of a solved answer. */
  readonly advice: readonly string[];
  /** One line that stays until the next key. */
  readonly notice?: string | undefined;
}

export interface WatchedKata {
  readonly slug: string;
  readonly title: string;
  /** The answer's path from the kit's root, as shown. */
  readonly file: string;
  /** The same, absolute. */
  readonly path: string;
  /** Markdown, in order. */
  readonly hints: readonly string[];
  /** How many misconceptions the spec catches. */
  readonly wrongDesigns: number;
  readonly hasExperiment: boolean;
}

/** `solution`: show it though unsolved; `reset`: begin anew; `again`: begin anew since it is due. */
export type Question = 'solution' | 'reset' | 'again';

export interface Solve extends SolveRecord {
  /** From opening the kata in this sitting. */
  readonly tookMs: number;
  readonly now: Date;
}

export type WatchEvent =
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'saved' }
  /** The file system does not tell of saves. */
  | { readonly type: 'unwatched'; readonly reason: string }
  | { readonly type: 'resized' }
  | {
      readonly type: 'verdict';
      readonly verdict: Verdict;
      readonly solve?: Solve | undefined;
    }
  | { readonly type: 'blank'; readonly notice: string }
  | { readonly type: 'designs'; readonly slug: string; readonly designs: readonly WrongDesign[] }
  | { readonly type: 'advice'; readonly slug: string; readonly lines: readonly string[] };

/** What the shell is to do after an event. */
export type Wish =
  | 'run'
  | 'brief'
  | 'lesson'
  | 'more'
  | 'see'
  | 'pick'
  | 'reset'
  | 'solution'
  | 'next'
  | 'quit';

export interface Step {
  readonly state: WatchState;
  readonly wish?: Wish;
}

/** A kata as it is opened: the spec is about to run, or queued behind the run of another kata. */
export function openKata(
  kata: WatchedKata,
  { manual, solved, due, busy }: Readonly<Record<'manual' | 'solved' | 'due' | 'busy', boolean>>,
): WatchState {
  return {
    kata,
    manual,
    run: busy ? 'queued' : 'running',
    hints: 0,
    question: solved && due ? 'again' : undefined,
    solved,
    advice: [],
  };
}

export function step(state: WatchState, event: WatchEvent): Step {
  switch (event.type) {
    case 'key':
      return state.question === undefined
        ? onKey({ ...state, notice: undefined }, event.key)
        : onReply(state, state.question, event.key);
    case 'saved':
      return wantRun(state);
    case 'unwatched':
      return { state: { ...state, manual: true, notice: `${event.reason} r runs the spec.` } };
    case 'resized':
      return { state };
    case 'verdict':
      return onVerdict(state, event);
    case 'blank':
      return wantRun({
        ...state,
        verdict: undefined,
        // Hints of an attempt that was given up still helped the next one.
        hints: state.solved ? 0 : state.hints,
        solved: false,
        solve: undefined,
        advice: [],
        notice: event.notice,
      });
    case 'designs':
      return { state: isOf(state, event) ? { ...state, designs: event.designs } : state };
    case 'advice':
      return { state: isOf(state, event) ? { ...state, advice: event.lines } : state };
  }
  return event satisfies never;
}

function isOf(state: WatchState, event: { readonly slug: string }): boolean {
  return event.slug === state.kata.slug;
}

function wantRun(state: WatchState): Step {
  return state.run === 'idle'
    ? { state: { ...state, run: 'running' }, wish: 'run' }
    : { state: { ...state, run: 'queued' } };
}

/** A verdict on a text that is no longer there is not worth a look: the next one is on its way. */
function onVerdict(
  state: WatchState,
  { verdict, solve = state.solve }: Extract<WatchEvent, { readonly type: 'verdict' }>,
): Step {
  if (state.run === 'queued') return { state: { ...state, run: 'running' }, wish: 'run' };
  const solved = state.solved || isSolved(verdict);
  return { state: { ...state, run: 'idle', verdict, solve, solved, advice: [] } };
}

function onKey(state: WatchState, key: string): Step {
  switch (key) {
    case 'h':
      return { state: withNextHint(state) };
    case 'r':
      return wantRun(state);
    case 'x':
      return { state: { ...state, question: 'reset' } };
    case 's':
      return state.solved
        ? { state, wish: 'solution' }
        : { state: { ...state, question: 'solution' } };
    case 'n':
      return state.solved
        ? { state, wish: 'next' }
        : {
            state: { ...state, notice: 'n goes on once every level passes; p picks another kata.' },
          };
    case 'b':
      return { state, wish: 'brief' };
    case 'l':
      return { state, wish: 'lesson' };
    case 'm':
      return { state, wish: 'more' };
    case 'v':
      return state.kata.hasExperiment
        ? { state, wish: 'see' }
        : { state: { ...state, notice: 'There is no experiment with this kata to see.' } };
    case 'p':
      return { state, wish: 'pick' };
    case 'q':
    case 'ctrl-c':
    case 'ctrl-d':
      return { state, wish: 'quit' };
    default:
      return { state };
  }
}

function withNextHint(state: WatchState): WatchState {
  const { hints } = state.kata;
  if (state.hints < hints.length) return { ...state, hints: state.hints + 1 };
  const notice =
    hints.length === 0
      ? 'This kata has no hints. l shows the lesson.'
      : 'That was the last hint. l shows the lesson, s the solution.';
  return { ...state, notice };
}

function onReply(state: WatchState, question: Question, key: string): Step {
  const answered = { ...state, question: undefined };
  switch (key) {
    case 'y':
      return { state: answered, wish: question === 'solution' ? 'solution' : 'reset' };
    case 'n':
    case 'escape':
    case 'q':
      return { state: answered };
    case 'ctrl-c':
    case 'ctrl-d':
      return { state: answered, wish: 'quit' };
    default:
      return { state };
  }
}
