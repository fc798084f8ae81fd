import type { Random } from '../../quiz/random.ts';
import { constant, normal } from '../see/draws.ts';
import { createEventClock } from '../see/event-clock.ts';
import { createWorld, type World } from '../see/world.ts';
import type { Backoff } from './backoff-model.ts';

/**
 * The race of `contend` in `backoff-model.ts` once more, with the services and clients of the experiments: the two know
 * nothing of each other, so where they agree neither is likely to be wrong.
 */
export async function contendInWorld(
  { clients, backoff }: { readonly clients: number; readonly backoff: Backoff },
  seed: string,
): Promise<{ writes: number; endMs: number }> {
  const clock = createEventClock();
  const { world, run } = createWorld(clock, { seed, lastsMs: LONGEST_MS });
  const database = world.service('database', { workMs: constant(0), networkMs: normal(10, 2) });
  let row = 0;
  let endMs = 0;
  const change = async (random: Random) => {
    let previousMs: number | undefined;
    for (let retry = 1; ; retry += 1) {
      let version = row;
      let hasWon = false;
      await database.call({ next: async () => void (version = row) });
      await database.call({
        next: async () => {
          world.count('writes');
          hasWon = version === row;
          if (hasWon) row += 1;
        },
      });
      endMs = world.nowMs;
      if (hasWon) return;
      previousMs = backoff.waitMs(retry, previousMs, random);
      await world.wait(previousMs);
    }
  };
  begin(world, clients, change);
  await clock.advanceTo(LONGEST_MS);
  return { writes: run.counted('writes').total, endMs };
}

/** Longer than any race takes. */
const LONGEST_MS = 3_600_000;

function begin(world: World, clients: number, change: (random: Random) => Promise<void>): void {
  for (let client = 0; client < clients; client += 1) {
    world.request(() => change(world.random(`client ${client}`)));
  }
}
