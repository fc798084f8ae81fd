import { expect, it } from 'vitest';
import { failureMessage, type Thrown } from './failure-message.ts';

const said = (error: Thrown) => failureMessage(error, '/home/me/kit');
const assertion = (message: string, more: Thrown = {}) =>
  said({ name: 'AssertionError', message, ...more });

it.each([
  [
    'the circuit is open: the payment service must not be called: expected 1 to be +0 // Object.is equality',
    'the circuit is open: the payment service must not be called\nexpected 0 but got 1',
  ],
  ["expected 'a' to be 'b' // Object.is equality", "expected 'b' but got 'a'"],
  ['calls: expected [ 1, 2 ] to deeply equal [ 1 ]', 'calls\nexpected [ 1 ] but got [ 1, 2 ]'],
  ['the wait: expected 3 to be less than 2', 'the wait\nexpected less than 2 but got 3'],
  [
    'the wait: expected 1 to be close to 3, received difference is 2, but expected 0.005',
    'the wait\nexpected close to 3 but got 1',
  ],
  [
    'it fails: expected Error: x to be an instance of Boom',
    'it fails\nexpected an instance of Boom but got Error: x',
  ],
  [
    "expected [Function] to throw error including '503' but got 'no'",
    "expected an error that says '503' but got 'no'",
  ],
  [
    'expected "vi.fn()" to be called 2 times, but got 1 times',
    'expected it to be called 2 times, but got 1 times',
  ],
  ['the circuit never closed', 'the circuit never closed'],
])('of an assertion, the sentence and the values: %s', (message, text) => {
  expect(assertion(message)).toBe(text);
});

it('large values are shown by their difference', () => {
  const message = `the state: expected ${'{ a: 1 }'.repeat(9)} to deeply equal ${'{ a: 2 }'.repeat(9)}`;
  const diff =
    '\u001B[32m- Expected\u001B[39m\n\u001B[31m+ Received\u001B[39m\n\n  {\n-   "a": 2,\n+   "a": 1,\n  }';
  expect(assertion(message, { diff })).toBe(
    'the state\n- expected, + got:\n  {\n-   "a": 2,\n+   "a": 1,\n  }',
  );
});

it('another error than the one asked for is told by its message', () => {
  const actual = 'TypeError {\n  "message": "no \\"such\\" thing",\n}';
  expect(assertion('a limit of 1.5: expected error to be instance of RangeError', { actual })).toBe(
    'a limit of 1.5\nexpected a RangeError but got TypeError: no "such" thing',
  );
});

function property(counterexample: string, cause: Thrown): string {
  const message = [
    'Property failed after 3 tests',
    '{ seed: 42, path: "2:1", endOnFailure: true }',
    `Counterexample: ${counterexample}`,
    'Shrunk 4 time(s)',
    '',
    'Hint: Enable verbose mode in order to have the list of all failing values encountered during the run',
  ].join('\n');
  return said({ name: 'Error', message, cause });
}

it('of a property, what it says and its counterexample', () => {
  const cause = { name: 'AssertionError', message: 'n is small: expected 5 to be less than 5' };
  expect(property('[5,"a,b"]', cause)).toBe(
    'n is small\nexpected less than 5 but got 5\ncounterexample: 5,"a,b"',
  );
});

it('of a model, its commands as a timeline', () => {
  const cause = { name: 'AssertionError', message: 'it opened too early' };
  expect(property('[fail,wait 30 s,call(1, 2) /*replayPath="CBB:F"*/]', cause)).toBe(
    'it opened too early\ncounterexample: fail → wait 30 s → call(1, 2)',
  );
});

it('of a property without words, that it does not hold', () => {
  expect(property('[5]', { name: 'Error', message: 'Property failed by returning false' })).toBe(
    'This must hold for all values, and does not.\ncounterexample: 5',
  );
});

it.each([
  [{ name: 'Error', message: 'TODO: let it through' }, 'TODO: let it through'],
  [{ name: 'TypeError', message: 'no' }, 'TypeError: no'],
  [
    { name: 'Error', message: 'no', cause: { name: 'Boom', message: 'deep' } },
    'Error: no\ncaused by Boom: deep',
  ],
  [{ name: 'Error', message: '' }, 'Error'],
  [{ message: 'a string' }, 'threw a string, which is no Error'],
  [
    { name: 'TypeError', message: '(0 , __vite_ssr_import_2__.createQuota) is not a function' },
    'TypeError: createQuota is not a function',
  ],
  [
    { name: 'Error', message: 'in /home/me/kit/katas/quota/quota.ts' },
    'Error: in katas/quota/quota.ts',
  ],
  [{ name: 'Error', message: '\u001B[31mred\u001B[0m\u0007\r' }, 'Error: red'],
])('of another error, its name and message: %o', (error, text) => {
  expect(said(error)).toBe(text);
});

it.each([
  { name: 'HungTest', message: '' },
  { name: 'Error', message: 'Test timed out in 500ms.' },
  { name: 'Error', message: 'Hook timed out in 500ms.' },
])('of something that never ends, that it waits in vain', (error) => {
  expect(said(error)).toMatch(/never ended: it waits for a promise/);
});

it('no message fills the screen', () => {
  expect(said({ name: 'Error', message: 'line\n'.repeat(1_000) }).split('\n')).toHaveLength(17);
  expect(said({ name: 'Error', message: 'x'.repeat(1e6) }).length).toBeLessThan(2_100);
});
