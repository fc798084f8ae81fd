import { realpathSync } from 'node:fs';
import { KitError } from '../../quiz/problem.ts';
import { startSpecChild } from './spec-child.ts';
import type { Candidate } from './spec-notes.ts';
import { runOnce } from './spec-run.ts';
import type { Verdict } from './verdict.ts';

export interface SpecRunner {
  /**
   * What the spec of a kata says of a candidate, within the time limit whatever the candidate does. One run at a
   * time. Throws a KitError when the process for it does not start.
   */
  run(candidate: Candidate): Promise<Verdict>;
  /** Resolves when no process of the runner is left. Until then, the process that made it does not end. */
  close(): Promise<void>;
}

/**
 * @param options.root the kit, with its `katas`
 * @param options.timeoutMs how long one candidate may take; starting the process for it does not count
 */
export function createSpecRunner(options: { root: string; timeoutMs?: number }): SpecRunner {
  const { root, timeoutMs = 10_000 } = options;
  refuseOddPath(realpathSync(root));
  const start = () => startSpecChild(root, Math.min(1_000, timeoutMs / 10));
  let child = start();
  let isRunning = false;
  let isClosed = false;

  return {
    async run(candidate) {
      if (isRunning || isClosed) throw new Error('A spec runner runs one candidate at a time.');
      isRunning = true;
      const startedAt = performance.now();
      try {
        if (!child.isAlive()) child = start();
        await child.ready;
        const { outcome, output, isChildSpent } = await runOnce(child, candidate, timeoutMs);
        if (isChildSpent) {
          await child.kill();
          // Beforehand, for the next run.
          if (!isClosed) child = start();
        }
        return { ...outcome, output, durationMs: performance.now() - startedAt };
      } finally {
        isRunning = false;
      }
    },
    async close() {
      isClosed = true;
      await child.kill();
    },
  };
}

/** Vite reads paths as addresses, in which these signs mean something else. */
function refuseOddPath(realRoot: string): void {
  const [sign] = /[#?%]/.exec(realRoot) ?? [];
  if (sign === undefined) return;
  throw new KitError(
    `Specs cannot run in ${realRoot}: Vite cannot read paths with "${sign}". ` +
      'Move the kit into a folder without that sign.',
  );
}
