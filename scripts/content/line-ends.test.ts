import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseDeck } from '../../quiz/deck.ts';
import { cardIds } from './card-ids.ts';
import { loadCatalog } from './catalog.ts';
import { interviewFiles, parseInterview } from './interviews.ts';
import { applyMisconception, parseMisconceptions } from './misconceptions.ts';
import { readFrontmatter } from './frontmatter.ts';
import { stubOf } from './stub.ts';

const root = join(import.meta.dirname, '../..');
const { lessons, katas, decks } = await loadCatalog(root);

/** A text as it stands here, and as it stands where Git or an editor ends lines with CR LF. */
function bothWays<T>(file: string, read: (text: string) => T): [here: T, there: T] {
  const text = readFileSync(file, 'utf8');
  return [read(text), read(withCrLf(text))];
}

const withCrLf = (text: string) => text.replaceAll(/\r?\n/g, '\r\n');

it('of lessons and briefs change nothing in them', () => {
  for (const file of [...lessons.map((each) => each.file), ...katas.map((k) => k.files.brief)]) {
    const [here, there] = bothWays(file, (text) => {
      const { data, body, bodyLine, problems } = readFrontmatter(text, file);
      return { data, body, bodyLine, problems };
    });
    expect(there).toEqual(here);
  }
});

it('of solutions and walkthroughs change no stub and no misconception', () => {
  for (const { files } of katas) {
    const [stub, stubThere] = bothWays(files.solution, stubOf);
    expect(stubThere).toBe(withCrLf(stub));
    const solution = readFileSync(files.solution, 'utf8');
    const [here, there] = bothWays(files.walkthrough, (text) =>
      parseMisconceptions(text, files.walkthrough),
    );
    expect(there).toEqual(here);
    for (const misconception of here.misconceptions) {
      const applied = applyMisconception(solution, misconception);
      expect(applyMisconception(withCrLf(solution), misconception)).toBe(applied);
    }
  }
});

it('of decks and interviews change nothing that is asked', async () => {
  for (const { file, slug } of decks.slice(0, 1)) {
    const [here, there] = bothWays(file, (text) => parseDeck(text, file, slug));
    expect(there).toEqual(here);
  }
  for (const { file } of decks) {
    const [here, there] = bothWays(file, cardIds);
    expect(there).toEqual(here);
  }
  for (const { file } of await interviewFiles(root)) {
    const [here, there] = bothWays(file, (text) => parseInterview(text, file));
    expect(there).toEqual(here);
  }
});
