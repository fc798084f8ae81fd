import { KitError } from '../quiz/problem.ts';

/** Runs what a script is for. The one place that prints errors and sets the exit code. */
export async function main(start: (args: readonly string[]) => Promise<number>): Promise<void> {
  // Whoever reads our output may stop at any time, as `head` does, and a terminal may be gone.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
  try {
    process.exitCode = await start(process.argv.slice(2));
  } catch (error) {
    process.exitCode = error instanceof KitError ? error.exitCode : 1;
    console.error(error instanceof KitError ? error.message : bugInWords(error));
  }
}

function bugInWords(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${stack}\n\nThis is a bug in Half-Open. Please report it, with the lines above.`;
}
