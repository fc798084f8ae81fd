import { isDue, memoriesOf } from '../../quiz/schedule.ts';
import type { Progress } from '../../quiz/progress.ts';
import type { Kata } from '../content/catalog.ts';
import { aligned } from '../columns.ts';
import { standings } from '../progress.ts';

type Listed = Pick<Kata, 'slug' | 'title' | 'level' | 'minutes'>;

/** A line per kata: what it is, how long it takes, and how far it is. */
export function kataLines(
  katas: readonly Listed[],
  { entries, recall }: Progress,
  now: Date,
): string[] {
  const standing = standings(entries);
  const memories = memoriesOf(recall);
  return aligned(
    katas.map(({ slug, title, level, minutes }) => {
      const { passed = 0, of = 0, solved = false } = standing.get(slug) ?? {};
      const progress = of === 0 ? 'not begun' : `${passed} of ${of} levels`;
      const again = isDue(memories.get(`kata:${slug}`), now) ? 'solved, due again' : 'solved';
      return [title, slug, level, `${String(minutes).padStart(3)} min`, solved ? again : progress];
    }),
    '  ',
  );
}
