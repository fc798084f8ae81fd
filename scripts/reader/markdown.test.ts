import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import stringWidth from 'string-width';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { renderMarkdown, renderPage } from './markdown.ts';

const narrow = { width: 40 };
const bold = '\u001B[1m';
const notBold = '\u001B[22m';

/** Without blank lines around, as the tests write it. */
async function render(markdown: string, options = narrow): Promise<string> {
  return renderMarkdown(markdown, options);
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('without colour', () => {
  beforeEach(() => {
    vi.stubEnv('NO_COLOR', '1');
  });

  test('headings are underlined or keep their marks', async () => {
    expect(await render('# One\n## Two `x`\n### Three')).toBe(
      ['One', '═══', '', 'Two `x`', '───────', '', '### Three'].join('\n'),
    );
  });

  test('paragraphs are wrapped, and break where a line break is asked for', async () => {
    expect(await render('one\ntwo   three  \nfour\\\nfive<br>six')).toBe(
      'one two three\nfour\nfive\nsix',
    );
    expect(await render('word '.repeat(12))).toBe(
      `${'word '.repeat(8).trim()}\n${'word '.repeat(4).trim()}`,
    );
  });

  test('emphasis is read, not seen; deleted text keeps its marks', async () => {
    expect(await render('**bold *both*** _it_ ~~gone~~ `code`')).toBe(
      'bold both it ~~gone~~ `code`',
    );
  });

  test('entities and escapes are what they stand for, except in code', async () => {
    expect(await render('a &amp; b &mdash; &#8594; &#x2192; &nosuch; \\*c\\* `&amp;`')).toBe(
      'a & b — → → &nosuch; *c* `&amp;`',
    );
  });

  test('links to the web spell out where they lead, links into the kit do not', async () => {
    expect(
      await render('[docs](https://a.b/?x=1&amp;y) <https://c.d> [next](27-x.md) <mailto:e@f.g>', {
        width: 80,
      }),
    ).toBe('docs (https://a.b/?x=1&y) https://c.d next mailto:e@f.g');
  });

  test('list items keep bold, code, tasks and what is nested', async () => {
    const markdown = `- **bold** and \`code\` in an item that wraps
  - nested
- [x] done
- [ ] open

9. nine
10. ten`;
    expect(await render(markdown)).toBe(`• bold and \`code\` in an item that wraps
  • nested
[x] done
[ ] open

 9. nine
10. ten`);
  });

  test('a loose list has blank lines between its items, and blocks stay inside of theirs', async () => {
    expect(await render('1. one\n\n   more\n\n2. two\n\n   ```sh\n   ls\n   ```')).toBe(
      ['1. one', '', '   more', '', '2. two', '', '       ls'].join('\n'),
    );
  });

  test('quotes have a bar, alerts a title too', async () => {
    expect(await render('> quoted\n>\n> > deeper')).toBe('│ quoted\n│\n│ │ deeper');
    expect(await render('> [!WARNING]\n> Mind **this**.\n>\n> - and')).toBe(
      '│ Warning\n│ Mind this.\n│\n│ • and',
    );
  });

  test('code is indented, and what is too long goes on after an arrow', async () => {
    expect(await render('```ts\nif (a) {\n\treturn b;\n}\n```')).toBe(
      '    if (a) {\n      return b;\n    }',
    );
    const [first = '', second = ''] = (await render(`\`\`\`\n${'x'.repeat(50)}\n\`\`\``)).split(
      '\n',
    );
    expect(first).toBe(`    ${'x'.repeat(36)}`);
    expect(second).toBe(`  ↪ ${'x'.repeat(14)}`);
  });

  test('Mermaid is drawn, and shown as source with the reason where it cannot be', async () => {
    expect(await render('```mermaid\nflowchart LR\n  A --> B\n```')).toContain('│ A ├───►│ B │');
    expect(await render('```mermaid\ngantt\n  title x\n```', { width: 100 })).toBe(
      [
        '(This diagram cannot be drawn here: "gantt" is no kind of diagram that is drawn here. Its source, in',
        'Mermaid:)',
        '',
        '    gantt',
        '      title x',
      ].join('\n'),
    );
  });

  test('details are shown under their summary, comments are not shown', async () => {
    const markdown = `<details>
<summary>The <b>answer</b> &amp; why</summary>

It is **42**.

</details>

<!-- a note
to ourselves -->

Text <!-- hidden --> goes on.`;
    expect(await render(markdown)).toBe('▸ The answer & why\n\nIt is 42.\n\nText goes on.');
  });

  test('footnotes stay as they are written', async () => {
    expect(await render('Said[^1] and[^2].\n\n[^1]: https://a.b\n[^2]: A book, page 3')).toBe(
      'Said[^1] and[^2].\n\n[^1]: https://a.b\n\n[^2]: A book, page 3',
    );
  });

  test('control sequences in a text do not reach the terminal', async () => {
    expect(await render('a \u001B[2J\u001B]0;title\u0007b')).toBe('a b');
  });
});

test('what is nested without end is shown as it stands', async () => {
  const text = await renderMarkdown('> '.repeat(5_000), narrow);
  expect(text).toMatch(/^ {4}> > >/);
  expect(await renderMarkdown(`${'-'.repeat(200)}\n\nAfter a rule`, narrow)).toMatch(/^─+\n/);
});

test('a name of JavaScript is no character', async () => {
  expect(await renderMarkdown('&constructor; &toString;', narrow)).toBe('&constructor; &toString;');
});

describe('with colour', () => {
  beforeEach(() => {
    vi.stubEnv('NO_COLOR', undefined);
    vi.stubEnv('FORCE_COLOR', '1');
  });

  test('links to the web can be clicked', async () => {
    expect(await render('[docs](https://a.b)')).toContain('\u001B]8;;https://a.b\u0007');
  });

  test('styles end with their line and go on in the next', async () => {
    const lines = (
      await render('**one<br>two** and **a long bold text that goes over the end**')
    ).split('\n');
    for (const line of lines) {
      expect(line.split(bold)).toHaveLength(line.split(notBold).length);
      expect(line).toContain(bold);
    }
  });

  test.each(['ts', 'js', 'json', 'yaml', 'bash', 'python', 'diff', 'http', 'sql'])(
    '%s is coloured, and says the same',
    async (language) => {
      const code = '- "text" 12\nGET / HTTP/1.1\nreturn true;\n# x: 1\nSELECT 1;';
      const text = await render(`\`\`\`${language}\n${code}\n\`\`\``);
      expect(text).toContain('\u001B[3');
      expect(stripVTControlCharacters(text).replaceAll(/^ {4}/gm, '')).toBe(code);
    },
  );

  test('code in a language that nobody knows is shown without', async () => {
    expect(await render('```klingon\nqapla\n```')).toBe('    qapla');
  });
});

test('every heading is found at the line where it stands', async () => {
  const { lines, headings } = await renderPage('# One\n\nText\n\n## Two\n\n## Two', narrow);
  expect(headings.map(({ anchor, line }) => [anchor, lines[line]])).toEqual([
    ['one', 'One'],
    ['two', 'Two'],
    ['two-1', 'Two'],
  ]);
});

test('a page has the same blocks at every width', async () => {
  const markdown = readFileSync(
    resolve(import.meta.dirname, '../../lessons/26-circuit-breaker.md'),
    'utf8',
  );
  const [wide, slim] = [
    await renderPage(markdown, { width: 100 }),
    await renderPage(markdown, { width: 40 }),
  ];
  expect(wide.blocks).toHaveLength(slim.blocks.length);
  expect(wide.lines.length).toBeLessThan(slim.lines.length);
});

test('whatever the text, no line is wider than it may be and every word is still there', async () => {
  const piece = fc.constantFrom(
    'word ',
    '**',
    '`',
    '日本語',
    'e\u0301',
    '\n',
    '\n\n',
    '- ',
    '1. ',
    '> ',
    '| a | b |\n|---|---|\n| ',
    ' | ',
    '```ts\n',
    '# ',
    '    ',
    '[x](https://a.b)',
    '<details>',
    '&amp;',
    '_',
    '![',
    '\\',
    '---\n',
    'longlonglonglonglonglonglonglonglong',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 40 }),
      fc.integer({ min: 40, max: 100 }),
      async (pieces, width) => {
        const markdown = pieces.join('');
        const text = await renderMarkdown(markdown, { width });
        expect(Math.max(...text.split('\n').map((line) => stringWidth(line)))).toBeLessThanOrEqual(
          width,
        );
        const words = (from: string) => from.match(/word/g)?.length ?? 0;
        expect(words(text)).toBe(words(markdown));
      },
    ),
    { seed: 26, numRuns: 300 },
  );
});
