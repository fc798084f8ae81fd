/** What an action or a compensation is called with. */
export interface Call<Input> {
  /**
   * Names this step of this saga: the same for its action and its compensation, in every attempt and every process.
   * A service does what it is told under one key once, however often it is told.
   */
  readonly key: string;
  readonly input: Input;
  /** What the actions have returned so far, by the names of their steps; nothing for one that has not answered. */
  readonly outputs: Readonly<Record<string, unknown>>;
}

export interface Step<Input> {
  /** No two steps of a saga have the same. */
  readonly name: string;
  /** Does it. Returns, or resolves to, what JSON can hold, or nothing. Whatever it throws is an `Error`. */
  readonly action: (call: Call<Input>) => unknown;
  /** Undoes it, also if nothing was done. Left out where there is nothing to undo. */
  readonly compensate?: (call: Call<Input>) => unknown;
  /** Once this step is done there is no way back. At most one step is the pivot; default: none. */
  readonly isPivot?: boolean;
}

/** What outlives a process: a table with the primary key (saga, index), a stream that checks the expected version. */
export interface SagaLog {
  /** All entries of a saga in their order; none if it is new. */
  read(sagaId: string): Promise<readonly string[]>;
  /**
   * Writes entry number `index`, counted from 0. Rejects if that is not the next one, since then somebody else has
   * written; and for any other reason, before or after it has written.
   */
  append(sagaId: string, index: number, entry: string): Promise<void>;
}

export interface OrchestratorOptions<Input> {
  readonly log: SagaLog;
  /** In the order in which they are done; at least one. */
  readonly steps: readonly Step<Input>[];
  /** How often an action or a compensation is tried; whole number, 1 or more. */
  readonly attempts: number;
  /** How long to wait between two attempts, in milliseconds; above 0. */
  readonly backoffMs: number;
  /** How long to wait for the answer to an attempt, in milliseconds; above 0. */
  readonly timeoutMs: number;
  /** Is the error an answer: the service refuses, has done nothing, and will do nothing under this key? */
  readonly isRejection: (error: unknown) => boolean;
  /** Calls a person, before the saga ends as parked. Returns, or resolves, once somebody has been told. */
  readonly onParked: (sagaId: string, outcome: Parked) => unknown;
}

/** A step that failed, and the message of its last error. */
export interface Failure {
  readonly step: string;
  readonly message: string;
}

/** Every step is done. */
export interface Completed {
  readonly state: 'completed';
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** Nothing is left of any step. */
export interface Compensated {
  readonly state: 'compensated';
  /** Why: the action that failed. */
  readonly failure: Failure;
}

/** Neither, so a person has to look. */
export interface Parked {
  readonly state: 'parked';
  /** Why: the action that failed. */
  readonly failure: Failure;
  /** The compensations that failed, in the order in which they did. None if there was no way back. */
  readonly stuck: readonly Failure[];
}

export type Outcome = Completed | Compensated | Parked;

export interface Orchestrator<Input> {
  /**
   * Begins the saga; or goes on where its log ends; or, if it has ended, tells how. Never throws.
   *
   * @throws what the log or `onParked` rejects with (as a rejection); the saga goes on when it is run again
   */
  run(sagaId: string, input: Input): Promise<Outcome>;
}

/**
 * Runs sagas (Garcia-Molina and Salem, 1987) of three kinds of steps (Richardson, 2018): those before the pivot can be
 * undone, those after it cannot fail but only be late.
 */
export function createOrchestrator<Input>(
  options: OrchestratorOptions<Input>,
): Orchestrator<Input> {
  // #region answer: do the steps in their order or undo them, and survive a crash at any point
  const { log, steps, attempts, backoffMs, timeoutMs, isRejection, onParked } = options;

  /** Tries until there is an answer, or no attempt is left. */
  async function settle(task: () => unknown): Promise<End> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return { output: await within(timeoutMs, task) };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const isAnswer = !(error instanceof NoAnswer) && isRejection(error);
        if (isAnswer) return { message, isUnknown: false };
        if (attempt === attempts) return { message, isUnknown: true };
        await new Promise((resolve) => setTimeout(resolve, backoffMs));
      }
    }
  }

  return {
    async run(sagaId, input) {
      const remember = memoryOf(sagaId, log, await log.read(sagaId));
      const outputs: Record<string, unknown> = {};
      const callOf = ({ name }: Step<Input>) => ({
        key: JSON.stringify([sagaId, name]),
        input,
        outputs: { ...outputs },
      });

      let failure: Failure | undefined;
      let isPastPivot = false;
      const toUndo: Step<Input>[] = [];
      for (const step of steps) {
        const end = await remember(() => settle(() => step.action(callOf(step))));
        const { message } = end;
        // Nobody knows whether a step that did not answer is done. So it counts as done.
        if (message === undefined || end.isUnknown) {
          toUndo.unshift(step);
          isPastPivot ||= step.isPivot === true;
        }
        if (message !== undefined) {
          failure = { step: step.name, message };
          break;
        }
        outputs[step.name] = end.output;
      }
      if (!failure) return { state: 'completed', outputs };

      const stuck: Failure[] = [];
      for (const step of isPastPivot ? [] : toUndo) {
        const undo = step.compensate?.bind(step);
        if (!undo) continue;
        const { message } = await remember(() => settle(() => undo(callOf(step))));
        if (message !== undefined) stuck.push({ step: step.name, message });
      }
      if (!isPastPivot && stuck.length === 0) return { state: 'compensated', failure };

      const outcome: Parked = { state: 'parked', failure, stuck };
      // First told and then recorded: after a crash in between, somebody is told twice, and not never.
      await remember(async () => {
        await onParked(sagaId, outcome);
        return {};
      });
      return outcome;
    },
  };
  // #endregion
}

// #region answer
/** How an action or a compensation ended: with an output, or with the message of an error. */
interface End {
  readonly output?: unknown;
  readonly message?: string;
  /** Did the last attempt end without an answer, so that nobody knows what has been done? */
  readonly isUnknown?: boolean;
}

/**
 * The first task has entry 0, the next one entry 1, and so on. Whatever is on record is not done again; whatever is
 * done is on record before the next task begins. As long as the tasks come in the same order each time, the saga can
 * be written as if there were no crashes.
 */
function memoryOf(sagaId: string, log: SagaLog, entries: readonly string[]) {
  let next = 0;
  return async (task: () => Promise<End>): Promise<End> => {
    const index = next;
    next += 1;
    const entry = entries[index];
    if (entry !== undefined) return JSON.parse(entry);
    const end = await task();
    await log.append(sagaId, index, JSON.stringify(end));
    return end;
  };
}

/** Nobody has said anything, so there is nothing that `isRejection` could judge. */
class NoAnswer extends Error {}

/** Settles as `task` does, or rejects when its time is up. What comes after that goes nowhere. */
function within(ms: number, task: () => unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new NoAnswer(`no answer within ${ms} ms`)), ms);
    const stop = () => clearTimeout(timer);
    new Promise((settled) => settled(task())).then(resolve, reject).finally(stop);
  });
}
// #endregion
