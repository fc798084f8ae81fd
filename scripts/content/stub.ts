import { KitError } from '../../quiz/problem.ts';

/*
 * Marks in a solution:
 *
 *   // #region answer: TEXT     the lines up to `// #endregion` become `throw new Error('TODO: TEXT');`
 *   // #region answer           they are dropped
 */

/** oxfmt's `printWidth`: a stub is formatted as if written by hand. */
const WIDTH = 100;

/**
 * The code that a learner starts with. Throws a KitError that names the line of a mark that is wrong, or when
 * there is none that leaves something to do.
 */
export function stubOf(solution: string): string {
  const { regions, problems } = regionsOf(solution);
  const [first] = problems;
  if (first) throw new KitError(`line ${first.line}: ${first.message}`);

  const eol = solution.includes('\r\n') ? '\r\n' : '\n';
  let lines = solution.split(/\r?\n/);
  for (const region of regions.toReversed()) {
    lines = region.text === undefined ? drop(lines, region) : replace(lines, region);
  }
  return lines.join(eol);
}

interface Region {
  /** Indexes of the two marks. */
  readonly start: number;
  readonly end: number;
  /** What the learner is to do; undefined for a region that is dropped. */
  readonly text?: string;
}

interface Mistake {
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

/** Where the answer stands in a solution, and every mark that is wrong. */
export function regionsOf(solution: string): { regions: Region[]; problems: Mistake[] } {
  const regions: Region[] = [];
  const problems: Mistake[] = [];
  let open: { start: number; text?: string } | undefined;

  for (const [index, line] of solution.split(/\r?\n/).entries()) {
    const mark = parseMark(line);
    if (!mark) continue;
    const complain = (message: string) => problems.push({ line: index + 1, message });

    if (mark.kind === 'wrong') {
      complain(mark.message);
    } else if (mark.kind === 'end' && open) {
      regions.push({ ...open, end: index });
      open = undefined;
    } else if (mark.kind === 'end') {
      complain('`// #endregion` without an answer region before it: remove it or open one');
    } else if (open) {
      complain(`an answer region is still open since line ${open.start + 1}: close it first`);
    } else {
      open = { start: index, ...(mark.text !== undefined && { text: mark.text }) };
    }
  }
  if (open) {
    problems.push({
      line: open.start + 1,
      message: 'the answer region is never closed: add `// #endregion`',
    });
  }
  if (problems.length === 0 && !regions.some((region) => region.text !== undefined)) {
    const message =
      'no `// #region answer: what to do` mark, so a learner would have nothing to do: put one around the answer';
    problems.push({ line: 1, message });
  }
  return { regions, problems };
}

type Mark =
  | { readonly kind: 'start'; readonly text?: string }
  | { readonly kind: 'end' }
  | { readonly kind: 'wrong'; readonly message: string };

function parseMark(line: string): Mark | undefined {
  if (!/^\s*\/\/\s*#(?:end)?region\b/i.test(line)) return undefined;
  if (/^\s*\/\/ #endregion\s*$/.test(line)) return { kind: 'end' };
  if (/^\s*\/\/ #region answer\s*$/.test(line)) return { kind: 'start' };
  const text = /^\s*\/\/ #region answer: (.*\S)\s*$/.exec(line)?.[1];
  if (text !== undefined) return { kind: 'start', text };
  return {
    kind: 'wrong',
    message: `\`${line.trim()}\` is no mark: write \`// #region answer: what to do\`, \`// #region answer\` or \`// #endregion\``,
  };
}

function replace(lines: readonly string[], { start, end, text = '' }: Region): string[] {
  const indent = /^\s*/.exec(lines[start] ?? '')?.[0] ?? '';
  const literal = quote(`TODO: ${text}`);
  const oneLine = `${indent}throw new Error(${literal});`;
  const written =
    oneLine.length <= WIDTH
      ? [oneLine]
      : [`${indent}throw new Error(`, `${indent}  ${literal},`, `${indent});`];
  return [...lines.slice(0, start), ...written, ...lines.slice(end + 1)];
}

/** Single quotes unless double ones need fewer escapes, as oxfmt has it. */
function quote(text: string): string {
  const mark = text.split("'").length > text.split('"').length ? '"' : "'";
  const escaped = text.replaceAll('\\', '\\\\').replaceAll(mark, `\\${mark}`);
  return `${mark}${escaped}${mark}`;
}

/** Leaves the blank lines around as oxfmt would: one at most, none at a block's start or end, `{}` when empty. */
function drop(lines: readonly string[], { start, end }: Region): string[] {
  const before = lines.slice(0, start);
  const after = lines.slice(end + 1);
  const opens = () => /[{([]\s*$/.test(before.at(-1) ?? '{');
  const closes = () => /^\s*[})\]]/.test(after[0] ?? '}');

  while (isBlank(before.at(-1)) && (isBlank(after[0]) || closes())) before.pop();
  while (isBlank(after[0]) && opens()) after.shift();
  if (before.at(-1)?.endsWith('{') && after[0]?.trim().startsWith('}')) {
    return [...before.slice(0, -1), `${before.at(-1)}${after[0].trim()}`, ...after.slice(1)];
  }
  return [...before, ...after];
}

function isBlank(line: string | undefined): boolean {
  return line?.trim() === '';
}
