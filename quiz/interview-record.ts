import type { Question, Turn } from './interview.ts';
import { type Level, levels } from './level.ts';
import { isRecord } from './record.ts';

/** What happens in a mock interview, as its record keeps it: one line each. */
export type Happening =
  | { readonly type: 'began'; readonly interview: string; readonly title: string }
  | ({ readonly type: 'asked' } & Question)
  /** One line of an answer. */
  | { readonly type: 'line'; readonly text: string }
  /** The answer was handed in. */
  | { readonly type: 'given' }
  /** The learner came back after leaving. */
  | { readonly type: 'back' }
  | ({ readonly type: 'scored' } & Score)
  | { readonly type: 'ended' };

export type Dated = Happening & {
  /** ISO 8601. */
  readonly at: string;
};

/** The learner's own judgement on one axis of the rubric. */
export interface Score {
  readonly axis: string;
  readonly level: Level | 'below L4';
  /** A line of theirs that shows it. */
  readonly evidence?: string | undefined;
}

/** A mock interview so far. */
export interface Rehearsal {
  /** Slug of the interview. */
  readonly interview: string;
  readonly title: string;
  /** ISO 8601. */
  readonly began: string;
  readonly turns: readonly Turn[];
  readonly scores: readonly Score[];
  /** By title of the phase; what passed while the learner was away is left out. */
  readonly spentMs: ReadonlyMap<string, number>;
  readonly hasEnded: boolean;
}

/** What a record tells. */
export function rehearsalOf(happenings: readonly Dated[]): Rehearsal {
  const turns: Turn[] = [];
  const scores = new Map<string, Score>();
  const spentMs = new Map<string, number>();
  let about = { interview: '', title: '', began: '' };
  let hasEnded = false;
  let before = happenings[0]?.at ?? '';
  for (const happening of happenings) {
    const turn = turns.at(-1);
    if (turn !== undefined && onTheClock.has(happening.type)) {
      const passed = Math.max(0, Date.parse(happening.at) - Date.parse(before));
      spentMs.set(turn.phase, (spentMs.get(turn.phase) ?? 0) + passed);
    }
    before = happening.at;
    switch (happening.type) {
      case 'asked': {
        const { phase, kind, text } = happening;
        turns.push({ phase, kind, about: happening.about, text, lines: [], isGiven: false });
        break;
      }
      case 'line':
        if (turn) turns.splice(-1, 1, { ...turn, lines: [...turn.lines, happening.text] });
        break;
      case 'given':
        if (turn) turns.splice(-1, 1, { ...turn, isGiven: true });
        break;
      case 'scored': {
        const { axis, level, evidence } = happening;
        scores.set(axis, { axis, level, evidence });
        break;
      }
      case 'ended':
        hasEnded = true;
        break;
      case 'began':
        about = {
          interview: happening.interview,
          title: happening.title,
          began: happening.at,
        };
        break;
      case 'back':
        break;
    }
  }
  return {
    ...about,
    turns,
    scores: [...scores.values()],
    spentMs,
    hasEnded,
  };
}

/** Neither coming back nor the scoring takes time from a phase. */
const onTheClock = new Set<Happening['type']>(['asked', 'line', 'given']);

/** The happening that a line of a record holds, or a sentence on why it holds none. */
export function parseHappening(line: string): Dated | string {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) && isHappening(value) ? value : 'This line is no happening.';
  } catch {
    return 'This line is damaged (not JSON).';
  }
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const maybeText: Check = (value) => value === undefined || isText(value);
const oneOf =
  (...all: readonly string[]): Check =>
  (value) =>
    all.some((each) => each === value);

const shapes = new Map<unknown, Readonly<Record<string, Check>>>([
  ['began', { interview: isText, title: isText }],
  [
    'asked',
    {
      phase: isText,
      kind: oneOf('opening', 'probe', 'follow-up', 'curveball'),
      about: maybeText,
      text: isText,
    },
  ],
  ['line', { text: isText }],
  ['given', {}],
  ['back', {}],
  ['scored', { axis: isText, level: oneOf('below L4', ...levels), evidence: maybeText }],
  ['ended', {}],
]);

function isHappening(
  record: Readonly<Record<string, unknown>>,
): record is Dated & Readonly<Record<string, unknown>> {
  const shape = shapes.get(record['type']);
  const isTime = typeof record['at'] === 'string' && !Number.isNaN(Date.parse(record['at']));
  return (
    isTime &&
    shape !== undefined &&
    Object.entries(shape).every(([key, check]) => check(record[key]))
  );
}
