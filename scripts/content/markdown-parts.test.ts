import { describe, expect, it } from 'vitest';
import { fencesOf, proseOf, sectionsOf, withoutCode } from './markdown-parts.ts';

describe('fencesOf', () => {
  it('gives language, code and line of each block', () => {
    const markdown = 'a\n\n```ts twoslash\nconst a = 1;\n```\n\n~~~\nplain\n~~~\n';
    expect(fencesOf(markdown)).toEqual([
      { language: 'ts', code: 'const a = 1;\n', line: 4 },
      { language: '', code: 'plain\n', line: 8 },
    ]);
  });

  it('counts lines from where its text begins in the file', () => {
    expect(fencesOf('```ts\na;\n```', 10)[0]?.line).toBe(11);
  });

  it('takes a block in a list without the indentation of the list', () => {
    expect(fencesOf('- a\n\n  ```ts\n  if (a) {\n    b();\n  }\n  ```\n')[0]?.code).toBe(
      'if (a) {\n  b();\n}\n',
    );
  });

  it('leaves blocks inside of a longer fence alone', () => {
    expect(fencesOf('````md\n```ts\na;\n```\n````\n')).toEqual([
      { language: 'md', code: '```ts\na;\n```\n', line: 2 },
    ]);
  });

  it('does not take three backticks within a line for a block', () => {
    expect(fencesOf('``` is a ``` fence\n')).toEqual([]);
  });
});

describe('proseOf and withoutCode', () => {
  const markdown = 'a `b` c\n```\nd\n```\n`e\nf` ` g\n\nh `';

  it('keep every line in its place', () => {
    expect(proseOf(markdown)).toBe('a `b` c\n\n\n\n`e\nf` ` g\n\nh `');
    expect(withoutCode(markdown)).toBe('a     c\n\n\n\n  \n   ` g\n\nh `');
  });
});

describe('sectionsOf', () => {
  const markdown = '# A\n\n## B\nb\n### C\nc\n```md\n## no heading\n```\n## D ##\nd\n# E\n## F';

  it('gives title, line and text, up to the next heading of that rank or a higher one', () => {
    expect(sectionsOf(markdown, 2, 5)).toEqual([
      { title: 'B', line: 7, body: 'b\n### C\nc\n```md\n## no heading\n```' },
      { title: 'D', line: 14, body: 'd' },
      { title: 'F', line: 17, body: '' },
    ]);
  });
});
