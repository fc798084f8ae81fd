import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KitError } from '../../quiz/problem.ts';
import { regionsOf, stubOf } from './stub.ts';

describe('stubOf', () => {
  it('puts what is to be done in the place of an answer', () => {
    const solution = `export function f(): number {
  // #region answer: count them
  let sum = 0;
  return sum;
  // #endregion
}
`;
    expect(stubOf(solution)).toBe(`export function f(): number {
  throw new Error('TODO: count them');
}
`);
  });

  it('drops a region that says nothing', () => {
    const solution = `export class A {
  // #region answer
  #count = 0;
  // #endregion

  get count(): number {
    // #region answer: tell it
    return this.#count;
    // #endregion
  }
}
`;
    expect(stubOf(solution)).toBe(`export class A {
  get count(): number {
    throw new Error('TODO: tell it');
  }
}
`);
  });

  it.each([
    ["what's left", `throw new Error("TODO: what's left");`],
    [`"quoted" and 'quoted'`, `throw new Error('TODO: "quoted" and \\'quoted\\'');`],
    ['a \\ b', `throw new Error('TODO: a \\\\ b');`],
  ])('writes %s so that it is the same text in code', (text, expected) => {
    expect(stubOf(`// #region answer: ${text}\nx();\n// #endregion\n`)).toBe(`${expected}\n`);
  });

  it('keeps the line ends of the solution', () => {
    expect(stubOf('a();\r\n// #region answer: b\r\nb();\r\n// #endregion\r\n')).toBe(
      "a();\r\nthrow new Error('TODO: b');\r\n",
    );
  });

  it('names the line of what is wrong', () => {
    const solution = 'a();\n// #region answer: b\n';
    expect(() => stubOf(solution)).toThrow(KitError);
    expect(() => stubOf(solution)).toThrow('line 2: the answer region is never closed');
  });
});

describe('regionsOf', () => {
  const whole = '// #region answer: a\n// #endregion\n';

  it.each([
    ['const a = 1;\n', 1, /no `\/\/ #region answer: what to do` mark/],
    ['// #region answer\n// #endregion\n', 1, /nothing to do/],
    [`${whole}// #endregion\n`, 3, /without an answer region/],
    [`${whole}// #region answer: b\n`, 3, /never closed/],
    [`// #region answer: b\n${whole}`, 2, /still open since line 1/],
    [`${whole}// #region helpers\n`, 3, /is no mark/],
    [`${whole}// #Region answer: b\n`, 3, /is no mark/],
    [`${whole}  //#endregion\n`, 3, /is no mark/],
    [`${whole}// #region answer:\n`, 3, /is no mark/],
  ])('finds the mistake in %j', (solution, line, message) => {
    const [problem] = regionsOf(solution).problems;
    expect(problem?.line).toBe(line);
    expect(problem?.message).toMatch(message);
  });

  it('finds every mistake at once', () => {
    const { problems } = regionsOf('// #endregion\n// #region x\n// #region answer: a\n');
    expect(problems.map(({ line }) => line)).toEqual([1, 2, 3]);
  });
});

const lines = fc.array(
  fc.constantFrom(
    '',
    '  ',
    'export function f() {',
    '}',
    'a();',
    '  // #region answer: b it',
    '// #region answer',
    '  // #endregion',
    '// #region c',
    '\r',
  ),
  { maxLength: 30 },
);

describe('any text', () => {
  it('gives a stub without marks, or a problem that has a line', () => {
    fc.assert(
      fc.property(lines, (all) => {
        const solution = all.join('\n');
        const { problems } = regionsOf(solution);
        for (const { line } of problems) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(all.length || 1);
        }
        expect(stubOrProblem(solution)).not.toMatch(/#(?:end)?region/);
        expect(stubOrProblem(solution) === 'problem').toBe(problems.length > 0);
      }),
      { seed: 1 },
    );
  });
});

function stubOrProblem(solution: string): string {
  try {
    return stubOf(solution);
  } catch (error) {
    if (error instanceof KitError) return 'problem';
    throw error;
  }
}

describe('a stub', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'half-open-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('is formatted as if it had been written by hand', async () => {
    const long = 'let the call through when a slot is free, and refuse it with a distinct error';
    const solution = `// #region answer
import { setTimeout } from 'node:timers/promises';

// #endregion
/** A class. */
export class A {
  // #region answer
  #count = 0;
  #limit = 1;

  // #endregion
  // #region answer
  readonly #other = 2;
  // #endregion

  wait(): Promise<void> {
    // #region answer: wait, but don't wait for long
    return setTimeout(this.#count);
    // #endregion
  }

  // #region answer

  #private(): void {}
  // #endregion
}

export function f(): void {
  if (Math.random() < 0.5) {
    if (Math.random() < 0.5) {
      // #region answer: ${long}
      return;
      // #endregion
    }
  }
}

export class Empty {
  // #region answer
  #nothing = 0;
  // #endregion
}

export const object = {
  a: 1,

  // #region answer
  b: 2,
  // #endregion
};

// #region answer
function helper(): void {}
// #endregion
`;
    const file = join(folder, 'stub.ts');
    const stub = stubOf(solution);
    await writeFile(file, stub);
    const oxfmt = resolve(import.meta.dirname, '../../node_modules/oxfmt/bin/oxfmt');
    const config = resolve(import.meta.dirname, '../../.oxfmtrc.json');
    execFileSync(process.execPath, [oxfmt, '-c', config, file], { cwd: folder });
    expect(stub).toBe(await readFile(file, 'utf8'));
  });
});
