import type { Printed } from './output-cap.ts';
import type { Sight } from '../see/picture.ts';
import type { Outcome } from './verdict.ts';

/**
 * What the thread of a spec tells while it runs, each the moment it happens: should the thread never come
 * back, this is all that is known.
 */
export type SpecNote =
  | { readonly note: 'test-started'; readonly test: string }
  | { readonly note: 'printed'; readonly printed: Printed }
  /** The candidate called one of the functions that end its process. */
  | { readonly note: 'exited'; readonly call: string };

/** What the child process tells the runner. */
export type ChildNote =
  | SpecNote
  | { readonly note: 'ready' }
  | { readonly note: 'ended'; readonly outcome: Outcome | ThreadEnd }
  | { readonly note: 'memory-full' }
  /** A bug of ours. */
  | { readonly note: 'crashed'; readonly stack: string };

/** The thread of a spec ended before the spec did. */
export interface ThreadEnd {
  readonly kind: 'thread-end';
  readonly reason: 'exited' | 'out-of-memory';
}

export interface Candidate {
  readonly slug: string;
  /** Absent: the learner's file. */
  readonly code?: string;
  /** Run the kata's experiment instead of its spec, and so look at it. */
  readonly sight?: Sight;
}

export function isSpecNote(message: unknown): message is SpecNote {
  return typeof message === 'object' && message !== null && 'note' in message;
}
