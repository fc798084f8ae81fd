import { z } from 'zod';
import { checkNumber, type Report } from './number-checks.ts';

const text = z
  .string({ error: ({ input }) => (input === undefined ? 'is missing' : 'must be text: quote it') })
  .trim()
  .min(1, 'is empty: write it, or take the key out');

const kebab = text.regex(
  /^[a-z0-9]+(?:-[a-z0-9]+)*$/,
  'must be in kebab-case, such as late-result',
);

const base = {
  id: kebab,
  prompt: text,
  explain: text.optional(),
  section: kebab.optional(),
  source: text.regex(/^https:\/\/\S+$/, 'must be an https:// address').optional(),
  asOf: text.regex(/^\d{4}-(?:0[1-9]|1[0-2])$/, 'must be a year and month: 2026-11').optional(),
};

const option = z.strictObject(
  {
    text,
    right: z.boolean('must be true or false').default(false),
    why: text.optional(),
  },
  'must be an option: `text`, and `why` or `right: true`',
);

const options = z
  .array(option, listOf('2 to 8 options'))
  .min(2, 'needs 2 options or more')
  .max(8, 'has more than 8 options: leave some out, or make two cards');

const number = z.number({
  error: ({ input }) => (input === undefined ? 'is missing' : 'must be a number'),
});

const param = z.union(
  [
    z.strictObject({ from: number, to: number, step: number }),
    z.strictObject({ of: z.array(number) }),
  ],
  { error: 'must be { from: 2, to: 10, step: 1 } or { of: [2, 3, 4] }' },
);

const choice = z.strictObject({ kind: z.literal('choice'), ...base, options });
const choices = z.strictObject({ kind: z.literal('choices'), ...base, options });
const code = z.string('must be TypeScript after `code: |`').regex(/\S/, 'is empty');
const bug = z.strictObject({ kind: z.literal('bug'), ...base, code, options });
const order = z.strictObject({
  kind: z.literal('order'),
  ...base,
  steps: z
    .array(text, listOf('3 to 7 steps'))
    .min(3, 'needs 3 steps or more')
    .max(7, 'has more than 7 steps: nobody keeps so many in mind at once'),
});
const numeric = z.strictObject({
  kind: z.literal('number'),
  ...base,
  params: z.record(z.string(), param, 'must be names with their values').default({}),
  answer: z.union([text, number.transform(String)], {
    error: 'must be an expression, such as calls ^ layers',
  }),
  tolerance: number.min(0, 'must be 0 or more').max(1, 'must be 1 or less: 0.05 is 5 %').default(0),
  unit: text.optional(),
  formula: text.optional(),
});
/** Which of the two here, and which fact would turn that round? */
const duel = z.strictObject({
  kind: z.literal('duel'),
  ...base,
  options: options.length(2, 'must be the two that are compared'),
  flip: z.strictObject(
    { options },
    'must have `options`: facts, one of which turns the choice round',
  ),
});
const recall = z.strictObject({
  kind: z.literal('recall'),
  ...base,
  points: z.array(text, listOf('points that a good answer has')).min(1, 'needs 1 point or more'),
});

type Options = z.infer<typeof options>;

/** The shape of each kind of card and, once the shape is right, what has to be true of it. */
export const cardSchemas = {
  choice: choice.superRefine((card, context) => checkOneRight(card.options, reportTo(context))),
  bug: bug.superRefine((card, context) => checkOneRight(card.options, reportTo(context))),
  choices: choices.superRefine((card, context) => checkSomeRight(card.options, reportTo(context))),
  duel: duel.superRefine((card, context) => {
    const report = reportTo(context);
    checkOneRight(card.options, report);
    checkOneRight(card.flip.options, (path, message) => report(['flip', ...path], message));
  }),
  order: order.superRefine((card, context) => {
    checkDistinct(card.steps, (index) => ['steps', index], reportTo(context));
  }),
  number: numeric.superRefine((card, context) => checkNumber(card, reportTo(context))),
  recall: recall.superRefine((card, context) => {
    checkDistinct(card.points, (index) => ['points', index], reportTo(context));
  }),
};

export type CardKind = keyof typeof cardSchemas;
export type CardContent = z.infer<(typeof cardSchemas)[CardKind]>;

function listOf(what: string): string {
  return `must be a list of ${what}`;
}

function reportTo(context: z.RefinementCtx): Report {
  return (path, message) => context.addIssue({ code: 'custom', path: [...path], message });
}

function checkOneRight(all: Options, report: Report): void {
  const right = all.flatMap((entry, index) => (entry.right ? [index] : []));
  const [, second] = right;
  if (right.length === 0) report(['options'], 'has no right one: mark it with `right: true`');
  if (second !== undefined) {
    report(
      ['options', second],
      `is right as well: keep one of the ${right.length}, or use kind: choices`,
    );
  }
  checkOptions(all, report);
}

function checkSomeRight(all: Options, report: Report): void {
  const right = all.filter((entry) => entry.right).length;
  if (right === 0) report(['options'], 'has no right one: mark them with `right: true`');
  if (right === all.length) report(['options'], 'are all right: add a wrong one');
  checkOptions(all, report);
}

function checkOptions(all: Options, report: Report): void {
  const texts = all.map((entry) => entry.text);
  checkDistinct(texts, (index) => ['options', index, 'text'], report);
  for (const [index, entry] of all.entries()) {
    if (entry.right || entry.why !== undefined) continue;
    report(['options', index], 'is wrong but has no `why`: say first why this option is wrong');
  }
}

function checkDistinct(
  texts: readonly string[],
  pathOf: (index: number) => (string | number)[],
  report: Report,
): void {
  const seen = new Set<string>();
  for (const [index, each] of texts.entries()) {
    const key = each.toLowerCase().replaceAll(/\s+/g, ' ');
    if (seen.has(key)) report(pathOf(index), 'says the same as one before it: change one of them');
    seen.add(key);
  }
}
