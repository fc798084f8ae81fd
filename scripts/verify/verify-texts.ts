import type { Problem } from '../../quiz/problem.ts';
import { splitBrief } from '../content/brief.ts';
import type { Lesson } from '../content/catalog.ts';
import { type Check, expectThat, problemIn } from './checks.ts';
import { readFrontmatter } from '../content/frontmatter.ts';
import {
  cutSection,
  fencesOf,
  proseOf,
  type Section,
  withoutCode,
} from '../content/markdown-parts.ts';
import { brokenLinks, type Targets } from './verify-links.ts';

const FEWEST_HINTS = 3;
/** What an adult reads of non-fiction in a minute: 238 words, M. Brysbaert, How many words do we read per minute? (2019). */
const WORDS_A_MINUTE = 238;
/** What a terminal shows at least; a picture that is wider falls back to its source. */
const WIDTH = 80;

/** Of a Markdown file: its links lead somewhere, its pictures can be drawn. */
export async function checkMarkdown(
  text: string,
  file: string,
  root: string,
  targets: Targets,
): Promise<Check[]> {
  return [
    { file, problems: await brokenLinks(text, file, root, targets) },
    { file, problems: await brokenPictures(text, file) },
  ];
}

async function brokenPictures(text: string, file: string): Promise<Problem[]> {
  const pictures = fencesOf(text).filter(({ language }) => language === 'mermaid');
  if (pictures.length === 0) return [];
  const { drawMermaid } = await import('../diagram/mermaid.ts');
  const problems = await Promise.all(
    pictures.map(async ({ code, line }) => {
      const drawing = await drawMermaid(code, WIDTH);
      return 'problem' in drawing
        ? [problemIn(file, line, `the picture cannot be drawn in a terminal: ${drawing.problem}`)]
        : [];
    }),
  );
  return problems.flat();
}

/** What `npm run new` left to be written. In Markdown, code may speak of a TODO. */
export function checkFinished(text: string, file: string): Check {
  const lines = text.split('\n');
  const spoken = (file.endsWith('.md') ? withoutCode(text) : text).split('\n');
  return {
    file,
    problems: spoken.flatMap((line, index) => {
      const at = line.search(/\bTODO[:(]/);
      const todo = lines[index]?.slice(at);
      return at === -1 ? [] : [problemIn(file, index + 1, `left to be written: ${todo}`)];
    }),
  };
}

/** Of a lesson: it can be read in the minutes that it promises. Code, pictures and sources are not counted. */
export function checkMinutes(text: string, { file, minutes }: Lesson): Check {
  const { body } = readFrontmatter(text, file);
  const prose = proseOf(cutSection(body, 'Sources').rest)
    // What a picture says to those who do not see it, and where a link leads.
    .replaceAll(/!\[[^\]]*\]\([^)]*\)/g, '')
    .replaceAll(/\]\([^)]*\)/g, ']');
  const words = prose.split(/\s+/).filter((word) => /\w/.test(word)).length;
  const needed = Math.round(words / WORDS_A_MINUTE);
  return expectThat(
    needed <= minutes,
    file,
    `says ${minutes} minutes, but its ${words} words take ${needed}: shorten it, or say so`,
  );
}

/** Of a brief: hints that help step by step, and go on fitting when a line is added above. */
export function checkHints(text: string, file: string): Check[] {
  const { body, bodyLine } = readFrontmatter(text, file);
  const { hints } = splitBrief(body, bodyLine);
  return [
    { file, problems: hints.flatMap((hint, index) => hintProblems(hint, index + 1, file)) },
    expectThat(
      hints.length >= FEWEST_HINTS,
      file,
      `expected ${FEWEST_HINTS} hints or more ("### 1 · title" and so on under "## Hints"), not ${hints.length}`,
    ),
  ];
}

function hintProblems({ title, line, body }: Section, number: number, file: string): Problem[] {
  const lines = body.split('\n');
  const naming = lines.findIndex((each) => /\blines?\s+\d/i.test(each));
  return [
    expectThat(
      title.startsWith(`${number} · `),
      file,
      `expected the hint's heading to be "### ${number} · title"`,
      line,
    ),
    expectThat(body.trim() !== '', file, 'the hint is empty; say what to think of next', line),
    expectThat(
      naming === -1,
      file,
      'the hint names a line number, which shifts; name the code instead',
      line + 1 + naming,
    ),
  ].flatMap(({ problems }) => problems);
}
