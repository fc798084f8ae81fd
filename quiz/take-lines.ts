import { createInterface } from 'node:readline';

export interface Desk {
  readonly input?: NodeJS.ReadableStream;
  readonly output?: NodeJS.WritableStream;
}

/** What ended the lines: an empty one, `?` alone, Ctrl-C or Ctrl-D, or the wish to write in an editor (`:e`). */
export type Ending = 'given' | 'unknown' | 'stop' | 'editor';

/** Nobody types so fast: what comes sooner after an empty line was pasted with it. */
const PASTE_MS = 30;

/**
 * Reads lines at a terminal until an empty one, those within a pasted text aside. Each goes to `keep` once it
 * stands; on Ctrl-C also the one that is half typed.
 */
export function takeLines(
  { input = process.stdin, output = process.stdout }: Desk,
  keep: (line: string) => void,
): Promise<Ending> {
  const reader = createInterface({ input, output, prompt: '> ', terminal: true });
  return new Promise((resolve, reject) => {
    let hasSaid = false;
    let pause: NodeJS.Timeout | undefined;
    const end = (ending: Ending) => {
      resolve(ending);
      reader.close();
    };
    /** False when it cannot be kept: nothing more is asked then. */
    const say = (text: string): boolean => {
      try {
        keep(text);
        hasSaid = true;
      } catch (error) {
        reject(error);
        reader.close();
        return false;
      }
      return true;
    };
    reader.on('line', (line) => {
      clearTimeout(pause);
      const text = line.trim();
      if (text === '' && hasSaid) {
        pause = setTimeout(() => reader.line === '' && end('given'), PASTE_MS);
        return;
      }
      if (text === '?' && !hasSaid) return end('unknown');
      if (text === ':e') return end('editor');
      if (text === '' || say(text)) reader.prompt();
    });
    reader.on('SIGINT', () => reader.close());
    reader.on('close', () => {
      clearTimeout(pause);
      if (reader.line.trim() !== '') say(reader.line.trim());
      end('stop');
    });
    reader.prompt();
  });
}
