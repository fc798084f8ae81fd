/** How fine events are counted in time. */
const BIN_MS = 10;

/** How often something happened, by time. */
export interface Tally {
  readonly total: number;
  /** How often from `fromMs` up to, not including, `toMs`; both are rounded to 10 ms. */
  between(fromMs: number, toMs: number): number;
  /** The mean number a second in that span. */
  perSecond(fromMs: number, toMs: number): number;
  /** The most within any `windowMs` of that span. */
  busiest(windowMs: number, fromMs?: number, toMs?: number): number;
}

export interface Counter extends Tally {
  count(atMs: number): void;
}

export function createCounter(): Counter {
  const bins: number[] = [];
  let total = 0;
  const binOf = (ms: number) => Math.round(ms / BIN_MS);
  const between = (fromMs: number, toMs: number) => {
    let sum = 0;
    const last = Math.min(bins.length, binOf(toMs));
    for (let bin = binOf(fromMs); bin < last; bin += 1) sum += bins[bin] ?? 0;
    return sum;
  };
  return {
    get total() {
      return total;
    },
    count(atMs) {
      const bin = Math.floor(atMs / BIN_MS);
      while (bins.length <= bin) bins.push(0);
      bins[bin] = (bins[bin] ?? 0) + 1;
      total += 1;
    },
    between,
    perSecond: (fromMs, toMs) => (between(fromMs, toMs) * 1_000) / (toMs - fromMs),
    busiest(windowMs, fromMs = 0, toMs = bins.length * BIN_MS) {
      const width = binOf(windowMs);
      let inWindow = 0;
      let most = 0;
      for (let bin = binOf(fromMs); bin < binOf(toMs); bin += 1) {
        inWindow += bins[bin] ?? 0;
        if (bin - width >= binOf(fromMs)) inWindow -= bins[bin - width] ?? 0;
        most = Math.max(most, inWindow);
      }
      return most;
    },
  };
}

/** How many of something there were, by time. */
export interface Level {
  readonly now: number;
  /** The mean from `fromMs` to `toMs`, weighted by time. */
  mean(fromMs: number, toMs: number): number;
  highest(fromMs?: number, toMs?: number): number;
}

export interface Gauge extends Level {
  add(change: 1 | -1): void;
}

/** @param now milliseconds since the beginning */
export function createGauge(now: () => number): Gauge {
  /** Level times milliseconds, and the highest level, of each bin. */
  const areas: number[] = [];
  const peaks: number[] = [];
  let level = 0;
  let sinceMs = 0;

  const settle = (toMs: number) => {
    while (sinceMs < toMs) {
      const bin = Math.floor(sinceMs / BIN_MS + 1e-9);
      const endMs = Math.min(toMs, (bin + 1) * BIN_MS);
      while (areas.length <= bin) {
        areas.push(0);
        peaks.push(0);
      }
      areas[bin] = (areas[bin] ?? 0) + level * (endMs - sinceMs);
      peaks[bin] = Math.max(peaks[bin] ?? 0, level);
      sinceMs = endMs;
    }
  };
  const slice = (bins: readonly number[], fromMs: number, toMs: number) => {
    settle(now());
    return bins.slice(Math.round(fromMs / BIN_MS), Math.round(toMs / BIN_MS));
  };

  return {
    get now() {
      return level;
    },
    add(change) {
      settle(now());
      level += change;
    },
    mean: (fromMs, toMs) =>
      slice(areas, fromMs, toMs).reduce((sum, area) => sum + area, 0) / (toMs - fromMs),
    highest: (fromMs = 0, toMs = now()) =>
      slice(peaks, fromMs, toMs).reduce((most, peak) => Math.max(most, peak), 0),
  };
}
