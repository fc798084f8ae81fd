import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { brokenLinks, linksIn, type Targets } from './verify-links.ts';

const root = resolve('/kit');
const headings = new Map([
  ['lessons/10-a.md', ['why', 'how']],
  ['lessons/11-b.md', ['why-1']],
  ['katas', []],
]);
const byFile = new Map([...headings].map(([path, anchors]) => [resolve(root, path), anchors]));
const targets: Targets = {
  exists: async (file) => byFile.has(file),
  anchorsOf: async (file) => new Set(byFile.get(file)),
};

async function broken(markdown: string): Promise<string[]> {
  const problems = await brokenLinks(markdown, resolve(root, 'lessons/10-a.md'), root, targets);
  return problems.map(({ line, message }) => `${line} ${message}`);
}

it('finds inline links, pictures, definitions and HTML', () => {
  const markdown = [
    '[a](one.md) and ![b](two.png "a title")',
    '[over two',
    'lines](<three and a half.md>)',
    '[a_(b)](four_(b).md)',
    '',
    '[id]: five.md',
    '<a href="six.md">six</a>',
  ].join('\n');
  expect(linksIn(markdown)).toEqual([
    { target: 'one.md', line: 1 },
    { target: 'two.png', line: 1 },
    { target: 'three and a half.md', line: 3 },
    { target: 'four_(b).md', line: 4 },
    { target: 'five.md', line: 6 },
    { target: 'six.md', line: 7 },
  ]);
});

it('takes no code for a link', () => {
  expect(linksIn('`[a](b.md)`\n\n```md\n[a](b.md)\n```\n\nf[0](x)\n')).toEqual([
    { target: 'x', line: 7 },
  ]);
});

it.each([
  '[a](11-b.md)',
  '[a](./11-b.md#why-1)',
  '[a](#how)',
  '[a](/lessons/11-b.md)',
  '[a](../katas/)',
  '[a](11%2Db.md)',
  '[a](https://example.com/nothing#here)',
  '[a](//example.com)',
  '[a](mailto:a@example.com)',
])('follows %s', async (markdown) => {
  expect(await broken(markdown)).toEqual([]);
});

it.each([
  ['\n[a](12-c.md)', '2 the link `12-c.md` leads to lessons/12-c.md, which does not exist'],
  ['[a](#what)', '1 the link `#what` leads to a heading that lessons/10-a.md does not have'],
  [
    '[a](11-b.md#how)',
    '1 the link `11-b.md#how` leads to a heading that lessons/11-b.md does not have',
  ],
  ['[a](../../x.md)', '1 the link `../../x.md` leads out of the repository'],
  [
    '[a](%E0%A4%A.md)',
    '1 the link `%E0%A4%A.md` leads to lessons/%E0%A4%A.md, which does not exist',
  ],
])('says why %j leads nowhere', async (markdown, message) => {
  expect(await broken(markdown)).toEqual([message]);
});
