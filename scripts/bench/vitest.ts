import { join } from 'node:path';
import type { KataCopy } from '../measure/kata-copy.ts';
import { endNode, runNode, startNode } from './child.ts';
import { saveAgain } from './save.ts';

const MARK = 'Waiting for file changes';

/** A cold `vitest run` of a copied kata: how long it takes, and its tests alone by its own account. */
export async function coldVitest(copy: KataCopy, signal: AbortSignal): Promise<ColdRun> {
  const { tookMs, stdout } = await runNode([...vitest(copy), 'run', specFolder(copy)], {
    cwd: copy.root,
    signal,
  });
  const [, amount, unit] = /\btests ([\d.]+)(ms|s)\b/.exec(stdout) ?? [];
  return { tookMs, testsMs: Number(amount) * (unit === 's' ? 1_000 : 1) };
}

export interface ColdRun {
  readonly tookMs: number;
  readonly testsMs: number;
}

/** A live `vitest --watch` on a copied kata. */
export interface VitestWatch {
  /** Saves the answer; resolves to the milliseconds until Vitest has said how it went. */
  readonly save: () => Promise<number>;
  readonly close: () => void;
}

export async function watchWithVitest(copy: KataCopy, signal: AbortSignal): Promise<VitestWatch> {
  const child = startNode([...vitest(copy), '--watch', specFolder(copy)], {
    cwd: copy.root,
    signal,
  });
  let printed = '';
  let waiting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  const nextResult = () =>
    new Promise<void>((resolve, reject) => {
      printed = '';
      waiting = { resolve, reject };
    });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    if (printed.includes(MARK)) waiting?.resolve();
  });
  child.once('close', () => waiting?.reject(new Error(`vitest --watch ended.\n${printed}`)));

  await nextResult();
  return {
    async save() {
      const startedAt = performance.now();
      const result = nextResult();
      await saveAgain(copy);
      await result;
      const tookMs = performance.now() - startedAt;
      if (/\bfailed\b/.test(printed)) throw new Error(`The solution fails its spec.\n${printed}`);
      return tookMs;
    },
    close: () => endNode(child),
  };
}

function vitest({ root }: KataCopy): string[] {
  return [join(root, 'node_modules/vitest/vitest.mjs')];
}

function specFolder({ slug }: KataCopy): string {
  return `katas/${slug}`;
}
