/** What came of a question. */
export type Reply<Answer> =
  | { readonly kind: 'given'; readonly answer: Answer }
  /** "I don't know": an answer like any other. */
  | { readonly kind: 'unknown' }
  | { readonly kind: Wish };

/** What someone may want instead of answering. */
export type Wish =
  /** No more questions, please. */
  | 'stop'
  /** Take back the last grade. */
  | 'undo'
  /** Never ask this again. */
  | 'suspend';

/** Asks a person. All texts are ready to be printed. */
export interface Asker {
  /** What ends the sitting. */
  readonly stopKey: string;
  /** How the last grade is taken back, and a card suspended, in words. */
  readonly wishesHelp: string;
  /** How `lines` are ended, in words. */
  readonly linesHelp: string;
  /** One of `options`: its index. Without `mayPass` there is no “I don't know”. */
  one(question: string, options: readonly string[], mayPass?: boolean): Promise<Reply<number>>;
  /** One or more of `options`: their indexes. */
  several(question: string, options: readonly string[]): Promise<Reply<readonly number[]>>;
  /** Something typed. `read` says what it means, or else, as a string, what to type instead. */
  typed<Answer>(question: string, read: Read<Answer>): Promise<Reply<Answer>>;
  /**
   * Something of any length, ended by an empty line. Each line goes to `keep` as soon as it stands, also the
   * half one on which someone stops.
   */
  lines(keep: (line: string) => void): Promise<'given' | 'unknown' | 'stop'>;
  /** Leaves time to read. */
  pause(): Promise<'given' | Wish>;
  /** To be called once at the end, so that the process need not wait for more input. */
  close(): void;
}

/** What is typed for a wish where an answer is typed. */
export function readWish(typed: string): Wish | undefined {
  return wishes.get(typed.trim().toLowerCase());
}

const wishes = new Map<string, Wish>([
  ['q', 'stop'],
  ['u', 'undo'],
  ['s', 'suspend'],
]);

export type Read<Answer> = (typed: string) => { readonly answer: Answer } | string;

/** Reads different numbers from 1 to `count`, as in "2 1 3", "2,1,3" or "213"; undefined for anything else. */
export function readIndexes(typed: string, count: number): number[] | undefined {
  if (!/^[\d\s,;]+$/.test(typed)) return undefined;
  const bare = typed.trim();
  const isRun = count < 10 && /^\d+$/.test(bare);
  const indexes = (isRun ? Array.from(bare) : bare.split(/[\s,;]+/)).map(
    (part) => Number(part) - 1,
  );
  const areDifferent = new Set(indexes).size === indexes.length;
  return areDifferent && indexes.every((index) => index >= 0 && index < count)
    ? indexes
    : undefined;
}

/** `texts` as a numbered list; the lines of each stand under each other. */
export function numbered(texts: readonly string[]): string {
  return texts.map((text, index) => `  ${index + 1}. ${hang(text, 5)}`).join('\n');
}

/** How much narrower than the screen the text of any list has to be: a pointer, a mark and a number. */
export const listIndent = 6;

/** `text` with all lines but its first moved to the right. */
export function hang(text: string, indent: number): string {
  return text.replaceAll('\n', `\n${' '.repeat(indent)}`);
}
