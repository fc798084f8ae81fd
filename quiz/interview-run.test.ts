import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Disk, realDisk } from './disk.ts';
import type { Interview } from './interview.ts';
import { runInterview } from './interview-run.ts';
import { newSheet, sheetsIn } from './interview-sheet.ts';
import { openJournal, readJournal } from './journal.ts';
import { lineAsker } from './line-asker.ts';
import { KitError } from './problem.ts';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'half-open-'));
});

afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

const axis = (title: string) => ({ title, levels: { L4: 'little', L5: 'some', L6: 'much' } });

const interview: Interview = {
  slug: 'storm',
  title: 'The storm',
  summary: 'A storm.',
  minutes: 15,
  opening: 'It is 14:30.',
  phases: [
    {
      title: 'Triage',
      minutes: 5,
      question: 'What now?',
      milestones: [
        { title: 'Compares loads', terms: ['load'], probe: 'How much?', items: ['card:a/load'] },
        { title: 'Sheds', terms: ['shed'], probe: 'And then?', items: ['card:a/shed'] },
      ],
      followUps: [],
      curveball: 'It rains.',
    },
    {
      title: 'Redesign',
      minutes: 10,
      question: 'What changes?',
      milestones: [{ title: 'Jitter', terms: ['jitter'], probe: 'When?', items: ['card:a/load'] }],
      followUps: [],
      curveball: undefined,
    },
  ],
  rubric: [axis('Breadth'), axis('Depth')],
  redFlags: ['Restarts everything.'],
};

/** The interview with these lines typed, each a minute after the last; taken up again where one is unfinished. */
async function rehearse(typed: string) {
  let minute = 0;
  const now = () => new Date(Date.UTC(2026, 10, 28, 10, (minute += 0.5)));
  const printed: string[] = [];
  const print = (text: string) => printed.push(text);
  const left = sheetsIn(home).findLast((sheet) => !sheet.rehearsal().hasEnded);
  const sheet = left ?? newSheet(home, interview, now());
  const outcome = await runInterview({
    interview,
    sheet,
    journal: openJournal(home),
    asker: lineAsker(Readable.from([typed]), print),
    print,
    render: async (markdown) => markdown,
    now,
    command: 'npm run interview -- storm',
  }).catch((error: unknown) => error);
  return {
    outcome,
    text: printed.join('\n'),
    transcript: readFileSync(sheet.transcript, 'utf8'),
    rehearsal: sheet.rehearsal(),
  };
}

const gaps = () =>
  readJournal(home).entries.flatMap((entry) => (entry.type === 'gap' ? entry.item : []));

const conversation = 'I look at the load\n\nshed some\n\nan umbrella\n\nfewer tries\n\nno idea\n\n';

describe('a mock interview', () => {
  it('asks for what was left out, and throws something in', async () => {
    const { text } = await rehearse(conversation);
    const order = ['### 1 of 2 · Triage', 'What now?', 'And then?', '**Something new:** It rains.'];
    const places = [...order, '### 2 of 2 · Redesign', 'What changes?', 'When?'].map((part) =>
      text.indexOf(part),
    );
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((one, other) => one - other));
    expect(text).not.toContain('How much?');
  });

  it('shows the rubric only after the attempt, and takes a line as evidence for each score', async () => {
    const { text, rehearsal } = await rehearse(`${conversation}3\n2\n1\n`);
    expect(text.indexOf('- **L5**: some')).toBeGreaterThan(text.indexOf('When?'));
    expect(text).toContain('- said: Compares loads\n- said when asked: Sheds');
    expect(text).toContain('- LEFT OUT: Jitter');
    expect(rehearsal.scores).toEqual([
      { axis: 'Breadth', level: 'L5', evidence: 'shed some' },
      { axis: 'Depth', level: 'below L4' },
    ]);
    expect(rehearsal.hasEnded).toBe(true);
  });

  it('gives no level for which no line speaks', async () => {
    const { rehearsal } = await rehearse(`${conversation}4\n6\n4\n1\n`);
    expect(rehearsal.scores.map(({ level }) => level)).toEqual(['below L4', 'L6']);
  });

  it('makes due what was left out', async () => {
    const { text } = await rehearse(`${conversation}1\n1\n`);
    expect(gaps()).toEqual(['card:a/load']);
    expect(text).toContain('1 card on what you left out will be asked first');
  });

  it('keeps a transcript that can be read without the kit', async () => {
    const { transcript, text } = await rehearse(`${conversation}2\n1\n1\n`);
    expect(transcript).toContain('# Mock interview: The storm');
    expect(transcript).toContain('**Interviewer:** And then?\n\n> shed some');
    expect(transcript).toContain('**Breadth: L4.**\n\n> I look at the load');
    expect(transcript).not.toContain('not finished');
    expect(text).toContain('The transcript: ');
  });

  it('goes on where it was left, in the middle of an answer too', async () => {
    const first = await rehearse('I look at the load\n\nfirst I shed');
    expect(first.text).toContain('To go on (q left it): npm run interview -- storm');
    expect(first.transcript).toContain('> first I shed');
    expect(first.transcript).toContain('It is not finished yet.');

    const second = await rehearse('then I wait\n\nx\n\ny\n\njitter\n\n');
    expect(second.text).toContain('You were saying:\n\n> first I shed');
    expect(second.transcript).toContain('> first I shed\n>\n> then I wait');
    expect(second.text).toContain('### Breadth');

    const third = await rehearse('2\n1\n2\n1\n');
    expect(third.text).not.toContain('Interviewer');
    expect(third.rehearsal).toMatchObject({ hasEnded: true });
    expect(await readdir(join(home, 'interviews'))).toHaveLength(2);
  });

  it('takes ? for an answer, and asks on', async () => {
    const { rehearsal } = await rehearse('?\n?\n');
    expect(rehearsal.turns.map(({ text, lines }) => [text, ...lines])).toEqual([
      ['What now?'],
      ['How much?'],
      ['And then?'],
    ]);
  });

  it('keeps to the clock: what is left of a phase is not asked when its time is up', async () => {
    const lines = Array.from({ length: 12 }, (_, n) => `thought ${n}\n`).join('');
    const { text } = await rehearse(`${lines}\nx\n\n`);
    expect(text).toContain('### 2 of 2 · Redesign · 10 minutes left');
    expect(text).not.toContain('How much?');
  });

  it('says so when a line cannot be kept, and has kept all before it', async () => {
    let room = 4;
    const sheet = newSheet(home, interview, new Date(), {
      ...realDisk,
      append(file, line) {
        room -= 1;
        if (room < 0) throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
        realDisk.append(file, line);
      },
    });
    const outcome = await runInterview({
      interview,
      sheet,
      journal: openJournal(home),
      asker: lineAsker(Readable.from(['one\ntwo\nthree\n\n']), () => {}),
      print: () => {},
      render: async (markdown) => markdown,
      now: () => new Date(),
      command: '',
    }).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(KitError);
    const [kept] = sheetsIn(home);
    expect(kept?.rehearsal().turns.at(-1)?.lines).toEqual(['one', 'two']);
  });
});

it('writes the whole transcript before the record says that it is over', async () => {
  const disk: Disk = {
    ...realDisk,
    append(file, line) {
      if (line.includes('"ended"')) throw Object.assign(new Error('killed'), { code: 'EIO' });
      realDisk.append(file, line);
    },
  };
  const sheet = newSheet(home, interview, new Date(), disk);
  const print = () => {};
  await runInterview({
    interview,
    sheet,
    journal: openJournal(home),
    asker: lineAsker(Readable.from([`${conversation}3\n2\n1\n`]), print),
    print,
    render: async (markdown) => markdown,
    now: () => new Date(),
    command: 'npm run interview -- storm',
  }).catch((error: unknown) => error);
  expect(sheet.rehearsal().hasEnded).toBe(false);
  expect(readFileSync(sheet.transcript, 'utf8')).toContain('## My scores');
  expect(readFileSync(sheet.transcript, 'utf8')).not.toContain('It is not finished yet');
});

describe('sheets', () => {
  it('of one second do not share a file', () => {
    const now = new Date('2026-11-28T10:00:00');
    const names = [newSheet(home, interview, now), newSheet(home, interview, now)].map(
      ({ transcript }) => transcript,
    );
    expect(new Set(names).size).toBe(2);
    expect(sheetsIn(home)).toHaveLength(2);
  });

  it('are read whatever became of their file', () => {
    newSheet(home, interview, new Date()).add({ type: 'line', text: 'shed load' }, new Date());
    const folder = join(home, 'interviews');
    const [name = ''] = readdirSync(folder);
    const file = join(folder, name);
    const [began = '', line = ''] = readFileSync(file, 'utf8').split('\n');
    mkdirSync(join(folder, '0000-a-folder.jsonl'));
    for (const text of [
      `\uFEFF${began}\r\n${line}\r\n`,
      `${began}${line}`,
      `{"ty${began}\n\0${line}`,
    ]) {
      writeFileSync(file, text);
      const [sheet, ...more] = sheetsIn(home);
      expect(more).toEqual([]);
      expect(sheet?.rehearsal()).toMatchObject({ title: interview.title, hasEnded: false });
    }
  });

  it('are none where a file stands in the place of their folder', () => {
    writeFileSync(join(home, 'interviews'), '');
    expect(sheetsIn(home)).toEqual([]);
  });

  it('are none where there were none', () => {
    expect(sheetsIn(join(home, 'nowhere'))).toEqual([]);
  });
});
