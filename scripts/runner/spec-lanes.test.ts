import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { copyKit } from '../fixtures/copy-kit.ts';
import { runAll } from './spec-lanes.ts';
import { isSolved } from './verdict.ts';

vi.setConfig({ testTimeout: 60_000 });

it('verdicts come in the order of the candidates, and are told as they come', async () => {
  const kit = await copyKit();
  try {
    const solution = await readFile(join(kit.root, 'solutions/quota/quota.ts'), 'utf8');
    const stub = await readFile(join(kit.root, 'katas/quota/quota.ts'), 'utf8');
    const candidates = [solution, stub, solution, stub, 'for (;;);'].map((code, index) => ({
      slug: 'quota',
      code,
      index,
    }));
    const told: number[] = [];
    const verdicts = await runAll(candidates, {
      root: kit.root,
      lanes: 2,
      onVerdict: (_, { index }) => told.push(index),
    });
    expect(verdicts.map(isSolved)).toEqual([true, false, true, false, false]);
    expect(verdicts[4]).toMatchObject({ kind: 'broken' });
    expect(new Set(told)).toEqual(new Set([0, 1, 2, 3, 4]));
  } finally {
    await kit.remove();
  }
});

it('no candidates, no verdicts', async () => {
  expect(await runAll([], { root: '/nowhere' })).toEqual([]);
});
