import { z } from 'zod';

/** A small change to a solution, and what its spec said of it. */
export interface Mutant {
  readonly status: 'killed' | 'timed out' | 'survived' | 'not covered';
  /** What kind of change it is, such as `EqualityOperator`. */
  readonly mutator: string;
  /** 1-based, where the change begins. */
  readonly line: number;
  readonly original: string;
  readonly replacement: string;
}

/**
 * The mutants in a report of Stryker's (mutation-testing-elements), by line. What could not be tried, or was
 * switched off in the source, is left out: it says nothing about the spec.
 */
export function parseMutationReport(json: string): Mutant[] {
  const { files } = report.parse(JSON.parse(json));
  return Object.values(files)
    .flatMap(({ source, mutants }) =>
      mutants.flatMap(({ status, mutatorName, location, replacement }) => {
        const known = STATUS.get(status);
        if (known === undefined) return [];
        return {
          status: known,
          mutator: mutatorName,
          line: location.start.line,
          original: textAt(source, location),
          replacement,
        };
      }),
    )
    .toSorted((a, b) => a.line - b.line);
}

/** Neither killed nor timed out: the spec saw no difference. */
export function isSurvivor({ status }: Mutant): boolean {
  return status === 'survived' || status === 'not covered';
}

/** The share that the spec noticed, from 0 to 1; 1 when there was nothing to notice. */
export function scoreOf(mutants: readonly Mutant[]): number {
  return mutants.length === 0 ? 1 : 1 - mutants.filter(isSurvivor).length / mutants.length;
}

const STATUS = new Map<string, Mutant['status']>([
  ['Killed', 'killed'],
  ['Timeout', 'timed out'],
  ['Survived', 'survived'],
  ['NoCoverage', 'not covered'],
]);

/** Both 1-based; `end` is the first place after. */
const position = z.object({ line: z.number(), column: z.number() });
const span = z.object({ start: position, end: position });
const report = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.string(),
      mutants: z.array(
        z.object({
          status: z.string(),
          mutatorName: z.string(),
          location: span,
          replacement: z.string().default(''),
        }),
      ),
    }),
  ),
});

function textAt(source: string, { start, end }: z.infer<typeof span>): string {
  const lines = source.split('\n').slice(start.line - 1, end.line);
  const last = lines.length - 1;
  return lines
    .map((line, index) =>
      line.slice(index === 0 ? start.column - 1 : 0, index === last ? end.column - 1 : undefined),
    )
    .join('\n');
}
