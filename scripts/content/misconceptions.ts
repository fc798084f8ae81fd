import { KitError, type Problem } from '../../quiz/problem.ts';
import { fencesOf, proseOf, type Section, sectionsOf } from './markdown-parts.ts';

/** A plausible wrong answer: a change to the solution, and the test that must see it. */
export interface Misconception {
  readonly title: string;
  /** The test's name as a verdict gives it, or `level > name` where two levels share a name. */
  readonly caughtBy: string;
  /** Markdown: why one comes to think so. */
  readonly why: string;
  /** Lines that start with a space, `-` or `+`; the whole text when it replaces the file. */
  readonly diff: string;
  readonly replacesFile: boolean;
  /** Lines of the walkthrough, 1-based: of the heading, and of the first line of the diff. */
  readonly line: number;
  readonly diffLine: number;
}

/** The `###` sections under `## Misconceptions`. Those that are incomplete are problems, not misconceptions. */
export function parseMisconceptions(
  walkthrough: string,
  file: string,
): { misconceptions: Misconception[]; problems: Problem[] } {
  const misconceptions: Misconception[] = [];
  const problems: Problem[] = [];
  const all = sectionsOf(walkthrough.replaceAll('\r\n', '\n'), 2)
    .filter((section) => section.title === 'Misconceptions')
    .flatMap((section) => sectionsOf(section.body, 3, section.line + 1));

  for (const [index, section] of all.entries()) {
    const { title, line } = section;
    const complain = (message: string) =>
      problems.push({ file, line, message: `${title}: ${message}` });
    const parsed = parseSection(section);
    if (typeof parsed === 'string') complain(parsed);
    else misconceptions.push(parsed);
    if (all.findIndex((other) => other.title === title) < index) {
      complain('another misconception has this title: choose one that tells them apart');
    }
  }
  return { misconceptions, problems };
}

/** What is missing, in words, when the section is no misconception. */
function parseSection({ title, line, body }: Section): Misconception | string {
  const changes = fencesOf(body, line + 1).filter(({ language }) =>
    ['diff', 'ts'].includes(language),
  );
  const [change] = changes;
  if (!change || changes.length > 1) {
    return 'it needs one ```diff block (or one ```ts block, which replaces the whole file); several places go into one diff, separated by lines `@@`';
  }
  const caughtBy = CAUGHT_BY.exec(proseOf(body));
  if (!caughtBy?.[2]) return 'it needs a line "Caught by: `name of the test`"';

  const why = proseOf(body)
    .replace(CAUGHT_BY, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
  if (why === '') return 'say why it is tempting';
  return {
    title,
    caughtBy: caughtBy[2],
    why,
    diff: change.code,
    replacesFile: change.language === 'ts',
    line,
    diffLine: change.line,
  };
}

const CAUGHT_BY = /^Caught by:[ \t]*(`+)[ \t]?(.+?)[ \t]?\1[ \t]*$/m;

/**
 * The solution with the misconception in it. Throws a KitError when a part of the diff does not stand in the
 * solution exactly once, or changes nothing.
 */
export function applyMisconception(solution: string, misconception: Misconception): string {
  const { diff, replacesFile } = misconception;
  const text = solution.replaceAll('\r\n', '\n');
  const changed = replacesFile ? diff : hunksOf(diff).reduce(applyHunk, text);
  if (changed === text) {
    throw new KitError('the diff changes nothing: add lines that start with `-` or `+`');
  }
  return changed;
}

interface Hunk {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** A line `@@ …` starts another part; an empty line is a blank line of context. */
function hunksOf(diff: string): Hunk[] {
  const parts: string[][] = [[]];
  for (const line of diff.replace(/\n$/, '').split('\n')) {
    if (line.startsWith('@@')) parts.push([]);
    else parts.at(-1)?.push(line);
  }
  return parts.filter((part, index) => index > 0 || part.length > 0).map(parseHunk);
}

/** As `applyMisconception`; undefined when it does not fit. */
export function applyWhereItFits(code: string, misconception: Misconception): string | undefined {
  try {
    return applyMisconception(code, misconception);
  } catch (error) {
    if (error instanceof KitError) return undefined;
    throw error;
  }
}

function parseHunk(lines: readonly string[]): Hunk {
  const wrong = lines.find((line) => line !== '' && !' +-'.includes(line.charAt(0)));
  if (wrong !== undefined) {
    throw new KitError(`the diff's line \`${wrong}\` must start with a space, \`-\` or \`+\``);
  }
  const having = (sign: string) =>
    lines.filter((line) => !line.startsWith(sign)).map((line) => line.slice(1));
  return { before: having('+'), after: having('-') };
}

function applyHunk(text: string, { before, after }: Hunk): string {
  if (before.every((line) => line.trim() === '')) {
    throw new KitError(
      'the diff does not say where: it needs a line of the solution that starts with a space or `-`',
    );
  }
  const lines = text.split('\n');
  const places = lines.flatMap((_, index) =>
    before.every((line, offset) => lines[index + offset] === line) ? [index] : [],
  );
  const [place] = places;
  if (place === undefined) {
    const missing = before.find((line) => !lines.includes(line));
    const why =
      missing === undefined
        ? 'its lines are there, but not in a row'
        : `the solution has no line \`${missing}\``;
    throw new KitError(`the diff fits the solution nowhere: ${why}`);
  }
  if (places.length > 1) {
    const where = places.map((index) => index + 1).join(', ');
    throw new KitError(
      `the diff fits the solution in ${places.length} places (lines ${where}): add lines of context until it fits one`,
    );
  }
  return lines.toSpliced(place, before.length, ...after).join('\n');
}
