import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { grades, type NewEntry } from './entry.ts';
import { readJournal } from './journal.ts';
import { type Reading, readCheckpoint } from './progress-cache.ts';
import { memoriesOf, recallOf } from './schedule.ts';

let home: string;
let cache: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'half-open-'));
  cache = join(home, 'progress-cache.json');
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

const ALWAYS = 1;
const NEVER = Infinity;

/** With every order in it: what is a map must be the same map, item by item. */
function told({ recall, ...reading }: Reading) {
  return { ...reading, traces: [...recall.traces], gaps: [...recall.gaps] };
}

const read = (journal: string | Buffer, worth = ALWAYS, now?: Date) =>
  told(readCheckpoint(home, Buffer.from(journal), { worth, now }));

const momentOf = (number: number) =>
  new Date(1_790_000_000_000 + Math.floor(number / 2) * 10_000_000);

/** An id belongs to one moment; a moment may have two. */
const line = (number: number, entry: NewEntry) => {
  const at = momentOf(number).toISOString();
  return JSON.stringify({ v: 1, id: idOf(number), at, ...entry });
};

const items = fc.constantFrom('card:a/one', 'card:a/two', 'kata:quota');
/** Few, so that two journals share some, and some are taken back before they are there. */
const ids = fc.nat(99).map(idOf);
const entries: fc.Arbitrary<NewEntry> = fc.oneof(
  { weight: 6, arbitrary: reviewOf(items) },
  fc.record({ type: fc.constant('undo' as const), of: ids }),
  fc.record({ type: fc.constantFrom('suspend' as const, 'resume', 'gap'), item: items }),
  fc.record({ type: fc.constant('read' as const), lesson: fc.constantFrom('a', 'b') }),
  fc.record({
    type: fc.constant('progress' as const),
    kata: fc.constant('quota'),
    passed: fc.nat(3),
    of: fc.constant(3),
  }),
);
const lines = fc.oneof(
  { weight: 20, arbitrary: fc.tuple(fc.nat(25), entries) },
  fc.constantFrom('', 'rubbish', '{"v":2}'),
);
/**
 * Grows as a journal does: each part is mostly of a later time than those before, and may begin with what was
 * last said already.
 */
const growth = fc
  .array(fc.tuple(fc.array(lines, { maxLength: 6 }), fc.boolean()), { minLength: 2, maxLength: 5 })
  .map((parts) => {
    const texts = parts.map(([own], turn) =>
      own.map((each) => (typeof each === 'string' ? each : line(20 * turn + each[0], each[1]))),
    );
    return texts.map((own, turn) => {
      const copies = parts[turn]?.[1] === true ? (texts[turn - 1]?.slice(-1) ?? []) : [];
      return [...copies, ...own].map((text) => `${text}\n`).join('');
    });
  });

function idOf(number: number): string {
  return `id-${number}`;
}

function reviewOf(of: fc.Arbitrary<string>) {
  return fc.record({
    type: fc.constant('review' as const),
    item: of,
    grade: fc.constantFrom(...grades),
  });
}

describe('what is kept changes no answer', () => {
  it('however the journal grows', () => {
    fc.assert(
      fc.property(growth, fc.nat(), (parts, place) => {
        rmSync(cache, { force: true });
        let journal = '';
        for (const part of parts) {
          const torn = journal + part.slice(0, place % (part.length + 1));
          expect(read(torn)).toEqual(read(torn, NEVER));
          journal += part;
          expect(read(journal)).toEqual(read(journal, NEVER));
        }
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  it('and it is used when entries were only added, in order', () => {
    const journal = Array.from({ length: 9 }, (_, index) =>
      line(2 * index, { type: 'review', item: `card:a/${index % 2}`, grade: 'good' }),
    ).map((text) => `${text}\n`);
    read(journal.slice(0, 5).join(''), ALWAYS);
    const kept = readFileSync(cache, 'utf8');
    // Worth keeping from here on only if everything is read: then it would be written anew.
    const whole = journal.join('');
    read(whole, whole.length);
    expect(readFileSync(cache, 'utf8')).toBe(kept);
    expect(read(whole, whole.length)).toEqual(read(whole, NEVER));
  });

  it('whatever became of the file, or of the journal', () => {
    const changes = fc.record({ place: fc.nat(), byte: fc.nat({ max: 255 }), cut: fc.boolean() });
    fc.assert(
      fc.property(growth, growth, changes, fc.boolean(), (own, others, change, hitsCache) => {
        rmSync(cache, { force: true });
        read(others.join(''));
        const foreign = own.join('');
        expect(read(foreign)).toEqual(read(foreign, NEVER));
        if (!existsSync(cache)) return;
        if (hitsCache) writeFileSync(cache, spoilt(readFileSync(cache), change));
        const now = hitsCache ? Buffer.from(foreign) : spoilt(Buffer.from(foreign), change);
        expect(read(now)).toEqual(read(now, NEVER));
      }),
      { seed: 2, numRuns: 40 },
    );
  });

  it('however the clock is set', () => {
    fc.assert(
      fc.property(growth, fc.array(fc.nat(99), { minLength: 5, maxLength: 5 }), (parts, clock) => {
        rmSync(cache, { force: true });
        let journal = '';
        for (const [turn, part] of parts.entries()) {
          const now = momentOf(clock[turn] ?? 0);
          journal += part;
          expect(read(journal, ALWAYS, now)).toEqual(read(journal, NEVER, now));
        }
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  it('in another time zone', () => {
    const late = line(0, { type: 'review', item: 'card:a/one', grade: 'good' });
    vi.stubEnv('TZ', 'Pacific/Kiritimati');
    const there = read(`${late}\n`);
    vi.stubEnv('TZ', 'Pacific/Pago_Pago');
    expect(read(`${late}\n`)).toEqual(read(`${late}\n`, NEVER));
    expect(read(`${late}\n`)).not.toEqual(there);
  });
});

it('says what all entries say', () => {
  fc.assert(
    fc.property(growth, fc.option(fc.constantFrom(20_710, 20_725)), (parts, interview) => {
      writeFileSync(join(home, 'journal.jsonl'), parts.join(''));
      const { recall, entries: others } = readCheckpoint(home, Buffer.from(parts.join('')), {
        worth: ALWAYS,
      });
      const { entries: all } = readJournal(home);
      expect(memoriesOf(recall, interview ?? undefined)).toEqual(
        memoriesOf(recallOf(all), interview ?? undefined),
      );
      expect(others).toEqual(all.filter(({ type }) => type !== 'review' && type !== 'gap'));
    }),
    { seed: 3 },
  );
});

it('leaves a short journal alone, and nothing but one file beside a long one', () => {
  read('rubbish\n', 1000);
  expect(readdirSync(home)).toEqual([]);
  read('rubbish\n', 8);
  expect(readdirSync(home)).toEqual(['progress-cache.json']);
});

it('is never an error where it cannot be written', () => {
  const file = join(home, 'file');
  mkdirSync(cache);
  writeFileSync(file, '');
  expect(read('rubbish\n')).toEqual(read('rubbish\n', NEVER));
  expect(
    told(readCheckpoint(file, Buffer.from('rubbish\n'), { worth: ALWAYS })).damaged,
  ).toHaveLength(1);
  expect(readdirSync(home).toSorted()).toEqual(['file', 'progress-cache.json']);
});

function spoilt(
  bytes: Buffer,
  { place, byte, cut }: { place: number; byte: number; cut: boolean },
) {
  const at = place % Math.max(1, bytes.length);
  if (cut) return bytes.subarray(0, at);
  const copy = Buffer.from(bytes);
  copy[at] = byte;
  return copy;
}
