import { codeSpan, leadingCode, listItemsOf } from './list-items.ts';
import { sectionsOf } from '../content/markdown-parts.ts';
import type { Mutant } from './mutation-report.ts';

/** The section of a walkthrough that says why some mutants survive. */
export const SURVIVORS_HEADING = 'Surviving mutants';

/** An item of that section: it starts with the change, as `describeChange` writes it. */
export interface Explanation {
  readonly change: string;
  /** 1-based line of the walkthrough. */
  readonly line: number;
}

const MOST_CHARACTERS = 60;

/** A change as Markdown on one line: `` `a < b` → `a <= b` ``; long code is cut. */
export function describeChange({ original, replacement }: Mutant): string {
  return `${code(original)} → ${code(replacement)}`;
}

function code(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  const cut = line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line;
  return codeSpan(cut);
}

export function parseExplanations(walkthrough: string): Explanation[] {
  return sectionsOf(walkthrough.replaceAll('\r\n', '\n'), 2)
    .filter(({ title }) => title === SURVIVORS_HEADING)
    .flatMap((section) =>
      listItemsOf(section.body).flatMap(({ text, line }) => {
        const [original, replacement] = leadingCode(text, ' → ');
        if (original === undefined || replacement === undefined) return [];
        const change = `${codeSpan(original)} → ${codeSpan(replacement)}`;
        return { change, line: section.line + line };
      }),
    );
}

export interface Sorted {
  readonly unexplained: readonly Mutant[];
  readonly explained: readonly Mutant[];
  /** Explanations of mutants that do not survive, or that there are none of. */
  readonly stale: readonly Explanation[];
}

/** Which survivors are explained. One explanation is for one survivor: a second with the same text needs its own. */
export function sortSurvivors(
  survivors: readonly Mutant[],
  explanations: readonly Explanation[],
): Sorted {
  const stale = [...explanations];
  const explained: Mutant[] = [];
  const unexplained: Mutant[] = [];
  for (const survivor of survivors) {
    const index = stale.findIndex(({ change }) => change === describeChange(survivor));
    if (index === -1) {
      unexplained.push(survivor);
    } else {
      stale.splice(index, 1);
      explained.push(survivor);
    }
  }
  return { unexplained, explained, stale };
}
