import { cardItem, cardName } from '../quiz/item.ts';
import { KitError, type Problem } from '../quiz/problem.ts';
import type { Command, Invocation } from './command.ts';
import { askerFor, type Conversation, withLearner } from './conversation.ts';
import { columns } from './terminal.ts';

export const quizCommand: Command = {
  name: 'quiz',
  summary: 'answer the cards that are due, then some new ones',
  help: `Usage: npm run quiz [-- topic] [--resume deck/card]

Asks the cards that are due today, then some new ones: of all topics, or of
one. Every answer is kept at once, so Ctrl-C loses nothing.

u takes the last grade back. s suspends a card: it is not asked again until
--resume deck/card; --resume all brings back all of them.

Without a terminal it reads one answer from each line: a number (1), several
(1 3), or text; ? is "I don't know", q ends the sitting.`,
  options: { resume: { type: 'string' } },
  run: (invocation) => quiz(invocation, withLearner()),
};

/** Loads what a sitting needs only now: a list of commands must not wait for it. */
export async function quiz(
  { root, home, words, flags }: Invocation,
  conversation: Conversation,
): Promise<number> {
  const { print, now } = conversation;
  if (typeof flags['resume'] === 'string') return resume(flags['resume'], home, now(), print);
  const [topic, ...more] = words;
  if (more.length > 0) throw new KitError('Name one topic, or none for all.', { exitCode: 2 });
  const { findBySlug, kataSlugs, loadDecks } = await import('./content/catalog.ts');
  const decks = await loadDecks(root);
  const chosen = topic === undefined ? undefined : findBySlug('deck', topic, decks);
  const { shelve } = await import('./read-decks.ts');

  const { openJournal } = await import('../quiz/journal.ts');
  const journal = openJournal(home, { now: now() });
  for (const line of damageInWords(journal.problems)) print(line);

  const { runQuiz } = await import('../quiz/run.ts');
  const { renderMarkdown } = await import('./reader/markdown.ts');
  const prompts = await askerFor(conversation);
  try {
    await runQuiz({
      shelf: shelve(chosen ? [chosen] : decks),
      katas: await kataSlugs(root),
      journal,
      prompts,
      print,
      render: (markdown, indent = 0) => renderMarkdown(markdown, { width: columns() - indent }),
      now,
      command: chosen ? `npm run quiz -- ${chosen.slug}` : 'npm run quiz',
    });
  } finally {
    prompts.close();
  }
  return 0;
}

/** Lets suspended cards be asked again: `deck/card`, or all of them. */
async function resume(
  wanted: string,
  home: string,
  now: Date,
  print: (text: string) => void,
): Promise<number> {
  const { openJournal } = await import('../quiz/journal.ts');
  const { suspendedItems } = await import('../quiz/entry.ts');
  const journal = openJournal(home, { now });
  const suspended = [...suspendedItems(journal.progress.entries)];
  const items = suspended.filter((item) => wanted === 'all' || item === cardItem(wanted));
  if (items.length === 0) {
    const names = suspended.map(cardName).join(', ');
    const which = names === '' ? 'None is suspended.' : `Suspended: ${names}.`;
    throw new KitError(`No suspended card is named ${wanted}. ${which}`, { exitCode: 2 });
  }
  for (const item of items) journal.append({ type: 'resume', item }, now);
  print(`To be asked again: ${items.map(cardName).join(', ')}.`);
  return 0;
}

function damageInWords(problems: readonly Problem[]): string[] {
  const [first] = problems;
  if (first === undefined) return [];
  const others = problems.length > 1 ? ` (and ${problems.length - 1} more like it)` : '';
  return [`${first.file}:${first.line ?? 1} ${first.message}${others}`];
}
