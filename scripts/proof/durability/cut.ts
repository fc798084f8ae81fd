import { readFileSync, writeFileSync } from 'node:fs';
import { type Disk, realDisk } from '../../../quiz/disk.ts';
import type { NewEntry } from '../../../quiz/entry.ts';
import { openJournal } from '../../../quiz/journal.ts';
import { inFolder } from './in-folder.ts';
import { journalIn, linesIn } from './journal-file.ts';
import { missing, type Trial } from './trial.ts';

const NOW = new Date('2026-11-22T12:00:00Z');

/** One of each kind, with characters of one to four bytes, quotes, and what looks like an entry. */
const ENTRIES: readonly NewEntry[] = [
  { type: 'review', item: 'card:a/one', grade: 'good' },
  { type: 'review', item: 'kata:ü-{"v":1,"id":"x"}-👩‍👩‍👧', grade: 'again' },
  { type: 'read', lesson: 'circuit-breaker' },
  { type: 'progress', kata: '__proto__', passed: 2, of: 7 },
  { type: 'peek', kata: 'line\nbreak' },
  { type: 'gap', item: 'card:a/one' },
  { type: 'plan', interview: '2026-12-05', minutes: 30 },
  { type: 'debrief', went: 'so so\u2028', asked: ['why?', '"'] },
  { type: 'suspend', item: 'card:a/two' },
  { type: 'resume', item: 'card:a/two' },
];

/** In a folder that was tried out: the probe of the whole disk would take most of the time. */
const disk: Disk = { ...realDisk, tryOut: () => {} };

export const cutTrial: Trial = {
  name: 'cut',
  title: 'the journal cut at every byte, zeroed at every byte, then written to again',
  run: () =>
    inFolder(async (home) => {
      const file = journalIn(home);
      const journal = openJournal(home, { disk });
      const made = ENTRIES.map((entry) => JSON.stringify(journal.append(entry, NOW)));
      const whole = readFileSync(file);
      const lost: string[] = [];
      let acknowledged = 0;
      const expectKept = (text: Buffer, kept: readonly string[], what: string) => {
        writeFileSync(file, text);
        const next = JSON.stringify(
          openJournal(home, { disk }).append({ type: 'read', lesson: 'next' }, NOW),
        );
        const wanted = [...kept, next];
        acknowledged += wanted.length;
        lost.push(...missing(wanted, linesIn(home)).map((line) => `${what}: ${line}`));
      };
      for (let at = 0; at <= whole.length; at += 1) {
        const cut = whole.subarray(0, at);
        const text = cut.toString('latin1');
        expectKept(cut, made.slice(0, text.split('\n').length - 1), `cut at byte ${at}`);
      }
      for (let at = 0; at < whole.length; at += 1) {
        const hurt = Buffer.from(whole);
        hurt[at] = 0;
        const line = whole.subarray(0, at).toString('latin1').split('\n').length - 1;
        const kept =
          whole[at] === 0x0a ? made.toSpliced(line, 1) : made.filter((_, index) => index !== line);
        expectKept(hurt, kept, `byte ${at} zeroed`);
      }
      return { tried: `${2 * whole.length + 1} files`, acknowledged, lost };
    }),
};
