import { createPromptModule } from 'inquirer';
import type { Key } from 'node:readline';
import { type Asker, hang, type Read, readWish, type Reply, type Wish } from './asker.ts';
import { takeLines } from './take-lines.ts';

interface Streams {
  readonly input?: NodeJS.ReadableStream;
  readonly output?: NodeJS.WritableStream;
  /** Lines of the terminal: longer lists scroll. */
  readonly rows?: number;
}

/** Asks someone who sits at a terminal: arrow keys or digits, then Enter; Ctrl-C ends the sitting. */
export function terminalAsker({ rows = 24, ...streams }: Streams = {}): Asker {
  const prompt = createPromptModule(streams);
  const vanishing = createPromptModule({ ...streams, clearPromptOnDone: true });
  const { input = process.stdin } = streams;
  const list = { pageSize: Math.max(7, rows - 8), loop: false };

  return {
    stopKey: 'Ctrl-C',
    wishesHelp: 'u takes the last grade back, s suspends the card',
    linesHelp: 'an empty line hands the answer in, `?` alone passes, `:e` opens your editor',
    one(question, options, mayPass = true) {
      return withKeys(input, (signal) =>
        createPromptModule({ ...streams, signal })<{ answer: number | null }>({
          type: 'select',
          name: 'answer',
          message: question,
          choices: choicesOf(options, mayPass, '❯ 1. '.length),
          ...list,
          theme: { style: { keysHelpTip: () => `↑↓ or a digit picks, Enter takes it${stopHint}` } },
        }),
      );
    },
    async several(question, options) {
      const reply = await withKeys(input, (signal) =>
        createPromptModule({ ...streams, signal })<{ answer: (number | null)[] }>({
          type: 'checkbox',
          name: 'answer',
          message: question,
          choices: choicesOf(options, true, '❯◯ 1. '.length),
          ...list,
          shortcuts: { all: null, invert: null },
          theme: {
            style: {
              keysHelpTip: () => `↑↓ moves, digit/space marks, Enter takes${stopHint}`,
              renderSelectedChoices: (marked: readonly { short: string }[]) =>
                marked.map(({ short }) => short).join(''),
            },
          },
          validate: (marked: readonly { value: number | null }[]) => isClear(marked) || unclear,
        }),
      );
      if (reply.kind !== 'given') return reply;
      const answer = reply.answer.filter((index) => index !== null);
      return answer.length === 0 ? { kind: 'unknown' } : { kind: 'given', answer };
    },
    async typed<Answer>(question: string, read: Read<Answer>): Promise<Reply<Answer>> {
      const isCommand = (typed: string) => typed === '?' || readWish(typed) !== undefined;
      const prompted = prompt<{ answer: string }>({
        type: 'input',
        name: 'answer',
        message: `${question} (? if you do not know):`,
        validate: (typed: string) => {
          const understood = isCommand(typed.trim()) || read(typed.trim());
          return typeof understood !== 'string' || understood;
        },
      });
      const reply = await replyTo(prompted);
      if (reply.kind !== 'given') return reply;
      const typed = reply.answer.trim();
      if (typed === '?') return { kind: 'unknown' };
      const wish = readWish(typed);
      if (wish !== undefined) return { kind: wish };
      const understood = read(typed);
      return typeof understood === 'string'
        ? { kind: 'unknown' }
        : { kind: 'given', ...understood };
    },
    async lines(keep) {
      const ending = await takeLines(streams, keep);
      if (ending !== 'editor') return ending;
      const prompted = prompt<{ text: string }>({
        type: 'editor',
        name: 'text',
        message: 'Your answer',
        waitForUserInput: false,
        postfix: '.md',
      });
      const reply = await replyTo(prompted.then(({ text: answer }) => ({ answer })));
      if (reply.kind !== 'given') return reply.kind === 'unknown' ? 'unknown' : 'stop';
      const written = reply.answer.split(/\r?\n/).filter((line) => line.trim() !== '');
      for (const line of written) keep(line.trim());
      return 'given';
    },
    async pause() {
      const prompted = vanishing<{ answer: string }>({
        type: 'input',
        name: 'answer',
        message: 'Enter goes on, u or s and Enter takes back or suspends',
        transformer: () => '',
        theme: { prefix: '' },
      });
      const reply = await replyTo(prompted);
      if (reply.kind === 'unknown') return 'given';
      return reply.kind === 'given' ? (readWish(reply.answer) ?? 'given') : reply.kind;
    },
    close() {},
  };
}

/** Asks with a prompt that u and s end as well. */
async function withKeys<Answer>(
  input: NodeJS.ReadableStream,
  ask: (signal: AbortSignal) => Promise<{ answer: Answer | null }>,
): Promise<Reply<Answer>> {
  const leaving = new AbortController();
  let wish: Wish | undefined;
  const onKeypress = (_text: unknown, { name, ctrl }: Key) => {
    if (ctrl || name === undefined || name === 'q') return;
    wish = readWish(name);
    if (wish !== undefined) leaving.abort();
  };
  input.on('keypress', onKeypress);
  try {
    return await replyTo(ask(leaving.signal));
  } catch (error) {
    if (wish !== undefined && leaving.signal.aborted) return { kind: wish };
    throw error;
  } finally {
    input.off('keypress', onKeypress);
  }
}

/** A value of null is "I don't know". */
async function replyTo<Answer>(
  prompted: Promise<{ answer: Answer | null }>,
): Promise<Reply<Answer>> {
  try {
    const { answer } = await prompted;
    return answer === null ? { kind: 'unknown' } : { kind: 'given', answer };
  } catch (error) {
    if (error instanceof Error && error.name === 'ExitPromptError') return { kind: 'stop' };
    throw error;
  }
}

const stopHint = '; u undo, s suspend, Ctrl-C end';

const unclear = 'Mark what holds, or “I don’t know” alone.';

function choicesOf(options: readonly string[], mayPass: boolean, indent: number) {
  const texts = mayPass ? [...options, 'I don’t know'] : options;
  return texts.map((text, index) => ({
    name: `${index + 1}. ${hang(text, indent)}`,
    short: `\n  ${hang(text, 2)}`,
    value: index < options.length ? index : null,
  }));
}

function isClear(marked: readonly { value: number | null }[]): boolean {
  return marked.length === 1 || (marked.length > 1 && marked.every(({ value }) => value !== null));
}
