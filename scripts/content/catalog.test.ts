import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KitError } from '../../quiz/problem.ts';
import { findBySlug, kataSlugs, loadCatalog, loadDecks } from './catalog.ts';
import { copyKit } from '../fixtures/copy-kit.ts';

let root = '';
let remove = async () => {};
beforeEach(async () => {
  ({ root, remove } = await copyKit());
});
afterEach(() => remove());

async function write(path: string, text: string): Promise<void> {
  const file = join(root, path);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, text);
}

function lesson(title: string): string {
  return `---\ntitle: ${title}\nsummary: A text.\nminutes: 5\nupdated: 2026-11-22\n---\n`;
}

function brief(of: string, level: string): string {
  return `---\ntitle: A kata\nlesson: ${of}\nlevel: ${level}\nminutes: 5\n---\n`;
}

async function problems(): Promise<string[]> {
  const catalog = await loadCatalog(root);
  return catalog.problems.map(
    ({ file, line, message }) => `${relative(root, file)}:${line} ${message}`,
  );
}

describe('loadCatalog', () => {
  it('lists what the kit holds', async () => {
    const { lessons, katas, decks, problems: none } = await loadCatalog(root);
    expect(lessons).toEqual([
      {
        slug: 'quota',
        number: 10,
        file: join(root, 'lessons/10-quota.md'),
        title: 'Quotas',
        summary: 'Let only so many go at once, and let the next one in when somebody comes back.',
        minutes: 3,
        updated: '2026-11-22',
        wantsKata: true,
        asked: 'sometimes',
      },
    ]);
    expect(katas).toMatchObject([
      { slug: 'quota', title: 'Quota', lesson: 'quota', level: 'L4', minutes: 10 },
    ]);
    expect(decks).toEqual([{ slug: 'quota', file: join(root, 'quiz/decks/quota.yaml') }]);
    expect(none).toEqual([]);
  });

  it('lists decks and the slugs of katas alone as well', async () => {
    await write('katas/left-behind/left-behind.ts', 'export {};\n');
    await write('quiz/decks/another.yaml', 'title: Another\n');
    expect(await loadDecks(root)).toEqual((await loadCatalog(root)).decks);
    expect(await kataSlugs(root)).toEqual(['quota']);
  });

  it('knows how often a lesson’s topic is asked', async () => {
    await write('lessons/11-a.md', lesson('A').replace('updated', 'asked: often\nupdated'));
    await write('lessons/12-b.md', lesson('B').replace('updated', 'asked: never\nupdated'));
    const { lessons } = await loadCatalog(root);
    expect(lessons.map(({ asked }) => asked)).toEqual(['sometimes', 'often', 'sometimes']);
    expect(await problems()).toContainEqual(
      expect.stringContaining('`asked` to be often or sometimes or rarely; not "never"'),
    );
  });

  it('keeps the hints out of the brief', async () => {
    const [kata] = (await loadCatalog(root)).katas;
    expect(kata?.brief).toMatch(/^# Quota\n/);
    expect(kata?.brief).not.toMatch(/hint/i);
    expect(kata?.hints).toHaveLength(3);
    expect(kata?.hints[1]).toBe('### 2 · Giving back\n\nWhat may that number never exceed?');
  });

  it('orders lessons by number, katas by lesson, level and slug', async () => {
    await write('lessons/09-zebra.md', lesson('Zebra'));
    await write('lessons/100-last.md', lesson('Last'));
    for (const [slug, of, level] of [
      ['b', 'quota', 'L4'],
      ['a', 'quota', 'L6'],
      ['c', 'zebra', 'L6'],
      ['d', 'nowhere', 'L4'],
    ] as const) {
      await write(`katas/${slug}/README.md`, brief(of, level));
    }
    await write('quiz/decks/zebra.yaml', '');
    const { lessons, katas, decks } = await loadCatalog(root);
    expect(lessons.map(({ slug }) => slug)).toEqual(['zebra', 'quota', 'last']);
    expect(katas.map(({ slug }) => slug)).toEqual(['c', 'b', 'quota', 'a', 'd']);
    expect(decks.map(({ slug }) => slug)).toEqual(['zebra', 'quota']);
  });

  it('lists what has a wrong front matter all the same, and says what is wrong', async () => {
    await write('lessons/11-a.md', '# No head\n');
    await write(
      'lessons/12-b.md',
      '---\ntitle:\nsumary: x\nminutes: 2.5\nupdated: 2026-02-30\nkata: later\n---\n',
    );
    await write('katas/k/README.md', '---\ntitle: K\nlesson: quota\nlevel: L3\nminutes: 5\n---\n');
    const { lessons, katas } = await loadCatalog(root);
    expect(lessons.map(({ slug, title }) => [slug, title])).toContainEqual(['a', 'a']);
    expect(katas.map(({ slug }) => slug)).toContain('k');
    const fields = 'title, summary, minutes, updated, kata, asked';
    expect(await problems()).toEqual([
      'lessons/11-a.md:1 there is no front matter: start the file with `---`, fields such as `title: …`, and `---`',
      'lessons/12-b.md:2 front matter: expected `title` to be a text; not null',
      'lessons/12-b.md:1 front matter: expected `summary` to be a text; it is missing',
      'lessons/12-b.md:4 front matter: expected `minutes` to be a whole number, 1 or more; not 2.5',
      'lessons/12-b.md:5 front matter: expected `updated` to be a day such as 2026-01-31; not "2026-02-30"',
      'lessons/12-b.md:6 front matter: expected `kata` to be none, or left out; not "later"',
      `lessons/12-b.md:3 front matter: nothing reads \`sumary\`; the fields are ${fields}`,
      'katas/k/README.md:4 front matter: expected `level` to be L4 or L5 or L6; not "L3"',
    ]);
  });

  it('tells of a kata without a brief', async () => {
    await rm(join(root, 'katas/quota/README.md'));
    expect((await loadCatalog(root)).katas).toEqual([]);
    expect(await problems()).toEqual([
      'katas/quota/README.md:undefined the brief is missing: every kata has a README.md',
    ]);
  });

  it('finds nothing in an empty folder', async () => {
    expect(await loadCatalog(join(root, 'nowhere'))).toMatchObject({ lessons: [], problems: [] });
  });
});

describe('findBySlug', () => {
  const all = ['circuit-breaker', 'retry', 'retry-budget', 'bulkhead', 'backoff'].map((slug) => ({
    slug,
  }));

  it.each([
    ['retry', 'retry'],
    ['retry-', 'retry-budget'],
    ['c', 'circuit-breaker'],
    ['26-circuit-breaker', 'circuit-breaker'],
    ['26-circ', 'circuit-breaker'],
    ['Retry', 'retry'],
  ])('finds %s', (text, slug) => {
    expect(findBySlug('kata', text, all)).toEqual({ slug });
  });

  it.each([
    ['b', '"b" could be bulkhead, backoff. Type some more of the one you mean.'],
    ['circuitbraker', 'There is no kata "circuitbraker". The nearest is circuit-breaker.'],
    ['', 'There is no kata "". The nearest is retry.'],
  ])('does not guess what %j means', (text, message) => {
    expect(() => findBySlug('kata', text, all)).toThrow(new KitError(message, { exitCode: 2 }));
  });

  it('says so when there is nothing to find', () => {
    expect(() => findBySlug('deck', 'retry', [])).toThrow(
      'There is no deck "retry": there are none yet.',
    );
  });
});
