import { readFile } from 'node:fs/promises';
import { parseDeck } from '../../../quiz/deck.ts';
import { seeded } from '../../../quiz/random.ts';
import { show } from '../../../quiz/showing.ts';
import { cardIds } from '../../content/card-ids.ts';
import { fieldReader } from '../../content/fields.ts';
import { readFrontmatter } from '../../content/frontmatter.ts';
import { interviewFiles, parseInterview } from '../../content/interviews.ts';
import { applyMisconception, parseMisconceptions } from '../../content/misconceptions.ts';
import { regionsOf, stubOf } from '../../content/stub.ts';
import { KitError } from '../../../quiz/problem.ts';
import { checkDeck } from '../../verify/verify-decks.ts';
import { checkInterview } from '../../verify/verify-interviews.ts';
import { checkFinished, checkHints } from '../../verify/verify-texts.ts';
import { badTexts } from '../bad-texts.ts';
import { expectUsable, type Parser } from './parser.ts';

/** What those who write content hand in. */
export const contentParsers: readonly Parser[] = [
  {
    name: 'decks',
    title: 'decks: parsed, checked, and each card that is left asked',
    async open({ catalog: { decks } }) {
      const texts = await textsOf(decks.map(({ file }) => file));
      const words = ['title: x\n', 'cards:\n', '  - id: a\n', '    kind: number\n', '    answer: '];
      return {
        texts: badTexts(texts.flatMap(inPieces), [...words, '    prompt: {a}\n', '    params: ']),
        read(text) {
          const { deck, problems } = parseDeck(text, FILE, 'deck');
          expectUsable(problems, text);
          checkDeck({ file: FILE, slug: 'deck' }, text, undefined);
          cardIds(text);
          for (const card of deck?.cards ?? []) {
            const showing = show(card, seeded(card.item));
            if ('judge' in showing) showing.judge(undefined);
          }
        },
      };
    },
  },
  {
    name: 'frontmatter',
    title: 'front matters of lessons and briefs: fields read, hints and TODOs checked',
    async open({ catalog: { lessons, katas } }) {
      const files = [
        ...lessons.map(({ file }) => file),
        ...katas.map(({ files: { brief } }) => brief),
      ];
      const texts = (await textsOf(files)).map((text) => text.slice(0, 2_000));
      const words = [
        '---\n',
        'title: x\n',
        'minutes: 10\n',
        'updated: 2026-01-31\n',
        'kata: none\n',
      ];
      return {
        texts: badTexts(texts, [...words, '## Hints\n', '### 1 · think\n']),
        read(text) {
          const front = readFrontmatter(text, FILE);
          const read = fieldReader(front, FILE);
          read.text('title', '');
          read.count('minutes', 1);
          read.day('updated', '1970-01-01');
          read.says('kata', 'none');
          read.oneOf('asked', ['often', 'rarely'], 'often', { mayLack: true });
          expectUsable(read.problems(), text);
          for (const { problems } of [checkFinished(text, FILE), ...checkHints(text, FILE)]) {
            expectUsable(problems, text);
          }
        },
      };
    },
  },
  {
    name: 'misconceptions',
    title: 'misconceptions in walkthroughs: parsed, and applied to the solution',
    async open({ catalog: { katas } }) {
      const walkthroughs = await textsOf(katas.map(({ files }) => files.walkthrough));
      const solutions = await textsOf(katas.map(({ files }) => files.solution));
      const pieces = walkthroughs.map((text) => text.slice(-6_000));
      const words = ['## Misconceptions\n', '### One\n', 'Caught by: `a`\n', '```diff\n', '@@\n'];
      return {
        texts: badTexts(
          pieces.map((text) => `## Misconceptions\n${text}`),
          [...words, '-  const a = 1;\n', '+  b\n', '```\n'],
        ),
        read(text) {
          const { misconceptions, problems } = parseMisconceptions(text, FILE);
          expectUsable(problems, text);
          const solution = solutions[text.length % solutions.length] ?? '';
          for (const misconception of misconceptions) {
            if (misconception.diffLine > text.split('\n').length + 1)
              throw new Error('no such line');
            orRefused(() => applyMisconception(solution, misconception));
          }
        },
      };
    },
  },
  {
    name: 'stubs',
    title: 'answer regions in solutions: found, and the stub made',
    async open({ catalog: { katas } }) {
      const texts = await textsOf(katas.map(({ files }) => files.solution));
      const words = [
        '// #region answer: do it\n',
        '// #region answer\n',
        '  // #endregion\n',
        '{\n',
      ];
      return {
        texts: badTexts(texts, [...words, '}\n', '//#region\n', '\n']),
        read(text) {
          const { problems } = regionsOf(text);
          expectUsable(
            problems.map((problem) => ({ file: FILE, ...problem })),
            text,
          );
          orRefused(() => stubOf(text));
        },
      };
    },
  },
  {
    name: 'interviews',
    title: 'mock interviews: parsed and checked',
    async open({ catalog: { root } }) {
      const texts = await textsOf((await interviewFiles(root)).map(({ file }) => file));
      const words = ['## Design (10 minutes)\n', '### Says it\n', '- Listens for: a · b + c\n'];
      return {
        texts: badTexts(texts, [...words, '- If left out: x?\n', '- Cards: a/b\n', '## Rubric\n']),
        read(text) {
          expectUsable(parseInterview(text, FILE).problems, text);
          for (const { problems } of checkInterview(text, FILE, new Set())) {
            expectUsable(problems, text);
          }
        },
      };
    },
  },
];

const FILE = 'bad-input.md';

function textsOf(files: readonly string[]): Promise<string[]> {
  return Promise.all(files.map((file) => readFile(file, 'utf8')));
}

/** A deck's title with some of its cards: a whole deck takes YAML too long for thousands of them. */
function inPieces(deck: string): string[] {
  const [head = '', ...cards] = deck.split(/^(?= {2}- id:)/m);
  const pieces: string[] = [];
  for (let first = 0; first < cards.length; first += 3) {
    pieces.push(head + cards.slice(first, first + 3).join(''));
  }
  return pieces;
}

/** Does it; a KitError is an answer like any other. */
function orRefused(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof KitError)) throw error;
  }
}
