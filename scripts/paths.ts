import { resolve } from 'node:path';

export interface KitPaths {
  /** Where lessons, katas, solutions and decks are. */
  readonly root: string;
  /** Where the learner's journal and attempts are. */
  readonly home: string;
}

/**
 * `HALF_OPEN_ROOT` names another kit (tests do), `HALF_OPEN_HOME` another place for what is the learner's;
 * by default, and when they are empty, that is this kit and `.study` in it.
 */
export function kitPaths(env: NodeJS.ProcessEnv): KitPaths {
  const root = resolve(env['HALF_OPEN_ROOT'] || resolve(import.meta.dirname, '..'));
  return { root, home: resolve(env['HALF_OPEN_HOME'] || resolve(root, '.study')) };
}
