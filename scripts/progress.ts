import type { Entry, NewEntry } from '../quiz/entry.ts';
import { isSolved, levelsOf, levelsPassed, type Verdict } from './runner/verdict.ts';

/** How far a kata is, as the journal tells. */
export interface Standing {
  readonly passed: number;
  /** How many levels there are; 0 when its spec never ran to the end. */
  readonly of: number;
  readonly solved: boolean;
  /** The solution was looked at before this attempt solved it. */
  readonly peeked: boolean;
  /** When the levels passed last changed. */
  readonly at: Date;
}

/** By kata slug; a kata that nobody began is absent. */
export function standings(entries: readonly Entry[]): Map<string, Standing> {
  const all = new Map<string, Standing>();
  for (const entry of entries) {
    if (entry.type !== 'progress' && entry.type !== 'peek') continue;
    const before = all.get(entry.kata);
    all.set(entry.kata, entry.type === 'peek' ? withPeek(before, entry.at) : after(before, entry));
  }
  return all;
}

function withPeek(before: Standing | undefined, at: string): Standing {
  const standing = before ?? { passed: 0, of: 0, solved: false, peeked: false, at: new Date(at) };
  return { ...standing, peeked: standing.peeked || !standing.solved };
}

function after(
  before: Standing | undefined,
  { passed, of, at }: { readonly passed: number; readonly of: number; readonly at: string },
): Standing {
  const anew = before?.solved ?? false;
  return {
    passed,
    of,
    solved: of > 0 && passed === of,
    peeked: !anew && (before?.peeked ?? false),
    at: new Date(at),
  };
}

export interface Attempt {
  readonly slug: string;
  readonly standing: Standing | undefined;
  readonly verdict: Verdict;
  /** How many hints were taken. */
  readonly hints: number;
  /** The answer is the stub: nothing is solved any more, whatever the journal says. */
  readonly blank: boolean;
}

/**
 * What a verdict adds to the journal: the levels passed when they changed, and a review when that solved the
 * kata. A solved kata stays solved however its answer is played with, until it starts from blank again.
 */
export function entriesFor({ slug, standing, verdict, hints, blank }: Attempt): NewEntry[] {
  if (verdict.kind === 'broken' || verdict.tests.length === 0) return [];
  const levels = levelsOf(verdict.tests);
  const passed = levelsPassed(levels);
  const of = levels.length;
  if (standing?.passed === passed && standing.of === of) return [];
  if (standing?.solved && standing.of === of && !blank) return [];
  const progress: NewEntry = { type: 'progress', kata: slug, passed, of };
  if (!isSolved(verdict)) return [progress];
  const grade = standing?.peeked ? 'again' : hints > 0 ? 'hard' : 'good';
  return [progress, { type: 'review', item: `kata:${slug}`, grade }];
}

/** What starting from blank adds to the journal: nothing when no level was passed anyway. */
export function entriesForReset(slug: string, standing: Standing | undefined): NewEntry[] {
  if (standing === undefined || standing.passed === 0) return [];
  return [{ type: 'progress', kata: slug, passed: 0, of: standing.of }];
}
