import { spawn } from 'node:child_process';
import { join, relative, sep } from 'node:path';

/**
 * What the compiler says of one file of the kit, a line each, without its name. Advice only: where the
 * compiler cannot be run, there is none.
 */
export async function typeAdvice(
  root: string,
  file: string,
  signal: AbortSignal,
): Promise<string[]> {
  const name = relative(root, file).split(sep).join('/');
  const printed = await outputOf(root, signal);
  return printed
    .split(/\r?\n/)
    .filter((line) => line.startsWith(`${name}(`))
    .map((line) =>
      line.slice(name.length).replace(/^\((\d+),(\d+)\): error (TS\d+): /, 'line $1: '),
    );
}

function outputOf(root: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const child = spawn(process.execPath, [compiler, '-p', root, '--noEmit', '--pretty', 'false'], {
      cwd: root,
      signal,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    child.on('error', () => resolve(''));
    child.on('close', () => resolve(printed));
  });
}
