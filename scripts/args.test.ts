import { expect, it } from 'vitest';
import { KitError } from '../quiz/problem.ts';
import { notFound, readArgs } from './args.ts';

const options = { once: { type: 'boolean' }, timeout: { type: 'string' } } as const;

it('tells words from flags, wherever they stand', async () => {
  expect(await readArgs(['--once', 'quota', '--timeout', '5'], options)).toMatchObject({
    words: ['quota'],
    flags: { once: true, timeout: '5' },
  });
});

it('knows --help of every command', async () => {
  expect(await readArgs(['-h'], undefined)).toMatchObject({ flags: { help: true } });
});

it('names the nearest flag', async () => {
  await expect(readArgs(['--onec'], options)).rejects.toThrow(
    new KitError('There is no flag --onec. The nearest is --once.', { exitCode: 2 }),
  );
});

it('says which flag lacks its value', async () => {
  await expect(readArgs(['--timeout'], options)).rejects.toThrow(/'--timeout <value>' .*missing/);
});

it('takes a wrong flag for wrong usage', async () => {
  await expect(readArgs(['--onec'], options)).rejects.toMatchObject({ exitCode: 2 });
});

it('names the nearest of anything', async () => {
  expect(await notFound('command', 'kat', ['learn', 'kata'])).toBe(
    'There is no command kat. The nearest is kata.',
  );
});
