import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Disk, realDisk } from '../../../quiz/disk.ts';
import { openJournal } from '../../../quiz/journal.ts';
import { KitError } from '../../../quiz/problem.ts';
import { resetAnswer } from '../../content/attempts.ts';
import { openQuota } from '../../fixtures/quota.ts';
import { inFolder } from './in-folder.ts';
import { linesIn } from './journal-file.ts';
import { missing, type Trial } from './trial.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const FILLINGS = 64;

export const fullTrial: Trial = {
  name: 'full',
  title: 'a full disk: a small one that fills, and writes that end after every byte',
  run: () =>
    inFolder(async (folder) => {
      const torn = tornWrites(join(folder, 'torn'));
      const real = await onSmallDisk(join(folder, 'disk'));
      return {
        tried: `${torn.tried} torn writes, ${real.tried} times full`,
        acknowledged: torn.acknowledged + real.acknowledged,
        lost: [...torn.lost, ...real.lost],
      };
    }),
};

/** Writes that stop after each number of bytes; then there is room again. */
function tornWrites(home: string) {
  const kept: string[] = [];
  const append = (disk: Disk) => {
    const entry = openJournal(home, { disk }).append({ type: 'read', lesson: 'é☂' }, NOW);
    kept.push(JSON.stringify(entry));
  };
  append(realDisk);
  const { length } = Buffer.from(`${kept[0]}\n`);
  const lost: string[] = [];
  for (let bytes = 0; bytes < length; bytes += 1) {
    const full: Disk = {
      tryOut: () => {},
      append(file, line) {
        appendFileSync(file, Buffer.from(`${line}\n`).subarray(0, bytes));
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      },
    };
    if (!isRefused(() => append(full))) lost.push('a write that failed was not refused');
    append({ ...realDisk, tryOut: () => {} });
  }
  return {
    tried: length,
    acknowledged: kept.length,
    lost: [...lost, ...missing(kept, linesIn(home))],
  };
}

/** A disk of 64 KB, where this system lets us have one; it is filled up again and again, and room is made. */
async function onSmallDisk(disk: string) {
  if (!mountSmallDisk(disk)) return { tried: 0, acknowledged: 0, lost: [] };
  const kept: string[] = [];
  const lost: string[] = [];
  const { kata, remove } = await openQuota();
  try {
    for (let round = 0; round < FILLINGS; round += 1) {
      writeFileSync(join(disk, 'filler'), Buffer.alloc(8_192));
      const before = kept.length;
      const journal = openJournal(disk);
      const went = 'x'.repeat(100 + 67 * round);
      const isFull = () =>
        isRefused(() =>
          kept.push(JSON.stringify(journal.append({ type: 'debrief', went, asked: [] }, NOW))),
        );
      while (!isFull());
      const answer = `my answer ${round}`;
      writeFileSync(kata.files.stub, answer);
      const refusal = await resetAnswer(kata, { home: disk, now: NOW }).catch(
        (error: unknown) => error,
      );
      const isThere = readFileSync(kata.files.stub, 'utf8') === answer;
      if (refusal instanceof KitError && !isThere) lost.push(answer);
      rmSync(join(disk, 'filler'));
      kept.push(
        JSON.stringify(openJournal(disk).append({ type: 'read', lesson: 'room again' }, NOW)),
      );
      lost.push(...missing(kept.slice(before), linesIn(disk)));
      rmSync(join(disk, 'journal.jsonl'));
      rmSync(join(disk, 'attempts'), { recursive: true, force: true });
    }
    return { tried: FILLINGS, acknowledged: kept.length + FILLINGS, lost };
  } finally {
    await remove();
    execFileSync('umount', [disk]);
  }
}

function mountSmallDisk(folder: string): boolean {
  mkdirSync(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function isRefused(write: () => unknown): boolean {
  try {
    write();
    return false;
  } catch (error) {
    if (error instanceof KitError) return true;
    throw error;
  }
}
