import { createInterface } from 'node:readline';

export interface Desk {
  readonly input?: NodeJS.ReadableStream;
  readonly output?: NodeJS.WritableStream;
}

/** What ended the lines: an empty one, `?` alone, Ctrl-C or Ctrl-D, or the wish to write in an editor (`:e`). */
export type Ending = 'given' | 'unknown' | 'stop' | 'editor';

/**
 * Reads lines at a terminal until an empty one. Each goes to `keep` once it stands; on Ctrl-C also the one that
 * is half typed.
 */
export function takeLines(
  { input = process.stdin, output = process.stdout }: Desk,
  keep: (line: string) => void,
): Promise<Ending> {
  const reader = createInterface({ input, output, prompt: '> ', terminal: true });
  return new Promise((resolve, reject) => {
    let hasSaid = false;
    const end = (ending: Ending) => {
      resolve(ending);
      reader.close();
    };
    const say = (text: string) => {
      try {
        keep(text);
        hasSaid = true;
      } catch (error) {
        reject(error);
        reader.close();
      }
    };
    reader.on('line', (line) => {
      const text = line.trim();
      if (text === '' && hasSaid) return end('given');
      if (text === '?' && !hasSaid) return end('unknown');
      if (text === ':e') return end('editor');
      if (text !== '') say(text);
      reader.prompt();
    });
    reader.on('SIGINT', () => reader.close());
    reader.on('close', () => {
      if (reader.line.trim() !== '') say(reader.line.trim());
      end('stop');
    });
    reader.prompt();
  });
}
