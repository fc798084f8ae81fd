import { expect, it } from 'vitest';
import { createOutputCap, type Printed } from './output-cap.ts';

function capped(...texts: string[]): Printed[] {
  const printed: Printed[] = [];
  const cap = createOutputCap((item) => printed.push(item));
  for (const text of texts) cap.write(text);
  cap.end();
  return printed;
}

it('lines come whole, however they were cut into pieces', () => {
  expect(capped('one\ntw', 'o', '\n\nthree')).toEqual([
    { line: 'one' },
    { line: 'two' },
    { line: '' },
    { line: 'three' },
  ]);
});

it('of many lines the first 200 come, and the number of the others, told a few times only', () => {
  const printed = capped(...Array.from({ length: 5_000 }, (_, index) => `${index}\n`));
  expect(printed.filter((item) => 'line' in item)).toHaveLength(200);
  expect(printed[199]).toEqual({ line: '199' });
  expect(printed.at(-1)).toEqual({ cut: 4_800 });
  expect(printed.length).toBeLessThan(220);
});

it('a long line is cut', () => {
  const [only] = capped('x'.repeat(400), 'x'.repeat(1_000_000), '\n');
  expect(only).toEqual({ line: `${'x'.repeat(500)}…` });
});
