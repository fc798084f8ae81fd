import { stripVTControlCharacters } from 'node:util';
import { render } from '@inquirer/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Asker } from './asker.ts';
import { terminalAsker } from './prompts.ts';

type Streams = NonNullable<Parameters<typeof terminalAsker>[0]>;

/** What Node's readline needs in order to edit a line. */
beforeAll(() => {
  vi.stubEnv('TERM', 'xterm');
});

afterAll(() => {
  vi.unstubAllEnvs();
});

const plain = (screen: string) => stripVTControlCharacters(screen).replaceAll(/ +\n/g, '\n');

/** Asks one question on a screen and keyboard of a test. */
const at = <Answer>(question: (asker: Asker) => Promise<Answer>) =>
  render((_: null, streams?: Streams) => question(terminalAsker(streams)), null);

const options = ['red', 'green\nas grass', 'blue'];
const unknown = { kind: 'unknown' };
const stop = { kind: 'stop' };
const given = (answer: unknown) => ({ kind: 'given', answer });
const ctrlC = { name: 'c', ctrl: true };

describe('one of several options', () => {
  it('is listed with its number, “I don’t know” last, and the keys', async () => {
    const { getScreen, events } = await at((asker) => asker.one('Which?', options));
    expect(plain(getScreen())).toBe(
      [
        '? Which?',
        '❯ 1. red',
        '  2. green',
        '     as grass',
        '  3. blue',
        '  4. I don’t know',
        '',
        '↑↓ or a digit picks, Enter takes it; u undo, s suspend, Ctrl-C end',
      ].join('\n'),
    );
    events.keypress('enter');
  });

  it('is taken with arrows and Enter', async () => {
    const { answer, events, getFullOutput } = await at((asker) => asker.one('Which?', options));
    events.keypress('down');
    events.keypress('enter');
    expect(await answer).toEqual(given(1));
    expect(plain(await getFullOutput()), 'what was taken stays on the screen').toContain(
      '✔ Which?\n  green\n  as grass',
    );
  });

  it('is taken with its digit and Enter', async () => {
    const { answer, events } = await at((asker) => asker.one('Which?', options));
    events.type('3');
    events.keypress('enter');
    expect(await answer).toEqual(given(2));
  });

  it('may be unknown', async () => {
    const { answer, events } = await at((asker) => asker.one('Which?', options));
    events.keypress('up');
    events.type('4');
    events.keypress('enter');
    expect(await answer).toEqual(unknown);
  });

  it('may not be unknown to the one who grades', async () => {
    const { answer, events, getScreen } = await at((asker) => asker.one('How?', options, false));
    expect(getScreen()).not.toContain('know');
    events.keypress('enter');
    expect(await answer).toEqual(given(0));
  });

  it('need not be taken: Ctrl-C ends the sitting', async () => {
    const { answer, input } = await at((asker) => asker.one('Which?', options));
    input.emit('keypress', '\u0003', ctrlC);
    expect(await answer).toEqual(stop);
  });
});

describe('instead of an answer', () => {
  it.each([
    ['u', 'undo'],
    ['s', 'suspend'],
  ])('%s is a wish: %s', async (key, kind) => {
    for (const question of [
      (asker: Asker) => asker.one('Which?', options),
      (asker: Asker) => asker.several('Which?', options),
    ]) {
      const { answer, input } = await at<unknown>(question);
      input.emit('keypress', key, { name: key });
      expect(await answer).toEqual({ kind });
    }
  });

  it('a wish can be typed where an answer is typed', async () => {
    const { answer, events } = await at((asker) => asker.typed('?', () => 'No.'));
    events.type('u');
    events.keypress('enter');
    expect(await answer).toEqual({ kind: 'undo' });
  });
});

describe('several options', () => {
  it('are marked with digits or space', async () => {
    const { answer, events, getFullOutput } = await at((asker) => asker.several('Which?', options));
    events.keypress('3');
    events.keypress('up');
    events.keypress('up');
    events.keypress('space');
    events.keypress('enter');
    expect(await answer).toEqual(given([0, 2]));
    expect(plain(await getFullOutput())).toContain('✔ Which?\n  red\n  blue');
  });

  it('may be unknown, though not together with others', async () => {
    const { answer, events, getScreen, nextRender } = await at((asker) =>
      asker.several('Which?', options),
    );
    events.keypress('enter');
    await nextRender();
    expect(getScreen(), 'nothing is marked').toContain('Mark what holds, or “I don’t know” alone.');
    events.keypress('1');
    events.keypress('4');
    events.keypress('enter');
    await nextRender();
    expect(getScreen(), 'both are marked').toContain('Mark what holds, or “I don’t know” alone.');
    events.keypress('1');
    events.keypress('enter');
    expect(await answer).toEqual(unknown);
  });

  it('need not be taken: Ctrl-C ends the sitting', async () => {
    const { answer, input } = await at((asker) => asker.several('Which?', options));
    input.emit('keypress', '\u0003', ctrlC);
    expect(await answer).toEqual(stop);
  });
});

describe('something typed', () => {
  const askNumber = (asker: Asker) =>
    asker.typed('How many?', (typed) =>
      /^\d+$/.test(typed) ? { answer: Number(typed) } : 'Type a number.',
    );

  it('is read', async () => {
    const { answer, events } = await at(askNumber);
    events.type('42');
    events.keypress('enter');
    expect(await answer).toEqual(given(42));
  });

  it('can be mended when it makes no sense', async () => {
    const { answer, events, getScreen, nextRender } = await at(askNumber);
    events.type('4x');
    events.keypress('enter');
    await nextRender();
    expect(getScreen()).toContain('Type a number.');
    events.keypress('backspace');
    events.keypress('enter');
    expect(await answer).toEqual(given(4));
  });

  it('may be unknown', async () => {
    const { answer, events } = await at(askNumber);
    events.type('?');
    events.keypress('enter');
    expect(await answer).toEqual(unknown);
  });
});

describe('a pause', () => {
  it('ends with Enter and leaves nothing on the screen', async () => {
    const { answer, events, getFullOutput, getScreen } = await at((asker) => asker.pause());
    expect(getScreen()).toMatch(/^Enter goes on/);
    events.type('typed by mistake');
    events.keypress('enter');
    expect(await answer).toBe('given');
    expect(plain(await getFullOutput()).trim()).toBe('');
  });

  it('ends the sitting with Ctrl-C', async () => {
    const { answer, input } = await at((asker) => asker.pause());
    input.emit('keypress', '\u0003', ctrlC);
    expect(await answer).toBe('stop');
  });

  it('is a moment to take back what was said', async () => {
    const { answer, events } = await at((asker) => asker.pause());
    events.type('u');
    events.keypress('enter');
    expect(await answer).toBe('undo');
  });
});
