import stringWidth from 'string-width';

const CROSSINGS: Readonly<Record<string, string>> = { '│': '┼', '╎': '┼', '─': '┼', '╌': '┼' };
const VERTICAL = '│╎';
const HORIZONTAL = '─╌';

/** A sheet of characters that grows as it is written on. */
export class Canvas {
  readonly #rows: string[][] = [];

  /** One line of text from (`x`, `y`) on. A character that is two columns wide takes two cells. */
  write(x: number, y: number, text: string): void {
    let column = x;
    for (const { segment } of new Intl.Segmenter().segment(text)) {
      const row = this.#row(y);
      row[column] = segment;
      for (let extra = 1; extra < stringWidth(segment); extra += 1) row[column + extra] = '';
      column += Math.max(1, stringWidth(segment));
    }
  }

  /** A stroke of a line; where it meets one of the other direction they cross. */
  stroke(x: number, y: number, character: string): void {
    const there = this.#row(y)[x] ?? ' ';
    const crosses =
      (VERTICAL.includes(there) && HORIZONTAL.includes(character)) ||
      (HORIZONTAL.includes(there) && VERTICAL.includes(character));
    this.#row(y)[x] = crosses ? (CROSSINGS[there] ?? character) : character;
  }

  lines(): string[] {
    return Array.from(this.#rows, (row) =>
      Array.from(row ?? [], (cell) => cell ?? ' ')
        .join('')
        .trimEnd(),
    );
  }

  #row(y: number): string[] {
    return (this.#rows[y] ??= []);
  }
}
