import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { advance, pendingTimers, settle, stepWallClock } from '../virtual-time.ts';
import {
  createReadModel,
  type Customer,
  type CustomerEvent,
  type ReadModel,
  type Snapshot,
} from './read-model.ts';

// ── The customer service, played by the spec ────────────────────────────────────────────────────────────

/** It knows what each customer was at each version, and has all events. */
class CustomerService {
  readonly log: CustomerEvent[] = [];
  readonly #states = new Map<string, (Customer | undefined)[]>();

  change(id: string, fields: Customer): CustomerEvent {
    return this.#add(id, { ...this.#latest(id), ...fields }, { kind: 'changed', fields });
  }

  delete(id: string): CustomerEvent {
    return this.#add(id, undefined, { kind: 'deleted' });
  }

  /** What it says when it is asked now. */
  snapshot(id: string): Snapshot {
    const customer = this.#latest(id);
    return { version: this.versionOf(id), at: Date.now(), ...(customer && { customer }) };
  }

  at(id: string, version: number): Customer | undefined {
    return this.#states.get(id)?.[version];
  }

  versionOf(id: string): number {
    return (this.#states.get(id)?.length ?? 1) - 1;
  }

  #latest(id: string): Customer | undefined {
    return this.#states.get(id)?.at(-1);
  }

  #add(
    id: string,
    state: Customer | undefined,
    what: { kind: 'changed'; fields: Customer } | { kind: 'deleted' },
  ): CustomerEvent {
    const states = this.#states.get(id) ?? [undefined];
    states.push(state && Object.freeze({ ...state }));
    this.#states.set(id, states);
    if (what.kind === 'changed') Object.freeze(what.fields);
    const event = Object.freeze({ id, version: states.length - 1, at: Date.now(), ...what });
    this.log.push(event);
    return event;
  }
}

let service: CustomerService;
let model: ReadModel;
beforeEach(() => {
  service = new CustomerService();
  model = createReadModel();
});

const stray: unknown[] = [];
const noteStray = (error: unknown) => stray.push(error);
process.on('unhandledRejection', noteStray);
afterEach(async () => {
  await settle();
  expect(stray.splice(0), 'a promise was rejected, and nobody handled it').toEqual([]);
  expect(pendingTimers(), 'a copy that nobody asks needs no timers').toBe(0);
});

/** Ada, who registers in Rome, moves to Oslo, and gets a phone. */
function ada() {
  return [
    service.change('ada', { name: 'Ada', city: 'Rome' }),
    service.change('ada', { city: 'Oslo' }),
    service.change('ada', { phone: 41 }),
  ] as const;
}

function apply(...events: readonly CustomerEvent[]): void {
  for (const event of events) model.apply(event);
}

function expectCopy(id: string, version: number, hasGap: boolean, why: string): void {
  const copy = model.get(id);
  expect(copy, `${why}: ${id} is there`).toBeDefined();
  expect(copy?.version, `${why}: the version`).toBe(version);
  expect(copy?.customer, `${why}: the customer as it was at version ${version}`).toEqual(
    service.at(id, version),
  );
  expect(copy?.hasGap, `${why}: hasGap`).toBe(hasGap);
}

const gaps = () =>
  model
    .gaps()
    .map(({ id, missing }) => `${id} ${missing}`)
    .toSorted();

/** A log that gives an event when the spec says so. */
function slowLog() {
  const queue: (() => Promise<IteratorResult<CustomerEvent>>)[] = [];
  let wake = () => {};
  const push = async (result: () => Promise<IteratorResult<CustomerEvent>>) => {
    queue.push(result);
    wake();
    await settle();
  };
  const log: AsyncIterable<CustomerEvent> = {
    [Symbol.asyncIterator]: () => ({
      async next() {
        while (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        const result = queue.shift();
        return result ? result() : { done: true, value: undefined };
      },
    }),
  };
  return {
    log,
    gives: async (...events: CustomerEvent[]) => {
      for (const value of events) await push(async () => ({ done: false, value }));
    },
    ends: () => push(async () => ({ done: true, value: undefined })),
    fails: (error: Error) =>
      push(async () => {
        throw error;
      }),
  };
}

async function* logOf(events: readonly CustomerEvent[]): AsyncGenerator<CustomerEvent> {
  for (const event of events) yield event;
}

/** Has a replay end; one that does not is told in words. */
async function replayed(replay: Promise<void>, why: string): Promise<void> {
  let isOver = false;
  let error: unknown;
  replay.then(
    () => (isOver = true),
    (thrown: unknown) => {
      isOver = true;
      error = thrown;
    },
  );
  await settle();
  expect(isOver, `${why}: the log has ended, so the replay is over`).toBe(true);
  expect(error, `${why}: nothing has failed`).toBeUndefined();
}

describe('1 · events become a customer', () => {
  it('knows nobody at first', () => {
    expect(model.get('ada'), 'no event has come').toBeUndefined();
    expect(gaps(), 'nothing is missing').toEqual([]);
  });

  it('shows a customer who has registered', () => {
    apply(ada()[0]);
    expectCopy('ada', 1, false, 'Ada has registered');
  });

  it('changes what has changed, and leaves the rest', () => {
    apply(...ada());
    expectCopy('ada', 3, false, 'Ada has moved, and has a phone');
    expect(model.get('ada')?.customer['name'], 'her name has not changed').toBe('Ada');
  });

  it('takes every value for a value', () => {
    apply(service.change('x', { note: 'ring twice', floor: 3 }));
    apply(service.change('x', { note: '', floor: 0 }));
    expectCopy('x', 2, false, 'an empty note, and the ground floor');
    apply(service.change('x', { floor: -1 }));
    expectCopy('x', 3, false, 'the basement');
  });

  it('knows also a customer of whom it knows nothing else', () => {
    apply(service.change('eve', {}));
    expectCopy('eve', 1, false, 'registered without a single field');
    model.resync('bob', { version: 2, at: Date.now(), customer: {} });
    expect(model.get('bob')?.version, 'no fields is not the same as deleted').toBe(2);
  });

  it('keeps customers apart', () => {
    apply(...ada(), service.change('bob', { name: 'Bob', city: 'Graz' }));
    expectCopy('bob', 1, false, 'Bob is at his first version');
    expectCopy('ada', 3, false, 'Ada at her third');
    for (const id of ['', 'toString', '__proto__']) {
      expect(model.get(id), `nobody has heard of a customer with the id “${id}”`).toBeUndefined();
      apply(service.change(id, { city: 'Rome' }), service.change(id, { city: 'Oslo' }));
      expectCopy(id, 2, false, `a customer with the id “${id}”`);
    }
  });

  it('keeps models apart', () => {
    apply(...ada());
    expect(createReadModel().get('ada'), 'another model has seen no events').toBeUndefined();
  });

  it('does not let a reader change it', () => {
    apply(ada()[0]);
    const changing = (what: object | undefined, change: object) => {
      try {
        Object.assign(what ?? {}, change);
      } catch {
        // A frozen object is as good.
      }
    };
    changing(model.get('ada')?.customer, { city: 'Atlantis' });
    changing(model.get('ada'), { version: 9, hasGap: true, customer: {} });
    expectCopy('ada', 1, false, 'a reader has changed what it got');
  });

  it('does not change what it has given', () => {
    const [registered, moved, phone] = ada();
    apply(registered, phone);
    const before = model.get('ada');
    apply(moved);
    expect(before?.customer['city'], 'a label is printed from what was read').toBe('Rome');
    expect(before?.version, 'and it says of when it is').toBe(1);
    expect(before?.hasGap, 'and that something was missing then').toBe(true);
  });
});

describe('2 · twice, and out of order', () => {
  it('takes no harm from an event that comes again', () => {
    const [registered, moved, phone] = ada();
    apply(registered, registered, moved, moved, registered, moved, phone, registered);
    expectCopy('ada', 3, false, 'each has come twice or more, the first at last');
  });

  it('lets an event wait for its turn', () => {
    const [registered, moved, phone] = ada();
    apply(registered, phone);
    expectCopy('ada', 1, true, 'the phone is here, the move is not');
    apply(moved);
    expectCopy('ada', 3, false, 'the move has come, and the phone after it');
  });

  it('shows nobody before the first event', () => {
    const [registered, moved] = ada();
    apply(moved);
    expect(model.get('ada'), 'a city without a name is no customer').toBeUndefined();
    apply(registered);
    expectCopy('ada', 2, false, 'both are here');
  });

  it('goes as far as there is no gap', () => {
    const [one, two, three] = ada();
    const [four, five] = [
      service.change('ada', { city: 'Bonn' }),
      service.change('ada', { city: 'Kyiv' }),
    ];
    apply(one, five, three);
    expectCopy('ada', 1, true, 'two and four are missing');
    apply(two);
    expectCopy('ada', 3, true, 'only four is missing');
    apply(four);
    expectCopy('ada', 5, false, 'all are here');
  });

  it('takes no harm from an event that waits twice', () => {
    const [one, two, three] = ada();
    apply(three, one, three, two, three);
    expectCopy('ada', 3, false, 'the third came three times');
    const four = service.change('ada', { city: 'Bonn' });
    apply(four, two, three);
    expectCopy('ada', 4, false, 'and the fourth once');
  });

  it('lets as many wait as come before their turn', () => {
    const events = Array.from({ length: 1_000 }, (_, nth) => service.change('ada', { nr: nth }));
    apply(...events.slice(1).toReversed());
    expect(gaps(), '999 events wait for the first').toEqual(['ada 1']);
    apply(...events.slice(0, 1));
    expectCopy('ada', 1_000, false, 'the first has come, and 999 have waited for it');
  });

  it('lets no customer wait for another', () => {
    const [, moved] = ada();
    apply(moved, service.change('bob', { city: 'Graz' }), service.change('bob', { city: 'Linz' }));
    expectCopy('bob', 2, false, 'what is missing of Ada is not missing of Bob');
  });

  it('ends the same in any order', () => {
    const [one, two, three] = ada();
    const orders = [
      [one, two, three],
      [one, three, two],
      [two, one, three],
      [two, three, one],
      [three, one, two],
      [three, two, one],
    ] as const;
    for (const order of orders) {
      model = createReadModel();
      apply(...order);
      expectCopy('ada', 3, false, `in the order ${order.map(({ version }) => version).join(', ')}`);
    }
  });
});

describe('3 · deleted', () => {
  it('knows nobody who has been deleted', () => {
    apply(...ada(), service.delete('ada'));
    expect(model.get('ada'), 'Ada has asked to be forgotten').toBeUndefined();
  });

  it('brings nobody back from the dead', () => {
    const [registered, moved, phone] = ada();
    const deleted = service.delete('ada');
    apply(registered, moved, phone, deleted);
    apply(moved, registered, phone);
    expect(model.get('ada'), 'the events from before are late, and change nothing').toBeUndefined();
    expect(gaps(), 'and wait for nothing').toEqual([]);
  });

  it('lets a deletion wait for its turn, too', () => {
    const [registered, moved, phone] = ada();
    const deleted = service.delete('ada');
    apply(registered, deleted);
    expectCopy('ada', 1, true, 'she is deleted, but not at this version');
    apply(phone, moved);
    expect(model.get('ada'), 'all have come, the last of them the deletion').toBeUndefined();
  });

  it('begins anew with whoever comes back', () => {
    const events = [...ada(), service.delete('ada'), service.change('ada', { name: 'Ada L.' })];
    apply(...events);
    expectCopy('ada', 5, false, 'a new customer with the old number');
    expect(model.get('ada')?.customer, 'nothing is left of the old one').toEqual({
      name: 'Ada L.',
    });
  });

  it('begins anew also if that comes before the deletion', () => {
    const [one, two, three] = ada();
    const [deleted, again] = [service.delete('ada'), service.change('ada', { city: 'Nice' })];
    apply(one, two, three, again);
    expectCopy('ada', 3, true, 'the deletion is missing');
    apply(deleted);
    expectCopy('ada', 5, false, 'deleted, and back');
    apply(deleted, two);
    expectCopy('ada', 5, false, 'the deletion once more changes nothing');
  });
});

describe('4 · what is missing', () => {
  it('says which version is missing', () => {
    const [one, , three] = ada();
    service.change('bob', { city: 'Graz' });
    apply(one, three, service.change('bob', { city: 'Linz' }), service.change('eve', { a: 1 }));
    expect(gaps(), "Ada's second and Bob's first").toEqual(['ada 2', 'bob 1']);
  });

  it('names the first that is missing, of several', () => {
    const [, two] = ada();
    service.change('ada', { city: 'Bonn' });
    apply(two, service.change('ada', { city: 'Kyiv' }));
    expect(gaps(), 'one, three and four are missing').toEqual(['ada 1']);
  });

  it('has nothing to say once the gap is closed', () => {
    const [one, two, three] = ada();
    apply(three, one, two);
    expect(gaps(), 'all have come').toEqual([]);
  });

  it('takes over what the customer service says', () => {
    const [one, , three] = ada();
    apply(one, three);
    model.resync('ada', service.snapshot('ada'));
    expectCopy('ada', 3, false, 'asked, and answered');
    expect(gaps(), 'nothing is missing any more').toEqual([]);
  });

  it('goes on from there', () => {
    const [one] = ada();
    const snapshot = service.snapshot('ada');
    const four = service.change('ada', { city: 'Bonn' });
    apply(one, four);
    model.resync('ada', snapshot);
    expectCopy('ada', 4, false, 'the snapshot has three, and four was waiting');
    apply(service.change('ada', { city: 'Kyiv' }));
    expectCopy('ada', 5, false, 'and five comes after it');
  });

  it('keeps waiting for what is after the snapshot', () => {
    ada();
    const snapshot = service.snapshot('ada');
    service.change('ada', { city: 'Bonn' });
    const five = service.change('ada', { city: 'Kyiv' });
    apply(five);
    model.resync('ada', snapshot);
    expectCopy('ada', 3, true, 'the snapshot has three, and five waits for four');
    expect(gaps(), 'four is missing').toEqual(['ada 4']);
  });

  it('does not go back to an older answer', () => {
    const [one, two, three] = ada();
    const older: Snapshot = { version: 1, at: Date.now(), customer: { name: 'Ada', city: 'Rome' } };
    apply(one, two, three);
    model.resync('ada', older);
    expectCopy('ada', 3, false, 'the answer was on its way for a while');
    const same: Snapshot = { version: 3, at: Date.now(), customer: { name: 'somebody else' } };
    model.resync('ada', same);
    expectCopy('ada', 3, false, 'of the same version nothing new is said');
  });

  it('ignores events that the snapshot has in it', () => {
    const [one, two, three] = ada();
    model.resync('ada', service.snapshot('ada'));
    apply(two, one, three);
    expectCopy('ada', 3, false, 'they were late');
    expect(gaps(), 'and wait for nothing').toEqual([]);
  });

  it('drops what waits and is in the snapshot', () => {
    const [, two, three] = ada();
    apply(three, two);
    model.resync('ada', service.snapshot('ada'));
    expectCopy('ada', 3, false, 'two and three were waiting, and are in it');
  });

  it('knows of a customer from a snapshot alone', () => {
    ada();
    model.resync('ada', service.snapshot('ada'));
    expectCopy('ada', 3, false, 'no event has ever come');
  });

  it('forgets a customer whom the snapshot does not have', () => {
    const [one, two, three] = ada();
    service.delete('ada');
    apply(one, two);
    model.resync('ada', service.snapshot('ada'));
    expect(model.get('ada'), 'she is deleted, says the customer service').toBeUndefined();
    apply(three);
    expect(model.get('ada'), 'a late event does not bring her back').toBeUndefined();
    apply(service.change('ada', { name: 'Ada L.' }));
    expectCopy('ada', 5, false, 'but registering again does');
  });

  it('takes the answer in place of what there was, not on top of it', () => {
    const [one, two] = ada();
    service.delete('ada');
    service.change('ada', { name: 'Ada L.' });
    apply(one, two);
    model.resync('ada', service.snapshot('ada'));
    expectCopy(
      'ada',
      5,
      false,
      'she was deleted and came back, and nothing is left of the old one',
    );
  });

  it('keeps what the reader of the answer does with it out', () => {
    ada();
    const snapshot = service.snapshot('ada');
    model.resync('ada', snapshot);
    const copy = model.get('ada');
    try {
      Object.assign(copy?.customer ?? {}, { city: 'Atlantis' });
    } catch {
      // A frozen object is as good.
    }
    expectCopy('ada', 3, false, 'a reader has changed what it got');
  });
});

describe('5 · how stale', () => {
  it('does not know before it knows anything', () => {
    expect(model.staleMs, 'nothing has come yet').toBeUndefined();
  });

  it('counts from when the newest event happened, not from when it came', async () => {
    const [one] = ada();
    await advance(5_000);
    apply(one);
    expect(model.staleMs, 'it was on its way for 5 s').toBe(5_000);
    await advance(1_000);
    expect(model.staleMs, 'a second later').toBe(6_000);
    model = createReadModel();
    apply(...service.log, service.delete('ada'));
    expect(model.staleMs, 'a deletion is news as well').toBe(0);
  });

  it('is told of a quiet time by heartbeats', async () => {
    apply(ada()[0]);
    await advance(60_000);
    model.heartbeat(Date.now() - 200);
    expect(model.staleMs, 'nothing has happened, says the heartbeat of 200 ms ago').toBe(200);
  });

  it('is told by heartbeats alone, too', () => {
    model.heartbeat(Date.now());
    expect(model.staleMs, 'there are no customers, and that is news').toBe(0);
  });

  it('gets no older by older news', async () => {
    const [one, two] = ada();
    await advance(10_000);
    const late = Date.now() - 8_000;
    model.heartbeat(Date.now());
    apply(one, two);
    model.heartbeat(late);
    model.resync('bob', { version: 1, at: late, customer: { name: 'Bob' } });
    expect(model.staleMs, 'the newest was now').toBe(0);
  });

  it('does not count what waits', async () => {
    const [one] = ada();
    await advance(10_000);
    service.change('ada', { city: 'Bonn' });
    const five = service.change('ada', { city: 'Kyiv' });
    apply(one, five);
    expect(model.staleMs, 'the move to Kyiv is not in the copy').toBe(10_000);
  });

  it('counts what has waited once it is applied', async () => {
    const [one, two] = ada();
    await advance(4_000);
    const four = service.change('ada', { city: 'Bonn' });
    apply(four, two, one);
    expect(model.staleMs, 'three is missing').toBe(4_000);
    const three = service.log.find(({ version }) => version === 3);
    if (three) apply(three);
    expect(model.staleMs, 'all are here, the last of them from now').toBe(0);
  });

  it('counts snapshots that it has taken over', async () => {
    const [one] = ada();
    apply(one);
    await advance(3_000);
    model.resync('ada', service.snapshot('ada'));
    expect(model.staleMs, 'asked just now').toBe(0);
    await advance(2_000);
    model.resync('ada', { ...service.snapshot('ada'), version: 2 });
    expect(model.staleMs, 'an answer of an older version is not taken over').toBe(2_000);
  });

  it('goes by the wall clock, as the customer service does', () => {
    model.heartbeat(Date.now());
    stepWallClock(60_000);
    expect(model.staleMs, 'our clock was late by a minute, and has been set right').toBe(60_000);
    stepWallClock(-60_000);
  });

  it('is never less than nothing', async () => {
    model.heartbeat(Date.now() + 700);
    expect(model.staleMs, 'the clock over there is ahead of ours by 700 ms').toBe(0);
    await advance(1_000);
    expect(model.staleMs, 'a second later: 300 ms since then, by our clock').toBe(300);
    stepWallClock(-3_600_000);
    expect(model.staleMs, 'our clock has been set back by an hour').toBe(0);
    stepWallClock(3_600_000);
  });
});

describe('6 · again from the start', () => {
  it('makes the copy from the log', async () => {
    const [one] = ada();
    service.change('bob', { city: 'Graz' });
    service.delete('bob');
    apply(one);
    await replayed(model.replay(logOf(service.log)), 'a log of five events');
    expectCopy('ada', 3, false, 'the log has all her events');
    expect(model.get('bob'), 'Bob came and went').toBeUndefined();
  });

  it('takes no harm from a log that is out of order', async () => {
    const [one, two, three] = ada();
    await replayed(model.replay(logOf([three, one, one, two, three])), 'out of order, and twice');
    expectCopy('ada', 3, false, 'all three were in it');
  });

  it('forgets what the log does not know', async () => {
    apply(...ada());
    model.resync('ghost', { version: 7, at: Date.now(), customer: { name: 'nobody' } });
    model.resync('ada', { version: 9, at: Date.now(), customer: { name: 'wrong' } });
    await replayed(model.replay(logOf(service.log)), 'the log is right');
    expect(model.get('ghost'), 'the log has never heard of it').toBeUndefined();
    expectCopy('ada', 3, false, 'what the log says counts');
  });

  it('shows the old copy until the log has ended', async () => {
    apply(...ada());
    const { log, gives, ends } = slowLog();
    const replay = model.replay(log);
    expectCopy('ada', 3, false, 'the replay has just begun');
    for (const event of service.log) {
      await gives(event);
      expectCopy('ada', 3, false, `the log is at version ${event.version}`);
    }
    await ends();
    await replayed(replay, 'three events');
    expectCopy('ada', 3, false, 'the new copy');
  });

  it('does not show half of a log', async () => {
    const [one, two] = ada();
    const { log, gives, ends } = slowLog();
    const replay = model.replay(log);
    await gives(one, two);
    expect(model.get('ada'), 'the log has not ended').toBeUndefined();
    await ends();
    await replayed(replay, 'two events');
    expectCopy('ada', 2, false, 'now it has');
  });

  it('goes on taking what comes in', async () => {
    const [one, two, three] = ada();
    apply(one);
    const { log, gives, ends } = slowLog();
    const replay = model.replay(log);
    await gives(one);
    apply(two);
    expectCopy('ada', 2, false, 'the old copy is not frozen');
    model.resync('bob', { version: 4, at: Date.now(), customer: { city: 'Graz' } });
    expect(model.get('bob')?.version, 'snapshots as well').toBe(4);
    await gives(two, three);
    await ends();
    await replayed(replay, 'three events');
    expectCopy('ada', 3, false, 'the log had more than had come in');
  });

  it('has in the new copy what came in during the replay', async () => {
    apply(...ada());
    const before = [...service.log];
    const { log, gives, ends } = slowLog();
    const replay = model.replay(log);
    const four = service.change('ada', { city: 'Bonn' });
    apply(four);
    await gives(...before.slice(0, 2));
    const five = service.change('ada', { city: 'Kyiv' });
    apply(five, service.change('bob', { city: 'Graz' }));
    await gives(...before.slice(2));
    model.resync('eve', { version: 2, at: Date.now(), customer: { city: 'Linz' } });
    await ends();
    await replayed(replay, 'three events, and three more came in');
    expectCopy('ada', 5, false, 'four and five were not in the log');
    expectCopy('bob', 1, false, 'nor was Bob');
    expect(model.get('eve')?.version, 'nor Eve').toBe(2);
  });

  it('stays with the old copy when the log fails', async () => {
    apply(...ada());
    const { log, gives, fails } = slowLog();
    const failure = new Error('the log is not there');
    let told: unknown;
    const replay = model.replay(log).catch((error: unknown) => (told = error));
    await gives(...service.log.slice(0, 1));
    apply(service.change('ada', { city: 'Bonn' }));
    await advance(2_000);
    await gives(service.change('bob', { city: 'Graz' }));
    await fails(failure);
    await replay;
    expect(told, 'whoever asked for the replay is told').toBe(failure);
    expect(model.staleMs, 'nobody sees what only the log has said').toBe(2_000);
    expectCopy('ada', 4, false, 'the old copy, with what has come in meanwhile');
    apply(service.change('ada', { city: 'Kyiv' }));
    expectCopy('ada', 5, false, 'and it goes on');
  });

  it('rejects when the log cannot even be opened', async () => {
    apply(...ada());
    const failure = new Error('no such log');
    const log: AsyncIterable<CustomerEvent> = {
      [Symbol.asyncIterator]() {
        throw failure;
      },
    };
    let told: unknown;
    expect(() => {
      model.replay(log).catch((error: unknown) => (told = error));
    }, 'no method throws: whoever asked is told by the promise').not.toThrow();
    await settle();
    expect(told, 'whoever asked for the replay is told by its promise').toBe(failure);
    expectCopy('ada', 3, false, 'the old copy');
  });

  it('hears heartbeats during a replay, also if that fails', async () => {
    apply(...ada());
    const { log, gives, fails } = slowLog();
    const replay = model.replay(log).catch(() => {});
    await gives(...service.log.slice(0, 1));
    await advance(8_000);
    model.heartbeat(Date.now());
    expect(model.staleMs, 'readers see the old copy, and it has just heard a heartbeat').toBe(0);
    await fails(new Error('the log is not there'));
    await replay;
    expect(model.staleMs, 'the log has failed, the heartbeat was heard all the same').toBe(0);
  });

  it('is no fresher for a log that has not ended', async () => {
    const [one] = ada();
    apply(one);
    await advance(3_000);
    service.change('ada', { city: 'Bonn' });
    service.change('bob', { city: 'Graz' });
    const { log, gives, ends } = slowLog();
    const replay = model.replay(log);
    await gives(...service.log.slice(0, 2), ...service.log.slice(3));
    expect(model.staleMs, 'readers still see an Ada of 3 s ago').toBe(3_000);
    expect(gaps(), 'the hole is in the new copy, which nobody sees yet').toEqual([]);
    await ends();
    await replayed(replay, 'the log lacks her third event');
    expect(model.staleMs, 'Bob has come just now').toBe(0);
    expect(gaps(), 'the new copy says what the log lacks').toEqual(['ada 3']);
  });

  it('can be done again after it has failed', async () => {
    const events = ada();
    const { log, fails } = slowLog();
    const failed = model.replay(log).catch(() => {});
    await fails(new Error('not yet'));
    await failed;
    await replayed(model.replay(logOf(events)), 'the second time');
    expectCopy('ada', 3, false, 'the second time it works');
  });

  it('is over when it is over', async () => {
    const events = ada();
    await replayed(model.replay(logOf(events)), 'the first');
    apply(service.change('ada', { city: 'Bonn' }));
    expectCopy('ada', 4, false, 'events after the replay');
    await replayed(model.replay(logOf(service.log)), 'the second');
    expectCopy('ada', 4, false, 'a second replay');
    expect(gaps(), 'nothing is missing').toEqual([]);
  });

  it('says what is missing in the new copy', async () => {
    const [one, two, three] = ada();
    apply(one, three);
    await replayed(model.replay(logOf([one, two])), 'the log has two');
    expectCopy('ada', 2, false, 'three was published after, says the log');
    await replayed(model.replay(logOf([one, three])), 'a log with a hole');
    expect(gaps(), 'the log itself lacks two').toEqual(['ada 2']);
  });

  it('knows from the log how stale it is', async () => {
    ada();
    await advance(3_000);
    service.change('ada', { city: 'Bonn' });
    const last = service.change('ada', { city: 'Kyiv' });
    await replayed(model.replay(logOf([...service.log.slice(0, 3), last])), 'the log lacks one');
    expect(model.staleMs, 'the newest that is in the copy is 3 s old, and one waits').toBe(3_000);
    model = createReadModel();
    await replayed(model.replay(logOf([])), 'an empty log');
    expect(model.staleMs, 'still nothing is known').toBeUndefined();
  });

  it('is no more stale after it than before', async () => {
    const events = ada();
    await advance(10_000);
    model.heartbeat(Date.now());
    await replayed(model.replay(logOf(events)), 'three events of 10 s ago');
    expect(model.staleMs, 'the heartbeat was now').toBe(0);
  });

  it('does not forget what it has heard of', async () => {
    apply(...ada());
    await advance(10_000);
    model.heartbeat(Date.now());
    const { log, gives, ends } = slowLog();
    const replay = model.replay(log);
    await gives(...service.log);
    expect(model.staleMs, 'during the replay as before').toBe(0);
    await advance(500);
    model.heartbeat(Date.now() - 100);
    await ends();
    await replayed(replay, 'three events of 10 s ago');
    expect(model.staleMs, 'the last heartbeat was 100 ms ago').toBe(100);
  });

  it('does not forget an answer that was news to the old copy alone', async () => {
    const events = ada();
    apply(events[0]);
    const { log, gives, ends } = slowLog();
    const replay = model.replay(log);
    await gives(...events);
    await advance(5_000);
    model.resync('ada', service.snapshot('ada'));
    expect(model.staleMs, 'the old copy has taken over the answer').toBe(0);
    await ends();
    await replayed(replay, 'the log had all that the answer said');
    expectCopy('ada', 3, false, 'the new copy');
    expect(model.staleMs, 'what has been heard of stays heard of').toBe(0);
  });
});

// ── Histories at random ─────────────────────────────────────────────────────────────────────────────────

const IDS = ['ada', 'bob'];

/** What the customer service does, and what becomes of the news of it. */
type Step =
  | { readonly does: 'change'; readonly id: string; readonly field: string }
  | { readonly does: 'delete'; readonly id: string }
  | { readonly does: 'deliver'; readonly nth: number }
  | { readonly does: 'ask'; readonly id: string };

const ids = fc.constantFrom(...IDS);
const weighed = <S extends Step>(weight: number, arbitrary: fc.Arbitrary<S>) => ({
  weight,
  arbitrary,
});
const does = <D extends Step['does']>(what: D) => fc.constant(what);
const steps: fc.Arbitrary<Step> = fc.oneof(
  weighed(4, fc.record({ does: does('change'), id: ids, field: fc.constantFrom('city', 'phone') })),
  weighed(1, fc.record({ does: does('delete'), id: ids })),
  weighed(6, fc.record({ does: does('deliver'), nth: fc.nat(20) })),
  weighed(1, fc.record({ does: does('ask'), id: ids })),
);

function inWords(each: Step): string {
  if (each.does === 'change') return `${each.id} changes ${each.field}`;
  if (each.does === 'delete') return `${each.id} is deleted`;
  return each.does === 'deliver' ? `event ${each.nth} arrives` : `asked about ${each.id}`;
}

/** Does a step, and says which versions have come of whom. */
function play(step: Step, come: Map<string, Set<number>>): void {
  const note = (id: string, ...versions: number[]) => {
    const set = come.get(id) ?? new Set<number>();
    for (const version of versions) set.add(version);
    come.set(id, set);
  };
  if (step.does === 'change') service.change(step.id, { [step.field]: service.log.length });
  if (step.does === 'delete') service.delete(step.id);
  if (step.does === 'deliver' && service.log.length > 0) {
    const event = service.log[step.nth % service.log.length];
    if (!event) return;
    model.apply(event);
    note(event.id, event.version);
  }
  if (step.does === 'ask' && service.versionOf(step.id) > 0) {
    const snapshot = service.snapshot(step.id);
    model.resync(step.id, snapshot);
    note(step.id, ...Array.from({ length: snapshot.version }, (_, index) => index + 1));
  }
}

/** The copy against paper: the last version before the first that has not come. */
function expectAsOnPaper(come: Map<string, Set<number>>, history: readonly string[]): void {
  for (const id of IDS) {
    const versions = come.get(id) ?? new Set();
    let version = 0;
    while (versions.has(version + 1)) version += 1;
    const hasGap = Math.max(0, ...versions) > version;
    const customer = service.at(id, version);
    const told = history.join(' → ');
    expect(model.get(id), `${id} should be as at version ${version}, after: ${told}`).toEqual(
      customer && { customer, version, hasGap },
    );
    const gap = model.gaps().find((each) => each.id === id);
    expect(gap?.missing, `the gap of ${id}, after: ${told}`).toBe(hasGap ? version + 1 : undefined);
  }
}

const check = { seed: 16, numRuns: 120 };

describe('7 · whatever comes in', () => {
  it('shows what the customer service had, version by version', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 25 }), (all) => {
        service = new CustomerService();
        model = createReadModel();
        const come = new Map<string, Set<number>>();
        const history: string[] = [];
        for (const step of all) {
          play(step, come);
          history.push(inWords(step));
          expectAsOnPaper(come, history);
        }
      }),
      check,
    );
  });

  it('ends where the customer service is, whatever the order', () => {
    fc.assert(
      fc.property(
        fc.array(steps, { minLength: 5, maxLength: 25 }),
        fc.infiniteStream(fc.nat()),
        (all, chance) => {
          service = new CustomerService();
          model = createReadModel();
          for (const step of all) play(step, new Map());
          const order = service.log
            .map((event) => ({ event, rank: Number(chance.next().value) }))
            .toSorted((a, b) => a.rank - b.rank);
          for (const { event } of order) model.apply(event);
          for (const id of IDS) {
            const customer = service.at(id, service.versionOf(id));
            const words = order.map(({ event }) => `${event.id} ${event.version}`).join(', ');
            expect(model.get(id)?.customer, `all have come, in the order ${words}: ${id}`).toEqual(
              customer,
            );
          }
          expect(model.gaps(), 'nothing is missing').toEqual([]);
        },
      ),
      check,
    );
  });

  it('ends there also by way of a replay', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(steps, { maxLength: 15 }),
        fc.array(steps, { maxLength: 10 }),
        async (before, during) => {
          service = new CustomerService();
          model = createReadModel();
          for (const step of before) play(step, new Map());
          const published = [...service.log];
          const { log, gives, ends } = slowLog();
          const replay = model.replay(log);
          for (const [index, step] of during.entries()) {
            const from = service.log.length;
            play(step, new Map());
            for (const event of service.log.slice(from)) model.apply(event);
            const next = published[index];
            if (next) await gives(next);
          }
          await gives(...published.slice(during.length));
          await ends();
          await replayed(replay, 'the log has ended');
          for (const id of IDS) {
            const version = service.versionOf(id);
            const told = during.map(inWords).join(' → ');
            expect(model.get(id)?.customer, `${id}; during the replay: ${told}`).toEqual(
              service.at(id, version),
            );
          }
        },
      ),
      { seed: 61, numRuns: 40 },
    );
  });
});
