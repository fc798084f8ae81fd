import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { copyKit } from './fixtures/copy-kit.ts';
import { verify } from './verify.ts';

// Each of these starts runners of its own.
const LONG = 60_000;

let root = '';
let remove = async () => {};
beforeEach(async () => {
  ({ root, remove } = await copyKit());
});
afterEach(() => remove());

const GUESSING = /^The right option is the longest in \d+ % of \d+ cards, the shortest in/;
const SPEED = /^\d+ candidates, \d+ runs in \d+\.\d s: \d\.\d\d s a run$/;
const now = new Date(2026, 0, 31, 18, 5, 9);

async function run(flags: Record<string, boolean> = {}, words: string[] = []) {
  const printed: string[] = [];
  const progress: string[] = [];
  const exitCode = await verify(
    { root, home: join(root, '.study'), words, flags },
    {
      print: (text) => printed.push(text),
      onProgress: (text) => progress.push(text),
      now,
    },
  );
  return { exitCode, printed, progress };
}

async function change(path: string, from: string | RegExp, to: string): Promise<void> {
  const file = join(root, path);
  const text = await readFile(file, 'utf8');
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  await writeFile(file, changed);
}

const SOLUTION = 'solutions/quota/quota.ts';
const WALKTHROUGH = 'solutions/quota/README.md';

it(
  'finds nothing wrong with the kit in miniature',
  async () => {
    const { exitCode, printed, progress } = await run({ pristine: true });
    expect(printed).toEqual([
      expect.stringMatching(GUESSING),
      expect.stringMatching(SPEED),
      expect.stringMatching(/^\d+ passed, 0 failed$/),
    ]);
    expect(exitCode).toBe(0);
    expect(progress).toContain('12 of 12 runs of the specs · quota');
    expect(progress.at(-1)).toBe('');
  },
  LONG,
);

it(
  'runs each misconception of a topic that is named twice',
  async () => {
    const { exitCode, progress } = await run({}, ['quota']);
    expect(exitCode).toBe(0);
    expect(progress).toContain('21 of 21 runs of the specs · quota');
  },
  LONG,
);

it(
  'names what only compiling and running can find, and leaves an answer in progress alone',
  async () => {
    await writeFile(
      join(root, 'katas/quota/quota.ts'),
      'export const createQuota: number = "for (;;',
    );
    await change('lessons/10-quota.md', 'quota.take();', 'quota.tak();');
    await change(SOLUTION, 'createQuota(limit: number)', 'createQuota(limit: number | nought)');
    await change('solutions/quota/another-way.ts', 'await sleep(ms);', 'await sleep(ms * 2);');
    await change(WALKTHROUGH, 'Caught by: `refuses the one', 'Caught by: `refuses one');
    await change(WALKTHROUGH, '-  let left = limit;', '-  let left = limits;');
    await change('katas/quota/quota.test.ts', '2 · giving back', '3 · giving back');

    const { exitCode, printed } = await run();
    expect(exitCode).toBe(1);
    expect(printed).toEqual([
      'katas/quota/quota.test.ts:28 expected the level "3 · giving back" to be called "2 · …"',
      "lessons/10-quota.md:26 TS2551: Property 'tak' does not exist on type 'Quota'. Did you mean 'take'?",
      'solutions/quota/README.md:14 Looks at nothing before it takes: the spec has no test called "refuses one too many"',
      'solutions/quota/README.md:94 No limit means no limit: the diff fits the solution nowhere: the solution has no line `  let left = limits;`',
      'solutions/quota/another-way.ts fails "takes once the wait is over, not before": after 1,000 ms expected true but got undefined',
      'solutions/quota/another-way.ts fails "takes what is left at the end of the wait, not at its start": somebody else took it meanwhile expected false but got undefined',
      "solutions/quota/quota.ts the stub made of it does not compile (its line 12): TS2304: Cannot find name 'nought'.",
      "solutions/quota/quota.ts:12 TS2304: Cannot find name 'nought'.",
      'In progress, so checked from stub: quota',
      expect.stringMatching(GUESSING),
      expect.stringMatching(SPEED),
      expect.stringMatching(/^\d+ passed, 7 failed$/),
    ]);
  },
  LONG,
);

it('lets a lesson that is looked at alone use the kata of another', async () => {
  const lesson = await readFile(join(root, 'lessons/10-quota.md'), 'utf8');
  await writeFile(join(root, 'lessons/20-queue.md'), lesson.replace('quota.take()', 'quota.tak()'));
  const { printed } = await run({}, ['queue']);
  expect(printed).toContain(
    "lessons/20-queue.md:26 TS2551: Property 'tak' does not exist on type 'Quota'. Did you mean 'take'?",
  );
});

it('takes one topic at most', async () => {
  await expect(run({}, ['quota', 'quota'])).rejects.toThrow('Name one topic, or none for all.');
  await expect(run({}, ['qota'])).rejects.toThrow(
    'There is no topic "qota". The nearest is quota.',
  );
});
