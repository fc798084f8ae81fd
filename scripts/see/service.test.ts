import { describe, expect, it } from 'vitest';
import { constant } from './draws.ts';
import { createEventClock } from './event-clock.ts';
import { createService, ServiceError, type ServiceOptions } from './service.ts';

/** A service, and how and when each of its calls has ended. */
function openService(options: Partial<ServiceOptions>) {
  const clock = createEventClock();
  const service = createService(
    'stock',
    { workMs: constant(10), ...options },
    { clock, random: () => 0.5 },
  );
  const endings: string[] = [];
  const call = (name: string, signal?: AbortSignal) =>
    void service.call({ signal }).then(
      () => endings.push(`${name} ok at ${clock.nowMs}`),
      (error: unknown) => {
        const why = error instanceof ServiceError ? error.reason : String(error);
        endings.push(`${name} ${why} at ${clock.nowMs}`);
      },
    );
  return { clock, service, endings, call };
}

describe('a service', () => {
  it('works on as many calls as it has servers, and lets the others wait in line', async () => {
    const { clock, service, endings, call } = openService({ servers: 1 });
    for (const name of ['a', 'b', 'c']) call(name);
    await clock.advanceTo(100);
    expect(endings).toEqual(['a ok at 10', 'b ok at 20', 'c ok at 30']);
    expect(service.waitsMs).toEqual([0, 10, 20]);
    expect(service.useful.total).toBe(3);
  });

  it('takes the newest first when told to', async () => {
    const { clock, endings, call } = openService({ servers: 1, order: 'newest first' });
    for (const name of ['a', 'b', 'c']) call(name);
    await clock.advanceTo(100);
    expect(endings).toEqual(['a ok at 10', 'c ok at 20', 'b ok at 30']);
  });

  it('refuses at once what its queue has no place for', async () => {
    const { clock, service, endings, call } = openService({ servers: 1, queue: 1 });
    for (const name of ['a', 'b', 'c']) call(name);
    await clock.advanceTo(100);
    expect(endings).toEqual(['c refused at 0', 'a ok at 10', 'b ok at 20']);
    expect(service.refused.total).toBe(1);
  });

  it('goes on with what nobody waits for, and counts it as wasted', async () => {
    const { clock, service, endings, call } = openService({ servers: 1 });
    const left = new AbortController();
    call('a', left.signal);
    call('b');
    clock.at(3, () => left.abort(new Error('left')));
    await clock.advanceTo(100);
    expect(endings).toEqual(['a Error: left at 3', 'b ok at 20']);
    expect(service.wasted.total).toBe(1);
  });

  it('drops what nobody waits for when it sees that', async () => {
    const { clock, endings, call } = openService({ servers: 1, seesLeaving: true });
    const left = new AbortController();
    call('a', left.signal);
    call('b', left.signal);
    call('c');
    clock.at(3, () => left.abort(new Error('left')));
    await clock.advanceTo(100);
    expect(endings.at(-1)).toBe('c ok at 13');
  });

  it('holds its server while it calls another one', async () => {
    const { clock, service, endings, call } = openService({ servers: 1 });
    const other = createService('other', { workMs: constant(50) }, { clock, random: () => 0 });
    void service
      .call({ next: () => other.call() })
      .then(() => endings.push(`a ok at ${clock.nowMs}`));
    call('b');
    await clock.advanceTo(100);
    expect(endings).toEqual(['a ok at 60', 'b ok at 70']);
  });

  it('answers with what the next call throws at once', async () => {
    const { clock, service, endings, call } = openService({ servers: 1 });
    const next = (): Promise<void> => {
      throw new Error('no way on');
    };
    service
      .call({ next })
      .catch(({ message }: Error) => endings.push(`${message} at ${clock.nowMs}`));
    call('b');
    await clock.advanceTo(100);
    expect(endings).toEqual(['no way on at 10', 'b ok at 20']);
  });

  it('refuses what its queue has no place for in a stall, too', async () => {
    const { clock, endings, call } = openService({
      servers: 1,
      queue: 1,
      faults: [{ kind: 'stalled', fromMs: 0, toMs: 50 }],
    });
    call('a');
    call('b');
    await clock.advanceTo(100);
    expect(endings).toEqual(['b refused at 0', 'a ok at 60']);
  });

  it('takes the network both ways', async () => {
    const { clock, endings, call } = openService({ networkMs: constant(7) });
    call('a');
    await clock.advanceTo(100);
    expect(endings).toEqual(['a ok at 24']);
  });

  it.each([
    ['down', { kind: 'down' }, ['a refused at 50', 'b ok at 110']],
    ['stalled', { kind: 'stalled' }, ['a ok at 110', 'b ok at 110']],
    ['slow', { kind: 'slow', times: 3 }, ['a ok at 80', 'b ok at 110']],
    ['failing', { kind: 'failing', share: 1 }, ['a failed at 60', 'b ok at 110']],
  ] as const)('can be %s for a while', async (_, fault, wanted) => {
    const { clock, endings, call } = openService({ faults: [{ fromMs: 40, toMs: 100, ...fault }] });
    clock.at(50, () => call('a'));
    clock.at(100, () => call('b'));
    await clock.advanceTo(200);
    expect(endings).toEqual(wanted);
  });
});
