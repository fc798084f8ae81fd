/** One way to lose what a learner did, tried often. */
export interface Trial {
  /** What it is called on the command line. */
  readonly name: string;
  /** One line: what is done. */
  readonly title: string;
  run(effort: Effort): Promise<Tally>;
}

export interface Effort {
  /** How often a process is killed. */
  readonly kills: number;
  /** How long writers write at once. */
  readonly seconds: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Told how far it is. */
  readonly progress: (text: string) => void;
}

export interface Tally {
  /** What was done how often, such as "200 kills". */
  readonly tried: string;
  /** How many things were shown on the screen, or returned to the caller, as kept. */
  readonly acknowledged: number;
  /** Of these, each that was not there afterwards, in words. */
  readonly lost: readonly string[];
}

/** What of `acknowledged` is not in `kept`, in words. */
export function missing(acknowledged: readonly string[], kept: Iterable<string>): string[] {
  const there = new Set(kept);
  return acknowledged.filter((each) => !there.has(each));
}
