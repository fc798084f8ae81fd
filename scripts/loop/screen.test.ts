import { expect, it, vi } from 'vitest';
import { fakeTerminal, settled } from '../fixtures/fake-terminal.ts';
import { openScreen } from './screen.ts';

const enter = '\u001B[?1049h';
const leave = '\u001B[?1049l';

it('takes the fake.terminal, and gives it back as it was', () => {
  const fake = fakeTerminal();
  const screen = openScreen(fake.terminal, listeners());
  expect(fake.written()).toContain(enter);
  expect(fake.input.isRaw).toBe(true);

  screen.close();
  expect(fake.written().endsWith(leave)).toBe(true);
  expect(fake.input.isRaw).toBe(false);
  expect(fake.input.listenerCount('keypress')).toBe(0);
  expect(process.listeners('exit')).toEqual([]);
});

it('gives it back once, however often it is closed', () => {
  const fake = fakeTerminal();
  const screen = openScreen(fake.terminal, listeners());
  screen.close();
  screen.close();
  expect(fake.written().split(leave)).toHaveLength(2);
});

it('draws over what was there', () => {
  const fake = fakeTerminal();
  const screen = openScreen(fake.terminal, listeners());
  screen.draw('one\ntwo\nthree');
  screen.draw('four\nfive');
  expect(fake.screen()).toEqual(['four', 'five']);
  screen.close();
});

it('names keys by their letter or their name', async () => {
  const fake = fakeTerminal();
  const { onKey, onResize } = listeners();
  const screen = openScreen(fake.terminal, { onKey, onResize });
  await fake.press('h', '\r', '\u0003', 'Q');
  expect(onKey.mock.calls.flat()).toEqual(['h', 'return', 'ctrl-c', 'q']);

  fake.input.end();
  await settled();
  expect(onKey).toHaveBeenLastCalledWith('ctrl-d');
  screen.close();
});

it('tells of a new size, and is never wider than is good to read', async () => {
  const fake = fakeTerminal();
  const { onKey, onResize } = listeners();
  const screen = openScreen(fake.terminal, { onKey, onResize });
  await fake.resize({ columns: 220, rows: 50 });
  expect(onResize).toHaveBeenCalledOnce();
  expect(screen.size()).toEqual({ columns: 100, rows: 50 });
  screen.close();
});

it('takes 80 columns and 24 rows where the size is not known', () => {
  const fake = fakeTerminal({ columns: 0, rows: 0 });
  const screen = openScreen(fake.terminal, listeners());
  expect(screen.size()).toEqual({ columns: 80, rows: 24 });
  screen.close();
});

it('leaves keys and screen to someone else while suspended', async () => {
  const fake = fakeTerminal();
  const { onKey, onResize } = listeners();
  const screen = openScreen(fake.terminal, { onKey, onResize });
  await screen.suspend(async () => {
    expect(fake.input.isRaw).toBe(false);
    const before = fake.written();
    expect(before.endsWith(leave)).toBe(true);
    screen.draw('not now');
    expect(fake.written()).toBe(before);
    fake.input.resume();
    await fake.press('q');
  });
  expect(onKey).not.toHaveBeenCalled();
  expect(fake.input.isRaw).toBe(true);
  screen.draw('back');
  expect(fake.written()).toContain('back');
  screen.close();
});

it('does not come back after a suspension when it was closed meanwhile', async () => {
  const fake = fakeTerminal();
  const screen = openScreen(fake.terminal, listeners());
  await screen.suspend(async () => screen.close());
  expect(fake.input.isRaw).toBe(false);
});

function listeners() {
  return { onKey: vi.fn<(key: string) => void>(), onResize: vi.fn<() => void>() };
}
