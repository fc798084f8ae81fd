import type { Interview } from '../quiz/interview.ts';
import type { Sheet } from '../quiz/interview-sheet.ts';
import { KitError } from '../quiz/problem.ts';
import { aligned } from './columns.ts';
import type { Command, Invocation } from './command.ts';
import { findBySlug } from './content/catalog.ts';
import { askerFor, type Conversation, withLearner } from './conversation.ts';
import { columns } from './terminal.ts';

export const interviewCommand: Command = {
  name: 'interview',
  summary: 'rehearse a whole interview, by the clock',
  help: `Usage: npm run interview [-- slug] [--anew]

A mock interview. You answer phase by phase, by the clock; what your answers
leave out is asked for. Then you see the rubric and score yourself, each score
with a line of yours. What was left out is due in the quiz.

  --anew   begin again although this interview was left before its end

Every line is kept at once: Ctrl-C leaves, the same command goes on. In the
editor of $VISUAL or $EDITOR you write after typing :e. The transcripts are
Markdown, in .study/interviews.

Without a terminal it lists the interviews, or reads the answers from lines: an
empty one hands an answer in, ? passes, q leaves.`,
  options: { anew: { type: 'boolean' } },
  run: (invocation) => interview(invocation, withLearner()),
};

export async function interview(
  { root, home, words, flags }: Invocation,
  conversation: Conversation,
): Promise<number> {
  const { print, now } = conversation;
  const [slug, ...more] = words;
  if (more.length > 0) throw new KitError('Name one interview, or none for all.', { exitCode: 2 });
  const { interviewFiles, readInterview } = await import('./content/interviews.ts');
  const files = await interviewFiles(root);
  const { newSheet, sheetsIn } = await import('../quiz/interview-sheet.ts');
  const sheets = sheetsIn(home);
  const all = await Promise.all(files.map(async (file) => (await readInterview(file)).interview));
  const chosen =
    slug === undefined
      ? await chooseOne(all, sheets, conversation)
      : findBySlug('interview', slug, all);
  if (chosen === undefined) return 0;

  const left = flags['anew'] === true ? undefined : unfinished(chosen, sheets);
  const { openJournal } = await import('../quiz/journal.ts');
  const { runInterview } = await import('../quiz/interview-run.ts');
  const { renderMarkdown } = await import('./reader/markdown.ts');
  const asker = await askerFor(conversation);
  try {
    await runInterview({
      interview: chosen,
      sheet: left ?? newSheet(home, chosen, now()),
      journal: openJournal(home, { now: now() }),
      asker,
      print,
      render: (markdown, indent = 0) => renderMarkdown(markdown, { width: columns() - indent }),
      now,
      command: `npm run interview -- ${chosen.slug}`,
    });
  } finally {
    asker.close();
  }
  return 0;
}

async function chooseOne(
  all: readonly Interview[],
  sheets: readonly Sheet[],
  { hasTerminal, print }: Conversation,
): Promise<Interview | undefined> {
  if (hasTerminal) {
    const { choose } = await import('./menu.ts');
    const choices = all.map((each) => ({ label: labelOf(each, sheets), value: each }));
    return choose('Which interview?', choices);
  }
  for (const line of aligned(all.map((each) => [each.slug, labelOf(each, sheets)]))) print(line);
  print('Begin one: npm run interview -- slug');
  return undefined;
}

function labelOf(each: Interview, sheets: readonly Sheet[]): string {
  const own = sheets.filter((sheet) => sheet.rehearsal().interview === each.slug);
  const isLeft = unfinished(each, sheets) !== undefined;
  const state = isLeft ? ', go on' : own.length > 0 ? ', done' : '';
  return `${each.title} (${each.minutes} min${state})`;
}

/** The newest rehearsal of an interview, when it was left before its end. */
function unfinished({ slug }: Interview, sheets: readonly Sheet[]): Sheet | undefined {
  const last = sheets.findLast((sheet) => sheet.rehearsal().interview === slug);
  return last?.rehearsal().hasEnded ? undefined : last;
}
