import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isSlug } from './kit-layout.ts';

/** What stands in a folder, by name; nothing when there is no such folder. Names with a dot first are not ours. */
export async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter(({ name }) => !name.startsWith('.'))
    .toSorted((a, b) => byText(a.name, b.name));
}

/** The folders in a folder whose names are slugs. */
export async function slugFolders(folder: string): Promise<string[]> {
  return (await entriesOf(folder))
    .filter((entry) => entry.isDirectory() && isSlug(entry.name))
    .map(({ name }) => name);
}

/** The same order everywhere, whatever the locale. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
