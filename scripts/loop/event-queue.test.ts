import { expect, it } from 'vitest';
import { createEventQueue } from './event-queue.ts';

it('gives events in the order in which they came', async () => {
  const queue = createEventQueue<string>();
  queue.push('first');
  queue.push('second');
  expect([await queue.take(), await queue.take()]).toEqual(['first', 'second']);
});

it('waits for an event when there is none', async () => {
  const queue = createEventQueue<string>();
  const taken = queue.take();
  queue.push('late');
  expect(await taken).toBe('late');
});

it('throws a failure where it came, and goes on after it', async () => {
  const queue = createEventQueue<string>();
  queue.push('before');
  queue.fail(new Error('the watcher broke'));
  queue.push('after');
  expect(await queue.take()).toBe('before');
  await expect(queue.take()).rejects.toThrow('the watcher broke');
  expect(await queue.take()).toBe('after');
});
