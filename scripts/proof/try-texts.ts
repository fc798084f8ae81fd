import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { KitError } from '../../quiz/problem.ts';
import { loadCatalog } from '../content/catalog.ts';
import { copyKit } from '../fixtures/copy-kit.ts';
import type { Parser } from './parsers/parser.ts';

/** What a parser said to many bad texts. */
export interface Outcome {
  readonly tried: number;
  /** How many were refused with a message for people. */
  readonly refused: number;
  readonly slowestMs: number;
  /** The first text, made as short as it gets, that was answered with a crash. */
  readonly crash?: { readonly text: string; readonly error: string };
}

export interface Trial {
  /** Root of the kit that real texts come from. */
  readonly root: string;
  readonly inputs: number;
  readonly seed: number;
  /** Told before each text is tried. */
  readonly onText?: (text: string) => void;
}

/** Tries bad texts on a parser, the same ones for the same seed, until one makes it crash. */
export async function tryTexts(
  parser: Parser,
  { root, inputs, seed, onText }: Trial,
): Promise<Outcome> {
  const scratch = await mkdtemp(join(tmpdir(), 'half-open-'));
  const kit = await copyKit();
  let tried = 0;
  let refused = 0;
  let slowestMs = 0;
  try {
    const catalog = await loadCatalog(root);
    const opened = await parser.open({ catalog, miniature: kit.root, scratch });
    const result = await fc.check(
      fc.asyncProperty(opened.texts, async (text) => {
        onText?.(text);
        tried += 1;
        const startedAt = performance.now();
        try {
          await opened.read(text);
        } catch (error) {
          if (!(error instanceof KitError)) throw error;
          refused += 1;
        }
        slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      }),
      { seed, numRuns: inputs, interruptAfterTimeLimit: 20 * 60_000 },
    );
    const [text] = result.counterexample ?? [];
    if (text === undefined) return { tried, refused, slowestMs };
    const { errorInstance: error } = result;
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { tried, refused, slowestMs, crash: { text, error: message } };
  } finally {
    await kit.remove();
    await rm(scratch, { recursive: true, force: true });
  }
}
