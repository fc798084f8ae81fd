import { importFailure } from './import-failure.ts';
import { parseFailure, specParseFailure } from './parse-failure.ts';
import { readAnswer, type SpecFiles, specFiles } from './spec-files.ts';
import type { Candidate, SpecNote, ThreadEnd } from './spec-notes.ts';
import { createSpecPool } from './spec-pool.ts';
import { outcomeOf } from './spec-report.ts';
import { startVitest, type VitestRun } from './spec-vitest.ts';
import type { Outcome } from './verdict.ts';

interface SpecHost {
  run(candidate: Candidate): Promise<Outcome | ThreadEnd>;
  /** Starts beforehand what the next run needs. */
  prepare(): void;
}

/**
 * Runs one spec after another in one live Vitest.
 * @param root with symbolic links resolved, and forward slashes
 * @param patienceMs how long a test may wait for nothing before it counts as hung
 */
export async function createSpecHost(
  root: string,
  patienceMs: number,
  onNote: (note: SpecNote) => void,
): Promise<SpecHost> {
  const pool = createSpecPool(patienceMs, onNote);
  const vitest = await startVitest(root, pool, 2 * patienceMs);
  return {
    async run(candidate) {
      const { code, sight } = candidate;
      const files = specFiles(root, candidate);
      const answer = code === undefined ? await readAnswer(files) : { text: code };
      if ('kind' in answer) return answer;
      await vitest.swap(files.answer, answer.text);
      const spec = await vitest.transform(files.spec);
      if ('error' in spec) return specParseFailure(spec.error, files);
      const transformed = await vitest.transform(files.answer);
      if ('error' in transformed) return parseFailure(transformed.error, answer.text, files);
      const trouble = importFailure(spec.code, transformed.code, files);
      return trouble ?? endOf(await vitest.run(files.spec, sight), files);
    },
    prepare: pool.prepare,
  };
}

function endOf({ module, errors }: VitestRun, files: SpecFiles): Outcome | ThreadEnd {
  const threadError = errors.find(({ message }) => message?.includes('emitted error'));
  if (threadError) {
    const isMemory = threadError.cause?.code === 'ERR_WORKER_OUT_OF_MEMORY';
    return { kind: 'thread-end', reason: isMemory ? 'out-of-memory' : 'exited' };
  }
  if (!module) throw new Error(`Vitest ran nothing. ${errors[0]?.stack ?? ''}`);
  return outcomeOf(module, errors, files);
}
