import { say, type Screen } from './ask.ts';
import type { Asker } from './asker.ts';
import { count } from './count.ts';
import { howMet, type Interview, nextQuestion, type Phase, type Question } from './interview.ts';
import type { Score } from './interview-record.ts';
import type { Sheet } from './interview-sheet.ts';
import type { Journal } from './journal.ts';
import { type Level, levels } from './level.ts';
import { heard, transcript } from './transcript.ts';

export interface MockInterview extends Screen {
  readonly interview: Interview;
  /** New, or of an interview that was left before its end. */
  readonly sheet: Sheet;
  readonly journal: Journal;
  readonly asker: Asker;
  readonly now: () => Date;
  /** What takes up this interview again. */
  readonly command: string;
}

/**
 * Asks, listens, and asks for what was left out, phase by phase; then shows the rubric and takes the
 * learner's scores. Every line is kept at once, so that it can be left and taken up again at any point.
 */
export async function runInterview(mock: MockInterview): Promise<void> {
  const { sheet, interview, now, print, command, asker } = mock;
  await welcome(mock);
  const isDone = (await hold(mock)) && (await score(mock));
  if (isDone) await close(mock);
  // Before the record says that it is over: what is over is not written again.
  sheet.write(transcript(interview, { ...sheet.rehearsal(), hasEnded: isDone }));
  if (isDone) sheet.add({ type: 'ended' }, now());
  print(`\nThe transcript: ${sheet.transcript}`);
  if (!isDone) print(`To go on (${asker.stopKey} left it): ${command}`);
}

async function welcome(mock: MockInterview): Promise<void> {
  const { interview, sheet, now, asker } = mock;
  const { turns } = sheet.rehearsal();
  if (turns.length > 0) {
    sheet.add({ type: 'back' }, now());
    await say(mock, `## ${interview.title}`, `Welcome back. ${interview.opening}`);
    return;
  }
  await say(
    mock,
    `## ${interview.title}`,
    interview.phases.map(({ title, minutes }) => `${title} ${minutes}′`).join(' · '),
    `Answer in sentences, as you would speak: ${asker.linesHelp}. ` +
      `Every line is kept at once; ${asker.stopKey} leaves, and you can take it up again later.`,
    interview.opening,
  );
}

/** The conversation; false when the learner left. */
async function hold(mock: MockInterview): Promise<boolean> {
  const { interview, sheet, asker, now } = mock;
  for (let phaseShown = ''; ; phaseShown = sheet.rehearsal().turns.at(-1)?.phase ?? '') {
    const { turns, spentMs } = sheet.rehearsal();
    const last = turns.at(-1);
    const isUp = ({ title, minutes }: Phase) => (spentMs.get(title) ?? 0) >= minutes * 60_000;
    const isUnfinished = last !== undefined && !last.isGiven;
    const question = isUnfinished ? last : nextQuestion(interview, turns, isUp);
    if (question === undefined) return true;
    if (!isUnfinished) sheet.add({ type: 'asked', ...question }, now());
    await pose(mock, question, question.phase !== phaseShown);
    const reply = await asker.lines((text) => sheet.add({ type: 'line', text }, now()));
    if (reply === 'stop') return false;
    sheet.add({ type: 'given' }, now());
    sheet.write(transcript(interview, sheet.rehearsal()));
  }
}

async function pose(
  mock: MockInterview,
  { phase: title, kind, text }: Question,
  isNewPhase: boolean,
): Promise<void> {
  const { interview, sheet, now } = mock;
  const { spentMs, turns } = sheet.rehearsal();
  const index = interview.phases.findIndex((phase) => phase.title === title);
  const minutes = interview.phases[index]?.minutes ?? 0;
  const leftMs = minutes * 60_000 - (spentMs.get(title) ?? 0);
  const until = clock.format(new Date(now().getTime() + leftMs));
  const left = `${count(Math.max(0, Math.ceil(leftMs / 60_000)), 'minute')} left, until ${until}`;
  const said = turns.at(-1)?.lines ?? [];
  await say(
    mock,
    isNewPhase
      ? `### ${index + 1} of ${interview.phases.length} · ${title} · ${left}`
      : `*${left}*`,
    `${kind === 'curveball' ? '**Something new:** ' : ''}${text}`,
    said.length > 0 ? `You were saying:\n\n${said.map((line) => `> ${line}`).join('\n>\n')}` : '',
  );
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

/** The learner's own scores, each with a line of theirs; false when the learner left. */
async function score(mock: MockInterview): Promise<boolean> {
  const { interview, sheet, asker, now } = mock;
  const { turns, scores } = sheet.rehearsal();
  const done = new Set(scores.map(({ axis }) => axis));
  const open = interview.rubric.filter(({ title }) => !done.has(title));
  if (open.length === 0) return true;
  await say(
    mock,
    '## How it went',
    heard(interview, turns),
    'The interviewer listens for words, you judge. What would cost the offer:',
    interview.redFlags.map((flag) => `- ${flag}`).join('\n'),
  );
  const lines = turns.flatMap((turn) => turn.lines);
  for (const axis of open) {
    await say(
      mock,
      `### ${axis.title}`,
      levels.map((level) => `- **${level}**: ${axis.levels[level]}`).join('\n'),
    );
    const judged = await judge(asker, lines);
    if (judged === undefined) return false;
    sheet.add({ type: 'scored', axis: axis.title, ...judged }, now());
  }
  return true;
}

/** No score without evidence: what no line shows is below the lowest level. */
async function judge(
  asker: Asker,
  lines: readonly string[],
): Promise<Omit<Score, 'axis'> | undefined> {
  const chosen = await pick(asker, 'Where were you', ['Below L4', ...levels]);
  if (chosen === undefined) return undefined;
  const level: Level | undefined = levels[chosen - 1];
  if (level === undefined || lines.length === 0) return { level: 'below L4' };
  const options = [...lines.map(shorten), 'None of them'];
  const shown = await pick(asker, 'Which line of yours shows it', options);
  if (shown === undefined) return undefined;
  const evidence = lines[shown];
  return evidence === undefined ? { level: 'below L4' } : { level, evidence };
}

/** There is nothing to undo or to suspend here; undefined when the learner leaves. */
async function pick(
  asker: Asker,
  question: string,
  options: readonly string[],
): Promise<number | undefined> {
  for (;;) {
    const reply = await asker.one(question, options, false);
    if (reply.kind === 'given') return reply.answer;
    if (reply.kind === 'stop') return undefined;
  }
}

/** Says what comes of it: the cards of what was left out are asked first from now on. */
async function close(mock: MockInterview): Promise<void> {
  const { interview, sheet, journal, now } = mock;
  const { turns, scores } = sheet.rehearsal();
  const leftOut = interview.phases
    .flatMap(({ milestones }) => milestones)
    .filter((milestone) => howMet(milestone, turns) === 'left out');
  const items = [...new Set(leftOut.flatMap((milestone) => milestone.items))];
  for (const item of items) journal.append({ type: 'gap', item }, now());
  await say(
    mock,
    '## Your scores',
    scores.map(({ axis, level }) => `- ${axis}: ${level}`).join('\n'),
    items.length > 0
      ? `${count(items.length, 'card')} on what you left out will be asked first: \`npm run quiz\``
      : 'Nothing was left out.',
  );
}

const MOST_SHOWN = 120;

function shorten(line: string): string {
  return line.length <= MOST_SHOWN ? line : `${line.slice(0, MOST_SHOWN - 1)}…`;
}
