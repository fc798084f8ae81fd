import type { Candidate } from '../runner/spec-notes.ts';
import type { SpecRunner } from '../runner/spec-runner.ts';
import type { Verdict } from '../runner/verdict.ts';
import type { Picture, Sight } from './picture.ts';

/** What the experiments of a kata have shown, or why there is nothing to see. */
export interface Seen {
  /** Of all experiments of the kata, drawn or not; of none when the answer could not be loaded or was stopped. */
  readonly names: readonly string[];
  readonly pictures: readonly Picture[];
  /** Plain sentences; empty when everything could be shown. */
  readonly trouble: readonly string[];
}

/** Runs the experiments of a kata with the learner's answer, or with the code that is given. */
export async function look(
  candidate: Pick<Candidate, 'slug' | 'code'>,
  sight: Sight,
  runner: SpecRunner,
): Promise<Seen> {
  return seenIn(await runner.run({ ...candidate, sight }));
}

/** What a run of experiments has left. */
export function seenIn(verdict: Verdict): Seen {
  if (verdict.kind === 'broken') return { names: [], pictures: [], trouble: [verdict.message] };
  return {
    names: verdict.tests.map(({ name }) => name),
    pictures: verdict.tests.flatMap(({ picture }) => picture ?? []),
    trouble: verdict.tests.flatMap(({ name, message }) =>
      message === undefined ? [] : `Nothing could be drawn of "${name}". What came up: ${message}`,
    ),
  };
}
