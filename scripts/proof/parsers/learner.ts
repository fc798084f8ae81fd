import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parseArithmetic } from '../../../quiz/arithmetic.ts';
import { readIndexes, readWish } from '../../../quiz/asker.ts';
import { readDay } from '../../../quiz/day.ts';
import { nextQuestion } from '../../../quiz/interview.ts';
import { sheetsIn } from '../../../quiz/interview-sheet.ts';
import { readJournal } from '../../../quiz/journal.ts';
import { mentions } from '../../../quiz/mentions.ts';
import { readNumber } from '../../../quiz/number.ts';
import { KitError } from '../../../quiz/problem.ts';
import { transcript } from '../../../quiz/transcript.ts';
import { commands } from '../../commands.ts';
import { readArgs } from '../../args.ts';
import { interviewFiles, parseInterview } from '../../content/interviews.ts';
import { goHome } from '../../home.ts';
import { interview } from '../../interview.ts';
import { learn } from '../../learn.ts';
import { plan } from '../../plan.ts';
import { quiz } from '../../quiz.ts';
import { stats } from '../../stats.ts';
import { badTexts } from '../bad-texts.ts';
import { expectUsable, type Parser } from './parser.ts';

const NOON = new Date('2026-11-22T12:00:00Z');
const quiet = { print: () => {}, hasTerminal: false, now: () => NOON };

/** Commands that only talk and keep: what they change is in the learner's folder alone. */
const talks = new Map([
  ['quiz', { run: quiz, load: commands.quiz }],
  ['plan', { run: plan, load: commands.plan }],
  ['interview', { run: interview, load: commands.interview }],
  ['learn', { run: learn, load: commands.learn }],
]);

/** What is a learner's: what was kept of them, and what they type. */
export const learnerParsers: readonly Parser[] = [
  {
    name: 'journal',
    title: 'journals: read, and what the first screen, the plan and the numbers make of them',
    async open({ miniature: root, scratch: home }) {
      const file = join(home, 'journal.jsonl');
      const stamp = (index: number) =>
        `"v":1,"id":"id-${index}","at":"2026-11-${10 + index}T10:00:00Z"`;
      const bodies = [
        '"type":"review","item":"card:quota/what-refuses","grade":"good"',
        '"type":"review","item":"kata:quota","grade":"again"',
        '"type":"read","lesson":"quota"',
        '"type":"progress","kata":"quota","passed":3,"of":3',
        '"type":"peek","kata":"quota"',
        '"type":"gap","item":"card:quota/what-refuses"',
        '"type":"plan","interview":"2026-12-05","minutes":30',
        '"type":"debrief","went":"well","asked":["quotas"]',
        '"type":"undo","of":"id-0"',
        '"type":"suspend","item":"card:quota/what-refuses"',
        '"type":"resume","item":"card:quota/what-refuses"',
      ];
      const lines = bodies.map((body, index) => `{${stamp(index)},${body}}\n`);
      const odd = [
        ...['9999-12-31', '0001-01-01'].map(
          (day) => `{${stamp(1)},"type":"plan","interview":"${day}","minutes":30}\n`,
        ),
        `{${stamp(2)},"type":"plan","interview":"2026-12-05","minutes":9007199254740991}\n`,
        `{${stamp(2)},"type":"plan","interview":"2026-12-05","minutes":0}\n`,
        ...[
          '+275760-09-13T00:00:00Z',
          '-271821-04-20T00:00:00Z',
          '0000',
          '9999-12-31T23:59:59+14:00',
        ].map((at) => `{"v":1,"id":"${at}","at":"${at}",${bodies[0]}}\n`),
        `{${stamp(3)},"type":"review","item":"__proto__","grade":"good"}\n`,
        `{${stamp(3)},"type":"progress","kata":"constructor","passed":9007199254740991,"of":0}\n`,
      ];
      return {
        texts: badTexts(
          [lines.join(''), ...lines, lines.join('').replaceAll('\n', '')],
          [...lines, ...odd, '{', '}'],
        ),
        async read(text) {
          // Every other one is no valid UTF-8, should it go beyond ASCII.
          writeFileSync(file, text, text.length % 2 === 0 ? 'utf8' : 'latin1');
          const { problems } = readJournal(home);
          expectUsable(problems, text);
          const words: string[] = [];
          await goHome({ root, home }, { ...quiet, choose: undefined, follow: async () => {} });
          await stats({ root, home, words, flags: { json: true } }, { ...quiet, now: NOON });
          await plan(
            { root, home, words, flags: {} },
            { ...quiet, input: Readable.from(['well\n\n']) },
          );
        },
      };
    },
  },
  {
    name: 'transcripts',
    title: 'records of mock interviews: read, gone on with, written as a transcript',
    async open({ catalog: { root }, scratch: home }) {
      const [first] = await interviewFiles(root);
      if (first === undefined) throw new Error('There is no interview to try.');
      const { interview: held } = parseInterview(await readFile(first.file, 'utf8'), first.file);
      const at = '"at":"2026-11-22T10:00:00Z"';
      const [phase] = held.phases;
      const lines = [
        `{"type":"began","interview":"${held.slug}","title":"${held.title}",${at}}\n`,
        `{"type":"asked","phase":"${phase?.title}","kind":"opening","text":"${phase?.question}",${at}}\n`,
        `{"type":"line","text":"requests per second",${at}}\n`,
        `{"type":"given",${at}}\n`,
        `{"type":"back",${at}}\n`,
        `{"type":"asked","phase":"${phase?.title}","kind":"probe","about":"x","text":"y",${at}}\n`,
        `{"type":"scored","axis":"Depth","level":"L5","evidence":"requests",${at}}\n`,
        `{"type":"ended",${at}}\n`,
      ];
      const folder = join(home, 'interviews');
      mkdirSync(folder);
      const file = join(folder, '2026-11-22T10-00-00-trial.jsonl');
      return {
        texts: badTexts([lines.join(''), lines.slice(0, 4).join(''), ...lines], lines),
        read(text) {
          writeFileSync(file, text, text.length % 2 === 0 ? 'utf8' : 'latin1');
          for (const sheet of sheetsIn(home)) {
            const rehearsal = sheet.rehearsal();
            nextQuestion(held, rehearsal.turns, () => false);
            transcript(held, rehearsal);
          }
        },
      };
    },
  },
  {
    name: 'arguments',
    title: 'arguments and typed answers: of every command that asks nobody else',
    async open({ catalog: { katas, lessons, decks }, miniature: root, scratch: home }) {
      const slugs = [...katas, ...lessons, ...decks].map(({ slug }) => slug);
      const names = [
        '--interview',
        '--minutes',
        '--none',
        '--resume',
        '--anew',
        '--json',
        '--help',
      ];
      const values = ['2026-12-05', '9999-12-31', '30', '-1', '1e3', 'all', '=', '--', '-h', '#x'];
      const words = [...slugs, ...names, ...values, 'plan', 'quiz', 'learn', 'stats', 'interview'];
      const lines = words.map((word) => `${word}\n`);
      return {
        texts: badTexts(
          ['plan\n--interview\n2026-12-05\n', 'quiz\nquota\n1\n?\nu\ns\n2 1 3\n', 'learn\nquota#x'],
          lines,
        ),
        async read(text) {
          const [name = '', ...args] = text.split('\n');
          for (const command of Object.values(commands)) {
            await readArgs(args, (await command()).options).catch(unlessKitError);
          }
          const { run, load } = talks.get(name) ?? { run: quiz, load: commands.quiz };
          const { words: given, flags } = await readArgs(args, (await load()).options);
          const input = Readable.from([`${args.join('\n')}\n`]);
          await run({ root, home, words: given, flags }, { ...quiet, input });
        },
      };
    },
  },
  {
    name: 'formulas',
    title: 'formulas of number cards, numbers, orders and words that are typed',
    async open({ catalog: { decks } }) {
      const texts = await Promise.all(decks.map(({ file }) => readFile(file, 'utf8')));
      const formulas = texts.flatMap((text) =>
        [...text.matchAll(/^ +(?:answer|formula): (.+)$/gm)].map(([, formula = '']) => formula),
      );
      const words = ['1', '2.5', '1e3', '1,024', '0,5', '(', ')', '+', '-', '*', '/', '^', 'max('];
      return {
        texts: badTexts(formulas, [...words, 'ceil(', 'x', ',', 'constructor', ' ms', '12 %']),
        read(text) {
          const value = readNumber(text, 'ms');
          if (value !== undefined && !Number.isFinite(value)) throw new Error(`read as ${value}`);
          readIndexes(text, 5);
          readWish(text);
          readDay(text);
          mentions(text, ['dead letter', '12,000', text.slice(0, 20)]);
          try {
            const result: unknown = parseArithmetic(text).evaluate({ x: 2 });
            if (typeof result !== 'number') throw new TypeError(`evaluates to ${typeof result}`);
          } catch (error) {
            if (!(error instanceof SyntaxError)) throw error;
          }
        },
      };
    },
  },
];

function unlessKitError(error: unknown): void {
  if (!(error instanceof KitError)) throw error;
}
