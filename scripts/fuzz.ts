import { KitError } from '../quiz/problem.ts';
import { notFound } from './args.ts';
import { aligned } from './columns.ts';
import { countFrom } from './measure/count-from.ts';
import { runTool } from './measure/tool.ts';
import { fuzzParser } from './proof/fuzz-parser.ts';
import { parsers } from './proof/parsers.ts';
import type { Parser } from './proof/parsers/parser.ts';
import type { Outcome } from './proof/try-texts.ts';

await runTool({
  help: `Usage: npm run fuzz [-- parser] [--inputs N] [--seed N]

Tries bad texts on all that reads what people write: made-up ones, real ones of
this kit that were spoiled, far too long and far too deep ones. Nothing may
crash without a message for people, and nothing may hang.

${aligned(parsers.map(({ name, title }) => [`  ${name}`, title])).join('\n')}

  --inputs N   texts for each parser, 1,000 if not given
  --seed N     the same seed makes the same texts; 1 if not given

Ends with 1, and shows the text, when one made a parser crash or hang.`,
  options: { inputs: { type: 'string' }, seed: { type: 'string' } },
  async run({ root, words, flags }, signal) {
    const inputs = countFrom('--inputs', flags['inputs'], 1_000);
    const seed = countFrom('--seed', flags['seed'], 1);
    const rows: string[][] = [];
    let isFine = true;
    for (const parser of await chosenParsers(words)) {
      console.error(`Trying ${inputs} texts on ${parser.name} …`);
      const outcome = await fuzzParser(parser, { root, inputs, seed, signal });
      rows.push(rowOf(parser, outcome));
      if (outcome.crash === undefined) continue;
      isFine = false;
      console.log(`${parser.name}: ${outcome.crash.error}`);
      console.log(`The text, as JSON: ${JSON.stringify(outcome.crash.text)}\n`);
    }
    for (const line of aligned([['parser', 'texts', 'refused', 'crashes', 'slowest'], ...rows])) {
      console.log(line);
    }
    return isFine ? 0 : 1;
  },
});

function rowOf({ name }: Parser, { tried, refused, slowestMs, crash }: Outcome): string[] {
  const crashes = crash === undefined ? '0' : '1';
  return [name, String(tried), String(refused), crashes, `${slowestMs.toFixed(0)} ms`];
}

async function chosenParsers([name, ...more]: readonly string[]): Promise<readonly Parser[]> {
  if (name === undefined) return parsers;
  if (more.length > 0) throw new KitError('Name one parser, or none for all.', { exitCode: 2 });
  const parser = parsers.find((each) => each.name === name);
  if (parser) return [parser];
  const names = parsers.map((each) => each.name);
  throw new KitError(await notFound('parser', name, names), { exitCode: 2 });
}
