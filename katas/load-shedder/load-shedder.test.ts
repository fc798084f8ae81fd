import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createLoadShedder,
  OverloadedError,
  type LoadShedder,
  type LoadShedderOptions,
  type Priority,
  type RunOptions,
} from './load-shedder.ts';

// ── The results service and those who ask it, played by the spec ────────────────────────────────────────

class ResultsError extends Error {
  override readonly name = 'ResultsError';
}
const outage = () => new ResultsError('503 from the results service');
const hungUp = () => new DOMException('This operation was aborted', 'AbortError');
const GRADE = 'grade 2';

const PRIORITIES: readonly Priority[] = ['critical', 'normal', 'sheddable'];

/** What has become of a call. `waiting`: it was neither answered nor refused, and its task has not begun. */
type Fate = 'waiting' | 'running' | 'served' | 'failed' | `refused: ${OverloadedError['reason']}`;

/** One call: how often its task has begun, and what its caller was told. */
class Call {
  begun = 0;
  /** What settles its task: with a grade, or with the error given. */
  end: (error?: Error) => void = () => {};
  /** How its task ended, once it has. */
  outcome: { readonly error?: unknown } | undefined;
  answer: { readonly value: unknown } | { readonly error: unknown } | undefined;

  /** Ends its task, and lets everything happen that follows from it. */
  async ends(error?: Error): Promise<void> {
    this.end(error);
    await settle();
  }

  /** A fate, or in a few words what is wrong. */
  get fate(): Fate | (string & {}) {
    if (this.begun > 1) return `its task has run ${this.begun} times`;
    if (!this.answer) {
      if (this.outcome) return 'its task has ended, and nobody told the caller';
      return this.begun ? 'running' : 'waiting';
    }
    const fate = this.#fateOf(this.answer);
    return fate.startsWith('refused') && this.begun ? `${fate}, though its task has begun` : fate;
  }

  #fateOf(answer: NonNullable<Call['answer']>): string {
    if ('value' in answer) {
      if (!this.outcome) return `answered with ${String(answer.value)} before its task has ended`;
      return answer.value === GRADE ? 'served' : `answered with ${String(answer.value)}`;
    }
    const { error } = answer;
    if (this.outcome && 'error' in this.outcome && this.outcome.error === error) return 'failed';
    if (error instanceof OverloadedError) return `refused: ${error.reason}`;
    return `told ${String(error)}`;
  }
}

/** A results service behind a load shedder, and what it sees of those who ask. */
class Results {
  readonly shedder: LoadShedder;
  readonly calls: Call[] = [];
  /** Calls in the order in which their tasks began. */
  readonly begun: Call[] = [];
  atWork = 0;
  /** The most calls that the service was working on at once. */
  most = 0;

  constructor(shedder: LoadShedder) {
    if (typeof shedder?.run !== 'function') expect.fail(`no load shedder, but a ${typeof shedder}`);
    this.shedder = shedder;
    allResults.push(this);
  }

  /** A call whose task ends when the spec says so. Nothing has settled yet when this returns. */
  callNow(options?: RunOptions): Call {
    return this.#run((call) => this.#serve(call), options);
  }

  async call(options?: RunOptions): Promise<Call> {
    const call = this.callNow(options);
    await settle();
    return call;
  }

  /** So many calls, one after another. */
  async queueUp(count: number, options?: RunOptions): Promise<Call[]> {
    const calls = Array.from({ length: count }, () => this.callNow(options));
    await settle();
    return calls;
  }

  /** A call for each of these, one after another. */
  async queueUpAs(...priorities: readonly Priority[]): Promise<Call[]> {
    const calls = priorities.map((priority) => this.callNow({ priority }));
    await settle();
    return calls;
  }

  /** A call whose task throws before there is a promise, as soon as it begins. */
  callThatThrows(error: Error, options?: RunOptions): Call {
    return this.#run((call) => {
      this.#over(call, { error });
      throw error;
    }, options);
  }

  /** A call whose task returns what `work` returns, or throws what it throws. */
  callFor(work: () => unknown): Call {
    return this.#run((call) => {
      this.#over(call, {});
      return work();
    });
  }

  /** A call whose task makes another call as it begins, and then works until it is told to end. */
  callWithin() {
    const inner: Call[] = [];
    let end = () => {};
    const outer = this.callFor(() => {
      inner.push(this.callNow());
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    });
    const ends = (): Promise<void> => {
      end();
      return settle();
    };
    return { outer, inner, ends };
  }

  /** So many calls that take permits, and keep them for the rest of the test. */
  async occupy(permits: number): Promise<void> {
    for (const call of await this.queueUp(permits)) {
      if (call.fate !== 'running') expect.fail(`${this.#state}; one more call is "${call.fate}"`);
    }
  }

  /**
   * Calls that are served, and take as many milliseconds each. With `full`, all permits are taken meanwhile: by
   * these calls, and by others that stay.
   */
  async samples(latencies: readonly number[], { full = false } = {}): Promise<void> {
    await this.#atOnce(latencies, full);
  }

  /** The same, one after another: of the permits only one is used. */
  async samplesOneByOne(latencies: readonly number[]): Promise<void> {
    for (const latencyMs of latencies) await this.#atOnce([latencyMs], false);
  }

  /** Calls that fail, after as many milliseconds each. */
  async failures(latencies: readonly number[], error: Error = outage()): Promise<void> {
    await this.#atOnce(latencies, false, error);
  }

  /** Ends every task that runs, and those that come up next, until none does. */
  async closeUp(): Promise<void> {
    for (let running = this.#running(); running.length > 0; running = this.#running()) {
      for (const call of running) call.end();
      await settle();
    }
  }

  get fates(): string[] {
    return fatesOf(this.calls);
  }

  /** The first call is number 1. */
  numbersOf(calls: readonly Call[]): number[] {
    return calls.map((call) => this.calls.indexOf(call) + 1);
  }

  get #state(): string {
    return `the limit is ${this.shedder.limit}, and ${this.atWork} tasks run`;
  }

  async #atOnce(latencies: readonly number[], full: boolean, error?: Error): Promise<void> {
    const inOrder = latencies.toSorted((a, b) => a - b);
    while (inOrder.length > 0) {
      const free = this.shedder.limit - this.atWork;
      if (!(free > 0)) expect.fail(`${this.#state}: there should be a permit for the next call`);
      const batch = inOrder.splice(0, free);
      if (full) await this.occupy(free - batch.length);
      const calls = await this.queueUp(batch.length);
      let passedMs = 0;
      for (const [index, call] of calls.entries()) {
        if (call.fate !== 'running') expect.fail(`${this.#state}; one more call is "${call.fate}"`);
        const latencyMs = batch[index] ?? 0;
        if (latencyMs > passedMs) {
          await advance(latencyMs - passedMs);
          passedMs = latencyMs;
        }
        call.end(error);
      }
      await settle();
    }
  }

  #running(): Call[] {
    return this.calls.filter(({ begun, outcome }) => begun && !outcome);
  }

  #serve(call: Call): Promise<string> {
    return new Promise((resolve, reject) => {
      call.end = (error) => {
        if (call.outcome) return;
        this.#over(call, error ? { error } : {});
        if (error) reject(error);
        else resolve(GRADE);
      };
    });
  }

  #run(task: (call: Call) => unknown, options?: RunOptions): Call {
    const call = new Call();
    this.calls.push(call);
    const work = () => {
      call.begun += 1;
      this.begun.push(call);
      this.atWork += 1;
      this.most = Math.max(this.most, this.atWork);
      return task(call);
    };
    runNeverThrows(() => (options ? this.shedder.run(work, options) : this.shedder.run(work))).then(
      (value) => {
        call.answer = { value };
      },
      (error: unknown) => {
        call.answer = { error };
      },
    );
    return call;
  }

  #over(call: Call, outcome: { readonly error?: unknown }): void {
    call.outcome = outcome;
    this.atWork -= 1;
  }
}

function runNeverThrows(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return run();
  } catch (error) {
    return expect.fail(`run() threw ${String(error)}: it must return a promise that rejects`);
  }
}

const allResults: Results[] = [];
const mornings: Morning[] = [];

/** A service with ten permits at first, whose windows have five samples. Nobody may wait. */
function resultsWith(options: Partial<LoadShedderOptions> = {}): Results {
  return new Results(
    createLoadShedder({
      initialLimit: 10,
      minLimit: 1,
      maxLimit: 100,
      queue: 0,
      windowSize: 5,
      baselineWindows: 10,
      tolerance: 1.5,
      backoff: 0.5,
      ...options,
    }),
  );
}

/** The same, with a limit that stays as it is: no window is ever full. */
function steadyWith(options: Partial<LoadShedderOptions> = {}): Results {
  return resultsWith({ windowSize: 1_000, ...options });
}

function times(count: number, latencyMs: number): number[] {
  return Array.from({ length: count }, () => latencyMs);
}

function fatesOf(calls: readonly Call[]): string[] {
  return calls.map(({ fate }) => fate);
}

function expectFates(calls: readonly Call[], fates: readonly Fate[], because: string): void {
  expect(fatesOf(calls), because).toEqual(fates);
}

function expectCounters(
  { shedder: { running, queued } }: Results,
  expected: { readonly running: number; readonly queued: number },
  because: string,
): void {
  expect({ running, queued }, because).toEqual(expected);
}

function expectLimit({ shedder }: Results, limit: number, because: string): void {
  expect(shedder.limit, `${because}: the limit`).toBe(limit);
}

/** Nothing runs or waits: so many calls can run at once, and not one more. */
async function expectAllPermitsFree(results: Results, permits: number, because: string) {
  expectCounters(results, { running: 0, queued: 0 }, because);
  const already = results.calls.length;
  await results.queueUp(permits + 1);
  const running = results.calls.slice(already).filter(({ fate }) => fate === 'running');
  expect(running.length, `${because}: how many of ${permits + 1} new calls run at once`).toBe(
    permits,
  );
}

/** A few turns of the promise queue: no time, and fewer than it takes for all to settle. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
}
/** Enough for whatever an answer does between the end of one task and the start of the next. */
const MOST_TURNS = 16;

/** As query builders make them: no promise, but awaited like one. The query is sent when `then` is called. */
class Query implements PromiseLike<unknown> {
  sent = 0;
  readonly #answer: () => Promise<unknown>;
  constructor(answer: () => Promise<unknown>) {
    this.#answer = answer;
  }
  // oxlint-disable-next-line unicorn/no-thenable
  readonly then: PromiseLike<unknown>['then'] = (onValue, onError) => {
    this.sent += 1;
    return this.#answer().then(onValue, onError);
  };
}

afterEach(async () => {
  for (const morning of mornings.splice(0)) await morning.isOver();
  for (const results of allResults.splice(0)) {
    await results.closeUp();
    // An answer that looks for a permit now and then would go on looking during the tests to come.
    for (let round = 0; round < 20 && results.fates.includes('waiting'); round += 1) {
      await advance(100);
      await results.closeUp();
    }
  }
  if (pendingTimers() > 0) expect.fail('every task has ended, nobody waits, and a timer is set');
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · the limit: so many at once, no more', () => {
  it('hands over what the task resolves with', async () => {
    const call = await steadyWith({ initialLimit: 1 }).call();
    expectFates([call], ['running'], 'a permit is free');
    await call.ends();
    expectFates([call], ['served'], 'the results service has answered');
  });

  it('hands over the very error the task rejects with', async () => {
    const call = await steadyWith().call();
    const error = outage();
    await call.ends(error);
    expect(call.answer, 'the caller needs the original error, not a copy').toEqual({ error });
    expectFates([call], ['failed'], 'the results service has failed');
  });

  it('turns a throw into a rejection', async () => {
    const call = steadyWith().callThatThrows(outage());
    await settle();
    expectFates([call], ['failed'], 'the task threw; its caller must get that very error');
  });

  it('takes a task that returns a plain value, even undefined', async () => {
    const results = steadyWith();
    const values = [42, undefined, null, '', results];
    const calls = values.map((value) => results.callFor(() => value));
    await settle();
    expect(
      calls.map(({ answer }) => answer),
      'tasks that return no promise',
    ).toEqual(values.map((value) => ({ value })));
  });

  it('takes a task that returns anything with a then', async () => {
    const results = steadyWith();
    const answered = new Query(() => Promise.resolve(GRADE));
    const error = outage();
    const failed = new Query(() => Promise.reject(error));
    const calls = [results.callFor(() => answered), results.callFor(() => failed)];
    await settle();
    expect(calls[0]?.answer, 'the query answered').toEqual({ value: GRADE });
    expect(calls[1]?.answer, 'the query failed').toEqual({ error });
    expect([answered.sent, failed.sent], 'how often each query was sent').toEqual([1, 1]);
  });

  it('hands over whatever was thrown, even nothing at all', async () => {
    const results = steadyWith();
    for (const error of [undefined, null, 'no route to host']) {
      const rejects = results.callFor(() => Promise.reject(error));
      const throws = results.callFor(() => {
        // oxlint-disable-next-line typescript/only-throw-error
        throw error;
      });
      await settle();
      expect(rejects.answer, `the task rejects with ${String(error)}`).toEqual({ error });
      expect(throws.answer, `the task throws ${String(error)}`).toEqual({ error });
    }
  });

  it.each([1, 2, 5, 20])('runs so many side by side, and refuses the next: %i', async (limit) => {
    const results = steadyWith({ initialLimit: limit });
    const calls: Call[] = [];
    for (let i = 0; i < limit; i += 1) calls.push(await results.call());
    expect(fatesOf(calls), `a limit of ${limit}, and so many calls`).toEqual(
      calls.map(() => 'running'),
    );
    const next = await results.call();
    expectFates([next], ['refused: full'], 'all permits are taken, and nobody may wait');
    await advance(3_600_000);
    expectFates([next], ['refused: full'], 'an hour later');
  });

  it('says by the error that nothing has run', async () => {
    const results = steadyWith({ initialLimit: 1 });
    await results.call();
    const refused = await results.call();
    const error = refused.answer && 'error' in refused.answer ? refused.answer.error : undefined;
    expect(error, 'a refused call must be told by an OverloadedError').toBeInstanceOf(
      OverloadedError,
    );
    expect(error).toMatchObject({ name: 'OverloadedError', reason: 'full' });
    expect(refused.begun, 'how often the task of a refused call has run').toBe(0);
  });

  it('refuses all alike when nobody may wait', async () => {
    const results = steadyWith({ initialLimit: 1 });
    const running = await results.call({ priority: 'sheddable' });
    const refused = await results.queueUpAs('critical', 'normal', 'sheddable');
    expectFates([running], ['running'], 'it came first; what runs is never displaced');
    expectFates(
      refused,
      ['refused: full', 'refused: full', 'refused: full'],
      'the permit is taken, and there is no line',
    );
  });

  it('takes calls that arrive in the same instant one by one', async () => {
    const results = steadyWith({ initialLimit: 3 });
    await results.queueUp(50);
    expect(results.most, 'fifty calls in one instant, a limit of three: how many ran at once').toBe(
      3,
    );
    expect(results.fates.filter((fate) => fate === 'refused: full').length, 'the rest').toBe(47);
  });

  it('has taken the permit before the task begins', async () => {
    const results = steadyWith({ initialLimit: 1 });
    const { outer, inner, ends } = results.callWithin();
    await settle();
    expectFates(inner, ['refused: full'], 'a call from within the task that has the only permit');
    await ends();
    expect(outer.answer, 'the call that came first').toEqual({ value: undefined });
  });

  it('says what the limit is, and how many tasks run', async () => {
    const results = steadyWith({ initialLimit: 2 });
    expectLimit(results, 2, 'nobody has called yet');
    expectCounters(results, { running: 0, queued: 0 }, 'nobody has called yet');
    await results.call();
    expectCounters(results, { running: 1, queued: 0 }, 'one call of two');
    await results.call();
    expectCounters(results, { running: 2, queued: 0 }, 'two calls of two');
    await results.queueUp(3);
    expectCounters(results, { running: 2, queued: 0 }, 'three more calls were refused');
    expectLimit(results, 2, 'two tasks run, none has ended');
  });

  it.each<[what: string, task: () => unknown]>([
    ['succeeds', () => Promise.resolve(GRADE)],
    ['fails', () => Promise.reject(outage())],
    ['was given up by its caller', () => Promise.reject(hungUp())],
    ['was refused by another shedder', () => Promise.reject(new OverloadedError('full'))],
    [
      'throws at once',
      () => {
        throw outage();
      },
    ],
    ['rejects with nothing', () => Promise.reject(undefined)],
    [
      'throws nothing',
      () => {
        // oxlint-disable-next-line typescript/only-throw-error
        throw undefined;
      },
    ],
    ['returns a plain value', () => 42],
    ['returns nothing', () => undefined],
    ['returns a query that fails', () => new Query(() => Promise.reject(outage()))],
    ['returns a query that answers', () => new Query(() => Promise.resolve(GRADE))],
  ])('gives the permit back when the task %s', async (what, task) => {
    const results = steadyWith({ initialLimit: 2 });
    for (let round = 1; round <= 5; round += 1) {
      const call = results.callFor(task);
      await settle();
      if (call.begun === 0)
        expect.fail(`call ${round} was "${call.fate}"; each task before it ${what}`);
    }
    await expectAllPermitsFree(results, 2, `five tasks, each of which ${what}`);
  });

  it('keeps the permit until a query has answered', async () => {
    const results = steadyWith({ initialLimit: 1 });
    let answers: (value: unknown) => void = () => {};
    const answer = new Promise((resolve) => {
      answers = resolve;
    });
    results.callFor(() => new Query(() => answer));
    await advance(5_000);
    expectFates(
      [await results.call()],
      ['refused: full'],
      'the task returned something with a `then`, which has not answered yet',
    );
    answers(GRADE);
    await settle();
    await expectAllPermitsFree(results, 1, 'it has answered');
  });

  it.each<[string, (answers: () => void, fails: () => void) => void]>([
    ['answers twice', (answers) => [answers(), answers()]],
    ['answers, then fails', (answers, fails) => [answers(), fails()]],
    [
      'answers, then throws',
      (answers) => {
        answers();
        throw outage();
      },
    ],
  ])('gives back one permit for a query that %s', async (what, misbehave) => {
    const results = steadyWith({ initialLimit: 2 });
    await results.call();
    results.callFor(() => ({
      // oxlint-disable-next-line unicorn/no-thenable
      then: (onValue: (value: unknown) => void, onError: (error: unknown) => void) =>
        misbehave(
          () => onValue(GRADE),
          () => onError(outage()),
        ),
    }));
    await settle();
    const because = `of two permits a task holds one; the other was held by a query that ${what}`;
    expectCounters(results, { running: 1, queued: 0 }, because);
    expectFates(await results.queueUp(2), ['running', 'refused: full'], because);
  });

  it('gives back one permit for one task, no more', async () => {
    const results = steadyWith({ initialLimit: 3 });
    for (let round = 0; round < 4; round += 1) {
      const [first, second] = await results.queueUp(3);
      await first?.ends(outage());
      await second?.ends();
      results.callThatThrows(outage());
      results.callFor(() => 42);
      await settle();
      await results.closeUp();
    }
    expect(results.most, 'a limit of three: the most tasks that ran at once').toBe(3);
    await expectAllPermitsFree(results, 3, 'twenty tasks have ended in every way');
  });

  it('has nothing to give back for a refused call', async () => {
    const results = steadyWith({ initialLimit: 2 });
    await results.queueUp(2);
    for (let i = 1; i <= 5; i += 1) {
      expectFates([await results.call()], ['refused: full'], `refused call ${i}: two tasks run`);
    }
    expectCounters(results, { running: 2, queued: 0 }, 'two tasks run, five calls were refused');
    await results.closeUp();
    await expectAllPermitsFree(results, 2, 'both have ended');
  });

  it.each<[what: string, task: () => unknown]>([
    ['value', () => Promise.resolve(GRADE)],
    ['error', () => Promise.reject(outage())],
    [
      'throw',
      () => {
        throw outage();
      },
    ],
    ['plain value', () => GRADE],
  ])('has the permit back before its caller has the answer: %s', async (_, task) => {
    const results = steadyWith({ initialLimit: 1 });
    const refused: number[] = [];
    const callAgainAndAgain = async () => {
      for (let round = 1; round <= 4; round += 1) {
        try {
          await results.shedder.run(task);
        } catch (error) {
          if (error instanceof OverloadedError) refused.push(round);
        }
      }
    };
    void callAgainAndAgain();
    await settle();
    expect(
      refused,
      'a limit of 1, no line: `await run(task)` four times in a row; which of them were refused',
    ).toEqual([]);
  });

  it('keeps the permit while the work runs, though its caller has stopped waiting', async () => {
    const results = steadyWith({ initialLimit: 1 });
    const call = results.callNow({ remainingMs: 2_000 });
    await advance(2_000);
    for (const ms of [0, 8_000, 3_600_000]) {
      await advance(ms);
      expectFates(
        [call, await results.call()],
        ['running', 'refused: full'],
        'nobody waits for it any more, but the work still runs: its permit is taken',
      );
    }
    await call.ends();
    expectFates([call], ['served'], 'it was late, and its caller gets what there is');
    await expectAllPermitsFree(results, 1, 'the work has ended');
  });

  it('counts for each shedder by itself', async () => {
    const results = steadyWith({ initialLimit: 1 });
    const rankings = steadyWith({ initialLimit: 1 });
    await results.call();
    expectFates([await rankings.call()], ['running'], 'only the other shedder is full');
    expectCounters(rankings, { running: 1, queued: 0 }, 'one call');
  });
});

describe('2 · the line: those who matter first', () => {
  it.each([
    { initialLimit: 1, queue: 1 },
    { initialLimit: 2, queue: 3 },
    { initialLimit: 5, queue: 12 },
  ])('lets so many wait, and refuses the next: queue $queue', async ({ initialLimit, queue }) => {
    const results = steadyWith({ initialLimit, queue });
    const running = await results.queueUp(initialLimit);
    const waiting = await results.queueUp(queue);
    const [refused] = await results.queueUp(1);
    expect(fatesOf(running), 'they got the permits').toEqual(running.map(() => 'running'));
    expect(fatesOf(waiting), 'all permits are taken, and there is room in the line').toEqual(
      waiting.map(() => 'waiting'),
    );
    expect(refused?.fate, 'the line is full').toBe('refused: full');
    expectCounters(results, { running: initialLimit, queued: queue }, 'no room is left');
    await results.closeUp();
    expect(fatesOf([...running, ...waiting]), 'whoever was let in was served').toEqual(
      [...running, ...waiting].map(() => 'served'),
    );
    expectCounters(results, { running: 0, queued: 0 }, 'everybody was served');
  });

  it('lets the longest waiting go first among equals', async () => {
    for (const priority of PRIORITIES) {
      const results = steadyWith({ initialLimit: 1, queue: 5 });
      for (let i = 0; i < 6; i += 1) await results.call({ priority });
      await results.closeUp();
      expect(
        results.numbersOf(results.begun),
        `six ${priority} calls, in the order in which they began`,
      ).toEqual([1, 2, 3, 4, 5, 6]);
    }
  });

  it('lets the highest priority go first', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 9 });
    await results.queueUpAs(
      'sheddable',
      ...(['sheddable', 'normal', 'critical'] as const),
      ...(['normal', 'critical', 'sheddable'] as const),
      ...(['critical', 'sheddable', 'normal'] as const),
    );
    await results.closeUp();
    expect(
      results.numbersOf(results.begun),
      'call 1 ran, 4, 6 and 8 are critical, 3, 5 and 10 normal, 2, 7 and 9 sheddable: who began when',
    ).toEqual([1, 4, 6, 8, 3, 5, 10, 2, 7, 9]);
  });

  it('takes a call without a priority for a normal one', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 4 });
    await results.call();
    await results.queueUpAs('sheddable', 'normal');
    await results.call({});
    await results.queueUpAs('critical');
    await results.closeUp();
    expect(
      results.numbersOf(results.begun),
      'call 4 has no priority, 2 is sheddable, 3 normal, 5 critical: who began when',
    ).toEqual([1, 5, 3, 4, 2]);
  });

  it('counts calls, though they share one task', async () => {
    const results = steadyWith({ initialLimit: 2, queue: 1 });
    let answers: (value: unknown) => void = () => {};
    const answer = new Promise((resolve) => {
      answers = resolve;
    });
    const task = () => answer;
    const told: unknown[] = [];
    for (let i = 0; i < 4; i += 1) {
      results.shedder.run(task).then(
        (value) => told.push(value),
        (error: unknown) => told.push(error instanceof OverloadedError ? error.reason : error),
      );
    }
    await settle();
    const because = 'the same task four times, a limit of two, one place in the line';
    expectCounters(results, { running: 2, queued: 1 }, because);
    expect(told, because).toEqual(['full']);
    answers(GRADE);
    await settle();
    expect(told, `${because}; it has ended`).toEqual(['full', GRADE, GRADE, GRADE]);
    await expectAllPermitsFree(results, 2, `${because}; it has ended`);
  });

  it('lets one go for each permit that comes back, however its task ended', async () => {
    const results = steadyWith({ initialLimit: 3, queue: 3 });
    const [first, second] = await results.queueUp(3);
    const waiting = await results.queueUp(3);
    await first?.ends();
    expectFates(waiting, ['running', 'waiting', 'waiting'], 'one task was served');
    await second?.ends(outage());
    expectFates(waiting, ['running', 'running', 'waiting'], 'another has failed');
    expectCounters(results, { running: 3, queued: 1 }, 'two have moved up');
    await waiting[0]?.ends(hungUp());
    expectFates(waiting, ['failed', 'running', 'running'], 'a third was given up by its caller');
  });

  it('goes on after tasks that throw at once', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 4 });
    const running = await results.call();
    const throwing = [1, 2, 3].map(() => results.callThatThrows(outage()));
    const last = await results.call();
    await running.ends();
    expect(fatesOf(throwing), 'each of them had its turn').toEqual(throwing.map(() => 'failed'));
    expectFates([last], ['running'], 'those before it threw at once');
    expectCounters(results, { running: 1, queued: 0 }, 'only the last runs');
  });

  it('has taken the permit before the task of a call that waited begins', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 2 });
    const running = await results.call();
    const { outer, inner, ends } = results.callWithin();
    await running.ends();
    expectFates(
      inner,
      ['waiting'],
      'a call waited, and has got the only permit; its task makes another call as it begins',
    );
    await ends();
    expect(outer.answer, 'the call that made another').toEqual({ value: undefined });
    expectFates(inner, ['running'], 'the permit has come back');
  });

  it('displaces a call of lower priority when the line is full', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 2 });
    const running = await results.call({ priority: 'sheddable' });
    const [prefetch, pupil] = await results.queueUpAs('sheddable', 'normal');
    const critical = await results.call({ priority: 'critical' });
    expect(prefetch?.fate, 'the line was full, and a critical call came').toBe(
      'refused: displaced',
    );
    expectFates([critical], ['waiting'], 'it has the place of the sheddable call');
    expect(pupil?.fate, 'a sheddable call could be displaced, so a normal one is not').toBe(
      'waiting',
    );
    expectCounters(results, { running: 1, queued: 2 }, 'one left the line, one joined it');
    await running.ends();
    expectFates([critical], ['running'], 'the permit has come back');
    await results.closeUp();
    expectFates([running, critical], ['served', 'served'], 'everybody has ended');
    expect(prefetch?.begun, 'how often the task of the displaced call has run').toBe(0);
  });

  it.each<[newcomer: Priority, line: Priority[], displaced: number | undefined]>([
    ['critical', ['sheddable', 'sheddable', 'sheddable'], 3],
    ['critical', ['normal', 'sheddable', 'critical'], 2],
    ['critical', ['sheddable', 'sheddable', 'normal'], 2],
    ['critical', ['normal', 'normal', 'critical'], 2],
    ['critical', ['critical', 'critical', 'critical'], undefined],
    ['normal', ['critical', 'sheddable', 'normal'], 2],
    ['normal', ['sheddable', 'normal', 'sheddable'], 3],
    ['normal', ['normal', 'critical', 'normal'], undefined],
    ['normal', ['critical', 'critical', 'critical'], undefined],
    ['sheddable', ['sheddable', 'sheddable', 'sheddable'], undefined],
    ['sheddable', ['normal', 'critical', 'sheddable'], undefined],
  ])('knows whose place a %s call may take: %j', async (priority, line, displaced) => {
    const results = steadyWith({ initialLimit: 1, queue: 3 });
    await results.call({ priority: 'sheddable' });
    const waiting = await results.queueUpAs(...line);
    const newcomer = await results.call({ priority });
    expect(
      fatesOf(waiting),
      `${line.join(', ')} fill the line, and a ${priority} call comes: the lowest priority goes, of those the last`,
    ).toEqual(line.map((_, index) => (index + 1 === displaced ? 'refused: displaced' : 'waiting')));
    expectFates([newcomer], [displaced ? 'waiting' : 'refused: full'], `the ${priority} call`);
    expectCounters(results, { running: 1, queued: 3 }, 'the line is as full as before');
  });

  it('displaces nobody while there is room', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 3 });
    await results.call();
    const waiting = await results.queueUpAs('sheddable', 'normal', 'critical');
    expectFates(waiting, ['waiting', 'waiting', 'waiting'], 'three places, three calls');
  });

  it('sheds the whole of a class before the next', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 4 });
    await results.call();
    const waiting = await results.queueUpAs('sheddable', 'normal', 'sheddable', 'normal');
    const shed = [3, 1, 4, 2];
    for (const [index, number] of shed.entries()) {
      await results.call({ priority: 'critical' });
      const gone = shed.slice(0, index + 1);
      expect(
        fatesOf(waiting),
        `sheddable, normal, sheddable, normal wait; ${index + 1} critical calls have come; ${number} goes now`,
      ).toEqual([1, 2, 3, 4].map((n) => (gone.includes(n) ? 'refused: displaced' : 'waiting')));
    }
    expectFates([await results.call({ priority: 'critical' })], ['refused: full'], 'all critical');
  });

  it('is overtaken by nobody of its own priority or a lower one', async () => {
    for (const priority of ['normal', 'sheddable'] as const) {
      for (let turn = 0; turn <= MOST_TURNS; turn += 1) {
        const results = steadyWith({ initialLimit: 1, queue: 2 });
        const running = await results.call();
        const waiting = await results.call();
        running.end();
        await turns(turn);
        const newcomer = results.callNow({ priority });
        await settle();
        expectFates(
          [waiting, newcomer],
          ['running', 'waiting'],
          `a ${priority} call comes ${turn} turns of the promise queue after a task has ended`,
        );
        expect(results.most, 'a limit of 1: the most tasks that ran at once').toBe(1);
        await results.closeUp();
      }
    }
  });
});

describe('3 · too late: who has left is not served', () => {
  it.each([0, -1, -60_000])(
    'refuses whom nobody waits for any more: %i ms',
    async (remainingMs) => {
      const results = steadyWith({ queue: 1 });
      const call = await results.call({ remainingMs });
      expectFates([call], ['refused: too late'], `${remainingMs} ms remain, permits are free`);
      expectCounters(results, { running: 0, queued: 0 }, 'it was refused');
      await expectAllPermitsFree(results, 10, 'it was refused');
    },
  );

  it('displaces nobody for a call that is too late', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 1 });
    await results.call();
    const prefetch = await results.call({ priority: 'sheddable' });
    const late = await results.call({ priority: 'critical', remainingMs: 0 });
    expectFates([late], ['refused: too late'], 'it is critical, and nobody waits for it');
    expectFates([prefetch], ['waiting'], 'no place was needed');
  });

  it.each([1, 250, 2_000, 30_000])(
    'lets a call wait until nothing remains: %i ms',
    async (remainingMs) => {
      const results = steadyWith({ initialLimit: 1, queue: 1 });
      await results.call();
      const call = await results.call({ remainingMs });
      await advance(remainingMs - 1);
      expectFates([call], ['waiting'], `${remainingMs} ms remained, 1 ms is left`);
      await advance(1);
      expectFates([call], ['refused: too late'], `it has waited for all of its ${remainingMs} ms`);
      expectCounters(results, { running: 1, queued: 0 }, 'it has left the line');
    },
  );

  it('lets a call wait as long as it takes when nothing is said', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 2 });
    const running = await results.call();
    const calls = [await results.call(), await results.call({ priority: 'sheddable' })];
    await advance(3_600_000);
    expectFates(calls, ['waiting', 'waiting'], 'after an hour');
    await running.ends();
    expectFates(calls, ['running', 'waiting'], 'after an hour a permit comes back');
  });

  it('never runs the task of a call that was too late', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 2 });
    const running = await results.call();
    const late = await results.call({ remainingMs: 500 });
    const patient = await results.call();
    await advance(500);
    await running.ends();
    expectFates(
      [late, patient],
      ['refused: too late', 'running'],
      'the permit is back after 500 ms',
    );
    await results.closeUp();
    expect(late.begun, 'how often the task of the late call has run').toBe(0);
  });

  it('runs a call whose permit comes in time', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 1 });
    const running = await results.call();
    const call = await results.call({ remainingMs: 500 });
    await advance(499);
    await running.ends();
    expectFates([call], ['running'], 'the permit came back after 499 of 500 ms');
    await advance(3_600_000);
    expectFates([call], ['running'], 'once it runs, the shedder does not look at the time');
    await call.ends();
    expectFates([call], ['served'], 'the results service has answered');
  });

  it('has its place free at once', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 1 });
    await results.call();
    const late = await results.call({ remainingMs: 500 });
    await advance(500);
    expectFates([late], ['refused: too late'], 'after 500 ms');
    expectFates([await results.call()], ['waiting'], 'the one place in the line is free');
  });

  it('has a time for each call', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 4 });
    await results.call();
    const calls = [
      await results.call({ remainingMs: 900 }),
      await results.call({ remainingMs: 300 }),
      await results.call({ priority: 'critical', remainingMs: 600 }),
    ];
    await advance(299);
    calls.push(await results.call({ priority: 'sheddable', remainingMs: 300 }));
    const refused = (...late: number[]) =>
      calls.map((_, index) => (late.includes(index + 1) ? 'refused: too late' : 'waiting'));
    expect(fatesOf(calls), 'after 299 ms').toEqual(refused());
    await advance(1);
    expect(fatesOf(calls), 'after 300 ms').toEqual(refused(2));
    await advance(298);
    expect(fatesOf(calls), 'after 598 ms').toEqual(refused(2));
    await advance(1);
    expect(fatesOf(calls), 'after 599 ms, 300 of them for the last').toEqual(refused(2, 4));
    await advance(1);
    expect(fatesOf(calls), 'after 600 ms').toEqual(refused(2, 4, 3));
    await advance(299);
    expect(fatesOf(calls), 'after 899 ms').toEqual(refused(2, 4, 3));
    await advance(1);
    expect(fatesOf(calls), 'after 900 ms').toEqual(refused(1, 2, 3, 4));
  });

  it.each([-3_600_000, 3_600_000])(
    'does not notice that the wall clock is set by %i ms',
    async (stepMs) => {
      const results = steadyWith({ initialLimit: 1, queue: 2 });
      await results.call();
      const first = await results.call({ remainingMs: 1_000 });
      await advance(600);
      const second = await results.call({ remainingMs: 1_000 });
      stepWallClock(stepMs);
      await advance(399);
      expectFates([first, second], ['waiting', 'waiting'], 'they have waited for 999 and 399 ms');
      await advance(1);
      expectFates([first], ['refused: too late'], 'it has waited for its 1,000 ms');
      await advance(599);
      expectFates([second], ['waiting'], 'it has waited for 999 ms');
      await advance(1);
      expectFates([second], ['refused: too late'], 'it has waited for its 1,000 ms');
    },
  );

  it.each([[[9_000, 6_000, 3_000]], [[3_000, 6_000, 9_000]]])(
    'goes by who has waited longest, whatever remains to them: %j',
    async (remaining) => {
      const results = steadyWith({ initialLimit: 1, queue: 3 });
      await results.call();
      const [first, second, third] = remaining.map((remainingMs) =>
        results.callNow({ remainingMs }),
      );
      await settle();
      await results.call({ priority: 'critical' });
      const because = `to three normal calls remain ${remaining.join(', ')} ms, and a critical one comes`;
      expect(third?.fate, `${because}: the normal call that came last`).toBe('refused: displaced');
      await results.closeUp();
      expectFates(
        [first, second].flatMap((call) => call ?? []),
        ['served', 'served'],
        because,
      );
      expect(
        results.numbersOf(results.begun),
        `${because}: call 1 ran, 2 and 3 are normal, 5 is critical; who began when`,
      ).toEqual([1, 5, 2, 3]);
    },
  );

  it('leaves no timer for a call that has left the line', async () => {
    const results = steadyWith({ initialLimit: 1, queue: 1 });
    const remainingMs = 60_000;
    const running = await results.call({ remainingMs });
    expect(pendingTimers(), 'timers: a permit was free, and nobody waits').toBe(0);
    await results.call({ priority: 'sheddable', remainingMs });
    await results.call({ remainingMs: 0 });
    const waiting = await results.call({ remainingMs: 1_000 });
    await results.call({ remainingMs });
    expect(
      results.fates,
      'one place; a normal call takes that of a sheddable one, the next is refused',
    ).toEqual(['running', 'refused: displaced', 'refused: too late', 'waiting', 'refused: full']);
    await running.ends();
    expectFates([waiting], ['running'], 'a permit has come back');
    expect(pendingTimers(), 'timers: nobody waits').toBe(0);
    await results.call({ remainingMs: 1_000 });
    await advance(1_000);
    expect(pendingTimers(), 'timers: the one who waited was too late').toBe(0);
  });
});

describe('4 · the limit moves: up by one, down by a factor', () => {
  it.each([
    { initialLimit: 10, windowSize: 5 },
    { initialLimit: 3, windowSize: 3 },
    { initialLimit: 1, windowSize: 1 },
    { initialLimit: 8, windowSize: 20 },
  ])(
    'grows by one when all permits were taken: $initialLimit, after $windowSize samples',
    async ({ initialLimit, windowSize }) => {
      const results = resultsWith({ initialLimit, windowSize });
      await results.samples(times(windowSize - 1, 50), { full: true });
      expectLimit(results, initialLimit, `${windowSize - 1} samples of ${windowSize}`);
      await results.samples([50], { full: true });
      expectLimit(results, initialLimit + 1, `${windowSize} samples of ${windowSize}, of 50 ms`);
    },
  );

  it('stays as it is when it was not used', async () => {
    const results = resultsWith({ windowSize: 9 });
    for (let window = 1; window <= 3; window += 1) {
      await results.samples(times(9, 50));
      expectLimit(results, 10, `nine of ten permits were taken at most; window ${window}`);
    }
  });

  it('grows when all permits were taken for a moment', async () => {
    const early = resultsWith({ initialLimit: 3 });
    await early.samples(times(3, 50));
    await early.samplesOneByOne(times(2, 50));
    expectLimit(early, 4, 'all three permits were taken at the beginning of the window');
    const late = resultsWith({ initialLimit: 3 });
    await late.samplesOneByOne(times(2, 50));
    await late.samples(times(3, 50));
    expectLimit(late, 4, 'all three permits were taken at the end of the window');
    const between = resultsWith({ initialLimit: 3 });
    await between.samplesOneByOne([50]);
    await between.samples(times(3, 50));
    await between.samplesOneByOne([50]);
    expectLimit(between, 4, 'all three permits were taken in the middle of the window');
  });

  it('looks at each window by itself whether all permits were taken', async () => {
    const results = resultsWith();
    await results.samples(times(5, 50), { full: true });
    expectLimit(results, 11, 'all ten permits were taken');
    await results.samplesOneByOne(times(5, 50));
    expectLimit(results, 11, 'six of eleven permits were taken in the second window');
    await results.samples(times(5, 50), { full: true });
    expectLimit(results, 12, 'all eleven permits were taken in the third window');
  });

  it('grows with each such window', async () => {
    const results = resultsWith({ windowSize: 3 });
    for (let window = 1; window <= 8; window += 1) {
      await results.samples(times(3, 50), { full: true });
      expectLimit(results, 10 + window, `${window} windows, all permits taken, all calls of 50 ms`);
    }
  });

  it.each([
    { initialLimit: 10, backoff: 0.5, cut: 5 },
    { initialLimit: 9, backoff: 0.75, cut: 6 },
    { initialLimit: 20, backoff: 0.9, cut: 18 },
    { initialLimit: 5, backoff: 0.3, cut: 1 },
    { initialLimit: 7, backoff: 0.25, cut: 1 },
  ])(
    'is cut after a slow window: $initialLimit × $backoff',
    async ({ initialLimit, backoff, cut }) => {
      const results = resultsWith({ initialLimit, backoff });
      await results.samplesOneByOne(times(5, 50));
      expectLimit(results, initialLimit, 'five calls of 50 ms one after another: the baseline');
      await results.samplesOneByOne(times(4, 100));
      expectLimit(results, initialLimit, 'four calls of 100 ms: the window is not full yet');
      await results.samplesOneByOne([100]);
      expectLimit(results, cut, 'five calls of 100 ms; 75 ms are allowed');
    },
  );

  it.each([
    { tolerance: 1.2, baselineMs: 50, allowanceMs: 60 },
    { tolerance: 1.5, baselineMs: 50, allowanceMs: 75 },
    { tolerance: 2, baselineMs: 40, allowanceMs: 80 },
    { tolerance: 3, baselineMs: 1_000, allowanceMs: 3_000 },
  ])(
    'allows the baseline times the tolerance: $baselineMs ms × $tolerance',
    async ({ tolerance, baselineMs, allowanceMs }) => {
      const results = resultsWith({ tolerance, minLimit: 2 });
      await results.samplesOneByOne(times(5, baselineMs));
      await results.samplesOneByOne(times(5, allowanceMs));
      expectLimit(results, 10, `calls of ${allowanceMs} ms, and so many are allowed`);
      await results.samplesOneByOne(times(5, allowanceMs + 1));
      expectLimit(results, 5, `calls of ${allowanceMs + 1} ms, and ${allowanceMs} are allowed`);
    },
  );

  it('knows no slow window before there is a baseline', async () => {
    const results = resultsWith();
    await results.samples([2_000, 4_000, 5_000, 6_000, 9_000], { full: true });
    expectLimit(results, 11, 'the first window: who knows whether that is slow');
  });

  it.each<[latencies: number[], slow: boolean]>([
    [[50, 50, 50, 50, 9_000], false],
    [[50, 50, 50, 8_000, 9_000], false],
    [[50, 50, 100, 100, 100], true],
    [[1, 1, 80, 80, 80], true],
    [[60, 70, 75, 8_000, 9_000], false],
    [[60, 70, 76, 77, 78], true],
    [[10, 10, 10, 80, 80], false],
  ])('judges a window by its median: %j', async (latencies, slow) => {
    const results = resultsWith();
    await results.samplesOneByOne(times(5, 50));
    await results.samples(latencies, { full: true });
    expectLimit(
      results,
      slow ? 5 : 11,
      `75 ms are allowed, and the calls took ${latencies.join(', ')} ms: half of them decide, not one`,
    );
  });

  it('does not mind in which order the calls end', async () => {
    const results = resultsWith();
    await results.samplesOneByOne(times(5, 50));
    await results.samplesOneByOne([9_000, 50, 8_000, 60, 50]);
    expectLimit(results, 10, '75 ms are allowed; calls of 9,000, 50, 8,000, 60 and 50 ms');
    await results.samplesOneByOne([80, 1, 1_000, 2, 900]);
    expectLimit(results, 5, '75 ms are allowed; calls of 80, 1, 1,000, 2 and 900 ms');
  });

  it('takes either of the two in the middle for a median', async () => {
    const results = resultsWith({ windowSize: 4 });
    await results.samplesOneByOne([50, 50, 50, 50]);
    await results.samplesOneByOne([50, 60, 70, 9_000]);
    expectLimit(results, 10, '75 ms are allowed; four calls of 50, 60, 70 and 9,000 ms');
    await results.samplesOneByOne([1, 80, 90, 100]);
    expectLimit(results, 5, '75 ms are allowed; four calls of 1, 80, 90 and 100 ms');
  });

  it('judges each sample in one window only', async () => {
    const results = resultsWith();
    await results.samplesOneByOne(times(5, 50));
    await results.samplesOneByOne([50, 50, 100, 100, 50]);
    expectLimit(results, 10, 'two slow calls of five');
    await results.samplesOneByOne([100, 50, 50, 100, 50]);
    expectLimit(results, 10, 'two slow calls of the next five, though four of the last eight');
    await results.samplesOneByOne([100, 100, 100, 50]);
    expectLimit(results, 10, 'three slow calls of four: the window is not full yet');
    await results.samplesOneByOne([50]);
    expectLimit(results, 5, 'three slow calls of five');
  });

  it('has a bottom, and comes back from it', async () => {
    const results = resultsWith({ minLimit: 4 });
    await results.samplesOneByOne(times(5, 50));
    for (const limit of [5, 4, 4]) {
      await results.samplesOneByOne(times(5, 200));
      expectLimit(results, limit, 'another slow window; minLimit is 4');
    }
    for (const limit of [5, 6, 7]) {
      await results.samples(times(5, 50), { full: true });
      expectLimit(results, limit, 'another good window, all permits taken');
    }
  });

  it('has a bottom of one, and comes back from it', async () => {
    const results = resultsWith({ initialLimit: 2, windowSize: 1 });
    await results.samplesOneByOne([50]);
    for (const limit of [1, 1, 1]) {
      await results.samplesOneByOne([200]);
      expectLimit(results, limit, 'another slow window; minLimit is 1');
    }
    await results.samplesOneByOne([50]);
    expectLimit(results, 2, 'a good window, the one permit taken');
  });

  it('has a top, and stays there', async () => {
    const results = resultsWith({ maxLimit: 12 });
    for (const limit of [11, 12, 12, 12, 12]) {
      await results.samples(times(5, 50), { full: true });
      expectLimit(results, limit, 'another good window, all permits taken; maxLimit is 12');
    }
    await results.samples(times(5, 100), { full: true });
    expectLimit(results, 6, 'a slow window at the top');
  });

  it('does not move when its bounds leave no room', async () => {
    const results = resultsWith({ initialLimit: 3, minLimit: 3, maxLimit: 3 });
    for (const latencyMs of [50, 50, 500, 500, 50]) {
      await results.samples(times(5, latencyMs), { full: true });
      expectLimit(results, 3, 'minLimit and maxLimit are 3');
    }
  });

  it('lets two go when it has grown', async () => {
    const results = resultsWith({ initialLimit: 5, queue: 8 });
    const running = await results.queueUp(5);
    const waiting = await results.queueUp(8);
    await advance(50);
    for (const call of running.slice(0, 4)) await call.ends();
    expectCounters(results, { running: 5, queued: 4 }, 'four of five samples');
    await running[4]?.ends();
    expectLimit(results, 6, 'the fifth of five samples, all permits taken');
    expectCounters(results, { running: 6, queued: 2 }, 'one permit came back, and one was added');
    expect(fatesOf(waiting.slice(5)), 'those who came last').toEqual([
      'running',
      'waiting',
      'waiting',
    ]);
  });

  it('lets nobody overtake the line when it has grown', async () => {
    for (let turn = 0; turn <= MOST_TURNS; turn += 1) {
      const results = resultsWith({ initialLimit: 1, windowSize: 1, queue: 3 });
      const running = await results.call();
      const waiting = await results.queueUp(2);
      await advance(50);
      running.end();
      await turns(turn);
      const newcomer = results.callNow();
      await settle();
      expectLimit(results, 2, 'one sample of one, the only permit taken');
      expectFates(
        [...waiting, newcomer],
        ['running', 'running', 'waiting'],
        `two waited, and two may go; another call comes ${turn} turns of the promise queue after the task has ended`,
      );
    }
  });

  it('lets nobody go when it was cut, until fewer run', async () => {
    const results = resultsWith({ windowSize: 7, queue: 20 });
    await results.samplesOneByOne(times(7, 50));
    const first = await results.queueUp(10);
    const waiting = await results.queueUp(12);
    await advance(100);
    for (const call of first.slice(0, 6)) await call.ends();
    expectCounters(results, { running: 10, queued: 6 }, 'six of seven samples');
    await first[6]?.ends();
    expectLimit(results, 5, 'the seventh of seven samples of 100 ms; 75 are allowed');
    expectCounters(
      results,
      { running: 9, queued: 6 },
      'the window is judged, then its permit goes',
    );
    const second = waiting.slice(0, 6);
    for (const [index, call] of [...first.slice(7), ...second.slice(0, 1)].entries()) {
      await call.ends();
      expectCounters(results, { running: 8 - index, queued: 6 }, 'the limit is 5, so nobody goes');
    }
    await second[1]?.ends();
    expectCounters(results, { running: 5, queued: 5 }, 'four ran, the limit is 5: one goes');
    await second[2]?.ends();
    expectCounters(results, { running: 5, queued: 4 }, 'four ran, the limit is 5: one more goes');
    expectFates(second.slice(3), ['running', 'running', 'running'], 'nobody was stopped');
  });

  it('refuses more when it was cut', async () => {
    const results = resultsWith();
    await results.samplesOneByOne([...times(5, 50), ...times(5, 100)]);
    await results.queueUp(8);
    expect(results.atWork, 'the limit was cut from ten to five, and eight call').toBe(5);
    expectFates(
      results.calls.slice(-3),
      ['refused: full', 'refused: full', 'refused: full'],
      'the limit was cut from ten to five, and eight call',
    );
  });

  it('lets as many wait as before when it was cut', async () => {
    const results = resultsWith({ queue: 4 });
    await results.samplesOneByOne([...times(5, 50), ...times(4, 100)]);
    await results.occupy(9);
    await results.samples([100]);
    expectLimit(results, 5, 'five calls of 100 ms, and 75 are allowed');
    await results.queueUp(5);
    const still = 'nine still run, though the limit is five; the queue has four places as before';
    expectCounters(results, { running: 9, queued: 4 }, still);
    expectFates(results.calls.slice(-1), ['refused: full'], still);
  });

  it('takes no sample from a call that was refused', async () => {
    const results = resultsWith({ initialLimit: 2, maxLimit: 2, queue: 1 });
    await results.samplesOneByOne(times(5, 50));
    const running = await results.queueUp(2);
    for (let round = 1; round <= 10; round += 1) {
      await results.call({ priority: 'sheddable' });
      await results.call({ remainingMs: 100 });
      await results.call();
      await results.call({ remainingMs: 0 });
      await advance(100);
      expect(
        fatesOf(results.calls.slice(-4)),
        'two tasks run, one call may wait; a sheddable one comes, then three normal ones',
      ).toEqual(['refused: displaced', 'refused: too late', 'refused: full', 'refused: too late']);
    }
    for (const call of running) await call.ends();
    await results.samplesOneByOne([70, 70, 70]);
    expectLimit(results, 2, 'five calls have ended, three after 70 ms, and 75 are allowed');
    await results.samplesOneByOne(times(5, 70));
    expectLimit(
      results,
      2,
      'forty calls were refused within no time; that is no reason to call 70 ms slow',
    );
    await results.samplesOneByOne(times(5, 80));
    expectLimit(results, 1, 'five calls of 80 ms, and 75 are allowed');
  });

  it('does not move for refused calls', async () => {
    const results = resultsWith({ initialLimit: 4 });
    await results.samplesOneByOne(times(5, 50));
    await results.occupy(4);
    await results.queueUp(50);
    expectLimit(
      results,
      4,
      'all permits are taken, fifty calls were refused, and nothing has ended',
    );
    await results.closeUp();
  });

  it('does not take the time in the line for latency', async () => {
    const results = resultsWith({ initialLimit: 2, queue: 9 });
    await results.samples(times(5, 50), { full: true });
    expectLimit(results, 3, 'five calls of 50 ms, all permits taken');
    await results.occupy(3 - results.atWork - 1);
    const calls = await results.queueUp(5);
    for (const call of calls) {
      await advance(50);
      await call.ends();
    }
    expectLimit(
      results,
      4,
      'five calls of 50 ms, which waited for 0, 50, 100, 150 and 200 ms before; 75 ms are allowed',
    );
  });

  it.each([-3_600_000, 3_600_000])(
    'measures by a clock that only runs forward: wall clock set by %i ms',
    async (stepMs) => {
      const results = resultsWith();
      await results.samplesOneByOne(times(5, 50));
      for (let window = 1; window <= 2; window += 1) {
        const calls = await results.queueUp(5);
        await advance(30);
        stepWallClock(stepMs);
        await advance(30);
        for (const call of calls) call.end();
        await settle();
      }
      expectLimit(results, 10, 'ten calls of 60 ms, and 75 are allowed');
      await results.samplesOneByOne(times(5, 80));
      expectLimit(results, 5, 'calls of 80 ms, and 75 are allowed');
    },
  );

  it('moves for each shedder by itself', async () => {
    const slow = resultsWith();
    const quick = resultsWith();
    await slow.samplesOneByOne(times(5, 100));
    await quick.samplesOneByOne(times(5, 10));
    await slow.samples(times(5, 120), { full: true });
    expectLimit(slow, 11, '120 ms are fine where 100 are normal');
    await slow.samplesOneByOne(times(5, 200));
    expectLimit(slow, 5, '200 ms are not');
    expectLimit(quick, 10, 'nothing has happened to the other one');
  });

  it('holds no timer while tasks run', async () => {
    const results = resultsWith();
    await results.samples(times(5, 50), { full: true });
    expect(pendingTimers(), 'timers: tasks run, nobody waits').toBe(0);
  });
});

describe('5 · what counts: slow errors do, old news does not', () => {
  it('takes no sample from an error that came quickly', async () => {
    const results = resultsWith();
    await results.samplesOneByOne(times(5, 50));
    await results.failures(times(20, 1));
    expectLimit(results, 10, 'twenty calls failed after 1 ms: no sample, and so no window');
    await results.samples(times(4, 50), { full: true });
    expectLimit(results, 10, 'four samples of five; errors do not count');
    await results.samples([50], { full: true });
    expectLimit(results, 11, 'five samples, all permits taken');
    await results.samplesOneByOne(times(5, 70));
    expectLimit(results, 11, 'refused connections take 1 ms; that is no reason to call 70 ms slow');
  });

  it.each<[what: string, fail: (results: Results) => Promise<void>]>([
    ['throws at once', async (results) => void results.callThatThrows(outage())],
    ['fails within no time', (results) => results.failures([0])],
    ['is given up by its caller', (results) => results.failures([20], hungUp())],
    ['fails as late as is allowed', (results) => results.failures([75])],
  ])('takes no sample from a call that %s', async (what, fail) => {
    const results = resultsWith();
    await results.samplesOneByOne(times(5, 50));
    for (let i = 0; i < 20; i += 1) {
      await fail(results);
      await settle();
    }
    expectLimit(results, 10, `twenty calls, each of which ${what}`);
    await results.samplesOneByOne(times(5, 70));
    expectLimit(results, 10, `calls of 70 ms, and 75 are allowed, whatever ${what}`);
    await results.samplesOneByOne(times(5, 80));
    expectLimit(results, 5, `calls of 80 ms, and 75 are allowed, whatever ${what}`);
  });

  it('takes a slow error for slow', async () => {
    const results = resultsWith();
    await results.samplesOneByOne(times(5, 50));
    await results.failures(times(4, 76));
    expectLimit(results, 10, 'four of five samples');
    await results.failures([76]);
    expectLimit(results, 5, 'five calls failed after 76 ms, and an answer may take 75');
  });

  it.each<[what: string, error: unknown]>([
    ['a timeout', new DOMException('The operation was aborted due to timeout', 'TimeoutError')],
    ['a caller that gave up', hungUp()],
    ['nothing at all', undefined],
    ['null', null],
    ['a string', 'no route to host'],
  ])('takes any slow error for slow: %s', async (what, error) => {
    const results = resultsWith({ windowSize: 3 });
    await results.samplesOneByOne([50, 50, 50]);
    for (let i = 0; i < 3; i += 1) {
      results.callFor(
        () =>
          new Promise((_, reject) => {
            setTimeout(() => reject(error), 2_000);
          }),
      );
    }
    await advance(2_000);
    expectLimit(results, 5, `three calls ended with ${what} after 2 s; an answer may take 75 ms`);
    expectCounters(results, { running: 0, queued: 0 }, 'they have ended');
  });

  it('weighs slow errors like slow answers', async () => {
    const two = resultsWith();
    await two.samplesOneByOne(times(5, 50));
    await two.failures([100, 5_000]);
    await two.samples(times(3, 50), { full: true });
    expectLimit(two, 11, 'two slow errors and three good answers');
    const three = resultsWith();
    await three.samplesOneByOne(times(5, 50));
    await three.failures([100, 100]);
    await three.samplesOneByOne([50, 50]);
    await three.failures([100]);
    expectLimit(three, 5, 'three slow errors and two good answers');
    const both = resultsWith();
    await both.samplesOneByOne(times(5, 50));
    await both.failures([100]);
    await both.samplesOneByOne([50, 50, 80, 90]);
    expectLimit(both, 5, 'a slow error, two slow answers and two good ones');
  });

  it('counts no error before there is a baseline', async () => {
    for (const errors of [1, 2, 7]) {
      const results = resultsWith();
      await results.failures(times(errors, 9_000));
      await results.samplesOneByOne(times(4, 50));
      await results.failures(times(3, 9_000));
      await results.samples([50], { full: true });
      expectLimit(results, 11, 'five good answers in all; nobody knew what slow is');
      await results.samplesOneByOne(times(5, 80));
      expectLimit(results, 5, 'five answers of 50 ms made the baseline, so 80 ms are slow');
    }
  });

  it('makes one cut of one overload', async () => {
    for (const [initialLimit, cut] of [
      [40, 20],
      [12, 6],
      [100, 50],
    ] as const) {
      const results = resultsWith({ initialLimit });
      await results.samplesOneByOne(times(5, 50));
      await results.samples(times(initialLimit, 5_000));
      expectLimit(
        results,
        cut,
        `${initialLimit} calls ran when the service stood still for 5 s, and ended together`,
      );
    }
  });

  it('makes one cut of one overload, when all calls fail, too', async () => {
    const results = resultsWith({ initialLimit: 40 });
    await results.samplesOneByOne(times(5, 50));
    await results.failures(times(40, 2_000));
    expectLimit(
      results,
      20,
      'forty calls ran when the service stood still, and timed out together',
    );
  });

  it('takes no sample from a call that began before the cut, as long as it takes', async () => {
    const results = resultsWith({ queue: 10 });
    await results.samplesOneByOne(times(5, 50));
    const before = await results.queueUp(10);
    await advance(100);
    for (const call of before.slice(0, 5)) await call.ends();
    expectLimit(results, 5, 'five calls of 100 ms, and 75 are allowed');
    for (const [index, call] of before.slice(5).entries()) {
      await advance(1_000);
      await call.ends(index === 4 ? outage() : undefined);
      expectLimit(results, 5, 'a call that began before the cut tells of the old limit');
    }
    await results.samplesOneByOne(times(4, 100));
    expectLimit(results, 5, 'four calls of 100 ms: the window is not full yet');
    await results.samplesOneByOne([100]);
    expectLimit(results, 2, 'five calls of 100 ms, all of which began after the cut');
  });

  it('takes samples from calls that began before the limit grew', async () => {
    const results = resultsWith({ initialLimit: 8 });
    await results.samplesOneByOne(times(5, 50));
    const calls = await results.queueUp(8);
    await advance(60);
    for (const call of calls.slice(0, 5)) await call.ends();
    expectLimit(results, 9, 'five samples of 60 ms, all permits taken');
    await advance(140);
    for (const call of calls.slice(5)) await call.ends();
    await results.samplesOneByOne([50, 50]);
    expectLimit(
      results,
      4,
      'three calls of 200 ms, which began before the limit grew, and two of 50',
    );
  });

  it('takes no quick sample, either, from a call that began before the cut', async () => {
    const results = resultsWith();
    await results.samplesOneByOne(times(5, 50));
    const slow = await results.queueUp(5);
    await advance(90);
    const quick = await results.queueUp(5);
    await advance(10);
    for (const call of slow) await call.ends();
    expectLimit(results, 5, 'five calls of 100 ms, and 75 are allowed');
    for (const call of quick) await call.ends();
    expectLimit(results, 5, 'five calls of 10 ms that began before the cut');
    await results.samplesOneByOne(times(5, 70));
    expect(
      results.shedder.limit,
      'calls of 70 ms; the baseline is still 50, so 75 are allowed: the limit was 5',
    ).toBeGreaterThanOrEqual(5);
  });

  it('takes samples from calls that waited before the cut and began after it', async () => {
    const results = resultsWith({ initialLimit: 5, queue: 5 });
    await results.samplesOneByOne(times(5, 50));
    const [last, ...before] = await results.queueUp(5);
    await advance(100);
    for (const call of before) await call.ends();
    await results.occupy(4);
    const waiting = await results.queueUp(5);
    await advance(1);
    await last?.ends();
    expectLimit(results, 2, 'five calls of 100 ms, and 75 are allowed; five more wait');
    for (const call of results.calls.slice(-9, -5)) await call.ends();
    for (const call of waiting) {
      await advance(100);
      await call.ends();
    }
    expectLimit(results, 1, 'those who waited took 100 ms or more: another slow window');
  });

  it('takes no sample from before a slow window at the bottom', async () => {
    const results = resultsWith({ minLimit: 10 });
    await results.samplesOneByOne(times(5, 50));
    const calls = await results.queueUp(8);
    await advance(100);
    for (const call of calls) await call.ends();
    expectLimit(results, 10, 'five slow samples, but minLimit is 10');
    await results.samples(times(4, 50), { full: true });
    expectLimit(results, 10, 'four samples since the slow window');
    await results.samples([50], { full: true });
    expectLimit(results, 11, 'five samples since the slow window, all permits taken');
  });
});

describe('6 · the baseline: what is normal, and when it is too late', () => {
  it('falls at once when the service is quicker', async () => {
    const results = resultsWith();
    await results.samplesOneByOne(times(5, 200));
    await results.samplesOneByOne(times(5, 40));
    await results.samplesOneByOne(times(5, 60));
    expectLimit(results, 10, 'a window of 200 ms, one of 40, so 60 are allowed');
    await results.samplesOneByOne(times(5, 61));
    expectLimit(results, 5, 'a window of 40 ms was the smallest, so 61 are slow');
  });

  it.each([2, 3, 6, 10])(
    'rises when every window that knew better is forgotten: %i',
    async (baselineWindows) => {
      const results = resultsWith({
        initialLimit: 64,
        baselineWindows,
        backoff: 0.6,
        maxLimit: 64,
      });
      await results.samplesOneByOne(times(5, 50));
      let limit = 64;
      for (let window = 2; window <= baselineWindows; window += 1) {
        await results.samplesOneByOne(times(5, 100));
        limit = Math.max(1, Math.floor(limit * 0.6));
        expectLimit(
          results,
          limit,
          `a window of 50 ms, then ${window - 1} of 100; the baseline looks back on ${baselineWindows}`,
        );
      }
      await results.samples(times(5, 100), { full: true });
      expectLimit(
        results,
        limit + 1,
        `the last ${baselineWindows} windows took 100 ms: that is normal now`,
      );
      await results.samplesOneByOne(times(5, 151));
      expectLimit(results, Math.max(1, Math.floor((limit + 1) * 0.6)), '150 ms are allowed now');
    },
  );

  it('rises by answers that come when nobody waits for them any more, too', async () => {
    const results = resultsWith({ baselineWindows: 2, minLimit: 10 });
    await results.samplesOneByOne(times(5, 50));
    for (let window = 2; window <= 3; window += 1) {
      const calls = await results.queueUp(5, { remainingMs: 100 });
      await advance(200);
      for (const call of calls) await call.ends();
    }
    await results.samples(times(5, 300), { full: true });
    expectLimit(
      results,
      11,
      'ten calls took 200 ms, though their callers had left after 100; they were served, so the baseline is 200, and 300 are allowed',
    );
  });

  it('is the smallest of the windows, not the last, and not their mean', async () => {
    const results = resultsWith();
    for (const latencyMs of [50, 60, 70, 75, 72, 75]) {
      await results.samplesOneByOne(times(5, latencyMs));
      expectLimit(results, 10, 'windows of 50, 60, 70, 75, 72, 75 ms: all within 75');
    }
    await results.samplesOneByOne(times(5, 76));
    expectLimit(results, 5, 'it crept up: 76 ms after 75, but there was a window of 50');
  });

  it('is made of medians, not of the quickest call', async () => {
    const results = resultsWith();
    await results.samplesOneByOne([1, 2, 50, 50, 50]);
    await results.samplesOneByOne([1, 60, 70, 70, 70]);
    expectLimit(results, 10, 'some answers come from a cache in 1 ms; 70 is still not slow');
    await results.samplesOneByOne([9_000, 9_000, 40, 30, 20]);
    await results.samplesOneByOne(times(5, 61));
    expectLimit(results, 5, 'a window with a median of 40 ms, so 60 are allowed');
  });

  it('counts slow windows, too', async () => {
    const results = resultsWith({ baselineWindows: 3, minLimit: 10 });
    for (const latencyMs of [50, 100, 300]) await results.samplesOneByOne(times(5, latencyMs));
    await results.samples(times(5, 150), { full: true });
    expectLimit(results, 11, 'windows of 100, 300 and 150 ms: the smallest is 100, a slow one');
  });

  it('does not take errors for a baseline', async () => {
    const results = resultsWith({ baselineWindows: 2, minLimit: 8, initialLimit: 16 });
    await results.samplesOneByOne(times(5, 50));
    await results.failures(times(5, 1_000));
    expectLimit(results, 8, 'five calls failed after 1 s');
    for (let window = 2; window <= 6; window += 1) await results.failures(times(5, 1_000));
    await results.samples(times(5, 80), { full: true });
    expectLimit(results, 8, 'six windows of errors, then 80 ms; 75 are allowed, as before');
    await results.samples(times(5, 80), { full: true });
    expectLimit(results, 9, 'two windows of 80 ms: that is normal now');
  });

  it('is not forgotten for errors', async () => {
    const results = resultsWith({ baselineWindows: 3, minLimit: 8, initialLimit: 16 });
    for (const latencyMs of [50, 70]) await results.samplesOneByOne(times(5, latencyMs));
    for (let window = 1; window <= 4; window += 1) await results.failures(times(5, 1_000));
    await results.samples(times(5, 80), { full: true });
    expectLimit(results, 8, 'windows of 50 and 70 ms, four of errors, one of 80; 75 are allowed');
  });

  it('does not take a few quick answers among errors for a baseline', async () => {
    const results = resultsWith({ minLimit: 8 });
    await results.samplesOneByOne(times(5, 50));
    await results.samplesOneByOne([10, 10]);
    await results.failures(times(3, 1_000));
    expectLimit(results, 8, 'two answers of 10 ms, three errors after 1 s');
    await results.samples(times(5, 70), { full: true });
    expectLimit(results, 9, 'calls of 70 ms; the baseline is still 50, so 75 are allowed');
  });

  it.each([
    { baselineMs: 100, tolerance: 1.5, remainingMs: 1_000, waitsMs: 850 },
    { baselineMs: 40, tolerance: 2, remainingMs: 500, waitsMs: 420 },
    { baselineMs: 400, tolerance: 3, remainingMs: 2_000, waitsMs: 800 },
  ])(
    'leaves time for the answer: $remainingMs ms, normal are $baselineMs',
    async ({ baselineMs, tolerance, remainingMs, waitsMs }) => {
      const results = resultsWith({ tolerance, queue: 2 });
      await results.samplesOneByOne(times(5, baselineMs));
      await results.occupy(10);
      const call = await results.call({ remainingMs });
      const patient = await results.call();
      await advance(waitsMs - 1);
      expectFates([call], ['waiting'], `it has waited for ${waitsMs - 1} of ${remainingMs} ms`);
      await advance(1);
      expectFates(
        [call],
        ['refused: too late'],
        `${remainingMs - waitsMs} ms remain of ${remainingMs}, and an answer may take as many`,
      );
      await advance(remainingMs);
      expectFates([patient], ['waiting'], 'its caller waits as long as it takes');
    },
  );

  it('leaves time for an answer as the smallest window says, not the latest', async () => {
    const results = resultsWith({ queue: 1 });
    for (const latencyMs of [50, 100]) await results.samplesOneByOne(times(5, latencyMs));
    await results.occupy(5);
    const call = await results.call({ remainingMs: 1_000 });
    await advance(924);
    expectFates([call], ['waiting'], 'windows of 50 and 100 ms, so 75 are allowed; 76 remain');
    await advance(1);
    expectFates([call], ['refused: too late'], 'windows of 50 and 100 ms; 75 remain');
  });

  it('refuses at once whom an answer could not reach in time', async () => {
    const results = resultsWith({ queue: 1 });
    await results.samplesOneByOne(times(5, 100));
    await results.occupy(10);
    const prefetch = await results.call({ priority: 'sheddable' });
    for (const remainingMs of [1, 149, 150]) {
      expectFates(
        [
          await results.call({ priority: 'critical', remainingMs }),
          await results.call({ priority: 'sheddable', remainingMs }),
        ],
        ['refused: too late', 'refused: too late'],
        `they would have to wait, ${remainingMs} ms remain, and an answer may take 150`,
      );
    }
    expectFates([prefetch], ['waiting'], 'it was displaced for nobody');
    const call = await results.call({ priority: 'critical', remainingMs: 151 });
    expectFates([prefetch, call], ['refused: displaced', 'waiting'], '151 ms remain: 1 ms to wait');
    await advance(1);
    expectFates([call], ['refused: too late'], '150 ms remain, and an answer may take 150');
    expect(pendingTimers(), 'timers: nobody waits').toBe(0);
  });

  it.each([1, 99, 150])('runs a call at once when a permit is free: %i ms', async (remainingMs) => {
    const results = resultsWith({ queue: 1 });
    await results.samplesOneByOne(times(5, 100));
    const call = await results.call({ remainingMs });
    expectFates([call], ['running'], 'an answer may take 150 ms, but nobody is in its way');
    expectFates(
      [await results.call({ remainingMs: 0 })],
      ['refused: too late'],
      'a permit is free, and nobody waits for the answer',
    );
  });

  it('leaves no time for the answer as long as nobody knows how long that takes', async () => {
    const results = resultsWith({ initialLimit: 1, queue: 1 });
    await results.samplesOneByOne(times(4, 300));
    await results.occupy(1);
    const call = await results.call({ remainingMs: 200 });
    await advance(199);
    expectFates([call], ['waiting'], 'no window has been judged; 1 ms remains');
    await advance(1);
    expectFates([call], ['refused: too late'], 'nothing remains');
  });

  it('goes by what was allowed when the call arrived', async () => {
    const results = resultsWith({ initialLimit: 2, maxLimit: 2, minLimit: 2, queue: 9 });
    await results.samplesOneByOne(times(5, 100));
    await results.occupy(1);
    const others = await results.queueUp(6);
    const early = await results.call({ priority: 'sheddable', remainingMs: 1_000 });
    for (const call of others.slice(0, 5)) {
      await advance(40);
      await call.ends();
    }
    const late = await results.call({ priority: 'sheddable', remainingMs: 1_000 });
    await advance(649);
    expectFates([early], ['waiting'], 'it came when 150 ms were allowed; 151 remain');
    await advance(1);
    expectFates(
      [early, late],
      ['refused: too late', 'waiting'],
      'the first came when 150 ms were allowed and 150 remain; the second came when 60 were',
    );
    await advance(289);
    expectFates([late], ['waiting'], 'it came when 60 ms were allowed; 61 remain');
    await advance(1);
    expectFates([late], ['refused: too late'], 'it came when 60 ms were allowed; 60 remain');
  });

  it('finds out that the service is quick again', async () => {
    const results = resultsWith({ baselineWindows: 2, queue: 5 });
    for (const latencyMs of [50, 2_000, 2_000]) {
      await results.samplesOneByOne(times(5, latencyMs));
    }
    for (let i = 1; i <= 5; i += 1) {
      const call = await results.call({ remainingMs: 1_000 });
      expectFates([call], ['running'], 'nobody else runs, and 1 s remains, though 3 are allowed');
      await advance(50);
      await call.ends();
    }
    await results.occupy(results.shedder.limit);
    const call = await results.call({ remainingMs: 1_000 });
    await advance(924);
    expectFates([call], ['waiting'], 'the service took 50 ms of late, so 75 are allowed');
    await advance(1);
    expectFates([call], ['refused: too late'], '75 ms remain');
  });
});

describe('7 · the morning', () => {
  const SEED = 20_261_123;
  const usual: LoadShedderOptions = {
    initialLimit: 10,
    minLimit: 2,
    maxLimit: 60,
    queue: 20,
    windowSize: 10,
    baselineWindows: 30,
    tolerance: 1.5,
    backoff: 0.5,
  };

  it.each([
    { places: 5, initialLimit: 40 },
    { places: 8, initialLimit: 2 },
  ])(
    'finds out that there are $places places, from a limit of $initialLimit',
    async ({ places, initialLimit }) => {
      const morning = new Morning(new Machine(places, 100), { ...usual, initialLimit });
      const all = { pupils: 13 * places };
      await morning.goesOn(5, all);
      const { served, limit, latencyMs } = await morning.goesOn(3, all);
      const what = `${places} places, 100 ms a request, ${10 * places} a second; ${13 * places} pupils ask`;
      expect(served.normal, `${what}: so many are served in time`).toBeGreaterThan(6.5 * places);
      expect(limit, `${what}: the limit, on average`).toBeGreaterThan(0.6 * places);
      expect(limit, `${what}: the limit, on average`).toBeLessThan(1.8 * places);
      expect(latencyMs, `${what}: the latency, on average`).toBeLessThan(200);
    },
  );

  it('sheds those who matter least', async () => {
    const morning = new Morning(new Machine(5, 100), usual);
    const all = { teachers: 20, pupils: 30, newspapers: 50 };
    await morning.goesOn(2, all);
    const { served } = await morning.goesOn(3, all);
    const what = 'the service can do 50 a second; 20 teachers, 30 pupils and 50 newspapers ask';
    expect(served.critical, `${what}; teachers served`).toBeGreaterThan(18);
    expect(served.normal, `${what}; pupils served`).toBeGreaterThan(10);
    expect(served.sheddable, `${what}; newspapers served`).toBeLessThan(8);
  });

  it('is back within 2 s when the service stood still for 5 s', async () => {
    const machine = new Machine(10, 100);
    const morning = new Morning(machine, usual);
    const all = { pupils: 70, attempts: 3 };
    const before = await morning.goesOn(2, all);
    expect(before.served.normal, 'the service can do 100 a second, 70 pupils ask').toBeGreaterThan(
      63,
    );
    machine.standsStill = true;
    await morning.goesOn(5, all);
    machine.standsStill = false;
    await morning.goesOn(2, all);
    const { served } = await morning.goesOn(2, all);
    expect(
      served.normal,
      '70 pupils a second ask, each up to three times; two seconds after the service came back',
    ).toBeGreaterThan(63);
  });

  it('does not let a line end in answers that are too late', async () => {
    const morning = new Morning(new Machine(5, 100), { ...usual, queue: 100 });
    const all = { pupils: 90 };
    await morning.goesOn(2, all);
    const { served } = await morning.goesOn(3, all);
    expect(
      served.normal,
      'the service can do 50 a second, 90 pupils ask, and each has 1 s; served in time',
    ).toBeGreaterThan(30);
  });

  it('notices a new machine', async () => {
    const machine = new Machine(5, 100);
    const morning = new Morning(machine, usual);
    await morning.goesOn(2, { pupils: 70 });
    machine.places = 15;
    const all = { pupils: 170 };
    await morning.goesOn(3, all);
    const { served } = await morning.goesOn(2, all);
    expect(served.normal, 'five places became 15, so 150 a second').toBeGreaterThan(95);
  });

  it('notices that the service has become slow for good', async () => {
    const machine = new Machine(8, 75);
    const morning = new Morning(machine, {
      ...usual,
      minLimit: 4,
      maxLimit: 24,
      windowSize: 5,
      baselineWindows: 12,
    });
    const all = { pupils: 100 };
    await morning.goesOn(2, all);
    machine.serviceMs = 200;
    await morning.goesOn(6, all);
    const { served } = await morning.goesOn(2, all);
    expect(served.normal, '75 ms became 200, so eight places do 40 a second').toBeGreaterThan(22);
  });

  it('does what a shedder on paper does, call by call', async () => {
    await fc.assert(
      fc.asyncProperty(fc.noShrink(anyGiven()), histories(), async (given, history) => {
        const results = new Results(createLoadShedder(given.options));
        await fc.asyncModelRun(() => ({ model: new Paper(given.options), real: results }), history);
        await results.closeUp();
        allResults.length = 0;
      }),
      { seed: SEED, numRuns: 40 },
    );
  });
});

// ── A results service with so many places, and those who ask it in the morning ──────────────────────────

const TICK_MS = 25;

/** Works on so many requests at once, each of which takes so long. More wait within it, first come first served. */
class Machine {
  places: number;
  serviceMs: number;
  standsStill = false;
  #requests: { leftMs: number; readonly done: () => void }[] = [];
  #seed = 20_261_123;

  constructor(places: number, serviceMs: number) {
    this.places = places;
    this.serviceMs = serviceMs;
  }

  request(): Promise<void> {
    return new Promise((done) => {
      // Some take a little less, some a little more.
      const leftMs = this.serviceMs * (0.8 + 0.4 * this.#random());
      this.#requests.push({ leftMs, done });
    });
  }

  works(): void {
    if (this.standsStill) return;
    for (const request of this.#requests.slice(0, this.places)) {
      request.leftMs -= TICK_MS;
      if (request.leftMs <= 0) request.done();
    }
    this.#requests = this.#requests.filter(({ leftMs }) => leftMs > 0);
  }

  /** The same numbers each time. */
  #random(): number {
    this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return this.#seed / 2 ** 31;
  }
}

/** How many of each ask, per second, and how often each of them tries. */
interface Askers {
  readonly attempts?: number;
  readonly teachers?: number;
  readonly pupils?: number;
  readonly newspapers?: number;
}

/** What was seen during some seconds. */
interface Seen {
  /** Of those who asked, how many had an answer while they still waited; per second. */
  readonly served: Record<Priority, number>;
  readonly limit: number;
  readonly latencyMs: number;
}

/** Everybody waits for 1 s. */
class Morning {
  readonly #machine: Machine;
  readonly #shedder: LoadShedder;
  readonly #due = { critical: 0, normal: 0, sheddable: 0 };
  /** Who will ask again: in so many ticks, for so many times. */
  #again: { ticks: number; readonly priority: Priority; readonly attempts: number }[] = [];
  #nowMs = 0;
  #served = { critical: 0, normal: 0, sheddable: 0 };
  #latencies: number[] = [];

  constructor(machine: Machine, options: LoadShedderOptions) {
    this.#machine = machine;
    this.#shedder = createLoadShedder(options);
    mornings.push(this);
  }

  /** Nobody asks any more, and whoever waits hears that it is too late. */
  async isOver(): Promise<void> {
    await advance(1_000);
  }

  async goesOn(seconds: number, askers: Askers): Promise<Seen> {
    const { teachers = 0, pupils = 0, newspapers = 0, attempts = 1 } = askers;
    const perSecond = { critical: teachers, normal: pupils, sheddable: newspapers };
    this.#served = { critical: 0, normal: 0, sheddable: 0 };
    this.#latencies = [];
    // Many are refused, and what takes time of a refusal is the stack of its error.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    let limits = 0;
    const ticks = (seconds * 1_000) / TICK_MS;
    for (let tick = 0; tick < ticks; tick += 1) {
      this.#machine.works();
      for (const priority of PRIORITIES) {
        this.#due[priority] += (perSecond[priority] * TICK_MS) / 1_000;
        for (; this.#due[priority] >= 1; this.#due[priority] -= 1) this.#asks(priority, attempts);
      }
      this.#asksAgain();
      await advance(TICK_MS);
      this.#nowMs += TICK_MS;
      limits += this.#shedder.limit;
    }
    Error.stackTraceLimit = stackTraceLimit;
    const { critical, normal, sheddable } = this.#served;
    return {
      served: {
        critical: critical / seconds,
        normal: normal / seconds,
        sheddable: sheddable / seconds,
      },
      limit: limits / ticks,
      latencyMs: this.#latencies.reduce((a, b) => a + b, 0) / this.#latencies.length,
    };
  }

  #asks(priority: Priority, attempts: number): void {
    const waitsUntil = this.#nowMs + 1_000;
    const begin = async () => {
      const begunAt = this.#nowMs;
      await this.#machine.request();
      this.#latencies.push(this.#nowMs - begunAt);
    };
    this.#shedder.run(begin, { priority, remainingMs: 1_000 }).then(
      () => {
        if (this.#nowMs <= waitsUntil) this.#served[priority] += 1;
        else this.#willAsk(priority, attempts - 1, 0);
      },
      () => this.#willAsk(priority, attempts - 1, 10),
    );
  }

  #willAsk(priority: Priority, attempts: number, ticks: number): void {
    if (attempts > 0) this.#again.push({ ticks, priority, attempts });
  }

  #asksAgain(): void {
    const now = this.#again.filter((asker) => (asker.ticks -= 1) <= 0);
    this.#again = this.#again.filter(({ ticks }) => ticks > 0);
    for (const { priority, attempts } of now) this.#asks(priority, attempts);
  }
}

// ── The shedder on paper, and what can happen to it ─────────────────────────────────────────────────────

class Given {
  readonly options: LoadShedderOptions;

  constructor(options: LoadShedderOptions) {
    this.options = options;
  }

  /** How fast-check prints it. */
  [fc.toStringMethod] = () =>
    [
      ...Object.entries(this.options).map(([name, value]) => `${name}: ${value}`),
      'each step takes 1 ms',
    ].join(', ');
}

function anyGiven(): fc.Arbitrary<Given> {
  return fc
    .record({
      initialLimit: fc.integer({ min: 2, max: 4 }),
      minLimit: fc.integer({ min: 1, max: 2 }),
      maxLimit: fc.integer({ min: 4, max: 6 }),
      queue: fc.integer({ min: 0, max: 3 }),
      windowSize: fc.constantFrom(1, 3),
      baselineWindows: fc.integer({ min: 2, max: 3 }),
      tolerance: fc.constantFrom(2, 3),
      backoff: fc.constantFrom(0.5, 0.75),
    })
    .map((options) => new Given(options));
}

interface CallOnPaper {
  readonly priority: Priority;
  readonly throws: boolean;
  fate: Fate;
  /** When it has waited too long. */
  lateAt: number;
  begunAt: number;
  /** How many slow windows there had been when it began. */
  slowBefore: number;
}

/** The shedder as one would play it with pencil and paper. */
class Paper {
  readonly calls: CallOnPaper[] = [];
  /** The numbers of the calls whose tasks have begun, in their order. */
  readonly begun: number[] = [];
  /** More than one while it is up to the answer. */
  limits: readonly number[];
  readonly #options: LoadShedderOptions;
  #nowMs = 0;
  #slow = 0;
  #samples: number[] = [];
  #medians: number[] = [];
  /** Whether all permits were taken in this window. */
  #full: 'no' | 'perhaps' | 'yes' = 'no';

  constructor(options: LoadShedderOptions) {
    this.#options = options;
    this.limits = [options.initialLimit];
  }

  get running(): CallOnPaper[] {
    return this.calls.filter(({ fate }) => fate === 'running');
  }

  /** In the order in which they will be served. */
  get line(): CallOnPaper[] {
    return PRIORITIES.flatMap((priority) =>
      this.calls.filter((call) => call.fate === 'waiting' && call.priority === priority),
    );
  }

  arrives(priority: Priority, remainingMs: number, throws: boolean): void {
    const call: CallOnPaper = {
      priority,
      throws,
      fate: 'waiting',
      lateAt: this.#nowMs + remainingMs - (this.#allowanceMs ?? 0),
      begunAt: 0,
      slowBefore: 0,
    };
    const { line } = this;
    this.calls.push(call);
    if (remainingMs <= 0) call.fate = 'refused: too late';
    else if (this.running.length < this.#limit) this.#begins(call);
    else if (call.lateAt <= this.#nowMs) call.fate = 'refused: too late';
    else if (line.length === this.#options.queue) {
      const last = line.at(-1);
      if (!last || PRIORITIES.indexOf(last.priority) <= PRIORITIES.indexOf(priority)) {
        call.fate = 'refused: full';
      } else last.fate = 'refused: displaced';
    }
  }

  ends(call: CallOnPaper, fate: 'served' | 'failed'): void {
    this.#counts(call, fate);
    call.fate = fate;
    let [next] = this.line;
    while (next && this.running.length < this.#limit) {
      this.#begins(next);
      [next] = this.line;
    }
  }

  passes(ms: number): void {
    this.#nowMs += ms;
    for (const call of this.line) {
      if (call.lateAt <= this.#nowMs) call.fate = 'refused: too late';
    }
  }

  get #limit(): number {
    return this.limits[0] ?? 0;
  }

  get #allowanceMs(): number | undefined {
    if (this.#medians.length === 0) return undefined;
    return this.#options.tolerance * Math.min(...this.#medians);
  }

  #begins(call: CallOnPaper): void {
    call.fate = 'running';
    call.begunAt = this.#nowMs;
    call.slowBefore = this.#slow;
    this.begun.push(this.calls.indexOf(call) + 1);
    if (this.running.length >= this.#limit) this.#full = 'yes';
    if (!call.throws) return;
    // Whether others from the line hold permits by the time it throws depends on when tasks begin.
    if (this.#full === 'no' && this.line.length > 0) this.#full = 'perhaps';
    this.ends(call, 'failed');
  }

  #counts({ begunAt, slowBefore }: CallOnPaper, fate: 'served' | 'failed'): void {
    const latencyMs = this.#nowMs - begunAt;
    if (slowBefore < this.#slow) return;
    if (fate === 'served') this.#samples.push(latencyMs);
    else if (latencyMs > (this.#allowanceMs ?? Infinity)) this.#samples.push(Infinity);
    if (this.#samples.length === this.#options.windowSize) this.#judges();
  }

  #judges(): void {
    const { minLimit, maxLimit, backoff, baselineWindows } = this.#options;
    const limit = this.#limit;
    const median = this.#samples.toSorted((a, b) => a - b)[(this.#samples.length - 1) / 2] ?? 0;
    if (median < Infinity) this.#medians = [...this.#medians, median].slice(-baselineWindows);
    const grown = Math.min(maxLimit, limit + 1);
    if (median > (this.#allowanceMs ?? Infinity)) {
      this.#slow += 1;
      this.limits = [Math.max(minLimit, Math.floor(limit * backoff))];
      this.#full = this.running.length >= this.#limit ? 'perhaps' : 'no';
    } else {
      this.limits = { no: [limit], perhaps: [limit, grown], yes: [grown] }[this.#full];
      this.#full = 'no';
    }
    this.#samples = [];
  }
}

/** What must hold after every step. Thousands of steps are compared: `expect` is for the one that differs. */
function compare(paper: Paper, results: Results): void {
  const { limit, running, queued } = results.shedder;
  if (!paper.limits.includes(limit)) {
    expect.fail(`\`limit\` is ${limit}; on paper ${paper.limits.join(' or ')}`);
  }
  paper.limits = [limit];
  for (const [index, { fate }] of paper.calls.entries()) {
    const real = results.calls[index]?.fate;
    if (real !== fate) expect.fail(`call ${index + 1}: on paper "${fate}", in fact "${real}"`);
  }
  const begun = results.numbersOf(results.begun);
  if (String(begun) !== String(paper.begun)) {
    expect.fail(`tasks began in the order ${begun.join()}; on paper ${paper.begun.join()}`);
  }
  if (running !== paper.running.length) {
    expect.fail(`\`running\` is ${running}; on paper ${paper.running.length}`);
  }
  if (queued !== paper.line.length) {
    expect.fail(`\`queued\` is ${queued}; on paper ${paper.line.length}`);
  }
}

/** One after another: what happens in the same millisecond, a clock cannot tell apart. */
async function step(paper: Paper, results: Results): Promise<void> {
  await advance(1);
  paper.passes(1);
  compare(paper, results);
}

/** Anything that can happen to a shedder, in any order. */
function histories() {
  const priority = fc.constantFrom(...PRIORITIES);
  return fc.commands(
    [
      priority.map((p) => new Arrives(p, undefined)),
      priority.map((p) => new Arrives(p, undefined)),
      fc.tuple(priority, fc.constantFrom(0, 60, 200)).map(([p, ms]) => new Arrives(p, ms)),
      priority.map((p) => new Arrives(p, undefined, true)),
      fc.nat(9).map((nth) => new Ends(nth)),
      fc.nat(9).map((nth) => new Ends(nth)),
      fc.nat(9).map((nth) => new Ends(nth)),
      fc.nat(9).map((nth) => new Ends(nth, outage())),
      fc.constantFrom(10, 20, 50).map((ms) => new TimePasses(ms)),
      fc.constantFrom(10, 100).map((ms) => new TimePasses(ms)),
    ],
    { maxCommands: 50, size: 'max' },
  );
}

class Arrives implements fc.AsyncCommand<Paper, Results> {
  readonly #priority: Priority;
  readonly #remainingMs: number | undefined;
  readonly #throws: boolean;
  constructor(priority: Priority, remainingMs: number | undefined, throws = false) {
    this.#priority = priority;
    this.#remainingMs = remainingMs;
    this.#throws = throws;
  }
  check = () => true;
  async run(paper: Paper, results: Results) {
    const priority = this.#priority;
    const remainingMs = this.#remainingMs;
    if (this.#throws) results.callThatThrows(outage(), { priority });
    else if (remainingMs === undefined) results.callNow({ priority });
    else results.callNow({ priority, remainingMs });
    paper.arrives(priority, remainingMs ?? Infinity, this.#throws);
    await step(paper, results);
  }
  toString = () =>
    [
      `${this.#priority} call`,
      ...(this.#throws ? ['that throws'] : []),
      ...(this.#remainingMs === undefined ? [] : [`with ${this.#remainingMs} ms`]),
    ].join(' ');
}

class Ends implements fc.AsyncCommand<Paper, Results> {
  readonly #nth: number;
  readonly #error: Error | undefined;
  constructor(nth: number, error?: Error) {
    this.#nth = nth;
    this.#error = error;
  }
  check = (paper: Readonly<Paper>) => paper.running.length > 0;
  async run(paper: Paper, results: Results) {
    // Round the end of the list, so that every number finds somebody.
    const call = paper.running[this.#nth % paper.running.length];
    if (!call) return;
    results.calls[paper.calls.indexOf(call)]?.end(this.#error);
    paper.ends(call, this.#error ? 'failed' : 'served');
    await step(paper, results);
  }
  toString = () => `running task no. ${this.#nth} ${this.#error ? 'fails' : 'ends'}`;
}

class TimePasses implements fc.AsyncCommand<Paper, Results> {
  readonly #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  check = () => true;
  async run(paper: Paper, results: Results) {
    await advance(this.#ms);
    paper.passes(this.#ms);
    compare(paper, results);
  }
  toString = () => `+${this.#ms} ms`;
}
