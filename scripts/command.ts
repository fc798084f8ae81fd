import type { KitPaths } from './paths.ts';

/** One command of the kit, as `study` finds and runs it. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole text of `--help`. */
  readonly help: string;
  /** Options beside `--help`, as `parseArgs` of `node:util` takes them. */
  readonly options?: Readonly<Record<string, { readonly type: 'boolean' | 'string' }>>;
  /** Runs the command; resolves to its exit code: 0 fine, 1 checks failed or unsolved. */
  run(invocation: Invocation): Promise<number>;
}

export interface Invocation extends KitPaths {
  /** What stands after the command's name and is no option. */
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
}
