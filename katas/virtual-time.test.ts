import { AsyncLocalStorage } from 'node:async_hooks';
import * as timersPromises from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { clocks, waits } from '../scripts/fixtures/ways-to-wait.ts';
import { advance, pendingTimers, settle, stepWallClock } from './virtual-time.ts';

describe('virtual time', () => {
  it.each(Object.entries(waits))('ends a wait by %s when its time has come', async (_, wait) => {
    let over = false;
    void wait(500).then(() => {
      over = true;
    });
    await advance(499);
    expect(over, 'after 499 ms').toBe(false);
    await advance(1);
    expect(over, 'after 500 ms').toBe(true);
    expect(pendingTimers()).toBe(0);
  });

  it.each(Object.entries(clocks))('moves %s', async (_, read) => {
    const before = read();
    await advance(1_500);
    expect(read() - before).toBeCloseTo(1_500);
  });

  it('fires in the order of time, and lets promises run in between', async () => {
    const seen: string[] = [];
    setTimeout(() => seen.push('200'), 200);
    void timersPromises
      .setTimeout(100)
      .then(() => timersPromises.setTimeout(50))
      .then(() => seen.push('100 + 50'));
    await advance(1_000);
    expect(seen).toEqual(['100 + 50', '200']);
  });

  it('settles long chains of promises and immediates without time passing', async () => {
    const start = performance.now();
    let done = false;
    void (async () => {
      for (let turn = 0; turn < 1_000; turn += 1) await Promise.resolve();
      for (let turn = 0; turn < 10; turn += 1) await timersPromises.setImmediate();
      await timersPromises.scheduler.yield();
      done = true;
    })();
    await settle();
    expect(done).toBe(true);
    expect(performance.now()).toBe(start);
  });

  it('settles immediates that are set by immediates and by timers', async () => {
    const seen: string[] = [];
    setImmediate(() => setImmediate(() => seen.push('immediate in immediate')));
    await settle();
    setTimeout(() => setImmediate(() => seen.push('immediate in timer')), 5);
    await advance(5);
    expect(seen).toEqual(['immediate in immediate', 'immediate in timer']);
  });

  it('takes 1 ms for a delay of 0, as Node does', async () => {
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 0);
    await settle();
    expect(fired).toBe(false);
    await advance(1);
    expect(fired).toBe(true);
  });

  it('clears a timer that is closed, or disposed of by using, as Node does', async () => {
    const fired: string[] = [];
    setTimeout(() => fired.push('closed'), 5).close();
    setTimeout(() => fired.push('disposed'), 5)[Symbol.dispose]();
    setInterval(() => fired.push('interval'), 5)[Symbol.dispose]();
    setImmediate(() => fired.push('immediate'))[Symbol.dispose]();
    expect(pendingTimers()).toBe(0);
    await advance(10);
    expect(fired).toEqual([]);
  });

  it('runs a task in the async context in which its timer was set, as Node does', async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const look = () => seen.push(request.getStore());
    request.run('first', () => {
      setTimeout(look, 10);
      setImmediate(look);
    });
    request.run('second', () => {
      const timer = setInterval(() => {
        look();
        clearInterval(timer);
      }, 20);
    });
    setTimeout(look, 30);
    await request.run('who moves time', () => advance(30));
    expect(seen).toEqual(['first', 'first', 'second', undefined]);
  });

  it('tells at once of a task that is none, as Node does', () => {
    expect(() => Reflect.apply(setTimeout, undefined, ['no task', 10])).toThrow(/function/);
  });

  it('moves on by more than a timer can hold', async () => {
    const start = performance.now();
    let fired = false;
    const timer = setTimeout(
      () => {
        fired = true;
      },
      2 ** 31 - 1,
    );
    setTimeout(() => clearTimeout(timer), 1_000);
    await advance(90 * 24 * 3_600_000);
    expect(performance.now() - start).toBe(90 * 24 * 3_600_000);
    expect(fired).toBe(false);
  });

  it('steps the wall clock alone', async () => {
    const wall = Date.now();
    const monotonic = performance.now();
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 100);
    stepWallClock(-3_600_000);
    expect(Date.now() - wall).toBe(-3_600_000);
    expect(performance.now()).toBe(monotonic);
    await advance(100);
    expect(fired).toBe(true);
  });

  it('aborts with a TimeoutError', async () => {
    const signal = AbortSignal.timeout(100);
    const either = AbortSignal.any([signal, new AbortController().signal]);
    await advance(100);
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' });
    expect(either.aborted).toBe(true);
  });

  it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ['setTimeout', (signal) => timersPromises.setTimeout(100, undefined, { signal })],
    ['setImmediate', (signal) => timersPromises.setImmediate(undefined, { signal })],
    ['setInterval', (signal) => timersPromises.setInterval(100, undefined, { signal }).next()],
    ['scheduler.wait', (signal) => timersPromises.scheduler.wait(100, { signal })],
  ])(
    'ends an aborted %s of node:timers/promises with an AbortError, as Node does',
    async (_, wait) => {
      const caller = new AbortController();
      const ended = wait(caller.signal).catch((error: unknown) => error);
      const reason = new Error('the user has left');
      caller.abort(reason);
      await settle();
      expect(await ended).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });
      expect(pendingTimers()).toBe(0);
    },
  );

  it('says so when a timer sets itself for ever', async () => {
    let endless = true;
    const again = () => {
      if (endless) setTimeout(again, 0);
    };
    again();
    await expect(advance(10_000_000)).rejects.toThrow('sets itself again and again');
    endless = false;
    await advance(10);
  });
});
