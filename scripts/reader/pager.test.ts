import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fakeTerminal, settled } from '../fixtures/fake-terminal.ts';
import type { Page } from './markdown.ts';
import { showInPager } from './pager.ts';

const enter = '\u001B[?1049h';
const leave = '\u001B[?1049l';

function pageAt(width: number): Page {
  const lines = Array.from({ length: 100 }, (_, line) => `line ${line} at ${width}`);
  return {
    lines,
    blocks: lines.map((_, line) => line),
    headings: [{ anchor: 'later', depth: 2, line: 50 }],
  };
}

const render = (width: number) => Promise.resolve(pageAt(width));

beforeEach(() => {
  vi.stubEnv('PAGER', '');
});

afterEach(() => {
  vi.unstubAllEnvs();
});

test('the text is shown on a screen of its own, and the terminal is as before when it is left', async () => {
  const fake = fakeTerminal();
  const shown = showInPager({ title: 'A text', render }, fake.terminal);
  await settled();
  expect(fake.written()).toContain(enter);
  expect(fake.screen()[0]).toBe('line 0 at 80');
  expect(fake.screen().at(-1)).toContain('A text · 23 %');
  expect(fake.input.isRaw).toBe(true);

  await fake.press(' ', ' ', 'q');
  expect(await shown).toBeCloseTo(0.67);
  expect(fake.written().endsWith(leave)).toBe(true);
  expect(fake.input.isRaw).toBe(false);
  expect(fake.input.listenerCount('keypress')).toBe(0);
});

test('small and capital letters are different keys', async () => {
  const fake = fakeTerminal();
  const shown = showInPager({ title: '', render }, fake.terminal);
  await settled();
  await fake.press('G');
  expect(fake.screen()[0]).toBe('line 77 at 80');
  await fake.press('g');
  expect(fake.screen()[0]).toBe('line 0 at 80');
  await fake.press('/', '5', '5', '\r');
  expect(fake.screen()).toContain('line 55 at 80');
  await fake.press('\u0003');
  await shown;
});

test('it opens at a heading', async () => {
  const fake = fakeTerminal();
  const shown = showInPager({ title: '', render, anchor: 'later' }, fake.terminal);
  await settled();
  expect(fake.screen()[0]).toBe('line 50 at 80');
  await fake.press('q');
  await shown;
});

test('a resize wraps the text anew', async () => {
  const fake = fakeTerminal();
  const shown = showInPager({ title: '', render }, fake.terminal);
  await settled();
  await fake.press('j', 'j');
  await fake.resize({ columns: 40, rows: 10 });
  expect(fake.screen()[0]).toBe('line 2 at 40');
  expect(fake.screen()).toHaveLength(10);
  await fake.press('q');
  await shown;
});

test('an error while it is rendered again comes out, with the terminal restored', async () => {
  const fake = fakeTerminal();
  const shown = showInPager(
    {
      title: '',
      render: (width) => (width < 50 ? Promise.reject(new Error('too narrow')) : render(width)),
    },
    fake.terminal,
  );
  await settled();
  const failed = shown.catch((error: unknown) => error);
  await fake.resize({ columns: 40, rows: 10 });
  expect(await failed).toMatchObject({ message: 'too narrow' });
  expect(fake.written().endsWith(leave)).toBe(true);
});

test('it ends when there are no more keys', async () => {
  const fake = fakeTerminal();
  const shown = showInPager({ title: '', render }, fake.terminal);
  await settled();
  fake.input.end();
  await shown;
  expect(fake.written().endsWith(leave)).toBe(true);
});

test('a signal restores the terminal, and is left to whoever else waits for it', async () => {
  const others = vi.fn<() => void>();
  process.on('SIGTERM', others);
  try {
    const fake = fakeTerminal();
    const shown = showInPager({ title: '', render }, fake.terminal);
    await settled();
    process.emit('SIGTERM', 'SIGTERM');
    await shown;
    expect(fake.written().endsWith(leave)).toBe(true);
    expect(others).toHaveBeenCalledOnce();
    expect(process.listenerCount('SIGTERM')).toBe(1);
  } finally {
    process.off('SIGTERM', others);
  }
});

test('the command in $PAGER is used instead, and what it showed counts as seen', async () => {
  vi.stubEnv('PAGER', 'cat >/dev/null');
  const fake = fakeTerminal();
  expect(await showInPager({ title: '', render }, fake.terminal)).toBe(1);
  expect(fake.written()).toBe('');
});

test('a $PAGER that takes nothing in is no error', async () => {
  vi.stubEnv('PAGER', 'true');
  const long = 'x'.repeat(1_000_000);
  const page = { lines: [long], blocks: [0], headings: [] };
  expect(await showInPager({ title: '', render: () => Promise.resolve(page) })).toBe(1);
});

test('a $PAGER that does not start gives way to the own one', async () => {
  vi.stubEnv('PAGER', '/no/such/pager 2>/dev/null');
  const fake = fakeTerminal();
  const shown = showInPager({ title: '', render }, fake.terminal);
  await vi.waitFor(() => expect(fake.written()).toContain(enter));
  await fake.press('q');
  expect(await shown).toBeLessThan(1);
});
