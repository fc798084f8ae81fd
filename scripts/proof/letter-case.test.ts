import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';

/*
 * Some file systems tell `Retry.ts` from `retry.ts`, others do not: what works on one must work on the other.
 */

const root = resolve(import.meta.dirname, '../..');
const files = ['katas', 'lessons', 'quiz', 'scripts', 'solutions'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name)),
);

it('no two files have names that differ in case only', () => {
  const names = files.map((file) => file.toLowerCase());
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

it('every import names its file with just the letters that it has', () => {
  const known = new Set(files);
  const wrong = files
    .filter((file) => file.endsWith('.ts') && !file.includes('fixtures'))
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(IMPORT)].flatMap(([, , path = '']) =>
        known.has(join(dirname(file), path)) ? [] : [`${file}: ${path}`],
      ),
    );
  expect(wrong).toEqual([]);
});

/** At the start of a line or after `await`: what stands in a text that is a test's is none. */
const IMPORT =
  /^(?:import\b|export\b|\} from|.*\bawait import\()[^'`"\n]*(['"])(\.[^'"$]+\.ts)\1/gm;
