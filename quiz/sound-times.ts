interface Stamped {
  /** ISO 8601. */
  readonly at: string;
}

/** Clocks of two machines differ by less. */
const SKEW_MS = 24 * 60 * 60 * 1000;

/** Can something have happened at this moment, in milliseconds since 1970, when it is `now`? */
export function isSound(at: number, now: Date): boolean {
  return at <= now.getTime() + SKEW_MS;
}

/**
 * The entries of a file, in its order, none later than `now`. A clock that was wrong once may have dated some years
 * ahead, and what they say would be the last word until then: they count as of the entry before them in the file.
 */
export function withSoundTimes<Entry extends Stamped>(
  entries: readonly Entry[],
  now: Date,
): Entry[] {
  let before = entries.find(({ at }) => isSound(Date.parse(at), now))?.at ?? now.toISOString();
  return entries.map((entry) => {
    if (!isSound(Date.parse(entry.at), now)) return { ...entry, at: before };
    before = entry.at;
    return entry;
  });
}
