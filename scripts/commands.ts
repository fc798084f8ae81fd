import type { Command } from './command.ts';

/** Every command but the home screen, in the order of `--help`; each is loaded only when it is wanted. */
export const commands = {
  learn: async () => (await import('./learn.ts')).learnCommand,
  kata: async () => (await import('./kata.ts')).kataCommand,
  see: async () => (await import('./see.ts')).seeCommand,
  quiz: async () => (await import('./quiz.ts')).quizCommand,
  plan: async () => (await import('./plan.ts')).planCommand,
  interview: async () => (await import('./interview.ts')).interviewCommand,
  stats: async () => (await import('./stats.ts')).statsCommand,
  export: async () => (await import('./export.ts')).exportCommand,
  reset: async () => (await import('./reset.ts')).resetCommand,
  new: async () => (await import('./new.ts')).newCommand,
  verify: async () => (await import('./verify.ts')).verifyCommand,
} satisfies Readonly<Record<string, () => Promise<Command>>>;
