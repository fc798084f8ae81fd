import { lessonFile } from '../content/kit-layout.ts';
import { frontMatter, type NewFile } from './new-file.ts';

export interface NewLesson {
  readonly slug: string;
  readonly title: string;
  readonly number: number;
  readonly now: Date;
}

/** A lesson with a TODO in each place where something goes. */
export function newLesson(root: string, { slug, title, number, now }: NewLesson): NewFile {
  const fields = {
    title,
    summary: 'TODO: one sentence: what one can do afterwards.',
    minutes: 10,
    updated: dayOf(now),
  };
  const text = `${frontMatter(fields)}
# ${title}

TODO: what it is, what it buys, and what it costs, in one paragraph.

## Why

TODO: what goes wrong without it, with numbers.

## How it works

TODO: the idea as a picture (\`mermaid\`) and as code (\`ts\`, which is type-checked).

## The case against

TODO: when not to use it.

## In the interview

TODO: how it is asked, and what a good answer contains.
`;
  return { file: lessonFile(root, number, slug), text };
}

/** yyyy-mm-dd in local time. */
function dayOf(now: Date): string {
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 10);
}
