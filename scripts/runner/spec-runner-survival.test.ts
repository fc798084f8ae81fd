import { fork } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { copyKit } from '../fixtures/copy-kit.ts';
import { sabotage } from '../fixtures/sabotage.ts';
import { createSpecRunner } from './spec-runner.ts';
import { isSolved, type Verdict } from './verdict.ts';

// Each test starts processes: a busy machine needs time for that.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

interface Nasty {
  readonly name: string;
  /** Runs in the first test, when the spec makes its first quota. */
  readonly line: string;
  readonly head?: string;
  readonly expected: object;
}

const FIRST_TEST = 'lets as many through as the limit says';
const endless = { kind: 'broken', reason: 'time-out', during: FIRST_TEST };
const ended = { kind: 'broken', reason: 'exited', during: FIRST_TEST };
const full = { kind: 'broken', reason: 'out-of-memory', during: FIRST_TEST };
const saying = (text: string) => ({ message: expect.stringContaining(text) });

/** Each ends only because the runner ends it. */
const ENDLESS: readonly Nasty[] = [
  {
    name: 'an endless loop',
    line: 'for (;;);',
    expected: { ...endless, ...saying('never came to an end') },
  },
  {
    name: 'an endless loop of promises',
    line: 'void (async () => { for (;;) await null; })();',
    expected: endless,
  },
  {
    name: 'a program that never ends, and is waited for',
    head: "import { execFileSync } from 'node:child_process';",
    line: "execFileSync(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);",
    expected: endless,
  },
  {
    name: 'promises that no longer settle',
    line: 'Promise.prototype.then = function () { return this; } as never;',
    expected: { kind: 'broken', reason: 'time-out' },
  },
];

/** Each comes to an end by itself, or because it has used up something other than time. */
const VIOLENT: readonly Nasty[] = [
  {
    name: 'process.exit',
    line: 'process.exit(0);',
    expected: { ...ended, ...saying('called process.exit(0)') },
  },
  {
    name: 'process.exit where its error is swallowed',
    line: 'try { process.exit(0); } catch {}',
    expected: ended,
  },
  {
    name: 'exit, imported by name',
    head: "import { exit } from 'node:process';",
    line: 'exit(0);',
    expected: ended,
  },
  {
    name: 'process.reallyExit',
    line: 'Reflect.get(process, "reallyExit")(0);',
    expected: { ...ended, ...saying('called process.reallyExit(0)') },
  },
  { name: 'process.abort', line: 'process.abort();', expected: ended },
  {
    name: 'process.kill',
    line: "process.kill(process.pid, 'SIGKILL');",
    expected: { ...ended, ...saying("'SIGKILL')") },
  },
  {
    name: 'a kill that the guard does not see',
    line: 'Reflect.get(process, "_kill")(process.pid, 9);',
    expected: { kind: 'broken', reason: 'killed', ...saying('ended by SIGKILL') },
  },
  {
    name: 'an error that nothing in the thread catches any more',
    line: "process.removeAllListeners('uncaughtException'); queueMicrotask(() => { throw 1; });",
    // Word of the test that was running may be lost with the thread.
    expected: { kind: 'broken', reason: 'exited' },
  },
  {
    name: 'a heap without bound',
    line: 'const hog: unknown[] = []; for (;;) hog.push(new Array(1e4).fill(0));',
    expected: full,
  },
  {
    name: 'buffers without bound',
    line: 'const hog: unknown[] = []; for (;;) hog.push(Buffer.alloc(1e7, 1));',
    expected: full,
  },
  {
    name: 'an endless chain of timers',
    line: '(function again() { setTimeout(again, 0); })();',
    expected: { kind: 'tested' },
  },
  {
    name: 'an interval, a socket and a thread left behind',
    head: "import { createServer } from 'node:net'; import { Worker } from 'node:worker_threads';",
    line: "setInterval(() => {}, 1); createServer().listen(0); new Worker('for (;;);', { eval: true });",
    expected: { kind: 'tested' },
  },
  {
    name: 'a program left behind',
    head: "import { spawn } from 'node:child_process';",
    line: "console.log(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']).pid);",
    expected: { kind: 'tested' },
  },
  {
    name: '300,000 lines',
    line: "if (limit === 0) for (let i = 1; i <= 300_000; i += 1) console.log('line', i);",
    expected: { kind: 'tested', output: { cut: 299_809 } },
  },
  {
    name: 'one line of 30 million characters',
    line: "if (limit === 0) process.stderr.write('x'.repeat(3e7));",
    expected: { kind: 'tested' },
  },
  {
    name: 'a console that is gone',
    line: 'Reflect.deleteProperty(globalThis, "console"); Reflect.set(globalThis, "expect", () => true);',
    expected: { kind: 'tested' },
  },
];

let kit: Awaited<ReturnType<typeof copyKit>>;
let solution: string;
const verdicts = new Map<string, { nasty: Verdict; next: Verdict }>();
const pids = new Set<number>();

beforeAll(async () => {
  kit = await copyKit();
  solution = await readFile(join(kit.root, 'solutions/quota/quota.ts'), 'utf8');
  await Promise.all([sufferFrom(ENDLESS, 3_000), sufferFrom(VIOLENT, 30_000)]);
});
afterAll(() => kit.remove());

/** Runs each candidate and a sound one after it, all in one runner, and notes the processes they ran in. */
async function sufferFrom(candidates: readonly Nasty[], timeoutMs: number): Promise<void> {
  const runner = createSpecRunner({ root: kit.root, timeoutMs });
  const run = async (line: string, head?: string) => {
    const code = sabotage(solution, `console.log(process.pid); ${line}`, head);
    const verdict = await runner.run({ slug: 'quota', code });
    for (const word of verdict.output.lines) if (/^\d+$/.test(word)) pids.add(Number(word));
    return verdict;
  };
  try {
    for (const { name, line, head } of candidates) {
      verdicts.set(name, { nasty: await run(line, head), next: await run('') });
    }
  } finally {
    await runner.close();
  }
}

describe('the runner survives', () => {
  it.each([...ENDLESS, ...VIOLENT])('$name', ({ name, expected }) => {
    const { nasty, next } = verdicts.get(name) ?? {};
    expect(nasty).toMatchObject(expected);
    expect(next && isSolved(next)).toBe(true);
  });

  it('and leaves no process behind', async () => {
    expect(pids.size).toBeGreaterThan(ENDLESS.length);
    for (const pid of pids) await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 30_000);
  });
});

describe('a runner that is ended itself', () => {
  it.each(['SIGKILL', 'SIGHUP'] as const)('by %s leaves no process behind', async (signal) => {
    const note = join(kit.root, `pid of ${signal}`);
    const line = `writeFileSync(${JSON.stringify(note)}, String(process.pid)); for (;;);`;
    const head = "import { writeFileSync } from 'node:fs';";
    await writeFile(join(kit.root, 'katas/quota/quota.ts'), sabotage(solution, line, head));
    const loop = fork(join(import.meta.dirname, '../fixtures/run-learner-file.ts'), [kit.root], {
      execArgv: ['--import', import.meta.resolve('tsx')],
    });
    const pid = await vi.waitFor(async () => Number(await readFile(note, 'utf8')), 30_000);
    loop.kill(signal);
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 30_000);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
