import { emitKeypressEvents, type Key } from 'node:readline';

/** The ends of a terminal; in tests, streams that pretend to be one. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & {
    setRawMode?: (raw: boolean) => unknown;
    destroy?: () => unknown;
  };
  readonly output: NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number };
}

/** A terminal of our own: single keys are read, the whole screen is drawn. */
export interface Screen {
  size(): { readonly columns: number; readonly rows: number };
  /** Puts `text` in place of what is shown. While suspended it does nothing. */
  draw(text: string): void;
  /** Leaves the terminal to `work`, with its own keys and its own text, until that ends. */
  suspend<T>(work: () => Promise<T>): Promise<T>;
  /** Gives the terminal back as it was. */
  close(): void;
}

export interface Listeners {
  /** Keys as "h", "ctrl-c", "escape"; "ctrl-d" also when there will be no more keys. */
  readonly onKey: (key: string) => void;
  readonly onResize: () => void;
}

export function openScreen({ input, output }: Terminal, { onKey, onResize }: Listeners): Screen {
  let isOurs = false;
  let isClosed = false;

  const onKeypress = (_text: string | undefined, key: Key) => {
    if (key.name !== undefined) onKey(key.ctrl ? `ctrl-${key.name}` : key.name);
  };

  const onEnd = () => onKey('ctrl-d');

  function enter(): void {
    isOurs = true;
    emitKeypressEvents(input);
    input.on('keypress', onKeypress);
    input.on('end', onEnd);
    output.on('resize', onResize);
    // Also when the process ends in a way nobody foresaw, the terminal must be usable.
    process.on('exit', leave);
    process.on('uncaughtExceptionMonitor', leave);
    input.setRawMode?.(true);
    input.resume();
    output.write(ownScreen);
  }

  function leave(): void {
    if (!isOurs) return;
    isOurs = false;
    input.off('keypress', onKeypress);
    input.off('end', onEnd);
    output.off('resize', onResize);
    process.off('exit', leave);
    process.off('uncaughtExceptionMonitor', leave);
    input.setRawMode?.(false);
    input.pause();
    output.write(formerScreen);
  }

  enter();
  return {
    // Some terminals say 0 when they do not know.
    size: () => ({ columns: Math.min(output.columns || 80, 100), rows: output.rows || 24 }),
    draw(text) {
      if (isOurs) output.write(home + text.split('\n').map(cleared).join('\r\n'));
    },
    async suspend(work) {
      leave();
      try {
        return await work();
      } finally {
        if (!isClosed) enter();
      }
    },
    close() {
      isClosed = true;
      leave();
    },
  };
}

const ownScreen = '\u001B[?1049h\u001B[?25l';
const formerScreen = '\u001B[?25h\u001B[?1049l';
const home = '\u001B[H';
const restOfLine = '\u001B[K';
const restOfScreen = '\u001B[J';

/** Cleared before it is written: after a line that fills its row, some terminals would clear its last column. */
function cleared(line: string, index: number, lines: readonly string[]): string {
  return (index === lines.length - 1 ? restOfScreen : restOfLine) + line;
}
