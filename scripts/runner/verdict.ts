import type { Picture } from '../see/picture.ts';

/** What a spec said of one of its tests. */
export interface TestResult {
  /** Title of the top-level `describe`: the level. */
  readonly level: string;
  /** Full name below the level, nested titles joined by ` > `. */
  readonly name: string;
  readonly state: 'passed' | 'failed';
  /** Of a failed test: what it says, plain text without stack, may have several lines. */
  readonly message?: string;
  /** Of a failed test: the innermost place in the candidate's own file, when the stack names one. */
  readonly at?: Place;
  /** Of an experiment: what it has shown. */
  readonly picture?: Picture;
}

/** Both counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** What a spec said of a candidate, what the candidate printed meanwhile, and how long it took. */
export type Verdict = Outcome & {
  /** What the candidate itself printed, capped. */
  readonly output: Output;
  readonly durationMs: number;
};

export type Outcome = Tested | Broken;

export interface Tested {
  readonly kind: 'tested';
  /** In the order of the spec. */
  readonly tests: readonly TestResult[];
}

/** The tests could not be run to their end: the file does not parse, the process died, time ran out… */
export interface Broken {
  readonly kind: 'broken';
  readonly reason:
    | 'time-out'
    | 'exited'
    | 'killed'
    | 'out-of-memory'
    | 'syntax'
    | 'import'
    | 'load'
    | 'unreadable'
    | 'unhandled'
    | 'spec-changed';
  /** Plain sentences, a paragraph each: what happened and what to do. May hold a line of code. */
  readonly message: string;
  /** The test that was running, when known; as `TestResult.name`. */
  readonly during?: string;
  /** The place in the candidate's own file, when known. */
  readonly at?: Place;
}

export interface Output {
  readonly lines: readonly string[];
  /** How many further lines were cut. */
  readonly cut: number;
}

/** A level and its tests, in the order of the spec. */
export interface Level {
  readonly title: string;
  readonly tests: readonly TestResult[];
}

export function levelsOf(tests: readonly TestResult[]): Level[] {
  const levels = new Map<string, TestResult[]>();
  for (const test of tests) {
    const level = levels.get(test.level);
    if (level) level.push(test);
    else levels.set(test.level, [test]);
  }
  return [...levels].map(([title, members]) => ({ title, tests: members }));
}

/** How many levels pass, counted from the first up to the first that fails. */
export function levelsPassed(levels: readonly Level[]): number {
  const failing = levels.findIndex((level) => level.tests.some((test) => test.state === 'failed'));
  return failing === -1 ? levels.length : failing;
}

export function isSolved(verdict: Verdict): boolean {
  return (
    verdict.kind === 'tested' &&
    verdict.tests.length > 0 &&
    verdict.tests.every((test) => test.state === 'passed')
  );
}
