import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Kata } from '../content/catalog.ts';
import { sectionsOf } from '../content/markdown-parts.ts';

/** Our solution and what there is to say about it, as Markdown; the misconceptions are left out. */
export async function solutionPage({ title, files }: Kata, root: string): Promise<string> {
  const [solution, walkthrough] = await Promise.all(
    [files.solution, files.walkthrough].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  return [
    `# ${title}: our solution`,
    `It is \`${relative(root, files.solution)}\`; another way to the same end is \`${relative(root, files.anotherWay)}\`. Open them beside yours.`,
    `\`\`\`ts\n${withoutMarks(solution ?? '')}\n\`\`\``,
    withoutMisconceptions(walkthrough ?? ''),
  ].join('\n\n');
}

function withoutMarks(solution: string): string {
  return solution.replaceAll(/^[ \t]*\/\/ #(?:region|endregion)\b.*\r?\n/gm, '').trim();
}

function withoutMisconceptions(walkthrough: string): string {
  const section = sectionsOf(walkthrough, 2).find(({ title }) => title === 'Misconceptions');
  if (section === undefined) return walkthrough;
  const lines = walkthrough.split('\n');
  lines.splice(section.line - 1, 1 + section.body.split('\n').length);
  return lines.join('\n');
}
