import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import type { Problem } from '../../quiz/problem.ts';
import { readYaml } from '../../quiz/yaml-text.ts';

/** A Markdown file taken apart: the YAML between the `---` lines at its top, and the rest. */
export interface Frontmatter {
  /** What the YAML says; `undefined` when there is none that can be read. */
  readonly data: unknown;
  /** The text below, with `\n` line ends. */
  readonly body: string;
  /** The file's line on which the body starts, 1-based. */
  readonly bodyLine: number;
  readonly problems: readonly Problem[];
  /** The line on which a field stands; 1 when it is missing. */
  readonly lineOf: (key: string) => number;
}

/** Never throws: a head that is missing or cannot be read is a problem, and the body is still given. */
export function readFrontmatter(text: string, file: string): Frontmatter {
  const { head, rest } = cut(text.replace(/^\uFEFF/, ''));
  if (head === undefined) return withoutHead(rest, file);

  const { data, lineOf, problems } = plainFields(head) ?? yamlFields(head);
  return {
    data,
    // Lists of lessons and katas read all heads there are, and hardly any body.
    get body() {
      return withPlainEnds(rest);
    },
    bodyLine: head.length + 3,
    problems: problems.map(({ line, message }) => ({ file, line, message })),
    lineOf,
  };
}

interface Fields extends Pick<Frontmatter, 'data' | 'lineOf'> {
  readonly problems: readonly { readonly line: number; readonly message: string }[];
}

/**
 * What nearly every head is, lines of `key: value` that YAML reads the same way; undefined when a line is
 * anything else. The first screen reads all heads there are, and YAML's parser takes longer to load than that.
 */
function plainFields(head: readonly string[]): Fields | undefined {
  const fields = new Map<string, string | number>();
  const lines = new Map<string, number>();
  for (const [index, line] of head.entries()) {
    const [, key, value] = PLAIN_FIELD.exec(line) ?? [];
    if (key === undefined || value === undefined || fields.has(key)) return undefined;
    fields.set(key, /^[1-9]\d*$/.test(value) ? Number(value) : value);
    lines.set(key, index + 2);
  }
  return { data: Object.fromEntries(fields), lineOf: (key) => lines.get(key) ?? 1, problems: [] };
}

/** A small number, a date, or words without anything that means more to YAML. */
const PLAIN_FIELD =
  /^([a-z]+): ([1-9]\d{0,5}|\d{4}-\d\d-\d\d|(?!(?:true|false|null)$)[A-Za-z](?:[^:#]|:(?=\S))*[^\s:#])$/i;

function yamlFields(head: readonly string[]): Fields {
  const library: typeof Yaml = require('yaml');
  const { isMap, isScalar } = library;
  const { document, lines, data, problems } = readYaml(head.join('\n'), library);
  return {
    data,
    problems: problems.map(({ line, message }) => ({
      line: Math.min(line, head.length + 1) + 1,
      message: `the front matter is no valid YAML: ${message.split('\n')[0]}`,
    })),
    lineOf(key) {
      const fields = isMap(document.contents) ? document.contents.items : [];
      const found = fields.find((field) => isScalar(field.key) && field.key.value === key);
      if (!isScalar(found?.key) || !found.key.range) return 1;
      return lines.linePos(found.key.range[0]).line + 1;
    },
  };
}

const require = createRequire(import.meta.url);

/** The lines of the head, and what stands below; without a head all is below. */
function cut(text: string): { readonly head?: readonly string[]; readonly rest: string } {
  const head: string[] = [];
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    const line = text.slice(start, end).replace(/\r$/, '');
    const isFence = line.trimEnd() === '---';
    if (start === 0 && !isFence) break;
    if (start > 0 && isFence) return { head, rest: text.slice(end + 1) };
    if (start > 0) head.push(line);
    start = end + 1;
  }
  return { rest: text };
}

function withPlainEnds(text: string): string {
  return text.replaceAll('\r\n', '\n');
}

function withoutHead(text: string, file: string): Frontmatter {
  const body = withPlainEnds(text);
  const message =
    body.split('\n', 1)[0]?.trimEnd() === '---'
      ? 'the front matter is not closed: end it with a line `---`'
      : 'there is no front matter: start the file with `---`, fields such as `title: …`, and `---`';
  return {
    data: undefined,
    body,
    bodyLine: 1,
    problems: [{ file, line: 1, message }],
    lineOf: () => 1,
  };
}
