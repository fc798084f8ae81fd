import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { readFrontmatter } from './frontmatter.ts';

const lesson = '---\ntitle: Quotas\nminutes: 3\n---\n\n# Quotas\n';

describe('readFrontmatter', () => {
  it('takes the head off the body and knows where each begins', () => {
    const { data, body, bodyLine, problems, lineOf } = readFrontmatter(lesson, 'a.md');
    expect(data).toEqual({ title: 'Quotas', minutes: 3 });
    expect({ body, bodyLine, problems }).toEqual({
      body: '\n# Quotas\n',
      bodyLine: 5,
      problems: [],
    });
    expect([lineOf('title'), lineOf('minutes'), lineOf('level')]).toEqual([2, 3, 1]);
  });

  it('reads files that Windows wrote', () => {
    const windows = `\uFEFF${lesson.replaceAll('\n', '\r\n')}`;
    const { data, body } = readFrontmatter(windows, 'a.md');
    expect(data).toEqual({ title: 'Quotas', minutes: 3 });
    expect(body).toBe('\n# Quotas\n');
  });

  it.each([
    ['# No head\n', 1, /no front matter/],
    ['---\ntitle: open end\n', 1, /not closed/],
    ['---\ntitle: a\ntitle: b\n---\n', 3, /no valid YAML: Map keys must be unique/],
    ['---\ntitle: "a\n---\nbody\n', 2, /no valid YAML/],
  ])('says on which line %j is wrong', (text, line, message) => {
    const { data, problems } = readFrontmatter(text, 'a.md');
    expect(data).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ file: 'a.md', line });
    expect(problems[0]?.message).toMatch(message);
  });

  it('reads any text, and every problem lies within it', () => {
    const piece = fc.constantFrom(
      '---',
      '\n',
      '\r\n',
      'a: ',
      '&b ',
      '*b',
      '[',
      '"',
      '- ',
      '\t',
      'é',
      '#',
    );
    const text = fc.array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 20 });
    fc.assert(
      fc.property(text, (pieces) => {
        const all = `---\n${pieces.join('')}`;
        const { problems, lineOf } = readFrontmatter(all, 'a.md');
        const lines = all.split('\n').length;
        for (const { line = 0 } of problems) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(lines);
        }
        expect(lineOf('a')).toBeLessThanOrEqual(lines);
      }),
      { seed: 1 },
    );
  });

  it('reads a field as YAML does, whichever way it takes', () => {
    const plainOrNot = fc.constantFrom(
      ...'true|Null|~|.inf|1e3|0x10|007|12|2026-11-22|a: b|a:b|a #b|end:|no'.split('|'),
      ...'Hello, it works: no|"quoted"|it\'s|- a|[a]|| a '.split('|'),
    );
    const words = fc
      .array(fc.constantFrom('Tail', 'at', 'scale', '5', 'a:b', '#1', 'C++', '–', '"', ':'))
      .map((parts) => parts.join(' '));
    fc.assert(
      fc.property(fc.oneof(plainOrNot, words), (value) => {
        const head = `title: ${value}`;
        const document = parseDocument(head);
        const expected: unknown = document.errors.length > 0 ? undefined : document.toJS();
        expect(readFrontmatter(`---\n${head}\n---\n`, 'a.md').data).toEqual(expected);
      }),
      { seed: 1, numRuns: 1_000 },
    );
  });
});
