import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KitError } from '../quiz/problem.ts';
import { spreadOf } from './bench/statistics.ts';
import { aligned } from './columns.ts';
import type { KitPaths } from './paths.ts';
import { runTool } from './measure/tool.ts';
import { writeBigJournal } from './proof/big-journal.ts';
import { writeBigKit } from './proof/big-kit.ts';
import { powers } from './proof/growth.ts';
import { measuredRun, type Run } from './proof/measured-run.ts';

const WHOLE = { lessons: 1_000, cardsPerDeck: 50, reviews: 1_000_000 };

/** Each round starts a process for each of the kits. The first of all comes before anything is kept. */
const measures = [
  { name: 'the first npm start with that journal', words: [], rounds: 1 },
  { name: 'npm start', words: [], rounds: 3 },
  { name: 'quiz', words: ['quiz'], rounds: 3 },
  { name: 'stats', words: ['stats'], rounds: 1 },
] as const;

await runTool({
  help: `Usage: npm run scale [-- --share 0.1,0.3,1]

Writes kits of several sizes to a temporary folder and measures npm start, a
sitting of the quiz that nobody answers, and stats, beside the kit as it is, in
turn, without a terminal. The whole size is ${WHOLE.lessons.toLocaleString('en')} lessons, katas and decks,
${(WHOLE.lessons * WHOLE.cardsPerDeck).toLocaleString('en')} cards and ${WHOLE.reviews.toLocaleString('en')} reviews.

  --share  shares of that size, the smallest first

The first start with a journal reads all of it, later ones only what was added:
it is measured apart. "Busy" is time on the processor, all threads together. A
growth of 1 is linear. All of it takes some minutes, and 500 MB on the disk.`,
  options: { share: { type: 'string' } },
  async run({ root, flags }, signal) {
    const shares = readShares(flags['share'] ?? '0.1,0.3,1');
    const folder = await mkdtemp(join(tmpdir(), 'half-open-'));
    try {
      const kits: Kit[] = [kitOf(0, root, join(folder, 'home'))];
      for (const share of shares) {
        signal.throwIfAborted();
        console.error(`Writing a kit of ${share} of the whole size …`);
        const to = join(folder, `kit-${share}`);
        await writeKit(share, root, to);
        kits.push(kitOf(share, to, join(to, '.study')));
      }
      await measureAll(kits, signal);
      for (const { name } of measures) for (const line of report(name, kits)) console.log(line);
      return 0;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
});

interface Kit extends KitPaths {
  /** 0: the kit as it is. */
  readonly share: number;
  /** By the name of the measure. */
  readonly runs: ReadonlyMap<string, Run[]>;
}

function kitOf(share: number, root: string, home: string): Kit {
  return { share, root, home, runs: new Map(measures.map(({ name }) => [name, []])) };
}

function readShares(flag: string | boolean): number[] {
  const shares = String(flag).split(',').map(Number);
  if (shares.every((share) => share > 0 && share <= 1)) return shares.toSorted((a, b) => a - b);
  throw new KitError('Write shares as numbers up to 1: --share 0.1,0.3,1', { exitCode: 2 });
}

async function writeKit(share: number, from: string, to: string): Promise<void> {
  const lessons = Math.max(1, Math.round(share * WHOLE.lessons));
  const size = { lessons, cardsPerDeck: WHOLE.cardsPerDeck };
  await writeBigKit(from, to, size);
  await mkdir(join(to, '.study'));
  await writeBigJournal(join(to, '.study', 'journal.jsonl'), share * WHOLE.reviews, size);
}

/** In turn, so that whatever else the machine does meets all alike. */
async function measureAll(kits: readonly Kit[], signal: AbortSignal): Promise<void> {
  for (const { name, words, rounds } of measures) {
    for (let round = 1; round <= rounds; round += 1) {
      console.error(`${name}, round ${round} of ${rounds} …`);
      for (const kit of kits) kit.runs.get(name)?.push(await measuredRun(words, kit, signal));
    }
  }
}

function report(name: string, kits: readonly Kit[]): string[] {
  const middles = kits.map(({ share, runs }) => ({ share, ...middleOf(runs.get(name) ?? []) }));
  const [real, ...sized] = middles;
  const growth = powers(sized.map(({ share, busyMs }) => ({ share, took: busyMs })));
  const rows = middles.map(({ share, firstMs, tookMs, busyMs, peakBytes }, index) => [
    `  ${share === 0 ? 'the kit as it is' : `${share} of the whole`}`,
    seconds(firstMs),
    seconds(tookMs),
    seconds(busyMs),
    `${(busyMs / (real?.busyMs ?? 0)).toFixed(1)} ×`,
    `${Math.round(peakBytes / 2 ** 20)} MB`,
    growth[index - 1]?.toFixed(2) ?? '',
  ]);
  return [
    name,
    ...aligned([['  size', 'first text', 'took', 'busy', 'ratio', 'memory', 'growth'], ...rows]),
    '',
  ];
}

function middleOf(runs: readonly Run[]): Run {
  const middle = (what: keyof Run) => spreadOf(runs.map((run) => run[what])).median;
  return {
    firstMs: middle('firstMs'),
    tookMs: middle('tookMs'),
    busyMs: middle('busyMs'),
    peakBytes: middle('peakBytes'),
  };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
