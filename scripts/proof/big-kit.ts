import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Catalog, type Kata, loadCatalog } from '../content/catalog.ts';
import { deckFile, folders, kataFiles, lessonFile } from '../content/kit-layout.ts';

/** How large a kit is. */
export interface KitSize {
  /** And as many katas and decks. */
  readonly lessons: number;
  readonly cardsPerDeck: number;
}

/**
 * Writes a kit of any size to the empty folder `to`. Its lessons, katas and cards are those of the kit `from`
 * over and over, under names of their own: so each is as long, and as hard to read, as a real one.
 */
export async function writeBigKit(from: string, to: string, size: KitSize): Promise<void> {
  const catalog = await loadCatalog(from);
  const { lessons, decks, katas } = folders(to);
  for (const folder of [lessons, decks, katas]) await mkdir(folder, { recursive: true });
  const cards = await cardsOf(catalog);
  for (let index = 0; index < size.lessons; index += 1) {
    await writeLesson(catalog, to, index);
    await writeKata(catalog, to, index);
    const own = Array.from({ length: size.cardsPerDeck }, (_, place) =>
      withId(taken(cards, index * size.cardsPerDeck + place), place),
    );
    const text = [`title: Topic ${index + 1}`, 'cards:', ...own].join('\n');
    await writeFile(deckFile(to, topicSlug(index)), `${text}\n`);
  }
}

export function topicSlug(index: number): string {
  return `topic-${index + 1}`;
}

/** The id of a card in any of the decks. */
export function cardId(place: number): string {
  return `card-${place + 1}`;
}

async function writeLesson({ lessons }: Catalog, to: string, index: number): Promise<void> {
  const text = await readFile(taken(lessons, index).file, 'utf8');
  const own = text.replace(/^title: .*$/m, `title: Topic ${index + 1}`);
  await writeFile(lessonFile(to, 10 + index, topicSlug(index)), own);
}

async function writeKata({ katas }: Catalog, to: string, index: number): Promise<void> {
  const { files }: Kata = taken(katas, index);
  const own = kataFiles(to, topicSlug(index));
  await mkdir(join(folders(to).katas, topicSlug(index)));
  const brief = await readFile(files.brief, 'utf8');
  await writeFile(own.brief, brief.replace(/^lesson: .*$/m, `lesson: ${topicSlug(index)}`));
  await cp(files.stub, own.stub);
  await cp(files.spec, own.spec);
}

/** Each card of the kit as it stands in its deck, without the comments between cards. */
async function cardsOf({ decks }: Catalog): Promise<readonly string[]> {
  const texts = await Promise.all(decks.map(({ file }) => readFile(file, 'utf8')));
  return texts.flatMap((text) =>
    text
      .split(/^(?= {2}- id:)/m)
      .slice(1)
      .map((card) => card.replaceAll(/^ {0,2}#.*\n?/gm, '').trimEnd()),
  );
}

function withId(card: string, place: number): string {
  return card.replace(/^ {2}- id:.*$/m, `  - id: ${cardId(place)}`);
}

/** Round and round. */
function taken<T>(all: readonly T[], index: number): T {
  const item = all[index % all.length];
  if (item === undefined) throw new Error('There is nothing to make a kit of.');
  return item;
}
