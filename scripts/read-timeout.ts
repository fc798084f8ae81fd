import { KitError } from '../quiz/problem.ts';

const USUAL_MS = 10_000;
const MOST_SECONDS = 3_600;

/** How long a learner's code may take, in milliseconds: what `--timeout` says in seconds, or 10 seconds. */
export function readTimeout(flag: string | boolean | undefined): number {
  if (flag === undefined) return USUAL_MS;
  const seconds = Number(flag);
  if (seconds > 0 && seconds <= MOST_SECONDS) return seconds * 1_000;
  throw new KitError(
    `Expected \`--timeout\` to be a number of seconds, more than 0 and at most ${MOST_SECONDS}; not "${flag}".`,
    { exitCode: 2 },
  );
}
