import { setTimeout } from 'node:timers/promises';

/** One thing that `npm run bench` measures. */
export interface Measure {
  /** What it is called on the command line. */
  readonly name: string;
  /** One line: what is measured. */
  readonly title: string;
  run(place: Place): Promise<Finding>;
}

export interface Place {
  readonly root: string;
  /** The kata to measure with. */
  readonly slug: string;
  readonly signal: AbortSignal;
}

export interface Finding {
  readonly contestants: readonly Contestant[];
  readonly ratios: readonly Ratio[];
  /** What a reader has to know to judge whether it is fair. */
  readonly notes: readonly string[];
}

export interface Contestant {
  readonly name: string;
  readonly unit: 'ms' | 'ns';
  /** Does it once, and resolves to how long it took by a clock of its own. */
  readonly sample: () => Promise<number>;
  /** One for each round; filled by `sampleInTurn`. */
  readonly samples: number[];
}

/** What the first took, round by round, for what the second did. */
export interface Ratio {
  readonly ours: Contestant;
  readonly theirs: Contestant;
  /** At most this. Without one, the ratio is for orientation. */
  readonly aim?: number;
}

export function contestant(
  name: string,
  unit: Contestant['unit'],
  sample: () => Promise<number>,
): Contestant {
  return { name, unit, sample, samples: [] };
}

/**
 * Samples in turn, A B C A B C …, so that whatever else the machine does meets all alike.
 * @param options.warmUps rounds beforehand that do not count, but fill caches; 1 if not given
 * @param options.pauseMs before each sample, for what the last one has left to do
 */
export async function sampleInTurn(
  contestants: readonly Contestant[],
  options: {
    readonly rounds: number;
    readonly warmUps?: number;
    readonly pauseMs?: number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { rounds, warmUps = 1, pauseMs = 0, signal } = options;
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const { sample, samples } of contestants) {
      await setTimeout(pauseMs, undefined, { signal });
      const took = await sample();
      if (round >= 0) samples.push(took);
    }
  }
}
