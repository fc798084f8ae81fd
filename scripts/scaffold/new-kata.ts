import { kataFiles } from '../content/kit-layout.ts';
import { frontMatter, type NewFile } from './new-file.ts';
import { stubOf } from '../content/stub.ts';

/** A kata that runs and holds together, with a TODO in each place where the real one goes. */
export function newKata(root: string, slug: string, title: string, lesson: string): NewFile[] {
  const files = kataFiles(root, slug);
  const name = `create${pascalCase(slug)}`;
  const solution = solutionText(name);
  return [
    { file: files.brief, text: briefText(title, lesson, name, slug) },
    { file: files.stub, text: stubOf(solution) },
    { file: files.spec, text: specText(name, slug) },
    { file: files.solution, text: solution },
    { file: files.anotherWay, text: anotherWayText(name) },
    { file: files.walkthrough, text: walkthroughText(title, slug) },
  ];
}

function pascalCase(slug: string): string {
  return slug.replaceAll(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase());
}

function briefText(title: string, lesson: string, name: string, slug: string): string {
  return `${frontMatter({ title, lesson, level: 'L5', minutes: 45 })}
# ${title}

TODO: the story, in a few sentences: what breaks, and for whom.

## What to build

\`${name}\` in [\`${slug}.ts\`](./${slug}.ts).

TODO: what it promises, in the words of the spec. Where libraries disagree, say what is asked for and why.

## Hints

### 1 · Where to begin

TODO: what to think of first.

### 2 · What to remember

TODO: which state is needed.

### 3 · Nearly the answer

TODO: the shape of the answer.
`;
}

function solutionText(name: string): string {
  return `/** TODO: what it promises; units, ranges and errors. A learner sees this, and the signatures. */
export function ${name}(limit: number): () => boolean {
  // #region answer: let as many through as the limit says
  let left = limit;
  return () => {
    if (left === 0) return false;
    left -= 1;
    return true;
  };
  // #endregion
}
`;
}

function anotherWayText(name: string): string {
  return `/** TODO: a second sound answer, of quite another shape. */
export function ${name}(limit: number): () => boolean {
  const permits = Array.from({ length: limit }, () => true);
  return () => permits.pop() ?? false;
}
`;
}

function specText(name: string, slug: string): string {
  return `import { describe, expect, it } from 'vitest';
import { ${name} } from './${slug}.ts';

// TODO: a level per step, in the order in which a learner meets them; one property (fast-check) or more.
// \`advance\` of ../virtual-time.ts is the only clock.
describe('1 · taking', () => {
  it('lets as many through as the limit says', () => {
    const take = ${name}(1);
    expect(take(), 'one is left').toBe(true);
  });

  it('refuses the one too many', () => {
    const take = ${name}(1);
    take();
    expect(take(), 'nothing is left').toBe(false);
  });
});
`;
}

function walkthroughText(title: string, slug: string): string {
  return `# ${title}: why it looks like this

TODO: the design, what it costs, how libraries decide the same points ([the brief](../../katas/${slug}/README.md)).

## Follow-up questions

TODO: what an interviewer asks next, and what a good answer contains.

## Misconceptions

### Looks at nothing before it takes

Caught by: \`refuses the one too many\`

TODO: why one comes to think so.

\`\`\`diff
-    if (left === 0) return false;
     left -= 1;
\`\`\`
`;
}
