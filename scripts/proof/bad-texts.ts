import fc from 'fast-check';

/** What breaks parsers: characters that are not what they look like, and pieces of syntax that nest or refer. */
const ODDITIES = [
  '\0',
  '\uFEFF',
  '\r',
  '\r\n',
  '\u2028',
  '\u202E',
  '\uD800',
  '\uFFFD',
  'e\u0301\u0301\u0301',
  '👩‍👩‍👧‍👦',
  '\u001B[31m',
  '\t',
  '---\n',
  '...\n',
  '```\n',
  '````ts\n',
  '<!--',
  '<a id="',
  '&constructor;',
  '&#x110000;',
  '__proto__: { polluted: true }\n',
  'constructor: 1\n',
  'toString',
  '{"__proto__": 1}',
  'a: &a [*a, *a]\n',
  'a: &a { a: *a }\n',
  'x: *nowhere\n',
  '<<: *a\n',
  '!!js/function "x"',
  '!!binary "%%%"',
  '? [a]\n: b\n',
  '- - - - -',
  '1e999',
  '-0',
  '9'.repeat(400),
  `a0: &a0 [x, x]\n${bomb(9)}`,
] as const;

/** A YAML text of a few lines that stands for 10 to the power of `depth` values. */
function bomb(depth: number): string {
  return Array.from({ length: depth }, (_, index) => {
    const before = Array.from({ length: 10 }, () => `*a${index}`).join(', ');
    return `a${index + 1}: &a${index + 1} [${before}]\n`;
  }).join('');
}

/** Repeated, each of these is a long line, or nested deeply. */
const REPEATED = [
  ' ',
  '\t',
  '\n',
  '\n ',
  'a',
  'é',
  '😀',
  '0',
  '9',
  '-',
  '- ',
  '> ',
  '# ',
  '#',
  '`',
  '``` ',
  '*',
  '_a',
  '**a',
  '~',
  '[',
  '![',
  '[a](',
  '(',
  '((1)+',
  '1+',
  '-',
  '2^',
  '{',
  '{a: ',
  '[{',
  '"',
  '|',
  '| a ',
  ':',
  ': ',
  '<',
  '<a ',
  '<!--',
  '&',
  '&a ',
  '*a ',
  '\\',
  ',',
  '1,000',
  '//',
  '%%',
  'a-->b\n',
  'a & ',
  '· ',
] as const;

/** Long, yet no longer than a person could paste. */
const LONGEST = 20_000;

/**
 * Texts to try on a parser of such texts as `real`: made up from its `words`, far too long ones, and most of all real
 * ones that were spoiled.
 */
export function badTexts(real: readonly string[], words: readonly string[]): fc.Arbitrary<string> {
  const anyText = fc.string({ unit: 'binary', maxLength: 200 });
  const word = fc.constantFrom(...words, ...ODDITIES, '\n', ' ');
  const madeUp = fc
    .array(fc.oneof({ weight: 4, arbitrary: word }, fc.string({ maxLength: 12 })), {
      maxLength: 60,
    })
    .map((parts) => parts.join(''));
  const long = fc
    .tuple(
      fc.constantFrom('', ...words),
      fc.constantFrom(...REPEATED, ...words),
      fc.nat(LONGEST),
      fc.constantFrom('', '\n', ...words),
    )
    .map(([before, repeated, times, after]) => {
      const most = Math.floor(LONGEST / repeated.length);
      return before + repeated.repeat(Math.min(times, most)) + after;
    });
  return fc.oneof(
    { weight: 1, arbitrary: anyText },
    { weight: 2, arbitrary: madeUp },
    { weight: 1, arbitrary: long },
    { weight: 6, arbitrary: spoiled(real) },
  );
}

/** A change to a text: where (0 to 1), how much, and with what. */
type Spoil = (text: string, place: number, size: number, other: string) => string;

const spoils: Readonly<Record<string, Spoil>> = {
  'delete characters': (text, place, size) => replaced(text, at(text, place), size, ''),
  'change characters': (text, place, size, other) =>
    replaced(text, at(text, place), size, other.slice(0, size)),
  insert: (text, place, _, other) => replaced(text, at(text, place), 0, other.slice(0, 400)),
  'repeat a character': (text, place, size) => {
    const from = at(text, place);
    return replaced(text, from, 0, text.charAt(from).repeat(size * 100));
  },
  'cut off': (text, place) => text.slice(0, at(text, place)),
  'delete lines': (text, place, size) => inLines(text, place, size, () => []),
  'double lines': (text, place, size) => inLines(text, place, size, (own) => [...own, ...own]),
  'turn lines round': (text, place, size) => inLines(text, place, size, (own) => own.toReversed()),
  'indent lines': (text, place, size) =>
    inLines(text, place, size, (own) => own.map((line) => `  ${line}`)),
  'nest lines': (text, place, size) =>
    inLines(text, place, 1, (own) => own.map((line) => '> - '.repeat(size) + line)),
  'join lines': (text, place, size) => inLines(text, place, size, (own) => [own.join('')]),
  'splice in lines of another': (text, place, size, other) => {
    const lines = other.split('\n');
    const from = Math.floor(place * lines.length);
    return inLines(text, 1 - place, 0, () => lines.slice(from, from + size));
  },
  'end lines as on Windows': (text) => text.replaceAll('\n', '\r\n'),
  'end lines as long ago': (text) => text.replaceAll('\n', '\r'),
  'put a byte order mark first': (text) => `\uFEFF${text}`,
};

function spoiled(real: readonly string[]): fc.Arbitrary<string> {
  const spoil = fc.record({
    kind: fc.constantFrom(...Object.keys(spoils)),
    place: fc.double({ min: 0, max: 1, noNaN: true }),
    size: fc.integer({ min: 1, max: 40 }),
    other: fc.constantFrom(...ODDITIES, ...real),
  });
  return fc
    .tuple(fc.constantFrom(...real), fc.array(spoil, { minLength: 1, maxLength: 6 }))
    .map(([text, changes]) =>
      changes.reduce(
        (sofar, { kind, place, size, other }) => spoils[kind]?.(sofar, place, size, other) ?? sofar,
        text,
      ),
    );
}

function at(text: string, place: number): number {
  return Math.floor(place * text.length);
}

function replaced(text: string, from: number, count: number, by: string): string {
  return text.slice(0, from) + by + text.slice(from + count);
}

function inLines(
  text: string,
  place: number,
  count: number,
  change: (lines: readonly string[]) => readonly string[],
): string {
  const lines = text.split('\n');
  const from = Math.floor(place * lines.length);
  return lines.toSpliced(from, count, ...change(lines.slice(from, from + count))).join('\n');
}
