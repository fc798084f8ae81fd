import { KitError } from '../quiz/problem.ts';
import { resetAnswer } from './content/attempts.ts';
import { findBySlug, type Kata, loadCatalog } from './content/catalog.ts';
import type { Command, Invocation } from './command.ts';
import { shownPath } from './content/kit-layout.ts';
import { isInteractive } from './terminal.ts';

export const resetCommand: Command = {
  name: 'reset',
  summary: 'start a kata again from its stub; your answer is archived',
  help: `Usage: npm run reset -- slug

Puts the stub of a kata back in place of your answer. Your answer is copied to
.study/attempts/<slug>/ first, and every reset keeps a copy of its own.

In a terminal it asks first.`,
  run: (invocation) =>
    reset(invocation, {
      confirm: isInteractive() ? confirm : async () => true,
      print: (text) => console.log(text),
      now: new Date(),
    }),
};

export interface Surroundings {
  readonly confirm: (question: string) => Promise<boolean>;
  readonly print: (text: string) => void;
  readonly now: Date;
}

export async function reset(
  { root, home, words }: Invocation,
  { confirm: isConfirmed, print, now }: Surroundings,
): Promise<number> {
  const { katas } = await loadCatalog(root);
  const kata = chosen(words, katas);
  const answer = shownPath(kata.files.stub, root);
  if (!(await isConfirmed(`Put the stub of ${kata.slug} back? Your answer is archived first.`))) {
    print(`Nothing was changed: ${answer} is as it was.`);
    return 0;
  }

  const { openJournal } = await import('../quiz/journal.ts');
  const { recordReset } = await import('./loop/kata-journal.ts');
  const journal = openJournal(home, { now });
  const outcome = await resetAnswer(kata, { home, now });
  if (outcome.kind !== 'already') recordReset(journal, kata.slug, now);
  switch (outcome.kind) {
    case 'already':
      print(`${answer} is already the stub.`);
      break;
    case 'written':
      print(`${answer} was missing. The stub is there now.`);
      break;
    case 'archived':
      print(`${answer} is the stub again.`);
      print(`Your answer is saved. To get it back, copy this file over it:`);
      print(`  ${shownPath(outcome.copy, root)}`);
      break;
  }
  return 0;
}

function chosen(words: readonly string[], katas: readonly Kata[]): Kata {
  const [slug, ...more] = words;
  if (slug !== undefined && more.length === 0) return findBySlug('kata', slug, katas);
  const slugs = katas.map((kata) => kata.slug).join(', ');
  throw new KitError(`Name one kata: npm run reset -- slug. There are: ${slugs}.`, { exitCode: 2 });
}

/** Ctrl-C is a no. */
async function confirm(message: string): Promise<boolean> {
  const { createPromptModule } = await import('inquirer');
  const prompt = createPromptModule();
  try {
    const { yes } = await prompt<{ yes: boolean }>({ type: 'confirm', name: 'yes', message });
    return yes;
  } catch (error) {
    if (error instanceof Error && error.name === 'ExitPromptError') return false;
    throw error;
  }
}
