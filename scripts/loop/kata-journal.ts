import { readFile } from 'node:fs/promises';
import type { Journal } from '../../quiz/journal.ts';
import { isDue, memoriesOf, type Memory } from '../../quiz/schedule.ts';
import type { Kata } from '../content/catalog.ts';
import { entriesFor, entriesForReset, type Standing, standings } from '../progress.ts';
import { stubOf } from '../content/stub.ts';
import type { Verdict } from '../runner/verdict.ts';

/** What came of a kata that a verdict has just solved. */
export interface SolveRecord {
  readonly grade: 'again' | 'hard' | 'good' | 'easy';
  readonly peeked: boolean;
  /** When it is to be solved again. */
  readonly due: Date | undefined;
}

export function standingOf(journal: Journal, slug: string): Standing | undefined {
  return standings(journal.progress.entries).get(slug);
}

/** Solved, and to be solved again from blank today. */
export function isKataDue(journal: Journal, slug: string, now: Date): boolean {
  const solved = standingOf(journal, slug)?.solved ?? false;
  return solved && isDue(memoryOf(journal, slug), now);
}

/** Takes a verdict down in the journal; the result tells of a kata that it solved just now. */
export async function recordVerdict(
  journal: Journal,
  { slug, files }: Kata,
  {
    verdict,
    hints,
    now,
  }: { readonly verdict: Verdict; readonly hints: number; readonly now: Date },
): Promise<SolveRecord | undefined> {
  const standing = standingOf(journal, slug);
  const blank = standing?.solved === true && (await isStub(files));
  const entries = entriesFor({ slug, standing, verdict, hints, blank });
  for (const entry of entries) journal.append(entry, now);
  const review = entries.find((entry) => entry.type === 'review');
  return (
    review && {
      grade: review.grade,
      peeked: standing?.peeked ?? false,
      due: memoryOf(journal, slug)?.due,
    }
  );
}

export function recordReset(journal: Journal, slug: string, now: Date): void {
  for (const entry of entriesForReset(slug, standingOf(journal, slug))) journal.append(entry, now);
}

function memoryOf(journal: Journal, slug: string): Memory | undefined {
  return memoriesOf(journal.progress.recall).get(`kata:${slug}`);
}

async function isStub({ stub, solution }: Kata['files']): Promise<boolean> {
  try {
    const [answer, reference] = await Promise.all([
      readFile(stub, 'utf8'),
      readFile(solution, 'utf8'),
    ]);
    return answer.replaceAll('\r\n', '\n').trim() === stubOf(reference).trim();
  } catch {
    // A file that is missing, or a solution in the making: not for a learner to hear of here.
    return false;
  }
}
