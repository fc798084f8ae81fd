import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { badTexts } from './bad-texts.ts';
import { parsers } from './parsers.ts';
import type { Parser } from './parsers/parser.ts';
import { tryTexts } from './try-texts.ts';

const root = resolve(import.meta.dirname, '../..');

it.each(parsers)('$name: no bad text makes it crash', async (parser) => {
  const outcome = await tryTexts(parser, { root, inputs: 20, seed: 1 });
  expect(outcome.crash).toBeUndefined();
  expect(outcome.tried).toBe(20);
});

it('shows the shortest text that makes a parser crash', async () => {
  const brittle: Parser = {
    name: 'brittle',
    title: 'falls over a quote',
    open: async () => ({
      texts: badTexts(['one "word"'], ['a', '"']),
      read(text) {
        if (text.includes('"')) throw new TypeError('a quote');
      },
    }),
  };
  const { crash } = await tryTexts(brittle, { root, inputs: 200, seed: 1 });
  expect(crash?.text).toContain('"');
  expect(crash?.error).toContain('TypeError: a quote');
});
