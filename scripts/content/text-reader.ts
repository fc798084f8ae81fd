import { readFile } from 'node:fs/promises';

/** The text of a file; undefined when there is none. */
export type Read = (file: string) => Promise<string | undefined>;

/** Reads each file once. */
export function cachedReader(): Read {
  const texts = new Map<string, Promise<string | undefined>>();
  return (file) => {
    const text = texts.get(file) ?? readFile(file, 'utf8').catch(() => undefined);
    texts.set(file, text);
    return text;
  };
}
