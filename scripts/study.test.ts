import { spawn } from 'node:child_process';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openQuota } from './fixtures/quota.ts';

let quota: Awaited<ReturnType<typeof openQuota>>;

beforeAll(async () => {
  quota = await openQuota();
});

afterAll(() => quota.remove());

describe('study, without a terminal', () => {
  it('prints the map and the commands that come next', async () => {
    const { stdout, stderr, code } = await study();
    expect(stdout).toContain('10 Quota');
    expect(stdout).toContain('npm run learn -- quota');
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it.each([['--help'], ['help'], ['-h']])('%s lists every command', async (flag) => {
    const { stdout, code } = await study(flag);
    for (const command of ['start', 'run learn', 'run kata', 'run quiz', 'run reset', 'run new']) {
      expect(stdout).toContain(`npm ${command}`);
    }
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(code).toBe(0);
  });

  it.each([
    ['kata', '--help'],
    ['help', 'kata'],
  ])('%s %s explains the command', async (...args) => {
    const { stdout, code } = await study(...args);
    expect(stdout).toMatch(/^Usage: npm run kata/);
    expect(code).toBe(0);
  });

  it('prints its version', async () => {
    expect((await study('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    [['kat'], 'There is no command kat. The nearest is kata.'],
    [['kata', '--onec'], 'There is no flag --onec. The nearest is --once.'],
    [['kata', 'qota'], 'The nearest is quota.'],
    [['kata', '--timeout', 'soon'], 'Expected `--timeout` to be a number of seconds'],
    [['kata', 'quota', 'more'], 'Name one kata'],
  ])('%j is wrong usage, told once', async (args, message) => {
    const { stdout, stderr, code } = await study(...args);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('ends quietly when nobody reads on', async () => {
    const { stderr, code } = await study.unread('--help');
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('lists the katas', async () => {
    const { stdout, code } = await study('kata', '--list');
    expect(stdout).toMatch(/^Quota +quota +L4 +10 min/);
    expect(code).toBe(0);
  });
});

describe('study kata --once', () => {
  it('ends with 1 on the stub, with what its first level says', async () => {
    const { stdout, stderr, code } = await study('kata', 'quo', '--once');
    expect(stdout).toMatch(
      /^Quota .* 0 of 3 levels\n\n1 · taking\n✗ lets as many .*\n {2}at katas.quota.quota\.ts:\d+:\d+\n\n {2}TODO: /,
    );
    expect(stderr).toBe('');
    expect(code).toBe(1);
  }, 30_000);

  it('ends with 0 on the solution, which nobody had to ask for without a terminal', async () => {
    const { stub, solution } = quota.kata.files;
    await copyFile(solution, stub);
    const { stdout, code } = await study('kata');
    expect(stdout).toContain('Solved: all 3 levels pass.');
    expect(code).toBe(0);
  }, 30_000);
});

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

function start(args: readonly string[]) {
  return spawn(
    process.execPath,
    ['--import', 'tsx', join(import.meta.dirname, 'study.ts'), ...args],
    {
      env: {
        ...process.env,
        NO_COLOR: '1',
        HALF_OPEN_ROOT: quota.root,
        HALF_OPEN_HOME: quota.home,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
}

async function endOf(child: ReturnType<typeof start>): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { stdout, stderr, code };
}

async function study(...args: readonly string[]): Promise<Ended> {
  return endOf(start(args));
}

/** The reader is gone before the first word. */
study.unread = async (...args: readonly string[]): Promise<Ended> => {
  const child = start(args);
  child.stdout.destroy();
  return endOf(child);
};
