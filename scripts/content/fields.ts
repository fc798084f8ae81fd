import { readDay } from '../../quiz/day.ts';
import type { Problem } from '../../quiz/problem.ts';
import { isRecord } from '../../quiz/record.ts';
import type { Frontmatter } from './frontmatter.ts';

/**
 * Takes fields out of a front matter. A field that is missing or wrong gives its fallback and one problem that
 * says what was expected; `rest` adds one for each field that nobody asked for.
 */
export function fieldReader(front: Frontmatter, file: string) {
  const problems: Problem[] = [...front.problems];
  const fields = isRecord(front.data) ? front.data : {};
  const asked = new Set<string>();
  const readable = front.problems.length === 0;

  function take(key: string): unknown {
    asked.add(key);
    return fields[key];
  }

  function expected(key: string, what: string): void {
    if (!readable) return;
    const found = fields[key];
    const instead = found === undefined ? 'it is missing' : `not ${JSON.stringify(found)}`;
    problems.push({
      file,
      line: front.lineOf(key),
      message: `front matter: expected \`${key}\` to be ${what}; ${instead}`,
    });
  }

  return {
    text(key: string, fallback: string): string {
      const value = take(key);
      if (typeof value === 'string' && value.trim() !== '') return value;
      expected(key, 'a text');
      return fallback;
    },

    /** A whole number, 1 or more. */
    count(key: string, fallback: number): number {
      const value = take(key);
      if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
      expected(key, 'a whole number, 1 or more');
      return fallback;
    },

    day(key: string, fallback: string): string {
      const value = take(key);
      if (typeof value === 'string' && readDay(value) !== undefined) return value;
      expected(key, 'a day such as 2026-01-31');
      return fallback;
    },

    oneOf<Choice extends string>(
      key: string,
      choices: readonly Choice[],
      fallback: Choice,
      { mayLack = false } = {},
    ): Choice {
      const value = take(key);
      if (mayLack && value === undefined) return fallback;
      const choice = choices.find((each) => each === value);
      if (choice !== undefined) return choice;
      expected(key, choices.join(' or '));
      return fallback;
    },

    /** Whether a field that may be left out says just this word; it may say nothing else. */
    says(key: string, word: string): boolean {
      const value = take(key);
      if (value !== undefined && value !== word) expected(key, `${word}, or left out`);
      return value === word;
    },

    /** Everything that is wrong, in the order of the questions; ask last. */
    problems(): Problem[] {
      const unknown = Object.keys(fields).filter((key) => !asked.has(key));
      return [
        ...problems,
        ...unknown.map((key) => ({
          file,
          line: front.lineOf(key),
          message: `front matter: nothing reads \`${key}\`; the fields are ${[...asked].join(', ')}`,
        })),
      ];
    },
  };
}
