import { expect, it } from 'vitest';
import { placeIn } from './stack-place.ts';

const file = '/home/me/a kit (1)/katas/quota/quota.ts';

it('the innermost place in the file is taken', () => {
  const stack = [
    'Error: no',
    '    at next (/home/me/a kit (1)/katas/quota/quota.test.ts:9:9)',
    `    at take (${file}:13:5)`,
    `    at ${file}:20:1`,
  ].join('\n');
  expect(placeIn(file, stack)).toEqual({ line: 13, column: 5 });
});

it('a stack that does not pass through the file has no place in it', () => {
  expect(placeIn(file, 'Error: no\n    at node:internal/timers:573:17')).toBeUndefined();
  expect(placeIn(file, undefined)).toBeUndefined();
});

it('paths of Windows are understood', () => {
  const stack = String.raw`    at take (C:\kit\quota.ts:13:5)`;
  expect(placeIn('C:/kit/quota.ts', stack)).toEqual({ line: 13, column: 5 });
});
