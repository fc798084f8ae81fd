import { type Section, sectionsOf } from './markdown-parts.ts';

/**
 * A kata's README, below its front matter, as what a learner sees at once and what they ask for: each `###`
 * section under `## Hints` is a hint. `firstLine` is the line of the file on which the body starts.
 */
export function splitBrief(body: string, firstLine = 1): { brief: string; hints: Section[] } {
  const section = sectionsOf(body, 2).find(({ title }) => title === 'Hints');
  if (!section) return { brief: body.trim(), hints: [] };
  const lines = body.split('\n');
  lines.splice(section.line - 1, 1 + section.body.split('\n').length);
  return {
    brief: lines.join('\n').trim(),
    hints: sectionsOf(section.body, 3, firstLine + section.line),
  };
}
