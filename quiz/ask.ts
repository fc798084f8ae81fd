import { type Asker, listIndent, numbered, readIndexes, type Reply, type Wish } from './asker.ts';
import { type Grade, grades } from './entry.ts';
import { readNumber } from './number.ts';
import { bullets, FLIP_QUESTION, type Judgement, type Showing } from './showing.ts';

export interface Screen {
  readonly print: (text: string) => void;
  /** Markdown as text for the screen, so many columns narrower than usual. */
  readonly render: (markdown: string, indent?: number) => Promise<string>;
}

/** Prints paragraphs of Markdown, with a line between them and what stands before. */
export async function say(
  { print, render }: Screen,
  ...paragraphs: readonly (string | undefined)[]
): Promise<void> {
  const said = paragraphs.filter((paragraph) => paragraph !== undefined && paragraph !== '');
  if (said.length > 0) print(`\n${(await render(said.join('\n\n'))).trimEnd()}`);
}

export interface Outcome {
  readonly grade: Grade;
  /** What there is to say about the answer, Markdown; may be empty. */
  readonly feedback: string;
}

/** Asks a card and grades the answer; or what the learner wants instead. */
export async function ask(showing: Showing, asker: Asker, screen: Screen): Promise<Outcome | Wish> {
  const { print, render } = screen;
  const list = async (texts: readonly string[]) => {
    const rendered = await Promise.all(texts.map((text) => render(text, listIndent)));
    return rendered.map((text) => text.trim());
  };
  print(`\n${(await render(showing.prompt)).trimEnd()}\n`);
  switch (showing.ask) {
    case 'one':
      return judged(await asker.one('Your answer', await list(showing.options)), showing.judge);
    case 'duel': {
      const first = judged(
        await asker.one('Your answer', await list(showing.options)),
        showing.judge,
      );
      if (typeof first === 'string' || first.grade === 'again') return first;
      print(`\n${(await render(`**Right.** ${FLIP_QUESTION}`)).trim()}\n`);
      const { flip } = showing;
      return judged(await asker.one('Your answer', await list(flip.options)), flip.judge);
    }
    case 'several':
      return judged(
        await asker.several('All that hold', await list(showing.options)),
        showing.judge,
      );
    case 'order':
      print(`${numbered(await list(showing.steps))}\n`);
      return judged(await askOrder(asker, showing.steps.length), showing.judge);
    case 'number':
      return judged(await askNumber(asker, showing.unit), showing.judge);
    case 'recall':
      break;
  }
  return askToRecall(showing.points, asker, screen);
}

function judged<Answer>(
  reply: Reply<Answer>,
  judge: (answer: Answer | undefined) => Judgement,
): Outcome | Wish {
  if (reply.kind !== 'given' && reply.kind !== 'unknown') return reply.kind;
  const { right, feedback } = judge(reply.kind === 'given' ? reply.answer : undefined);
  if (right) return { grade: 'good', feedback: '**Right.**' };
  const verdict = reply.kind === 'given' ? '**Not this time.**' : '**No harm done.**';
  return { grade: 'again', feedback: `${verdict}\n\n${feedback}` };
}

function askOrder(asker: Asker, count: number): Promise<Reply<readonly number[]>> {
  return asker.typed('The right order, such as 2 1 3', (typed) => {
    const answer = readIndexes(typed, count);
    return answer?.length === count
      ? { answer }
      : `Type all the numbers from 1 to ${count} in order.`;
  });
}

function askNumber(asker: Asker, unit: string | undefined): Promise<Reply<number>> {
  const where = unit === undefined ? '' : ` in ${unit}`;
  return asker.typed(`Your answer${where}`, (typed) => {
    const answer = readNumber(typed, unit);
    return answer === undefined ? `Type a number${where}: 12, 0.5, or 3 * 4.` : { answer };
  });
}

/** The learner is the judge here, and so is asked only after having seen what a good answer has. */
async function askToRecall(
  points: readonly string[],
  asker: Asker,
  { print, render }: Screen,
): Promise<Outcome | Wish> {
  const reply = await asker.typed('Type or think your answer, then press Enter', (typed) => ({
    answer: typed,
  }));
  if (reply.kind !== 'given' && reply.kind !== 'unknown') return reply.kind;
  const answer = await render(`**A good answer has:**\n\n${bullets(points)}`);
  print(`\n${answer.trimEnd()}\n`);
  if (reply.kind === 'unknown') return { grade: 'again', feedback: '**No harm done.**' };
  const graded = await asker.one('How did it come?', recallGrades, false);
  if (graded.kind === 'unknown') return 'stop';
  if (graded.kind !== 'given') return graded.kind;
  return { grade: grades[graded.answer] ?? 'again', feedback: '' };
}

const recallGrades = [
  'again: I missed a main point',
  'hard: I had it, with effort',
  'good: I had it',
  'easy: I had it at once',
];
