/** What an experiment has shown, as plain data: it crosses from the guarded thread to whoever draws it. */
export interface Picture {
  readonly name: string;
  /** What the picture answers. */
  readonly question: string;
  /** What an interviewer would ask about this very picture. */
  readonly asked: string;
  readonly x: Axis & { readonly values: readonly number[] };
  readonly y: Axis;
  /** Without the answer, and with it; on the same scale. */
  readonly panels: readonly Panel[];
  /** Of the x axis, where something was broken. */
  readonly spans: readonly Span[];
  readonly numbers: readonly NumberRow[];
  readonly observations: readonly Observed[];
  readonly settings: readonly SettingShown[];
  readonly seed: string;
  /** How many events the simulations took, all together. */
  readonly events: number;
}

interface Axis {
  readonly label: string;
}

export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
  /** How many requests ended in which error, most frequent first. */
  readonly failures: readonly { readonly what: string; readonly times: number }[];
}

export interface Line {
  readonly name: string;
  /** One for each value of the x axis; null where there is none. */
  readonly values: readonly (number | null)[];
}

export interface Span {
  readonly from: number;
  readonly to: number;
  readonly what: string;
}

interface NumberRow {
  readonly name: string;
  /** One for each panel; null where there is none. */
  readonly values: readonly (number | null)[];
}

export interface Observed {
  /** What is measured, so that "at most 3" can follow it. */
  readonly says: string;
  readonly bound: Bound;
  readonly value: number | null;
  readonly holds: boolean;
  /** Titles of the misconceptions with which it must not hold. */
  readonly breaks: readonly string[];
}

export type Bound = { readonly atMost: number } | { readonly atLeast: number };

export interface SettingShown {
  readonly name: string;
  readonly says: string;
  readonly value: number;
  readonly usual: number;
  readonly from: number;
  readonly to: number;
}

/** What whoever looks has chosen. */
export interface Sight {
  readonly seed: string;
  /** By name; those of an experiment that are missing have their usual value. */
  readonly settings: Readonly<Record<string, number>>;
  /** Names of experiments, or the first one alone; all if it is left out. */
  readonly only?: readonly string[] | 'first';
}

/** When nothing was chosen. */
export const USUAL_SIGHT: Sight = { seed: '1', settings: {} };
