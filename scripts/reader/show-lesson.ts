import { readFile } from 'node:fs/promises';
import { KitError } from '../../quiz/problem.ts';
import type { Lesson } from '../content/catalog.ts';
import { readFrontmatter } from '../content/frontmatter.ts';
import type { Page } from './markdown.ts';
import type { Terminal } from '../loop/screen.ts';

/** Less of a lesson than this was looked up, not read. */
const ENOUGH = 0.5;

export interface Reading {
  /** Where the journal is. */
  readonly home: string;
  readonly now: Date;
  /** An anchor to start at. */
  readonly anchor?: string | undefined;
  readonly terminal?: Terminal | undefined;
}

/**
 * Shows the lesson to someone at a terminal until they leave it, and remembers it as read if at least half of it was on
 * screen. Resolves to what there is to say afterwards, a sentence each.
 */
export async function showLesson(
  lesson: Lesson,
  { home, now, anchor, terminal }: Reading,
): Promise<string[]> {
  const markdown = await readLesson(lesson);
  const { showInPager } = await import('./pager.ts');
  const title = `${lesson.number} ${lesson.title}`;
  const seen = await showInPager({ title, render: renderer(markdown), anchor }, terminal);
  if (seen >= ENOUGH) return remember(lesson, home, now);
  const wasLookedUp = anchor !== undefined || (await wasRead(lesson, home));
  return wasLookedUp
    ? []
    : [`"${lesson.title}" is not counted as read: less than half of it was on screen.`];
}

/** Shows any other Markdown to someone at a terminal until they leave it, or go on at its end. */
export async function showText(
  title: string,
  markdown: string,
  terminal?: Terminal,
): Promise<void> {
  const { showInPager } = await import('./pager.ts');
  await showInPager({ title, render: renderer(markdown), leavesAtEnd: true }, terminal);
}

/** The lesson's Markdown; its title and how long it takes stand above it. */
export async function readLesson({ file, title }: Lesson): Promise<string> {
  const { body } = readFrontmatter(await readFile(file, 'utf8'), file);
  return /^\s*# /.test(body) ? body : `# ${title}\n\n${body}`;
}

function renderer(markdown: string): (width: number) => Promise<Page> {
  return async (width) => {
    const { renderPage } = await import('./markdown.ts');
    return renderPage(markdown, { width });
  };
}

async function wasRead({ slug }: Lesson, home: string): Promise<boolean> {
  const { readProgress } = await import('../../quiz/journal.ts');
  return readProgress(home).entries.some((entry) => entry.type === 'read' && entry.lesson === slug);
}

/** The lesson was shown, and that is what matters: a journal that cannot be written is no error here. */
async function remember({ slug, title }: Lesson, home: string, now: Date): Promise<string[]> {
  const { openJournal } = await import('../../quiz/journal.ts');
  try {
    openJournal(home).append({ type: 'read', lesson: slug }, now);
    return [];
  } catch (error) {
    if (!(error instanceof KitError)) throw error;
    return [`"${title}" could not be remembered as read. ${error.message.replaceAll('\n', ' ')}`];
  }
}
