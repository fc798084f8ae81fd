import type { Journal } from '../../quiz/journal.ts';
import type { Kata } from '../content/catalog.ts';
import { watchedKata } from './desk.ts';
import { recordVerdict } from './kata-journal.ts';
import type { SpecRunner } from '../runner/spec-runner.ts';
import { isSolved } from '../runner/verdict.ts';
import { openKata } from './watch-state.ts';
import { renderAll } from './watch-view.ts';
import { loadGallery, recallDesigns } from './wrong-designs.ts';

export interface OnceTools {
  readonly root: string;
  readonly home: string;
  readonly journal: Journal;
  readonly runner: SpecRunner;
  readonly now: () => Date;
  readonly columns: number;
}

/** One run of the spec on the learner's file: what the loop would show of it, and whether it is solved. */
export async function runOnce(
  kata: Kata,
  { root, home, journal, runner, now, columns }: OnceTools,
): Promise<{ readonly report: string; readonly solved: boolean }> {
  const gallery = await loadGallery(kata, home);
  const verdict = await runner.run({ slug: kata.slug });
  await recordVerdict(journal, kata, { verdict, hints: 0, now: now() });
  const solved = isSolved(verdict);
  const watched = watchedKata(kata, gallery, root);
  const state = openKata(watched, { manual: true, solved, due: false, busy: false });
  const designs = await recallDesigns(gallery);
  return { report: renderAll({ ...state, verdict, designs }, { columns, hints: [] }), solved };
}
