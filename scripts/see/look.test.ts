import { resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createSpecRunner } from '../runner/spec-runner.ts';
import { look } from './look.ts';

const root = resolve(import.meta.dirname, '../..');
const runner = createSpecRunner({ root, timeoutMs: 5_000 });
const lookAt = (code: string) => look({ slug: 'retry', code }, { seed: '1', settings: {} }, runner);

describe('a look at code that is not sound', { timeout: 60_000 }, () => {
  afterAll(() => runner.close());

  it('shows what a stub does, and what it says', async () => {
    const { pictures, trouble } = await lookAt(
      "export async function retry() { throw new Error('TODO: try again'); }",
    );
    expect(trouble).toEqual([]);
    const [restart] = pictures;
    expect(restart?.panels[1]?.failures).toContainEqual({ what: 'TODO: try again', times: 1_744 });
  });

  it.each([
    ['never settles', 'export function retry() { return new Promise(() => {}); }'],
    [
      'waits on a timer that sets itself',
      'export function retry() { const again = () => setTimeout(again, 500); again(); }',
    ],
    [
      'leaves a rejection to nobody',
      "export async function retry() { Promise.reject(new Error('stray')); }",
    ],
  ])('comes to an end when it %s', async (_, code) => {
    const { pictures, trouble } = await lookAt(code);
    expect(pictures.length + trouble.length).toBeGreaterThan(0);
  });

  it.each([
    ['never returns', 'export function retry() { for (;;); }', 'Stopped after 5 s'],
    ['ends the process', 'export function retry() { process.exit(0); }', 'called process.exit(0)'],
    [
      'sets immediates for ever',
      'export function retry() { const again = () => setImmediate(again); again(); }',
      'again and again',
    ],
    ['does not parse', 'export function retry( {', 'katas/retry/retry.ts'],
    ['exports nothing', 'const retry = 1;', 'does not export `retry`'],
  ])('says in words that it %s', async (_, code, words) => {
    const { pictures, trouble } = await lookAt(code);
    expect(pictures).toEqual([]);
    expect(trouble.join(' ')).toContain(words);
  });
});
