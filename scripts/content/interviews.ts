import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Axis, type Interview, type Milestone, type Phase } from '../../quiz/interview.ts';
import { cardItem } from '../../quiz/item.ts';
import type { Level } from '../../quiz/level.ts';
import type { Problem } from '../../quiz/problem.ts';
import { fieldReader } from './fields.ts';
import { readFrontmatter } from './frontmatter.ts';
import { entriesOf } from './kit-folders.ts';
import { folders, parseInterviewName } from './kit-layout.ts';
import { type Section, sectionsOf } from './markdown-parts.ts';

export interface InterviewFile {
  readonly slug: string;
  readonly file: string;
}

/** The mock interviews there are, by name. */
export async function interviewFiles(root: string): Promise<InterviewFile[]> {
  const folder = folders(root).interviews;
  return (await entriesOf(folder)).flatMap(({ name }) => {
    const slug = parseInterviewName(name);
    return slug === undefined ? [] : [{ slug, file: join(folder, name) }];
  });
}

export async function readInterview({ file }: InterviewFile) {
  return parseInterview(await readFile(file, 'utf8'), file);
}

/** Reads a mock interview. What is missing or cannot be read is a problem; the rest is there all the same. */
export function parseInterview(
  text: string,
  file: string,
): { interview: Interview; problems: Problem[] } {
  const front = readFrontmatter(text, file);
  const { body, bodyLine } = front;
  const read = fieldReader(front, file);
  const slug = parseInterviewName(basename(file)) ?? basename(file);
  const sections = sectionsOf(body, 2, bodyLine);
  const problems: Problem[] = [];
  const report: Report = (line, message) => problems.push({ file, line, message });

  const phases = sections.flatMap((section) => {
    const [, title, minutes] = PHASE.exec(section.title) ?? [];
    return title === undefined ? [] : [parsePhase(section, title, Number(minutes), report)];
  });
  const closing = (title: string) => {
    const section = sections.find((each) => each.title === title);
    if (section === undefined) report(1, `there is no section "## ${title}"`);
    return section;
  };
  const interview: Interview = {
    slug,
    title: read.text('title', slug),
    summary: read.text('summary', ''),
    minutes: read.count('minutes', 45),
    opening: beforeHeading(body),
    phases,
    rubric: parseRubric(closing('Rubric'), report),
    redFlags: bulletsOf(closing('Red flags')?.body ?? ''),
  };
  for (const { title, line } of sections) {
    if (PHASE.test(title) || CLOSING.has(title)) continue;
    report(
      line,
      `"${title}" is no phase: write "## Title (10 minutes)", or ${[...CLOSING].join(', ')}`,
    );
  }
  const total = phases.reduce((sum, { minutes }) => sum + minutes, 0);
  if (total !== interview.minutes) {
    report(
      front.lineOf('minutes'),
      `says ${interview.minutes} minutes, but its phases take ${total}`,
    );
  }
  if (interview.opening === '')
    report(bodyLine, 'the interviewer says nothing before the first phase');
  return { interview, problems: [...read.problems(), ...problems] };
}

type Report = (line: number, message: string) => void;

const PHASE = /^(.+) \((\d+) minutes\)$/;
const CLOSING = new Set(['Rubric', 'Red flags', 'Sources']);

function parsePhase(
  { body, line }: Section,
  title: string,
  minutes: number,
  report: Report,
): Phase {
  const parts = sectionsOf(body, 3, line + 1);
  const textsOf = (kind: string) =>
    parts.filter((part) => part.title === kind).map((part) => part.body.trim());
  const question = beforeHeading(body);
  const curveballs = textsOf('Curveball');
  const milestones = parts
    .filter((part) => part.title !== 'Follow-up' && part.title !== 'Curveball')
    .map((part) => parseMilestone(part, report));
  if (question === '') report(line, `${title}: what does the interviewer ask at its start?`);
  if (milestones.length === 0) report(line, `${title}: it has no milestone ("### What is said")`);
  if (curveballs.length > 1) report(line, `${title}: one curveball is enough`);
  return {
    title,
    minutes,
    question,
    milestones,
    followUps: textsOf('Follow-up'),
    curveball: curveballs[0],
  };
}

function parseMilestone({ title, body, line }: Section, report: Report): Milestone {
  const field = (name: string) => fieldOf({ title, body, line }, name, report);
  const nested = body.split('\n').findIndex((each) => /^ +[-*+] /.test(each));
  if (nested !== -1) {
    report(
      line + 1 + nested,
      `${title}: a line within a field must not begin with "-", "*" or "+"`,
    );
  }
  return {
    title,
    terms: listed(field('Listens for')),
    probe: field('If left out'),
    items: listed(field('Cards')).map((card) => cardItem(card.replaceAll('`', ''))),
  };
}

function parseRubric(section: Section | undefined, report: Report): Axis[] {
  if (section === undefined) return [];
  return sectionsOf(section.body, 3, section.line + 1).map((axis) => {
    const shows = (level: Level) => fieldOf(axis, level, report);
    return { title: axis.title, levels: { L4: shows('L4'), L5: shows('L5'), L6: shows('L6') } };
  });
}

/** What a bullet "- name: …" says; empty, and a problem, when there is none. */
function fieldOf({ title, body, line }: Section, name: string, report: Report): string {
  const start = `${name}: `;
  const bullet = bulletsOf(body).find((each) => each.startsWith(start));
  if (bullet === undefined) report(line, `${title}: it needs a line "- ${name}: …"`);
  return bullet?.slice(start.length).trim() ?? '';
}

/** "one · two" */
function listed(text: string): string[] {
  return text.split('·').flatMap((part) => part.trim() || []);
}

/** The text of each bullet, without its line breaks. */
function bulletsOf(body: string): string[] {
  return [...body.matchAll(/^- (.*(?:\n {2,}\S.*)*)/gm)].map(([, text = '']) =>
    text.replaceAll(/\s*\n\s*/g, ' '),
  );
}

/** What stands before the first heading. */
function beforeHeading(body: string): string {
  return (body.split(/^#{2,} /m)[0] ?? '').trim();
}
