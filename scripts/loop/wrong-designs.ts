import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KitError } from '../../quiz/problem.ts';
import type { Kata } from '../content/catalog.ts';
import { failuresIn, type WrongDesign } from './likeness.ts';
import {
  applyWhereItFits,
  type Misconception,
  parseMisconceptions,
} from '../content/misconceptions.ts';
import type { SpecRunner } from '../runner/spec-runner.ts';

/** A kata's misconceptions, and what is needed to put each of them under the spec. */
export interface Gallery {
  readonly slug: string;
  readonly misconceptions: readonly Misconception[];
  readonly solution: string;
  /** Where what the spec said of them is kept: a name that changes with the kata. */
  readonly cache: string;
}

/** Files that are missing count as empty: what is wrong with them is for `verify` to say. */
export async function loadGallery({ slug, files }: Kata, home: string): Promise<Gallery> {
  const [spec, solution, walkthrough] = await Promise.all(
    [files.spec, files.solution, files.walkthrough].map((file) =>
      readFile(file, 'utf8').catch(() => ''),
    ),
  );
  const { misconceptions } = parseMisconceptions(walkthrough ?? '', files.walkthrough);
  const hash = createHash('sha256').update(JSON.stringify([spec, solution, walkthrough]));
  return {
    slug,
    misconceptions,
    solution: solution ?? '',
    cache: join(home, 'cache', `${slug}-${hash.digest('hex').slice(0, 16)}.json`),
  };
}

/** What the spec said of the misconceptions when it was last asked; undefined when it never was. */
export async function recallDesigns(gallery: Gallery): Promise<WrongDesign[] | undefined> {
  try {
    const fails = new Map<string, string[]>(JSON.parse(await readFile(gallery.cache, 'utf8')));
    return gallery.misconceptions.map(({ title, why }) => ({
      title,
      why,
      fails: fails.get(title) ?? [],
    }));
  } catch {
    return undefined;
  }
}

/**
 * Puts every misconception under the spec, one after the other, each when `idle` resolves, and remembers what
 * the spec said. Undefined when the signal ended it early.
 */
export async function judgeDesigns(
  gallery: Gallery,
  { createRunner, idle, signal }: Judging,
): Promise<WrongDesign[] | undefined> {
  if (signal.aborted) return undefined;
  const runner = createRunner();
  const stop = () => void runner.close();
  signal.addEventListener('abort', stop);
  const designs: WrongDesign[] = [];
  try {
    for (const misconception of gallery.misconceptions) {
      await idle();
      if (signal.aborted) return undefined;
      const { title, why } = misconception;
      designs.push({ title, why, fails: await failsOf(misconception, gallery, runner) });
    }
  } catch (error) {
    // A process that does not start must not disturb someone who thinks: no misconception is named then.
    if (signal.aborted || error instanceof KitError) return undefined;
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    await runner.close();
  }
  await remember(gallery, designs);
  return designs;
}

export interface Judging {
  readonly createRunner: () => SpecRunner;
  /** Resolves when nobody waits for a verdict of their own. */
  readonly idle: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** None when it cannot be told: such a misconception is never named. */
async function failsOf(
  misconception: Misconception,
  { slug, solution }: Gallery,
  runner: SpecRunner,
): Promise<string[]> {
  const code = applyWhereItFits(solution, misconception);
  if (code === undefined) return [];
  const verdict = await runner.run({ slug, code });
  return failuresIn(verdict);
}

/** A cache: where it cannot be written, the spec is asked again next time. */
async function remember({ cache }: Gallery, designs: readonly WrongDesign[]): Promise<void> {
  const fails = designs.map((design) => [design.title, design.fails]);
  try {
    await mkdir(dirname(cache), { recursive: true });
    await writeFile(cache, JSON.stringify(fails));
  } catch {
    // Nothing is lost but time.
  }
}
