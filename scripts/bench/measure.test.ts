import { expect, it } from 'vitest';
import { contestant, sampleInTurn } from './measure.ts';

it('samples in turn, and throws the first round away', async () => {
  const order: string[] = [];
  const counting = (name: string) => {
    let count = 0;
    return contestant(name, 'ms', async () => {
      order.push(name);
      count += 1;
      return count;
    });
  };
  const ours = counting('ours');
  const theirs = counting('theirs');
  await sampleInTurn([ours, theirs], { rounds: 2, signal: new AbortController().signal });
  expect(order).toEqual(['ours', 'theirs', 'ours', 'theirs', 'ours', 'theirs']);
  expect([ours.samples, theirs.samples]).toEqual([
    [2, 3],
    [2, 3],
  ]);
});

it('stops when it is told to', async () => {
  const controller = new AbortController();
  const ours = contestant('ours', 'ms', async () => {
    controller.abort();
    return 1;
  });
  await expect(
    sampleInTurn([ours], { rounds: 5, signal: controller.signal }),
  ).rejects.toMatchObject({ name: 'AbortError' });
  expect(ours.samples).toEqual([]);
});
