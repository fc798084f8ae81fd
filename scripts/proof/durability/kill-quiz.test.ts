import { expect, it } from 'vitest';
import { quizTrial } from './kill-quiz.ts';
import { missing } from './trial.ts';

it('loses nothing that was shown when the quiz is killed', async () => {
  const { signal } = new AbortController();
  const tally = await quizTrial.run({
    kills: 1,
    seconds: 1,
    seed: 1,
    signal,
    progress: () => {},
  });
  expect(tally.lost).toEqual([]);
  expect(tally.acknowledged).toBeGreaterThan(0);
}, 60_000);

it('names what is lost', () => {
  expect(missing(['a', 'b', 'c'], ['c', 'a', 'x'])).toEqual(['b']);
});
