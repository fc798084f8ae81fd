import { describe, expect, it } from 'vitest';
import { pictureWith } from '../fixtures/picture.ts';
import { pageOf } from './page.ts';

describe('the page of a picture', () => {
  const text = pageOf(pictureWith(), 80).join('\n');

  it('begins with the question and ends in what an interviewer asks, and what can be set', () => {
    expect(text).toMatch(/^The shop is down for five seconds/);
    expect(text).toMatch(
      /An interviewer would ask: Why four times as many\?\n\nload=100: calls a second, from 10 to 2,000$/,
    );
  });

  it('has the numbers of both sides below each other, and a dash for one that is unknown', () => {
    expect(text).toContain('               at once   your answer');
    expect(text).toContain('calls in all     3,500             –');
  });

  it('names the sides shortly where their titles leave no room', () => {
    const [without, yours] = pictureWith().panels;
    const long = 'a lot per payment, and a person';
    const panels = [without, yours].flatMap((panel) => (panel ? { ...panel, title: long } : []));
    const numbers = [{ name: 'guests thrown back before (times)', values: [599, 0] }];
    const lines = pageOf(pictureWith({ panels, numbers }), 80);
    expect(lines).toContain('                                    left   right');
    expect(lines).toContain('guests thrown back before (times)    599       0');
  });

  it('has no line of more than 80 columns', () => {
    const sweep = pictureWith({
      x: { label: 'places of the machine', values: [8, 16] },
      panels: pictureWith().panels.map((panel) => ({
        ...panel,
        lines: ['it could do', 'served'].map((name) => ({ name, values: [20, 40] })),
      })),
      numbers: [],
    });
    for (const picture of [pictureWith(), sweep]) {
      for (const line of pageOf(picture, 80)) expect(line.length).toBeLessThanOrEqual(80);
    }
  });

  it('says of each observation whether it holds, and with which value', () => {
    expect(text).toContain('✓ Calls in the outage: at most 600, here 500');
    expect(text).toContain('✗ Share answered: at least 0.9, here 0.75');
  });

  it('says in which errors requests have ended', () => {
    expect(text).toContain('Not answered, at once: 1,234 × shop refused the call');
  });

  it('reads out the lines of a sweep, which has no other numbers', () => {
    const sweep = pageOf(
      pictureWith({ x: { label: 'clients', values: [10, 100] }, numbers: [], spans: [] }),
      80,
    ).join('\n');
    expect(sweep).toMatch(/clients +calls +answered +calls \* +answered \*/);
    expect(sweep).toMatch(/^10 +100 +100 +100 +50$/m);
    expect(sweep).toContain('* your answer');
  });
});
