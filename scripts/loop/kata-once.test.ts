import { afterEach, beforeEach, expect, it } from 'vitest';
import { openJournal } from '../../quiz/journal.ts';
import { failing, openQuota, solved } from '../fixtures/quota.ts';
import { standingOf } from './kata-journal.ts';
import { runOnce } from './kata-once.ts';
import type { Verdict } from '../runner/verdict.ts';

let given: Awaited<ReturnType<typeof openQuota>>;

beforeEach(async () => {
  given = await openQuota();
});

afterEach(() => given.remove());

it('reports the first failing test, and takes progress down', async () => {
  const {
    report,
    solved: isSolved,
    journal,
  } = await once(failing('never holds more than the limit'));
  expect(report).toMatch(/^Quota .* 1 of 3 levels\n\n2 · giving back\n✗ never holds more/);
  expect(isSolved).toBe(false);
  expect(standingOf(journal, 'quota')).toMatchObject({ passed: 1, of: 3 });
});

it('reports success, and how many wrong designs the code survived', async () => {
  const { report, solved: isSolved } = await once(solved);
  expect(report).toContain('Solved: all 3 levels pass.');
  expect(report).toContain('Your code survived 9 wrong designs');
  expect(isSolved).toBe(true);
});

it('says nothing of keys, for there are none', async () => {
  expect((await once(solved)).report).not.toMatch(/^n goes on|s shows/m);
});

it('says in words what kept the spec from its end', async () => {
  const verdict: Verdict = {
    kind: 'broken',
    reason: 'time-out',
    message: 'Stopped after 10 s.',
    output: { lines: [], cut: 0 },
    durationMs: 10_000,
  };
  const { report, solved: isSolved } = await once(verdict);
  expect(report).toContain('Stopped after 10 s.');
  expect(isSolved).toBe(false);
});

async function once(verdict: Verdict) {
  const { root, home, kata } = given;
  const journal = openJournal(home);
  const ran = runOnce(kata, {
    root,
    home,
    journal,
    runner: { run: async () => verdict, close: async () => {} },
    now: () => new Date(2026, 10, 22),
    columns: 80,
  });
  return { ...(await ran), journal };
}
