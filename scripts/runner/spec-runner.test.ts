import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { copyKit } from '../fixtures/copy-kit.ts';
import { sabotage } from '../fixtures/sabotage.ts';
import { createSpecRunner, type SpecRunner } from './spec-runner.ts';
import { isSolved, type TestResult, type Verdict } from './verdict.ts';

// Each test starts threads, some processes: a busy machine needs time for that.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let kit: Awaited<ReturnType<typeof copyKit>>;
let runner: SpecRunner;
let solution: string;
let stub: string;
let spec: string;
const file = (path: string) => join(kit.root, path);

beforeAll(async () => {
  kit = await copyKit();
  runner = createSpecRunner({ root: kit.root });
  solution = await readFile(file('solutions/quota/quota.ts'), 'utf8');
  stub = await readFile(file('katas/quota/quota.ts'), 'utf8');
  spec = await readFile(file('katas/quota/quota.test.ts'), 'utf8');
});
afterAll(async () => {
  await runner.close();
  await kit.remove();
});

const judge = (code: string) => runner.run({ slug: 'quota', code });

function failures(verdict: Verdict): TestResult[] {
  if (verdict.kind === 'broken') throw new Error(verdict.message);
  return verdict.tests.filter((test) => test.state === 'failed');
}

describe('tests', () => {
  it('come in the order of the spec, under their levels', async () => {
    const verdict = await judge(solution);
    expect(isSolved(verdict)).toBe(true);
    expect(verdict).toMatchObject({
      tests: [
        { level: '1 · taking', name: 'lets as many through as the limit says', state: 'passed' },
        { level: '1 · taking', name: 'refuses the one too many' },
        { level: '1 · taking', name: 'refuses everything when the limit is 0' },
        { level: '1 · taking', name: 'refuses a limit that is no whole number' },
        { level: '2 · giving back' },
        { level: '2 · giving back' },
        { level: '3 · waiting' },
        { level: '3 · waiting' },
      ],
    });
  });

  it('say what a stub says is to do, and where', async () => {
    const [first] = failures(await judge(stub));
    expect(first).toMatchObject({
      message: 'TODO: hand out what is left, and take back what was handed out',
      at: { line: 13, column: 9 },
    });
  });

  it('say first what the spec says, then the values', async () => {
    const [first] = failures(await judge(solution.replace('if (left === 0) return false;', '')));
    expect(first?.name).toBe('refuses the one too many');
    expect(first?.message).toBe('nothing is left\nexpected false but got true');
  });

  it('name an error of the answer, and its place in the text that ran', async () => {
    const code = `\n\n\n${sabotage(solution, "throw new TypeError('no quota today');")}`;
    const [first] = failures(await judge(code));
    expect(first).toMatchObject({
      message: 'TypeError: no quota today',
      at: { line: code.split('\n').findIndex((line) => line.includes('today')) + 1, column: 9 },
    });
  });

  it('that wait for nothing fail, each by itself', async () => {
    const code = solution.replace(/await new Promise.*/, 'await new Promise(() => {});');
    const spoiled = spec.replaceAll('void quota.takeAfter', 'await quota.takeAfter');
    await withSpec(spoiled, async () => {
      const hung = failures(await judge(code));
      expect(hung.map((test) => test.level)).toEqual(['3 · waiting', '3 · waiting']);
      expect(hung[1]?.message).toMatch(/never ended: it waits for a promise that nothing settles/);
    });
  });

  it('and what the answer prints are no more than plain text', async () => {
    const line = String.raw`console.log('\u001B[31mred\u001B[2J'); throw new Error('\u001B[31mred\r');`;
    const verdict = await judge(sabotage(solution, line));
    expect(failures(verdict)[0]?.message).toBe('Error: red');
    expect(verdict.output.lines[0]).toBe('red');
  });
});

describe('the answer', () => {
  const answer = () => file('katas/quota/quota.ts');
  const judgeFile = () => runner.run({ slug: 'quota' });
  afterEach(async () => {
    await rm(answer(), { recursive: true, force: true });
    await writeFile(answer(), stub);
  });

  it('is what the file says at the moment', async () => {
    await writeFile(answer(), solution);
    expect(isSolved(await judgeFile())).toBe(true);
    await writeFile(answer(), stub);
    expect(failures(await judgeFile())).toHaveLength(8);
  });

  it('need not be there for another candidate to run in its place', async () => {
    await rm(answer());
    expect(isSolved(await judge(solution))).toBe(true);
  });

  it.each([
    ['deleted', undefined, 'is missing'],
    ['empty', '\n', 'is empty'],
    ['no UTF-8', Buffer.from(`// \u00E9\n`, 'latin1'), 'is not UTF-8'],
    ['without its export', '// nothing here yet\n', 'does not export `createQuota`'],
  ])('that is %s cannot be read', async (_, content, message) => {
    await rm(answer());
    if (content !== undefined) await writeFile(answer(), content);
    expect(await judgeFile()).toMatchObject({
      kind: 'broken',
      reason: 'unreadable',
      message: expect.stringContaining(`katas/quota/quota.ts ${message}`),
    });
  });

  it('that is a folder cannot be read', async () => {
    await rm(answer());
    await mkdir(answer());
    expect(await judgeFile()).toMatchObject({
      reason: 'unreadable',
      message: expect.stringContaining('is a folder'),
    });
  });

  it('that does not parse is shown with the line and the place in it', async () => {
    const verdict = await judge(solution.replace('(limit: number)', '(limit: number'));
    expect(verdict).toMatchObject({ reason: 'syntax', at: { line: 12, column: 42 } });
    expect(verdict).toHaveProperty(
      'message',
      [
        'katas/quota/quota.ts is not valid TypeScript, line 12: Expected `,` or `)` but found `:`',
        '  export function createQuota(limit: number: Quota {',
        '                                           ^',
      ].join('\n'),
    );
  });

  it.each([
    ["import { x } from '../x.ts';", "imports '../x.ts'.\nThere is no such file"],
    [
      "import x from 'left-pad';",
      "imports 'left-pad'.\nAn answer imports nothing but modules of Node",
    ],
    ["import x from 'node:nope';", "imports 'node:nope'.\nNode has no such module"],
    ["import { expect as x } from 'vitest';", "imports 'vitest'.\nAn answer imports nothing but"],
  ])('cannot have %s', async (line, message) => {
    expect(await judge(`${line}\nvoid x;\n${solution}`)).toMatchObject({
      reason: 'import',
      message: expect.stringContaining(message),
    });
  });

  it('that throws while it is loaded is told from one that fails its tests', async () => {
    expect(await judge(`${solution}\nthrow new RangeError('too early');\n`)).toMatchObject({
      reason: 'load',
      message: expect.stringContaining('RangeError: too early'),
      at: { column: 7 },
    });
  });

  it('that leaves a rejection to nobody is not solved', async () => {
    const code = sabotage(solution, "if (limit === 0) void Promise.reject(new Error('stray'));");
    expect(await judge(code)).toMatchObject({
      reason: 'unhandled',
      message: expect.stringContaining('nobody handled it.\nError: stray'),
      during: 'refuses everything when the limit is 0',
    });
  });

  it.each(['null', '0', 'false', "''", '{ message: 7, stack: 8 }'])(
    'that leaves a rejection with %s to nobody is not solved',
    async (reason) => {
      const code = sabotage(solution, `if (limit === 0) void Promise.reject(${reason});`);
      expect(await judge(code)).toMatchObject({ reason: 'unhandled' });
    },
  );

  it('that leaves a rejection to nobody and fails a test, fails it with that remark', async () => {
    const code = sabotage(solution, "void Promise.reject(new Error('stray')); limit += 1;");
    expect(failures(await judge(code))[0]?.message).toMatch(
      /^nothing is left\n[^]*Besides: .*\nError: stray/,
    );
  });
});

describe('the spec', () => {
  it.each([
    ['.only', () => spec.replace('it(', 'it.only('), '7 of its 8 tests did not run'],
    ['.skip', () => spec.replaceAll('describe(', 'describe.skip('), '8 of its 8 tests did not run'],
    ['.todo', () => `${spec}it.todo('more');\n`, '1 of its 9 tests did not run'],
    ['no tests', () => '', 'has no tests'],
    ['a syntax error', () => `${spec}(`, 'does not parse, line 68'],
    [
      'an import of nothing',
      () => `import './nothing.ts';\n${spec}`,
      "Cannot find module './nothing.ts'",
    ],
    ['nothing, not even a file', () => undefined, 'is missing'],
  ])('with %s in it is told to be changed', async (_, text, message) => {
    await withSpec(text(), async () => {
      expect(await judge(solution)).toMatchObject({
        kind: 'broken',
        reason: 'spec-changed',
        message: expect.stringContaining(message),
      });
    });
    expect(isSolved(await judge(solution))).toBe(true);
  });

  it('that breaks in a step before its tests fails them', async () => {
    const text = spec.replace(
      "describe('2 · giving back', () => {",
      "$& beforeAll(() => { throw new Error('no luck'); });",
    );
    await withSpec(text.replace('import { describe', 'import { beforeAll, describe'), async () => {
      expect(failures(await judge(solution))).toMatchObject([
        { level: '2 · giving back', message: 'Error: no luck' },
        { level: '2 · giving back', message: 'Error: no luck' },
      ]);
    });
  });
});

it('the kit may be in any folder, among files that Vite would read', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'half-open-'));
  const root = join(parent, 'ein Kit – für (alle)');
  await cp(kit.root, root, { recursive: true });
  await Promise.all(
    ['vite.config.ts', 'vitest.config.ts', 'postcss.config.js', 'tsconfig.json'].map((name) =>
      writeFile(join(root, name), 'throw new Error("nobody reads me");'),
    ),
  );
  const elsewhere = createSpecRunner({ root });
  try {
    expect(isSolved(await elsewhere.run({ slug: 'quota', code: solution }))).toBe(true);
    const [first] = failures(await elsewhere.run({ slug: 'quota' }));
    expect(first?.at).toEqual({ line: 13, column: 9 });
  } finally {
    await elsewhere.close();
    await rm(parent, { recursive: true });
  }
});

it.each(['#', '%'])('refuses a kit in a folder with %s, which Vite cannot read', async (sign) => {
  const root = await mkdtemp(join(tmpdir(), `half-open-${sign}`));
  try {
    expect(() => createSpecRunner({ root })).toThrow(`Vite cannot read paths with "${sign}"`);
  } finally {
    await rm(root, { recursive: true });
  }
});

async function withSpec(text: string | undefined, task: () => Promise<void>): Promise<void> {
  const path = file('katas/quota/quota.test.ts');
  try {
    if (text === undefined) await rm(path);
    else await writeFile(path, text);
    await task();
  } finally {
    await writeFile(path, spec);
  }
}
