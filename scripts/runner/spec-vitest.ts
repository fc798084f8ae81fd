import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { inspect } from 'node:util';
import { createVitest, type TestModule, type Vite } from 'vitest/node';
import type { Thrown } from './failure-message.ts';
import type { Sight } from '../see/picture.ts';
import type { createSpecPool } from './spec-pool.ts';

interface LiveVitest {
  /** From now on `file` has this text, whatever is on disk. */
  swap(file: string, text: string): Promise<void>;
  /** What runs in the end for a file, or the error why there is nothing to run. */
  transform(file: string): Promise<{ readonly code: string } | { readonly error: unknown }>;
  /** @param sight what an experiment is to show */
  run(spec: string, sight?: Sight): Promise<VitestRun>;
}

export interface VitestRun {
  readonly module: TestModule | undefined;
  /** What went wrong outside of the tests. */
  readonly errors: readonly Thrown[];
}

/** Starts a Vitest that reads no configuration, writes no cache, watches nothing and prints nothing. */
export async function startVitest(
  root: string,
  pool: ReturnType<typeof createSpecPool>,
  hookTimeout: number,
): Promise<LiveVitest> {
  const swapped = { file: '', text: '' };
  // Vite's types do not know `tsconfig` here. Without it, a learner's slip in that file would break every run.
  const oxc = { tsconfig: false, typescript: { onlyRemoveTypeImports: true } };
  const vitest = await createVitest(
    'test',
    {
      root,
      config: false,
      watch: false,
      cache: false,
      api: false,
      update: false,
      reporters: [{}],
      pool,
      maxWorkers: 1,
      runner: join(import.meta.dirname, 'spec-guard.ts'),
      // The guard sees to tests that never end; on a busy machine a clock would fail sound ones.
      testTimeout: 0,
      hookTimeout,
      disableConsoleIntercept: true,
      chaiConfig: { truncateThreshold: 1_000 },
    },
    {
      envDir: false,
      publicDir: false,
      cacheDir: join(tmpdir(), 'half-open-vite'),
      logLevel: 'silent',
      css: { postcss: {} },
      oxc,
      server: { middlewareMode: true, ws: false },
      plugins: [swapPlugin(swapped)],
    },
  );
  const isChanged = changeDetector();
  return {
    async swap(file, text) {
      Object.assign(swapped, { file, text });
      const { moduleGraph } = vitest.vite.environments.ssr;
      // What a file becomes does not depend on what it imports: the spec, which is far longer, stays as it is.
      for (const answer of moduleGraph.getModulesByFile(file) ?? [])
        moduleGraph.invalidateModule(answer, new Set(answer.importers));
      for (const known of moduleGraph.fileToModulesMap.keys()) {
        if (known.startsWith(root) && (await isChanged(known))) vitest.invalidateFile(known);
      }
    },
    async transform(file) {
      try {
        const result = await vitest.vite.environments.ssr.transformRequest(file);
        return { code: result?.code ?? '' };
      } catch (error) {
        return { error };
      }
    },
    async run(spec, sight) {
      const project = vitest.getRootProject();
      project.provide('sight', sight);
      const specification = project.createSpecification(spec);
      const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
      return {
        module: testModules.find(({ moduleId }) => moduleId === spec),
        errors: unhandledErrors.filter(isThrown).map(inWords),
      };
    },
  };
}

/** Puts the text of a candidate in the place of the learner's file, which need not even be there. */
function swapPlugin(swapped: { readonly file: string; readonly text: string }): Vite.Plugin {
  return {
    name: 'half-open:swap',
    enforce: 'pre',
    resolveId(source, importer) {
      if (!importer || !source.startsWith('.')) return undefined;
      const target = resolve(dirname(importer), source).replaceAll('\\', '/');
      return target === swapped.file ? target : undefined;
    },
    load: (id) => (id === swapped.file ? swapped.text : undefined),
  };
}

/** Whether a file is another one than when it was last asked about; Vite itself does not watch any. */
function changeDetector(): (file: string) => Promise<boolean> {
  const stamps = new Map<string, string>();
  return async (file) => {
    const stamp = await stat(file).then(
      ({ mtimeMs, size }) => `${mtimeMs} ${size}`,
      () => 'missing',
    );
    const isChanged = stamps.get(file) !== stamp;
    stamps.set(file, stamp);
    return isChanged;
  };
}

function isThrown(error: unknown): error is Thrown {
  return typeof error === 'object' && error !== null;
}

/** Anything can be thrown, so what should be a text may be `null`, or 0. */
function inWords(error: Thrown): Thrown {
  const { message = '', stack }: { message?: unknown; stack?: unknown } = error;
  // The parts of an `Error` are not enumerable, so they do not come along with `...error`.
  const { cause } = error;
  return {
    ...error,
    ...(cause !== undefined && { cause }),
    message: typeof message === 'string' ? message : inspect(message),
    stack: typeof stack === 'string' ? stack : '',
  };
}
