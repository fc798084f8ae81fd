import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../../quiz/random.ts';
import { repository } from '../../fixtures/copy-kit.ts';
import { cardIds } from '../../content/card-ids.ts';
import { loadDecks } from '../../content/catalog.ts';
import { readFile } from 'node:fs/promises';
import { liveAndDie, shownLines } from './child.ts';
import { inFolder } from './in-folder.ts';
import { entriesIn, journalIn, linesIn } from './journal-file.ts';
import { killOften } from './kills.ts';
import { missing, type Trial } from './trial.ts';

export const quizTrial: Trial = {
  name: 'quiz',
  title: 'the quiz killed while it takes answers, undoes and suspends',
  async run(effort) {
    const decks = await loadDecks(repository);
    const items: string[] = [];
    for (const { slug, file } of decks.slice(0, 4)) {
      const ids = cardIds(await readFile(file, 'utf8')).slice(0, 6);
      items.push(...ids.map((id) => `card:${slug}/${id}`));
    }
    return killOften(effort, 'quiz', (killAfterMs, random) =>
      inFolder(async (home) => {
        mkdirSync(home, { recursive: true });
        writeFileSync(journalIn(home), oldJournal(items, random));
        const before = linesIn(home);
        const life = await liveAndDie([join(repository, 'scripts/study.ts'), 'quiz'], {
          cwd: repository,
          env: { HALF_OPEN_HOME: home, HALF_OPEN_ROOT: repository },
          input: answers(random),
          ready: 'This sitting',
          killAfterMs,
        });
        const shown = shownAsKept(shownLines(life));
        const kept = entriesIn(home).slice(before.length);
        const lost = Object.entries(shown).flatMap(([type, count]) => {
          const found = kept.filter((entry) => entry.type === type).length;
          return found < count ? [`${count} of type ${type} were shown, ${found} are there`] : [];
        });
        return {
          wasKilled: life.wasKilled,
          readyMs: life.readyMs,
          acknowledged: before.length + Object.values(shown).reduce((sum, each) => sum + each, 0),
          lost: [...missing(before, linesIn(home)), ...lost],
        };
      }),
    );
  },
};

/** Reviews that make cards due; in one of two the last line is torn, by an earlier death. */
function oldJournal(items: readonly string[], random: Random): string {
  const lines = items.map((item, index) => {
    const id = `old-${index}`;
    return JSON.stringify({
      v: 1,
      id,
      at: '2026-01-10T10:00:00.000Z',
      type: 'review',
      item,
      grade: 'good',
    });
  });
  const torn = random() < 0.5 ? (lines[0] ?? '').slice(0, 1 + Math.floor(random() * 80)) : '';
  return `${lines.join('\n')}\n${torn}`;
}

function answers(random: Random): string {
  const lines = Array.from({ length: 120 }, () => {
    const chance = random();
    return chance < 0.75 ? '?' : chance < 0.85 ? '1' : chance < 0.95 ? 'u' : 's';
  });
  return `${lines.join('\n')}\nq\n`;
}

/** How many reviews, undos and suspensions the screen has told of. A card's second answer in a sitting is no review. */
function shownAsKept(lines: readonly string[]) {
  const shown = { review: 0, undo: 0, suspend: 0 };
  const answered: boolean[] = [];
  let open: { readonly isReview: boolean } | undefined;
  const close = () => {
    if (open === undefined) return;
    answered.push(open.isReview);
    shown.review += open.isReview ? 1 : 0;
    open = undefined;
  };
  for (const line of lines) {
    if (line.startsWith('### ')) {
      // A recall card is answered without a word.
      close();
      open = { isReview: !line.startsWith('### Once more') };
    } else if (/^(?:Right\.|Not this time\.|No harm done\.)$/.test(line)) {
      close();
    } else if (line.startsWith('Suspended. ')) {
      shown.suspend += 1;
      open = undefined;
    } else if (line.startsWith('Taken back. ')) {
      shown.undo += answered.pop() === true ? 1 : 0;
      open = undefined;
    } else if (line.startsWith('There is nothing to take back')) {
      open = undefined;
    }
  }
  return shown;
}
