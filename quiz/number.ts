import { parseArithmetic, tidy, type Values } from './arithmetic.ts';
import type { Random } from './random.ts';

/** What a placeholder may stand for. */
export type Param =
  | { readonly from: number; readonly to: number; readonly step: number }
  | { readonly of: readonly number[] };

/** All the values a param can take, in order. */
export function valuesOf(param: Param): number[] {
  if ('of' in param) return [...param.of];
  const steps = Math.floor(tidy((param.to - param.from) / param.step));
  return Array.from({ length: steps + 1 }, (_, index) => tidy(param.from + index * param.step));
}

/** One value for each param. */
export function draw(params: Readonly<Record<string, Param>>, random: Random): Values {
  return Object.fromEntries(
    Object.entries(params).map(([name, param]) => {
      const values = valuesOf(param);
      return [name, values[Math.floor(random() * values.length)] ?? Number.NaN];
    }),
  );
}

/** The names in `{braces}`. */
export function placeholdersOf(template: string): string[] {
  return [...template.matchAll(placeholder)].map(([, name]) => name ?? '');
}

/** `template` with the numbers in place of their names; unknown names stay as they are. */
export function fill(template: string, values: Values): string {
  return template.replaceAll(placeholder, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : showNumber(value);
  });
}

/** As people write it: 1,024 or 0.9995; 4 digits of a number that has no end. */
export function showNumber(value: number): string {
  return format.format(isShort(value) ? tidy(value) : Number(value.toPrecision(4)));
}

/** True when its decimals come to an end that a person would type. */
export function isShort(value: number): boolean {
  return tidy(value) === Number(value.toFixed(9));
}

/**
 * The number that a person typed: 1024, 1,024, 1 024, 0.5, 0,5, 1e3, or a sum such as 3 * 4 ^ 2;
 * the unit may follow. Undefined when it is none of these.
 */
export function readNumber(typed: string, unit?: string): number | undefined {
  const bare = withoutUnit(typed.trim(), unit).replaceAll(/(?<=\d)[ _\u00A0](?=\d{3}(?!\d))/g, '');
  const plain = bare
    .replaceAll(/(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])/g, (grouped) =>
      grouped.replaceAll(',', ''),
    )
    .replace(/^(-?\d+),(\d+)$/, '$1.$2');
  try {
    const value = parseArithmetic(plain).evaluate({});
    return Number.isFinite(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** @param tolerance relative: 0.05 accepts 5 % more or less; 0 still forgives the last bits of a float */
export function isClose(given: number, answer: number, tolerance: number): boolean {
  const least = 1e-9;
  return Math.abs(given - answer) <= Math.max(tolerance, least) * (Math.abs(answer) || 1);
}

const placeholder = /\{([a-z]\w*)\}/gi;

const format = new Intl.NumberFormat('en-US', { maximumFractionDigits: 20 });

function withoutUnit(typed: string, unit: string | undefined): string {
  return unit !== undefined && typed.toLowerCase().endsWith(unit.toLowerCase())
    ? typed.slice(0, -unit.length)
    : typed;
}
