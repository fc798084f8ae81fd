import { KitError } from '../../quiz/problem.ts';

/** The whole number, 1 or more, that a flag gives. Throws a KitError (wrong usage) when it is none. */
export function countFrom(
  name: string,
  flag: string | boolean | undefined,
  fallback: number,
): number {
  if (flag === undefined) return fallback;
  const count = Number(flag);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new KitError(`Expected ${name} to be a whole number, 1 or more; not "${flag}".`, {
    exitCode: 2,
  });
}
