import type * as Yaml from 'yaml';

/** YAML as its data and, for whoever looks for places, as its tree. */
interface YamlText {
  readonly document: Yaml.Document;
  readonly lines: Yaml.LineCounter;
  /** Undefined when there are problems. */
  readonly data: unknown;
  /** Why it cannot be read; the line is that of the text. */
  readonly problems: readonly { readonly line: number; readonly message: string }[];
}

/**
 * Reads YAML that a person wrote; never throws. Keys are text: with others, and with what is nested without end,
 * the library would not come back.
 * @param library handed in, for it takes long to load
 */
export function readYaml(
  text: string,
  { LineCounter, parseDocument }: Pick<typeof Yaml, 'LineCounter' | 'parseDocument'>,
): YamlText {
  const lines = new LineCounter();
  const deep = deepLine(text);
  const document = parseDocument(deep === undefined ? text : '', {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
  });
  const unreadable = (problems: YamlText['problems']) => {
    return { document, lines, data: undefined, problems };
  };
  if (deep !== undefined) {
    return unreadable([{ line: deep, message: 'it is nested too deeply' }]);
  }
  if (document.errors.length > 0) {
    return unreadable(
      document.errors.map(({ pos: [start], message }) => ({
        line: lines.linePos(start).line,
        message: reworded.get(message) ?? message,
      })),
    );
  }
  try {
    return { document, lines, data: document.toJS(), problems: [] };
  } catch (error) {
    // It parses but has no value: an alias of nothing, or aliases that would fill the memory.
    const message = error instanceof Error ? error.message : String(error);
    return unreadable([{ line: 1, message }]);
  }
}

const reworded = new Map([
  ['With stringKeys, all keys must be strings', 'A key must be plain text'],
]);

const MOST_NESTED = 200;
const NESTED = new RegExp(`^ {${2 * MOST_NESTED}}|(?:[-?:] +){${MOST_NESTED}}`);

/** The first line on which something is nested deeper than anybody writes, 1-based. */
function deepLine(text: string): number | undefined {
  let open = 0;
  for (const [index, line] of text.split('\n').entries()) {
    for (const bracket of line.match(/[[\]{}]/g) ?? []) {
      open = Math.max(0, open + ('[{'.includes(bracket) ? 1 : -1));
      if (open > MOST_NESTED) return index + 1;
    }
    if (NESTED.test(line)) return index + 1;
  }
  return undefined;
}
