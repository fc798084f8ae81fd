import { readFile } from 'node:fs/promises';
import type { Candidate } from './spec-notes.ts';
import type { Broken } from './verdict.ts';

/** The two files of a kata that a run is about; in place of the spec it may be the experiment. */
export interface SpecFiles {
  /** As Vite names folders: symbolic links resolved, forward slashes. */
  readonly root: string;
  readonly slug: string;
  readonly answer: string;
  readonly spec: string;
}

export function specFiles(root: string, { slug, sight }: Candidate): SpecFiles {
  const folder = `${root}/katas/${slug}`;
  const spec = sight ? 'experiment.ts' : `${slug}.test.ts`;
  return { root, slug, answer: `${folder}/${slug}.ts`, spec: `${folder}/${spec}` };
}

/** The path of a file as a learner knows it. */
export function shownPath(file: string, { root }: SpecFiles): string {
  return file.replace(`${root}/`, '');
}

/** The learner's file, or in which way it cannot be read and what to do. */
export async function readAnswer(files: SpecFiles): Promise<{ text: string } | Broken> {
  const path = shownPath(files.answer, files);
  const stub = `\`npm run reset -- ${files.slug}\` writes the stub there.`;
  const unreadable = (message: string): Broken => ({
    kind: 'broken',
    reason: 'unreadable',
    message,
  });
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(files.answer));
    if (text.trim() !== '') return { text };
    return unreadable(`${path} is empty. Undo in your editor may bring it back; ${stub}`);
  } catch (error) {
    switch (codeOf(error)) {
      case 'ENOENT':
        return unreadable(`${path} is missing. ${stub}`);
      case 'EISDIR':
        return unreadable(`${path} is a folder, not a file. Move it away; then ${stub}`);
      case 'ERR_ENCODING_INVALID_ENCODED_DATA':
        return unreadable(`${path} is not UTF-8 text. Save it as UTF-8 in your editor.`);
      default:
        return unreadable(`${path} could not be read: ${codeOf(error)}.`);
    }
  }
}

/** That the spec is not what the kit ships, why, and how to get it back. */
export function specChanged(why: string, files: SpecFiles): Broken {
  const path = shownPath(files.spec, files);
  const message = `${path} ${why}.\nGet the spec back with \`git checkout -- ${path}\`.`;
  return { kind: 'broken', reason: 'spec-changed', message };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
