import { cutSection, type Section, sectionsOf } from './markdown-parts.ts';

/**
 * A kata's README, below its front matter, as what a learner sees at once and what they ask for: each `###`
 * section under `## Hints` is a hint. `firstLine` is the line of the file on which the body starts.
 */
export function splitBrief(body: string, firstLine = 1): { brief: string; hints: Section[] } {
  const { section, rest } = cutSection(body, 'Hints');
  const hints = section ? sectionsOf(section.body, 3, firstLine + section.line) : [];
  return { brief: rest.trim(), hints };
}
