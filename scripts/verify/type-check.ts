import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { KitError } from '../../quiz/problem.ts';

/** What the compiler says of a file. */
export interface TypeProblem {
  /** As it was given. */
  readonly path: string;
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

/**
 * Type-checks texts as if they were the files of a kit, under the kit's tsconfig, in one run of the compiler.
 * The kit itself is neither read nor written, so what a learner has in the works does not matter.
 * @param files text by path from the kit's root, with forward slashes
 */
export async function typeCheck(
  files: ReadonlyMap<string, string>,
  root: string,
): Promise<TypeProblem[]> {
  const folder = await mkdtemp(join(tmpdir(), 'half-open-'));
  try {
    await writeKit(folder, files, root);
    return parse(await compile(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of this kit: the one that is looked at need not have any. */
const MODULES = resolve(import.meta.dirname, '../../node_modules');

async function writeKit(
  folder: string,
  files: ReadonlyMap<string, string>,
  root: string,
): Promise<void> {
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { moduleDetection: 'force', noEmit: true },
    include: ['**/*.ts'],
    exclude: ['node_modules'],
  };
  const all = new Map([
    ...files,
    ['package.json', '{ "type": "module" }'],
    ['tsconfig.json', JSON.stringify(config)],
  ]);
  const writing = [...all].map(async ([path, text]) => {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  });
  await Promise.all([...writing, symlink(MODULES, join(folder, 'node_modules'), 'junction')]);
}

/** What the compiler prints; nothing when all is well. */
function compile(folder: string): Promise<string> {
  const compiler = join(MODULES, 'typescript/bin/tsc');
  return new Promise((finish, reject) => {
    const child = spawn(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0 || LOCATED.test(printed)) finish(printed);
      else reject(new KitError(`The TypeScript compiler gave up: ${printed.trim()}`));
    });
  });
}

const LOCATED = /^(.+)\((\d+),\d+\): error (TS\d+: .*)$/m;

function parse(printed: string): TypeProblem[] {
  return [...printed.matchAll(new RegExp(LOCATED, 'gm'))].map(
    ([, path = '', line, message = '']) => ({
      path,
      line: Number(line),
      message,
    }),
  );
}
