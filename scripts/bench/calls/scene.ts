/** Makes so many calls, one after another. */
export type Turn = (calls: number) => void | Promise<void>;

/** Those who are compared: the solution, libraries by name, and perhaps nothing at all. */
export type Subjects = Readonly<Record<string, () => Promise<Turn>>>;

/** One situation in which all subjects have to do the same. */
export interface Scene {
  readonly name: string;
  readonly subjects: Subjects;
}

/** What is measured of one pattern. */
export interface CallBench {
  readonly title: string;
  readonly scenes: readonly Scene[];
  /** What a reader has to know to judge whether it is fair. */
  readonly notes: readonly string[];
}

/** The name of the subject that is ours. */
export const SOLUTION = 'solution';
/** The name of the subject that has no pattern at all: a floor, not a rival. */
export const BARE = 'bare';

/** A turn of calls that are awaited, each before the next. */
export function awaiting(call: () => Promise<unknown>): Turn {
  return async (calls) => {
    for (let made = 0; made < calls; made += 1) await call();
  };
}

/** A scene in which each of `contestants` is put to the same use; `others` take part as they are. */
export function sceneOf<T>(
  name: string,
  contestants: Readonly<Record<string, () => Promise<T>>>,
  use: (contestant: T) => Turn | Promise<Turn>,
  others: Subjects = {},
): Scene {
  const subjects = Object.entries(contestants).map(([subject, create]) => [
    subject,
    async () => use(await create()),
  ]);
  return { name, subjects: { ...Object.fromEntries(subjects), ...others } };
}
