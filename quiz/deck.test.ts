import { describe, expect, it } from 'vitest';
import { parseDeck } from './deck.ts';
import { everyKind } from './fixtures/decks.ts';

/** Problems of a deck, each as "line message". */
function problemsOf(text: string): string[] {
  const { problems } = parseDeck(text, 'deck.yaml', 'circuit-breaker');
  return problems.map(({ line, message }) => `${line} ${message}`);
}

/** Problems of a deck of one card; its first line is line 3. */
const problemsOfCard = (card: string) => problemsOf(`title: Breaker\ncards:\n${card}`);

describe('a deck', () => {
  it('has a card of each kind', () => {
    const { deck, problems, leftOut, lines } = parseDeck(
      `title: Circuit breaker\ncards:${everyKind}`,
      'deck.yaml',
      'circuit-breaker',
    );
    expect(problems).toEqual([]);
    expect(leftOut).toBe(0);
    expect(deck).toMatchObject({ slug: 'circuit-breaker', title: 'Circuit breaker' });
    expect(deck?.cards.map((card) => card.kind)).toEqual([
      'choice',
      'choices',
      'bug',
      'order',
      'number',
      'recall',
    ]);
    expect(deck?.cards[0]).toMatchObject({
      item: 'card:circuit-breaker/what-open-means',
      deck: 'circuit-breaker',
      section: 'what-open-means',
      asOf: '2026-11',
    });
    expect([...lines].slice(0, 2)).toEqual([
      ['what-open-means', 3],
      ['failures', 14],
    ]);
  });

  it('keeps the indents of its code', () => {
    const { deck } = parseDeck(`title: T\ncards:${everyKind}`, 'deck.yaml', 'a');
    const bug = deck?.cards.find((card) => card.kind === 'bug');
    expect(bug?.code).toBe('if (failures > limit) {\n  open();\n}\n');
  });

  it('leaves out a card with problems, and keeps the others', () => {
    const text = `title: T\ncards:\n  - id: bad\n    kind: recall${everyKind}`;
    const { deck, leftOut, problems } = parseDeck(text, 'deck.yaml', 'a');
    expect(leftOut).toBe(1);
    expect(deck?.cards).toHaveLength(6);
    expect(problems).toEqual([
      { file: 'deck.yaml', line: 3, message: expect.stringContaining('bad: `prompt` is missing') },
      {
        file: 'deck.yaml',
        line: 3,
        message: expect.stringContaining('bad: `points` must be a list'),
      },
    ]);
  });

  it('must be YAML', () => {
    const text = 'title: T\ncards:\n  - id: a\n    prompt: it says: no\n';
    expect(parseDeck(text, 'deck.yaml', 'a').deck).toBeUndefined();
    expect(problemsOf(text)).toEqual([expect.stringMatching(/^4 Not valid YAML: .* needs quotes/)]);
  });

  it('needs a title and cards, and nothing else', () => {
    expect(problemsOf('')).toEqual([
      '1 The deck has no `title`: write the title of its lesson.',
      '1 The deck has no `cards`: write a list of them.',
    ]);
    expect(problemsOf('title: T\nauthor: me\ncards: none\n')).toEqual([
      '2 Unknown `author`: a deck has a `title` and `cards`.',
      '3 The deck has no `cards`: write a list of them.',
    ]);
  });

  it('has each id once', () => {
    const recall = (id: string) =>
      `  - id: ${id}\n    kind: recall\n    prompt: P\n    points: [a]\n`;
    const text = `title: T\ncards:\n${recall('one')}${recall('two')}${recall('one')}`;
    expect(problemsOf(text)).toEqual(['11 one: line 3 has this `id` too: change the newer one.']);
    expect(parseDeck(text, 'deck.yaml', 'a').deck?.cards.map(({ id }) => id)).toEqual([
      'one',
      'two',
    ]);
  });

  it('does not let a # cut a text in silence', () => {
    const card =
      '  - id: one # a comment on something else is fine\n    kind: recall\n    prompt: See issue #2\n    points: [a #b]\n    explain: see #3\n';
    expect(problemsOfCard(card.replace('[a #b]', '\n      - the first #1'))).toEqual([
      '5 The text ends here, at “#”, which begins a comment: quote the text, or use `|`.',
      '7 The text ends here, at “#”, which begins a comment: quote the text, or use `|`.',
      '8 The text ends here, at “#”, which begins a comment: quote the text, or use `|`.',
    ]);
  });
});

describe('a card', () => {
  const recall = '  - id: one\n    kind: recall\n    prompt: P\n    points: [a]\n';

  it.each([
    ['no known kind', recall.replace('recall', 'riddle'), '4 one: `kind` must be one of choice, '],
    ['no kind', '  - hello\n', '3 card 1: `kind` must be one of '],
    ['an id that is no id', recall.replace('one', 'One!'), '3 One!: `id` must be in kebab-case'],
    ['an empty prompt', recall.replace('P', '" "'), '5 one: `prompt` is empty'],
    ['a number for a text', recall.replace('P', '2026'), '5 one: `prompt` must be text: quote it'],
    ['a key nobody knows', `${recall}    hint: no\n`, '7 one: unknown `hint`.'],
    ['no points', recall.replace('[a]', '[]'), '6 one: `points` needs 1 point or more'],
    ['the same point twice', recall.replace('[a]', '[a b, A  b]'), '6 one: `points` says the same'],
    ['an anchor that is none', `${recall}    section: '#a'\n`, '7 one: `section` must be in kebab'],
    ['a source that is none', `${recall}    source: a book\n`, '7 one: `source` must be an https'],
    ['a month that is none', `${recall}    asOf: 2026-13\n`, '7 one: `asOf` must be a year and'],
  ])('with %s is told so', (_, card, message) => {
    expect(problemsOfCard(card)).toEqual([expect.stringContaining(message)]);
  });
});

describe('options', () => {
  const card = (kind: string, ...options: string[]) =>
    problemsOfCard(
      [
        '  - id: one',
        `    kind: ${kind}`,
        '    prompt: P',
        ...(kind === 'bug' ? ['    code: x++;'] : []),
        '    options:',
        ...options.map((option) => `      - { ${option} }`),
      ].join('\n'),
    );

  const right = (text: string) => `text: ${text}, right: true`;
  const wrong = (text: string) => `text: ${text}, why: because`;

  it.each([
    ['choice', [right('a'), wrong('b')], []],
    ['choices', [right('a'), right('b'), wrong('c')], []],
    ['bug', [right('a'), wrong('b')], []],
    ['choice', [wrong('a'), wrong('b')], ['6 one: `options` has no right one']],
    ['bug', [wrong('a'), wrong('b')], ['7 one: `options` has no right one']],
    ['choices', [wrong('a'), wrong('b')], ['6 one: `options` has no right one']],
    ['choice', [right('a'), right('b')], ['8 one: `options` is right as well: keep one of the 2']],
    ['choices', [right('a'), right('b')], ['6 one: `options` are all right: add a wrong one']],
    ['choice', [right('a')], ['6 one: `options` needs 2 options or more']],
    ['choice', [right('a'), 'text: b'], ['8 one: `options` is wrong but has no `why`']],
    ['choice', [right('a'), wrong('A')], ['8 one: `options.text` says the same as one before it']],
    ['choice', [right('a'), `${wrong('b')}, wy: c`], ['8 one: unknown `options.wy`.']],
    ['choice', [right('a'), wrong('b, not c')], ['8 one: unknown `options.not c`. Text with a']],
    ['choice', [right('a'), 'why: c'], ['8 one: `options.text` is missing']],
  ])('of a %s: %j', (kind, options, messages) => {
    expect(card(kind, ...options)).toEqual(
      messages.map((message) => expect.stringContaining(message)),
    );
  });

  it('are more than texts', () => {
    const [problem] = problemsOfCard(
      '  - id: one\n    kind: choice\n    prompt: P\n    options: [a, b]\n',
    );
    expect(problem).toContain('6 one: `options` must be an option: `text`, and `why`');
  });
});

describe('steps', () => {
  const order = (steps: string) =>
    problemsOfCard(`  - id: one\n    kind: order\n    prompt: P\n    steps: ${steps}\n`);

  it('are 3 to 7, all different', () => {
    expect(order('[a, b, c]')).toEqual([]);
    expect(order('[a, b]')).toEqual([expect.stringContaining('6 one: `steps` needs 3 steps')]);
    expect(order('[a, b, c, d, e, f, g, h]')).toEqual([expect.stringContaining('more than 7')]);
    expect(order('[a, b, a]')).toEqual([expect.stringContaining('says the same as one before')]);
  });
});

describe('a number card', () => {
  const number = (changes: Record<string, string> = {}) => {
    const keys = {
      prompt: "'{calls} calls?'",
      params: '{ calls: { from: 2, to: 4, step: 1 } }',
      answer: 'calls * 2',
      ...changes,
    };
    const lines = Object.entries(keys).map(([key, value]) => `    ${key}: ${value}\n`);
    return problemsOfCard(`  - id: one\n    kind: number\n${lines.join('')}`);
  };

  it.each([
    [{}, []],
    [{ prompt: 'How many?', params: '{}', answer: '42' }, []],
    [{ formula: "'{calls} * 2 = {answer}'", explain: "'{answer}!'" }, []],
    [{ answer: 'calls / 3', tolerance: '0.01' }, []],
    [{ answer: 'round(calls / 3)' }, []],
    [
      { prompt: "'{calls} {cals}?'" },
      ['5 one: `prompt` has {cals}, which is not among the params'],
    ],
    [{ formula: "'{x}'" }, ['8 one: `formula` has {x}, which is neither']],
    [{ explain: "'{x}'" }, ['8 one: `explain` has {x}, which is neither']],
    [{ prompt: 'How many?' }, ['6 one: `params.calls` is not in the prompt: write {calls} there']],
    [{ answer: 'calls *' }, ['7 one: `answer` cannot be read: expected a number']],
    [{ answer: 'cals + rate' }, ['7 one: `answer` uses cals, rate, which the params do not have']],
    [{ answer: '1 / (calls - 3)' }, ['7 one: `answer` has no value for calls = 3']],
    [{ answer: 'calls / 3' }, ['7 one: `answer` is 0.6667… for calls = 2: round() it']],
    [{ params: '{ calls: { of: [] } }' }, ['6 one: `params.calls` has no values: list some']],
    [{ params: '{ calls: 3 }' }, ['6 one: `params.calls` must be { from: 2']],
    [{ params: '{ calls: { from: 4, to: 2, step: 1 } }' }, ['6 one: `params.calls` has no value']],
    [{ params: '{ calls: { from: 0, to: 2, step: 0 } }' }, ['6 one: `params.calls` has a `step`']],
    [{ params: '{ calls: { from: 0, to: 9, step: 0.001 } }' }, ['6 one: `params.calls` has over']],
    [{ tolerance: '5' }, ['8 one: `tolerance` must be 1 or less']],
    [{ tolerance: 'some' }, ['8 one: `tolerance` must be a number']],
  ])('with %j', (changes, messages) => {
    expect(number(changes)).toEqual(messages.map((message) => expect.stringContaining(message)));
  });

  it('with many values is tried at their ends', () => {
    const range = '{ from: 0, to: 1000, step: 1 }';
    expect(
      number({
        prompt: "'{a} {b}'",
        params: `{ a: ${range}, b: ${range} }`,
        answer: '1 / (a + b - 2000)',
      }),
    ).toEqual([expect.stringContaining('has no value for a = 1,000, b = 1,000')]);
  });
});
