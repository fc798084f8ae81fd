import { readFile } from 'node:fs/promises';
import { type Moment, resetAnswer } from '../content/attempts.ts';
import type { Kata } from '../content/catalog.ts';
import { type Check, expectThat } from './checks.ts';
import { regionsOf, stubOf } from '../content/stub.ts';

export interface StubCheck {
  readonly kata: Kata;
  readonly checks: readonly Check[];
  /** The learner's file is something else than the stub. */
  readonly inProgress: boolean;
  /** Where `--fix` saved what stood in the stub's place. */
  readonly copy?: string;
}

/** The marks in the solution are right, and (if `pristine`) the learner's file is the stub. */
export async function checkStub(
  kata: Kata,
  solution: string,
  { fix, pristine, ...moment }: Moment & { readonly fix: boolean; readonly pristine: boolean },
): Promise<StubCheck> {
  const { slug, files } = kata;
  const marks: Check = {
    file: files.solution,
    problems: regionsOf(solution).problems.map((problem) => ({ file: files.solution, ...problem })),
  };
  if (marks.problems.length > 0) return { kata, checks: [marks], inProgress: false };

  if (fix) {
    const outcome = await resetAnswer(kata, moment);
    const checks = [marks, { file: files.stub, problems: [] }];
    return {
      kata,
      checks,
      inProgress: false,
      ...(outcome.kind === 'archived' && { copy: outcome.copy }),
    };
  }
  const answer = await readFile(files.stub, 'utf8').catch(() => undefined);
  const isStub = answer === stubOf(solution);
  const what = answer === undefined ? 'the stub is missing' : 'this is not the stub';
  const remedy = `\`npm run verify -- ${slug} --fix\` writes it, after a copy of what is there`;
  return {
    kata,
    checks: [marks, expectThat(isStub || !pristine, files.stub, `${what}; ${remedy}`)],
    inProgress: !isStub,
  };
}
