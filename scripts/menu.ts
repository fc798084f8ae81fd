import type { Key } from 'node:readline';
import type { Terminal } from './loop/screen.ts';

export interface Choice<Value> {
  readonly label: string;
  readonly value: Value;
}

/** Lets someone choose with arrows and Enter; undefined after q, Escape, Ctrl-C, Ctrl-D, or when `signal` ends it. */
export async function choose<Value>(
  question: string,
  choices: readonly Choice<Value>[],
  { input, output }: Terminal = { input: process.stdin, output: process.stdout },
  signal?: AbortSignal,
): Promise<Value | undefined> {
  const { createPromptModule } = await import('inquirer');
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  signal?.addEventListener('abort', leave);
  const onKeypress = (_text: unknown, { name, ctrl }: Key) => {
    if (name === 'q' || name === 'escape' || (ctrl && name === 'd')) leave();
  };
  input.on('keypress', onKeypress);
  input.on('end', leave);
  try {
    const prompt = createPromptModule({
      input,
      output,
      signal: leaving.signal,
      clearPromptOnDone: true,
    });
    const { index } = await prompt<{ index: number }>({
      type: 'select',
      name: 'index',
      message: question,
      choices: choices.map(({ label }, value) => ({ name: label, value })),
      pageSize: Math.max(7, (output.rows || 24) - 6),
      loop: false,
      theme: { style: { keysHelpTip: () => '↑↓ moves, Enter takes it, q leaves' } },
    });
    return choices[index]?.value;
  } catch (error) {
    if (error instanceof Error && leftBy.has(error.name)) return undefined;
    throw error;
  } finally {
    signal?.removeEventListener('abort', leave);
    input.off('keypress', onKeypress);
    input.off('end', leave);
  }
}

const leftBy = new Set(['ExitPromptError', 'AbortPromptError']);
