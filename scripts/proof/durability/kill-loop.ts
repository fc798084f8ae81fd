import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyKit, repository } from '../../fixtures/copy-kit.ts';
import { kataFiles } from '../../content/kit-layout.ts';
import { liveAndDie, shownLines } from './child.ts';
import { entriesIn } from './journal-file.ts';
import { killOften } from './kills.ts';
import { missing, type Trial } from './trial.ts';

const script = join(import.meta.dirname, 'loop-child.ts');

export const loopTrial: Trial = {
  name: 'loop',
  title: 'the loop killed while it notes progress and resets, and an editor saves',
  run: (effort) =>
    killOften(effort, 'loop', async (killAfterMs, random) => {
      const { root, remove } = await copyKit();
      try {
        const life = await liveAndDie([script, root, String(random())], {
          cwd: repository,
          ready: 'saved',
          killAfterMs,
        });
        const shown = shownLines(life);
        const told = (what: string) =>
          shown.flatMap((line) => (line.startsWith(what) ? line.slice(what.length) : []));
        const saved = told('saved ');
        const progress = shown.filter((line) => line.startsWith('progress '));
        const home = join(root, '.study');
        const noted = entriesIn(home).flatMap((entry) =>
          entry.type === 'progress' ? `progress ${entry.passed}` : [],
        );
        // What a learner writes over is gone by their own doing.
        const there = [...answersIn(root, home), ...told('over ')];
        const lost = missing(saved, there).map((each) => `saved ${each}`);
        const isBehind = progress.some((line, index) => noted[index] !== line);
        return {
          wasKilled: life.wasKilled,
          readyMs: life.readyMs,
          acknowledged: saved.length + progress.length,
          lost: isBehind ? [...lost, `shown ${progress.join()}, noted ${noted.join()}`] : lost,
        };
      } finally {
        await remove();
      }
    }),
};

/** All that is there of what a learner ever saved: the file itself, and the attempts. */
function answersIn(root: string, home: string): string[] {
  const folder = join(home, 'attempts', 'quota');
  const attempts = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  const files = [...attempts, kataFiles(root, 'quota').stub].filter((file) => existsSync(file));
  return files.map((file) => readFileSync(file, 'utf8'));
}
