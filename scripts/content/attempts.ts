import { randomUUID } from 'node:crypto';
import { link, lstat, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { explainDiskError } from '../../quiz/disk.ts';
import { KitError } from '../../quiz/problem.ts';
import type { Kata } from './catalog.ts';
import { stubOf } from './stub.ts';

export type Reset =
  /** The file was the stub: nothing was done. */
  | { readonly kind: 'already' }
  /** There was no answer to save. */
  | { readonly kind: 'written' }
  | { readonly kind: 'archived'; readonly copy: string };

export interface Moment {
  readonly home: string;
  readonly now: Date;
}

/**
 * Puts the stub in place of the learner's file, and that aside as an attempt: whatever stood there at that moment,
 * also what an editor saved just before. Throws a KitError when the stub cannot be made, the answer cannot be kept
 * (it is then untouched), or the stub cannot be written.
 */
export async function resetAnswer(
  { slug, files }: Pick<Kata, 'slug' | 'files'>,
  moment: Moment,
): Promise<Reset> {
  const stub = await stubFrom(files.solution);
  const answer = await readAnswer(files.stub);
  if (answer?.equals(Buffer.from(stub))) return { kind: 'already' };
  const copy = answer && (await archiveAnswer(slug, answer, moment));
  return withNewFile(files.stub, stub, async (ready) => {
    const moved = copy !== undefined && (await putAside(files.stub, copy));
    if (copy === undefined || moved) {
      // Should an editor have saved in between, its file is the answer now, and the stub no answer to it.
      if (!(await putIfFree(ready, files.stub))) return resetAnswer({ slug, files }, moment);
    } else {
      await rename(ready, files.stub);
    }
    return copy === undefined ? { kind: 'written' } : { kind: 'archived', copy };
  });
}

async function stubFrom(solution: string): Promise<string> {
  try {
    return stubOf(await readFile(solution, 'utf8'));
  } catch (cause) {
    const isMarkWrong = cause instanceof KitError;
    const why = isMarkWrong ? cause.message : 'it cannot be read; bring it back with git';
    throw new KitError(`The stub cannot be made of ${solution}: ${why}.`, { cause });
  }
}

/**
 * Keeps an answer as `<home>/attempts/<slug>/<local time>.ts`; never over another copy. It is
 * on disk when this resolves, to the copy's path. Throws a KitError when the disk refuses it.
 */
export async function archiveAnswer(
  slug: string,
  answer: Buffer,
  { home, now }: Moment,
): Promise<string> {
  const folder = join(home, 'attempts', slug);
  try {
    await mkdir(folder, { recursive: true });
    for (const name of namesFor(now)) {
      const copy = join(folder, `${name}.ts`);
      if (await writeNew(copy, answer)) return copy;
    }
  } catch (error) {
    throw explainDiskError(error, folder);
  }
  throw new KitError(`Cannot find a free name for another copy in ${folder}: move some away.`);
}

/** Local time without colons, which Windows forbids in names; finer when two resets fall into one second. */
function* namesFor(now: Date): Generator<string> {
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString();
  const [, second = '', fraction = ''] = /^(.*)(\.\d+)Z$/.exec(local.replaceAll(':', '-')) ?? [];
  yield second;
  yield `${second}${fraction}`;
  for (let number = 2; number < 1_000; number += 1) yield `${second}${fraction}-${number}`;
}

/** False when there is such a file already. */
async function writeNew(file: string, bytes: Buffer): Promise<boolean> {
  try {
    await writeFile(file, bytes, { flag: 'wx', flush: true });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    await rm(file, { force: true });
    throw error;
  }
}

/** Undefined when there is none. */
async function readAnswer(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (hasCode(error, 'EISDIR')) {
      throw new KitError(
        `${file} is a folder; the answer should be a file of that name. Move the folder away, then try again.`,
      );
    }
    throw new KitError(`${file} cannot be read: make it readable, then try again.`, {
      cause: error,
    });
  }
}

/** Does `work` with the path of a new file beside `file` that has this text; what is left of it is removed. */
async function withNewFile<T>(
  file: string,
  text: string,
  work: (ready: string) => Promise<T>,
): Promise<T> {
  const ready = join(dirname(file), `.${randomUUID()}.tmp`);
  try {
    await writeFile(ready, text, { flag: 'wx', flush: true });
    return await work(ready);
  } catch (error) {
    throw explainDiskError(error, file);
  } finally {
    await rm(ready, { force: true });
  }
}

/**
 * Moves the answer over the copy of it, so that what an editor has changed since, or changes yet in a file that it
 * has open, is in the copy. False where it cannot be moved: to another disk, or when it is a link.
 */
async function putAside(answer: string, copy: string): Promise<boolean> {
  try {
    if (!(await lstat(answer)).isFile()) return false;
    await toDisk(answer);
    await rename(answer, copy);
    return true;
  } catch (error) {
    if (hasCode(error, 'EXDEV') || hasCode(error, 'EPERM') || hasCode(error, 'EBUSY')) return false;
    throw error;
  }
}

/** As far as the system lets someone who only reads. */
async function toDisk(file: string): Promise<void> {
  const handle = await open(file);
  await handle.sync().catch(() => {});
  await handle.close();
}

/** Puts a file in its place, unless there is one by now. */
async function putIfFree(ready: string, file: string): Promise<boolean> {
  try {
    await link(ready, file);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    // A file system without links.
    await rename(ready, file);
    return true;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
