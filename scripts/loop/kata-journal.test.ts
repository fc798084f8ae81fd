import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openJournal } from '../../quiz/journal.ts';
import { failing, openQuota, solved, unsolved } from '../fixtures/quota.ts';
import { isKataDue, recordReset, recordVerdict, standingOf } from './kata-journal.ts';
import type { Verdict } from '../runner/verdict.ts';

let given: Awaited<ReturnType<typeof openQuota>>;

beforeEach(async () => {
  given = await openQuota();
});

afterEach(() => given.remove());

const now = new Date(2026, 10, 22, 12);

it('takes progress down', async () => {
  expect(await recorded(failing('never holds more than the limit'))).toBeUndefined();
  expect(standingOf(openJournal(given.home), 'quota')).toMatchObject({ passed: 1, of: 3 });
});

it('tells of a solved kata how it was graded, and when it comes back', async () => {
  const solve = await recorded(solved, { hints: 1 });
  expect(solve).toMatchObject({ grade: 'hard', peeked: false });
  expect(solve?.due?.getTime()).toBeGreaterThan(now.getTime());
});

it('tells of it once', async () => {
  await recorded(solved);
  await writeFile(given.kata.files.stub, 'export const createQuota = () => undefined;\n');
  expect(await recorded(unsolved)).toBeUndefined();
  expect(await recorded(solved)).toBeUndefined();
  expect(standingOf(openJournal(given.home), 'quota')?.solved).toBe(true);
});

it('begins anew when the stub is back', async () => {
  await recorded(solved);
  const stub = await readFile(given.kata.files.stub, 'utf8');
  await writeFile(given.kata.files.stub, stub.replaceAll('\n', '\r\n'));
  await recorded(unsolved);
  expect(standingOf(openJournal(given.home), 'quota')?.solved).toBe(false);
  expect(await recorded(solved)).toMatchObject({ grade: 'good' });
});

it('begins anew after a reset', async () => {
  await recorded(solved);
  recordReset(openJournal(given.home), 'quota', now);
  expect(await recorded(solved)).toMatchObject({ grade: 'good' });
});

it('says that a solved kata is due once its day has come', async () => {
  const solve = await recorded(solved);
  const journal = openJournal(given.home);
  expect(isKataDue(journal, 'quota', now)).toBe(false);
  expect(isKataDue(journal, 'quota', solve?.due ?? now)).toBe(true);
});

it('does not call an unsolved kata due', async () => {
  const solve = await recorded(solved);
  const journal = openJournal(given.home);
  recordReset(journal, 'quota', now);
  expect(isKataDue(journal, 'quota', solve?.due ?? now)).toBe(false);
});

function recorded(verdict: Verdict, { hints = 0 } = {}) {
  return recordVerdict(openJournal(given.home), given.kata, { verdict, hints, now });
}
