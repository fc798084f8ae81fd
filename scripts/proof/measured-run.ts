import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { KitPaths } from '../paths.ts';
import { endWith } from '../runner/process-tree.ts';

/** What one run of a command of the kit took. */
export interface Run {
  /** By the clock on the wall. */
  readonly tookMs: number;
  /** Until the first text came, by the same clock. */
  readonly firstMs: number;
  /** On the processor: what else the machine does hardly counts. */
  readonly busyMs: number;
  readonly peakBytes: number;
}

const STUDY = fileURLToPath(new URL('../study.ts', import.meta.url));
const USAGE = new URL('usage.ts', import.meta.url).href;

/** Runs a command of the kit with the content and the journal that are there, with nobody at a terminal; throws when it fails. */
export async function measuredRun(
  words: readonly string[],
  { root, home }: KitPaths,
  signal: AbortSignal,
): Promise<Run> {
  const args = ['--import', 'tsx', '--import', USAGE, STUDY, ...words];
  const startedAt = performance.now();
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NO_COLOR: '1', HALF_OPEN_ROOT: root, HALF_OPEN_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
  });
  endWith(child, signal);
  let firstMs = Infinity;
  child.stdout?.once('data', () => (firstMs = performance.now() - startedAt)).resume();
  const textOf = (stream: unknown) => (stream instanceof Readable ? text(stream) : '');
  const [report, errors] = await Promise.all([
    textOf(child.stdio[3]),
    textOf(child.stderr),
    once(child, 'close'),
  ]);
  signal.throwIfAborted();
  if (child.exitCode !== 0)
    throw new Error(`${words.join(' ')} ended with ${child.exitCode}.\n${errors}`);
  const used: Pick<Run, 'busyMs' | 'peakBytes'> = JSON.parse(report);
  return { tookMs: performance.now() - startedAt, firstMs, ...used };
}
