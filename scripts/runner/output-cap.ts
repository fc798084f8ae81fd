/** What a cap lets through: a line, or news of how many lines it has cut so far. */
export type Printed = { readonly line: string } | { readonly cut: number };

const MOST_LINES = 200;
const MOST_COLUMNS = 500;

/**
 * Takes printed text piece by piece and passes its first 200 lines on, each cut at 500 characters; of the
 * rest it only tells the number, now and then. So a candidate may print without end and cost next to nothing.
 */
export function createOutputCap(emit: (printed: Printed) => void): {
  write(text: string): void;
  /** Passes on what is left: a last line without its end, and the number of lines cut. */
  end(): void;
} {
  let kept = 0;
  let cut = 0;
  let told = 0;
  let line = '';

  const endLine = () => {
    if (kept === MOST_LINES) {
      cut += 1;
      // Doubling keeps the messages few however many lines there are.
      if (cut >= 2 * told) tell();
    } else {
      kept += 1;
      emit({ line });
    }
    line = '';
  };
  const tell = () => {
    told = cut;
    emit({ cut });
  };

  return {
    write(text) {
      let start = 0;
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
        if (kept < MOST_LINES) line = shorten(line + text.slice(start, end));
        endLine();
        start = end + 1;
      }
      if (start < text.length) line = shorten(line + text.slice(start, start + MOST_COLUMNS + 1));
    },
    end() {
      if (line !== '') endLine();
      if (cut > told) tell();
    },
  };
}

function shorten(line: string): string {
  return line.length > MOST_COLUMNS ? `${line.slice(0, MOST_COLUMNS)}…` : line;
}
