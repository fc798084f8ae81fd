import type { Level } from './level.ts';
import { mentions } from './mentions.ts';

/** A mock interview: what the interviewer says, listens for, and scores by. All texts are Markdown. */
export interface Interview {
  readonly slug: string;
  readonly title: string;
  /** One sentence. */
  readonly summary: string;
  /** Of all phases together. */
  readonly minutes: number;
  /** What the interviewer says first. */
  readonly opening: string;
  readonly phases: readonly Phase[];
  readonly rubric: readonly Axis[];
  /** What alone would cost the offer. */
  readonly redFlags: readonly string[];
}

export interface Phase {
  readonly title: string;
  readonly minutes: number;
  /** What the interviewer asks at its start. */
  readonly question: string;
  readonly milestones: readonly Milestone[];
  /** Asked one after the other, when nothing was left out and there is time. */
  readonly followUps: readonly string[];
  /** What the interviewer throws in at the end. */
  readonly curveball: string | undefined;
}

/** One thing that a strong answer has. */
export interface Milestone {
  readonly title: string;
  /** Any of them in one answer shows that it was said; see `mentions`. */
  readonly terms: readonly string[];
  /** What the interviewer asks when it was left out. */
  readonly probe: string;
  /** What asks for it in the quiz: `card:<deck>/<id>`. */
  readonly items: readonly string[];
}

/** One row of the rubric, such as depth: what each level shows. */
export interface Axis {
  readonly title: string;
  readonly levels: Readonly<Record<Level, string>>;
}

export interface Question {
  /** Title of its phase. */
  readonly phase: string;
  readonly kind: 'opening' | 'probe' | 'follow-up' | 'curveball';
  /** Title of the milestone that a probe is about. */
  readonly about?: string | undefined;
  readonly text: string;
}

export interface Turn extends Question {
  /** What was said, line by line. */
  readonly lines: readonly string[];
  /** The answer was handed in: nothing is added to it any more. */
  readonly isGiven: boolean;
}

/** So that a phase is a conversation and no questionnaire. */
const MOST_PROBES = 3;

/**
 * What the interviewer asks next, after these turns: what the answers left out of this phase, or else a
 * follow-up, then the curveball, then the next phase; undefined at the end.
 * @param isTimeUp whether the clock says that a phase is over
 */
export function nextQuestion(
  { phases }: Pick<Interview, 'phases'>,
  turns: readonly Turn[],
  isTimeUp: (phase: Phase) => boolean,
): Question | undefined {
  const current = Math.max(
    0,
    phases.findIndex(({ title }) => title === turns.at(-1)?.phase),
  );
  for (const phase of phases.slice(current)) {
    const asked = turns.filter((turn) => turn.phase === phase.title);
    if (asked.length === 0) return { phase: phase.title, kind: 'opening', text: phase.question };
    if (isTimeUp(phase)) continue;
    const question = furtherQuestion(phase, asked, turns);
    if (question !== undefined) return question;
  }
  return undefined;
}

function furtherQuestion(
  phase: Phase,
  asked: readonly Turn[],
  turns: readonly Turn[],
): Question | undefined {
  const { title, milestones, followUps, curveball } = phase;
  const texts = new Set(asked.map(({ text }) => text));
  const probes = asked.filter(({ kind }) => kind === 'probe').length;
  const leftOut = milestones.find(
    (milestone) => howMet(milestone, turns) === 'left out' && !texts.has(milestone.probe),
  );
  if (leftOut !== undefined && probes < MOST_PROBES) {
    return { phase: title, kind: 'probe', about: leftOut.title, text: leftOut.probe };
  }
  const followUp = followUps.find((text) => !texts.has(text));
  const deeper = asked.filter(({ kind }) => kind === 'follow-up').length;
  if (followUp !== undefined && probes + deeper < MOST_PROBES) {
    return { phase: title, kind: 'follow-up', text: followUp };
  }
  return curveball === undefined || texts.has(curveball)
    ? undefined
    : { phase: title, kind: 'curveball', text: curveball };
}

/** Whether a milestone was said without being asked for, only when the interviewer asked, or not at all. */
export type Met = 'unasked' | 'when asked' | 'left out';

export function howMet({ title, terms }: Milestone, turns: readonly Turn[]): Met {
  const first = turns.findIndex(({ lines }) => mentions(lines.join('\n'), terms));
  if (first === -1) return 'left out';
  const probe = turns.findIndex(({ about }) => about === title);
  return probe === -1 || first < probe ? 'unasked' : 'when asked';
}
