import { plainText } from './plain-text.ts';

/** An error as it arrives from the thread of a spec: no longer an `Error`, and with Vitest's additions. */
export interface Thrown {
  /** Absent when something else than an `Error` was thrown. */
  readonly name?: string;
  readonly message?: string;
  readonly stack?: string;
  readonly cause?: Thrown;
  readonly diff?: string;
  readonly actual?: unknown;
  readonly code?: unknown;
  /** Of an error that no test caught: the name of the test that was running, and how the error came out. */
  readonly VITEST_TEST_NAME?: unknown;
  readonly type?: unknown;
}

const MOST_LINES = 16;
const MOST_CHARACTERS = 2_000;
/** What still reads well on one line. */
const LINE_WIDTH = 76;

/**
 * What an error says to a learner: the spec's own sentence first, then the values in few lines, and for a
 * property its counterexample. Without stack, colours, seeds and the name of the tool.
 */
export function failureMessage(error: Thrown, root: string): string {
  const lines = clean(messageOf(error), root)
    .split('\n')
    .filter((line) => line.trim() !== '');
  const kept = lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES), '…'] : lines;
  const text = kept.join('\n');
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

function messageOf(error: Thrown): string {
  const { name, message = '' } = error;
  if (name === 'HungTest' || /^(Test|Hook) timed out in /.test(message)) return NEVER_ENDED;
  if (message.startsWith('Property failed after ')) return propertyMessage(error);
  if (name === 'AssertionError') return assertionMessage(error);
  return thrownMessage(error);
}

const NEVER_ENDED = [
  'This test never ended: it waits for a promise that nothing settles any more.',
  'Look for a promise that is neither resolved nor rejected on some path.',
].join('\n');

/** Of fast-check: what the property says of the counterexample, and the counterexample. */
function propertyMessage({ message = '', cause }: Thrown): string {
  const example = /\nCounterexample: ([\s\S]*?)\nShrunk \d+ time/.exec(message)?.[1] ?? '';
  const because =
    cause?.message === undefined || cause.message === 'Property failed by returning false'
      ? 'This must hold for all values, and does not.'
      : messageOf(cause);
  return `${because}\ncounterexample: ${readableExample(example)}`;
}

/** `["a",5]` → `"a",5`; the commands of a model → `fail → wait 5 s → call`. */
function readableExample(example: string): string {
  const values = example.replace(/^\[([\s\S]*)\]$/, '$1');
  const commands = values.replace(/ ?\/\*replayPath=.*?\*\//g, '');
  const text = commands === values ? values : commands.split(/,(?! )/).join(' → ');
  return text || 'nothing at all';
}

/** Of `expect(value, sentence)`: the sentence, then what was expected. */
function assertionMessage(error: Thrown): string {
  const message = error.message ?? '';
  const start = message.startsWith('expected ') ? 0 : message.indexOf(': expected ') + 2;
  if (start === 1) return message;
  const claim = message
    .slice(start)
    .replace(' // Object.is equality', '')
    .replace(/\n\(\d+ matching propert.*\)/, '');
  return `${message.slice(0, Math.max(0, start - 2))}\n${claimMessage(claim, error)}`;
}

function claimMessage(claim: string, error: Thrown): string {
  const [, kind] = /^expected error to be instance of (\w+)$/.exec(claim) ?? [];
  if (kind) return `expected ${article(kind)} ${kind} but got ${summary(error.actual)}`;
  const [, text] =
    /^expected \[Function.*?\] to throw error (?:including|matching) (.*)$/s.exec(claim) ?? [];
  if (text) return `expected an error that says ${text}`;
  const [, got, wanted] =
    /^expected (.*) to (?:be|equal|deeply equal|strictly equal) (?!called)(.*)$/s.exec(claim) ?? [];
  if (got === undefined || wanted === undefined) {
    return claim.replaceAll('"vi.fn()"', 'it').replace(/\nNumber of calls: .*/, '');
  }
  const line = `expected ${wanted.replace(/, received difference .*/, '')} but got ${got}`;
  return line.length > LINE_WIDTH && error.diff ? diffMessage(error.diff) : line;
}

function diffMessage(diff: string): string {
  const text = plainText(diff);
  if (text.startsWith('Expected: ')) {
    return text.replace(/^Expected: /, 'expected: ').replace(/\nReceived: /, '\nbut got:  ');
  }
  return text.replace(/^- Expected:?\s*\n\+ Received:?\s*\n/, '- expected, + got:\n');
}

function thrownMessage({ name, message = '', cause }: Thrown): string {
  if (name === undefined) return `threw ${message || 'something'}, which is no Error`;
  // The text of a stub says by itself what there is to do.
  if (message.startsWith('TODO')) return message;
  const text = message === '' ? name : `${name}: ${message}`;
  return cause?.message ? `${text}\ncaused by ${thrownMessage(cause)}` : text;
}

/** `Error {\n  "message": "no",\n}`, as Vitest prints an error in a difference → `Error: no`. */
function summary(value: unknown): string {
  const text = String(value);
  const [, name, message] = /^(\w+) \{[\s\S]*?"message": "((?:[^"\\]|\\.)*)"/.exec(text) ?? [];
  return name && message ? `${name}: ${message.replace(/\\(.)/g, '$1')}` : text;
}

function article(noun: string): string {
  return /^[AEIOU]/.test(noun) ? 'an' : 'a';
}

function clean(text: string, root: string): string {
  return (
    plainText(text)
      .replace(/\(0 , __vite_ssr_import_\d+__\.([\w$]+)\)/g, '$1')
      .replace(/__vite_ssr_import_\d+__\./g, '')
      // What Vitest writes for 0, to tell it from −0; to everybody else it is 0.
      .replace(/(?<![\w.])\+0(?![\w.])/g, '0')
      .replaceAll(`${root}/`, '')
  );
}
