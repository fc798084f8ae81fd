import { sheetsIn } from '../quiz/interview-sheet.ts';
import { interviewFiles, readInterview } from './content/interviews.ts';
import type { Kit } from './outlook.ts';
import type { KitPaths } from './paths.ts';

/** The mock interviews that were not held to their end yet; those first that were begun. */
export async function interviewsToHold({ root, home }: KitPaths): Promise<Kit['interviews']> {
  const rehearsals = sheetsIn(home).map((sheet) => sheet.rehearsal());
  const held = new Set(
    rehearsals.flatMap(({ interview, hasEnded }) => (hasEnded ? interview : [])),
  );
  const begun = new Set(rehearsals.map(({ interview }) => interview));
  const all = await Promise.all((await interviewFiles(root)).map(readInterview));
  return all
    .map(({ interview: { slug, title, minutes } }) => ({ slug, title, minutes }))
    .filter(({ slug }) => !held.has(slug))
    .toSorted((a, b) => Number(begun.has(b.slug)) - Number(begun.has(a.slug)));
}
