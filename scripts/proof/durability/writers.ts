import { join } from 'node:path';
import { readJournal } from '../../../quiz/journal.ts';
import { seeded } from '../../../quiz/random.ts';
import { repository } from '../../fixtures/copy-kit.ts';
import { type Life, liveAndDie, shownLines } from './child.ts';
import { inFolder } from './in-folder.ts';
import { entriesIn } from './journal-file.ts';
import { missing, type Trial } from './trial.ts';

const script = join(import.meta.dirname, 'writer-child.ts');

export const writersTrial: Trial = {
  name: 'writers',
  title: 'two writers at once, and a third that is killed over and over',
  run: ({ seconds, seed, signal }) =>
    inFolder(async (home) => {
      const random = seeded(`writers ${seed}`);
      const ms = seconds * 1_000;
      const write = (name: string, killAfterMs?: number) =>
        liveAndDie([script, home, String(ms), `${seed} ${name}`], {
          cwd: repository,
          ready: '\n',
          killAfterMs,
        });
      const steady = Promise.all([write('one'), write('two')]);
      const over = new AbortController();
      void steady.catch(() => {}).finally(() => over.abort());
      const cutShort: Life[] = [];
      while (!over.signal.aborted && !signal.aborted) {
        cutShort.push(await write(`killed ${cutShort.length}`, random() * 200));
      }
      const ids = [...(await steady), ...cutShort].flatMap(shownLines);
      signal.throwIfAborted();
      const kept = entriesIn(home).map(({ id }) => id);
      const torn = readJournal(home).problems.length;
      return {
        tried: `${seconds} s, ${cutShort.length} kills, ${torn} torn lines`,
        acknowledged: ids.length,
        lost: missing(ids, kept),
      };
    }),
};
