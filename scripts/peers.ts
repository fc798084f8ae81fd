import { readFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { loadCatalog } from './content/catalog.ts';
import { chosenKatas } from './measure/chosen-katas.ts';
import { entriesOf } from './content/kit-folders.ts';
import {
  DIFFERENCES_HEADING,
  isAccountedFor,
  parseDifferences,
} from './measure/peer-differences.ts';
import { type Peer, reportPeer } from './measure/peers-report.ts';
import { createSpecRunner } from './runner/spec-runner.ts';
import { style } from './terminal.ts';
import { runTool } from './measure/tool.ts';

await runTool({
  help: `Usage: npm run peers [-- slug]

Puts libraries under the spec of a kata, each behind an adapter in
scripts/peers/<slug>/<library>.ts: under all specs, or under one.

A test that a library fails is either asked for by the brief, and then accounted
for in the walkthrough under "## ${DIFFERENCES_HEADING}", or a sign that the
spec is too narrow. The section accounts for tests in lists:

  - cockatiel: \`name of a test\`, \`name of a test\`: because …

Ends with 1 when a library fails a test that is not accounted for.`,
  async run({ root, words }, signal) {
    const katas = chosenKatas(await loadCatalog(root), words);
    const runner = createSpecRunner({ root, timeoutMs: 60_000 });
    try {
      let isFine = true;
      for (const { slug, files } of katas) {
        const peers = await peersOf(root, slug);
        const walkthrough = await readFile(files.walkthrough, 'utf8').catch(() => '');
        const differences = parseDifferences(walkthrough);
        console.log(`\n${style('bold', slug)}${peers.length === 0 ? ' has no peers.' : ''}`);
        for (const peer of peers) {
          const verdict = await runner.run({ slug, code: peer.code });
          signal.throwIfAborted();
          const its = differences.filter((difference) => difference.peer === peer.name);
          const place = relative(root, files.walkthrough);
          for (const line of reportPeer(peer, verdict, its, place)) console.log(line);
          isFine &&= isAccountedFor(verdict, its);
        }
      }
      return isFine ? 0 : 1;
    } finally {
      await runner.close();
    }
  },
});

async function peersOf(root: string, slug: string): Promise<Peer[]> {
  const folder = join(import.meta.dirname, 'peers', slug);
  return Promise.all(
    (await entriesOf(folder)).map(async ({ name: file }) => {
      const name = basename(file, '.ts');
      const code = await readFile(join(folder, file), 'utf8');
      const manifest = join(root, 'node_modules', packageOf(code) ?? name, 'package.json');
      const { version }: { version: string } = JSON.parse(await readFile(manifest, 'utf8'));
      return { name, version, code };
    }),
  );
}

/** A package with a scope gives its adapter no file name: then it is the last such package that is imported. */
function packageOf(code: string): string | undefined {
  return [...code.matchAll(/from '(@[^/']+\/[^/']+)'/g)].at(-1)?.[1];
}
