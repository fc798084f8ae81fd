import type { Random } from '../../quiz/random.ts';

/** Draws a number, of milliseconds mostly. */
export type Draw = (random: Random) => number;

/** Always the same. */
export function constant(value: number): Draw {
  return () => value;
}

/** Every value from `low` to `high` is as likely as any other. */
export function uniform(low: number, high: number): Draw {
  return (random) => low + (high - low) * random();
}

/** Without memory, as the time between independent arrivals is. */
export function exponential(mean: number): Draw {
  return (random) => -Math.log(1 - random()) * mean;
}

/** Normal (Box and Muller), and never negative. */
export function normal(mean: number, deviation: number): Draw {
  return (random) => {
    const standard = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.abs(mean + deviation * standard);
  };
}

/** `usual`, but `rare` for a share of all draws: a service with a tail. */
export function mixture(usual: Draw, share: number, rare: Draw): Draw {
  return (random) => (random() < share ? rare(random) : usual(random));
}
