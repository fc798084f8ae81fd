import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCatalog } from '../content/catalog.ts';
import { copyKit } from '../fixtures/copy-kit.ts';
import { shownPath } from '../content/kit-layout.ts';
import { cachedReader } from '../content/text-reader.ts';
import { checkContent } from './verify-content.ts';
import { topicOf } from './verify-topic.ts';

let root = '';
let remove = async () => {};
beforeEach(async () => {
  ({ root, remove } = await copyKit());
});
afterEach(() => remove());

async function problems(slug?: string): Promise<string[]> {
  const catalog = await loadCatalog(root);
  const checks = await checkContent(catalog, topicOf(catalog, slug), cachedReader());
  return checks.flatMap((check) =>
    check.problems.map(({ file, line, message }) => {
      const path = shownPath(file, root);
      return `${line === undefined ? path : `${path}:${line}`} ${message}`;
    }),
  );
}

async function change(path: string, from: string | RegExp, to: string): Promise<void> {
  const file = join(root, path);
  const text = await readFile(file, 'utf8');
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  await writeFile(file, changed);
}

async function write(path: string, text = ''): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

const LESSON = 'lessons/10-quota.md';
const BRIEF = 'katas/quota/README.md';
const DECK = 'quiz/decks/quota.yaml';
const INTERVIEW = 'quiz/interviews/free-tier.md';
const WALKTHROUGH = 'solutions/quota/README.md';
const SLUG_RULE =
  'a slug is lower-case words joined by hyphens and starts with a letter, such as circuit-breaker';

const cases: [what: string, spoil: () => Promise<void>, expected: unknown[]][] = [
  ['nothing', async () => {}, []],

  [
    'a front matter',
    () => change(LESSON, 'minutes: 3', 'minutes: many'),
    [`${LESSON}:4 front matter: expected \`minutes\` to be a whole number, 1 or more; not "many"`],
  ],
  [
    'an option that speaks of the others',
    () => change(DECK, 'text: It keeps callers in order.', 'text: None of the above.'),
    [expect.stringMatching(/quota\.yaml:\d+ what-holds: options are shuffled/)],
  ],
  [
    'a deck whose right options are too often the longest',
    async () => {
      const cards = Array.from({ length: 12 }, (_, n) =>
        [
          `  - id: guess-${n}`,
          '    kind: choice',
          `    prompt: Guess ${n}`,
          '    options:',
          '      - { text: The one that is right in every respect, right: true }',
          '      - { text: Not this, why: No. }',
          '      - { text: Nor that, why: No. }',
        ].join('\n'),
      );
      await appendFile(join(root, DECK), `\n${cards.join('\n')}\n`);
    },
    [expect.stringMatching(/the right option is the longest in 1\d of 1\d cards/)],
  ],
  [
    'an interview whose phases do not add up',
    () => change(INTERVIEW, '(10 minutes)', '(20 minutes)'),
    [`${INTERVIEW}:4 says 15 minutes, but its phases take 25`],
  ],
  [
    'an interview that asks for a card there is not',
    () => change(INTERVIEW, 'quota/what-refuses', 'quota/what-else'),
    [`${INTERVIEW}:13 Asks for the load: there is no card quota/what-else`],
  ],
  [
    'a term that can never be heard, and one that was cut in two',
    () => change(INTERVIEW, 'quota · limit + user', 'quota · limit + €\n  + user'),
    [
      `${INTERVIEW}:30 Gives each user a quota: a line within a field must not begin with "-", "*" or "+"`,
      `${INTERVIEW}:27 Gives each user a quota: "limit + € + user" has a part without a word, which is never heard`,
    ],
  ],
  [
    'an interviewer who says what they listen for',
    () => change(INTERVIEW, 'whether that is much', 'which rps is much'),
    [`${INTERVIEW}:13 Asks for the load: the interviewer says "rps" before the learner can`],
  ],
  [
    'an interview that lacks a field, a section and a name for a phase',
    async () => {
      await change(INTERVIEW, '- Listens for: quota · limit + user\n', '');
      await change(INTERVIEW, '## Red flags', '## Flags');
      await change(INTERVIEW, '### Breadth', '### Width');
    },
    [
      `${INTERVIEW}:27 Gives each user a quota: it needs a line "- Listens for: …"`,
      `${INTERVIEW}:1 there is no section "## Red flags"`,
      expect.stringContaining('"Flags" is no phase: write "## Title (10 minutes)"'),
      expect.stringContaining('expected "## Rubric" to have "### Breadth"'),
      expect.stringContaining('expected "## Red flags" to list one or more'),
    ],
  ],
  [
    'a lesson that takes longer than it says',
    () =>
      change(
        LESSON,
        '# Quota',
        `# Quota\n\n${'one [more](https://example.org) word '.repeat(300)}`,
      ),
    [expect.stringMatching(/^lessons\/10-quota.md says 3 minutes, but its 9\d\d words take 4: /)],
  ],
  [
    'the lesson of a kata',
    async () => {
      await change(BRIEF, 'lesson: quota', 'lesson: quotas');
      await change(LESSON, '---\n\n', 'kata: none\n---\n\n');
    },
    [`${BRIEF} front matter: there is no lesson "quotas"; name the slug of one in lessons/`],
  ],
  [
    'a lesson that nothing practises',
    async () => {
      await write(
        'lessons/11-alone.md',
        '---\ntitle: A\nsummary: A\nminutes: 1\nupdated: 2026-01-01\n---\n',
      );
    },
    [
      'lessons/11-alone.md the lesson has no deck; `npm run new -- deck alone` begins one',
      'lessons/11-alone.md no kata names this lesson; write one, or say `kata: none` in the front matter',
    ],
  ],
  [
    'a lesson that says it has no kata',
    () => change(LESSON, '---\n\n', 'kata: none\n---\n\n'),
    [
      `${LESSON} the front matter says \`kata: none\`, but a kata names this lesson; take the line out`,
    ],
  ],
  [
    'the number of a lesson',
    async () => {
      await write('lessons/10-zebra.md', await readFile(join(root, LESSON), 'utf8'));
      await change('lessons/10-zebra.md', '---\n\n', 'kata: none\n---\n\n');
      await write('quiz/decks/zebra.yaml', await readFile(join(root, DECK), 'utf8'));
    },
    ['lessons/10-zebra.md 10-quota.md has the number 10 too; choose a free one'],
  ],
  [
    'the slug of a lesson',
    async () => write('lessons/20-quota.md', await readFile(join(root, LESSON), 'utf8')),
    ['lessons/20-quota.md 10-quota.md has the slug "quota" too; choose another'],
  ],
  [
    'a deck without a lesson',
    async () => write('quiz/decks/other.yaml', await readFile(join(root, DECK), 'utf8')),
    ['quiz/decks/other.yaml there is no lesson "other"; a deck has its lesson\'s slug'],
  ],

  [
    'the files of a kata',
    async () => {
      await rm(join(root, 'solutions/quota/another-way.ts'));
      await change(WALKTHROUGH, '[Another way](./another-way.ts)', 'Another way');
    },
    ['solutions/quota/another-way.ts it is missing: a second sound answer, of another shape'],
  ],
  [
    'a solution without a kata',
    () => write('solutions/old/old.ts'),
    ['katas/old/README.md solutions/old has no kata; write katas/old, or remove it'],
  ],
  [
    'a kata without a brief',
    () => write('katas/new/new.ts'),
    [
      'katas/new/README.md the brief is missing: every kata has a README.md',
      'katas/new/new.test.ts the spec is missing',
      'solutions/new/new.ts the solution is missing',
      'solutions/new/another-way.ts it is missing: a second sound answer, of another shape',
      'solutions/new/README.md the walkthrough is missing',
    ],
  ],
  [
    'strays',
    async () => {
      await write('lessons/quota.md');
      await write('katas/utils.ts');
      await write('katas/Two_Words/a.ts');
      await write('katas/quota/notes.md');
      await write('solutions/quota/old/quota.ts');
      await write('quiz/decks/quota.yml');
      await write('quiz/interviews/notes.txt');
      await write('katas/.DS_Store');
    },
    [
      `lessons/quota.md does not belong here: lessons/ holds NN-slug.md, and pictures/ of the experiments; ${SLUG_RULE}`,
      `katas/Two_Words does not belong here: katas/ holds a folder per kata, named by its slug; ${SLUG_RULE}`,
      `katas/utils.ts does not belong here: katas/ holds a folder per kata, named by its slug; ${SLUG_RULE}`,
      `quiz/decks/quota.yml does not belong here: quiz/decks/ holds slug.yaml, nothing else; ${SLUG_RULE}`,
      `quiz/interviews/notes.txt does not belong here: quiz/interviews/ holds slug.md, nothing else; ${SLUG_RULE}`,
      'katas/quota/notes.md does not belong here: a kata is README.md, quota.ts, quota.test.ts, experiment.ts; what its spec needs stands in the spec',
      'solutions/quota/old does not belong here: a solution is README.md, quota.ts, another-way.ts; wrong answers go under "## Misconceptions"',
    ],
  ],

  [
    'a link',
    () => appendFile(join(root, LESSON), '\n[a](../katas/quotas/README.md)\n'),
    [
      `${LESSON}:39 the link \`../katas/quotas/README.md\` leads to katas/quotas/README.md, which does not exist`,
    ],
  ],
  [
    'a link of the README',
    () => write('README.md', '# Kit\n\n[a](lessons/10-quota.md#nowhere)\n'),
    [
      `README.md:3 the link \`lessons/10-quota.md#nowhere\` leads to a heading that ${LESSON} does not have`,
    ],
  ],
  [
    'a picture',
    () => change(LESSON, 'Free --> Taken: take', 'Free -> Taken'),
    [expect.stringMatching(`^${LESSON}:16 the picture cannot be drawn in a terminal: `)],
  ],
  [
    'what is left to be written',
    async () => {
      await appendFile(join(root, LESSON), '\nTODO: the rest. `TODO: no` is code.\n');
      await appendFile(join(root, DECK), '# TODO(me): more cards\n');
      await appendFile(join(root, 'katas/quota/quota.test.ts'), '// TODO: more tests\n');
    },
    [
      `${LESSON}:39 left to be written: TODO: the rest. \`TODO: no\` is code.`,
      'katas/quota/quota.test.ts:68 left to be written: TODO: more tests',
      `${DECK}:98 left to be written: TODO(me): more cards`,
    ],
  ],

  [
    'the number of hints',
    () => change(BRIEF, /### 3[^]*/, ''),
    [`${BRIEF} expected 3 hints or more ("### 1 · title" and so on under "## Hints"), not 2`],
  ],
  [
    'hints',
    async () => {
      await change(BRIEF, '### 1 · What', '### What');
      await change(BRIEF, 'What may that number never exceed?', '');
      await change(BRIEF, 'Wait first, and only then', 'Look at\nline 12, and');
    },
    [
      `${BRIEF}:22 expected the hint's heading to be "### 1 · title"`,
      `${BRIEF}:26 the hint is empty; say what to think of next`,
      `${BRIEF}:33 the hint names a line number, which shifts; name the code instead`,
    ],
  ],

  [
    'a card',
    () => change(DECK, 'kind: recall', 'kind: recal'),
    [expect.stringMatching(`^${DECK}:59 name-the-state: `)],
  ],
  [
    'the number of cards',
    () => change(DECK, / {2}- id: who-gives[^]*/, ''),
    [`${DECK} expected 10 cards or more, not 9`],
  ],
  [
    'the section of a card',
    () => change(DECK, 'section: when-to-wait', 'section: when-to-go'),
    [`${DECK}:34 how-many-refused: the lesson has no heading with the anchor \`when-to-go\``],
  ],
  [
    'the title of a deck',
    () => change(DECK, 'title: Quotas', 'title: Quota'),
    [`${DECK}:1 expected \`title\` to be the lesson's, "Quotas"`],
  ],
];

describe('checkContent', () => {
  it.each(cases)('names %s', async (_, spoil, expected) => {
    await spoil();
    expect(await problems()).toEqual(expected);
  });

  it('leaves other topics alone', async () => {
    await write('lessons/12-other.md', '# Other\n');
    await write('README.md', '[a](nowhere.md)\n');
    await write('katas/stray.ts');
    expect(await problems('quota')).toEqual([]);
    expect(await problems('other')).not.toEqual([]);
  });
});
