import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  BulkheadFullError,
  createBulkhead,
  createBulkheads,
  type Bulkhead,
  type BulkheadOptions,
} from './bulkhead.ts';

// ── The points service and the tills that call it, played by the spec ───────────────────────────────────

class PointsError extends Error {
  override readonly name = 'PointsError';
}
const outage = () => new PointsError('503 from the points service');
const POINTS = '70 points';

/**
 * What has become of a call. `waiting`: it was neither answered nor refused, and its task has not begun.
 * `gave up`: its signal aborted, and it was told the signal's reason.
 */
type Fate =
  | 'waiting'
  | 'running'
  | 'served'
  | 'failed'
  | 'gave up'
  | `refused: ${BulkheadFullError['reason']}`;

/** One call: how often its task has begun, and what its caller was told. */
class Call {
  readonly signal: AbortSignal | undefined;
  begun = 0;
  /** What settles its task: with points, or with the error given. */
  end: (error?: Error) => void = () => {};
  /** How its task ended, once it has. */
  outcome: { readonly error?: unknown } | undefined;
  answer: { readonly value: unknown } | { readonly error: unknown } | undefined;

  constructor(signal?: AbortSignal) {
    this.signal = signal;
  }

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
    const mustNotHaveRun = fate === 'gave up' || fate.startsWith('refused');
    return mustNotHaveRun && this.begun ? `${fate}, though its task has begun` : fate;
  }

  #fateOf(answer: NonNullable<Call['answer']>): string {
    if ('value' in answer) {
      if (!this.outcome) return `answered with ${String(answer.value)} before its task has ended`;
      return answer.value === POINTS ? 'served' : `answered with ${String(answer.value)}`;
    }
    const { error } = answer;
    if (this.outcome && 'error' in this.outcome && this.outcome.error === error) return 'failed';
    if (this.signal?.aborted && error === this.signal.reason) return 'gave up';
    if (error instanceof BulkheadFullError) return `refused: ${error.reason}`;
    return `told ${String(error)}`;
  }
}

/** Tills that share one bulkhead, and what the points service sees of them. */
class Tills {
  readonly bulkhead: Bulkhead;
  readonly calls: Call[] = [];
  /** Calls in the order in which their tasks began. */
  readonly begun: Call[] = [];
  atWork = 0;
  /** The most calls that the service was working on at once. */
  most = 0;

  constructor(bulkhead: Bulkhead) {
    if (typeof bulkhead?.run !== 'function') {
      expect.fail(
        `in place of a bulkhead came ${bulkhead === undefined ? 'nothing' : `a thing (${typeof bulkhead}) without \`run\``}`,
      );
    }
    this.bulkhead = bulkhead;
    allTills.push(this);
  }

  /** A call whose task ends when the spec says so. Nothing has settled yet when this returns. */
  callNow(signal?: AbortSignal): Call {
    return this.#run(new Call(signal), (call) => this.#serve(call));
  }

  async call(signal?: AbortSignal): Promise<Call> {
    const call = this.callNow(signal);
    await settle();
    return call;
  }

  /** So many calls, one after another. */
  async queueUp(count: number, signal?: AbortSignal): Promise<Call[]> {
    const calls = Array.from({ length: count }, () => this.callNow(signal));
    await settle();
    return calls;
  }

  /** A call whose task throws before there is a promise, as soon as it begins. */
  callThatThrows(error: Error, signal?: AbortSignal): Call {
    return this.#run(new Call(signal), (call) => {
      this.#over(call, { error });
      throw error;
    });
  }

  /** A call whose task returns what `work` returns, or throws what it throws. */
  callFor(work: () => unknown): Call {
    return this.#run(new Call(), (call) => {
      this.#over(call, {});
      return work();
    });
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

  #running(): Call[] {
    return this.calls.filter(({ begun, outcome }) => begun && !outcome);
  }

  #serve(call: Call): Promise<string> {
    return new Promise((resolve, reject) => {
      call.end = (error) => {
        if (call.outcome) return;
        this.#over(call, error ? { error } : {});
        if (error) reject(error);
        else resolve(POINTS);
      };
    });
  }

  #run(call: Call, task: (call: Call) => unknown): Call {
    this.calls.push(call);
    const { signal } = call;
    const work = () => {
      call.begun += 1;
      this.begun.push(call);
      this.atWork += 1;
      this.most = Math.max(this.most, this.atWork);
      return task(call);
    };
    callNeverThrows(() =>
      signal ? this.bulkhead.run(work, { signal }) : this.bulkhead.run(work),
    ).then(
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

function callNeverThrows(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return run();
  } catch (error) {
    return expect.fail(`run() threw ${String(error)}: it must return a promise that rejects`);
  }
}

const allTills: Tills[] = [];

function tillsWith(options: BulkheadOptions): Tills {
  return new Tills(createBulkhead(options));
}

function fatesOf(calls: readonly Call[]): string[] {
  return calls.map(({ fate }) => fate);
}

/** What its caller was told in place of an answer. */
function errorOf({ answer }: Call): unknown {
  if (!answer) return 'no answer yet';
  return 'error' in answer ? answer.error : `no error, but ${String(answer.value)}`;
}

function expectFates(calls: readonly Call[], fates: readonly Fate[], because: string): void {
  expect(fatesOf(calls), because).toEqual(fates);
}

function expectCounters(
  { bulkhead: { running, queued } }: Tills,
  expected: { readonly running: number; readonly queued: number },
  because: string,
): void {
  expect({ running, queued }, because).toEqual(expected);
}

/** Nothing runs or waits: so many calls can run at once, and not one more. */
async function expectAllPermitsFree(tills: Tills, permits: number, because: string) {
  expectCounters(tills, { running: 0, queued: 0 }, because);
  const already = tills.calls.length;
  await tills.queueUp(permits + 1);
  const running = tills.calls.slice(already).filter(({ fate }) => fate === 'running');
  expect(running.length, `${because}: how many of ${permits + 1} new calls run at once`).toBe(
    permits,
  );
  await tills.closeUp();
}

/** A few turns of the promise queue: no time, and fewer than it takes for all to settle. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
}
/** Enough for whatever an answer does between the end of one task and the start of the next. */
const MOST_TURNS = 12;

function later(turn: number): string {
  if (turn === 0) return 'in the very same step';
  return `${turn} ${turn === 1 ? 'turn' : 'turns'} of the promise queue later`;
}

function listenersOn(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

/** As query builders make them: no promise, but awaited like one. The query is sent when `then` is called. */
class Query implements PromiseLike<unknown> {
  sent = 0;
  readonly #ask: () => Promise<unknown>;
  constructor(ask: () => Promise<unknown>) {
    this.#ask = ask;
  }
  // oxlint-disable-next-line unicorn/no-thenable
  readonly then: PromiseLike<unknown>['then'] = (onValue, onError) => {
    this.sent += 1;
    return this.#ask().then(onValue, onError);
  };
}

async function closeAll(): Promise<void> {
  for (const tills of allTills.splice(0)) {
    await tills.closeUp();
    // An answer that looks for a permit now and then would go on looking during the tests to come.
    for (let round = 0; round < 20 && tills.fates.includes('waiting'); round += 1) {
      await advance(100);
      await tills.closeUp();
    }
  }
}

afterEach(async () => {
  await closeAll();
  if (pendingTimers() > 0) expect.fail('every task has ended, nobody waits, and a timer is set');
});

// ── Levels ──────────────────────────────────────────────────────────────────────────────────────────────

describe('1 · permits: so many at once, no more', () => {
  it('hands over what the task resolves with', async () => {
    const call = await tillsWith({ permits: 1, queue: 0 }).call();
    expectFates([call], ['running'], 'a permit is free');
    await call.ends();
    expectFates([call], ['served'], 'the points service has answered');
  });

  it('hands over the very error the task rejects with', async () => {
    const call = await tillsWith({ permits: 1, queue: 0 }).call();
    const error = outage();
    await call.ends(error);
    expect(errorOf(call), 'the caller needs the original error, not a copy').toBe(error);
    expectFates([call], ['failed'], 'the points service has failed');
  });

  it('turns a throw into a rejection', async () => {
    const call = tillsWith({ permits: 1, queue: 0 }).callThatThrows(outage());
    await settle();
    expectFates([call], ['failed'], 'the task threw; its caller must get that very error');
  });

  it('takes a task that returns a plain value, even undefined', async () => {
    const tills = tillsWith({ permits: 5, queue: 0 });
    const values = [42, undefined, null, '', ['70 points']];
    const calls = values.map((value) => tills.callFor(() => value));
    await settle();
    expect(
      calls.map(({ answer }) => answer),
      'tasks that return no promise',
    ).toEqual(values.map((value) => ({ value })));
    const isTheVeryOne = calls.every(
      ({ answer }, nth) => answer && 'value' in answer && answer.value === values[nth],
    );
    expect(isTheVeryOne, 'each caller gets the very value, not a copy of it').toBe(true);
  });

  it('takes a task that returns anything with a then', async () => {
    const tills = tillsWith({ permits: 2, queue: 0 });
    const answered = new Query(() => Promise.resolve(POINTS));
    const error = outage();
    const failed = new Query(() => Promise.reject(error));
    const calls = [tills.callFor(() => answered), tills.callFor(() => failed)];
    await settle();
    expect(calls[0]?.answer, 'the query answered').toEqual({ value: POINTS });
    expect(calls[1] && errorOf(calls[1]), 'the query failed').toBe(error);
    expect([answered.sent, failed.sent], 'how often each query was sent').toEqual([1, 1]);
  });

  it('hands over whatever was thrown, even nothing at all', async () => {
    const tills = tillsWith({ permits: 6, queue: 0 });
    for (const error of [undefined, null, 'no route to host']) {
      const rejects = tills.callFor(() => Promise.reject(error));
      const throws = tills.callFor(() => {
        // oxlint-disable-next-line typescript/only-throw-error
        throw error;
      });
      await settle();
      expect(rejects.answer, `the task rejects with ${String(error)}`).toEqual({ error });
      expect(throws.answer, `the task throws ${String(error)}`).toEqual({ error });
    }
  });

  it('takes the refusal of another bulkhead for an error like any other', async () => {
    const tills = tillsWith({ permits: 1, queue: 0 });
    const other = tillsWith({ permits: 1, queue: 0 });
    await other.call();
    let refusal: unknown;
    const call = tills.callFor(() =>
      other.bulkhead
        .run(() => POINTS)
        .catch((error: unknown) => {
          refusal = error;
          throw error;
        }),
    );
    await settle();
    expect(
      errorOf(call) === refusal,
      `the task failed, as another bulkhead is full, and its caller needs that very error; it was told ${String(errorOf(call))}`,
    ).toBe(true);
    expect(call.begun, 'the task failed, as another bulkhead is full: how often it has run').toBe(
      1,
    );
    await expectAllPermitsFree(tills, 1, 'the task has failed');
  });

  it('takes options without a signal', async () => {
    const { bulkhead } = tillsWith({ permits: 1, queue: 0 });
    let answer: unknown;
    void callNeverThrows(() => bulkhead.run(() => POINTS, {})).then(
      (value) => (answer = value),
      (error: unknown) => (answer = error),
    );
    await settle();
    expect(answer, 'a call with options, and without a signal in them').toBe(POINTS);
  });

  it.each([1, 2, 5, 20])('runs so many side by side, and refuses the next: %i', async (permits) => {
    const tills = tillsWith({ permits, queue: 0 });
    const calls: Call[] = [];
    for (let i = 0; i < permits; i += 1) calls.push(await tills.call());
    expect(fatesOf(calls), `permits: ${permits}, and so many calls`).toEqual(
      calls.map(() => 'running'),
    );
    const next = await tills.call();
    expectFates([next], ['refused: full'], 'all permits are taken, and nobody may wait');
    await advance(3_600_000);
    expectFates([next], ['refused: full'], 'an hour later');
  });

  it('says by the error that nothing has run', async () => {
    const tills = tillsWith({ permits: 1, queue: 0 });
    await tills.call();
    const refused = await tills.call();
    const error = errorOf(refused);
    expect(error, 'a refused call must be told by a BulkheadFullError').toBeInstanceOf(
      BulkheadFullError,
    );
    expect(error).toMatchObject({ name: 'BulkheadFullError', reason: 'full' });
    expect(refused.begun, 'how often the task of a refused call has run').toBe(0);
  });

  it('takes calls that arrive in the same instant one by one', async () => {
    const tills = tillsWith({ permits: 3, queue: 0 });
    await tills.queueUp(50);
    expect(tills.most, 'fifty calls in one instant, three permits: how many ran at once').toBe(3);
    expect(tills.fates.filter((fate) => fate === 'refused: full').length, 'the rest').toBe(47);
  });

  it('has taken the permit before the task begins', async () => {
    const tills = tillsWith({ permits: 1, queue: 0 });
    const inner: Call[] = [];
    let ends: () => void = () => {};
    const outer = tills.callFor(() => {
      inner.push(tills.callNow());
      return new Promise<void>((resolve) => {
        ends = resolve;
      });
    });
    await settle();
    expectFates(inner, ['refused: full'], 'a call from within the task that has the only permit');
    ends();
    await settle();
    expect(outer.answer, 'the call that came first').toEqual({ value: undefined });
  });

  it('says how many permits are taken', async () => {
    const tills = tillsWith({ permits: 2, queue: 0 });
    expectCounters(tills, { running: 0, queued: 0 }, 'nobody has called yet');
    await tills.call();
    expectCounters(tills, { running: 1, queued: 0 }, 'one call of two');
    await tills.call();
    expectCounters(tills, { running: 2, queued: 0 }, 'two calls of two');
    await tills.queueUp(3);
    expectCounters(tills, { running: 2, queued: 0 }, 'three more calls were refused');
  });

  it('counts for each bulkhead by itself', async () => {
    const points = tillsWith({ permits: 1, queue: 0 });
    const insurer = tillsWith({ permits: 1, queue: 0 });
    await points.call();
    expectFates([await insurer.call()], ['running'], 'only the bulkhead of the points is full');
    expectCounters(insurer, { running: 1, queued: 0 }, 'one call to the insurer');
  });
});

describe('2 · every permit comes back', () => {
  it('gives the permit back when the task succeeds', async () => {
    const tills = tillsWith({ permits: 1, queue: 0 });
    for (let round = 1; round <= 3; round += 1) {
      const call = await tills.call();
      expectFates([call], ['running'], `call ${round}: the one before has ended`);
      await call.ends();
      expectCounters(tills, { running: 0, queued: 0 }, `call ${round} was served`);
    }
  });

  it('gives the permit back when the task fails', async () => {
    const tills = tillsWith({ permits: 1, queue: 0 });
    for (let round = 1; round <= 3; round += 1) {
      const call = await tills.call();
      expectFates([call], ['running'], `call ${round}: the one before has failed`);
      await call.ends(outage());
      expectCounters(tills, { running: 0, queued: 0 }, `call ${round} has failed`);
    }
  });

  it('gives the permit back when the task throws at once', async () => {
    const tills = tillsWith({ permits: 2, queue: 0 });
    for (let round = 1; round <= 5; round += 1) {
      const call = tills.callThatThrows(outage());
      await settle();
      expectFates([call], ['failed'], `call ${round}: those before threw at once`);
    }
    await expectAllPermitsFree(tills, 2, 'five tasks threw at once');
  });

  it.each<[what: string, task: () => unknown]>([
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
    ['returns a query that answers', () => new Query(() => Promise.resolve(POINTS))],
  ])('gives the permit back when the task %s', async (what, task) => {
    const tills = tillsWith({ permits: 2, queue: 0 });
    for (let round = 1; round <= 5; round += 1) {
      const call = tills.callFor(task);
      await settle();
      expect(call.begun, `call ${round}: those before have ended`).toBe(1);
    }
    await expectAllPermitsFree(tills, 2, `five tasks, each of which ${what}`);
  });

  it('keeps the permit until a query has answered', async () => {
    const tills = tillsWith({ permits: 1, queue: 0 });
    let answers: (value: unknown) => void = () => {};
    const answer = new Promise((resolve) => {
      answers = resolve;
    });
    tills.callFor(() => new Query(() => answer));
    await advance(5_000);
    expectFates(
      [await tills.call()],
      ['refused: full'],
      'the task returned something with a `then`, which has not answered yet',
    );
    answers(POINTS);
    await settle();
    await expectAllPermitsFree(tills, 1, 'it has answered');
  });

  it.each<[string, (answers: () => void, fails: () => void) => void]>([
    ['answers twice', (answers) => [answers(), answers()]],
    ['fails twice', (_, fails) => [fails(), fails()]],
    ['answers, then fails', (answers, fails) => [answers(), fails()]],
  ])('gives back one permit for a query that %s', async (what, misbehave) => {
    const tills = tillsWith({ permits: 2, queue: 0 });
    await tills.call();
    tills.callFor(() => ({
      // oxlint-disable-next-line unicorn/no-thenable
      then: (onValue: (value: unknown) => void, onError: (error: unknown) => void) =>
        misbehave(
          () => onValue(POINTS),
          () => onError(outage()),
        ),
    }));
    await settle();
    const because = `of two permits a task holds one; the other was held by a query that ${what}`;
    expectCounters(tills, { running: 1, queued: 0 }, because);
    expectFates(await tills.queueUp(2), ['running', 'refused: full'], because);
  });

  it('gives back one permit for one task, no more', async () => {
    const tills = tillsWith({ permits: 3, queue: 0 });
    for (let round = 0; round < 4; round += 1) {
      const [first, second] = await tills.queueUp(3);
      await first?.ends(outage());
      await second?.ends();
      tills.callThatThrows(outage());
      tills.callFor(() => 42);
      await settle();
      await tills.closeUp();
    }
    expect(tills.most, 'three permits: the most tasks that ran at once').toBe(3);
    await expectAllPermitsFree(tills, 3, 'twenty tasks have ended in every way');
  });

  it('has nothing to give back for a refused call', async () => {
    const tills = tillsWith({ permits: 2, queue: 0 });
    await tills.queueUp(2);
    for (let i = 1; i <= 5; i += 1) {
      expectFates([await tills.call()], ['refused: full'], `refused call ${i}: two tasks run`);
    }
    expectCounters(tills, { running: 2, queued: 0 }, 'two tasks run, five calls were refused');
    await tills.closeUp();
    await expectAllPermitsFree(tills, 2, 'both have ended');
  });

  it('takes the ends in any order', async () => {
    const tills = tillsWith({ permits: 3, queue: 0 });
    const [first, second, third] = await tills.queueUp(3);
    await third?.ends();
    await first?.ends();
    expectCounters(tills, { running: 1, queued: 0 }, 'the third and the first have ended');
    const fourth = await tills.call();
    expectFates([fourth], ['running'], 'two permits are free');
    await second?.ends();
    expectCounters(tills, { running: 1, queued: 0 }, 'only the fourth still runs');
  });

  it.each<[what: string, task: () => unknown]>([
    ['value', () => Promise.resolve(POINTS)],
    ['error', () => Promise.reject(outage())],
    [
      'throw',
      () => {
        throw outage();
      },
    ],
    ['plain value', () => POINTS],
  ])('has the permit back before its caller has the answer: %s', async (_, task) => {
    const tills = tillsWith({ permits: 1, queue: 0 });
    const refused: number[] = [];
    const callAgainAndAgain = async () => {
      for (let round = 1; round <= 4; round += 1) {
        try {
          await tills.bulkhead.run(task);
        } catch (error) {
          if (error instanceof BulkheadFullError) refused.push(round);
        }
      }
    };
    void callAgainAndAgain();
    await settle();
    expect(
      refused,
      'one permit, no line: `await run(task)` four times in a row; which of them were refused',
    ).toEqual([]);
  });

  it('keeps the permit while the work runs, though its caller has stopped waiting', async () => {
    const tills = tillsWith({ permits: 1, queue: 0 });
    let ends: () => void = () => {};
    const work = new Promise<void>((resolve) => {
      ends = resolve;
    });
    const timeout = new Promise((_, reject) => {
      setTimeout(() => reject(new Error('no points within 1 s')), 1_000);
    });
    let toldCaller = false;
    void Promise.race([tills.bulkhead.run(() => work), timeout]).catch(() => {
      toldCaller = true;
    });
    await advance(1_000);
    expect(toldCaller, 'the caller has its own timeout, of 1 s').toBe(true);
    for (const ms of [0, 8_000, 3_600_000]) {
      await advance(ms);
      expectFates(
        [await tills.call()],
        ['refused: full'],
        'the caller has left, the work still runs: its permit is taken, however long it takes',
      );
    }
    ends();
    await settle();
    await expectAllPermitsFree(tills, 1, 'the work has ended');
  });
});

describe('3 · the line', () => {
  it.each([
    { permits: 1, queue: 1 },
    { permits: 2, queue: 3 },
    { permits: 5, queue: 12 },
  ])(
    'lets so many wait, and refuses the next: permits $permits, queue $queue',
    async ({ permits, queue }) => {
      const tills = tillsWith({ permits, queue });
      const running = await tills.queueUp(permits);
      const waiting = await tills.queueUp(queue);
      const [refused] = await tills.queueUp(1);
      expect(fatesOf(running), 'they got the permits').toEqual(running.map(() => 'running'));
      expect(fatesOf(waiting), 'all permits are taken, and there is room in the line').toEqual(
        waiting.map(() => 'waiting'),
      );
      expect(refused?.fate, 'the line is full').toBe('refused: full');
      expectCounters(tills, { running: permits, queued: queue }, 'all permits and places taken');
      await tills.closeUp();
      expect(fatesOf([...running, ...waiting]), 'whoever was let in was served').toEqual(
        [...running, ...waiting].map(() => 'served'),
      );
      expectCounters(tills, { running: 0, queued: 0 }, 'everybody was served');
    },
  );

  it('lets the longest waiting go first', async () => {
    const tills = tillsWith({ permits: 1, queue: 5 });
    for (let i = 0; i < 6; i += 1) await tills.call();
    await tills.closeUp();
    expect(tills.numbersOf(tills.begun), 'six calls, in the order in which they began').toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
  });

  it('lets one go for each permit that comes back', async () => {
    const tills = tillsWith({ permits: 2, queue: 3 });
    const [first, second] = await tills.queueUp(5);
    await second?.ends();
    expect(tills.fates, 'the second call has ended, the third has its permit').toEqual([
      'running',
      'served',
      'running',
      'waiting',
      'waiting',
    ]);
    expectCounters(tills, { running: 2, queued: 2 }, 'one has moved up');
    await first?.ends(outage());
    expect(tills.fates, 'the first call has failed, the fourth has its permit').toEqual([
      'failed',
      'served',
      'running',
      'running',
      'waiting',
    ]);
    expectCounters(tills, { running: 2, queued: 1 }, 'two have moved up');
  });

  it('lets as many go as permits come back in one instant', async () => {
    const tills = tillsWith({ permits: 3, queue: 4 });
    const running = await tills.queueUp(3);
    const waiting = await tills.queueUp(4);
    for (const call of running) call.end();
    await settle();
    expectFates(
      waiting,
      ['running', 'running', 'running', 'waiting'],
      'three tasks ended in one instant, four calls waited',
    );
    expect(tills.most, 'three permits: the most tasks that ran at once').toBe(3);
  });

  it('has room again for each call that has moved up', async () => {
    const tills = tillsWith({ permits: 1, queue: 1 });
    let [running] = await tills.queueUp(2);
    for (let round = 1; round <= 3; round += 1) {
      await running?.ends();
      const late = await tills.call();
      expectFates([late], ['waiting'], `round ${round}: the one who waited has moved up`);
      expectFates([await tills.call()], ['refused: full'], `round ${round}: now it is full again`);
      running = tills.begun.at(-1);
    }
  });

  it('gives each waiting caller the end of its own task', async () => {
    const tills = tillsWith({ permits: 1, queue: 4 });
    const running = await tills.call();
    const error = outage();
    const value = tills.callNow();
    const fails = tills.callNow();
    const throws = tills.callThatThrows(error);
    const plain = tills.callFor(() => 42);
    await running.ends();
    await value.ends();
    await fails.ends(error);
    await settle();
    expectFates(
      [value, fails, throws],
      ['served', 'failed', 'failed'],
      'three tasks that had waited: one succeeded, one rejected, one threw at once',
    );
    expect(plain.answer, 'a task that had waited and returns 42').toEqual({ value: 42 });
    await expectAllPermitsFree(tills, 1, 'all have ended');
  });

  it('runs a task once for each call, also when calls share it', async () => {
    const { bulkhead } = tillsWith({ permits: 1, queue: 3 });
    let begun = 0;
    const countUp = () => Promise.resolve((begun += 1));
    const answers: unknown[] = [];
    const note = (answer: unknown) => answers.push(answer);
    for (let i = 0; i < 4; i += 1) void bulkhead.run(countUp).then(note, note);
    await settle();
    expect(answers, 'four calls with the same function, which counts how often it runs').toEqual([
      1, 2, 3, 4,
    ]);
  });

  it('goes on when tasks that have waited throw at once', async () => {
    const tills = tillsWith({ permits: 1, queue: 9 });
    const running = await tills.call();
    for (let i = 0; i < 8; i += 1) tills.callThatThrows(outage());
    const last = tills.callNow();
    await running.ends();
    expectFates([last], ['running'], 'the eight before it threw at once');
    await last.ends();
    expectCounters(tills, { running: 0, queued: 0 }, 'all have ended');
  });

  it('has nothing to give back for a call that found the line full', async () => {
    const tills = tillsWith({ permits: 1, queue: 1 });
    const [running, waiting] = await tills.queueUp(2);
    await tills.queueUp(20);
    expect(
      [running?.fate, waiting?.fate],
      'one permit, one place, and twenty calls were refused',
    ).toEqual(['running', 'waiting']);
    expectCounters(tills, { running: 1, queued: 1 }, 'twenty calls were refused');
    expectFates([await tills.call()], ['refused: full'], 'the line is still full');
  });

  it('lets a call wait as long as it takes when there is no maximum', async () => {
    const tills = tillsWith({ permits: 1, queue: 1 });
    const running = await tills.call();
    const waiting = await tills.call();
    await advance(600_000);
    expectFates([running, waiting], ['running', 'waiting'], 'a task that takes ten minutes');
    await advance(26 * 24 * 3_600_000);
    expectFates([running, waiting], ['running', 'waiting'], 'a task that takes 26 days');
    await running.ends();
    expectFates([waiting], ['running'], 'it has ended');
  });

  it('has the permit back before a caller that has waited has its answer', async () => {
    const tills = tillsWith({ permits: 1, queue: 1 });
    const running = await tills.call();
    const refused: unknown[] = [];
    const again = () => tills.bulkhead.run(() => POINTS).catch((error) => refused.push(error));
    void tills.bulkhead.run(() => POINTS).then(() => Promise.all([again(), again()]));
    await settle();
    await running.ends();
    expect(
      refused,
      'one permit, one place: a caller that had waited has its answer and calls twice; what was refused',
    ).toEqual([]);
  });

  it('is as good as new after a quiet day', async () => {
    const tills = tillsWith({ permits: 2, queue: 2, maxWaitMs: 1_000 });
    for (let day = 1; day <= 3; day += 1) {
      await tills.queueUp(5);
      expect(tills.fates.slice(-5), `day ${day}: five calls, two permits, two places`).toEqual([
        'running',
        'running',
        'waiting',
        'waiting',
        'refused: full',
      ]);
      await tills.closeUp();
      await advance(24 * 3_600_000);
    }
  });
});

describe('4 · nobody overtakes', () => {
  const ends = { succeeds: undefined, fails: outage() };

  it.each(Object.entries(ends))(
    'gives the permit to the first in line, whoever comes in that instant, when a task %s',
    async (_, error) => {
      for (let turn = 0; turn <= MOST_TURNS; turn += 1) {
        const tills = tillsWith({ permits: 1, queue: 1 });
        const running = await tills.call();
        const waiting = await tills.call();
        running.end(error);
        await turns(turn);
        const newcomer = tills.callNow();
        await settle();
        const happened = `a permit came back, and ${later(turn)} came a newcomer`;
        expect(tills.most, `${happened}: the most tasks at once, with one permit`).toBe(1);
        expectFates([waiting], ['running'], `${happened}: the call that had waited`);
        expect(['waiting', 'refused: full'], `${happened}: the newcomer`).toContain(newcomer.fate);
        await waiting.ends();
        expect(['running', 'refused: full'], 'the newcomer, at the next permit').toContain(
          newcomer.fate,
        );
      }
    },
  );

  it('never refuses a call that it has let in', async () => {
    for (let turn = 0; turn <= MOST_TURNS; turn += 1) {
      const tills = tillsWith({ permits: 1, queue: 2 });
      const running = await tills.call();
      const waiting = await tills.queueUp(2);
      running.end();
      await turns(turn);
      for (let i = 0; i < 3; i += 1) tills.callNow();
      await settle();
      expectFates(
        waiting,
        ['running', 'waiting'],
        `two calls waited, a permit came back, and ${later(turn)} came three newcomers`,
      );
      await tills.closeUp();
      expectFates(waiting, ['served', 'served'], 'both were let in, so both are served');
    }
  });

  it('sends a caller that calls again at once to the end of the line', async () => {
    const tills = tillsWith({ permits: 1, queue: 2 });
    const order: string[] = [];
    const runAs = (name: string) =>
      tills.bulkhead
        .run(async () => {
          order.push(name);
          await settle();
        })
        .catch(() => {
          order.push(`${name}: refused`);
        });
    const greedy = async () => {
      for (let round = 0; round < 3; round += 1) await runAs('greedy');
    };
    void greedy();
    void runAs('patient').then(() => runAs('patient'));
    for (let i = 0; i < 12; i += 1) await settle();
    expect(
      order,
      'two tills that call again as soon as they have their answer: whose task ran',
    ).toEqual(['greedy', 'patient', 'greedy', 'patient', 'greedy']);
  });

  it('puts a call from within a task behind those that wait', async () => {
    const tills = tillsWith({ permits: 1, queue: 3 });
    const running = await tills.call();
    let inner: Call | undefined;
    tills.callFor(() => {
      inner = tills.callNow();
      return POINTS;
    });
    const waiting = await tills.call();
    await running.ends();
    expectFates([waiting], ['running'], 'it waited already when a task made a call of its own');
    expect(inner?.fate, 'the call from within a task').toBe('waiting');
  });

  it('keeps to its permits when tasks end and calls come in one instant', async () => {
    for (let turn = 0; turn <= MOST_TURNS; turn += 1) {
      const tills = tillsWith({ permits: 2, queue: 2 });
      const [first, second] = await tills.queueUp(4);
      first?.end();
      await turns(turn);
      tills.callNow();
      second?.end();
      tills.callNow();
      await turns(turn);
      tills.callNow();
      await settle();
      expect(
        tills.most,
        `two permits; tasks end, and ${later(turn)} come newcomers: the most tasks at once`,
      ).toBe(2);
      expectFates(tills.calls.slice(2, 4), ['running', 'running'], 'the two that waited');
    }
  });

  it('lets no permit lie idle when a newcomer comes just before one is back', async () => {
    for (let turn = 0; turn <= MOST_TURNS; turn += 1) {
      const tills = tillsWith({ permits: 1, queue: 1 });
      const running = await tills.call();
      const newcomer = tills.callNow();
      await turns(turn);
      running.end();
      await settle();
      expectFates([newcomer], ['running'], `it came, and ${later(turn)} the permit was back`);
    }
  });
});

describe('5 · giving up', () => {
  it('refuses a call whose signal has aborted before, without a look at the room', async () => {
    const signal = AbortSignal.abort(new Error('the till was switched off'));
    const tills = tillsWith({ permits: 1, queue: 1 });
    for (const room of ['a free permit', 'a place in the line', 'no room']) {
      const call = await tills.call(signal);
      expectFates([call], ['gave up'], `its signal had aborted before the call; there is ${room}`);
      await tills.call();
    }
    expectCounters(tills, { running: 1, queued: 1 }, 'two calls were let in');
    expect(listenersOn(signal), 'listeners on a signal that had aborted before').toBe(0);
  });

  it('takes nothing for a call whose signal has aborted before, not for a moment', async () => {
    const signal = AbortSignal.abort();
    const tills = tillsWith({ permits: 1, queue: 1 });
    tills.callNow(signal);
    const first = tills.callNow();
    tills.callNow(signal);
    const second = tills.callNow();
    tills.callNow(signal);
    await settle();
    expectFates(
      [first, second],
      ['running', 'waiting'],
      'one permit, one place; between these two came calls whose signal had aborted before',
    );
  });

  it('tells a waiting call at once that its signal has aborted', async () => {
    const tills = tillsWith({ permits: 1, queue: 3 });
    await tills.call();
    const controller = new AbortController();
    const waiting = await tills.queueUp(3, controller.signal);
    await advance(5_000);
    expectFates(waiting, ['waiting', 'waiting', 'waiting'], 'three calls with one signal');
    controller.abort();
    await settle();
    expectFates(waiting, ['gave up', 'gave up', 'gave up'], 'it has aborted; no permit came back');
    expectCounters(tills, { running: 1, queued: 0 }, 'all who waited have left');
  });

  it.each<[what: string, reason: unknown]>([
    ['an error', new Error('the till was switched off')],
    ['a text', 'closing time'],
    ['null', null],
    ['an empty text', ''],
    ['0', 0],
    ['false', false],
  ])('tells the reason of the signal, whatever it is: %s', async (_, reason) => {
    const tills = tillsWith({ permits: 1, queue: 1 });
    const before = await tills.call(AbortSignal.abort(reason));
    expect(errorOf(before), 'aborted before the call').toBe(reason);
    await tills.call();
    const controller = new AbortController();
    const waiting = await tills.call(controller.signal);
    controller.abort(reason);
    await settle();
    expect(errorOf(waiting), 'aborted while the call waited').toBe(reason);
    expectFates([before, waiting], ['gave up', 'gave up'], 'the very reason, not a copy');
  });

  it('frees the place of a call that has given up, before any permit comes back', async () => {
    const tills = tillsWith({ permits: 1, queue: 1 });
    const running = await tills.call();
    for (let round = 1; round <= 3; round += 1) {
      const controller = new AbortController();
      const waiting = await tills.call(controller.signal);
      expectFates([waiting], ['waiting'], `round ${round}: the one before has given up its place`);
      controller.abort();
      await settle();
    }
    const last = await tills.call();
    expectFates([last], ['waiting'], 'the three before have given up');
    await running.ends();
    expectFates([last], ['running'], 'the permit came back, and nobody else waits');
  });

  it('never runs the task of a call that has given up, and runs the next', async () => {
    const tills = tillsWith({ permits: 1, queue: 5 });
    await tills.call();
    const controller = new AbortController();
    await tills.call(controller.signal);
    await tills.call();
    await tills.call(controller.signal);
    await tills.call();
    await tills.call(controller.signal);
    controller.abort();
    await settle();
    await tills.closeUp();
    expect(
      tills.numbersOf(tills.begun),
      'six calls; the second, the fourth and the last gave up while they waited; whose tasks ran',
    ).toEqual([1, 3, 5]);
    await expectAllPermitsFree(tills, 1, 'all have ended or left');
  });

  it('lets only the one call give up whose signal aborts', async () => {
    const tills = tillsWith({ permits: 1, queue: 3 });
    const running = await tills.call();
    const controllers = [new AbortController(), new AbortController(), new AbortController()];
    const waiting: Call[] = [];
    for (const { signal } of controllers) waiting.push(await tills.call(signal));
    controllers[1]?.abort();
    await settle();
    expectFates(waiting, ['waiting', 'gave up', 'waiting'], 'the second of three has hung up');
    expectCounters(tills, { running: 1, queued: 2 }, 'the second of three has hung up');
    await running.ends();
    expectFates(waiting, ['running', 'gave up', 'waiting'], 'then a permit came back');
  });

  it('gives the permit back to nobody when all who waited have given up', async () => {
    const tills = tillsWith({ permits: 1, queue: 2 });
    const running = await tills.call();
    const controller = new AbortController();
    await tills.queueUp(2, controller.signal);
    controller.abort();
    await settle();
    await running.ends();
    await expectAllPermitsFree(tills, 1, 'one task has ended, two calls gave up before');
  });

  it('does not look at the signal once the task runs', async () => {
    const tills = tillsWith({ permits: 1, queue: 1 });
    const controllers = [new AbortController(), new AbortController()];
    const first = await tills.call(controllers[0]?.signal);
    const second = await tills.call(controllers[1]?.signal);
    controllers[0]?.abort();
    await advance(60_000);
    expectFates(
      [first, second],
      ['running', 'waiting'],
      'the first hung up while its task ran: the work goes on, and the permit is still taken',
    );
    expectCounters(tills, { running: 1, queued: 1 }, 'the first hung up while its task ran');
    await first.ends();
    expectFates(
      [first, second],
      ['served', 'running'],
      'its task has ended, and its caller is told how',
    );
    controllers[1]?.abort();
    await settle();
    expectFates([second], ['running'], 'the second had waited, and hung up while its task ran');
    await second.ends(outage());
    expectFates([second], ['failed'], 'its task has ended, and its caller is told how');
    await expectAllPermitsFree(tills, 1, 'both have ended');
  });

  it('gives nothing back for a signal that aborts when all is over', async () => {
    const tills = tillsWith({ permits: 1, queue: 1 });
    const controller = new AbortController();
    await tills.queueUp(2, controller.signal);
    await tills.closeUp();
    const running = await tills.call();
    controller.abort();
    await settle();
    expectFates(
      [await tills.call()],
      ['waiting'],
      'two calls had ended before their signal aborted',
    );
    expectFates([running], ['running'], 'it has the only permit');
    expect(tills.most, 'one permit: the most tasks at once').toBe(1);
  });

  it('begins nothing when all calls share one signal, and the running ones stop at it', async () => {
    const tills = tillsWith({ permits: 2, queue: 3 });
    const controller = new AbortController();
    const running = [tills.callNow(controller.signal), tills.callNow(controller.signal)];
    for (const call of running) {
      controller.signal.addEventListener('abort', () => call.end(outage()));
    }
    const waiting = await tills.queueUp(3, controller.signal);
    controller.abort();
    await settle();
    expectFates(waiting, ['gave up', 'gave up', 'gave up'], 'the till was switched off');
    await expectAllPermitsFree(tills, 2, 'the running tasks stopped when their signal aborted');
  });

  it('begins no task after its signal has aborted, though the permit was on its way', async () => {
    for (let turn = 0; turn <= MOST_TURNS; turn += 1) {
      const tills = tillsWith({ permits: 1, queue: 2 });
      const running = await tills.call();
      const controller = new AbortController();
      const waiting = await tills.call(controller.signal);
      const next = await tills.call();
      running.end();
      await turns(turn);
      const hadBegun = waiting.begun > 0;
      controller.abort();
      await settle();
      expectFates(
        [waiting, next],
        hadBegun ? ['running', 'waiting'] : ['gave up', 'running'],
        `a permit came back, and ${later(turn)} the first in line hung up; its task had ${hadBegun ? 'begun' : 'not begun'} by then. What has become of it, and of the next`,
      );
      await tills.closeUp();
      expectFates([next], ['served'], 'the next in line');
      await expectAllPermitsFree(tills, 1, 'all have ended');
    }
  });

  it('begins no task after its signal has aborted, though a permit was free', async () => {
    for (let turn = 0; turn <= MOST_TURNS; turn += 1) {
      const tills = tillsWith({ permits: 1, queue: 0 });
      const controller = new AbortController();
      const call = tills.callNow(controller.signal);
      await turns(turn);
      const hadBegun = call.begun > 0;
      controller.abort();
      await settle();
      expectFates(
        [call],
        [hadBegun ? 'running' : 'gave up'],
        `a permit was free, and ${later(turn)} the signal aborted; the task had ${hadBegun ? 'begun' : 'not begun'} by then`,
      );
      await tills.closeUp();
      await expectAllPermitsFree(tills, 1, 'it has ended');
    }
  });

  it('begins no task whose signal was aborted by the task before', async () => {
    const tills = tillsWith({ permits: 2, queue: 2 });
    const running = await tills.queueUp(2);
    for (const others of [running, []]) {
      const controller = new AbortController();
      const first = tills.callFor(() => controller.abort());
      const second = tills.callNow(controller.signal);
      if (others.length > 0) await settle();
      for (const call of others) call.end();
      await settle();
      const when =
        others.length > 0 ? 'two permits came back in one instant' : 'two permits were free';
      expectFates(
        [second],
        ['gave up'],
        `${when}; the first task, as it began, aborted the signal of the second`,
      );
      expect(first.begun, `${when}: how often the first task has run`).toBe(1);
      await expectAllPermitsFree(tills, 2, `${when}, and one call has given up`);
    }
  });

  it('passes a permit on that comes back just after the first in line has hung up', async () => {
    for (let turn = 0; turn <= MOST_TURNS; turn += 1) {
      const tills = tillsWith({ permits: 1, queue: 2 });
      const running = await tills.call();
      const controller = new AbortController();
      const waiting = await tills.call(controller.signal);
      const next = await tills.call();
      controller.abort();
      await turns(turn);
      running.end();
      await settle();
      expectFates(
        [waiting, next],
        ['gave up', 'running'],
        `the first in line hung up, and ${later(turn)} a permit came back`,
      );
    }
  });

  it.each([1, 250, 60_000, 172_800_000])(
    'refuses a call that has waited too long: %i ms',
    async (maxWaitMs) => {
      const tills = tillsWith({ permits: 1, queue: 1, maxWaitMs });
      const running = await tills.call();
      const waiting = await tills.call();
      await advance(maxWaitMs - 1);
      expectFates([waiting], ['waiting'], `it has waited for ${maxWaitMs - 1} ms`);
      await advance(1);
      expectFates([waiting], ['refused: waited too long'], `it has waited for ${maxWaitMs} ms`);
      expectCounters(tills, { running: 1, queued: 0 }, 'it has left the line');
      const next = await tills.call();
      expectFates([next], ['waiting'], 'its place is free');
      await running.ends();
      expectFates([next], ['running'], 'a permit came back');
      await next.ends();
      expectFates([waiting], ['refused: waited too long'], 'its task never runs');
      await expectAllPermitsFree(tills, 1, 'all have ended');
    },
  );

  it('counts the wait of each call by itself', async () => {
    const tills = tillsWith({ permits: 1, queue: 3, maxWaitMs: 1_000 });
    const running = await tills.call();
    const first = await tills.call();
    await advance(400);
    const second = await tills.call();
    await advance(300);
    const third = await tills.call();
    await advance(300);
    expectFates(
      [first, second, third],
      ['refused: waited too long', 'waiting', 'waiting'],
      'they have waited for 1,000, 600 and 300 ms',
    );
    await running.ends();
    expectFates([second, third], ['running', 'waiting'], 'a permit came back');
    await advance(699);
    expectFates([second, third], ['running', 'waiting'], 'the third has waited for 999 ms');
    await advance(1);
    expectFates([second, third], ['running', 'refused: waited too long'], 'for 1,000 ms');
  });

  it('counts the wait anew when the first in line has hung up', async () => {
    const tills = tillsWith({ permits: 1, queue: 2, maxWaitMs: 1_000 });
    await tills.call();
    const controller = new AbortController();
    const first = await tills.call(controller.signal);
    await advance(600);
    const second = await tills.call();
    controller.abort();
    await advance(400);
    expectFates([first, second], ['gave up', 'waiting'], 'the second has waited for 400 ms');
    await advance(599);
    expectFates([second], ['waiting'], 'it has waited for 999 ms');
    await advance(1);
    expectFates([second], ['refused: waited too long'], 'it has waited for 1,000 ms');
  });

  it('does not count the time the task takes', async () => {
    const tills = tillsWith({ permits: 1, queue: 1, maxWaitMs: 1_000 });
    const first = await tills.call();
    await advance(999);
    const second = await tills.call();
    await advance(999);
    await first.ends();
    expectFates([first, second], ['served', 'running'], 'the second has waited for 999 ms');
    await advance(60_000);
    expectFates([second], ['running'], 'it waits no more, it runs');
    await second.ends();
    expectFates([second], ['served'], 'its task took a minute');
  });

  it('frees no permit for a call that has waited too long', async () => {
    const tills = tillsWith({ permits: 2, queue: 2, maxWaitMs: 500 });
    await tills.queueUp(4);
    for (let round = 1; round <= 3; round += 1) {
      await advance(500);
      expectCounters(tills, { running: 2, queued: 0 }, `round ${round}: two waited too long`);
      const late = await tills.queueUp(2);
      expectFates(late, ['waiting', 'waiting'], `round ${round}: two tasks still run`);
    }
    await advance(500);
    expect(tills.most, 'two permits: the most tasks at once').toBe(2);
    await tills.closeUp();
    await expectAllPermitsFree(tills, 2, 'both tasks have ended');
  });

  it('does not lose the permit when the only one who waited has left just before', async () => {
    const tills = tillsWith({ permits: 1, queue: 1, maxWaitMs: 500 });
    const running = await tills.call();
    const waiting = await tills.call();
    await advance(500);
    expectFates([waiting], ['refused: waited too long'], 'it has waited for 500 ms');
    await running.ends();
    await expectAllPermitsFree(tills, 1, 'the task ended after that');
  });

  it('gives up once: by the signal, or by the wait', async () => {
    const tills = tillsWith({ permits: 1, queue: 2, maxWaitMs: 500 });
    const running = await tills.call();
    const controller = new AbortController();
    const first = await tills.call(controller.signal);
    await advance(500);
    const second = await tills.call(controller.signal);
    controller.abort();
    await advance(500);
    expectFates(
      [first, second],
      ['refused: waited too long', 'gave up'],
      'the first waited too long, then the signal of both aborted',
    );
    const third = await tills.queueUp(2);
    expectFates(third, ['waiting', 'waiting'], 'two places, and both are free');
    await running.ends();
    expectFates(third, ['running', 'waiting'], 'one permit came back');
  });

  it.each([-3_600_000, 3_600_000])(
    'does not notice that the wall clock is set by %i ms',
    async (stepMs) => {
      const tills = tillsWith({ permits: 1, queue: 2, maxWaitMs: 1_000 });
      await tills.call();
      const first = await tills.call();
      await advance(600);
      const second = await tills.call();
      stepWallClock(stepMs);
      await advance(399);
      expectFates([first, second], ['waiting', 'waiting'], 'they have waited for 999 and 399 ms');
      await advance(1);
      expectFates([first], ['refused: waited too long'], 'it has waited for 1,000 ms');
      await advance(599);
      expectFates([second], ['waiting'], 'it has waited for 999 ms');
      await advance(1);
      expectFates([second], ['refused: waited too long'], 'it has waited for 1,000 ms');
    },
  );

  it('leaves no listener on the signal of a call that has left the line', async () => {
    const tills = tillsWith({ permits: 1, queue: 2, maxWaitMs: 1_000 });
    const { signal: admitted } = new AbortController();
    const { signal: late } = new AbortController();
    const { signal: refused } = new AbortController();
    const { signal: often } = new AbortController();
    const hangsUp = new AbortController();
    const running = await tills.call();
    await tills.call(hangsUp.signal);
    hangsUp.abort();
    await settle();
    expect(listenersOn(hangsUp.signal), 'listeners on the signal of a call that hung up').toBe(0);
    const calls = [await tills.call(admitted), await tills.call(late), await tills.call(refused)];
    await running.ends();
    expectFates(calls, ['running', 'waiting', 'refused: full'], 'one permit came back');
    expect(listenersOn(refused), 'listeners on the signal of a call that found no room').toBe(0);
    expect(listenersOn(admitted), 'listeners on the signal of a call that has a permit').toBe(0);
    await advance(1_000);
    expectFates(calls.slice(1, 2), ['refused: waited too long'], 'a second later');
    expect(listenersOn(late), 'listeners on the signal of a call that waited too long').toBe(0);
    await tills.closeUp();
    for (let round = 0; round < 20; round += 1) {
      await tills.queueUp(2, often);
      await tills.closeUp();
    }
    expect(listenersOn(often), 'listeners on a signal: forty calls with it have ended').toBe(0);
  });

  it('leaves no timer for a call that has left the line', async () => {
    const tills = tillsWith({ permits: 1, queue: 1, maxWaitMs: 60_000 });
    const running = await tills.call();
    expect(pendingTimers(), 'timers: a permit was free, and nobody waits').toBe(0);
    const controller = new AbortController();
    await tills.call(controller.signal);
    controller.abort();
    await settle();
    expect(pendingTimers(), 'timers: the one who waited has hung up').toBe(0);
    const waiting = await tills.call();
    await tills.call();
    await running.ends();
    expectFates([waiting], ['running'], 'the one who waited has a permit');
    expect(pendingTimers(), 'timers: the one who waited has a permit').toBe(0);
  });
});

describe('6 · compartments', () => {
  const tillsOf = (bulkhead: Bulkhead) => new Tills(bulkhead);

  it('gives each dependency a compartment of its own', async () => {
    const bulkheads = createBulkheads({ permits: 2, queue: 1 });
    const points = tillsOf(bulkheads.for('points'));
    await points.queueUp(4);
    expect(points.fates, 'two permits, one place').toEqual([
      'running',
      'running',
      'waiting',
      'refused: full',
    ]);
    const insurer = tillsOf(bulkheads.for('insurer'));
    expectFates(
      await insurer.queueUp(3),
      ['running', 'running', 'waiting'],
      'the compartment of the points is full, that of the insurer is empty',
    );
    await insurer.closeUp();
    expectCounters(insurer, { running: 0, queued: 0 }, 'all calls to the insurer have ended');
    expectCounters(points, { running: 2, queued: 1 }, 'nothing has changed for the points');
  });

  it('returns the same compartment each time', async () => {
    const bulkheads = createBulkheads({ permits: 1, queue: 0 });
    const points = bulkheads.for('points');
    await tillsOf(points).call();
    expect(bulkheads.for('points') === points, 'one name, one compartment').toBe(true);
    expectFates(
      [await tillsOf(bulkheads.for('points')).call()],
      ['refused: full'],
      'asked for by name before each call, as callers do: its one permit is taken',
    );
    expect(bulkheads.for('points').running, 'permits taken, asked for by name').toBe(1);
  });

  it('keeps a compartment that nobody has used for a day', async () => {
    const bulkheads = createBulkheads({ permits: 1, queue: 0 });
    const points = bulkheads.for('points');
    await advance(24 * 3_600_000);
    for (let i = 0; i < 2_000; i += 1) bulkheads.for(`service ${i}`);
    expect(
      bulkheads.for('points') === points,
      'a day and 2,000 other names later: the same compartment as before for "points"',
    ).toBe(true);
  });

  it('takes the options of those that have their own, and the defaults for the rest', async () => {
    const large = { permits: 3, queue: 1 };
    const bulkheads = createBulkheads(
      { permits: 1, queue: 0 },
      { insurer: large, doctors: large, points: { permits: 2, queue: 0 } },
    );
    const expected = { insurer: 4, doctors: 4, points: 2, stock: 1 };
    for (const [name, letIn] of Object.entries(expected)) {
      const tills = tillsOf(bulkheads.for(name));
      await tills.queueUp(10);
      expect(
        tills.fates.filter((fate) => fate !== 'refused: full').length,
        `ten calls to ${name}: how many were let in`,
      ).toBe(letIn);
    }
  });

  it('does not mix own options with the defaults', async () => {
    const bulkheads = createBulkheads(
      { permits: 1, queue: 1, maxWaitMs: 500 },
      { insurer: { permits: 1, queue: 1 } },
    );
    const insurer = tillsOf(bulkheads.for('insurer'));
    const stock = tillsOf(bulkheads.for('stock'));
    await insurer.queueUp(2);
    await stock.queueUp(2);
    await advance(500);
    expect(stock.fates, 'the defaults have a longest wait').toEqual([
      'running',
      'refused: waited too long',
    ]);
    expect(insurer.fates, 'the options of the insurer have none').toEqual(['running', 'waiting']);
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', '', '0'])(
    'takes a name like any other: "%s"',
    async (name) => {
      const bulkheads = createBulkheads(
        { permits: 1, queue: 0 },
        { points: { permits: 2, queue: 0 } },
      );
      const points = tillsOf(bulkheads.for('points'));
      const tills = tillsOf(bulkheads.for(name));
      expectFates([await tills.call()], ['running'], 'its permit is free');
      expectFates([await tills.call()], ['refused: full'], 'it has the defaults: one permit');
      expect(bulkheads.for(name) === tills.bulkhead, 'the same compartment each time').toBe(true);
      expectFates(await points.queueUp(2), ['running', 'running'], 'another compartment');
    },
  );

  it.each(['constructor', '__proto__', 'hasOwnProperty'])(
    'takes the options of a name like any other: "%s"',
    async (name) => {
      const own = Object.fromEntries([[name, { permits: 3, queue: 0 }]]);
      const bulkheads = createBulkheads({ permits: 1, queue: 0 }, own);
      await expectAllPermitsFree(tillsOf(bulkheads.for(name)), 3, `\`own\` gives ${name} three`);
      await expectAllPermitsFree(tillsOf(bulkheads.for('points')), 1, 'the defaults give one');
    },
  );

  it('takes names as they are', async () => {
    const bulkheads = createBulkheads({ permits: 1, queue: 0 });
    // The last two look the same, and are not.
    for (const name of ['points', 'Points', 'points ', 'points-eu', 'caf\u00e9', 'cafe\u0301']) {
      expectFates(
        [await tillsOf(bulkheads.for(name)).call()],
        ['running'],
        `"${name}" (${name.length} characters): so far, only services of other names were called`,
      );
    }
  });

  it('shares nothing with compartments made elsewhere', async () => {
    const shop = createBulkheads({ permits: 1, queue: 0 });
    const warehouse = createBulkheads({ permits: 1, queue: 0 });
    await tillsOf(shop.for('stock')).call();
    expectFates(
      [await tillsOf(warehouse.for('stock')).call()],
      ['running'],
      'the same name, by another createBulkheads',
    );
  });
});

describe('7 · whatever happens', () => {
  const SEED = 20_261_123;
  const anyBulkhead = fc
    .record({
      permits: fc.constantFrom(1, 1, 2, 3),
      queue: fc.constantFrom(0, 1, 3, 4),
      maxWaitMs: fc.constantFrom(undefined, 1_000),
    })
    .map(({ permits, queue, maxWaitMs }) => new Given(permits, queue, maxWaitMs));
  const anyCrowded = fc
    .tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 3 }))
    .map(([permits, queue]) => new Given(permits, queue));
  // Once fast-check had shrunk the options, it would not shrink the history.
  const crowded = fc.noShrink(anyCrowded);
  const bulkheads = fc.noShrink(anyBulkhead);

  it('does what a line on paper does, call by call', async () => {
    await fc.assert(
      fc.asyncProperty(bulkheads, histories(), async (given, history) => {
        const tills = tillsWith(given.options);
        await fc.asyncModelRun(() => ({ model: new Paper(given), real: new Real(tills) }), history);
        await closeAll();
        expectIdle(tills);
      }),
      { seed: SEED, numRuns: 30 },
    );
  });

  it('keeps its word in whatever order things happen in one instant', async () => {
    await fc.assert(
      fc.asyncProperty(crowded, anyInstant(), async (given, { scheduler, events }) => {
        const tills = tillsWith(given.options);
        const crowd = new Crowd(tills, given);
        await crowd.fillUp();
        for (const event of events) {
          void scheduler
            .schedule(Promise.resolve(), event.toString())
            .then(() => crowd.meets(event));
        }
        // In one instant: none of them waits for what another sets off.
        for (const _ of events) void scheduler.waitOne();
        await settle();
        crowd.check();
        await tills.closeUp();
        await crowd.checkWhenIdle();
        await closeAll();
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('goes down a long line of tasks that throw without going down the stack', async () => {
    const LENGTH = 1_000;
    const tills = tillsWith({ permits: 1, queue: LENGTH });
    const running = await tills.call();
    const waiting: Call[] = [];
    for (let i = 1; i < LENGTH; i += 1) waiting.push(tills.callThatThrows(outage()));
    let depth = 0;
    const last = tills.callFor(() => {
      depth = stackDepth();
      return POINTS;
    });
    await running.ends();
    expect(new Set(fatesOf(waiting)), '999 calls waited, and each task threw').toEqual(
      new Set(['failed']),
    );
    expectFates([last], ['served'], 'the last in line');
    expect(
      depth,
      'functions that had not returned when the last of 1,000 began: with 10,000, the stack overflows',
    ).toBeLessThan(500);
  });
});

/** How many functions have been called and have not returned, up to 1,000. */
function stackDepth(): number {
  const before = {
    stackTraceLimit: Error.stackTraceLimit,
    prepareStackTrace: Reflect.get(Error, 'prepareStackTrace'),
  };
  Object.assign(Error, {
    stackTraceLimit: 1_000,
    prepareStackTrace: (_: Error, frames: readonly unknown[]) => frames.length,
  });
  const depth = Number(new Error('depth').stack);
  Object.assign(Error, before);
  return depth;
}

// ── The line on paper, and what can happen to it ────────────────────────────────────────────────────────

class Given {
  readonly permits: number;
  readonly queue: number;
  readonly maxWaitMs: number | undefined;

  constructor(permits: number, queue: number, maxWaitMs?: number) {
    this.permits = permits;
    this.queue = queue;
    this.maxWaitMs = maxWaitMs;
  }

  get options(): BulkheadOptions {
    const { permits, queue, maxWaitMs } = this;
    return maxWaitMs === undefined ? { permits, queue } : { permits, queue, maxWaitMs };
  }

  /** How fast-check prints it. */
  [fc.toStringMethod] = () =>
    [
      `permits: ${this.permits}`,
      `queue: ${this.queue}`,
      ...(this.maxWaitMs === undefined ? [] : [`maxWaitMs: ${this.maxWaitMs}`]),
    ].join(', ');
}

interface CallOnPaper {
  readonly throws: boolean;
  readonly canHangUp: boolean;
  fate: Fate;
  waitedMs: number;
}

/** The bulkhead as one would play it with pencil and paper. */
class Paper {
  readonly calls: CallOnPaper[] = [];
  /** The numbers of the calls whose tasks have begun, in their order. */
  readonly begun: number[] = [];
  readonly #given: Given;

  constructor(given: Given) {
    this.#given = given;
  }

  get running(): CallOnPaper[] {
    return this.calls.filter(({ fate }) => fate === 'running');
  }

  get waiting(): CallOnPaper[] {
    return this.calls.filter(({ fate }) => fate === 'waiting');
  }

  /** Calls that may hang up: whether they wait or run. */
  get onTheLine(): CallOnPaper[] {
    return this.calls.filter(
      ({ fate, canHangUp }) => canHangUp && (fate === 'waiting' || fate === 'running'),
    );
  }

  arrives(call: Pick<CallOnPaper, 'throws' | 'canHangUp'>, hungUp = false): void {
    const { length } = this.waiting;
    const fate = hungUp ? 'gave up' : 'waiting';
    this.calls.push({ ...call, fate, waitedMs: 0 });
    if (hungUp) return;
    this.#moveUp();
    const added = this.calls.at(-1);
    if (added?.fate === 'waiting' && length === this.#given.queue) added.fate = 'refused: full';
  }

  ends(call: CallOnPaper, fate: 'served' | 'failed'): void {
    call.fate = fate;
    this.#moveUp();
  }

  hangsUp(call: CallOnPaper): void {
    if (call.fate === 'waiting') call.fate = 'gave up';
  }

  passes(ms: number): void {
    for (const call of this.waiting) {
      call.waitedMs += ms;
      if (call.waitedMs >= (this.#given.maxWaitMs ?? Infinity)) {
        call.fate = 'refused: waited too long';
      }
    }
  }

  #moveUp(): void {
    for (const call of this.waiting) {
      if (this.running.length === this.#given.permits) return;
      call.fate = call.throws ? 'failed' : 'running';
      this.begun.push(this.calls.indexOf(call) + 1);
    }
  }
}

class Real {
  readonly tills: Tills;
  /** One for each call, in the order of the calls. */
  readonly controllers: AbortController[] = [];

  constructor(tills: Tills) {
    this.tills = tills;
  }
}

/** What must hold after every step. Thousands of steps are compared: `expect` is for the one that differs. */
function compare(paper: Paper, { tills }: Real): void {
  for (const [index, { fate }] of paper.calls.entries()) {
    const real = tills.calls[index]?.fate;
    if (real !== fate) expect.fail(`call ${index + 1}: on paper "${fate}", in fact "${real}"`);
  }
  const begun = tills.numbersOf(tills.begun);
  if (String(begun) !== String(paper.begun)) {
    expect.fail(`tasks began in the order ${begun.join()}; on paper ${paper.begun.join()}`);
  }
  const { running, queued } = tills.bulkhead;
  const expected = { running: paper.running.length, queued: paper.waiting.length };
  if (running !== expected.running) {
    expect.fail(`\`running\` is ${running}; on paper ${expected.running}`);
  }
  if (queued !== expected.queued) {
    expect.fail(`\`queued\` is ${queued}; on paper ${expected.queued}`);
  }
}

/** Anything that can happen to a bulkhead, in any order. */
function histories() {
  return fc.commands(
    [
      fc.constant(new Arrives({ throws: false, canHangUp: false })),
      fc.constant(new Arrives({ throws: false, canHangUp: true })),
      fc.constant(new Arrives({ throws: false, canHangUp: true })),
      fc.constant(new Arrives({ throws: true, canHangUp: true })),
      fc.constant(new ArrivesHungUp()),
      fc.nat(9).map((nth) => new Ends(nth)),
      fc.nat(9).map((nth) => new Ends(nth, outage())),
      fc.nat(9).map((nth) => new HangsUp(nth)),
      fc.nat(9).map((nth) => new HangsUp(nth)),
      fc.constantFrom(1, 400, 999, 1_000).map((ms) => new TimePasses(ms)),
    ],
    { maxCommands: 40, size: 'max' },
  );
}

/** When every task has ended: whoever was let in has had an answer, and nothing is left. */
function expectIdle({ calls, bulkhead: { running, queued } }: Tills): void {
  const stuck = calls.findIndex(({ fate }) => fate === 'waiting');
  if (stuck !== -1) expect.fail(`call ${stuck + 1} waits for ever, and nothing runs`);
  if (running > 0 || queued > 0) {
    expect.fail(`nothing runs any more, but \`running\` is ${running} and \`queued\` ${queued}`);
  }
}

class Arrives implements fc.AsyncCommand<Paper, Real> {
  readonly #call: Pick<CallOnPaper, 'throws' | 'canHangUp'>;
  constructor(call: Pick<CallOnPaper, 'throws' | 'canHangUp'>) {
    this.#call = call;
  }
  check = () => true;
  async run(paper: Paper, real: Real) {
    const controller = new AbortController();
    real.controllers.push(controller);
    const signal = this.#call.canHangUp ? controller.signal : undefined;
    if (this.#call.throws) real.tills.callThatThrows(outage(), signal);
    else real.tills.callNow(signal);
    paper.arrives(this.#call);
    await settle();
    compare(paper, real);
  }
  toString = () =>
    `call${this.#call.throws ? ' that throws' : ''}${this.#call.canHangUp ? ', with a signal' : ''}`;
}

class ArrivesHungUp implements fc.AsyncCommand<Paper, Real> {
  check = () => true;
  async run(paper: Paper, real: Real) {
    const controller = new AbortController();
    controller.abort();
    real.controllers.push(controller);
    real.tills.callNow(controller.signal);
    paper.arrives({ throws: false, canHangUp: true }, true);
    await settle();
    compare(paper, real);
  }
  toString = () => 'call whose signal has aborted';
}

class Ends implements fc.AsyncCommand<Paper, Real> {
  readonly #nth: number;
  readonly #error: Error | undefined;
  constructor(nth: number, error?: Error) {
    this.#nth = nth;
    this.#error = error;
  }
  check = (paper: Readonly<Paper>) => paper.running.length > 0;
  async run(paper: Paper, real: Real) {
    const call = nthOf(paper.running, this.#nth);
    if (!call) return;
    real.tills.calls[paper.calls.indexOf(call)]?.end(this.#error);
    paper.ends(call, this.#error ? 'failed' : 'served');
    await settle();
    compare(paper, real);
  }
  toString = () => `a running task ${this.#error ? 'fails' : 'ends'}`;
}

class HangsUp implements fc.AsyncCommand<Paper, Real> {
  readonly #nth: number;
  constructor(nth: number) {
    this.#nth = nth;
  }
  check = (paper: Readonly<Paper>) => paper.onTheLine.length > 0;
  async run(paper: Paper, real: Real) {
    const call = nthOf(paper.onTheLine, this.#nth);
    if (!call) return;
    real.controllers[paper.calls.indexOf(call)]?.abort();
    paper.hangsUp(call);
    await settle();
    compare(paper, real);
  }
  toString = () => `a signal aborts`;
}

class TimePasses implements fc.AsyncCommand<Paper, Real> {
  readonly #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  check = () => true;
  async run(paper: Paper, real: Real) {
    await advance(this.#ms);
    paper.passes(this.#ms);
    compare(paper, real);
  }
  toString = () => `+${this.#ms} ms`;
}

/** Round the end of a list, so that every number finds somebody. */
function nthOf<T>(list: readonly T[], nth: number): T | undefined {
  return list[nth % list.length];
}

// ── Many things in one instant ──────────────────────────────────────────────────────────────────────────

class Happening {
  readonly what: 'a newcomer' | 'a task ends' | 'a task fails' | 'one who waits hangs up';
  readonly nth: number;
  /** How many turns of the promise queue pass before it happens. */
  readonly turn: number;

  constructor(what: Happening['what'], nth: number, turn: number) {
    this.what = what;
    this.nth = nth;
    this.turn = turn;
  }

  /** How fast-check prints it. */
  toString = () => `turn ${this.turn}: ${this.what}`;
  [fc.toStringMethod] = this.toString;
}

function anyHappening(): fc.Arbitrary<Happening> {
  return fc
    .tuple(
      fc.constantFrom<Happening['what'][]>(
        'a newcomer',
        'a newcomer',
        'a task ends',
        'a task ends',
        'a task fails',
        'one who waits hangs up',
      ),
      fc.nat(3),
      fc.nat(10),
    )
    .map(([what, nth, turn]) => new Happening(what, nth, turn));
}

class Instant {
  readonly scheduler: fc.Scheduler;
  readonly events: readonly Happening[];

  constructor(scheduler: fc.Scheduler, events: readonly Happening[]) {
    this.scheduler = scheduler;
    this.events = events;
  }

  /** How fast-check prints it. */
  [fc.toStringMethod] = () => `in one instant: ${this.events.join(', ')}`;
}

function anyInstant(): fc.Arbitrary<Instant> {
  return fc
    .tuple(fc.scheduler(), fc.array(anyHappening(), { minLength: 1, maxLength: 8 }))
    .map(([scheduler, events]) => new Instant(scheduler, events));
}

/** Tills at a bulkhead whose permits and places are all taken, and what was promised to whom. */
class Crowd {
  readonly #tills: Tills;
  readonly #given: Given;
  readonly #controllers = new Map<Call, AbortController>();
  /** Calls that were let in before anything happened. */
  #letIn: readonly Call[] = [];
  readonly #hungUpWaiting = new Set<Call>();
  readonly #history: string[] = [];

  constructor(tills: Tills, given: Given) {
    this.#tills = tills;
    this.#given = given;
  }

  async fillUp(): Promise<void> {
    const { permits, queue } = this.#given;
    for (let i = 0; i < permits + queue; i += 1) this.#newcomer();
    await settle();
    this.#letIn = [...this.#tills.calls];
    for (const [index, call] of this.#letIn.entries()) {
      const expected = index < permits ? 'running' : 'waiting';
      if (call.fate !== expected) {
        expect.fail(`${this.#name(call)} at an empty bulkhead is "${call.fate}"`);
      }
    }
  }

  async meets({ what, nth, turn }: Happening): Promise<void> {
    await turns(turn);
    if (what === 'a newcomer') {
      this.#happens(turn, this.#newcomer(), 'comes');
      return;
    }
    const hangsUp = what === 'one who waits hangs up';
    const candidates = this.#tills.calls.filter(({ begun, outcome, answer }) =>
      hangsUp ? !begun && !answer : begun && !outcome,
    );
    const call = nthOf(candidates, nth);
    if (!call) return;
    if (hangsUp) {
      this.#happens(turn, call, 'hangs up');
      this.#hungUpWaiting.add(call);
      this.#controllers.get(call)?.abort();
      return;
    }
    this.#happens(turn, call, what === 'a task ends' ? 'ends' : 'fails');
    call.end(what === 'a task ends' ? undefined : outage());
  }

  #newcomer(): Call {
    const controller = new AbortController();
    const call = this.#tills.callNow(controller.signal);
    this.#controllers.set(call, controller);
    return call;
  }

  #name(call: Call): string {
    return `call ${this.#tills.calls.indexOf(call) + 1}`;
  }

  #happens(turn: number, call: Call, what: string): void {
    this.#history.push(`turn ${turn}: ${this.#name(call)} ${what}`);
  }

  #fail(problem: string): never {
    const { permits, queue } = this.#given;
    const before = `${permits === 1 ? 'call 1 has the permit' : `calls 1 to ${permits} have the permits`}, ${queue} wait`;
    return expect.fail(`${problem}. It was: ${[before, ...this.#history].join(' → ')}`);
  }

  /** What must hold when all has settled. */
  check(): void {
    const { calls, begun, atWork, most, bulkhead } = this.#tills;
    const { permits, queue } = this.#given;
    if (most > permits) this.#fail(`${most} tasks ran at once, and permits: ${permits}`);
    for (const call of this.#letIn) {
      if (call.fate === 'refused: full') this.#fail(`${this.#name(call)} was let in, then refused`);
    }
    // A newcomer that hangs up in the same instant may have been refused before.
    for (const call of this.#hungUpWaiting) {
      if (call.fate !== 'gave up' && call.fate !== 'refused: full') {
        this.#fail(`${this.#name(call)} hung up before its task began, and now: "${call.fate}"`);
      }
    }
    const waiting = calls.filter(({ fate }) => fate === 'waiting');
    const [first] = waiting;
    const overtaking = begun.find((call) => first && calls.indexOf(call) > calls.indexOf(first));
    if (first && overtaking) {
      this.#fail(`${this.#name(first)} waits, and ${this.#name(overtaking)} has overtaken it`);
    }
    if (first && atWork < permits) this.#fail(`${this.#name(first)} waits, and a permit lies idle`);
    if (waiting.length > queue) this.#fail(`${waiting.length} calls wait, and queue: ${queue}`);
    const { running, queued } = bulkhead;
    if (running !== atWork || queued !== waiting.length) {
      this.#fail(
        `${atWork} run and ${waiting.length} wait, but \`running\` is ${running} and \`queued\` ${queued}`,
      );
    }
  }

  /** What must hold when every task has ended: as if nothing had been. */
  async checkWhenIdle(): Promise<void> {
    const { calls, bulkhead } = this.#tills;
    const stuck = calls.find(({ fate }) => fate === 'waiting');
    if (stuck) this.#fail(`${this.#name(stuck)} waits for ever, and nothing runs`);
    const { running, queued } = bulkhead;
    if (running > 0 || queued > 0) {
      this.#fail(`nothing runs any more, but \`running\` is ${running} and \`queued\` ${queued}`);
    }
    const already = calls.length;
    const { permits, queue } = this.#given;
    await this.#tills.queueUp(permits + queue + 1);
    const fates = fatesOf(calls.slice(already));
    const count = (wanted: Fate) => fates.filter((fate) => fate === wanted).length;
    if (count('running') !== permits || count('waiting') !== queue) {
      this.#fail(`when all was over, ${fates.length} new calls came: ${fates.join(', ')}`);
    }
  }
}
