import type { Problem } from '../../quiz/problem.ts';

/** One thing that `verify` looked at in a file. It passed when there are no problems. */
export interface Check {
  readonly file: string;
  /** May lie in other files, where it is mended. */
  readonly problems: readonly Problem[];
}

/** A check of one condition: its message says what is wrong and what to do. */
export function expectThat(
  condition: boolean,
  file: string,
  message: string,
  line?: number,
): Check {
  return { file, problems: condition ? [] : [problemIn(file, line, message)] };
}

export function problemIn(file: string, line: number | undefined, message: string): Problem {
  return { file, message, ...(line !== undefined && { line }) };
}
