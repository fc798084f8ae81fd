import { experiment, uniform, type World } from '../../scripts/see/experiment.ts';
import { createBatchLoader, type Row } from './batch-loader.ts';

const PARCELS = 120;
const SIX_MS = 3_000;
const RUSH_MS = 500;
const PATIENCE_MS = 5_000;
/** What a call costs once, and what each address after the first adds. */
const CALL_MS = uniform(4, 6);
const KEY_MS = 0.1;

class UnknownParcelError extends Error {
  override readonly name = 'UnknownParcelError';
}

experiment('six', {
  question:
    'At six, 180 vans print 120 labels each, and each label needs an address. The address service takes 5 ms for one, and works on two calls at a time: 400 a second. A call may also ask for 100, at 0.1 ms for each. A label waits for 5 s at most.',
  asked:
    'On the left the last label is printed five seconds after six, and the address service goes on at full load. For whom, and until when? What would a second address service change?',
  lastsMs: 15_000,
  unit: 'so far',
  settings: {
    vans: { says: 'vans that print at six', usual: 180, from: 1, to: 180 },
  },
  faults: () => [{ fromMs: SIX_MS, toMs: SIX_MS + PATIENCE_MS, what: 'patience' }],
  without: {
    title: 'a call for each label',
    play: (world, setting) => {
      const ask = addressService(world);
      play(world, setting('vans'), async (id, signal) => {
        const [row] = await ask([id], signal);
        if (row && 'value' in row) return row.value;
        throw row?.error;
      });
    },
  },
  yours: {
    title: 'your batch loader',
    play: (world, setting) => {
      const ask = addressService(world);
      const loader = createBatchLoader({
        fetchMany: (ids: readonly number[]) => ask(ids),
        maxBatchSize: 100,
      });
      play(world, setting('vans'), (id, signal) => loader.load(id, { signal }));
    },
  },
  lines: {
    calls: (run, _, toMs) => run.counted('calls').between(0, toMs),
    labels: (run, _, toMs) => run.counted('labels').between(0, toMs),
  },
  numbers: {
    'calls for labels': (run) => run.counted('calls').total,
    'labels printed': (run) => run.counted('labels').total,
    'longest queue (calls)': (run) => run.service('addresses').waiting.highest(),
    'work for those who have left (calls)': (run) => run.service('addresses').wasted.total,
    'desk: told within a second (%)': (run) =>
      100 * run.requests('desk').success(SIX_MS, run.lastsMs - 1_000),
  },
  observations: [
    {
      says: 'Labels printed, in percent of those with a known parcel',
      measure: (run) => (100 * run.counted('labels').total) / run.counted('known').total,
      atLeast: 99,
      breaks: ['A timer for each load', 'The rest is lost', 'One bad row fails all'],
    },
    {
      says: 'Calls to the address service for all labels',
      measure: (run) => run.counted('calls').total,
      atMost: 400,
      breaks: ['A timer for each load', 'A microtask is late enough'],
    },
    {
      says: 'Labels with the address of another parcel',
      measure: (run) => run.counted('wrong labels').total,
      atMost: 0,
      breaks: ['The third answer belongs to the third key'],
    },
  ],
});

type Ask = (ids: readonly number[], signal?: AbortSignal) => Promise<Row<number, string>[]>;

function addressService(world: World): Ask {
  const service = world.service('addresses', { servers: 2, workMs: CALL_MS });
  // The desk looks up one address at a time, whatever the vans do.
  world.arrivals('desk', { perSecond: 10 }, () => {
    world.request((signal) => service.call({ signal }), { kind: 'desk', patienceMs: 1_000 });
  });
  return async (ids, signal) => {
    world.count('calls');
    const others = ids.length - 1;
    const next = others > 0 ? () => world.wait(KEY_MS * others) : undefined;
    await service.call({ signal, next });
    // In the order of its index, which is nobody else's.
    return ids
      .toSorted((one, other) => other - one)
      .map((key) =>
        isKnown(key) ? { key, value: addressOf(key) } : { key, error: new UnknownParcelError() },
      );
  };
}

/** One parcel of every tenth van. */
function isKnown(id: number): boolean {
  return id % (10 * PARCELS) !== 97;
}

function addressOf(id: number): string {
  return `${id} Main Street`;
}

function play(
  world: World,
  vans: number,
  load: (id: number, signal: AbortSignal) => Promise<string>,
): void {
  const print = async (id: number, step: number, signal: AbortSignal) => {
    if (isKnown(id)) world.count('known');
    // Labels are not all equally far when they come to the address.
    for (let job = 0; job < step % 4; job += 1) await Promise.resolve();
    const address = await load(id, signal);
    world.count(address === addressOf(id) ? 'labels' : 'wrong labels');
  };
  const chance = world.random('vans');
  for (let van = 0; van < vans; van += 1) {
    // One parcel was scanned twice.
    const ids = Array.from({ length: PARCELS }, (_, place) => van * PARCELS + Math.max(1, place));
    world.at(SIX_MS + chance() * RUSH_MS, () => {
      world.request(
        (signal) => Promise.allSettled(ids.map((id, place) => print(id, place, signal))),
        { kind: 'van', patienceMs: PATIENCE_MS },
      );
    });
  }
}
