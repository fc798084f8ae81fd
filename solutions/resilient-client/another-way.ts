/** What has become of one attempt, and so what each policy is to make of it. */
export type AttemptOutcome =
  /** The task has succeeded. */
  | 'ok'
  /** The task has failed with an error that is no fault, such as "no such booking": that is an answer. */
  | 'answer'
  /** The task has failed with a fault. */
  | 'fault'
  /** The task has taken longer than `timeoutMs`. */
  | 'timeout'
  /** Refused: the task has not run. */
  | 'circuit open'
  /** Refused: the task has not run. */
  | 'bulkhead full'
  /** The caller has hung up, or the time for all attempts was over. Whether the task ran or stood in line: no telling. */
  | 'cut off';

/** What the caller of a whole call was told. */
export type CallOutcome =
  | 'ok'
  | 'answer'
  /** No attempt has helped, the fallback has. */
  | 'fallback'
  /** The caller was told an error that is no answer. */
  | 'failed'
  /** The caller has hung up. */
  | 'aborted';

/** What an observer is told, always after the fact. */
export type ClientEvent =
  | {
      readonly kind: 'attempt';
      readonly dependency: string;
      /** Counted from 1 in each call. */
      readonly number: number;
      readonly outcome: AttemptOutcome;
      /** From when the attempt began, the wait for a permit included, in milliseconds. */
      readonly ms: number;
    }
  | {
      readonly kind: 'circuit';
      readonly dependency: string;
      readonly from: CircuitState;
      readonly to: CircuitState;
    }
  | {
      readonly kind: 'call';
      readonly dependency: string;
      readonly outcome: CallOutcome;
      /** How many attempts there were, those that were refused or cut off included. */
      readonly attempts: number;
      /** From when `call` was called until its caller was told, in milliseconds. */
      readonly ms: number;
    };

/** How to treat one dependency. All times are whole milliseconds. */
export interface DependencyOptions {
  /** Most that a call may take, from `call` until its caller is told, the fallback included; above `timeoutMs + fallbackMs`. */
  readonly deadlineMs: number;
  /** What of it is kept for the fallback, in calls that have one; 1 or more. */
  readonly fallbackMs: number;
  /** Most that one attempt may take once it has a permit; 1 or more. */
  readonly timeoutMs: number;
  readonly retry: RetryOptions;
  readonly breaker: BreakerOptions;
  readonly bulkhead: BulkheadOptions;
  /** Whether what a task has failed with speaks against the dependency; else it is an answer. Never throws. */
  readonly isFault: (error: unknown) => boolean;
}

export interface RetryOptions {
  /** Most attempts of a call, the first included; whole number, 1 or more. */
  readonly attempts: number;
  /** Ceiling of the first wait between attempts; it doubles with each further wait; 1 or more. */
  readonly baseMs: number;
  /** Ceiling of every wait; 1 or more. */
  readonly capMs: number;
}

export interface BreakerOptions {
  /** So many failures in a row open the circuit; whole number, 1 or more. */
  readonly consecutiveFailures: number;
  /** How long an open circuit refuses every attempt; 1 or more. */
  readonly cooldownMs: number;
}

export interface BulkheadOptions {
  /** How many tasks may run at once; whole number, 1 or more. */
  readonly permits: number;
  /** How many attempts may wait for a permit; whole number, 0 or more. */
  readonly queue: number;
}

export interface ClientOptions<Name extends string> {
  readonly dependencies: Readonly<Record<Name, DependencyOptions>>;
  /** Whatever it throws, or rejects with, harms no call. */
  readonly onEvent?: (event: ClientEvent) => unknown;
}

/** What a task is told of the attempt that it makes. */
export interface Attempt {
  /** Aborts when nobody waits for this attempt any more; its `reason` says why. */
  readonly signal: AbortSignal;
  /** Counted from 1. */
  readonly number: number;
  /** Milliseconds until the signal will abort, to be sent along to the dependency. */
  readonly remainingMs: number;
}

export interface CallOptions<T> {
  /** The caller's own signal: aborted when the caller hangs up. */
  readonly signal?: AbortSignal;
  /** Whether doing the work twice is as good as doing it once; @default false: a task that has begun is not repeated */
  readonly idempotent?: boolean;
  /** Second best. Is told the error that the caller would get without it. */
  readonly fallback?: (error: unknown, signal: AbortSignal) => T | PromiseLike<T>;
}

export interface Client<Name extends string> {
  /**
   * Asks a dependency for something, with all its policies around it. Settles within `deadlineMs`.
   *
   * @throws what the task has failed with, the very object, {@link TimeoutError}, {@link DeadlineExceededError},
   * {@link CircuitOpenError}, {@link BulkheadFullError}, or the reason of the caller's signal (all as a rejection)
   */
  call<T>(
    dependency: Name,
    task: (attempt: Attempt) => T | PromiseLike<T>,
    options?: CallOptions<T>,
  ): Promise<T>;
}

/** An attempt has taken longer than `timeoutMs`. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
  readonly limitMs: number;

  constructor(limitMs: number) {
    super(`The attempt took longer than ${limitMs} ms.`);
    this.limitMs = limitMs;
  }
}

/** The time for all attempts is used up. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError';
  /** All that the attempts had together, in milliseconds: `deadlineMs`, less what is kept for the fallback. */
  readonly budgetMs: number;

  constructor(budgetMs: number) {
    super(`The deadline is exceeded: ${budgetMs} ms are used up.`);
    this.budgetMs = budgetMs;
  }
}

/** The circuit refused the attempt; the task has not run. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError';
  /** Milliseconds until attempts are let through again; undefined while a probe is out. */
  readonly retryAfterMs: number | undefined;

  constructor(retryAfterMs: number | undefined) {
    super('The circuit is open: the attempt was refused.');
    this.retryAfterMs = retryAfterMs;
  }
}

/** There was neither a permit nor a place in line; the task has not run. */
export class BulkheadFullError extends Error {
  override readonly name = 'BulkheadFullError';

  constructor() {
    super('The bulkhead is full: the attempt was refused.');
  }
}

/**
 * One client for all dependencies of a process. Each dependency has a circuit and a compartment of its own, shared by
 * all calls to it. Make the client once: one for each request would know nothing of the others.
 */
export function createClient<Name extends string>(options: ClientOptions<Name>): Client<Name> {
  const tell: Tell = async (event) => {
    try {
      await options.onEvent?.(event);
    } catch {
      // An observer that fails is nobody's problem but its own.
    }
  };
  const stacks = new Map<string, Next>();
  for (const [name, own] of Object.entries<DependencyOptions>(options.dependencies)) {
    stacks.set(name, stackFor(name, own, tell));
  }
  return {
    async call(dependency, task, callOptions = {}) {
      const run = stacks.get(dependency);
      if (!run) throw new TypeError(`There is no dependency "${dependency}".`);
      const { signal } = callOptions;
      const calledAtMs = nowMs();
      const ending = await run({
        task,
        callOptions,
        calledAtMs,
        endsAtMs: Infinity,
        signal: signal ?? new AbortController().signal,
        progress: { attempts: 0 },
        startClock() {},
      });
      if (ending.outcome === 'ok') return ending.value;
      throw ending.error;
    },
  };
}

type Tell = (event: ClientEvent) => Promise<void>;

/** Endings are values here: nothing below rejects, so no layer can mistake one thing for another. */
type Ending<T> =
  | { readonly outcome: 'ok'; readonly value: T; readonly isSecondBest?: boolean }
  | { readonly outcome: Exclude<AttemptOutcome, 'ok'>; readonly error: unknown };

/** What the layers hand inward: each passes on what it was given, or something narrower. */
interface Context<T> {
  readonly task: (attempt: Attempt) => T | PromiseLike<T>;
  readonly callOptions: CallOptions<T>;
  readonly calledAtMs: number;
  /** When time is up for all that is inside. */
  readonly endsAtMs: number;
  /** Aborts when nobody outside waits any more. */
  readonly signal: AbortSignal;
  readonly progress: { attempts: number };
  /** To be called by whoever has the permit: starts the clock of a layer further out. */
  readonly startClock: () => void;
}

type Next = <T>(context: Context<T>) => Promise<Ending<T>>;
type Layer = (next: Next) => Next;

/**
 * The other usual shape: a stack of functions around functions, made once for each dependency. The order can be read
 * off this list, and changed in it.
 */
function stackFor(name: string, options: DependencyOptions, tell: Tell): Next {
  const layers: Layer[] = [
    tellOfCalls(name, tell),
    fallBack(options),
    endAtDeadline(options),
    retry(options),
    tellOfAttempts(name, tell),
    breakCircuit(name, options, tell),
    limit(options),
    queueUp(options),
  ];
  return layers.reduceRight((next, layer) => layer(next), runTask(options));
}

const tellOfCalls =
  (dependency: string, tell: Tell): Layer =>
  (next) =>
  async (context) => {
    const ending = await next(context);
    const { attempts } = context.progress;
    const ms = nowMs() - context.calledAtMs;
    const outcome = callOutcome(ending, context.signal.aborted);
    void tell({ kind: 'call', dependency, outcome, attempts, ms });
    return ending;
  };

function callOutcome(ending: Ending<unknown>, hasHungUp: boolean): CallOutcome {
  if (ending.outcome === 'ok') return ending.isSecondBest ? 'fallback' : 'ok';
  if (hasHungUp) return 'aborted';
  return ending.outcome === 'answer' ? 'answer' : 'failed';
}

const fallBack =
  ({ deadlineMs }: DependencyOptions): Layer =>
  (next) =>
  async (context) => {
    const ending = await next(context);
    const { callOptions, signal: caller } = context;
    const { fallback } = callOptions;
    const isCovered = ending.outcome !== 'ok' && ending.outcome !== 'answer' && !caller.aborted;
    if (!fallback || !isCovered) return ending;
    const scope = new Scope(caller);
    scope.abortIn(context.calledAtMs + deadlineMs - nowMs(), ending.error);
    try {
      const value = await scope.untilAborted(() => fallback(ending.error, scope.signal));
      return { outcome: 'ok', value, isSecondBest: true };
    } catch {
      return caller.aborted ? { outcome: 'cut off', error: caller.reason } : ending;
    } finally {
      scope.close();
    }
  };

const endAtDeadline =
  ({ deadlineMs, fallbackMs }: DependencyOptions): Layer =>
  (next) =>
  async (context) => {
    const budgetMs = context.callOptions.fallback ? deadlineMs - fallbackMs : deadlineMs;
    const scope = new Scope(context.signal);
    scope.abortIn(budgetMs, new DeadlineExceededError(budgetMs));
    const endsAtMs = context.calledAtMs + budgetMs;
    try {
      return await next({ ...context, signal: scope.signal, endsAtMs });
    } finally {
      scope.close();
    }
  };

const retry =
  ({ retry: { attempts, baseMs, capMs } }: DependencyOptions): Layer =>
  (next) =>
  async (context) => {
    const { signal, progress, callOptions, endsAtMs } = context;
    let ceilingMs = Math.min(baseMs, capMs);
    while (!signal.aborted) {
      progress.attempts += 1;
      const ending = await next(context);
      const isWorthIt = isFailure(ending) && callOptions.idempotent === true;
      if (!isWorthIt || progress.attempts === attempts) return ending;
      const waitMs = Math.floor(Math.random() * ceilingMs);
      if (nowMs() + waitMs >= endsAtMs) return ending;
      ceilingMs = Math.min(ceilingMs * 2, capMs);
      await wait(waitMs, signal);
    }
    return { outcome: 'cut off', error: signal.reason };
  };

const tellOfAttempts =
  (dependency: string, tell: Tell): Layer =>
  (next) =>
  async (context) => {
    const number = context.progress.attempts;
    const beganAtMs = nowMs();
    const ending = await next(context);
    const ms = nowMs() - beganAtMs;
    void tell({ kind: 'attempt', dependency, number, outcome: ending.outcome, ms });
    return ending;
  };

function breakCircuit(dependency: string, { breaker }: DependencyOptions, tell: Tell): Layer {
  const { consecutiveFailures, cooldownMs } = breaker;
  let state: CircuitState = 'closed';
  /** Raised with each change: what began before it counts no more. */
  let generation = 0;
  let run = 0;
  let probesOut = 0;
  let openUntilMs = 0;

  const become = (to: CircuitState) => {
    void tell({ kind: 'circuit', dependency, from: state, to });
    state = to;
    generation += 1;
    run = 0;
    probesOut = 0;
    openUntilMs = nowMs() + cooldownMs;
  };

  return (next) => async (context) => {
    const leftMs = openUntilMs - nowMs();
    if (state === 'open' && leftMs > 0) {
      return { outcome: 'circuit open', error: new CircuitOpenError(leftMs) };
    }
    if (state === 'open') become('half-open');
    if (probesOut > 0) return { outcome: 'circuit open', error: new CircuitOpenError(undefined) };
    if (state === 'half-open') probesOut += 1;

    const admittedIn = generation;
    const ending = await next(context);
    if (admittedIn !== generation) return ending;
    probesOut = 0;
    if (isFailure(ending)) run += 1;
    if (ending.outcome === 'ok') run = 0;
    if (run === consecutiveFailures || (run > 0 && state === 'half-open')) become('open');
    if (ending.outcome === 'ok' && state === 'half-open') become('closed');
    return ending;
  };
}

/** Ends the attempt when time is up, wherever it is; the time starts further in. */
const limit =
  ({ timeoutMs }: DependencyOptions): Layer =>
  (next) =>
  async (context) => {
    const { signal: parent } = context;
    const scope = new Scope(parent);
    let isTimeUp = false;
    const startClock = () => {
      scope.abortIn(timeoutMs, new TimeoutError(timeoutMs), () => {
        isTimeUp = true;
      });
    };
    try {
      const { signal } = scope;
      return await scope.untilAborted(() => next({ ...context, signal, startClock }));
    } catch (error) {
      return { outcome: isTimeUp && !parent.aborted ? 'timeout' : 'cut off', error };
    } finally {
      scope.close();
    }
  };

/** A permit for whatever is inside, until that has ended: it does not look at whether anybody waits for it. */
function queueUp({ bulkhead: { permits, queue } }: DependencyOptions): Layer {
  let free = permits;
  const line = new Set<() => void>();

  const start = () => {
    for (const go of line) {
      if (free === 0) return;
      line.delete(go);
      free -= 1;
      go();
    }
  };

  return (next) => async (context) => {
    const { signal } = context;
    if (free === 0 && line.size === queue) {
      return { outcome: 'bulkhead full', error: new BulkheadFullError() };
    }
    const hasPermit = await new Promise<boolean>((resolve) => {
      const leave = () => resolve(!line.delete(go));
      const go = () => {
        signal.removeEventListener('abort', leave);
        resolve(true);
      };
      signal.addEventListener('abort', leave);
      line.add(go);
      start();
    });
    if (!hasPermit) return { outcome: 'cut off', error: signal.reason };
    try {
      if (signal.aborted) return { outcome: 'cut off', error: signal.reason };
      return await next(context);
    } finally {
      free += 1;
      start();
    }
  };
}

const runTask =
  ({ timeoutMs, isFault }: DependencyOptions): Next =>
  async ({ task, signal, progress, endsAtMs, startClock }) => {
    startClock();
    const remainingMs = Math.min(timeoutMs, endsAtMs - nowMs());
    try {
      return {
        outcome: 'ok',
        value: await task({ signal, number: progress.attempts, remainingMs }),
      };
    } catch (error) {
      return { outcome: isFault(error) ? 'fault' : 'answer', error };
    }
  };

/** Speaks against the dependency. */
function isFailure({ outcome }: Ending<unknown>): boolean {
  return outcome === 'fault' || outcome === 'timeout';
}

/** A signal that aborts with its parent, or when its own time is up. */
class Scope {
  readonly signal: AbortSignal;
  readonly #own = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(parent: AbortSignal) {
    this.signal = AbortSignal.any([parent, this.#own.signal]);
  }

  abortIn(ms: number, why: unknown, before = () => {}): void {
    this.#timer = setTimeout(() => {
      before();
      this.#own.abort(why);
    }, ms);
  }

  /** Settles as the work does, or with the reason of the signal as soon as that aborts. */
  untilAborted<T>(work: () => T | PromiseLike<T>): Promise<T> {
    const { signal } = this;
    return new Promise<T>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason));
      new Promise<T>((settle) => settle(work())).then(resolve, reject);
    });
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

/** Over after `ms` milliseconds, or as soon as the signal aborts. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal.addEventListener('abort', over);
    if (signal.aborted) over();
  });
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export type CircuitState = 'closed' | 'open' | 'half-open';
