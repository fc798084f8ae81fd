import { expect, it, vi } from 'vitest';
import { fakeTerminal } from './fixtures/fake-terminal.ts';
import { choose } from './menu.ts';

const choices = [
  { label: 'Read: Retry', value: 'learn' },
  { label: 'Quiz', value: 'quiz' },
];

it('lists what there is, and how to choose', async () => {
  const menu = await opened();
  expect(menu.written()).toContain('What now?');
  expect(menu.written()).toContain('Read: Retry');
  expect(menu.written()).toContain('q leaves');
  await menu.press('\r');
  expect(await menu.chosen).toBe('learn');
});

it('moves with the arrows', async () => {
  const menu = await opened();
  await menu.press('\u001B[B', '\r');
  expect(await menu.chosen).toBe('quiz');
});

it.each([
  ['q', 'q'],
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
])('is left with %s', async (_name, key) => {
  const menu = await opened();
  await menu.press(key);
  expect(await menu.chosen).toBeUndefined();
});

it('is left when there will be no more keys', async () => {
  const menu = await opened();
  menu.input.end();
  expect(await menu.chosen).toBeUndefined();
});

it('is left when a signal says so', async () => {
  const leaving = new AbortController();
  const menu = await opened(leaving.signal);
  leaving.abort();
  expect(await menu.chosen).toBeUndefined();
});

async function opened(signal?: AbortSignal) {
  const fake = fakeTerminal();
  const chosen = choose('What now?', choices, fake.terminal, signal);
  await vi.waitFor(() => expect(fake.written()).toContain('Quiz'));
  return { ...fake, chosen };
}
