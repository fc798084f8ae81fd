import { all, common, createEmphasize, type Sheet } from 'emphasize';
import { styleLines } from './inline.ts';

type Paint = (text: string) => string;

const { http } = all;
const emphasize = createEmphasize({ ...common, ...(http && { http }) });

/** The sixteen colours of the terminal's own theme, so that it reads on dark and on light ground. */
const SHEET: Sheet = {
  comment: paint('gray'),
  quote: paint('gray'),
  keyword: paint('magenta'),
  built_in: paint('cyan'),
  literal: paint('yellow'),
  number: paint('yellow'),
  string: paint('green'),
  regexp: paint('green'),
  symbol: paint('yellow'),
  title: paint('blue'),
  section: paint('blue'),
  name: paint('blue'),
  type: paint('cyan'),
  attr: paint('blue'),
  attribute: paint('blue'),
  variable: paint('cyan'),
  meta: paint('gray'),
  addition: paint('green'),
  deletion: paint('red'),
};

/** Colours the code; in a language that is not known it stays as it is. */
export function highlight(code: string, language: string): string {
  return emphasize.registered(language) ? emphasize.highlight(language, code, SHEET).value : code;
}

function paint(colour: Parameters<typeof styleLines>[0]): Paint {
  return (text) => styleLines(colour, text);
}
