import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyMisconception, type Misconception, parseMisconceptions } from './misconceptions.ts';

const section = `### Counts all failures

Caught by: \`a success forgets earlier failures\`

Tempting because the happy path
never shows it.

\`\`\`diff
   await task();
-  failures = 0;
\`\`\`
`;

function parse(sections: string) {
  return parseMisconceptions(`# Why\n\n## Misconceptions\n\n${sections}`, 'README.md');
}

describe('parseMisconceptions', () => {
  it('reads what a section says, with its lines', () => {
    expect(parse(section)).toEqual({
      problems: [],
      misconceptions: [
        {
          title: 'Counts all failures',
          caughtBy: 'a success forgets earlier failures',
          why: 'Tempting because the happy path\nnever shows it.',
          diff: '   await task();\n-  failures = 0;\n',
          replacesFile: false,
          line: 5,
          diffLine: 13,
        },
      ],
    });
  });

  it('takes a ts block for the whole file', () => {
    const { misconceptions } = parse(section.replace('```diff', '```ts'));
    expect(misconceptions[0]?.replacesFile).toBe(true);
  });

  it('leaves other sections of the walkthrough alone', () => {
    const { misconceptions, problems } = parse(`${section}\n## Reading\n\n### A book\n`);
    expect(misconceptions).toHaveLength(1);
    expect(problems).toEqual([]);
  });

  it('reads names with backticks in them', () => {
    const { misconceptions } = parse(section.replace(/`a success.*`/, '`` `take` takes ``'));
    expect(misconceptions[0]?.caughtBy).toBe('`take` takes');
  });

  it.each([
    [section.replace(/^Caught by.*$/m, ''), /needs a line "Caught by: /],
    [section.replace(/Tempting.*\n.*/, ''), /say why it is tempting/],
    [section.replace('```diff', '```'), /needs one ```diff block/],
    [`${section}\n\`\`\`diff\n-a\n\`\`\`\n`, /needs one ```diff block/],
  ])('says what a section lacks', (text, message) => {
    const { misconceptions, problems } = parse(text);
    expect(misconceptions).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ file: 'README.md', line: 5 });
    expect(problems[0]?.message).toMatch(message);
  });

  it('refuses two with one title', () => {
    const { problems } = parse(`${section}\n${section}`);
    expect(problems.map(({ line }) => line)).toEqual([17]);
  });

  it('reads any text', () => {
    const piece = fc.constantFrom(
      '### a',
      '## Misconceptions',
      '```diff',
      '```',
      'Caught by: `x`',
      '',
      '-a',
      'b',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const { misconceptions, problems } = parseMisconceptions(pieces.join('\n'), 'README.md');
        for (const { line = 0 } of [...misconceptions, ...problems]) {
          expect(pieces[line - 1]).toBe('### a');
        }
      }),
      { seed: 1 },
    );
  });
});

function misconception(diff: string, replacesFile = false): Misconception {
  return { title: '', caughtBy: '', why: '', diff, replacesFile, line: 1, diffLine: 1 };
}

describe('applyMisconception', () => {
  const solution = 'a();\nb();\n\nif (c) {\n  a();\n}\n';

  it('takes lines away and adds others where the diff fits', () => {
    expect(applyMisconception(solution, misconception(' b();\n\n-if (c) {\n+if (!c) {\n'))).toBe(
      'a();\nb();\n\nif (!c) {\n  a();\n}\n',
    );
  });

  it('changes several places', () => {
    const diff = '@@ first\n-a();\n b();\n@@\n-  a();\n+  b();\n';
    expect(applyMisconception(solution, misconception(diff))).toBe('b();\n\nif (c) {\n  b();\n}\n');
  });

  it('replaces the whole file', () => {
    expect(applyMisconception(solution, misconception('c();\n', true))).toBe('c();\n');
  });

  it('tells indentation apart', () => {
    expect(() => applyMisconception(solution, misconception('-   a();\n'))).toThrow(
      'the solution has no line `   a();`',
    );
  });

  it.each([
    ['-d();\n', 'the solution has no line `d();`'],
    [' b();\n-a();\n', 'its lines are there, but not in a row'],
    ['+d();\n', 'does not say where'],
    ['\n+d();\n', 'does not say where'],
    [' b();\n', 'changes nothing'],
    ['-b();\n+b();\n', 'changes nothing'],
    ['b();\n', '`b();` must start with a space'],
    ['', 'does not say where'],
  ])('refuses %j', (diff, message) => {
    expect(() => applyMisconception(solution, misconception(diff))).toThrow(message);
  });

  it('refuses a diff that fits twice, and says where', () => {
    expect(() => applyMisconception('a();\nb();\na();\n', misconception('-a();\n'))).toThrow(
      'fits the solution in 2 places (lines 1, 3)',
    );
  });

  it('turns a solution into any other text of which it is told the difference', () => {
    const change = fc.record({
      before: fc.array(fc.constantFrom('', 'a', '  b', '-c', '+d', '@@', '```'), { maxLength: 4 }),
      after: fc.array(fc.string({ unit: fc.constantFrom('a', ' ', '-'), maxLength: 3 }), {
        maxLength: 4,
      }),
    });
    fc.assert(
      fc.property(change, fc.array(fc.constantFrom('', 'a', '-c')), ({ before, after }, rest) => {
        const first = 'the one line that stands here once';
        const whole = [...rest, first, ...before, ...rest].join('\n');
        const diff = [
          ` ${first}`,
          ...before.map((line) => `-${line}`),
          ...after.map((line) => `+${line}`),
        ];
        const expected = [...rest, first, ...after, ...rest].join('\n');
        fc.pre(whole !== expected);
        expect(applyMisconception(whole, misconception(`${diff.join('\n')}\n`))).toBe(expected);
      }),
      { seed: 1 },
    );
  });
});
