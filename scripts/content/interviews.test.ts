import { describe, expect, it } from 'vitest';
import { parseInterview } from './interviews.ts';

const rubric = ['Breadth', 'Depth', 'Trade-offs', 'Initiative']
  .map((axis) => `### ${axis}\n\n- L4: little\n- L5: some,\n  and more\n- L6: much\n`)
  .join('\n');

const text = `---
title: A storm
summary: It rains.
minutes: 15
---

It is 14:30.

Nothing is broken.

## Triage (5 minutes)

What now?

### Compares loads

- Listens for: offered load · incoming +
  rate
- If left out: How much
  is it?
- Cards: \`retries/a\` · load-shedding/b

### Follow-up

And then?

### Curveball

It snows.

## Redesign (10 minutes)

What changes?

### Adds jitter

- Listens for: jitter
- If left out: When?
- Cards: retries/c

## Rubric

${rubric}
## Red flags

- Restarts
  everything.
- Hopes.

## Sources

- none
`;

const parse = (changed = text) => parseInterview(changed, '/kit/quiz/interviews/a-storm.md');

describe('parseInterview', () => {
  it('reads phases, what is listened for, and the rubric', () => {
    const { interview, problems } = parse();
    expect(problems).toEqual([]);
    expect(interview).toMatchObject({
      slug: 'a-storm',
      title: 'A storm',
      summary: 'It rains.',
      minutes: 15,
      opening: 'It is 14:30.\n\nNothing is broken.',
      redFlags: ['Restarts everything.', 'Hopes.'],
    });
    expect(interview.phases).toEqual([
      {
        title: 'Triage',
        minutes: 5,
        question: 'What now?',
        milestones: [
          {
            title: 'Compares loads',
            terms: ['offered load', 'incoming + rate'],
            probe: 'How much is it?',
            items: ['card:retries/a', 'card:load-shedding/b'],
          },
        ],
        followUps: ['And then?'],
        curveball: 'It snows.',
      },
      expect.objectContaining({ title: 'Redesign', minutes: 10, curveball: undefined }),
    ]);
    expect(interview.rubric[1]).toEqual({
      title: 'Depth',
      levels: { L4: 'little', L5: 'some, and more', L6: 'much' },
    });
  });

  it('says where something is missing, and reads the rest', () => {
    const { interview, problems } = parse(
      text
        .replace('What changes?\n', '')
        .replace('- If left out: When?\n', '')
        .replace('- L6: much\n', ''),
    );
    expect(problems.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '34 Adds jitter: it needs a line "- If left out: …"',
      '31 Redesign: what does the interviewer ask at its start?',
      '41 Breadth: it needs a line "- L6: …"',
    ]);
    expect(interview.phases).toHaveLength(2);
  });

  it('reads a file with Windows line ends alike', () => {
    expect(parse(text.replaceAll('\n', '\r\n'))).toEqual(parse());
  });

  it.each(['', '---\n', '## Triage (5 minutes)', 'no front matter at all'])(
    'has problems with %j, and does not throw',
    (poor) => {
      expect(parse(poor).problems.length).toBeGreaterThan(0);
    },
  );
});
