import { AsyncLocalStorage } from 'node:async_hooks';
import * as timersPromises from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { clocks, waits } from '../fixtures/ways-to-wait.ts';
import { clock } from './platform-time.ts';

const advance = (ms: number) => clock.advanceTo(clock.nowMs + ms);

describe('the platform in a simulation', () => {
  afterEach(() => clock.reset());

  it.each(Object.entries(waits))('ends a wait by %s when its time has come', async (_, wait) => {
    let over = false;
    void wait(500).then(() => {
      over = true;
    });
    await advance(499);
    expect(over, 'after 499 ms').toBe(false);
    await advance(1);
    expect(over, 'after 500 ms').toBe(true);
  });

  it.each(Object.entries(clocks))('moves %s', async (_, read) => {
    const before = read();
    await advance(1_500);
    expect(read() - before).toBeCloseTo(1_500);
  });

  it('still makes dates of all kinds', () => {
    expect(new Date(0).toISOString()).toBe('1970-01-01T00:00:00.000Z');
    expect(new Date()).toBeInstanceOf(Date);
    expect(Date()).toContain('2026');
    expect(Date.UTC(2026, 0, 1)).toBe(Date.parse('2026-01-01T00:00:00Z'));
  });

  it('takes 1 ms for a delay of 0, and none for an immediate', async () => {
    const seen: string[] = [];
    setTimeout(() => seen.push('timer'), 0);
    setImmediate(() => setImmediate(() => seen.push('immediate')));
    await advance(0);
    expect(seen).toEqual(['immediate']);
    await advance(1);
    expect(seen).toEqual(['immediate', 'timer']);
  });

  it('calls off a timer by itself, by its number, or by the text of it', async () => {
    const seen: string[] = [];
    const timer = (name: string) => setTimeout(() => seen.push(name), 10);
    clearTimeout(timer('itself'));
    clearTimeout(Number(timer('number')));
    clearTimeout(`${+timer('text')}`);
    clearInterval(timer('the other way'));
    timer('closed').close();
    clearTimeout(undefined);
    timer('kept').unref().ref();
    await advance(100);
    expect(seen).toEqual(['kept']);
  });

  it('sets a timer anew', async () => {
    let at: number | undefined;
    const timer = setTimeout(() => {
      at = performance.now();
    }, 100);
    setTimeout(() => timer.refresh(), 60);
    await advance(500);
    expect(at).toBe(160);
  });

  it('repeats until it is told to stop', async () => {
    const seen: number[] = [];
    const interval = setInterval(() => {
      seen.push(performance.now());
      if (seen.length === 3) clearInterval(interval);
    }, 10);
    await advance(1_000);
    expect(seen).toEqual([10, 20, 30]);
  });

  it('runs a task in the async context in which its timer was set', async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    request.run('first', () => setTimeout(() => seen.push(request.getStore()), 20));
    request.run('second', () => setTimeout(() => seen.push(request.getStore()), 10));
    await request.run('who moves time', () => advance(30));
    expect(seen).toEqual(['second', 'first']);
  });

  it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ['setTimeout', (signal) => timersPromises.setTimeout(100, undefined, { signal })],
    ['setImmediate', (signal) => timersPromises.setImmediate(undefined, { signal })],
    ['setInterval', (signal) => timersPromises.setInterval(100, undefined, { signal }).next()],
    ['scheduler.wait', (signal) => timersPromises.scheduler.wait(100, { signal })],
  ])('ends an aborted %s with an AbortError', async (_, wait) => {
    const caller = new AbortController();
    const ended = wait(caller.signal).catch((error: unknown) => error);
    const reason = new Error('the user has left');
    caller.abort(reason);
    await advance(0);
    expect(await ended).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  });

  it('tells at once of a task that is none', () => {
    expect(() => Reflect.apply(setTimeout, undefined, ['no task', 10])).toThrow(/function/);
  });
});
