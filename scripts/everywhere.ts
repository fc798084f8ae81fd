import { chmod, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { KitError } from '../quiz/problem.ts';
import { aligned } from './columns.ts';
import { runTool } from './measure/tool.ts';
import { type Outcome, runStep, type Step } from './proof/step.ts';

const NODES = '20,22,24,26';
/** Small ones, that together touch whatever `verify` looks at. */
const TOPICS = ['bulkhead', 'timeouts'];
const NOBODY = 65_534;
const TESTS = ['run', '--exclude', 'katas/*/**', '--exclude', 'scripts/fixtures/kit/**'];
const STUDY = ['--import', 'tsx', 'scripts/study.ts'] as const;

await runTool({
  help: `Usage: npm run everywhere [-- --node ${NODES}]

Clones the last commit into a temporary folder whose name has spaces and letters
beyond ASCII, with core.autocrlf=true, and tries it there: installed by npm, pnpm
and bun; types; on each Node the tools' tests and \`verify\` of ${TOPICS.join(' and ')}; and, for
root on a system that is not Windows, as a user who may write nothing but a home.

Prints what was tried, how, and how it went. Ends with 1 when something failed.
Other versions of Node come from npm. It takes a quarter of an hour and more.`,
  options: { node: { type: 'string' } },
  async run({ root, flags }, signal) {
    const nodes = readNodes(flags['node'] ?? NODES);
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'half-open-')));
    try {
      // Anyone may pass through: the kit is tried as another user, too.
      await chmod(folder, 0o755);
      const rows: Row[] = [];
      for await (const row of trials(root, folder, nodes, signal)) {
        console.error(row.isFine ? `${row.what}: fine` : `${row.what}: failed\n${row.output}`);
        rows.push(row);
      }
      const cells = rows.map(({ what, how, isFine }) => [what, how, isFine ? 'fine' : 'FAILED']);
      for (const line of aligned([['what', 'how', 'result'], ...cells])) console.log(line);
      return rows.every(({ isFine }) => isFine) ? 0 : 1;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
});

interface Row extends Outcome {
  readonly what: string;
  readonly how: string;
}

async function* trials(
  root: string,
  folder: string,
  nodes: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Row> {
  async function* tried(what: string, ...steps: readonly Step[]): AsyncGenerator<Row> {
    for (const step of steps) {
      const outcome = await runStep(step, signal);
      yield { what, how: shown(step), ...outcome };
      if (!outcome.isFine) return;
    }
  }
  const cloned = (cwd: string): Step => {
    const words = ['-c', 'core.autocrlf=true', 'clone', '-q', root, cwd] as const;
    return { words: ['git', ...words], cwd: folder };
  };
  const verified = (cwd: string, node: string): Step[] =>
    TOPICS.map((topic) => ({ words: [node, ...STUDY, 'verify', topic, '--pristine'], cwd }));

  const kit = join(folder, 'Übungs kit 東京');
  yield* tried('spaces, letters beyond ASCII, core.autocrlf', cloned(kit), {
    words: ['git', 'grep', '-qI', '-e', 'Half-Open', '--', 'README.md'],
    cwd: kit,
  });
  yield* tried('installed by npm', { words: ['npm', 'ci'], cwd: kit });
  yield* tried('types', { words: [process.execPath, 'node_modules/typescript/bin/tsc'], cwd: kit });
  for (const version of nodes) {
    const place = join(folder, `node-${version}`);
    await mkdir(place);
    yield* tried(`Node ${version}`, {
      words: ['npm', 'install', nodePackage(version)],
      cwd: place,
    });
    const node = join(place, 'node_modules', nodeName(), 'bin', 'node');
    const tests: Step = { words: [node, 'node_modules/vitest/vitest.mjs', ...TESTS], cwd: kit };
    yield* tried(`Node ${version}`, withNode(tests, node), ...verified(kit, node));
  }
  for (const manager of ['pnpm', 'bun']) {
    const own = join(folder, manager);
    yield* tried(
      `installed by ${manager}`,
      cloned(own),
      { words: ['npx', '-y', manager, 'install'], cwd: own },
      ...verified(own, process.execPath),
    );
  }
  if (process.getuid?.() !== 0) return;
  const home = join(folder, 'home of nobody');
  await mkdir(home);
  const owned: Step = { words: ['chown', String(NOBODY), home], cwd: folder };
  const env = { HALF_OPEN_HOME: join(home, '.study'), HOME: home };
  const commands = [[], ['quiz'], ['stats'], ['learn', 'bulkhead'], ['reset', 'bulkhead']];
  const steps = commands.map((words): Step => ({
    words: [process.execPath, ...STUDY, ...words],
    cwd: kit,
    env,
    uid: NOBODY,
  }));
  yield* tried('a kit that may not be written to', owned, ...steps);
}

function readNodes(flag: string | boolean): string[] {
  const versions = String(flag).split(',');
  if (versions.every((version) => /^\d+(\.\d+)*$/.test(version))) return versions;
  throw new KitError(`Write versions as numbers: --node ${NODES}`, { exitCode: 2 });
}

function nodePackage(version: string): string {
  return `${nodeName()}@${version}`;
}

function nodeName(): string {
  const system = process.platform === 'win32' ? 'win' : process.platform;
  return `node-${system}-${process.arch}`;
}

/** Tests start `node` by its name as well. */
function withNode(step: Step, node: string): Step {
  return { ...step, env: { PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}` } };
}

/** The command line as a person would type it. */
function shown({ words: [command, ...args] }: Step): string {
  const inKit = args.filter((word) => !TESTS.slice(1).includes(word));
  return [command, ...inKit]
    .join(' ')
    .replace(/^.*\/bin\/node(?= )/, 'node')
    .replace('node_modules/vitest/vitest.mjs', 'vitest')
    .replace('node_modules/typescript/bin/', '')
    .replace(STUDY.join(' '), 'study')
    .replace(/clone .*/, 'clone');
}
