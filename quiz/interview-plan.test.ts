import { expect, it } from 'vitest';
import type { Entry } from './entry.ts';
import { currentPlan } from './interview-plan.ts';

const now = new Date('2026-11-28T12:00:00');

const planFor = (interview: string): Entry[] => [
  { v: 1, id: 'a', at: '2026-11-28T10:00:00Z', type: 'plan', interview, minutes: 30 },
];

it('holds from the day on which it is made to the day of the interview', () => {
  expect(currentPlan(planFor('2026-11-28'), now)).toBeDefined();
  expect(currentPlan(planFor('2027-11-28'), now)).toBeDefined();
  expect(currentPlan(planFor('2026-11-27'), now)).toBeUndefined();
});

it('takes no notice of a year that was mistyped: nobody could wait for such a plan', () => {
  expect(currentPlan(planFor('9999-12-31'), now)).toBeUndefined();
});
