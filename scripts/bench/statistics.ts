/** The middle of several numbers, and the range that the middle half of them lies in. */
export interface Spread {
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
}

/** Throws when there are no numbers. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    p25: quantile(sorted, 0.25),
    p75: quantile(sorted, 0.75),
  };
}

/**
 * How many times as much `ours` took as `theirs`, round by round. What slows the machine down for a while slows
 * both halves of a round, and so hardly shows.
 */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.flatMap((sample, round) => {
    const other = theirs[round];
    return other === undefined ? [] : [sample / other];
  });
}

/** Linear between neighbours, so that every number counts. */
function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  if (below === undefined || above === undefined) throw new Error('There is nothing to measure.');
  return below + (place - Math.floor(place)) * (above - below);
}
