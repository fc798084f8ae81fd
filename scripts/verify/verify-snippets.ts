import { type Check, problemIn } from './checks.ts';
import { shownPath } from '../content/kit-layout.ts';
import { fencesOf } from '../content/markdown-parts.ts';
import { typeCheck } from './type-check.ts';

/** What the compiler is to see. */
export interface Sources {
  /** Text by file: specs, solutions and what they import. */
  readonly code: ReadonlyMap<string, string>;
  /** Text by file: each stub, under the path of the learner's file, and the solution that it was made of. */
  readonly stubs: ReadonlyMap<string, { readonly text: string; readonly solution: string }>;
  /** Text by file: lessons and walkthroughs. */
  readonly markdown: ReadonlyMap<string, string>;
  /** Text by file: what may be imported, and is judged elsewhere. */
  readonly neighbors: ReadonlyMap<string, string>;
}

/** Code type-checks, and so does each `ts` block of the Markdown, as a module that stands in its folder. */
export async function checkTypes(sources: Sources, root: string): Promise<Check[]> {
  const { code, stubs, markdown, neighbors } = sources;
  const pathOf = (file: string) => shownPath(file, root);
  const checked = new Map<string, { file: string; text: string; isStub?: boolean }>();
  for (const [file, text] of code) checked.set(pathOf(file), { file, text });
  for (const [file, { text, solution }] of stubs) {
    checked.set(pathOf(file), { file: solution, text, isStub: true });
  }
  for (const [file, text] of markdown) {
    for (const { language, code: block, line } of fencesOf(text)) {
      if (language !== 'ts' && language !== 'typescript') continue;
      // Below as many empty lines as stand above the block in its file: lines need no translation.
      checked.set(`${pathOf(file)}.${line}.ts`, { file, text: `${'\n'.repeat(line - 1)}${block}` });
    }
  }

  const texts = new Map([...neighbors].map(([file, text]) => [pathOf(file), text]));
  for (const [path, { text }] of checked) texts.set(path, text);
  const problems = await typeCheck(texts, root);
  return [...checked].map(([path, { file, isStub }]) => ({
    file,
    problems: problems
      .filter((problem) => problem.path === path)
      .map(({ line, message }) =>
        isStub
          ? problemIn(
              file,
              undefined,
              `the stub made of it does not compile (its line ${line}): ${message}`,
            )
          : problemIn(file, line, message),
      ),
  }));
}
