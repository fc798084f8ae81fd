import { EventEmitter, once } from 'node:events';
import { watchFile } from '../loop/file-watch.ts';
import { copyKata, type KataCopy } from '../measure/kata-copy.ts';
import { createSpecRunner } from '../runner/spec-runner.ts';
import { isSolved } from '../runner/verdict.ts';
import { contestant, type Finding, type Measure, type Place, sampleInTurn } from './measure.ts';
import { saveAgain } from './save.ts';
import { coldVitest, watchWithVitest } from './vitest.ts';

export const loopMeasure: Measure = {
  name: 'loop',
  title: 'from saving an answer to the verdict on it',
  async run({ root, slug, signal }: Place): Promise<Finding> {
    const copies = await Promise.all([1, 2, 3].map(() => copyKata(root, slug)));
    const [ofLoop, ofWatch, ofRun] = copies;
    if (!ofLoop || !ofWatch || !ofRun) throw new Error('Three copies are needed.');
    try {
      const watch = await watchWithVitest(ofWatch, signal);
      const loop = openLoop(ofLoop);
      try {
        const ours = contestant('the loop', 'ms', loop.save);
        const live = contestant('vitest --watch', 'ms', watch.save);
        let testsMs = 0;
        const cold = contestant('vitest run', 'ms', async () => {
          const run = await coldVitest(ofRun, signal);
          ({ testsMs } = run);
          return run.tookMs;
        });
        await sampleInTurn([ours, live, cold], { rounds: 9, pauseMs: 300, signal });
        return {
          contestants: [ours, live, cold],
          ratios: [
            { ours, theirs: live, aim: 0.35 },
            { ours, theirs: cold, aim: 0.2 },
          ],
          notes: [
            'the loop: its file watch and its live runner, without drawing the screen',
            'vitest --watch: until it says that it waits for changes; its own debounce included',
            'vitest run: a new process each time, without npx',
            `in each of them the tests alone take ${Math.round(testsMs)} ms, by Vitest's account`,
          ],
        };
      } finally {
        watch.close();
        await loop.close();
      }
    } finally {
      await Promise.all(copies.map((copy) => copy.remove()));
    }
  },
};

/** The part of the loop that is between a save and the screen. */
function openLoop({ root, slug, answer }: KataCopy) {
  const runner = createSpecRunner({ root });
  const saves = new EventEmitter();
  const watch = watchFile(
    answer,
    () => saves.emit('save'),
    (error) => saves.emit('error', error),
  );
  return {
    save: async (): Promise<number> => {
      const startedAt = performance.now();
      const saved = once(saves, 'save');
      await saveAgain({ answer });
      await saved;
      const verdict = await runner.run({ slug });
      if (!isSolved(verdict)) throw new Error('The solution fails its spec.');
      return performance.now() - startedAt;
    },
    close: async () => {
      await watch.close();
      await runner.close();
    },
  };
}
