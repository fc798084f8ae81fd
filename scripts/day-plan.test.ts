import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Outlook, planDays, type Task } from './day-plan.ts';

const lesson = (slug: string, minutes = 10, cards = 0): Task => {
  return { kind: 'learn', slug, title: slug, minutes, asked: 'often', cards };
};
const kata = (slug: string, minutes = 40): Task => ({ ...lesson(slug, minutes), kind: 'kata' });
const mock = (slug: string, minutes = 45): Task => ({
  ...lesson(slug, minutes),
  kind: 'interview',
});

function plan(outlook: Partial<Outlook> = {}) {
  return planDays({
    days: [1, 2, 3],
    minutes: 30,
    limits: { cards: 20, fresh: 10 },
    tasks: [],
    rehearsals: [],
    fresh: 0,
    dueOn: () => 0,
    dueAfter: () => [],
    ...outlook,
  });
}

/** "1: a 10, b 20; 2: …" */
const shown = ({ days }: ReturnType<typeof plan>) =>
  days.map(({ day, parts }) =>
    [`${day}:`, ...parts.map(({ task, minutes }) => `${task.slug} ${minutes}`)].join(' '),
  );

describe('planDays', () => {
  it('does what is most wanted first, day by day', () => {
    expect(shown(plan({ tasks: [lesson('a'), lesson('b'), lesson('c'), lesson('d')] }))).toEqual([
      '1: a 10 b 10 c 10',
      '2: d 10',
      '3:',
    ]);
  });

  it('goes on with a kata on the next day, but does not cut a lesson', () => {
    expect(shown(plan({ tasks: [lesson('a', 20), lesson('b', 20), kata('k', 35)] }))).toEqual([
      '1: a 20 k 10',
      '2: b 20 k 10',
      '3: k 15',
    ]);
  });

  it('cuts a lesson that no day has time for', () => {
    expect(shown(plan({ minutes: 8, tasks: [lesson('a', 20)] }))).toEqual([
      '1: a 8',
      '2: a 8',
      '3: a 4',
    ]);
  });

  it('asks due cards before all else; those beyond the limit wait', () => {
    const { days } = plan({
      minutes: 17,
      tasks: [lesson('a')],
      dueOn: (day) => (day === 1 ? 30 : 0),
    });
    expect(days.map(({ due, parts }) => [due, parts.length])).toEqual([
      [20, 0],
      [10, 1],
      [0, 0],
    ]);
  });

  it('asks the new cards of lessons that were read, ten a day, and counts their return', () => {
    const { days, unseen } = plan({
      tasks: [lesson('a', 10, 24)],
      dueAfter: (day) => [day + 1],
    });
    expect(days.map(({ due, fresh }) => [due, fresh])).toEqual([
      [0, 10],
      [10, 10],
      [10, 4],
    ]);
    expect(unseen).toBe(0);
  });

  it('keeps the last days for mock interviews, and no more than about a third of all', () => {
    const days = [1, 2, 3, 4, 5, 6];
    const outlook = { days, rehearsals: [mock('m')], tasks: [kata('k', 300)] };
    expect(shown(plan(outlook)).slice(3)).toEqual(['4: k 30', '5: m 30', '6: m 15 k 15']);
    const both = plan({ ...outlook, rehearsals: [mock('m'), mock('n')] });
    expect(shown(both).slice(4)).toEqual(['5: m 30', '6: m 15 n 15']);
  });

  it('says what does not fit, and how many cards nobody will have seen', () => {
    const { leftOut, unseen } = plan({
      days: [1],
      tasks: [kata('k', 50), lesson('b', 10, 20)],
    });
    expect(leftOut.map(({ task, minutes, goesOn }) => [task.slug, minutes, goesOn])).toEqual([
      ['k', 20, true],
      ['b', 10, false],
    ]);
    expect(unseen).toBe(20);
  });

  it('never plans more than a day has, nor loses a minute of a task', () => {
    const task = fc.oneof(
      fc.integer({ min: 1, max: 40 }).map((minutes) => lesson('l', minutes, 20)),
      fc.integer({ min: 5, max: 90 }).map((minutes) => kata('k', minutes)),
    );
    fc.assert(
      fc.property(
        fc.record({
          count: fc.integer({ min: 0, max: 20 }),
          minutes: fc.integer({ min: 5, max: 120 }),
          tasks: fc.array(task, { maxLength: 20 }),
          rehearsals: fc.array(fc.constant(mock('m')), { maxLength: 3 }),
          fresh: fc.nat(100),
          due: fc.nat(80),
        }),
        ({ count, minutes, tasks, rehearsals, fresh, due }) => {
          const { days, leftOut } = plan({
            days: Array.from({ length: count }, (_, day) => day),
            minutes,
            limits: { cards: minutes, fresh: 5 },
            tasks,
            rehearsals,
            fresh,
            dueOn: () => due,
            dueAfter: (day) => [day + 2, day + 5],
          });
          for (const day of days) expect(day.minutes).toBeLessThanOrEqual(minutes);
          const parts = [...days.flatMap((day) => day.parts), ...leftOut];
          const wanted = [...tasks, ...rehearsals].reduce((sum, each) => sum + each.minutes, 0);
          expect(parts.reduce((sum, part) => sum + part.minutes, 0)).toBeCloseTo(wanted);
        },
      ),
      { seed: 11 },
    );
  });
});
