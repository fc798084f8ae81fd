import { relative } from 'node:path';
import type { Kata } from '../content/catalog.ts';
import { type FileWatch, watchFile } from './file-watch.ts';
import type { SpecRunner } from '../runner/spec-runner.ts';
import { typeAdvice } from './type-advice.ts';
import type { WatchedKata, WatchEvent } from './watch-state.ts';
import { type Gallery, judgeDesigns, loadGallery, recallDesigns } from './wrong-designs.ts';

/** What goes on around one open kata beside the runs of its spec. What it finds out, it sends. */
export interface Desk {
  readonly kata: Kata;
  readonly watched: WatchedKata;
  /** Finds out, once, which tests the misconceptions fail. */
  judge(): void;
  /** Asks the compiler about the answer. */
  advise(): void;
  /** Resolves when nothing of it is left. */
  close(): Promise<void>;
}

export interface DeskTools {
  readonly root: string;
  readonly home: string;
  /** Saves are not to be watched for. */
  readonly manual: boolean;
  readonly createRunner: () => SpecRunner;
  /** Resolves when nobody waits for a verdict. */
  readonly idle: () => Promise<void>;
  readonly send: (event: WatchEvent) => void;
  readonly fail: (error: unknown) => void;
}

export async function openDesk(kata: Kata, tools: DeskTools): Promise<Desk> {
  const { slug, files } = kata;
  const { root, createRunner, idle, send, fail } = tools;
  const gallery = await loadGallery(kata, tools.home);
  const leaving = new AbortController();
  let outdated = new AbortController();
  const tasks: Promise<void>[] = [];
  const watch = tools.manual ? undefined : watchAnswer(files.stub, send);
  const known = await recallDesigns(gallery);
  if (known) send({ type: 'designs', slug, designs: known });
  let wasJudged = known !== undefined;

  return {
    kata,
    watched: watchedKata(kata, gallery, root),
    judge() {
      if (wasJudged) return;
      wasJudged = true;
      const judged = judgeDesigns(gallery, { createRunner, idle, signal: leaving.signal });
      tasks.push(
        judged.then((found) => found && send({ type: 'designs', slug, designs: found }), fail),
      );
    },
    advise() {
      outdated.abort();
      outdated = new AbortController();
      const signal = AbortSignal.any([leaving.signal, outdated.signal]);
      const asked = typeAdvice(root, files.stub, signal);
      tasks.push(asked.then((lines) => send({ type: 'advice', slug, lines }), fail));
    },
    async close() {
      leaving.abort();
      await Promise.all([watch?.close(), ...tasks]);
    },
  };
}

export function watchedKata(
  { slug, title, hints, files, hasExperiment }: Kata,
  { misconceptions }: Gallery,
  root: string,
): WatchedKata {
  return {
    slug,
    title,
    file: relative(root, files.stub),
    path: files.stub,
    hints,
    wrongDesigns: misconceptions.length,
    hasExperiment,
  };
}

function watchAnswer(file: string, send: DeskTools['send']): FileWatch {
  return watchFile(
    file,
    () => send({ type: 'saved' }),
    (error) => {
      const why = error instanceof Error ? error.message : String(error);
      send({ type: 'unwatched', reason: `Saves cannot be noticed here (${why}).` });
    },
  );
}
