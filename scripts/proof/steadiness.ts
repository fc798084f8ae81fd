import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startNode } from '../bench/child.ts';
import type { KataCopy } from '../measure/kata-copy.ts';

/** The spec with every seed of its properties moved on by `by`: other examples, the same rules. */
export function withOtherSeeds(spec: string, by: number): string {
  return spec.replaceAll(
    /(\bseed: |\bSEED = )(\d[\d_]*)/g,
    (_, before: string, seed: string) => before + (Number(seed.replaceAll('_', '')) + by),
  );
}

export interface Shuffled {
  readonly runs: number;
  /** Each test that failed in a run, as often as it did. */
  readonly failures: readonly string[];
}

/**
 * Runs the spec of a copied kata many times: its tests in another order each time, on as many threads as there are cores.
 * Every other run has other seeds for its properties.
 */
export async function runShuffled(
  copy: KataCopy,
  {
    runs,
    round,
    signal,
  }: { readonly runs: number; readonly round: number; readonly signal: AbortSignal },
): Promise<Shuffled> {
  const spec = await readFile(copy.spec, 'utf8');
  const files: string[] = [];
  for (let run = 0; run < runs; run += 1) {
    const file = join(dirname(copy.spec), `${copy.slug}.${run}.test.ts`);
    await writeFile(file, run % 2 === 0 ? spec : withOtherSeeds(spec, round * runs + run));
    files.push(file);
  }
  const report = join(copy.root, 'report.json');
  try {
    await runVitest(
      copy,
      [
        '--sequence.shuffle',
        `--sequence.seed=${round}`,
        '--reporter=json',
        `--outputFile=${report}`,
        ...files.map((file) => basename(file)),
      ],
      signal,
    );
    const { testResults } = reportSchema.parse(JSON.parse(await readFile(report, 'utf8')));
    return {
      runs: testResults.length,
      failures: testResults.flatMap(({ status, message, assertionResults }) => {
        const failed = assertionResults.filter((test) => test.status === 'failed');
        if (failed.length > 0) return failed.map((test) => test.fullName);
        return status === 'passed' ? [] : [message];
      }),
    };
  } finally {
    await Promise.all(files.map((file) => rm(file, { force: true })));
  }
}

/** What is read of Vitest's report. */
const reportSchema = z.object({
  testResults: z.array(
    z.object({
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(z.object({ status: z.string(), fullName: z.string() })),
    }),
  ),
});

/** How it ends says nothing: the report does. */
async function runVitest(
  copy: KataCopy,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const vitest = fileURLToPath(new URL('vitest.mjs', import.meta.resolve('vitest/package.json')));
  const child = startNode([vitest, 'run', '--testTimeout=60000', ...args], {
    cwd: copy.root,
    signal,
  });
  for (const stream of [child.stdout, child.stderr]) stream?.resume();
  await once(child, 'close');
  signal.throwIfAborted();
}
