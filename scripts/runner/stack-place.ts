import type { Place } from './verdict.ts';

/** The innermost place in `file` that a stack names; none when it does not pass through that file. */
export function placeIn(file: string, stack: string | undefined): Place | undefined {
  const marker = `${file.replaceAll('\\', '/')}:`;
  for (const line of (stack ?? '').replaceAll('\\', '/').split('\n')) {
    const start = line.lastIndexOf(marker);
    const [, row, column] = /^(\d+):(\d+)/.exec(line.slice(start + marker.length)) ?? [];
    if (start !== -1 && row && column) return { line: Number(row), column: Number(column) };
  }
  return undefined;
}
