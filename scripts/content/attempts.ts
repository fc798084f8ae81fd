import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
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
 * Writes the stub in place of the learner's file, once a copy of that is safely on disk. Throws a KitError when
 * the stub cannot be made, the copy cannot (the answer is then untouched), or the stub cannot be written.
 */
export async function resetAnswer(
  { slug, files }: Pick<Kata, 'slug' | 'files'>,
  moment: Moment,
): Promise<Reset> {
  const stub = await stubFrom(files.solution);
  const answer = await readAnswer(files.stub);
  if (answer?.equals(Buffer.from(stub))) return { kind: 'already' };

  const copy = answer && (await archiveAnswer(slug, answer, moment));
  await replaceFile(files.stub, stub);
  return copy === undefined ? { kind: 'written' } : { kind: 'archived', copy };
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
    throw error;
  }
}

/** Either the old text or the new one is there at any moment, never a part. */
async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = join(dirname(file), `.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, text, { flag: 'wx', flush: true });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw explainDiskError(error, file);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
