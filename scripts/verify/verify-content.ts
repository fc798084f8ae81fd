import { join } from 'node:path';
import { cardItem } from '../../quiz/item.ts';
import { cardIds } from '../content/card-ids.ts';
import type { Catalog, DeckFile } from '../content/catalog.ts';
import type { Check } from './checks.ts';
import { interviewFiles } from '../content/interviews.ts';
import type { Read } from '../content/text-reader.ts';
import { checkDeck } from './verify-decks.ts';
import { checkInterview } from './verify-interviews.ts';
import { checkLayout } from './verify-layout.ts';
import { type Targets, targetsIn } from './verify-links.ts';
import { checkStrays } from './verify-strays.ts';
import { checkFinished, checkHints, checkMarkdown, checkMinutes } from './verify-texts.ts';
import type { Topic } from './verify-topic.ts';

/** All that can be checked without running or compiling anything. */
export async function checkContent(catalog: Catalog, topic: Topic, read: Read): Promise<Check[]> {
  const layout = [...(await checkLayout(catalog)), ...(await checkStrays(catalog.root))];
  return [
    ...layout.filter(({ file }) => topic.includes(file)),
    ...(await checkTexts(topic, catalog.root, read)),
  ];
}

async function checkTexts(topic: Topic, root: string, read: Read): Promise<Check[]> {
  const targets = targetsIn(async (file) => (await read(file)) ?? '');
  const interviews = (await interviewFiles(root)).filter(({ file }) => topic.includes(file));
  const markdown = [...markdownFiles(topic, root), ...interviews.map(({ file }) => file)];
  const items = interviews.length > 0 ? await itemsOf(topic.decks, read) : new Set<string>();
  const code = topic.katas.flatMap(({ files }) => [files.spec, files.solution, files.anotherWay]);
  const checks = [
    ...markdown.map(async (file) => {
      const text = await read(file);
      if (text === undefined) return [];
      return [checkFinished(text, file), ...(await checkMarkdown(text, file, root, targets))];
    }),
    ...code.map(async (file) => checkFinished((await read(file)) ?? '', file)),
    ...topic.lessons.map(async (lesson) => [checkMinutes((await read(lesson.file)) ?? '', lesson)]),
    ...topic.katas.map(async ({ files: { brief } }) =>
      checkHints((await read(brief)) ?? '', brief),
    ),
    ...topic.decks.map((deck) => checkDeckFile(deck, topic, read, targets)),
    ...interviews.map(async ({ file }) => checkInterview((await read(file)) ?? '', file, items)),
  ];
  return (await Promise.all(checks)).flat();
}

async function itemsOf(decks: readonly DeckFile[], read: Read): Promise<Set<string>> {
  const items = await Promise.all(
    decks.map(async ({ slug, file }) =>
      cardIds((await read(file)) ?? '').map((id) => cardItem(`${slug}/${id}`)),
    ),
  );
  return new Set(items.flat());
}

function markdownFiles(topic: Topic, root: string): string[] {
  return [
    join(root, 'README.md'),
    join(root, 'CONTRIBUTING.md'),
    ...topic.lessons.map(({ file }) => file),
    ...topic.katas.flatMap(({ files }) => [files.brief, files.walkthrough]),
  ].filter(topic.includes);
}

async function checkDeckFile(
  deck: DeckFile,
  { lessons }: Topic,
  read: Read,
  { anchorsOf }: Targets,
): Promise<Check[]> {
  const text = (await read(deck.file)) ?? '';
  const lesson = lessons.find(({ slug }) => slug === deck.slug);
  const about = lesson && { lesson, anchors: await anchorsOf(lesson.file) };
  return [checkFinished(text, deck.file), ...checkDeck(deck, text, about)];
}
