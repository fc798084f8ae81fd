import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Kata } from '../content/catalog.ts';
import { cutSection } from '../content/markdown-parts.ts';

/** Our solution and what there is to say about it, as Markdown; the misconceptions are left out. */
export async function solutionPage({ title, files }: Kata, root: string): Promise<string> {
  const [solution, walkthrough] = await Promise.all(
    [files.solution, files.walkthrough].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  return [
    `# ${title}: our solution`,
    `It is \`${relative(root, files.solution)}\`; another way to the same end is \`${relative(root, files.anotherWay)}\`. Open them beside yours.`,
    `\`\`\`ts\n${withoutMarks(solution ?? '')}\n\`\`\``,
    cutSection(walkthrough ?? '', 'Misconceptions').rest,
  ].join('\n\n');
}

function withoutMarks(solution: string): string {
  return solution.replaceAll(/^[ \t]*\/\/ #(?:region|endregion)\b.*\r?\n/gm, '').trim();
}
