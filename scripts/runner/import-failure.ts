import { isBuiltin } from 'node:module';
import { shownPath, type SpecFiles } from './spec-files.ts';
import type { Broken, Place } from './verdict.ts';

/**
 * That a candidate takes hold of the test tool, or that it lacks what the spec imports from it, for which Vite
 * would hand over `undefined`. Both texts are what Vite has made of the files.
 */
export function importFailure(
  spec: string,
  candidate: string,
  files: SpecFiles,
): Broken | undefined {
  const imports = matches(/__vite_ssr_import__\("(.+?)"/g, candidate);
  if (imports.some((path) => path.includes('/node_modules/vitest/')))
    return cannotImport('vitest', files);
  const unknown = imports.find((path) => path.startsWith('node:') && !isBuiltin(path));
  if (unknown) return cannotImport(unknown, files);

  const exported = new Set(matches(/__vite_ssr_exportName__\("(.+?)"/g, candidate));
  const missing = namesImported(spec, files.slug).filter((name) => !exported.has(name));
  if (missing.length === 0) return undefined;
  const names = missing.map((name) => `\`${name}\``).join(' and ');
  return {
    kind: 'broken',
    reason: exported.size === 0 ? 'unreadable' : 'import',
    message: `${shownPath(files.answer, files)} does not export ${names}, which the spec imports.`,
  };
}

/** That a candidate imports what it cannot or must not have. */
export function cannotImport(imported: string, files: SpecFiles, at?: Place): Broken {
  const message = `${shownPath(files.answer, files)} imports '${imported}'.\n${rule(imported)}`;
  return { kind: 'broken', reason: 'import', message, ...(at && { at }) };
}

function rule(imported: string): string {
  if (imported.startsWith('node:')) return 'Node has no such module.';
  return imported.startsWith('.')
    ? 'There is no such file. An answer is one file of its own: move what it needs into it.'
    : 'An answer imports nothing but modules of Node, by names such as `node:events`.';
}

function namesImported(spec: string, slug: string): string[] {
  const pattern = new RegExp(`"[^"]*/${slug}\\.ts", \\{"importedNames":\\[(.*?)\\]\\}`);
  const [, names = ''] = pattern.exec(spec) ?? [];
  return matches(/"(.+?)"/g, names);
}

function matches(pattern: RegExp, text: string): string[] {
  return [...text.matchAll(pattern)].flatMap(([, group]) => group ?? []);
}
