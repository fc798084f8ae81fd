import { setTimeout as sleep } from 'node:timers/promises';

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
  return new CheckpointingOrchestrator(options);
}

/**
 * The other usual shape: a state machine. Each entry of the log is a whole state, so only the last one is read; the
 * loop looks at the phase, does one thing, and writes down where that has led. Nothing is replayed.
 */
class CheckpointingOrchestrator<Input> implements Orchestrator<Input> {
  readonly #options: OrchestratorOptions<Input>;
  readonly #pivot: number;

  constructor(options: OrchestratorOptions<Input>) {
    this.#options = options;
    const pivot = options.steps.findIndex(({ isPivot }) => isPivot);
    this.#pivot = pivot === -1 ? options.steps.length : pivot;
  }

  async run(sagaId: string, input: Input): Promise<Outcome> {
    const { log } = this.#options;
    const entries = await log.read(sagaId);
    const last = entries.at(-1);
    let state: State = last === undefined ? BEGINNING : JSON.parse(last);
    for (let version = entries.length; ; version += 1) {
      if ('ended' in state) return state.ended;
      state = await this.#next(sagaId, input, state);
      await log.append(sagaId, version, JSON.stringify(state));
    }
  }

  #next(sagaId: string, input: Input, state: Going): Promise<State> {
    // The length says where the saga's id ends.
    const call = (step: Step<Input>): Call<Input> => ({
      key: `${sagaId.length}.${sagaId}.${step.name}`,
      input,
      outputs: state.outputs,
    });
    if (state.phase === 'forward') return this.#do(state, call);
    if (state.phase === 'back') return this.#undo(state, call);
    return this.#page(sagaId, state);
  }

  async #do(state: Going, call: (step: Step<Input>) => Call<Input>): Promise<State> {
    const { at, outputs } = state;
    const step = this.#stepAt(at);
    const reply = await this.#ask(() => step.action(call(step)));
    if (reply.kind === 'answer') {
      const next = { ...outputs, [step.name]: reply.output };
      if (at + 1 < this.#options.steps.length) return { ...state, at: at + 1, outputs: next };
      return { ended: { state: 'completed', outputs: next } };
    }
    const failure: Failure = { step: step.name, message: reply.message };
    const firstNotDone = reply.kind === 'rejection' ? at : at + 1;
    if (firstNotDone > this.#pivot) return { ...state, failure, phase: 'page' };
    return this.#back({ ...state, failure, phase: 'back' }, firstNotDone);
  }

  async #undo(state: Going, call: (step: Step<Input>) => Call<Input>): Promise<State> {
    const step = this.#stepAt(state.at);
    const reply = await this.#ask(() => step.compensate?.(call(step)));
    if (reply.kind === 'answer') return this.#back(state, state.at);
    const stuck = [...state.stuck, { step: step.name, message: reply.message }];
    return this.#back({ ...state, stuck }, state.at);
  }

  /** On to the last step before `end` that can be undone. */
  #back(state: Going, end: number): State {
    const at = this.#options.steps.slice(0, end).findLastIndex(({ compensate }) => compensate);
    if (at >= 0) return { ...state, at };
    if (state.stuck.length > 0) return { ...state, phase: 'page' };
    return { ended: { state: 'compensated', failure: failureOf(state) } };
  }

  async #page(sagaId: string, state: Going): Promise<State> {
    const ended: Parked = { state: 'parked', failure: failureOf(state), stuck: state.stuck };
    await this.#options.onParked(sagaId, ended);
    return { ended };
  }

  async #ask(task: () => unknown): Promise<Reply> {
    const { attempts, backoffMs } = this.#options;
    let reply = await this.#askOnce(task);
    for (let tried = 1; tried < attempts && reply.kind === 'silence'; tried += 1) {
      await sleep(backoffMs);
      reply = await this.#askOnce(task);
    }
    return reply;
  }

  async #askOnce(task: () => unknown): Promise<Reply> {
    const { timeoutMs, isRejection } = this.#options;
    const done = new AbortController();
    const late = async (): Promise<Reply> => {
      await sleep(timeoutMs, undefined, { signal: done.signal });
      return { kind: 'silence', message: 'no answer in time' };
    };
    const heard = async (): Promise<Reply> => {
      try {
        return { kind: 'answer', output: await task() };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        return { kind: isRejection(error) ? 'rejection' : 'silence', message };
      }
    };
    try {
      return await Promise.race([heard(), late()]);
    } finally {
      done.abort();
    }
  }

  #stepAt(index: number): Step<Input> {
    const step = this.#options.steps[index];
    if (step) return step;
    throw new Error(`the log speaks of step ${index}, and there are fewer`);
  }
}

type State = Going | { readonly ended: Outcome };

/** What is done next: the step at `at`, or its compensation, or to call a person. */
interface Going {
  readonly phase: 'forward' | 'back' | 'page';
  readonly at: number;
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly failure?: Failure;
  readonly stuck: readonly Failure[];
}

const BEGINNING: Going = { phase: 'forward', at: 0, outputs: {}, stuck: [] };

type Reply =
  | { readonly kind: 'answer'; readonly output: unknown }
  | { readonly kind: 'rejection' | 'silence'; readonly message: string };

function failureOf({ failure }: Going): Failure {
  if (failure) return failure;
  throw new Error('the log speaks of a failure, and there is none');
}
