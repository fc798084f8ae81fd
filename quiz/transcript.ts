import { count } from './count.ts';
import { howMet, type Interview, type Met, type Turn } from './interview.ts';
import type { Rehearsal } from './interview-record.ts';

/** A mock interview as a page of Markdown that can be read without the kit. */
export function transcript(interview: Interview, rehearsal: Rehearsal): string {
  const { title, began, turns, scores, hasEnded } = rehearsal;
  const state = hasEnded ? '' : ' It is not finished yet.';
  return [
    `# Mock interview: ${title}`,
    `Begun ${began.slice(0, 16).replace('T', ' ')} UTC.${state}`,
    interview.opening,
    ...interview.phases.flatMap((phase) => {
      const said = turns.filter((turn) => turn.phase === phase.title);
      if (said.length === 0) return [];
      return [`## ${phase.title} (${minutesOf(rehearsal, phase.title)})`, ...said.map(asDialogue)];
    }),
    ...(hasEnded ? ['## What was heard', heard(interview, turns)] : []),
    ...(scores.length > 0 ? ['## My scores', ...scores.map(scoreInWords)] : []),
  ]
    .join('\n\n')
    .concat('\n');
}

/** Each milestone, and whether it was said; Markdown. */
export function heard({ phases }: Interview, turns: readonly Turn[]): string {
  return phases
    .map(({ title, milestones }) => {
      const lines = milestones.map((milestone) => {
        return `- ${marks[howMet(milestone, turns)]}: ${milestone.title}`;
      });
      return [`**${title}**`, '', ...lines].join('\n');
    })
    .join('\n\n');
}

const marks: Readonly<Record<Met, string>> = {
  unasked: 'said',
  'when asked': 'said when asked',
  'left out': 'LEFT OUT',
};

function asDialogue({ text, lines, isGiven }: Turn): string {
  const answer = lines.length > 0 ? lines : [isGiven ? '(no answer)' : '(not answered yet)'];
  return `**Interviewer:** ${text}\n\n${answer.map((line) => `> ${line}`).join('\n>\n')}`;
}

function scoreInWords({ axis, level, evidence }: Rehearsal['scores'][number]): string {
  return `**${axis}: ${level}.**${evidence === undefined ? '' : `\n\n> ${evidence}`}`;
}

function minutesOf({ spentMs }: Rehearsal, phase: string): string {
  return count(Math.round((spentMs.get(phase) ?? 0) / 60_000), 'minute');
}
