import { describe, expect, it } from 'vitest';
import { toAnki } from './anki.ts';
import { aDuel, deckOf, everyKind } from './fixtures/decks.ts';

const rowsOf = async (cards = everyKind) => (await toAnki([deckOf(cards)])).trimEnd().split('\n');
const rowOf = async (id: string, cards?: string) =>
  (await rowsOf(cards)).find((row) => row.includes(`/${id}"`)) ?? '';

describe('toAnki', () => {
  it('says how the file is to be read', async () => {
    expect((await rowsOf()).slice(0, 4)).toEqual([
      '#separator:tab',
      '#html:true',
      '#columns:Id\tQuestion\tAnswer\tTags',
      '#tags column:4',
    ]);
  });

  it('writes each card on one line of four fields, its id first', async () => {
    const rows = (await rowsOf()).slice(4);
    expect(rows).toHaveLength(6);
    for (const row of rows) {
      expect(row.split('\t')).toHaveLength(4);
      expect(row).toMatch(/^"circuit-breaker\/[a-z-]+"\t".+"\t".+"\t"half-open::circuit-breaker"$/);
    }
  });

  it('is the same each time, so that a second import changes nothing', async () => {
    expect(await rowsOf()).toEqual(await rowsOf());
  });

  it('asks with the options, and answers with the right one, why, and the source', async () => {
    const [, question = '', answer = ''] = (await rowOf('what-open-means')).split('\t');
    expect(question).toContain('<strong>open</strong>');
    expect(question).toContain('<li>It lets calls through');
    expect(answer).toContain('It refuses calls');
    expect(answer).toContain('Fast failure is the point.');
    expect(answer).toContain('Source, as of 2026-11');
  });

  it('asks both questions of a duel on one card', async () => {
    const [, question = '', answer = ''] = (await rowOf('wait-or-refuse', aDuel)).split('\t');
    expect(question).toMatch(/Queue.*Which fact would change your mind\?.*The pool is expensive/);
    expect(answer).toMatch(/Refuse.*The bursts last less/);
  });

  it('keeps the lines of code', async () => {
    expect(await rowOf('where-is-the-bug')).toMatch(/<pre><code.*if \(.*\{<br> {2}open\(\);<br>\}/);
  });

  it('keeps quotes and tabs within their field', async () => {
    const card = '  - { id: a, kind: recall, prompt: "Say \\"a\\tb\\"", points: [yes] }';
    const row = await rowOf('a', card);
    expect(row.split('\t')).toHaveLength(4);
    expect(row).toContain('&quot;a');
  });
});
