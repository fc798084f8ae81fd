import { parseArgs } from 'node:util';
import { KitError } from '../quiz/problem.ts';
import type { Command, Invocation } from './command.ts';

type Parsed = Pick<Invocation, 'words' | 'flags'>;

/** Words and flags of a command. Throws a KitError for a flag that is unknown or has no value. */
export async function readArgs(
  args: readonly string[],
  options: Command['options'],
): Promise<Parsed> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    return { words: positionals, flags: values };
  } catch (error) {
    if (!isArgsError(error)) throw error;
    const [, flag] = /^Unknown option '([^']+)'/.exec(error.message) ?? [];
    const message =
      flag === undefined
        ? `${error.message.split(/\.?\n/)[0]}.`
        : await notFound('flag', flag, [
            '--help',
            ...Object.keys(options ?? {}).map((name) => `--${name}`),
          ]);
    throw new KitError(message, { exitCode: 2, cause: error });
  }
}

/** "There is no flag --onec. The nearest is --once." */
export async function notFound(
  kind: string,
  wanted: string,
  all: readonly string[],
): Promise<string> {
  const { closest } = await import('fastest-levenshtein');
  return `There is no ${kind} ${wanted}. The nearest is ${closest(wanted, all)}.`;
}

function isArgsError(error: unknown): error is Error {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('ERR_PARSE_ARGS')
  );
}
