import { parseArithmetic, type Values } from './arithmetic.ts';
import type { Card } from './deck.ts';
import { draw, fill, isClose, showNumber } from './number.ts';
import { type Random, shuffle } from './random.ts';

/** A card as it is asked this time: its options in some order, its numbers drawn. All texts are Markdown. */
export type Showing = Question & {
  readonly prompt: string;
  /** To be said after every answer. */
  readonly explain: string | undefined;
};

type Question =
  | ChoiceOfOne
  /** Which of two; who is right is asked which of the facts in `flip` would change that. */
  | (Omit<ChoiceOfOne, 'ask'> & { readonly ask: 'duel'; readonly flip: ChoiceOfOne })
  | (Asked<readonly number[]> & { readonly ask: 'several'; readonly options: readonly string[] })
  /** The answer names the shown steps (0-based) in the order in which they belong. */
  | (Asked<readonly number[]> & { readonly ask: 'order'; readonly steps: readonly string[] })
  | (Asked<number> & { readonly ask: 'number'; readonly unit: string | undefined })
  /** Nobody but the learner can judge it. */
  | { readonly ask: 'recall'; readonly points: readonly string[] };

/** What is asked of the facts in a duel. */
export const FLIP_QUESTION = 'Which fact would change your mind?';

type ChoiceOfOne = Asked<number> & { readonly ask: 'one'; readonly options: readonly string[] };

interface Asked<Answer> {
  /** What to say to an answer; undefined: “I don't know”. */
  readonly judge: (answer: Answer | undefined) => Judgement;
}

export interface Judgement {
  readonly right: boolean;
  /** Why that answer is wrong comes first, then the right one; nothing after a right one. */
  readonly feedback: string;
}

export function show(card: Card, random: Random): Showing {
  const { prompt, explain } = card;
  switch (card.kind) {
    case 'choice':
      return { prompt, explain, ...one(shuffle(card.options, random)) };
    case 'bug':
      return {
        prompt: `${prompt}\n\n${fenced(card.code)}`,
        explain,
        ...one(shuffle(card.options, random)),
      };
    case 'duel': {
      const flip = one(shuffle(card.flip.options, random));
      return { prompt, explain, ...one(shuffle(card.options, random)), ask: 'duel', flip };
    }
    case 'choices':
      return { prompt, explain, ...several(shuffle(card.options, random)) };
    case 'order':
      return { prompt, explain, ...order(card.steps, shuffleForSure(card.steps, random)) };
    case 'number':
      return number(card, draw(card.params, random));
    case 'recall':
      break;
  }
  return { prompt, explain, ask: 'recall', points: card.points };
}

type Option = Extract<Card, { kind: 'choice' }>['options'][number];

const right: Judgement = { right: true, feedback: '' };

function wrong(...paragraphs: readonly (string | undefined)[]): Judgement {
  const said = paragraphs.filter((paragraph) => paragraph !== undefined && paragraph !== '');
  return { right: false, feedback: said.join('\n\n') };
}

function one(options: readonly Option[]): ChoiceOfOne {
  const answer = options.find((option) => option.right);
  return {
    ask: 'one',
    options: options.map((option) => option.text),
    judge(index) {
      const picked = index === undefined ? undefined : options[index];
      if (picked !== undefined && picked === answer) return right;
      return wrong(picked?.why, `**The answer:** ${answer?.text}`, answer?.why);
    },
  };
}

function several(options: readonly Option[]): Question {
  return {
    ask: 'several',
    options: options.map((option) => option.text),
    judge(indexes) {
      const picked = options.filter((_, index) => indexes?.includes(index));
      const tooMany = picked.filter((option) => !option.right);
      const missed = options.filter((option) => option.right && !picked.includes(option));
      if (tooMany.length === 0 && missed.length === 0) return right;
      return wrong(
        ...tooMany.map((option) => `**Not:** ${withReason(option)}`),
        ...(indexes === undefined ? [] : missed.map((option) => `**Also:** ${withReason(option)}`)),
        '**The answer:**',
        bullets(options.filter((option) => option.right).map((option) => option.text)),
      );
    },
  };
}

function order(steps: readonly string[], shown: readonly string[]): Question {
  return {
    ask: 'order',
    steps: shown,
    judge(places) {
      const given = places?.map((place) => shown[place]);
      const slip = given?.findIndex((step, index) => step !== steps[index]);
      if (slip === -1) return right;
      return wrong(
        slip === undefined ? undefined : `In place ${slip + 1} you put: ${given?.[slip]}`,
        '**The order:**',
        steps.map((step, index) => `${index + 1}. ${step}`).join('\n'),
      );
    },
  };
}

function number(card: Extract<Card, { kind: 'number' }>, values: Values): Showing {
  const answer = parseArithmetic(card.answer).evaluate(values);
  const filled = (template: string) => fill(template, { ...values, answer });
  const inUnit = (value: number) =>
    `${showNumber(value)}${card.unit === undefined ? '' : ` ${card.unit}`}`;
  return {
    ask: 'number',
    prompt: fill(card.prompt, values),
    explain: card.explain && filled(card.explain),
    unit: card.unit,
    judge(given) {
      if (given !== undefined && isClose(given, answer, card.tolerance)) return right;
      return wrong(
        given === undefined ? undefined : `You said ${showNumber(given)}.`,
        card.formula && verbatim(filled(card.formula)),
        `**The answer:** ${inUnit(answer)}`,
      );
    },
  };
}

/** The right order would give itself away. */
function shuffleForSure<T>(items: readonly T[], random: Random): T[] {
  const shuffled = shuffle(items, random);
  const isSame = shuffled.every((item, index) => item === items[index]);
  return isSame ? [...shuffled.slice(1), ...shuffled.slice(0, 1)] : shuffled;
}

/** As code, where `*` and `_` mean themselves; unless its author marked up parts of it. */
function verbatim(formula: string): string {
  return formula.includes('`') ? formula : `\`${formula}\``;
}

function withReason(option: Option): string {
  return option.why === undefined ? option.text : `${option.text}\n\n${option.why}`;
}

/** A Markdown list, also of texts of several lines. */
export function bullets(texts: readonly string[]): string {
  return texts.map((text) => `- ${text.replaceAll('\n', '\n  ')}`).join('\n');
}

/** A fence longer than any in the code itself. */
function fenced(code: string): string {
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}ts\n${code.trimEnd()}\n${fence}`;
}
