/**
 * True when a text has one of `terms` in it. A term is the beginning of a word, or of some in a row ("idempot",
 * "dead letter"), whatever the case; "compens + order" wants both of them, anywhere. A number is only itself, however
 * it is written: "12,000" is "12000", "3 x 3" is "3 × 3". It listens for words, not for sense: the learner judges that.
 */
export function mentions(text: string, terms: readonly string[]): boolean {
  const heard = ` ${normal(text)} `;
  return terms.some((term) => partsOf(term).every((part) => isIn(heard, part)));
}

/** What a term wants, each as it is listened for; an empty one is never heard. */
export function partsOf(term: string): string[] {
  return term.split('+').map(normal);
}

function isIn(heard: string, part: string): boolean {
  if (part === '') return false;
  const end = /\d$/.test(part) ? String.raw`(?![\d.%])` : '';
  return new RegExp(` ${part.replaceAll('.', String.raw`\.`)}${end}`).test(heard);
}

/** Words and numbers alone: "Dead-letter queue." and "dead letter queue" are one. */
function normal(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/(?<=\d)[,\u202F\u00A0](?=\d{3})/g, '')
    .replaceAll(/(?<=\d)\s*%/g, '%')
    .replaceAll(/(?<=\d)\s*[×x*]\s*(?=\d)/g, 'x')
    .replaceAll(/(?<!\d)\.|\.(?!\d)/g, ' ')
    .replaceAll(/[^\p{L}\p{N}%.]+/gu, ' ')
    .trim();
}
