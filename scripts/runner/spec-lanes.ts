import { availableParallelism } from 'node:os';
import type { Candidate } from './spec-notes.ts';
import { createSpecRunner } from './spec-runner.ts';
import type { Verdict } from './verdict.ts';

const MOST_LANES = 4;

/** Longer than for one candidate alone: the lanes share the machine. */
const LIMIT_MS = 30_000;

/**
 * The verdicts on many candidates, in their order, from several runners at once.
 * @param options.onVerdict told of each verdict as it comes, in the order they come
 */
export async function runAll<C extends Candidate>(
  candidates: readonly C[],
  options: {
    root: string;
    lanes?: number;
    timeoutMs?: number;
    onVerdict?: (verdict: Verdict, candidate: C) => void;
  },
): Promise<Verdict[]> {
  const {
    lanes = Math.min(availableParallelism(), MOST_LANES),
    onVerdict,
    timeoutMs = LIMIT_MS,
    root,
  } = options;
  const verdicts: Verdict[] = [];
  const queue = candidates.entries();
  const runLane = async () => {
    const runner = createSpecRunner({ root, timeoutMs });
    try {
      // All lanes take from the one iterator, so each candidate is taken once.
      for (const [index, candidate] of queue) {
        const verdict = await runner.run(candidate);
        verdicts[index] = verdict;
        onVerdict?.(verdict, candidate);
      }
    } finally {
      await runner.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, candidates.length) }, runLane));
  return verdicts;
}
