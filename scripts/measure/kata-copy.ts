import { cp, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folders, kataFiles } from '../content/kit-layout.ts';

/** One kata in a folder of its own, with the solution in the learner's place. */
export interface KataCopy {
  /** Laid out like the kit, with symbolic links resolved. */
  readonly root: string;
  readonly slug: string;
  /** What a learner would edit. */
  readonly answer: string;
  readonly spec: string;
  remove(): Promise<void>;
}

/** Copies a kata, so that whatever is done to it is not done to the learner's. */
export async function copyKata(kitRoot: string, slug: string): Promise<KataCopy> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'half-open-')));
  const remove = () => rm(root, { recursive: true, force: true });
  try {
    const from = kataFiles(kitRoot, slug);
    const to = kataFiles(root, slug);
    const katas = folders(kitRoot).katas;
    await cp(join(katas, slug), join(folders(root).katas, slug), { recursive: true });
    await cp(join(katas, 'virtual-time.ts'), join(folders(root).katas, 'virtual-time.ts'));
    await writeFile(to.stub, await readFile(from.solution));
    await writeFile(join(root, 'package.json'), '{ "private": true, "type": "module" }\n');
    await symlink(join(kitRoot, 'node_modules'), join(root, 'node_modules'), 'junction');
    return { root, slug, answer: to.stub, spec: to.spec, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
