import { seeded, type Random } from '../../../quiz/random.ts';
import type { Life } from './child.ts';
import type { Effort, Tally } from './trial.ts';

/** What one life showed as kept, and what of it is gone. */
type Inquest = Pick<Tally, 'acknowledged' | 'lost'> & Pick<Life, 'wasKilled' | 'readyMs'>;

/** More at once would but wait for each other. */
const AT_ONCE = 2;
const REPORTED = 50;

/**
 * Runs `live` until so many of its processes were killed, each at a random instant of the time in which they write.
 * The first lives to its end, which tells how long that is; so do later ones that end before their death.
 */
export async function killOften(
  { kills, seed, signal, progress }: Effort,
  name: string,
  live: (killAfterMs: number | undefined, random: Random) => Promise<Inquest>,
): Promise<Tally> {
  const whole = await live(undefined, seeded(`${name} ${seed}`));
  const lost: string[] = [...whole.lost];
  let { acknowledged, readyMs: spanMs } = whole;
  let killed = 0;
  let started = 0;
  const next = async (): Promise<void> => {
    while (killed < kills && !signal.aborted) {
      started += 1;
      const number = started;
      const random = seeded(`${name} ${seed} ${number}`);
      const life = await live(random() * spanMs, random);
      spanMs *= life.wasKilled ? 1.02 : 0.85;
      killed += life.wasKilled ? 1 : 0;
      if (life.wasKilled && killed % REPORTED === 0) progress(`${name}: ${killed} kills`);
      acknowledged += life.acknowledged;
      lost.push(...life.lost.map((each) => `life ${number}: ${each}`));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  signal.throwIfAborted();
  return { tried: `${killed} kills`, acknowledged, lost };
}
