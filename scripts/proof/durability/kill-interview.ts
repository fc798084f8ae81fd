import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sheetsIn } from '../../../quiz/interview-sheet.ts';
import { repository } from '../../fixtures/copy-kit.ts';
import { liveAndDie } from './child.ts';
import { inFolder } from './in-folder.ts';
import { killOften } from './kills.ts';
import { missing, type Trial } from './trial.ts';

const LINES_AN_ANSWER = 3;

/** More than any interview asks for. */
const said = Array.from({ length: 40 * LINES_AN_ANSWER }, (_, index) => `I say ${index} ☂`);

export const interviewTrial: Trial = {
  name: 'interview',
  title: 'a mock interview killed while it takes answers',
  run: (effort) =>
    killOften(effort, 'interview', (killAfterMs) =>
      inFolder(async (home) => {
        const args = [join(repository, 'scripts/study.ts'), 'interview', 'retry-storm'];
        const life = await liveAndDie(args, {
          cwd: repository,
          env: { HALF_OPEN_HOME: home, HALF_OPEN_ROOT: repository },
          input: said.map((line, index) => line + (isLast(index) ? '\n\n' : '\n')).join(''),
          ready: ' left, until ',
          killAfterMs,
        });
        // Each question but the last stands there because all lines before it were kept.
        const questions = life.shown.split(' left, until ').length - 1;
        const acknowledged = said.slice(0, Math.max(0, questions - 1) * LINES_AN_ANSWER);
        const [sheet] = sheetsIn(home);
        const kept = sheet?.rehearsal().turns.flatMap(({ lines }) => lines) ?? [];
        const page =
          sheet && existsSync(sheet.transcript) && readFileSync(sheet.transcript, 'utf8');
        const isTorn = typeof page === 'string' && !(page.startsWith('# ') && page.endsWith('\n'));
        return {
          wasKilled: life.wasKilled,
          readyMs: life.readyMs,
          acknowledged: acknowledged.length,
          lost: [...missing(acknowledged, kept), ...(isTorn ? ['the transcript is torn'] : [])],
        };
      }),
    ),
};

function isLast(index: number): boolean {
  return index % LINES_AN_ANSWER === LINES_AN_ANSWER - 1;
}
