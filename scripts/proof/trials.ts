import { clocksTrial } from './durability/clocks.ts';
import { cutTrial } from './durability/cut.ts';
import { fullTrial } from './durability/full-disk.ts';
import { interviewTrial } from './durability/kill-interview.ts';
import { loopTrial } from './durability/kill-loop.ts';
import { quizTrial } from './durability/kill-quiz.ts';
import type { Trial } from './durability/trial.ts';
import { writersTrial } from './durability/writers.ts';

/** All ways to lose something that are tried. */
export const trials: readonly Trial[] = [
  quizTrial,
  loopTrial,
  interviewTrial,
  cutTrial,
  writersTrial,
  clocksTrial,
  fullTrial,
];
