import { open } from 'node:fs/promises';
import { cardItem } from '../../quiz/item.ts';
import { seeded } from '../../quiz/random.ts';
import type { Entry, Grade } from '../../quiz/entry.ts';
import { cardId, type KitSize, topicSlug } from './big-kit.ts';

const FIRST = Date.parse('2016-01-01T08:00:00Z');
/** From one entry to the next: so that a million of them fill ten years, and none lies ahead: of those nothing is kept. */
const STEP_MS = (10 * 365 * 86_400_000) / 1_000_000;
const SHARE_HELD = 0.87;
const SHARE_UNDONE = 0.01;
const LINES_AT_ONCE = 10_000;

/**
 * Writes the journal of someone who has read all lessons and worked at all katas of a big kit, and has given
 * so many reviews of its cards; one in a hundred was taken back.
 */
export async function writeBigJournal(file: string, reviews: number, size: KitSize): Promise<void> {
  const out = await open(file, 'w');
  try {
    let lines: string[] = [];
    for (const entry of entriesOf(reviews, size)) {
      lines.push(JSON.stringify(entry));
      if (lines.length < LINES_AT_ONCE) continue;
      await out.appendFile(`${lines.join('\n')}\n`);
      lines = [];
    }
    if (lines.length > 0) await out.appendFile(`${lines.join('\n')}\n`);
  } finally {
    await out.close();
  }
}

function* entriesOf(reviews: number, size: KitSize): Generator<Entry> {
  const random = seeded('a big journal');
  const upTo = (limit: number) => Math.floor(random() * limit);
  let written = 0;
  const stamp = () => {
    written += 1;
    const hex = written.toString(16).padStart(12, '0');
    const at = new Date(FIRST + written * STEP_MS).toISOString();
    return { v: 1, id: `00000000-0000-4000-8000-${hex}`, at } as const;
  };
  for (let index = 0; index < size.lessons; index += 1) {
    yield { ...stamp(), type: 'read', lesson: topicSlug(index) };
    for (const passed of [3, 7]) {
      yield { ...stamp(), type: 'progress', kata: topicSlug(index), passed, of: 7 };
    }
    yield { ...stamp(), type: 'review', item: `kata:${topicSlug(index)}`, grade: 'good' };
  }
  for (let count = 0; count < reviews; count += 1) {
    const item = cardItem(`${topicSlug(upTo(size.lessons))}/${cardId(upTo(size.cardsPerDeck))}`);
    const grade: Grade = random() < SHARE_HELD ? 'good' : 'again';
    const review = { ...stamp(), type: 'review', item, grade } as const;
    yield review;
    if (random() < SHARE_UNDONE) yield { ...stamp(), type: 'undo', of: review.id };
  }
}
