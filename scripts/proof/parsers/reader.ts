import { readFile } from 'node:fs/promises';
import { anchorsOf } from '../../content/anchors.ts';
import { fencesOf, withoutCode } from '../../content/markdown-parts.ts';
import { drawMermaid } from '../../diagram/mermaid.ts';
import { renderPage } from '../../reader/markdown.ts';
import { badTexts } from '../bad-texts.ts';
import type { Parser } from './parser.ts';

/** What a terminal shows of Markdown. */
export const readerParsers: readonly Parser[] = [
  {
    name: 'markdown',
    title: 'lessons and walkthroughs: laid out for 80 columns, in colour',
    async open({ catalog: { lessons, katas } }) {
      const files = [
        ...lessons.map(({ file }) => file),
        ...katas.map(({ files: { walkthrough } }) => walkthrough),
      ];
      const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
      const words = ['# Title\n', '- one\n', '1. two\n', '> quote\n', '> [!NOTE]\n', '```ts\n'];
      return {
        texts: badTexts(texts.flatMap(inPieces), [
          ...words,
          '| a | b |\n| - | - |\n',
          '**bold',
          '`code`',
          '[link](https://example.org)',
          '<details><summary>x</summary>',
          '[^1]: note\n',
        ]),
        async read(text) {
          withoutCode(text);
          anchorsOf(text);
          await renderPage(text, { width: 80 });
        },
      };
    },
  },
  {
    name: 'diagrams',
    title: 'Mermaid: drawn as text, or said why not',
    async open({ catalog: { lessons } }) {
      const texts = await Promise.all(lessons.map(({ file }) => readFile(file, 'utf8')));
      const pictures = texts
        .flatMap((text) => fencesOf(text))
        .filter(({ language }) => language === 'mermaid')
        .map(({ code }) => code);
      const words = [
        'flowchart LR\n',
        'stateDiagram-v2\n',
        'sequenceDiagram\n',
        'A-->B\n',
        'end\n',
      ];
      return {
        texts: badTexts(pictures, [
          ...words,
          'A & B --> C & D\n',
          'A["x<br>y"]\n',
          'subgraph S\n',
          'state X {\n',
          '[*] --> A\n',
          'note right of A\n',
          'A->>B: hi\n',
          'B--xA: no\n',
          'alt x\n',
          'loop y\n',
          'Note over A,B: z\n',
          'participant P\n',
        ]),
        read: (text) => drawMermaid(text, 80),
      };
    },
  },
];

function inPieces(text: string): string[] {
  const lines = text.split('\n');
  const pieces: string[] = [];
  for (let first = 0; first < lines.length; first += 40) {
    pieces.push(lines.slice(first, first + 40).join('\n'));
  }
  return pieces;
}
