import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Problem } from '../../quiz/problem.ts';
import { problemIn } from './checks.ts';
import { readFrontmatter } from '../content/frontmatter.ts';
import { shownPath } from '../content/kit-layout.ts';
import { withoutCode } from '../content/markdown-parts.ts';

interface Link {
  readonly target: string;
  /** 1-based. */
  readonly line: number;
}

/** Where links of Markdown may lead: asked once per file, however many links there are. */
export interface Targets {
  readonly exists: (file: string) => Promise<boolean>;
  /** Anchors of a Markdown file. */
  readonly anchorsOf: (file: string) => Promise<ReadonlySet<string>>;
}

/** The relative links of a Markdown file that lead nowhere. Links to other sites are not followed. */
export async function brokenLinks(
  markdown: string,
  file: string,
  root: string,
  targets: Targets,
): Promise<Problem[]> {
  const problems = await Promise.all(
    linksIn(markdown).map(async ({ target, line }) => {
      const message = await whyBroken(target, file, root, targets);
      return message === undefined ? [] : [problemIn(file, line, message)];
    }),
  );
  return problems.flat();
}

/** Inline links, pictures, reference definitions and HTML attributes, outside of code. */
export function linksIn(markdown: string): Link[] {
  const text = withoutCode(markdown);
  return LINKS.flatMap((pattern) =>
    [...text.matchAll(pattern)].map(({ 1: target = '', index }) => ({
      target: target.replace(/^<|>$/g, ''),
      line: text.slice(0, index).split('\n').length,
    })),
  ).toSorted((a, b) => a.line - b.line);
}

const LINKS = [
  /\]\(\s*(<[^>\n]*>|(?:[^\s()]|\([^\s()]*\))+)(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/g,
  /^ {0,3}\[[^\]\n]+\]:[ \t]+(\S+)/gm,
  /<[a-z][^>]*\s(?:href|src)="([^"]*)"/gi,
];

async function whyBroken(
  target: string,
  from: string,
  root: string,
  { exists, anchorsOf }: Targets,
): Promise<string | undefined> {
  if (/^(?:[a-z][a-z\d+.-]*:|\/\/)/i.test(target)) return undefined;
  const [path = '', anchor] = decoded(target).split('#', 2);
  // As on GitHub, `/` is the repository.
  const file = path.startsWith('/') ? join(root, path) : resolve(dirname(from), path || from);
  const shown = shownPath(file, root);
  if (shown === file) return `the link \`${target}\` leads out of the repository`;
  if (!(await exists(file)))
    return `the link \`${target}\` leads to ${shown}, which does not exist`;
  if (!anchor || !file.endsWith('.md')) return undefined;
  const anchors = await anchorsOf(file);
  return anchors.has(anchor)
    ? undefined
    : `the link \`${target}\` leads to a heading that ${shown} does not have`;
}

function decoded(target: string): string {
  try {
    return decodeURIComponent(target);
  } catch {
    return target;
  }
}

/** Looks into the files of a kit. `read` gives a file's text. */
export function targetsIn(read: (file: string) => Promise<string>): Targets {
  const anchors = new Map<string, Promise<ReadonlySet<string>>>();
  return {
    exists: (file) =>
      stat(file).then(
        () => true,
        () => false,
      ),
    anchorsOf(file) {
      const known = anchors.get(file) ?? read(file).then(anchorSet);
      anchors.set(file, known);
      return known;
    },
  };

  async function anchorSet(text: string): Promise<Set<string>> {
    const { anchorsOf } = await import('../content/anchors.ts');
    return new Set(anchorsOf(readFrontmatter(text, '').body));
  }
}
