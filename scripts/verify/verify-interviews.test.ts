import { expect, it } from 'vitest';
import { checkInterview } from './verify-interviews.ts';

const body = [
  '---',
  'title: One',
  '---',
  '## Design (10 minutes)',
  'How?',
  '###   Says it   ##',
  '- Listens for: it',
  '- If left out: What is missing?',
  '- Cards: no/such-card',
];

it.each(['\n', '\r\n'])('names the line of a milestone however its heading is written', (eol) => {
  const checks = checkInterview(body.join(eol), 'one.md', new Set());
  const about = checks
    .flatMap(({ problems }) => problems)
    .filter(({ message }) => message.startsWith('Says it'));
  expect(about).toEqual([
    { file: 'one.md', line: 6, message: 'Says it: there is no card no/such-card' },
  ]);
});
