import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KitError } from '../../quiz/problem.ts';
import type { KataCopy } from './kata-copy.ts';
import { type Mutant, parseMutationReport } from './mutation-report.ts';
import { endWith } from '../runner/process-tree.ts';
import { regionsOf } from '../content/stub.ts';

const RUNNERS = 2;
/** So much longer than usual a run may take before it counts as a hang: a busy machine must not hide a survivor. */
const PATIENCE_MS = 10_000;

/**
 * Changes the answer of a copied kata in every way that Stryker knows, and has the spec run on each. Only what
 * a learner writes is changed, not what the stub gives. Progress goes to standard error.
 * Throws a KitError when the unchanged answer does not pass its spec.
 */
export async function mutate(copy: KataCopy, signal: AbortSignal): Promise<Mutant[]> {
  const report = join(copy.root, 'mutants.json');
  const config = join(copy.root, 'stryker.config.json');
  await writeFile(config, JSON.stringify(await configFor(copy, report)));
  await runStryker(copy, config, signal);
  const json = await readFile(report, 'utf8').catch(() => undefined);
  if (json === undefined) {
    throw new KitError(
      `Stryker did not get through katas/${copy.slug}; what it said stands above. Does the solution pass its spec? \`npm run verify -- ${copy.slug}\` tells.`,
    );
  }
  return parseMutationReport(json);
}

async function configFor({ root, answer }: KataCopy, report: string) {
  const file = relative(root, answer).replaceAll('\\', '/');
  const { regions } = regionsOf(await readFile(answer, 'utf8'));
  return {
    testRunner: 'vitest',
    plugins: [fileURLToPath(import.meta.resolve('@stryker-mutator/vitest-runner'))],
    // The lines between the marks, which are indexes, not line numbers.
    mutate: regions.map(({ start, end }) => `${file}:${start + 2}-${end}`),
    coverageAnalysis: 'perTest',
    concurrency: RUNNERS,
    timeoutMS: PATIENCE_MS,
    reporters: ['json', process.stderr.isTTY ? 'progress' : 'progress-append-only'],
    jsonReporter: { fileName: report },
    logLevel: 'error',
    allowConsoleColors: false,
  };
}

/** In a process of its own, for Stryker takes the folder it works on from the process it runs in. */
async function runStryker({ root }: KataCopy, config: string, signal: AbortSignal): Promise<void> {
  const stryker = import.meta.resolve('@stryker-mutator/core/package.json');
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('bin/stryker.js', stryker)), 'run', config],
    {
      cwd: root,
      detached: process.platform !== 'win32',
      stdio: ['ignore', process.stderr.fd, process.stderr.fd],
    },
  );
  endWith(child, signal);
  await once(child, 'close');
  signal.throwIfAborted();
}
