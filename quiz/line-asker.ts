import { createInterface } from 'node:readline';
import { type Asker, numbered, type Read, readIndexes, readWish, type Reply } from './asker.ts';

/**
 * Asks where there is no terminal: prints plain text and reads one line for each answer; "?" is "I don't
 * know", "u" takes the last grade back, "s" suspends a card, "q" and the end of the input end the sitting. An
 * empty line that is no answer is passed over.
 */
export function lineAsker(input: NodeJS.ReadableStream, print: (text: string) => void): Asker {
  const reader = createInterface({ input, terminal: false });
  const lines = reader[Symbol.asyncIterator]();

  async function ask<Answer>(question: string, read: Read<Answer>): Promise<Reply<Answer>> {
    print(question);
    for (;;) {
      const { value: line, done } = await lines.next();
      if (done) return { kind: 'stop' };
      const typed = line.trim();
      const wish = readWish(typed);
      if (wish !== undefined) return { kind: wish };
      if (typed === '?') return { kind: 'unknown' };
      const result = read(typed);
      if (typeof result !== 'string') return { kind: 'given', answer: result.answer };
      if (typed !== '') print(result);
    }
  }

  return {
    stopKey: 'q',
    wishesHelp: 'u takes the last grade back, s suspends the card',
    linesHelp: 'an empty line hands the answer in, `?` alone passes',
    async one(question, options, mayPass = true) {
      const hint = `a number from 1 to ${options.length}${mayPass ? ', or ? if you do not know' : ''}`;
      for (;;) {
        const reply = await ask(`${numbered(options)}\n${question} (${hint}):`, (typed) => {
          const [answer, ...more] = readIndexes(typed, options.length) ?? [];
          return answer === undefined || more.length > 0 ? `Type ${hint}.` : { answer };
        });
        if (mayPass || reply.kind !== 'unknown') return reply;
        print(`Type ${hint}.`);
      }
    },
    several(question, options) {
      const hint = 'numbers such as 1 3, or ? if you do not know';
      return ask(`${numbered(options)}\n${question} (${hint}):`, (typed) => {
        const answer = readIndexes(typed, options.length);
        return answer === undefined ? `Type ${hint}.` : { answer };
      });
    },
    typed(question, read) {
      return ask(`${question} (? if you do not know):`, read);
    },
    async lines(keep) {
      let hasSaid = false;
      for (;;) {
        const { value: line, done } = await lines.next();
        const text = done ? 'q' : line.trim();
        if (text.toLowerCase() === 'q') return 'stop';
        if (text === '?' && !hasSaid) return 'unknown';
        if (text === '' && hasSaid) return 'given';
        if (text === '') continue;
        keep(text);
        hasSaid = true;
      }
    },
    pause: async () => 'given',
    close: () => reader.close(),
  };
}
