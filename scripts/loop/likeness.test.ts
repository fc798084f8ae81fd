import { expect, it } from 'vitest';
import { likeness, type WrongDesign } from './likeness.ts';
import type { TestResult } from '../runner/verdict.ts';

it('names the misconception that fails just the tests that fail', () => {
  expect(named(['1 a', '1 b', '2 c!', '2 d'], { forgets: ['2 c'], leaks: ['1 a'] })).toEqual([
    'forgets',
  ]);
});

it('names none that fails another test besides', () => {
  expect(named(['1 a', '2 c!', '2 d'], { forgets: ['2 c', '1 a'] })).toEqual([]);
});

it('names all that fail alike', () => {
  expect(named(['1 a', '1 b!'], { one: ['1 b'], other: ['1 b'] })).toEqual(['one', 'other']);
});

it('names none when everything passes', () => {
  expect(named(['1 a'], { harmless: [] })).toEqual([]);
});

it('looks past levels that are not built yet', () => {
  expect(named(['1 a', '1 b!', '2 c!', '2 d!'], { forgets: ['1 b'] })).toEqual(['forgets']);
  expect(named(['1 a', '1 b!', '2 c!', '2 d!'], { forgets: ['1 b', '2 d'] })).toEqual(['forgets']);
});

it('takes a level of which nothing passes for one that is not built yet', () => {
  expect(named(['1 a', '2 b!', '2 c!', '3 d!'], { closed: ['2 b', '2 c'] })).toEqual([]);
});

it('takes a test that stops at a TODO for one that is not built yet', () => {
  const tests = testsOf(['1 a', '1 b!', '2 c!']).map((test) => ({
    ...test,
    message: 'Error: TODO: let the call through',
  }));
  expect(likeness(tests, designsOf({ forgets: ['1 b'] }))).toEqual([]);
});

it('tells tests of the same name in two levels apart', () => {
  expect(named(['1 a', '2 a!', '2 b'], { first: ['1 a'], second: ['2 a'] })).toEqual(['second']);
});

/** Tests as "level name", with "!" when they fail; misconceptions with the tests that they fail. */
function named(tests: readonly string[], designs: Readonly<Record<string, string[]>>): string[] {
  return likeness(testsOf(tests), designsOf(designs)).map(({ title }) => title);
}

function testsOf(tests: readonly string[]): TestResult[] {
  return tests.map((text) => {
    const [level = '', name = ''] = text.replace('!', '').split(' ');
    return { level, name, state: text.endsWith('!') ? 'failed' : 'passed' };
  });
}

function designsOf(designs: Readonly<Record<string, string[]>>): WrongDesign[] {
  return Object.entries(designs).map(([title, fails]) => ({
    title,
    why: 'Tempting.',
    fails: fails.map((key) => key.replace(' ', ' > ')),
  }));
}
