import { expect, it } from 'vitest';
import { isSurvivor, type Mutant, parseMutationReport, scoreOf } from './mutation-report.ts';

const source = 'const a = 1;\nif (a < 2) {\n  go();\n}\n';

function reportOf(...mutants: object[]): string {
  return JSON.stringify({ schemaVersion: '1.0', files: { 'a.ts': { source, mutants } } });
}

function mutantAt(status: string, start: [number, number], end: [number, number]) {
  return {
    id: '1',
    status,
    mutatorName: 'EqualityOperator',
    replacement: 'a <= 2',
    location: {
      start: { line: start[0], column: start[1] },
      end: { line: end[0], column: end[1] },
    },
  };
}

function mutant(status: Mutant['status']): Mutant {
  return { status, mutator: 'EqualityOperator', line: 2, original: 'a', replacement: 'b' };
}

it('reads a mutant with the code that was replaced', () => {
  expect(parseMutationReport(reportOf(mutantAt('Survived', [2, 5], [2, 10])))).toEqual([
    {
      status: 'survived',
      mutator: 'EqualityOperator',
      line: 2,
      original: 'a < 2',
      replacement: 'a <= 2',
    },
  ]);
});

it('reads code over several lines', () => {
  const [block] = parseMutationReport(reportOf(mutantAt('Killed', [2, 12], [4, 2])));
  expect(block?.original).toBe('{\n  go();\n}');
});

it('leaves out what could not be tried', () => {
  const untried = ['CompileError', 'RuntimeError', 'Ignored', 'Pending'];
  const report = reportOf(...untried.map((status) => mutantAt(status, [2, 5], [2, 10])));
  expect(parseMutationReport(report)).toEqual([]);
});

it('lists mutants by line', () => {
  const report = reportOf(mutantAt('Killed', [3, 3], [3, 5]), mutantAt('Timeout', [1, 1], [1, 6]));
  expect(parseMutationReport(report).map(({ line }) => line)).toEqual([1, 3]);
});

it('refuses what is no report', () => {
  expect(() => parseMutationReport('{"files":[]}')).toThrow('expected record');
});

it('counts a time-out as noticed, and what no test reaches as a survivor', () => {
  const mutants = (['killed', 'timed out', 'survived', 'not covered'] as const).map(mutant);
  expect(mutants.map(isSurvivor)).toEqual([false, false, true, true]);
  expect(scoreOf(mutants)).toBe(0.5);
  expect(scoreOf([])).toBe(1);
});
