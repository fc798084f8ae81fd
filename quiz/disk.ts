import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { KitError } from './problem.ts';

/** Where the journal is kept; tests put a failing one in its place. */
export interface Disk {
  /** Throws when `file` cannot take another line now. Creates it, and its folder, when missing. */
  tryOut(file: string): void;
  /** Adds a line, on disk when this returns. */
  append(file: string, line: string): void;
}

export const realDisk: Disk = {
  tryOut(file) {
    const folder = dirname(file);
    mkdirSync(folder, { recursive: true });
    closeSync(openSync(file, 'a'));
    fillABlock(join(folder, `.probe-${randomUUID()}`));
  },

  append(file, line) {
    const descriptor = openSync(file, 'a+');
    try {
      const start = endsMidLine(descriptor) ? '\n' : '';
      writeWhole(descriptor, Buffer.from(`${start}${line}\n`));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  },
};

/** Does something to `file`; the disk's errors are thrown as KitErrors that say what to do. */
export function orExplain(file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw explainDiskError(error, file);
  }
}

/** Names the path and what to do about it; errors that are not the disk's come back as they are. */
export function explainDiskError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const [what, remedy] = reasons.get(error.code) ?? [error.message, 'See to it, then try again.'];
  return new KitError(`Cannot write ${file}: ${what}. ${remedy}`, { cause: error });
}

const full = ['the disk is full', 'Make some room, then try again.'] as const;
const readOnly = [
  'it may not be written to',
  'Change its permissions, or set HALF_OPEN_HOME to a folder of yours.',
] as const;
const inTheWay = [
  'a file stands where a folder should be, or the other way round',
  'Move it away, or set HALF_OPEN_HOME to another folder.',
] as const;

const reasons = new Map<unknown, readonly [what: string, remedy: string]>([
  ['ENOSPC', full],
  ['EDQUOT', full],
  ['EACCES', readOnly],
  ['EPERM', readOnly],
  ['EROFS', readOnly],
  ['ENOTDIR', inTheWay],
  ['EEXIST', inTheWay],
  ['EISDIR', inTheWay],
]);

/** On a full disk an empty append succeeds; only bytes that need a block of their own tell. */
function fillABlock(probe: string): void {
  const descriptor = openSync(probe, 'wx');
  try {
    // Its name goes at once: whoever is killed here leaves nothing behind.
    rmSync(probe);
    writeWhole(descriptor, Buffer.alloc(4096));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** One write: two processes that append at once cannot cut into each other's line. */
function writeWhole(descriptor: number, bytes: Buffer): void {
  if (writeSync(descriptor, bytes) === bytes.length) return;
  throw Object.assign(new Error('only a part was written'), { code: 'ENOSPC' });
}

/** True after a write that was cut off: what follows must not share its line. */
function endsMidLine(descriptor: number): boolean {
  const { size } = fstatSync(descriptor);
  const last = Buffer.alloc(1);
  return size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== newline;
}

const newline = 0x0a;
