/** Something wrong in a file that a person can mend. */
export interface Problem {
  readonly file: string;
  /** 1-based; absent when the whole file is meant. */
  readonly line?: number;
  readonly message: string;
}

/**
 * An error that the user can mend: its message says what is wrong, where, and what to do. Anything else
 * that is thrown is a bug, and is shown with its stack.
 */
export class KitError extends Error {
  override readonly name = 'KitError';
  /** 1: a check failed or cannot be made; 2: the command was used wrongly. */
  readonly exitCode: 1 | 2;

  constructor(message: string, options: ErrorOptions & { readonly exitCode?: 1 | 2 } = {}) {
    super(message, options);
    this.exitCode = options.exitCode ?? 1;
  }
}
