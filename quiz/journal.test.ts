import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Disk, realDisk } from './disk.ts';
import { grades, type NewEntry } from './entry.ts';
import { openJournal, readJournal } from './journal.ts';
import { KitError } from './problem.ts';
import { blank } from './schedule.ts';

let home: string;
let file: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'half-open-'));
  file = join(home, 'journal.jsonl');
});

afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

const noon = new Date('2026-11-22T12:00:00Z');
const good: NewEntry = { type: 'review', item: 'card:a/one', grade: 'good' };

const line = (id: string, at = '2026-11-22T12:00:00.000Z') =>
  JSON.stringify({ v: 1, id, at, type: 'review', item: `card:a/${id}`, grade: 'good' });

const idsOf = ({ entries }: { entries: readonly { id: string }[] }) => entries.map(({ id }) => id);

describe('openJournal', () => {
  it('makes the folder, and keeps entries of every kind', () => {
    const deep = join(home, 'not', 'yet');
    const journal = openJournal(deep);
    const appended = [
      journal.append(good, noon),
      journal.append({ type: 'read', lesson: 'circuit-breaker' }, noon),
      journal.append({ type: 'progress', kata: 'circuit-breaker', passed: 2, of: 7 }, noon),
      journal.append({ type: 'peek', kata: 'circuit-breaker' }, noon),
    ];
    expect(journal.progress).toMatchObject({ entries: appended.slice(1) });
    expect(readJournal(deep)).toEqual({ entries: appended, problems: [] });
  });

  it('writes one line for each entry and leaves nothing else behind', () => {
    const journal = openJournal(home);
    journal.append(good, noon);
    journal.append(good, noon);
    expect(readFileSync(file, 'utf8')).toMatch(/^\{.*\}\n\{.*\}\n$/);
    expect(readdirSync(home)).toEqual(['journal.jsonl']);
  });

  it('never touches what is there, not even damaged lines', () => {
    const before = `${line('a')}\nrubbish\n{"v":2}\n\u0000\n`;
    writeFileSync(file, before);
    openJournal(home).append(good, noon);
    expect(readFileSync(file, 'utf8').startsWith(before)).toBe(true);
  });

  it('starts on a fresh line after a torn one', () => {
    writeFileSync(file, `${line('a')}\n${line('b').slice(0, 30)}`);
    const added = openJournal(home).append(good, noon);
    expect(idsOf(readJournal(home))).toEqual(['a', added.id]);
  });

  it('puts an entry where its time says, should the clock have been set back', () => {
    writeFileSync(file, `${line('late', '2026-11-23T12:00:00.000Z')}\n`);
    const journal = openJournal(home);
    const early = journal.append(good, noon);
    expect(idsOf(readJournal(home))).toEqual([early.id, 'late']);
    expect(journal.progress.recall.traces.get('card:a/late')).toMatchObject({ reviews: 1 });
  });
});

describe('openJournal refuses before the first question', () => {
  const refusal = (at: string, disk?: Disk) => {
    try {
      openJournal(at, { ...(disk && { disk }) });
    } catch (error) {
      if (error instanceof KitError) return error.message;
      throw error;
    }
    return 'no refusal';
  };

  it('when a file stands in the way of its folder', () => {
    const inTheWay = join(home, 'taken');
    writeFileSync(inTheWay, '');
    expect(refusal(inTheWay)).toContain(`Cannot write ${join(inTheWay, 'journal.jsonl')}: a file`);
    expect(refusal(join(inTheWay, 'deeper'))).toContain('set HALF_OPEN_HOME to another folder');
  });

  it('when a folder stands in place of the journal', () => {
    mkdirSync(file);
    expect(refusal(home)).toContain(`Cannot write ${file}`);
  });

  it.each([
    ['ENOSPC', 'the disk is full. Make some room'],
    ['EROFS', 'it may not be written to. Change its permissions, or set HALF_OPEN_HOME'],
    ['EACCES', 'it may not be written to. Change its permissions, or set HALF_OPEN_HOME'],
    ['EIO', 'the disk is on fire. See to it'],
  ])('on %s, and says what to do', (code, message) => {
    const tryOut = () => {
      throw Object.assign(new Error('the disk is on fire'), { code });
    };
    expect(refusal(home, { ...realDisk, tryOut })).toContain(`Cannot write ${file}: ${message}`);
  });
});

describe('an entry that cannot be kept', () => {
  const fullDisk: Disk = { ...realDisk, append: (_, text) => realDisk.append('/dev/full', text) };

  it.runIf(process.platform === 'linux')('is an error that says so, and does not count', () => {
    const journal = openJournal(home, { disk: fullDisk });
    expect(() => journal.append(good, noon)).toThrow(
      new KitError(`Cannot write ${file}: the disk is full. Make some room, then try again.`),
    );
    expect(journal.progress.recall).toEqual(blank);
  });

  it('is nobody’s fault but ours when it is no error of the disk', () => {
    const append = () => {
      throw new TypeError('a bug');
    };
    const journal = openJournal(home, { disk: { ...realDisk, append } });
    expect(() => journal.append(good, noon)).toThrow(new TypeError('a bug'));
  });
});

describe('readJournal', () => {
  it('finds nothing where no journal is', () => {
    expect(readJournal(join(home, 'nowhere'))).toEqual({ entries: [], problems: [] });
  });

  it('says so when the journal cannot be read, and goes on', () => {
    mkdirSync(file);
    const { entries, problems } = readJournal(home);
    expect(entries).toEqual([]);
    expect(problems).toMatchObject([{ file, message: expect.stringContaining('cannot be read') }]);
  });

  it.each([
    ['rubbish', Buffer.from('{"v":1,'), 'not JSON'],
    ['a number', Buffer.from('42'), 'not an entry'],
    ['a line of another version', Buffer.from('{"v":2,"id":"x"}'), 'Another version'],
    ['an unknown type', Buffer.from(line('x').replace('review', 'dream')), 'not a known entry'],
    ['an unknown grade', Buffer.from(line('x').replace('"good"', '"great"')), 'not a known entry'],
    ['an impossible time', Buffer.from(line('x', 'yesterday')), 'not a known entry'],
    ['what is not UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'not UTF-8'],
    ['zeros after a power failure', Buffer.alloc(40), 'not JSON'],
  ])('gives up only the one line that holds %s', (_, damage, reason) => {
    writeFileSync(file, `${line('a')}\n`);
    appendFileSync(file, damage);
    appendFileSync(file, `\n${line('b')}\n`);
    const history = readJournal(home);
    expect(idsOf(history)).toEqual(['a', 'b']);
    expect(history.problems).toMatchObject([
      { file, line: 2, message: expect.stringContaining(reason) },
    ]);
  });

  it('takes empty lines, Windows line ends and a byte order mark for what they are', () => {
    writeFileSync(file, `\uFEFF${line('a')}\r\n\r\n\n${line('b')}\r\n`);
    const history = readJournal(home);
    expect(idsOf(history)).toEqual(['a', 'b']);
    expect(history.problems).toEqual([]);
  });

  it('takes a last line that lacks nothing but its end', () => {
    writeFileSync(file, `${line('a')}\n${line('b')}`);
    expect(idsOf(readJournal(home))).toEqual(['a', 'b']);
  });

  it.each([
    ['two entries', `${line('a')}${line('b')}`, []],
    ['two entries with a byte order mark between', `${line('a')}\uFEFF${line('b')}`, []],
    ['a torn entry and a whole one', `${line('x').slice(0, 50)}${line('a')}\n${line('b')}`, [1]],
    ['zeros and an entry', `${line('a')}\n\0\0\0${line('b')}`, [2]],
    ['half a character and an entry', `{"v":1,"id":"\uFFFF\n${line('a')}\n${line('b')}`, [1]],
  ])('finds %s that share a line', (_, text, damaged) => {
    writeFileSync(file, text);
    const history = readJournal(home);
    expect(idsOf(history)).toEqual(['a', 'b']);
    expect(history.problems.map((problem) => problem.line)).toEqual(damaged);
  });

  it('does not let a clock that was wrong once have the last word for years', () => {
    const at = (day: number) => `2026-11-${day}T10:00:00Z`;
    const lines = [line('a', at(20)), line('b', '2036-11-21T10:00:00Z'), line('c', at(22))];
    writeFileSync(file, lines.join('\n'));
    const { entries, problems } = readJournal(home, noon);
    expect(entries.map((entry) => [entry.id, entry.at])).toEqual([
      ['a', at(20)],
      ['b', at(20)],
      ['c', at(22)],
    ]);
    expect(problems).toEqual([]);
    writeFileSync(file, line('b', '2036-11-21T10:00:00Z'));
    expect(readJournal(home, noon).entries[0]?.at).toBe(noon.toISOString());
  });

  it('reads two machines’ journals, one after the other, as one history', () => {
    const here = [line('a', '2026-11-01T10:00:00Z'), line('c', '2026-11-03T10:00:00Z')];
    const there = [line('a', '2026-11-01T10:00:00Z'), line('b', '2026-11-02T10:00:00Z')];
    writeFileSync(file, `${[...here, ...there].join('\n')}\n`);
    expect(idsOf(readJournal(home)), 'each once, oldest first').toEqual(['a', 'b', 'c']);
  });

  it('loses at most the last entry wherever the file was cut, and the next one is kept', () => {
    const entries = fc.array(
      fc.record({
        item: fc.string({ minLength: 1, unit: 'grapheme' }),
        grade: fc.constantFrom(...grades),
      }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(entries, fc.nat(), (made, place) => {
        writeFileSync(file, '');
        const journal = openJournal(home, { disk: { ...realDisk, tryOut: () => {} } });
        const ids = made.map(({ item, grade }) => {
          return journal.append({ type: 'review', item, grade }, noon).id;
        });
        const whole = readFileSync(file);
        const cut = whole.subarray(0, place % (whole.length + 1));
        const wholeLines = cut.filter((byte) => byte === 0x0a).length;
        writeFileSync(file, cut);

        const left = idsOf(readJournal(home));
        expect(left).toEqual(ids.slice(0, left.length));
        expect(left.length).toBeGreaterThanOrEqual(wholeLines);
        const next = openJournal(home, { disk: { ...realDisk, tryOut: () => {} } }).append(
          good,
          noon,
        );
        expect(idsOf(readJournal(home))).toEqual([...left, next.id]);
      }),
      { seed: 1, numRuns: 60 },
    );
  });
});

describe('two processes', () => {
  it('may append at once: no entry of either is lost', async () => {
    const writer = join(home, 'writer.mts');
    writeFileSync(
      writer,
      `import { openJournal } from ${JSON.stringify(resolve(import.meta.dirname, 'journal.ts'))};
       const [home, name] = process.argv.slice(2);
       const journal = openJournal(home);
       for (let entry = 0; entry < 200; entry += 1) {
         journal.append({ type: 'review', item: name + entry, grade: 'good' }, new Date());
       }`,
    );
    const exits = ['one-', 'two-'].map(async (name) => {
      const args = ['--import', 'tsx', writer, home, name];
      const child = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: 'inherit' });
      const [code]: unknown[] = await once(child, 'exit');
      return code;
    });
    expect(await Promise.all(exits)).toEqual([0, 0]);

    const { entries, problems } = readJournal(home);
    expect(problems).toEqual([]);
    const items = entries.map((entry) => (entry.type === 'review' ? entry.item : ''));
    const numbers = Array.from({ length: 200 }, (_, entry) => entry);
    expect(items.toSorted()).toEqual(
      ['one-', 'two-'].flatMap((name) => numbers.map((entry) => name + entry)).toSorted(),
    );
  }, 30_000);
});
