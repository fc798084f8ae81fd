import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { watch } from 'chokidar';

export interface FileWatch {
  close(): Promise<void>;
}

/** An editor may empty a file before it writes it, or put another in its place. */
const SETTLE_MS = 30;

/**
 * Calls `onChange` whenever the text of `file` has changed, however it was saved: written over, renamed into
 * place, deleted and made anew. What leaves the text as it was is no change. `onFailure` is called when the
 * file system does not tell.
 */
export function watchFile(
  file: string,
  onChange: () => void,
  onFailure: (error: unknown) => void,
): FileWatch {
  const folder = dirname(file);
  const above = dirname(folder);
  let text = textOf(file);
  let settling: NodeJS.Timeout | undefined;

  function compare(now: string | undefined): void {
    if (now === text) return;
    text = now;
    onChange();
  }

  // From the folder above on, so that the folder itself may be deleted and come back.
  const watcher = watch(above, {
    depth: 1,
    ignored: (path) => ![above, folder, file].includes(path),
  });
  const look = () => {
    clearTimeout(settling);
    const now = textOf(file);
    if (now) compare(now);
    else settling = setTimeout(() => compare(textOf(file)), SETTLE_MS);
  };
  watcher.on('all', look);
  // Of two changes within 50 ms, and of a file put in the place of another, the events above may miss one.
  watcher.on('raw', look);
  watcher.on('error', onFailure);
  return {
    async close() {
      clearTimeout(settling);
      await watcher.close();
    },
  };
}

/** Undefined when there is no such file, or none that can be read. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}
