import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { kitPaths } from './paths.ts';

const kit = resolve(import.meta.dirname, '..');

it('takes this kit and `.study` in it, unless the environment names others', () => {
  expect(kitPaths({})).toEqual({ root: kit, home: join(kit, '.study') });
  const named = { HALF_OPEN_ROOT: resolve('a kit'), HALF_OPEN_HOME: resolve('étude') };
  expect(kitPaths(named)).toEqual({ root: resolve('a kit'), home: resolve('étude') });
});

it('takes an empty name for none: a journal must not end up wherever the command was started', () => {
  expect(kitPaths({ HALF_OPEN_ROOT: '', HALF_OPEN_HOME: '' })).toEqual(kitPaths({}));
});
