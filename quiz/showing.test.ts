import { describe, expect, it } from 'vitest';
import { deckOf, everyKind } from './fixtures/decks.ts';
import { seeded } from './random.ts';
import { show, type Showing } from './showing.ts';

const deck = deckOf(everyKind);

const isAsking =
  <Ask extends Showing['ask']>(ask: Ask) =>
  (showing: Showing): showing is Extract<Showing, { ask: Ask }> =>
    showing.ask === ask;

function showOf<Ask extends Showing['ask']>(id: string, ask: Ask, seed = 'seed') {
  const [showing] = deck.cards
    .filter((card) => card.id === id)
    .map((card) => show(card, seeded(seed)))
    .filter(isAsking(ask));
  if (showing === undefined) throw new Error(`${id} is no card that asks for ${ask}`);
  return showing;
}

describe('a choice', () => {
  const showing = showOf('what-open-means', 'one');
  const judge = (text: string) => showing.judge(showing.options.indexOf(text));

  it('is right without more words', () => {
    expect(judge('It refuses calls')).toEqual({ right: true, feedback: '' });
  });

  it('that is wrong says first why, then what is right', () => {
    expect(judge('It lets calls through')).toEqual({
      right: false,
      feedback:
        'That is a closed one.\n\n**The answer:** It refuses calls\n\nIt protects both sides.',
    });
  });

  it('that nobody made gets the answer', () => {
    expect(showing.judge(undefined)).toEqual({
      right: false,
      feedback: '**The answer:** It refuses calls\n\nIt protects both sides.',
    });
  });

  it('has its options in another order for another seed, in the same for the same', () => {
    const orders = ['a', 'b', 'c', 'd', 'e', 'f'].map((seed) =>
      showOf('what-open-means', 'one', seed).options.join(),
    );
    expect(new Set(orders).size).toBeGreaterThan(1);
    expect(showOf('what-open-means', 'one', 'a').options.join()).toBe(orders[0]);
  });
});

describe('several choices', () => {
  const showing = showOf('failures', 'several');
  const judge = (...texts: string[]) =>
    showing.judge(texts.map((text) => showing.options.indexOf(text)));

  it('are right when all right ones are there and no other, in any order', () => {
    expect(judge('A time-out', 'A refused connection').right).toBe(true);
    expect(judge('A refused connection', 'A time-out').right).toBe(true);
    expect(judge('A time-out').right).toBe(false);
    expect(judge('A time-out', 'A refused connection', "A caller's mistake").right).toBe(false);
  });

  it('say first what is too much, then what is missing, then the answer', () => {
    const { feedback } = judge("A caller's mistake", 'A refused connection');
    expect(feedback).toMatch(
      /^\*\*Not:\*\* A caller's mistake\n\nThe service is well\.\n\n\*\*Also:\*\* A time-out\n\nThe service did not answer\.\n\n\*\*The answer:\*\*\n\n- A/,
    );
  });

  it('that nobody made get the answer only', () => {
    const { feedback } = showing.judge(undefined);
    expect(feedback).toContain('- A time-out');
    expect(feedback).toContain('- A refused connection');
    expect(feedback).not.toContain('Also');
  });
});

describe('a bug', () => {
  it('shows its code in a frame', () => {
    expect(showOf('where-is-the-bug', 'one').prompt).toBe(
      'What is wrong here?\n\n```ts\nif (failures > limit) {\n  open();\n}\n```',
    );
  });

  it('has a longer fence around code with a fence of its own', () => {
    const { cards } = deckOf(
      "  - { id: a, kind: bug, prompt: P, code: '````', options: [{ text: a, right: true }, { text: b, why: c }] }",
    );
    const [card] = cards;
    expect(card && show(card, seeded('')).prompt).toBe('P\n\n`````ts\n````\n`````');
  });
});

describe('an order', () => {
  it.each(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])('is never shown solved (seed %s)', (seed) => {
    const { steps } = showOf('states-in-order', 'order', seed);
    expect(steps.toSorted()).toEqual(['closed', 'half-open', 'open']);
    expect(steps).not.toEqual(['closed', 'open', 'half-open']);
  });

  it('is right when each step is in its place, else says where it goes wrong', () => {
    const { steps, judge } = showOf('states-in-order', 'order');
    const places = (...names: string[]) => names.map((name) => steps.indexOf(name));
    expect(judge(places('closed', 'open', 'half-open')).right).toBe(true);
    expect(judge(places('closed', 'half-open', 'open'))).toEqual({
      right: false,
      feedback:
        'In place 2 you put: half-open\n\n**The order:**\n\n1. closed\n2. open\n3. half-open',
    });
    expect(judge(undefined).feedback).toMatch(/^\*\*The order:\*\*/);
  });
});

describe('a number', () => {
  const showing = showOf('amplification', 'number');
  const [, calls = 0, layers = 0] =
    /^(\d) tries in each of (\d) layers: how many requests\?$/.exec(showing.prompt)?.map(Number) ??
    [];

  it('is drawn afresh, in the prompt and what explains it', () => {
    expect(showing.explain).toBe(`Tries multiply over ${layers} layers.`);
    const prompts = ['a', 'b', 'c', 'd', 'e'].map(
      (seed) => showOf('amplification', 'number', seed).prompt,
    );
    expect(new Set(prompts).size).toBeGreaterThan(1);
  });

  it('is right when it is close enough, else shows how it is found', () => {
    expect(showing.judge(calls ** layers).right).toBe(true);
    expect(showing.judge(1)).toEqual({
      right: false,
      feedback: `You said 1.\n\n\`${calls} ^ ${layers} = ${calls ** layers}\`\n\n**The answer:** ${calls ** layers} requests`,
    });
    expect(showing.judge(undefined).feedback).toMatch(/^`/);
  });
});

describe('a recall', () => {
  it('shows what a good answer has, and leaves the judging to the learner', () => {
    expect(showOf('why-half-open', 'recall')).toEqual({
      ask: 'recall',
      prompt: 'Why is there a half-open state?',
      explain: undefined,
      points: ['It finds out whether the service is back', 'It does so with few calls'],
    });
  });
});
