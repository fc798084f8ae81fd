import type { ChildEnd } from './spec-child.ts';
import type { Broken } from './verdict.ts';

/** What is known of a run that was cut off. */
interface Circumstances {
  /** The test that was running. */
  readonly during: string | undefined;
  /** The call by which the candidate ended the process, when the guard saw it. */
  readonly call: string | undefined;
}

export function timedOut(timeoutMs: number, { during }: Circumstances): Broken {
  return ending('time-out', during, [
    `Stopped after ${timeoutMs / 1_000} s ${where(during)}: it never came to an end.`,
    'Look for a loop that nothing ends, or a timer that sets itself again and again.',
    'Should it only need more time: `--timeout SECONDS`.',
  ]);
}

export function outOfMemory({ during }: Circumstances): Broken {
  return ending('out-of-memory', during, [
    `Stopped ${where(during)}: it used up its memory.`,
    'Look for something that only ever grows: a list that is added to in a loop, or a queue that nothing empties.',
  ]);
}

/** The code ended its thread or its process. */
export function exited({ during, call }: Circumstances): Broken {
  const how = call ? `called ${call}` : 'ended its own process';
  return ending('exited', during, [
    `The code ${how} ${where(during)}: nothing after that could be tested.`,
    'An answer never ends the process. To report trouble it throws an error.',
  ]);
}

/** The process ended by itself, and the guard did not see why. */
export function processGone(end: ChildEnd, circumstances: Circumstances): Broken {
  const { during, call } = circumstances;
  // One allocation that is too large ends the whole process, not only the thread.
  if (/out of memory|heap limit/i.test(end.lastWords)) return outOfMemory(circumstances);
  if (call !== undefined || end.signal === null) return exited(circumstances);
  return ending('killed', during, [
    `The process was ended by ${end.signal} ${where(during)}.`,
    'Either the code ended it, or the system ran short of memory.',
  ]);
}

function where(during: string | undefined): string {
  return during === undefined ? 'before the first test began' : `in the test “${during}”`;
}

function ending(
  reason: Broken['reason'],
  during: string | undefined,
  sentences: readonly string[],
): Broken {
  return {
    kind: 'broken',
    reason,
    message: sentences.join('\n'),
    ...(during !== undefined && { during }),
  };
}
