/** The child process of the spec runner: takes candidates one by one, and tells how each fared. */
import { realpath } from 'node:fs/promises';
import { killTree } from './process-tree.ts';
import { createSpecHost } from './spec-host.ts';
import type { Candidate, ChildNote } from './spec-notes.ts';

/** The heap of a candidate has a limit of its own; this one is for buffers, which live outside of it. */
const MOST_MEMORY_BYTES = 1_024 * 1_024 * 1_024;
const MEMORY_CHECK_MS = 50;

const [root = '', patienceMs = ''] = process.argv.slice(2);

// However the runner went, nothing of ours may outlive it.
const die = () => killTree(process.pid);
process.once('disconnect', die);
if (!process.connected) die();

const realRoot = (await realpath(root)).replaceAll('\\', '/');
const host = await createSpecHost(realRoot, Number(patienceMs), tell);
process.on('message', (candidate: Candidate) => {
  void run(candidate);
});
host.prepare();
tell({ note: 'ready' });

async function run(candidate: Candidate): Promise<void> {
  const memory = setInterval(() => {
    if (process.memoryUsage.rss() > MOST_MEMORY_BYTES) tell({ note: 'memory-full' });
  }, MEMORY_CHECK_MS);
  try {
    tell({ note: 'ended', outcome: await host.run(candidate) });
  } catch (error) {
    tell({ note: 'crashed', stack: error instanceof Error ? String(error.stack) : String(error) });
  } finally {
    clearInterval(memory);
    host.prepare();
  }
}

function tell(note: ChildNote): void {
  if (process.connected) process.send?.(note);
}
