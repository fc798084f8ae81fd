import type { SpecChild } from './spec-child.ts';
import { plainText } from './plain-text.ts';
import { exited, outOfMemory, processGone, timedOut } from './spec-endings.ts';
import type { Candidate, ChildNote, ThreadEnd } from './spec-notes.ts';
import type { Outcome, Output } from './verdict.ts';

interface SpecRun {
  readonly outcome: Outcome;
  readonly output: Output;
  /** The process is gone, or has to go: it may still be busy with the candidate. */
  readonly isChildSpent: boolean;
}

/** Has one candidate run in a child process. Resolves within the time limit, whatever becomes of the process. */
export function runOnce(
  child: SpecChild,
  candidate: Candidate,
  timeoutMs: number,
): Promise<SpecRun> {
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    let cut = 0;
    let during: string | undefined;
    let call: string | undefined;

    const deadline = setTimeout(() => cutOff(timedOut(timeoutMs, { during, call })), timeoutMs);
    const finish = (outcome: Outcome, isChildSpent: boolean) => {
      clearTimeout(deadline);
      resolve({ outcome, output: { lines, cut }, isChildSpent });
    };
    const cutOff = (outcome: Outcome) => finish(outcome, true);

    const hear = (note: ChildNote) => {
      switch (note.note) {
        case 'test-started':
          during = note.test;
          break;
        case 'printed':
          if ('line' in note.printed) lines.push(plainText(note.printed.line));
          else ({ cut } = note.printed);
          break;
        case 'exited':
          ({ call } = note);
          break;
        case 'memory-full':
          cutOff(outOfMemory({ during, call }));
          break;
        case 'crashed':
          clearTimeout(deadline);
          reject(new Error(`The spec runner failed.\n${note.stack}`));
          break;
        case 'ended':
          finish(outcomeOf(note.outcome), false);
          break;
        case 'ready':
          break;
      }
    };
    const outcomeOf = (end: Outcome | ThreadEnd): Outcome => {
      if (end.kind !== 'thread-end') return end;
      return end.reason === 'exited' ? exited({ during, call }) : outOfMemory({ during, call });
    };

    void child.ended.then((end) => cutOff(processGone(end, { during, call })));
    child.run(candidate, hear);
  });
}
