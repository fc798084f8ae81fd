import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KitError } from '../quiz/problem.ts';
import { copyKit } from './fixtures/copy-kit.ts';
import { interview } from './interview.ts';

let root = '';
let home = '';
let remove = async () => {};

beforeEach(async () => {
  vi.stubEnv('NO_COLOR', '1');
  ({ root, remove } = await copyKit());
  home = join(root, '.study');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await remove();
});

async function run(typed: string, words: readonly string[] = [], flags = {}) {
  const printed: string[] = [];
  const exitCode = await interview(
    { root, home, words, flags },
    {
      input: Readable.from([typed]),
      print: (text) => printed.push(text),
      hasTerminal: false,
      now: () => new Date(),
    },
  );
  return { exitCode, text: printed.join('\n') };
}

const whole = 'how many rps?\n\nall\n\na quota\n\nthe same\n\n';
const scores = '3\n1\n'.repeat(4);

describe('npm run interview', () => {
  it('lists the interviews there are, and begins none', async () => {
    const { text } = await run('');
    expect(text).toBe('free-tier   The free tier (15 min)\nBegin one: npm run interview -- slug');
  });

  it('holds one, within 80 columns, and keeps its transcript', async () => {
    const { exitCode, text } = await run(`${whole}${scores}`, ['free']);
    expect(exitCode).toBe(0);
    expect(text).toContain('1 of 2 · Clarify · 5 minutes left');
    expect(text).toContain('Nothing was left out.');
    expect(text.split('\n').filter((line) => line.length > 80 && !line.includes(home))).toEqual([]);
    const [page = ''] = (await readdir(join(home, 'interviews'))).filter((name) =>
      name.endsWith('.md'),
    );
    expect(await readFile(join(home, 'interviews', page), 'utf8')).toContain('> a quota');
    expect((await run('')).text).toContain('The free tier (15 min, done)');
  });

  it('goes on with one that was left, or begins anew when asked to', async () => {
    await run('how many rps?\n', ['free-tier']);
    expect((await run('')).text).toContain('The free tier (15 min, go on)');
    expect((await run('', ['free-tier'])).text).toContain('You were saying:');
    expect((await run('', ['free-tier'], { anew: true })).text).not.toContain('You were saying:');
  });

  it('names the nearest to one that there is not', async () => {
    await expect(run('', ['fee-tier'])).rejects.toThrow('The nearest is free-tier.');
    await expect(run('', ['a', 'b'])).rejects.toBeInstanceOf(KitError);
  });
});
