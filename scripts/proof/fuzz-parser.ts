import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endNode, startNode } from '../bench/child.ts';
import type { Parser } from './parsers/parser.ts';
import type { Outcome } from './try-texts.ts';

export interface Fuzzing {
  readonly root: string;
  readonly inputs: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** So long no text takes, however busy the machine is. */
const HANG_MS = 60_000;

/** Tries bad texts on a parser in a process of its own: some ways to fail take the whole process along. */
export async function fuzzParser({ name }: Parser, fuzzing: Fuzzing): Promise<Outcome> {
  const { root, inputs, seed, signal } = fuzzing;
  const folder = await mkdtemp(join(tmpdir(), 'half-open-'));
  const lastText = join(folder, 'last-text');
  writeFileSync(lastText, '');
  try {
    const script = join(import.meta.dirname, 'fuzz-child.ts');
    const args = ['--import', 'tsx', script, name, String(inputs), String(seed), lastText];
    const env = { HALF_OPEN_ROOT: root, NO_COLOR: '', FORCE_COLOR: '1' };
    const child = startNode(args, { cwd: root, env, signal });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    let hangs = false;
    const watch = setInterval(() => {
      hangs ||= Date.now() - statSync(lastText).mtimeMs > HANG_MS;
      if (hangs) endNode(child);
    }, 1_000);
    await once(child, 'close').finally(() => clearInterval(watch));
    signal.throwIfAborted();
    if (child.exitCode === 0) return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    const error = hangs ? `it takes longer than ${HANG_MS / 1_000} s` : stderr;
    const text = readFileSync(lastText, 'utf8');
    return { tried: 0, refused: 0, slowestMs: 0, crash: { text, error } };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
