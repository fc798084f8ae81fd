import { KitError, type Problem } from '../../quiz/problem.ts';
import type { Kata } from '../content/catalog.ts';
import { type Check, expectThat, problemIn } from './checks.ts';
import { judgeMisconception, judgeSound, judgeSpec, judgeStub } from './judge.ts';
import { applyMisconception, parseMisconceptions } from '../content/misconceptions.ts';
import { runAll } from '../runner/spec-lanes.ts';
import type { Candidate } from '../runner/spec-notes.ts';
import { stubOf } from '../content/stub.ts';
import type { Verdict } from '../runner/verdict.ts';

const FEWEST_MISCONCEPTIONS = 8;

/** The texts of a kata; a file that is missing has none. */
export interface KataTexts {
  readonly kata: Kata;
  readonly spec: string | undefined;
  readonly solution: string | undefined;
  readonly anotherWay: string | undefined;
  readonly walkthrough: string | undefined;
}

/** Candidates to put under a spec, and what is to be said of their verdicts (in the same order). */
export interface Trial {
  readonly candidates: readonly Candidate[];
  readonly judge: (verdicts: readonly Verdict[]) => Check[];
}

/**
 * What can be tried of a kata, and what keeps the rest from being tried.
 * @param runsEach how often each misconception is run
 */
export function trialsOf(texts: KataTexts, runsEach: number): { trials: Trial[]; checks: Check[] } {
  const { kata, spec, solution, anotherWay } = texts;
  const { files, slug } = kata;
  if (spec === undefined || solution === undefined) return { trials: [], checks: [] };

  const specFile = { file: files.spec, text: spec };
  const one = (code: string, judge: (verdict: Verdict) => Check[]): Trial => ({
    candidates: [{ slug, code }],
    judge: (verdicts) => verdicts.flatMap(judge),
  });
  const stub = stubIn(solution);
  const wrong = wrongAnswers(texts, solution, runsEach);
  return {
    trials: [
      one(solution, (verdict) => [
        judgeSound(verdict, files.solution),
        judgeSpec(verdict, specFile),
      ]),
      ...(stub === undefined
        ? []
        : [one(stub, (verdict) => [judgeStub(verdict, specFile, files.solution)])]),
      ...(anotherWay === undefined
        ? []
        : [one(anotherWay, (verdict) => [judgeSound(verdict, files.anotherWay)])]),
      ...wrong.trials,
    ],
    checks: wrong.checks,
  };
}

/** None while the marks in the solution are wrong. */
export function stubIn(solution: string): string | undefined {
  try {
    return stubOf(solution);
  } catch (error) {
    if (error instanceof KitError) return undefined;
    throw error;
  }
}

function wrongAnswers({ kata, walkthrough }: KataTexts, solution: string, runsEach: number) {
  const { slug, files } = kata;
  const file = files.walkthrough;
  if (walkthrough === undefined) return { trials: [], checks: [] };

  const { misconceptions, problems } = parseMisconceptions(walkthrough, file);
  const trials: Trial[] = [];
  const unfit: Problem[] = [];
  for (const misconception of misconceptions) {
    try {
      const candidate = { slug, code: applyMisconception(solution, misconception) };
      trials.push({
        candidates: Array.from({ length: runsEach }, () => candidate),
        judge: (verdicts) => [judgeMisconception(verdicts, misconception, file)],
      });
    } catch (error) {
      if (!(error instanceof KitError)) throw error;
      const { title, diffLine } = misconception;
      unfit.push(problemIn(file, diffLine, `${title}: ${error.message}`));
    }
  }
  const checks: Check[] = [
    { file, problems: [...problems, ...unfit] },
    expectThat(
      misconceptions.length >= FEWEST_MISCONCEPTIONS,
      file,
      `expected ${FEWEST_MISCONCEPTIONS} misconceptions or more, not ${misconceptions.length}`,
    ),
  ];
  return { trials, checks };
}

export interface TrialStats {
  readonly candidates: number;
  readonly runs: number;
  readonly elapsedMs: number;
}

/** Runs the candidates of all trials, several at a time. `onProgress` hears how many of them are done. */
export async function runTrials(
  trials: readonly Trial[],
  root: string,
  onProgress: (done: number, of: number, slug: string) => void,
): Promise<{ checks: Check[]; stats: TrialStats }> {
  const candidates = trials.flatMap((trial) => trial.candidates);
  const startedAt = performance.now();
  let done = 0;
  const verdicts = await runAll(candidates, {
    root,
    onVerdict(_, { slug }) {
      done += 1;
      onProgress(done, candidates.length, slug);
    },
  });
  const stats = {
    candidates: new Set(candidates).size,
    runs: candidates.length,
    elapsedMs: performance.now() - startedAt,
  };
  let from = 0;
  const checks = trials.flatMap((trial) => {
    const to = from + trial.candidates.length;
    const own = verdicts.slice(from, to);
    from = to;
    return trial.judge(own);
  });
  return { checks, stats };
}
