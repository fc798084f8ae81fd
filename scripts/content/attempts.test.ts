import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KitError } from '../../quiz/problem.ts';
import { archiveAnswer, resetAnswer } from './attempts.ts';
import { copyKit } from '../fixtures/copy-kit.ts';
import { kataFiles } from './kit-layout.ts';

const slug = 'quota';
const now = new Date(2026, 0, 31, 18, 5, 9, 42);

let root = '';
let remove = async () => {};
let home = '';
let files = kataFiles('', slug);
beforeEach(async () => {
  ({ root, remove } = await copyKit());
  home = join(root, 'home');
  files = kataFiles(root, slug);
});
afterEach(() => remove());

const reset = () => resetAnswer({ slug, files }, { home, now });

describe('resetAnswer', () => {
  it('keeps a copy of the answer and writes the stub', async () => {
    const stub = await readFile(files.stub, 'utf8');
    await writeFile(files.stub, 'my answer');
    const outcome = await reset();
    const copy = join(home, 'attempts/quota/2026-01-31T18-05-09.ts');
    expect(outcome).toEqual({ kind: 'archived', copy });
    expect(await readFile(copy, 'utf8')).toBe('my answer');
    expect(await readFile(files.stub, 'utf8')).toBe(stub);
    expect(await readdir(join(root, 'katas/quota'))).toEqual([
      'README.md',
      'quota.test.ts',
      'quota.ts',
    ]);
  });

  it('copies bytes, whatever they are', async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x0d, 0x0a]);
    await writeFile(files.stub, bytes);
    const outcome = await reset();
    expect(outcome.kind === 'archived' && (await readFile(outcome.copy))).toEqual(bytes);
  });

  it('leaves the stub alone', async () => {
    expect(await reset()).toEqual({ kind: 'already' });
    await expect(readdir(home)).rejects.toThrow('ENOENT');
  });

  it('writes the stub where there is no answer', async () => {
    const stub = await readFile(files.stub, 'utf8');
    await rm(files.stub);
    expect(await reset()).toEqual({ kind: 'written' });
    expect(await readFile(files.stub, 'utf8')).toBe(stub);
  });

  it('keeps a folder in the place of the answer, and says so', async () => {
    await rm(files.stub);
    await mkdir(files.stub);
    await expect(reset()).rejects.toThrow(`${files.stub} is a folder`);
  });

  it('needs the solution, and says what is wrong with it', async () => {
    await writeFile(files.solution, 'a();\n// #endregion\n');
    const message = `The stub cannot be made of ${files.solution}: `;
    await expect(reset()).rejects.toThrow(`${message}line 2: `);
    await rm(files.solution);
    await expect(reset()).rejects.toThrow(`${message}it cannot be read`);
  });

  it.each(['writes over its file', 'puts a new file in its place'])(
    'keeps what an editor saves meanwhile that %s',
    async (how) => {
      for (let round = 0; round < 5; round += 1) {
        await writeFile(files.stub, `answer ${round}`);
        const isReset = new AbortController();
        const save = async (text: string) => {
          const target = how.startsWith('puts') ? `${files.stub}~` : files.stub;
          await writeFile(target, text);
          if (target !== files.stub) await rename(target, files.stub);
        };
        let last = '';
        const editor = async () => {
          for (let number = 0; !isReset.signal.aborted; number += 1) {
            last = `answer ${round}, save ${number}`;
            await save(last);
            await setTimeout(2 * round);
          }
        };
        await Promise.all([reset().finally(() => isReset.abort()), editor()]);
        const attempts = join(home, 'attempts/quota');
        const kept = (await readdir(attempts)).map((name) => join(attempts, name));
        const texts = await Promise.all(
          [files.stub, ...kept].map((file) => readFile(file, 'utf8')),
        );
        expect(texts).toContain(last);
      }
    },
  );

  it('keeps what a link leads to, and puts the stub in place of the link', async () => {
    const elsewhere = join(root, 'elsewhere.ts');
    await rename(files.stub, elsewhere);
    await writeFile(elsewhere, 'my answer');
    await symlink(elsewhere, files.stub);
    const outcome = await reset();
    expect(outcome.kind === 'archived' && (await readFile(outcome.copy, 'utf8'))).toBe('my answer');
    expect(await readFile(elsewhere, 'utf8')).toBe('my answer');
    expect(await readFile(files.stub, 'utf8')).toContain('TODO');
  });

  it('leaves the answer alone when no copy can be made', async () => {
    await writeFile(home, 'a file in the way');
    await writeFile(files.stub, 'my answer');
    await expect(reset()).rejects.toThrow(KitError);
    expect(await readFile(files.stub, 'utf8')).toBe('my answer');
  });
});

describe('archiveAnswer', () => {
  it('never writes over another copy', async () => {
    const texts = ['first', 'second', 'third', 'fourth'];
    const copies: string[] = [];
    for (const text of texts) {
      copies.push(await archiveAnswer(slug, Buffer.from(text), { home, now }));
    }
    const folder = join(home, 'attempts/quota');
    expect(copies).toEqual(
      ['', '.042', '.042-2', '.042-3'].map((end) => join(folder, `2026-01-31T18-05-09${end}.ts`)),
    );
    expect(await Promise.all(copies.map((copy) => readFile(copy, 'utf8')))).toEqual(texts);
  });
});
