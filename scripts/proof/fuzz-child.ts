/** Tries one parser, named by the first argument; what came of it goes to standard output as JSON. */
import { writeFileSync } from 'node:fs';
import { kitPaths } from '../paths.ts';
import { parsers } from './parsers.ts';
import { tryTexts } from './try-texts.ts';

const [name, inputs, seed, lastText = ''] = process.argv.slice(2);
const parser = parsers.find((each) => each.name === name);
if (parser === undefined) throw new Error(`There is no parser ${name}.`);
const outcome = await tryTexts(parser, {
  root: kitPaths(process.env).root,
  inputs: Number(inputs),
  seed: Number(seed),
  // Whoever waits for this process reads there what it hangs on, or died of.
  onText: (text) => writeFileSync(lastText, text),
});
console.log(JSON.stringify(outcome));
