import { describe, expect, it } from 'vitest';
import { howMet, type Interview, nextQuestion, type Question, type Turn } from './interview.ts';

const milestone = (title: string, term: string) => ({
  title,
  terms: [term],
  probe: `What of ${title}?`,
  items: [],
});

const interview: Pick<Interview, 'phases'> = {
  phases: [
    {
      title: 'Clarify',
      minutes: 5,
      question: 'What do you want to know?',
      milestones: [
        milestone('load', 'rps'),
        milestone('users', 'user'),
        milestone('money', 'cost'),
      ],
      followUps: ['How sure are you?', 'And at night?'],
      curveball: 'It doubles.',
    },
    {
      title: 'Draw',
      minutes: 10,
      question: 'Draw it.',
      milestones: [milestone('queue', 'queue')],
      followUps: [],
      curveball: undefined,
    },
  ],
};

/** The questions that these answers get; `after` so many answers the clock says that the phase is over. */
function conversation(answers: readonly string[], after = Infinity): Turn[] {
  const turns: Turn[] = [];
  for (const answer of answers) {
    const question = nextQuestion(interview, turns, () => turns.length >= after);
    if (question === undefined) break;
    turns.push({ ...question, lines: [answer], isGiven: true });
  }
  return turns;
}

const asked = (answers: readonly string[], after?: number) =>
  conversation([...answers, ''], after).map(({ text }: Question) => text);

describe('what the interviewer asks next', () => {
  it('is the phase’s own question first', () => {
    expect(asked([])).toEqual(['What do you want to know?']);
  });

  it('is what the answers left out, one thing after the other', () => {
    expect(asked(['rps', 'hm', 'cost'])).toEqual([
      'What do you want to know?',
      'What of users?',
      'What of money?',
      'How sure are you?',
    ]);
  });

  it('does not ask for the same thing twice', () => {
    const texts = asked(['', '', '', '', '']);
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('goes deeper when nothing was left out, then throws something in, then goes on', () => {
    expect(asked(['rps of users, and cost', 'sure', 'less', 'so what'])).toEqual([
      'What do you want to know?',
      'How sure are you?',
      'And at night?',
      'It doubles.',
      'Draw it.',
    ]);
  });

  it('asks no more than three questions on the way', () => {
    expect(asked(['', '', '', '', ''])).toEqual([
      'What do you want to know?',
      'What of load?',
      'What of users?',
      'What of money?',
      'It doubles.',
      'Draw it.',
    ]);
  });

  it('goes on to the next phase when the time is up, however much was left out', () => {
    expect(asked(['rps', 'hm'], 2)).toEqual([
      'What do you want to know?',
      'What of users?',
      'Draw it.',
    ]);
  });

  it('ends after the last phase', () => {
    const all = ['rps user cost', '', '', '', 'a queue'];
    expect(nextQuestion(interview, conversation(all), () => false)).toBeUndefined();
  });

  it('does not come back to a phase whose title has changed since', () => {
    const [turn] = conversation(['rps user cost']);
    const turns = turn ? [{ ...turn, phase: 'An older title' }] : [];
    expect(nextQuestion(interview, turns, () => false)?.text).toBe('What do you want to know?');
  });
});

describe('a milestone', () => {
  const [load] = interview.phases[0]?.milestones ?? [];
  const met = (answers: readonly string[]) => load && howMet(load, conversation(answers));

  it('is met by an answer that names it unasked', () => {
    expect(met(['how many rps?'])).toBe('unasked');
  });

  it('is met when asked by the answer to its probe, or a later one', () => {
    expect(met(['hm', 'rps'])).toBe('when asked');
    expect(met(['hm', 'hm', 'rps'])).toBe('when asked');
  });

  it('is left out otherwise', () => {
    expect(met(['hm', 'hm'])).toBe('left out');
  });

  it('may be met in an earlier phase', () => {
    const [, draw] = interview.phases;
    const [queue] = draw?.milestones ?? [];
    expect(queue && howMet(queue, conversation(['a queue, rps, users, cost']))).toBe('unasked');
  });
});
