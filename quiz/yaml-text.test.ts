import * as yaml from 'yaml';
import { describe, expect, it } from 'vitest';
import { readYaml } from './yaml-text.ts';

describe('readYaml', () => {
  it('gives data, with nothing to complain of', () => {
    expect(readYaml('a: [1, { b: two }]\n', yaml)).toMatchObject({
      data: { a: [1, { b: 'two' }] },
      problems: [],
    });
  });

  it.each([
    ['an alias of nothing', 'a: *nowhere\n', 1, /Unresolved alias/],
    ['aliases that would fill the memory', bomb(), 1, /alias count/],
    ['a list for a key', 'a: 1\n? [b]\n: 2\n', 2, /A key must be plain text/],
    ['brackets without end', `a: 1\nb: ${'[{'.repeat(5_000)}`, 2, /nested too deeply/],
    ['lists without end', `a: 1\nb: 2\n${'- '.repeat(5_000)}`, 3, /nested too deeply/],
    ['keys without end', '? - '.repeat(2_000), 1, /nested too deeply/],
  ])('says in words what is wrong with %s', (_, text, line, message) => {
    const { data, problems } = readYaml(text, yaml);
    expect(data).toBeUndefined();
    expect(problems[0]).toEqual({ line, message: expect.stringMatching(message) });
  });
});

function bomb(): string {
  const levels = Array.from({ length: 9 }, (_, index) => {
    const before = Array.from({ length: 10 }, () => `*a${index}`).join(', ');
    return `a${index + 1}: &a${index + 1} [${before}]\n`;
  });
  return `a0: &a0 [x]\n${levels.join('')}`;
}
