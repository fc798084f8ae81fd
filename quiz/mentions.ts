/**
 * True when a text has one of `terms` in it. A term is the beginning of a word, or of some in a row ("idempot",
 * "dead letter"), whatever the case; "compens + order" wants both of them, anywhere. It listens for words, not
 * for sense: the learner judges that.
 */
export function mentions(text: string, terms: readonly string[]): boolean {
  const heard = ` ${normal(text)}`;
  return terms.some((term) =>
    term.split('+').every((part) => normal(part) !== '' && heard.includes(` ${normal(part)}`)),
  );
}

/** Words alone: "Dead-letter queue." and "dead letter queue" are one. */
function normal(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}%]+/gu, ' ')
    .trim();
}
