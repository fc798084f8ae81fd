import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openJournal } from '../../quiz/journal.ts';
import { fakeTerminal } from '../fixtures/fake-terminal.ts';
import { openQuota } from '../fixtures/quota.ts';
import { createRooms } from './rooms.ts';

let quota: Awaited<ReturnType<typeof openQuota>>;

beforeEach(async () => {
  quota = await openQuota();
  vi.stubEnv('PAGER', '');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await quota.remove();
});

it('shows the brief until it is read to its end', async () => {
  const { rooms, terminal } = opened();
  const shown = rooms.brief(quota.kata);
  await expect.poll(screenOf(terminal), patient).toContain('What to build');
  await terminal.press(' ');
  await shown;
});

it('shows text that is laid out already, for the width there is', async () => {
  const { rooms, terminal } = opened();
  const shown = rooms.text('Quota', async (columns) => `laid out for ${columns}`);
  await expect.poll(screenOf(terminal), patient).toContain('laid out for 80');
  await terminal.press('q');
  await shown;
});

it('lets pick a kata, and says how far each is', async () => {
  const { rooms, terminal, journal } = opened();
  journal.append({ type: 'progress', kata: 'quota', passed: 2, of: 3 }, now());
  const picked = rooms.pick();
  await vi.waitFor(() => expect(terminal.written()).toContain('2 of 3 levels'), patient);
  await terminal.press('\r');
  expect((await picked)?.slug).toBe('quota');
});

it('goes on with what is not solved yet', () => {
  const { rooms, journal } = opened();
  expect(rooms.next()?.slug).toBe('quota');
  journal.append({ type: 'progress', kata: 'quota', passed: 3, of: 3 }, now());
  expect(rooms.next()).toBeUndefined();
});

it('puts the stub back, and says where the answer is', async () => {
  const { rooms } = opened();
  const { stub } = quota.kata.files;
  const text = await readFile(stub, 'utf8');
  await writeFile(stub, 'my answer');
  expect(await rooms.reset(quota.kata)).toMatch(
    /^katas\/quota\/quota\.ts is the stub again\. Your answer is in \.study\/attempts\/quota\/.+\.ts\.$/,
  );
  expect(await readFile(stub, 'utf8')).toBe(text);
  expect(await rooms.reset(quota.kata)).toBe('katas/quota/quota.ts is the stub again.');
});

it('says so when there is no lesson', async () => {
  const { rooms } = opened();
  expect(await rooms.lesson({ ...quota.kata, lesson: 'gone' })).toEqual([
    'There is no lesson gone yet.',
  ]);
});

const patient = { timeout: 5_000, interval: 5 };

function now(): Date {
  return new Date(2026, 10, 22);
}

function opened() {
  const terminal = fakeTerminal();
  const journal = openJournal(quota.home);
  const rooms = createRooms({
    catalog: quota.catalog,
    home: quota.home,
    journal,
    terminal: terminal.terminal,
    now,
    signal: new AbortController().signal,
  });
  return { rooms, terminal, journal };
}

function screenOf(terminal: ReturnType<typeof fakeTerminal>): () => string {
  return () => terminal.screen().join('\n');
}
