import { expect, test } from 'vitest';
import { anchorsOf } from './anchors.ts';

test.each([
  ['# Half-open probes', 'half-open-probes'],
  ['## What is it? (and why)', 'what-is-it-and-why'],
  ['## `Retry-After` & *jitter*', 'retry-after--jitter'],
  ['## [Linked](https://example.org) title', 'linked-title'],
  ['## Q&amp;A — snake_case', 'qa--snake_case'],
  ['## Größe 2.0 日本語', 'größe-20-日本語'],
  ['Setext heading\n===', 'setext-heading'],
  ['## Closed ##', 'closed'],
])('%s is #%s', (markdown, anchor) => {
  expect(anchorsOf(markdown)).toEqual([anchor]);
});

test('a title that comes again gets a number, which no other heading has', () => {
  expect(anchorsOf('# Open\n## Open\n## Open-1\n## Open')).toEqual([
    'open',
    'open-1',
    'open-1-1',
    'open-2',
  ]);
});

test('headings in quotes and lists count, those in code do not', () => {
  const markdown = ['> # Quoted', '', '- # Listed', '', '```sh', '# comment', '```'].join('\n');
  expect(anchorsOf(markdown)).toEqual(['quoted', 'listed']);
});

test('ids given in HTML are anchors, those in comments are not', () => {
  const markdown =
    '# Title\n\n<a id="block"></a>\n\nText <a name="inline"></a>\n\n<!-- <a id="no"> -->';
  expect(anchorsOf(markdown)).toEqual(['title', 'block', 'inline']);
});
