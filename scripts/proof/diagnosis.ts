import { type Random, shuffle } from '../../quiz/random.ts';
import {
  applyMisconception,
  applyWhereItFits,
  type Misconception,
} from '../content/misconceptions.ts';
import { failuresIn, likeness, type WrongDesign } from '../loop/likeness.ts';
import { isSolved, type Verdict } from '../runner/verdict.ts';

/** A wrong answer, and the misconceptions of which it is made; none of a slip that the kit does not know. */
export interface WrongAnswer {
  readonly code: string;
  readonly titles: readonly string[];
}

/**
 * What the loop says of a wrong answer. `right`: it names one of the misconceptions that are in it, and no other.
 * `also`: it names one that is in it, and another. `wrong`: it names only others. `passed`: the spec did not notice.
 */
export type Diagnosis = 'right' | 'also' | 'silent' | 'wrong' | 'passed';

export function diagnose(
  { titles }: WrongAnswer,
  verdict: Verdict,
  designs: readonly WrongDesign[],
): Diagnosis {
  if (isSolved(verdict)) return 'passed';
  const named = verdict.kind === 'tested' ? likeness(verdict.tests, designs) : [];
  if (named.length === 0) return 'silent';
  const hits = named.filter(({ title }) => titles.includes(title)).length;
  if (hits === 0) return 'wrong';
  return hits === named.length ? 'right' : 'also';
}

/** What the spec says of each misconception: what the loop compares an answer with. */
export function designsOf(
  misconceptions: readonly Misconception[],
  verdicts: readonly Verdict[],
): WrongDesign[] {
  return misconceptions.map(({ title, why }, place) => {
    const verdict = verdicts[place];
    return { title, why, fails: verdict ? failuresIn(verdict) : [] };
  });
}

/** Each misconception alone. */
export function singles(solution: string, misconceptions: readonly Misconception[]): WrongAnswer[] {
  return misconceptions.map((misconception) => ({
    code: applyMisconception(solution, misconception),
    titles: [misconception.title],
  }));
}

/** Two misconceptions in one answer, at most `most` of them; those that change the same lines do not go together. */
export function pairs(
  solution: string,
  misconceptions: readonly Misconception[],
  most: number,
  random: Random,
): WrongAnswer[] {
  const all = misconceptions.flatMap((one, place) =>
    misconceptions.slice(place + 1).map((other) => [one, other] as const),
  );
  const found: WrongAnswer[] = [];
  for (const [one, other] of shuffle(all, random)) {
    if (found.length === most) break;
    const code = applyWhereItFits(applyMisconception(solution, one), other);
    if (code !== undefined) found.push({ code, titles: [one.title, other.title] });
  }
  return found;
}

/** What a hand does wrong without any idea behind it: one sign for another. */
const SLIPS: readonly (readonly [RegExp, string])[] = [
  [/ < /g, ' <= '],
  [/ <= /g, ' < '],
  [/ > /g, ' >= '],
  [/ >= /g, ' > '],
  [/ === /g, ' !== '],
  [/ !== /g, ' === '],
  [/ && /g, ' || '],
  [/ \|\| /g, ' && '],
  [/ \+ /g, ' - '],
  [/ - /g, ' + '],
  [/\btrue\b/g, 'false'],
  [/\bfalse\b/g, 'true'],
  [/\bawait /g, ''],
];

/** Small slips in the solution that are none of its misconceptions, at most `most` of them. */
export function slips(
  solution: string,
  misconceptions: readonly Misconception[],
  most: number,
  random: Random,
): WrongAnswer[] {
  const known = new Set(misconceptions.map((each) => applyMisconception(solution, each)));
  const all = SLIPS.flatMap(([sign, other]) =>
    [...solution.matchAll(sign)]
      .filter(({ index }) => !isComment(solution, index))
      .map(
        ({ 0: found, index }) =>
          solution.slice(0, index) + other + solution.slice(index + found.length),
      ),
  );
  return shuffle(
    all.filter((code) => !known.has(code)),
    random,
  )
    .slice(0, most)
    .map((code) => ({ code, titles: [] }));
}

function isComment(code: string, index: number): boolean {
  const line = code.slice(code.lastIndexOf('\n', index) + 1, index);
  return /^\s*(?:\/\/|\/?\*)/.test(line) || line.includes('// ');
}
